"""What happens to the picture after the scanner made it: stored, sent, shown on another screen. It meets the frame."""

from __future__ import annotations

import cv2
import numpy as np

from core.corruption.base import Corruption, SectorCorruption, scale


class Jpeg(Corruption):
    """JPEG, as if the frame were stored at 174 pixels of side.

    What the compression does to the frame seen at that size is enlarged and added to the frame, so that its blocks of 8
    pixels and its quality mean the same at every size. A file of more pixels at the same quality looks better.
    """

    name = "jpeg"
    title = "JPEG compression"
    parameter = "quality lost"
    unit = "of 100"
    maximum = 100.0
    slider_maximum = 100.0
    step = 1.0
    levels = tuple(float(lost) for lost in range(0, 101, 5))
    description = "The frame goes through JPEG: blocks, rings around edges, lost speckle."
    source = "ITU-T T.81 (1992); Hendrycks and Dietterich 2019"

    @classmethod
    def in_frame(cls, intensity: float, shape: tuple[int, int]) -> str:
        return f"quality {100 - intensity:.0f}, blocks of {8 * scale(shape):.0f} pixels of this frame"

    @classmethod
    def _corrupt(cls, image: np.ndarray, intensity: float, generator: np.random.Generator) -> np.ndarray:
        is_whole = image.dtype == np.uint8
        levels = image if is_whole else np.rint(image * 255).astype(np.uint8)
        seen = _seen(levels)
        # Between two whole qualities both are mixed, so that every intensity moves the image.
        lower = int(np.floor(intensity))
        weight = intensity - lower
        stored = _stored(seen, 100 - lower).astype(np.float32)
        if weight:
            stored += np.float32(weight) * (_stored(seen, 99 - lower) - stored)
        if seen.shape == levels.shape:
            result = stored
        else:
            # Both through the same enlargement: what the frame has beyond that size stays as it is.
            change = cv2.resize(stored - seen, levels.shape[::-1], interpolation=cv2.INTER_LINEAR)
            result = levels + change
        if intensity < 1:
            # Quality 100 rounds already: from an exact copy the first step leads there gradually.
            result = levels + np.float32(intensity) * (result - levels)
        result = np.clip(result, 0, 255)
        return np.rint(result).astype(np.uint8) if is_whole else (result / np.float32(255)).astype(np.float32)


def _seen(image: np.ndarray) -> np.ndarray:
    """The frame at 174 pixels of side (the root of its area), never enlarged, uint8."""
    factor = scale(image.shape)
    if factor <= 1:
        return image
    size = tuple(max(1, round(side / factor)) for side in image.shape[::-1])
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def _stored(image: np.ndarray, quality: int) -> np.ndarray:
    _, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(max(quality, 0))])
    return cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE)


class DownSampling(Corruption):
    """The frame is reduced and enlarged again: an export at thumbnail size, a screenshot of a small window.

    Losing x % of the resolution of a frame of 174 x 174 leaves (100 - x) % of its rows and columns (averaged by area,
    enlarged linearly); on larger frames pixels of the same width at 174.
    """

    name = "down_sampling"
    title = "Down-sampling"
    parameter = "resolution lost"
    unit = "%"
    maximum = 97.0
    slider_maximum = 95.0
    step = 0.5
    levels = tuple(np.linspace(0, 95, 21).tolist())
    description = "The frame is reduced to fewer pixels and enlarged again; fine detail is gone."
    source = "Hendrycks and Dietterich 2019, arXiv 1903.12261 (pixelate)"

    @classmethod
    def in_frame(cls, intensity: float, shape: tuple[int, int]) -> str:
        height, width = cls._size(intensity, shape)
        return f"{width} × {height} pixels of {shape[1]} × {shape[0]} are left"

    @staticmethod
    def _size(intensity: float, shape: tuple[int, int]) -> tuple[int, int]:
        """Rows and columns that are left; a pixel more of width at 174 is ``scale`` pixels more in the frame."""
        pitch = 1 + (1 / (1 - intensity / 100) - 1) * scale(shape)
        height, width = (max(1, round(side / pitch)) for side in shape)
        return height, width

    @classmethod
    def _corrupt(cls, image: np.ndarray, intensity: float, generator: np.random.Generator) -> np.ndarray:
        small = cv2.resize(image, cls._size(intensity, image.shape)[::-1], interpolation=cv2.INTER_AREA)
        return cv2.resize(small, image.shape[::-1], interpolation=cv2.INTER_LINEAR)


class Contrast(SectorCorruption):
    """Grays are drawn towards the sector's mean, as on a washed-out monitor or a photographed screen."""

    name = "contrast"
    title = "Lost contrast"
    parameter = "contrast lost"
    unit = "%"
    maximum = 100.0
    slider_maximum = 95.0
    step = 0.5
    levels = tuple(np.linspace(0, 95, 21).tolist())
    description = "All grays of the sector are drawn towards their mean until they are one."
    source = "Hendrycks and Dietterich 2019, arXiv 1903.12261"

    @classmethod
    def in_frame(cls, intensity: float, shape: tuple[int, int]) -> str:
        return f"{100 - intensity:.0f} % of every difference of gray is left"

    @classmethod
    def _corrupt_echoes(
        cls, levels: np.ndarray, sector: np.ndarray, intensity: float, generator: np.random.Generator
    ) -> np.ndarray:
        mean = levels[sector].mean(dtype=np.float64)
        return np.float32(mean) + (levels - np.float32(mean)) * np.float32(1 - intensity / 100)
