"""The fetal thigh cut lengthwise, second trimester to third: the femur's shaft with both ends and its shadow.

Thigh coordinates: millimetres, origin in the middle of the shaft, x from the hip (negative) to the knee (positive).
Sources: anatomy report 004 (the femur class); ISUOG practice guidelines on fetal biometry (both ends of the ossified
shaft in view, as nearly at a right angle to the beam as can be, the cartilage at the ends not measured).
"""

from __future__ import annotations

import numpy as np

from core.phantom import curves
from core.phantom.anatomy import Anatomy, Reflector, Shape, Tissue
from core.phantom.settings import Draw, declare_ranges

declare_ranges(
    {
        "femur.thickness": {"train": (0.044, 0.112), "unseen": (0.114, 0.138)},
        "femur.bow": {"train": (0.000, 0.045), "unseen": (0.047, 0.065)},
        "femur.flesh_below": {"train": (0.16, 0.50), "unseen": (0.51, 0.62)},
    }
)

EPIPHYSIS_FROM_MM = 50.0
"""Shaft length from which the knee's centre of ossification may show, about the 28th week."""


class _Thigh:
    """Measures that every part of one thigh shares."""

    def __init__(self, draw: Draw, length: float, down: np.ndarray) -> None:
        self.draw = draw
        self.length = length
        self.upward = -1.0 if down[1] >= 0 else 1.0  # sign of y on the side that the beam meets first
        self.down = np.asarray(down, float)
        self.crossing = max(abs(float(down[1])), 0.08)  # how squarely the beam crosses the shaft, 1 at a right angle
        self.thickness = float(np.clip(length * draw.setting("femur.thickness"), 1.2, 6.5))
        self.axis = self._axis()
        above = length * draw.uniform("femur.flesh_above", 0.07, 0.32)
        below = length * draw.setting("femur.flesh_below")
        # Whoever scans turns the probe until little flesh lies over the bone, but not always.
        self.near, self.far = (above, below) if draw.chance("femur.close_to_skin", 0.75) else (below, above)
        self.muscle = draw.uniform("femur.muscle_echo", -13, 1)
        self.merged = draw.chance("femur.merged", 0.35)  # the skin cannot be told from what lies around
        self.outline = self._outline()

    def _axis(self) -> np.ndarray:
        """Middle line of the shaft (25, 2): bowed, and bent at the hip where the section meets the trochanter."""
        draw = self.draw
        x = np.linspace(-0.5, 0.5, 25)
        y = draw.setting("femur.bow") * (1 - 4 * x**2)
        if draw.chance("femur.has_hook", 0.45):
            start = draw.uniform("femur.hook_start", 0.32, 0.43)
            y = y + draw.uniform("femur.hook_slope", -0.8, 0.8) * np.clip(-x - start, 0, None)
        return np.stack([x, y], axis=1) * self.length

    def _outline(self) -> np.ndarray:
        """Skin of the thigh (N, 2): tapered from the hip to the knee, round at both ends."""
        draw = self.draw
        hip, knee = draw.uniform("femur.hip_width", 1.0, 1.9), draw.uniform("femur.knee_width", 0.65, 1.05)
        start = -0.5 - draw.uniform("femur.beyond_hip", 0.08, 0.40)
        end = 0.5 + draw.uniform("femur.beyond_knee", 0.07, 0.20)
        x = np.array([start + 0.04, -0.40, 0.0, 0.40, end - 0.05]) * self.length
        widths = np.array([0.65 * hip, hip, 1.0, knee, 0.75 * knee])
        near = np.stack([x, self.upward * self.near * widths], axis=1)
        far = np.stack([x, -self.upward * self.far * widths], axis=1)
        tips = np.array([[end, 0.0], [start, 0.0]]) * self.length
        outline = curves.closed_spline(np.concatenate([near, tips[:1], far[::-1], tips[1:]]), 10)
        return curves.lumpy(outline, draw.normals("femur.skin_lumps", 10), 0.015)

    def level_line(self, first: float, last: float, height: float, count: int = 12) -> np.ndarray:
        """A line along the thigh: `first`, `last` in shares of the shaft from its middle; `height` in shares of the
        flesh between shaft and skin, positive towards the probe."""
        x = np.linspace(first, last, count) * self.length
        shaft = np.interp(x, self.axis[:, 0], self.axis[:, 1])
        flesh = self.near if height > 0 else self.far
        taper = np.interp(x / self.length, [-0.5, 0.0, 0.5], [1.25, 1.0, 0.85])
        return np.stack([x, shaft * (1 - abs(height)) + self.upward * height * flesh * taper], axis=1)


def femur(draw: Draw, length: float, down: np.ndarray) -> Anatomy:
    """A thigh whose ossified shaft has a given length.

    Parameters
    ----------
    draw: source of the numbers.
    length: length of the shaft, mm.
    down: unit vector (2,) in thigh coordinates along which the beam travels; the side of the bone nearer to the probe
        is the bright one.
    """
    thigh = _Thigh(draw, length, down)
    trunk, trunk_outline = _trunk(thigh)
    leg, leg_outline = _lower_leg(thigh)
    second = _second_thigh(thigh)
    around = [*second, *trunk, *leg, *_oddments(thigh), *_slabs(thigh)]
    items = [*around, *_flesh(thigh), *_ends(thigh), *_shaft(thigh)]
    outline = np.concatenate([thigh.outline, leg_outline, trunk_outline])
    ends = thigh.axis * (1.08, 1.0)  # both ends are measured, so some flesh beyond them should be in view
    return Anatomy(items, outline, ends, thigh.axis[[0, 1, -2, -1]])


def _flesh(thigh: _Thigh) -> list[Shape | Reflector]:
    """Skin, fat, muscle, and the streaks of fibres and fasciae along the bone."""
    draw, length = thigh.draw, thigh.length
    fat = length * draw.uniform("femur.fat", 0.010, 0.055)
    fat_echo = thigh.muscle + draw.uniform("femur.fat_lift", -4, 9)
    skin = draw.uniform("femur.skin_strength", -10, 9) - 14 * thigh.merged
    blur = draw.uniform("femur.skin_blur", 0.1, 0.9)
    if thigh.merged:
        fat_echo, blur = thigh.muscle + draw.uniform("femur.fat_beside", -2, 4), 0.06 * length
    gain = np.exp(draw.normals("femur.skin_waves", 24, 0.5))
    patches = draw.uniform("femur.muscle_patches", 1.5, 6.0)
    layers = draw.uniform("femur.muscle_layers", 0.0, 3.0)
    inner = curves.within(thigh.outline, thigh.outline, fat)
    fascia = skin - draw.uniform("femur.fascia_weaker", 2, 14)
    items: list[Shape | Reflector] = [
        *(_mantle(thigh) if thigh.merged else []),
        Shape("thigh", thigh.outline, Tissue(fat_echo, 0.01, 1.5, 1.0), blur),
        Reflector(thigh.outline, skin, closed=True, exponent=4, floor=0.08, roughness=4, gain=gain),
        Shape("thigh", inner, Tissue(thigh.muscle, 0.01, patches, layers), max(0.4 * fat, 0.7 * blur)),
        Reflector(inner, fascia, closed=True, floor=0.08, roughness=5),
    ]
    return items + _spindles(thigh) + _fibres(thigh) + _blotches(thigh)


def _mantle(thigh: _Thigh) -> list[Shape | Reflector]:
    """Soft tissue as bright as the thigh that presses on all of it, so that its outline is lost."""
    draw, length = thigh.draw, thigh.length
    wide = length * draw.uniforms("femur.mantle_width", len(thigh.outline), 0.0, 1.0)
    kernel = np.hanning(21) / np.hanning(21).sum()
    wide = np.convolve(np.concatenate([wide[-10:], wide, wide[:10]]), kernel, mode="valid") * 0.6
    centre = thigh.outline.mean(axis=0)
    offsets = thigh.outline - centre
    outward = centre + offsets * (1 + wide / np.maximum(np.hypot(*offsets.T), 1e-9))[:, None]
    echo = thigh.muscle + draw.uniform("femur.mantle_lift", -3, 5)
    tissue = Tissue(
        echo, 0.01, draw.uniform("femur.mantle_patches", 1.5, 5.5), draw.uniform("femur.mantle_layers", 0, 4)
    )
    return [Shape("body part", outward, tissue, 0.06 * length)]


def _spindles(thigh: _Thigh) -> list[Shape | Reflector]:
    """Single muscles above and beneath the bone: long lenses, darker or lighter than their neighbours."""
    draw = thigh.draw
    items: list[Shape | Reflector] = []
    for side, sign in (("near", 1.0), ("far", -1.0)):
        if not draw.chance(f"femur.{side}_spindle", 0.6):
            continue
        middle = draw.uniform(f"femur.{side}_spindle_at", -0.15, 0.2)
        half = draw.uniform(f"femur.{side}_spindle_half", 0.22, 0.55)
        low, high = sorted(draw.uniforms(f"femur.{side}_spindle_heights", 2, 0.12, 0.92))
        top = thigh.level_line(middle - half, middle + half, sign * high)
        bottom = thigh.level_line(middle - half, middle + half, sign * low)
        bulge = np.sin(np.linspace(0, np.pi, len(top)))[:, None] ** 0.8
        centre = (top + bottom) / 2
        top, bottom = centre + (top - centre) * bulge, centre + (bottom - centre) * bulge
        echo = thigh.muscle + draw.uniform(f"femur.{side}_spindle_lift", -11, 6)
        outline = np.concatenate([top, bottom[::-1]])
        items.append(Shape("thigh", outline, Tissue(echo, 0.01, 1.5, 1.5), 0.012 * thigh.length))
        edge = draw.uniform(f"femur.{side}_spindle_edge", -16, 5)
        items += [Reflector(line, edge, floor=0.1, roughness=5) for line in (top, bottom)]
    return items


def _fibres(thigh: _Thigh) -> list[Shape | Reflector]:
    """Short streaks along the bone."""
    draw = thigh.draw
    count = draw.integer("femur.fibres", 6, 55)
    middles = draw.uniforms("femur.fibre_places", count, -0.62, 0.52)
    halves = draw.uniforms("femur.fibre_halves", count, 0.03, 0.24)
    heights = draw.uniforms("femur.fibre_heights", 2 * count, -0.9, 0.9).reshape(-1, 2)
    slopes = draw.uniforms("femur.fibre_slopes", count, -0.12, 0.12)
    levels = draw.uniforms("femur.fibre_levels", count, -22, draw.uniform("femur.fibre_most", -4, 11))
    items = []
    for middle, half, height, slope, level in zip(middles, halves, heights[:, 0], slopes, levels, strict=True):
        line = thigh.level_line(middle - half, min(middle + half, 0.6), height)
        line[:, 1] += slope * (line[:, 0] - middle * thigh.length)
        fade = np.sin(np.linspace(0.1, np.pi - 0.1, 12))
        items.append(Reflector(line, level, floor=0.15, roughness=5, gain=fade, thickness=0.01 * thigh.length))
    return items


def _blotches(thigh: _Thigh) -> list[Shape | Reflector]:
    """Lighter and darker spots in the flesh: vessels, fat between muscles."""
    draw = thigh.draw
    count = draw.integer("femur.blotches", 0, 18)
    places = draw.uniforms("femur.blotch_places", 2 * count, -1, 1).reshape(-1, 2)
    sizes = draw.uniforms("femur.blotch_sizes", 2 * count, 0.015, 0.09).reshape(-1, 2)
    levels = draw.uniforms("femur.blotch_levels", count, -14, 8)
    items = []
    for (x, height), (wide, high), level in zip(places, sizes, levels, strict=True):
        centre = thigh.level_line(0.55 * x, 0.55 * x + 0.01, 0.8 * height, 2)[0]
        spot = curves.ellipse(centre, (1.6 * wide * thigh.length, 0.5 * high * thigh.length), count=24)
        items.append(Shape("thigh", spot, Tissue(thigh.muscle + level, 0.0, 2), 0.015 * thigh.length))
    return items


def _ends(thigh: _Thigh) -> list[Shape | Reflector]:
    """The cartilage that caps both ends, dark with a faint rim, and late the bright centre in the knee's."""
    draw = thigh.draw
    items: list[Shape | Reflector] = []
    for name, tip, outward in (("hip", thigh.axis[0], -1.0), ("knee", thigh.axis[-1], 1.0)):
        if not draw.chance(f"femur.{name}_cartilage", 0.72):
            continue
        radius = thigh.length * draw.uniform(f"femur.{name}_radius", 0.045, 0.10)
        flat = draw.uniform(f"femur.{name}_flatness", 0.7, 1.3)
        aside = draw.uniform(f"femur.{name}_aside", -0.4, 0.4)
        centre = tip + radius * np.array([0.75 * outward, aside])
        cap = curves.lumpy(
            curves.ellipse(centre, (radius, radius * flat), count=32), draw.normals(f"femur.{name}_lumps", 8), 0.06
        )
        echo = thigh.muscle + draw.uniform(f"femur.{name}_echo", -16, 0)
        items.append(Shape("epiphysis", cap, Tissue(echo, 0.0, 1.0), 0.12 * radius))
        rim = draw.uniform(f"femur.{name}_rim", -16, 3)
        items.append(Reflector(cap, rim, closed=True, exponent=4, floor=0.15, roughness=4))
        if name == "knee" and thigh.length > EPIPHYSIS_FROM_MM and draw.chance("femur.shows_centre", 0.55):
            dot = curves.ellipse(centre, radius * draw.uniforms("femur.centre_size", 2, 0.15, 0.45), count=20)
            items.append(Shape("epiphysis", dot, Tissue(draw.uniform("femur.centre_echo", 0, 12), 1.0, 2), 0.4))
    return items


def _shaft(thigh: _Thigh) -> list[Shape | Reflector]:
    """The bone: brightest on the side of the probe, blunt at both ends, drop-outs here and there, a shadow below."""
    draw, thickness = thigh.draw, thigh.thickness
    axis = thigh.axis
    at = np.linspace(0, 1, len(axis))
    flare = 1 + draw.uniform("femur.flare", 0.0, 0.55) * np.abs(2 * at - 1) ** 4
    waist = 1 + draw.normals("femur.uneven", len(axis), 0.05)
    taper = 1 - draw.uniform("femur.end_taper", 0.0, 0.85) * np.abs(2 * at - 1) ** draw.uniform(
        "femur.taper_exponent", 5, 16
    )
    width = thickness * flare * waist * taper
    style = draw.choice("femur.shaft_style", list(_SHAFT_STYLES), [0.50, 0.35, 0.15])
    fullness, weaker, share = _SHAFT_STYLES[style]
    contrast = (
        1 - 0.95 * draw.uniform("femur.bone_dimness", 0, 1) ** 1.4
    )  # from hardly brighter than muscle to saturated
    echo = thigh.muscle + fullness * (4 + 14 * contrast) * draw.uniform("femur.bone_fullness", 0.4, 1.0)
    strength = thigh.muscle + 10 + 20 * contrast
    shadow = draw.log_uniform("femur.shadow", 0.8, 30)
    gain = _brightness_along(thigh)
    floor, exponent = draw.uniform("femur.bone_floor", 0.15, 0.45), draw.uniform("femur.bone_exponent", 1.5, 4.0)
    rough = draw.uniform("femur.bone_roughness", 1.0, 5.0)
    layer = thickness * draw.uniform("femur.bone_layer", *share)
    across = np.array([0.0, thigh.upward])
    face = axis + across * (0.5 * width - 0.5 * layer)[:, None]
    back = axis - across * (0.4 * width)[:, None]
    behind = strength - draw.uniform("femur.back_weaker", *weaker)
    blur = thickness * draw.log_uniform("femur.bone_blur", 0.06, 0.5)
    loss = shadow * thigh.crossing / thickness  # a steep beam runs through more of it
    return [
        Shape("femur shaft", curves.limb(axis, width), Tissue(echo, loss, 1.5), blur),
        Reflector(face, strength, False, exponent, floor, rough, gain, layer),
        Reflector(back, behind, False, exponent, floor, rough, gain, 0.5 * layer),
        *_reverberations(thigh, face, strength, shadow, gain),
        *_clutter(thigh, shadow),
    ]


_SHAFT_STYLES = {
    "solid": (1.0, (7, 22), (0.35, 0.9)),
    "face": (0.3, (16, 30), (0.35, 0.9)),
    "double": (-0.1, (4, 14), (0.15, 0.35)),
}
"""How a shaft shows: how full of echoes it is, how much weaker its far face (dB), and its near face's layer as a share
of its thickness. Thin bone is one bright rod; thick bone throws the sound back, or shows both faces."""


def _brightness_along(thigh: _Thigh) -> np.ndarray:
    """Factor of the bone's echo at 160 places from the hip to the knee: waves, gaps, and ends that fade."""
    draw = thigh.draw
    along = np.linspace(0, 1, 160)
    uneven = draw.normals("femur.bone_waves", 14, draw.uniform("femur.bone_unevenness", 0.10, 0.55))
    gain = np.exp(np.interp(along, np.linspace(0, 1, 14), uneven))
    gain *= 10 ** (draw.normal("femur.bone_slant", 0, 3.5, -9, 9) * (along - 0.5) / 20)
    gaps = int(draw.choice("femur.gaps", ["0", "1", "2", "3"], [0.45, 0.28, 0.17, 0.10]))
    for k in range(gaps):
        distance = np.abs(along - draw.uniform(f"femur.gap_{k}_at", 0.05, 0.95))
        gain *= 1 - draw.uniform(f"femur.gap_{k}_depth", 0.3, 0.97) * np.exp(
            -((distance / draw.uniform(f"femur.gap_{k}_width", 0.02, 0.10)) ** 4)
        )
    # An end is often blurred: it leaves the section, or lies where the beam runs along it.
    for name, distance in (("hip", along), ("knee", 1 - along)):
        reach = draw.uniform(f"femur.{name}_soft", 0.01, 0.08)
        least = 0.15
        if draw.chance(f"femur.{name}_fades", 0.35):
            reach = draw.uniform(f"femur.{name}_fade_reach", 0.06, 0.30)
            least = draw.uniform(f"femur.{name}_fade_least", 0.05, 0.5)
        gain *= least + (1 - least) * np.clip(distance / reach, 0, 1)
    return gain


def _reverberations(
    thigh: _Thigh, face: np.ndarray, strength: float, shadow: float, gain: np.ndarray
) -> list[Shape | Reflector]:
    """The bone's face again, fainter, deeper in its shadow."""
    draw = thigh.draw
    if not draw.chance("femur.reverberates", 0.30):
        return []
    step = thigh.thickness * draw.uniform("femur.reverberation_step", 1.3, 4.0)
    level = strength + min(shadow, 14) - draw.uniform("femur.reverberation_loss", 14, 30)
    fall = draw.uniform("femur.reverberation_fall", 2, 8)
    return [
        Reflector(face + k * step * thigh.down, level - fall * k, False, 2.0, 0.2, 5.0, gain, 0.5 * k * thigh.thickness)
        for k in range(1, draw.integer("femur.reverberations", 1, 4) + 1)
    ]


def _clutter(thigh: _Thigh, shadow: float) -> list[Shape | Reflector]:
    """Smeared echoes in the shadow, which is seldom empty."""
    draw, length = thigh.draw, thigh.length
    count = draw.integer("femur.clutter", 0, 36)
    share = draw.uniform("femur.clutter_share", 0.2, 1.0)
    places = draw.uniforms("femur.clutter_places", 2 * count, 0.0, 1.0).reshape(-1, 2)
    halves = draw.uniforms("femur.clutter_halves", count, 0.015, 0.11)
    turns = draw.normals("femur.clutter_turns", count, 0.25)
    levels = thigh.muscle + min(shadow, 16) * share + draw.uniforms("femur.clutter_levels", count, -15, 4)
    deep = draw.uniform("femur.clutter_depth", 0.3, 1.1) * length
    fade = np.sin(np.linspace(0.1, np.pi - 0.1, 7))
    items: list[Shape | Reflector] = []
    for (at, depth), half, turn, level in zip(places, halves, turns, levels, strict=True):
        start = thigh.axis[int(at * (len(thigh.axis) - 1))] + thigh.down * (1.5 * thigh.thickness + depth * deep)
        stroke = curves.rotate(np.stack([np.linspace(-half, half, 7), np.zeros(7)], axis=1) * length, turn)
        items.append(Reflector(start + stroke, level, False, 2.0, 0.5, 6.0, fade, 0.035 * length))
    return items


def _lower_leg(thigh: _Thigh) -> tuple[list[Shape | Reflector], np.ndarray]:
    """The leg below the knee with shin bone and calf bone, where the section still holds it."""
    draw, length = thigh.draw, thigh.length
    if not draw.chance("femur.shows_leg", 0.40):
        return [], np.zeros((0, 2))
    bend = np.deg2rad(draw.uniform("femur.knee_bend", 5, 150)) * float(draw.choice("femur.knee_side", ["-1", "1"]))
    knee = np.array([0.5 + draw.uniform("femur.knee_gap", 0.06, 0.14), 0.0]) * length
    reach = draw.uniform("femur.leg_length", 0.5, 1.0) * length
    width = draw.uniform("femur.leg_width", 0.20, 0.42) * length
    path = knee + curves.rotate(np.stack([np.linspace(0, reach, 16), np.zeros(16)], axis=1), bend)
    outline = curves.limb(path, (0.9 * width, width, 0.6 * width))
    echo = thigh.muscle + draw.uniform("femur.leg_lift", -5, 5)
    items: list[Shape | Reflector] = [
        Shape("limbs", outline, Tissue(echo, 0.01, 2.0, 1.0), 0.03 * width),
        Reflector(outline, draw.uniform("femur.leg_skin", -10, 6), closed=True, floor=0.08, roughness=4),
    ]
    strength = draw.uniform("femur.leg_bones", 4, 22)
    for k in range(draw.integer("femur.leg_bone_count", 0, 2)):
        aside = curves.normals(path, closed=False) * draw.uniform(f"femur.leg_bone_{k}_aside", -0.28, 0.28) * width
        bone = (path + aside)[2:-2]
        items.append(Shape("limbs", curves.limb(bone, (0.09 * width, 0.07 * width)), Tissue(echo + 12, 3.0), 0.2))
        items.append(Reflector(bone, strength - 3 * k, exponent=3, floor=0.2, roughness=3, thickness=0.05 * width))
    return items, outline


def _trunk(thigh: _Thigh) -> tuple[list[Shape | Reflector], np.ndarray]:
    """Pelvis and lower belly beyond the hip: a rounded mass, perhaps with the bladder and the iliac bone."""
    draw, length = thigh.draw, thigh.length
    if not draw.chance("femur.shows_trunk", 0.65):
        return [], np.zeros((0, 2))
    radius = draw.uniform("femur.trunk_radius", 0.40, 0.75) * length
    hip = np.array([-0.5 - draw.uniform("femur.trunk_gap", 0.0, 0.15), 0.0]) * length
    direction = np.deg2rad(draw.uniform("femur.trunk_direction", 110, 250))
    toward = np.array([np.cos(direction), np.sin(direction)])
    centre = hip + 0.8 * radius * toward
    outline = curves.lumpy(
        curves.ellipse(centre, (radius, radius * draw.uniform("femur.trunk_flat", 0.7, 1.0)), direction),
        draw.normals("femur.trunk_lumps", 8),
        0.05,
    )
    echo = draw.uniform("femur.trunk_echo", -14, -1)
    items: list[Shape | Reflector] = [
        Shape(
            "body part", outline, Tissue(echo, 0.02, draw.uniform("femur.trunk_patches", 1.5, 4.5), 1.0), 0.02 * radius
        ),
        Reflector(outline, draw.uniform("femur.trunk_skin", -8, 8), closed=True, floor=0.1, roughness=4),
    ]
    if draw.chance("femur.shows_bladder", 0.35):
        place = centre + radius * draw.uniforms("femur.bladder_at", 2, -0.35, 0.35)
        size = radius * draw.uniforms("femur.bladder_size", 2, 0.12, 0.34)
        items.append(Shape("body part", curves.ellipse(place, size, count=36), Tissue(-32, -0.08, 1), 0.02 * radius))
    for k in range(draw.integer("femur.pelvic_bones", 0, 3)):
        place = centre + radius * draw.uniforms(f"femur.pelvic_bone_{k}_at", 2, -0.7, 0.7)
        half = radius * draw.uniform(f"femur.pelvic_bone_{k}_half", 0.06, 0.28)
        turned = curves.rotate(
            np.stack([np.linspace(-half, half, 10), 0.2 * half * np.cos(np.linspace(-1.5, 1.5, 10))], axis=1),
            draw.uniform(f"femur.pelvic_bone_{k}_turn", -np.pi, np.pi),
        )
        bone = turned + place
        items.append(Shape("body part", curves.limb(bone, (0.05 * radius, 0.05 * radius)), Tissue(4, 3.0), 0.3))
        items.append(Reflector(bone, draw.uniform(f"femur.pelvic_bone_{k}_level", 4, 18), exponent=3, floor=0.2))
    if draw.chance("femur.shows_ribs", 0.35):
        items += _ribs(thigh, centre, radius)
    return items, outline


def _ribs(thigh: _Thigh, centre: np.ndarray, radius: float) -> list[Shape | Reflector]:
    """Ribs or vertebrae of a trunk cut lengthwise: a row of short echoes, each with its shadow."""
    draw = thigh.draw
    count = draw.integer("femur.ribs", 4, 9)
    turn = draw.uniform("femur.ribs_turn", -np.pi, np.pi)
    level, size = draw.uniform("femur.ribs_level", 2, 16), draw.uniform("femur.ribs_size", 0.025, 0.07) * radius
    aside = draw.uniform("femur.ribs_aside", -0.6, 0.6)
    uneven = draw.normals("femur.ribs_uneven", 2 * count, 0.03).reshape(-1, 2)
    x = np.linspace(-0.75, 0.75, count)
    row = curves.rotate(np.stack([x, aside + 0.15 * x**2], axis=1) + uneven, turn) * radius + centre
    items: list[Shape | Reflector] = []
    for spot in row:
        half = np.stack([np.linspace(-1, 1, 6), np.zeros(6)], axis=1) * 1.4 * size
        items.append(Shape("body part", curves.ellipse(spot, (1.4 * size, size), count=16), Tissue(2, 2.5), 0.3 * size))
        items.append(Reflector(spot + half, level, exponent=2, floor=0.4, roughness=4, thickness=size))
    return items


def _second_thigh(thigh: _Thigh) -> list[Shape | Reflector]:
    """The other leg behind this one, oblique and fainter."""
    draw, length = thigh.draw, thigh.length
    if not draw.chance("femur.shows_second", 0.40):
        return []
    turn = np.deg2rad(draw.uniform("femur.second_turn", -35, 35))
    below = (thigh.far + length * draw.uniform("femur.second_below", 0.12, 0.5)) * -thigh.upward
    size = draw.uniform("femur.second_size", 0.6, 1.0)

    aside = draw.uniform("femur.second_aside", -0.4, 0.4) * length

    def moved(points: np.ndarray) -> np.ndarray:
        return curves.shift(curves.rotate(points * size, turn), aside, below)

    outline = moved(thigh.outline)
    echo = thigh.muscle + draw.uniform("femur.second_lift", -6, 4)
    items: list[Shape | Reflector] = [
        Shape("limbs", outline, Tissue(echo, 0.01, 2.5, 1.0), 0.02 * length),
        Reflector(outline, draw.uniform("femur.second_skin", -10, 6), closed=True, floor=0.08, roughness=4),
    ]
    if draw.chance("femur.second_bone", 0.7):
        first = draw.integer("femur.second_from", 0, 12)
        bone = moved(thigh.axis[first : first + 13])
        items.append(Shape("limbs", curves.limb(bone, (0.8 * thigh.thickness,) * 2), Tissue(3, 2.0), 0.5))
        items.append(Reflector(bone, draw.uniform("femur.second_strength", 2, 17), exponent=3, floor=0.2))
    return items


def _oddments(thigh: _Thigh) -> list[Shape | Reflector]:
    """Other parts that the section grazes: bones seen obliquely, a hand or foot, soft masses."""
    draw, length = thigh.draw, thigh.length
    items: list[Shape | Reflector] = []
    for k in range(draw.integer("femur.oddments", 0, 5)):
        name = f"femur.oddment_{k}"
        kind = draw.choice(name, ["bone", "hand", "mass"], [0.45, 0.2, 0.35])
        side = 1.0 if draw.chance(f"{name}_below", 0.7) else -1.0
        away = thigh.far if side > 0 else thigh.near
        spot = np.array([draw.uniform(f"{name}_x", -1.1, 1.1) * length, 0.0])
        spot = spot + side * thigh.down * (away + draw.uniform(f"{name}_away", 0.05, 0.9) * length)
        turn = draw.uniform(f"{name}_turn", -np.pi, np.pi)
        size = draw.log_uniform(f"{name}_size", 0.12, 0.5) * length
        level = draw.uniform(f"{name}_level", -4, 15)
        echo = draw.uniform(f"{name}_echo", -12, 1)
        if kind == "mass":
            outline = curves.ellipse(spot, (size, size * draw.uniform(f"{name}_flat", 0.5, 1.0)), turn, 48)
            outline = curves.lumpy(outline, draw.normals(f"{name}_lumps", 8), 0.09)
            patches = draw.uniform(f"{name}_patches", 2.0, 6.0)
            items.append(Shape("body part", outline, Tissue(echo, 0.01, patches, 1.5), 0.08 * size))
            items.append(Reflector(outline, level - 8, closed=True, exponent=3, floor=0.1, roughness=5))
            continue
        rays = np.zeros(1) if kind == "bone" else np.linspace(-0.5, 0.5, draw.integer(f"{name}_fingers", 3, 5))
        for ray in rays:
            reach = np.linspace(-0.5, 0.5, 10) if kind == "bone" else np.linspace(0.4, 0.9, 10)
            line = curves.rotate(np.stack([reach, 0.25 * (reach - reach[0]) ** 2], axis=1) * size, turn + ray) + spot
            thick = 0.10 * size if kind == "bone" else 0.06 * size
            items.append(Shape("limbs", curves.limb(line, (3.5 * thick,) * 2), Tissue(echo, 0.02, 3.0), thick))
            bone = line[1:-1]
            fade = np.sin(np.linspace(0.15, np.pi - 0.15, 8)) ** 0.6
            items.append(Shape("limbs", curves.limb(bone, (thick, thick)), Tissue(echo + 7, 2.0, 2.0), 0.4 * thick))
            items.append(Reflector(bone, level, exponent=2.5, floor=0.2, roughness=5, gain=fade, thickness=thick))
    return items


_MATERNAL = {
    "placenta": ((-2, 7), (0.6, 2.4), (0.0, 1.0)),
    "uterine wall": ((-9, 3), (1.0, 4.5), (0.5, 4.0)),
    "maternal tissue": ((-11, 3), (2.0, 5.5), (2.0, 6.0)),
}
"""Tissues of the mother: ranges of echo (dB), patches (dB) and layers (dB)."""


def _slabs(thigh: _Thigh) -> list[Shape | Reflector]:
    """The mother's tissue close to the thigh: in front of it placenta, uterus, muscle and fat, behind and beside it."""
    draw = thigh.draw
    items: list[Shape | Reflector] = []
    for name, turn, slip, share, most in (
        ("behind", 0.0, 40, 0.45, 0.8),
        ("left", 90.0, 35, 0.20, 0.6),
        ("right", -90.0, 35, 0.20, 0.6),
        ("in_front", 180.0, 18, 0.70, 0.3),
    ):
        if not draw.chance(f"femur.{name}", share):
            continue
        angle = np.deg2rad(turn + draw.uniform(f"femur.{name}_turn", -slip, slip))
        touches = draw.chance(f"femur.{name}_touches", 0.5)
        gap = draw.uniform(f"femur.{name}_gap", *((-0.06, 0.03) if touches else (0.03, most)))
        items += _slab(thigh, name, curves.rotate(thigh.down[None], angle)[0], gap * thigh.length)
    return items


def _slab(thigh: _Thigh, name: str, toward: np.ndarray, gap: float) -> list[Shape | Reflector]:
    """Sheets of the mother's tissue, one behind the other, from a distance beyond the thigh's outermost point on."""
    draw, length = thigh.draw, thigh.length
    aside = np.array([-toward[1], toward[0]])
    along = np.linspace(-5, 5, 27)
    height = draw.uniform(f"femur.{name}_curved", -0.15, 0.15) * along**2
    height = height + draw.normals(f"femur.{name}_waves", len(along), 0.06)
    height = height * length + (thigh.outline @ toward).max() + gap
    items: list[Shape | Reflector] = []
    for k in range(draw.integer(f"femur.{name}_sheets", 1, 4)):
        weights = [0.45, 0.35, 0.20] if k == 0 else [0.15, 0.35, 0.50]
        kind = draw.choice(f"femur.{name}_{k}", list(_MATERNAL), weights)
        echo, patches, layers = (
            draw.uniform(f"femur.{name}_{k}_{part}", *span) for part, span in zip(_PARTS, _MATERNAL[kind], strict=True)
        )
        edge = curves.open_spline(np.stack([along * length, height], axis=1), 4) @ np.stack([aside, toward])
        far = edge + 8 * length * toward
        shape = np.concatenate([edge, far[::-1]])
        items.append(Shape(kind, shape, Tissue(echo, 0.01, patches, layers), 0.012 * length))
        level = draw.uniform(f"femur.{name}_{k}_line", -10, 11)
        items.append(Reflector(edge, level, exponent=5, floor=0.04, roughness=5))
        thick = draw.log_uniform(f"femur.{name}_{k}_thick", 0.06, 1.2)
        height = height + thick * length * np.exp(draw.normals(f"femur.{name}_{k}_uneven", len(along), 0.15))
    return items


_PARTS = ("echo", "patches", "layers")
