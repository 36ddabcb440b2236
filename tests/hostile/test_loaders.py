"""Every input through its loader: a sentence or a sound result, memory within bounds, and the next good one works."""

from __future__ import annotations

import os

import numpy as np
import pytest

from core.datasets import load
from core.errors import DatasetError, ImageError, ModelError, PlaneLabError
from core.images import read_image
from core.phantom.folder import read_manifest
from core.reviews.exchange import from_csv
from core.screening.sources import FolderSource, Uploads, open_source
from core.zoo.cards import Card

from .answers import about, answer_to, wrong_answers, wrong_with
from .archives import GOOD, archive_cases
from .case import EITHER, READ, Case
from .channels import NAMES, PICTURES, cases_for, refused
from .memory import bounded_memory
from .models import CARD, SOUND, model_cases, write_model, write_special
from .pictures import good_picture, noise, picture_cases
from .tables import CLASSES, FORMS, HC18, MODEL, PHANTOMS, PLANES, REVIEWS, table_cases, write_data

# Pillow's and pydicom's remarks on broken metadata, which core silences outside pytest
pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning:PIL"),
    pytest.mark.filterwarnings("ignore::UserWarning:pydicom"),
]


@pytest.mark.parametrize("kind", [*PICTURES, NAMES])
def test_pictures(kind):
    cases = cases_for("loaders", picture_cases(), kind)
    with bounded_memory():
        assert wrong_answers(cases, lambda case: read_image(case.data, case.file)) == {}
        np.testing.assert_array_equal(read_image(good_picture(), "good.png").pixels, noise())


def test_pictures_on_disk(tmp_path):
    """By their path, as commands and data sets read them; names that no disk takes are left to uploads."""
    cases = cases_for("loaders", picture_cases(), *PICTURES)
    folder = tmp_path / "files"
    folder.mkdir()

    def read(case: Case) -> None:
        path = folder / case.file
        path.write_bytes(case.data)
        read_image(path)

    assert wrong_answers(cases, read) == {}
    np.testing.assert_array_equal(read_image(_good_file(folder)).pixels, noise())


def _good_file(folder):
    path = folder / GOOD
    path.write_bytes(good_picture())
    return path


def members_of(source) -> tuple[str, bool]:
    """All sentences that reading every member of a source comes to, and whether the good frame was read."""
    sentences, found = [*source.problems], False
    for entry in source.entries():
        try:
            if entry.problem:
                raise ImageError(entry.problem)
            frame = read_image(source.read(entry.name), entry.name)
        except PlaneLabError as error:
            sentences.append(str(error))
        else:
            found |= entry.name.endswith(GOOD) and np.array_equal(frame.pixels, noise())
    return "\n".join(sentences), found


def keeps_the_good_frame(case: Case) -> bool:
    """Whether the good frame must be read, whatever is wrong with those beside it."""
    is_whole = any(word in case.says for word in ("cannot be read", "times its own", "not an image"))
    return GOOD.encode() in case.data and case.says != EITHER and not is_whole and "directory" not in case.what


def test_archives_among_uploads():
    wrong = {}
    with bounded_memory():
        for case in archive_cases():
            with about(case):
                sentences, found = members_of(Uploads([(case.file, case.data)]))
            problems = wrong_with(case, sentences)
            if keeps_the_good_frame(case) and not found:
                problems.append("cost the good frame that stands beside it")
            if problems:
                wrong[str(case)] = problems
    assert wrong == {}


def test_archives_on_disk(tmp_path):
    wrong = {}
    path = tmp_path / "set.zip"
    with bounded_memory():
        for case in archive_cases():
            path.write_bytes(case.data)
            sentences = ""
            with about(case):
                try:
                    sentences, _ = members_of(open_source(path))
                except DatasetError as error:
                    sentences = str(error)
            expected = case if "is empty" not in case.says else Case(case.kind, case.what, case.file, case.data)
            if "not an image" in expected.says:  # of no kind among uploads, of the kind that was promised here
                expected = Case(case.kind, case.what, case.file, case.data, "cannot be read as a ZIP")
            problems = wrong_with(expected, sentences)
            if problems:
                wrong[str(case)] = problems
    assert wrong == {}


def test_links_and_files_that_are_none(tmp_path):
    folder, outside = tmp_path / "archive", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    _good_file(folder)
    _good_file(outside)
    (folder / "out.png").symlink_to(outside / GOOD)
    (folder / "absolute.png").symlink_to("/etc/passwd")
    (folder / "zeros.png").symlink_to("/dev/zero")
    (folder / "gone.png").symlink_to("nowhere.png")
    (folder / "circle.png").symlink_to("circle.png")
    (folder / "all").symlink_to(folder)
    (folder / "folder.png").mkdir()
    os.mkfifo(folder / "pipe.png")
    (folder / ("ü" * 125 + ".png")).write_bytes(good_picture())
    (folder / "two\nlines.png").write_bytes(good_picture()[:99])
    with bounded_memory():
        source = FolderSource(folder)
        sentences, found = members_of(source)
    assert found
    lines = sentences.splitlines()
    assert len(lines) == 7
    assert len(source.entries()) == len(lines) + 2
    assert wrong_with(Case("folder", "links", "", b""), sentences) == []
    for name in ("out.png", "absolute.png", "zeros.png"):
        assert any(line.startswith(name) and "leaves the folder" in line for line in lines), name


@pytest.mark.parametrize("kind", [HC18, PLANES, PHANTOMS])
def test_lists_of_data_sets(kind, tmp_path):
    cases = cases_for("loaders", table_cases(), kind)
    folders = {case: tmp_path / str(number) for number, case in enumerate(cases)}

    def read(case: Case) -> None:
        write_data(folders[case], case)
        table = load(folders[case])
        assert len(table) >= 1

    with bounded_memory():
        assert wrong_answers(cases, read) == {}
        sound = Case(kind, "sound", FORMS[kind].file, FORMS[kind].sound, READ)
        write_data(tmp_path / "sound", sound)
        table = load(tmp_path / "sound")
    assert len(table) == 3
    assert not table.problems


def test_no_list_names_a_file_outside_its_folder(tmp_path):
    """Where a name leads to is read by nobody, even if there is a picture."""
    secret = tmp_path / "secret.png"
    secret.write_bytes(good_picture())
    for kind in (HC18, PLANES, PHANTOMS):
        form = FORMS[kind]
        for name in ("../../secret.png", str(secret), "../../secret"):
            folder = tmp_path / "data" / kind
            write_data(folder, Case(kind, name, form.file, form.with_cell(form.names, name)))
            with pytest.raises(DatasetError, match="leads out of its folder"):
                load(folder)


def test_manifests_that_are_written_on(tmp_path):
    cases = cases_for("loaders", table_cases(), PHANTOMS)
    path = tmp_path / "manifest.csv"

    def read(case: Case) -> None:
        path.write_bytes(case.data)
        for row in read_manifest(tmp_path).values():
            assert all(isinstance(value, str) for value in row.values())

    # A manifest is refused by its header here, of which another table may have any.
    any_answer = [Case(case.kind, case.what, case.file, case.data) for case in cases]
    with bounded_memory():
        assert wrong_answers(any_answer, read) == {}
    path.write_bytes(FORMS[PHANTOMS].sound)
    assert set(read_manifest(tmp_path)) == {"a.png", "b.png", "c.png"}


def test_reviews():
    cases = cases_for("loaders", table_cases(), REVIEWS)
    classes = {MODEL: CLASSES}
    with bounded_memory():
        assert wrong_answers(cases, lambda case: from_csv(case.data, classes)) == {}
        assert len(from_csv(FORMS[REVIEWS].sound, classes)) == 3


SEEN_LATER = {
    "a backbone that is none",
    "more classes than outputs",
    "weights that are not there",
    "a wrong hash",
    "a setting of preprocessing that is none",
    "a setting of preprocessing out of range",
    "an option of the network that is none",
    "blocks of minus one filter",
    "blocks that are words",
    "no block",
    "a layer that is not there, for features",
}
"""What of a card only its weights, its preprocessing or its network can tell to be wrong."""


def test_cards(tmp_path):
    """Without TensorFlow; what only shows when the network is built is in ``test_networks``."""
    cases = [case for case in model_cases() if case.kind == CARD]
    folders = {case: tmp_path / str(number) for number, case in enumerate(cases)}
    with bounded_memory():
        answers = {
            case: answer_to(case, lambda case=case: Card.read(write_model(folders[case], case))) for case in cases
        }
        assert Card.read(SOUND).name == SOUND.name
    wrong = {str(case): wrong_with(case, answer) for case, answer in answers.items() if case.what not in SEEN_LATER}
    assert {case: one for case, one in wrong.items() if one} == {}
    assert {case.what for case, answer in answers.items() if refused(case) and not answer} == SEEN_LATER


def test_cards_that_are_no_files(tmp_path):
    with bounded_memory():
        for what, path in write_special(tmp_path).items():
            with pytest.raises(ModelError, match=r"has no card\.json") as caught:
                Card.read(path)
            assert wrong_with(Case("card", what, "", b""), str(caught.value)) == []
