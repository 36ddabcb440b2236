"""Class activation mapping (Zhou et al. 2016; thesis 000 §3.4.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from core.errors import ParameterError
from core.explain.base import Method, Progress, no_progress, resize_maps
from core.zoo.architectures import LOGITS_LAYER

if TYPE_CHECKING:
    from core.zoo.cards import Card
    from core.zoo.prediction import Classifier


class ClassActivationMapping(Method):
    """The last feature maps weighed by the dense layer's weights of the class.

    Its mean over the feature grid plus the class's bias is the logit itself, so it leaves nothing out; it needs global
    average pooling right before the dense layer, which all our classifiers have but those with a hidden layer.
    """

    name = "cam"
    title = "Class activation mapping"
    family = "activation"
    explanation = "Adds up the network's last feature maps with the weights that lead to the class."
    trust = "Shows roughly where the evidence lies and sums exactly to the score; too coarse to outline a structure."
    paper = "Zhou et al. 2016, arXiv:1512.04150"
    signed = True
    order = 2

    def obstacle(self, card: Card) -> str | None:
        if not card.architecture.get("dense"):
            return None
        return f"{self.title} needs a network without a hidden layer after the pooling; use Grad-CAM for this one."

    def explain(
        self, model: Classifier, images: np.ndarray, targets: np.ndarray, progress: Progress = no_progress
    ) -> np.ndarray:
        if obstacle := self.obstacle(model.card):
            raise ParameterError(obstacle)
        _, maps = model.network.feature_maps(images)
        kernel = np.asarray(model.network.model.get_layer(LOGITS_LAYER).kernel)
        progress(1.0)
        return resize_maps(weigh(maps, kernel[:, targets].T), images.shape[-1])


def weigh(maps: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Sum of feature maps (N, h, w, F) with weights (N, F): (N, h, w) float32."""
    return np.einsum("nhwf,nf->nhw", maps, weights, optimize=True).astype(np.float32)
