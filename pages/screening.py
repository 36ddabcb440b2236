"""Clean an archive: every frame is kept, to be reviewed or discarded, by limits that can be moved afterwards."""

from collections.abc import Sequence

import streamlit as st

from core import cache
from core.screening import Screening, Thresholds, default_thresholds, judged
from core.screening.report import summary_of
from core.screening.sources import Entry
from core.zoo import Card
from pages.components import link
from pages.components.jobs import watch_jobs
from pages.components.model_picker import CLASSIFICATION, DETECTION, models_when_ready, pick_model
from pages.components.screening_files import pick_files
from pages.components.screening_limits import pick_thresholds
from pages.components.screening_result import show_counts, show_downloads, show_frames, show_unreadable

BAR = "Screening"


def default_detector(model: Card) -> Card | None:
    """The default detector of corruption; a sentence where none is installed."""
    card = next((card for card in cache.cards() if card.task == DETECTION), None)
    if card is None:
        st.error(
            "No detector of corruption is installed; train one with python -m core train --help.",
            icon=":material/error:",
        )
    return card


def run_or_watch(run: Screening, model: Card, detector: Card) -> bool:
    """Offer to screen what has not been, or watch it being screened; True while that runs."""
    job = cache.running_screening(run)
    if job is not None:
        watch_jobs({BAR: job}, lambda _name: None)
        return True
    missing = run.missing
    if missing:
        loaded = models_when_ready([model, detector])
        if loaded is None:
            st.info("The models are loading; screening can begin in some seconds.", icon=":material/hourglass_top:")
            return False
        some = len(missing) < len(run.entries)
        st.button(
            f"Go on with {len(missing)} of {_files(run.entries)}" if some else f"Screen {_files(missing)}",
            type="primary",
            icon=":material/play_arrow:",
            on_click=cache.screening_job,
            args=(run, *loaded),
        )
    return False


def _files(entries: Sequence[Entry]) -> str:
    return f"{len(entries)} file{'s' if len(entries) > 1 else ''}"


def show_results(run: Screening, thresholds: Thresholds) -> None:
    rows = judged(cache.screened(run), thresholds)
    summary = summary_of(rows, thresholds, run.classes, run.about, run.source.left_out)
    show_counts(summary)
    show_unreadable(rows)
    show_frames(run, rows)
    show_downloads(run, rows, summary)


link.begin_with_app()
st.title("Screening")
st.markdown("Give a ZIP or many frames, screen them once, and move the limits until the right ones are kept.")
with st.container(border=True):
    card = pick_model(CLASSIFICATION)
    detector = default_detector(card)
    picked = pick_files()
if detector is not None and picked is not None:
    current = cache.screening(picked.title, card, detector)
    current.use(picked.source)
    if not current.entries:
        st.info("None of these files is an image by its name; choose others.", icon=":material/image_not_supported:")
    elif not run_or_watch(current, card, detector) and len(current.missing) < len(current.entries):
        show_results(current, pick_thresholds(default_thresholds(card, detector)))
