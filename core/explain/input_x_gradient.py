"""Input times gradient (Shrikumar et al. 2016; head circumference paper 003)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from core.explain.base import Method, Progress, no_progress
from core.explain.perturbation import filling

if TYPE_CHECKING:
    from core.zoo.prediction import Classifier


class InputXGradient(Method):
    """The logit's gradient by the gray value, times how far that lies from a baseline's.

    The textbook multiplies by whatever the network is fed. That makes the network's zero the baseline, which is black
    for one backbone and mid-gray for the next. Here the baseline is named and means the same for all: black, where no
    echo came back, so that dark fluid has no say whatever its gradient; or the image's mean, which is what paper 003
    does by normalising each image. For a network linear in the image the map sums to the difference of the two scores.
    """

    name = "input_x_gradient"
    title = "Input × gradient"
    family = "gradient"
    explanation = "Multiplies each pixel's brightness by how much the class's score would gain if it were brighter."
    trust = "Tells for from against, where saliency does not; true to first order only, and blind to what is dark."
    measurement_explanation = (
        "Multiplies each pixel's brightness by how much the circumference would grow if it were brighter."
    )
    measurement_trust = (
        "Tells what makes the circumference grow (red) from what makes it shrink (blue); true to first order only, and "
        "blind to what is dark."
    )
    paper = "Shrikumar et al. 2016, arXiv:1605.01713"
    signed = True
    order = 5

    def explain(
        self,
        model: Classifier,
        images: np.ndarray,
        targets: np.ndarray,
        progress: Progress = no_progress,
        *,
        baseline: str = "black",
    ) -> np.ndarray:
        """``baseline`` is one of :data:`core.explain.perturbation.FILLS`."""
        from_baseline = np.stack([image - filling(image, baseline) for image in images])
        _, gradient = model.network.image_gradient(images, targets)
        progress(1.0)
        return from_baseline * gradient
