"""Throughput and memory of screening: ``python -m benchmarks.screening [--frames 10000] [--workers 2]``.

Frames are simulated once into a folder: phantoms of all planes, each corrupted in ever other ways, so that no two are
the same. In one run:

a  the bare forward passes of both networks on images that are prepared already, in batches of eight with one for each
   core at a time (the quickest way there is), before and after the screening; against them the whole screening, from
   files to rows on the disk: reading, decoding, cleaning, measuring, both networks, journal;
b  resident memory after a tenth of the frames, at the end, and the peak of the process;
c  the screening against ``model.predict`` of Keras by both models on images that are prepared already;
d  verdicts by the default limits from the rows, with the search for copies;
e  with ``--workers N``, the same files by a local cluster of N processes, which share the cores, against one process
   of as many cores as each of these has, and against the process above, which uses all cores by threads; memory of a
   worker, and whether the rows are the same. Start-up is told apart: until the workers run and have the networks,
   which this process has loaded already (how long that took is told too).

Times are of the clock, and of the processor (all threads) in brackets; those of workers without the process that hands
them files and writes rows.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from benchmarks.sweep import Spent, seconds
from core.cluster import everywhere, local_cluster, sent_to_all
from core.corruption import CORRUPTIONS, corrupt
from core.images import encode_png
from core.library import open_phantom, phantom_id
from core.parallel import cores, in_threads
from core.phantom import PLANES
from core.preprocessing import PreprocessingSettings, clean
from core.screening import (
    JOURNAL_NAME,
    FolderSource,
    Journal,
    Names,
    Networks,
    about,
    default_thresholds,
    judged,
    screen,
)
from core.screening.distributed import screen_by_workers
from core.screening.networks import BATCH
from core.screening.sources import Entry

VARIATIONS = 40
"""Frames made of each phantom."""
BARE_IMAGES = 256
MEGABYTE = 2**20


def write_frames(folder: Path, count: int, size: int | None) -> None:
    """Phantoms and their corrupted twins, as PNG files; those that are there already stay."""
    planes, kinds = list(PLANES), list(CORRUPTIONS)
    settings = PreprocessingSettings()

    def write(number: int) -> None:
        paths = [folder / f"{number:05d}_{variation:02d}.png" for variation in range(VARIATIONS)]
        paths = paths[: max(0, count - number * VARIATIONS)]
        if all(path.is_file() for path in paths):
            return
        pixels = open_phantom(phantom_id(planes[number % len(planes)], "unseen", number)).frame.pixels
        if size is not None:
            pixels = cv2.resize(pixels, (size, size), interpolation=cv2.INTER_AREA)
        cleaned = clean(pixels, settings)
        for variation, path in enumerate(paths):
            kind = kinds[variation % len(kinds)]
            intensity = (
                CORRUPTIONS[kind].slider_maximum * (1 + variation // len(kinds)) / (2 + VARIATIONS // len(kinds))
            )
            image = corrupt(cleaned.gray, kind, intensity, seed=number, sector=cleaned.sector) if variation else pixels
            path.write_bytes(encode_png(image))

    for _ in in_threads(write, range(-(-count // VARIATIONS))):
        pass


def bare(networks: Networks) -> Spent:
    """Both networks on :data:`BARE_IMAGES` prepared images, nothing else: a batch for each core at a time."""
    models = (networks.detector, networks.model)
    images = [np.random.default_rng(0).random((BARE_IMAGES, m.card.size, m.card.size), np.float32) for m in models]

    def judge(start: int) -> None:
        for model, image in zip(models, images, strict=True):
            model.network.forward(image[start : start + BATCH])

    return seconds(lambda: list(in_threads(judge, range(0, BARE_IMAGES, BATCH))))


def keras_predict(networks: Networks) -> Spent:
    """The same by ``model.predict`` of Keras in batches of 32, as whoever has the models alone would do it."""
    models = (networks.detector, networks.model)
    shapes = [(BARE_IMAGES, model.card.size, model.card.size, 3) for model in models]
    images = [np.random.default_rng(0).random(shape, np.float32) for shape in shapes]
    for model, some in zip(models, images, strict=True):
        model.network.model.predict(some[:32], verbose=0)
    return seconds(lambda: [m.network.model.predict(some, verbose=0) for m, some in zip(models, images, strict=True)])


def resident() -> float:
    """Megabytes of this process that are in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / MEGABYTE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=10_000)
    parser.add_argument("--size", type=int, help="side of the frames; that of a scanner's crop otherwise")
    parser.add_argument("--folder", type=Path, help="where frames are kept for the next run")
    parser.add_argument("--model")
    parser.add_argument("--detector")
    parser.add_argument("--workers", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary, "frames")
        folder.mkdir(parents=True, exist_ok=True)
        write_frames(folder, options.frames, options.size)
        measure(options, FolderSource(folder), Path(temporary))


def measure(options: argparse.Namespace, source: FolderSource, out: Path) -> None:
    names = Names.of(options.model, options.detector)
    entries = source.entries()[: options.frames]
    began = time.perf_counter()
    networks = names.load()
    loaded = time.perf_counter() - began
    bare(networks)
    before = bare(networks)
    marks: list[tuple[float, float]] = []
    facts = about(source.title, *names.cards)
    print(
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; {len(entries)} frames, {names.model}, {names.detector}"
    )
    with Journal(out / JOURNAL_NAME, facts) as journal:
        spent = seconds(
            lambda: screen(source, entries, networks, journal, lambda share: marks.append((share, resident())))
        )
        after = bare(networks)
        rows = journal.rows(entries, networks.model.classes)
    rate = len(entries) / spent.clock
    floor = 2 * BARE_IMAGES / (before.clock + after.clock)
    work = (before.processor + after.processor) / (2 * BARE_IMAGES) * len(entries)
    print(
        f"a  screening {spent}, {rate:.1f} frames a second; bare networks {floor:.1f} frames a second "
        f"({before} before and {after} after, of {BARE_IMAGES} frames): {rate / floor:.2f} of the bare rate "
        f"({work / spent.processor:.2f} by processor time)"
    )
    early = next(memory for share, memory in marks if share >= 0.1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"b  memory {early:.0f} MB after a tenth, {marks[-1][1]:.0f} MB at the end; peak {peak:.0f} MB")
    keras = keras_predict(networks)
    print(
        f"c  model.predict of Keras {BARE_IMAGES / keras.clock:.1f} frames a second ({keras}): screening takes "
        f"{BARE_IMAGES / keras.clock / rate:.2f} of its time"
    )
    verdicts = seconds(lambda: judged(rows, default_thresholds(*names.cards)))
    counts = judged(rows, default_thresholds(*names.cards))["verdict"].value_counts().to_dict()
    print(f"d  verdicts {verdicts}: {counts}")
    if options.workers:
        each = max(1, cores() // options.workers)
        alone, shared = (
            by_workers(count, each, source, entries, networks, out / f"{count}.jsonl", facts)
            for count in (1, options.workers)
        )
        same = all(workers.rows.equals(rows) for workers in (alone, shared))
        print(
            f"e  one worker of {each} core{'s' * (each > 1)} {alone.spent}, {options.workers} such workers "
            f"{shared.spent}: speed-up {alone.spent.clock / shared.spent.clock:.2f}; one process of {cores()} cores "
            f"takes {spent.clock / shared.spent.clock:.2f} of the workers' time; memory of a worker "
            f"{shared.memory:.0f} MB; rows are {'the same' if same else 'NOT the same'}"
        )
        print(
            f"   start-up of one worker {alone.start:.1f} s, of {options.workers} {shared.start:.1f} s, after "
            f"{loaded:.1f} s in which this process loaded the networks"
        )


@dataclass(frozen=True)
class ByWorkers:
    """What workers took: seconds until they were ready, time of the rows, most megabytes of one; and the rows."""

    start: float
    spent: Spent
    memory: float
    rows: pd.DataFrame


def by_workers(
    count: int,
    cores_each: int,
    source: FolderSource,
    entries: Sequence[Entry],
    networks: Networks,
    path: Path,
    facts: dict[str, Any],
) -> ByWorkers:
    """A screening by so many processes into a journal of their own."""
    began = time.perf_counter()
    with (
        local_cluster(count, cores_each) as client,
        sent_to_all(client, networks) as sent,
        Journal(path, facts) as journal,
    ):
        start = time.perf_counter() - began
        before = everywhere(client, time.process_time)
        clock = seconds(lambda: screen_by_workers(client, source.path, entries, sent, journal)).clock
        after = everywhere(client, time.process_time)
        processor = sum(after[worker] - before[worker] for worker in before)
        memory = max(everywhere(client, resident).values())
        return ByWorkers(start, Spent(clock, processor), memory, journal.rows(entries, networks.model.classes))


if __name__ == "__main__":
    main()
