"""Maps of several methods for one view or for two side by side: cheap ones at once, costly ones when asked for."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st

from core import cache
from core.explain import Method, get_method
from core.explain.base import Progress, measures, no_progress
from core.explain.rendering import COLOUR_MAPS, highlighted, overlay
from core.explain.superpixels import SEGMENTATIONS
from core.images import encode_png
from core.zoo import Classifier
from pages.components.jobs import progress_bar
from pages.components.link import linked, linked_choice, number_in, one_of
from pages.components.pictures import picture, to_display
from pages.components.state import COLOUR_MAP, OPACITY, SEGMENTATION, SUPERPIXELS, TOP_SHARE

COLUMNS = 3
ASKED = "asked"
SUPERPIXEL_LOOKS = {"weights": "weights", "borders": "weights and borders", "thesis": "the five highest in yellow"}


@dataclass(frozen=True)
class Style:
    """How maps are drawn.

    Opacity in [0, 1], colour map of those without a sign, share of the pixels drawn over; of superpixels, one of
    :data:`SUPERPIXEL_LOOKS`.
    """

    opacity: float
    colour_map: str
    top: float
    superpixels: str = "weights"


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
    segmentation: str = cache.DEFAULT_SEGMENTATION

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
            help="Maps that have a sign are drawn in blue (against the class, or shrinking what is measured) and red "
            "(for it, or making it grow) instead.",
        )
    # Only the browser keeps to a widget's bounds.
    return Style(
        float(np.clip(opacity, 0, 1)),
        colour_map if colour_map in COLOUR_MAPS else next(iter(COLOUR_MAPS)),
        float(np.clip(percent, 1, 100)) / 100,
    )


def pick_superpixels() -> tuple[str, str]:
    """Widgets of methods that hide superpixels: how the image is cut, and how they are drawn."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        titles = {name: one.title for name, one in SEGMENTATIONS.items()}
        segmentation = linked(
            st.selectbox,
            "Superpixels of LIME and Kernel SHAP",
            list(titles),
            key=SEGMENTATION,
            default=cache.DEFAULT_SEGMENTATION,
            parse=one_of(list(titles)),
            format_func=titles.get,
        )
        look = linked_choice("Drawn as", SUPERPIXEL_LOOKS, key=SUPERPIXELS, default="weights")
    return segmentation if segmentation in titles else cache.DEFAULT_SEGMENTATION, look


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
    card = view.model.card
    st.markdown(
        f"**{method.title}**" + (f" · {view.title}" if view.title else ""),
        help=f"{method.explanation_for(card)} {method.trust_for(card)} Source: {method.paper}.",
    )
    if obstacle := method.obstacle(card):
        st.caption(f":material/info: {obstacle}")
        return
    explained = _map_of(view, method)
    if explained is None:
        return
    drawn = _drawn(view, method, explained, style)
    picture(drawn, alt=f"{method.title} for {view.label}")
    note = f" **{explained.note}**" if explained.note else ""
    st.caption(
        f"{method.explanation_for(card)}{note}{_colours(view, method, explained, style)} {explained.seconds:.2f} s."
    )
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


def _drawn(view: View, method: Method, explained: cache.Explanation, style: Style) -> np.ndarray:
    """The picture (H, W, 3) uint8 of a map over its image, in the style chosen."""
    image, found = to_display(view.prepared), explained.superpixels
    if found and style.superpixels == "thesis":
        return highlighted(image, found.most_important() > 0)
    drawn = overlay(
        image,
        explained.values,
        opacity=style.opacity,
        colour_map=style.colour_map,
        symmetric=method.is_signed(view.model.card),
        top=style.top,
    )
    return highlighted(drawn, found.borders) if found and style.superpixels == "borders" else drawn


def _colours(view: View, method: Method, explained: cache.Explanation, style: Style) -> str:
    """What the two colours of a map with a sign say; nothing of other maps."""
    in_yellow = explained.superpixels and style.superpixels == "thesis"
    if in_yellow or not method.is_signed(view.model.card):
        return ""
    if measures(view.model.card):
        return " Red makes the circumference grow, blue makes it shrink."
    return f" Red speaks for {view.label}, blue against it."


def map_if_ready(view: View, method: Method) -> cache.Explanation | None:
    """The map where it is there or takes no time; None where it has to be asked for."""
    if method.obstacle(view.model.card):
        return None
    if method.costly and not cache.has_explanation(
        view.model.card, view.sha256, method, view.target, view.distortion, view.segmentation
    ):
        return None
    return _computed(view, method)


def _map_of(view: View, method: Method) -> cache.Explanation | None:
    """The map, or None where it waits to be asked for."""
    found = map_if_ready(view, method)
    if found is not None:
        return found
    if method.name not in st.session_state.get(ASKED, set()):
        st.caption(f"{method.explanation_for(view.model.card)} It takes some seconds.")
        st.button(
            "Compute",
            key=f"compute_{method.name}_{view.key}",
            on_click=_ask_for,
            args=(method.name,),
            icon=":material/play_arrow:",
        )
        return None
    with progress_bar(f"{method.title} {view.title}".strip(), lambda: _cancel(method.name)) as show:
        return _computed(view, method, show)


def _computed(view: View, method: Method, progress: Progress = no_progress) -> cache.Explanation:
    return cache.explanation(
        view.model, view.sha256, view.prepared, method, view.target, view.distortion, progress, view.segmentation
    )


def _ask_for(name: str) -> None:
    st.session_state.setdefault(ASKED, set()).add(name)


def _cancel(name: str) -> None:
    st.session_state.setdefault(ASKED, set()).discard(name)
