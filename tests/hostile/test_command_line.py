"""Hostile and broken inputs on the command line: status 2, a sentence for each on standard error, and no trace."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core import cli

from .answers import about, wrong_with
from .archives import archive_cases
from .case import READ, Case
from .channels import PICTURES, cases_for, refused
from .memory import MOST_MB, bounded_memory
from .models import CARD, NAME, WEIGHTS, model_cases, write_model
from .pictures import SECRET, good_picture, noise, picture_cases, saved
from .tables import FORMS, HC18, MODEL, PHANTOMS, PLANES, REVIEWS, table_cases, write_data

# Pillow's and pydicom's remarks on broken metadata, which core silences outside pytest
pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning:PIL"),
    pytest.mark.filterwarnings("ignore::UserWarning:pydicom"),
]
DOOR = "command line, in process"
ROOT = Path(__file__).resolve().parents[2]
SECONDS = 120


@pytest.fixture
def run(capsys):
    """``run(ARGUMENT, ...)``: status and what stands on standard output and standard error."""

    def command(*arguments: object) -> tuple[int, str, str]:
        status = cli.main([str(argument) for argument in arguments])
        return status, *capsys.readouterr()

    return command


@pytest.fixture
def good(tmp_path) -> Path:
    path = tmp_path / "good.png"
    path.write_bytes(saved(noise(shape=(120, 160)), "PNG"))
    return path


def written(folder: Path, number: int, case: Case) -> Path:
    """The case's file in a folder of its own, for many have the same name."""
    path = folder / f"{number:03d}" / case.file.replace(SECRET, "Somebody")
    path.parent.mkdir(parents=True)
    path.write_bytes(case.data)
    return path


def wrong_with_run(case: Case, status: int, error: str) -> list[str]:
    """What is wrong with how a command ended that was given this case alone."""
    complaint = error if status else ""
    found = wrong_with(case, complaint)
    if status not in (0, cli.EXIT_UNUSABLE) or (status and not complaint):
        found.append(f"ends with {status} and {len(error)} letters")
    return found


def test_predict_says_a_line_for_each_refused_picture(run, tmp_path):
    cases = [case for case in cases_for(DOOR, picture_cases(), *PICTURES) if refused(case)]
    assert len(cases) > 200
    paths = [written(tmp_path, number, case) for number, case in enumerate(cases)]
    with bounded_memory():
        status, out, error = run("predict", *paths, "--model", MODEL, "--json")
    assert (status, out) == (2, "")
    lines = error.splitlines()
    assert len(lines) == len(cases)
    wrong = {
        str(case): wrong_with(case, line)
        for case, path, line in zip(cases, paths, lines, strict=True)
        if not line.startswith(f"{path}: ") or wrong_with(case, line.removeprefix(f"{path}: "))
    }
    assert wrong == {}


def test_preprocess_reads_or_refuses_the_others(run, tmp_path, good):
    cases = [case for case in cases_for(DOOR, picture_cases(), *PICTURES) if not refused(case)]
    assert len(cases) > 30
    wrong = {}
    with bounded_memory():
        for number, case in enumerate(cases):
            path = written(tmp_path, number, case)
            with about(case):
                status, out, error = run("preprocess", path, "--out", tmp_path / "out" / str(number))
            assert out == ""
            if problems := wrong_with_run(case, status, error):
                wrong[str(case)] = problems
        assert wrong == {}
        assert run("preprocess", good, "--out", tmp_path / "out" / "good")[0] == 0


def test_screen_refuses_archives_before_it_loads_networks(run, tmp_path):
    cases = cases_for(DOOR, archive_cases(), "ZIP")
    assert len(cases) > 15
    wrong = {}
    for number, case in enumerate(cases):
        path = written(tmp_path, number, case)
        with about(case):
            status, _, error = run("screen", path, "--out", tmp_path / "out")
        if problems := wrong_with_run(case, status, error):
            wrong[str(case)] = problems
    assert wrong == {}
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", [HC18, PLANES, PHANTOMS])
def test_datasets_check(kind, run, tmp_path):
    wrong = {}
    for number, case in enumerate(cases_for(DOOR, table_cases(), kind)):
        folder = tmp_path / str(number)
        write_data(folder, case)
        with about(case):
            status, out, error = run("datasets", "check", folder, "--json")
        problems = wrong_with_run(case, status, error)
        if status == 0 and json.loads(out)["n"] < 1:
            problems.append("is a data set of nothing")
        if problems:
            wrong[str(case)] = problems
    assert wrong == {}
    write_data(tmp_path / "sound", Case(kind, "sound", FORMS[kind].file, FORMS[kind].sound))
    status, out, _ = run("datasets", "check", tmp_path / "sound", "--json")
    assert (status, json.loads(out)["n"]) == (0, 3)


def test_reviews_are_imported_whole_or_not_at_all(run, tmp_path):
    database = f"sqlite:///{tmp_path}/reviews.sqlite"
    path, wrong = tmp_path / "reviews.csv", {}
    for case in cases_for(DOOR, table_cases(), REVIEWS):
        if case.says == READ:
            continue
        path.write_bytes(case.data)
        with about(case):
            status, _, error = run("reviews", "import", path, "--database", database)
        if problems := wrong_with_run(case, status, error):
            wrong[str(case)] = problems
    assert wrong == {}
    path.write_bytes(FORMS[REVIEWS].sound)
    status, out, _ = run("reviews", "import", path, "--database", database)
    assert status == 0
    assert "of 3 reviews" in out


def test_models(run, tmp_path, good):
    """Cards are refused before TensorFlow loads, or as soon as the network is to be built."""
    cases = cases_for(DOOR, model_cases(), CARD, WEIGHTS)
    assert len(cases) > 90
    wrong = {}
    for number, case in enumerate(cases):
        write_model(tmp_path / str(number), case)
        with about(case):
            status, out, error = run("predict", good, "--model", tmp_path / str(number) / NAME)
        assert out == "", case
        if problems := wrong_with_run(case, status, error):
            wrong[str(case)] = problems
    assert wrong == {}
    assert run("predict", good, "--model", "cnn_anatomy")[0] == 0


# ---------------------------------------------------------------------------------------------------------------------
# Real processes


def process(*arguments: object) -> tuple[int, str, str, float]:
    """Status, both outputs and the most memory in MB of ``python -m core`` with these arguments."""
    command = [sys.executable, "-m", "core", *map(str, arguments)]
    run = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with ThreadPoolExecutor(2) as readers:
        out, error = readers.submit(run.stdout.read), readers.submit(run.stderr.read)
        _, status, usage = os.wait4(run.pid, 0)
        run.returncode = os.waitstatus_to_exitcode(status)
        return run.returncode, out.result(timeout=SECONDS), error.result(timeout=SECONDS), usage.ru_maxrss / 1024


def the_case(cases, kind: str, what: str) -> Case:
    (found,) = [case for case in cases if (case.kind, case.what) == (kind, what)]
    return found


@pytest.fixture(scope="module")
def commands(tmp_path_factory):
    """Arguments of commands with hostile inputs by what they are, and of a sound one for comparison."""
    folder = tmp_path_factory.mktemp("processes")
    good = folder / "good.png"
    good.write_bytes(saved(noise(shape=(120, 160)), "PNG"))
    pictures, archives, tables, models = picture_cases(), archive_cases(), table_cases(), model_cases()
    numbers = iter(range(1000))

    def file_of(cases, kind: str, what: str) -> Path:
        return written(folder, next(numbers), the_case(cases, kind, what))

    def data_of(kind: str, what: str) -> Path:
        path = folder / f"{next(numbers):03d}"
        write_data(path, the_case(tables, kind, what))
        return path

    out, database = folder / "out", f"sqlite:///{folder}/reviews.sqlite"
    model = write_model(folder / "card", the_case(models, CARD, "a hundred thousand brackets"))
    tiles = "tiles of 1.7 gigabytes in a picture of one pixel"
    passes = "6300 x 6300 in progressive colour claimed and no data"
    blur = ("--kind", "blur", "--intensity", 2, "--out", out / "x.png")
    return {
        "good": ("preprocess", good, "--out", out / "a"),
        "tiles": ("preprocess", file_of(pictures, "TIFF", tiles), "--out", out / "b"),
        "jpeg": ("preprocess", file_of(pictures, "JPEG", passes), "--out", out / "c"),
        "corrupt": ("corrupt", file_of(pictures, "PNG", "6000 x 6000 claimed and no data"), *blur),
        "bomb": ("screen", file_of(archives, "ZIP", "a bomb by ratio"), "--out", out / "d"),
        "no archive": ("screen", file_of(archives, "ZIP", "letters and noise"), "--out", out / "e"),
        "list": ("datasets", "check", data_of(HC18, "the same column twice but for a space")),
        "name": ("datasets", "check", data_of(PLANES, "a name that leads out of the folder")),
        "manifest": ("datasets", "check", data_of(PHANTOMS, "a number as a word")),
        "reviews": ("reviews", "import", file_of(tables, REVIEWS, "a time before all times"), "--database", database),
        "card": ("predict", good, "--model", model),
    }


def test_processes_end_with_two_a_sentence_and_little_memory(commands):
    with ThreadPoolExecutor(2) as pool:
        runs = dict(zip(commands, pool.map(lambda command: process(*command), commands.values()), strict=True))
    status, _, _, usual = runs.pop("good")
    assert status == 0
    for name, (status, out, error, megabytes) in runs.items():
        assert (status, out) == (2, ""), name
        assert wrong_with(Case("process", name, "", b"", r"\.$"), error) == []
        assert megabytes < usual + MOST_MB, name


def test_a_process_reads_the_good_picture_among_many_bad_ones(tmp_path):
    """TensorFlow's own lines stand between ours."""
    cases = [case for case in cases_for(DOOR, picture_cases(), *PICTURES) if refused(case)][::3]
    paths = [written(tmp_path, number, case) for number, case in enumerate(cases)]
    good = tmp_path / "good.png"
    good.write_bytes(good_picture())
    half = len(paths) // 2
    status, out, error, _ = process("predict", *paths[:half], good, *paths[half:], "--model", "cnn_anatomy", "--json")
    assert status == 2
    (row,) = map(json.loads, out.splitlines())
    assert row["path"] == str(good)
    assert "Traceback" not in error
    said = [line for line in error.splitlines() if line.startswith(str(tmp_path))]
    assert [line.split(": ", 1)[0] for line in said] == [str(path) for path in paths]
