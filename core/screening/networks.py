"""The two networks that judge frames: a classifier of planes or anatomies, and a detector of corruptions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import ParameterError
from core.parallel import cores
from core.screening.measuring import DIGITS, View
from core.sweep.store import key_of
from core.zoo import default_name, load_model, read_card
from core.zoo.cards import Card
from core.zoo.detection import judge
from core.zoo.forward import BATCH_SIZES
from core.zoo.prediction import Classifier
from core.zoo.registry import MODELS_FOLDER

BATCH = BATCH_SIZES[-1]
"""The batch shape in which every frame is judged, also the last ones: answers then do not hang on their neighbours."""
CLASSIFICATION, DETECTION = ("plane", "anatomy"), "corruption"


@dataclass(frozen=True)
class Names:
    """Two models by name and folder, to be loaded where they are needed.

    Attributes
    ----------
    model, detector : str
    folders : (str, str)
        Of either.
    """

    model: str
    detector: str
    folders: tuple[str, str]

    @classmethod
    def of(cls, model: str | None = None, detector: str | None = None) -> Names:
        """Models by name, by the path of their folder, or the tasks' defaults.

        Raises
        ------
        ModelError
            If one is not there.
        ParameterError
            If one is of another task.
        """
        paths = [
            Path(name) if name and len(Path(name).parts) > 1 else MODELS_FOLDER / (name or default_name(task))
            for name, task in ((model, CLASSIFICATION[0]), (detector, DETECTION))
        ]
        names = cls(paths[0].name, paths[1].name, (str(paths[0].parent), str(paths[1].parent)))
        check_cards(*names.cards)
        return names

    @property
    def cards(self) -> tuple[Card, Card]:
        """Of the classifier and the detector. Needs no TensorFlow."""
        model, detector = (
            read_card(name, Path(folder))
            for name, folder in zip((self.model, self.detector), self.folders, strict=True)
        )
        return model, detector

    def load(self) -> Networks:
        """The networks; loaded once in a process.

        Raises
        ------
        ModelError
            If weights are missing or not those of the card.
        """
        return _loaded(self)


@lru_cache(maxsize=1)
def _loaded(names: Names) -> Networks:
    model, detector = (
        load_model(name, Path(folder))
        for name, folder in zip((names.model, names.detector), names.folders, strict=True)
    )
    return Networks(model, detector)


class Networks:
    """Both networks, loaded, for as many threads as there are cores.

    Sent to another process they are forward passes alone, which need no TensorFlow there, for as many threads as that
    one has cores.

    Raises
    ------
    ParameterError
        If one is of another task.
    """

    def __init__(self, model: Classifier, detector: Classifier) -> None:
        check_cards(model.card, detector.card)
        self.model = model.for_threads(cores())
        self.detector = detector.for_threads(cores())
        # The detector's cleaned frame is the one that is measured.
        self.views = (View.of(detector.card), View.of(model.card))

    def __reduce__(self) -> tuple[type[Networks], tuple[Classifier, Classifier]]:
        return Networks, (self.model.forward_only(), self.detector.forward_only())

    def answers(self, images: Sequence[tuple[np.ndarray, ...]]) -> list[dict[str, Any]]:
        """What both say of N frames, each as the views asked for it: the columns of a row."""
        seen = [_stacked([frame[place] for frame in images]) for place in range(len(self.views))]
        detection = self.detector.predict_prepared(seen[0])
        prediction = self.model.predict_prepared(seen[1])
        verdicts = judge(self.detector, detection)
        return [
            {
                "label": prediction.labels[index],
                "confidence": round(float(prediction.confidence[index]), DIGITS),
                **{
                    f"p_{name}": round(float(value), DIGITS)
                    for name, value in zip(prediction.classes, prediction.probabilities[index], strict=True)
                },
                "typicality": round(float(prediction.typicality[index]), DIGITS),
                "original": round(verdicts[index].probability, DIGITS),
                "corruption": verdicts[index].label,
                "found": "; ".join(one.text for one in verdicts[index].findings) or "no kind is sure",
            }
            for index in range(len(images))
        ]


def about_models(model: Card, detector: Card) -> dict[str, Any]:
    """The models' names with hashes of all that decides their answers."""
    return {
        role: {"name": card.name, "answers_of": _answers_of(card)}
        for role, card in (("model", model), ("detector", detector))
    }


def _answers_of(card: Card) -> str:
    return key_of(
        weights=card.weights["sha256"],
        preprocessing=card.preprocessing,
        input=card.input,
        temperature=card.temperature,
        detection=card.detection,
        novelty=card.novelty_threshold,
    )[:16]


def check_cards(model: Card, detector: Card) -> None:
    """Refuse models of other tasks.

    Raises
    ------
    ParameterError
    """
    if model.task not in CLASSIFICATION:
        raise ParameterError(
            f"{model.name} is a model of {model.task} and tells no planes apart; choose one of planes or anatomies."
        )
    if detector.task != DETECTION:
        raise ParameterError(f"{detector.name} detects no corruptions; choose a model of the task {DETECTION}.")


def _stacked(images: list[np.ndarray]) -> np.ndarray:
    """A batch, filled up with its last image to whole batches of the networks."""
    missing = -len(images) % BATCH
    return np.stack(images + images[-1:] * missing)
