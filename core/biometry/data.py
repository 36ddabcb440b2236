"""Heads to learn from and to measure against: prepared images with the ellipse that was annotated around each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.biometry.annotation import read_annotation
from core.biometry.ellipse import Ellipse
from core.datasets import Table, read_pixels
from core.errors import DatasetError
from core.parallel import in_threads
from core.preprocessing import PreprocessingSettings, clean, finish, placement
from core.zoo.heads import filled_window

COLUMNS = ("circumference_mm", "pixel_size_mm")


@dataclass(frozen=True)
class HeadSet:
    """N prepared heads.

    Attributes
    ----------
    images : (N, S, S) uint8
    ellipses : tuple of Ellipse
        As annotated, in pixels of the images.
    scales : (N,) float64
        Pixels of the image a pixel of the frame.
    pixel_sizes : (N,) float64
        Millimetres a pixel of the frame.
    circumferences : (N,) float64
        As published, in millimetres.
    patients : (N,) str
        The examinations.
    paths : tuple of Path
    windows : (N, 2, 2) float64
        What each frame fills of its image (:func:`core.zoo.heads.filled_window`).
    """

    images: np.ndarray
    ellipses: tuple[Ellipse, ...]
    scales: np.ndarray
    pixel_sizes: np.ndarray
    circumferences: np.ndarray
    patients: np.ndarray
    paths: tuple[Path, ...]
    windows: np.ndarray

    def __len__(self) -> int:
        return len(self.images)

    @property
    def targets(self) -> np.ndarray:
        """What a regression learns (N,): the published circumference as a share of the image's side."""
        return self.circumferences / self.millimetres

    @property
    def millimetres(self) -> np.ndarray:
        """Millimetres (N,) that the image's side stands for."""
        return self.images.shape[-1] / self.scales * self.pixel_sizes


def read_heads(table: Table, preprocessing: PreprocessingSettings, size: int) -> HeadSet:
    """Read and prepare every row as prediction will, with its annotation.

    Raises
    ------
    DatasetError
        If the table has no circumferences, or a frame no annotation beside it.
    """
    missing = [name for name in COLUMNS if name not in table.frame]
    if missing:
        raise DatasetError(
            "Head circumference is learned from frames with their circumference and pixel size; "
            "give the folder of HC18 as published."
        )

    def one(path: Path) -> tuple[np.ndarray, Ellipse, float, np.ndarray]:
        cleaned = clean(read_pixels(path), preprocessing)
        ellipse = read_annotation(path)
        if ellipse is None:
            raise DatasetError(f"{path.name} has no annotation beside it; use HC18's training set as published.")
        matrix = placement(cleaned.box, preprocessing, size)
        image = finish(cleaned, preprocessing, size=size)
        return image, ellipse.moved(matrix), float(matrix[0, 0]), filled_window(cleaned, matrix)

    images, ellipses, scales, windows = zip(*in_threads(one, table.paths), strict=True)
    rows = table.frame
    return HeadSet(
        np.stack(images), ellipses, np.array(scales),
        rows["pixel_size_mm"].to_numpy(float), rows["circumference_mm"].to_numpy(float),
        rows["patient"].to_numpy(str), tuple(table.paths), np.stack(windows),
    )  # fmt: skip
