"""A whole study: what is swept over what, where it is kept, and how it is read again.

``sweep.csv`` holds the curves, ``thresholds.json`` where they cross, ``sweep.json`` the settings, hashes and all other
figures, ``rows.csv.gz`` every answer, ``cells.sqlite`` the finished cells. A recorded study keeps the first three in
``models/<name>/sweep/<data>/``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from core.datasets import Table
from core.datasets.items import item_name
from core.errors import DatasetError, ParameterError
from core.files import whole, write_whole
from core.sweep.corruption_error import corruption_errors
from core.sweep.curves import BESIDE, CONTRACT, DATA, ORIGINAL, curves, measure_of
from core.sweep.engine import Progress, model_key, sweep
from core.sweep.grid import Grid, make_grid
from core.sweep.store import CellStore, key_of
from core.sweep.thresholds import LEVEL, LOSS, thresholds
from core.tables import read_table
from core.zoo.cards import Card
from core.zoo.prediction import Classifier
from core.zoo.registry import MODELS_FOLDER

CSV_NAME, THRESHOLDS_NAME, SUMMARY_NAME = "sweep.csv", "thresholds.json", "sweep.json"
ROWS_NAME, CELLS_NAME = "rows.csv.gz", "cells.sqlite"
FOLDER = "sweep"
VERSION = 1
_LARGEST_SIDE, _SMALLEST_SIDE = 1024, 32


@dataclass(frozen=True)
class Settings:
    """What a study is told beside models and images.

    Parameters
    ----------
    kinds : sequence of str
    grid : str
        Of :data:`core.sweep.grid.GRIDS`.
    side : int, optional
        Reduce the cleaned frame to this square first; 174 is the thesis's.
    seed : int
    level, loss : float
        Of the thresholds.
    baseline : str, optional
        The model corruption errors are relative to.

    Raises
    ------
    ParameterError
        If something is unknown or out of range.
    """

    kinds: Sequence[str]
    grid: str = "reference"
    side: int | None = None
    seed: int = 0
    level: float = LEVEL
    loss: float = LOSS
    baseline: str | None = None

    def __post_init__(self) -> None:
        make_grid(self.grid, self.kinds)
        if self.side is not None and not _SMALLEST_SIDE <= self.side <= _LARGEST_SIDE:
            raise ParameterError(
                f"The working side must be from {_SMALLEST_SIDE} to {_LARGEST_SIDE} pixels, not {self.side}; "
                "the thesis's is 174."
            )
        for name in ("level", "loss"):
            if not 0 < getattr(self, name) < 1:
                raise ParameterError(f"--{name} {getattr(self, name):g} is no share; give one between 0 and 1.")

    @property
    def intensities(self) -> Grid:
        return make_grid(self.grid, self.kinds)


@dataclass(frozen=True)
class Study:
    """Curves, thresholds and the summary of a study, as written or read.

    Attributes
    ----------
    curves : pandas.DataFrame
        ``sweep.csv``.
    thresholds, summary : dict
        ``thresholds.json`` and ``sweep.json``.
    rows : pandas.DataFrame
        Every answer; empty where a study was read.
    """

    curves: pd.DataFrame
    thresholds: dict[str, Any]
    summary: dict[str, Any]
    rows: pd.DataFrame

    @property
    def title(self) -> str:
        return self.summary["data"]

    @property
    def measure(self) -> str:
        return self.summary["measure"]

    @property
    def simulated(self) -> bool:
        return self.summary["simulated"]

    @property
    def is_detection(self) -> bool:
        return self.summary["task"] == "corruption"

    @property
    def models(self) -> list[str]:
        """All of them, also those without a curve of the kinds at hand: each keeps its colour."""
        return list(self.thresholds["models"])

    @property
    def kinds(self) -> list[str]:
        return list(self.curves["kind"].unique())

    def write(self, folder: Path) -> None:
        """Write the results; the rows too where there are any."""
        folder.mkdir(parents=True, exist_ok=True)
        if len(self.rows):
            with whole(folder / ROWS_NAME) as path:
                self.rows.to_csv(path, index=False, float_format="%.6g")
        with whole(folder / CSV_NAME) as path:
            self.curves.to_csv(path, index=False, float_format="%.6g")
        write_whole(folder / THRESHOLDS_NAME, json.dumps(self.thresholds, indent=1) + "\n")
        write_whole(folder / SUMMARY_NAME, json.dumps(self.summary, indent=1) + "\n")

    def record(self, name: str, model: str, models: Path = MODELS_FOLDER) -> None:
        """Keep a model's part beside its card under the name of the data, replacing an older one."""
        self.part(model, name).write(models / model / FOLDER / slug(name))

    def only(self, models: Sequence[str], kinds: Sequence[str]) -> Study:
        """The curves of some models and kinds."""
        chosen = self.curves["model"].isin(models) & self.curves["kind"].isin(kinds)
        limits = {name: one for name, one in self.thresholds["models"].items() if name in models}
        return replace(
            self, curves=self.curves[chosen].reset_index(drop=True), thresholds=self.thresholds | {"models": limits}
        )

    def part(self, model: str, name: str) -> Study:
        """A model's curves and figures, without the rows."""
        chosen = self.curves[self.curves["model"] == model].reset_index(drop=True)
        limits = self.thresholds | {"models": {model: self.thresholds["models"][model]}}
        summary = self.summary | {"data": name, "models": {model: self.summary["models"][model]}}
        errors = summary["corruption_errors"]
        if errors:
            summary["corruption_errors"] = errors | {"models": {model: errors["models"][model]}}
        return Study(chosen, limits, summary, pd.DataFrame())


def frames_of(
    table: Table, card: Card, *, beside: Table | None = None, limit: int | None = None, seed: int = 0
) -> pd.DataFrame:
    """The images to sweep: path, label, patient, group.

    For a detector of corruptions every frame is an original, whatever it shows. For other models frames without a class
    are refused, but for those beside the data.

    Parameters
    ----------
    beside : Table, optional
        Frames of no class, to see which share of them is called the one class of the data.
    limit : int, optional
        Images of each class, drawn by the seed.

    Raises
    ------
    DatasetError
        If frames have no class, or frames stand beside data of several.
    """
    data = table.frame[["path", "label", "patient"]].assign(group=DATA)
    names = [item_name(path) for path in data["path"][data["label"] == ""]]
    if names and card.task != "corruption":
        raise DatasetError(
            f"{len(names)} of {len(data)} images have no class, such as {names[0]}; "
            "label them with --label PATTERN=CLASS or leave them out with --exclude PATTERN."
        )
    frames = _drawn(data, limit, seed)
    if beside is not None:
        others = beside.frame[["path", "label", "patient"]].assign(group=BESIDE, label="")
        frames = pd.concat([frames, _drawn(others, limit, seed)])
    if card.task == "corruption":
        frames = frames.assign(label=ORIGINAL)
    measure_of(frames, card.task, card.classes)
    return frames.reset_index(drop=True)


def _drawn(frames: pd.DataFrame, limit: int | None, seed: int) -> pd.DataFrame:
    """At most ``limit`` rows of each label, in turn: a sweep that is stopped has finished a smaller, balanced one."""
    generator = np.random.default_rng(seed)
    turns = pd.Series(0, index=frames.index)
    for _, rows in frames.groupby("label"):
        turns.loc[generator.permutation(rows.index)] = np.arange(len(rows))
    frames = frames.assign(turn=turns).sort_values("turn", kind="stable")
    return frames[frames["turn"] < (limit or len(frames))].drop(columns="turn")


def run_study(
    models: Sequence[Classifier],
    frames: pd.DataFrame,
    settings: Settings,
    *,
    name: str,
    simulated: bool,
    problems: Sequence[str] = (),
    store: CellStore | None = None,
    command: str = "",
    progress: Progress = lambda share: None,
) -> Study:
    """Sweep the models over the images of :func:`frames_of` and compute every figure.

    Parameters
    ----------
    name : str
        What the data are, for people.
    simulated : bool
        Whether the images are; the two are never mixed.
    problems : sequence of str
        What was left out of the data before.

    Raises
    ------
    PlaneLabError
        As :func:`core.sweep.engine.sweep` does.
    """
    card = models[0].card
    swept = sweep(
        models, frames, settings.intensities, side=settings.side, seed=settings.seed, store=store, progress=progress
    )
    rows = swept.rows
    measure = measure_of(rows, card.task, card.classes)
    data = rows[rows["group"] == DATA].drop_duplicates("fingerprint")
    summary = {
        "version": VERSION,
        "data": name,
        "simulated": simulated,
        "task": card.task,
        "measure": measure.name,
        "classes": measure.classes,
        "n": len(data),
        "n_by_class": {key: int(count) for key, count in data["label"].value_counts().items()},
        "patients": int(data["patient"].nunique()),
        "n_beside": int(rows.loc[rows["group"] == BESIDE, "fingerprint"].nunique()),
        "models": {
            model.card.name: {
                "title": model.card.title,
                "weights_sha256": model.card.weights["sha256"],
                "answers_of": model_key(model),
            }
            for model in models
        },
        "images_sha256": key_of(images=sorted(rows["fingerprint"].unique())),
        "grid_sha256": key_of(grid=settings.intensities, side=settings.side, seed=settings.seed),
        "settings": asdict(settings) | {"kinds": list(settings.intensities)},
        "command": command,
        "seconds": {key: round(value, 2) for key, value in asdict(swept.seconds).items()},
        "answers_computed": swept.computed,
        "answers": swept.cells,
        "problems": [*problems, *swept.problems],
        "corruption_errors": corruption_errors(rows, measure, settings.baseline) if settings.baseline else None,
    }
    limits = thresholds(rows, measure, level=settings.level, loss=settings.loss)
    return Study(curves(rows, measure), limits, summary, rows)


def stored_studies(cards: Sequence[Card], models: Path = MODELS_FOLDER) -> dict[str, list[Path]]:
    """Folders of the recorded studies of some models, by task and data: those under one key can share a figure."""
    found: dict[str, list[Path]] = {}
    for card in cards:
        for path in sorted((models / card.name / FOLDER).glob(f"*/{SUMMARY_NAME}")):
            found.setdefault(f"{card.task}_{path.parent.name}", []).append(path.parent)
    return found


def read_study(folder: Path) -> Study:
    """A study as :meth:`Study.write` wrote it, without its rows.

    Raises
    ------
    DatasetError
        If a file is missing, damaged, or they do not belong together.
    """
    advice = "write it again with python -m core sweep."
    try:
        table = read_table(folder / CSV_NAME)
        limits = json.loads((folder / THRESHOLDS_NAME).read_text(encoding="utf-8"))
        summary = json.loads((folder / SUMMARY_NAME).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DatasetError(f"The sweep in {folder} lacks {Path(error.filename).name}; {advice}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise DatasetError(f"The sweep in {folder} cannot be read ({type(error).__name__}); {advice}") from error
    missing = [name for name in (*CONTRACT, "model", "ssim_wang_sector_p5") if name not in table]
    if missing:
        raise DatasetError(f"{CSV_NAME} in {folder} lacks the column {missing[0]!r}; {advice}")
    wanted = {
        "data": str,
        "simulated": bool,
        "task": str,
        "measure": str,
        "n": int,
        "classes": list,
        "models": dict,
        "settings": dict,
    }
    is_whole = isinstance(summary, dict) and isinstance(limits, dict) and isinstance(limits.get("models"), dict)
    if not is_whole or not all(isinstance(summary.get(key), kind) for key, kind in wanted.items()):
        raise DatasetError(f"{SUMMARY_NAME} or {THRESHOLDS_NAME} in {folder} lacks what belongs there; {advice}")
    numbers = table[[name for name in CONTRACT if name != "kind"]].apply(pd.to_numeric, errors="coerce")
    if numbers.isna().any().any() or not numbers["accuracy"].between(0, 1).all() or not len(table):
        raise DatasetError(f"{CSV_NAME} in {folder} holds something else than numbers in range; {advice}")
    if set(table["model"]) != set(limits["models"]) or set(table["model"]) != set(summary["models"]):
        raise DatasetError(f"The files in {folder} speak of different models; {advice}")
    return Study(table, limits, summary, pd.DataFrame())


def merged(studies: Sequence[Study]) -> Study:
    """Studies of several models over data of one name as one, for figures with all of them.

    Raises
    ------
    DatasetError
        If they measure different things, or kinds of corruption have no curve of one of the models.
    """
    first = studies[0]
    for other in studies[1:]:
        # Detectors may know different kinds: each curve is of one kind anyway.
        for key in (
            ("task", "measure", "simulated") if first.is_detection else ("task", "measure", "simulated", "classes")
        ):
            if other.summary[key] != first.summary[key]:
                raise DatasetError(
                    f"The sweeps {first.title!r} of {first.models[0]} and {other.models[0]} differ in {key} and cannot "
                    "share a figure; choose one model."
                )
        if other.thresholds["rules"] != first.thresholds["rules"]:
            raise DatasetError(
                f"The sweeps {first.title!r} of {first.models[0]} and {other.models[0]} have thresholds by different "
                "rules; choose one model."
            )
    table = pd.concat([study.curves for study in studies], ignore_index=True)
    limits = first.thresholds | {"models": {k: v for study in studies for k, v in study.thresholds["models"].items()}}
    summary = first.summary | {"models": {k: v for study in studies for k, v in study.summary["models"].items()}}
    return Study(table, limits, summary, pd.DataFrame())


def slug(name: str) -> str:
    """A name as a folder."""
    return re.sub(r"\W+", "_", name).strip("_").lower()
