"""The rows of a screening as they are made: a file of JSON Lines that is only ever added to.

The first line says of what and by what the rows are made; a run that goes on checks it. Rows are written in batches and
reach the disk before the next ones are made, so that a kill costs one batch at most. A last line that was torn is
dropped, and a batch for which there is no room leaves the file as it was. Of a file that has changed since, the later
rows count.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from core.errors import DatasetError
from core.files import append_whole, storing
from core.locks import lock
from core.screening.sources import Entry

NAME = "journal.jsonl"
VERSION = 1
TEXTS = ("path", "stamp", "error", "sha256", "hash", "label", "corruption", "found")
NUMBERS = (
    "bytes",
    "width",
    "height",
    "sector_share",
    "mean",
    "deviation",
    "information",
    "confidence",
    "typicality",
    "original",
)
_CHUNK = 5000
_Done = tuple[str, int, set[int]]
_NOTHING: _Done = ("", 0, set())


class Journal:
    """The journal in a folder, begun or gone on with; no other run may use it meanwhile, threads of this one may.

    Parameters
    ----------
    path : Path
        Of the file; its folder is made.
    about : dict
        What decides the rows: source, models, version of what is measured.

    Raises
    ------
    DatasetError
        If the file is no journal, is one of something else, or is in use.
    """

    def __init__(self, path: Path, about: Mapping[str, Any]) -> None:
        self.path = path
        self.about = {"version": VERSION, **about}
        self._in_use = threading.Lock()
        with storing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("ab", buffering=0)
        try:
            self._lock()
            self._done = self._go_on()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Append rows; they are on the disk when this returns.

        Raises
        ------
        StorageError
            If there is no room for them; none of them was kept then.
        """
        with self._in_use:
            self._append(rows)
            for row in rows:
                self._note(row)

    def frames_done(self, entry: Entry) -> set[int]:
        """The frames of a file, as it is now, that have a row."""
        stamp, _, frames = self._done.get(entry.name, _NOTHING)
        return set(frames) if stamp == entry.stamp else set()

    def is_done(self, entry: Entry) -> bool:
        """Whether all frames of a file, as it is now, have a row."""
        stamp, count, frames = self._done.get(entry.name, _NOTHING)
        return stamp == entry.stamp and len(frames) >= count

    def entry_of(self, name: str) -> Entry | None:
        """The file of this name as it was when its rows were made; None if it has none."""
        return Entry(name, self._done[name][0], 0) if name in self._done else None

    def rows(self, entries: Iterable[Entry], classes: Sequence[str]) -> pd.DataFrame:
        """All rows of these files as they are now, by path and frame.

        Returns
        -------
        pandas.DataFrame
            :data:`TEXTS`, :data:`NUMBERS`, ``frame``, ``frames`` and one ``p_<class>`` of each of ``classes``; of
            what was not measured empty texts and NaN.
        """
        stamps = {entry.name: entry.stamp for entry in entries}
        numbers = [*NUMBERS, *(f"p_{name}" for name in classes)]
        parts: list[pd.DataFrame] = []
        waiting: list[dict[str, Any]] = []

        def gather() -> None:
            part = pd.DataFrame(waiting, columns=["frame", "frames", *TEXTS, *numbers])
            part[list(TEXTS)] = part[list(TEXTS)].fillna("").astype(object)
            part[numbers] = part[numbers].astype(float)
            parts.append(part.astype({"frame": int, "frames": int}))
            waiting.clear()

        with self._in_use, self.path.open("rb") as file:
            next(file)
            for line in file:
                row = json.loads(line)
                if stamps.get(row["path"]) == row["stamp"]:
                    waiting.append(row)
                if len(waiting) == _CHUNK:
                    gather()
        gather()
        table = pd.concat(parts, ignore_index=True)
        table = table.drop_duplicates(["path", "frame"], keep="last")
        return table.sort_values(["path", "frame"], kind="stable", ignore_index=True)

    def _lock(self) -> None:
        try:
            lock(self._file)
        except OSError as error:
            raise DatasetError(
                f"Another run writes into {self.path.parent}: wait until it has ended, or choose another folder."
            ) from error

    def _go_on(self) -> dict[str, _Done]:
        """Read what is there, and cut off a torn last line; write the first line of a new journal."""
        self._done: dict[str, _Done] = {}
        whole = 0
        with self.path.open("rb") as file:
            for number, line in enumerate(file):
                if not line.endswith(b"\n"):
                    break
                try:
                    row = json.loads(line)
                    self._note(row) if number else self._check(row)
                except (ValueError, KeyError, TypeError) as error:
                    raise DatasetError(
                        f"Line {number + 1} of {self.path} is none of a journal of screening; choose another folder "
                        "with --out, or delete the file and begin anew."
                    ) from error
                whole += len(line)
        self._file.truncate(whole)
        if not whole:
            self._append([self.about])
        return self._done

    def _append(self, rows: Sequence[Mapping[str, Any]]) -> None:
        append_whole(self._file, "".join(json.dumps(row, allow_nan=False) + "\n" for row in rows).encode())

    def _note(self, row: Mapping[str, Any]) -> None:
        stamp, _, frames = self._done.get(row["path"], _NOTHING)
        if stamp != row["stamp"]:
            frames = set()
            self._done[row["path"]] = (row["stamp"], row["frames"], frames)
        frames.add(row["frame"])

    def _check(self, header: Mapping[str, Any]) -> None:
        for key, value in self.about.items():
            if header.get(key) != value:
                raise DatasetError(
                    f"The rows in {self.path} were made with another {key} ({_shown(header.get(key))} instead of "
                    f"{_shown(value)}); choose another folder with --out, or delete the file and begin anew."
                )


def _shown(value: object) -> str:
    return str(value.get("name", value)) if isinstance(value, Mapping) else str(value)
