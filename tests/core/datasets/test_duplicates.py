"""Equal files are found whatever they are called, and every one that goes is named."""

import hashlib
import shutil

import numpy as np
import pandas as pd
import pytest

from core.datasets import Table, load
from core.datasets.duplicates import without_duplicates


@pytest.fixture
def folders(tmp_path, write_image):
    for label in ("BPD", "CRL"):
        for number in range(3):
            write_image(tmp_path / label / f"{number}.png")
    return tmp_path


def duplicates(table):
    return [problem for problem in table.problems if problem.kind == "duplicate image"]


def test_different_pictures_all_stay(folders):
    table = load(folders)
    assert len(table) == 6
    assert table.problems == ()


def test_a_copy_under_the_same_label_is_told_and_one_is_kept(folders):
    shutil.copy(folders / "BPD" / "1.png", folders / "BPD" / "again.png")
    table = load(folders)
    assert len(table) == 6
    assert "again.png" not in {path.name for path in table.paths}
    (problem,) = duplicates(table)
    assert problem.names == ("BPD/1.png = BPD/again.png",)


def test_a_copy_under_another_label_takes_both_out(folders):
    shutil.copy(folders / "BPD" / "1.png", folders / "CRL" / "other.png")
    table = load(folders)
    assert len(table) == 5
    assert not {"BPD/1.png", "CRL/other.png"} & {f"{path.parent.name}/{path.name}" for path in table.paths}
    (problem,) = duplicates(table)
    assert "two labels" in problem
    assert problem.names == ("BPD/1.png = CRL/other.png",)


def test_files_of_equal_size_and_other_content_are_no_copies(tmp_path):
    (tmp_path / "a.bmp").write_bytes(b"BM" + bytes(100))
    (tmp_path / "b.bmp").write_bytes(b"BM" + bytes(99) + b"\1")
    assert len(load(tmp_path)) == 2


def test_empty_files_are_unreadable_and_no_copies_of_each_other(tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.png").touch()
    assert len(load(tmp_path)) == 2


@pytest.mark.parametrize(
    ("sides", "kept"),
    [
        (["train", "test"], "test"),
        (["test", "train"], "test"),
        (["train", "validation"], "validation"),
        (["train", "validation", "test"], "test"),
    ],
)
def test_on_two_sides_of_a_split_the_held_out_one_keeps_it(tmp_path, sides, kept):
    rows = []
    for number, side in enumerate(sides):
        (tmp_path / f"{number}.png").write_bytes(b"the same")
        rows.append((str(tmp_path / f"{number}.png"), "brain", f"patient {number}", side))
    table = without_duplicates(Table(pd.DataFrame(rows, columns=["path", "label", "patient", "split"]), "x", False))
    assert table.frame["split"].tolist() == [kept]
    (problem,) = duplicates(table)
    assert "two sides" in problem
    assert problem.names == (" = ".join(f"{tmp_path.name}/{n}.png" for n in range(len(sides))),)


def test_what_is_left_never_holds_one_picture_twice(tmp_path, write_image):
    """Against all pairs compared by their bytes."""
    for number, picture in enumerate(np.random.default_rng(3).integers(0, 90, 60).tolist()):
        write_image(tmp_path / "AB"[number % 2] / f"{number}.png", value=picture)
    table = load(tmp_path)
    left = [hashlib.sha256(path.read_bytes()).hexdigest() for path in table.paths]
    labels: dict[str, set[str]] = {}
    for path in tmp_path.rglob("*.png"):
        labels.setdefault(hashlib.sha256(path.read_bytes()).hexdigest(), set()).add(path.parent.name)
    assert len(left) == len(set(left))
    assert set(left) == {digest for digest, where in labels.items() if len(where) == 1}
    named = sum(len(name.split(" = ")) for problem in duplicates(table) for name in problem.names)
    kept_of_copies = sum(len(p.names) for p in duplicates(table) if "two labels" not in p)
    assert 0 < kept_of_copies < len(table) == 60 - named + kept_of_copies
