"""Rows that are frames of DICOM files, and what they are called."""

import hashlib
from io import BytesIO

import numpy as np
import pytest
from pydicom import dcmread

from core.datasets import load, read_pixels, split_by_patient, summarise, without_unreadable
from core.datasets.items import digest_of, file_and_frame, item_name, row_paths, short_path
from core.errors import ImageError


def varied(loop, value):
    """The loop in other shades, so that no two files are the same."""
    made = dcmread(BytesIO(loop))
    made.PixelData = bytes(np.frombuffer(made.PixelData, np.uint8) - value)
    buffer = BytesIO()
    made.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


@pytest.fixture
def folder(tmp_path, dicom_loop, write_image):
    """Two classes: pictures, loops with and without an extension, what only looks like a file of either kind."""
    for number, plane in enumerate(("BPD", "CRL")):
        for seed in range(2):
            write_image(tmp_path / plane / f"{seed}.png")
        (tmp_path / plane / "Mustermann Erika").mkdir()
        names = ("Erika 1.dcm", "Mustermann Erika/IM0001", "Mustermann Erika/1.2.840.113")
        for value, name in enumerate(names):
            (tmp_path / plane / name).write_bytes(varied(dicom_loop, 3 * number + value))
        write_image(tmp_path / plane / "Mustermann Erika" / "still.png")
        (tmp_path / plane / "Thumbs").write_bytes(b"no DICOM at all, in a file without an extension")
        (tmp_path / plane / "notes.txt").write_text("Erika")
    return tmp_path


def test_every_frame_of_a_loop_is_a_row(folder):
    table = load(folder)
    assert len(table) == 2 * (2 + 3 * 3 + 1)
    loop = folder / "BPD" / "Erika 1.dcm"
    paths = [path for path in table.frame["path"] if "Erika 1.dcm" in path and "BPD" in path]
    assert paths == [f"{loop}#frame={number}" for number in (1, 2, 3)]
    assert [int(read_pixels(path)[0, 0]) for path in paths] == [60, 120, 180]
    assert not any("Thumbs" in path for path in table.frame["path"])


def test_a_still_has_its_files_path_and_a_broken_file_one_row(folder, dicom_loop, write_image):
    still = dcmread(BytesIO(dicom_loop))
    still.PixelData, still.NumberOfFrames = still.PixelData[: 60 * 80], 1
    path = folder / "still.dcm"
    still.save_as(path, enforce_file_format=True)
    assert row_paths(path) == [str(path)]
    path.write_bytes(dicom_loop[:-10])
    assert row_paths(path) == [str(path)]
    picture = write_image(folder / "a#frame=2.png")
    assert row_paths(picture) == [str(picture)]
    assert file_and_frame(picture) == (picture, 0)
    assert file_and_frame(f"{path}#frame=2") == (path, 1)


def test_a_frame_beyond_the_loop_is_a_sentence(folder):
    with pytest.raises(ImageError, match="has no frame 4: choose one from 1 to 3"):
        read_pixels(f"{folder / 'BPD' / 'Erika 1.dcm'}#frame=4")


def test_rows_are_called_by_fingerprint_and_patients_by_number(folder):
    table = load(folder)
    loop = folder / "BPD" / "Erika 1.dcm"
    digest = hashlib.sha256(loop.read_bytes()).hexdigest()
    assert digest_of(loop) == digest
    assert item_name(loop) == short_path(loop) == f"DICOM {digest[:8]}"
    assert item_name(f"{loop}#frame=2") == f"DICOM {digest[:8]}, frame 2"
    assert item_name(folder / "BPD" / "0.png") == "0.png"
    assert item_name("phantom-BPD-train-3") == "phantom-BPD-train-3"
    assert item_name(folder / "BPD" / "gone.dcm") == "DICOM file"
    names = " ".join([*map(item_name, table.frame["path"]), *table.frame["patient"], str(summarise(table))])
    assert "Erika" not in names
    assert "Mustermann" not in names


def test_patients_stay_together(folder):
    rows = load(folder).frame
    together = rows[rows["path"].str.contains("Mustermann Erika/")]
    assert together["patient"].nunique() == 1  # of both classes, with the picture beside the loops
    assert len(together) == 2 * (2 * 3 + 1)
    alone = rows[rows["path"].str.contains("Erika 1.dcm")]
    assert alone.groupby("path")["patient"].first().nunique() == 2
    split = split_by_patient(load(folder), validation=0.3)
    assert (split.frame.groupby("patient")["split"].nunique() == 1).all()


def test_patterns_match_the_files_names(folder):
    table = load(folder, exclude=["*.dcm"])
    assert not any("Erika 1.dcm" in path for path in table.frame["path"])
    labelled = load(folder).labelled({"IM*": "brain"})
    assert (labelled.frame["label"] == "brain").sum() == 2 * 3


def test_loops_stored_twice_are_told_frame_by_frame(folder):
    (folder / "BPD" / "copy of Erika.dcm").write_bytes((folder / "BPD" / "Erika 1.dcm").read_bytes())
    table = load(folder)
    assert len(table) == 2 * (2 + 3 * 3 + 1)
    (problem,) = table.problems
    assert problem.startswith("3 time(s) the same picture more than once")
    assert "Erika" not in f"{problem} {problem.names}"


def test_a_broken_loop_is_named_by_its_fingerprint(folder, dicom_loop):
    (folder / "BPD" / "Erika 1.dcm").write_bytes(dicom_loop[:-10])
    table = without_unreadable(load(folder))
    (problem,) = table.problems
    assert "cut short" in problem.names[0]
    assert "Erika" not in f"{problem} {problem.names}"
