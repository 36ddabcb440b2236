"""The one engine behind every method that hides parts of an image and watches the score.

Masks come from an iterator and are applied batch by batch, so memory is bounded by a few batches whatever their number.
A thread makes the next batch while the network works on the last. All passes go through the model's one compiled
function, in single precision: no processor the project was built on multiplies in bfloat16
(:func:`core.zoo.runtime.computes_bfloat16`), so that reduced precision could not be shown to agree or to pay.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count, islice
from typing import TYPE_CHECKING

import cv2
import numpy as np

from core.errors import ParameterError
from core.explain.base import Progress, no_progress
from core.parallel import ahead_in_threads
from core.zoo.forward import BATCH_SIZES

if TYPE_CHECKING:
    from core.zoo.prediction import Classifier

BATCH = BATCH_SIZES[-1]
FILLS = ("black", "mean", "blur", "noise")
BLUR_SIGMA_SHARE = 0.05
BATCHES_AHEAD = 2


def portion(progress: Progress, done: int, total: int) -> Progress:
    """Progress within one of ``total`` equal pieces of work, of which ``done`` are finished."""
    return lambda share: progress((done + share) / total)


def filling(image: np.ndarray, fill: str, seed: int = 0) -> np.ndarray:
    """What hidden pixels become: an image (S, S) float32 of the same shape.

    ``black``; ``mean``, the image's mean gray; ``blur``, the image under a Gaussian with a standard deviation of 5 % of
    the side; ``noise``, independent normal values of the image's mean and standard deviation, cut to [0, 1], the same
    for the same ``seed``.
    """
    if fill == "black":
        return np.zeros_like(image)
    if fill == "mean":
        return np.full_like(image, image.mean())
    if fill == "blur":
        return cv2.GaussianBlur(image, (0, 0), BLUR_SIGMA_SHARE * image.shape[0])
    if fill == "noise":
        noise = np.random.default_rng(seed).normal(image.mean(), image.std(), image.shape)
        return np.clip(noise, 0, 1).astype(image.dtype)
    raise ParameterError(f"There is no fill {fill!r}; choose one of {', '.join(FILLS)}.")


def masked_scores(
    model: Classifier,
    image: np.ndarray,
    masks: Iterable[np.ndarray],
    n_masks: int,
    *,
    fill: str | np.ndarray = "black",
    seed: int = 0,
    progress: Progress = no_progress,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Scores of an image under masks, batch by batch: probabilities, or pixels of a measured length.

    Parameters
    ----------
    image : (S, S) float32 in [0, 1]
    masks : iterable of (S, S) float32 or bool
        1 keeps a pixel, 0 hides it, values between mix. Asked for in a thread of its own, at most a few batches ahead.
    n_masks : int
        How many will come, for progress.
    fill : str or (S, S) float32
        As for :func:`filling`, or the image that shows where pixels are hidden.
    seed : int
        Of the fill ``noise``.
    progress
        May raise :class:`core.errors.Cancelled`.

    Yields
    ------
    masks (B, S, S) float32 and scores (B, K); B is at most the engine's batch.
    """
    image = np.asarray(image, dtype=np.float32)
    hidden = filling(image, fill, seed) if isinstance(fill, str) else np.asarray(fill, dtype=np.float32)
    shown = image - hidden
    source = iter(masks)

    def prepare(_: int) -> tuple[np.ndarray, np.ndarray] | None:
        chosen = list(islice(source, BATCH))
        if not chosen:
            return None
        batch = np.asarray(chosen, dtype=np.float32)
        return batch, hidden + batch * shown

    done = 0
    # One thread, so that the iterator is asked for one batch after the other.
    for prepared in ahead_in_threads(prepare, count(), ahead=BATCHES_AHEAD, threads=1):
        if prepared is None:
            return
        batch, images = prepared
        yield batch, model.scores(images)
        done += len(batch)
        progress(min(done / n_masks, 1.0))
