"""Explanation drift: does a map change its mind before the network does?

Each image of a sample is corrupted with growing intensity. At every level a method explains the class that the network
saw in the *clean* image, on the clean image and on the corrupted one, and the two maps are compared by the rank
correlation of all pixels and by the overlap of their highest tenth (:mod:`core.explain.agreement`). Where a corruption
moves what is shown, the corrupted map is laid back first (:meth:`core.corruption.Corruption.warp_back`) and both are
compared where they show the same: for scale up, inside the crop.

What such a number means is told by the *baseline*: how far the clean map agrees, over the same pixels, with the clean
maps of the other images of the same predicted class, on average. A map that agrees with its clean self no better than
with another image's map has nothing left of the image. An explanation counts as **broken** at the first level where its
agreement has fallen more than half of the way from 1 to that baseline; a map that has become constant says nothing
any more and counts as broken too. How much hangs on *half* is told by the stricter *all of the way*, which
:class:`~core.explain.drift_study.DriftStudy` answers as well. A prediction has **flipped** at the first level where the
predicted class is not the clean one. Both are read on the same levels, so "together" means within one step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from core.corruption import get as get_corruption
from core.datasets import Table
from core.errors import ParameterError
from core.explain.agreement import TOP_SHARE, rank_correlation, rank_correlations, top_overlap, top_overlaps
from core.explain.base import Progress, check_classes, check_methods, get_method, no_progress
from core.explain.drift_study import COLUMNS, MEASURES, NUMBERS, DriftStudy
from core.explain.sample import Sample, open_sample, spread, spread_positions
from core.parallel import in_threads
from core.preprocessing import PreprocessingSettings
from core.similarity import Reference
from core.sweep import corrupted_input
from core.zoo.prediction import to_unit

if TYPE_CHECKING:
    from core.zoo.cards import Card
    from core.zoo.prediction import Classifier

STEPS = 12
COSTLY_LIMIT = 6
CHUNK = 8
"""Images whose levels are explained in one go: with 12 levels, full batches."""
COSTLY_WEIGHT = 40
"""How much longer a costly method takes, for the progress shown."""


@dataclass(frozen=True)
class DriftSettings:
    """What a study looks at.

    Attributes
    ----------
    kinds, methods : tuple of str
        Corruptions and methods by name.
    steps : int
        Levels from 0 to the slider's maximum, denser where the corruption is slight: they grow with the square.
    limit, costly_limit : int or None
        Most images, spread evenly over the table's classes and, in these, over its order; ``costly_limit`` is that of
        methods of many passes. None takes all.
    seed : int
        Image ``i`` is corrupted with the seed ``(seed, i)`` at every level, so that it follows the same noise.
    """

    kinds: tuple[str, ...]
    methods: tuple[str, ...]
    steps: int = STEPS
    limit: int | None = None
    costly_limit: int | None = COSTLY_LIMIT
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.kinds or not self.methods:
            raise ParameterError("A drift study needs at least one kind of corruption and one method.")
        for kind in self.kinds:
            get_corruption(kind)
        for method in self.methods:
            get_method(method)
        if self.steps < 3:
            raise ParameterError(f"A drift study needs at least 3 levels of each corruption, not {self.steps}.")
        if any(limit is not None and limit < 2 for limit in (self.limit, self.costly_limit)):
            raise ParameterError("A drift study needs at least 2 images: the map of another one is its baseline.")

    def levels(self, kind: str) -> np.ndarray:
        """The intensities of a kind, (steps,), rising from 0."""
        return get_corruption(kind).slider_maximum * np.linspace(0, 1, self.steps) ** 2


def check_model(card: Card, names: Sequence[str]) -> None:
    """ParameterError if the model of ``card`` has no classes, cannot be explained by a method, or pads its input."""
    check_classes(card, "A drift study")
    check_methods(card, names)
    if PreprocessingSettings.from_dict(card.preprocessing).aspect != "stretch":
        raise ParameterError(
            "A drift study needs a model whose input spans the whole frame; this one's is padded to a square."
        )


def run_study(
    model: Classifier,
    table: Table,
    settings: DriftSettings,
    *,
    name: str = "",
    command: str = "",
    progress: Progress = no_progress,
) -> DriftStudy:
    """Corrupt, explain and compare every image of the sample.

    Parameters
    ----------
    table : Table
        Labels may be empty; they spread the sample and tell accuracy.
    name : str
        What the data are called; the table's layout by default.
    command : str
        What makes the study again, kept with it.
    progress
        May raise :class:`core.errors.Cancelled`.

    Raises
    ------
    ParameterError
        If a method cannot explain the model.
    DatasetError
        If fewer than two images can be read.
    """
    check_model(model.card, settings.methods)
    sample, problems = open_sample(model, spread(table, settings.limit))
    parts = {method: _part(sample, method, settings) for method in settings.methods}
    meter = _Meter(progress, sum(_weight(method, len(part)) for method, part in parts.items()), settings)
    originals = {}
    for method, part in parts.items():
        with meter.piece(_weight(method, len(part))) as shown:
            maps = get_method(method).explain(model, to_unit(sample.inputs[part]), sample.targets[part], shown)
        originals[method] = _Originals(part, maps, sample.targets[part])
    follower = _Follower(model, sample, settings, originals, meter)
    rows = [row for kind in settings.kinds for row in follower.follow(kind)]
    about = asdict(settings) | {
        "model": model.card.name,
        "weights_sha256": model.card.weights["sha256"],
        "data": name or table.layout,
        "simulated": table.simulated,
        "n": len(sample.frames),
        "n_of_method": {method: len(part) for method, part in parts.items()},
        "top_share": TOP_SHARE,
        "command": command,
        "problems": problems,
    }
    return DriftStudy(pd.DataFrame(rows, columns=COLUMNS).astype(dict.fromkeys(NUMBERS, float)), about)


def _part(sample: Sample, method: str, settings: DriftSettings) -> list[int]:
    """Positions of the images a method is tried on."""
    return spread_positions(sample.labels, settings.costly_limit if get_method(method).costly else None)


def _weight(method: str, images: int) -> int:
    return images * (COSTLY_WEIGHT if get_method(method).costly else 1)


class _Meter:
    """Progress over pieces of work: each image is explained clean, and at all levels of all kinds."""

    def __init__(self, progress: Progress, weight_of_images: int, settings: DriftSettings) -> None:
        self._progress = progress
        self._total = weight_of_images * (1 + len(settings.kinds) * settings.steps)
        self._done = 0

    @contextmanager
    def piece(self, weight: int) -> Iterator[Progress]:
        """Gives the progress function of a piece, and counts it as done at its end."""
        yield lambda share: self._progress((self._done + weight * share) / self._total)
        self._done += weight
        self._progress(self._done / self._total)


class _Originals:
    """Clean maps (N, S, S) of a method, for the images at ``positions`` of the sample and their targets (N,)."""

    def __init__(self, positions: list[int], maps: np.ndarray, targets: np.ndarray) -> None:
        self._maps = maps
        self._place = {position: place for place, position in enumerate(positions)}
        self._is_other = (targets[:, None] == targets) & ~np.eye(len(targets), dtype=bool)

    def __contains__(self, position: int) -> bool:
        return position in self._place

    def map(self, position: int) -> np.ndarray:
        return self._maps[self._place[position]]

    def baselines(self, region: np.ndarray) -> dict[str, dict[int, float]]:
        """Measure -> position -> mean agreement inside a region with the other images' maps of the same class.

        NaN where there is no such image, or nothing to compare.
        """
        means = {
            "rank_correlation": self._mean_of_others(rank_correlations(self._maps, region)),
            "top_overlap": self._mean_of_others(top_overlaps(self._maps, TOP_SHARE, region)),
        }
        return {
            measure: {position: float(mean[place]) for position, place in self._place.items()}
            for measure, mean in means.items()
        }

    def _mean_of_others(self, agreement: np.ndarray) -> np.ndarray:
        """(N, N) -> (N,)."""
        counted = self._is_other & np.isfinite(agreement)
        numbers = counted.sum(axis=1)
        sums = np.where(counted, agreement, 0).sum(axis=1)
        return np.where(numbers, sums / np.maximum(numbers, 1), np.nan)


@dataclass(frozen=True)
class _Follower:
    """Follows the sample through the levels of a kind."""

    model: Classifier
    sample: Sample
    settings: DriftSettings
    originals: dict[str, _Originals]
    meter: _Meter

    def follow(self, kind: str) -> Iterator[dict[str, Any]]:
        """The rows of all images and methods under a kind."""
        levels = self.settings.levels(kind).tolist()
        baselines = self._baselines(kind, levels)
        for start in range(0, len(self.sample.frames), CHUNK):
            chunk = list(range(start, min(start + CHUNK, len(self.sample.frames))))
            corrupted = list(in_threads(lambda position: self._corrupted(position, kind, levels), chunk))
            inputs = np.concatenate([images for images, _ in corrupted])
            probabilities = self.model.probabilities(inputs)
            seen = [
                self._seen(position, kind, levels, similarity, answers)
                for position, (_, similarity), answers in zip(
                    chunk, corrupted, np.split(probabilities, len(chunk)), strict=True
                )
            ]
            for method in self.settings.methods:
                yield from self._compare(method, kind, chunk, np.split(inputs, len(chunk)), seen, baselines[method])

    def _baselines(self, kind: str, levels: list[float]) -> dict[str, list[dict[str, dict[int, float]]]]:
        """For each method and level; computed anew only where the region compared has changed."""
        blank = np.zeros(self.sample.inputs.shape[1:], np.float32)
        regions = [get_corruption(kind).warp_back(blank, level)[1] for level in levels]
        found: dict[str, list[dict[str, dict[int, float]]]] = {}
        for method, originals in self.originals.items():
            found[method] = []
            for index, region in enumerate(regions):
                same = index > 0 and np.array_equal(region, regions[index - 1])
                found[method].append(found[method][-1] if same else originals.baselines(region))
        return found

    def _corrupted(self, position: int, kind: str, levels: list[float]) -> tuple[np.ndarray, list[float]]:
        """An image's inputs (M, S, S) uint8 at all levels, and their SSIM in the sector."""
        frame = self.sample.frames[position]
        reference = Reference(frame.gray)
        inputs, similarity = [], []
        for level in levels:
            gray, image = corrupted_input(self.model, frame, kind, level, (self.settings.seed, position))
            inputs.append(image)
            similarity.append(reference.ssim(gray, region=frame.sector))
        return np.stack(inputs), similarity

    def _seen(
        self, position: int, kind: str, levels: list[float], similarity: list[float], probabilities: np.ndarray
    ) -> list[dict[str, Any]]:
        """What holds for all methods, one entry a level."""
        target = self.sample.targets[position]
        image = {
            "number": position,
            "image": self.sample.names[position],
            "patient": self.sample.patients[position],
            "label": self.sample.labels[position],
            "target": self.model.classes[target],
            "kind": kind,
        }
        return [
            image
            | {
                "intensity": level,
                "ssim": score,
                "predicted": self.model.classes[int(answer.argmax())],
                "probability": float(answer[target]),
            }
            for level, score, answer in zip(levels, similarity, probabilities, strict=True)
        ]

    def _compare(
        self,
        method: str,
        kind: str,
        chunk: list[int],
        inputs: list[np.ndarray],
        seen: list[list[dict[str, Any]]],
        baselines: list[dict[str, dict[int, float]]],
    ) -> Iterator[dict[str, Any]]:
        """A method's rows for those of a chunk that it is tried on."""
        originals = self.originals[method]
        tried = [place for place, position in enumerate(chunk) if position in originals]
        if not tried:
            return
        images = to_unit(np.concatenate([inputs[place] for place in tried]))
        targets = np.repeat(self.sample.targets[[chunk[place] for place in tried]], len(baselines))
        with self.meter.piece(_weight(method, len(images))) as shown:
            maps = get_method(method).explain(self.model, images, targets, shown)
        for place, group in zip(tried, np.split(maps, len(tried)), strict=True):
            original = originals.map(chunk[place])
            for values, row, baseline in zip(group, seen[place], baselines, strict=True):
                back, region = get_corruption(kind).warp_back(values, row["intensity"])
                yield row | {
                    "method": method,
                    "rank_correlation": rank_correlation(original, back, region),
                    "top_overlap": top_overlap(original, back, TOP_SHARE, region),
                    **{f"baseline_{measure}": baseline[measure][chunk[place]] for measure in MEASURES},
                }
