"""What a trained model of heads learns about itself from its validation side: its interval and when to refuse."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pandas as pd

from core.biometry.data import HeadSet
from core.biometry.interval import calibrated
from core.biometry.refusal import bounds_of, evidence_of
from core.biometry.seen import write_seen
from core.biometry.settings import HeadSettings
from core.errors import ModelError
from core.zoo.cards import Card
from core.zoo.heads import HeadSegmenter, ellipses_in
from core.zoo.registry import load_model

HEADS_NAME = "validation.csv"
CHUNK = 32


def calibrate(folder: Path, train: HeadSet, validation: HeadSet) -> Card:
    """Write interval, bounds of refusal and ``seen.csv`` of the model in ``folder``; its card is returned.

    Parameters
    ----------
    train, validation : HeadSet
        The sides that it was trained and validated on.

    Raises
    ------
    ModelError
        If ``validation.csv`` is missing or is not that of these frames.
    """
    model = load_model(folder.name, folder.parent)
    card = calibrated(model.card, _predicted(folder, validation))
    if isinstance(model, HeadSegmenter):
        card = replace(card, measurement={**card.measurement, "refusal": _bounds(model, train, validation)})
    write_seen(folder, train.paths)
    card.write(folder)
    return card


def _bounds(model: HeadSegmenter, train: HeadSet, validation: HeadSet) -> dict[str, Any]:
    evidence = []
    for start in range(0, len(validation), CHUNK):
        chosen = slice(start, start + CHUNK)
        masks = model.masks(validation.images[chosen])
        answers = zip(masks, ellipses_in(masks, model.card.size), validation.windows[chosen], strict=True)
        evidence += [evidence_of(mask, one, model.card.size, window) for mask, one, window in answers if one]
    # A network that finds no head at all has nothing to set bounds by, and refuses everything without them.
    return bounds_of(evidence, [one.minor / one.major for one in train.ellipses]) if evidence else {}


def settings_of(card: Card) -> HeadSettings:
    """The settings that a model of heads was trained with, as its card keeps them."""
    return HeadSettings(**{one.name: card.training[one.name] for one in fields(HeadSettings)})


def _predicted(folder: Path, validation: HeadSet) -> pd.DataFrame:
    path = folder / HEADS_NAME
    advice = f"train the model {folder.name!r} again."
    try:
        rows = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise ModelError(f"{HEADS_NAME} cannot be read; {advice}") from error
    if sorted(rows.get("image", ())) != sorted(path.name for path in validation.paths):
        raise ModelError(
            f"{HEADS_NAME} is of other frames than those given; give the data that {folder.name!r} was trained on."
        )
    return rows
