"""The frame whose head is measured: its pixels' size, and its outline where that is known."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from core import cache
from core.biometry.annotation import annotated_ellipse
from core.biometry.ellipse import Ellipse
from core.biometry.reading import GREATEST_PIXEL_MM, LEAST_PIXEL_MM
from core.errors import PlaneLabError
from core.images import read_image
from pages.components.image_picker import Picked, pick_image
from pages.components.link import linked, number_in
from pages.components.state import PIXEL_SIZE, open_image

EXAMPLE = "sample-bpd_000003"
_TYPED_FOR = "pixel_size_of"
_ANNOTATIONS = "annotations"
MOST_ANNOTATIONS = 30


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
    if picked.image_id in _annotations():
        return HeadFrame(picked, size, source, _annotations()[picked.image_id], "annotation")
    return HeadFrame(picked, size, source, known.ellipse if known else None, "simulated outline")


def take_annotation(picked: Picked) -> None:
    """An uploader for the annotation of this frame, in HC18's form; it stays with the frame in this session."""
    key = f"annotation_file_{picked.image_id}"
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
    kept.pop(picked.image_id, None)
    if file is None:
        return
    try:
        annotation = read_image(file.getvalue(), name=file.name)
        kept[picked.image_id] = annotated_ellipse(annotation, picked.frame.pixels.shape[:2])
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
    """Typed, or read from the file, or known of a phantom; and a sentence on which of these it is."""
    if st.session_state.get(_TYPED_FOR) not in (None, picked.image_id):
        # A size typed for another frame must not measure this one.
        st.session_state[PIXEL_SIZE] = None
    st.session_state[_TYPED_FOR] = picked.image_id
    found, note = picked.frame.pixel_size_mm, "read from the file"
    if found is None:
        found, note = known, "known of this simulated screen"
    typed = linked(
        st.number_input,
        "Size of a pixel (mm)",
        LEAST_PIXEL_MM,
        GREATEST_PIXEL_MM,
        key=PIXEL_SIZE,
        default=None,
        parse=number_in(LEAST_PIXEL_MM, GREATEST_PIXEL_MM),
        step=0.001,
        format="%.5f",
        placeholder="type it, if you know it" if found is None else f"{found:.5f}",
        help="Side of a pixel of the frame as it came, in millimetres. What is typed goes before what was found.",
    )
    if typed is not None:
        st.caption(f"{typed:.5g} mm, typed.")
        return float(typed), "typed"
    if found is None:
        st.caption(
            ":material/info: The size of a pixel is not known, so lengths are in pixels only. Type it, or upload the "
            "DICOM file."
        )
        return None, "unknown"
    st.caption(f"{found:.5g} mm, {note}.")
    return found, note
