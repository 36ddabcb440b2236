"""Nothing that identifies leaves a DICOM file: whatever commands print, log or write is searched for all of it."""

import json
import logging
import shutil
import tempfile
import zipfile
from io import BytesIO
from pathlib import Path

import pandas as pd
import pytest

from core import cli
from core.dicom import read_dicom
from core.images import encode_png
from core.screening import Uploads
from core.screening.report import zip_of_kept
from core.screening.session import open_offered
from core.screening.sources import FolderSource, Nameless

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom", "ignore::UserWarning:core")


@pytest.fixture
def models(model_folders, tmp_path):
    """Copies of the tiny models' folders: recording writes into them."""
    return [Path(shutil.copytree(folder, tmp_path / "models" / folder.name)) for folder in model_folders]


@pytest.fixture
def searched(identified_dicom, tmp_path, caplog, capfd, monkeypatch):
    """``searched(arguments...)`` runs a command and searches all that it prints, logs and writes; its printed lines."""
    caplog.set_level(logging.DEBUG)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    for variable in ("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(variable, str(scratch))

    def run(*arguments, status=0):
        assert cli.main([str(argument) for argument in arguments]) == status
        printed, complained = capfd.readouterr()
        assert identified_dicom.found_in(printed + complained) == set()
        assert identified_dicom.found_in(caplog.text) == set()
        written = [path for path in tmp_path.rglob("*") if path.is_file() and "input" not in path.parts]
        for path in written:
            assert identified_dicom.found_in(path.read_bytes()) == set(), path
            assert identified_dicom.found_in(str(path.relative_to(tmp_path))) == set()
        return printed

    return run


def test_the_file_gives_somebody_away_all_over(identified_dicom):
    found = identified_dicom.found_in(identified_dicom.data)
    assert len(found) > 1500
    assert {"Mustermann", "19870305", "Zq00100020", "Zq00191001", "Zq60000022"} <= found
    picture = read_dicom(identified_dicom.data, keep_outside=True).pixels
    for side in (400, 300, 180):
        assert identified_dicom.found_in(encode_png(picture, side)) == {"burnt-in name"}


def test_commands_on_a_file(searched, models, identified_dicom, tmp_path):
    path, out, (plane, _) = tmp_path / "input" / "scan.dcm", tmp_path / "out", models
    path.parent.mkdir()
    path.write_bytes(identified_dicom.data)
    for frame in (1, 2):
        assert json.loads(searched("predict", path, "--model", plane, "--frame", frame, "--json"))["probabilities"]
        searched("preprocess", path, "--frame", frame, "--out", out / "stages")
        searched("corrupt", path, "--frame", frame, "--kind", "blur", "--intensity", 1, "--out", out / "blur.png")
    searched("explain", path, "--method", "cam", "--model", plane, "--out", out, "--json")
    assert {"01_input.png", "overlay.png", "blur.png"} <= {path.name for path in out.rglob("*.png")}
    path.write_bytes(identified_dicom.data[:-500])
    searched("predict", path, "--model", plane, status=2)
    path.write_bytes(identified_dicom.data.replace(b"MONOCHROME2", b"Mustermann "))
    searched("predict", path, "--model", plane, status=2)


def test_data_folders_named_after_people(searched, models, identified_dicom, tmp_path):
    data, (plane, _) = tmp_path / "input", models
    for label, secret in (("BPD", "Mustermann"), ("CRL", "Erika")):
        folder = data / label / identified_dicom.name
        folder.mkdir(parents=True)
        for path in (folder / f"{secret}.dcm", data / label / f"{secret} 1"):
            # No two files are the same.
            path.write_bytes(identified_dicom.data + f"{label} {path.name}".encode())
    (data / "BPD" / "Erika cut.dcm").write_bytes(identified_dicom.data[:-500])
    row = json.loads(searched("evaluate", "--model", plane, "--data", data, "--record", "scans", "--json"))
    assert row["n"] == 8
    rows = pd.read_csv(plane / "evaluation.csv.gz")
    assert rows["image"].str.fullmatch(r"DICOM [0-9a-f]{8}, frame [12]").all()
    assert set(rows["patient"]) == {f"DICOM patient {number:04d}" for number in (2, 3, 4)}  # 1 is the broken file
    assert "DICOM" in searched("datasets", "check", data, "--json")
    searched("sweep", "--model", plane, "--data", data, "--kind", "blur", "--limit", 1, "--out", tmp_path / "sweep")


def test_screening_on_the_command_line(searched, models, identified_dicom, tmp_path):
    """Its rows call files by their paths, by which kept files are moved and taken back; nothing else is told."""
    data, (plane, detector) = tmp_path / "input", models
    data.mkdir()
    (data / "scan.dcm").write_bytes(identified_dicom.data)
    (data / "cut.dcm").write_bytes(identified_dicom.data[:-500])
    searched("screen", data, "--out", tmp_path / "out", "--model", plane, "--detector", detector, status=2)
    rows = pd.read_csv(tmp_path / "out" / "rows.csv")
    assert rows["path"].tolist() == ["cut.dcm", "scan.dcm", "scan.dcm"]
    assert (tmp_path / "out" / "journal.jsonl").is_file()


def packed(identified):
    content = BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(f"{identified.name}/Erika.dcm", identified.data)
        archive.writestr("a/still.png", b"no picture")
    return content.getvalue()


def test_what_visitors_screen_is_nameless(identified_dicom, tmp_path, monkeypatch):
    folder = tmp_path / "offered"
    (folder / identified_dicom.name).mkdir(parents=True)
    (folder / identified_dicom.name / "IM0001").write_bytes(identified_dicom.data)
    monkeypatch.setenv("PLANELAB_ARCHIVES", str(folder))
    uploads = [(f"{identified_dicom.name}.dcm", identified_dicom.data), ("Erika.zip", packed(identified_dicom))]
    for source, count in ((Uploads(uploads), 3), (open_offered("offered"), 1)):
        entries = source.entries()
        assert len(entries) == count
        assert identified_dicom.found_in(str([source.title, *entries])) == set()
        dicom = [entry.name for entry in entries if "DICOM" in entry.name]
        assert {source.read(name) for name in dicom} == {identified_dicom.data}
        assert entries == source.entries()


def test_a_nameless_file_that_is_gone_is_a_sentence_without_its_name(identified_dicom, tmp_path):
    path = tmp_path / "Erika.dcm"
    path.write_bytes(identified_dicom.data)
    source = Nameless(FolderSource(tmp_path))
    (entry,) = source.entries()
    path.unlink()
    with pytest.raises(Exception, match="cannot be read from its folder or ZIP") as caught:
        source.read(entry.name)
    assert identified_dicom.found_in(f"{caught.value} {caught.value.__cause__}") == set()


def test_kept_loops_are_downloaded_as_pictures(identified_dicom):
    source = Uploads([("Erika.dcm", identified_dicom.data), ("still.png", b"any bytes")])
    (loop,) = [entry.name for entry in source.entries() if "DICOM" in entry.name]
    rows = pd.DataFrame({"path": [loop, loop, "still.png"], "frame": [0, 1, 0], "verdict": ["discard", "keep", "keep"]})
    with zipfile.ZipFile(BytesIO(zip_of_kept(source, rows.assign(bytes=1)))) as archive:
        assert archive.namelist() == [f"{loop} frame 2.png", "still.png"]
        assert archive.read("still.png") == b"any bytes"
        for name in archive.namelist():
            assert identified_dicom.found_in(archive.read(name)) == set()
