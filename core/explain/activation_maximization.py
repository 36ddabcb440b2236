"""Activation maximization (Simonyan et al. 2014; thesis 000 §3.4.1, A.4): a picture of what a class looks like.

No method of the registry: it explains a class, not an image. The picture is gray, as all that the networks are trained
on; where the thesis moves three channels on their own, ours moves them by their mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.errors import ParameterError
from core.explain.base import Progress, no_progress

if TYPE_CHECKING:
    from core.zoo.prediction import Classifier

START = 0.125
"""Half the range of the noise to start from, where black is -1 and white 1."""
CHANNELS = 3
PICTURE_MEAN = 0.5
PICTURE_DEVIATION = 0.15
SMALLEST_DEVIATION = 1e-5


@dataclass(frozen=True)
class MaximisationSettings:
    """How the picture is made. Gray values run from -1 (black) to 1 (white), the thesis's units, for every backbone.

    Attributes
    ----------
    steps : int
        Of gradient ascent on the class's logit.
    learning_rate : float
        What the gradient is multiplied by; with ``smoothing``, how far a step moves the gray values on average.
    unit_image : bool
        Scale the image (all three channels) to a Euclidean length of 1 after each step, as the thesis's annex does.
    smoothing : float
        0 takes the gradient as it is. Above, its waves are divided by their frequency to this power and it is scaled to
        a mean square of 1: fine noise, which moves a score easily and shows nothing, loses to broad shapes. The image
        is also kept between black and white.
    jitter : float
        Each step sees the image shifted by up to this share of its side, at random, so that no pattern can hang on the
        network's grid.
    seed : int
        Of the start and the shifts.
    """

    steps: int = 60
    learning_rate: float = 0.05
    unit_image: bool = False
    smoothing: float = 0.0
    jitter: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ParameterError(f"Activation maximization needs at least one step, not {self.steps}.")
        if not 0 < self.learning_rate < np.inf:
            raise ParameterError(f"The learning rate must be above 0, not {self.learning_rate:g}.")
        if not (0 <= self.smoothing < np.inf and 0 <= self.jitter < 0.5):
            raise ParameterError("The smoothing must be 0 or more and the jitter a share of the side from 0 to 0.5.")


PRESETS = {
    "readable": MaximisationSettings(steps=100, learning_rate=0.03, smoothing=1.5, jitter=0.05),
    "thesis_text": MaximisationSettings(),
    "thesis_annex": MaximisationSettings(learning_rate=0.005, unit_image=True),
}
"""The first gives pictures one can read; the others are those of the thesis's text (§3.4.1) and of its annex (A.4)."""


@dataclass(frozen=True)
class Maximisation:
    """What activation maximization found.

    Attributes
    ----------
    picture : (S, S) float32 in [0, 1]
        For the eye: mean 0.5 and standard deviation 0.15, cut to [0, 1].
    image : (S, S) float32
        What the network was shown; within [0, 1] where the settings keep it there.
    scores : (steps + 1,) float32
        The class's logit at the start and after each step.
    """

    picture: np.ndarray
    image: np.ndarray
    scores: np.ndarray


def preset(name: str) -> MaximisationSettings:
    if name not in PRESETS:
        raise ParameterError(f"There is no preset {name!r}; choose one of {', '.join(PRESETS)}.")
    return PRESETS[name]


def activation_maximization(
    model: Classifier,
    target: int,
    settings: MaximisationSettings = PRESETS["readable"],
    progress: Progress = no_progress,
) -> Maximisation:
    """A picture that raises the logit of class ``target``, by gradient ascent from gray noise.

    ``progress`` may raise :class:`core.errors.Cancelled`.
    """
    size = model.network.size
    generator = np.random.default_rng(settings.seed)
    gray = generator.uniform(-START, START, (size, size)).astype(np.float32)
    damping = _damping(size, settings.smoothing)
    reach = round(settings.jitter * size)
    scores = [_score(model, gray, target)]
    for step in range(settings.steps):
        shift = generator.integers(-reach, reach + 1, 2)
        gradient = np.roll(_gradient(model, np.roll(gray, shift, (0, 1)), target), -shift, (0, 1))
        if settings.smoothing:
            gradient = _smoothed(gradient, damping)
        gray = gray + np.float32(settings.learning_rate) * gradient
        if settings.smoothing:
            gray = np.clip(gray, -1, 1)
        if settings.unit_image:
            gray /= np.linalg.norm(gray) * np.float32(np.sqrt(CHANNELS))
        scores.append(_score(model, gray, target))
        progress((step + 1) / settings.steps)
    return Maximisation(deprocess(gray), _to_unit(gray), np.array(scores, np.float32))


def deprocess(gray: np.ndarray) -> np.ndarray:
    """An image for the eye: mean 0.5, standard deviation 0.15, cut to [0, 1] (thesis 000 A.4)."""
    spread = (gray - gray.mean()) / (gray.std() + SMALLEST_DEVIATION)
    return np.clip(PICTURE_MEAN + PICTURE_DEVIATION * spread, 0, 1).astype(np.float32)


def _score(model: Classifier, gray: np.ndarray, target: int) -> float:
    return float(model.network.forward(_to_unit(gray)[None])[0][0, target])


def _gradient(model: Classifier, gray: np.ndarray, target: int) -> np.ndarray:
    """The mean over the channels of the logit's gradient, in units of black at -1 and white at 1: (S, S) float32."""
    _, gradient = model.network.image_gradient(_to_unit(gray)[None], np.array([target]))
    return gradient[0] / np.float32(2 * CHANNELS)


def _to_unit(gray: np.ndarray) -> np.ndarray:
    return (gray + 1) / 2


def _damping(size: int, power: float) -> np.ndarray:
    """What waves of an image of this size are multiplied by: 1 for those as long as the side, less for shorter ones."""
    frequency = size * np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size))
    return np.maximum(frequency, 1) ** -power


def _smoothed(gradient: np.ndarray, damping: np.ndarray) -> np.ndarray:
    waves = np.fft.irfft2(np.fft.rfft2(gradient) * damping, gradient.shape)
    return (waves / (np.sqrt((waves**2).mean()) + np.finfo(np.float32).tiny)).astype(np.float32)
