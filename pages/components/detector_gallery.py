"""The gallery of what a detector looks at: a row of recognised images a class, with their maps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from core import cache
from core.corruption import CORRUPTIONS
from core.evaluation import Share
from core.explain import Method, get_method
from core.explain.detector_gallery import PLACES, GalleryRow
from core.explain.rendering import beside
from core.published import DETECTOR_FINDINGS
from core.zoo import Classifier
from pages.components.jobs import progress_bar
from pages.components.link import linked_choice
from pages.components.pictures import picture, to_display
from pages.components.state import GALLERY_METHOD
from pages.components.tables import table

SHOWN = 6
SHOWN_OF_MANY = 3
FEW_CLASSES = 4
ASKED = "gallery_asked"


def _ask(name: str) -> None:
    st.session_state.setdefault(ASKED, set()).add(name)


def _cancel(name: str) -> None:
    st.session_state.setdefault(ASKED, set()).discard(name)


def show_gallery(model: Classifier, methods: Sequence[str], colour_map: str, opacity: float) -> None:
    """The gallery of a loaded detector; ``methods`` are those that can explain it."""
    st.header("What the detector looks at, class by class (simulated images)")
    st.markdown(
        "Phantoms of settings no model was trained on, corrupted within the range detectors learn from: those the "
        "detector recognises, each beside its map. Compare with what the corruption thesis's annex saw in its own."
    )
    titles = {name: get_method(name).title for name in methods}
    name = linked_choice("Maps by", titles, key=GALLERY_METHOD, default=methods[0])
    method = get_method(name)
    rows = _rows(model, method)
    if rows is None:
        return
    shown = SHOWN if len(rows) <= FEW_CLASSES else SHOWN_OF_MANY
    for row in rows:
        _show_row(row, method, shown, colour_map, opacity)
    st.subheader("Where the relevance lies")
    st.caption(
        f"Simulated images. Density of {method.title}'s relevance in favour of the class in a part of the image, over "
        "that in the whole image: 1 is what a map without preference has. Means over the recognised images (n in "
        "brackets), with 95 % intervals over images. Parts overlap."
    )
    table(density_table(rows), "Density of relevance by class and place", f"{model.card.name}_{name}_relevance")


def _rows(model: Classifier, method: Method) -> list[GalleryRow] | None:
    """The gallery, or None where it waits to be asked for."""
    if cache.has_detector_gallery(model.card, method):
        return cache.detector_gallery(model, method)
    if method.name not in st.session_state.get(ASKED, set()):
        st.button(
            "Show the gallery", key="show_gallery", on_click=_ask, args=(method.name,), icon=":material/play_arrow:"
        )
        return None
    with progress_bar("Corrupting and explaining phantoms", lambda: _cancel(method.name)) as show:
        return cache.detector_gallery(model, method, progress=show)


def _show_row(row: GalleryRow, method: Method, shown: int, colour_map: str, opacity: float) -> None:
    title = CORRUPTIONS[row.name].title if row.name in CORRUPTIONS else row.name.capitalize()
    st.subheader(f"{title}: {len(row.images)} of {row.recognised.n} simulated images recognised")
    st.markdown("  \n".join(sentences(row, method)))
    if not row.images:
        return
    grid = st.grid(3, min_column_width=260, border=True)
    for one in row.images[:shown]:
        with grid.cell():
            drawn = beside(
                to_display(one.image, side=300),
                one.values,
                opacity=float(np.clip(opacity, 0, 1)),
                colour_map=colour_map,
                symmetric=method.signed,
            )
            picture(drawn, alt=f"{one.title}, {title}: input and {method.title}")
            amount = f"{CORRUPTIONS[row.name].amount(one.intensity)}; " if row.name in CORRUPTIONS else ""
            st.caption(f"{one.title}; {amount}probability {100 * one.probability:.0f} %")


def sentences(row: GalleryRow, method: Method) -> list[str]:
    """What the annex saw, where it saw anything, and what is measured here."""
    said = DETECTOR_FINDINGS.get(row.name)
    lines = [f"**Annex** ({said.source}): “{said.words}”"] if said else []
    if not row.images:
        return [*lines, "**Here**: the detector recognises none of these images, so there is nothing to show."]
    if said:
        share = row.density[said.place]
        lines.append(
            f"**Here** ({method.title}): relevance on the {PLACES[said.place]} is {share.value:.2f} times as dense as "
            f"over the whole image (95 % interval {share.low:.2f} to {share.high:.2f}, n = {share.n} simulated images)."
            if share.n
            else f"**Here**: no map of {method.title} says anything in favour of this class."
        )
    return lines


def density_table(rows: Sequence[GalleryRow]) -> pd.DataFrame:
    """One row a class, one column a place."""
    return pd.DataFrame(
        [
            {"class": row.name, "recognised": row.recognised}
            | {words: _density_text(row.density[place]) for place, words in PLACES.items()}
            for row in rows
        ]
    )


def _density_text(share: Share) -> str:
    return f"{share.value:.2f} ({share.low:.2f} to {share.high:.2f}; {share.n})" if share.n else ""
