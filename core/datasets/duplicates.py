"""The same picture twice: found by the bytes of the files, and told by name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import pandas as pd

from core.datasets.items import digest_of, file_and_frame, short_path
from core.datasets.problems import Problem, shortened
from core.datasets.table import Table
from core.library import is_phantom_id
from core.parallel import in_threads

MOST_HELD_OUT = ("test", "validation", "train", "")
"""Which side keeps a picture that stands on several: what was published for testing stays whole."""


def without_duplicates(table: Table) -> Table:
    """The table with every picture at most once, and sentences on what was left out.

    Pictures are the same if their files' bytes are (SHA-256). Only files of equal size are read. One that stands under
    two labels is left out altogether, because nobody knows which is right; one that stands on two sides of a split
    stays on the side that is held out; otherwise the first row stays.
    """
    dropped: list[int] = []
    groups: dict[str, list[list[int]]] = {"labels": [], "sides": [], "copies": []}
    rows = table.frame.reset_index(drop=True)
    for group in _groups(rows["path"]):
        same = rows.loc[group]
        if same["label"].nunique() > 1:
            groups["labels"].append(group)
            dropped += group
            continue
        groups["sides" if same["split"].nunique() > 1 else "copies"].append(group)
        dropped += sorted(group, key=lambda row: MOST_HELD_OUT.index(rows["split"][row]))[1:]
    if not dropped:
        return table
    problems = [
        _problem(groups["labels"], rows, "the same picture under two labels; all of its copies were left out"),
        _problem(groups["sides"], rows, "the same picture on two sides of the split; the held-out side keeps it"),
        _problem(groups["copies"], rows, "the same picture more than once; the first is kept"),
    ]
    told = (problem for problem in problems if problem is not None)
    kept = rows.drop(index=dropped).reset_index(drop=True)
    return Table(kept, table.layout, table.simulated, (*table.problems, *told))


def _groups(paths: pd.Series) -> Iterator[list[int]]:
    """Rows of equal files, two or more each, in the table's order. Phantoms have no file, empty files no picture.

    Frames of loops are equal if the loops are.
    """
    by_size: dict[int, list[int]] = defaultdict(list)
    for row, path in paths.items():
        if not is_phantom_id(path):
            by_size[file_and_frame(path)[0].stat().st_size].append(row)
    candidates = sorted(row for size, rows in by_size.items() if size and len(rows) > 1 for row in rows)
    by_hash: dict[tuple[str, int], list[int]] = defaultdict(list)
    for row, digest in zip(candidates, in_threads(_identity, [paths[row] for row in candidates]), strict=True):
        by_hash[digest].append(row)
    yield from (rows for rows in by_hash.values() if len(rows) > 1)


def _identity(path: str) -> tuple[str, int]:
    file, frame = file_and_frame(path)
    return digest_of(file), frame


def _problem(groups: list[list[int]], rows: pd.DataFrame, what: str) -> Problem | None:
    if not groups:
        return None
    names = [" = ".join(short_path(path) for path in rows.loc[group, "path"]) for group in groups]
    return Problem(f"{len(groups)} time(s) {what}: {shortened(names)}.", "duplicate image", names)
