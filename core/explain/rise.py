"""Randomized input sampling for explanation (Petsiuk et al. 2018)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import cv2
import numpy as np

from core.errors import ParameterError
from core.explain.base import Method, Progress, no_progress
from core.explain.perturbation import masked_scores, portion

if TYPE_CHECKING:
    from core.zoo.prediction import Classifier

MASKS = 1000
GRID = 7
SHOWN = 0.5


class Rise(Method):
    """The mean score of the target over random smooth masks that show a pixel, for every pixel.

    A mask is a coarse grid of cells, each shown with probability 1/2, enlarged bilinearly and shifted at random. The
    paper divides by how much of a pixel the masks show on average; ours by how much they did show, so that a network
    that answers the same whatever it sees gets a flat map. The paper takes 4,000 masks and more: fewer leave more
    noise. A class's map is the mean probability itself; a measurement has no zero that means *nothing there*, so its
    map is the shift from the mean over all masks.
    """

    name = "rise"
    title = "RISE"
    family = "perturbation"
    explanation = "Shows the image through many random masks and averages the class's probability where each lets see."
    trust = (
        "Asks nothing of the network's inside and finds evidence that is spread out; grainy with few masks, and its "
        "level, near the mean probability, says nothing: only differences within the map do."
    )
    measurement_explanation = (
        "Shows the image through many random masks and averages by how much the circumference grows or shrinks where "
        "each lets see."
    )
    measurement_trust = (
        "Asks nothing of the network's inside and finds what is spread out; grainy with few masks, and its zero is the "
        "mean over the masks, not the image's own circumference."
    )
    signs_measurements = True
    paper = "Petsiuk, Das, Saenko 2018, arXiv:1806.07421"
    costly = True
    order = 13

    def explain(
        self,
        model: Classifier,
        images: np.ndarray,
        targets: np.ndarray,
        progress: Progress = no_progress,
        *,
        masks: int = MASKS,
        grid: int = GRID,
        shown: float = SHOWN,
        fill: str = "black",
        seed: int = 0,
    ) -> np.ndarray:
        """``masks`` is their number, ``grid`` cells a side, ``shown`` the probability of a cell; the seed is every
        image's."""
        size = images.shape[-1]
        if masks < 1 or not 1 <= grid <= size or not 0 < shown < 1:
            raise ParameterError(
                f"RISE needs at least one mask, a grid of 1 to {size} cells and a share shown between 0 and 1."
            )
        maps = []
        for done, (image, target) in enumerate(zip(images, targets, strict=True)):
            drawn = smooth_masks(size, masks, grid=grid, shown=shown, seed=seed)
            asked = masked_scores(
                model,
                image,
                drawn,
                masks,
                fill=fill,
                seed=seed,
                progress=portion(progress, done, len(images)),
            )
            # Two sums, so that memory does not grow with the masks.
            scored, seen = np.zeros((2, size, size))
            total = 0.0
            for batch, scores in asked:
                chosen = scores[:, int(target)]
                scored += np.tensordot(chosen.astype(np.float32), batch, axes=1)
                seen += batch.sum(axis=0)
                total += float(chosen.sum())
            zero = total / masks if self.is_signed(model.card) else 0.0
            # A pixel that no mask showed has nothing to say: 0.
            maps.append(((scored - zero * seen) / np.maximum(seen, np.finfo(np.float32).tiny)).astype(np.float32))
        return np.stack(maps)


def smooth_masks(size: int, number: int, *, grid: int, shown: float, seed: int) -> Iterator[np.ndarray]:
    """Random masks (size, size) float32 in [0, 1], one by one, the same for the same seed."""
    generator = np.random.default_rng(seed)
    cell = -(-size // grid)
    side = (grid + 1) * cell
    for _ in range(number):
        cells = (generator.random((grid, grid)) < shown).astype(np.float32)
        enlarged = cv2.resize(cells, (side, side), interpolation=cv2.INTER_LINEAR)
        row, column = generator.integers(0, cell, size=2, endpoint=False)
        yield enlarged[row : row + size, column : column + size]
