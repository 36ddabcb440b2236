"""The work of a screening: every frame of a source read, cleaned, measured and judged once.

One thread reads files, and one for each core decodes, cleans and measures a batch of frames and has the networks judge
it; only a bounded number of frames is held at any time, whatever the size of the archive. Rows go into the journal some
batches at a time: a screening that was stopped or killed goes on where it was.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from traceback import extract_tb
from typing import Any

from core.errors import PlaneLabError
from core.image_formats import is_dicom
from core.images import display_name, read_image
from core.parallel import ahead_in_threads, cores
from core.screening.journal import Journal
from core.screening.measuring import Measured, View, measure
from core.screening.networks import BATCH, Networks, about_models
from core.screening.sources import Entry, Source
from core.zoo.cards import Card

_log = logging.getLogger(__name__)
Progress = Callable[[float], None]
MEASURING = 2
"""Counts up whenever something else is measured: rows of another count do not go together."""
ROWS_AT_ONCE = 4 * BATCH
OPENED_AHEAD = 4
BATCHES_AHEAD = 2
"""Of each thread."""
PROBLEM = "error"


@dataclass(frozen=True)
class _Job:
    """One frame of a file that was read; ``problem`` where it could not be."""

    entry: Entry
    frame: int
    frames: int
    data: bytes
    problem: str = ""


@dataclass(frozen=True)
class Seen:
    """A row in the making, and the images its networks are to judge; None where there is nothing to judge."""

    row: dict[str, Any]
    measured: Measured | None


def about(source: str, model: Card, detector: Card) -> dict[str, Any]:
    """What decides the rows of a source of this title: the head of its journal."""
    return {"source": source, "measuring": MEASURING, **about_models(model, detector)}


def screen(
    source: Source,
    entries: Sequence[Entry],
    networks: Networks,
    journal: Journal,
    progress: Progress = lambda share: None,
) -> int:
    """Make the rows that the journal lacks; the number of rows made.

    Parameters
    ----------
    entries : sequence of Entry
        Those of the source.
    progress : callable
        Told the share done of the files that had no rows yet; what it raises ends the screening, and all finished
        rows are kept.

    Raises
    ------
    PlaneLabError
        Only what ``progress`` raises: a frame that cannot be read or measured is a row that says so.
    """
    missing = [entry for entry in entries if not journal.is_done(entry)]
    made = finished = 0
    for rows in rows_of(source, missing, networks, journal.frames_done):
        journal.add(rows)
        made += len(rows)
        finished += sum(row["frame"] == row["frames"] - 1 for row in rows)
        progress(min(1.0, finished / len(missing)))
    return made


def rows_of(
    source: Source,
    entries: Sequence[Entry],
    networks: Networks,
    frames_done: Callable[[Entry], set[int]] = lambda entry: set(),
) -> Iterator[list[dict[str, Any]]]:
    """The rows of some files of a source, in batches and in the files' order."""
    waiting: list[dict[str, Any]] = []
    jobs = _jobs(source, entries, frames_done)
    batches = iter(lambda: list(islice(jobs, BATCH)), [])
    for rows in ahead_in_threads(lambda batch: _rows(batch, networks), batches, ahead=BATCHES_AHEAD * cores()):
        waiting += rows
        if len(waiting) >= ROWS_AT_ONCE:
            yield waiting
            waiting = []
    if waiting:
        yield waiting


def _jobs(source: Source, entries: Iterable[Entry], frames_done: Callable[[Entry], set[int]]) -> Iterator[_Job]:
    """Frames to be measured; of a cine loop each that has no row yet."""

    def opened(entry: Entry) -> list[_Job]:
        try:
            if entry.problem:
                return [_Job(entry, 0, 1, b"", entry.problem)]
            data = source.read(entry.name)
            frames = _frame_count(data)
        except PlaneLabError as error:
            return [_Job(entry, 0, 1, b"", str(error))]
        done = frames_done(entry)
        return [_Job(entry, frame, frames, data) for frame in range(frames) if frame not in done]

    for jobs in ahead_in_threads(opened, entries, ahead=OPENED_AHEAD, threads=1):
        yield from jobs


def _frame_count(data: bytes) -> int:
    """How many frames a file holds. Raises ImageError for a cine loop that does not hold what it claims."""
    if not is_dicom(data):
        return 1
    from core.dicom import loop_length

    return loop_length(data)


def _seen(job: _Job, views: Sequence[View]) -> Seen:
    """Decode, clean and measure a frame."""
    row = {
        "path": job.entry.name,
        "frame": job.frame,
        "frames": job.frames,
        "stamp": job.entry.stamp,
        "bytes": job.entry.size,
        PROBLEM: job.problem,
    }
    if job.problem:
        return Seen(row, None)
    try:
        measured = measure(read_frame(job.data, job.entry.name, job.frame), views)
    except PlaneLabError as error:
        return Seen(row | {PROBLEM: str(error)}, None)
    except Exception as error:
        # One frame in a hundred thousand must not end a night's work, nor go unnoticed. Kind and place are all that is
        # told: the message may quote a file that holds a name.
        place = extract_tb(error.__traceback__)[-1]
        where = f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}"
        _log.warning("%s while screening a frame", where)
        sentence = f"{display_name(job.entry.name)} makes the program fail ({where}), which is its defect: report it."
        return Seen(row | {PROBLEM: sentence}, None)
    return Seen(row | measured.values, measured)


def read_frame(data: bytes, name: str, frame: int) -> Any:
    """Pixels (H, W) or (H, W, 3) uint8 of one frame of a file.

    Raises
    ------
    ImageError
        If they cannot be read.
    """
    return read_image(data, name.rpartition("/")[2], frame=frame).pixels


def _rows(jobs: Sequence[_Job], networks: Networks) -> list[dict[str, Any]]:
    """In a thread: the rows of a batch of frames, with the networks' answers where a frame was measured."""
    seen = [_seen(job, networks.views) for job in jobs]
    images = [one.measured.images for one in seen if one.measured is not None]
    answers = iter(networks.answers(images) if images else [])
    return [one.row if one.measured is None else one.row | next(answers) for one in seen]
