"""Where relevance lies, in anatomy: phantoms know their structures, HC18 its skull.

Labels of the frame take the same way as its pixels to the network's input (:func:`core.preprocessing.follow`), so a map
and they lie over each other. Two questions are asked of a map and a structure:

- **Enrichment**: the share of the highest tenth of the pixels that lies in it, over the share of the image that it
  fills. 1 is what a map has that knows nothing of the structure.
- **Pointing game** (Zhang et al. 2018, arXiv:1608.00507): does the highest pixel lie in it, or at most 5 % of the side
  away from it? Beside it stands the share of the image for which that is true, which a map by chance would reach.

A structure counts only in the images that show it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from core.datasets import read_pixels
from core.explain.agreement import top_membership
from core.library import PHANTOM_ID, is_phantom_id
from core.phantom import LABELS, generate
from core.preprocessing import Cleaned, PreprocessingSettings, follow

TOLERANCE_SHARE = 0.05
SKULL_BAND_SHARE = 0.1
"""Width of the band that counts as skull on an HC18 frame, as a share of the head's width, half on either side of the
annotated outline: 6 mm on a head of 60 mm."""
OUTSIDE = "outside the sector"
HEAD_LABELS = {"skull": 1, "inside the head": 2, "outside the head": 3}
SAME_PIXELS = 2.0
"""Greatest mean difference in gray levels at which a phantom made again is still the one in the file."""


@dataclass(frozen=True)
class Structures:
    """Labels (H, W) uint8 of a frame or an input, 0 outside the sector, and the values of the names."""

    labels: np.ndarray
    names: Mapping[str, int]


@dataclass(frozen=True)
class Place:
    """What a map (S, S) says of one structure.

    Attributes
    ----------
    structure : str
    relevance, area : float
        Share of the highest tenth of the pixels that lies in it, and of all pixels.
    pointing, chance : float
        Whether the highest pixel lies in it or near it (a share where several are highest), and the share of all
        pixels that do.
    """

    structure: str
    relevance: float
    area: float
    pointing: float
    chance: float

    @property
    def enrichment(self) -> float:
        return self.relevance / self.area


def structures_of(row: Mapping[str, Any]) -> Structures | None:
    """The structures of a table's row, at the full frame's size; None where nobody knows them.

    A phantom has them in its mask (``*_mask.png``) or is made again from its recipe, an HC18 frame in its annotated
    ellipse.

    Raises
    ------
    ImageError
        If a mask or an annotation is there and cannot be read.
    """
    path = Path(row["path"])
    if is_phantom_id(str(row["path"])):
        return Structures(_made_again(str(row["path"])).labels, LABELS)
    mask, annotation = path.with_name(f"{path.stem}_mask.png"), path.with_name(f"{path.stem}_Annotation.png")
    if mask.is_file():
        return Structures(_gray(mask), LABELS)
    if annotation.is_file():
        return head_structures(_gray(annotation))
    if row.get("image_id"):
        phantom, pixels = _made_again(row["image_id"]), read_pixels(path)
        same = phantom.image.shape == pixels.shape[:2] and _difference(phantom.image, pixels) <= SAME_PIXELS
        return Structures(phantom.labels, LABELS) if same else None
    return None


def head_structures(annotation: np.ndarray) -> Structures | None:
    """Skull, inside and outside of a head from HC18's annotation (H, W) uint8: an ellipse drawn on black.

    The skull is a band of :data:`SKULL_BAND_SHARE` of the head's width, its middle on the ellipse. None where the
    drawing has too few points for an ellipse.
    """
    rows, columns = np.nonzero(annotation)
    if len(rows) < 5:
        return None
    ellipse = cv2.fitEllipse(np.stack([columns, rows], axis=1).astype(np.float32))
    head = cv2.ellipse(np.zeros(annotation.shape, np.uint8), ellipse, 1, -1)
    outline = cv2.ellipse(np.ones(annotation.shape, np.uint8), ellipse, 0, 1)
    distance = cv2.distanceTransform(outline, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    labels = np.where(head > 0, HEAD_LABELS["inside the head"], HEAD_LABELS["outside the head"]).astype(np.uint8)
    labels[distance <= SKULL_BAND_SHARE * min(ellipse[1]) / 2] = HEAD_LABELS["skull"]
    return Structures(labels, HEAD_LABELS)


def at_input(found: Structures, frame: Cleaned, settings: PreprocessingSettings, size: int) -> Structures:
    """Structures of a full frame as the network's input (size, size) has them."""
    return Structures(follow(found.labels, frame, settings, size), found.names)


@dataclass(frozen=True)
class Part:
    """A structure in view: where it lies, and where a highest pixel counts as lying in it; (S, S) bool each."""

    name: str
    inside: np.ndarray
    around: np.ndarray


def parts_of(
    found: Structures, groups: Mapping[str, tuple[str, ...]], *, tolerance: float = TOLERANCE_SHARE
) -> list[Part]:
    """The structures in view of an input (S, S), groups of them, and what is outside the sector.

    Parameters
    ----------
    groups : mapping
        Name -> the structures it is made of; one of which nothing is in view is left out.
    tolerance : float
        Of the pointing game, as a share of the side.
    """
    values = {OUTSIDE: [0]} | {name: [value] for name, value in found.names.items()}
    values |= {group: [found.names[one] for one in members if one in found.names] for group, members in groups.items()}
    radius = round(tolerance * found.labels.shape[0])
    near = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    masks = {name: np.isin(found.labels, members) for name, members in values.items()}
    return [
        Part(name, inside, cv2.dilate(inside.astype(np.uint8), near) > 0)
        for name, inside in masks.items()
        if inside.any()
    ]


def localise(values: np.ndarray, parts: Sequence[Part]) -> list[Place]:
    """What a map (S, S) says of each part of its image; nothing where the map is constant."""
    top = top_membership(values)
    if top is None:
        return []
    highest = values == values.max()
    return [
        Place(
            part.name,
            relevance=float(top[part.inside].sum() / top.sum()),
            area=float(part.inside.mean()),
            pointing=float(part.around[highest].mean()),
            chance=float(part.around.mean()),
        )
        for part in parts
    ]


def _made_again(image_id: str) -> Any:
    recipe = PHANTOM_ID.fullmatch(image_id)
    return generate(recipe["plane"], int(recipe["seed"]), size=None, settings=recipe["settings"])


def _gray(path: Path) -> np.ndarray:
    pixels = read_pixels(path)
    return pixels if pixels.ndim == 2 else np.ascontiguousarray(pixels[..., 0])


def _difference(first: np.ndarray, second: np.ndarray) -> float:
    """Mean difference in gray levels of (H, W) and (H, W) or (H, W, 3)."""
    second = second if second.ndim == 2 else second[..., 0]
    return float(np.abs(first.astype(np.int16) - second).mean())
