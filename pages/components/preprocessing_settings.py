"""Every parameter of the preprocessing as a widget, each carried by the URL, with both presets one click away."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pandas as pd
import streamlit as st

from core.preprocessing import (
    ASPECTS,
    COLOUR_BOXES,
    CROPS,
    FILLS,
    INTEGER_RANGES,
    MASKS,
    NUMBER_RANGES,
    ORDERS,
    THESIS,
    PreprocessingSettings,
)
from pages.components.link import linked, number_in, one_of

OURS = PreprocessingSettings()
PRESETS = {"PlaneLab": OURS, "Thesis": THESIS}
CHOICES = {
    "mask": ("Annotations are found by", MASKS),
    "fill": ("Annotations are filled by", FILLS),
    "crop": ("Crop", CROPS),
    "order": ("Order", ORDERS),
    "aspect": ("Aspect", ASPECTS),
}
CHOICE_TITLES = {
    "tint": "Departure from the frame's tint",
    "annex": "Colour boxes of the annex",
    "table": "Colour boxes of table 3.1",
    "none": "None",
    "average": "Average of the surroundings",
    "inpaint": "Inpainting",
    "automatic": "Automatic: find the sector",
    "thesis": "Thesis: known screen sizes",
    "crop_first": "Crop first (thesis text)",
    "crop_last": "Crop last (thesis annex)",
    "stretch": "Stretch to a square",
    "pad": "Pad to a square",
}
ODD = ("fill_kernel", "median_kernel")
LIMITS = ("R from", "R to", "G from", "G to", "B from", "B to")


def pick_settings() -> PreprocessingSettings:
    """Show all parameters and return the settings.

    Raises
    ------
    ParameterError
        If the colour boxes are not usable; its message says which.
    """
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown("Preset:")
        for title, preset in PRESETS.items():
            st.button(title, on_click=_apply, args=(preset,), key=f"preset_{title}")
    values: dict[str, Any] = {}
    columns = st.columns(len(CHOICES))
    for column, (name, (title, options)) in zip(columns, CHOICES.items(), strict=True):
        with column:
            chosen = linked(
                st.selectbox,
                title,
                options,
                key=_key(name),
                default=getattr(OURS, name),
                parse=one_of(options),
                format_func=lambda option: CHOICE_TITLES[option],
            )
            values[name] = chosen if chosen in options else getattr(OURS, name)
    with st.expander("All numbers", icon=":material/tune:"):
        columns = st.columns(5)
        for position, (name, (low, high, meaning)) in enumerate((INTEGER_RANGES | NUMBER_RANGES).items()):
            with columns[position % 5]:
                values[name] = _number(name, low, high, meaning)
        if values["mask"] in COLOUR_BOXES:
            values["boxes"] = _boxes(values["mask"])
    return PreprocessingSettings(**values)


def _key(name: str) -> str:
    return f"pre_{name}"


def _apply(preset: PreprocessingSettings) -> None:
    for field in fields(preset):
        if field.name != "boxes":
            st.session_state[_key(field.name)] = getattr(preset, field.name)
    st.session_state["boxes_version"] = st.session_state.get("boxes_version", 0) + 1


def _number(name: str, low: float, high: float, meaning: str) -> float:
    default = getattr(OURS, name)
    step = 2 if name in ODD else (1 if isinstance(default, int) else 0.5)
    return linked(
        st.number_input,
        name.replace("_", " ").capitalize(),
        low,
        high,
        key=_key(name),
        default=default,
        parse=number_in(low, high),
        step=step,
        help=f"{meaning[0].upper()}{meaning[1:]}, from {low:g} to {high:g}.",
    )


def _boxes(mask: str) -> dict[str, tuple[tuple[int, int], ...]]:
    """The preset's colour boxes as a table that can be edited."""
    boxes = COLOUR_BOXES[mask]
    table = pd.DataFrame(
        [[limit for channel in box for limit in channel] for box in boxes.values()], index=list(boxes), columns=LIMITS
    )
    st.caption("Colour boxes: a pixel inside all three ranges is taken for an annotation.")
    edited = st.data_editor(
        table,
        key=f"boxes_{mask}_{st.session_state.get('boxes_version', 0)}",
        column_config={name: st.column_config.NumberColumn(min_value=0, max_value=255, step=1) for name in LIMITS},
        alt="Colour boxes",
    )
    return {
        str(colour): tuple((int(row[2 * channel]), int(row[2 * channel + 1])) for channel in range(3))
        for colour, row in zip(edited.index, edited.fillna(0).to_numpy(), strict=True)
    }
