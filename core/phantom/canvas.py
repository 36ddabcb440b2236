"""Paint shapes and reflectors onto maps of the shown window: echogenicity, loss, unevenness and labels."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

from core.phantom import curves
from core.phantom.acoustics import Beam, FieldOfView, PolarGrid, splat_reflectors
from core.phantom.anatomy import LABELS, Reflector, Shape, Tissue

_SHIFT = 4  # fractional bits of OpenCV's polygon coordinates
_FAR = 20000  # pixels; OpenCV's fixed-point coordinates must stay small


class Canvas:
    """Maps of one field of view, filled by painting from back to front.

    Parameters
    ----------
    field: its window is what the maps cover.
    shape: rows and columns of the maps.
    ground: name and tissue that fill everything at first.

    Attributes
    ----------
    tissue: (H, W, 4) float32: echo dB, attenuation dB/mm, patches dB, layers dB.
    labels: (H, W) uint8.
    """

    def __init__(self, field: FieldOfView, shape: tuple[int, int], ground: tuple[str, Tissue]) -> None:
        self.field = field
        self.shape = shape
        self.pixel = field.width / shape[1]
        self.tissue = np.empty((*shape, 4), np.float32)
        self.tissue[:] = _channels(ground[1])
        self.labels = np.full(shape, LABELS[ground[0]], np.uint8)
        self._depth = np.zeros(shape, np.int32)  # when a pixel was painted last; hides reflectors painted before
        self._painted = 0
        self._reflectors: list[tuple[int, Reflector]] = []

    def to_pixels(self, points: np.ndarray) -> np.ndarray:
        """Millimetres to fractional pixel indices (x, y)."""
        scale = np.array([self.shape[1] / self.field.width, self.shape[0] / self.field.height])
        return (points - (self.field.left, self.field.top)) * scale - 0.5

    def paint(self, items: Iterable[Shape | Reflector]) -> None:
        """Paint items in order; reflectors are kept for `reflections`."""
        for item in items:
            self._painted += 1
            if isinstance(item, Shape):
                self._fill(item)
            else:
                self._reflectors.append((self._painted, item))

    def _fill(self, shape: Shape) -> None:
        pixels = self.to_pixels(shape.points)
        blur = shape.softness / self.pixel
        reach = int(np.ceil(2.5 * blur)) + 2
        left, top = np.floor(np.maximum(pixels.min(axis=0) - reach, 0)).astype(int)
        right = int(min(pixels[:, 0].max() + reach + 1, self.shape[1]))
        bottom = int(min(pixels[:, 1].max() + reach + 1, self.shape[0]))
        if right <= left or bottom <= top:
            return
        corners = np.clip(pixels - (left, top), -_FAR, _FAR)
        mask = np.zeros((bottom - top, right - left), np.uint8)
        fixed = np.rint(corners * (1 << _SHIFT)).astype(np.int32)
        cv2.fillPoly(mask, [fixed], 255, lineType=cv2.LINE_AA, shift=_SHIFT)
        area = np.s_[top:bottom, left:right]
        covered = mask > 127
        self.labels[area][covered] = LABELS[shape.structure]
        self._depth[area][covered] = self._painted
        part = self.tissue[area]
        if blur <= 0.4:
            part[covered] = _channels(shape.tissue)
            return
        mask = _soften(mask, blur)
        change = _channels(shape.tissue) - part
        change *= mask.astype(np.float32)[..., None] * np.float32(1 / 255)
        part += change

    def thicken(self, thickness: float, drift: np.ndarray) -> None:
        """The slice that a probe sees has a thickness: edges that slant through it are smeared.

        `thickness` is a share of the map's height; `drift` (H, W), of deviation 1, says where edges slant most.
        """
        half = (self.shape[1] // 2, self.shape[0] // 2)
        coarse = cv2.resize(self.tissue[..., 0], half, interpolation=cv2.INTER_AREA)
        coarse = cv2.GaussianBlur(coarse, (0, 0), max(0.5 * thickness * self.shape[0], 0.3))
        smeared = cv2.resize(coarse, self.shape[::-1], interpolation=cv2.INTER_LINEAR)
        share = np.clip(0.22 + 0.35 * drift, 0.0, 0.85)
        self.tissue[..., 0] += share * (smeared - self.tissue[..., 0])

    def roughen(self, patches: np.ndarray, layers: np.ndarray) -> None:
        """Make tissue uneven: noise maps (H, W) of deviation 1, scaled by each tissue's own amounts."""
        self.tissue[..., 0] += self.tissue[..., 2] * patches + self.tissue[..., 3] * layers

    def reflections(self, grid: PolarGrid, beam: Beam, generator: np.random.Generator, drift: np.ndarray) -> np.ndarray:
        """Coherent echoes (R, B) of every reflector that nothing painted later covers.

        `drift` (H, W) in dB lets neighbouring reflectors fade and shine together.
        """
        spacing = 0.4 * self.pixel
        points, amplitudes = [], []
        for order, reflector in self._reflectors:
            sampled = _sample(reflector, spacing)
            shown = self._in_sight(sampled[0], order)
            if not shown.any():
                continue
            place, across, gain = (part[shown] for part in sampled)
            rough = generator.standard_normal(len(place) // 6 + 4)
            rough = np.interp(np.linspace(0, len(rough) - 1, len(place)), np.arange(len(rough)), rough)
            angle, _ = self.field.to_beam(place[:, 0], place[:, 1])
            facing = np.abs(across[:, 0] * np.sin(angle) + across[:, 1] * np.cos(angle))
            mirror = reflector.floor + (1 - reflector.floor) * facing**reflector.exponent
            column, row = np.rint(self.to_pixels(place)).astype(int).T
            if reflector.thickness > 0:
                aside = generator.uniform(-0.5, 0.5, len(place)) * reflector.thickness
                place = place + across * aside[:, None]
                mirror = mirror * np.sqrt(1 + (reflector.thickness / beam.axial) ** 2)
            level = reflector.strength + reflector.roughness * rough + drift[row, column]
            points.append(place)
            amplitudes.append(gain * mirror * 10 ** (level / 20))
        if not points:
            return np.zeros(grid.shape, np.float32)
        place = np.concatenate(points)
        return splat_reflectors(grid, beam, place, np.full(len(place), spacing), np.concatenate(amplitudes))

    def _in_sight(self, points: np.ndarray, order: int) -> np.ndarray:
        pixels = np.rint(self.to_pixels(points))
        inside = ((pixels >= 0) & (pixels < (self.shape[1], self.shape[0]))).all(axis=1)
        column, row = np.where(inside[:, None], pixels, 0).astype(int).T
        return inside & (self._depth[row, column] <= order)


def _soften(mask: np.ndarray, deviation: float) -> np.ndarray:
    if deviation < 2:
        return cv2.GaussianBlur(mask, (0, 0), deviation)
    side = 2 * round(deviation * 1.22) + 1  # two boxes of this side have the deviation and cost much less
    return cv2.blur(cv2.blur(mask, (side, side)), (side, side))


def _channels(tissue: Tissue) -> np.ndarray:
    return np.array([tissue.echo, tissue.attenuation, tissue.patches, tissue.layers], np.float32)


def _sample(reflector: Reflector, spacing: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Even samples along a reflector, their normals and their gain."""
    points, at = curves.resample(reflector.points, spacing, reflector.closed)
    gain = np.ones(len(at))
    if reflector.gain is not None:
        gain = np.interp(at, np.linspace(0, 1, len(reflector.gain)), reflector.gain)
    return points, curves.normals(points, reflector.closed), gain


def patch_noise(generator: np.random.Generator, shape: tuple[int, int], cells: tuple[float, ...]) -> np.ndarray:
    """Irregular patches of several sizes: smooth noise (H, W) of deviation about 1.

    `cells` are the sizes of the patches as shares of the longer side, each counting the same.
    """
    total = np.zeros(shape, np.float32)
    longer = max(shape)
    for cell in cells:
        size = [max(int(np.ceil(side / (cell * longer))) + 2, 3) for side in shape]
        coarse = generator.standard_normal(size).astype(np.float32)
        total += cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC)
    return total * np.float32(1.25 / np.sqrt(len(cells)))


def layer_noise(generator: np.random.Generator, across: np.ndarray, along: np.ndarray) -> np.ndarray:
    """Streaks: noise (H, W) that changes quickly with `across` and slowly with `along`.

    Both are maps (H, W); a step of 1 in `across` is one layer, of 1 in `along` the length of a streak.
    """
    texture = generator.standard_normal((256, 64)).astype(np.float32)
    texture = cv2.resize(texture, (256, 512), interpolation=cv2.INTER_CUBIC)
    row = np.mod(across * 2, 511).astype(np.float32)
    column = np.mod(along * 4, 255).astype(np.float32)
    streaks = cv2.remap(texture, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    return streaks * 1.2
