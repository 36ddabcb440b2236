"""The inputs themselves: enough of them, each of its own, built alike every time."""

from __future__ import annotations

from collections import Counter

from .archives import archive_cases
from .case import READ, faults_of
from .cases import all_cases
from .pictures import SECRET, picture_cases
from .tables import table_cases


def test_there_are_enough_and_none_is_there_twice():
    cases = all_cases()
    distinct = {(case.kind, case.data, case.file) for case in cases}
    assert len(distinct) >= 300
    doubled = [name for name, n in Counter(map(str, cases)).items() if n > 1]
    assert doubled == []
    counts = Counter(case.kind for case in cases)
    assert min(counts[kind] for kind in ("PNG", "JPEG", "TIFF", "BMP", "DICOM", "ZIP", "card", "weights")) >= 20
    assert sum(case.says == READ for case in cases) < len(cases) / 4


def test_a_fault_of_a_sentence_is_found():
    assert faults_of("scan.png is cut short: copy it again.") == []
    for text in ("", "KeyError: 'x'", "Two\nlines.", 'File "x.py", line 3.', "a\x1b[31m.", "x" * 5000 + "."):
        assert faults_of(text) != [], text


def test_building_the_inputs_again_gives_the_same():
    for build in (picture_cases, archive_cases, table_cases):
        assert build.__wrapped__() == build()


def test_a_name_is_hidden_in_every_dicom_file():
    named = [case for case in all_cases() if case.kind == "DICOM"]
    assert all(SECRET in case.file for case in named)
