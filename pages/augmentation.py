"""How training images are varied, on the image at hand."""

import dataclasses
import json

import streamlit as st

from core import cache
from core.augmentation import FLIPS, PRESETS, RANGES, Augmentation, contact_sheet, drawn_text
from core.images import encode_png
from pages.components import link
from pages.components.header import pick_image_and_model
from pages.components.link import linked, number_in, one_of
from pages.components.pictures import picture, to_display
from pages.components.state import AUGMENTATION, VARIATION_SEED

DEFAULT_PRESET = "default"
PRESET_TITLES = {
    "thesis": "Thesis, as its code ran",
    "default": "PlaneLab, planes",
    "scanner": "PlaneLab, planes, with gain and gray map",
    "report": "Anatomy report",
    "wide": "PlaneLab, anatomies",
    "none": "None",
}
FIRST = ("rotation", "horizontal_shift", "vertical_shift", "shear", "horizontal_flip", "gain", "gamma")
VARIATIONS = 8
COLUMNS = 4
SHEET_COLUMNS = 3
LARGEST_SEED = 2**31 - 1
FLIP_TEXTS = ("off", "on")


def pick_field(preset: str, name: str) -> float | int | bool:
    """A slider or switch for one variation; each preset remembers its own changes."""
    default = getattr(PRESETS[preset], name)
    key = f"{AUGMENTATION}_{preset}_{name}"
    title = name.replace("_", " ").capitalize()
    if name in FLIPS:
        text = linked(
            st.segmented_control,
            title,
            FLIP_TEXTS,
            key=key,
            default=FLIP_TEXTS[default],
            parse=one_of(FLIP_TEXTS),
            required=True,
            help=f"Half of the images are {FLIPS[name]}.",
        )
        return text == "on"
    low, high, step, meaning = RANGES[name]
    value = linked(
        st.slider,
        title,
        low,
        high,
        key=key,
        default=type(low)(default),
        parse=number_in(low, high),
        step=step,
        help=f"{meaning[0].upper()}{meaning[1:]}.",
    )
    # Only the browser enforces a widget's ends.
    return min(max(value, low), high)


link.begin_with_app()
st.title("Augmentation")
st.markdown("Move the sliders and see how one image may look to the network while it is trained.")
picked, card = pick_image_and_model()

if picked:
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            preset = linked(
                st.selectbox,
                "Preset",
                list(PRESETS),
                key=AUGMENTATION,
                default=DEFAULT_PRESET,
                parse=one_of(list(PRESETS)),
                format_func=lambda name: PRESET_TITLES.get(name, name),
            )
            preset = preset if preset in PRESETS else DEFAULT_PRESET
            seed = linked(
                st.number_input,
                "Seed",
                0,
                LARGEST_SEED,
                key=VARIATION_SEED,
                default=0,
                parse=number_in(0, LARGEST_SEED),
                help="The same seed, the same variations.",
            )
        values = {}
        columns = st.columns(COLUMNS)
        for position, name in enumerate(FIRST):
            with columns[position % COLUMNS]:
                values[name] = pick_field(preset, name)
        others = [field.name for field in dataclasses.fields(Augmentation) if field.name not in FIRST]
        with st.expander("More, which neither thesis has", icon=":material/tune:"):
            columns = st.columns(COLUMNS)
            for position, name in enumerate(others):
                with columns[position % COLUMNS]:
                    values[name] = pick_field(preset, name)
    st.caption(
        "Only training images are varied, never those of validation, test or prediction. Zoom is left out for the "
        "planes: an operator magnifies each plane in its own way, so size tells them apart and must stay as it is "
        "(thesis 000 §3.2). Only the preset for the anatomies zooms."
    )
    settings = Augmentation(**values)
    prepared = cache.prepared(picked.frame.sha256, picked.frame.pixels, card)
    variations = settings.variations(prepared, min(max(int(seed), 0), LARGEST_SEED), VARIATIONS)

    st.subheader("One image and eight variations")
    grid = st.grid(SHEET_COLUMNS, min_column_width=200, border=True)
    with grid.cell():
        picture(to_display(prepared), alt="The prepared image", caption="As the network sees it, not varied")
    for number, one in enumerate(variations, start=1):
        with grid.cell():
            picture(to_display(one.image), alt=f"Variation {number}", caption=f"{number}: {drawn_text(one)}")
    with st.container(horizontal=True):
        st.download_button(
            "Contact sheet (.png)",
            encode_png(contact_sheet([prepared, *(one.image for one in variations)], columns=SHEET_COLUMNS)),
            file_name=f"augmentation_{preset}_{seed}.png",
            mime="image/png",
            icon=":material/download:",
        )
        st.download_button(
            "Settings and drawn numbers (.json)",
            json.dumps(
                {"settings": settings.to_dict(), "seed": seed, "drawn": [one.drawn for one in variations]}, indent=2
            ),
            file_name=f"augmentation_{preset}_{seed}.json",
            mime="application/json",
            icon=":material/download:",
        )
