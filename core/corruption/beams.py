"""Which beam and which depth every pixel of a sector belongs to.

A curved or phased probe sends its beams out from one point above the picture, a linear one sends them down side by
side. Which of the two it was is read from the sector's own outline: its left and right edge are straight lines that
meet in that point.
"""

from __future__ import annotations

import hashlib
import math
import threading
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

EDGE_ROWS = (0.1, 0.7)
"""Shares of the sector's rows between which its edges are looked at: above lies the probe, below the curved end."""
LEAST_OPENING = 0.15
"""How much wider, in widths per height, a sector has to grow to be a fan."""
KEPT = 32

_lock = threading.Lock()
_known: OrderedDict[tuple[tuple[int, int], bytes], Beams] = OrderedDict()


@dataclass(frozen=True, eq=False)
class Beams:
    """Where every pixel of a frame (H, W) lies among the beams of its sector.

    Attributes
    ----------
    depth : (H, W) float32
        Along the beam: 0 at the probe's face, 1 at the deepest pixel of the sector.
    angle : (H, W) float32
        Across the beams: 0 at the left edge of the sector, 1 at the right.
    apex : (float, float) or None
        Row and column where the beams meet; None where they run side by side.
    near, far : float
        Pixels from the apex (or the first row) at which the depth is 0 and 1.
    """

    depth: np.ndarray
    angle: np.ndarray
    apex: tuple[float, float] | None
    near: float
    far: float

    @classmethod
    def of(cls, sector: np.ndarray) -> Beams:
        """The beams of a sector (H, W) bool with at least one pixel; those of the last few sectors are kept."""
        key = (sector.shape, hashlib.sha1(np.packbits(sector), usedforsecurity=False).digest())
        with _lock:
            if key in _known:
                _known.move_to_end(key)
                return _known[key]
        beams = cls._found(sector)
        with _lock:
            _known[key] = beams
            while len(_known) > KEPT:
                _known.popitem(last=False)
        return beams

    @classmethod
    def _found(cls, sector: np.ndarray) -> Beams:
        rows, columns = np.nonzero(sector.any(axis=1))[0], np.nonzero(sector.any(axis=0))[0]
        apex = _apex(sector, rows)
        down, across = np.mgrid[: sector.shape[0], : sector.shape[1]].astype(np.float32)
        if apex is None:
            distance, direction = down, across
            near, far = float(rows[0]), float(rows[-1])
            left, right = float(columns[0]), float(columns[-1])
        else:
            down, across = down - np.float32(apex[0]), across - np.float32(apex[1])
            distance, direction = np.hypot(down, across), np.arctan2(across, down)
            # A few stray pixels must not set the ends.
            near, far = (float(value) for value in np.percentile(distance[sector], [0.1, 99.9]))
            left, right = (float(value) for value in np.percentile(direction[sector], [0.5, 99.5]))
        depth = np.clip((distance - near) / max(far - near, 1.0), 0, 1)
        angle = np.clip((direction - left) / max(right - left, 1e-6), 0, 1)
        return cls(depth.astype(np.float32), angle.astype(np.float32), apex, near, far)

    def shifted(self, depth: float) -> tuple[np.ndarray, np.ndarray]:
        """Columns and rows (H, W) float32 from which ``cv2.remap`` fetches what lies ``depth`` nearer to the probe."""
        down, across = np.mgrid[: self.depth.shape[0], : self.depth.shape[1]].astype(np.float32)
        step = depth * (self.far - self.near)
        if self.apex is None:
            return across, down - np.float32(step)
        rows, columns = down - np.float32(self.apex[0]), across - np.float32(self.apex[1])
        factor = 1 - np.float32(step) / np.maximum(np.hypot(rows, columns), 1e-3)
        return np.float32(self.apex[1]) + columns * factor, np.float32(self.apex[0]) + rows * factor


def _apex(sector: np.ndarray, rows: np.ndarray) -> tuple[float, float] | None:
    """Where the sector's straight edges meet, as row and column; None where they hardly open."""
    top, height = rows[0], len(rows)
    first, last = (top + round(share * height) for share in EDGE_ROWS)
    chosen = np.arange(first, last)
    chosen = chosen[sector[first:last].any(axis=1)]
    if len(chosen) < 8:
        return None
    left = sector[chosen].argmax(axis=1)
    right = sector.shape[1] - 1 - sector[chosen, ::-1].argmax(axis=1)
    lines = []
    for edge, border in ((left, 0), (right, sector.shape[1] - 1)):
        # Rows in which the sector is cut off by the picture say nothing about its edge.
        free = edge != border
        if free.sum() < 8:
            return None
        lines.append(_robust_line(chosen[free], edge[free]))
    (left_slope, left_start), (right_slope, right_start) = lines
    opening = right_slope - left_slope
    if not math.isfinite(opening) or opening < LEAST_OPENING:
        return None
    row = (left_start - right_start) / opening
    if row > top + height / 4:
        return None
    return float(row), float(left_slope * row + left_start)


def _robust_line(rows: np.ndarray, columns: np.ndarray) -> tuple[float, float]:
    """Slope and start of columns over rows, by the median of slopes between pairs half the rows apart."""
    half = len(rows) // 2
    slope = float(np.median((columns[half:] - columns[: len(rows) - half]) / (rows[half:] - rows[: len(rows) - half])))
    return slope, float(np.median(columns - slope * rows))
