"""A scanner's screen around a simulated picture: header, gray bar, ticks, side text, calipers and measurements.

The layouts follow the screens that thesis 000 names (Siemens 1024x768; GE Voluson 868x650 and 960x720), and the looks
of real Voluson screens: text with coloured fringes, caliper dots of one or two thin pixels with a dark edge.
Every name and number on the screen is invented.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from core.errors import ParameterError
from core.phantom.anatomy import LABELS
from core.phantom.generator import Phantom, generate, random_streams
from core.phantom.settings import Draw

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Layout:
    """Where things are on one screen, in pixels: rows before columns.

    `picture` is (top, bottom, left, right) of the part that shows echoes; it lies in the crop of thesis 000 §A.1.
    """

    rows: int
    columns: int
    picture: tuple[int, int, int, int]
    font: int


LAYOUTS: dict[str, tuple[Layout, ...]] = {
    "siemens": (Layout(768, 1024, (82, 568, 4, 756), 15),),
    "ge": (Layout(650, 868, (62, 648, 16, 866), 12), Layout(720, 960, (64, 718, 17, 958), 13)),
}

SCANNERS = tuple(LAYOUTS)

WHITE, LIGHT, GRAY = (255, 255, 255), (215, 220, 225), (170, 170, 170)
COLOURS: dict[str, Colour] = {
    "yellow": (255, 255, 0),
    "pale yellow": (255, 255, 150),
    "amber": (255, 205, 40),
    "green": (0, 215, 0),
    "dark green": (30, 150, 45),
    "cyan": (60, 225, 235),
    "blue": (75, 105, 255),
    "light blue": (110, 160, 255),
    "white": WHITE,
}


@dataclass(frozen=True)
class RawScreen:
    """A full scanner screen and the truth beneath it.

    Attributes
    ----------
    pixels: (H, W, 3) uint8 RGB, the screen.
    clean: (H, W, 3) uint8 RGB, the sector alone in the same tint, black elsewhere.
    annotation_mask: (H, W) bool, pixels of the sector that something was drawn over.
    sector: (H, W) bool.
    labels: (H, W) uint8, structures; 0 outside the sector.
    scanner: "siemens" or "ge".
    phantom: the frame that is shown, as (rows, columns) of the picture's part of the screen.
    drawn: what is drawn over or beside the picture, by name.
    """

    pixels: np.ndarray
    clean: np.ndarray
    annotation_mask: np.ndarray
    sector: np.ndarray
    labels: np.ndarray
    scanner: str
    phantom: Phantom
    drawn: tuple[str, ...]
    parameters: dict[str, object] = field(default_factory=dict)


def raw_screen(plane: str, seed: int, *, scanner: str, settings: str = "train") -> RawScreen:
    """Simulate a whole scanner screen with its overlays.

    Parameters
    ----------
    plane, seed, settings: as for `generate`.
    scanner: "siemens" (1024x768) or "ge" (868x650 or 960x720, drawn at random).

    Raises
    ------
    ParameterError: for an unknown plane, scanner or settings, or a negative seed.
    """
    if scanner not in LAYOUTS:
        raise ParameterError(f"There is no simulated scanner called {scanner!r}; use one of {', '.join(LAYOUTS)}.")
    draw = Draw(random_streams(plane, seed, settings)[3], settings)
    layout = LAYOUTS[scanner][draw.integer("screen.layout", 0, len(LAYOUTS[scanner]) - 1)]
    top, bottom, left, right = layout.picture
    phantom = generate(plane, seed, size=(bottom - top, right - left), settings=settings)
    tinted, tint = _tint(draw, phantom.image)
    area = np.s_[top:bottom, left:right]
    clean = np.zeros((layout.rows, layout.columns, 3), np.uint8)
    clean[area] = tinted
    sector = np.zeros(clean.shape[:2], bool)
    sector[area] = phantom.sector
    labels = np.zeros(clean.shape[:2], np.uint8)
    labels[area] = phantom.labels
    screen = Screen(clean.copy(), draw)
    painter = _Siemens if scanner == "siemens" else _Voluson
    painter(screen, draw, layout, phantom, tint).paint()
    _calipers(screen, draw, layout, phantom)
    mask = (screen.pixels != clean).any(axis=2) & sector
    parameters = {**phantom.parameters, **draw.parameters}
    return RawScreen(screen.pixels, clean, mask, sector, labels, scanner, phantom, tuple(screen.drawn), parameters)


def _tint(draw: Draw, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gray levels to RGB through a tinted gray map: (H, W, 3) and the map (256, 3)."""
    name = draw.choice("screen.tint", ["none", "cool", "blue", "sepia"], [0.38, 0.27, 0.18, 0.17])
    offsets = {"none": (0, 0, 0), "cool": (-1.5, 0.0, 3.5), "blue": (-1.0, -1.0, 24.0), "sepia": (16.0, 4.0, -16.0)}[
        name
    ]
    strength = draw.uniform("screen.tint_strength", 0.6, 1.3)
    level = np.arange(256, dtype=float)
    # A tint leaves black black and fades towards white, as the maps of real scanners do.
    share = np.clip(level / 40, 0, 1) * (1 - 0.6 * (level / 255) ** 2)
    table = np.clip(level[:, None] + strength * share[:, None] * np.array(offsets), 0, 255)
    table = np.rint(table).astype(np.uint8)
    return table[image], table


class Screen:
    """Pixels to draw on. Everything is anti-aliased: shapes become coverage masks in [0, 1]."""

    def __init__(self, pixels: np.ndarray, draw: Draw) -> None:
        self.pixels = pixels
        self.drawn: list[str] = []
        self.fringes = draw.chance("screen.fringes", 0.5)
        self.shadow = draw.chance("screen.text_shadow", 0.4)

    def note(self, name: str) -> None:
        """Remember that something was drawn."""
        if name not in self.drawn:
            self.drawn.append(name)

    def blend(self, coverage: np.ndarray, colour: Colour, row: int, column: int) -> None:
        """Lay a colour over the pixels from (row, column) on, by coverage (h, w) or (h, w, 3) in [0, 1]."""
        rows, columns = self.pixels.shape[:2]
        top, left = max(row, 0), max(column, 0)
        bottom, right = min(row + coverage.shape[0], rows), min(column + coverage.shape[1], columns)
        if bottom <= top or right <= left:
            return
        part = coverage[top - row : bottom - row, left - column : right - column]
        part = part if part.ndim == 3 else part[..., None]
        under = self.pixels[top:bottom, left:right].astype(np.float32)
        mixed = under + part * (np.asarray(colour, np.float32) - under)
        self.pixels[top:bottom, left:right] = np.rint(mixed).astype(np.uint8)

    def rectangle(
        self, top: int, left: int, bottom: int, right: int, upper: Colour, lower: Colour | None = None
    ) -> None:
        """Filled rectangle, shaded from `upper` to `lower`."""
        shade = np.linspace(upper, lower or upper, bottom - top)
        self.pixels[top:bottom, left:right] = np.rint(shade).astype(np.uint8)[:, None, :]

    def text(self, words: str, row: int, column: int, size: int, colour: Colour, *, right: bool = False) -> int:
        """Text whose top left (or, with `right`, top right) corner is at (row, column); returns its width."""
        font = ImageFont.load_default(size=3 * size)
        width, height = int(font.getlength(words)) + 6, 4 * size
        sheet = Image.new("L", (width + (-width) % 3, height - height % 3))
        ImageDraw.Draw(sheet).text((3, 0), words, fill=255, font=font)
        fine = np.asarray(sheet, np.float32) / 255
        coverage = _reduce(fine, self.fringes)
        column = column - coverage.shape[1] if right else column
        if self.shadow:
            self.blend(coverage * 0.8, (0, 0, 0), row + 1, column + 1)
        self.blend(coverage, colour, row, column)
        return coverage.shape[1]

    def stroke(self, points: np.ndarray, colour: Colour, width: float = 1.0) -> None:
        """Anti-aliased line through points (N, 2) of x, y."""
        self._shape(
            points,
            colour,
            lambda mask, fixed: cv2.polylines(mask, [fixed], False, 255, max(round(width), 1), cv2.LINE_AA, 4),
        )

    def polygon(self, points: np.ndarray, colour: Colour) -> None:
        """Anti-aliased filled polygon."""
        self._shape(points, colour, lambda mask, fixed: cv2.fillPoly(mask, [fixed], 255, cv2.LINE_AA, 4))

    def _shape(self, points, colour, paint) -> None:
        points = np.asarray(points, float)
        low = np.floor(points.min(axis=0)).astype(int) - 4
        high = np.ceil(points.max(axis=0)).astype(int) + 5
        mask = np.zeros((high[1] - low[1], high[0] - low[0]), np.uint8)
        paint(mask, np.rint((points - low) * 16).astype(np.int32))
        self.blend(mask.astype(np.float32) / 255, colour, int(low[1]), int(low[0]))

    def dot(self, x: float, y: float, size: float, colour: Colour, *, edge: bool) -> None:
        """A thin dot, spread over the pixels it touches, with a dark edge on its left if wanted."""
        column, row = int(np.floor(x)), int(np.floor(y))
        reach = int(np.ceil(size)) + 1
        along_x = np.clip(
            np.minimum(np.arange(reach) + 1, x - column + size) - np.maximum(np.arange(reach), x - column), 0, 1
        )
        along_y = np.clip(
            np.minimum(np.arange(reach) + 1, y - row + size) - np.maximum(np.arange(reach), y - row), 0, 1
        )
        coverage = np.outer(along_y, along_x).astype(np.float32)
        if edge:
            self.blend((coverage > 0.15).astype(np.float32), (0, 0, 0), row, column - 1)
        # Scanners mix dots with black, not with the picture: they are dark yellow, never pale.
        solid = coverage > 0.15
        peak = float(coverage.max())
        for down, right in zip(*np.nonzero(solid), strict=True):
            share = coverage[down, right] / peak
            shade = tuple(int(part * share) for part in colour)
            self.blend(np.ones((1, 1), np.float32), shade, row + int(down), column + int(right))


def _reduce(fine: np.ndarray, fringes: bool) -> np.ndarray:
    """Text drawn three times too large, to coverage of pixels; with fringes each colour has its own third."""
    rows = fine.reshape(fine.shape[0] // 3, 3, -1).mean(axis=1)
    if not fringes:
        return rows.reshape(rows.shape[0], -1, 3).mean(axis=2)
    spread = cv2.blur(rows, (3, 1))
    return spread.reshape(rows.shape[0], -1, 3)


class _Siemens:
    """A Siemens screen: patient line on top, side panel on the right, picture on the left."""

    def __init__(self, screen: Screen, draw: Draw, layout: Layout, phantom: Phantom, tint: np.ndarray) -> None:
        self.screen, self.draw, self.layout, self.phantom, self.tint = screen, draw, layout, phantom, tint

    def paint(self) -> None:
        screen, draw, layout = self.screen, self.draw, self.layout
        ink = COLOURS[draw.choice("screen.side_colour", ["white", "light blue", "blue"], [0.5, 0.3, 0.2])]
        screen.rectangle(0, 0, 58, layout.columns, (38, 42, 50), (16, 18, 22))
        screen.text("SIEMENS", 8, 14, 17, LIGHT)
        screen.text(f"PHANTOM {draw.integer('screen.number', 1000, 99999)}", 8, 200, layout.font, ink)
        screen.text("SIMULATED IMAGE", 30, 200, layout.font, GRAY)
        screen.text(f"MI {draw.uniform('screen.mi', 0.6, 1.4):.1f}  TIb 0.2", 8, 620, layout.font, ink)
        screen.text(
            f"{draw.integer('screen.hour', 8, 18):02d}:{draw.integer('screen.minute', 0, 59):02d}", 8, 930, 14, ink
        )
        screen.note("header")
        self._panel(ink)
        _gray_bar(screen, self.tint, 96, 764, 150, 14)
        _ticks(screen, draw, layout, self.phantom, 787, white=True)
        screen.rectangle(744, 0, layout.rows, layout.columns, (30, 33, 40))
        screen.text("Freeze   Cine   Calc   Report", 749, 12, 13, GRAY)

    def _panel(self, ink: Colour) -> None:
        draw, screen, layout = self.draw, self.screen, self.layout
        frequency = draw.uniform("screen.frequency", 3.0, 8.0)
        words = [
            draw.choice("screen.probe", ["CH5-2", "6C1 HD", "9EVF4", "CA 541"]),
            "OB",
            f"{frequency:.2f} MHz",
            f"{draw.integer('screen.gain', -6, 12)} dB",
            f"DR {draw.integer('screen.dr', 50, 75)}",
            "SC 2",
            f"DTCE {draw.choice('screen.dtce', ['Off', 'Low', 'Medium'])}",
            "Map E",
            f"ST {draw.integer('screen.st', 0, 4)}",
            f"{_depth_cm(self.phantom):.1f} cm",
            f"{draw.integer('screen.rate', 14, 52)} fps",
        ]
        for k, word in enumerate(words):
            screen.text(word, 84 + 24 * k, 850, layout.font, ink if k % 4 else WHITE)
        screen.note("side text")


class _Voluson:
    """A GE Voluson screen: dark header, gray bar and ticks on the left, side text on the right."""

    def __init__(self, screen: Screen, draw: Draw, layout: Layout, phantom: Phantom, tint: np.ndarray) -> None:
        self.screen, self.draw, self.layout, self.phantom, self.tint = screen, draw, layout, phantom, tint

    def paint(self) -> None:
        screen, draw, layout = self.screen, self.draw, self.layout
        size = layout.font
        bottom = layout.picture[0] - 4
        screen.rectangle(6, 1, bottom, 58, (54, 57, 61), (22, 24, 27))
        screen.text("Voluson", 8, 8, size - 2, LIGHT)
        screen.text(f"E{draw.integer('screen.model', 6, 10)}", 28, 34, size - 2, LIGHT)
        screen.rectangle(bottom - 26, 140, bottom, 360, (54, 57, 61), (26, 28, 31))
        screen.rectangle(6, 362, bottom - 28, 530, (54, 57, 61), (26, 28, 31))
        screen.rectangle(bottom - 26, 362, bottom, 590, (54, 57, 61), (26, 28, 31))
        probe = draw.choice("screen.probe", ["AB2-7-D/OB", "RAB4-8-D/OB", "RIC5-9-D/OB", "C1-5-D/OB"])
        screen.text(probe, 10, 395, size + 1, LIGHT)
        reading = f"{_depth_cm(self.phantom):.1f}cm / {draw.uniform('screen.mi', 0.8, 2.2):.1f}"
        screen.text(f"{reading} / {draw.integer('screen.rate', 18, 60)}Hz", bottom - 24, 372, size + 1, LIGHT)
        screen.text("TIs 0.1", bottom - 24, 540, size + 1, LIGHT)
        screen.text(f"PHANTOM {draw.integer('screen.number', 1000, 99999)}", bottom - 24, 150, size + 1, LIGHT)
        screen.note("header")
        _gray_bar(screen, self.tint, 92, 2, layout.rows * 27 // 100, 11)
        _ticks(screen, draw, layout, self.phantom, 28, white=False)
        if draw.chance("screen.marker", 0.85):
            self._marker()
        if draw.chance("screen.side_text", 0.9):
            self._side_text()

    def _marker(self) -> None:
        x = self.draw.integer("screen.marker_x", 120, 300)
        phase = np.linspace(0, 2 * np.pi, 24)
        circle = np.stack([x + 8 * np.cos(phase), 88 + 8 * np.sin(phase)], axis=1)
        self.screen.polygon(circle, (0, 200, 0))
        self.screen.text("V", 80, x - 4, 11, (0, 50, 0))
        self.screen.note("marker")

    def _side_text(self) -> None:
        draw, screen, layout = self.draw, self.screen, self.layout
        words = [
            "Routine",
            "Har-mid",
            f"Pwr  {draw.integer('screen.power', 78, 100)} %",
            f"Gn  {draw.integer('screen.gain', -6, 8)}",
            f"C{draw.integer('screen.c', 4, 9)} / M{draw.integer('screen.m', 5, 8)}",
            "P3 / E3",
        ]
        step = layout.font + 3
        for k, word in enumerate(words):
            screen.text(word, layout.picture[0] + 6 + step * k, layout.columns - 8, layout.font, GRAY, right=True)
        blue = COLOURS[draw.choice("screen.sri_colour", ["blue", "light blue"])]
        row = layout.picture[0] + 6 + step * len(words)
        screen.text(
            f"SRI II {draw.integer('screen.sri', 1, 5)}", row, layout.columns - 8, layout.font, blue, right=True
        )
        screen.note("side text")


def _depth_cm(phantom: Phantom) -> float:
    return phantom.pixel_size_mm * phantom.image.shape[0] / 10


def _gray_bar(screen: Screen, tint: np.ndarray, top: int, left: int, height: int, width: int) -> None:
    levels = np.linspace(235, 0, height).astype(int)
    screen.pixels[top : top + height, left : left + width] = tint[levels][:, None, :]
    screen.note("gray bar")


def _ticks(screen: Screen, draw: Draw, layout: Layout, phantom: Phantom, column: int, *, white: bool) -> None:
    """Depth ticks every centimetre (or half), longer every five, and the focus mark."""
    top, bottom = layout.picture[:2]
    colour = WHITE if white else COLOURS["pale yellow"]
    step = (10 if phantom.pixel_size_mm > 0.12 else 5) / phantom.pixel_size_mm
    first = draw.uniform("screen.first_tick", 0, 1) * step
    for k, row in enumerate(np.arange(top + first, bottom - 3, step)):
        long = k % 5 == 0
        screen.rectangle(int(row), column, int(row) + (3 if long else 2), column + (9 if long else 3), colour)
    focus = draw.uniform("screen.focus_at", 0.35, 0.8) * (bottom - top) + top
    triangle = np.array([[column + 14, focus - 4], [column + 19, focus], [column + 14, focus + 4]])
    screen.polygon(triangle, COLOURS["pale yellow"])
    screen.note("depth ticks")


def _calipers(screen: Screen, draw: Draw, layout: Layout, phantom: Phantom) -> None:
    """Measurements over the anatomy, in the style that one scanner and one user would choose."""
    if not draw.chance("screen.calipers", 0.88):
        return
    top, _, left, _ = layout.picture
    origin = np.array([left, top], float)
    palette = list(COLOURS)
    colour = COLOURS[draw.choice("screen.caliper_colour", palette, [6, 3, 2, 4, 2, 1, 1, 1, 2])]
    marks = _MEASURES.get(phantom.plane, _distance)(draw, phantom)
    style = draw.choice("screen.caliper_style", ["dots", "dashes", "line", "crosses"], [0.5, 0.15, 0.1, 0.25])
    results = []
    for name, points, millimetres, closed in marks:
        path = points + origin
        if closed or style != "crosses":
            _trace(screen, draw, path, colour, "dots" if closed else style)
            screen.note("dotted ellipse" if closed else "caliper line")
        if not closed:
            kind = draw.choice(f"screen.mark_{name}", ["plus", "cross", "bar"], [0.5, 0.25, 0.25])
            size = draw.integer(f"screen.mark_{name}_size", 3, 7)
            for end in (path[0], path[-1]):
                _mark(screen, end, path[-1] - path[0], colour, kind, size)
            screen.note("caliper marks")
        results.append(f"{name}  {millimetres:.1f} mm")
    if draw.chance("screen.words", 0.35):
        words = draw.choice("screen.word", [phantom.plane, "FETUS", "A", "TS", "13w0d"])
        place = draw.uniforms("screen.word_at", 2, 0.12, 0.8) * phantom.image.shape[::-1] + origin
        ink = COLOURS[draw.choice("screen.word_colour", ["light blue", "blue", "yellow", "white"])]
        screen.text(words, int(place[1]), int(place[0]), layout.font + 2, ink)
        screen.note("words")
    if results and draw.chance("screen.results", 0.75):
        _results(screen, draw, layout, results, colour)


def _trace(screen: Screen, draw: Draw, path: np.ndarray, colour: Colour, style: str) -> None:
    lengths = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(path, axis=0).T))])
    if style == "line":
        screen.stroke(path, colour)
        return
    gap = draw.uniform("screen.caliper_gap", 4, 9)
    at = np.arange(0, lengths[-1], gap)
    places = np.stack([np.interp(at, lengths, path[:, k]) for k in (0, 1)], axis=1)
    if style == "dashes":
        ends = np.stack([np.interp(at + 0.5 * gap, lengths, path[:, k]) for k in (0, 1)], axis=1)
        for start, end in zip(places, ends, strict=True):
            screen.stroke(np.stack([start, end]), colour)
        return
    size = draw.uniform("screen.dot_size", 0.7, 1.8)
    edge = draw.chance("screen.dot_edge", 0.5)
    for x, y in places:
        screen.dot(x, y, size, colour, edge=edge)


def _mark(screen: Screen, end: np.ndarray, along: np.ndarray, colour: Colour, kind: str, size: int) -> None:
    """The sign at the end of a caliper: plus, slanted cross, or a bar across the line."""
    if kind == "bar":
        unit = along / max(float(np.hypot(*along)), 1e-6)
        arms = [np.array([-unit[1], unit[0]])]
    else:
        arms = (
            [np.array([1.0, 0.0]), np.array([0.0, 1.0])]
            if kind == "plus"
            else [np.array([0.7, 0.7]), np.array([0.7, -0.7])]
        )
    for arm in arms:
        screen.stroke(np.stack([end - size * arm, end + size * arm]), colour)


def _results(screen: Screen, draw: Draw, layout: Layout, results: list[str], colour: Colour) -> None:
    """The box with the measured values in a corner of the picture."""
    top, bottom, left, right = layout.picture
    size = layout.font + 2
    high, wide = (size + 5) * len(results) + 6, 11 * size
    corner = draw.choice("screen.results_corner", ["bottom right", "bottom left", "top left"], [0.55, 0.25, 0.2])
    row = top + 40 if corner.startswith("top") else bottom - high - 2
    column = right - wide - 2 if corner.endswith("right") else left + 30
    if draw.chance("screen.results_box", 0.5):
        screen.rectangle(row, column, row + high, column + wide, (40, 40, 40))
    ink = draw.choice("screen.results_colour", ["white", "caliper", "light blue"], [0.5, 0.3, 0.2])
    for k, words in enumerate(results):
        screen.text(
            f"{k + 1} {words}", row + 3 + (size + 5) * k, column + 6, size, colour if ink == "caliper" else COLOURS[ink]
        )
    screen.note("measurement text")


def _points_of(phantom: Phantom, names: tuple[str, ...]) -> np.ndarray:
    """Pixel coordinates x, y (N, 2) of structures."""
    mask = np.isin(phantom.labels, [LABELS[name] for name in names])
    rows, columns = np.nonzero(mask)
    return np.stack([columns, rows], axis=1).astype(np.float32)


def _measure_head(draw: Draw, phantom: Phantom) -> list[tuple[str, np.ndarray, float, bool]]:
    """Ellipse about the skull and the biparietal line."""
    points = _points_of(phantom, ("skull",))
    if len(points) < 50:
        return _distance(draw, phantom)
    (x, y), (first, second), angle = cv2.fitEllipse(cv2.convexHull(points))
    turn = np.deg2rad(angle)
    phase = np.linspace(0, 2 * np.pi, 200)
    axes = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    ring = np.stack([first / 2 * np.cos(phase), second / 2 * np.sin(phase)], axis=1) @ axes + (x, y)
    short = axes[0] * first / 2 if first < second else axes[1] * second / 2
    line = np.array([x, y]) + np.linspace(-1, 1, 50)[:, None] * short
    size = phantom.pixel_size_mm
    a, b = first / 2 * size, second / 2 * size
    around = np.pi * (3 * (a + b) - np.sqrt((3 * a + b) * (a + 3 * b)))
    which = draw.choice("screen.head_measure", ["both", "ellipse", "line"], [0.4, 0.25, 0.35])
    marks = []
    if which != "ellipse":
        marks.append(("BPD", line, 2 * min(a, b), False))
    if which != "line":
        marks.append(("HC", ring, around, True))
    return marks


def _measure_length(draw: Draw, phantom: Phantom) -> list[tuple[str, np.ndarray, float, bool]]:
    """The longest line through head and trunk."""
    points = _points_of(phantom, ("head", "skull", "trunk", "rump"))
    if len(points) < 50:
        return _distance(draw, phantom)
    hull = cv2.convexHull(points)[:, 0]
    apart = np.hypot(*(hull[:, None] - hull[None]).transpose(2, 0, 1))
    first, second = np.unravel_index(int(np.argmax(apart)), apart.shape)
    line = np.linspace(hull[first], hull[second], 60)
    return [("CRL", line, float(apart.max()) * phantom.pixel_size_mm, False)]


def _measure_translucency(draw: Draw, phantom: Phantom) -> list[tuple[str, np.ndarray, float, bool]]:
    """The short line across the translucency where it is thickest."""
    mask = (phantom.labels == LABELS["nuchal translucency"]).astype(np.uint8)
    if mask.sum() < 20:
        return _distance(draw, phantom)
    distance = cv2.distanceTransform(mask, cv2.DIST_L2, 5)
    row, column = np.unravel_index(int(np.argmax(distance)), distance.shape)
    points = _points_of(phantom, ("nuchal translucency",))
    near = points[np.hypot(*(points - (column, row)).T) < 6 * distance.max()]
    _, _, axes = np.linalg.svd(near - near.mean(axis=0), full_matrices=False)
    line = np.array([column, row]) + np.linspace(-1, 1, 12)[:, None] * axes[1] * distance.max()
    return [("NT", line, 2 * float(distance.max()) * phantom.pixel_size_mm, False)]


def _distance(draw: Draw, phantom: Phantom) -> list[tuple[str, np.ndarray, float, bool]]:
    """Any distance, where a plane has no measurement of its own or its structure is not in view."""
    ends = draw.uniforms("screen.distance", 4, 0.2, 0.8).reshape(2, 2) * phantom.image.shape[::-1]
    return [("D", np.linspace(*ends, 40), float(np.hypot(*(ends[1] - ends[0]))) * phantom.pixel_size_mm, False)]


_MEASURES = {"BPD": _measure_head, "CRL": _measure_length, "NT": _measure_translucency}
