"""Saliency maps (Simonyan et al. 2014; thesis 000 §3.4.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from core.explain.base import Method, Progress, no_progress

if TYPE_CHECKING:
    from core.zoo.prediction import Classifier


class Saliency(Method):
    """|d score / d input|, the maximum over the three channels; the score is the logit, before softmax.

    A size for a measurement too: the gradient's sign says which way a brighter pixel would move the number, not whether
    what is there raises it, which input × gradient and its kin answer.
    """

    name = "saliency"
    title = "Saliency"
    family = "gradient"
    explanation = "Shows the pixels whose smallest change would move the score of the class most."
    measurement_explanation = "Shows the pixels whose smallest change would move the measured circumference most."
    trust = "Good for fine edges the network reacts to; noisy, and silent about what would happen without a region."
    measurement_trust = (
        "Good for fine edges the network reacts to; noisy, and silent about whether a place makes the circumference "
        "grow or shrink."
    )
    paper = "Simonyan, Vedaldi, Zisserman 2014, arXiv:1312.6034"
    order = 1

    def explain(
        self, model: Classifier, images: np.ndarray, targets: np.ndarray, progress: Progress = no_progress
    ) -> np.ndarray:
        _, gradient = model.network.input_gradient(images, targets)
        progress(1.0)
        return np.abs(gradient).max(axis=-1)
