"""Is this frame corrupted, by what, and how badly? What a detector answers, in words and numbers.

Two sorts of detectors have the task ``corruption``. The thesis's tell four classes apart (001 §7) and are classifiers
like any other. Ours, :class:`Detector`, says of every kind on its own whether it is there and how severe, so that
mixtures get an answer, and says *unknown* where it should not guess. :func:`judge` puts the same question to both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.corruption import get as get_corruption
from core.corruption.severity import LEVELS, intensity_of
from core.zoo.prediction import Classifier, Prediction, to_unit

ORIGINAL = "original"
UNKNOWN = "unknown"
LEAST_SURE = 0.5
"""A classifier of four classes that is less sure than this of any of them is not believed."""


@dataclass(frozen=True)
class Finding:
    """A corruption found in a frame.

    Attributes
    ----------
    kind : str
    probability : float
        That it is there.
    severity : float or None
        From 0 to 5 on the kind's calibrated scale; None from a detector that does not estimate it.
    """

    kind: str
    probability: float
    severity: float | None

    @property
    def text(self) -> str:
        """``Blur, severity 2.4 (about disk radius 5.1 pixels)``."""
        corruption = get_corruption(self.kind)
        if self.severity is None:
            return corruption.title
        amount = corruption.amount(intensity_of(self.kind, self.severity))
        return f"{corruption.title}, severity {self.severity:.1f} (about {amount})"


@dataclass(frozen=True)
class Verdict:
    """What a detector says of one frame.

    Attributes
    ----------
    label : str
        ``original``, ``unknown``, or the kinds found, the most severe first, as in ``blur + noise``.
    findings : tuple of Finding
        Empty unless corruption was found.
    probability : float
        That the frame is an original.
    reason : str
        One sentence.
    """

    label: str
    findings: tuple[Finding, ...]
    probability: float
    reason: str

    @property
    def is_corrupted(self) -> bool:
        return bool(self.findings)


@dataclass(frozen=True)
class Detection(Prediction):
    """What a :class:`Detector` says of N images.

    Attributes
    ----------
    presence : (N, 1 + K) float64
        Probability of *original* and of each kind, each on its own.
    severities : (N, K) float64
        From 0 to 5.
    """

    presence: np.ndarray
    severities: np.ndarray


class Detector(Classifier):
    """A detector of severities: every kind of corruption has a probability of its own.

    As a classifier it answers with ``original`` and the kinds, the probabilities scaled to sum to 1, so that sweeps,
    explanations and confusion matrices take it as they take any model.
    """

    @property
    def kinds(self) -> list[str]:
        """In the order of the network's outputs."""
        return self.card.classes[1:]

    def presence(self, logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities (N, 1 + K) of *original* and each kind, and severities (N, K) from 0 to 5, of logits."""
        split = 1 + len(self.kinds)
        values = np.asarray(logits, dtype=np.float64)
        return _sigmoid(values[:, :split] / self.card.temperature), LEVELS * _sigmoid(values[:, split:])

    def softmax(self, logits: np.ndarray) -> np.ndarray:
        presence = self.presence(logits)[0]
        return presence / presence.sum(axis=1, keepdims=True)

    def predict_prepared(self, images: np.ndarray) -> Detection:
        logits, features = self.network.forward(to_unit(images))
        presence, severities = self.presence(logits)
        typicality = self.typicality.score(features)
        return Detection(
            self.classes,
            presence / presence.sum(axis=1, keepdims=True),
            typicality,
            typicality < self.card.novelty_threshold,
            presence,
            severities,
        )

    def verdict(self, detection: Detection, index: int) -> Verdict:
        """What the probabilities and severities of one image come to, by the thresholds of the card.

        Whether anything is wrong is decided by the probability of *original* alone, what it is by those of the kinds.
        """
        bounds = self.card.detection
        original = float(detection.presence[index, 0])
        if original >= bounds["original"]:
            if detection.unlike_training[index]:
                return Verdict(UNKNOWN, (), original, "The frame is unlike all that the detector has learned from.")
            return Verdict(ORIGINAL, (), original, self._why_original(detection.presence[index, 1:]))
        if original >= bounds["corrupted"]:
            return Verdict(UNKNOWN, (), original, "Something may be wrong with the frame, but that is not sure enough.")
        answers = zip(self.kinds, detection.presence[index, 1:], detection.severities[index], strict=True)
        found = [
            Finding(kind, float(probability), float(severity))
            for kind, probability, severity in answers
            if probability >= bounds["named"]
        ]
        if not found:
            return Verdict(UNKNOWN, (), original, "The frame is corrupted, but no one kind is likely enough to name.")
        found.sort(key=lambda one: -(one.severity or 0))
        return Verdict(_named(found), tuple(found), original, "; ".join(one.text for one in found) + ".")

    def _why_original(self, presence: np.ndarray) -> str:
        """Clean frames have shadows, gain and contrast of their own: one that is likely is mentioned."""
        likeliest = int(presence.argmax())
        if presence[likeliest] < self.card.detection["named"]:
            return "No corruption was found."
        title = get_corruption(self.kinds[likeliest]).title.lower()
        return f"No corruption was found: what looks like {title} may well be the frame's own."


def _named(findings: list[Finding]) -> str:
    return " + ".join(one.kind for one in findings)


def judge(model: Classifier, prediction: Prediction) -> list[Verdict]:
    """What a prediction of a model of the task ``corruption`` comes to, one verdict an image."""
    if isinstance(prediction, Detection) and isinstance(model, Detector):
        return [model.verdict(prediction, index) for index in range(len(prediction.probabilities))]
    start = prediction.classes.index(ORIGINAL)
    rows = zip(prediction.labels, prediction.probabilities, prediction.unlike_training, strict=True)
    return [_verdict_of_class(label, float(row[start]), float(row.max()), unlike) for label, row, unlike in rows]


def _verdict_of_class(label: str, original: float, sure: float, unlike_training: bool) -> Verdict:
    """The answer of a classifier that tells ``original`` and some kinds apart."""
    if sure < LEAST_SURE:
        return Verdict(UNKNOWN, (), original, f"No class reaches a probability of {LEAST_SURE:.0%}.")
    if label != ORIGINAL:
        finding = Finding(label, sure, None)
        return Verdict(label, (finding,), original, f"{finding.text}.")
    if unlike_training:
        return Verdict(UNKNOWN, (), original, "The frame is unlike all that the detector has learned from.")
    return Verdict(ORIGINAL, (), original, "No corruption was found.")


def _sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(values, -60, 60)))
