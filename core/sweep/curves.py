"""Everything a curve shows, computed from the rows of a sweep: one line a model, kind and intensity.

What counts as right depends on the task. A plane or anatomy is right when the true class is called; where the data
hold one class only (HC18's heads) there is nothing to confuse it with, and the curve is the *share called* that class.
A detector of corruptions is right when it calls the clean frame original and any other by its kind; kinds it was never
taught count as found when it says anything but original. The corruption thesis reads the same answers in two further
ways (001 §7.4): *with limits*, original below the published limit and corrupted from it on, and *without limits*,
corrupted always, the clean frame too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from core.corruption import get
from core.errors import DatasetError
from core.evaluation import Share, bootstrap_by_patient, expected_calibration_error, share_by_patient
from core.sweep.engine import SIMILARITIES

ORIGINAL = "original"
DATA = "data"
BESIDE = "beside"
ACCURACY = "accuracy"
CONTRACT = ("kind", "intensity", "n", "accuracy", "ci_low", "ci_high", "ssim")
WITH_LIMITS, WITHOUT_LIMITS = "with_limits", "without_limits"
CURVE_RESAMPLES = 1000


@dataclass(frozen=True)
class Measure:
    """What the column ``accuracy`` of a sweep holds.

    Attributes
    ----------
    name : str
        ``accuracy``, or ``share called BPD`` where the data hold one class.
    task : str
    classes : list of str
    """

    name: str
    task: str
    classes: list[str]

    @property
    def is_detection(self) -> bool:
        return self.task == "corruption"


def measure_of(rows: pd.DataFrame, task: str, classes: list[str]) -> Measure:
    """Accuracy where several classes occur, else the share called the one class.

    Raises
    ------
    DatasetError
        If frames of no class stand beside data of several.
    """
    if task == "corruption":
        return Measure(ACCURACY, task, classes)
    labels = rows.loc[rows["group"] == DATA, "label"].unique()
    if len(labels) == 1:
        return Measure(f"share called {labels[0]}", task, classes)
    if (rows["group"] == BESIDE).any():
        raise DatasetError("--beside needs data of one class, such as HC18's heads; these hold several.")
    return Measure(ACCURACY, task, classes)


def hits(rows: pd.DataFrame, measure: Measure, reading: str = ACCURACY) -> np.ndarray:
    """Whether each row is right, (N,) bool, in one of the readings; see the module."""
    predicted = predictions(rows, measure.classes)
    if not measure.is_detection:
        return predicted == rows["label"].to_numpy()
    found = np.where(
        rows["kind"].isin(measure.classes), predicted == rows["kind"].to_numpy(), predicted != ORIGINAL
    ).astype(bool)
    if reading == WITHOUT_LIMITS:
        return found
    limits = {kind: (get(kind).published_limit if reading == WITH_LIMITS else 0.0) for kind in rows["kind"].unique()}
    limit = rows["kind"].map(lambda kind: np.nan if limits[kind] is None else limits[kind]).to_numpy(float)
    intensity = rows["intensity"].to_numpy()
    is_original = intensity < limit if reading == WITH_LIMITS else intensity <= limit
    return np.where(is_original, predicted == ORIGINAL, found).astype(bool)


def predictions(rows: pd.DataFrame, classes: Sequence[str]) -> np.ndarray:
    """The class of the highest probability of each row, (N,) str."""
    return np.asarray(classes, dtype=object)[rows[[f"p_{name}" for name in classes]].to_numpy().argmax(axis=1)]


def curves(rows: pd.DataFrame, measure: Measure) -> pd.DataFrame:
    """One line a model, kind and intensity; the columns of :data:`CONTRACT` come first."""
    data = rows[rows["group"] == DATA].copy()
    data["hit"] = hits(data, measure)
    data["true"] = true_classes(data, measure)
    if measure.is_detection:
        for reading in (WITH_LIMITS, WITHOUT_LIMITS):
            data[reading] = hits(data, measure, reading)
    beside = rows[rows["group"] == BESIDE]
    if len(beside):
        name = data["label"].iloc[0]
        beside = beside.assign(hit=predictions(beside, measure.classes) == name)
    lines = []
    order = {kind: position for position, kind in enumerate(rows["kind"].unique())}
    cells = dict(list(beside.groupby(["model", "kind", "intensity"], sort=False)))
    for (model, kind, intensity), cell in data.groupby(["model", "kind", "intensity"], sort=False):
        line = {"kind": kind, "intensity": intensity, **_figures(cell, measure)}
        line |= {"model": model, "measure": measure.name, **_similarities(cell)}
        if (model, kind, intensity) in cells:
            other = cells[model, kind, intensity]
            line |= _share("beside", share_by_patient(other["hit"], other["patient"]))
        lines.append(line)
    table = pd.DataFrame(lines)
    table = table.sort_values(
        ["model", "kind", "intensity"], key=lambda column: column.map(order) if column.name == "kind" else column
    ).reset_index(drop=True)
    return table[[*CONTRACT, *(name for name in table if name not in CONTRACT)]]


def true_classes(rows: pd.DataFrame, measure: Measure) -> np.ndarray:
    """The class each row should be given, (N,) str."""
    if not measure.is_detection:
        return rows["label"].to_numpy()
    return np.where(rows["intensity"] > 0, rows["kind"], ORIGINAL)


def _figures(cell: pd.DataFrame, measure: Measure) -> dict[str, float]:
    """Accuracy, probability of the true class, calibration and recalls of the rows of one cell."""
    share = share_by_patient(cell["hit"], cell["patient"])
    columns = [f"p_{name}" for name in measure.classes]
    probabilities = cell[columns].to_numpy()
    line: dict[str, float] = {
        "n": share.n,
        "accuracy": share.value,
        "ci_low": share.low,
        "ci_high": share.high,
        "ssim": float(cell["ssim_wang_sector"].mean()),
    }
    true = cell["true"].map({name: index for index, name in enumerate(measure.classes)}).to_numpy(float)
    if not np.isnan(true).any():
        true = true.astype(int)
        of_truth = bootstrap_by_patient(
            probabilities[np.arange(len(true)), true], cell["patient"].to_numpy(), resamples=CURVE_RESAMPLES
        )
        line |= {"p_true": of_truth.value, "p_true_low": of_truth.low, "p_true_high": of_truth.high}
        line["calibration_error"] = expected_calibration_error(probabilities, true)
    line["confidence"] = float(probabilities.max(axis=1).mean())
    for reading in (WITH_LIMITS, WITHOUT_LIMITS) if measure.is_detection else ():
        if reading == WITHOUT_LIMITS or get(str(cell["kind"].iloc[0])).published_limit is not None:
            line |= _share(reading, share_by_patient(cell[reading], cell["patient"]))
    if measure.name == ACCURACY and not measure.is_detection:
        for name, group in cell.groupby("label"):
            line |= _share(f"recall_{name}", share_by_patient(group["hit"], group["patient"]))
    return line


def _share(name: str, share: Share) -> dict[str, float]:
    return {name: share.value, f"{name}_low": share.low, f"{name}_high": share.high, f"{name}_n": share.n}


def _similarities(cell: pd.DataFrame) -> dict[str, float]:
    """Mean and spread of every reading of SSIM."""
    line = {}
    for name in SIMILARITIES:
        values = cell[name].to_numpy()
        low, high = np.percentile(values, [5, 95])
        line |= {name: float(values.mean()), f"{name}_p5": float(low), f"{name}_p95": float(high)}
    return line


def hit_matrix(
    rows: pd.DataFrame, measure: Measure, model: str, kind: str, reading: str = ACCURACY
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Whole curves of the data's images: intensities (M,), hits (N, M) float64, patients (N,)."""
    chosen = rows[(rows["group"] == DATA) & (rows["model"] == model) & (rows["kind"] == kind)]
    chosen = chosen.assign(hit=hits(chosen, measure, reading).astype(float))
    table = chosen.pivot(index="fingerprint", columns="intensity", values="hit").sort_index(axis=1)
    patients = chosen.drop_duplicates("fingerprint").set_index("fingerprint")["patient"].loc[table.index]
    return table.columns.to_numpy(float), table.to_numpy(), patients.to_numpy()
