"""Kills, full disks, places without rights and lost weights, at the command line.

What was done stays, one sentence says what to do, and the same command goes on. Processes are killed for good (SIGKILL)
half-way; a full disk is a limit on the size of files, which fails in the same calls and needs no rights of its own.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from core import cli
from core.errors import StorageError
from core.screening import open_source
from core.screening.moving import COPY, keep_files

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 120
TRAIN_AGAIN = "python -m core train --again"
TRAINING = (
    "--backbone", "cnn", "--weights", "none", "--size", "32", "--option", "filters=[4,4]", "--dropout", "0",
    "--head-epochs", "1", "--patience", "99", "--epochs", "10",
)  # fmt: skip


@pytest.fixture
def model(classifier, write_model, tmp_path) -> Path:
    """The tiny classifier as a model folder."""
    return write_model(classifier, tmp_path / "models", command=TRAIN_AGAIN)


@pytest.fixture
def detector(tiny_detector, write_model, tmp_path) -> Path:
    """The same network as a detector of two corruptions."""
    return write_model(tiny_detector, tmp_path / "models", command=TRAIN_AGAIN)


@pytest.fixture
def command(capsys):
    """``command("sweep", ...)``: exit status, standard output and the lines of ours on standard error."""

    def run(*arguments) -> tuple[int, str, list[str]]:
        capsys.readouterr()
        status = cli.main([str(one) for one in arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err.splitlines()

    return run


def kill_half_way(is_half_way: Callable[[], bool], *arguments) -> None:
    """Start a command as a process of its own and kill it as soon as it is half-way."""
    process = subprocess.Popen(
        [sys.executable, "-m", "core", *map(str, arguments)],
        cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True,
    )  # fmt: skip
    started = time.monotonic()
    while not is_half_way():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() - started < PATIENCE
        time.sleep(0.005)
    process.kill()
    process.communicate()
    assert process.returncode == -9


def lines_in(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.is_file() else 0


# -- sweeps


def answers_in(path: Path) -> int:
    """How many answers a store of cells holds; none while it is being made."""
    if not path.is_file() or not path.stat().st_size:
        return 0
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=30)
    made = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'answer'").fetchone()[0]
    count = connection.execute("SELECT count(*) FROM answer").fetchone()[0] if made else 0
    connection.close()
    return count


def sweep_of(model: Path, data: Path, out: Path) -> tuple:
    return (
        "sweep",
        "--model",
        model,
        "--data",
        data,
        "--out",
        out,
        "--kind",
        "noise",
        "--grid",
        "severities",
        "--json",
    )


def rows_in(out: Path) -> pd.DataFrame:
    return pd.read_csv(out / "rows.csv.gz", keep_default_na=False)


def test_a_sweep_killed_or_out_of_room_goes_on_and_no_row_is_lost_or_doubled(
    model, shape_folder, tmp_path, command, little_room
):
    given = sweep_of(model, shape_folder, tmp_path / "out")
    cells = tmp_path / "out" / "cells.sqlite"
    kill_half_way(lambda: answers_in(cells) >= 64, *given)
    after_kill = answers_in(cells)
    assert 64 <= after_kill < 6 * 72

    with little_room(cells.stat().st_size + 60_000):
        status, printed, complaints = command(*given)
    assert (status, printed, len(complaints)) == (2, "", 1)
    assert f"The finished cells in {cells} cannot be written" in complaints[0]
    assert "run the same again" in complaints[0]
    kept = answers_in(cells)
    assert after_kill < kept < 6 * 72

    status, printed, _ = command(*given)
    assert status == 0
    assert json.loads(printed)["answers_computed"] == 6 * 72 - kept
    found = rows_in(tmp_path / "out")
    assert not found.duplicated(["image", "label", "intensity"]).any()
    assert command(*sweep_of(model, shape_folder, tmp_path / "whole"))[0] == 0
    pd.testing.assert_frame_equal(found, rows_in(tmp_path / "whole"), atol=1e-5)


def test_tables_for_which_there_is_no_room_leave_the_older_ones(model, shape_folder, tmp_path, command, little_room):
    given = (*sweep_of(model, shape_folder, tmp_path / "out"), "--limit", 2, "--record", "shapes")
    assert command(*given)[0] == 0
    before = {path: path.read_bytes() for path in (*model.rglob("*"), *(tmp_path / "out").iterdir()) if path.is_file()}
    with little_room(200):
        status, _, complaints = command(*given)
    assert (status, len(complaints)) == (2, 1)
    assert "There is no room for" in complaints[0]
    assert {path: path.read_bytes() for path in before} == before


# -- screenings


@pytest.fixture
def archive(tmp_path, shape) -> Path:
    folder = tmp_path / "archive"
    folder.mkdir()
    for number in range(240):
        cv2.imwrite(str(folder / f"{number:03d}.png"), shape(("BPD", "CRL", "NT")[number % 3], 100 + number))
    return folder


def test_a_screening_killed_or_out_of_room_goes_on_and_no_row_is_lost_or_doubled(
    model, detector, archive, tmp_path, command, little_room
):
    out = tmp_path / "out"
    given = ("screen", archive, "--model", model, "--detector", detector, "--out", out)
    journal = out / "journal.jsonl"
    kill_half_way(lambda: lines_in(journal) > 32, *given)
    after_kill = lines_in(journal)
    assert 32 < after_kill < 241

    with little_room(journal.stat().st_size + 30_000):
        status, _, complaints = command(*given)
    assert (status, len(complaints)) == (2, 1)
    assert f"There is no room for {journal}" in complaints[0]
    kept = lines_in(journal)
    assert after_kill < kept < 241
    assert journal.read_bytes().endswith(b"}\n")

    assert command(*given)[0] == 0
    rows = [json.loads(line) for line in journal.read_text().splitlines()[1:]]
    assert len(rows) == len({row["path"] for row in rows}) == 240
    table = (out / "rows.csv").read_bytes()
    with little_room(5000):
        status, _, complaints = command(*given)
    assert (status, len(complaints)) == (2, 1)
    assert "There is no room for" in complaints[0]
    assert (out / "rows.csv").read_bytes() == table


def test_copies_for_which_there_is_no_room_are_made_later(archive, tmp_path, little_room):
    for path in sorted(archive.iterdir())[12:]:
        path.unlink()
    # The fifth is larger than the room.
    cv2.imwrite(str(archive / "004.png"), np.random.default_rng(0).integers(0, 256, (200, 200), np.uint8))
    names, target = [path.name for path in sorted(archive.iterdir())], tmp_path / "kept"
    with little_room(20_000), pytest.raises(StorageError, match="There is no room for"):
        keep_files(open_source(archive), names, target, COPY)
    assert sorted(path.name for path in target.glob("*.png")) == names[:4]
    moved = keep_files(open_source(archive), names, target, COPY)
    assert (moved.done, moved.before, moved.problems) == (8, 4, ())
    assert [(target / name).read_bytes() for name in names] == [(archive / name).read_bytes() for name in names]


# -- training


def test_a_training_killed_or_out_of_room_gives_the_weights_of_one_that_ran_through(
    shape_folder, tmp_path, command, little_room
):
    def training(out: Path) -> tuple:
        return ("train", "--data", shape_folder, "--out", out, *TRAINING)

    out = tmp_path / "model"
    history, state = out / "history.csv", out / "checkpoint" / "state.npz"
    # The header and two epochs.
    kill_half_way(lambda: lines_in(history) >= 3 and state.is_file(), *training(out))
    done = lines_in(history) - 1
    assert 2 <= done < 10
    assert not (out / "card.json").exists()

    before = state.read_bytes()
    with little_room(len(before) // 2):
        status, _, complaints = command(*training(out))
    assert status == 2
    assert [line for line in complaints if "There is no room for" in line] == complaints[-1:]
    assert state.read_bytes() == before

    status, printed, _ = command(*training(out))
    assert status == 0
    # The epoch that was killed is done again; what was finished is not.
    assert f"epoch {done + 1}/10" in printed
    assert f"epoch {done - 1}/10" not in printed
    assert sorted(path.name for path in out.iterdir()) == ["card.json", "history.csv", "weights.npz"]
    assert pd.read_csv(history)["epoch"].tolist() == [*range(10)]
    assert command(*training(tmp_path / "whole"))[0] == 0
    resumed, whole = (np.load(folder / "weights.npz") for folder in (out, tmp_path / "whole"))
    for name in whole.files:
        np.testing.assert_allclose(resumed[name], whole[name], rtol=1e-3, atol=1e-4, err_msg=name)


def test_features_for_which_there_is_no_room_are_a_sentence_before_they_are_computed(
    shape_folder, tmp_path, command, little_room
):
    """A disk that fills up under a file mapped into memory would kill the process."""
    given = ("train", "--data", shape_folder, "--out", tmp_path / "model", *TRAINING, "--fine-tune", "block1_pool")
    with little_room(100_000):
        status, _, complaints = command(*given)
    assert status == 2
    assert "There is no room for" in complaints[-1]
    assert "features" in complaints[-1]
    assert not list((tmp_path / "model" / "features").glob("*.npy"))


# -- places that cannot be written, before the work


@pytest.mark.parametrize(
    "arguments",
    [
        ("train", "--data", "DATA", "--out", "PLACE", *TRAINING),
        ("train", "--data", "DATA", "--out", "FREE", "--cache", "PLACE", *TRAINING),
        ("search", "--data", "DATA", "--out", "PLACE", "--cache", "FREE", "--backbone", "cnn", "--weights", "none"),
        ("sweep", "--model", "MODEL", "--data", "DATA", "--out", "PLACE"),
        ("screen", "DATA", "--model", "MODEL", "--out", "FREE", "--copy-kept", "PLACE"),
        ("faithfulness", "--model", "MODEL", "--data", "DATA", "--out", "PLACE"),
        ("drift", "--model", "MODEL", "--data", "DATA", "--out", "PLACE"),
        ("corrupt", "DATA/NT/000.png", "--kind", "blur", "--intensity", "1", "--out", "PLACE.png"),
        ("reviews", "export", "--out", "PLACE"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_place_that_cannot_be_made_is_told_before_the_work(model, shape_folder, tmp_path, command, arguments):
    (tmp_path / "notes.txt").write_text("a file")
    place = tmp_path / "notes.txt" / "deep" / "out"
    words = {"DATA": shape_folder, "MODEL": model, "FREE": tmp_path / "free", "PLACE": place}
    for word, path in words.items():
        arguments = [argument.replace(word, str(path)) for argument in arguments]
    status, printed, complaints = command(*arguments)
    assert (status, printed, len(complaints)) == (2, "", 1)
    assert "notes.txt is no folder; choose another place." in complaints[0]
    assert not (tmp_path / "free").exists()


@pytest.fixture
def locked_model(model, read_only):
    """The model where this process can read it and not write; as somebody else where we are root."""
    return read_only(lambda folder: shutil.copytree(model, folder, dirs_exist_ok=True))


@pytest.mark.parametrize(
    "arguments",
    [
        ("evaluate", "--data", "DATA", "--record", "shapes"),
        ("sweep", "--data", "DATA", "--out", "OUT", "--record", "shapes"),
        ("faithfulness", "--data", "DATA", "--out", "OUT", "--record", "shapes"),
        ("perturbation", "--data", "DATA", "--out", "OUT", "--record", "shapes"),
        ("calibrate", "--data", "DATA"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_models_that_may_not_be_written_are_told_before_the_work(locked_model, command, arguments):
    name, *others = (str(locked_model.parent / "out") if word == "OUT" else word for word in arguments)
    status, printed, complaints = command(name, "--model", locked_model, *others)
    assert (status, printed, len(complaints)) == (2, "", 1)
    assert "may not be written: it is read-only or somebody else's" in complaints[0]


# -- weights


@pytest.mark.parametrize("how", ["missing", "cut short", "overwritten"])
def test_lost_weights_are_a_sentence_with_the_way_to_get_them_back(model, shape_folder, command, how):
    path = model / "weights.npz"
    content = path.read_bytes()
    if how == "missing":
        path.unlink()
    else:
        path.write_bytes(content[: len(content) // 2] if how == "cut short" else bytes(len(content)))
    given = ("predict", shape_folder / "NT" / "000.png", "--model", model, "--json")
    status, printed, complaints = command(*given)
    assert (status, printed, len(complaints)) == (2, "", 1)
    assert "The weights of model 'tiny' are not" in complaints[0]
    assert ("run: python -m core train --again" if how == "missing" else "restore") in complaints[0]
    path.write_bytes(content)
    assert command(*given)[0] == 0
