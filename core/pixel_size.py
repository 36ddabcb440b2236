"""How large a pixel is: typed by the user, known to the DICOM file, or read off the scanner's depth ticks.

Scanners draw a column of small marks along one side of the screen, evenly spaced in depth, some of them longer. Their
distance in pixels can be measured. What it is in millimetres shows on the screens of a GE Voluson E8, which have a dot
every 5 mm, a short tick every 10 mm and a long one every 50 mm; checked there against a femur measured at 32.3 mm.
Where only every fifth tick is longer, they may be 10 mm apart or 5, so that pattern and all others tell no millimetres.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import cv2
import numpy as np

from core.errors import ParameterError
from core.images import Frame
from core.preprocessing.annotation import gray_of
from core.preprocessing.screen import rectangle

MM_PER_PIXEL_RANGE = (0.005, 5.0)

_SIDE_SHARE = 0.25  # of the frame's width, on either side, where scales stand
_TICK_HEIGHT = 7  # pixels that a tick's height stays below, on a frame of up to 1000 rows
_TICK_WIDTH = 24  # the same for its width
_CONTRAST = 60  # gray levels by which a tick stands out on all sides
_FEWEST = 5  # ticks of a scale
_LEAST_PERIOD = 8  # pixels between two ticks
_LEAST_PRESENT = 0.8  # of a scale's places that hold a tick
_LEAST_SPAN = 0.4  # of the frame's height that a scale covers
_OFF = 1.5  # pixels that a tick may lie off its place
_LONGER = 1.7  # times as wide is a longer tick
_DOT_MM = 5  # between neighbouring ticks of which every second is longer
_FIELD_MM = (20.0, 500.0)  # heights of screen that a fetal scan may show


@dataclass(frozen=True)
class PixelSize:
    """The size of a pixel and how it is known.

    Attributes
    ----------
    mm
        Side of a pixel in mm; None where only the distance of the ticks in pixels is known.
    source
        ``DICOM``, ``depth ticks`` or ``typed``.
    pixels_per_tick
        Distance of neighbouring depth ticks in pixels, of ``depth ticks`` alone.
    note
        A sentence on what the size rests upon, for the user.
    """

    mm: float | None
    source: Literal["DICOM", "depth ticks", "typed"]
    pixels_per_tick: float | None
    note: str


@dataclass(frozen=True)
class _Scale:
    """Ticks at evenly spaced rows: ``places`` are whole numbers of periods, ``widths`` the ticks' lengths there."""

    period: float
    places: np.ndarray
    widths: np.ndarray

    @property
    def expected(self) -> int:
        return int(self.places[-1] - self.places[0]) + 1


def pixel_size_of(frame: Frame, typed: float | None = None) -> PixelSize | None:
    """The size of a frame's pixels: as typed, else as the file says, else from depth ticks; None where none is known.

    Parameters
    ----------
    frame
        As read; ticks are looked for on its whole screen.
    typed
        Side of a pixel in mm, from the user.

    Raises
    ------
    ParameterError
        For a typed size that no ultrasound picture has.
    """
    if typed is not None:
        low, high = MM_PER_PIXEL_RANGE
        if not low <= typed <= high:
            raise ParameterError(f"A pixel of {typed:g} mm is not possible: give its side in mm, {low:g} to {high:g}.")
        return PixelSize(float(typed), "typed", None, f"A pixel is {typed:g} mm wide, as typed.")
    if frame.pixel_size_mm is not None:
        size = frame.pixel_size_mm
        return PixelSize(size, "DICOM", None, f"A pixel is {size:.4g} mm wide, as the DICOM file says.")
    return from_depth_ticks(frame.pixels)


def from_depth_ticks(pixels: np.ndarray) -> PixelSize | None:
    """The size of a pixel from the depth scale on a scanner's screen; None where no scale is found.

    A scale is at least 5 small marks in one column near the left or right side, evenly spaced over 40 % of the height,
    with at most a fifth of its places empty. Of several one that tells millimetres is taken before one that does not,
    then the one with most ticks.

    Parameters
    ----------
    pixels
        (H, W) or (H, W, 3) uint8, the whole screen.
    """
    gray = gray_of(pixels)
    scales = [scale for marks in _columns_of_marks(gray) if (scale := _scale_of(marks, gray.shape[0]))]
    if not scales:
        return None
    scale = max(scales, key=lambda scale: (_millimetres(scale, gray.shape[0]) is not None, len(scale.places)))
    found = f"{len(scale.places)} of {scale.expected} depth ticks were found, {scale.period:.1f} pixels apart"
    tick_mm = _millimetres(scale, gray.shape[0])
    if tick_mm is None:
        note = f"{found}; how many millimetres that is cannot be told from the picture: type it from the scanner."
        return PixelSize(None, "depth ticks", scale.period, note)
    note = f"{found}, and taken to be {tick_mm} mm apart, because every second one is longer, as on GE Voluson screens."
    return PixelSize(tick_mm / scale.period, "depth ticks", scale.period, note)


def _columns_of_marks(gray: np.ndarray) -> Iterator[np.ndarray]:
    """Marks that begin or end in one column: (N, 2) of middle row and width, from the top, for every such column."""
    height, width = gray.shape
    factor = max(1.0, height / 1000)
    tall, wide = round(_TICK_HEIGHT * factor), round(_TICK_WIDTH * factor)
    # What is no taller than a tick stands out against an opening by a line as tall.
    thin = cv2.subtract(gray, cv2.morphologyEx(gray, cv2.MORPH_OPEN, rectangle(1, tall))) >= _CONTRAST
    margin = max(wide, round(_SIDE_SHARE * width))
    thin[:, margin : width - margin] = False
    _, _, boxes, _ = cv2.connectedComponentsWithStats(thin.astype(np.uint8))
    _, _, widths, heights, areas = boxes[1:].T
    small = (heights < tall) & (widths <= wide) & (areas >= 0.8 * widths * heights)
    marks = boxes[1:][small]
    marks = marks[[_stands_alone(gray, box) for box in marks]] if len(marks) else marks
    for edges in (marks[:, 0], marks[:, 0] + marks[:, 2]):
        for column in np.unique(edges):
            aligned = marks[np.abs(edges - column) <= 1]
            rows = aligned[:, 1] + (aligned[:, 3] - 1) / 2
            order = np.argsort(rows)
            yield np.stack([rows[order], aligned[order, 2]], axis=1)


def _stands_alone(gray: np.ndarray, box: np.ndarray) -> bool:
    """Whether a mark is darker all around: a stroke of a letter goes on somewhere."""
    left, top, wide, high, _ = box.tolist()
    mark = gray[top : top + high, left : left + wide]
    rows, columns = slice(max(0, top - 3), top + high + 3), slice(max(0, left - 3), left + wide + 3)
    ring = gray[rows, columns].astype(np.int16)
    ring[top - rows.start :, left - columns.start :][:high, :wide] = -1
    around = ring[ring >= 0]
    # The innermost pixels may be blurred by JPEG.
    return np.mean(around > mark.max() - _CONTRAST) <= 0.1


def _scale_of(marks: np.ndarray, height: int) -> _Scale | None:
    """The evenly spaced ticks among marks of one column, if they make a scale."""
    rows = marks[:, 0]
    if len(rows) < _FEWEST or rows[-1] - rows[0] < _LEAST_SPAN * height:
        return None
    best = None
    for first, second in pairwise(rows):
        if second - first < _LEAST_PERIOD:
            continue
        scale = _fitted(marks, first, second - first)
        if scale and (best is None or len(scale.places) > len(best.places)):
            best = scale
    if best is None or len(best.places) < max(_FEWEST, _LEAST_PRESENT * max(best.expected, len(rows))):
        return None
    return best if (best.expected - 1) * best.period >= _LEAST_SPAN * height else None


def _fitted(marks: np.ndarray, origin: float, period: float) -> _Scale | None:
    """The ticks that lie within a pixel or so of evenly spaced places, the spacing fitted to them all."""
    rows = marks[:, 0]
    for _ in range(4):  # a spacing from two neighbours is a pixel off, which adds up over the screen
        places = np.rint((rows - origin) / period)
        near = np.abs(rows - origin - places * period) <= np.maximum(_OFF, 0.02 * period)
        if near.sum() < _FEWEST:
            return None
        period, origin = np.polyfit(places[near], rows[near], 1).tolist()
    places, unique = np.unique(np.rint((rows - origin) / period)[near], return_index=True)
    return _Scale(period, places.astype(int), marks[near][unique, 1])


def _millimetres(scale: _Scale, height: int) -> int | None:
    """Millimetres between neighbouring ticks, where the pattern of longer ones tells them."""
    places, widths = scale.places, scale.widths
    longer = places[widths >= _LONGER * widths.min()]
    if not _is_every(2, longer, places):
        return None
    longest = places[widths >= _LONGER * np.median(widths[np.isin(places, longer)])]
    if len(longest) and not _is_every(10, longest, places):
        return None
    low, high = _FIELD_MM
    return _DOT_MM if low <= height / scale.period * _DOT_MM <= high else None


def _is_every(step: int, chosen: np.ndarray, places: np.ndarray) -> bool:
    """Whether the chosen places are all those of the scale that lie whole steps apart."""
    return len(chosen) > 0 and np.array_equal(chosen, places[(places - chosen[0]) % step == 0])
