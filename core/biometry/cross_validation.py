"""Every fold trained and measured out of fold; several backbones or losses beside each other."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from core.biometry.assessment import figures_of
from core.biometry.calibration import HEADS_NAME, settings_of
from core.biometry.growth import trimester
from core.biometry.settings import HeadSettings
from core.biometry.training import train_heads
from core.datasets import Table
from core.errors import DatasetError
from core.files import whole, write_whole
from core.tables import read_table
from core.zoo.cards import CARD_NAME, Card
from core.zoo.heads import ELLIPSE

PREDICTIONS_NAME, COMPARISON_NAME, SUMMARY_NAME = "out_of_fold.csv", "comparison.csv", "summary.json"


def cross_validate(
    table: Table,
    trials: Sequence[HeadSettings],
    out: Path,
    *,
    fold: int | None = None,
    weights: str | Path | None = "imagenet",
    start: Path | None = None,
    command: str = "",
    report: Callable[[str], None] = print,
    progress: Callable[[float], None] = lambda share: None,
) -> pd.DataFrame:
    """Train every trial on every fold under ``out`` and return one row a trial, also written as ``comparison.csv``.

    A trial's fold lies in ``<backbone>_<loss>/fold_<k>``; one that is finished is kept, so that a run that was stopped
    goes on. Beside the comparison stand ``out_of_fold.csv`` with each prediction and ``summary.json`` with all figures.

    Parameters
    ----------
    fold : int, optional
        Only this one, to compare trials cheaply.
    start : Path, optional
        A trial's folder of an earlier cross-validation: each fold begins with the layers of that trial's same fold,
        which has not seen the fold's validation side either.

    Raises
    ------
    DatasetError
        If the table cannot be trained on, or ``out`` holds a fold of other settings.
    """
    rows, predictions, summary = [], [], {}
    for trial in trials:
        name = trial_name(trial)
        parts = []
        for number in range(trial.folds) if fold is None else [fold]:
            settings = replace(trial, fold=number)
            folder = out / name / f"fold_{number}"
            if not _finished(folder, settings):
                report(f"{name}, fold {number + 1} of {trial.folds}")
                train_heads(
                    table,
                    settings,
                    folder,
                    weights=weights,
                    start=start / folder.name if start else None,
                    command=command,
                    report=report,
                    progress=progress,
                )
            parts.append(read_table(folder / HEADS_NAME).assign(trial=name, fold=number))
        found = as_rows(pd.concat(parts, ignore_index=True))
        figures = figures_of(found)
        summary[name] = {key: [one.value, one.low, one.high, one.n] for key, one in figures.items() if one.n}
        row: dict[str, Any] = {"trial": name, "backbone": trial.backbone, "output": trial.output, "loss": trial.loss}
        row |= {"folds": len(parts), "n": figures["mae"].n, "examinations": int(found["patient"].nunique())}
        for key in ("mae", "median", "bias", "loa_low", "loa_high"):
            row |= {f"{key}_mm": figures[key].value, f"{key}_low": figures[key].low, f"{key}_high": figures[key].high}
        rows.append(row)
        predictions.append(found)
        # Written after every trial: a long comparison that is stopped leaves what it has.
        comparison = pd.DataFrame(rows)
        for name, table in (
            (COMPARISON_NAME, comparison),
            (PREDICTIONS_NAME, pd.concat(predictions, ignore_index=True)),
        ):
            with whole(out / name) as path:
                table.to_csv(path, index=False)
        write_whole(out / SUMMARY_NAME, json.dumps(summary, indent=2) + "\n")
    return comparison


def trial_name(settings: HeadSettings) -> str:
    """``mobilenet_v2_mae``; a segmentation has one loss only and is named for what it gives."""
    return f"{settings.backbone}_{ELLIPSE if settings.output == ELLIPSE else settings.loss}"


def as_rows(predicted: pd.DataFrame) -> pd.DataFrame:
    """Rows of ``validation.csv`` with the columns that :func:`core.biometry.assessment.figures_of` reads."""
    error = predicted["predicted_mm"] - predicted["true_mm"]
    empty = dict.fromkeys(("low_mm", "high_mm", "dice", "hausdorff_mm"), float("nan"))
    return predicted.assign(
        error_mm=error,
        relative_error=error / predicted["true_mm"],
        trimester=[trimester(length) for length in predicted["true_mm"]],
        refused=["" if found else "No outline was found." for found in predicted["predicted_mm"].notna()],
        **empty,
    )


def _finished(folder: Path, settings: HeadSettings) -> bool:
    """Whether a fold was trained to its end with these settings."""
    if not (folder / CARD_NAME).is_file() or not (folder / HEADS_NAME).is_file():
        return False
    if settings_of(Card.read(folder)) != settings:
        raise DatasetError(
            f"The folder {str(folder)!r} holds a model of other settings; choose another folder, or delete it."
        )
    return True
