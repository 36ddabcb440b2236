"""The planes that can be simulated: a registry from the name to the class. A new plane is one new class.

A plane says how large its anatomy is, how it lies and how much of the picture it fills; scanner and surroundings are
drawn elsewhere, alike for all planes, so that only the anatomy tells them apart.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from core.errors import ParameterError
from core.phantom.anatomy import Anatomy, declare_structures
from core.phantom.axial_head import SECTIONS, axial_head
from core.phantom.axial_trunk import OCCASIONAL, axial_abdomen, axial_thorax
from core.phantom.femur import femur
from core.phantom.sagittal import sagittal_fetus
from core.phantom.scene import View
from core.phantom.settings import Draw, declare_ranges

PLANES: dict[str, type[Plane]] = {}


class Plane(ABC):
    """One standard plane.

    Attributes
    ----------
    name: as the field spells it.
    structures: what a picture of the plane is expected to show.
    view: share of the picture that the anatomy fills, and how it may lie.
    ranges: parameters whose range depends on the settings, see `settings.declare_ranges`.
    """

    name: ClassVar[str]
    structures: ClassVar[tuple[str, ...]]
    view: ClassVar[View]
    ranges: ClassVar[dict[str, dict[str, tuple[float, float]]]] = {}

    def __init_subclass__(cls) -> None:
        declare_structures(cls.structures)
        declare_ranges(cls.ranges)
        PLANES[cls.name] = cls

    @abstractmethod
    def anatomy(self, draw: Draw, down: np.ndarray) -> Anatomy:
        """Draw the anatomy in millimetres; `down` is the beam's direction in its coordinates."""


def find_plane(name: str) -> Plane:
    """The plane of a name, in any case ("crl", "CRL").

    Raises
    ------
    ParameterError: if there is no such plane.
    """
    by_name = {known.lower(): plane for known, plane in PLANES.items()}
    try:
        return by_name[name.lower()]()
    except KeyError:
        raise ParameterError(f"There is no simulated plane called {name!r}; use one of {', '.join(PLANES)}.") from None


class BPD(Plane):
    """Axial head: oval skull, midline, and choroid plexuses (early) or thalami and cavum (late)."""

    name = "BPD"
    structures = ("skull", "brain", "scalp", "midline", "choroid plexus", "amniotic fluid", "uterine wall")
    view = View(fill=(0.24, 1.05), turn=35.0, any_turn=0.35, seen=(0.80, 1.0))

    def anatomy(self, draw: Draw, down: np.ndarray) -> Anatomy:
        early = draw.chance("head.early", 0.45)
        bpd = draw.uniform("head.bpd", 17, 32) if early else 33 + draw.log_uniform("head.bpd_over_33", 2, 55)
        return axial_head(draw, bpd, down)


class CRL(Plane):
    """The whole fetus in mid-sagittal section."""

    name = "CRL"
    structures = ("head", "trunk", "rump", "limbs", "spine", "skull", "brain", "amniotic fluid", "uterine wall")
    view = View(fill=(0.50, 1.02), turn=20.0, any_turn=0.15, seen=(0.86, 1.0))

    def anatomy(self, draw: Draw, down: np.ndarray) -> Anatomy:
        return sagittal_fetus(draw, draw.uniform("fetus.crl", 42, 86), "whole")


class NT(Plane):
    """Head and upper thorax in mid-sagittal section, magnified."""

    name = "NT"
    structures = (
        "head", "skull", "brain", "nasal tip", "palate", "diencephalon", "nuchal translucency", "nuchal skin",
        "upper thorax", "spine", "amniotic fluid",
    )  # fmt: skip
    view = View(fill=(0.72, 1.25), turn=20.0, any_turn=0.15, seen=(0.70, 0.98))

    def anatomy(self, draw: Draw, down: np.ndarray) -> Anatomy:
        return sagittal_fetus(draw, draw.uniform("fetus.crl", 45, 84), "head")


declare_structures(OCCASIONAL)


TRUNK_VIEW = View(fill=(0.45, 1.40), turn=40.0, any_turn=0.9, seen=(0.55, 1.0), wider=True)
"""Of the abdomen and of the thorax: how they are framed may not tell them apart."""


class Abdomen(Plane):
    """Axial section of the upper abdomen: stomach, umbilical vein, liver, spine and ribs."""

    name = "abdomen"
    structures = (
        "skin", "body wall", "liver", "stomach", "umbilical vein", "aorta", "inferior vena cava", "ribs", "spine",
        "amniotic fluid", "uterine wall",
    )  # fmt: skip
    view = TRUNK_VIEW

    def anatomy(self, draw: Draw, down: np.ndarray) -> Anatomy:
        weeks = draw.normal("trunk.weeks", 25, 7, 14, 40)
        return axial_abdomen(draw, (25 + 3.4 * (weeks - 14)) * draw.uniform("trunk.growth", 0.9, 1.1), down)


class Thorax(Plane):
    """Axial section of the chest: four chambers, outflow tracts or three vessels, lungs, ribs and spine."""

    name = "thorax"
    structures = (
        "skin", "body wall", "lungs", "heart", "heart chambers", "septum", "aorta", "ribs", "spine", "amniotic fluid",
        "uterine wall",
    )  # fmt: skip
    view = TRUNK_VIEW

    def anatomy(self, draw: Draw, down: np.ndarray) -> Anatomy:
        weeks = draw.normal("trunk.weeks", 25, 7, 14, 40)
        return axial_thorax(draw, (23 + 3.0 * (weeks - 14)) * draw.uniform("trunk.growth", 0.9, 1.1), down)


class Femur(Plane):
    """The thigh lengthwise, the femur's shaft with both ends in view."""

    name = "femur"
    structures = ("femur shaft", "thigh", "epiphysis", "amniotic fluid", "uterine wall")
    view = View(fill=(0.20, 0.95), turn=22.0, any_turn=0.14, seen=(0.96, 1.0), wider=True)

    def anatomy(self, draw: Draw, down: np.ndarray) -> Anatomy:
        return femur(draw, draw.uniform("femur.length", 20, 75), down)


class Brain(Plane):
    """Axial head from the end of the first trimester on: transthalamic, transventricular or transcerebellar."""

    name = "brain"
    structures = ("skull", "brain", "scalp", "midline", "amniotic fluid", "uterine wall")
    view = View(fill=(0.40, 1.20), turn=30.0, any_turn=0.22, seen=(0.70, 1.0), wider=True)

    def anatomy(self, draw: Draw, down: np.ndarray) -> Anatomy:
        if draw.chance("brain.small", 0.15):  # from the end of the first trimester on, as a seventh of HC18
            return axial_head(draw, draw.uniform("brain.bpd", 22, 38), down)
        section = draw.choice("brain.section", SECTIONS, [0.34, 0.33, 0.33])
        return axial_head(draw, draw.uniform("brain.bpd", 38, 100), down, section)
