"""What surrounds every page: the footer, timers, and errors as sentences."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from core import cache
from core.errors import PlaneLabError
from pages.components import link, timer

log = logging.getLogger("planelab")
DISCLAIMER = "PlaneLab is for research and teaching. It is no medical device: do not use it for diagnosis."


@contextmanager
def page_frame(path: str) -> Iterator[None]:
    """Run the page at ``path`` inside: errors meant for users become sentences, and the footer stands in any case."""
    link.enter_page(path)
    timer.reset_timers()
    timer_slot = st.container()
    body = st.container()
    st.divider()
    st.caption(DISCLAIMER)
    with body, errors_as_sentences():
        yield
        for card in cache.cards():
            if card.default:
                # Warms up while the page is read. Only now: loading slows down everything beside it.
                cache.start_loading(card)
    with timer_slot:
        timer.start_timers()


@contextmanager
def errors_as_sentences() -> Iterator[None]:
    """Show an error meant for users where it happened; what comes after the block goes on."""
    try:
        yield
    except PlaneLabError as error:
        log.warning("shown to the user", exc_info=True)
        st.error(str(error), icon=":material/error:")
