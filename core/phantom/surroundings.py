"""Everything around the fetus, drawn alike for every plane so that it gives no class away.

All sizes are shares of the picture's height, because a scanner's zoom decides how large the surroundings look; the
number drawn is the same for a magnified neck and for a whole fetus.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from core.phantom import curves
from core.phantom.acoustics import FieldOfView
from core.phantom.anatomy import Anatomy, Reflector, Shape, Tissue
from core.phantom.canvas import Canvas, layer_noise, patch_noise
from core.phantom.settings import Draw, declare_ranges

declare_ranges(
    {
        "scene.wall_thickness": {"train": (0.03, 0.14), "unseen": (0.145, 0.20)},
        "scene.layer_thickness": {"train": (0.010, 0.030), "unseen": (0.031, 0.042)},
    }
)


@dataclass(frozen=True)
class Surroundings:
    """What lies behind and in front of a fetus.

    Attributes
    ----------
    ground: tissue that fills the picture first.
    behind: items painted before the fetus: wall, placenta, fluid, amnion, neighbours.
    before: items painted after it: cord and limbs that cross it.
    cavity: outline of the amniotic cavity (N, 2), mm.
    """

    ground: Tissue
    behind: list[Shape | Reflector]
    before: list[Shape | Reflector]
    cavity: np.ndarray


def surround(draw: Draw, fetus: Anatomy, field: FieldOfView) -> Surroundings:
    """Draw the surroundings of a fetus that already lies in its place in the field of view."""
    unit = field.height
    ground = Tissue(
        draw.uniform("scene.maternal_echo", -11, 1),
        0.01,
        draw.uniform("scene.maternal_patches", 1.5, 5.0),
        draw.uniform("scene.maternal_layers", 1.0, 5.5),
    )
    cavity = _cavity(draw, fetus, unit)
    behind = _near_layers(draw, field) + _far_lines(draw, field)
    behind += _wall(draw, cavity, unit) + _placenta(draw, cavity, unit) + _fluid(draw, cavity, unit)
    behind += _amnion(draw, cavity, fetus, unit)
    behind += _neighbours(draw, cavity, fetus, unit)
    return Surroundings(ground, behind, _crossing_cord(draw, cavity, fetus, unit), cavity)


def _reach(outline: np.ndarray, centre: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """Distance from a centre to the farthest point of an outline in every direction, smoothed to its hull."""
    offsets = outline - centre
    direction = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    support = (direction @ offsets.T).max(axis=1)
    # The radius of the hull follows from its support function: r(a) = min over b of h(b) / cos(a - b).
    turn = np.cos(angles[:, None] - angles[None, :])
    return np.where(turn > 0.05, support[None, :] / np.maximum(turn, 0.05), np.inf).min(axis=1)


def _cavity(draw: Draw, fetus: Anatomy, unit: float) -> np.ndarray:
    """Closed outline of the amniotic cavity: roomy, or wrapped tightly about the fetus."""
    centre = (fetus.outline.min(axis=0) + fetus.outline.max(axis=0)) / 2
    angles = np.linspace(-np.pi, np.pi, 96, endpoint=False)
    hull = _reach(fetus.outline, centre, angles)
    roomy = draw.chance("scene.roomy", 0.64)
    gap = draw.uniform("scene.gap", 0.03, 0.22) if roomy else draw.uniform("scene.gap", -0.015, 0.035)
    lying = draw.normal("scene.lying_on", 90, 50, -90, 270)  # degrees, the wall that the fetus touches; 90 is below
    close = draw.uniform("scene.lying_gap", -0.04, 0.05)
    nearness = np.exp(2.2 * (np.cos(angles - np.deg2rad(lying)) - 1))
    radius = hull + unit * (gap * (1 - nearness) + close * nearness)
    if roomy:
        wide = draw.uniform("scene.cavity_width", 0.25, 0.95) * unit
        high = draw.uniform("scene.cavity_height", 0.12, 0.55) * unit
        turned = angles - np.deg2rad(draw.uniform("scene.cavity_turn", -40, 40))
        shift = -0.5 * min(high, unit * gap) * nearness
        pool = wide * high / np.hypot(high * np.cos(turned), wide * np.sin(turned)) + shift
        # A fetus sinks to the wall it lies on: there the pool must not open a second gap.
        radius = np.maximum(radius, np.where(nearness > 0.5, radius, pool))
    kernel = np.hanning(13)
    radius = np.convolve(np.concatenate([radius[-6:], radius, radius[:6]]), kernel / kernel.sum(), mode="valid")
    points = centre + radius[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return curves.lumpy(points, draw.normals("scene.cavity_lumps", 8), 0.03)


def _near_layers(draw: Draw, field: FieldOfView) -> list[Shape | Reflector]:
    """Maternal skin, fat and muscle: bright lines that run along the probe."""
    count = draw.integer("scene.near_lines", 0, 9)
    deep = draw.uniform("scene.near_depth", 0.05, 0.35) * field.height
    depths = draw.uniforms("scene.near_line_depths", count, 0.0, 1.0)
    levels = draw.uniforms("scene.near_line_levels", count, -4, 13)
    spans = draw.uniforms("scene.near_line_spans", 2 * count, 0, 1).reshape(-1, 2)
    return [
        _arc(draw, f"near_{k}", field, field.near + depth * deep, level, span)
        for k, (depth, level, span) in enumerate(zip(depths, levels, spans, strict=True))
    ]


def _far_lines(draw: Draw, field: FieldOfView) -> list[Shape | Reflector]:
    """Short bright arcs anywhere in the maternal tissue: fasciae, vessels' walls, bowel."""
    count = draw.integer("scene.far_lines", 2, 16)
    depths = draw.uniforms("scene.far_line_depths", count, 0.1, 1.0)
    levels = draw.uniforms("scene.far_line_levels", count, -8, 9)
    spans = draw.uniforms("scene.far_line_spans", 2 * count, 0, 1).reshape(-1, 2)
    return [
        _arc(
            draw, f"far_{k}", field, field.near + depth * (field.far - field.near), level, 0.6 * span + 0.2 * span[::-1]
        )
        for k, (depth, level, span) in enumerate(zip(depths, levels, spans, strict=True))
    ]


def _arc(draw: Draw, name: str, field: FieldOfView, depth: float, level: float, span) -> Reflector:
    """A line at a nearly constant depth between two beams (shares of the opening)."""
    first, last = sorted(field.first_angle + np.asarray(span) * (field.last_angle - field.first_angle))
    angles = np.linspace(first, last, 24)
    wave = draw.normals(f"scene.{name}_wave", 3, 0.014 * field.height)
    share = np.linspace(0, 1, 24)
    bent = depth + wave[0] * np.sin(np.pi * share) + wave[1] * np.sin(2 * np.pi * share) + 2 * wave[2] * (share - 0.5)
    x, y = field.from_beam(angles, bent)
    fade = np.sin(np.pi * share) ** 0.5
    return Reflector(np.stack([x, y], axis=1), level, exponent=4, floor=0.1, roughness=4, gain=fade)


def _grown(outline: np.ndarray, distance) -> np.ndarray:
    centre = outline.mean(axis=0)
    offsets = outline - centre
    length = np.maximum(np.hypot(*offsets.T), 1e-9)
    return centre + offsets * (1 + np.reshape(distance, (-1)) / length)[:, None]


def _wall(draw: Draw, cavity: np.ndarray, unit: float) -> list[Shape | Reflector]:
    thickness = unit * draw.setting("scene.wall_thickness")
    phase = np.linspace(0, 2 * np.pi, len(cavity), endpoint=False)
    uneven = draw.uniforms("scene.wall_uneven", 2, 0, 2 * np.pi)
    width = thickness * (1 + 0.4 * np.sin(phase + uneven[0]) + 0.25 * np.sin(2 * phase + uneven[1]))
    tissue = Tissue(
        draw.uniform("scene.wall_echo", -10, 3),
        0.01,
        draw.uniform("scene.wall_patches", 0.8, 4.0),
        draw.uniform("scene.wall_layers", 0.5, 3.5),
    )
    outer = _grown(cavity, width)
    return [
        Shape("uterine wall", outer, tissue, 0.35 * thickness),
        Reflector(outer, draw.uniform("scene.serosa", -12, 5), closed=True, exponent=6, floor=0.03, roughness=4),
    ]


def _placenta(draw: Draw, cavity: np.ndarray, unit: float) -> list[Shape | Reflector]:
    if not draw.chance("scene.has_placenta", 0.62):
        return []
    centre = cavity.mean(axis=0)
    angles = np.arctan2(*(cavity - centre).T[::-1])
    middle = np.deg2rad(draw.uniform("scene.placenta_side", -180, 180))
    half = np.deg2rad(draw.uniform("scene.placenta_span", 45, 110))
    away = np.abs((angles - middle + np.pi) % (2 * np.pi) - np.pi) / half
    profile = np.clip(1 - away**4, 0, 1)
    thick = draw.uniform("scene.placenta_thickness", 0.10, 0.42) * unit
    dip = draw.uniform("scene.placenta_bulge", 0.0, 0.12) * unit
    on = away < 1
    order = np.argsort((angles[on] - middle + np.pi) % (2 * np.pi))
    inner = _grown(cavity, -dip * profile)[on][order]
    outer = _grown(cavity, thick * profile)[on][order]
    outline = np.concatenate([inner, outer[::-1]])
    echo = draw.uniform("scene.placenta_echo", -3, 6)
    items: list[Shape | Reflector] = [
        Shape(
            "placenta", outline, Tissue(echo, 0.0, draw.uniform("scene.placenta_patches", 0.6, 2.0), 0.4), 0.02 * unit
        )
    ]
    lakes = draw.integer("scene.lakes", 0, 3)
    for k, place in enumerate(draw.integer(f"scene.lake_{k}_place", 0, len(inner) - 1) for k in range(lakes)):
        spot = (inner[place] + outer[place]) / 2
        size = draw.uniform(f"scene.lake_{k}_size", 0.008, 0.03) * unit
        items.append(Shape("placenta", curves.ellipse(spot, (1.6 * size, size)), Tissue(-18, -0.05, 1), 0.4 * size))
    return items


def _fluid(draw: Draw, cavity: np.ndarray, unit: float) -> list[Shape | Reflector]:
    haze = draw.uniform("scene.fluid_echo", -48, -22)
    enhancement = -draw.uniform("scene.enhancement", 0.02, 0.16)
    level = draw.uniform("scene.wall_line", -6, 13)
    gain = np.exp(
        np.interp(np.linspace(0, 1, 60), np.linspace(0, 1, 12), draw.normals("scene.wall_line_waves", 12, 0.5))
    )
    return [
        Shape("amniotic fluid", cavity, Tissue(haze, enhancement, 1.5), 0.006 * unit),
        Reflector(cavity, level, closed=True, exponent=7, floor=0.05, roughness=3, gain=gain),
    ]


def _amnion(draw: Draw, cavity: np.ndarray, fetus: Anatomy, unit: float) -> list[Shape | Reflector]:
    """The thin membrane that has not yet joined the wall."""
    if not draw.chance("scene.has_amnion", 0.42):
        return []
    start = draw.uniform("scene.amnion_start", 0, 1)
    span = draw.uniform("scene.amnion_span", 0.15, 0.55)
    depth = draw.uniform("scene.amnion_depth", 0.03, 0.14) * unit
    at = (np.linspace(start, start + span, 40) * len(cavity)).astype(int) % len(cavity)
    lift = depth * np.sin(np.linspace(0, np.pi, 40)) ** 0.7
    line = _grown(cavity, 0.0)[at]
    centre = cavity.mean(axis=0)
    offsets = line - centre
    line = centre + offsets * (1 - lift / np.maximum(np.hypot(*offsets.T), 1e-9))[:, None]
    clear = ~curves.inside(line, fetus.outline)
    if clear.sum() < 8:
        return []
    level = draw.uniform("scene.amnion_level", -14, 6)
    path = curves.open_spline(line[::4], 6)
    return [
        Shape("amnion", curves.strip(path, 0.004 * unit), Tissue(-14, 0.0, 1), 0.0015 * unit),
        Reflector(path, level, exponent=7, floor=0.03, roughness=3),
    ]


def _neighbours(draw: Draw, cavity: np.ndarray, fetus: Anatomy, unit: float) -> list[Shape | Reflector]:
    """Cut limbs, loops of cord and other body parts that float or lie beside the fetus."""
    items: list[Shape | Reflector] = []
    count = draw.integer("scene.neighbours", 0, 4)
    centre = (fetus.outline.min(axis=0) + fetus.outline.max(axis=0)) / 2
    for k in range(count):
        kind = draw.choice(f"scene.neighbour_{k}", ["limb", "bone", "cord", "body"], [0.35, 0.2, 0.25, 0.2])
        at = draw.integer(f"scene.neighbour_{k}_at", 0, len(cavity) - 1)
        share = draw.uniform(f"scene.neighbour_{k}_share", 0.55, 1.02)
        spot = centre + (cavity[at] - centre) * share
        items += _NEIGHBOURS[kind](draw, f"scene.neighbour_{k}", spot, unit)
    return items


def _limb_section(draw: Draw, name: str, spot: np.ndarray, unit: float) -> list[Shape | Reflector]:
    """A limb cut across: skin, soft tissue, one or two bright bones with a shadow."""
    size = draw.log_uniform(f"{name}_size", 0.025, 0.075) * unit
    outline = curves.ellipse(
        spot, (size, size * draw.uniform(f"{name}_flat", 0.6, 1.0)), draw.uniform(f"{name}_turn", 0, np.pi), 40
    )
    outline = curves.lumpy(outline, draw.normals(f"{name}_lumps", 8), 0.08)
    tissue = Tissue(draw.uniform(f"{name}_echo", -9, 2), 0.02, 2.0)
    bone = spot + draw.uniforms(f"{name}_bone_at", 2, -0.25, 0.25) * size
    core = curves.ellipse(bone, (0.24 * size, 0.18 * size), count=20)
    return [
        Shape("limbs", outline, tissue, 0.08 * size),
        Reflector(outline, draw.uniform(f"{name}_skin", -8, 8), closed=True, exponent=4, floor=0.1),
        Shape("limbs", core, Tissue(draw.uniform(f"{name}_bone", 2, 14), 1.5, 1), 0.06 * size),
    ]


def _limb_along(draw: Draw, name: str, spot: np.ndarray, unit: float) -> list[Shape | Reflector]:
    """A limb cut lengthwise, with its shaft."""
    length = draw.log_uniform(f"{name}_length", 0.08, 0.28) * unit
    width = length * draw.uniform(f"{name}_width", 0.22, 0.42)
    turn = draw.uniform(f"{name}_turn", -np.pi, np.pi)
    path = curves.rotate(curves.open_spline([[-0.5, 0], [0, 0.06], [0.5, 0]], 6) * length, turn) + spot
    outline = curves.limb(path, (0.8 * width, width, 0.7 * width))
    shaft = path[2:-2]
    return [
        Shape("limbs", outline, Tissue(draw.uniform(f"{name}_echo", -9, 1), 0.02, 2.0), 0.06 * width),
        Reflector(outline, draw.uniform(f"{name}_skin", -8, 6), closed=True, exponent=4, floor=0.1),
        Shape(
            "limbs", curves.strip(shaft, 0.2 * width), Tissue(draw.uniform(f"{name}_bone", -2, 9), 1.5, 1), 0.05 * width
        ),
        Reflector(shaft, draw.uniform(f"{name}_face", 4, 18), exponent=3, floor=0.1),
    ]


def _cord_loop(draw: Draw, name: str, spot: np.ndarray, unit: float) -> list[Shape | Reflector]:
    """A piece of cord: a wavy tube with dark vessels."""
    width = draw.log_uniform(f"{name}_width", 0.016, 0.045) * unit
    knots = np.cumsum(draw.uniforms(f"{name}_knots", 8, -0.06, 0.06).reshape(-1, 2), axis=0) * unit
    path = curves.open_spline(knots - knots.mean(axis=0) + spot, 8)
    echo = draw.uniform(f"{name}_echo", -12, 0)
    wall = draw.uniform(f"{name}_wall", -8, 5)
    items: list[Shape | Reflector] = [
        Shape("cord", curves.limb(path, (width, width)), Tissue(echo, 0.01, 1.5), 0.15 * width),
        Shape("cord", curves.limb(path, (0.45 * width, 0.4 * width)), Tissue(echo - 20, 0, 1), 0.08 * width),
    ]
    for aside in (-0.45, 0.45):
        items.append(Reflector(path + curves.normals(path, closed=False) * aside * width, wall, floor=0.15))
    return items


def _body_part(draw: Draw, name: str, spot: np.ndarray, unit: float) -> list[Shape | Reflector]:
    """Something rounded and fleshy that the section only grazes: trunk, twin, fibroid."""
    size = draw.log_uniform(f"{name}_size", 0.08, 0.24) * unit
    outline = curves.ellipse(
        spot, (size, size * draw.uniform(f"{name}_flat", 0.6, 1.0)), draw.uniform(f"{name}_turn", 0, np.pi), 56
    )
    outline = curves.lumpy(outline, draw.normals(f"{name}_lumps", 8), 0.09)
    echo = draw.uniform(f"{name}_echo", -8, 2)
    items: list[Shape | Reflector] = [
        Shape("body part", outline, Tissue(echo, 0.02, draw.uniform(f"{name}_patches", 1.5, 4.0), 0.8), 0.05 * size),
        Reflector(outline, draw.uniform(f"{name}_skin", -6, 9), closed=True, exponent=3, floor=0.12, roughness=3),
    ]
    spots = draw.integer(f"{name}_spots", 0, 5)
    places = draw.uniforms(f"{name}_spot_places", 2 * spots, -0.6, 0.6).reshape(-1, 2)
    levels = draw.uniforms(f"{name}_spot_levels", spots, -22, 10)
    sizes = draw.uniforms(f"{name}_spot_sizes", spots, 0.05, 0.18)
    for place, level, share in zip(places, levels, sizes, strict=True):
        dot = curves.ellipse(spot + place * size, (share * size, 0.7 * share * size), count=24)
        loss = 0.8 if level > 4 else 0.0
        items.append(Shape("body part", dot, Tissue(echo + level, loss, 1), 0.25 * share * size))
    return items


_NEIGHBOURS = {"limb": _limb_section, "bone": _limb_along, "cord": _cord_loop, "body": _body_part}


def _crossing_cord(draw: Draw, cavity: np.ndarray, fetus: Anatomy, unit: float) -> list[Shape | Reflector]:
    """Now and then a loop of cord or a hand lies in front of the fetus."""
    if not draw.chance("scene.crossing", 0.10):
        return []
    edge = fetus.outline[draw.integer("scene.crossing_at", 0, len(fetus.outline) - 1)]
    kind = draw.choice("scene.crossing_kind", ["limb", "cord"])
    return _NEIGHBOURS[kind](draw, "scene.crossing_item", edge, unit)


def roughness_maps(draw: Draw, canvas: Canvas, cavity: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Noise maps (H, W) of deviation 1: patches, layers along the cavity's wall and the probe, and slow drift."""
    generator = draw.generator
    drift = patch_noise(generator, canvas.shape, (0.25, 0.10))
    patches = 0.7 * patch_noise(generator, canvas.shape, (0.09, 0.04, 0.018)) + 0.6 * drift
    field = canvas.field
    x, y = field.pixel_positions(canvas.shape)
    angle, depth = field.to_beam(x, y)
    mask = np.full(canvas.shape, 255, np.uint8)
    cv2.fillPoly(mask, [np.rint(np.clip(canvas.to_pixels(cavity), -9000, 9000)).astype(np.int32)], 0)
    distance = cv2.distanceTransform(mask, cv2.DIST_L2, 3) * canvas.pixel
    thickness = draw.setting("scene.layer_thickness") * field.height
    follow = draw.uniform("scene.layers_follow_wall", 0.0, 0.7)
    sway = drift * draw.uniform("scene.layer_sway", 0.1, 0.8)
    toward = follow * np.exp(-distance / (0.15 * field.height))
    across = (toward * distance + (1 - toward) * depth) / thickness + sway + 40
    streak = draw.uniform("scene.streak_length", 0.12, 0.5)
    along = angle / (field.last_angle - field.first_angle) / streak + 12 + 0.15 * sway
    return patches, layer_noise(generator, across, along), drift
