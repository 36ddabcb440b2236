"""Where a curve crosses a level: the intensity a model bears, with an interval, or *not reached*.

Two rules, as in the corruption thesis (001 §6.2.1): accuracy below a level (90 %), or a loss from the clean accuracy (5
points). Between the grid's points the curve is a straight line; the first crossing counts. The interval draws whole
patients with their whole curves.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from core.corruption import get
from core.errors import ParameterError
from core.sweep.curves import WITHOUT_LIMITS, Measure, hit_matrix

REACHED, NOT_REACHED, ALREADY = "reached", "not reached", "already at 0"
RESAMPLES = 1000
LEVEL, LOSS = 0.9, 0.05


@dataclass(frozen=True)
class Threshold:
    """An intensity with its 95 % interval; None stands for *not reached* within the grid.

    Attributes
    ----------
    status : {"reached", "not reached", "already at 0"}
    value, low, high : float or None
        In the kind's unit; 0 where the clean frames lie beyond the level already.
    level : float
        The share that was crossed.
    n : int
        Images.
    """

    status: str
    value: float | None
    low: float | None
    high: float | None
    level: float
    n: int

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def text(self, unit: str) -> str:
        """``12.3 (10.1 to 14) %`` for tables and sentences."""
        low, high = (NOT_REACHED if end is None else f"{end:.3g}" for end in (self.low, self.high))
        if self.status == REACHED:
            return f"{self.value:.3g} ({low} to {high}) {unit}"
        return f"{self.status} ({low} to {high} {unit})" if self.low != self.high else self.status


def crossings(intensities: np.ndarray, curves: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Where each curve first falls below its level.

    Parameters
    ----------
    intensities : (M,) float
        Rising.
    curves : (B, M) float
    levels : (B,) float

    Returns
    -------
    (B,) float
        Linear between grid points; the first intensity where the curve starts below, infinity where it never falls.
    """
    below = curves < levels[:, None]
    first = below.argmax(axis=1)
    result = np.full(len(curves), np.inf)
    result[below[:, 0]] = intensities[0]
    falling = np.flatnonzero(below.any(axis=1) & ~below[:, 0])
    right = first[falling]
    above, under = curves[falling, right - 1], curves[falling, right]
    part = (above - levels[falling]) / (above - under)
    start = intensities[right - 1]
    result[falling] = start + part * (intensities[right] - start)
    return result


def threshold(
    intensities: np.ndarray,
    hits: np.ndarray,
    patients: np.ndarray,
    *,
    level: float | None = None,
    loss: float | None = None,
    rising: bool = False,
    seed: int = 0,
) -> Threshold:
    """The first crossing of the mean of the hits (N, M), with an interval that draws whole patients.

    Parameters
    ----------
    level : float
        The share to cross, in (0, 1]; or
    loss : float
        points, in (0, 1), below each curve's own start.
    rising : bool
        Look for where the curve first reaches the level from below, as a detector's does.

    Raises
    ------
    ParameterError
        Unless exactly one of level and loss is given, in range.
    """
    given = level if loss is None else loss
    if (level is None) == (loss is None) or not 0 < given <= 1:
        raise ParameterError(f"A threshold needs a level or a loss between 0 and 1, not {given!r}.")
    means = np.vstack([hits.mean(axis=0), resampled_means(hits, patients, seed)])
    levels = np.full(len(means), level) if loss is None else means[:, 0] - loss
    if rising:
        # The first point at or above the level: the mirror image of falling below it.
        found = crossings(intensities, -means, -np.nextafter(levels, -1))
    else:
        # Rounding must not make a loss of exactly 5 points out of one that is a hair less.
        found = crossings(intensities, means, levels - 1e-9)
    low, high = np.percentile(found[1:], [2.5, 97.5], method="nearest")
    status = NOT_REACHED if np.isinf(found[0]) else ALREADY if found[0] <= intensities[0] else REACHED
    value, low, high = (None if np.isinf(number) else float(number) for number in (found[0], low, high))
    return Threshold(status, value, low, high, float(levels[0]), len(hits))


def resampled_means(values: np.ndarray, patients: np.ndarray, seed: int = 0) -> np.ndarray:
    """Means of (N, M) values over patients drawn with replacement, (B, M)."""
    _, index = np.unique(patients, return_inverse=True)
    counts = np.bincount(index)
    sums = np.zeros((len(counts), values.shape[1]))
    np.add.at(sums, index, values)
    draws = np.random.default_rng(seed).integers(0, len(counts), size=(RESAMPLES, len(counts)))
    weights = np.zeros((RESAMPLES, len(counts)))
    np.add.at(weights, (np.arange(RESAMPLES)[:, None], draws), 1)
    return (weights @ sums) / (weights @ counts)[:, None]


def thresholds(rows: pd.DataFrame, measure: Measure, *, level: float = LEVEL, loss: float = LOSS) -> dict[str, Any]:
    """Both rules for each model and kind, beside the thesis's limits; what ``thresholds.json`` holds.

    Of a detector it is the intensity from which a share of ``level`` of the frames is called corrupted.
    """
    result: dict[str, Any] = {}
    for model in rows["model"].unique():
        kinds: dict[str, Any] = {}
        for kind in rows["kind"].unique():
            corruption = get(kind)
            if measure.is_detection:
                curve = hit_matrix(rows, measure, model, kind, WITHOUT_LIMITS)
                found = {"detected": threshold(*curve, level=level, rising=True)}
            else:
                curve = hit_matrix(rows, measure, model, kind)
                found = {"level": threshold(*curve, level=level), "loss": threshold(*curve, loss=loss)}
            kinds[kind] = {
                "parameter": corruption.parameter,
                "unit": corruption.unit,
                "published_limit": corruption.published_limit,
                "searched_to": float(curve[0][-1]),
                **{rule: one.to_dict() for rule, one in found.items()},
            }
        result[model] = kinds
    rules = {"level": level} if measure.is_detection else {"level": level, "loss": loss}
    return {"measure": measure.name, "rules": rules, "models": result}
