"""Functions to be called again and again while a page is open, without a page-long loop.

They run as fragments that draw nothing, in a slot at the very top of the page: a fragment in the middle of a page that
is drawn anew at that moment would send the browser to a place that no longer exists.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

_TIMERS = "timers"


def call_every(seconds: float, function: Callable[..., None], *arguments: Any) -> None:
    """Have ``function(*arguments)`` called every so many seconds; it decides itself when to ``st.rerun()``."""
    st.session_state[_TIMERS].append((seconds, function, arguments))


def reset_timers() -> None:
    """Forget the timers of the run before."""
    st.session_state[_TIMERS] = []


def start_timers() -> None:
    """Start what the page has asked for; to be called last, inside the slot."""
    for seconds, function, arguments in st.session_state[_TIMERS]:
        st.fragment(function, run_every=seconds)(*arguments)
