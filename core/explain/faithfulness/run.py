"""Score every method on a sample: faithful, stable, sharp, fast; where it looks; and how far methods agree.

Each method explains the class that the network sees in an image. Maps, scores and curves of a method are kept in the
folder of the work as soon as it is done, so that a run that was stopped goes on where it was; figures over the sample
(:mod:`core.explain.faithfulness.study`) are made of them at the end. Only a chunk of images is ever explained at once.

Two orders by chance are scored beside the methods: *random regions* gives each region of the grid a random value, as
coarse as a class activation map; *random pixels* gives one to each pixel, as fine as a saliency map. Hiding scattered
pixels destroys an image's texture whatever they show, so a fine map has to be held against the second one too.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.datasets import Table
from core.datasets.held_out import examination, is_held_out
from core.errors import DatasetError
from core.explain.agreement import rank_correlation
from core.explain.base import METHODS, Progress, check_classes, check_methods, no_progress
from core.explain.faithfulness.randomisation import randomised
from core.explain.faithfulness.scoring import CURVES, Reference, Scoring, refer, region_map, score_map, stability
from core.explain.faithfulness.study import BASELINES, FILES, FaithfulnessStudy, MethodResult, summarise
from core.explain.localisation import Structures, at_input, structures_of
from core.explain.sample import Sample, open_sample, spread, spread_positions
from core.explain.stored_study import WORK, StudySettings, WorkFolder
from core.files import array_on_disk
from core.library import PHANTOM_ID
from core.parallel import in_threads
from core.zoo.prediction import to_unit

if TYPE_CHECKING:
    from core.zoo.cards import Card
    from core.zoo.prediction import Classifier

CHUNK = 8
"""Images explained in one go."""
COSTLY_LIMIT = 24
COSTLY_WEIGHT = 20
"""How much longer a costly method takes, for the progress shown."""
UNKNOWN = dict.fromkeys(("stability", "sensitivity", "randomisation"), np.nan)
"""What no further maps of an image were drawn for."""
EXPLAINING = 0.5
"""Share of a chunk's progress that is shown for explaining; the rest is for scoring."""


@dataclass(frozen=True)
class FaithfulnessSettings(StudySettings):
    """What a study looks at; ``costly_limit`` is that of the images which methods of many passes explain again, under
    noise and with random weights.

    Attributes
    ----------
    scoring : Scoring
    """

    files = FILES

    costly_limit: int | None = COSTLY_LIMIT
    scoring: Scoring = field(default_factory=Scoring)


def untrained(card: Card, table: Table, source: str = "") -> Table:
    """The rows that the model of ``card`` was not trained on, as far as its card can tell.

    Left out, with a sentence among the problems: HC18's frames of examinations that are not kept for testing, and
    phantoms of the settings models are trained on, if this one was trained on phantoms.

    Parameters
    ----------
    source : str
        Where the table was read, to be held against the command that trained the model.

    Raises
    ------
    DatasetError
        If it is the training data, or no row is left.
    """
    words = card.command.split()
    trained_on = words[words.index("--data") + 1] if "--data" in words[:-1] else ""
    if source and trained_on and Path(source).resolve() == Path(trained_on).resolve():
        raise DatasetError(f"{card.name} was trained on {source}; score it on data it has not seen.")
    real = np.array([examination(path) is not None and not is_held_out(path) for path in table.frame["path"]])
    ids = table.frame.get("image_id", table.frame["path"])
    recipes = [PHANTOM_ID.fullmatch(str(one)) for one in ids]
    drawn = np.array([recipe is not None and recipe["settings"] == "train" for recipe in recipes])
    drawn &= bool(card.training.get("simulated", False))
    if not (real | drawn).any():
        return table
    kept = table.chosen(~(real | drawn))
    sentence = (
        f"Left out, as models may be trained on them: {real.sum()} frames of HC18 examinations not kept for testing, "
        f"and {drawn.sum()} phantoms of the training settings."
    )
    if not len(kept):
        raise DatasetError(f"No image is left to score. {sentence}")
    return Table(kept.frame, kept.layout, kept.simulated, (*kept.problems, sentence))


def run_study(
    model: Classifier,
    table: Table,
    settings: FaithfulnessSettings,
    out: Path,
    *,
    name: str = "",
    command: str = "",
    progress: Progress = no_progress,
) -> FaithfulnessStudy:
    """Explain every image with every method, score the maps, and sum up.

    Parameters
    ----------
    table : Table
        Images the model was not trained on: see :func:`untrained`.
    out : Path
        Where the work is kept, in the folder :data:`WORK`: a method that is done there is not done again.
    name : str
        What the data are called; the table's layout by default.
    command : str
        What makes the study again.
    progress
        May raise :class:`core.errors.Cancelled`.

    Raises
    ------
    ParameterError
        If a method cannot explain the model, or the folder holds the work of other settings.
    DatasetError
        If fewer than two images can be read.
    """
    check_classes(model.card, "A study of faithfulness")
    check_methods(model.card, settings.methods)
    sample, problems = open_sample(model, spread(table, settings.limit))
    work = _Work(out / WORK, _fingerprint(model, sample, settings))
    runner = _Runner(model, sample, settings, work, progress)
    results = runner.run()
    structures = _structures(model, sample)
    about = _about(model, table, sample, settings) | {
        "data": name or table.layout,
        "n_with_structures": sum(one is not None for one in structures),
        "command": command,
        "problems": problems,
    }
    return summarise(model.classes, sample, structures, results, about)


def _about(model: Classifier, table: Table, sample: Sample, settings: FaithfulnessSettings) -> dict[str, Any]:
    return {
        "model": model.card.name,
        "weights_sha256": model.card.weights["sha256"],
        "images_sha256": _hash_of(sample),
        "simulated": table.simulated,
        "n": len(sample),
        "methods": list(settings.methods),
        "signed": [method for method in settings.methods if METHODS[method].is_signed(model.card)],
        "limit": settings.limit,
        "costly_limit": settings.costly_limit,
        "scoring": asdict(settings.scoring),
    }


def _structures(model: Classifier, sample: Sample) -> list[Structures | None]:
    """Of each image at the network's input, where anybody knows them."""

    def one(number: int) -> Structures | None:
        found = structures_of(sample.rows.iloc[number].to_dict())
        frame = sample.frames[number]
        return None if found is None else at_input(found, frame, model.settings, model.card.size)

    return list(in_threads(one, range(len(sample))))


def _fingerprint(model: Classifier, sample: Sample, settings: FaithfulnessSettings) -> dict[str, Any]:
    """All that a method's results depend on but the method itself."""
    return {
        "model": model.card.name,
        "weights": model.card.weights["sha256"],
        "images": _hash_of(sample),
        "costly_limit": settings.costly_limit,
        "scoring": asdict(settings.scoring),
    }


def _hash_of(sample: Sample) -> str:
    """Of all pixels that the network sees."""
    return hashlib.sha256(sample.inputs.tobytes()).hexdigest()


class _Work(WorkFolder):
    """The folder that keeps what is done: maps of a method as ``.npy``, its scores and curves as ``.npz``."""

    def find(self, method: str) -> MethodResult | None:
        """A method's results, its maps left on disk; None where it is not done."""
        maps, arrays = self.folder / f"{method}.npy", self.arrays(method)
        if arrays is None or (method not in BASELINES and not maps.is_file()):
            return None
        return MethodResult(
            {name.removeprefix("measure/"): values for name, values in arrays.items() if name.startswith("measure/")},
            {name: arrays[f"curve/{name}"] for name in CURVES},
            np.load(maps, mmap_mode="r") if maps.is_file() else None,
        )

    def open_maps(self, method: str, shape: tuple[int, ...]) -> np.ndarray:
        """An array (N, S, S) float32 on disk to fill."""
        return array_on_disk(self.folder / f"{method}.npy", np.float32, shape)

    def keep_scores(self, method: str, measures: Mapping[str, np.ndarray], curves: Mapping[str, np.ndarray]) -> None:
        """Write what says that a method is done."""
        arrays = {f"measure/{name}": values for name, values in measures.items()}
        self.keep(method, arrays | {f"curve/{name}": values for name, values in curves.items()})


def _is_costly(method: str) -> bool:
    return method not in BASELINES and METHODS[method].costly


class _Runner:
    """Goes through the methods, one after another."""

    def __init__(
        self, model: Classifier, sample: Sample, settings: FaithfulnessSettings, work: _Work, progress: Progress
    ) -> None:
        self.model = model
        self.sample = sample
        self.settings = settings
        self.scoring = settings.scoring
        self.work = work
        self.images = to_unit(sample.inputs)
        self._random: Classifier | None = None
        self._references: dict[int, Reference] = {}
        self._progress = progress
        self._done = 0.0
        self._total = sum(map(self._weight, (*BASELINES, *settings.methods)))

    def run(self) -> dict[str, MethodResult]:
        """The results of the baselines and all methods."""
        results = {}
        for method in (*BASELINES, *self.settings.methods):
            if self.work.find(method) is None:
                self._score(method)
            results[method] = self.work.find(method)
            self._done += self._weight(method)
            self._report(0)
        return results

    @property
    def random_network(self) -> Classifier:
        """The model with random weights, made once."""
        if self._random is None:
            self._random = randomised(self.model, self.scoring.seed)
        return self._random

    def _explained_again(self, method: str) -> set[int]:
        """The images whose map a method also draws under noise and with random weights."""
        return set(spread_positions(self.sample.labels, self.settings.costly_limit if _is_costly(method) else None))

    def _weight(self, method: str) -> float:
        maps = len(self.sample) + (1 + self.scoring.copies) * len(self._explained_again(method))
        return maps * (COSTLY_WEIGHT if _is_costly(method) else 1)

    def _report(self, weight: float) -> None:
        self._progress(min((self._done + weight) / self._total, 1.0))

    def _score(self, method: str) -> None:
        """Explain and score the images of a method, chunk by chunk, and keep the results."""
        n = len(self.sample)
        share = self._weight(method) / n
        is_method = method not in BASELINES
        maps = self.work.open_maps(method, (n, *self.images.shape[1:])) if is_method else None
        if is_method and not _is_costly(method):
            # The first call compiles; it is not the method that takes that long.
            self._explain(method, list(range(min(CHUNK, n))), 0, 0)
        rows, curves = [], []
        for start in range(0, n, CHUNK):
            chunk = list(range(start, min(start + CHUNK, n)))
            if is_method:
                values, more = self._explained(method, chunk, start * share, EXPLAINING * share * len(chunk))
                maps[start : start + len(chunk)] = values
            else:
                values = np.stack([self._by_chance(method, position) for position in chunk])
                more = [{} for _ in chunk]
            for index, (position, one, extra) in enumerate(zip(chunk, values, more, strict=True), start=1):
                scores = score_map(self.model, self._reference(position), one, self.scoring)
                rows.append(scores.measures | extra)
                curves.append(scores.curves)
                self._report((start + EXPLAINING * len(chunk) + (1 - EXPLAINING) * index) * share)
        if maps is not None:
            maps.flush()
        self.work.keep_scores(
            method,
            {name: np.array([row[name] for row in rows]) for name in rows[0]},
            {name: np.stack([one[name] for one in curves]) for name in CURVES},
        )

    def _explained(
        self, method: str, chunk: list[int], done: float, weight: float
    ) -> tuple[np.ndarray, list[dict[str, float]]]:
        """Maps (n, S, S) of some images, and the measures that take further maps."""
        copies = self.scoring.copies
        again = [position for position in chunk if position in self._explained_again(method)]
        part = weight / (len(chunk) + (1 + copies) * len(again))
        started = time.perf_counter()
        maps = self._explain(method, chunk, done, part * len(chunk))
        seconds = (time.perf_counter() - started) / len(chunk)
        more = {position: UNKNOWN | {"seconds": seconds} for position in chunk}
        if again:
            done += part * len(chunk)
            part *= len(again)
            noisy = [self._explain(method, again, done + copy * part, part, copy=copy) for copy in range(copies)]
            elsewhere = self._explain(method, again, done + copies * part, part, model=self.random_network)
            for index, position in enumerate(again):
                values = maps[chunk.index(position)]
                likeness = rank_correlation(values, elsewhere[index])
                more[position] |= stability(values, np.stack([one[index] for one in noisy]))
                more[position] |= {"randomisation": np.nan if likeness is None else likeness}
        return maps, list(more.values())

    def _explain(
        self,
        method: str,
        chunk: list[int],
        done: float,
        weight: float,
        *,
        copy: int | None = None,
        model: Classifier | None = None,
    ) -> np.ndarray:
        """Maps of some images, or of a noisy copy of each, by the model or another one."""
        images = self.images[chunk] if copy is None else np.stack([self._noisy(position, copy) for position in chunk])
        targets = self.sample.targets[chunk]
        return METHODS[method].explain(
            model or self.model, images, targets, lambda share: self._report(done + share * weight)
        )

    def _noisy(self, position: int, copy: int) -> np.ndarray:
        generator = np.random.default_rng([self.scoring.seed, position, 2, copy])
        noise = generator.normal(0, self.scoring.noise, self.images[position].shape)
        return np.clip(self.images[position] + noise, 0, 1).astype(np.float32)

    def _by_chance(self, baseline: str, position: int) -> np.ndarray:
        generator = np.random.default_rng([self.scoring.seed, position, 3])
        if baseline == "random_pixels":
            return generator.random(self.images[position].shape, np.float32)
        regions = region_map(self.images.shape[1], self.scoring.grid)
        return generator.random(self.scoring.grid**2, np.float32)[regions]

    def _reference(self, position: int) -> Reference:
        if position not in self._references:
            self._references[position] = refer(
                self.model, self.images[position], position, int(self.sample.targets[position]), self.scoring
            )
        return self._references[position]
