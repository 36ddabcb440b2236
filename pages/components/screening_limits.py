"""Sliders of the limits from which a frame is reviewed or discarded."""

from __future__ import annotations

import streamlit as st

from core.screening import RULES, Limits, Rule, Thresholds
from pages.components.link import linked, pair_in
from pages.components.state import limits_key

_COLUMNS = 2


def pick_thresholds(defaults: Thresholds) -> Thresholds:
    """Show a slider with two handles for every rule and return the limits chosen."""
    limits = {}
    with st.expander("Limits", icon=":material/tune:", expanded=True):
        st.caption(
            "Of what is suspicious when low, frames below the left handle are discarded and those below the right one "
            "are reviewed; of what is suspicious when high, those above the left handle are reviewed and those above "
            "the right one discarded. A handle at the end switches its limit off. Nothing is computed anew."
        )
        columns = st.columns(_COLUMNS)
        for place, rule in enumerate(RULES.values()):
            with columns[place % _COLUMNS]:
                limits[rule.name] = _pick(rule, defaults[rule.name])
    return Thresholds(limits)


def _pick(rule: Rule, default: Limits) -> Limits:
    low, high = (float(end) for end in rule.range)
    off = low if rule.low else high
    handles = sorted(_rounded(rule, off if limit is None else limit) for limit in (default.review, default.discard))
    values = linked(
        st.slider,
        rule.title + (f" ({rule.unit})" if rule.unit else ""),
        low,
        high,
        key=limits_key(rule.name),
        default=tuple(handles),
        parse=pair_in(low, high),
        step=float(rule.step),
    )
    # Only the browser enforces a slider's ends.
    left, right = sorted(min(max(float(value), low), high) for value in values)
    review, discard = (right, left) if rule.low else (left, right)
    return Limits(None if review == off else review, None if discard == off else discard)


def _rounded(rule: Rule, limit: float) -> float:
    """On the slider's grid."""
    return round(round(limit / rule.step) * rule.step, 6)
