"""Copying or moving the frames that are kept, so that nothing is overwritten and everything can be undone.

Every action is written to a file before it is begun: killed half-way, the same command goes on, and ``undo`` takes back
what was done. A name that is taken by something else gets a number. Before its source is deleted a moved file is read
back and compared; before anything is taken back, it is compared too.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from core.errors import DatasetError, PlaneLabError, StorageError
from core.files import NO_SPACE, append_whole, storage_sentence, storing
from core.locks import lock
from core.screening.sources import FolderSource, Source

NAME = "planelab_actions.jsonl"
COPY, MOVE = "copy", "move"
_PARTIAL = ".planelab-partial"


@dataclass(frozen=True)
class Moved:
    """What was done: files copied or moved, files that already were, and a sentence on each that could not be."""

    done: int
    before: int
    problems: tuple[str, ...]


def keep_files(source: Source, names: Sequence[str], folder: Path, how: str) -> Moved:
    """Copy or move files of a source into a folder, under their own paths.

    Parameters
    ----------
    names : sequence of str
        As the source lists them.
    how : str
        ``copy`` or ``move``.

    Raises
    ------
    DatasetError
        If files are to be moved out of something else than a folder, or the folder is not fit.
    StorageError
        If the folder's disk is full; what was copied or moved before stays so, and the same call goes on from there.
    """
    if how == MOVE and not isinstance(source, FolderSource):
        raise DatasetError("Files can be moved out of a folder only; copy those of a ZIP with --copy-kept.")
    if isinstance(source, FolderSource) and folder.resolve().is_relative_to(source.path.resolve()):
        raise DatasetError(f"{folder} lies inside the folder that is screened; choose a folder outside it.")
    with storing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with _Actions(folder) as actions:
        before, problems = set(actions.finished(source.title)), []
        made = 0
        for name in names:
            if name in before:
                continue
            try:
                _keep(source, name, folder, how, actions)
                made += 1
            except StorageError:
                raise
            except OSError as error:
                if error.errno in NO_SPACE:
                    raise StorageError(storage_sentence(error, folder)) from error
                problems.append(f"{name}: {error.strerror}")
            except PlaneLabError as error:
                problems.append(f"{name}: {error}")
        return Moved(made, len(before & set(names)), tuple(problems))


def moved_away(source: Source, folder: Path) -> list[str]:
    """Files of a source that lie in a folder they were moved to, so that a second run still knows of them."""
    if not (folder / NAME).is_file():
        return []
    with _Actions(folder) as actions:
        return [one["name"] for one in actions.open() if one["how"] == MOVE and one["source"] == source.title]


def undo(folder: Path) -> Moved:
    """Take back what :func:`keep_files` did into a folder: copies are deleted, moved files go back where they were.

    What has changed since is left where it is, with a sentence; running it again takes back what could not be before.

    Raises
    ------
    DatasetError
        If nothing was copied or moved into the folder.
    """
    if not (folder / NAME).is_file():
        raise DatasetError(f"{folder} has no {NAME}, so nothing was copied or moved into it; check the folder.")
    problems, made = [], 0
    with _Actions(folder) as actions:
        for action in reversed(actions.open()):
            problem = _take_back(action, folder)
            if problem:
                problems.append(problem)
            else:
                actions.write({"undone": action["number"]})
                made += 1
        _drop_empty(folder)
        if not problems:
            actions.forget()
    if not problems and not any(folder.iterdir()):
        folder.rmdir()
    return Moved(made, 0, tuple(problems))


def _keep(source: Source, name: str, folder: Path, how: str, actions: _Actions) -> None:
    data = source.read(name)
    digest = hashlib.sha256(data).hexdigest()
    actions.drop_unfinished(source.title, name)
    target = _unused(folder, PurePosixPath(name))
    origin = str(source.path_of(name).resolve()) if isinstance(source, FolderSource) else ""
    number = actions.write(
        {"how": how, "source": source.title, "name": name, "origin": origin, "target": str(target), "sha256": digest}
    )
    path = folder / target
    path.parent.mkdir(parents=True, exist_ok=True)
    _write_new(path, data)
    if _digest(path) != digest:
        path.unlink()
        raise DatasetError("what was written differs from what was read; check the disk")
    if origin:
        shutil.copystat(origin, path)
    if how == MOVE:
        if _digest(Path(origin)) != digest:
            path.unlink()
            raise DatasetError("it changed while it was moved; run again")
        Path(origin).unlink()
    actions.write({"finished": number})


def _write_new(path: Path, data: bytes) -> None:
    """Write a file that is not there, in one step: its name is taken by an empty file, which is then replaced."""
    path.open("xb").close()
    partial = path.with_name(f"{path.name}{_PARTIAL}")
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError:
        _drop_reserved(path)
        raise


def _take_back(action: dict[str, Any], folder: Path) -> str:
    """Undo one action; why not, if it cannot be."""
    path, origin = folder / action["target"], Path(action["origin"])
    _drop_reserved(path)
    if action["how"] == COPY or not path.exists():
        if not path.exists():
            # Begun and never written, or taken back before a kill.
            there = action["how"] == COPY or (origin.exists() and _digest(origin) == action["sha256"])
            return "" if there else f"{action['target']} is gone, and so is {origin}: it cannot be moved back."
        if _digest(path) != action["sha256"]:
            return f"{action['target']} has changed since it was copied and was left where it is."
        path.unlink()
        return ""
    if _digest(path) != action["sha256"]:
        return f"{action['target']} has changed since it was moved and was left where it is."
    _drop_reserved(origin)
    if not origin.exists():
        origin.parent.mkdir(parents=True, exist_ok=True)
        _write_new(origin, path.read_bytes())
        shutil.copystat(path, origin)
    if _digest(origin) != action["sha256"]:
        return f"{origin} is there again and differs from {action['target']}, which was left where it is."
    path.unlink()
    return ""


def _drop_reserved(path: Path) -> None:
    """Take away what a killed run left of a file that it had not written: its name, empty, and the part beside it."""
    path.with_name(f"{path.name}{_PARTIAL}").unlink(missing_ok=True)
    if path.is_file() and not path.stat().st_size:
        path.unlink()


def _unused(folder: Path, name: PurePosixPath) -> PurePosixPath:
    """The file's own path in the folder, with a number where something else has it already."""
    candidate, number = name, 1
    while (folder / candidate).exists() or (folder / candidate).is_symlink():
        number += 1
        candidate = name.with_name(f"{name.stem} ({number}){name.suffix}")
    return candidate


def _drop_empty(folder: Path) -> None:
    for path in sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True):
        if not any(path.iterdir()):
            path.rmdir()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _Actions:
    """The file of actions in a folder, for one run at a time."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        with storing(self.path):
            self._file = self.path.open("ab", buffering=0)
        try:
            lock(self._file)
            self._read()
        except OSError as error:
            self._file.close()
            raise DatasetError(f"Another run copies or moves into {folder}: wait until it has ended.") from error
        except DatasetError:
            self._file.close()
            raise

    def __enter__(self) -> _Actions:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    def _read(self) -> None:
        self._actions: dict[int, dict[str, Any]] = {}
        self._finished: set[int] = set()
        self._lines = whole = 0
        with self.path.open("rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    break
                try:
                    self._note(json.loads(line))
                except (ValueError, KeyError, TypeError) as error:
                    raise DatasetError(
                        f"{self.path} is damaged; nothing was done. Restore it or choose another folder."
                    ) from error
                whole += len(line)
        self._file.truncate(whole)

    def _note(self, entry: dict[str, Any]) -> None:
        if "undone" in entry:
            del self._actions[entry["undone"]]
        elif "finished" in entry:
            self._finished.add(entry["finished"])
        else:
            self._actions[entry["number"]] = entry
        self._lines += 1

    def write(self, entry: dict[str, Any]) -> int:
        """Keep an entry, on the disk when this returns; its number."""
        number = self._lines
        entry = {"number": number, **entry} if "how" in entry else entry
        append_whole(self._file, json.dumps(entry).encode() + b"\n")
        self._note(entry)
        return number

    def open(self) -> list[dict[str, Any]]:
        """Actions that were not undone, in their order."""
        return list(self._actions.values())

    def finished(self, source: str) -> Iterator[str]:
        """Files of a source that were copied or moved to the end."""
        return (
            one["name"] for number, one in self._actions.items() if one["source"] == source and number in self._finished
        )

    def drop_unfinished(self, source: str, name: str) -> None:
        """Take back what a killed run began to do with a file that is still where it was."""
        for number, one in list(self._actions.items()):
            if (one["source"], one["name"]) != (source, name) or number in self._finished:
                continue
            path = self.path.parent / one["target"]
            _drop_reserved(path)
            if path.is_file() and _digest(path) == one["sha256"]:
                path.unlink()
            self.write({"undone": number})

    def forget(self) -> None:
        self.path.unlink()
