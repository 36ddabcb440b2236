"""Kind and intensity of a distortion, shared by the pages that distort."""

from __future__ import annotations

import streamlit as st

from core.cache import Distortion
from core.corruption import CORRUPTIONS
from core.corruption import get as get_corruption
from pages.components.link import linked, linked_choice, number_in
from pages.components.state import KIND, SEED, intensity_key

DEFAULT_KIND = "noise"
LARGEST_SEED = 2**31 - 1


def pick_distortion(shape: tuple[int, int], with_seed: bool = False) -> Distortion:
    """Show the controls and return the distortion chosen for a frame (height, width)."""
    titles = {name: corruption.title for name, corruption in CORRUPTIONS.items()}
    columns = st.columns([4, 6, 2] if with_seed else [4, 8], vertical_alignment="bottom")
    with columns[0]:
        kind = linked_choice("Distortion", titles, key=KIND, default=DEFAULT_KIND)
    corruption = get_corruption(kind)
    with columns[1]:
        intensity = linked(
            st.slider,
            f"Intensity: {corruption.axis_title()}",
            0.0,
            corruption.slider_maximum,
            key=intensity_key(kind),
            default=corruption.published_limit or 0.0,
            parse=number_in(0.0, corruption.slider_maximum),
            step=corruption.step,
            help=f"{corruption.description} Defined on an image of 174 x 174 pixels, the corruption thesis's size, "
            "and converted to this frame. "
            f"The thesis called an image corrupted from {corruption.published_limit:g} on.",
        )
    seed = 0
    if with_seed:
        with columns[2]:
            seed = linked(
                st.number_input,
                "Seed",
                0,
                LARGEST_SEED,
                key=SEED,
                default=0,
                parse=number_in(0, LARGEST_SEED),
                help="The same seed, the same noise.",
            )
    # Only the browser enforces a widget's ends; a forged value is brought back to them.
    intensity = min(max(float(intensity), 0.0), corruption.slider_maximum)
    st.caption(f"In this frame of {shape[1]} × {shape[0]} pixels: {corruption.in_frame(intensity, shape)}.")
    return Distortion(kind, intensity, min(max(int(seed), 0), LARGEST_SEED))
