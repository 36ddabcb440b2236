"""``python -m core screen``: what it writes, prints, copies, moves and takes back."""

import json
import zipfile

import cv2
import numpy as np
import pandas as pd
import pytest

from core import cli
from core.screening.report import chosen_for_sheet, thumbnail

OFF = [
    f"--{verdict}={rule}=off"
    for rule in ("corruption", "confidence", "typicality")
    for verdict in ("review", "discard")
]


@pytest.fixture
def run(model_folders, tmp_path):
    """``run(SOURCE, ...)``: the command with the tiny models, whose random answers are left out of account."""
    model, detector = model_folders

    def command(*arguments, rules=OFF):
        options = ["--model", model, "--detector", detector, "--out", tmp_path / "out"]
        return cli.main([str(one) for one in ("screen", *arguments, *options, *rules)])

    return command


def test_tables_report_and_contact_sheets_agree(run, archive, tmp_path, capsys):
    assert run(archive) == 2
    captured = capsys.readouterr()
    assert len([line for line in captured.err.splitlines() if "cut.png" in line or "empty.png" in line]) == 2
    out = tmp_path / "out"
    table = pd.read_csv(out / "rows.csv")
    assert len(table) == 26
    rows = [json.loads(line) for line in (out / "rows.jsonl").read_text().splitlines()]
    assert [row["path"] for row in rows] == table["path"].tolist()
    assert [row["verdict"] for row in rows] == table["verdict"].tolist()
    assert next(row for row in rows if row["path"] == "cut.png")["mean"] is None
    summary = json.loads((out / "report.json").read_text())
    counts = table["verdict"].value_counts()
    assert {name: one["count"] for name, one in summary["verdicts"].items()} == {
        name: counts.get(name, 0) for name in ("keep", "review", "discard")
    }
    assert summary["frames"] == 26
    assert summary["files"] == 24
    assert summary["left_out"] == 1
    assert summary["reasons"]["unreadable"] == {"review": 0, "discard": 2}
    assert summary["reasons"]["same"] == {"review": 0, "discard": 1}
    kept = sum(one["of_kept"]["count"] for one in summary["classes"].values())
    assert kept == counts["keep"]
    assert all(one["of_kept"]["n"] == kept for one in summary["classes"].values())
    text = (out / "report.md").read_text()
    assert text in captured.out
    assert "| cannot be read | 0 | 2 |" in text
    for verdict in ("keep", "discard"):
        assert cv2.imread(str(out / f"{verdict}.png"), cv2.IMREAD_GRAYSCALE).std() > 5


def test_json_prints_a_row_a_frame_and_nothing_else(run, archive, capsys):
    run(archive, "--json")
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(rows) == 26
    assert {"path", "verdict", "reason", "label", "p_BPD", "original", "mean"} <= set(rows[0])
    assert "Mustermann" not in str(rows)


def test_other_limits_need_no_new_pass(run, archive, tmp_path, capsys):
    run(archive)
    journal = (tmp_path / "out" / "journal.jsonl").read_bytes()
    run(archive, "--review", "dark=250", "--discard", "dark=240")
    assert (tmp_path / "out" / "journal.jsonl").read_bytes() == journal
    assert set(pd.read_csv(tmp_path / "out" / "rows.csv")["verdict"]) == {"discard"}
    assert not (tmp_path / "out" / "keep.png").exists()


def test_kept_files_are_copied_and_taken_back(run, archive, tmp_path, capsys):
    run(archive, "--copy-kept", tmp_path / "kept")
    table = pd.read_csv(tmp_path / "out" / "rows.csv")
    kept = set(table.loc[table["verdict"] == "keep", "path"])
    found = {
        path.relative_to(tmp_path / "kept").as_posix() for path in (tmp_path / "kept").rglob("*.*") if path.is_file()
    }
    assert found - {"planelab_actions.jsonl"} == kept
    assert f"screen --undo {tmp_path / 'kept'}" in capsys.readouterr().err
    assert cli.main(["screen", "--undo", str(tmp_path / "kept")]) == 0
    assert not (tmp_path / "kept").exists()


def test_a_second_move_takes_no_copies_of_what_the_first_took(run, archive, tmp_path, capsys):
    before = {path for path in archive.rglob("*") if path.is_file()}
    run(archive, "--move-kept", tmp_path / "kept")
    first = (tmp_path / "out" / "rows.csv").read_text()
    left = {path for path in archive.rglob("*") if path.is_file()}
    assert archive / "second" / "copy.png" in left
    run(archive, "--move-kept", tmp_path / "kept")
    assert (tmp_path / "out" / "rows.csv").read_text() == first
    assert {path for path in archive.rglob("*") if path.is_file()} == left
    assert cli.main(["screen", "--undo", str(tmp_path / "kept")]) == 0
    assert {path for path in archive.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere"], "no folder"),
        ([], "Name the folder"),
        (["ARCHIVE", "--review", "tea=3"], "no rule 'tea'"),
        (["ARCHIVE", "--review", "dark"], "is not RULE=LIMIT"),
        (["ARCHIVE", "--discard", "dark=60"], "does not even ask"),
        (["ARCHIVE", "--model", "mobilenet_v2_corruption"], "tells no planes apart"),
        (["ARCHIVE", "--detector", "mobilenet_v2_plane"], "detects no corruptions"),
        (["ARCHIVE", "--out", "ARCHIVE/out"], "lies inside"),
        (["ARCHIVE", "--copy-kept", "a", "--move-kept", "b"], "not allowed with"),
        (["EMPTY"], "holds no frame"),
    ],
)
def test_unusable_arguments_are_one_sentence(archive, tmp_path, capsys, arguments, sentence):
    (tmp_path / "empty").mkdir()
    named = {"ARCHIVE": str(archive), "EMPTY": str(tmp_path / "empty"), "ARCHIVE/out": str(archive / "out")}
    arguments = [named.get(one, one) for one in arguments]
    assert (
        cli.main(["screen", *(["--out", str(tmp_path / "out")] if "--out" not in arguments else []), *arguments]) == 2
    )
    captured = capsys.readouterr()
    assert sentence in captured.err
    assert len(captured.err.splitlines()) == 1
    assert not (tmp_path / "out" / "rows.csv").exists()


def test_another_model_is_refused_where_rows_are_already(run, archive, model_folders, tmp_path, capsys):
    run(archive)
    path = tmp_path / "other" / "tiny"
    path.mkdir(parents=True)
    for one in model_folders[0].iterdir():
        (path / one.name).write_bytes(one.read_bytes())
    card = json.loads((path / "card.json").read_text())
    (path / "card.json").write_text(json.dumps(card | {"temperature": 9.0}))
    capsys.readouterr()
    assert run(archive, rules=["--model", str(path)]) == 2
    assert "made with another model" in capsys.readouterr().err


def test_ctrl_c_says_how_to_go_on(run, archive, capsys, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("core.cli.screening._Pace.__call__", interrupted)
    assert run(archive) == 130
    assert "goes on from there" in capsys.readouterr().err


def test_a_zip_is_screened_and_its_kept_members_copied(run, archive, tmp_path, capsys):
    path = tmp_path / "archive.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.write(archive / "first" / "00.png", "set/00.png")
        packed.writestr("../evil.png", b"x")
    assert run(path, "--copy-kept", tmp_path / "kept") == 2
    assert "leads out of it" in capsys.readouterr().err
    assert (tmp_path / "kept" / "set" / "00.png").read_bytes() == (archive / "first" / "00.png").read_bytes()
    assert not (tmp_path / "evil.png").exists()


def test_frames_of_a_sheet_are_spread_over_the_kept_ones(make_rows):
    rows = make_rows(100, verdict="keep", rules="")
    chosen = chosen_for_sheet(rows, "keep", 5)["path"].tolist()
    assert chosen == [rows["path"][place] for place in (0, 25, 50, 74, 99)]
    assert len(chosen_for_sheet(rows, "review", 5)) == 0
    assert len(chosen_for_sheet(rows[:3], "keep", 5)) == 3


def test_a_thumbnail_is_a_square_and_nothing_of_a_file_that_is_gone(archive):
    from core.preprocessing import PreprocessingSettings
    from core.screening import open_source

    source = open_source(archive)
    picture = thumbnail(source, "first/00.png", 0, PreprocessingSettings(), 64)
    assert picture.shape == (64, 64)
    assert np.ptp(picture) > 50
    assert thumbnail(source, "first/none.png", 0, PreprocessingSettings()) is None
