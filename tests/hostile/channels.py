"""Which inputs go through which door, so that tests and the listing cannot disagree."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .case import EITHER, READ, Case
from .models import CARD, WEIGHTS
from .tables import HC18, PHANTOMS, PLANES, REVIEWS

PICTURES = ("PNG", "JPEG", "TIFF", "BMP", "DICOM", "other kind")
NAMES = "name"
LARGEST = 4 * 2**20
"""Bytes of a file that is uploaded or written to disk many times over."""
Takes = Mapping[str, Callable[[Case], bool]]


def _all(case: Case) -> bool:
    return True


def refused(case: Case) -> bool:
    """Whether it must be refused."""
    return case.says not in (READ, EITHER)


def is_small(case: Case) -> bool:
    """Whether neither the file nor its picture is large: dozens of megapixels take seconds to be cleaned."""
    return len(case.data) <= LARGEST and "6300 x 6300" not in case.what


CHANNELS: dict[str, Takes] = {
    "loaders": {kind: _all for kind in (*PICTURES, NAMES, "ZIP", HC18, PLANES, PHANTOMS, REVIEWS, CARD, WEIGHTS)},
    "command line, in process": {
        **{kind: is_small for kind in PICTURES},
        "ZIP": lambda case: case.says.startswith("cannot be read") or "times its own" in case.says,
        **{kind: _all for kind in (HC18, PLANES, PHANTOMS, REVIEWS)},
        CARD: refused,
    },
    "uploads": {
        **{kind: is_small for kind in (*PICTURES, NAMES)},
        "ZIP": is_small,
        REVIEWS: lambda case: case.what in UPLOADED_REVIEWS,
    },
    "screening": {kind: is_small for kind in (*PICTURES, "ZIP")},
}
UPLOADED_REVIEWS = (
    "nothing",
    "UTF-16",
    "null bytes between",
    "a quote that never closes",
    "a cell of a million letters",
    "the same column twice",
    "a time before all times",
    "a formula",
    "a cell of terminal commands",
    "a verdict of a hundred thousand letters",
    "twenty thousand bad rows",
    "a picture",
)


def cases_for(channel: str, cases: tuple[Case, ...], *kinds: str) -> list[Case]:
    """Those of the cases that go through a door; of some kinds only, where kinds are named."""
    takes = CHANNELS[channel]
    return [case for case in cases if case.kind in (kinds or takes) and case.kind in takes and takes[case.kind](case)]
