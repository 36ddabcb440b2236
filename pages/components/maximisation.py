"""What would a class look like to the network? Activation maximization, when asked for."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from core import cache
from core.explain.activation_maximization import PRESETS
from core.explanation_figures import score_figure
from core.images import encode_png
from core.zoo import Classifier
from pages.components.jobs import progress_bar
from pages.components.link import linked_choice
from pages.components.pictures import picture, to_display
from pages.components.state import MAXIMISED

TITLES = {"readable": "readable", "thesis_text": "thesis, text", "thesis_annex": "thesis, annex"}
ASKED = "maximisation_asked"


def show_maximisation(model: Classifier, target: int) -> None:
    """The picture that a class's score rises most for, and how it rose."""
    label = model.classes[target]
    st.header(f"What {label} looks like to the network")
    st.markdown(
        "Activation maximization starts from noise and changes every pixel so that the score of the class rises "
        "(Simonyan et al. 2014). It shows what the network looks for, in no image in particular."
    )
    preset = linked_choice("Way", {name: TITLES[name] for name in PRESETS}, key=MAXIMISED, default=next(iter(PRESETS)))
    asked = (model.card.name, target, preset)
    if not cache.has_maximisation(model.card, target, preset):
        if asked not in st.session_state.get(ASKED, set()):
            st.button(
                "Make the picture", key="show_maximisation", on_click=_ask, args=(asked,), icon=":material/play_arrow:"
            )
            return
        with progress_bar(f"Raising the score of {label}", lambda: _cancel(asked)) as show:
            cache.maximisation(model, target, preset, show)
    found = cache.maximisation(model, target, preset)
    pixels = np.round(255 * found.picture).astype(np.uint8)
    left, right = st.columns([2, 3])
    with left:
        picture(to_display(pixels), alt=f"The picture that raises the score of {label}")
        st.download_button(
            "Picture (.png)",
            encode_png(pixels),
            file_name=f"{label}_{preset}.png",
            key="png_maximised",
            type="tertiary",
        )
    with right:
        st.plotly_chart(
            score_figure(found.scores, label),
            key="maximised_scores",
            config={"displayModeBar": False},
            alt=f"Score of {label} at every step; it went from {found.scores[0]:.1f} to {found.scores[-1]:.1f}",
        )
        scores = pd.DataFrame({"step": np.arange(len(found.scores)), "score": found.scores})
        st.download_button(
            "Scores (.csv)",
            scores.to_csv(index=False),
            file_name=f"{label}_{preset}.csv",
            key="csv_maximised",
            type="tertiary",
        )


def _ask(asked: tuple[str, int, str]) -> None:
    st.session_state.setdefault(ASKED, set()).add(asked)


def _cancel(asked: tuple[str, int, str]) -> None:
    st.session_state.setdefault(ASKED, set()).discard(asked)
