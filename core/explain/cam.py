"""Class activation mapping (Zhou et al. 2016; thesis 000 §3.4.4)."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

import numpy as np

from core.explain.base import Method, Progress, no_progress, resize_maps

if TYPE_CHECKING:
    from core.zoo.cards import Card
    from core.zoo.prediction import Classifier


class ActivationMethod(Method):
    """A method that needs the forward pass alone, or that and the head's gradient: its pass also gives the answer."""

    family = "activation"

    def own_obstacle(self, card: Card) -> str | None:
        return obstacle_of_depth(self.title, card)

    @abstractmethod
    def look(
        self, model: Classifier, images: np.ndarray, targets: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Logits (N, K), pooled features (N, F) and maps (N, S, S) from one pass over images (N, S, S) in [0, 1]."""

    def explain(
        self, model: Classifier, images: np.ndarray, targets: np.ndarray, progress: Progress = no_progress
    ) -> np.ndarray:
        maps = self.look(model, images, targets)[-1]
        progress(1.0)
        return maps


class ClassActivationMapping(ActivationMethod):
    """The last feature maps weighed by the dense layer's weights of the class.

    Its mean over the feature grid plus the class's bias is the logit itself, so it leaves nothing out; it needs global
    average pooling right before the dense layer, which all our classifiers have but those with a hidden layer.
    """

    name = "cam"
    title = "Class activation mapping"
    explanation = "Adds up the network's last feature maps with the weights that lead to the class."
    trust = "Shows roughly where the evidence lies and sums exactly to the score; too coarse to outline a structure."
    measurement_explanation = "Adds up the network's last feature maps with the weights that lead to the circumference."
    measurement_trust = (
        "Shows roughly where the circumference is made to grow (red) or shrink (blue), summing exactly to it but for a "
        "constant; too coarse to outline a structure."
    )
    paper = "Zhou et al. 2016, arXiv:1512.04150"
    signed = True
    order = 2

    def own_obstacle(self, card: Card) -> str | None:
        if card.detection or not card.architecture.get("dense"):
            return super().own_obstacle(card)
        return f"{self.title} needs a network without a hidden layer after the pooling; use Grad-CAM for this one."

    def look(
        self, model: Classifier, images: np.ndarray, targets: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        self.check(model.card)
        logits, maps = model.network.feature_maps(images)
        coarse = weigh(maps, model.network.logits_kernel[:, targets].T)
        return logits, maps.mean(axis=(1, 2)), resize_maps(coarse, images.shape[-1])


def obstacle_of_depth(title: str, card: Card) -> str | None:
    """Why a method that draws the last feature maps cannot explain a network that answers from others too."""
    if not card.detection:
        return None
    return (
        f"{title} needs a network that answers from its last feature maps alone; this one looks at layers of every "
        "depth."
    )


def weigh(maps: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Sum of feature maps (N, h, w, F) with weights (N, F): (N, h, w) float32."""
    return np.einsum("nhwf,nf->nhw", maps, weights, optimize=True).astype(np.float32)
