"""What a phantom is made of, as plain data: tissues, shapes, reflectors, and the table of label values.

Lengths are millimetres. Echogenicity is in decibels relative to the uterine wall (0 dB). Attenuation is the two-way
loss in decibels per millimetre beyond what the scanner's time gain compensation makes up for: soft tissue 0,
fluid negative (so echoes behind it are enhanced), bone strongly positive (so it casts a shadow).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np

LABELS: dict[str, int] = {}
"""Structure name -> value in label images, the same in every plane. 0 is outside the sector."""


def declare_structures(names: Iterable[str]) -> None:
    """Give every new structure name the next free label value; names already known keep theirs."""
    for name in names:
        LABELS.setdefault(name, len(LABELS) + 1)


declare_structures(
    ["maternal tissue", "uterine wall", "placenta", "amniotic fluid", "amnion", "cord", "limbs", "body part"]
)


@dataclass(frozen=True)
class Tissue:
    """How a tissue looks: mean level, loss, and how uneven it is."""

    echo: float
    attenuation: float = 0.0
    patches: float = 1.0  # deviation in dB of irregular light and dark patches
    layers: float = 0.0  # deviation in dB of layers that follow the uterine cavity and the probe


@dataclass(frozen=True)
class Shape:
    """A filled outline. What is painted later covers what was painted before."""

    structure: str
    points: np.ndarray
    tissue: Tissue
    softness: float = 0.0  # mm over which the edge fades


@dataclass(frozen=True)
class Reflector:
    """A smooth surface that mirrors sound: bright where the beam meets it at a right angle.

    `strength` is the level in dB at a right angle; `floor` the share of amplitude left when the beam runs along it;
    `exponent` how fast it falls in between; `roughness` the deviation in dB along it; `gain` an optional factor per
    point (gaps are 0); `thickness` in mm spreads the echo over a layer, as in bone.
    """

    points: np.ndarray
    strength: float
    closed: bool = False
    exponent: float = 4.0
    floor: float = 0.1
    roughness: float = 2.0
    gain: np.ndarray | None = None
    thickness: float = 0.0


@dataclass(frozen=True)
class Anatomy:
    """A fetus, or the part of it that a plane shows, in its own frame of reference.

    Attributes
    ----------
    items: shapes and reflectors in painting order.
    outline: closed outline of the body, which the amniotic cavity surrounds.
    frame: points that the view is fitted to.
    key: points of what makes the plane, which should rather not be cut off; the frame again where nothing stands out.
    """

    items: list[Shape | Reflector] = field(default_factory=list)
    outline: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))
    frame: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))
    key: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))

    def moved(self, transform) -> Anatomy:
        """The same anatomy with `transform` ((N, 2) -> (N, 2)) applied to every point."""
        items = [replace(item, points=transform(item.points)) for item in self.items]
        return Anatomy(items, transform(self.outline), transform(self.frame), transform(self.key))
