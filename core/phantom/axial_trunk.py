"""The fetal trunk in axial section, second trimester to birth: what the abdomen and thorax planes show.

Trunk coordinates: millimetres, origin in the middle, y towards the spine (anterior is negative), x towards the fetus's
right. Places inside are given in shares of the half axes of the inner wall. Sources: reference §10 (abdomen: stomach,
umbilical vein and portal sinus, spine; thorax: four chambers, crux, descending aorta); ISUOG practice guidelines on
the second-trimester scan, on fetal biometry and on the screening examination of the fetal heart.
"""

from __future__ import annotations

import numpy as np

from core.phantom import curves
from core.phantom.anatomy import Anatomy, Reflector, Shape, Tissue
from core.phantom.settings import Draw, declare_ranges

OCCASIONAL = ("spleen", "bowel", "gallbladder", "kidney", "thymus", "vertebral canal")
"""Structures that many a picture lacks, beyond those that the planes name; planes.py gives them label values."""

declare_ranges(
    {
        "trunk.flatness": {"train": (0.84, 1.08), "unseen": (0.74, 0.83)},
        "trunk.wall": {"train": (0.045, 0.125), "unseen": (0.128, 0.150)},
        "trunk.rib_spacing": {"train": (0.30, 0.62), "unseen": (0.22, 0.29)},
        "thorax.atrial_share": {"train": (0.34, 0.48), "unseen": (0.26, 0.33)},
        "abdomen.vein_width": {"train": (0.035, 0.085), "unseen": (0.087, 0.105)},
    }
)

Items = list[Shape | Reflector]


class _Trunk:
    """Measures that every part of one section shares."""

    def __init__(self, draw: Draw, width: float, thickness: float = 1.0) -> None:
        self.draw = draw
        self.width = width
        half = width / 2
        phase = np.linspace(0, 2 * np.pi, 140, endpoint=False)
        egg, square = draw.uniform("trunk.egg", -0.16, 0.16), draw.uniform("trunk.squareness", -0.04, 0.06)
        x = half * np.cos(phase) * (1 + egg * np.sin(phase)) * (1 + square * np.sin(2 * phase) ** 2)
        y = half * draw.setting("trunk.flatness") * np.sin(phase)
        y -= draw.uniform("trunk.back_dent", -0.02, 0.06) * half * np.exp(-(((phase - np.pi / 2) / 0.22) ** 2))
        x += draw.uniform("trunk.slant", -0.12, 0.12) * y  # no section is quite square to the body
        amount = draw.uniform("trunk.lumpiness", 0.004, 0.036)
        self.contour = curves.lumpy(np.stack([x, y], axis=1), draw.normals("trunk.lumps", 14), amount)
        self.wall = width * draw.setting("trunk.wall") * thickness
        uneven = np.interp(phase, np.linspace(0, 2 * np.pi, 9), draw.normals("trunk.wall_uneven", 9, 0.18))
        self.uneven = np.exp(uneven * np.hanning(len(phase)) ** 0.3)
        self.inner = curves.offset(self.contour, -self.wall * self.uneven)
        self.middle = self.inner.mean(axis=0)
        self.half_axes = np.ptp(self.inner, axis=0) / 2
        self._angles = np.arctan2(*(self.contour - self.middle).T)
        self._order = np.argsort(self._angles)

    def at(self, points) -> np.ndarray:
        """Points in shares of the inner half axes, to millimetres."""
        return np.asarray(points, float) * self.half_axes + self.middle

    def ring(self, angles: np.ndarray, depth) -> np.ndarray:
        """Points in the wall: `angles` from the spine, positive to the right; `depth` in mm under the skin."""
        reach = np.hypot(*(self.contour - self.middle)[self._order].T)
        radius = np.interp(angles, self._angles[self._order], reach, period=2 * np.pi) - depth
        return self.middle + radius[:, None] * np.stack([np.sin(angles), np.cos(angles)], axis=1)

    def blob(self, name: str, centre, radii, amount: float = 0.08, angle: float = 0.0, count: int = 56) -> np.ndarray:
        """A lumpy ellipse in shares of the inner half axes, pulled inside the inner wall."""
        outline = curves.ellipse(centre, radii, angle, count)
        outline = self.at(curves.lumpy(outline, self.draw.normals(f"{name}_lumps", 10), amount))
        return curves.within(outline, self.inner, 0.01 * self.width)

    def patchy(self, name: str, knots: int, waves: float, gaps: int) -> np.ndarray:
        """Gain along a line that waxes, wanes and drops out; (96,)."""
        draw = self.draw
        at = np.linspace(0, 1, 96)
        gain = np.exp(np.interp(at, np.linspace(0, 1, knots), draw.normals(f"{name}_waves", knots, waves)))
        count = draw.integer(f"{name}_gaps", 0, gaps)
        centres = draw.uniforms(f"{name}_gap_places", count, 0, 1)
        widths = draw.uniforms(f"{name}_gap_widths", count, 0.02, 0.14)
        for centre, width in zip(centres, widths, strict=True):
            gain *= 1 - np.exp(-((np.abs((at - centre + 0.5) % 1 - 0.5) / width) ** 4))
        return gain

    def closer(self) -> np.ndarray:
        """What a view is fitted to: the outline, or in every fifth picture so little that the outline leaves it.

        Alike for chest and abdomen: framing may not tell which of the two is shown.
        """
        part = self.draw.uniform("trunk.closer_part", 0.55, 0.9) if self.draw.chance("trunk.closer", 0.2) else 1.0
        return self.middle + part * (self.contour - self.middle)

    def clear(self, name: str) -> float:
        """How well a structure shows, from hardly (0.1) to fully (1)."""
        return self.draw.uniform(f"{name}_clear", 0.1, 1.0) ** 0.6


def _enclosure(trunk: _Trunk, inside: str, tissue: Tissue) -> Items:
    """Skin, fat, muscle, and what fills the inside; often only a part of the outline can be made out."""
    draw, wall = trunk.draw, trunk.wall
    fat = draw.uniform("trunk.fat_share", 0.15, 0.65)
    muscle = curves.offset(trunk.contour, -fat * wall * trunk.uneven)
    lost = draw.uniform("trunk.outline_lost", 0.12, 0.40) if draw.chance("trunk.outline_partly", 0.6) else 0.0
    lost_at = draw.uniform("trunk.outline_lost_at", 0, 1)
    away = np.abs((np.linspace(0, 1, 96) - lost_at + 0.5) % 1 - 0.5)
    shown = 1 - draw.uniform("trunk.outline_lost_share", 0.7, 1.0) * np.exp(-((away / max(lost, 1e-3)) ** 6))
    gain = trunk.patchy("trunk.skin", 16, 0.6, 5) * shown
    lining = trunk.patchy("trunk.lining", 16, 0.8, 6) * shown
    skin = (draw.uniform("trunk.skin_exponent", 3, 9), draw.uniform("trunk.skin_floor", 0.01, 0.14), 3.0, gain)
    face = (draw.uniform("trunk.lining_exponent", 3, 9), draw.uniform("trunk.lining_floor", 0.01, 0.10), 4.0, lining)
    layer = 0.3 * wall * draw.uniform("trunk.lining_thick", 0, 1)
    soft = draw.uniform("trunk.inner_softness", 0.08, 0.6) * wall
    level = tissue.echo + draw.uniform("trunk.muscle_step", -16, 3)
    items: Items = [
        Shape("skin", trunk.contour, Tissue(draw.uniform("trunk.fat_echo", -11, 3), 0.02, 2.2, 0.5), 0.1 * wall),
        Reflector(trunk.contour, draw.uniform("trunk.skin_strength", -6, 13), True, *skin),
        Shape("body wall", muscle, Tissue(level, 0.03, 2.0), 0.12 * wall),
        Shape(inside, trunk.inner, tissue, soft),
        Reflector(trunk.inner, draw.uniform("trunk.lining_strength", -8, 14), True, *face, layer),
    ]
    if lost:  # there the wall's layers merge with what they enclose
        line = trunk.ring(np.pi / 2 - 2 * np.pi * (lost_at + np.linspace(-0.9, 0.9, 40) * lost), 0.6 * wall)
        merged = Tissue(tissue.echo + draw.uniform("trunk.outline_merged", -6, 2), 0.02, 2.5)
        width = 1.1 * wall * np.sin(np.linspace(0.2, 2.94, 40)) ** 0.5
        items.append(Shape("body wall", curves.strip(line, width), merged, 0.45 * wall))
    return items


def _near_shadow(trunk: _Trunk, down: np.ndarray) -> Items:
    """Something in the near wall, a rib along the section or a limb before it, takes the light from a part of it."""
    draw = trunk.draw
    if not draw.chance("trunk.near_shadow", 0.28):
        return []
    middle = np.arctan2(*-down) + draw.uniform("trunk.near_shadow_at", -1.2, 1.2)
    span = draw.uniform("trunk.near_shadow_span", 0.06, 0.45)
    line = trunk.ring(middle + np.linspace(-span, span, 16), 0.5 * trunk.wall)
    depth = 0.7 * trunk.wall
    echo, loss = draw.uniform("trunk.near_shadow_echo", -12, 2), draw.uniform("trunk.near_shadow_loss", 4, 20) / depth
    width = depth * np.sin(np.linspace(0.25, 2.89, 16)) ** 0.5
    return [Shape("body wall", curves.strip(line, width), Tissue(echo, loss, 3.0), 0.4 * trunk.wall)]


def _smudges(trunk: _Trunk, inside: str, base: float) -> Items:
    """Where the wall is not crisp: lighter and darker patches of muscle, fat and partial volume across its layers."""
    draw = trunk.draw
    count = draw.integer("trunk.smudges", 2, 14)
    angles = draw.uniforms("trunk.smudge_places", count, -np.pi, np.pi)
    depths = draw.uniforms("trunk.smudge_depths", count, 0.15, 1.25)
    lengths = draw.uniforms("trunk.smudge_lengths", count, 0.03, 0.16)
    levels = draw.uniforms("trunk.smudge_levels", count, -13, 5)
    items: Items = []
    for k in range(count):
        line = trunk.ring(angles[k] + np.linspace(-2, 2, 9) * lengths[k], depths[k] * trunk.wall)
        width = trunk.wall * draw.uniform(f"trunk.smudge_{k}_width", 0.25, 0.8) * np.sin(np.linspace(0.3, 2.84, 9))
        label = "body wall" if depths[k] < 1 else inside
        items.append(Shape(label, curves.strip(line, width), Tissue(base + levels[k], 0.02, 2.0), 0.22 * trunk.wall))
    return items


def _edge_shadows(trunk: _Trunk, down: np.ndarray) -> Items:
    """Sound that grazes the curved sides is bent away: the far wall fades on one or both sides."""
    draw = trunk.draw
    items: Items = []
    for side, sign in (("first", -1.0), ("second", 1.0)):
        if not draw.chance(f"trunk.{side}_edge_shadow", 0.55):
            continue
        aside = np.array([down[1], -down[0]]) * sign
        middle = np.arctan2(*aside) + draw.uniform(f"trunk.{side}_edge_at", -0.12, 0.12)
        span = draw.uniform(f"trunk.{side}_edge_span", 0.10, 0.42)
        line = trunk.ring(middle + np.linspace(-span, span, 12), 0.5 * trunk.wall)
        length = trunk.width * span
        loss = draw.uniform(f"trunk.{side}_edge_loss", 4, 22) / length
        echo = draw.uniform(f"trunk.{side}_edge_echo", -24, -8)
        strip = curves.strip(line, 0.75 * trunk.wall)
        items.append(Shape("body wall", strip, Tissue(echo, loss, 2.0), 0.3 * trunk.wall))
    return items


def _ribs(trunk: _Trunk, long_share: float) -> Items:
    """Arcs of bone in the wall, alike on both sides, with shadows; a long one is a rib that the section follows."""
    draw = trunk.draw
    clear = trunk.clear("trunk.ribs")
    spacing = draw.setting("trunk.rib_spacing")
    long = draw.chance("trunk.long_ribs", long_share)
    count = draw.integer("trunk.ribs_a_side", 1, 2) if long else draw.integer("trunk.ribs_a_side", 1, 5)
    thickness = trunk.width * draw.uniform("trunk.rib_thickness", 0.014, 0.044)
    loss = draw.uniform("trunk.rib_loss", 1.0, 8.0) * clear / thickness
    echo, strength = draw.uniform("trunk.rib_echo", -12, 4), draw.uniform("trunk.rib_strength", 2, 24) - 8 * (1 - clear)
    first = draw.uniform("trunk.rib_first", 0.30, 0.75)
    items: Items = []
    for side, sign in (("left", -1.0), ("right", 1.0)):
        jitter = draw.uniforms(f"trunk.{side}_rib_jitter", 3 * count, -1, 1).reshape(-1, 3)
        missing = draw.uniforms(f"trunk.{side}_rib_missing", count, 0, 1)
        levels = draw.uniforms(f"trunk.{side}_rib_levels", count, -8, 0)
        faint = draw.uniform(f"trunk.{side}_ribs_fade", 4, 14) if draw.chance(f"trunk.{side}_ribs_faint", 0.3) else 0.0
        place = first
        for k, (aside, length, slant) in enumerate(jitter):
            span = (0.95 + 0.45 * length) if long else spacing * (0.52 + 0.25 * length)
            start = place + 0.12 * spacing * aside
            place += span + spacing * (0.55 if long else 0.45)
            if start + span > 2.9 or missing[k] < 0.28:
                continue
            share = np.linspace(0, 1, 20)
            depth = trunk.wall * (0.62 + 0.22 * slant * (share - 0.5) * (1.6 if long else 0.5))
            line = trunk.ring(sign * (start + span * share), depth)
            taper = thickness * np.sin(np.pi * np.clip(0.08 + 0.84 * share, 0, 1)) ** 0.5
            level = levels[k] - faint
            bone = Tissue(echo + 0.6 * level, loss, 2.5)
            broken = trunk.patchy(f"trunk.{side}_rib_{k}", 6, 0.6, 2) * np.sin(np.linspace(0.2, 2.94, 96)) ** 0.5
            items.append(Shape("ribs", curves.strip(line, taper), bone, 0.3 * thickness))
            items.append(Reflector(line, strength + level, False, 3, 0.08, 4.0, broken, 0.7 * thickness))
    return items


def _spine(trunk: _Trunk) -> Items:
    """Three ossification centres about the dark canal, or one cluster, between muscles; they cast a shadow."""
    draw, width = trunk.draw, trunk.width
    clear = trunk.clear("trunk.spine")
    place = trunk.ring(np.zeros(1), trunk.wall + width * draw.uniform("trunk.spine_depth", 0.015, 0.065))[0]
    place += np.array([draw.uniform("trunk.spine_aside", -0.03, 0.03) * width, 0.0])
    size = width * draw.uniform("trunk.spine_size", 0.024, 0.056)
    loss = draw.uniform("trunk.bone_loss", 7, 26) / (2 * size)
    bone = Tissue(draw.uniform("trunk.bone_echo", -2, 11) - 5 * (1 - clear), loss, 3.0)
    strength = draw.uniform("trunk.bone_strength", 6, 24) - 6 * (1 - clear)
    muscle = curves.ellipse(place + np.array([0, 0.6 * size]), (4.2 * size, 2.4 * size))
    muscle = curves.within(muscle, trunk.contour, 0.35 * trunk.wall)
    echo = draw.uniform("trunk.back_echo", -16, -4)
    turn = draw.uniform("trunk.spine_turn", -0.25, 0.25)
    spread = draw.uniform("trunk.spine_spread", 1.2, 2.1)
    cluster = draw.chance("trunk.spine_cluster", 0.25)
    centres = {
        "body": ((0.0, -1.25), (1.25, 0.95), 0.0),
        "left": ((-spread, 0.9), (1.15, 0.5), 0.75),
        "right": ((spread, 0.9), (1.15, 0.5), -0.75),
    }
    items: Items = [Shape("body wall", muscle, Tissue(echo, 0.03, 2.0), 0.6 * size)]
    canal = curves.ellipse(place + np.array([0, 0.35 * size]), (0.95 * size, 0.8 * size), count=30)
    if cluster:
        mass = curves.lumpy(
            curves.ellipse(place, (2.0 * size, 1.5 * size)), draw.normals("trunk.cluster_lumps", 8), 0.16
        )
        items.append(Shape("spine", mass, bone, 0.3 * size))
        items.append(Reflector(mass, strength - 4, True, 5.0, 0.05, 6.0, None, 0.5 * size))
    else:
        items.append(Shape("vertebral canal", canal, Tissue(echo - draw.uniform("trunk.canal", 2, 12)), 0.2 * size))
    for name, (offset, radii, angle) in centres.items():
        if cluster and name == "body":
            continue
        grow = draw.uniform(f"trunk.{name}_grow", 0.55, 1.35)
        spot = place + curves.rotate(np.array([offset]) * size, turn)[0]
        part = curves.ellipse(spot, (radii[0] * size * grow, radii[1] * size * grow), angle + turn, 32)
        part = curves.within(
            curves.lumpy(part, draw.normals(f"trunk.{name}_lumps", 6), 0.2), trunk.contour, 0.01 * width
        )
        echo = bone.echo + draw.uniform(f"trunk.{name}_echo", -7, 2)
        soft = draw.uniform(f"trunk.{name}_soft", 0.15, 0.7) * size
        items.append(Shape("spine", part, Tissue(echo, loss, 3.5), soft))
        level = strength + draw.uniform(f"trunk.{name}_level", -14, 0)
        items.append(Reflector(part, level, True, 5.0, 0.05, 6.0, None, 0.6 * size))
    return items


def _round_vessel(trunk: _Trunk, name: str, label: str, centre, radius: float, base: float) -> Items:
    """A vessel cut across: dark, with a wall that shines where the beam meets it."""
    draw = trunk.draw
    clear = trunk.clear(f"{name}")
    flat = draw.uniform(f"{name}_flat", 0.75, 1.0)
    outline = curves.ellipse(trunk.at([centre])[0], (radius, flat * radius), draw.uniform(f"{name}_turn", 0, 3.1), 32)
    echo = base - draw.uniform(f"{name}_dark", 10, 30) * clear
    wall = draw.uniform(f"{name}_wall", -8, 7) - 8 * (1 - clear)
    return [
        Shape(label, outline, Tissue(echo, -0.05, 1.0), 0.15 * radius),
        Reflector(outline, wall, True, 4, 0.12, 3.0),
    ]


def _tube(label: str, path: np.ndarray, widths, echo: float, wall: float, soft: float = 0.12) -> Items:
    """A vessel cut lengthwise: dark, with two bright walls."""
    along = np.interp(np.linspace(0, 1, len(path)), np.linspace(0, 1, len(widths)), widths)
    across = curves.normals(path, closed=False) * along[:, None] / 2
    items: Items = [Shape(label, curves.limb(path, widths), Tissue(echo, -0.05, 1.0), soft * float(np.mean(widths)))]
    return [*items, *(Reflector(path + sign * across, wall, False, 4, 0.12, 3.5) for sign in (-1, 1))]


def _flecks(trunk: _Trunk, name: str, most: int, low: float, high: float) -> Items:
    """Short bright lines anywhere inside: vessels' walls and interfaces that no section is free of."""
    draw = trunk.draw
    count = draw.integer(f"{name}_count", 0, most)
    places = draw.uniforms(f"{name}_places", 2 * count, -0.68, 0.68).reshape(-1, 2)
    lengths = draw.uniforms(f"{name}_lengths", count, 0.03, 0.20)
    turns = draw.uniforms(f"{name}_turns", count, -np.pi, np.pi)
    bends = draw.normals(f"{name}_bends", count, 0.2)
    levels = draw.uniforms(f"{name}_levels", count, low, high)
    items: Items = []
    for place, length, turn, bend, level in zip(places, lengths, turns, bends, levels, strict=True):
        line = curves.open_spline([[-length / 2, 0], [0, bend * length], [length / 2, 0]], 4)
        items.append(Reflector(trunk.at(curves.rotate(line, turn) + place), level, exponent=3, floor=0.2, roughness=4))
    return items


def _lumps(trunk: _Trunk, name: str, label: str, most: int, base: float, spread: float) -> Items:
    """Soft lighter and darker regions."""
    draw = trunk.draw
    count = draw.integer(f"{name}_count", 0, most)
    places = draw.uniforms(f"{name}_places", 2 * count, -0.65, 0.65).reshape(-1, 2)
    sizes = draw.uniforms(f"{name}_sizes", 2 * count, 0.05, 0.34).reshape(-1, 2)
    levels = draw.uniforms(f"{name}_levels", count, -spread, spread)
    items: Items = []
    for k, (place, size, level) in enumerate(zip(places, sizes, levels, strict=True)):
        outline = trunk.blob(f"{name}_{k}", place, size, 0.15, count=30)
        items.append(Shape(label, outline, Tissue(base + level, 0.0, 2.0), 0.04 * trunk.width))
    return items


def _arms(trunk: _Trunk, share: float) -> Items:
    """Limbs that lie against the sides: soft tissue about one or two bright bones."""
    draw = trunk.draw
    items: Items = []
    for side, sign in (("left", -1.0), ("right", 1.0), ("front", 0.0)):
        name = f"trunk.{side}_arm"
        if not draw.chance(f"{name}_shown", share if sign else 0.4 * share):
            continue
        radius = trunk.width * draw.uniform(f"{name}_radius", 0.06, 0.13)
        angle = sign * draw.uniform(f"{name}_at", 0.9, 2.4) if sign else np.pi + draw.uniform(f"{name}_at", -0.7, 0.7)
        spot = trunk.ring(np.array([angle]), -radius * draw.uniform(f"{name}_gap", 0.85, 1.5))[0]
        flat, turn = draw.uniform(f"{name}_flat", 0.6, 1.0), draw.uniform(f"{name}_turn", 0, np.pi)
        outline = curves.lumpy(
            curves.ellipse(spot, (radius, flat * radius), turn, 40), draw.normals(f"{name}_lumps", 8), 0.07
        )
        bones = draw.integer(f"{name}_bones", 1, 2)
        items.append(Shape("limbs", outline, Tissue(draw.uniform(f"{name}_echo", -12, 0), 0.02, 2.0), 0.08 * radius))
        items.append(Reflector(outline, draw.uniform(f"{name}_skin", -8, 6), True, 4, 0.1))
        for k in range(bones):
            aside = radius * 0.36 * (2 * k - bones + 1) * np.array([np.cos(turn), np.sin(turn)])
            size = radius * draw.uniform(f"{name}_bone_{k}", 0.16, 0.30)
            bone = curves.ellipse(spot + aside, (size, 0.8 * size), turn, 20)
            items.append(
                Shape("limbs", bone, Tissue(draw.uniform(f"{name}_bone_echo_{k}", 0, 11), 12 / size / 2), 0.2 * size)
            )
            items.append(Reflector(bone, draw.uniform(f"{name}_bone_face_{k}", 0, 16), True, 3, 0.1))
    return items


def _great_vessels(trunk: _Trunk, base: float) -> Items:
    """Descending aorta on the left before the spine."""
    draw = trunk.draw
    radius = trunk.width * draw.uniform("trunk.aorta_radius", 0.020, 0.042)
    centre = (draw.uniform("trunk.aorta_x", -0.20, -0.02), draw.uniform("trunk.aorta_y", 0.52, 0.68))
    return _round_vessel(trunk, "trunk.aorta", "aorta", centre, radius, base)


# Abdomen -------------------------------------------------------------------------------------------------------------


def axial_abdomen(draw: Draw, width: float, down: np.ndarray) -> Anatomy:
    """A section through the upper abdomen at the level of stomach and portal sinus.

    Parameters
    ----------
    draw: source of the numbers.
    width: transverse diameter, mm.
    down: unit vector (2,) in trunk coordinates along which the beam travels; where it grazes the sides, they shadow.
    """
    trunk = _Trunk(draw, width, 0.75)
    base = draw.uniform("abdomen.liver_echo", -13, 4)
    tissue = Tissue(base, 0.01, draw.uniform("abdomen.liver_patches", 0.5, 3.2), draw.uniform("abdomen.layers", 0, 1.5))
    items = _arms(trunk, 0.22) + _enclosure(trunk, "liver", tissue)
    items += _smudges(trunk, "liver", base) + _edge_shadows(trunk, down)
    items += _lumps(trunk, "abdomen.lumps", "liver", 7, base, 5)
    items += _bowel(trunk, base) + _kidneys(trunk, base) + _adrenals(trunk, base)
    items += _liver_vessels(trunk, base) + _stomach(trunk, base) + _umbilical_vein(trunk, base)
    items += _gallbladder(trunk, base) + _great_vessels(trunk, base)
    if draw.chance("abdomen.shows_cava", 0.7):
        centre = (draw.uniform("abdomen.cava_x", 0.05, 0.25), draw.uniform("abdomen.cava_y", 0.36, 0.60))
        radius = width * draw.uniform("abdomen.cava_radius", 0.016, 0.036)
        items += _round_vessel(trunk, "abdomen.cava", "inferior vena cava", centre, radius, base)
    items += _flecks(trunk, "abdomen.flecks", 22, -12, 6) + _spine(trunk) + _ribs(trunk, 0.45)
    items += _near_shadow(trunk, down)
    frame = trunk.closer()
    return Anatomy(items, trunk.contour, frame, frame)


def _stomach(trunk: _Trunk, base: float) -> Items:
    draw = trunk.draw
    if not draw.chance("abdomen.shows_stomach", 0.84):
        return []
    clear = max(trunk.clear("abdomen.stomach"), 0.35)
    length = draw.log_uniform("abdomen.stomach_length", 0.07, 0.44)
    breadth = length * draw.uniform("abdomen.stomach_breadth", 0.45, 0.95)
    place = (draw.uniform("abdomen.stomach_x", -0.60, -0.28), draw.uniform("abdomen.stomach_y", -0.22, 0.34))
    bag = trunk.blob("abdomen.stomach", place, (length, breadth), 0.05, draw.uniform("abdomen.stomach_turn", -1.2, 1.2))
    echo = base - draw.uniform("abdomen.stomach_dark", 20, 40) * clear
    wall = draw.uniform("abdomen.stomach_wall", -9, 8)
    items: Items = []
    if draw.chance("abdomen.shows_spleen", 0.5):
        spleen = trunk.blob("abdomen.spleen", (place[0] - 0.1, place[1] + 0.30), (0.26, 0.18), 0.08, 0.5)
        items.append(Shape("spleen", spleen, Tissue(base + draw.uniform("abdomen.spleen_lift", -5, 4), 0, 1.2), 0.6))
    items.append(Shape("stomach", bag, Tissue(echo, -0.07, 1.5), 0.012 * trunk.width))
    items.append(Reflector(bag, wall, True, 4, 0.12, 3.0))
    return items


def _umbilical_vein(trunk: _Trunk, base: float) -> Items:
    """A hockey stick: from the front backwards, then bent to the right into the portal sinus; or only a part of it."""
    draw = trunk.draw
    if not draw.chance("abdomen.shows_vein", 0.82):
        return []
    clear = trunk.clear("abdomen.vein")
    width = trunk.width * draw.setting("abdomen.vein_width")
    start = draw.uniform("abdomen.vein_start", -0.88, -0.35)
    bend = draw.uniform("abdomen.vein_bend", -0.32, 0.06)
    reach = draw.uniform("abdomen.vein_reach", 0.12, 0.52)
    aside = draw.uniform("abdomen.vein_aside", -0.10, 0.10)
    knots = [[aside, start], [aside + 0.02, (start + bend) / 2], [aside + 0.05, bend]]
    knots += [[aside + 0.5 * reach, bend + 0.14],
             [aside + reach, bend + draw.uniform("abdomen.vein_drop", 0.02, 0.30)]]  # fmt: skip
    shown = draw.choice("abdomen.vein_shown", ["whole", "straight", "sinus"], [0.6, 0.15, 0.25])
    knots = {"whole": knots, "straight": knots[:3], "sinus": knots[2:]}[shown]
    path = trunk.at(curves.open_spline(np.array(knots) + draw.normals("abdomen.vein_wander", 2, 0.02), 7))
    path = curves.within(path, trunk.inner, 0.5 * width)
    echo = base - draw.uniform("abdomen.vein_dark", 6, 32) * clear
    wall = draw.uniform("abdomen.vein_wall", -6, 11) - 6 * (1 - clear)
    return _tube("umbilical vein", path, (0.8 * width, width, 1.05 * width, 0.6 * width), echo, wall)


def _gallbladder(trunk: _Trunk, base: float) -> Items:
    draw = trunk.draw
    if not draw.chance("abdomen.shows_gallbladder", 0.25):
        return []
    place = (draw.uniform("abdomen.gallbladder_x", 0.2, 0.48), draw.uniform("abdomen.gallbladder_y", -0.5, -0.1))
    turn, length = (
        draw.uniform("abdomen.gallbladder_turn", 0.6, 2.0),
        draw.uniform("abdomen.gallbladder_length", 0.12, 0.26),
    )
    drop = trunk.blob("abdomen.gallbladder", place, (length, 0.36 * length), 0.08, turn)
    level = base - draw.uniform("abdomen.gallbladder_dark", 12, 30)
    return [
        Shape("gallbladder", drop, Tissue(level, -0.06, 1), 0.008 * trunk.width),
        Reflector(drop, draw.uniform("abdomen.gallbladder_wall", -8, 6), True, 4, 0.12),
    ]


def _kidneys(trunk: _Trunk, base: float) -> Items:
    """A section a little too low shows kidneys or adrenals beside the spine."""
    draw = trunk.draw
    if not draw.chance("abdomen.shows_kidneys", 0.3):
        return []
    items: Items = []
    lift = draw.uniform("abdomen.kidney_lift", -9, 2)
    for side, sign in (("left", -1.0), ("right", 1.0)):
        if not draw.chance(f"abdomen.{side}_kidney", 0.75):
            continue
        size = draw.uniform(f"abdomen.{side}_kidney_size", 0.11, 0.24)
        place = (
            sign * draw.uniform(f"abdomen.{side}_kidney_x", 0.30, 0.42),
            draw.uniform(f"abdomen.{side}_kidney_y", 0.42, 0.58),
        )
        outline = trunk.blob(f"abdomen.{side}_kidney", place, (size, 0.8 * size), 0.06)
        items.append(Shape("kidney", outline, Tissue(base + lift, 0, 1.8), 0.012 * trunk.width))
        items.append(Reflector(outline, draw.uniform(f"abdomen.{side}_kidney_rim", -12, 2), True, 4, 0.15, 4.0))
        pelvis = trunk.blob(f"abdomen.{side}_pelvis", place, (0.35 * size, 0.2 * size), 0.1)
        items.append(
            Shape("kidney", pelvis, Tissue(base + draw.uniform(f"abdomen.{side}_pelvis_lift", -18, 8), 0, 1), 0.4)
        )
    return items


def _adrenals(trunk: _Trunk, base: float) -> Items:
    """Beside the spine, above the kidneys: a thin bright line between two dark bands."""
    draw = trunk.draw
    if not draw.chance("abdomen.shows_adrenals", 0.3):
        return []
    items: Items = []
    for side, sign in (("left", -1.0), ("right", 1.0)):
        name = f"abdomen.{side}_adrenal"
        if not draw.chance(f"{name}_shown", 0.7):
            continue
        start = (sign * draw.uniform(f"{name}_x", 0.16, 0.26), draw.uniform(f"{name}_y", 0.40, 0.58))
        turn, length = draw.uniform(f"{name}_turn", -0.7, 0.5), draw.uniform(f"{name}_length", 0.14, 0.30)
        line = curves.open_spline([[0, 0], [0.5, draw.uniform(f"{name}_bow", -0.15, 0.15)], [1, 0]], 6) * length
        path = trunk.at(curves.rotate(line, turn) * (sign, 1.0) + start)
        path = curves.within(path, trunk.inner, 0.03 * trunk.width)
        width = trunk.width * draw.uniform(f"{name}_width", 0.025, 0.055)
        dark = Tissue(base - draw.uniform(f"{name}_dark", 2, 14), 0, 1.5)
        items.append(Shape("kidney", curves.limb(path, (0.7 * width, width, 0.7 * width)), dark, 0.2 * width))
        items.append(Reflector(path, draw.uniform(f"{name}_core", -14, 0), exponent=3, floor=0.2, roughness=4))
    return items


def _bowel(trunk: _Trunk, base: float) -> Items:
    """Loops in the front left: uneven, with brighter and darker rings."""
    draw = trunk.draw
    if not draw.chance("abdomen.shows_bowel", 0.38):
        return []
    count = draw.integer("abdomen.bowel_count", 3, 12)
    places = draw.uniforms("abdomen.bowel_places", 2 * count, 0, 1).reshape(-1, 2) * (0.65, 0.8) + (-0.62, -0.6)
    sizes = draw.uniforms("abdomen.bowel_sizes", count, 0.04, 0.10)
    lifts = draw.uniforms("abdomen.bowel_lifts", count, -8, 7)
    items: Items = []
    for k, (place, size, lift) in enumerate(zip(places, sizes, lifts, strict=True)):
        loop = trunk.blob(f"abdomen.bowel_{k}", place, (size, 0.7 * size), 0.14, count=24)
        items.append(Shape("bowel", loop, Tissue(base + lift, 0, 2), 0.012 * trunk.width))
    return items


def _liver_vessels(trunk: _Trunk, base: float) -> Items:
    """Thin dark branches of the hepatic and portal veins."""
    draw = trunk.draw
    count = draw.integer("abdomen.branches", 0, 10)
    items: Items = []
    for k in range(count):
        name = f"abdomen.branch_{k}"
        place = draw.uniforms(f"{name}_at", 2, -0.5, 0.6)
        length, turn = draw.log_uniform(f"{name}_length", 0.10, 0.55), draw.uniform(f"{name}_turn", -np.pi, np.pi)
        line = curves.open_spline([[-length / 2, 0], [0, draw.uniform(f"{name}_bow", -0.10, 0.10)], [length / 2, 0]], 6)
        path = curves.within(trunk.at(curves.rotate(line, turn) + place), trunk.inner, 0.03 * trunk.width)
        width = trunk.width * draw.uniform(f"{name}_width", 0.006, 0.022)
        echo = base - draw.uniform(f"{name}_dark", 3, 24)
        items += _tube("liver", path, (width, 0.5 * width), echo, draw.uniform(f"{name}_wall", -14, 0), 0.3)
    return items


# Thorax --------------------------------------------------------------------------------------------------------------

_CHEST_VIEWS = {
    "four chambers": 0.46,
    "left outflow": 0.10,
    "right outflow": 0.10,
    "three vessels": 0.17,
    "arches": 0.07,
    "grazed": 0.10,
}
"""Sections of the chest and the share of each: much that is called a chest shows no four chambers."""


def axial_thorax(draw: Draw, width: float, down: np.ndarray) -> Anatomy:
    """A section through the chest: four chambers, an outflow tract, three vessels, or something in between.

    Parameters
    ----------
    draw: source of the numbers.
    width: transverse diameter, mm.
    down: unit vector (2,) in trunk coordinates along which the beam travels; where it grazes the sides, they shadow.
    """
    trunk = _Trunk(draw, width)
    base = draw.uniform("thorax.lung_echo", -8, 6)
    patches = draw.uniform("thorax.lung_patches", 0.6, 4.5)
    tissue = Tissue(base, 0.01, patches, draw.uniform("thorax.lung_layers", 0.0, 1.5))
    items = _arms(trunk, 0.35) + _enclosure(trunk, "lungs", tissue)
    items += _smudges(trunk, "lungs", base) + _edge_shadows(trunk, down)
    items += _lumps(trunk, "thorax.lumps", "lungs", 6, base, 6) + _flecks(trunk, "thorax.lung_flecks", 24, -14, 3)
    view = draw.choice("thorax.view", list(_CHEST_VIEWS), list(_CHEST_VIEWS.values()))
    if view in ("three vessels", "arches"):
        items += _three_vessels(trunk, base, view == "arches")
        key = curves.ellipse(trunk.at([(0, -0.1)])[0], 0.4 * trunk.half_axes)
    else:
        heart = _Heart(trunk, base)
        items += heart.items(view)
        key = heart.outline
    items += _great_vessels(trunk, base) + _spine(trunk) + _ribs(trunk, 0.7) + _near_shadow(trunk, down)
    return Anatomy(items, trunk.contour, trunk.closer(), key)


class _Heart:
    """A heart in section. Its own coordinates run from the base (u = -1) to the apex (1); v is towards the right one.

    Both are in shares of its half length and half breadth.
    """

    def __init__(self, trunk: _Trunk, base: float) -> None:
        draw = self.draw = trunk.draw
        self.trunk = trunk
        size = draw.uniform("thorax.heart_length", 0.40, 0.92)
        self.length = size * float(trunk.half_axes.mean())
        self.breadth = self.length * draw.uniform("thorax.heart_breadth", 0.62, 1.0)
        # Apex to the front left, about 45 degrees from the line between sternum and spine.
        self.axis = np.deg2rad(draw.normal("thorax.heart_axis", 45, 24, -10, 110))
        shift = draw.uniforms("thorax.heart_shift", 2, -0.18, 0.18)
        self.centre = trunk.at([np.array([-0.12, -0.13]) + shift])[0]
        # From a heart that hardly differs from the lungs to one whose chambers are black and its lines white.
        self.clear = draw.uniform("thorax.heart_clear", 0.0, 1.0) ** 0.6
        self.muscle = base + draw.uniform("thorax.muscle_lift", -14, 1)
        self.blood = self.muscle - 4 - draw.uniform("thorax.blood_dark", 10, 37) * self.clear
        self.septum = draw.uniform("thorax.septum", 0.05, 0.18)
        self.wall = draw.uniform("thorax.muscle_wall", 0.05, 0.32)
        self.soft = draw.uniform("thorax.heart_softness", 0.0, 0.14) * (1.1 - self.clear)
        self.patchy = draw.uniform("thorax.line_patchiness", 0.3, 1.4)
        self.line = draw.uniform("thorax.heart_lines", -7, 10) - 10 * (1 - self.clear)
        self.thick = self.breadth * draw.uniform("thorax.line_thickness", 0.0, 0.09)
        # An oblique section shortens the heart along any direction.
        turn, short = draw.uniform("thorax.oblique_turn", 0, np.pi), draw.uniform("thorax.oblique", 0.55, 1.1)
        spin = curves.rotate(np.eye(2), turn)
        self.oblique = spin.T @ np.diag([1.0, min(short, 1.0)]) @ spin
        # No heart is symmetrical: a smooth bend of its coordinates deforms walls, septa and chambers together.
        self.bends = draw.normals("thorax.bends", 4, 0.07) * (1.0, 1.0, 0.5, 0.5)
        self.phases = draw.uniforms("thorax.bend_phases", 4, 0, 2 * np.pi)
        egg = curves.closed_spline([[-0.95, 0.0], [-0.75, 0.72], [-0.1, 1.0], [0.55, 0.72], [1.0, 0.05], [0.6, -0.66],
                                    [-0.1, -0.98], [-0.75, -0.75]], 9)  # fmt: skip
        egg = curves.lumpy(egg, draw.normals("thorax.heart_lumps", 10), 0.035)
        self.outline = curves.within(self.at(egg), trunk.inner, 0.012 * trunk.width)

    def at(self, points) -> np.ndarray:
        """Heart coordinates to millimetres."""
        u, v = np.asarray(points, float).T
        (a, b, c, d), (p, q, r, s) = self.bends, self.phases
        u, v = u + a * np.sin(2 * v + p) + c * np.sin(4 * u + r), v + b * np.sin(2 * u + q) + d * np.sin(4 * v + s)
        u, v = self.oblique @ np.stack([u, v])
        along = np.array([-np.sin(self.axis), -np.cos(self.axis)])
        across = np.array([np.cos(self.axis), -np.sin(self.axis)])
        place = self.centre + np.outer(u * self.length, along) + np.outer(v * self.breadth, across)
        return curves.within(place, self.trunk.inner, 0.01 * self.trunk.width)

    def items(self, view: str) -> Items:
        """All of it in a given view."""
        draw = self.draw
        items: Items = []
        around = self.trunk.patchy("thorax.pericardium", 12, self.patchy, 4)
        if draw.chance("thorax.effusion", 0.35):  # a thin dark rim of pericardial fluid or of shadowed fat
            rim = curves.offset(self.outline, self.trunk.width * draw.uniform("thorax.effusion_width", 0.004, 0.016))
            items.append(Shape("heart", rim, Tissue(self.muscle - draw.uniform("thorax.rim_dark", 2, 14)), 0.4))
        items += [
            Shape(
                "heart", self.outline, Tissue(self.muscle, 0.01, 2.2), 0.02 * self.trunk.width + self.soft * self.length
            ),
            Reflector(self.outline, draw.uniform("thorax.pericardium", -16, 6), True, 4, 0.08, 4.0, around),
        ]
        if view == "grazed":
            return items + self._grazed() + self._smears()
        items += self._chambers(0.05 + 0.25 * (1 - self.clear) + 0.15 * ("outflow" in view)) + self._septa()
        if view == "left outflow":
            items += self._outflow([[0.45, -0.42], [0.05, -0.20], [-0.30, 0.06], [-0.70, 0.36], [-0.95, 0.55]])
        elif view == "right outflow":
            items += self._outflow([[0.30, 0.50], [-0.05, 0.45], [-0.38, 0.15], [-0.72, -0.20], [-1.1, -0.30]])
        return items + self._valves() + self._strands() + self._smears()

    def _chamber(self, name: str, knots, amount: float) -> Items:
        draw = self.draw
        outline = curves.lumpy(curves.closed_spline(knots, 7), draw.normals(f"thorax.{name}_lumps", 10), amount)
        echo = self.blood + draw.uniform(f"thorax.{name}_haze", 0, 7)
        outline = self.at(outline)
        gain = self.trunk.patchy(f"thorax.{name}", 10, self.patchy, 3)
        soft = (draw.uniform(f"thorax.{name}_soft", 0.01, 0.05) + self.soft) * self.breadth
        rim = self.line - draw.uniform(f"thorax.{name}_rim", 0, 14)
        return [
            Shape("heart chambers", outline, Tissue(echo, -0.06, 1.5), soft),
            Reflector(outline, rim, True, 4, 0.1, 4.0, gain),
        ]

    def _chambers(self, missed: float) -> Items:
        """Two ventricles and two atria, each left out with a chance of `missed`: no section meets them all."""
        draw = self.draw
        atrial = draw.setting("thorax.atrial_share")
        cross = self.cross = -1 + 2 * atrial  # where atria and ventricles meet
        s, w = self.septum, self.wall
        self.offset = draw.uniform("thorax.crux_offset", 0.0, 0.10)  # the tricuspid valve lies nearer to the apex
        balance = draw.uniform("thorax.balance", -0.10, 0.10)
        items: Items = []
        for name, sign, apex, aside in (("left", -1.0, 0.88, balance), ("right", 1.0, 0.66, -balance)):
            room = 0.92 - w + 0.5 * aside
            start = cross + 0.05 + (self.offset if sign > 0 else 0.0)
            end = apex - 0.8 * w + draw.uniform(f"thorax.{name}_apex", -0.12, 0.05)
            middle = (start + end) / 2
            tip = draw.uniform(f"thorax.{name}_tip", 0.10, 0.30)
            outer, inner = sign * 0.92 * room, sign * (s + 0.02)
            knots = [[start, sign * s], [start, 0.87 * outer], [middle, outer]]
            knots += [[0.7 * end + 0.3 * middle, 0.67 * outer], [end, sign * (s + tip)], [middle, inner]]
            moved = np.array(knots) + draw.normals(f"thorax.{name}_knots", 12, 0.05).reshape(-1, 2)
            if not draw.chance(f"thorax.{name}_ventricle_missed", missed):
                items += self._chamber(f"{name}_ventricle", moved, 0.05)
            deep = -0.95 + 0.6 * w + draw.uniform(f"thorax.{name}_depth", -0.05, 0.12)
            top = cross - 0.05 + (self.offset if sign > 0 else 0.0)
            half = (top + deep) / 2
            breadth = draw.uniform(f"thorax.{name}_atrium", 0.60, 0.88)
            outer = sign * breadth
            knots = [[top, sign * 0.5 * s], [half, sign * 0.5 * s], [deep, sign * 0.22]]
            knots += [[0.8 * deep + 0.2 * half, 0.8 * outer], [half, outer], [top, 0.82 * outer]]
            moved = np.array(knots) + draw.normals(f"thorax.{name}_atrium_knots", 12, 0.06).reshape(-1, 2)
            if not draw.chance(f"thorax.{name}_atrium_missed", missed):
                items += self._chamber(f"{name}_atrium", moved, 0.05)
            if draw.chance(f"thorax.{name}_open", 0.45):  # the valve is open: atrium and ventricle are one room
                size = draw.uniforms(f"thorax.{name}_passage", 2, 0.12, 0.28)
                door = self.at(curves.ellipse((cross, sign * 0.42), size, count=28))
                items.append(
                    Shape("heart chambers", door, Tissue(self.blood, -0.06, 1.5), (0.03 + self.soft) * self.breadth)
                )
        return items

    def _septa(self) -> Items:
        """Ventricular septum with two bright faces, atrial septum with the gap of the foramen ovale."""
        draw = self.draw
        items: Items = []
        thick = 1.7 * self.septum * self.breadth
        bow = draw.uniform("thorax.septum_bow", -0.06, 0.06)
        line = self.at(curves.open_spline([[self.cross - 0.04, 0], [0.25, bow], [0.80, 0.05]], 8))
        level = self.muscle + draw.uniform("thorax.septum_lift", -2, 6)
        items.append(
            Shape("septum", curves.strip(line, thick), Tissue(level, 0.01, 1.5), (0.2 + 2 * self.soft) * thick)
        )
        across = curves.normals(line, closed=False) * thick * 0.45
        for name, sign in (("left", -1.0), ("right", 1.0)):
            level_here = self.line - draw.uniform(f"thorax.septum_{name}_line", 0, 12)
            gain = self.trunk.patchy(f"thorax.septum_{name}", 8, self.patchy, 2)
            items.append(Reflector(line + sign * across, level_here, False, 4, 0.1, 4.0, gain, 0.6 * self.thick))
        first, last = -0.88, self.cross
        gap = first + (last - first) * draw.uniform("thorax.foramen_at", 0.35, 0.65)
        half = draw.uniform("thorax.foramen", 0.03, 0.14)
        for name, ends in (("back", (first, gap - half)), ("front", (gap + half, last))):
            if ends[1] - ends[0] < 0.05:
                continue
            bow = draw.uniform(f"thorax.{name}_bow", -0.04, 0.04)
            part = self.at(curves.open_spline([[ends[0], 0], [np.mean(ends), bow], [ends[1], 0]], 5))
            width = self.breadth * draw.uniform(f"thorax.{name}_width", 0.03, 0.08)
            items.append(Shape("septum", curves.strip(part, width), Tissue(level, 0, 1), 0.25 * width))
            items.append(Reflector(part, self.line, exponent=4, floor=0.12, roughness=3.5, thickness=self.thick))
        if draw.chance("thorax.flap", 0.5):  # the foramen's flap swings into the left atrium
            flap = self.at(curves.open_spline([[gap - half, 0], [gap, -0.14], [gap + 0.8 * half, -0.10]], 5))
            items.append(Reflector(flap, self.line - 3, exponent=3, floor=0.15, thickness=0.5 * self.thick))
        return items

    def _valves(self) -> Items:
        """Leaflets: a closed line across, or open ones that hang into the ventricles."""
        draw = self.draw
        items: Items = []
        opened = draw.uniform("thorax.valves_open", 0.0, 0.32)
        width = self.breadth * draw.uniform("thorax.leaflet", 0.025, 0.06)
        level = self.muscle + draw.uniform("thorax.leaflet_lift", -3, 7)
        for name, sign in (("mitral", -1.0), ("tricuspid", 1.0)):
            if draw.chance(f"thorax.{name}_missing", 0.15):
                continue
            at = self.cross + (self.offset if sign > 0 else 0.0)
            wide = draw.uniform(f"thorax.{name}_width", 0.62, 0.80)
            for edge, tip in ((0.03, 0.36), (wide, 0.48)):
                leaf = [
                    [at, sign * edge],
                    [at + 0.6 * opened, sign * (edge + 0.75 * (tip - edge))],
                    [at + 1.2 * opened, sign * tip],
                ]
                path = self.at(curves.open_spline(leaf, 5))
                items.append(Shape("heart", curves.strip(path, width), Tissue(level, 0, 1), 0.3 * width))
                items.append(Reflector(path, self.line, exponent=3, floor=0.15, roughness=3.5, thickness=self.thick))
        return items

    def _outflow(self, knots) -> Items:
        """A great artery that leaves a ventricle and crosses the septum's line."""
        draw = self.draw
        path = curves.open_spline(np.array(knots) + draw.normals("thorax.outflow_wander", 10, 0.03).reshape(-1, 2), 7)
        width = self.breadth * draw.uniform("thorax.outflow_width", 0.14, 0.40)
        widths = (1.1 * width, width, 0.9 * width)
        return _tube("heart chambers", self.at(path), widths, self.blood, self.line + 2, 0.12 + 2 * self.soft)

    def _strands(self) -> Items:
        """Moderator band, papillary muscles and the bright spots of chordae."""
        draw = self.draw
        items: Items = []
        if draw.chance("thorax.moderator_band", 0.55):
            u = draw.uniform("thorax.band_at", 0.28, 0.50)
            path = self.at([[u + 0.15, self.septum], [u, 0.4], [u - 0.05, 0.75]])
            band = curves.strip(path, self.breadth * draw.uniform("thorax.band_width", 0.05, 0.13))
            items.append(Shape("heart", band, Tissue(self.muscle + 2, 0, 1.5), 0.02 * self.breadth))
        for k in range(draw.integer("thorax.spots", 0, 4)):
            u, v = draw.uniform(f"thorax.spot_{k}_u", -0.1, 0.55), draw.uniform(f"thorax.spot_{k}_v", -0.6, 0.6)
            size = self.breadth * draw.uniform(f"thorax.spot_{k}_size", 0.03, 0.09)
            dot = curves.ellipse(
                self.at([[u, v]])[0], (size, 0.6 * size), draw.uniform(f"thorax.spot_{k}_turn", 0, 3), 18
            )
            items.append(
                Shape(
                    "heart", dot, Tissue(self.muscle + draw.uniform(f"thorax.spot_{k}_lift", -4, 12), 0, 1), 0.4 * size
                )
            )
        return items

    def _smears(self) -> Items:
        """Where the slice meets walls at a slant, rooms fill with gray: soft patches across the heart."""
        draw = self.draw
        count = draw.integer("thorax.smears", 0, 1 + round(4 * (1 - self.clear)))
        places = draw.uniforms("thorax.smear_places", 2 * count, -0.8, 0.8).reshape(-1, 2)
        sizes = draw.uniforms("thorax.smear_sizes", 2 * count, 0.08, 0.32).reshape(-1, 2)
        lifts = draw.uniforms("thorax.smear_lifts", count, -6, 5)
        items: Items = []
        for place, size, lift in zip(places, sizes, lifts, strict=True):
            outline = self.at(curves.ellipse(place, size, count=24))
            items.append(Shape("heart", outline, Tissue(self.muscle + lift, 0, 2.0), 0.3 * size.min() * self.breadth))
        return items

    def _grazed(self) -> Items:
        """A section beside the chambers' plane: round rooms and slits of any shape, with or without bright dashes."""
        draw = self.draw
        items: Items = []
        for k in range(draw.integer("thorax.rooms", 1, 4)):
            u, v = draw.uniform(f"thorax.room_{k}_u", -0.6, 0.5), draw.uniform(f"thorax.room_{k}_v", -0.6, 0.6)
            size = draw.log_uniform(f"thorax.room_{k}_size", 0.12, 0.42)
            flat = draw.uniform(f"thorax.room_{k}_flat", 0.35, 1.0)
            knots = curves.ellipse((u, v), (size, flat * size), draw.uniform(f"thorax.room_{k}_turn", 0, 3.1), 8)
            items += self._chamber(f"room_{k}", knots, 0.08)
        for k in range(draw.integer("thorax.slits", 0, 3)):
            name = f"thorax.slit_{k}"
            knots = np.array([[-1, 0], [0, draw.uniform(f"{name}_bow", -0.5, 0.5)], [1, 0]])
            line = curves.open_spline(knots * draw.uniform(f"{name}_length", 0.2, 0.6), 6)
            line = curves.rotate(line, draw.uniform(f"{name}_turn", 0, 3.1)) + draw.uniforms(f"{name}_at", 2, -0.5, 0.5)
            width = self.breadth * draw.uniform(f"{name}_width", 0.08, 0.22)
            items += _tube(
                "heart chambers", self.at(line), (0.4 * width, width, 0.5 * width), self.blood, self.line - 4
            )
        for k in range(draw.integer("thorax.dashes", 0, 5)):
            name = f"thorax.dash_{k}"
            line = curves.rotate(np.array([[-1.0, 0], [0, 0.2], [1, 0]]), draw.uniform(f"{name}_turn", 0, 3.1))
            line = line * draw.uniform(f"{name}_length", 0.05, 0.25) + draw.uniforms(f"{name}_at", 2, -0.6, 0.6)
            thick = self.breadth * draw.uniform(f"{name}_width", 0.03, 0.10)
            level = draw.uniform(f"{name}_level", -8, 10) - 4 * (1 - self.clear)
            items.append(Reflector(self.at(line), level, False, 3, 0.3, 4.0, None, thick))
        return items


def _three_vessels(trunk: _Trunk, base: float, arches: bool) -> Items:
    """Pulmonary trunk, aorta and superior cava in a row from front left to back right, behind the thymus."""
    draw, unit = trunk.draw, trunk.width
    clear = draw.uniform("thorax.vessels_clear", 0.0, 1.0) ** 0.6
    shift = draw.uniforms("thorax.row_shift", 2, -0.16, 0.16)
    mediastinum = base + draw.uniform("thorax.mediastinum", -11, 2)
    breadth, depth = (
        draw.uniform("thorax.mediastinum_width", 0.24, 0.56),
        draw.uniform("thorax.mediastinum_depth", 0.3, 0.6),
    )
    around = trunk.blob("thorax.mediastinum", shift - (0.02, 0.12), (breadth, depth), 0.10)
    thymus = trunk.blob("thorax.thymus", (0.0, -0.58), (0.36, draw.uniform("thorax.thymus_depth", 0.14, 0.28)), 0.07)
    soft = unit * draw.uniform("thorax.mediastinum_softness", 0.01, 0.07)
    items: Items = [
        Shape("heart", around, Tissue(mediastinum, 0, 2.2), soft),
        Shape("thymus", thymus, Tissue(base + draw.uniform("thorax.thymus_lift", -10, 1), 0, 1.5), 0.02 * unit),
    ]
    blood = mediastinum - 4 - draw.uniform("thorax.vessels_dark", 6, 32) * clear
    wall = draw.uniform("thorax.vessel_wall", -10, 10) - 8 * (1 - clear)
    edge = 0.10 + draw.uniform("thorax.vessel_softness", 0.0, 0.3) * (1 - clear)
    turn = draw.normal("thorax.row_turn", 0, 0.4, -1, 1)
    scale = draw.uniform("thorax.vessel_scale", 0.55, 1.3)
    sizes = draw.uniforms("thorax.vessel_sizes", 3, 0.8, 1.3) * (0.125, 0.10, 0.075) * scale * unit
    moved = draw.normals("thorax.vessel_places", 8, 0.03).reshape(4, 2)

    def spots(*points):
        return trunk.at(curves.rotate(np.array(points), turn) + shift)

    def cut(name: str, place, size: float) -> Items:
        radii = size / 2 * np.array([draw.uniform(f"{name}_long", 1.0, 1.7), draw.uniform(f"{name}_flat", 0.6, 1.0)])
        ring = curves.ellipse(spots(place)[0], radii, draw.uniform(f"{name}_turn", 0, 3.1), 32)
        gain = trunk.patchy(name, 8, 0.7, 2)
        return [
            Shape("heart chambers", ring, Tissue(blood + draw.uniform(f"{name}_haze", 0, 5), -0.05, 1), edge * size),
            Reflector(ring, wall, True, 4, 0.12, 3.0, gain),
        ]

    back = moved[3] + (-0.20, 0.52)
    if arches:
        arch = [moved[0] + (0.16, -0.26), moved[1] + (0.08, -0.02), (-0.06, 0.28), back]
        duct = [moved[2] + (-0.20, -0.34), (-0.24, -0.02), (-0.24, 0.28), back]
        for path, size in ((arch, sizes[1]), (duct, sizes[0])):
            line = curves.open_spline(spots(*path), 7)
            items += _tube("heart chambers", line, (size, 0.6 * size), blood, wall, edge)
    else:
        reach = draw.uniform("thorax.trunk_reach", 0.10, 0.62)
        front = moved[0] + (-0.24, -0.36)
        pulmonary = [front, front - (0.02, -0.5 * reach), front - (-0.02, -reach)]
        line = curves.open_spline(spots(*pulmonary), 7)
        items += _tube("heart chambers", line, (sizes[0], 0.8 * sizes[0]), blood, wall, edge)
        items += cut("thorax.ascending", moved[1] + (0.02, -0.16), sizes[1])
    if draw.chance("thorax.shows_cava", 0.75):
        items += cut("thorax.cava", moved[2] + (0.24, -0.02), sizes[2])
    if draw.chance("thorax.trachea", 0.4):
        airway = curves.ellipse(spots((0.05, 0.34))[0], (0.02 * unit, 0.02 * unit), count=20)
        items.append(Reflector(airway, wall + 2, True, 3, 0.3))
    return items
