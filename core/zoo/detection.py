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

    def judge(self, images: np.ndarray) -> list[Verdict]:
        """One of each prepared image (N, S, S), uint8 or float32 in [0, 1]."""
        logits, features = self.network.forward(to_unit(images))
        unlike_training = self.typicality.score(features) < self.card.novelty_threshold
        presence, severities = self.presence(logits)
        return [self._verdict(*row) for row in zip(presence, severities, unlike_training, strict=True)]

    def _verdict(self, presence: np.ndarray, severities: np.ndarray, unlike_training: bool) -> Verdict:
        present, passes = self.card.detection["present"], self.card.detection["original"]
        original = float(presence[0])
        found = [
            Finding(kind, float(probability), float(severity))
            for kind, probability, severity in zip(self.kinds, presence[1:], severities, strict=True)
            if probability >= present[kind]
        ]
        if found:
            found.sort(key=lambda one: -(one.severity or 0))
            return Verdict(_named(found), tuple(found), original, "; ".join(one.text for one in found) + ".")
        if unlike_training:
            return Verdict(UNKNOWN, (), original, "The frame is unlike all that the detector has learned from.")
        if original < passes:
            return Verdict(
                UNKNOWN, (), original, "Something may be wrong with the frame, but no one corruption is sure enough."
            )
        return Verdict(ORIGINAL, (), original, "No corruption was found.")


def _named(findings: list[Finding]) -> str:
    return " + ".join(one.kind for one in findings)


def judge(model: Classifier, images: np.ndarray) -> list[Verdict]:
    """What a model of the task ``corruption`` says of prepared images (N, S, S), uint8 or float32 in [0, 1]."""
    if isinstance(model, Detector):
        return model.judge(images)
    return _verdicts_of_classes(model.predict_prepared(images))


def _verdicts_of_classes(prediction: Prediction) -> list[Verdict]:
    """Verdicts of a classifier that tells ``original`` and some kinds apart."""
    verdicts = []
    start = prediction.classes.index(ORIGINAL)
    for label, row, unlike in zip(prediction.labels, prediction.probabilities, prediction.unlike_training, strict=True):
        original, sure = float(row[start]), float(row.max())
        if sure < LEAST_SURE:
            verdicts.append(Verdict(UNKNOWN, (), original, f"No class reaches a probability of {LEAST_SURE:.0%}."))
        elif label != ORIGINAL:
            finding = Finding(label, sure, None)
            verdicts.append(Verdict(label, (finding,), original, f"{finding.text}."))
        elif unlike:
            reason = "The frame is unlike all that the detector has learned from."
            verdicts.append(Verdict(UNKNOWN, (), original, reason))
        else:
            verdicts.append(Verdict(ORIGINAL, (), original, "No corruption was found."))
    return verdicts


def _sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(values, -60, 60)))
