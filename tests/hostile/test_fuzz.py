"""Sound files cut, spliced and changed at random: a result or a sentence. The longer campaign is in ``__main__``."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .answers import answer_to, wrong_with
from .case import Case
from .mutations import KINDS, MOST_CHANGES, NUMBERS, WAYS, mutated, read_picture, read_reviews, sound_files

# Pillow's and pydicom's remarks on broken metadata, which core silences outside pytest
pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning:PIL"),
    pytest.mark.filterwarnings("ignore::UserWarning:pydicom"),
]

PLACES = st.integers(0, 2**31)
CHANGES = st.lists(
    st.tuples(st.sampled_from(WAYS), PLACES, PLACES, st.sampled_from(NUMBERS) | st.binary(min_size=1, max_size=20)),
    min_size=1,
    max_size=MOST_CHANGES,
)
EXAMPLES = {"pictures": 250, "archives": 80, "reviews": 100, "weights": 80}
FEW = 40
BEGINNINGS = (
    b"",
    b"\xff\xd8\xff",
    b"II*\0\x08\0\0\0",
    b"MM\0*\0\0\0\x08",
    b"BM",
    b"\x89PNG\r\n\x1a\n",
    bytes(128) + b"DICM",
)


def checked(kind: str, data: bytes, read) -> None:
    case = Case(kind, "mutated", "", data)
    assert wrong_with(case, answer_to(case, lambda: read(data))) == []


@pytest.mark.parametrize("kind", KINDS)
def test_mutations_give_a_result_or_a_sentence(kind):
    read, sound = sound_files()[kind]

    @settings(
        max_examples=EXAMPLES.get(kind, FEW), deadline=None, derandomize=True, database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )  # fmt: skip
    @given(st.sampled_from(sound), CHANGES, st.sampled_from(sound))
    def check(data, changes, other):
        checked(kind, mutated(data, changes, other), read)

    check()
    for data in sound:
        read(data)


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(st.sampled_from(BEGINNINGS), st.binary(max_size=400))
def test_bytes_of_any_kind_are_no_picture_or_one(beginning, rest):
    checked("pictures", beginning + rest, read_picture)


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(st.text(max_size=300), st.sampled_from(("utf-8", "utf-16", "utf-32")))
def test_texts_of_any_kind_are_no_reviews(text, encoding):
    data = text.encode(encoding, "surrogatepass")
    case = Case("reviews", "any text", "", data, r"\.$")
    assert wrong_with(case, answer_to(case, lambda: read_reviews(data))) == []
