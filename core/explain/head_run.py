"""Run a perturbation study of a regression: every method on a sample of heads, hidden region by region.

Each method's circumferences are kept in the folder of the work as soon as it is done, so that a run that was stopped
goes on where it was; :mod:`core.explain.head_study` makes figures of them at the end. Random orders are followed once
for all methods. Beside the methods stands a map that knows no network: the edges of the image.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.biometry.data import HeadSet, read_heads
from core.datasets import Table
from core.errors import DatasetError, ParameterError
from core.explain.base import METHODS, Progress, check_methods, measures, no_progress
from core.explain.contour import contour_shares, edges, ring_around
from core.explain.head_study import BASELINES, CHANCE, FILES, HeadStudy, MethodResult, summarise
from core.explain.regression_perturbation import Protocol, follow
from core.explain.sample import spread, spread_positions
from core.explain.stored_study import WORK, StudySettings, WorkFolder
from core.zoo.prediction import to_unit

if TYPE_CHECKING:
    from core.zoo.cards import Card
    from core.zoo.heads import HeadRegressor

CHUNK = 8
"""Images explained in one go."""
COSTLY_LIMIT = 40
MAP_PASSES = {True: 400, False: 5}
"""What a map takes by whether its method is costly, in forward passes, for the progress shown."""


@dataclass(frozen=True)
class HeadStudySettings(StudySettings):
    """What a study looks at; methods of many passes explain ``costly_limit`` images and no more.

    Attributes
    ----------
    protocol : Protocol
    """

    files = FILES

    costly_limit: int | None = COSTLY_LIMIT
    protocol: Protocol = field(default_factory=Protocol)


def check_regression(card: Card, methods: tuple[str, ...]) -> None:
    """ParameterError if the model measures nothing, or one of the methods cannot explain it."""
    if not measures(card):
        raise ParameterError(
            f"{card.name} tells classes apart and measures nothing; score its maps with python -m core faithfulness."
        )
    check_methods(card, methods)


def run_head_study(
    model: HeadRegressor,
    table: Table,
    settings: HeadStudySettings,
    out: Path,
    *,
    name: str = "",
    command: str = "",
    progress: Progress = no_progress,
) -> HeadStudy:
    """Explain every head with every method, hide it in the order of each map, and sum up.

    Parameters
    ----------
    table : Table
        Heads with circumference, pixel size and annotation that the model was not trained on.
    out : Path
        Where the work is kept, in the folder ``work``: a method that is done there is not done again.
    name : str
        What the data are called; the table's layout by default.
    command : str
        What makes the study again.
    progress
        May raise :class:`core.errors.Cancelled`.

    Raises
    ------
    ParameterError
        If the model is no regression, a method cannot explain it, or the folder holds the work of other settings.
    DatasetError
        If there are fewer than two heads, or one lacks its annotation.
    """
    check_regression(model.card, settings.methods)
    chosen = spread(table, settings.limit)
    if len(chosen) < 2:
        raise DatasetError("A perturbation study needs at least two heads that the model was not trained on.")
    heads = read_heads(chosen, model.settings, model.card.size)
    images_sha256 = hashlib.sha256(heads.images.tobytes()).hexdigest()
    protocol = asdict(settings.protocol)
    fingerprint = {
        "model": model.card.name,
        "weights": model.card.weights["sha256"],
        "images": images_sha256,
        "costly_limit": settings.costly_limit,
        "protocol": protocol,
    }
    results = _Runner(model, heads, settings, WorkFolder(out / WORK, fingerprint), progress).run()
    about = {
        "model": model.card.name,
        "backbone": model.card.backbone,
        "weights_sha256": model.card.weights["sha256"],
        "images_sha256": images_sha256,
        "data": name or table.layout,
        "simulated": table.simulated,
        "n": len(heads),
        "n_of_method": {method: len(results[method].positions) for method in settings.methods},
        "methods": list(settings.methods),
        "signed": [method for method in settings.methods if METHODS[method].is_signed(model.card)],
        "limit": settings.limit,
        "costly_limit": settings.costly_limit,
        "protocol": protocol,
        "seconds": {method: round(results[method].seconds, 4) for method in settings.methods},
        "command": command,
        "problems": list(map(str, chosen.problems)),
    }
    return summarise(heads, results, about)


class _Runner:
    """Goes through the random orders, the baselines and the methods, one after another."""

    def __init__(
        self,
        model: HeadRegressor,
        heads: HeadSet,
        settings: HeadStudySettings,
        work: WorkFolder,
        progress: Progress,
    ) -> None:
        self.model = model
        self.heads = heads
        self.settings = settings
        self.protocol = settings.protocol
        self.work = work
        self.images = to_unit(heads.images)
        millimetres = heads.millimetres / self.images.shape[-1]
        self.rings = [
            ring_around(ellipse, image, size)
            for ellipse, image, size in zip(heads.ellipses, self.images, millimetres, strict=True)
        ]
        self._progress = progress
        self._done = 0.0
        self._total = sum(map(self._weight, self._parts))

    @property
    def _parts(self) -> tuple[str, ...]:
        return (CHANCE, *BASELINES, *self.settings.methods)

    def run(self) -> dict[str, MethodResult]:
        results = {}
        for part in self._parts:
            if self.work.arrays(part) is None:
                self.work.keep(part, self._chance() if part == CHANCE else self._followed(part))
            results[part] = _result(self.work.arrays(part))
            self._done += self._weight(part)
            self._report(0)
        return results

    def _is_costly(self, part: str) -> bool:
        return part in METHODS and METHODS[part].costly

    def _rankings(self, part: str) -> tuple[str, ...]:
        is_signed = part in METHODS and METHODS[part].is_signed(self.model.card)
        return ("size", "sign") if is_signed else ("size",)

    def _positions(self, part: str) -> list[int]:
        limit = self.settings.costly_limit if self._is_costly(part) else None
        return spread_positions(np.zeros(len(self.heads)), limit)

    def _weight(self, part: str) -> float:
        """Forward passes, about."""
        orders = self.protocol.chances if part == CHANCE else 2 * len(self._rankings(part))
        passes = self.protocol.passes(orders) + (MAP_PASSES[self._is_costly(part)] if part in METHODS else 0)
        return passes * len(self._positions(part))

    def _report(self, weight: float) -> None:
        self._progress(min((self._done + weight) / self._total, 1.0))

    def _chance(self) -> dict[str, np.ndarray]:
        found: dict[str, list[np.ndarray]] = {}
        for number in range(len(self.heads)):
            for grid, fill in self.protocol.settings:
                lengths = self._follow(number, fill, self.protocol.chance_places(grid, number))
                found.setdefault(f"lengths/{grid}/{fill}", []).append(lengths)
            self._report(self._weight(CHANCE) * (number + 1) / len(self.heads))
        return {"positions": np.arange(len(self.heads)), "seconds": np.array(0.0)} | {
            key: np.stack(lengths) for key, lengths in found.items()
        }

    def _followed(self, method: str) -> dict[str, np.ndarray]:
        """Explain and hide the images of a method, chunk by chunk."""
        positions = self._positions(method)
        share = self._weight(method) / len(positions)
        explain = self._explainer(method)
        if method in METHODS and not self._is_costly(method):
            # The first call compiles; it is not the method that takes that long.
            explain(positions[:CHUNK])
        rows: list[dict[str, np.ndarray | float]] = []
        seconds = 0.0
        for start in range(0, len(positions), CHUNK):
            chunk = positions[start : start + CHUNK]
            started = time.perf_counter()
            maps = explain(chunk)
            seconds += time.perf_counter() - started
            for values, number in zip(maps, chunk, strict=True):
                rows.append(self._hidden(method, values, number))
                self._report(share * len(rows))
        found = {name: np.stack([np.asarray(row[name]) for row in rows]) for name in rows[0]}
        return found | {"positions": np.array(positions), "seconds": np.array(seconds / len(positions))}

    def _explainer(self, method: str) -> Callable[[list[int]], np.ndarray]:
        """What gives maps (n, S, S) of some images."""
        if method in BASELINES:
            return lambda chunk: np.stack([edges(self.images[number]) for number in chunk])
        return lambda chunk: METHODS[method].explain(
            self.model, self.images[chunk], np.zeros(len(chunk), int), lambda share: self._report(0)
        )

    def _hidden(self, method: str, values: np.ndarray, number: int) -> dict[str, np.ndarray | float]:
        """What one map says of the contour, and the circumferences as its image is hidden by it."""
        shares = contour_shares(values, self.rings[number])
        row: dict[str, np.ndarray | float] = {f"contour/{name}": share for name, share in shares.items()}
        for grid, fill in self.protocol.settings:
            places = self.protocol.map_places(values, grid, number, self._rankings(method))
            lengths = self._follow(number, fill, np.stack(list(places.values())))
            row |= {f"lengths/{grid}/{fill}/{key}": one for key, one in zip(places, lengths, strict=True)}
        return row

    def _follow(self, number: int, fill: str, places: np.ndarray) -> np.ndarray:
        image = self.images[number]
        return follow(self.model, image, self.protocol.fill_of(image, number, fill), places)


def _result(arrays: dict[str, Any]) -> MethodResult:
    def part(name: str) -> dict[str, np.ndarray]:
        return {key.removeprefix(name): values for key, values in arrays.items() if key.startswith(name)}

    return MethodResult(arrays["positions"], part("lengths/"), part("contour/"), float(arrays["seconds"]))
