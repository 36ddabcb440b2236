"""How a prediction changes as a corruption grows: one image (the flip point) or a sample (accuracy and SSIM curves).

A corruption meets the cleaned frame, before percentile stretch and median, as in the corruption thesis (001 §6); the
network's own preprocessing follows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from core.corruption import corrupt
from core.corruption import get as get_corruption
from core.evaluation import Share, wilson
from core.parallel import in_threads
from core.preprocessing import Cleaned, finish
from core.similarity import Reference
from core.zoo.prediction import Classifier

Progress = Callable[[float], None]
BISECTIONS = 5


@dataclass(frozen=True)
class ImageSweep:
    """One image under growing corruption.

    Attributes
    ----------
    intensities : (M,) float
        In the corruption's unit, starting at 0.
    probabilities : (M, K) float
    ssim : (M,) float
        Wang's definition inside the sector, against the cleaned frame.
    flip : float or None
        The smallest intensity found at which the predicted class differs from the clean one; None where it never does.
    before, after : str
        Class before the flip and at it (the same where there is none).
    """

    kind: str
    intensities: np.ndarray
    probabilities: np.ndarray
    ssim: np.ndarray
    flip: float | None
    before: str
    after: str


@dataclass(frozen=True)
class SampleSweep:
    """A sample under growing corruption: share still predicted right and SSIM, one entry an intensity.

    Attributes
    ----------
    accuracy : list of Share
        With Wilson's intervals; each image is its own patient.
    ssim_mean, ssim_low, ssim_high : (M,) float
        Mean over the sample and the 5th and 95th percentile.
    """

    kind: str
    intensities: np.ndarray
    accuracy: list[Share]
    ssim_mean: np.ndarray
    ssim_low: np.ndarray
    ssim_high: np.ndarray

    def to_csv(self) -> str:
        """One line an intensity: kind, intensity, n, accuracy, ci_low, ci_high, ssim, ssim_p5, ssim_p95."""
        lines = ["kind,intensity,n,accuracy,ci_low,ci_high,ssim,ssim_p5,ssim_p95"]
        for index, (intensity, share) in enumerate(zip(self.intensities, self.accuracy, strict=True)):
            similarity = (self.ssim_mean[index], self.ssim_low[index], self.ssim_high[index])
            numbers = (intensity, share.n, share.value, share.low, share.high, *similarity)
            lines.append(",".join([self.kind, *(f"{number:.6g}" for number in numbers)]))
        return "\n".join(lines) + "\n"


def corrupted_input(
    model: Classifier, cleaned: Cleaned, kind: str, intensity: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """The corrupted frame (H, W) uint8 at full size and the (S, S) uint8 image the network makes of it."""
    corrupted = corrupt(cleaned.gray, kind, intensity, seed=seed, sector=cleaned.sector)
    changed = replace(cleaned, gray=corrupted)
    return corrupted, finish(changed, model.settings, chain=model.card.input["chain"], size=model.card.size)


def sweep_image(
    model: Classifier,
    cleaned: Cleaned,
    kind: str,
    *,
    seed: int = 0,
    steps: int = 21,
    progress: Progress = lambda share: None,
) -> ImageSweep:
    """Follow one image from intensity 0 to the corruption's usual maximum and find where its class flips.

    The flip is bracketed on the grid of ``steps`` intensities and then halved five times.
    """
    corruption = get_corruption(kind)
    intensities = np.linspace(0, corruption.slider_maximum, steps)
    reference = Reference(cleaned.gray)

    def at(intensity: float) -> tuple[np.ndarray, float]:
        corrupted, prepared = corrupted_input(model, cleaned, kind, intensity, seed)
        return prepared, reference.ssim(corrupted, region=cleaned.sector)

    inputs, similarity = [], []
    for prepared, score in in_threads(at, intensities.tolist()):
        inputs.append(prepared)
        similarity.append(score)
        progress(0.8 * len(inputs) / steps)
    probabilities = model.probabilities(np.stack(inputs))
    classes = probabilities.argmax(axis=1)
    flipped = np.flatnonzero(classes != classes[0])
    before = after = model.classes[classes[0]]
    flip = None
    if len(flipped):
        low, high = float(intensities[flipped[0] - 1]), float(intensities[flipped[0]])
        after = model.classes[classes[flipped[0]]]
        for step in range(BISECTIONS):
            middle = (low + high) / 2
            prepared = corrupted_input(model, cleaned, kind, middle, seed)[1]
            label = int(model.probabilities(prepared[None]).argmax())
            if label == classes[0]:
                low = middle
            else:
                high, after = middle, model.classes[label]
            progress(0.8 + 0.2 * (step + 1) / BISECTIONS)
        flip = high
    progress(1.0)
    return ImageSweep(kind, intensities, probabilities, np.array(similarity), flip, before, after)


def sweep_sample(
    model: Classifier,
    images: Sequence[Cleaned],
    targets: Sequence[str],
    kind: str,
    *,
    seed: int = 0,
    steps: int = 11,
    progress: Progress = lambda share: None,
) -> SampleSweep:
    """Accuracy and SSIM over a sample of cleaned frames with known classes.

    Image ``i`` is corrupted with the seed ``seed + i`` at every intensity, so that a curve follows the same noise.
    """
    corruption = get_corruption(kind)
    intensities = np.linspace(0, corruption.slider_maximum, steps)
    true = [model.classes.index(target) for _, target in zip(images, targets, strict=True)]
    correct = np.zeros((len(images), steps), bool)
    similarity = np.zeros((len(images), steps))

    def follow(index: int) -> tuple[np.ndarray, list[float]]:
        cleaned = images[index]
        reference = Reference(cleaned.gray)
        inputs, scores = [], []
        for intensity in intensities.tolist():
            corrupted, prepared = corrupted_input(model, cleaned, kind, intensity, seed + index)
            inputs.append(prepared)
            scores.append(reference.ssim(corrupted, region=cleaned.sector))
        return np.stack(inputs), scores

    for index, (inputs, scores) in enumerate(in_threads(follow, range(len(images)))):
        similarity[index] = scores
        correct[index] = model.probabilities(inputs).argmax(axis=1) == true[index]
        progress((index + 1) / len(images))
    return SampleSweep(
        kind,
        intensities,
        [wilson(int(column.sum()), len(images)) for column in correct.T],
        similarity.mean(axis=0),
        np.percentile(similarity, 5, axis=0),
        np.percentile(similarity, 95, axis=0),
    )
