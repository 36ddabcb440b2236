"""How to train a model of heads: every choice by name."""

from __future__ import annotations

from dataclasses import dataclass

from core.augmentation import PRESETS as AUGMENTATIONS
from core.errors import ParameterError
from core.zoo.architectures import get_backbone
from core.zoo.heads import CIRCUMFERENCE, OUTPUTS

LOSSES = ("mae", "mse", "huber")
HUBER_DELTA = 0.05
"""Of the input's side: where Huber's loss turns from square to straight, some 3 % of a usual head."""


@dataclass(frozen=True)
class HeadSettings:
    """How to train a regression or a segmentation of heads.

    Parameters
    ----------
    output : str
        ``circumference`` for a regression, ``ellipse`` for a segmentation.
    loss : str
        Of a regression: ``mae``, ``mse`` or ``huber``. A segmentation has cross-entropy and Dice's loss together.
    epochs : int
        All of them run, under a cosine schedule; the last weights are kept, so that the validation side has decided
        nothing and is free for the prediction interval.
    fold : int, optional
        Which of ``folds`` is the validation side, from 0; without it a share of the examinations is.
    seed : int
    """

    output: str = CIRCUMFERENCE
    backbone: str = "mobilenet_v2"
    loss: str = "mae"
    epochs: int = 40
    batch_size: int = 16
    learning_rate: float = 5e-4
    dropout: float = 0.2
    augmentation: str = "head"
    size: int = 224
    validation_share: float = 0.15
    fold: int | None = None
    folds: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        for what, value, known in (
            ("output", self.output, OUTPUTS),
            ("loss", self.loss, LOSSES),
            ("augmentation", self.augmentation, tuple(AUGMENTATIONS)),
        ):
            if value not in known:
                raise ParameterError(f"There is no {what} {value!r}; choose one of {', '.join(known)}.")
        get_backbone(self.backbone)
        if min(self.epochs, self.batch_size) < 1:
            raise ParameterError("Epochs and batch size are at least 1.")
        if self.folds < 2 or (self.fold is not None and not 0 <= self.fold < self.folds):
            raise ParameterError(f"A fold is from 0 to {self.folds - 1} of {self.folds}, and there are at least two.")
        if not (0 <= self.dropout < 1 and 0 < self.learning_rate <= 1 and 0 < self.validation_share < 1):
            raise ParameterError(
                "Dropout lies in [0, 1), the learning rate above 0 and at most at 1, the validation share between 0 "
                "and 1; correct them."
            )
