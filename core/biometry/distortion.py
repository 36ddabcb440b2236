"""A head measured under growing distortion: how far each network strays from the truth, and where it is refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from core.biometry.ellipse import Ellipse
from core.biometry.reading import Estimate, HeadReader, HeadReading
from core.corruption import corrupt
from core.corruption import get as get_corruption
from core.corruption.severity import severity_of
from core.preprocessing import Cleaned

NETWORKS = {"regression": "regression", "segmentation": "outline"}
"""Attribute of a reading -> what people call the network."""
COLUMNS = ("kind", "intensity", "severity", "network", "unit", "value", "low", "high", "expected", "error", "refused")
GRID = 129
"""Points of the grid on which the movement of a frame's content is read off."""


def distorted(cleaned: Cleaned, kind: str, intensity: float, seed: int = 0) -> Cleaned:
    """A cleaned frame under a corruption; its box and sector stay."""
    return replace(cleaned, gray=corrupt(cleaned.gray, kind, intensity, seed=seed, sector=cleaned.sector))


def movement(kind: str, intensity: float, shape: tuple[int, int]) -> np.ndarray:
    """Where a corruption moves what a frame (height, width) shows: an affine map (2, 3) of (x, y).

    Most leave everything in its place; a crop that is enlarged again moves and magnifies.
    """
    # Middles of the grid's squares in shares of the frame, which the corruption's own way back carries along.
    middles = (np.arange(GRID, dtype=np.float32) + 0.5) / GRID
    x, y = np.meshgrid(middles, middles)
    corruption = get_corruption(kind)
    there_x, valid = corruption.warp_back(x, intensity)
    there_y, _ = corruption.warp_back(y, intensity)
    # Beside the rim the way back repeats what lies there instead of going on.
    step = 1 / GRID
    valid &= (there_x > step) & (there_x < 1 - step) & (there_y > step) & (there_y < 1 - step)
    known = np.column_stack([x[valid], y[valid], np.ones(int(valid.sum()))]).astype(np.float64)
    shares = np.linalg.lstsq(known, np.column_stack([there_x[valid], there_y[valid]]), rcond=None)[0].T
    height, width = shape
    to_pixels = np.array([[width, 0, -0.5], [0, height, -0.5], [0, 0, 1]])
    return (to_pixels @ np.vstack([shares, [0, 0, 1]]) @ np.linalg.inv(to_pixels))[:2]


def moved_in_frame(ellipse: Ellipse, cleaned: Cleaned, kind: str, intensity: float) -> Ellipse:
    """An ellipse of the full frame where a corruption of the cleaned frame has moved it, again in the full frame."""
    corner = np.array([cleaned.box.left, cleaned.box.top], dtype=np.float64)
    matrix = movement(kind, intensity, cleaned.gray.shape)
    shift = matrix[:, 2] + corner - matrix[:, :2] @ corner
    return ellipse.moved(np.column_stack([matrix[:, :2], shift]))


def follow_head(
    reader: HeadReader,
    cleaned: Cleaned,
    kind: str,
    intensities: Sequence[float],
    *,
    pixel_size_mm: float | None = None,
    truth: Ellipse | None = None,
    seed: int = 0,
    progress: Callable[[float], None] = lambda share: None,
) -> pd.DataFrame:
    """Measure a head at each intensity of a corruption, with both networks of the reader.

    Parameters
    ----------
    truth : Ellipse, optional
        The head in pixels of the full frame, as annotated or as simulated. Without it errors are shifts from what the
        network said of the undistorted frame.

    Returns
    -------
    pandas.DataFrame
        One row an intensity and network, with :data:`COLUMNS`. ``unit`` is ``mm``, or ``pixels`` of the frame without
        a pixel size; ``value`` with its 90 % interval and ``error`` are NaN where nothing was found; ``expected`` is
        what is right, which grows with what the picture shows of the head; ``refused`` holds the reasons, or nothing.

    Raises
    ------
    ParameterError
        For an unknown corruption or an intensity that it does not allow.
    MeasurementError
        If the pixel size cannot be a fetal head's.
    """
    unit, scale = ("pixels", 1.0) if pixel_size_mm is None else ("mm", pixel_size_mm)
    clean_reading = reader.read_cleaned([cleaned], [pixel_size_mm])[0]
    networks = [name for name, model in (("regression", reader.regressor), ("segmentation", reader.segmenter)) if model]
    rows = []
    for done, intensity in enumerate(intensities, start=1):
        changed = distorted(cleaned, kind, intensity, seed)
        reading = reader.read_cleaned([changed], [pixel_size_mm])[0]
        growth = float(np.sqrt(abs(np.linalg.det(movement(kind, intensity, cleaned.gray.shape)[:, :2]))))
        for name in networks:
            right = truth.circumference if truth else _pixels(getattr(clean_reading, name))
            value, low, high = _ends(getattr(reading, name))
            rows.append(
                (
                    kind, float(intensity), severity_of(kind, intensity), NETWORKS[name], unit,
                    value * scale, low * scale, high * scale, right * growth * scale, (value - right * growth) * scale,
                    _reasons(reading),
                )
            )  # fmt: skip
        progress(done / len(intensities))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _pixels(estimate: Estimate | None) -> float:
    return float("nan") if estimate is None else estimate.pixels


def _ends(estimate: Estimate | None) -> tuple[float, float, float]:
    """Circumference, and the ends of its interval, in pixels; NaN what is not there."""
    if estimate is None:
        return float("nan"), float("nan"), float("nan")
    ends = (float("nan") if end is None else end for end in (estimate.low_pixels, estimate.high_pixels))
    return estimate.pixels, *ends


def _reasons(reading: HeadReading) -> str:
    return " ".join(reading.refusals)
