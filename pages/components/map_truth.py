"""Is this map true of this image? What the network says as the pixels it names are taken away, or come first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from core import cache
from core.explain import get_method
from core.explain.faithfulness import CURVES, Scores, Scoring, at_share
from core.explanation_figures import one_image_figure
from core.zoo.prediction import to_unit
from pages.components.jobs import progress_bar
from pages.components.link import linked, linked_choice, number_in, one_of
from pages.components.map_gallery import View, map_if_ready
from pages.components.pictures import picture, to_display
from pages.components.state import HIDDEN_SHARE, TRUTH_CURVE, TRUTH_FILL, TRUTH_METHOD
from pages.components.tables import table

ASKED = "truth_asked"
STATIC = {"displayModeBar": False}
FILL_TITLES = {"black": "black", "mean": "mean gray", "blur": "blurred image", "noise": "noise"}
CURVE_TITLES = {name: words[0].upper() + words[1:] for name, words in CURVES.items()}


def show_truth(view: View, methods: Sequence[str]) -> None:
    """Curves of the maps on show, and the image as it is hidden in the order of one of them."""
    st.header("Is it true of this image?")
    st.markdown(
        "Hide what a map puts first and watch the probability of the class: the map that tells the truth makes it fall "
        "soonest. One image proves little; the page Faithfulness has the means over many."
    )
    ready = [name for name in methods if map_if_ready(view, get_method(name)) is not None]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        curve = linked_choice("Order", CURVE_TITLES, key=TRUTH_CURVE, default="deletion")
        fill = linked(
            st.selectbox,
            "Hidden pixels become",
            list(FILL_TITLES),
            key=TRUTH_FILL,
            default="black",
            parse=one_of(list(FILL_TITLES)),
            format_func=FILL_TITLES.get,
        )
    scoring = Scoring(fill=fill if fill in FILL_TITLES else "black")
    if not ready:
        st.info("No map is there yet: compute one above.", icon=":material/visibility:")
        return
    scores = _scores(view, ready, scoring)
    if scores is None:
        return
    titles = {name: get_method(name).title for name in ready}
    shares = scoring.shares(curve)
    left, right = st.columns([3, 2])
    with left:
        st.plotly_chart(
            one_image_figure(shares, {titles[name]: scores[name].curves[curve] for name in ready}, curve),
            key="truth_curves",
            config=STATIC,
            alt=f"Probability of {view.label}, {CURVES[curve]}; the table below holds the same figures",
        )
    with right:
        _show_hidden(view, titles, scoring, curve)
    with st.expander("These figures as tables", icon=":material/table:"):
        measures = pd.DataFrame({titles[name]: scores[name].measures for name in ready}).round(4)
        table(measures.rename_axis("measure").reset_index(), "Measures of this image's maps", f"truth_{view.key}")
        rows = pd.DataFrame({"share": shares} | {titles[name]: scores[name].curves[curve] for name in ready})
        table(rows, f"Probability of {view.label}, {CURVES[curve]}", f"truth_{curve}_{view.key}")


def _scores(view: View, names: Sequence[str], scoring: Scoring) -> dict[str, Scores] | None:
    """Scores of the maps by method, or None where they wait to be asked for."""
    card = view.model.card
    missing = [
        name
        for name in names
        if not cache.has_map_scores(
            card, view.sha256, get_method(name), view.target, view.distortion, scoring, view.segmentation
        )
    ]
    if missing and not st.session_state.get(ASKED):
        st.button("Hide and watch", key="show_truth", on_click=_ask, icon=":material/play_arrow:")
        return None
    if missing:
        with progress_bar("Hiding and showing the image", _cancel) as show:
            for done, name in enumerate(missing):
                _score(view, name, scoring)
                show((done + 1) / len(missing))
    return {name: _score(view, name, scoring) for name in names}


def _score(view: View, name: str, scoring: Scoring) -> Scores:
    return cache.map_scores(
        view.model,
        view.sha256,
        view.prepared,
        get_method(name),
        view.target,
        view.distortion,
        scoring,
        view.segmentation,
    )


def _show_hidden(view: View, titles: dict[str, str], scoring: Scoring, curve: str) -> None:
    """The image with a share of it hidden, or shown, in the order of one method."""
    first = next(iter(titles))
    name = linked(
        st.selectbox,
        "In the order of",
        list(titles),
        key=TRUTH_METHOD,
        default=first,
        parse=one_of(list(titles)),
        format_func=lambda name: titles.get(name, name),
    )
    percent = linked(
        st.slider,
        "Shown (%)" if curve == "insertion" else "Hidden (%)",
        0,
        100,
        key=HIDDEN_SHARE,
        default=20,
        parse=number_in(0, 100),
    )
    method = get_method(name if name in titles else first)
    share = min(max(percent, 0), 100) / 100
    values = map_if_ready(view, method).values
    image = at_share(to_unit(view.prepared), values, curve, share, scoring)
    probability = view.model.probabilities(image[None])[0, view.target]
    picture(to_display(np.round(255 * image).astype(np.uint8)), alt=f"The input, {CURVES[curve]}, {percent} %")
    st.caption(f"{method.title}, {CURVES[curve]}: {view.label} at {100 * probability:.1f} %.")


def _ask() -> None:
    st.session_state[ASKED] = True


def _cancel() -> None:
    st.session_state[ASKED] = False
