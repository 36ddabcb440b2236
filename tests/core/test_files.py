"""Files that are there whole or not at all, and what is said where they cannot be."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.errors import StorageError
from core.files import append_whole, array_on_disk, check_writable, storing, whole, write_whole


@pytest.fixture
def locked(read_only):
    """A folder of models that this process may read and not write."""
    return read_only(lambda folder: (folder / "card.json").write_text("{}"))


def test_a_file_is_as_it_was_until_the_new_one_is_whole(tmp_path, little_room):
    path = tmp_path / "rows.csv"
    path.write_text("before")
    with pytest.raises(KeyboardInterrupt), whole(path) as draft:
        draft.write_text("half")
        raise KeyboardInterrupt
    with little_room(1000), pytest.raises(StorageError, match="no room"):
        write_whole(path, b"x" * 5000)
    assert path.read_text() == "before"
    write_whole(path, "after: ä")
    assert path.read_text(encoding="utf-8") == "after: ä"
    assert list(tmp_path.iterdir()) == [path]


def test_a_compressed_table_has_the_bytes_that_it_has_anywhere(tmp_path):
    """gzip writes the file's name into the file."""
    table, how = pd.DataFrame({"n": range(9)}), {"method": "gzip", "mtime": 0}
    (tmp_path / "plain").mkdir()
    table.to_csv(tmp_path / "plain" / "rows.csv.gz", compression=how)
    with whole(tmp_path / "rows.csv.gz") as path:
        table.to_csv(path, compression=how)
    assert (tmp_path / "rows.csv.gz").read_bytes() == (tmp_path / "plain" / "rows.csv.gz").read_bytes()


def test_what_is_appended_is_there_whole_or_not_at_all(tmp_path, little_room):
    path = tmp_path / "journal.jsonl"
    with path.open("ab", buffering=0) as file:
        append_whole(file, b"first\n")
        with little_room(1000), pytest.raises(StorageError, match=r"journal\.jsonl"):
            append_whole(file, b"x" * 5000)
        assert path.read_bytes() == b"first\n"
        append_whole(file, b"second\n")
    assert path.read_bytes() == b"first\nsecond\n"


def test_an_array_on_disk_has_all_its_room_or_is_not_there(tmp_path, little_room):
    path = tmp_path / "maps.npy"
    with little_room(1000), pytest.raises(StorageError, match="no room"):
        array_on_disk(path, np.float32, (1000, 10))
    assert not path.exists()
    array = array_on_disk(path, np.float32, (1000, 10))
    # Not a hole in the file: that would still have to find its room.
    assert path.stat().st_blocks * 512 >= array.nbytes
    array[-1] = 7
    array.flush()
    assert np.load(path)[-1, -1] == 7


def test_a_disk_that_is_really_full_is_a_sentence():
    with (
        pytest.raises(StorageError, match=r"There is no room for report\.csv.*free some space"),
        storing(Path("report.csv")),
    ):
        Path("/dev/full").write_bytes(b"x")


def test_other_failures_are_left_alone():
    with pytest.raises(OSError) as caught, storing(Path("x")):
        raise OSError(errno.EIO, "a broken disk")
    assert not isinstance(caught.value, StorageError)


def test_a_place_without_rights_is_refused_beforehand(locked):
    for place in (locked, locked / "card.json", locked / "new" / "rows.csv"):
        with pytest.raises(StorageError, match="may not be written: it is read-only or somebody else's"):
            check_writable(place)
    assert [path.name for path in locked.iterdir()] == ["card.json"]


def test_a_place_without_room_is_refused_beforehand(tmp_path, little_room):
    with little_room(0), pytest.raises(StorageError, match="There is no room for"):
        check_writable(tmp_path / "out")


def test_a_place_below_a_file_is_refused_and_a_good_one_left_as_it_is(tmp_path):
    (tmp_path / "notes.txt").write_text("a file")
    with pytest.raises(StorageError, match=r"notes\.txt is no folder"):
        check_writable(tmp_path / "notes.txt" / "models" / "new")
    for place in (tmp_path, tmp_path / "notes.txt", tmp_path / "new" / "deep"):
        check_writable(place)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
