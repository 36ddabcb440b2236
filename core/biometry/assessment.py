"""Measure every head of a data set and say how far off the circumferences are, with n and intervals.

Intervals draw whole examinations. Frames that a model was trained on are told by the hash of their file and kept apart:
what is said of the others holds for new ones.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from core.biometry.annotation import read_annotation
from core.biometry.ellipse import Ellipse
from core.biometry.growth import trimester
from core.biometry.reading import HeadReader, HeadReading, check_pixel_size
from core.biometry.seen import read_seen
from core.datasets import Table, read_pixels
from core.datasets.items import digest_of, file_and_frame, item_name
from core.errors import DatasetError, ImageError, MeasurementError, ModelError
from core.evaluation import BOOTSTRAP_RESAMPLES, Share
from core.library import is_phantom_id
from core.tables import read_table
from core.zoo.assessment import EVALUATION_NAME, UNREADABLE, write_evaluation
from core.zoo.cards import Card, Metric
from core.zoo.heads import CIRCUMFERENCE
from core.zoo.registry import MODELS_FOLDER

Statistic = Callable[[np.ndarray, np.ndarray], np.ndarray]
READ_AHEAD = 32
TRIMESTERS = ("first", "second", "third")
LIMITS_Z = 1.96
"""Of the limits of agreement, as Bland and Altman (1986) have it."""
MASK_SIDE = 512
"""Dice's coefficient of two ellipses is counted on a grid of so many points a side."""
OUTLINE_POINTS = 720
MM_FIGURES = {
    "mean absolute error": "mae",
    "median absolute error": "median",
    "bias": "bias",
    "lower limit of agreement": "loa_low",
    "upper limit of agreement": "loa_high",
    "Hausdorff distance": "hausdorff",
}
SHARE_FIGURES = {
    "mean relative error": "relative",
    "truth inside the 90 % interval": "coverage",
    "refused": "refused",
    "Dice coefficient": "dice",
}


@dataclass(frozen=True)
class HeadAssessment:
    """What a model of heads did on a data set.

    Attributes
    ----------
    rows : pandas.DataFrame
        One row a frame: image, patient, split, pixel_size_mm, true_mm, predicted_mm, predicted_pixels, error_mm,
        relative_error, low_mm, high_mm, dice, hausdorff_mm, disagreement, trained_on, refused (the reasons, or empty).
        What is not known is NaN.
    layout : str
    simulated : bool
    problems : tuple of str
        Frames that could not be read, one sentence each.
    """

    rows: pd.DataFrame
    layout: str
    simulated: bool
    problems: tuple[str, ...]

    @cached_property
    def parts(self) -> dict[str, pd.DataFrame]:
        """Rows that get figures of their own: ``new`` (not trained on), these by trimester, accepted, trained on."""
        new = self.rows[~self.rows["trained_on"]]
        parts = {"new": new}
        for name in TRIMESTERS:
            parts[f"{name} trimester"] = new[new["trimester"] == name]
        parts["accepted"] = new[new["refused"] == ""]
        parts["trained on"] = self.rows[self.rows["trained_on"]]
        return {name: rows for name, rows in parts.items() if name == "new" or len(rows)}

    @cached_property
    def figures(self) -> dict[str, dict[str, Share]]:
        """Part -> figure -> value with 95 % interval and n (:func:`figures_of`)."""
        return {name: figures_of(rows) for name, rows in self.parts.items()}

    def to_dict(self) -> dict[str, Any]:
        """The object ``evaluate --json`` prints."""
        main = self.figures["new"]
        return {
            "data": self.layout,
            "simulated": self.simulated,
            "n": main["mae"].n,
            "mae_mm": _number(main["mae"].value, main["mae"].n),
            "median_mm": _number(main["median"].value, main["median"].n),
            "ci_low": _number(main["mae"].low, main["mae"].n),
            "ci_high": _number(main["mae"].high, main["mae"].n),
            "frames": len(self.rows),
            "trained_on": int(self.rows["trained_on"].sum()),
            "parts": {
                part: {name: _share(figure) for name, figure in figures.items()}
                for part, figures in self.figures.items()
            },
        }


def assess_heads(
    reader: HeadReader,
    card: Card,
    folder: Path,
    table: Table,
    *,
    progress: Callable[[float], None] = lambda share: None,
) -> HeadAssessment:
    """Measure every frame of ``table`` with ``reader`` and compare what the model of ``card`` says with the truth.

    The truth is the published circumference or, where there is none, the annotation's; frames with neither are only
    measured. One that cannot be read is left out and listed.

    Parameters
    ----------
    folder : Path
        The model's, with the list of what it was trained on.

    Raises
    ------
    DatasetError
        If no frame can be read.
    """
    seen = read_seen(folder)
    regression = card.measurement["output"] == CIRCUMFERENCE
    problems = list(table.problems)
    rows: list[dict[str, Any]] = []
    for start, chunk in _chunks(table.frame):
        frames, sizes, kept = [], [], []
        for row in chunk:
            try:
                size = check_pixel_size(_known(row, "pixel_size_mm"))
                frames.append(read_pixels(row["path"]))
            except (ImageError, MeasurementError) as error:
                problems.append(f"{item_name(row['path'])}: {error}")
                continue
            sizes.append(size)
            kept.append(row)
        for row, size, reading in zip(kept, sizes, reader.read_all(frames, sizes), strict=True):
            rows.append(_row(row, size, reading, seen, regression=regression))
        progress(min((start + READ_AHEAD) / len(table), 1.0))
    if not rows:
        raise DatasetError("None of the frames could be read; the first reason: " + problems[0])
    return HeadAssessment(pd.DataFrame(rows), table.layout, table.simulated, tuple(problems))


def figures_of(rows: pd.DataFrame) -> dict[str, Share]:
    """Figures of rows of a :class:`HeadAssessment`, each with a 95 % bootstrap interval that draws examinations.

    ``mae``, ``median`` (of absolute errors), ``bias``, ``loa_low``, ``loa_high`` (limits of agreement of Bland and
    Altman: bias -+ 1.96 standard deviations) and ``hausdorff`` are in mm; ``relative``, ``coverage``, ``refused`` and
    ``dice`` are shares.
    """
    known = rows[rows["error_mm"].notna()]
    errors, patients = known["error_mm"].to_numpy(float), known["patient"].to_numpy()
    bounded = known[known["low_mm"].notna()]
    hit = (bounded["true_mm"] >= bounded["low_mm"]) & (bounded["true_mm"] <= bounded["high_mm"])
    outlined = rows[rows["dice"].notna()]
    return {
        "mae": bootstrapped(np.abs(errors), patients, _mean),
        "median": bootstrapped(np.abs(errors), patients, _median),
        "bias": bootstrapped(errors, patients, _mean),
        "loa_low": bootstrapped(errors, patients, lambda values, counts: _limit(values, counts, -LIMITS_Z)),
        "loa_high": bootstrapped(errors, patients, lambda values, counts: _limit(values, counts, LIMITS_Z)),
        "relative": bootstrapped(known["relative_error"].abs().to_numpy(float), patients, _mean),
        "coverage": bootstrapped(hit.to_numpy(float), bounded["patient"].to_numpy(), _mean),
        "refused": bootstrapped((rows["refused"] != "").to_numpy(float), rows["patient"].to_numpy(), _mean),
        "dice": bootstrapped(outlined["dice"].to_numpy(float), outlined["patient"].to_numpy(), _mean),
        "hausdorff": bootstrapped(outlined["hausdorff_mm"].to_numpy(float), outlined["patient"].to_numpy(), _mean),
    }


def bootstrapped(values: np.ndarray, patients: np.ndarray, statistic: Statistic, *, seed: int = 0) -> Share:
    """A statistic with its 95 % bootstrap interval over whole examinations.

    Where there are too few values for it, n is 0 and all else NaN.

    Parameters
    ----------
    values : (N,) float
    patients : (N,) any hashable
    statistic : callable
        Of ascending values (N,) and how often each counts (R, N): (R,) float.
    """
    unknown = Share(float("nan"), float("nan"), float("nan"), 0)
    if not len(values):
        return unknown
    order = np.argsort(values, kind="stable")
    values = np.asarray(values, dtype=np.float64)[order]
    _, index = np.unique(np.asarray(patients)[order], return_inverse=True)
    groups = int(index.max()) + 1
    drawn = np.random.default_rng(seed).multinomial(groups, np.full(groups, 1 / groups), size=BOOTSTRAP_RESAMPLES)
    value = float(statistic(values, np.ones((1, len(values))))[0])
    if np.isnan(value):
        return unknown
    low, high = np.nanpercentile(statistic(values, drawn[:, index].astype(np.float64)), [2.5, 97.5])
    return Share(value, float(low), float(high), len(values))


def record_heads(assessment: HeadAssessment, card: Card, folder: Path, name: str, arguments: list[str]) -> Card:
    """Write an assessment into card and ``evaluation.csv.gz`` under a data set's name, replacing an older one.

    Parameters
    ----------
    name : str
        What the data are, such as ``HC18 held out``.
    arguments : list of str
        The command line that measures it again.
    """
    command = "python -m core " + shlex.join(arguments)
    metrics = []
    for part, figures in assessment.figures.items():
        suffix = "" if part == "new" else f", {part}"
        for title, key in (MM_FIGURES | SHARE_FIGURES).items():
            one = figures[key]
            unit = "mm" if title in MM_FIGURES else ""
            if one.n:
                values = (one.value, one.low, one.high, one.n)
                metrics.append(Metric(title + suffix, name, assessment.simulated, *values, command, unit=unit))
    kept = [metric for metric in card.metrics if metric.data != name]
    # What is told first is the error on frames that decided nothing.
    card = replace(card, metrics=sorted([*metrics, *kept], key=lambda metric: "validation" in metric.data))
    rows = assessment.rows.assign(data=name, simulated=assessment.simulated)
    older = read_head_evaluation(folder.name, folder.parent)
    if len(older):
        rows = pd.concat([older[older["data"] != name], rows], ignore_index=True)
    write_evaluation(rows, folder)
    card.write(folder)
    return card


def read_head_evaluation(name: str, folder: Path = MODELS_FOLDER) -> pd.DataFrame:
    """The rows of ``models/<name>/evaluation.csv.gz`` of a model of heads; empty where it was never evaluated.

    Raises
    ------
    ModelError
        If the file cannot be read or lacks a column.
    """
    path = folder / name / EVALUATION_NAME
    if not path.is_file():
        return pd.DataFrame()
    advice = f"write it again with python -m core evaluate --model {name} --data DIR --record NAME."
    try:
        rows = read_table(path, dtype={"patient": str, "refused": str})
    except UNREADABLE as error:
        raise ModelError(f"{EVALUATION_NAME} of model {name!r} cannot be read; {advice}") from error
    for column in ("image", "patient", "true_mm", "predicted_mm", "error_mm", "low_mm", "high_mm", "refused", "data"):
        if column not in rows:
            raise ModelError(f"{EVALUATION_NAME} of model {name!r} lacks the column {column!r}; {advice}")
    return rows.assign(refused=rows["refused"].fillna(""))


def dice(one: Ellipse, other: Ellipse) -> float:
    """Twice the shared area over the sum of areas of two ellipses, from 0 to 1."""
    outline = np.concatenate([one.points(OUTLINE_POINTS), other.points(OUTLINE_POINTS)])
    (left, top), (right, bottom) = outline.min(axis=0), outline.max(axis=0)
    step = max(right - left, bottom - top) / MASK_SIDE
    x, y = np.arange(left, right, step)[None, :], np.arange(top, bottom, step)[:, None]
    first, second = one.distance(x, y) <= 0, other.distance(x, y) <= 0
    return float(2 * (first & second).sum() / (first.sum() + second.sum()))


def hausdorff(one: Ellipse, other: Ellipse) -> float:
    """The farthest that any point of one outline lies from the other outline, in pixels."""
    from scipy.spatial import cKDTree

    first, second = one.points(OUTLINE_POINTS), other.points(OUTLINE_POINTS)
    return float(max(cKDTree(first).query(second)[0].max(), cKDTree(second).query(first)[0].max()))


def _row(
    source: dict[str, Any], size: float | None, reading: HeadReading, seen: frozenset[str], *, regression: bool
) -> dict[str, Any]:
    path = Path(source["path"])
    simulated = is_phantom_id(source["path"])
    estimate = reading.regression if regression else reading.segmentation
    annotated = None if simulated else read_annotation(path)
    true = _known(source, "circumference_mm")
    if true is None and annotated is not None and size is not None:
        true = annotated.circumference * size
    predicted = None if estimate is None else estimate.mm
    known = true is not None and predicted is not None
    both = annotated is not None and reading.ellipse is not None and not regression
    row = {
        "image": item_name(path),
        "patient": source["patient"],
        "split": source["split"],
        "pixel_size_mm": size,
        "true_mm": true,
        "predicted_mm": predicted,
        "predicted_pixels": None if estimate is None else estimate.pixels,
        "error_mm": predicted - true if known else None,
        "relative_error": (predicted - true) / true if known else None,
        "low_mm": None if estimate is None else estimate.low_mm,
        "high_mm": None if estimate is None else estimate.high_mm,
        "dice": dice(reading.ellipse, annotated) if both else None,
        "hausdorff_mm": hausdorff(reading.ellipse, annotated) * size if both and size is not None else None,
        "disagreement": reading.disagreement,
    }
    row = {name: np.nan if value is None else value for name, value in row.items()}
    length = true if true is not None else predicted
    return row | {
        "trimester": trimester(length) if length else "",
        "trained_on": not simulated and digest_of(file_and_frame(path)[0]) in seen,
        "refused": " ".join(reading.refusals),
    }


def _known(row: dict[str, Any], column: str) -> float | None:
    value = row.get(column)
    return None if value is None or np.isnan(value) else float(value)


def _chunks(rows: pd.DataFrame) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    for start in range(0, len(rows), READ_AHEAD):
        yield start, rows.iloc[start : start + READ_AHEAD].to_dict("records")


def _mean(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    return counts @ values / counts.sum(axis=1)


def _median(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Of ascending values; of an even number the mean of the middle two."""
    reached = np.cumsum(counts, axis=1)
    total = reached[:, -1:]
    lower, upper = (reached < np.ceil(total / 2)).sum(axis=1), (reached < np.floor(total / 2) + 1).sum(axis=1)
    return (values[lower] + values[upper]) / 2


def _limit(values: np.ndarray, counts: np.ndarray, factor: float) -> np.ndarray:
    mean, total = _mean(values, counts), counts.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = (counts @ values**2 - total * mean**2) / (total - 1)
    return mean + factor * np.sqrt(np.maximum(variance, 0))


def _number(value: float, n: int) -> float | None:
    return value if n and np.isfinite(value) else None


def _share(share: Share) -> dict[str, float | int | None]:
    values = (_number(number, share.n) for number in (share.value, share.low, share.high))
    return dict(zip(("value", "ci_low", "ci_high"), values, strict=True)) | {"n": share.n}
