"""Model cards: what a model is, what it was trained on, what was measured and what it must not be used for."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from core.errors import ModelError
from core.files import write_whole

CARD_NAME = "card.json"
CLASS_TASKS = ("plane", "anatomy", "corruption")
"""Tasks whose models tell classes apart; those of the others measure."""
TASKS = (*CLASS_TASKS, "head_circumference")


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
            If the card is missing, is not JSON, or lacks or adds a field.
        """
        path = folder / CARD_NAME
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            metrics = [Metric(**metric) for metric in values.pop("metrics", [])]
            card = cls(**values, metrics=metrics)
        except FileNotFoundError as error:
            raise ModelError(
                f"The model {folder.name!r} has no {CARD_NAME}; restore the folder models/{folder.name}."
            ) from error
        except (OSError, UnicodeDecodeError, json.JSONDecodeError, TypeError, AttributeError) as error:
            raise ModelError(
                f"The card of model {folder.name!r} cannot be read ({type(error).__name__}); "
                f"restore models/{folder.name}/{CARD_NAME} from the repository."
            ) from error
        if card.task not in TASKS:
            raise ModelError(f"The card of model {folder.name!r} names the unknown task {card.task!r}.")
        return card


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
