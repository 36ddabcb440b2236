"""The one engine behind every method that hides parts of an image and watches the score.

Masks come from an iterator and are applied batch by batch, so memory is bounded by one batch whatever their number.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

import cv2
import numpy as np

from core.errors import ParameterError
from core.explain.base import Progress, no_progress
from core.zoo.runtime import BATCH_SIZES

if TYPE_CHECKING:
    from core.zoo.prediction import Classifier

BATCH = BATCH_SIZES[-1]
FILLS = ("black", "mean", "blur", "noise")
BLUR_SIGMA_SHARE = 0.05
NOISE_SEED = 0


def filling(image: np.ndarray, fill: str) -> np.ndarray:
    """What hidden pixels become: an image (S, S) of black, of the image's mean gray, of the image blurred, or noise.

    The blur's Gaussian has a standard deviation of 5 % of the side. Noise is uniform over all gray levels, pixel by
    pixel, and the same at every call.
    """
    if fill == "black":
        return np.zeros_like(image)
    if fill == "mean":
        return np.full_like(image, image.mean())
    if fill == "blur":
        return cv2.GaussianBlur(image, (0, 0), BLUR_SIGMA_SHARE * image.shape[0])
    if fill == "noise":
        return np.random.default_rng(NOISE_SEED).random(image.shape, np.float32)
    raise ParameterError(f"There is no fill {fill!r}; choose one of {', '.join(FILLS)}.")


def masked_probabilities(
    model: Classifier,
    image: np.ndarray,
    masks: Iterable[np.ndarray],
    n_masks: int,
    *,
    fill: str = "black",
    progress: Progress = no_progress,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Probabilities of an image under masks, batch by batch.

    Parameters
    ----------
    image : (S, S) float32 in [0, 1]
    masks : iterable of (S, S) float32 or bool
        1 keeps a pixel, 0 hides it.
    n_masks : int
        How many will come, for progress.

    Yields
    ------
    masks (B, S, S) float32 and probabilities (B, K); B is at most the engine's batch.
    """
    image = np.asarray(image, dtype=np.float32)
    hidden = filling(image, fill)
    source = iter(masks)
    done = 0
    while chosen := list(islice(source, BATCH)):
        batch = np.asarray(chosen, dtype=np.float32)
        yield batch, model.probabilities(hidden + batch * (image - hidden))
        done += len(chosen)
        progress(min(done / n_masks, 1.0))
