"""How far off a measurement may be: a prediction interval by split conformal prediction, relative to the value.

Validation frames decided nothing in training, so a new frame's relative error is as any of theirs (Vovk et al. 2005;
Lei et al. 2018, whose residuals are divided by the prediction here: a large head is measured worse in millimetres).
Several frames of one examination are no independent witnesses: each examination counts once, its frames share its
weight, and one further examination of unbounded error is added (hierarchical conformal prediction, Lee, Barber and
Willett 2023). The interval of a frame of a new examination then holds the truth with at least the level asked for.

A head that fills little of its frame is measured worse, also relative to its size. How much worse is told by heads that
were predicted out of fold, by networks of the same kind; the errors of the validation frames are divided by it before
their bound is taken, which leaves the guarantee as it is and gives small heads the wider intervals that they need
(normalised conformal prediction, Papadopoulos et al. 2002).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from core.errors import ParameterError
from core.zoo.cards import Card

LEVEL = 0.9
SHARES = (0.8, 1.2, 1.6, 2.0)
"""Circumferences over the side of the input, at which tables give the interval; HC18's heads have 0.8 to 2.1."""
ROUNDING = 1e-9
LEAST_ERROR = 1e-4
"""Relative errors below it are as good as none: 0.02 mm of a head of 200 mm."""


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


def exponent_of(shares: np.ndarray, errors: np.ndarray, level: float = LEVEL) -> float:
    """The power of a head's size that this quantile of relative errors goes with; below 0 where small heads err more.

    Quantile regression (Koenker and Bassett 1978) of the errors' logarithm on the sizes'.

    Parameters
    ----------
    shares : (N,) float
        Circumferences over the side of the network's input.
    errors : (N,) float
        Absolute errors over predictions.

    Raises
    ------
    ParameterError
        If fewer than two sizes are given.
    """
    from sklearn.linear_model import QuantileRegressor

    if len(np.unique(shares)) < 2:
        raise ParameterError("Heads of several sizes are needed to tell how errors grow with size; give more of them.")
    sizes = np.log(np.asarray(shares, dtype=np.float64))[:, None]
    model = QuantileRegressor(quantile=level, alpha=0).fit(sizes, np.log(np.maximum(errors, LEAST_ERROR)))
    return float(model.coef_[0])


def calibrated(card: Card, predicted: pd.DataFrame, others: pd.DataFrame | None = None) -> Card:
    """The card with the interval that its validation frames give.

    ``measurement["interval"]`` becomes ``{"level", "relative", "exponent", "greatest_share", "n", "n_examinations"}``;
    ``relative`` is half the interval's width over the value where a head's circumference is the input's side, and None
    where there are too few examinations. Frames in which no outline was found have no measurement and do not count.

    Parameters
    ----------
    predicted : DataFrame
        Validation frames with the columns patient, true_mm, predicted_mm and share (of the prediction, see
        :func:`exponent_of`).
    others : DataFrame, optional
        Other frames with the same columns, predicted by networks that had not seen them. Without them every size has
        the same relative width.
    """
    rows = predicted[predicted["predicted_mm"] > 0]
    exponent, greatest = 0.0, None
    if others is not None:
        # What the bound is taken from must not decide what it is divided by.
        others = others[(others["predicted_mm"] > 0) & ~others["patient"].isin(predicted["patient"])]
        exponent = exponent_of(others["share"].to_numpy(), _relative_errors(others))
        greatest = float(others["share"].max())
    scale = np.array([_scale(share, exponent, greatest) for share in rows["share"]])
    bound = relative_bound(_relative_errors(rows) / scale, rows["patient"].to_numpy())
    interval = {
        "level": LEVEL,
        "relative": bound if np.isfinite(bound) else None,
        "exponent": exponent,
        "greatest_share": greatest,
        "n": len(rows),
        "n_examinations": int(rows["patient"].nunique()),
    }
    return replace(card, measurement={**card.measurement, "interval": interval})


def relative_of(card: Card, share: float) -> float | None:
    """Half the width of a card's interval over the value; None where it has none.

    Parameters
    ----------
    share : float
        The predicted circumference over the side of the network's input.
    """
    interval = card.measurement.get("interval", {})
    if interval.get("relative") is None:
        return None
    return interval["relative"] * _scale(float(share), interval["exponent"], interval["greatest_share"])


def around(value: float, relative: float | None) -> tuple[float | None, float | None]:
    """Lower and upper end around a measurement; a circumference is never negative."""
    if relative is None:
        return None, None
    return value * max(0.0, 1 - relative), value * (1 + relative)


def _relative_errors(rows: pd.DataFrame) -> np.ndarray:
    return ((rows["true_mm"] - rows["predicted_mm"]).abs() / rows["predicted_mm"]).to_numpy()


def _scale(share: float, exponent: float, greatest: float | None) -> float:
    """How much wider than at a share of 1 an interval is; beyond the largest heads known it grows no narrower."""
    return (share if greatest is None else min(share, greatest)) ** exponent
