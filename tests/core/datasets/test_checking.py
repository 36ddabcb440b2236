"""A data set counted, and everything wrong with it by name."""

import json
import shutil

import pytest

from core import cli
from core.datasets import load, summarise, without_unreadable


@pytest.fixture
def troubled(tmp_path, write_image):
    """Two classes, a third that is empty, a copy, a cut file, a text file called an image, an empty file."""
    for label in ("BPD", "CRL"):
        for number in range(3):
            write_image(tmp_path / label / f"{number}.png")
    (tmp_path / "NT").mkdir()
    shutil.copy(tmp_path / "BPD" / "0.png", tmp_path / "BPD" / "copy.png")
    whole = (tmp_path / "CRL" / "0.png").read_bytes()
    (tmp_path / "CRL" / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "CRL" / "text.png").write_text("no image")
    (tmp_path / "BPD" / "empty.png").touch()
    return tmp_path


def test_unreadable_images_are_left_out_with_the_reason(troubled):
    shares = []
    table = without_unreadable(load(troubled), shares.append)
    assert len(table) == 6
    problem = next(problem for problem in table.problems if problem.kind == "unreadable image")
    assert [name.split(":")[0] for name in problem.names] == ["BPD/empty.png", "CRL/cut.png", "CRL/text.png"]
    assert "zero bytes" in problem.names[0]
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_a_sound_table_comes_back_as_it_is(shape_folder):
    table = load(shape_folder)
    assert without_unreadable(table) is table


def test_the_command_counts_and_names(troubled, capsys):
    assert cli.main(["datasets", "check", str(troubled), "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert row["layout"] == "folders"
    assert row["simulated"] is False
    assert row["n"] == 6
    assert row["counts"] == {"BPD": {"not split": 3}, "CRL": {"not split": 3}}
    assert row["patients"] == {"not split": 6}
    assert {problem["kind"]: problem["names"] for problem in row["problems"]} == {
        "empty class": ["NT"],
        "duplicate image": ["BPD/0.png = BPD/copy.png"],
        "unreadable image": [name for p in row["problems"] if p["kind"] == "unreadable image" for name in p["names"]],
    }
    assert cli.main(["datasets", "check", str(troubled)]) == 0
    text = capsys.readouterr().out
    for name in ("NT", "copy.png", "cut.png", "text.png", "empty.png", "6 real images"):
        assert name in text


def test_counts_are_by_label_and_side(tmp_path, write_image):
    for name in ("000_HC.png", "001_HC.png", "001_2HC.png"):
        write_image(tmp_path / name)
    (tmp_path / "training_set_pixel_size_and_HC.csv").write_text(
        "filename,pixel size(mm),head circumference (mm)\n000_HC.png,1,5\n001_HC.png,1,5\n001_2HC.png,1,5\n"
    )
    summary = summarise(load(tmp_path))
    assert summary.counts.loc["brain"].to_dict() == {"test": 1, "train": 2}
    assert summary.patients == {"test": 1, "train": 1}


def test_phantoms_are_counted_without_simulating_them(capsys):
    assert cli.main(["datasets", "check", "phantom:BPD,NT:4000:unseen", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert row["simulated"] is True
    assert row["counts"] == {"BPD": {"not split": 4000}, "NT": {"not split": 4000}}


@pytest.mark.parametrize(
    "arguments", [["check", "nowhere"], ["check", "phantom:BPD"], ["download", "mnist", "--out", "x"], []]
)
def test_unusable_arguments_are_one_line(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["datasets", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_the_help_of_data_names_every_layout(capsys):
    assert cli.main(["evaluate", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for words in ("folder per class", "FETAL_PLANES_DB", "HC18", "manifest", "plain images", "phantom:PLANES:N"):
        assert words in text
