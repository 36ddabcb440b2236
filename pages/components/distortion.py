"""Kind and intensity of a distortion, shared by the pages that distort."""

from __future__ import annotations

import streamlit as st

from core.cache import Distortion
from core.corruption import CORRUPTIONS, get_corruption
from pages.components.state import KIND, SEED, URL, intensity_key

DEFAULT_KIND = "noise"


def pick_distortion(with_seed: bool = False) -> Distortion:
    """Show the controls and return the chosen distortion. The slider takes arrow keys."""
    columns = st.columns([4, 6, 2] if with_seed else [4, 8], vertical_alignment="bottom")
    with columns[0]:
        kinds = list(CORRUPTIONS)
        kind = st.segmented_control(
            "Distortion",
            kinds,
            format_func=lambda name: get_corruption(name).title,
            default=DEFAULT_KIND,
            key=KIND,
            bind=URL,
            required=True,
        )
        kind = kind if kind in kinds else DEFAULT_KIND
    corruption = get_corruption(kind)
    with columns[1]:
        intensity = st.slider(
            f"Intensity: {corruption.parameter} ({corruption.unit})",
            0.0,
            float(corruption.slider_maximum),
            float(corruption.slider_default),
            float(corruption.slider_step),
            key=intensity_key(kind),
            bind=URL,
            help=f"{corruption.description} Defined on an image of 174 x 174 pixels, the corruption thesis's size, "
            "and converted to this frame.",
        )
    seed = 0
    if with_seed:
        with columns[2]:
            seed = int(
                st.number_input("Seed", 0, 2**31 - 1, 0, key=SEED, bind=URL, help="The same seed, the same noise.")
            )
    # The browser enforces a slider's ends only; a forged value is brought back to them.
    intensity = min(max(float(intensity), 0.0), float(corruption.slider_maximum))
    return Distortion(kind, intensity, seed)
