"""Progress and cancelling for what takes longer than a second.

A click anywhere, on *Cancel* too, makes Streamlit end the running script at its next call; the bar is such a call. What
was not finished is not stored.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import streamlit as st

SHOWN_EVERY_SECONDS = 0.2


@contextmanager
def progress_bar(text: str, cancel: Callable[[], None] | None = None) -> Iterator[Callable[[float], None]]:
    """A bar with time left and, where ``cancel`` is given, a button that calls it and ends the job.

    Yields the function to call with the share done.
    """
    slot = st.empty()
    with slot.container():
        bar = st.progress(0.0, text=text)
        if cancel is not None:
            st.button("Cancel", icon=":material/cancel:", on_click=cancel, key=f"cancel {text}")
    started = shown = time.monotonic()

    def show(share: float) -> None:
        nonlocal shown
        now = time.monotonic()
        if now - shown >= SHOWN_EVERY_SECONDS:
            shown = now
            left = (now - started) / share - (now - started) if share > 0 else 0.0
            bar.progress(min(share, 1.0), text=f"{text}: {100 * share:.0f} %, {left:.0f} s left")

    try:
        yield show
    finally:
        slot.empty()
