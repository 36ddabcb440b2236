"""What a measurement loses as an image is hidden region by region: the perturbation evaluation of a regression.

The protocol is that of Zhang et al. 2020 (10.1007/978-3-030-61166-8_8), who cut an image into 4 by 4 regions, replace
them by noise, the most relevant first, and follow the error of the predicted head circumference over 15 steps. Their
AOPC is the error of the whole image less the mean error over these steps: **the further below 0, the faster the error
grows**, and the better the map has named what the network needs. Ours goes beyond it:

- the same image is hidden in several random orders and with the least relevant first, so that a map is held against
  chance and not against 0: hiding anything makes an error grow;
- a finer grid hides several regions a step, so that every curve has the same 16 steps;
- besides noise, regions become black, the image's mean or the image blurred.

**The noise** is that of :func:`core.explain.perturbation.filling`: independent normal values of the image's mean and
standard deviation, cut to [0, 1]. It is drawn once an image, so that all orders and methods meet the same.

A region's relevance is the sum of its pixels'. Signed and unsigned maps answer different questions, so they are not
ranked together: by *size*, the sum of |relevance|, both say what matters; by *sign*, the sum as it is, a signed map
also says what raises the number, and least relevant first then hides what lowers it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import isqrt
from typing import TYPE_CHECKING

import numpy as np

from core.errors import ParameterError
from core.explain.base import Progress, no_progress
from core.explain.faithfulness.scoring import ranks, region_map, region_sums
from core.explain.perturbation import FILLS, filling, masked_scores

if TYPE_CHECKING:
    from core.zoo.heads import HeadRegressor

STEPS = 16
"""Until all is hidden; the AOPC looks at the whole image and the first 15, as the paper does."""
SMALLEST_GRID = isqrt(STEPS)
RANKINGS = {"size": "by the size of relevance", "sign": "by its sign, what raises the circumference first"}
ORDERS = {"most": "most relevant first", "least": "least relevant first", "random": "random order"}


@dataclass(frozen=True)
class Protocol:
    """How images are hidden.

    Attributes
    ----------
    grids : tuple of int
        Regions along a side, 4 or more; the first is the one that headlines look at, as is the first fill.
    fills : tuple of str
        What hidden regions become, of :data:`core.explain.perturbation.FILLS`.
    chances : int
        Random orders of each image.
    seed : int
        Of everything left to chance; image ``i`` goes by ``(seed, i)``.
    """

    grids: tuple[int, ...] = (SMALLEST_GRID, 2 * SMALLEST_GRID)
    fills: tuple[str, ...] = ("noise", "black", "mean", "blur")
    chances: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.grids or min(self.grids) < SMALLEST_GRID:
            raise ParameterError(
                f"An image is hidden in {STEPS} steps, so a grid has {SMALLEST_GRID} regions a side or more."
            )
        unknown = [fill for fill in self.fills if fill not in FILLS]
        if unknown or not self.fills:
            raise ParameterError(f"Hidden regions need a fill of {', '.join(FILLS)}; there is no {unknown}.")
        if self.chances < 1:
            raise ParameterError("A map is held against at least one random order.")

    @property
    def settings(self) -> list[tuple[int, str]]:
        """Every grid with every fill; the first is the main one."""
        return list(product(self.grids, self.fills))

    def passes(self, orders: int) -> int:
        """Forward passes that so many orders of one image take."""
        return len(self.settings) * (orders * (STEPS - 1) + 2)

    def fill_of(self, image: np.ndarray, number: int, fill: str) -> np.ndarray:
        """What shows where an image (S, S) float32, the ``number``-th of its sample, is hidden."""
        return filling(image, fill, (self.seed, number))

    def chance_places(self, grid: int, number: int) -> np.ndarray:
        """Random orders of the G regions of an image, (chances, G) int as :meth:`map_places` gives them."""
        generator = np.random.default_rng([self.seed, number, grid])
        return np.stack([generator.permutation(grid**2) for _ in range(self.chances)])

    def map_places(
        self, values: np.ndarray, grid: int, number: int, rankings: tuple[str, ...]
    ) -> dict[str, np.ndarray]:
        """Ranking and order (``size/most``, ``size/least`` ...) -> the place of each region in it, (G,) int.

        Regions that are tied are ordered by chance.
        """
        found = {}
        for ranking in rankings:
            relevance = region_relevance(values, grid, ranking)
            for order, sign in (("most", 1), ("least", -1)):
                generator = np.random.default_rng([self.seed, number, grid, sign + 1])
                found[f"{ranking}/{order}"] = ranks(sign * relevance, generator)
        return found


def region_relevance(values: np.ndarray, grid: int, ranking: str) -> np.ndarray:
    """Relevance (G,) float64 of the regions of a map (S, S), by one of :data:`RANKINGS`."""
    if ranking not in RANKINGS:
        raise ParameterError(f"There is no ranking {ranking!r}; choose one of {', '.join(RANKINGS)}.")
    values = np.asarray(values, dtype=np.float64)
    return region_sums(np.abs(values) if ranking == "size" else values, region_map(len(values), grid))


def hidden_counts(grid: int) -> np.ndarray:
    """How many of the grid's regions are hidden after each step, (STEPS + 1,) int from 0 to all."""
    return np.round(np.arange(STEPS + 1) * grid**2 / STEPS).astype(int)


def follow(
    model: HeadRegressor,
    image: np.ndarray,
    hidden: np.ndarray,
    places: np.ndarray,
    progress: Progress = no_progress,
) -> np.ndarray:
    """What a model measures as an image is hidden in several orders.

    Parameters
    ----------
    image, hidden : (S, S) float32 in [0, 1]
        What shows, and what shows where it is hidden.
    places : (O, G) int
        The place of each region in each order; 0 is hidden first.

    Returns
    -------
    (O, STEPS + 1) float64
        In pixels of the image: of the whole one, after each step, and of nothing but ``hidden``.
    """
    grid = isqrt(places.shape[1])
    regions = region_map(len(image), grid)
    counts = hidden_counts(grid)[1:-1]

    def masks() -> Iterator[np.ndarray]:
        # What all orders begin and end with is asked once.
        yield np.ones(image.shape, bool)
        yield np.zeros(image.shape, bool)
        for order in places:
            for count in counts:
                yield (order >= count)[regions]

    asked = masked_scores(model, image, masks(), 2 + len(places) * len(counts), fill=hidden, progress=progress)
    clean, empty, *between = np.concatenate([scores[:, 0] for _, scores in asked])
    ends = np.ones((len(places), 1))
    return np.hstack([clean * ends, np.reshape(between, (len(places), -1)), empty * ends])


def aopc(errors: np.ndarray) -> np.ndarray:
    """The paper's regression AOPC of curves (..., STEPS + 1): E(0) less the mean of E(0) to E(15)."""
    return errors[..., 0] - errors[..., :STEPS].mean(axis=-1)
