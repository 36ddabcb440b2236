"""The work of a study: models x kinds x intensities x images in one pass.

A cleaned frame is corrupted once for each kind and intensity and shared by all models. Threads read, clean, corrupt,
compare and finish a few frames ahead, while the caller's thread has the models predict large batches; so memory stays
bounded whatever the number of images. Every finished batch is kept in a :class:`~core.sweep.store.CellStore` at once:
a sweep that was stopped goes on where it was.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import cv2
import numpy as np
import pandas as pd

from core.corruption import corrupt, get
from core.datasets import read_pixels
from core.datasets.items import item_name
from core.errors import DatasetError, ImageError, ParameterError
from core.parallel import ahead_in_threads, cores
from core.preprocessing import Cleaned, PreprocessingSettings, clean, finish
from core.similarity import READINGS, AllReadings
from core.sweep.grid import Grid
from core.sweep.store import CellStore, key_of
from core.zoo.cards import Card
from core.zoo.prediction import Classifier

Progress = Callable[[float], None]
BATCH = 64
"""Inputs handed to a model in one go, which cuts them into batches of its own."""
BLOCK = 16
"""Intensities one thread works through before the models see them."""
OPENED_AHEAD = 2
_FINISHING = ("lower_percentile", "upper_percentile", "median_kernel", "size", "aspect")
"""Settings that act after the corruption; all others decide what the cleaned frame is."""
_PROBE_SHAPE = (96, 128)
_PROBE_PARTS = (0.13, 0.5, 1.0)
"""Frame and parts of the slider by which :func:`behaviour` tells that a corruption has changed."""
SIMILARITIES = tuple(f"ssim_{definition}_{region}" for definition, region in READINGS)


@dataclass
class Seconds:
    """Where the time went, added up over threads but for ``predict``, which is the caller's thread alone."""

    read_and_clean: float = 0.0
    corrupt: float = 0.0
    compare: float = 0.0
    finish: float = 0.0
    predict: float = 0.0
    store: float = 0.0
    whole: float = 0.0


@dataclass(frozen=True)
class Swept:
    """What a sweep gives.

    Attributes
    ----------
    rows : pandas.DataFrame
        One row a model, image and cell: model, image, fingerprint, patient, label, group, kind, intensity, one
        ``p_<class>`` a class, and the similarities named in :data:`SIMILARITIES`.
    problems : tuple of str
        Images that could not be read, one sentence each.
    computed, cells : int
        Answers computed now, and all answers.
    seconds : Seconds
    """

    rows: pd.DataFrame
    problems: tuple[str, ...]
    computed: int
    cells: int
    seconds: Seconds


@dataclass(frozen=True)
class _Cell:
    """One frame under one kind and intensity, and who still needs it."""

    key: str
    kind: str
    intensity: float
    lacks_similarity: bool
    models: tuple[int, ...]


@dataclass(frozen=True)
class _Opened:
    """A frame that was read; where it could not be, no pixels and why in ``note``, which is its name otherwise."""

    position: int
    fingerprint: str
    pixels: np.ndarray | None
    note: str


@dataclass(frozen=True)
class _Job:
    """A block of cells of one frame, for one thread."""

    source: Cleaned
    readings: AllReadings
    seed: tuple[int, int]
    cells: Sequence[_Cell]


@dataclass(frozen=True)
class _Done:
    """Similarities and, by model, keys and inputs of a job's cells."""

    similarities: list[tuple[str, np.ndarray]]
    inputs: dict[int, tuple[list[str], list[np.ndarray]]]
    cells: int
    seconds: dict[str, float] = field(default_factory=dict)


def sweep(
    models: Sequence[Classifier],
    frames: pd.DataFrame,
    grid: Grid,
    *,
    side: int | None = None,
    seed: int = 0,
    store: CellStore | None = None,
    progress: Progress = lambda share: None,
) -> Swept:
    """Run the models over every image, kind and intensity.

    Parameters
    ----------
    models : sequence of Classifier
        Of one task and with the same cleaning; their input sizes and chains may differ.
    frames : pandas.DataFrame
        Columns path, label, patient and group; paths as :func:`core.datasets.read_pixels` takes them.
    grid : dict
        From :func:`core.sweep.grid.make_grid`.
    side : int, optional
        Corrupt the cleaned frame reduced to this square, as the thesis did at 174; its own pixels by default.
    seed : int
        With the image's content it seeds its noise, so that a curve follows the same noise.
    store : CellStore, optional
        Where finished cells are kept and found again; in memory by default.
    progress : callable
        Told the share done; what it raises ends the sweep, and all finished cells are kept.

    Raises
    ------
    ParameterError
        If the models do not go together.
    DatasetError
        If no image can be read.
    """
    check_cards([model.card for model in models])
    store = store or CellStore()
    return _Run(models, frames, grid, side, seed, store, progress).result()


def unfinished(
    models: Sequence[Classifier],
    frames: pd.DataFrame,
    grid: Grid,
    *,
    side: int | None = None,
    seed: int = 0,
    store: CellStore,
) -> pd.DataFrame:
    """Those of the frames of which :func:`sweep` would compute something; what cannot be read is none of them."""
    check_cards([model.card for model in models])
    return _Run(models, frames, grid, side, seed, store, lambda share: None).unfinished_frames()


class _Run:
    """One sweep while it runs."""

    def __init__(
        self,
        models: Sequence[Classifier],
        frames: pd.DataFrame,
        grid: Grid,
        side: int | None,
        seed: int,
        store: CellStore,
        progress: Progress,
    ) -> None:
        self.models, self.frames, self.grid = models, frames.reset_index(drop=True), grid
        self.side, self.seed, self.store, self.progress = side, seed, store, progress
        self.model_keys = [model_key(model) for model in models]
        self.cleaning = cleaning(models[0].settings)
        self.waiting: list[tuple[list[str], list[np.ndarray]]] = [([], []) for _ in models]
        self.seconds = Seconds()
        self.problems: list[str] = []
        self.fingerprints: dict[int, str] = {}
        self.computed = 0
        self.done = 0
        self.cells = len(models) * len(self.frames) * sum(map(len, grid.values()))

    def result(self) -> Swept:
        started = time.perf_counter()
        for done in ahead_in_threads(self._work, self._jobs(), ahead=2 * cores()):
            self._take(done)
        for number in range(len(self.models)):
            self._predict(number)
        if not self.fingerprints:
            raise DatasetError("None of the images could be read; the first reason: " + self.problems[0])
        rows = self._rows()
        self.seconds.whole = time.perf_counter() - started
        return Swept(rows, tuple(self.problems), self.computed, self.cells, self.seconds)

    def unfinished_frames(self) -> pd.DataFrame:
        opened_frames = ahead_in_threads(self._open, range(len(self.frames)), ahead=OPENED_AHEAD, threads=1)
        places = [
            opened.position
            for opened in opened_frames
            if opened.pixels is not None and self._unfinished(opened.fingerprint)
        ]
        return self.frames.loc[places]

    def _jobs(self) -> Iterator[_Job]:
        """Blocks of cells that are not finished, frame after frame; frames wholly finished are not even cleaned."""
        opened_frames = ahead_in_threads(self._open, range(len(self.frames)), ahead=OPENED_AHEAD, threads=1)
        for opened in opened_frames:
            if opened.pixels is None:
                self.problems.append(opened.note)
                self._advance(len(self.models) * sum(map(len, self.grid.values())))
                continue
            if opened.fingerprint in self._seen_in(self.frames["group"][opened.position]):
                self.problems.append(f"{opened.note} shows the same pixels as another image and was left out.")
                self._advance(len(self.models) * sum(map(len, self.grid.values())))
                continue
            self.fingerprints[opened.position] = opened.fingerprint
            cells = self._unfinished(opened.fingerprint)
            if not cells:
                continue
            began = time.perf_counter()
            source = working_frame(clean(opened.pixels, self.cleaning), self.side)
            readings = AllReadings(source.gray, source.sector)
            self.seconds.read_and_clean += time.perf_counter() - began
            seed = (self.seed, int(opened.fingerprint[:8], 16))
            for start in range(0, len(cells), BLOCK):
                yield _Job(source, readings, seed, cells[start : start + BLOCK])

    def _open(self, position: int) -> _Opened:
        path = self.frames["path"][position]
        try:
            pixels = read_pixels(path)
        except ImageError as error:
            return _Opened(position, "", None, f"{item_name(path)}: {error}")
        return _Opened(position, fingerprint(pixels), pixels, item_name(path))

    def _seen_in(self, group: str) -> set[str]:
        return {image for position, image in self.fingerprints.items() if self.frames["group"][position] == group}

    def _cell_keys(self, image: str) -> list[tuple[str, str, float]]:
        """Key, kind and intensity of every cell of an image."""
        settings = self.cleaning.to_dict()
        return [
            (
                key_of(
                    image=image, kind=kind, intensity=intensity, behaviour=behaviour(kind) if intensity else "",
                    seed=self.seed, side=self.side, cleaning=settings,
                ),
                kind,
                intensity,
            )
            for kind, intensities in self.grid.items()
            for intensity in intensities
        ]  # fmt: skip

    def _unfinished(self, image: str) -> list[_Cell]:
        keys = self._cell_keys(image)
        names = [key for key, _, _ in keys]
        compared = self.store.similarities(names)
        answered = [self.store.answers(model, names) for model in self.model_keys]
        cells = []
        for key, kind, intensity in keys:
            lacking = tuple(number for number, found in enumerate(answered) if key not in found)
            if lacking or key not in compared:
                cells.append(_Cell(key, kind, intensity, key not in compared, lacking))
            self._advance(len(self.models) - len(lacking))
        return cells

    def _work(self, job: _Job) -> _Done:
        """In a thread: corrupt, compare and finish a block of cells."""
        similarities: list[tuple[str, np.ndarray]] = []
        inputs: dict[int, tuple[list[str], list[np.ndarray]]] = {number: ([], []) for number in range(len(self.models))}
        spent = dict.fromkeys(("corrupt", "compare", "finish"), 0.0)
        for cell in job.cells:
            began = time.perf_counter()
            image = corrupt(job.source.gray, cell.kind, cell.intensity, seed=job.seed, sector=job.source.sector)
            corrupted = time.perf_counter()
            if cell.lacks_similarity:
                similarities.append((cell.key, job.readings.compare(image)))
            compared = time.perf_counter()
            changed = replace(job.source, gray=image)
            made: dict[tuple[object, ...], np.ndarray] = {}
            for number in cell.models:
                model = self.models[number]
                how = (model.settings, model.card.input["chain"], model.card.size)
                if how not in made:
                    made[how] = finish(changed, model.settings, chain=how[1], size=how[2])
                inputs[number][0].append(cell.key)
                inputs[number][1].append(made[how])
            spent["corrupt"] += corrupted - began
            spent["compare"] += compared - corrupted
            spent["finish"] += time.perf_counter() - compared
        return _Done(similarities, inputs, sum(len(cell.models) for cell in job.cells), spent)

    def _take(self, done: _Done) -> None:
        for name, spent in done.seconds.items():
            setattr(self.seconds, name, getattr(self.seconds, name) + spent)
        began = time.perf_counter()
        self.store.add_similarities(done.similarities)
        self.seconds.store += time.perf_counter() - began
        for number, (keys, images) in done.inputs.items():
            self.waiting[number][0].extend(keys)
            self.waiting[number][1].extend(images)
            while len(self.waiting[number][0]) >= BATCH:
                self._predict(number, BATCH)

    def _predict(self, number: int, most: int | None = None) -> None:
        """Have a model answer its waiting inputs and keep the answers."""
        keys, images = self.waiting[number]
        most = len(keys) if most is None else most
        if not most:
            return
        chosen, self.waiting[number] = keys[:most], (keys[most:], images[most:])
        began = time.perf_counter()
        probabilities = self.models[number].probabilities(np.stack(images[:most]))
        predicted = time.perf_counter()
        self.store.add_answers(self.model_keys[number], chosen, probabilities)
        self.seconds.predict += predicted - began
        self.seconds.store += time.perf_counter() - predicted
        self.computed += most
        self._advance(most)

    def _advance(self, answers: int) -> None:
        if answers:
            self.done += answers
            self.progress(self.done / self.cells)

    def _rows(self) -> pd.DataFrame:
        parts = []
        for position, image in sorted(self.fingerprints.items()):
            keys = self._cell_keys(image)
            names = [key for key, _, _ in keys]
            compared = self.store.similarities(names)
            table = {"kind": [kind for _, kind, _ in keys], "intensity": [intensity for _, _, intensity in keys]}
            table |= dict(zip(SIMILARITIES, np.stack([compared[name] for name in names]).T, strict=True))
            frame = self.frames.loc[position]
            for model, key in zip(self.models, self.model_keys, strict=True):
                answers = self.store.answers(key, names)
                probabilities = np.stack([answers[name] for name in names]).T
                parts.append(
                    pd.DataFrame(
                        {
                            "model": model.card.name,
                            "image": item_name(frame["path"]),
                            "fingerprint": image[:16],
                            "patient": frame["patient"],
                            "label": frame["label"],
                            "group": frame["group"],
                            **table,
                            **{f"p_{name}": row for name, row in zip(model.classes, probabilities, strict=True)},
                        }
                    )
                )
        return pd.concat(parts, ignore_index=True)


def working_frame(cleaned: Cleaned, side: int | None) -> Cleaned:
    """The cleaned frame at its own pixels, or reduced to ``side`` x ``side`` as the thesis did (001 §6, annex 002)."""
    if side is None:
        return cleaned
    sector = cv2.resize(cleaned.sector.astype(np.uint8), (side, side), interpolation=cv2.INTER_NEAREST).astype(bool)
    if not sector.any():  # a sector thinner than a pixel of the reduced frame
        sector[:] = True
    return replace(cleaned, gray=cv2.resize(cleaned.gray, (side, side)), sector=sector)


def cleaning(settings: PreprocessingSettings) -> PreprocessingSettings:
    """The settings that decide the cleaned frame alone; those that act later are the defaults."""
    defaults = PreprocessingSettings()
    return replace(settings, **{name: getattr(defaults, name) for name in _FINISHING})


def model_key(model: Classifier) -> str:
    """A hash of everything that decides a model's answer to a cell."""
    card = model.card
    return key_of(
        weights=card.weights["sha256"],
        preprocessing=model.settings.to_dict(),
        chain=card.input["chain"],
        size=card.size,
        temperature=card.temperature,
    )


def fingerprint(pixels: np.ndarray) -> str:
    """A hash of an image's content."""
    return hashlib.sha256(repr(pixels.shape).encode() + np.ascontiguousarray(pixels).tobytes()).hexdigest()


@lru_cache(maxsize=256)
def behaviour(kind: str) -> str:
    """A hash of what a corruption makes of a fixed frame: one that does something else finds no finished cells."""
    corruption = get(kind)
    frame = np.random.default_rng(0).integers(0, 256, _PROBE_SHAPE, dtype=np.uint8)
    frame = cv2.GaussianBlur(frame, (0, 0), 2)
    sector = np.zeros(_PROBE_SHAPE, bool)
    sector[4:-4, 10:-10] = True
    made = hashlib.sha256()
    for part in _PROBE_PARTS:
        intensity = part * corruption.slider_maximum
        made.update(corruption.apply(frame, intensity, seed=1, sector=sector).tobytes())
    return made.hexdigest()


def check_cards(cards: Sequence[Card]) -> None:
    """Refuse models that do not go together in one sweep.

    Raises
    ------
    ParameterError
        If there is none, one is named twice, or their classes or cleaning differ.
    """
    if not cards:
        raise ParameterError("A sweep needs at least one model; name it with --model.")
    names = [card.name for card in cards]
    if len(set(names)) < len(names):
        raise ParameterError(f"A model is named twice in {', '.join(names)}; name each once.")
    first, *others = cards
    for card in others:
        if (card.task, card.classes) != (first.task, first.classes):
            raise ParameterError(
                f"{first.name} tells {', '.join(first.classes)} apart and {card.name} {', '.join(card.classes)}; "
                "sweep models of one task together."
            )
        mine, theirs = (cleaning(PreprocessingSettings.from_dict(one.preprocessing)) for one in (first, card))
        if mine != theirs:
            raise ParameterError(
                f"{first.name} and {card.name} clean their frames differently; sweep them one at a time."
            )
