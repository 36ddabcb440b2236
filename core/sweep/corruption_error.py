"""ImageNet-C's corruption error (CE) and relative CE against a named baseline (Hendrycks and Dietterich 2019).

CE is the sum of a model's errors over the five severities divided by the baseline's; the relative one takes each
model's clean error off first. Both are 1 for the baseline itself, and less is better. Where the divisor is zero there
is no such figure: it is null, and a sentence says why.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from core.corruption.severity import severities
from core.errors import ParameterError
from core.sweep.curves import Measure, hit_matrix
from core.sweep.thresholds import resampled_means

_ZERO = 1e-12


def corruption_errors(rows: pd.DataFrame, measure: Measure, baseline: str) -> dict[str, Any]:
    """CE and relative CE of every model and kind, with 95 % intervals that draw whole patients, and their means.

    Errors at a severity between two intensities of the grid are read off the straight line between them.

    Raises
    ------
    ParameterError
        If the baseline is not among the models.
    """
    models = list(rows["model"].unique())
    if baseline not in models:
        raise ParameterError(f"The baseline {baseline!r} was not swept; name it with --model too.")
    kinds = list(rows["kind"].unique())
    result: dict[str, Any] = {}
    for model in models:
        each = {kind: _kind_errors(rows, measure, model, baseline, kind) for kind in kinds}
        result[model] = {"kinds": each}
        for name in ("ce", "relative_ce"):
            values = [one[name]["value"] for one in each.values()]
            known = [value for value in values if value is not None]
            result[model][f"mean_{name}"] = {
                "value": float(np.mean(known)) if known and len(known) == len(values) else None,
                "kinds": len(known),
                "of": len(values),
            }
    return {"baseline": baseline, "severities": {kind: list(severities(kind).intensities) for kind in kinds}} | {
        "models": result
    }


def _kind_errors(rows: pd.DataFrame, measure: Measure, model: str, baseline: str, kind: str) -> dict[str, Any]:
    intensities, ours, patients = hit_matrix(rows, measure, model, kind)
    _, theirs, _ = hit_matrix(rows, measure, baseline, kind)
    levels = np.array(severities(kind).intensities)
    if intensities[-1] < levels[-1] - 1e-9:
        reason = f"the grid ends at {intensities[-1]:.3g}, below severity 5 ({levels[-1]:.3g})"
        return {"ce": _nothing(reason), "relative_ce": _nothing(reason), "n": len(ours)}
    both = np.hstack([ours, theirs])
    means = 1 - np.vstack([both.mean(axis=0), resampled_means(both, patients)])
    count = len(intensities)
    error, base = (
        np.stack([np.interp(levels, intensities, curve) for curve in half])
        for half in (means[:, :count], means[:, count:])
    )
    ce = _ratio(error.sum(axis=1), base.sum(axis=1), "the baseline makes no error at any severity")
    relative = _ratio(
        (error - means[:, :1]).sum(axis=1),
        (base - means[:, count : count + 1]).sum(axis=1),
        "the baseline errs no more on corrupted frames than on clean ones",
    )
    return {"ce": ce, "relative_ce": relative, "n": len(ours)}


def _ratio(upper: np.ndarray, lower: np.ndarray, reason: str) -> dict[str, Any]:
    """The first pair's ratio with an interval from the others, or null and the reason."""
    if lower[0] <= _ZERO:
        return _nothing(reason)
    possible = lower[1:] > _ZERO
    ratios = upper[1:][possible] / lower[1:][possible]
    low, high = np.percentile(ratios, [2.5, 97.5]) if possible.mean() > 0.95 else (None, None)
    return {
        "value": float(upper[0] / lower[0]),
        "ci_low": None if low is None else float(low),
        "ci_high": None if high is None else float(high),
        "reason": "" if low is not None else f"no interval: in some samples {reason}",
    }


def _nothing(reason: str) -> dict[str, Any]:
    return {"value": None, "ci_low": None, "ci_high": None, "reason": reason}
