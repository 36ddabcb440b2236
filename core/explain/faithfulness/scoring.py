"""Scores of single maps: hide what a map says matters, watch the probability.

A map gives an order, from its highest value to its lowest, whatever its unit. **Signed maps are ordered by value**:
evidence against the class comes last, after what says nothing; so they and unsigned maps answer the same question,
*what speaks for the class*, but an unsigned one cannot say what speaks against it, and every table says which is which.
Values that are tied are ordered by chance, with a seed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.errors import ParameterError
from core.explain.agreement import rank_correlation
from core.explain.perturbation import FILLS, filling, masked_scores

if TYPE_CHECKING:
    from core.zoo.prediction import Classifier

ROUNDING = 1e-9
CURVES = {
    "deletion": "most relevant pixels hidden first",
    "insertion": "most relevant pixels shown first",
    "morf": "most relevant regions hidden first",
    "lerf": "least relevant regions hidden first",
}
"""Probabilities followed while parts are hidden or shown."""


@dataclass(frozen=True)
class Scoring:
    """How maps are scored.

    Attributes
    ----------
    fill : str
        What hidden pixels become, one of :data:`core.explain.perturbation.FILLS`.
    steps : int
        Of deletion and insertion: equal shares of the pixels.
    grid : int
        Regions along a side, for the region orders and muFidelity: 8, so that a region is an eighth of the side.
    regions : int
        Hidden in one step of the region orders.
    subsets : int
        Random sets of regions of muFidelity.
    subset_share : float
        Share of the regions in such a set.
    noise : float
        Standard deviation of the slight noise of stability, of a gray range of 1.
    copies : int
        Noisy copies of each image.
    seed : int
        Of everything left to chance; image ``i`` goes by ``(seed, i)``.
    """

    fill: str = "black"
    steps: int = 20
    grid: int = 8
    regions: int = 4
    subsets: int = 128
    subset_share: float = 0.2
    noise: float = 0.02
    copies: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        if self.fill not in FILLS:
            raise ParameterError(f"There is no fill {self.fill!r}; choose one of {', '.join(FILLS)}.")
        if self.steps < 2 or self.grid < 2 or not 1 <= self.regions < self.grid**2:
            raise ParameterError(
                "Faithfulness needs at least 2 steps, a grid of at least 2 by 2 regions, and steps of 1 region or more."
            )
        if self.subsets < 3 or not 1 <= self.subset_size < self.grid**2:
            raise ParameterError("MuFidelity needs at least 3 sets of regions, each neither empty nor of all regions.")
        if not 0 < self.noise <= 1 or self.copies < 1:
            raise ParameterError("Stability needs noise above 0 and up to 1, and at least one noisy copy.")

    @property
    def subset_size(self) -> int:
        """Regions in a random set."""
        return round(self.subset_share * self.grid**2)

    @property
    def region_steps(self) -> int:
        """Steps until all regions are hidden."""
        return -(-(self.grid**2) // self.regions)

    def passes(self) -> int:
        """Forward passes that the curves and the average drop of one map take."""
        return 2 * (self.steps - 1) + 2 * (self.region_steps - 1) + 1

    def shares(self, curve: str) -> np.ndarray:
        """Share of the image that is hidden (``insertion``: shown) at each point of a curve, rising from 0 to 1."""
        if curve in ("deletion", "insertion"):
            return np.linspace(0, 1, self.steps + 1)
        return np.minimum(np.arange(self.region_steps + 1) * self.regions / self.grid**2, 1)


@dataclass(frozen=True)
class Reference:
    """What is known of an image before any map of it is scored.

    Attributes
    ----------
    image : (S, S) float32
    number : int
        Its place in the sample: part of the seed.
    target : int
    clean, empty : float
        The target's probability of the image, and of nothing but fill.
    subsets : (M, G) bool
        Random sets of the G regions.
    lost : (M,) float64
        Probability lost when each is hidden.
    """

    image: np.ndarray
    number: int
    target: int
    clean: float
    empty: float
    subsets: np.ndarray
    lost: np.ndarray


@dataclass(frozen=True)
class Scores:
    """Measures of a map by name (NaN: no answer) and probabilities of the target by curve, (T,) each."""

    measures: dict[str, float]
    curves: dict[str, np.ndarray]


def refer(model: Classifier, image: np.ndarray, number: int, target: int, scoring: Scoring) -> Reference:
    """Ask a model all that does not depend on a map, of an image (S, S) float32 in [0, 1]."""
    regions = region_map(image.shape[0], scoring.grid)
    generator = np.random.default_rng([scoring.seed, number, 0])
    subsets = np.zeros((scoring.subsets, scoring.grid**2), bool)
    for subset in subsets:
        subset[generator.choice(scoring.grid**2, scoring.subset_size, replace=False)] = True

    def masks() -> Iterator[np.ndarray]:
        yield np.ones(image.shape, bool)
        yield np.zeros(image.shape, bool)
        for subset in subsets:
            yield ~subset[regions]

    clean, empty, *left = _asked(model, image, target, masks(), 2 + len(subsets), scoring)
    return Reference(image, number, target, clean, empty, subsets, clean - np.array(left))


def score_map(model: Classifier, reference: Reference, values: np.ndarray, scoring: Scoring) -> Scores:
    """Score the map (S, S) of an image: all that takes no second map."""
    regions = region_map(values.shape[0], scoring.grid)
    pixel_ranks, region_ranks = _orders(values, regions, reference.number, scoring)
    per_step, n_regions = scoring.regions, scoring.grid**2
    limits = np.round(scoring.shares("deletion")[1:-1] * values.size)
    hidden = np.arange(1, scoring.region_steps) * per_step

    def masks() -> Iterator[np.ndarray]:
        yield from (pixel_ranks >= limit for limit in limits)
        yield from (pixel_ranks < limit for limit in limits)
        yield from (region_ranks >= count for count in hidden)
        yield from (region_ranks < n_regions - count for count in hidden)
        yield lit(values)

    answers = _asked(model, reference.image, reference.target, masks(), scoring.passes(), scoring)
    cuts = np.cumsum([len(limits), len(limits), len(hidden), len(hidden)])
    *inner, (alone,) = np.split(answers, cuts)
    curves = {}
    for name, between in zip(CURVES, inner, strict=True):
        ends = (reference.empty, reference.clean) if name == "insertion" else (reference.clean, reference.empty)
        curves[name] = np.concatenate([ends[:1], between, ends[1:]])
    aopc = {name: float((reference.clean - curves[name]).mean()) for name in ("morf", "lerf")}
    measures = {
        "deletion": area(curves["deletion"]),
        "insertion": area(curves["insertion"]),
        "aopc_morf": aopc["morf"],
        "aopc_lerf": aopc["lerf"],
        "aopc_gap": aopc["morf"] - aopc["lerf"],
        "mu_fidelity": correlation(reference.subsets @ region_sums(values, regions), reference.lost),
        "average_drop": max(0.0, reference.clean - alone) / reference.clean if reference.clean else np.nan,
        "average_increase": float(alone > reference.clean),
        "sparseness": gini(values),
    }
    return Scores(measures, curves)


def at_share(
    image: np.ndarray, values: np.ndarray, curve: str, share: float, scoring: Scoring, number: int = 0
) -> np.ndarray:
    """The image (S, S) as :func:`score_map` showed it to the network at a point of a curve.

    Parameters
    ----------
    image, values : (S, S) float32
        The image in [0, 1] and its map.
    curve : str
        One of :data:`CURVES`.
    share : float
        Hidden (``insertion``: shown), in [0, 1]; of regions, whole ones.
    number : int
        The image's place in the sample.

    Raises
    ------
    ParameterError
        For an unknown curve or a share outside [0, 1].
    """
    if curve not in CURVES or not 0 <= share <= 1:
        raise ParameterError(f"A share from 0 to 1 of one of the curves {', '.join(CURVES)} is needed.")
    regions = region_map(values.shape[0], scoring.grid)
    pixel_ranks, region_ranks = _orders(values, regions, number, scoring)
    pixels, count = round(share * values.size), round(share * scoring.grid**2)
    kept = {
        "deletion": pixel_ranks >= pixels,
        "insertion": pixel_ranks < pixels,
        "morf": region_ranks >= count,
        "lerf": region_ranks < scoring.grid**2 - count,
    }[curve]
    return np.where(kept, image, filling(image, scoring.fill))


def _orders(values: np.ndarray, regions: np.ndarray, number: int, scoring: Scoring) -> tuple[np.ndarray, np.ndarray]:
    """Place of every pixel among the pixels, and of its region among the regions, (S, S) each; 0 is most relevant."""
    generator = np.random.default_rng([scoring.seed, number, 1])
    pixel_ranks = ranks(values.ravel(), generator).reshape(values.shape)
    return pixel_ranks, ranks(region_means(values, regions), generator)[regions]


def stability(values: np.ndarray, noisy: np.ndarray) -> dict[str, float]:
    """Stability of a map (S, S) against those of noisy copies of its image, (C, S, S): two measures, NaN: no answer.

    ``stability`` is the mean rank correlation; ``sensitivity`` the greatest length of the difference over the length
    of the map.
    """
    found = [rank_correlation(values, one) for one in noisy]
    known = [one for one in found if one is not None]
    length = np.linalg.norm(values)
    change = max(float(np.linalg.norm(one - values)) for one in noisy)
    return {
        "stability": float(np.mean(known)) if known else np.nan,
        "sensitivity": float(change / length) if length else np.nan,
    }


def region_map(size: int, grid: int) -> np.ndarray:
    """Which region each pixel lies in, (size, size) int, regions counted row by row; as equal as whole pixels allow."""
    if grid > size:
        raise ParameterError(f"An image of {size} pixels a side has no {grid} regions a side; choose a coarser grid.")
    place = np.arange(size) * grid // size
    return place[:, None] * grid + place[None, :]


def region_sums(values: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """Sum of a map in each region, (G,) float64."""
    return np.bincount(regions.ravel(), weights=values.ravel())


def region_means(values: np.ndarray, regions: np.ndarray) -> np.ndarray:
    return region_sums(values, regions) / np.bincount(regions.ravel())


def ranks(values: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Place of each value (P,) in the order from the highest, 0, to the lowest; ties are ordered by chance."""
    order = np.lexsort((generator.random(len(values)), -values))
    places = np.empty(len(values), int)
    places[order] = np.arange(len(values))
    return places


def lit(values: np.ndarray) -> np.ndarray:
    """How far a map lets its image be seen, (S, S) in [0, 1]: its positive part, scaled to 1 at the highest."""
    positive = np.maximum(values, 0)
    return positive / (positive.max() or 1)


def area(curve: np.ndarray) -> float:
    """Mean height of a curve (T,) of equal steps, by trapezoids."""
    return float((curve[1:] + curve[:-1]).mean() / 2)


def correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Pearson's correlation; NaN where either does not vary."""
    spread = [one.std() for one in (first, second)]
    if any(one <= ROUNDING * (np.abs(values).max() or 1) for one, values in zip(spread, (first, second), strict=True)):
        return np.nan
    return float(np.corrcoef(first, second)[0, 1])


def gini(values: np.ndarray) -> float:
    """Gini index of the absolute values of a map, 0 (all alike) to 1 (all in one pixel); NaN where all are 0."""
    rising = np.sort(np.abs(values).ravel().astype(np.float64))
    total = rising.sum()
    if not total:
        return np.nan
    weights = (len(rising) - np.arange(1, len(rising) + 1) + 0.5) / len(rising)
    return float(1 - 2 * (rising * weights).sum() / total)


def _asked(
    model: Classifier, image: np.ndarray, target: int, masks: Iterator[np.ndarray], n_masks: int, scoring: Scoring
) -> np.ndarray:
    """The target's probability under each mask, (M,) float64."""
    answers = masked_scores(model, image, masks, n_masks, fill=scoring.fill)
    return np.concatenate([scores[:, target] for _, scores in answers])
