"""Model cards: what a model is, what it was trained on, what was measured and what it must not be used for."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from core.errors import ModelError, quoted
from core.files import write_whole

CARD_NAME = "card.json"
CLASS_TASKS = ("plane", "anatomy", "corruption")
"""Tasks whose models tell classes apart; those of the others measure."""
TASKS = (*CLASS_TASKS, "head_circumference")
LARGEST_CARD = 20 * 2**20
SIZES = (8, 2048)
"""Least and greatest side of an input in pixels."""
MOST_UNITS = 4096
"""Of a layer: a card may ask for any number, and the network is built before its weights are looked at."""
_CHAINS = ("plane", "detector")
_OUTPUTS = ("circumference", "ellipse")


@dataclass(frozen=True)
class Metric:
    """One measured figure.

    ``data`` says on what, ``simulated`` keeps phantoms apart from real frames, and ``command`` reruns it. Values are
    shares unless ``unit`` names another one, such as ``mm``.
    """

    name: str
    data: str
    simulated: bool
    value: float
    low: float
    high: float
    n: int
    command: str
    note: str = ""
    unit: str = ""

    @property
    def value_text(self) -> str:
        """``91.7 %`` or ``2.31 mm``."""
        return self._text(self.value)

    @property
    def interval_text(self) -> str:
        """``90.1 to 93.0 %``."""
        return f"{self._text(self.low).split()[0]} to {self._text(self.high)}"

    def _text(self, value: float) -> str:
        return f"{value:.2f} {self.unit}" if self.unit else f"{100 * value:.1f} %"


@dataclass(frozen=True)
class Card:
    """A model's card, stored as ``card.json`` beside its weights.

    Attributes
    ----------
    name : str
        The folder's name under ``models/``.
    task : str
        One of :data:`TASKS`.
    classes : list of str
        In the order of the network's outputs, spelled as the field does.
    input : dict
        ``size`` (pixels of the square input), ``range`` (what the backbone expects), ``chain`` of preprocessing.
    preprocessing : dict
        Settings of :class:`core.preprocessing.PreprocessingSettings` used in training and to be used in prediction.
    feature_layer, pooled_layer : str
        Layers class activation mapping needs; named here because "the last convolution" picks wrong ones.
    architecture : dict
        What :func:`core.zoo.architectures.build_classifier` is told beside backbone, classes and size.
    parameters : int
        Weights of the network, counted.
    temperature : float
        Divides the logits before softmax (Guo et al. 2017), fitted on validation data after rounding the weights.
    novelty_threshold : float
        Typicality score below which an input counts as unlike the training data.
    training : dict
        Data, seeds, counts, settings and starting weights.
    split : str
        How train, validation and test were kept apart.
    detection : dict
        Of a detector of severities: its ``kinds`` in the order of the outputs, the probability of *original* from which
        a frame passes as ``original`` and below which it counts as ``corrupted``, and the probability from which a kind
        is ``named``. Empty for everything else.
    measurement : dict
        Of a model of the task ``head_circumference``: its ``output``, ``circumference`` (one number, the circumference
        over the input's side) or ``ellipse`` (a mask through which one is fitted), the prediction ``interval`` around
        it and, of a segmentation, the bounds of ``refusal``. Empty for everything else.
    metrics : list of Metric
        The first is the one `models` prints.
    weights : dict
        ``file``, ``sha256``, ``bytes`` and ``dtype``.
    """

    name: str
    title: str
    task: str
    backbone: str
    classes: list[str]
    input: dict[str, Any]
    preprocessing: dict[str, Any]
    feature_layer: str
    pooled_layer: str
    temperature: float
    novelty_threshold: float
    training: dict[str, Any]
    split: str
    weights: dict[str, Any]
    licences: list[str]
    limitations: list[str]
    command: str
    default: bool = False
    architecture: dict[str, Any] = field(default_factory=dict)
    parameters: int = 0
    detection: dict[str, Any] = field(default_factory=dict)
    measurement: dict[str, Any] = field(default_factory=dict)
    metrics: list[Metric] = field(default_factory=list)

    @property
    def size(self) -> int:
        return int(self.input["size"])

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"

    def write(self, folder: Path) -> None:
        write_whole(folder / CARD_NAME, self.to_json())

    @classmethod
    def read(cls, folder: Path) -> Card:
        """Read ``folder/card.json``.

        Raises
        ------
        ModelError
            If the card is missing, is not JSON, lacks or adds a field, or says in one what cannot be.
        """
        path = folder / CARD_NAME
        advice = f"restore models/{folder.name}/{CARD_NAME} from the repository."
        if not path.is_file():
            raise ModelError(f"The model {folder.name!r} has no {CARD_NAME}; restore the folder models/{folder.name}.")
        if path.stat().st_size > LARGEST_CARD:
            raise ModelError(f"The card of model {folder.name!r} is larger than {LARGEST_CARD // 2**20} MB; {advice}")
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            metrics = [Metric(**metric) for metric in values.pop("metrics", [])]
            card = cls(**values, metrics=metrics)
        except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
            raise ModelError(f"The card of model {folder.name!r} cannot be read; {advice}") from error
        problem = _problem_of(card)
        if problem:
            raise ModelError(f"The card of model {folder.name!r} {problem}; {advice}")
        return card


def _problem_of(card: Card) -> str:
    """What a card says that cannot be, as the end of a sentence about it; empty where there is nothing."""
    for part in (card, *card.metrics):
        for one in fields(part):
            if not _fits(getattr(part, one.name), str(one.type)):
                return f"holds in {one.name!r} what does not belong there"
    wrong = {
        f"names the unknown task {quoted(card.task)}": card.task not in TASKS,
        f"calls it {quoted(card.name)}, which is no folder's name": not _is_name(card.name),
        "names no class, or one twice": not card.classes or len(set(card.classes)) < len(card.classes),
        "has a temperature that is not above 0": card.temperature <= 0,
        f"asks for an input of another side than {SIZES[0]} to {SIZES[1]} pixels": not _within(
            card.input.get("size"), *SIZES
        ),
        "names an unknown chain of preprocessing": card.input.get("chain") not in _CHAINS,
        "does not say which file holds the weights": not _is_name(card.weights.get("file")),
        "has no hash of the weights": not isinstance(card.weights.get("sha256"), str),
        f"asks for a layer of more than {MOST_UNITS} units": not _is_small(card.architecture),
        "does not say what is measured": card.task not in CLASS_TASKS
        and card.measurement.get("output") not in _OUTPUTS,
        "has a command of several lines": not card.command.isprintable(),
        "does not say how severities are judged": bool(card.detection) and not _judges(card.detection),
    }
    return next((problem for problem, is_so in wrong.items() if is_so), "")


def _fits(value: Any, kind: str) -> bool:
    """Whether a value that JSON gave is of a field's kind."""
    if kind in ("float", "int"):
        allowed = (int, float) if kind == "float" else int
        return isinstance(value, allowed) and not isinstance(value, bool) and math.isfinite(value)
    if kind == "list[str]":
        return isinstance(value, list) and all(isinstance(one, str) for one in value)
    return isinstance(value, {"str": str, "bool": bool, "dict[str, Any]": dict, "list[Metric]": list}[kind])


def _is_name(value: Any) -> bool:
    """Whether a file or folder of this name lies where it is looked for, and nowhere else."""
    return (
        isinstance(value, str) and value.isprintable() and value not in ("", ".", "..") and not set(value) & {"/", "\\"}
    )


def _within(value: Any, low: int, high: int) -> bool:
    return _fits(value, "int") and low <= value <= high


def _is_small(value: Any) -> bool:
    """Whether no number among the options of a network, however deep, could fill the memory."""
    if isinstance(value, dict | list):
        return len(value) <= 64 and all(map(_is_small, value.values() if isinstance(value, dict) else value))
    return not isinstance(value, int | float) or abs(value) <= MOST_UNITS


def _judges(detection: dict[str, Any]) -> bool:
    bounds = (detection.get(name) for name in ("original", "corrupted", "named"))
    return _fits(detection.get("kinds"), "list[str]") and all(_fits(bound, "float") for bound in bounds)


def figures_table(card: Card) -> str:
    """All measured figures of a card as a Markdown table, simulated and real images apart."""
    lines = [
        f"**{card.name}**",
        "",
        "| images | data | figure | value | 95 % interval | n |",
        "|---|---|---|---|---|---|",
    ]
    for metric in sorted(card.metrics, key=lambda metric: not metric.simulated):
        kind = "simulated" if metric.simulated else "real"
        lines.append(
            f"| {kind} | {metric.data} | {metric.name} | {metric.value_text} | {metric.interval_text} | {metric.n} |"
        )
    return "\n".join(lines)
