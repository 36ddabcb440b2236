"""Copying and moving: never overwriting, verified, undone exactly, and going on after a kill."""

import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest

from core.errors import DatasetError
from core.screening import moving
from core.screening.moving import NAME, keep_files, moved_away, undo
from core.screening.sources import FolderSource, ZipSource

NAMES = ["first/00.png", "first/01.png", "second/10.png"]


def tree(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Content and time of change of every file."""
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def source(archive):
    for path in archive.rglob("*.png"):
        os.utime(path, ns=(10**18, 10**18 + 5))
    return FolderSource(archive)


def test_a_copy_leaves_the_source_and_is_undone(source, tmp_path):
    before, out = tree(source.path), tmp_path / "kept"
    assert keep_files(source, NAMES, out, "copy").done == 3
    assert tree(source.path) == before
    assert {name: tree(out)[name] for name in NAMES} == {name: before[name] for name in NAMES}
    again = keep_files(source, NAMES, out, "copy")
    assert (again.done, again.before) == (0, 3)
    assert undo(out).done == 3
    assert not out.exists()
    assert tree(source.path) == before


def test_a_move_takes_files_away_and_undo_brings_them_back(source, tmp_path):
    before, out = tree(source.path), tmp_path / "kept"
    assert keep_files(source, NAMES, out, "move").done == 3
    assert set(tree(source.path)) == set(before) - set(NAMES)
    assert moved_away(source, out) == NAMES
    assert undo(out).problems == ()
    assert tree(source.path) == before
    assert not out.exists()
    assert moved_away(source, out) == []


def test_nothing_is_overwritten(source, tmp_path):
    out = tmp_path / "kept"
    (out / "first").mkdir(parents=True)
    (out / "first" / "00.png").write_text("mine")
    keep_files(source, NAMES, out, "move")
    assert (out / "first" / "00.png").read_text() == "mine"
    assert (out / "first" / "00 (2).png").is_file()
    undo(out)
    assert (out / "first" / "00.png").read_text() == "mine"
    assert not (out / NAME).exists()
    assert (source.path / "first" / "00.png").is_file()


def test_undo_leaves_what_has_changed_and_says_so(source, tmp_path):
    out = tmp_path / "kept"
    keep_files(source, NAMES, out, "move")
    (out / "first" / "00.png").write_text("edited")
    (source.path / "first" / "01.png").write_text("new")
    found = undo(out)
    assert found.done == 1
    assert len(found.problems) == 2
    assert any("has changed" in text for text in found.problems)
    assert any("differs" in text for text in found.problems)
    assert (out / "first" / "00.png").read_text() == "edited"
    assert (source.path / "first" / "01.png").read_text() == "new"
    (source.path / "first" / "01.png").unlink()
    assert undo(out).done == 1
    assert (source.path / "first" / "01.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("how", ["copy", "move"])
@pytest.mark.parametrize("step", ["_write_new", "_digest", "shutil.copystat"])
def test_a_kill_at_any_step_loses_nothing(source, tmp_path, monkeypatch, how, step):
    before, out = tree(source.path), tmp_path / "kept"

    def killed(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(f"core.screening.moving.{step}", killed)
        with pytest.raises(KeyboardInterrupt):
            keep_files(source, NAMES, out, how)
    assert tree(source.path) == before
    shutil.copytree(out, tmp_path / "other")
    assert undo(out).problems == ()
    assert tree(source.path) == before
    assert not out.exists()
    assert keep_files(source, NAMES, tmp_path / "other", how).done == 3
    kept = set(tree(tmp_path / "other")) - {NAME}
    assert kept == set(NAMES)


@pytest.mark.parametrize("how", ["copy", "move"])
def test_what_a_kill_left_half_written_is_taken_back(source, tmp_path, how):
    before = tree(source.path)
    out = tmp_path / "kept"
    keep_files(source, NAMES[:1], out, how)
    planned = json.loads((out / NAME).read_text().splitlines()[0])
    digest = hashlib.sha256(source.read(NAMES[1])).hexdigest()
    planned |= {"number": 2, "name": NAMES[1], "target": NAMES[1], "sha256": digest}
    planned["origin"] = str(source.path_of(NAMES[1]).resolve())
    with (out / NAME).open("a") as file:
        file.write(json.dumps(planned) + "\n")
    (out / NAMES[1]).touch()
    (out / f"{NAMES[1]}{moving._PARTIAL}").write_bytes(b"half")
    assert undo(out).problems == ()
    assert not out.exists()
    assert tree(source.path) == before


def test_a_torn_last_line_and_a_reserved_name_are_cleared_away(source, tmp_path):
    out = tmp_path / "kept"
    keep_files(source, NAMES[:1], out, "copy")
    lines = (out / NAME).read_text().splitlines()
    planned = json.loads(lines[0]) | {"number": 2, "name": NAMES[1], "target": NAMES[1]}
    (out / NAME).write_text("\n".join([*lines, json.dumps(planned)]) + '\n{"numb')
    (out / NAMES[1]).touch()
    (out / f"{NAMES[1]}{moving._PARTIAL}").write_bytes(b"half")
    assert keep_files(source, NAMES[:2], out, "copy").done == 1
    assert set(tree(out)) == {NAME, *NAMES[:2]}
    undo(out)
    assert not out.exists()


def test_members_of_a_zip_are_copied_and_cannot_be_moved(source, tmp_path):
    path = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", source.path))
    packed = ZipSource(path)
    with pytest.raises(DatasetError, match="--copy-kept"):
        keep_files(packed, NAMES, tmp_path / "kept", "move")
    assert keep_files(packed, NAMES, tmp_path / "kept", "copy").done == 3
    assert (tmp_path / "kept" / NAMES[0]).read_bytes() == (source.path / NAMES[0]).read_bytes()


def test_unfit_folders_are_refused(source, tmp_path):
    with pytest.raises(DatasetError, match="inside the folder"):
        keep_files(source, NAMES, source.path / "kept", "copy")
    with pytest.raises(DatasetError, match="nothing was copied"):
        undo(tmp_path)
    keep_files(source, NAMES, tmp_path / "kept", "copy")
    (tmp_path / "kept" / NAME).write_text("tea\n")
    with pytest.raises(DatasetError, match="damaged"):
        undo(tmp_path / "kept")


def test_a_file_that_is_gone_is_a_problem_and_the_rest_goes_on(source, tmp_path):
    found = keep_files(source, ["first/none.png", *NAMES], tmp_path / "kept", "copy")
    assert found.done == 3
    assert len(found.problems) == 1
