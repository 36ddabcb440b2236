"""Occlusion sensitivity (Zeiler and Fergus 2014; thesis 000 §3.4.3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import cv2
import numpy as np

from core.errors import ParameterError
from core.explain.base import Method, Progress, no_progress
from core.explain.perturbation import filling, masked_scores, portion

if TYPE_CHECKING:
    from core.zoo.prediction import Classifier

THESIS_PATCH_SHARE = 20 / 299
THESIS_DISPLAY_SIGMA_SHARE = 4 / 299
BLOCK = 3
"""Patches a side of the blocks that a refined map hides first."""

Place = tuple[slice, slice]


class Occlusion(Method):
    """Probability lost when a patch is hidden, averaged over the patches that cover a pixel; of a measurement, pixels.

    The thesis hides black 20 x 20 patches every 20 of 299 pixels and stores the probability that is left, so that low
    means important; ours is what is lost, so that high means important. Sides that the stride does not divide end in
    partial patches.
    """

    name = "occlusion"
    title = "Occlusion"
    family = "perturbation"
    explanation = "Hides one patch after another and shows how much probability each costs the class."
    trust = (
        "Answers directly what happens without a region; misses structures that are there twice or larger than a patch."
    )
    measurement_explanation = "Hides one patch after another and shows by how much the circumference shrinks or grows."
    measurement_trust = (
        "Answers directly what happens without a region: red is what makes the circumference grow; misses structures "
        "that are there twice or larger than a patch."
    )
    paper = "Zeiler, Fergus 2014, arXiv:1311.2901"
    signed = True
    costly = True
    order = 4

    def explain(
        self,
        model: Classifier,
        images: np.ndarray,
        targets: np.ndarray,
        progress: Progress = no_progress,
        *,
        patch: int | None = None,
        stride: int | None = None,
        fill: str = "black",
        refine: float | None = None,
        seed: int = 0,
    ) -> np.ndarray:
        """Maps (N, S, S) float32.

        Parameters
        ----------
        patch, stride : int, optional
            In pixels of the input; by default the thesis's share of the side (20 of 299), the stride as the patch.
        fill : str
            As for :func:`core.explain.perturbation.filling`; ``seed`` is that of noise.
        refine : float, optional
            None hides every patch. From 0 to 1, blocks of 3 x 3 patches are hidden first, and only this share of them,
            those of the largest effect, patch by patch; the patches of the others share their block's effect by area.
            It misses patches that matter in a block that does not, which some networks have more of than others:
            ``python -m benchmarks.perturbation`` prints how far it lies from the whole map and what it saves.

        Raises
        ------
        ParameterError
            For a patch, stride, fill or share that cannot be.
        """
        size = images.shape[-1]
        patch = round(THESIS_PATCH_SHARE * size) if patch is None else patch
        stride = patch if stride is None else stride
        if not (1 <= patch <= size and 1 <= stride <= patch):
            raise ParameterError(f"A patch must be 1 to {size} pixels wide and the stride 1 to the patch's width.")
        if refine is not None and not 0 <= refine <= 1:
            raise ParameterError("The share of blocks to refine must lie between 0 and 1.")
        bases = model.scores(images)[np.arange(len(images)), targets]
        maps = []
        for done, (image, target, base) in enumerate(zip(images, targets, bases, strict=True)):
            hidden = _Hidden(model, image, int(target), base, fill, seed)
            report = portion(progress, done, len(images))
            if refine is None:
                places = patch_places(size, patch, stride)
                maps.append(_spread(places, hidden.lost(places, report), size))
            else:
                maps.append(_refined(hidden, size, patch, stride, refine, report))
        return np.stack(maps)


def smoothed_for_display(values: np.ndarray) -> np.ndarray:
    """A map (S, S) as the thesis shows it: under a Gaussian of 4 of 299 pixels; figures are taken of the map itself."""
    return cv2.GaussianBlur(values, (0, 0), THESIS_DISPLAY_SIGMA_SHARE * values.shape[0])


def patch_starts(size: int, stride: int) -> range:
    """First pixel of each patch along a side: every ``stride`` pixels until the side ends."""
    return range(0, size, stride)


def patch_places(size: int, patch: int, stride: int) -> list[Place]:
    """Where the patches lie, row by row; the last ones are partial where the stride does not divide the side."""
    sides = [slice(start, min(start + patch, size)) for start in patch_starts(size, stride)]
    return list(product(sides, sides))


@dataclass(frozen=True)
class _Hidden:
    """What hiding places of one image costs the score of its target."""

    model: Classifier
    image: np.ndarray
    target: int
    base: float
    fill: str
    seed: int

    def lost(self, places: Sequence[Place], progress: Progress) -> np.ndarray:
        """Score lost without each of the places, (P,) float64.

        Where hiding changes no pixel, as a black patch outside the sector, nothing is lost and nothing is asked.
        """
        hidden = filling(self.image, self.fill, self.seed)
        changed = [index for index, place in enumerate(places) if (self.image[place] != hidden[place]).any()]
        lost = np.zeros(len(places))
        if changed:
            masks = _masks(self.image.shape[0], [places[index] for index in changed])
            asked = masked_scores(self.model, self.image, masks, len(changed), fill=hidden, progress=progress)
            lost[changed] = np.concatenate([self.base - scores[:, self.target] for _, scores in asked])
        progress(1.0)
        return lost


def _refined(hidden: _Hidden, size: int, patch: int, stride: int, share: float, progress: Progress) -> np.ndarray:
    starts = patch_starts(size, stride)
    sides = [slice(first, min(first + (BLOCK - 1) * stride + patch, size)) for first in starts[::BLOCK]]
    blocks = list(product(sides, sides))
    patches = patch_places(size, patch, stride)
    across = range(len(starts))
    block_of = np.array([row // BLOCK * len(sides) + column // BLOCK for row, column in product(across, across)])

    chosen_count = round(share * len(blocks))
    # How many patches the chosen blocks hold shows later; on average it is this.
    coarse_part = len(blocks) / (len(blocks) + chosen_count * len(patches) / len(blocks))
    coarse = hidden.lost(blocks, lambda done: progress(coarse_part * done))
    chosen = np.argsort(-np.abs(coarse), kind="stable")[:chosen_count]

    lost = coarse[block_of] * _areas(patches) / _areas(blocks)[block_of]
    fine = np.flatnonzero(np.isin(block_of, chosen))
    if len(fine):
        places = [patches[index] for index in fine]
        lost[fine] = hidden.lost(places, lambda done: progress(coarse_part + (1 - coarse_part) * done))
    return _spread(patches, lost, size)


def _spread(places: Sequence[Place], lost: np.ndarray, size: int) -> np.ndarray:
    """Each pixel's mean over the places that cover it, (size, size) float32."""
    total = np.zeros((size, size))
    covering = np.zeros((size, size))
    for place, value in zip(places, lost, strict=True):
        total[place] += value
        covering[place] += 1
    return (total / covering).astype(np.float32)


def _masks(size: int, places: Sequence[Place]) -> Iterator[np.ndarray]:
    for place in places:
        mask = np.ones((size, size), np.float32)
        mask[place] = 0
        yield mask


def _areas(places: Sequence[Place]) -> np.ndarray:
    return np.array([(rows.stop - rows.start) * (columns.stop - columns.start) for rows, columns in places])
