"""Kind and intensity of a distortion, shared by the pages that distort."""

from __future__ import annotations

import streamlit as st

from core.cache import Distortion
from core.corruption import CORRUPTIONS
from core.corruption import get as get_corruption
from pages.components.link import linked, number_in, one_of
from pages.components.state import KIND, SEED, intensity_key

DEFAULT_KIND = "noise"
LARGEST_SEED = 2**31 - 1


def pick_distortion(with_seed: bool = False) -> Distortion:
    """Show the controls and return the chosen distortion. The slider takes arrow keys."""
    kinds = list(CORRUPTIONS)
    columns = st.columns([4, 6, 2] if with_seed else [4, 8], vertical_alignment="bottom")
    with columns[0]:
        kind = linked(
            st.segmented_control,
            "Distortion",
            kinds,
            key=KIND,
            default=DEFAULT_KIND,
            parse=one_of(kinds),
            format_func=lambda name: get_corruption(name).title,
            required=True,
        )
    kind = kind if kind in kinds else DEFAULT_KIND
    corruption = get_corruption(kind)
    with columns[1]:
        intensity = linked(
            st.slider,
            f"Intensity: {corruption.parameter} ({corruption.unit})",
            0.0,
            corruption.slider_maximum,
            key=intensity_key(kind),
            default=corruption.published_limit or 0.0,
            parse=number_in(0.0, corruption.slider_maximum),
            step=corruption.step,
            help=f"{corruption.description} Defined on an image of 174 x 174 pixels, the corruption thesis's size, "
            "and converted to this frame. The corruption thesis's limit is the default.",
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
    # The browser enforces the ends only; a forged value is brought back to them.
    intensity = min(max(float(intensity), 0.0), corruption.slider_maximum)
    return Distortion(kind, intensity, min(max(int(seed), 0), LARGEST_SEED))
