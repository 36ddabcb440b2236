"""Maps of several methods for one view or for two side by side: cheap ones at once, costly ones when asked for."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st

from core import cache
from core.explain import Method, get_method
from core.explain.rendering import COLOUR_MAPS, overlay
from core.images import encode_png
from core.zoo import Classifier
from pages.components.jobs import progress_bar
from pages.components.link import linked, number_in, one_of
from pages.components.pictures import picture, to_display
from pages.components.state import COLOUR_MAP, OPACITY, TOP_SHARE

COLUMNS = 3
ASKED = "asked"


@dataclass(frozen=True)
class Style:
    """How maps are drawn: opacity in [0, 1], colour map of those without a sign, share of the pixels drawn over."""

    opacity: float
    colour_map: str
    top: float


@dataclass(frozen=True)
class View:
    """What is explained: an image prepared for a model (S, S) uint8 and the class asked about.

    ``title`` tells it from another beside it; empty where it stands alone.
    """

    title: str
    model: Classifier
    sha256: str
    prepared: np.ndarray
    target: int
    distortion: cache.Distortion | None = None

    @property
    def label(self) -> str:
        return self.model.classes[self.target]

    @property
    def key(self) -> str:
        """Tells this view's widgets from another's on the page."""
        return f"{self.model.card.name}_{self.sha256[:8]}_{self.label}"


def pick_style() -> Style:
    """Widgets shared by all maps of the page."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        opacity = linked(
            st.slider,
            "Opacity of the map",
            0.0,
            1.0,
            key=OPACITY,
            default=0.5,
            parse=number_in(0.0, 1.0),
            step=0.05,
        )
        percent = linked(
            st.slider,
            "Strongest pixels shown (%)",
            1,
            100,
            key=TOP_SHARE,
            default=100,
            parse=number_in(1, 100),
            help="Below 100, the map is drawn over its strongest pixels alone; of signed maps the size counts.",
        )
        colour_map = linked(
            st.selectbox,
            "Colours",
            list(COLOUR_MAPS),
            key=COLOUR_MAP,
            default=next(iter(COLOUR_MAPS)),
            parse=one_of(list(COLOUR_MAPS)),
            help="Maps that have a sign are drawn in blue (against) and red (for) instead.",
        )
    # Only the browser keeps to a widget's bounds.
    return Style(
        float(np.clip(opacity, 0, 1)),
        colour_map if colour_map in COLOUR_MAPS else next(iter(COLOUR_MAPS)),
        float(np.clip(percent, 1, 100)) / 100,
    )


def show_maps(views: Sequence[View], methods: Sequence[str], style: Style) -> None:
    """The inputs and, method by method, the maps of every view; two views stand side by side."""
    grid = st.grid(COLUMNS if len(views) == 1 else len(views), min_column_width=260, border=True)
    for view in views:
        with grid.cell():
            st.markdown(f"**{view.title or 'Input'}**")
            picture(to_display(view.prepared), alt=f"The preprocessed input, {view.title}")
            seen = "distortion and preprocessing" if view.distortion else "preprocessing"
            st.caption(f"What the network sees, after {seen}.")
    for name in methods:
        for view in views:
            with grid.cell():
                _show_map(view, get_method(name), style)


def _show_map(view: View, method: Method, style: Style) -> None:
    st.markdown(
        f"**{method.title}**" + (f" · {view.title}" if view.title else ""),
        help=f"{method.explanation} {method.trust} Source: {method.paper}.",
    )
    if obstacle := method.obstacle(view.model.card):
        st.caption(f":material/info: {obstacle}")
        return
    explained = _map_of(view, method)
    if explained is None:
        return
    drawn = overlay(
        to_display(view.prepared),
        explained.values,
        opacity=style.opacity,
        colour_map=style.colour_map,
        symmetric=method.signed,
        top=style.top,
    )
    picture(drawn, alt=f"{method.title} for {view.label}")
    st.caption(f"{method.explanation} {explained.seconds:.2f} s.")
    raw = io.BytesIO()
    np.save(raw, explained.values)
    with st.container(horizontal=True):
        for kind, title, content in (("npy", "Map", raw.getvalue()), ("png", "Picture", encode_png(drawn))):
            st.download_button(
                f"{title} (.{kind})",
                content,
                file_name=f"{method.name}_{view.label}.{kind}",
                key=f"{kind}_{method.name}_{view.key}",
                type="tertiary",
            )


def map_if_ready(view: View, method: Method) -> cache.Explanation | None:
    """The map where it is there or takes no time; None where it has to be asked for."""
    if method.obstacle(view.model.card):
        return None
    if method.costly and not cache.has_explanation(view.model.card, view.sha256, method, view.target, view.distortion):
        return None
    return cache.explanation(view.model, view.sha256, view.prepared, method, view.target, view.distortion)


def _map_of(view: View, method: Method) -> cache.Explanation | None:
    """The map, or None where it waits to be asked for."""
    found = map_if_ready(view, method)
    if found is not None:
        return found
    if method.name not in st.session_state.get(ASKED, set()):
        st.caption(f"{method.explanation} It takes many passes through the network.")
        st.button(
            "Compute",
            key=f"compute_{method.name}_{view.key}",
            on_click=_ask_for,
            args=(method.name,),
            icon=":material/play_arrow:",
        )
        return None
    with progress_bar(f"{method.title} {view.title}".strip(), lambda: _cancel(method.name)) as show:
        arguments = (view.model, view.sha256, view.prepared, method, view.target, view.distortion)
        return cache.explanation(*arguments, progress=show)


def _ask_for(name: str) -> None:
    st.session_state.setdefault(ASKED, set()).add(name)


def _cancel(name: str) -> None:
    st.session_state.setdefault(ASKED, set()).discard(name)
