"""Which inputs go through which door, so that tests and the listing cannot disagree."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping

from .case import EITHER, READ, Case
from .models import CARD, WEIGHTS
from .tables import HC18, PHANTOMS, PLANES, REVIEWS

PICTURES = ("PNG", "JPEG", "TIFF", "BMP", "DICOM", "other kind")
NAMES = "name"
LARGEST = 4 * 2**20
"""Bytes of a file that is uploaded or written to disk many times over."""
UPLOADED = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".dcm", ".dicom", ".ima")
"""Endings that the pickers of images take."""
Takes = Mapping[str, Callable[[Case], bool]]


def _all(case: Case) -> bool:
    return True


def refused(case: Case) -> bool:
    """Whether it must be refused."""
    return case.says not in (READ, EITHER)


def is_small(case: Case) -> bool:
    """Whether neither the file nor its picture is large: dozens of megapixels take seconds to be cleaned."""
    return len(case.data) <= LARGEST and "6300 x 6300" not in case.what


def _is_run(case: Case) -> bool:
    """Of what may be read, each time with all stages of preprocessing behind it, a third."""
    return is_small(case) and (refused(case) or _of(3, case))


def _of(count: int, case: Case) -> bool:
    """One in so many, always the same ones."""
    return zlib.crc32(str(case).encode()) % count == 0


def _can_be_sent(case: Case) -> bool:
    """Whether a browser can send a file of this name, and Streamlit's uploader takes it."""
    is_text = case.file.encode(errors="replace").decode() == case.file and "\0" not in case.file
    return is_text and case.file.lower().endswith(UPLOADED)


CHANNELS: dict[str, Takes] = {
    "loaders": dict.fromkeys((*PICTURES, NAMES, "ZIP", HC18, PLANES, PHANTOMS, REVIEWS, CARD, WEIGHTS), _all),
    "command line, in process": {
        **dict.fromkeys(PICTURES, _is_run),
        "ZIP": lambda case: case.says.startswith("cannot be read") or "times its own" in case.says,
        **dict.fromkeys((HC18, PLANES, PHANTOMS, REVIEWS), lambda case: _of(2, case)),
        CARD: refused,
        WEIGHTS: lambda case: refused(case) and _of(4, case),
    },
    "uploads": {
        **dict.fromkeys(PICTURES, is_small),
        NAMES: _can_be_sent,
        REVIEWS: lambda case: case.what in UPLOADED_REVIEWS,
    },
    "screening": {
        **dict.fromkeys(PICTURES, lambda case: is_small(case) and refused(case) and _of(6, case)),
        "ZIP": lambda case: is_small(case) and _of(2, case),
    },
}
UPLOADED_REVIEWS = (
    "null bytes between",
    "a time before all times",
    "a cell of terminal commands",
    "twenty thousand bad rows",
)


def cases_for(channel: str, cases: tuple[Case, ...], *kinds: str) -> list[Case]:
    """Those of the cases that go through a door; of some kinds only, where kinds are named."""
    takes = CHANNELS[channel]
    return [case for case in cases if case.kind in (kinds or takes) and case.kind in takes and takes[case.kind](case)]
