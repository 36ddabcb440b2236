"""The image picker that stands at the top of every page, with uploads.

Uploads live in the session, known by the start of their SHA-256; that, never the file's name, goes into the URL.
"""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from core import cache
from core.errors import PlaneLabError
from core.images import Frame, read_image
from core.library import EXAMPLE, is_phantom_id, sample_ids
from pages.components.link import linked, one_of
from pages.components.state import IMAGE, OTHER_IMAGE
from pages.components.text import plain

UPLOAD_TYPES = ["png", "jpg", "jpeg", "tif", "tiff", "bmp"]
MAX_UPLOADS = 30
HASH_SHOWN = 16


@dataclass(frozen=True)
class Picked:
    """The chosen image: what it is called, its frame, its true plane if known, and where it comes from."""

    image_id: str
    title: str
    frame: Frame
    plane: str | None
    simulated: bool
    uploaded: bool


def pick_image(example: str = EXAMPLE) -> Picked | None:
    """Show the picker and return the chosen image, or None where there is none to choose.

    ``example`` is shown to whoever has not chosen one.
    """
    titles = _titles()
    _notice_of_link(titles)
    if not titles:
        st.info("There is no image yet. Upload one to begin.", icon=":material/upload:")
        _uploader()
        return None
    with st.container(horizontal=True, vertical_alignment="bottom"):
        image_id = linked(
            st.selectbox,
            "Image",
            list(titles),
            key=IMAGE,
            default=example if example in titles else next(iter(titles)),
            parse=one_of(list(titles)),
            format_func=lambda name: titles.get(name, name),
            help="The chosen image stays when you change the page.",
        )
        _uploader()
    _upload_messages()
    picked = _open(image_id if image_id in titles else next(iter(titles)))
    for note in picked.frame.notes:
        st.caption(f":material/info: {note}")
    if picked.uploaded:
        st.caption(
            ":material/link: A link to this view carries only the image's fingerprint: "
            "whoever opens it needs the same file and uploads it there."
        )
    return picked


def pick_other_image(image_id: str) -> Picked | None:
    """Show the picker of a second image and return it; None where there is none but the first."""
    titles = {name: title for name, title in _titles().items() if name != image_id}
    if not titles:
        st.caption("There is no other image yet; upload one.")
        return None
    name = linked(
        st.selectbox,
        "The other image",
        list(titles),
        key=OTHER_IMAGE,
        default=next(iter(titles)),
        parse=one_of(list(titles)),
        format_func=lambda name: titles.get(name, name),
    )
    return _open(name if name in titles else next(iter(titles)))


def uploads() -> dict[str, Frame]:
    """Frames uploaded in this session by image id, oldest first."""
    return st.session_state.setdefault("uploads", {})


def upload_id(frame: Frame) -> str:
    return f"upload-{frame.sha256[:HASH_SHOWN]}"


def _titles() -> dict[str, str]:
    """Ids of all images to choose from, with their titles: uploads first, then opened phantoms, then samples."""
    titles = {image_id: f"{frame.source} (uploaded)" for image_id, frame in uploads().items()}
    opened = list(st.session_state.get("opened_phantoms", []))
    linked = st.query_params.get(IMAGE, "")
    if is_phantom_id(linked) and linked not in opened and _can_open(linked):
        opened.append(linked)
        st.session_state["opened_phantoms"] = opened
    for image_id in opened:
        titles[image_id] = cache.named_image(image_id).title
    return titles | sample_ids()


def _can_open(image_id: str) -> bool:
    """False for a link to a phantom of no known plane or settings; ``_notice_of_link`` then says so."""
    try:
        cache.named_image(image_id)
    except PlaneLabError:
        return False
    return True


def _notice_of_link(titles: dict[str, str]) -> None:
    linked = st.query_params.get(IMAGE, "")
    if linked and linked not in titles:
        st.session_state["unknown_link"] = linked
    unknown = st.session_state.get("unknown_link")
    if not unknown:
        return
    if unknown in titles:
        del st.session_state["unknown_link"]
    elif unknown.startswith("upload-"):
        st.info(
            f"This link was made with an uploaded image (fingerprint {unknown.removeprefix('upload-')}), which stayed "
            "with the person who made it. Upload the same file to see the same view; until then an example is shown.",
            icon=":material/link:",
        )
    else:
        st.warning(
            "The link names an image that does not exist here; an example is shown instead.", icon=":material/link_off:"
        )


def _open(image_id: str) -> Picked:
    if image_id in uploads():
        frame = uploads()[image_id]
        return Picked(image_id, frame.source, frame, None, simulated=False, uploaded=True)
    named = cache.named_image(image_id)
    return Picked(image_id, named.title, named.frame, named.plane, named.simulated, uploaded=False)


def _uploader() -> None:
    with st.popover("Upload", icon=":material/upload:"):
        st.file_uploader(
            "PNG, JPEG, TIFF or BMP, up to 20 MB each",
            type=UPLOAD_TYPES,
            accept_multiple_files=True,
            key="uploader",
            on_change=_take_uploads,
        )
        st.caption("Images stay in this browser session on this server and are gone when you close the tab.")


def _take_uploads() -> None:
    """Read what is new in the uploader; what cannot be read gets its sentence and changes nothing."""
    kept = uploads()
    messages = []
    newest = None
    seen = st.session_state.setdefault("uploads_seen", set())
    files = st.session_state["uploader"] or []
    for file in files:
        if file.file_id in seen:
            continue
        seen.add(file.file_id)
        try:
            frame = read_image(file.getvalue(), name=file.name)
        except PlaneLabError as error:
            messages.append(f"**{plain(file.name)}**: {error}")
            continue
        newest = upload_id(frame)
        kept[newest] = frame
    while len(kept) > MAX_UPLOADS:
        oldest = next(iter(kept))
        messages.append(f"Only the last {MAX_UPLOADS} uploads are kept; {plain(kept[oldest].source)} was let go.")
        del kept[oldest]
    st.session_state["upload_messages"] = messages
    if newest is not None:
        st.session_state[IMAGE] = newest


def _upload_messages() -> None:
    for message in st.session_state.get("upload_messages", []):
        st.error(message, icon=":material/broken_image:")
