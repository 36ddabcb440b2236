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
CURVE_RESAMPLES = 400
"""Of each point of a curve: enough for a band, and a curve of 60 points takes less than a second."""
CURVE_POINTS = 60
CALIBRATION_BINS = 15
SMALLEST_PROBABILITY = 1e-12


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


def bootstrap_by_patient(
    values: np.ndarray, patients: np.ndarray, *, seed: int = 0, resamples: int = BOOTSTRAP_RESAMPLES
) -> Share:
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
    draws = np.random.default_rng(seed).integers(0, len(sums), size=(resamples, len(sums)))
    means = sums[draws].sum(axis=1) / counts[draws].sum(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return Share(float(values.mean()), float(low), float(high), len(values))


def share_by_patient(
    hits: np.ndarray, patients: np.ndarray, *, seed: int = 0, resamples: int = BOOTSTRAP_RESAMPLES
) -> Share:
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
    return bootstrap_by_patient(hits, patients, seed=seed, resamples=resamples)


def mean_recall(labels: np.ndarray, hits: np.ndarray, patients: np.ndarray, *, seed: int = 0) -> Share:
    """Mean over the classes of the share of their images that are right, with a 95 % bootstrap interval by patient.

    Classes count alike however many images they have (balanced accuracy). Patients are drawn within each class, so that
    none of a few images is ever missing.

    Parameters
    ----------
    labels : (N,) any hashable
        True classes.
    hits : (N,) bool
        Whether the prediction was right.
    patients : (N,) any hashable
    """
    labels, hits, patients = np.asarray(labels), np.asarray(hits, dtype=np.float64), np.asarray(patients)
    if len(labels) == 0:
        return Share(float("nan"), float("nan"), float("nan"), 0)
    generator = np.random.default_rng(seed)
    value, draws = 0.0, np.zeros(BOOTSTRAP_RESAMPLES)
    classes = np.unique(labels)
    for name in classes:
        chosen = labels == name
        _, index = np.unique(patients[chosen], return_inverse=True)
        sums, counts = np.bincount(index, weights=hits[chosen]), np.bincount(index)
        drawn = generator.integers(0, len(sums), size=(BOOTSTRAP_RESAMPLES, len(sums)))
        draws += sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1) / len(classes)
        value += hits[chosen].mean() / len(classes)
    low, high = np.percentile(draws, [2.5, 97.5])
    return Share(float(value), float(low), float(high), len(labels))


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


@dataclass(frozen=True)
class ReliabilityBin:
    """Images whose top probability lies in (low, high].

    ``confidence`` is the mean of their top probabilities (NaN where there is no image), ``accuracy`` the share of them
    that is right: alike where the model is calibrated.
    """

    low: float
    high: float
    confidence: float
    accuracy: Share

    @property
    def n(self) -> int:
        return self.accuracy.n


def reliability(
    probabilities: np.ndarray, true: np.ndarray, *, bins: int = CALIBRATION_BINS, patients: np.ndarray | None = None
) -> list[ReliabilityBin]:
    """Confidence and accuracy over equal-width bins of the top probability, for a reliability diagram.

    Empty bins are in the list. Intervals are Wilson's, or respect ``patients`` (N,) where they are given.

    Parameters
    ----------
    probabilities : (N, K) float
    true : (N,) int
        Class indices in [0, K).
    """
    confidence, correct = _confidence_and_correct(probabilities, true)
    index = _bin_of(confidence, bins)
    patients = np.arange(len(correct)) if patients is None else np.asarray(patients)
    result = []
    for number in range(bins):
        inside = index == number
        mean = float(confidence[inside].mean()) if inside.any() else float("nan")
        accuracy = share_by_patient(correct[inside], patients[inside]) if inside.any() else wilson(0, 0)
        result.append(ReliabilityBin(number / bins, (number + 1) / bins, mean, accuracy))
    return result


def expected_calibration_error(probabilities: np.ndarray, true: np.ndarray, *, bins: int = CALIBRATION_BINS) -> float:
    """Mean gap between confidence and accuracy over equal-width bins of the top probability (Guo et al. 2017).

    Parameters
    ----------
    probabilities : (N, K) float
    true : (N,) int
    """
    counts, gaps = _calibration_gaps(probabilities, true, bins)
    return float((counts * gaps).sum() / counts.sum()) if counts.sum() else float("nan")


def maximum_calibration_error(probabilities: np.ndarray, true: np.ndarray, *, bins: int = CALIBRATION_BINS) -> float:
    """Largest gap between confidence and accuracy over the bins that hold an image (Guo et al. 2017).

    A bin of one image weighs as much as one of a thousand: read it beside the counts of :func:`reliability`.
    """
    counts, gaps = _calibration_gaps(probabilities, true, bins)
    return float(gaps[counts > 0].max()) if counts.sum() else float("nan")


def brier_score(probabilities: np.ndarray, true: np.ndarray) -> float:
    """Mean squared distance of the probabilities (N, K) to the truth (N,), summed over classes (Brier 1950).

    0 is certain and right, 2 certain and wrong.
    """
    probabilities, true = _paired(probabilities, true)
    if not len(true):
        return float("nan")
    truth = np.eye(probabilities.shape[1])[true]
    return float(((probabilities - truth) ** 2).sum(axis=1).mean())


def negative_log_likelihood(
    probabilities: np.ndarray, true: np.ndarray, *, floor: float = SMALLEST_PROBABILITY
) -> float:
    """Mean of -ln of the true class's probability, in nats.

    ``floor`` replaces smaller probabilities: rows of ``evaluation.csv.gz`` keep five decimals, so theirs is 5e-6.
    """
    probabilities, true = _paired(probabilities, true)
    if not len(true):
        return float("nan")
    return float(-np.log(np.maximum(probabilities[np.arange(len(true)), true], floor)).mean())


@dataclass(frozen=True)
class AccuracyKept:
    """Accuracy against the share kept when the least confident images are sent to an expert instead.

    Attributes
    ----------
    threshold : (M,) float64
        Lowest confidence kept, falling. Images of equal confidence are kept or sent away together.
    share : (M,) float64
        Share of images kept, rising to 1.
    accuracy : list of M Share
        Accuracy among those kept.
    area : float
        Area under the curve: mean accuracy over all numbers of images kept, ties in their expected order. An order by
        chance has the accuracy of all images.
    """

    threshold: np.ndarray
    share: np.ndarray
    accuracy: list[Share]
    area: float


def accuracy_kept(
    probabilities: np.ndarray,
    true: np.ndarray,
    *,
    patients: np.ndarray | None = None,
    score: np.ndarray | None = None,
    points: int = CURVE_POINTS,
) -> AccuracyKept:
    """The abstain curve (accuracy against coverage; El-Yaniv and Wiener 2010).

    Parameters
    ----------
    probabilities : (N, K) float
    true : (N,) int
    patients : (N,), optional
        Whose image each is; intervals then respect it.
    score : (N,), optional
        What decides who is kept, higher first; the top probability otherwise.
    points : int
        Most points of the curve; the area counts all images anyway.

    Raises
    ------
    ParameterError
        If there is no image, or the arrays do not pair up.
    """
    confidence, correct = _confidence_and_correct(probabilities, true)
    if not len(correct):
        raise ParameterError("There is no labelled image to draw a curve from; evaluate the model on labelled data.")
    score = confidence if score is None else np.asarray(score, dtype=np.float64)
    if len(score) != len(correct):
        raise ParameterError(f"There are {len(score)} scores for {len(correct)} images; give one an image.")
    order = np.argsort(-score, kind="stable")
    score, correct = score[order], correct[order]
    patients = np.arange(len(correct)) if patients is None else np.asarray(patients)[order]
    ends = np.append(np.flatnonzero(np.diff(score)), len(score) - 1) + 1
    hits = np.cumsum(correct)[ends - 1]
    counts = np.arange(1, len(score) + 1)
    area = float((np.interp(counts, np.append(0, ends), np.append(0, hits)) / counts).mean())
    if len(ends) > points:
        ends = ends[np.unique(np.linspace(0, len(ends) - 1, points).round().astype(int))]
    accuracies = [share_by_patient(correct[:end], patients[:end], resamples=CURVE_RESAMPLES) for end in ends]
    return AccuracyKept(score[ends - 1], ends / len(score), accuracies, area)


def _paired(probabilities: np.ndarray, true: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    probabilities, true = np.asarray(probabilities, dtype=np.float64), np.asarray(true, dtype=int)
    if probabilities.ndim != 2 or len(probabilities) != len(true):
        raise ParameterError(
            f"Probabilities of shape {probabilities.shape} and {len(true)} true labels must pair up, one row an image."
        )
    if len(true) and (true.min() < 0 or true.max() >= probabilities.shape[1]):
        raise ParameterError(f"A class index lies outside 0 to {probabilities.shape[1] - 1}.")
    return probabilities, true


def _confidence_and_correct(probabilities: np.ndarray, true: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    probabilities, true = _paired(probabilities, true)
    return probabilities.max(axis=1), probabilities.argmax(axis=1) == true


def _bin_of(confidence: np.ndarray, bins: int) -> np.ndarray:
    return np.searchsorted(np.arange(1, bins) / bins, confidence)


def _calibration_gaps(probabilities: np.ndarray, true: np.ndarray, bins: int) -> tuple[np.ndarray, np.ndarray]:
    """Images in each bin, and the distance of their mean confidence to their accuracy (0 where there is none)."""
    confidence, correct = _confidence_and_correct(probabilities, true)
    index = _bin_of(confidence, bins)
    counts = np.bincount(index, minlength=bins)
    sums = np.bincount(index, correct, bins) - np.bincount(index, confidence, bins)
    return counts, np.abs(sums) / np.maximum(counts, 1)


def entropy(probabilities: np.ndarray) -> np.ndarray:
    """Shannon entropy in bits of each row: (..., K) -> (...). 0 is certain, log2(K) is a guess."""
    probabilities = np.asarray(probabilities, dtype=np.float64)
    logarithm = np.log2(np.where(probabilities > 0, probabilities, 1.0))
    # + 0.0 turns the negative zero of a certain answer into a plain one.
    return -(probabilities * logarithm).sum(axis=-1) + 0.0
