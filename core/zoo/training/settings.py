"""How to train: every choice by name, and the presets of the seeds."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from core.augmentation import PRESETS as AUGMENTATIONS
from core.errors import ParameterError
from core.zoo.architectures import get_backbone

OPTIMISERS = ("adam", "sgd")
SCHEDULES = ("cosine", "constant", "plateau")
PRECISIONS = ("auto", "float32", "mixed_bfloat16")
TRAINABLE_TASKS = ("plane", "anatomy", "corruption")
WHOLE, HEAD = "all", "head"


@dataclass(frozen=True)
class TrainingSettings:
    """How to train. Defaults are ours; :data:`PRESETS` holds those of the seeds.

    Parameters
    ----------
    task : str
        One of :data:`TRAINABLE_TASKS`.
    backbone : str
        A name of :data:`core.zoo.architectures.BACKBONES`.
    architecture : dict
        Options of the backbone (filters of the ``cnn``) and ``dense``, the units of a hidden layer before the logits.
    epochs : int
        Of fine-tuning; early stopping may end before.
    head_epochs : int
        Of the head on frozen features, before that.
    fine_tune : str, optional
        ``all`` trains every layer, ``head`` only the head, the name of a layer what comes after it. By default the
        backbone decides: where a starting weight covers only its first layers, those stay as they are.
    variations : int
        Augmented copies of every image whose frozen features are kept, where the first layers stay as they are; each
        epoch sees another copy.
    optimiser : str
        ``adam`` or ``sgd`` with momentum.
    schedule : str
        Of the learning rate: ``cosine`` falls to 0 at the last epoch, ``constant`` stays, ``plateau`` falls to a third
        whenever two epochs bring nothing.
    patience : int
        Epochs without a better validation loss before training stops.
    augmentation : str
        A preset of :mod:`core.augmentation`.
    copies : int
        For the task ``corruption``: how often every frame is varied and corrupted anew, once in each class each time.
    severities : bool
        For the task ``corruption``: one detector of all kinds, each with its severity, instead of the thesis's classes.
    phantoms : int
        With ``severities``: so many phantoms of every plane are learned from beside the table.
    per_class : int, optional
        Most training images of each class, drawn by the seed; for the task ``corruption`` most frames.
    precision : str
        ``auto`` takes bfloat16 where the processor gains from it.
    size : int, optional
        Side of the input in pixels; the backbone's own by default.
    """

    task: str = "plane"
    backbone: str = "mobilenet_v2"
    architecture: dict[str, Any] = field(default_factory=dict)
    epochs: int = 10
    head_epochs: int = 20
    fine_tune: str | None = None
    variations: int = 4
    batch_size: int = 32
    optimiser: str = "adam"
    schedule: str = "cosine"
    learning_rate: float = 3e-4
    momentum: float = 0.8
    patience: int = 4
    dropout: float = 0.3
    validation_share: float = 0.15
    augmentation: str = "default"
    copies: int = 1
    severities: bool = False
    phantoms: int = 0
    per_class: int | None = None
    precision: str = "auto"
    size: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        _one_of("task of classes", self.task, TRAINABLE_TASKS)
        _one_of("augmentation", self.augmentation, tuple(AUGMENTATIONS))
        _one_of("optimiser", self.optimiser, OPTIMISERS)
        _one_of("schedule", self.schedule, SCHEDULES)
        _one_of("precision", self.precision, PRECISIONS)
        get_backbone(self.backbone)
        if min(self.epochs, self.head_epochs) < 0 or self.epochs + self.head_epochs < 1:
            raise ParameterError("Train for at least one epoch.")
        if min(self.variations, self.copies, self.batch_size) < 1 or (
            self.per_class is not None and self.per_class < 1
        ):
            raise ParameterError("Variations, copies, batch size and images per class are at least 1.")
        if not (0 <= self.dropout < 1 and 0 < self.learning_rate <= 1 and 0 <= self.momentum < 1):
            raise ParameterError(
                "Dropout and momentum lie in [0, 1), the learning rate above 0 and at most at 1; correct them."
            )


def _one_of(what: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ParameterError(f"There is no {what} {value!r}; choose one of {', '.join(known)}.")


PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "default": {
        "corruption": {
            "severities": True,
            "phantoms": 100,
            "copies": 16,
            "epochs": 25,
            "batch_size": 128,
            "dropout": 0.5,
            "augmentation": "none",
        },
    },
    "thesis": {
        "": {
            "optimiser": "sgd",
            "schedule": "constant",
            "learning_rate": 1e-3,
            "momentum": 0.8,
            "batch_size": 20,
            "epochs": 50,
            "head_epochs": 0,
            "dropout": 0.3,
            "augmentation": "thesis",
            "per_class": 600,
        },
        "vgg16": {"momentum": 0.5, "batch_size": 80, "epochs": 60},
        "vgg19": {"momentum": 0.5, "batch_size": 80, "epochs": 60},
        "corruption": {
            "optimiser": "adam",
            "schedule": "constant",
            "learning_rate": 1e-3,
            "batch_size": 64,
            "epochs": 100,
            "head_epochs": 0,
            "dropout": 0.0,
            "augmentation": "none",
            "variations": 1,
            "size": 174,
            "architecture": {"dense": 1024},
        },
    },
    "report": {
        "": {
            "optimiser": "adam",
            "schedule": "constant",
            "augmentation": "report",
            "learning_rate": 1e-3,
            "batch_size": 32,
            "epochs": 50,
            "head_epochs": 0,
            "dropout": 0.2,
            "validation_share": 0.1,
            "architecture": {"dense": 64},
        },
    },
}
"""Preset -> backbone ("" for any) or the task ``corruption`` -> settings.

``thesis`` is the interpretability thesis's (000 §3.3, A.3: SGD, no stage of its own for the head, 600 images a class)
and for the task ``corruption`` the corruption thesis's (001 §7, 002: Adam in Keras's settings, batches of 64, 100
epochs, 1024 hidden units; behind the global average pooling instead of a flattened layer, whose weights alone would be
13 to 75 million); ``report`` is the anatomy report's (004: Adam, batches of 32)."""


def preset(name: str, task: str, backbone: str, **changes: Any) -> TrainingSettings:
    """The settings of a preset for a task and backbone, with ``changes`` on top (None leaves the preset's value)."""
    _one_of("preset", name, tuple(PRESETS))
    chosen = PRESETS[name]
    values = dict(chosen[task]) if task in chosen else chosen.get("", {}) | chosen.get(backbone, {})
    values |= {key: value for key, value in changes.items() if value is not None}
    return replace(TrainingSettings(task=task, backbone=backbone), **values)
