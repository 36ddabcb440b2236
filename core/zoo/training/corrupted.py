"""What detectors of corruption learn from: clean frames, varied alike for all classes, then corrupted.

A crop that is enlarged beside an original that is reduced gives itself away by its interpolation, not by what it shows
(reference §5). So every class gets frames of varied zoom, at a varied resolution, some of them through JPEG, before and
after the corruption, and all go through one and the same resizing at the end.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from core.corruption import CORRUPTIONS, corrupt
from core.datasets import Table, read_pixels
from core.parallel import in_threads
from core.preprocessing import Cleaned, PreprocessingSettings, clean, finish
from core.zoo.detection import ORIGINAL
from core.zoo.training.settings import TrainingSettings

LARGEST_ZOOM = 0.10
"""Share of each side that a clean frame may lack: sonographers choose the depth, so a little zoom is no corruption."""
RESOLUTIONS = (0.5, 1.2)
REDUCING = (cv2.INTER_AREA, cv2.INTER_LINEAR)
ENLARGING = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4)
JPEG_SHARE = 0.3
JPEG_QUALITIES = (60, 96)


def thesis_classes() -> list[str]:
    """The thesis's four classes: original and the kinds it taught its detectors (001 §6)."""
    return [ORIGINAL, *(name for name, kind in CORRUPTIONS.items() if kind.training_range)]


def varied_clean(cleaned: Cleaned, generator: np.random.Generator) -> Cleaned:
    """A clean frame as another examination might have it: mirrored, a little nearer, at another resolution."""
    gray, sector = cleaned.gray, cleaned.sector
    height, width = gray.shape
    kept = 1 - generator.uniform(0, LARGEST_ZOOM)
    rows, columns = round(height * kept), round(width * kept)
    top, left = (int(generator.integers(0, room + 1)) for room in (height - rows, width - columns))
    window = np.s_[top : top + rows, left : left + columns]
    gray, sector = gray[window], sector[window]
    if generator.random() < 0.5:
        gray, sector = gray[:, ::-1], sector[:, ::-1]
    factor = generator.uniform(*RESOLUTIONS)
    size = (max(16, round(columns * factor)), max(16, round(rows * factor)))
    how = generator.choice(REDUCING if factor < 1 else ENLARGING)
    gray = cv2.resize(np.ascontiguousarray(gray), size, interpolation=int(how))
    sector = cv2.resize(np.ascontiguousarray(sector, dtype=np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    return replace(cleaned, gray=perhaps_jpeg(gray, generator), sector=sector)


def perhaps_jpeg(gray: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Some archives store JPEG: that alone must not look like a corruption."""
    quality = int(generator.integers(*JPEG_QUALITIES))
    if generator.random() >= JPEG_SHARE:
        return gray
    _, encoded = cv2.imencode(".jpg", gray, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE)


def corrupted_images(
    table: Table, preprocessing: PreprocessingSettings, settings: TrainingSettings, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, S, S) uint8 and the index (N,) of their class of :func:`thesis_classes`.

    ``settings.copies`` times of every frame, each class once, all varied on their own. Intensities are drawn evenly
    from the thesis's training ranges (001 §6).
    """
    classes = thesis_classes()

    def one(item: tuple[int, object]) -> list[np.ndarray]:
        index, path = item
        generator = np.random.default_rng([settings.seed, index])
        cleaned = clean(read_pixels(path), preprocessing)
        images = []
        for kind in classes * settings.copies:
            frame = varied_clean(cleaned, generator)
            gray = frame.gray
            if kind != ORIGINAL:
                intensity = generator.uniform(*CORRUPTIONS[kind].training_range)
                gray = corrupt(gray, kind, intensity, generator, frame.sector)
            frame = replace(frame, gray=perhaps_jpeg(gray, generator))
            images.append(finish(frame, preprocessing, chain="detector", size=size))
        return images

    images = [image for group in in_threads(one, list(enumerate(table.paths))) for image in group]
    return np.stack(images), np.tile(np.arange(len(classes)), len(table) * settings.copies)
