"""Progress and cancelling for what takes longer than a second.

A click anywhere, on *Cancel* too, makes Streamlit end the running script at its next call; the bar is such a call. What
was not finished is not stored.

Where the page should go on answering meanwhile, the work runs in the background (:class:`core.cache.Job`) and
:func:`watch_jobs` shows its bar.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import streamlit as st

from core.cache import Job

WATCHED_EVERY_SECONDS = 0.5
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


def watch_jobs(jobs: dict[str, Job], cancel: Callable[[str], None]) -> None:
    """Bars of jobs that run in the background, by what they are called; the page is drawn anew as each ends.

    ``cancel`` is told the name of the one whose button is clicked.
    """
    st.fragment(_draw_bars, run_every=WATCHED_EVERY_SECONDS)(jobs, cancel)


def _draw_bars(jobs: dict[str, Job], cancel: Callable[[str], None]) -> None:
    if any(job.done for job in jobs.values()):
        st.rerun()
    for name, job in jobs.items():
        with st.container(horizontal=True, vertical_alignment="center"):
            st.progress(min(job.share, 1.0), text=f"{name}: {100 * job.share:.0f} %")
            st.button(
                "Cancel", icon=":material/cancel:", on_click=_cancel, args=(name, job, cancel), key=f"stop {name}"
            )


def _cancel(name: str, job: Job, cancel: Callable[[str], None]) -> None:
    job.cancel()
    cancel(name)
