"""Kind, intensity and seed of a distortion, shared by the pages that distort."""

from __future__ import annotations

from functools import partial

import streamlit as st

from core.cache import Distortion
from core.corruption import CORRUPTIONS
from core.corruption import get as get_corruption
from core.corruption.severity import LEVELS, severities
from pages.components import link
from pages.components.link import linked, number_in, one_of
from pages.components.live_slider import Mark, live_slider, moved
from pages.components.state import KIND, SEED, intensity_key

DEFAULT_KIND = "noise"
LARGEST_SEED = 2**31 - 1


def pick_distortion(shape: tuple[int, int]) -> Distortion:
    """Kind and plain slider side by side; returns the distortion chosen for a frame (height, width)."""
    columns = st.columns([4, 8], vertical_alignment="bottom")
    with columns[0]:
        kind = pick_kind()
    with columns[1]:
        intensity = plain_intensity(kind)
    st.caption(f"In this frame of {shape[1]} × {shape[0]} pixels: {get_corruption(kind).in_frame(intensity, shape)}.")
    return Distortion(kind, intensity)


def pick_kind() -> str:
    """The thesis's three first."""
    kind = linked(
        st.selectbox,
        "Distortion",
        list(CORRUPTIONS),
        key=KIND,
        default=DEFAULT_KIND,
        parse=one_of(list(CORRUPTIONS)),
        format_func=lambda name: CORRUPTIONS[name].title if name in CORRUPTIONS else name,
    )
    # Only the browser keeps to the options.
    return kind if kind in CORRUPTIONS else DEFAULT_KIND


def pick_seed() -> int:
    seed = linked(
        st.number_input,
        "Seed",
        0,
        LARGEST_SEED,
        key=SEED,
        default=0,
        parse=number_in(0, LARGEST_SEED),
        help="The same seed, the same chance.",
    )
    return min(max(int(seed), 0), LARGEST_SEED)


def plain_intensity(kind: str) -> float:
    """Streamlit's own slider, which answers when it is let go."""
    corruption = get_corruption(kind)
    value = linked(
        st.slider,
        _label(kind),
        0.0,
        corruption.slider_maximum,
        key=intensity_key(kind),
        default=default_intensity(kind),
        parse=number_in(0.0, corruption.slider_maximum),
        step=corruption.step,
        help=_help(kind),
    )
    return _within(kind, value)


def chosen_intensity(kind: str) -> float:
    """The intensity of the live slider, from the link or the last move; the address bar follows once it rests.

    To be called before :func:`live_intensity` in the same fragment.
    """
    key, default = intensity_key(kind), default_intensity(kind)
    corruption = get_corruption(kind)
    link.restore(key, default, number_in(0.0, corruption.slider_maximum))
    value = _within(kind, st.session_state[key])
    # Browsers allow some hundred changes of the address a minute, and each is a step for their back button.
    if moved(_slider_key(kind), 0.0, corruption.slider_maximum).settled:
        link.store(key, value, default)
    return value


def live_intensity(kind: str, value: float, flip: float | None) -> None:
    """The slider that follows the finger, with severities, limit and flip marked; the last thing its fragment draws."""
    corruption = get_corruption(kind)
    marks = [
        Mark(intensity, str(level), f"Severity {level} of {LEVELS}: {corruption.amount(intensity)}")
        for level, intensity in enumerate(severities(kind).intensities, start=1)
    ]
    if corruption.published_limit is not None:
        title = f"From {corruption.amount(corruption.published_limit)} on the thesis calls an image corrupted"
        marks.append(Mark(corruption.published_limit, "▾ limit", title, side="above"))
    if flip is not None:
        marks.append(Mark(flip, "▾ flips", f"The prediction flips at {corruption.amount(flip)}", side="above"))
    live_slider(
        _label(kind),
        0.0,
        corruption.slider_maximum,
        step=corruption.step,
        value=value,
        unit=corruption.unit,
        marks=marks,
        key=_slider_key(kind),
        on_move=partial(_take_move, kind),
    )


def presets(kind: str) -> dict[str, float]:
    """Named intensities: severities 1 and 5, and the thesis's limit where it published one, else severity 3."""
    steps, limit = severities(kind).intensities, get_corruption(kind).published_limit
    middle = {"Middle": steps[2]} if limit is None else {"Limit of the thesis": limit}
    return {"Mild": steps[0], **middle, "Severe": steps[-1]}


def preset_buttons(kind: str) -> None:
    for name, intensity in presets(kind).items():
        st.button(
            name,
            key=f"preset {name}",
            help=get_corruption(kind).amount(intensity),
            on_click=_set_intensity,
            args=(kind, intensity),
        )


def default_intensity(kind: str) -> float:
    """Where a slider stands without a link: at the thesis's limit, or in the middle of the severities."""
    limit = get_corruption(kind).published_limit
    return severities(kind).intensities[2] if limit is None else limit


def _set_intensity(kind: str, intensity: float) -> None:
    st.session_state[intensity_key(kind)] = float(intensity)


def _take_move(kind: str) -> None:
    """Runs before the fragment: what the live slider sent becomes the intensity that every page shares."""
    value = moved(_slider_key(kind), 0.0, get_corruption(kind).slider_maximum).value
    if value is not None:
        _set_intensity(kind, value)


def _slider_key(kind: str) -> str:
    return f"live_{kind}"


def _within(kind: str, value: object) -> float:
    """Only the browser enforces a widget's ends; a forged value is brought back to them."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return default_intensity(kind)
    return min(max(number, 0.0), get_corruption(kind).slider_maximum) if number == number else default_intensity(kind)


def _label(kind: str) -> str:
    return f"Intensity: {get_corruption(kind).axis_title()}"


def _help(kind: str) -> str:
    corruption = get_corruption(kind)
    text = (
        f"{corruption.description} Defined on an image of 174 x 174 pixels, the corruption thesis's size, "
        "and converted to this frame."
    )
    if corruption.published_limit is None:
        return text
    return f"{text} The thesis called an image corrupted from {corruption.published_limit:g} on."
