"""The image picker that stands at the top of every page, with uploads.

Uploads live in the session, known by the start of their SHA-256; that, never the file's name, goes into the URL. A
DICOM file's name is not even kept, for it often is the patient's; of a cine loop a slider chooses the frame.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import streamlit as st

from core import cache
from core.errors import PlaneLabError
from core.image_formats import DICOM_EXTENSIONS, is_dicom
from core.images import MAX_BYTES, MAX_DICOM_BYTES, Frame, read_image, shown_name
from core.library import EXAMPLE, is_phantom_id, sample_ids
from pages.components.link import linked, number_in, one_of
from pages.components.state import IMAGE, LOOP_FRAME, OTHER_IMAGE
from pages.components.text import plain

UPLOAD_TYPES = ["png", "jpg", "jpeg", "tif", "tiff", "bmp", *(extension[1:] for extension in DICOM_EXTENSIONS)]
MAX_UPLOADS = 30
MAX_LOOP_BYTES = MAX_DICOM_BYTES  # of all cine loops that a session keeps
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
    if picked.image_id in _loops():
        picked = _pick_frame(picked)
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


def _loops() -> dict[str, bytes]:
    """DICOM files of several frames uploaded in this session by image id, oldest first; their frames are read anew."""
    return st.session_state.setdefault("loops", {})


def upload_id(frame: Frame) -> str:
    return f"upload-{frame.sha256[:HASH_SHOWN]}"


def _pick_frame(picked: Picked) -> Picked:
    """Show the slider of a cine loop's frames and return the chosen one."""
    data = _loops()[picked.image_id]
    count = cache.loop_length(picked.frame.sha256, data)
    if st.session_state.get(LOOP_FRAME, 1) > count:  # chosen of a longer loop
        st.session_state[LOOP_FRAME] = 1
    number = linked(
        st.slider,
        "Frame of the loop",
        min_value=1,
        max_value=count,
        key=LOOP_FRAME,
        default=1,
        parse=number_in(1, count),
        help="This file holds a loop; every page shows the frame chosen here.",
    )
    try:
        frame = cache.loop_frame(picked.frame.sha256, min(number, count) - 1, data)
    except PlaneLabError as error:
        st.error(f"Frame {number} cannot be shown, so the first is: {error}", icon=":material/broken_image:")
        return picked
    return replace(picked, title=f"{frame.source} (uploaded)", frame=frame)


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
            f"PNG, JPEG, TIFF or BMP, up to {MAX_BYTES // 2**20} MB each; DICOM up to {MAX_DICOM_BYTES // 2**20} MB",
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
        data = file.getvalue()
        try:
            frame = read_image(data, name=file.name)
            is_loop = is_dicom(data) and cache.loop_length(frame.sha256, data) > 1
        except PlaneLabError as error:
            messages.append(f"**{plain(shown_name(data, file.name))}**: {error}")
            continue
        newest = upload_id(frame)
        kept[newest] = frame
        if is_loop:
            _loops()[newest] = data
    while len(kept) > MAX_UPLOADS:
        oldest = next(iter(kept))
        messages.append(f"Only the last {MAX_UPLOADS} uploads are kept; {plain(kept[oldest].source)} was let go.")
        del kept[oldest]
        _loops().pop(oldest, None)
    while sum(map(len, _loops().values())) > MAX_LOOP_BYTES:
        oldest = next(iter(_loops()))
        messages.append(
            f"Only {MAX_LOOP_BYTES // 2**20} MB of loops are kept; of {kept[oldest].source} one frame stays."
        )
        del _loops()[oldest]
    st.session_state["upload_messages"] = messages
    if newest is not None:
        st.session_state[IMAGE] = newest


def _upload_messages() -> None:
    for message in st.session_state.get("upload_messages", []):
        st.error(message, icon=":material/broken_image:")
