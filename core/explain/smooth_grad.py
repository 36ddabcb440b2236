"""SmoothGrad (Smilkov et al. 2017; head circumference paper 003 takes its squared form)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from core.errors import ParameterError
from core.explain.base import Method, Progress, no_progress
from core.explain.perturbation import BATCH

if TYPE_CHECKING:
    from core.zoo.prediction import Classifier

SAMPLES = 24
NOISE = 0.05
"""The paper takes 0.1 to 0.2. Networks trained on ultrasound read such noise as a sign of its own: of three phantoms
that the default model names rightly, it names all rightly under 0.05, two under 0.1 and one under 0.15."""


class SmoothGrad(Method):
    """Saliency of the mean gradient over noisy copies of the image, or of the mean squared gradient.

    The noise is drawn on the gray image, so that the network sees gray images only, and is not clipped, as in the
    paper.
    """

    name = "smooth_grad"
    title = "SmoothGrad"
    family = "gradient"
    explanation = "Averages the gradient over noisy copies of the image, so that what flickers cancels out."
    trust = "Less speckled than saliency; the noise must be one the network withstands, or it explains another answer."
    measurement_trust = (
        "Less speckled than saliency, and as silent about what makes the circumference grow or shrink; the noise must "
        "be one the network withstands, or it explains another answer."
    )
    paper = "Smilkov et al. 2017, arXiv:1706.03825"
    costly = True
    order = 6

    def explain(
        self,
        model: Classifier,
        images: np.ndarray,
        targets: np.ndarray,
        progress: Progress = no_progress,
        *,
        noise: float = NOISE,
        samples: int = SAMPLES,
        squared: bool = False,
        seed: int = 0,
    ) -> np.ndarray:
        """Maps from ``samples`` noisy copies of each image.

        Parameters
        ----------
        noise : float
            Standard deviation as a share of the image's range of gray; 0 gives the plain saliency map.
        squared : bool
            Average squares of the gradient: opposite signs then add up instead of cancelling.
        seed : int
            Of the noise, which is the same for every image.
        """
        if not 0 <= noise < np.inf:
            raise ParameterError(f"The noise must be a share of the image's range of gray, 0 or more, not {noise:g}.")
        if samples < 1:
            raise ParameterError(f"SmoothGrad needs at least one noisy copy, not {samples}.")
        maps = []
        for index, (image, target) in enumerate(zip(images, targets, strict=True)):
            total = np.zeros((*image.shape, 3))
            generator = np.random.default_rng(seed)
            deviation = np.float32(noise * np.ptp(image))
            for start in range(0, samples, BATCH):
                count = min(BATCH, samples - start)
                noisy = image + deviation * generator.standard_normal((count, *image.shape), np.float32)
                _, gradient = model.network.input_gradient(noisy, np.full(count, target))
                total += (gradient**2 if squared else gradient).sum(axis=0)
                progress((index + (start + count) / samples) / len(images))
            maps.append(np.abs(total / samples).max(axis=-1))
        return np.stack(maps).astype(np.float32)
