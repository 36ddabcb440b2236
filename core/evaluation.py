"""Figures of a classifier: confusion matrix, per-class measures, calibration, intervals.

Rows of a confusion matrix are true classes and columns predicted ones, as in the interpretability thesis (000 §4.2);
the corruption thesis draws the transpose. Every share comes with its n and a 95 % interval.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.errors import ParameterError

CONFIDENCE_Z = 1.959963984540054  # two-sided 95 %
BOOTSTRAP_RESAMPLES = 2000


@dataclass(frozen=True)
class Share:
    """A share with its 95 % interval and the number of images behind it (``value`` is NaN where ``n`` is 0)."""

    value: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        if not self.n:
            return "no image"
        return f"{100 * self.value:.1f} % [{100 * self.low:.1f}, {100 * self.high:.1f}], n = {self.n}"


@dataclass(frozen=True)
class ClassMeasures:
    """One class against the rest. ``support`` is the number of images that truly belong to it."""

    name: str
    support: int
    sensitivity: Share
    specificity: Share
    precision: Share
    f1: float


def wilson(successes: int, n: int) -> Share:
    """Share with Wilson's score interval (Wilson 1927), which stays inside [0, 1] at any n.

    It takes the images as independent: where a patient has several, use :func:`bootstrap_by_patient`.
    """
    if not 0 <= successes <= n:
        raise ParameterError(f"{successes} of {n} is no share; the count must lie between 0 and n.")
    if n == 0:
        return Share(float("nan"), float("nan"), float("nan"), 0)
    share = successes / n
    spread = CONFIDENCE_Z**2 / n
    centre = (share + spread / 2) / (1 + spread)
    half = CONFIDENCE_Z * np.sqrt(share * (1 - share) / n + spread / (4 * n)) / (1 + spread)
    return Share(share, max(0.0, float(centre - half)), min(1.0, float(centre + half)), n)


def bootstrap_by_patient(values: np.ndarray, patients: np.ndarray, *, seed: int = 0) -> Share:
    """Mean of per-image values with a 95 % bootstrap interval that draws whole patients.

    Parameters
    ----------
    values : (N,) float
        One number an image, such as 1 for a correct prediction.
    patients : (N,) any hashable
        Whose image it is.
    """
    values = np.asarray(values, dtype=np.float64)
    if len(values) == 0:
        return Share(float("nan"), float("nan"), float("nan"), 0)
    _, index = np.unique(np.asarray(patients), return_inverse=True)
    sums = np.bincount(index, weights=values)
    counts = np.bincount(index)
    draws = np.random.default_rng(seed).integers(0, len(sums), size=(BOOTSTRAP_RESAMPLES, len(sums)))
    means = sums[draws].sum(axis=1) / counts[draws].sum(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return Share(float(values.mean()), float(low), float(high), len(values))


def share_by_patient(hits: np.ndarray, patients: np.ndarray, *, seed: int = 0) -> Share:
    """Share of hits with an interval that respects patients and does not collapse at 0 or 1.

    Where every patient has one image, or all images agree (a bootstrap of equal values has no width), this is
    Wilson's interval, over patients in the latter case; otherwise the bootstrap by patient.
    """
    hits = np.asarray(hits, dtype=bool)
    n_patients = len(np.unique(np.asarray(patients))) if len(hits) else 0
    if n_patients == len(hits):
        return wilson(int(hits.sum()), len(hits))
    if hits.all() or not hits.any():
        over_patients = wilson(n_patients if hits.all() else 0, n_patients)
        return Share(float(hits.mean()), over_patients.low, over_patients.high, len(hits))
    return bootstrap_by_patient(hits, patients, seed=seed)


def confusion_matrix(true: np.ndarray, predicted: np.ndarray, n_classes: int) -> np.ndarray:
    """Counts (K, K): row = true class, column = predicted class.

    Parameters
    ----------
    true, predicted : (N,) int
        Class indices in [0, K).
    """
    true, predicted = np.asarray(true), np.asarray(predicted)
    if len(true) != len(predicted):
        raise ParameterError(f"There are {len(true)} true labels and {len(predicted)} predictions; they must pair up.")
    for values in (true, predicted):
        if len(values) and (values.min() < 0 or values.max() >= n_classes):
            raise ParameterError(f"A class index lies outside 0 to {n_classes - 1}.")
    return np.bincount(true * n_classes + predicted, minlength=n_classes**2).reshape(n_classes, n_classes)


def accuracy(matrix: np.ndarray) -> Share:
    """Share of images on the diagonal, with Wilson's interval."""
    return wilson(int(np.trace(matrix)), int(matrix.sum()))


def class_measures(matrix: np.ndarray, classes: list[str]) -> list[ClassMeasures]:
    """Sensitivity, specificity, precision and F1 of every class (corruption thesis 001 §5.3.7 for the formulas)."""
    total = int(matrix.sum())
    measures = []
    for index, name in enumerate(classes):
        hit = int(matrix[index, index])
        support = int(matrix[index].sum())
        called = int(matrix[:, index].sum())
        rejected = total - support - called + hit
        f1 = 2 * hit / (support + called) if support + called else float("nan")
        measures.append(
            ClassMeasures(
                name,
                support,
                sensitivity=wilson(hit, support),
                specificity=wilson(rejected, total - support),
                precision=wilson(hit, called),
                f1=f1,
            )
        )
    return measures


def expected_calibration_error(probabilities: np.ndarray, true: np.ndarray, *, bins: int = 15) -> float:
    """Mean gap between confidence and accuracy over equal-width bins of the top probability (Guo et al. 2017).

    Parameters
    ----------
    probabilities : (N, K) float
    true : (N,) int
    """
    probabilities = np.asarray(probabilities, dtype=np.float64)
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == np.asarray(true)
    index = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gap = np.abs(np.bincount(index, correct, bins) - np.bincount(index, confidence, bins))
    return float(gap.sum() / len(confidence))


def entropy(probabilities: np.ndarray) -> np.ndarray:
    """Shannon entropy in bits of each row: (..., K) -> (...). 0 is certain, log2(K) is a guess."""
    probabilities = np.asarray(probabilities, dtype=np.float64)
    logarithm = np.log2(np.where(probabilities > 0, probabilities, 1.0))
    # + 0.0 turns the negative zero of a certain answer into a plain one.
    return -(probabilities * logarithm).sum(axis=-1) + 0.0
