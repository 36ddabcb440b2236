"""Occlusion sensitivity (Zeiler and Fergus 2014; thesis 000 §3.4.3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from core.errors import ParameterError
from core.explain.base import Method, Progress, no_progress
from core.explain.perturbation import masked_probabilities

if TYPE_CHECKING:
    from core.zoo.prediction import Classifier

THESIS_PATCH_SHARE = 20 / 299


class Occlusion(Method):
    """Probability lost when a patch is hidden, averaged over the patches that cover a pixel.

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
    ) -> np.ndarray:
        """``patch`` and ``stride`` in pixels of the input; by default the thesis's share of the side."""
        size = images.shape[-1]
        patch = round(THESIS_PATCH_SHARE * size) if patch is None else patch
        stride = patch if stride is None else stride
        if not (1 <= patch <= size and 1 <= stride <= patch):
            raise ParameterError(f"A patch must be 1 to {size} pixels wide and the stride 1 to the patch's width.")
        base = model.probabilities(images)
        maps = []
        for index, (image, target) in enumerate(zip(images, targets, strict=True)):
            maps.append(
                _lost_probability(
                    model,
                    image,
                    int(target),
                    base[index, target],
                    patch,
                    stride,
                    fill,
                    lambda share, done=index: progress((done + share) / len(images)),
                )
            )
        return np.stack(maps)


def patch_starts(size: int, stride: int) -> range:
    """First pixel of each patch along a side: every ``stride`` pixels until the side ends."""
    return range(0, size, stride)


def _lost_probability(
    model: Classifier,
    image: np.ndarray,
    target: int,
    base: float,
    patch: int,
    stride: int,
    fill: str,
    progress: Progress,
) -> np.ndarray:
    size = image.shape[0]
    lost = np.zeros((size, size), np.float64)
    covered = np.zeros((size, size), np.float64)
    n_masks = len(patch_starts(size, stride)) ** 2
    masks = _patch_masks(size, patch, stride)
    for batch, probabilities in masked_probabilities(model, image, masks, n_masks, fill=fill, progress=progress):
        hidden = 1.0 - batch
        lost += np.tensordot(base - probabilities[:, target], hidden, axes=1)
        covered += hidden.sum(axis=0)
    return (lost / covered).astype(np.float32)


def _patch_masks(size: int, patch: int, stride: int) -> Iterator[np.ndarray]:
    for row in patch_starts(size, stride):
        for column in patch_starts(size, stride):
            mask = np.ones((size, size), np.float32)
            mask[row : row + patch, column : column + patch] = 0
            yield mask
