"""The frame whose head is measured: its pixels' size, and its outline where that is known."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from core import cache
from core.biometry.annotation import annotated_ellipse
from core.biometry.ellipse import Ellipse
from core.biometry.reading import GREATEST_PIXEL_MM, LEAST_PIXEL_MM, check_pixel_size
from core.errors import PlaneLabError
from core.images import read_image
from core.pixel_size import PixelSize
from pages.components.image_picker import Picked, pick_image
from pages.components.link import linked, number_in
from pages.components.state import PIXEL_SIZE, TICK_DISTANCE, open_image

EXAMPLE = "sample-bpd_000004"
_TYPED_FOR = "pixel_size_of"
_ANNOTATIONS = "annotations"
MOST_ANNOTATIONS = 30
TICK_MM = (1.0, 100.0)


@dataclass(frozen=True)
class HeadFrame:
    """A picked frame with what is known of it.

    Attributes
    ----------
    pixel_size_mm : float or None
    source : str
        Where the pixel size comes from, for people.
    truth : Ellipse or None
        The head in pixels of the frame, as annotated or simulated.
    truth_name : str
        What the truth is called.
    """

    picked: Picked
    pixel_size_mm: float | None
    source: str
    truth: Ellipse | None
    truth_name: str


def pick_head_frame() -> HeadFrame | None:
    """Show the image picker and the size of a pixel side by side; None without an image."""
    left, right = st.columns([3, 2])
    with left:
        picked = pick_image(EXAMPLE)
    if picked is None:
        return None
    known = None if picked.uploaded else cache.named_head(picked.image_id)
    with right:
        size, source = _pick_pixel_size(picked, known.pixel_size_mm if known else None)
    with left:
        if picked.simulated and known is None:
            _offer_a_head(picked)
    annotated = _annotations().get(picked.frame.sha256)
    if annotated:
        return HeadFrame(picked, size, source, annotated, "annotation")
    return HeadFrame(picked, size, source, known.ellipse if known else None, "simulated outline")


def take_annotation(picked: Picked) -> None:
    """An uploader for the annotation of this frame, in HC18's form; it stays with the frame in this session.

    Each frame of a loop has its own.
    """
    key = f"annotation_file_{picked.frame.sha256}"
    st.file_uploader(
        "The head's outline drawn on black, of the frame's own size, as HC18's NNN_HC_Annotation.png",
        type=["png", "bmp", "tif", "tiff"],
        key=key,
        on_change=_take,
        args=(key, picked),
    )
    message = st.session_state.get(f"{key}_message")
    if message:
        st.error(message, icon=":material/broken_image:")


def _take(key: str, picked: Picked) -> None:
    """Runs before the page: what cannot be read gets its sentence, and taking the file away takes its ellipse away."""
    file, message = st.session_state[key], f"{key}_message"
    st.session_state.pop(message, None)
    kept = _annotations()
    kept.pop(picked.frame.sha256, None)
    if file is None:
        return
    try:
        annotation = read_image(file.getvalue(), name=file.name)
        kept[picked.frame.sha256] = annotated_ellipse(annotation, picked.frame.pixels.shape[:2])
    except PlaneLabError as error:
        st.session_state[message] = str(error)
    while len(kept) > MOST_ANNOTATIONS:
        del kept[next(iter(kept))]


def _annotations() -> dict[str, Ellipse]:
    return st.session_state.setdefault(_ANNOTATIONS, {})


def _offer_a_head(picked: Picked) -> None:
    st.caption(f":material/info: This image was simulated as {picked.plane}: it shows no section across a head.")
    st.button("Show a head instead", icon=":material/image:", on_click=open_image, args=(EXAMPLE,))


def _pick_pixel_size(picked: Picked, known: float | None) -> tuple[float | None, str]:
    """The size as typed, as the file says, as simulated or as the depth ticks show; and where it comes from."""
    if st.session_state.get(_TYPED_FOR) not in (None, picked.image_id):
        # What was typed for another frame must not measure this one.
        st.session_state[PIXEL_SIZE] = st.session_state[TICK_DISTANCE] = None
    st.session_state[_TYPED_FOR] = picked.image_id
    typed = _number(
        "Size of a pixel (mm)",
        PIXEL_SIZE,
        (LEAST_PIXEL_MM, GREATEST_PIXEL_MM),
        help="Side of a pixel of the frame as it came. What is typed goes before what is found.",
    )
    if typed is None and known is not None:
        st.caption(f"A pixel is {known:.4g} mm wide, as simulated.")
        return known, "simulation"
    found = cache.pixel_size(picked.frame, typed)
    if found is None:
        st.caption(
            ":material/info: The size of a pixel is not known: no DICOM file, and no depth ticks were found. Lengths "
            "are in pixels only until you type it."
        )
        return None, "unknown"
    if found.mm is None:
        return _of_ticks(found)
    st.caption(found.note)
    return _possible(found.mm), found.source


def _of_ticks(found: PixelSize) -> tuple[float | None, str]:
    """Ticks whose distance only the user knows."""
    st.caption(found.note)
    distance = _number("Neighbouring ticks are so far apart (mm)", TICK_DISTANCE, TICK_MM, help="As the scanner says.")
    if distance is None:
        st.caption(":material/info: Lengths are in pixels only until you type this, or the size of a pixel.")
        return None, "unknown"
    size = distance / found.pixels_per_tick
    st.caption(f"A pixel is {size:.4g} mm wide.")
    return _possible(size), found.source


def _number(label: str, key: str, ends: tuple[float, float], **options: str) -> float | None:
    value = linked(
        st.number_input,
        label,
        *ends,
        key=key,
        default=None,
        parse=number_in(*ends),
        step=0.001,
        format="%.4f",
        placeholder="not typed",
        **options,
    )
    return None if value is None else float(value)


def _possible(size: float) -> float | None:
    """The size if a frame of a head can have it; else its sentence, and lengths in pixels."""
    try:
        return check_pixel_size(size)
    except PlaneLabError as error:
        st.error(str(error), icon=":material/straighten:")
        return None
