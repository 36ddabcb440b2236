"""What a study says, in sentences computed from its curves: where they cross, fall and flatten."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields

import numpy as np
import pandas as pd

from core.corruption import get
from core.sweep.curves import WITH_LIMITS, WITHOUT_LIMITS
from core.sweep.study import Study
from core.sweep.thresholds import NOT_REACHED, REACHED, Threshold

FLAT_SHARE = 0.9
"""A curve is called flat from where this share of its whole fall is done."""
RULE_TITLES = {"level": "below the level", "loss": "loss from the clean frames", "detected": "called corrupted"}


def threshold_of(study: Study, model: str, kind: str, rule: str) -> Threshold:
    """A stored threshold."""
    stored = study.thresholds["models"][model][kind][rule]
    return Threshold(**{field.name: stored[field.name] for field in fields(Threshold)})


def kinds_of(study: Study, model: str) -> list[str]:
    """The kinds a model has curves of; of several models each may have its own."""
    return list(study.curves.loc[study.curves["model"] == model, "kind"].unique())


def rules_of(study: Study) -> list[str]:
    return list(study.thresholds["rules"]) if not study.is_detection else ["detected"]


def rule_title(study: Study, rule: str) -> str:
    """What a rule asks: ``accuracy below 90 %``."""
    rules = study.thresholds["rules"]
    if rule == "loss":
        return f"{study.measure} {100 * rules['loss']:g} points below the clean frames'"
    if rule == "detected":
        return f"{100 * rules['level']:g} % called corrupted"
    return f"{study.measure} below {100 * rules['level']:g} %"


def threshold_lines(study: Study) -> list[str]:
    """Every threshold as a line of text."""
    lines = []
    for model in study.models:
        for kind in kinds_of(study, model):
            found = ", ".join(
                f"{rule_title(study, rule)}: {threshold_of(study, model, kind, rule).text(get(kind).unit)}"
                for rule in rules_of(study)
            )
            limit = get(kind).published_limit
            beside = "" if limit is None else f" (the thesis's limit: {limit:g} {get(kind).unit})"
            lines.append(f"{model}, {get(kind).title.lower()}: {found}{beside}")
    return lines


def threshold_table(study: Study) -> pd.DataFrame:
    """Every threshold beside the thesis's limit, one line a model and kind."""
    lines = []
    for model in study.models:
        for kind in kinds_of(study, model):
            corruption = get(kind)
            line = {"model": model, "corruption": corruption.title, "parameter": f"{corruption.parameter}"}
            for rule in rules_of(study):
                line[rule_title(study, rule)] = threshold_of(study, model, kind, rule).text(corruption.unit)
            limit = corruption.published_limit
            line["limit in the thesis"] = "" if limit is None else f"{limit:g} {corruption.unit}"
            line["n"] = threshold_of(study, model, kind, rules_of(study)[0]).n
            lines.append(line)
    return pd.DataFrame(lines)


def error_table(study: Study) -> pd.DataFrame:
    """Corruption errors and relative ones, one line a model and kind; empty where the study has no baseline."""
    errors = study.summary.get("corruption_errors")
    lines = []
    for model, found in errors["models"].items() if errors else ():
        for kind, one in found["kinds"].items():
            if model not in study.models or kind not in study.kinds:
                continue
            lines.append(
                {
                    "model": model,
                    "baseline": errors["baseline"],
                    "corruption": get(kind).title,
                    "CE": _error_text(one["ce"]),
                    "relative CE": _error_text(one["relative_ce"]),
                    "n": one["n"],
                }
            )
    return pd.DataFrame(lines)


def _error_text(one: dict) -> str:
    if one["value"] is None:
        return f"none: {one['reason']}"
    if one["ci_low"] is None:
        return f"{one['value']:.3f}, {one['reason']}"
    return f"{one['value']:.3f} ({one['ci_low']:.3f} to {one['ci_high']:.3f})"


def sentence(study: Study, figure: int) -> str:
    """What one of the thesis's figures looks like in this study."""
    parts = [f"{model}: {_ABOUT[figure](study, model)}" for model in study.models]
    return " ".join(part if part.endswith(".") else f"{part}." for part in parts)


def _each_kind(study: Study, model: str, say: Callable[[str, pd.DataFrame], str]) -> str:
    curves = study.curves[study.curves["model"] == model]
    return "; ".join(
        f"{get(kind).title.lower()} {say(kind, curves[curves['kind'] == kind].sort_values('intensity'))}"
        for kind in kinds_of(study, model)
    )


def _accuracy_by_intensity(study: Study, model: str) -> str:
    def say(kind: str, curve: pd.DataFrame) -> str:
        found = threshold_of(study, model, kind, "level")
        level = f"{100 * study.thresholds['rules']['level']:g} %"
        last = curve.iloc[-1]
        if found.status == REACHED:
            where = f"falls below {level} at {found.value:.3g} {get(kind).unit}"
        elif found.status == NOT_REACHED:
            where = f"stays at or above {level}"
        else:
            where = f"starts below {level}"
        return f"{where} and ends at {100 * last['accuracy']:.0f} % ({last['intensity']:.3g})"

    return f"{study.measure} under {_each_kind(study, model, say)}"


def _accuracy_by_similarity(study: Study, model: str) -> str:
    def say(kind: str, curve: pd.DataFrame) -> str:
        where = similarity_at_fall(curve)
        if where is None:
            return "falls by less than 5 points"
        return f"has lost half of its {100 * where[0]:.0f} points at SSIM {where[1]:.2f}"

    return f"{study.measure} under {_each_kind(study, model, say)}"


def _similarity_by_intensity(study: Study, model: str) -> str:
    def say(kind: str, curve: pd.DataFrame) -> str:
        ssim, intensity = curve["ssim"].to_numpy(), curve["intensity"].to_numpy()
        return (
            f"ends at {ssim[-1]:.2f} and has done {100 * FLAT_SHARE:.0f} % of its fall at "
            f"{get(kind).parameter} {flat_from(intensity, ssim):.3g} (of up to {intensity[-1]:.3g})"
        )

    return f"SSIM under {_each_kind(study, model, say)}"


def _detection_by_similarity(study: Study, model: str) -> str:
    def say(kind: str, curve: pd.DataFrame) -> str:
        above = curve[curve[WITHOUT_LIMITS] >= study.thresholds["rules"]["level"]]
        if not len(above):
            return f"never reaches {100 * study.thresholds['rules']['level']:g} %"
        first = above.iloc[0]
        return f"is found from SSIM {first['ssim']:.2f} down ({100 * curve[WITHOUT_LIMITS].iloc[0]:.0f} % at SSIM 1)"

    return _each_kind(study, model, say)


def _detection_with_limits(study: Study, model: str) -> str:
    def say(kind: str, curve: pd.DataFrame) -> str:
        limit = get(kind).published_limit
        if limit is None or WITH_LIMITS not in curve:
            return "has no published limit"
        is_below = curve["intensity"] < limit
        before, after = curve.loc[is_below, WITH_LIMITS], curve.loc[~is_below, WITH_LIMITS]
        if not len(before) or not len(after):
            return "has its limit outside the grid"
        lowest, first, last = (100 * share for share in (before.min(), after.iloc[0], after.iloc[-1]))
        return f"falls to {lowest:.0f} % below the limit, is at {first:.0f} % above it and at {last:.0f} % in the end"

    return _each_kind(study, model, say)


def _detection_by_intensity(study: Study, model: str) -> str:
    def say(kind: str, curve: pd.DataFrame) -> str:
        found = threshold_of(study, model, kind, "detected")
        start = f"{100 * curve[WITHOUT_LIMITS].iloc[0]:.0f} % of clean frames are called so"
        level = f"{100 * study.thresholds['rules']['level']:g} %"
        if found.value is None:
            return f"never reaches {level}; {start}"
        return f"is found in {level} from {found.value:.3g} {get(kind).unit}; {start}"

    return _each_kind(study, model, say)


def _mean_detection(study: Study, model: str) -> str:
    curve = mean_by_similarity(study, model)
    falls = curve["accuracy"].to_numpy()
    steps = np.diff(falls)
    if not len(steps) or np.abs(steps).max() == 0:
        return "the mean stays the same at every SSIM"
    steepest = int(np.abs(steps).argmax())
    return (
        f"the mean over {len(kinds_of(study, model))} corruptions runs from {100 * falls[0]:.0f} % near SSIM "
        f"{curve['ssim'].iloc[0]:.2f} to {100 * falls[-1]:.0f} % near {curve['ssim'].iloc[-1]:.2f}, steepest near "
        f"{curve['ssim'].iloc[steepest]:.2f}"
    )


_ABOUT: dict[int, Callable[[Study, str], str]] = {
    20: _accuracy_by_intensity,
    21: _accuracy_by_similarity,
    22: _similarity_by_intensity,
    33: _detection_by_similarity,
    34: _detection_with_limits,
    39: _detection_by_intensity,
    40: _mean_detection,
}


def similarity_at_fall(curve: pd.DataFrame, least: float = 0.05) -> tuple[float, float] | None:
    """How far the accuracy of a curve falls in all, and the SSIM at half of that; None below ``least``."""
    accuracy, ssim = curve["accuracy"].to_numpy(), curve["ssim"].to_numpy()
    fall = accuracy[0] - accuracy.min()
    if fall < least:
        return None
    half = accuracy[0] - fall / 2
    right = int((accuracy <= half).argmax())
    left = right - 1
    part = (accuracy[left] - half) / (accuracy[left] - accuracy[right])
    return float(fall), float(ssim[left] + part * (ssim[right] - ssim[left]))


def flat_from(intensity: np.ndarray, ssim: np.ndarray) -> float:
    """The first intensity at which a curve has done :data:`FLAT_SHARE` of its whole fall."""
    fall = ssim[0] - ssim.min()
    return float(intensity[(ssim <= ssim[0] - FLAT_SHARE * fall + 1e-12).argmax()])


def mean_by_similarity(study: Study, model: str, bins: int = 20) -> pd.DataFrame:
    """Detection (labelled corrupted always) averaged over kinds in bins of SSIM, highest SSIM first.

    In each bin a kind counts with the mean of its own points, and kinds without a point there do not count.
    """
    curves = study.curves[study.curves["model"] == model]
    number = np.clip(np.ceil(curves["ssim"] * bins), 1, bins)
    by_kind = curves.assign(bin=number).groupby(["bin", "kind"])[["ssim", WITHOUT_LIMITS]].mean()
    table = by_kind.groupby("bin").mean().join(by_kind.groupby("bin").size().rename("kinds"))
    table = table.rename(columns={WITHOUT_LIMITS: "accuracy"})
    return table.sort_index(ascending=False).reset_index(drop=True)
