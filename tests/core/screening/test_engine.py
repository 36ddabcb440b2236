"""A screening as a whole: every frame a row, once, whatever happens in between."""

import json
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from core.errors import Cancelled, DatasetError
from core.screening import Journal, Limits, Thresholds, Uploads, ZipSource, judged, open_source, screen
from core.screening.engine import rows_of
from core.screening.measuring import View, measure
from core.screening.networks import BATCH

ABOUT = {"source": "somewhere", "model": {"name": "tiny"}}


@pytest.fixture
def journal_of(tmp_path):
    return lambda **about: Journal(tmp_path / "out" / "journal.jsonl", ABOUT | about)


def run(source, networks, journal, progress=lambda share: None):
    entries = source.entries()
    made = screen(source, entries, networks, journal, progress)
    return made, journal.rows(entries, networks.model.classes)


def lines(journal):
    return [json.loads(line) for line in journal.path.read_text().splitlines()[1:]]


def test_every_frame_is_a_row_and_a_broken_file_stops_nothing(archive, networks, journal_of):
    shares = []
    with journal_of() as journal:
        made, rows = run(open_source(archive), networks, journal, shares.append)
    assert made == len(rows) == 26
    assert rows["path"].is_monotonic_increasing
    assert shares == sorted(shares)
    assert shares[-1] == 1
    broken = rows[rows["error"] != ""]
    assert broken["path"].tolist() == ["cut.png", "empty.png"]
    assert "cut short" in broken["error"].iloc[0]
    assert rows.loc[rows["path"] == "loop.dcm", "frame"].tolist() == [0, 1, 2]
    good = rows[rows["error"] == ""]
    assert np.allclose(good[["p_BPD", "p_CRL", "p_NT"]].sum(axis=1), 1, atol=1e-4)
    assert good[["mean", "information", "original", "typicality"]].notna().all().all()
    # The tiny networks answer at random.
    found = judged(rows, Thresholds({name: Limits(None, None) for name in ("corruption", "confidence", "typicality")}))
    assert found.set_index("path")["copy_of"]["second/copy.png"] == "first/03.png"


def test_rows_say_what_the_networks_say_of_the_frame_alone(archive, networks, journal_of):
    with journal_of() as journal:
        _, rows = run(open_source(archive), networks, journal)
    row = rows.set_index("path").loc["first/04.png"]
    pixels = cv2.imread(str(archive / "first" / "04.png"), cv2.IMREAD_GRAYSCALE)
    alone = networks.model.predict([pixels])
    assert row["label"] == alone.labels[0]
    assert row["confidence"] == pytest.approx(alone.confidence[0], abs=1e-4)
    assert row["original"] == pytest.approx(networks.detector.predict([pixels]).probabilities[0, 0], abs=1e-4)


def test_the_detector_sees_the_frame_before_stretch_and_median(networks):
    noisy = np.random.default_rng(0).integers(60, 120, (96, 96), np.uint8)
    detector, plane = measure(noisy, networks.views).images
    assert np.ptp(detector) <= 60
    assert np.ptp(plane) > 100
    assert detector.std() > 5


def test_a_screening_that_was_stopped_goes_on_without_doing_a_frame_twice(archive, networks, journal_of, monkeypatch):
    monkeypatch.setattr("core.screening.engine.ROWS_AT_ONCE", 8)

    def stop(share):
        if share > 0.4:
            raise Cancelled("enough")

    source = open_source(archive)
    with journal_of() as journal, pytest.raises(Cancelled):
        run(source, networks, journal, stop)
    before = len(lines(journal))
    assert 8 <= before < 26
    with journal_of() as journal:
        made, rows = run(source, networks, journal)
        assert made == 26 - before
        assert run(source, networks, journal)[0] == 0
    keys = [(row["path"], row["frame"]) for row in lines(journal)]
    assert len(set(keys)) == len(keys) == len(rows) == 26


def test_a_torn_last_line_is_made_again(archive, networks, journal_of):
    source = open_source(archive)
    with journal_of() as journal:
        _, whole = run(source, networks, journal)
    data = journal.path.read_bytes()
    journal.path.write_bytes(data[:-40])
    with journal_of() as journal:
        made, rows = run(source, networks, journal)
    assert made == 1
    assert rows.equals(whole)


def test_a_changed_file_is_judged_anew_and_one_that_is_gone_is_left_out(archive, networks, journal_of):
    with journal_of() as journal:
        run(open_source(archive), networks, journal)
    (archive / "first" / "05.png").write_bytes((archive / "first" / "07.png").read_bytes())
    (archive / "first" / "06.png").unlink()
    with journal_of() as journal:
        made, rows = run(open_source(archive), networks, journal)
    assert made == 1
    rows = rows.set_index("path")
    assert "first/06.png" not in rows.index
    assert rows["sha256"]["first/05.png"] == rows["sha256"]["first/07.png"]


def test_a_journal_of_something_else_or_in_use_is_refused(archive, networks, journal_of):
    with journal_of() as journal, pytest.raises(DatasetError, match="Another run"):
        journal_of()
    assert journal.path.is_file()
    with pytest.raises(DatasetError, match=r"another model \(tiny instead of other\)"):
        journal_of(model={"name": "other"})
    journal.path.write_text("tea\n")
    with pytest.raises(DatasetError, match="Line 1"):
        journal_of()


def test_a_zip_and_uploads_give_the_rows_of_the_folder(archive, networks, journal_of, tmp_path):
    with journal_of() as journal:
        _, expected = run(open_source(archive), networks, journal)
    path = shutil.make_archive(str(tmp_path / "packed"), "zip", archive)
    packed = ZipSource(Path(path))
    files = [
        (entry.name.rpartition("/")[2], (archive / entry.name).read_bytes())
        for entry in open_source(archive).entries()
        if entry.name.endswith(".png")
    ]
    same = ["sha256", "label", "confidence", "original", "hash", "information"]
    with Journal(tmp_path / "zip.jsonl", ABOUT) as journal:
        _, rows = run(packed, networks, journal)
    assert rows[same].equals(expected[same])
    with Journal(tmp_path / "uploads.jsonl", ABOUT) as journal:
        _, rows = run(Uploads(files), networks, journal)
    expected = expected[expected["path"].str.endswith(".png")]
    assert sorted(rows["sha256"]) == sorted(expected["sha256"])


def test_rows_do_not_hang_on_which_frames_share_a_batch(archive, networks):
    source = open_source(archive)
    entries = source.entries()
    together = [row for rows in rows_of(source, entries, networks) for row in rows]
    alone = [row for entry in entries for rows in rows_of(source, [entry], networks) for row in rows]
    assert together == alone
    assert len(together) % BATCH


def test_a_defect_of_ours_is_a_row_too_and_names_nobody(archive, networks, caplog, monkeypatch):
    def fail(*arguments, **options):
        raise TypeError("Mustermann")

    monkeypatch.setattr("core.screening.measuring.finish", fail)
    source = open_source(archive)
    (rows,) = list(rows_of(source, source.entries()[:3], networks))
    assert re.search(r"TypeError at test_engine\.py:\d+", rows[-1]["error"])
    assert "Mustermann" not in str(rows) + caplog.text
    assert "while screening a frame" in caplog.text


def test_a_loop_that_is_cut_short_or_claims_too_much_is_one_row(archive, networks, dicom_loop, monkeypatch):
    (archive / "cut.dcm").write_bytes(dicom_loop[:-9])
    source = open_source(archive)
    entries = [entry for entry in source.entries() if entry.name.endswith(".dcm")]
    (rows,) = list(rows_of(source, entries, networks))
    assert [(row["path"], row["frame"]) for row in rows] == [("cut.dcm", 0), *(("loop.dcm", n) for n in range(3))]
    assert "cut short" in rows[0]["error"]
    monkeypatch.setattr("core.dicom.MOST_FRAMES", 2)
    (rows,) = list(rows_of(source, entries[1:], networks))
    assert len(rows) == 1
    assert "claims 3 frames" in rows[0]["error"]


def test_memory_does_not_grow_with_the_archive(archive, networks, monkeypatch):
    """Of a long archive only a few files are held at a time."""
    source = open_source(archive)
    entries = [entry for entry in source.entries() if entry.name.startswith("first")] * 20
    read, taken, ahead = 0, 0, []
    original = source.read

    def counted(name):
        nonlocal read
        read += 1
        return original(name)

    monkeypatch.setattr(source, "read", counted)
    for rows in rows_of(source, entries, networks):
        taken += len(rows)
        ahead.append(read - taken)
    assert taken == len(entries)
    assert max(ahead) < 60


def test_views_that_clean_alike_share_one_cleaned_frame(networks, monkeypatch):
    from core.screening import measuring

    calls = []
    original = measuring.clean
    monkeypatch.setattr(measuring, "clean", lambda *arguments: calls.append(1) or original(*arguments))
    measure(np.full((80, 80), 90, np.uint8), networks.views)
    assert len(calls) == 1
    other = View(networks.views[0].settings, "plane", 32)
    assert measure(np.full((80, 80), 90, np.uint8), (*networks.views, other)).images[2].shape == (32, 32)
