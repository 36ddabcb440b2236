"""A seed in, a phantom out."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from numbers import Integral

import cv2
import numpy as np

from core.errors import ParameterError
from core.phantom import scene
from core.phantom.anatomy import LABELS
from core.phantom.planes import find_plane
from core.phantom.settings import Draw, check_settings

MIN_SIDE, MAX_SIDE = 64, 2048


@dataclass(frozen=True)
class Phantom:
    """A simulated frame and all that is known about it.

    Attributes
    ----------
    plane, seed, settings: what it was made from.
    image: (H, W) uint8, black outside the sector.
    labels: (H, W) uint8, 0 outside the sector; values as in `structures`.
    structures: names of the structures in view -> label value.
    sector: (H, W) bool.
    pixel_size_mm: side of a pixel, which is square.
    parameters: every number drawn, by name; JSON-able.
    """

    plane: str
    seed: int
    settings: str
    image: np.ndarray
    labels: np.ndarray
    structures: dict[str, int]
    sector: np.ndarray
    pixel_size_mm: float
    parameters: dict[str, object] = field(default_factory=dict)


def random_streams(plane: str, seed: int, settings: str) -> list[np.random.Generator]:
    """Four independent generators of one phantom: anatomy, scanner and surroundings, speckle, screen.

    They follow from (plane, seed, settings) alone, by numpy's SeedSequence.

    Raises
    ------
    ParameterError: for an unknown plane or settings, or a seed that is no whole number of 0 or more.
    """
    check_settings(settings)
    if isinstance(seed, bool) or int(seed) != seed or seed < 0:
        raise ParameterError(f"The seed {seed!r} is not a whole number of 0 or more; choose another one.")
    name = zlib.crc32(f"{find_plane(plane).name}/{settings}".encode())
    return [np.random.default_rng(child) for child in np.random.SeedSequence((int(seed), name)).spawn(4)]


def generate(plane: str, seed: int, *, size: int | tuple[int, int] | None = 299, settings: str = "train") -> Phantom:
    """Simulate one frame. The same arguments give the same bytes on the same machine, in any order of calls.

    Parameters
    ----------
    plane: name of a plane in `PLANES`, in any case.
    seed: whole number, 0 or more.
    size: side of a square picture, or (rows, columns); None draws a screen crop of 400 rows and 400 to 620 columns.
    settings: "train" or "unseen", see `SETTINGS`.

    Raises
    ------
    ParameterError: for an unknown plane or settings, a negative seed, or a side outside 64 .. 2048.
    """
    anatomy_stream, scene_stream, speckle, _ = random_streams(plane, seed, settings)
    chosen = find_plane(plane)
    anatomy_draw, draw = Draw(anatomy_stream, settings), Draw(scene_stream, settings)
    rows, columns = _shape(size, draw)
    picture = simulate(chosen, anatomy_draw, draw, speckle, (rows, columns))
    present = np.bincount(picture.labels.ravel(), minlength=max(LABELS.values()) + 1)
    structures = {name: value for name, value in LABELS.items() if present[value]}
    parameters = {**anatomy_draw.parameters, **draw.parameters}
    return Phantom(
        chosen.name,
        int(seed),
        settings,
        picture.image,
        picture.labels,
        structures,
        picture.sector,
        picture.pixel_size_mm,
        parameters,
    )


def _shape(size: int | tuple[int, int] | None, draw: Draw) -> tuple[int, int]:
    wanted = (400, 4 * draw.integer("screen.columns_quarter", 100, 155))
    if size is not None:
        wanted = (int(size), int(size)) if isinstance(size, Integral) else tuple(int(side) for side in size)
    if len(wanted) != 2 or not all(MIN_SIDE <= side <= MAX_SIDE for side in wanted):
        raise ParameterError(
            f"A phantom of size {size!r} cannot be made; use sides from {MIN_SIDE} to {MAX_SIDE} pixels."
        )
    return wanted


def simulate(plane, anatomy_draw: Draw, draw: Draw, speckle: np.random.Generator, shape: tuple[int, int]):
    """Draw and image a plane at a size; small pictures are made larger and reduced, as a screen's crop would be."""
    rows, columns = shape
    finer = draw.uniform("screen.oversampling", 1.0, 1.7)
    finer = 1 + (finer - 1) * float(np.clip((600 - rows) / 300, 0, 1))
    inner = (round(rows * finer), round(columns * finer))
    unit = scene.unit_field(draw, columns / rows, plane.view.wider)
    anatomy, view = scene.place(draw, lambda down: plane.anatomy(anatomy_draw, down), plane.view, unit)
    picture = scene.image_scene(anatomy, view, draw, speckle, inner, plane.view.wider)
    if inner == shape:
        return picture
    size = (columns, rows)
    image = cv2.resize(picture.image, size, interpolation=cv2.INTER_AREA)
    labels = cv2.resize(picture.labels, size, interpolation=cv2.INTER_NEAREST)
    return scene.masked_picture(image, labels, labels > 0, view.height / rows)
