"""A screening by many processes: blocks of files go to workers, rows come back into one journal.

Each worker reads the files itself, so all must see the source under the same path, with the same program; that is
checked first. Networks are loaded here and sent as forward passes, so that workers need neither the models' folders nor
TensorFlow. What limits it: on one machine its cores, all of which a single process uses already, by threads; on many
machines the disk or network that the frames are read from, and in the end the one process that hands out the blocks and
writes the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.cluster import Sent, everywhere, in_workers
from core.errors import ClusterError, PlaneLabError
from core.screening.engine import MEASURING, Progress, rows_of
from core.screening.journal import Journal
from core.screening.networks import Networks
from core.screening.sources import Entry, Source, open_source

if TYPE_CHECKING:
    from distributed import Client

BLOCK = 16
"""Files handed to a worker's thread in one go: a second's work or so, for at the end some wait for the last block."""


@dataclass(frozen=True)
class Block:
    """Some files for one worker, and the frames of them that have rows already."""

    entries: tuple[Entry, ...]
    done: dict[str, set[int]] = field(default_factory=dict)


def screen_by_workers(
    client: Client,
    path: Path,
    entries: Sequence[Entry],
    networks: Sent[Networks],
    journal: Journal,
    progress: Progress = lambda share: None,
) -> int:
    """As :func:`core.screening.engine.screen`, by the workers of a cluster; the number of rows made.

    Parameters
    ----------
    path : Path
        Of the source, as the workers see it too.
    networks : Sent
        By :func:`core.cluster.sent_to_all`.

    Raises
    ------
    ClusterError
        If a worker sees other files, or too many die; all finished rows are kept.
    """
    _check_workers(client, path)
    missing = [entry for entry in entries if not journal.is_done(entry)]
    blocks = (
        Block(part, {entry.name: journal.frames_done(entry) for entry in part})
        for part in (tuple(missing[start : start + BLOCK]) for start in range(0, len(missing), BLOCK))
    )
    made = finished = 0
    for block, rows in in_workers(client, partial(rows_of_block, str(path.resolve()), networks), blocks):
        journal.add(rows)
        made += len(rows)
        finished += len(block.entries)
        progress(finished / len(missing))
    return made


def rows_of_block(path: str, networks: Sent[Networks], block: Block) -> list[dict[str, Any]]:
    """In a worker: the rows of some files."""
    batches = rows_of(_source(path), block.entries, networks.value, lambda entry: block.done.get(entry.name, set()))
    return [row for rows in batches for row in rows]


@lru_cache(maxsize=2)
def _source(path: str) -> Source:
    return open_source(Path(path))


def _check_workers(client: Client, path: Path) -> None:
    mine = facts_at(str(path.resolve()))
    for worker, theirs in everywhere(client, facts_at, str(path.resolve())).items():
        if theirs != mine:
            raise ClusterError(
                f"The worker {worker} sees other files or another version of the program: {theirs} instead of {mine}; "
                "give it the same folders and start it anew."
            )


def facts_at(path: str) -> str:
    """Of what a worker would make rows, and the count of what it measures."""
    try:
        return f"{_source(path).title}, measured as of {MEASURING}"
    except PlaneLabError as error:
        return str(error)
