"""The first-trimester fetus in mid-sagittal section: what the CRL and NT planes show, at different magnifications.

Body coordinates before posing: the crown-rump length is 1, x runs from the crown (0) to the rump (1), y from the
belly (negative) to the back (positive). Everything is drawn there, then bent, flexed, scaled to millimetres.
Sources: thesis 000 §1.3.2 (what each plane must show); reference §10; Nicolaides, "The 11-13+6 weeks scan" (2004) for
the profile, the palate, the nasal bone and the translucency.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from core.phantom import curves
from core.phantom.anatomy import Anatomy, Reflector, Shape, Tissue, declare_structures
from core.phantom.settings import Draw, declare_ranges

declare_structures(
    [
        "head",
        "trunk",
        "rump",
        "upper thorax",
        "nasal bone",
        "nasal tip",
        "palate",
        "mandible",
        "diencephalon",
        "brain stem",
        "posterior fossa",
        "nuchal translucency",
        "nuchal skin",
        "spine",
        "heart",
        "stomach",
        "bladder",
        "bowel",
    ]
)

declare_ranges(
    {
        "fetus.head_size": {"train": (0.90, 1.08), "unseen": (1.085, 1.17)},
        "fetus.flexion_degrees": {"train": (-12.0, 14.0), "unseen": (14.5, 24.0)},
        "fetus.belly": {"train": (0.80, 1.10), "unseen": (1.11, 1.25)},
        "fetus.translucency_mm": {"train": (0.9, 3.0), "unseen": (3.05, 4.5)},
    }
)

_NECK = np.array([0.37, 0.05])

# Outline of head and trunk, clockwise on a screen whose y points down: crown, face, belly, rump, back, nape, occiput.
_PROFILE = np.array(
    [
        (0.000, 0.015),
        (0.022, -0.075),
        (0.075, -0.140),
        (0.140, -0.172),
        (0.192, -0.176),  # forehead
        (0.222, -0.172),  # nasion
        (0.242, -0.193),
        (0.254, -0.203),  # tip of the nose
        (0.266, -0.190),
        (0.281, -0.189),  # upper lip
        (0.293, -0.182),
        (0.306, -0.181),  # lower lip
        (0.322, -0.172),
        (0.337, -0.158),  # chin
        (0.350, -0.122),
        (0.372, -0.088),  # throat
        (0.410, -0.095),
        (0.470, -0.130),  # chest
        (0.550, -0.155),
        (0.640, -0.172),  # belly
        (0.730, -0.172),
        (0.800, -0.142),
        (0.860, -0.110),
        (0.930, -0.085),
        (0.985, -0.030),  # rump
        (0.990, 0.040),
        (0.945, 0.105),
        (0.870, 0.130),
        (0.760, 0.135),
        (0.640, 0.140),
        (0.540, 0.140),
        (0.460, 0.130),
        (0.395, 0.118),  # nape
        (0.335, 0.150),
        (0.270, 0.188),  # occiput
        (0.190, 0.202),
        (0.110, 0.180),
        (0.040, 0.110),
    ]
)
_NOSE = slice(5, 15)  # knots of the face
_BELLY = slice(16, 24)
_HEAD_END = 0.37  # x of the neck


class _Body:
    """Pose and proportions of one fetus, and the map from body coordinates to millimetres."""

    def __init__(self, draw: Draw, crl: float) -> None:
        self.draw = draw
        self.crl = crl
        self.head_size = draw.setting("fetus.head_size")
        self.flexion = np.deg2rad(draw.setting("fetus.flexion_degrees"))
        self.bend = draw.uniform("fetus.bend", -0.35, 1.0)
        self.girth = draw.uniform("fetus.girth", 0.88, 1.10)
        self.waves = draw.normals("fetus.waves", 8, 0.004)
        self.tissue = draw.uniform("fetus.tissue_echo", -6, 2)
        self.patches = draw.uniform("fetus.tissue_patches", 2.0, 5.5)
        self.bone = draw.uniform("fetus.bone_strength", 8, 24)

    def place(self, points) -> np.ndarray:
        """Body coordinates to millimetres: head size and flexion, curl of the trunk, small irregular waves."""
        points = np.array(points, float, ndmin=2)
        in_head = _smooth_step((0.46 - points[:, 0]) / 0.16)
        grown = _NECK + (points - _NECK) * (1 + in_head * (self.head_size - 1))[:, None]
        wide = grown.copy()
        wide[:, 1] *= 1 + (self.girth - 1) * (1 - in_head)
        angle = self.flexion * in_head
        offset = wide - _NECK
        cosine, sine = np.cos(angle), np.sin(angle)
        # Positive flexion brings the face towards the chest: the head turns from the back towards the belly.
        turned = np.stack([offset[:, 0] * cosine - offset[:, 1] * sine, offset[:, 0] * sine + offset[:, 1] * cosine], 1)
        posed = turned + _NECK
        return (self._curl(posed) + self._wave(posed) - 0.5 * np.array([1.0, 0.0])) * self.crl

    def _curl(self, points: np.ndarray) -> np.ndarray:
        """Bend the long axis into an arc that opens towards the belly."""
        if abs(self.bend) < 1e-3:
            return points
        radius = 1 / self.bend
        angle = (points[:, 0] - 0.5) * self.bend
        reach = radius + points[:, 1]
        return np.stack([0.5 + reach * np.sin(angle), reach * np.cos(angle) - radius], axis=1)

    def _wave(self, points: np.ndarray) -> np.ndarray:
        c = self.waves.reshape(2, 4)
        phases = np.stack(
            [
                np.sin(6 * points[:, 0]),
                np.cos(9 * points[:, 0]),
                np.sin(11 * points[:, 1]),
                np.cos(7 * (points[:, 0] + points[:, 1])),
            ]
        )
        return (c @ phases).T


def _smooth_step(t):
    t = np.clip(t, 0, 1)
    return t * t * (3 - 2 * t)


def sagittal_fetus(draw: Draw, crl: float, view: str) -> Anatomy:
    """A fetus in mid-sagittal section.

    Parameters
    ----------
    draw: source of the numbers.
    crl: crown-rump length, mm.
    view: "whole" frames all of it (CRL), "head" its head and upper thorax (NT).
    """
    body = _Body(draw, crl)
    outline = _outline(body)
    near = view == "head"
    posed = body.place(outline)
    items = _far_limbs(body) + _flesh(body, outline)
    items += _trunk_organs(body) + _spine(body) + _skull_and_brain(body, outline)
    items += _nuchal_region(body, outline) + _face(body) + _near_limbs(body) + _cord(body)
    if near:
        items = [_renamed(item, "trunk", "upper thorax") for item in items]
        frame = posed[outline[:, 0] < draw.uniform("fetus.frame_end", 0.48, 0.66)]
        nape = body.place([[0.27, 0.18], [0.34, 0.15], [0.40, 0.12], [0.46, 0.12]])
        key = np.concatenate(
            [
                nape,
                nape,
                body.place([[0.14, -0.17], [0.22, -0.17], [0.26, -0.2], [0.30, -0.18], [0.02, 0.0], [0.05, 0.1]]),
            ]
        )
    else:
        frame, key = posed, body.place(outline[(outline[:, 0] < 0.12) | (outline[:, 0] > 0.88)])
    return Anatomy(items, posed, frame, key)


def _renamed(item, old: str, new: str):
    if isinstance(item, Shape) and item.structure == old:
        return Shape(new, item.points, item.tissue, item.softness)
    return item


def _outline(body: _Body) -> np.ndarray:
    """The body's outline in body coordinates, (N, 2)."""
    draw = body.draw
    knots = _PROFILE.copy()
    knots += draw.normals("fetus.outline", 2 * len(knots), 0.0028).reshape(-1, 2)
    face = draw.uniform("fetus.face", 0.5, 1.25)
    knots[_NOSE, 1] = -0.172 + (knots[_NOSE, 1] + 0.172) * face
    belly = draw.setting("fetus.belly")
    knots[_BELLY, 1] *= belly
    return curves.closed_spline(knots, 5)


def _flesh(body: _Body, outline: np.ndarray) -> list[Shape | Reflector]:
    draw = body.draw
    posed = body.place(outline)
    tissue = Tissue(body.tissue, 0.02, body.patches, 0.8)
    softness = 0.006 * body.crl
    skin = draw.uniform("fetus.skin_strength", -6, 8)
    head = body.place(outline[outline[:, 0] < _HEAD_END + 0.03])
    rump = body.place(np.concatenate([outline[outline[:, 0] > 0.86]]))
    skin_level = Tissue(body.tissue + draw.uniform("fetus.skin_echo", 0, 5), 0.03, 1.5)
    return [
        Shape("trunk", posed, skin_level, softness),
        Shape("trunk", curves.offset(posed, -0.012 * body.crl), tissue, softness),
        Shape("rump", rump, tissue, 0.0),
        Shape("head", head, tissue, 0.0),
        Reflector(posed, skin, closed=True, exponent=3.5, floor=0.12, roughness=2.5),
    ]


def _part(
    body: _Body, name, structure, centre, radii, echo, *, lumps=0.08, angle=0.0, patches=1.0, loss=0.0, soft=0.006
):
    """A lumpy elliptical organ in body coordinates."""
    outline = curves.ellipse(centre, radii, angle, 40)
    outline = curves.lumpy(outline, body.draw.normals(f"fetus.{name}_lumps", 8), lumps)
    return Shape(structure, body.place(outline), Tissue(echo, loss, patches), soft * body.crl)


def _trunk_organs(body: _Body) -> list[Shape | Reflector]:
    draw = body.draw
    items: list[Shape | Reflector] = []
    shift = draw.normals("fetus.organ_shift", 12, 0.008).reshape(-1, 2)
    lung = body.tissue + draw.uniform("fetus.lung_lift", -5, 3)
    items.append(_part(body, "lung", "trunk", (0.505 + shift[0, 0], 0.015 + shift[0, 1]), (0.075, 0.085), lung))
    if draw.chance("fetus.shows_heart", 0.75):
        wall = body.tissue + draw.uniform("fetus.heart_lift", -4, 2)
        place = np.array([0.495, -0.055]) + shift[1]
        items.append(_part(body, "heart", "heart", place, (0.055, 0.050), wall))
        chambers = draw.integer("fetus.chambers", 1, 4)
        for k, aside in enumerate(draw.uniforms("fetus.chamber_places", 2 * chambers, -0.026, 0.026).reshape(-1, 2)):
            dark = draw.uniform(f"fetus.chamber_{k}_echo", -32, -14)
            items.append(_part(body, f"chamber_{k}", "heart", place + aside, (0.017, 0.012), dark, lumps=0.15))
    liver = body.tissue + draw.uniform("fetus.liver_lift", -3, 4)
    items.append(_part(body, "liver", "trunk", (0.635 + shift[2, 0], -0.060 + shift[2, 1]), (0.075, 0.085), liver))
    diaphragm = curves.open_spline([[0.56, -0.13], [0.565, -0.06], [0.58, 0.0], [0.60, 0.06]], 6)
    if draw.chance("fetus.shows_diaphragm", 0.5):
        items.append(Reflector(body.place(diaphragm), draw.uniform("fetus.diaphragm", -10, 2), exponent=5, floor=0.1))
    if draw.chance("fetus.shows_stomach", 0.4):
        dark = draw.uniform("fetus.stomach_echo", -40, -25)
        place = (0.645 + shift[3, 0], 0.020 + shift[3, 1])
        items.append(_part(body, "stomach", "stomach", place, (0.028, 0.017), dark, loss=-0.1))
    bowel = body.tissue + draw.uniform("fetus.bowel_lift", -1, 6)
    place = (0.755 + shift[4, 0], -0.055 + shift[4, 1])
    items.append(_part(body, "bowel", "bowel", place, (0.060, 0.065), bowel, lumps=0.12, patches=2.5, soft=0.012))
    if draw.chance("fetus.shows_bladder", 0.55):
        dark = draw.uniform("fetus.bladder_echo", -42, -26)
        place = (0.862 + shift[5, 0], -0.045 + shift[5, 1])
        items.append(_part(body, "bladder", "bladder", place, (0.024, 0.018), dark, loss=-0.1))
    return items


def _spine(body: _Body) -> list[Shape | Reflector]:
    """Vertebral bodies and arches: two rows of bright beads with the dark canal between, and their shadow."""
    draw = body.draw
    depth = draw.uniform("fetus.spine_depth", -0.010, 0.012)
    axis = [[0.335, 0.070], [0.40, 0.070], [0.48, 0.088], [0.58, 0.096], [0.70, 0.094], [0.80, 0.088], [0.88, 0.070]]
    path = curves.open_spline(curves.shift(axis, 0, depth), 16)
    level = draw.uniform("fetus.spine_echo", 1, 9)
    loss = draw.uniform("fetus.spine_loss", 0.2, 1.6)
    beads = draw.integer("fetus.vertebrae", 22, 30)
    beading = draw.uniform("fetus.beading", 0.0, 0.9)
    along = np.linspace(0, 1, 10 * beads)
    gain = 1 - beading * (0.5 + 0.5 * np.cos(2 * np.pi * beads * along))
    gain *= np.exp(np.interp(along, np.linspace(0, 1, 8), draw.normals("fetus.spine_waves", 8, 0.4)))
    gap = draw.uniform("fetus.canal", 0.016, 0.026)
    up = curves.shift(path, 0, -gap / 2)
    down = curves.shift(path, 0, gap / 2)
    items: list[Shape | Reflector] = []
    for row, lift in ((up, 0.0), (down, draw.uniform("fetus.arches", -6, 0))):
        column = curves.strip(row, 0.011)
        items.append(Shape("spine", body.place(column), Tissue(level + lift - 3, loss, 3.0), 0.004 * body.crl))
    canal = curves.strip(path, 0.5 * gap)
    items.append(
        Shape(
            "spine",
            body.place(canal),
            Tissue(body.tissue - draw.uniform("fetus.canal_dark", 2, 14), 0, 1),
            0.003 * body.crl,
        )
    )
    for row, lift in ((up, 0.0), (down, -3.0)):
        items.append(Reflector(body.place(row), body.bone + lift - 4, exponent=1.5, floor=0.3, roughness=3, gain=gain))
    if draw.chance("fetus.shows_ribs", 0.3):
        for k, start in enumerate(np.linspace(0.45, 0.62, draw.integer("fetus.ribs", 3, 6))):
            place = (start, 0.055 + 0.02 * np.sin(9 * start))
            items.append(_part(body, f"rib_{k}", "trunk", place, (0.005, 0.008), level + 1, loss=1.0, soft=0.003))
    return items


def _skull_and_brain(body: _Body, outline: np.ndarray) -> list[Shape | Reflector]:
    draw = body.draw
    thick = max(draw.uniform("fetus.skull_thickness", 0.007, 0.017), 0.5 / body.crl)
    bone_level = draw.uniform("fetus.skull_echo", -2, 8)
    loss = draw.uniform("fetus.skull_loss", 0.3, 1.8)
    # From the nasion over forehead, crown and occiput to the foramen: the base of the skull is open.
    phase = np.deg2rad(
        np.linspace(
            -60 - draw.uniform("fetus.skull_front", -8, 8), -360 + 52 + draw.uniform("fetus.skull_back", -10, 14), 90
        )
    )
    arc = np.stack([0.178 + 0.162 * np.cos(phase), 0.014 + 0.172 * np.sin(phase)], axis=1)
    arc[:, 1] += 0.012 * np.sin(np.pi * arc[:, 0] / 0.35)
    base = [[0.300, 0.105], [0.325, 0.072], [0.296, 0.030], [0.262, -0.020], [0.250, -0.080]]
    vault = np.concatenate([arc, curves.open_spline(base, 5)])
    brain = body.tissue + draw.uniform("fetus.brain_lift", -13, -2)
    soft = 0.004 * body.crl
    items: list[Shape | Reflector] = [
        Shape("brain", body.place(vault), Tissue(brain, 0.0, draw.uniform("fetus.brain_patches", 1.8, 4.5)), soft),
    ]
    items += _inner_brain(body, brain)
    items.append(
        Shape(
            "skull", body.place(curves.strip(arc + _inward(arc, thick / 2), thick)), Tissue(bone_level, loss, 2.0), soft
        )
    )
    gain = _gaps(draw, len(arc))
    floor = draw.uniform("fetus.skull_floor", 0.1, 0.35)
    exponent = draw.uniform("fetus.skull_exponent", 1.2, 4.0)
    gain *= np.clip(np.minimum(np.linspace(0, 14, len(arc)), np.linspace(9, 0, len(arc))), 0.12, 1)  # it thins out
    middle, outer = (body.place(arc + _inward(arc, inset * thick)) for inset in (0.5, 0.2))
    layer = thick * body.crl * draw.uniform("fetus.bone_layer", 0.5, 0.9)
    items.append(Reflector(middle, body.bone + 1, False, exponent, floor, 2.0, gain, layer))
    weaker = draw.uniform("fetus.outer_face", -8, 0)
    items.append(Reflector(outer, body.bone + 1 + weaker, False, exponent + 1, 0.5 * floor, 2.0, gain))
    return items


def _inward(arc: np.ndarray, distance: float) -> np.ndarray:
    middle = np.array([0.178, 0.014])
    offsets = middle - arc
    return offsets / np.hypot(*offsets.T)[:, None] * distance


def _gaps(draw: Draw, count: int) -> np.ndarray:
    """Sutures and dropped-out stretches of the skull, a gain per point."""
    at = np.linspace(0, 1, count)
    gain = np.exp(np.interp(at, np.linspace(0, 1, 7), draw.normals("fetus.skull_waves", 7, 0.35)))
    number = draw.integer("fetus.skull_gaps", 0, 4)
    places = draw.uniforms("fetus.skull_gap_places", number, 0, 1)
    widths = draw.uniforms("fetus.skull_gap_widths", number, 0.01, 0.06)
    for place, width in zip(places, widths, strict=True):
        gain *= 1 - 0.9 * np.exp(-(((at - place) / width) ** 4))
    return gain


def _inner_brain(body: _Body, brain: float) -> list[Shape | Reflector]:
    """Falx or plexus in front, translucent diencephalon in the middle, brain stem and the two dark spaces behind it."""
    draw = body.draw
    crl = body.crl
    shift = draw.normals("fetus.brain_shift", 8, 0.006).reshape(-1, 2)
    items: list[Shape | Reflector] = []
    frontal = brain + draw.uniform("fetus.frontal_lift", -3, 7)
    items.append(_part(body, "frontal", "brain", (0.120, -0.035) + shift[0], (0.065, 0.070), frontal, soft=0.012))
    if draw.chance("fetus.shows_plexus", 0.55):
        lift = brain + draw.uniform("fetus.plexus_lift", 4, 13)
        place = (0.105, 0.035) + shift[1]
        size = draw.uniforms("fetus.plexus_size", 2, 0.02, 0.055)
        items.append(_part(body, "plexus", "choroid plexus", place, size * [1.0, 1.5], lift, patches=2.5, lumps=0.12))
    dark = brain - draw.uniform("fetus.diencephalon_dark", 4, 14)
    size = draw.uniform("fetus.diencephalon_size", 0.85, 1.25)
    place = (0.198, -0.008) + shift[2]
    items.append(
        _part(body, "diencephalon", "diencephalon", place, (0.044 * size, 0.062 * size), dark, angle=0.35, soft=0.005)
    )
    rim = curves.ellipse(place, (0.046 * size, 0.064 * size), 0.35, 40)
    items.append(Reflector(body.place(rim), draw.uniform("fetus.diencephalon_rim", -12, 2), closed=True, floor=0.2))
    stem = curves.open_spline([[0.215, 0.055], [0.245, 0.070], [0.285, 0.075], [0.335, 0.062]], 6)
    stem_level = Tissue(brain + draw.uniform("fetus.stem_lift", -5, 4), 0, 1)
    items.append(Shape("brain stem", body.place(curves.strip(stem, 0.034)), stem_level, 0.004 * crl))
    fluid = Tissue(brain - draw.uniform("fetus.fossa_dark", 6, 16), -0.05, 1)
    fourth = curves.open_spline([[0.232, 0.088], [0.258, 0.098], [0.292, 0.100]], 6)
    items.append(
        Shape(
            "posterior fossa",
            body.place(curves.strip(fourth, draw.uniform("fetus.fourth_ventricle", 0.012, 0.026))),
            fluid,
            0.003 * crl,
        )
    )
    cistern = curves.open_spline([[0.215, 0.128], [0.248, 0.134], [0.285, 0.128]], 6)
    items.append(
        Shape(
            "posterior fossa",
            body.place(curves.strip(cistern, draw.uniform("fetus.cistern", 0.010, 0.026))),
            fluid,
            0.003 * crl,
        )
    )
    level = draw.uniform("fetus.fossa_lines", -8, 6)
    for line in (curves.shift(stem, 0, 0.018), curves.shift(stem, 0, -0.018), curves.shift(fourth, 0, 0.014)):
        items.append(Reflector(body.place(line), level, exponent=3, floor=0.15, roughness=3.5))
    count = draw.integer("fetus.brain_dashes", 0, 7)
    places = draw.uniforms("fetus.brain_dash_places", 2 * count, -0.11, 0.11).reshape(-1, 2)
    turns = draw.uniforms("fetus.brain_dash_turns", count, 0, np.pi)
    levels = draw.uniforms("fetus.brain_dash_levels", count, -12, 5)
    for spot, turn, strength in zip(places, turns, levels, strict=True):
        line = curves.rotate(curves.open_spline([[-0.03, 0.0], [0.0, 0.006], [0.03, 0.0]], 4), turn) + spot
        items.append(
            Reflector(body.place(curves.shift(line, 0.165, 0.02)), strength, exponent=3, floor=0.2, roughness=4)
        )
    return items


def _nuchal_region(body: _Body, outline: np.ndarray) -> list[Shape | Reflector]:
    """The dark crescent between the skin of the neck and the tissue over the spine."""
    draw = body.draw
    thickness = draw.setting("fetus.translucency_mm") / body.crl
    # The skin runs along the outline of the back, from the occiput to the upper thorax; walk it head to tail.
    back = outline[(outline[:, 1] > 0.08) & (outline[:, 0] > 0.24) & (outline[:, 0] < 0.64)]
    skin = back[np.argsort(back[:, 0])]
    end = draw.uniform("fetus.translucency_end", 0.50, 0.62)
    reach = np.linspace(0.262, end, 44)
    under = np.stack([reach, np.interp(reach, skin[:, 0], skin[:, 1])], axis=1)
    skin_thickness = max(0.010, 0.45 / body.crl)
    lens = np.sin(np.pi * np.clip((reach - 0.262) / (end - 0.262), 0, 1)) ** 0.6
    inward = curves.normals(under, closed=False) * thickness
    ceiling = under + curves.normals(under, closed=False) * skin_thickness
    floor = ceiling + inward * lens[:, None]
    bulge = draw.uniform("fetus.translucency_bulge", 0.2, 0.9)
    lift = -inward * bulge * lens[:, None]  # the fluid lifts the skin more than it dents the neck
    fluid = Tissue(draw.uniform("fetus.translucency_echo", -44, -30), -0.08, 0.8)
    skin_band = np.concatenate([under + lift, (ceiling + lift)[::-1]])
    crescent = np.concatenate([ceiling + lift, (floor + lift)[::-1]])
    level = draw.uniform("fetus.nuchal_lines", 0, 13)
    skin_tissue = Tissue(body.tissue + draw.uniform("fetus.nuchal_skin_lift", 1, 6), 0.03, 1.0)
    return [
        Shape("nuchal skin", body.place(skin_band), skin_tissue, 0.0),
        Shape("nuchal translucency", body.place(crescent), fluid, 0.0012 * body.crl),
        Reflector(body.place((under + ceiling) / 2 + lift), level, exponent=5, floor=0.12, roughness=1.8),
        Reflector(body.place(floor + lift), level - draw.uniform("fetus.nuchal_floor", -1, 5), exponent=5, floor=0.12),
    ]


def _face(body: _Body) -> list[Shape | Reflector]:
    draw = body.draw
    crl = body.crl
    shift = draw.normals("fetus.face_shift", 10, 0.004).reshape(-1, 2)
    bone = Tissue(draw.uniform("fetus.face_bone_echo", 5, 13), draw.uniform("fetus.face_loss", 0.8, 3.5), 2.0)
    items: list[Shape | Reflector] = []
    palate = curves.closed_spline(
        np.array(
            [
                [0.232, -0.150],
                [0.262, -0.163],
                [0.282, -0.150],
                [0.280, -0.128],
                [0.262, -0.075],
                [0.248, -0.072],
                [0.240, -0.105],
            ]
        )
        + shift[0],
        5,
    )
    items.append(Shape("palate", body.place(palate), bone, 0.004 * crl))
    top = curves.open_spline(np.array([[0.236, -0.150], [0.246, -0.115], [0.250, -0.075]]) + shift[0], 6)
    items.append(Reflector(body.place(top), body.bone - 4, exponent=2, floor=0.25, roughness=2.5))
    if draw.chance("fetus.shows_mandible", 0.85):
        jaw = curves.open_spline(np.array([[0.318, -0.150], [0.316, -0.125], [0.308, -0.100]]) + shift[1], 6)
        items.append(Shape("mandible", body.place(curves.strip(jaw, 0.016)), bone, 0.003 * crl))
        items.append(Reflector(body.place(jaw), body.bone - 3, exponent=1.5, floor=0.3))
    if draw.chance("fetus.shows_tongue", 0.6):
        items.append(_part(body, "tongue", "head", (0.293, -0.128) + shift[2], (0.012, 0.028), body.tissue - 7))
    base = curves.open_spline(np.array([[0.232, -0.135], [0.250, -0.060], [0.268, 0.0], [0.310, 0.035]]) + shift[3], 6)
    base_tissue = Tissue(bone.echo - draw.uniform("fetus.base_weaker", 0, 8), 0.5 * bone.attenuation, 2.5)
    items.append(
        Shape(
            "skull",
            body.place(curves.strip(base, draw.uniform("fetus.base_width", 0.008, 0.02))),
            base_tissue,
            0.005 * crl,
        )
    )
    if draw.chance("fetus.shows_nasal_bone", 0.88):
        nasal = curves.open_spline(np.array([[0.216, -0.157], [0.228, -0.163], [0.243, -0.172]]) + 0.5 * shift[4], 6)
        items.append(
            Shape(
                "nasal bone",
                body.place(curves.strip(nasal, max(0.008, 0.5 / crl))),
                Tissue(bone.echo, 1.0, 1.0),
                0.001 * crl,
            )
        )
        items.append(Reflector(body.place(nasal), body.bone + 2, exponent=3, floor=0.2, roughness=1.5))
    tip = curves.ellipse((0.252, -0.190), (0.010, 0.010), count=20)
    items.append(Shape("nasal tip", body.place(tip), Tissue(body.tissue + 5, 0.05, 1), 0.002 * crl))
    return items


def _limb(body: _Body, name: str, joints, widths, echo: float, *, bone: bool) -> list[Shape | Reflector]:
    """A limb through its joints (body coordinates) with its bones."""
    draw = body.draw
    joints = np.asarray(joints) + draw.normals(f"fetus.{name}_joints", 2 * len(joints), 0.012).reshape(-1, 2)
    path = body.place(curves.open_spline(joints, 6))
    outline = curves.limb(path, np.asarray(widths) * body.crl)
    items: list[Shape | Reflector] = [
        Shape("limbs", outline, Tissue(echo, 0.03, 1.8), 0.004 * body.crl),
        Reflector(outline, draw.uniform(f"fetus.{name}_skin", -8, 5), closed=True, exponent=4, floor=0.12),
    ]
    if bone:
        placed = body.place(joints)
        loss = draw.uniform(f"fetus.{name}_bone_loss", 0.5, 3.0)
        for first, second in pairwise(placed):
            shaft = first + (second - first) * np.linspace(0.12, 0.88, 8)[:, None]
            items.append(Shape("limbs", curves.strip(shaft, 0.010 * body.crl), Tissue(6, loss, 1), 0.003 * body.crl))
            items.append(Reflector(shaft, body.bone - 2, exponent=2.5, floor=0.15))
    return items


def _far_limbs(body: _Body) -> list[Shape | Reflector]:
    """Limbs of which a part lies behind the trunk."""
    draw = body.draw
    items: list[Shape | Reflector] = []
    if draw.chance("fetus.shows_thigh", 0.7):
        knee = curves.shift(draw.uniforms("fetus.knee", 2, -0.03, 0.03), 0.80, -0.235)
        foot = curves.shift(draw.uniforms("fetus.foot", 2, -0.05, 0.05), 0.925, -0.245)
        joints = [[0.890, -0.040], knee, foot, curves.shift(foot, 0.005, -0.055)]
        items += _limb(body, "leg", joints, (0.085, 0.062, 0.045, 0.030), body.tissue, bone=True)
    return items


def _near_limbs(body: _Body) -> list[Shape | Reflector]:
    draw = body.draw
    items: list[Shape | Reflector] = []
    if draw.chance("fetus.shows_arm", 0.5):
        elbow = curves.shift(draw.uniforms("fetus.elbow", 2, -0.03, 0.03), 0.50, -0.195)
        hand = curves.shift(draw.uniforms("fetus.hand", 2, -0.045, 0.045), 0.375, -0.225)
        joints = [[0.455, -0.095], elbow, hand]
        items += _limb(body, "arm", joints, (0.055, 0.042, 0.032, 0.030), body.tissue - 1, bone=True)
    if draw.chance("fetus.shows_hand", 0.3):
        place = curves.shift(draw.uniforms("fetus.loose_hand", 2, -0.05, 0.05), 0.40, -0.30)
        hand = curves.lumpy(curves.ellipse(place, (0.028, 0.018)), draw.normals("fetus.loose_hand_lumps", 8), 0.15)
        items.append(Shape("limbs", body.place(hand), Tissue(body.tissue + 1, 0.05, 3), 0.006 * body.crl))
    return items


def _cord(body: _Body) -> list[Shape | Reflector]:
    """The umbilical cord where it leaves the belly: a wavy tube with dark vessels."""
    draw = body.draw
    if not draw.chance("fetus.shows_cord", 0.5):
        return []
    start = np.array([0.715, -0.160])
    steps = np.stack([draw.uniforms("fetus.cord_x", 4, -0.05, 0.05), -draw.uniforms("fetus.cord_y", 4, 0.02, 0.06)], 1)
    path = body.place(curves.open_spline(np.concatenate([[start], start + np.cumsum(steps, axis=0)]), 8))
    width = draw.uniform("fetus.cord_width", 0.022, 0.045) * body.crl
    level = draw.uniform("fetus.cord_echo", -10, 0)
    items: list[Shape | Reflector] = [
        Shape("cord", curves.limb(path, (width, width)), Tissue(level, 0.01, 1.5), 0.15 * width),
        Shape("cord", curves.limb(path, (0.45 * width, 0.4 * width)), Tissue(level - 18, 0, 1), 0.08 * width),
    ]
    for aside in (-0.42, 0.42):
        wall = path + curves.normals(path, closed=False) * aside * width
        items.append(
            Reflector(wall, draw.uniform(f"fetus.cord_wall_{'near' if aside < 0 else 'far'}", -8, 4), floor=0.15)
        )
    return items
