"""A screening by many processes: blocks of files go to workers, rows come back into one journal.

Each worker reads the files itself, so all must see the source under the same path, with the same program and models;
that is checked first. What limits it: on one machine the networks use all cores in one process already, so that more
processes gain where reading and cleaning wait, and each takes about a gigabyte for TensorFlow; on many machines it is
the disk or network that the frames are read from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.cluster import everywhere, in_workers
from core.errors import ClusterError, PlaneLabError
from core.screening.engine import Progress, about, rows_of
from core.screening.journal import Journal
from core.screening.networks import Names
from core.screening.sources import Entry, Source, open_source

if TYPE_CHECKING:
    from distributed import Client

BLOCK = 64
"""Files handed to a worker in one go: a second's work or so."""


@dataclass(frozen=True)
class Block:
    """Some files for one worker, and the frames of them that have rows already."""

    entries: tuple[Entry, ...]
    done: dict[str, set[int]] = field(default_factory=dict)


def screen_by_workers(
    client: Client,
    path: Path,
    entries: Sequence[Entry],
    names: Names,
    journal: Journal,
    progress: Progress = lambda share: None,
) -> int:
    """As :func:`core.screening.engine.screen`, by the workers of a cluster; the number of rows made.

    Parameters
    ----------
    path : Path
        Of the source, as the workers see it too.

    Raises
    ------
    ClusterError
        If a worker sees other files or models, or too many die; all finished rows are kept.
    """
    _check_workers(client, path, names)
    missing = [entry for entry in entries if not journal.is_done(entry)]
    blocks = (
        Block(part, {entry.name: journal.frames_done(entry) for entry in part})
        for part in (tuple(missing[start : start + BLOCK]) for start in range(0, len(missing), BLOCK))
    )
    made = finished = 0
    for block, rows in in_workers(client, partial(rows_of_block, str(path.resolve()), names), blocks):
        journal.add(rows)
        made += len(rows)
        finished += len(block.entries)
        progress(finished / len(missing))
    return made


def warm_up(client: Client, names: Names) -> None:
    """Have every worker load the networks, which takes some seconds, before the first files are there."""
    everywhere(client, _load, names)


def _load(names: Names) -> str:
    names.load()
    return names.model


def rows_of_block(path: str, names: Names, block: Block) -> list[dict[str, Any]]:
    """In a worker: the rows of some files."""
    batches = rows_of(_source(path), block.entries, names.load(), lambda entry: block.done.get(entry.name, set()))
    return [row for rows in batches for row in rows]


@lru_cache(maxsize=2)
def _source(path: str) -> Source:
    return open_source(Path(path))


def _check_workers(client: Client, path: Path, names: Names) -> None:
    mine = facts_at(str(path.resolve()), names)
    for worker, theirs in everywhere(client, facts_at, str(path.resolve()), names).items():
        if theirs != mine:
            raise ClusterError(
                f"The worker {worker} sees other files, models or another version of the program: {theirs} instead of "
                f"{mine}; give it the same folders and start it anew."
            )


def facts_at(path: str, names: Names) -> str:
    """What a worker would make rows of, and by what."""
    try:
        return str(about(_source(path).title, *names.cards))
    except PlaneLabError as error:
        return str(error)
