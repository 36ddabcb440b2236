"""Finished cells of a sweep in one SQLite file: what is in it is never computed again.

A cell is one frame under one kind and intensity. Its key is a hash of everything that decides it (the frame's pixels,
the cleaning, the working side, the seed, the corruption and what it does), a model's key of everything that decides its
answer; so a changed model, image or corruption finds nothing and is computed anew.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import DatasetError, StorageError

Content = tuple[list[tuple[Any, ...]], ...]
_ASKED_AT_ONCE = 500  # SQLite limits the placeholders of one question


def key_of(**parts: Any) -> str:
    """A hash of named values that JSON can hold."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


class CellStore:
    """Similarities and answers of cells, on disk or, without a path, in memory.

    Raises
    ------
    DatasetError
        If the file is no such store.
    StorageError
        If it can no longer be written or read, then or later; what was added before is kept.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        try:
            self._file = sqlite3.connect(path or ":memory:")
            self._file.execute("PRAGMA synchronous = OFF")
            self._file.execute("CREATE TABLE IF NOT EXISTS similarity (cell TEXT PRIMARY KEY, numbers BLOB)")
            self._file.execute(
                "CREATE TABLE IF NOT EXISTS answer (model TEXT, cell TEXT, numbers BLOB, PRIMARY KEY (model, cell))"
            )
        except sqlite3.OperationalError as error:
            raise self._unusable(error) from error
        except sqlite3.DatabaseError as error:
            raise DatasetError(
                f"{path} holds no finished cells of a sweep ({error}); remove it or choose another folder with --out."
            ) from error

    def close(self) -> None:
        self._file.commit()
        self._file.close()

    def similarities(self, cells: Sequence[str]) -> dict[str, np.ndarray]:
        """Similarity of the cells that are there, each (D,) float64."""
        return self._read("SELECT cell, numbers FROM similarity WHERE cell IN ({})", (), cells)

    def answers(self, model: str, cells: Sequence[str]) -> dict[str, np.ndarray]:
        """Probabilities (K,) float64 that a model gave of the cells that are there."""
        return self._read("SELECT cell, numbers FROM answer WHERE model = ? AND cell IN ({})", (model,), cells)

    def add_similarities(self, items: Iterable[tuple[str, np.ndarray]]) -> None:
        rows = [(cell, np.asarray(numbers, np.float64).tobytes()) for cell, numbers in items]
        with self._working():
            self._file.executemany("INSERT OR REPLACE INTO similarity VALUES (?, ?)", rows)

    def add_answers(self, model: str, cells: Sequence[str], probabilities: np.ndarray) -> None:
        rows = [
            (model, cell, np.asarray(row, np.float64).tobytes()) for cell, row in zip(cells, probabilities, strict=True)
        ]
        with self._working():
            self._file.executemany("INSERT OR REPLACE INTO answer VALUES (?, ?, ?)", rows)

    def content(self) -> Content:
        """All that it holds, to be handed to another store."""
        return tuple(self._file.execute(f"SELECT * FROM {table}").fetchall() for table in ("similarity", "answer"))

    def absorb(self, content: Content) -> None:
        """Take in what another store held."""
        similarities, answers = content
        with self._working():
            self._file.executemany("INSERT OR REPLACE INTO similarity VALUES (?, ?)", similarities)
            self._file.executemany("INSERT OR REPLACE INTO answer VALUES (?, ?, ?)", answers)

    @contextmanager
    def _working(self) -> Iterator[None]:
        """All that is added inside, or nothing."""
        try:
            with self._file:
                yield
        except sqlite3.OperationalError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: sqlite3.OperationalError) -> StorageError:
        return StorageError(
            f"The finished cells in {self.path} cannot be written ({error}): the disk may be full, or the file in use "
            "or read-only. Mend that and run the same again; it goes on from there."
        )

    def _read(self, question: str, first: tuple[str, ...], cells: Sequence[str]) -> dict[str, np.ndarray]:
        found: dict[str, np.ndarray] = {}
        for start in range(0, len(cells), _ASKED_AT_ONCE):
            asked = cells[start : start + _ASKED_AT_ONCE]
            marks = ", ".join("?" * len(asked))
            with self._working():
                for cell, numbers in self._file.execute(question.format(marks), (*first, *asked)):
                    found[cell] = np.frombuffer(numbers, np.float64)
        return found
