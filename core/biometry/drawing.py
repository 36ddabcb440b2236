"""A measured head as a picture: the outline over the frame, its two diameters, the annotation, and what is which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from core.biometry.ellipse import Ellipse

# Okabe and Ito's palette, as core.figures has it for charts: told apart by all kinds of colour vision.
OUTLINE = (230, 159, 0)
ANNOTATION = (86, 180, 233)
BEFORE = (204, 121, 167)
DIAMETER = (240, 228, 66)
UNDER = (0, 0, 0)
"""Drawn wider beneath every line: a line of any colour is lost on echoes as bright as itself."""
LEGEND_GROUND, LEGEND_TEXT = (24, 32, 38), (235, 240, 242)
LEAST_SIDE = 720
"""Frames whose longer side is shorter are enlarged, so that lines and letters are finer than their pixels."""
LINE_SHARE = 1 / 480
CURVE_POINTS = 720
END_SHARE = 0.02
FRACTION_BITS = 4
FONT = cv2.FONT_HERSHEY_SIMPLEX


@dataclass(frozen=True)
class Line:
    """An ellipse to be drawn, what the legend calls it, and whether it shows its two diameters."""

    ellipse: Ellipse
    name: str
    colour: tuple[int, int, int]
    diameters: bool = False


def outline(ellipse: Ellipse, name: str = "outline found") -> Line:
    """The outline that a network found, with its diameters."""
    return Line(ellipse, name, OUTLINE, diameters=True)


def annotation(ellipse: Ellipse, name: str = "annotation") -> Line:
    return Line(ellipse, name, ANNOTATION)


def before(ellipse: Ellipse, name: str = "undistorted") -> Line:
    return Line(ellipse, name, BEFORE)


def draw_heads(pixels: np.ndarray, lines: list[Line], *, legend: bool = True) -> np.ndarray:
    """Ellipses over a frame, the last on top, as an RGB picture (H', W', 3) uint8.

    Parameters
    ----------
    pixels : (H, W) or (H, W, 3) uint8
        The frame; it is enlarged where its longer side has fewer than 720 pixels.
    lines : list of Line
        In pixels of the frame.
    legend : bool
        Names the lines in a strip below the frame.
    """
    factor = max(1.0, LEAST_SIDE / max(pixels.shape[:2]))
    height, width = (round(side * factor) for side in pixels.shape[:2])
    picture = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_CUBIC) if factor > 1 else pixels.copy()
    if picture.ndim == 2:
        picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB)
    # Pixels are counted from their middles, and a resize keeps the corners in place.
    enlarge = np.array([[factor, 0, (factor - 1) / 2], [0, factor, (factor - 1) / 2]])
    thickness = max(1, round(max(height, width) * LINE_SHARE))
    for line in lines:
        ellipse = line.ellipse.moved(enlarge)
        _curve(picture, ellipse.points(CURVE_POINTS), line.colour, thickness, closed=True)
        if line.diameters:
            _diameters(picture, ellipse, thickness)
    return _with_legend(picture, lines, thickness) if legend and lines else picture


def diameter_ends(ellipse: Ellipse) -> Mapping[str, np.ndarray]:
    """Where the diameters meet the outline: ``BPD`` on the shorter and ``OFD`` on the longer axis, (2, 2) of x and y.

    Both run from outer to outer border.
    """
    along = np.array([np.cos(ellipse.angle), np.sin(ellipse.angle)])
    across = np.array([-along[1], along[0]])
    centre = np.array([ellipse.x, ellipse.y])
    return {
        "BPD": np.stack([centre - ellipse.minor * across, centre + ellipse.minor * across]),
        "OFD": np.stack([centre - ellipse.major * along, centre + ellipse.major * along]),
    }


def _diameters(picture: np.ndarray, ellipse: Ellipse, thickness: int) -> None:
    for name, ends in diameter_ends(ellipse).items():
        along = (ends[1] - ends[0]) / np.linalg.norm(ends[1] - ends[0])
        across = np.array([-along[1], along[0]]) * END_SHARE * max(picture.shape[:2])
        _curve(picture, ends, DIAMETER, thickness, closed=False)
        for end in ends:
            _curve(picture, np.stack([end - across, end + across]), DIAMETER, thickness, closed=False)
        # Beside the line and inside the head, where there is always room.
        _write(picture, name, ends[0] + 0.25 * (ends[1] - ends[0]), across / np.linalg.norm(across), thickness)


def _curve(
    picture: np.ndarray, points: np.ndarray, colour: tuple[int, int, int], thickness: int, *, closed: bool
) -> None:
    fixed = np.round(points * 2**FRACTION_BITS).astype(np.int32)[:, None]
    for shade, width in ((UNDER, thickness + 2), (colour, thickness)):
        cv2.polylines(picture, [fixed], closed, shade, width, cv2.LINE_AA, FRACTION_BITS)


def _write(picture: np.ndarray, text: str, beside: np.ndarray, away: np.ndarray, thickness: int) -> None:
    """Letters to one side of a point, so far away along a unit vector that they do not touch it."""
    scale = _letters(picture.shape)
    (width, height), _ = cv2.getTextSize(text, FONT, scale, thickness)
    middle = beside + away * (0.5 * (abs(away[0]) * width + abs(away[1]) * height) + 0.5 * height)
    x = int(np.clip(middle[0] - width / 2, 0, max(0, picture.shape[1] - width)))
    y = int(np.clip(middle[1] + height / 2, height, picture.shape[0] - 1))
    for shade, weight in ((UNDER, thickness + 3), (DIAMETER, thickness)):
        cv2.putText(picture, text, (x, y), FONT, scale, shade, weight, cv2.LINE_AA)


def _with_legend(picture: np.ndarray, lines: list[Line], thickness: int) -> np.ndarray:
    """The picture with a strip below that names each line; what does not fit beside the others takes a new row."""
    width = picture.shape[1]
    scale = _letters(picture.shape)
    row = round(44 * scale)
    sample, gap = round(36 * scale), round(14 * scale)
    entries = [(line.name, line.colour) for line in lines]
    if any(line.diameters for line in lines):
        entries.append(("BPD and OFD, outer to outer", DIAMETER))
    places: list[tuple[int, int]] = []
    x, rows = gap, 1
    for name, _ in entries:
        needed = sample + gap + cv2.getTextSize(name, FONT, scale, 1)[0][0] + 2 * gap
        if places and x + needed > width:
            x, rows = gap, rows + 1
        places.append((x, round((rows - 0.5) * row)))
        x += needed
    strip = np.full((rows * row, width, 3), LEGEND_GROUND, np.uint8)
    for (name, colour), (x, y) in zip(entries, places, strict=True):
        cv2.line(strip, (x, y), (x + sample, y), colour, thickness + 1, cv2.LINE_AA)
        cv2.putText(strip, name, (x + sample + gap, y + round(10 * scale)), FONT, scale, LEGEND_TEXT, 1, cv2.LINE_AA)
    return np.vstack([picture, strip])


def _letters(shape: tuple[int, ...]) -> float:
    """OpenCV's scale of letters that are as large beside any frame."""
    return max(shape[:2]) / 1250
