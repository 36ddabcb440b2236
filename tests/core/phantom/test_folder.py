import csv
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from core.errors import Cancelled, DatasetError, ParameterError
from core.phantom import PLANES, frame_seed, generate, raw_screen, write_folder
from core.phantom.folder import read_manifest


def rows_of(folder):
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def read(path):
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    return pixels[..., ::-1] if pixels.ndim == 3 else pixels


def test_frames_and_manifest(tmp_path):
    paths = write_folder(tmp_path / "new", "crl", 3, 5, size=96)
    assert [path.name for path in paths] == ["crl_000000.png", "crl_000001.png", "crl_000002.png"]
    rows = rows_of(tmp_path / "new")
    for index, (path, row) in enumerate(zip(paths, rows, strict=True)):
        phantom = generate("CRL", int(row["seed"]), size=96, settings=row["settings"])
        assert np.array_equal(read(path), phantom.image)
        assert (row["file"], row["plane"], int(row["seed"])) == (path.name, "CRL", frame_seed(5, index))
        assert row["drawn"].split(";") == list(phantom.structures)
        assert float(row["pixel_size_mm"]) == pytest.approx(phantom.pixel_size_mm, abs=1e-5)


def test_a_frame_does_not_depend_on_how_many_are_made(tmp_path):
    write_folder(tmp_path / "few", "NT", 1, 8, size=80)
    write_folder(tmp_path / "many", "NT", 3, 8, size=80)
    assert (tmp_path / "few/nt_000000.png").read_bytes() == (tmp_path / "many/nt_000000.png").read_bytes()


def test_frame_seeds_differ():
    seeds = {frame_seed(seed, index) for seed in range(30) for index in range(30)}
    assert len(seeds) == 900


def test_a_second_plane_extends_the_manifest(tmp_path):
    write_folder(tmp_path, "BPD", 2, 0, size=80)
    write_folder(tmp_path, "NT", 1, 0, size=80, settings="unseen")
    assert [(row["file"], row["settings"]) for row in rows_of(tmp_path)] == [
        ("bpd_000000.png", "train"), ("bpd_000001.png", "train"), ("nt_000000.png", "unseen")
    ]  # fmt: skip


def test_frames_already_there_are_kept(tmp_path):
    path = write_folder(tmp_path, "BPD", 1, 0, size=80)[0]
    before = path.read_bytes()
    with pytest.raises(DatasetError, match="already there"):
        write_folder(tmp_path, "BPD", 2, 1, size=80)
    assert path.read_bytes() == before
    assert len(rows_of(tmp_path)) == 1
    write_folder(tmp_path, "BPD", 2, 1, size=80, overwrite=True)
    assert path.read_bytes() != before
    assert [int(row["seed"]) for row in rows_of(tmp_path)] == [frame_seed(1, 0), frame_seed(1, 1)]


def test_masks_lie_beside_the_frames(tmp_path):
    write_folder(tmp_path, "NT", 1, 3, size=90, masks=True)
    phantom = generate("NT", frame_seed(3, 0), size=90)
    assert np.array_equal(read(tmp_path / "nt_000000_mask.png"), phantom.labels)


def test_raw_screens_have_a_clean_twin(tmp_path):
    write_folder(tmp_path, "BPD", 1, 3, raw="siemens", masks=True)
    screen = raw_screen("BPD", frame_seed(3, 0), scanner="siemens")
    assert np.array_equal(read(tmp_path / "bpd_000000.png"), screen.pixels)
    assert np.array_equal(read(tmp_path / "bpd_000000_clean.png"), screen.clean)
    assert np.array_equal(read(tmp_path / "bpd_000000_mask.png"), screen.labels)
    row = rows_of(tmp_path)[0]
    assert (row["scanner"], row["rows"], row["columns"]) == ("siemens", "768", "1024")
    assert row["overlay"].split(";") == list(screen.drawn)


def test_cancelling_keeps_what_was_written(tmp_path):
    def stop(share):
        if share == 0.5:
            raise Cancelled("Stopped half-way.")

    with pytest.raises(Cancelled):
        write_folder(tmp_path, "BPD", 4, 0, size=80, progress=stop)
    assert sorted(path.name for path in tmp_path.glob("*.png")) == ["bpd_000000.png", "bpd_000001.png"]
    assert len(rows_of(tmp_path)) == 2


def test_progress_counts_to_the_end(tmp_path):
    seen = []
    write_folder(tmp_path, "CRL", 2, 0, size=80, progress=seen.append)
    assert seen == [0.5, 1.0]


def test_nothing_is_written_for_unusable_arguments(tmp_path):
    for arguments in (("BPD", 0, 0), ("ABC", 1, 0)):
        with pytest.raises(ParameterError):
            write_folder(tmp_path / "out", *arguments)
    with pytest.raises(ParameterError):
        write_folder(tmp_path / "out", "BPD", 1, 0, raw="philips")
    assert not list(tmp_path.rglob("*.png"))


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "out").write_text("not a folder")
    with pytest.raises(DatasetError, match="is a file"):
        write_folder(tmp_path / "out", "BPD", 1, 0, size=80)


def test_a_foreign_manifest_is_left_alone(tmp_path):
    (tmp_path / "manifest.csv").write_text("name,class\na.png,BPD\n")
    with pytest.raises(DatasetError, match="no manifest of phantoms"):
        write_folder(tmp_path, "BPD", 1, 0, size=80)
    assert (tmp_path / "manifest.csv").read_text() == "name,class\na.png,BPD\n"


def test_an_empty_folder_has_no_rows(tmp_path):
    assert read_manifest(tmp_path) == {}


class TestSamplesThatShip:
    folder = Path(__file__).resolve().parents[3] / "sample_images"

    def test_every_plane_has_screens_of_both_scanners(self):
        rows = rows_of(self.folder)
        counts = Counter(row["plane"] for row in rows)
        assert {plane for plane, count in counts.items() if count >= 4} == set(PLANES)
        assert {plane for plane, count in counts.items() if count >= 8} >= {"BPD", "CRL", "NT"}
        assert {(row["plane"], row["scanner"]) for row in rows} >= {(p, s) for p in PLANES for s in ("siemens", "ge")}
        assert {row["tint"] for row in rows} >= {"none", "blue", "sepia"}
        assert sum((self.folder / row["file"]).stat().st_size for row in rows) < 12e6

    def test_they_are_what_the_manifest_says(self):
        row = rows_of(self.folder)[-1]
        screen = raw_screen(row["plane"], int(row["seed"]), scanner=row["scanner"])
        kept = read(self.folder / row["file"]).astype(int)
        assert np.abs(kept - screen.pixels).mean() < 1.5  # another processor may round otherwise
