"""How far off a measurement may be: a prediction interval by split conformal prediction, relative to the value.

Validation frames decided nothing in training, so a new frame's relative error is as any of theirs (Vovk et al. 2005;
Lei et al. 2018, whose residuals are divided by the prediction here: a large head is measured worse in millimetres).
Several frames of one examination are no independent witnesses: each examination counts once, its frames share its
weight, and one further examination of unbounded error is added (hierarchical conformal prediction, Lee, Barber and
Willett 2023). The interval of a frame of a new examination then holds the truth with at least the level asked for.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from core.errors import ParameterError
from core.zoo.cards import Card

LEVEL = 0.9
ROUNDING = 1e-9


def relative_bound(errors: np.ndarray, examinations: np.ndarray, level: float = LEVEL) -> float:
    """The relative error that a new examination's frame stays under with at least this probability.

    Parameters
    ----------
    errors : (N,) float
        Absolute errors over predictions.
    examinations : (N,) any hashable
        Whose frame each is.

    Returns
    -------
    float
        Infinite where there are too few examinations for the level: 9 are needed for 90 %.

    Raises
    ------
    ParameterError
        If the level is no probability, an error is negative or unknown, or the arrays do not pair up.
    """
    errors, examinations = np.asarray(errors, dtype=np.float64), np.asarray(examinations)
    if not 0 < level < 1:
        raise ParameterError(f"A prediction interval's level lies between 0 and 1; it is {level:g}.")
    if len(errors) != len(examinations) or not (errors >= 0).all():
        raise ParameterError("Every frame needs a relative error of at least 0 and an examination.")
    _, index, counts = np.unique(examinations, return_inverse=True, return_counts=True)
    order = np.argsort(errors, kind="stable")
    reached = np.cumsum(1 / counts[index][order]) / (len(counts) + 1)
    place = int(np.searchsorted(reached, level - ROUNDING))
    return float(errors[order][place]) if place < len(errors) else float("inf")


def calibrated(card: Card, predicted: pd.DataFrame) -> Card:
    """The card with the interval that its validation frames give.

    ``measurement["interval"]`` becomes ``{"level", "relative", "n", "n_examinations"}``; ``relative`` is None where
    there are too few examinations. Frames in which no outline was found have no measurement and do not count.

    Parameters
    ----------
    predicted : DataFrame
        With the columns patient, true_mm and predicted_mm.
    """
    rows = predicted[predicted["predicted_mm"] > 0]
    errors = (rows["true_mm"] - rows["predicted_mm"]).abs() / rows["predicted_mm"]
    bound = relative_bound(errors.to_numpy(), rows["patient"].to_numpy())
    interval = {
        "level": LEVEL,
        "relative": bound if np.isfinite(bound) else None,
        "n": len(rows),
        "n_examinations": int(rows["patient"].nunique()),
    }
    return replace(card, measurement={**card.measurement, "interval": interval})


def relative_of(card: Card) -> float | None:
    """The relative half-width of a card's interval; None where it has none."""
    return card.measurement.get("interval", {}).get("relative")


def around(value: float, relative: float | None) -> tuple[float | None, float | None]:
    """Lower and upper end around a measurement; a circumference is never negative."""
    if relative is None:
        return None, None
    return value * max(0.0, 1 - relative), value * (1 + relative)
