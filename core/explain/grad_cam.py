"""Gradient-weighted class activation mapping (Selvaraju et al. 2017)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from core.explain.base import resize_maps
from core.explain.cam import ActivationMethod, weigh

if TYPE_CHECKING:
    from core.zoo.cards import Card
    from core.zoo.prediction import Classifier


class GradCAM(ActivationMethod):
    """Feature maps weighed by the mean gradient of the logit, negative sums cut off.

    On a network with global average pooling and one dense layer it is class activation mapping up to a factor and the
    cut at zero; it also works where that layer is missing. The paper cuts because what lowers one class's score belongs
    to another class; a measurement has no other, so its map keeps what lowers it.
    """

    name = "grad_cam"
    title = "Grad-CAM"
    explanation = "Weighs the network's last feature maps by how much the class's score depends on each."
    trust = "As coarse as class activation mapping, but works on any network; it hides evidence against the class."
    measurement_explanation = "Weighs the network's last feature maps by how much the circumference depends on each."
    measurement_trust = (
        "As coarse as class activation mapping, but works on any network; nothing is cut off, so that blue is what "
        "makes the circumference shrink."
    )
    signs_measurements = True
    paper = "Selvaraju et al. 2017, arXiv:1610.02391"
    order = 3

    def look(
        self, model: Classifier, images: np.ndarray, targets: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        self.check(model.card)
        logits, maps, gradient = model.network.feature_gradient(images, targets)
        coarse = self.coarse(maps, gradient, model.card)
        if not self.is_signed(model.card):
            coarse = np.maximum(coarse, 0)
        return logits, maps.mean(axis=(1, 2)), resize_maps(coarse, images.shape[-1])

    def coarse(self, maps: np.ndarray, gradient: np.ndarray, card: Card) -> np.ndarray:
        """The map (N, h, w) before any cut, from feature maps and the logit's gradient by them, (N, h, w, F) both."""
        return weigh(maps, gradient.mean(axis=(1, 2)))
