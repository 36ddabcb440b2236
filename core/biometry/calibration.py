"""What a trained model of heads learns about itself from its validation side: its interval and when to refuse."""

from __future__ import annotations

from collections.abc import Sequence
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
from core.files import whole
from core.tables import read_table
from core.zoo.cards import Card
from core.zoo.heads import HeadSegmenter, ellipses_in
from core.zoo.registry import load_model

HEADS_NAME, OTHERS_NAME = "validation.csv", "out_of_fold.csv"
COLUMNS = ["image", "patient", "pixel_size_mm", "true_mm", "predicted_mm"]
CHUNK = 32


def calibrate(folder: Path, train: HeadSet, validation: HeadSet, others: Path | None = None) -> Card:
    """Write interval, bounds of refusal and ``seen.csv`` of the model in ``folder``; its card is returned.

    Parameters
    ----------
    train, validation : HeadSet
        The sides that it was trained and validated on.
    others : Path, optional
        ``out_of_fold.csv`` of a cross-validation, which tells how errors go with size. It is kept beside the model, and
        read from there when it is not given.

    Raises
    ------
    ModelError
        If ``validation.csv`` is missing or is not that of these frames, or the predictions out of fold are of others.
    """
    model = load_model(folder.name, folder.parent)
    kept = folder / OTHERS_NAME
    if others is None and kept.is_file():
        others = kept
    out_of_fold = None
    if others is not None:
        advice = "cross-validate on the data that the model was trained on."
        out_of_fold = _predictions(others, [train, validation], advice)
        with whole(kept) as path:
            out_of_fold[COLUMNS].to_csv(path, index=False)
    predicted = _predictions(folder / HEADS_NAME, [validation], f"train the model {folder.name!r} again on this data.")
    card = calibrated(model.card, predicted, out_of_fold)
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


def _predictions(path: Path, heads: Sequence[HeadSet], advice: str) -> pd.DataFrame:
    """A table of predictions of exactly these heads, with the share of the input's side that each comes to."""
    try:
        rows = read_table(path)
    except (OSError, ValueError) as error:
        raise ModelError(f"{path.name} cannot be read; {advice}") from error
    sides = {image.name: mm for part in heads for image, mm in zip(part.paths, part.millimetres, strict=True)}
    if not set(COLUMNS) <= set(rows) or sorted(rows["image"]) != sorted(sides):
        raise ModelError(f"{path.name} is of other frames than those given; {advice}")
    return rows.assign(share=rows["predicted_mm"] / rows["image"].map(sides))
