"""One frame -> everything that is measured of it without a network, and what the networks are to see.

Nothing is decided here: a row holds measurements, so that thresholds can be moved afterwards without a new pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np

from core.preprocessing import Cleaned, PreprocessingSettings, clean, finish
from core.sweep.engine import cleaning, fingerprint
from core.zoo.cards import Card

HASH_SIDE = 16
HASH_BITS = HASH_SIDE**2
HASH_OVERSAMPLING = 4
DIGITS = 5
"""Decimals kept of a measurement: the same whatever the machine and the batch."""


@dataclass(frozen=True)
class View:
    """How a model sees frames: its settings, its chain and its input's side. Needs no TensorFlow."""

    settings: PreprocessingSettings
    chain: str
    size: int

    @classmethod
    def of(cls, card: Card) -> View:
        return cls(PreprocessingSettings.from_dict(card.preprocessing), card.input["chain"], card.size)

    @cached_property
    def cleaning(self) -> PreprocessingSettings:
        """What decides the cleaned frame alone."""
        return cleaning(self.settings)


@dataclass(frozen=True)
class Measured:
    """What was measured of a frame, and the images (S, S) uint8 that the views ask for."""

    values: dict[str, Any]
    images: tuple[np.ndarray, ...]


def measure(pixels: np.ndarray, views: Sequence[View]) -> Measured:
    """Clean a frame, measure it and prepare it for every view.

    Views that clean alike share the cleaned frame, of which the first's is measured. None of them sees stretch or
    median unless its own chain has them: a detector of corruption judges the cleaned frame as it is.

    Parameters
    ----------
    pixels : (H, W) or (H, W, 3) uint8

    Raises
    ------
    ImageError
        If the pixels are no image.
    """
    cleaned: dict[PreprocessingSettings, Cleaned] = {}
    images = []
    for view in views:
        if view.cleaning not in cleaned:
            cleaned[view.cleaning] = clean(pixels, view.cleaning)
        images.append(finish(cleaned[view.cleaning], view.settings, chain=view.chain, size=view.size))
    first = next(iter(cleaned.values()))
    height, width = pixels.shape[:2]
    values = {
        "sha256": fingerprint(pixels),
        "width": width,
        "height": height,
        "sector_share": round(np.count_nonzero(first.sector) / (height * width), DIGITS),
        **_levels(first),
        "hash": perceptual_hash(first.gray),
    }
    return Measured(values, tuple(images))


def _levels(cleaned: Cleaned) -> dict[str, float]:
    """Mean and deviation of the gray levels inside the sector, and their entropy in bits."""
    shares = cleaned.counts / cleaned.counts.sum()
    levels = np.arange(256)
    mean = float(shares @ levels)
    present = shares[shares > 0]
    return {
        "mean": round(mean, DIGITS),
        "deviation": round(float(np.sqrt(shares @ (levels - mean) ** 2)), DIGITS),
        "information": round(float(-(present * np.log2(present)).sum()) + 0.0, DIGITS),
    }


def perceptual_hash(gray: np.ndarray) -> str:
    """Which of the lowest frequencies of a frame (H, W) uint8 exceed their median: 256 bits as 64 hexadecimal digits.

    Copies in another size, file format or brightness differ in few bits, other frames in about half of them. 64 bits,
    as usual, are too few here: of frames of one scanner some lie as near to each other as copies do.
    """
    side = HASH_OVERSAMPLING * HASH_SIDE
    small = cv2.resize(gray, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)
    lowest = cv2.dct(small)[:HASH_SIDE, :HASH_SIDE].ravel()
    # The first is the mean brightness, which says nothing about what is shown.
    bits = lowest > np.median(lowest[1:])
    bits[0] = False
    return np.packbits(bits).tobytes().hex()
