"""Guided backpropagation (Springenberg et al. 2015; head circumference paper 003)."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

import numpy as np

from core.explain.base import Method, Progress, no_progress
from core.zoo.architectures import get_backbone

if TYPE_CHECKING:
    from core.zoo.cards import Card
    from core.zoo.prediction import Classifier
    from core.zoo.runtime import CompiledNetwork


class RectifierMethod(Method):
    """The size of what a network gives back when its rectifiers send back something else than the gradient."""

    family = "gradient"

    @abstractmethod
    def flow_back(self, network: CompiledNetwork, images: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """What reaches the pixels of images (N, S, S): (N, S, S, 3) float32."""

    def own_obstacle(self, card: Card) -> str | None:
        if get_backbone(card.backbone).rectifies:
            return None
        return f"{self.title} changes the gradient of rectifiers (ReLU), of which this network has none; use saliency."

    def explain(
        self, model: Classifier, images: np.ndarray, targets: np.ndarray, progress: Progress = no_progress
    ) -> np.ndarray:
        self.check(model.card)
        flow = self.flow_back(model.network, images, targets)
        progress(1.0)
        return np.abs(flow).max(axis=-1)


class GuidedBackpropagation(RectifierMethod):
    """Saliency of the gradient that a network gives back when its rectifiers pass positive gradients only."""

    name = "guided_backpropagation"
    title = "Guided backpropagation"
    explanation = "Follows the score back to the pixels along the paths that only ever add to it."
    trust = (
        "Draws crisp outlines of what is in the image; they hardly change with the class or even with the network's "
        "weights, so they are no proof of what the answer rests on."
    )
    measurement_explanation = "Follows the circumference back to the pixels along the paths that only ever add to it."
    measurement_trust = (
        "Draws crisp outlines of what is in the image; they hardly change with the network's weights, so they are no "
        "proof of what the circumference rests on, nor of what raises or lowers it."
    )
    paper = "Springenberg et al. 2015, arXiv:1412.6806"
    order = 8

    def flow_back(self, network: CompiledNetwork, images: np.ndarray, targets: np.ndarray) -> np.ndarray:
        return network.guided_gradient(images, targets)[1]
