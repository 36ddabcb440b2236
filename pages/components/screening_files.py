"""What is to be screened: uploads of this session, or an archive that the server's owner offers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from core.errors import DatasetError
from core.screening import Source, Uploads
from core.screening.session import offered_archives, open_offered
from pages.components.image_picker import UPLOAD_TYPES
from pages.components.link import linked, one_of
from pages.components.state import ARCHIVE
from pages.components.text import plain

UPLOADED = "uploads"
MOST_BYTES = 1024 * 2**20
_KEPT = "screening_uploads"


@dataclass(frozen=True)
class PickedFiles:
    """Files to be screened, and what they are called in reports."""

    title: str
    source: Source


def pick_files() -> PickedFiles | None:
    """Show the choice of files; None where there are none yet."""
    offered = list(offered_archives())
    chosen = UPLOADED
    if offered:
        titles = {UPLOADED: "Files of mine"} | {name: f"{name} (on this server)" for name in offered}
        chosen = linked(
            st.selectbox,
            "Archive",
            list(titles),
            key=ARCHIVE,
            default=UPLOADED,
            parse=one_of(list(titles)),
            format_func=lambda name: titles.get(name, name),
        )
    if chosen not in offered:
        return _pick_uploads()
    # Listing an archive may take long: it is listed anew only when another one was chosen in between.
    return PickedFiles(chosen, _kept((chosen,), lambda: open_offered(chosen)))


def _pick_uploads() -> PickedFiles | None:
    files = st.file_uploader(
        "Frames, or a ZIP of them",
        type=[*UPLOAD_TYPES, "zip"],
        accept_multiple_files=True,
        key="screening_files",
        help="Images stay in this browser session on this server and are gone when you close the tab.",
    )
    if not files:
        st.info("There is nothing to screen yet. Choose frames or a ZIP to begin.", icon=":material/upload:")
        return None
    if sum(file.size for file in files) > MOST_BYTES:
        raise DatasetError(
            f"These files have more than {MOST_BYTES // 2**20} MB together; screen them in parts, or with "
            "python -m core screen."
        )
    identity = tuple(file.file_id for file in files)
    source = _kept(identity, lambda: Uploads([(file.name, file.getvalue()) for file in files]))
    for problem in source.problems:
        st.error(plain(problem), icon=":material/folder_zip:")
    return PickedFiles(UPLOADED, source)


def _kept(identity: tuple[str, ...], make: Callable[[], Source]) -> Source:
    """The source made last, or a new one where the choice has changed since."""
    kept = st.session_state.get(_KEPT)
    if kept is None or kept[0] != identity:
        kept = (identity, make())
        st.session_state[_KEPT] = kept
    return kept[1]
