"""From measurements to verdicts: keep, review or discard, each with its reasons.

Each rule watches one column of the rows and has two limits, from which a frame is to be looked at and from which it is
to be dropped. Verdicts are a pure function of rows and limits: moving a limit needs no new pass over the frames.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass
from typing import Any

import numpy as np
import pandas as pd

from core.errors import ParameterError
from core.screening.duplicates import NONE, near, same
from core.zoo.cards import Card

KEEP, REVIEW, DISCARD = "keep", "review", "discard"
VERDICTS = (KEEP, REVIEW, DISCARD)
UNREADABLE, SAME = "unreadable", "same"
NEAR = "near"
FOUR_CLASSES = (0.5, 0.25)
"""Limits of *original* for a detector whose card has none: less likely than all else together, or than half of that."""


@dataclass(frozen=True)
class Limits:
    """From where a rule asks for a review, and from where it discards; None for never."""

    review: float | None
    discard: float | None


@dataclass(frozen=True)
class Rule:
    """What makes a frame suspicious.

    Attributes
    ----------
    name, title : str
        For the command line and for people.
    column : str
        Of the rows.
    low : bool
        Whether low values are suspicious, below the limit; otherwise high ones, above it.
    limits : Limits
        The defaults; a model's card may have others.
    range : (float, float)
        That a limit may have.
    step : float
        Of a slider.
    unit : str
    reason : str
        Of a frame, with the place ``value`` and, for some, columns of its row.
    """

    name: str
    title: str
    column: str
    low: bool
    limits: Limits
    range: tuple[float, float]
    step: float
    unit: str
    reason: str

    def levels(self, values: pd.Series, limits: Limits) -> np.ndarray:
        """Places in :data:`VERDICTS` (N,) that values come to; what was not measured (NaN) lies beyond no limit."""
        numbers = values.to_numpy(float)
        found = np.zeros(len(numbers), int)
        for level, limit in ((1, limits.review), (2, limits.discard)):
            if limit is not None:
                found[numbers < limit if self.low else numbers > limit] = level
        return found


RULES = {
    rule.name: rule
    for rule in (
        Rule(
            "corruption",
            "Probability of being uncorrupted, below",
            "original",
            True,
            Limits(*FOUR_CLASSES),
            (0.0, 1.0),
            0.001,
            "",
            "corrupted ({found}; probability of being an original {value:.2f})",
        ),
        Rule(
            "dark",
            "Mean gray level of the sector, below",
            "mean",
            True,
            Limits(18.0, 8.0),
            (0.0, 255.0),
            1.0,
            "",
            "dark (mean gray level {value:.0f} of 255)",
        ),
        Rule(
            "bright",
            "Mean gray level of the sector, above",
            "mean",
            False,
            Limits(120.0, 160.0),
            (0.0, 255.0),
            1.0,
            "",
            "bright (mean gray level {value:.0f} of 255)",
        ),
        Rule(
            "information",
            "Information in the sector's gray levels, below",
            "information",
            True,
            Limits(5.0, 3.5),
            (0.0, 8.0),
            0.1,
            "bit",
            "little information ({value:.1f} bit a pixel)",
        ),
        Rule(
            "sector",
            "Share of the screen that is sector, below",
            "sector_share",
            True,
            Limits(0.25, 0.05),
            (0.0, 1.0),
            0.01,
            "",
            "small sector ({value:.0%} of the screen)",
        ),
        Rule(
            "confidence",
            "Probability of the plane, below",
            "confidence",
            True,
            Limits(0.6, None),
            (0.0, 1.0),
            0.01,
            "",
            "no sure plane ({label}, {value:.2f})",
        ),
        Rule(
            "typicality",
            "Likeness to what the plane's model learned from, below",
            "typicality",
            True,
            Limits(None, None),
            (-100.0, 20.0),
            0.1,
            "",
            "unlike what the model of planes has learned from (typicality {value:.1f})",
        ),
        Rule(
            NEAR,
            "Bits in which it differs from an earlier frame, below",
            "distance",
            True,
            Limits(41.0, 21.0),
            (0.0, 48.0),
            1.0,
            "bit",
            "nearly the same picture as {copy_of} ({value:.0f} of 256 bits differ)",
        ),
    )
}
"""Levels of gray and information lie beyond all of 853 HC18 heads and 13 GE screens; copies of such frames in another
size, format or brightness mostly differ in 20 bits and fewer, crops in 30 to 45, other frames in 70 and more."""


@dataclass(frozen=True)
class Thresholds:
    """The limits of every rule.

    Raises
    ------
    ParameterError
        For an unknown rule, a limit out of range, or one that discards what it does not review.
    """

    limits: Mapping[str, Limits]

    def __post_init__(self) -> None:
        unknown = sorted(set(self.limits) - set(RULES))
        if unknown:
            raise ParameterError(f"There is no rule {unknown[0]!r}; the rules are {', '.join(RULES)}.")
        for name, limits in self.limits.items():
            _check(RULES[name], limits)
        object.__setattr__(self, "limits", {name: self.limits.get(name, rule.limits) for name, rule in RULES.items()})

    def __getitem__(self, name: str) -> Limits:
        return self.limits[name]

    def changed(self, name: str, **limits: float | None) -> Thresholds:
        """With other limits of one rule: ``review``, ``discard`` or both."""
        if name not in RULES:
            raise ParameterError(f"There is no rule {name!r}; the rules are {', '.join(RULES)}.")
        now = self[name]
        new = Limits(limits.get("review", now.review), limits.get("discard", now.discard))
        return Thresholds({**self.limits, name: new})

    def to_dict(self) -> dict[str, dict[str, float | None]]:
        """What JSON can hold."""
        return {name: {"review": one.review, "discard": one.discard} for name, one in self.limits.items()}


def default_thresholds(model: Card, detector: Card) -> Thresholds:
    """The rules' own limits, and those that the cards of the two models have."""
    bounds = detector.detection
    original = (bounds["original"], bounds["corrupted"]) if bounds else FOUR_CLASSES
    low, high = RULES["typicality"].range
    typical = min(max(model.novelty_threshold, low), high)
    return Thresholds({"corruption": Limits(*original), "typicality": Limits(typical, None)})


def judged(rows: pd.DataFrame, thresholds: Thresholds) -> pd.DataFrame:
    """Rows with what they come to: ``verdict``, ``rules`` (their names), ``reason``, ``copy_of`` and ``distance``.

    Of frames with the same pixels the first by path is kept; of near copies the first of those whose verdict without
    regard to copies is best, so that a clean frame is not dropped in favour of a blurred copy of it. Frames that are
    discarded for other reasons are originals to none.

    Parameters
    ----------
    rows : pandas.DataFrame
        As :meth:`core.screening.journal.Journal.rows` gives them, by path and frame.
    """
    rows = rows.reset_index(drop=True)
    broken = (rows["error"] != "").to_numpy()
    found = {UNREADABLE: np.where(broken, 2, 0)}
    found |= {
        rule.name: rule.levels(rows[rule.column], thresholds[rule.name]) for rule in RULES.values() if rule.name != NEAR
    }
    same_as, near_to, distance = _copies(rows, _highest(found), thresholds[NEAR])
    names = rows["path"].to_numpy(object)
    copy_of = np.where(same_as != NONE, names[same_as], np.where(near_to != NONE, names[near_to], ""))
    rows = rows.assign(copy_of=copy_of, distance=np.where(near_to != NONE, distance, np.nan))
    found[SAME] = np.where(same_as != NONE, 2, 0)
    found[NEAR] = RULES[NEAR].levels(rows["distance"], thresholds[NEAR])
    rules, reasons = _told(rows, found)
    return rows.assign(verdict=np.array(VERDICTS, object)[_highest(found)], rules=rules, reason=reasons)


def _highest(found: Mapping[str, np.ndarray]) -> np.ndarray:
    return np.max(list(found.values()), axis=0)


def _copies(rows: pd.DataFrame, level: np.ndarray, limits: Limits) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows that each row has the same pixels as and is near to, -1 for none, and in how many bits it differs."""
    same_as, near_to = np.full(len(rows), NONE), np.full(len(rows), NONE)
    distance = np.zeros(len(rows))
    candidates = np.flatnonzero(level < 2)
    first = same(rows["sha256"].iloc[candidates].tolist())
    same_as[candidates[first != NONE]] = candidates[first[first != NONE]]
    singles = candidates[first == NONE]
    singles = singles[np.argsort(level[singles], kind="stable")]
    nearest = near(rows["hash"].iloc[singles].tolist(), *(-1 if one is None else one for one in astuple(limits)))
    is_copy = nearest.of != NONE
    near_to[singles[is_copy]] = singles[nearest.of[is_copy]]
    distance[singles] = nearest.distance
    return same_as, near_to, distance


def _told(rows: pd.DataFrame, found: Mapping[str, np.ndarray]) -> tuple[list[str], list[str]]:
    """For each row the names of the rules that it broke, those that discard first, and a sentence."""
    names: list[list[str]] = [[] for _ in range(len(rows))]
    parts: list[list[str]] = [[] for _ in range(len(rows))]
    for level in (2, 1):
        for name, levels in found.items():
            hit = np.flatnonzero(levels == level)
            if not len(hit):
                continue
            for place, row in zip(hit, rows.iloc[hit].to_dict("records"), strict=True):
                names[place].append(name)
                parts[place].append(_part(name, row))
    return [", ".join(one) for one in names], [_sentence(one) for one in parts]


def _part(name: str, row: dict[str, Any]) -> str:
    if name == UNREADABLE:
        return str(row["error"]).rstrip(".")
    if name == SAME:
        return f"same pixels as {row['copy_of']}"
    rule = RULES[name]
    return rule.reason.format(value=row[rule.column], **{key: row[key] for key in ("found", "label", "copy_of")})


def _sentence(parts: list[str]) -> str:
    return "; ".join(parts) + "." if parts else ""


def _check(rule: Rule, limits: Limits) -> None:
    low, high = rule.range
    for kind, limit in asdict(limits).items():
        if limit is not None and not (math.isfinite(limit) and low <= limit <= high):
            raise ParameterError(
                f"The limit {limit:g} from which {rule.name!r} leads to {kind} is out of range; "
                f"give a number from {low:g} to {high:g}."
            )
    if limits.review is None or limits.discard is None:
        return
    if limits.discard > limits.review if rule.low else limits.discard < limits.review:
        raise ParameterError(
            f"The rule {rule.name!r} would discard ({limits.discard:g}) what it does not even ask to review "
            f"({limits.review:g}); give a {'lower' if rule.low else 'higher'} limit to discard."
        )
