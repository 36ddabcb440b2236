"""Gradient-weighted class activation mapping (Selvaraju et al. 2017)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from core.explain.base import Method, Progress, no_progress, resize_maps
from core.explain.cam import weigh

if TYPE_CHECKING:
    from core.zoo.prediction import Classifier


class GradCAM(Method):
    """Feature maps weighed by the mean gradient of the logit, negative sums cut off.

    On a network with global average pooling and one dense layer it is class activation mapping up to a factor and the
    cut at zero; it also works where that layer is missing.
    """

    name = "grad_cam"
    title = "Grad-CAM"
    family = "activation"
    explanation = "Weighs the network's last feature maps by how much the class's score depends on each."
    trust = "As coarse as class activation mapping, but works on any network; it hides evidence against the class."
    paper = "Selvaraju et al. 2017, arXiv:1610.02391"
    order = 3

    def explain(
        self, model: Classifier, images: np.ndarray, targets: np.ndarray, progress: Progress = no_progress
    ) -> np.ndarray:
        _, maps, gradient = model.network.feature_gradient(images, targets)
        progress(1.0)
        coarse = np.maximum(weigh(maps, gradient.mean(axis=(1, 2))), 0)
        return resize_maps(coarse, images.shape[-1])
