"""The fetal head in axial section, first trimester to third: what the BPD plane shows.

Head coordinates: millimetres, origin in the middle, x from the forehead (negative) to the occiput (positive), y from
one parietal bone to the other. Sources: thesis 000 §1.3.2 (large lateral ventricles filled by the choroid plexuses,
symmetrical hemispheres, clear interhemispheric fissure, oval skull); reference §10 (midline interrupted by the cavum,
thalami, choroid plexus); ISUOG practice guidelines on the first-trimester scan and on the fetal neurosonogram.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from core.phantom import curves
from core.phantom.anatomy import Anatomy, Reflector, Shape, Tissue, declare_structures
from core.phantom.settings import Draw, declare_ranges

declare_structures(
    ["scalp", "skull", "brain", "midline", "thalami", "choroid plexus", "cavum", "ventricle", "cerebellum"]
)

declare_ranges(
    {
        "head.cephalic_index": {"train": (0.75, 0.90), "unseen": (0.70, 0.745)},
        "head.skull_thickness": {"train": (0.017, 0.047), "unseen": (0.048, 0.058)},
        "head.choroid_length": {"train": (0.80, 1.30), "unseen": (0.60, 0.79)},
    }
)

EARLY_LIMIT_MM = 33.0
"""Biparietal diameter up to which the ventricles and choroid plexuses fill the brain."""

SECTIONS = ("transthalamic", "transventricular", "transcerebellar")
"""Sections of the neurosonogram that a late head can be cut in."""


class _Head:
    """Measures that every part of one head shares."""

    def __init__(self, draw: Draw, bpd: float, down: np.ndarray, section: str | None = None) -> None:
        self.draw = draw
        self.bpd = bpd
        self.down = down
        self.b = bpd / 2
        self.a = self.b / draw.setting("head.cephalic_index")
        self.early = bpd < EARLY_LIMIT_MM
        self.skull = max(bpd * draw.setting("head.skull_thickness"), 0.6)
        self.scalp = bpd * draw.uniform("head.scalp_thickness", 0.015, 0.05 if not self.early else 0.07)
        low, high = (-14.0, 0.0) if self.early else (-21.0, -8.0)
        self.brain = draw.uniform("head.brain_echo", low, high)
        self.lost_bone = 0.0  # depth of the one long stretch that drops out, at `lost_at` with `lost_width`
        self.side_loss = 0.0  # share of the echo lost where the beam runs along the bone, over `side_width` in cosines
        self.bone_lift = self.skin_lift = 0.0  # dB
        self.textured = False
        if section is not None:
            self._as_in_routine(section)
        self.contour = self._contour()
        uneven = np.interp(
            np.linspace(0, 9, len(self.contour)), np.arange(10), draw.normals("head.skull_uneven", 10, 0.22)
        )
        self.inner = curves.offset(self.contour, -self.skull * np.exp(uneven * np.hanning(len(uneven)) ** 0.2))

    def _as_in_routine(self, section: str) -> None:
        """What routine frames of the neurosonogram add: darker brains, thinner and thicker bone, lost walls."""
        draw = self.draw
        self.brain = min(self.brain + draw.uniform("brain.dimness", -8, 6), -7.5)
        self.textured = draw.chance("brain.textured", 0.45)
        if self.textured:
            self.brain = draw.uniform("brain.textured_echo", -15, -5)
        self.skull = max(self.skull * draw.log_uniform("brain.skull_scale", 0.55, 1.6), 0.7)
        self.scalp *= draw.log_uniform("brain.scalp_scale", 0.6, 2.2)
        self.skin_lift = draw.uniform("brain.skin_lift", -6, 9)
        self.bone_lift = draw.uniform("brain.bone_lift", -9, 2)
        if draw.chance("brain.loses_sides", 0.6):
            self.side_loss = draw.uniform("brain.side_loss", 0.4, 0.99)
        self.side_width = draw.uniform("brain.side_width", 0.12, 0.55)
        if draw.chance("brain.loses_wall", 0.40):
            self.lost_bone = draw.uniform("brain.lost_depth", 0.5, 0.98)
        self.lost_at = draw.uniform("brain.lost_at", 0, 1)
        self.lost_width = draw.uniform("brain.lost_width", 0.04, 0.17)
        if section == "transcerebellar":
            self.a *= draw.uniform("brain.cerebellar_length", 0.92, 1.08)

    def _contour(self) -> np.ndarray:
        draw = self.draw
        phase = np.linspace(0, 2 * np.pi, 120, endpoint=False)
        egg = draw.uniform("head.egg", -0.02, 0.11)  # the occiput is broader than the forehead
        square = draw.uniform("head.squareness", -0.03, 0.06)
        x = self.a * np.cos(phase)
        y = self.b * np.sin(phase) * (1 + egg * np.cos(phase)) * (1 + square * np.sin(2 * phase) ** 2)
        lumps = draw.normals("head.lumps", 24)
        amount = draw.uniform("head.lumpiness", 0.002, 0.013 if self.early else 0.008)
        return curves.lumpy(np.stack([x, y], axis=1), lumps, amount)

    def at(self, points) -> np.ndarray:
        """Points given in shares of the half axes, to millimetres."""
        return np.asarray(points, float) * (self.a, self.b)

    def blob(self, name, centre, radii, amount=0.08, angle=0.0, count=56) -> np.ndarray:
        """A lumpy ellipse in shares of the half axes."""
        outline = curves.ellipse(self.at(centre), (radii[0] * self.a, radii[1] * self.b), angle, count)
        return curves.lumpy(outline, self.draw.normals(f"head.{name}_lumps", 8), amount)


def axial_head(draw: Draw, bpd: float, down: np.ndarray, section: str | None = None) -> Anatomy:
    """An axial head of a given biparietal diameter.

    Parameters
    ----------
    draw: source of the numbers.
    bpd: biparietal diameter, mm.
    down: unit vector (2,) in head coordinates along which the beam travels; the half of the brain nearer to the
        probe is hazy, the far half clear.
    section: one of `SECTIONS` for a routine frame of the neurosonogram, which varies more and needs a biparietal
        diameter above `EARLY_LIMIT_MM`; None for a head whose section is drawn as the BPD plane does.
    """
    head = _Head(draw, bpd, down, section)
    items = _envelope(head)
    if section is not None:
        items += _routine_brain(head, section)
    else:
        items += _early_brain(head) if head.early else _late_brain(head)
    items += _bone_surfaces(head)
    outline = curves.offset(head.contour, head.scalp)
    return Anatomy(items, outline, outline, outline)


def _envelope(head: _Head) -> list[Shape | Reflector]:
    draw = head.draw
    outer = curves.offset(head.contour, head.scalp)
    scalp_echo = draw.uniform("head.scalp_echo", -12, 0)
    bone_echo = draw.uniform("head.bone_echo", -14, 4) + head.bone_lift
    loss = draw.uniform("head.bone_loss", 0.8, 4.2) * (0.8 if head.early else 1.0) * 2.0 / max(head.skull, 1.0)
    tissue = Tissue(
        head.brain, 0.01, draw.uniform("head.brain_patches", 1.5, 4.5), draw.uniform("head.brain_layers", 0.3, 3.0)
    )
    return [
        Shape("scalp", outer, Tissue(scalp_echo, 0.02, 1.5), 0.3),
        Reflector(
            outer, draw.uniform("head.skin_strength", -8, 4) + head.skin_lift, closed=True, exponent=5, floor=0.08
        ),
        Shape("skull", head.contour, Tissue(bone_echo, loss, 2.0), 0.12 * head.skull),
        Shape("brain", head.inner, tissue, 0.15 * head.skull),
    ]


def _bone_surfaces(head: _Head) -> list[Shape | Reflector]:
    """The two faces of the skull, with sutures and stretches that drop out."""
    draw = head.draw
    strength = draw.uniform("head.bone_strength", 6 if head.early else 12, 26)
    at = np.linspace(0, 1, 240)
    gain = np.ones_like(at)
    gaps = draw.integer("head.gaps", 0, 7)
    centres = draw.uniforms("head.gap_places", gaps, 0, 1)
    widths = draw.uniforms("head.gap_widths", gaps, 0.005, draw.uniform("head.widest_gap", 0.02, 0.11))
    depths = draw.uniforms("head.gap_depths", gaps, 0.3, 0.98)
    for centre, width, depth in zip(centres, widths, depths, strict=True):
        distance = np.abs((at - centre + 0.5) % 1 - 0.5)
        gain *= 1 - depth * np.exp(-((distance / width) ** 4))
    if head.lost_bone:
        distance = np.abs((at - head.lost_at + 0.5) % 1 - 0.5)
        gain *= 1 - head.lost_bone * np.exp(-((distance / head.lost_width) ** 4))
    if head.side_loss:
        facing = np.abs(curves.normals(head.contour, closed=True) @ head.down)
        facing = np.interp(at, np.linspace(0, 1, len(facing)), facing)
        gain *= 1 - head.side_loss * np.exp(-((facing / head.side_width) ** 2))
    waves = draw.normals("head.bone_waves", 24, 0.20)
    for order, (cosine, sine) in enumerate(waves.reshape(12, 2), start=1):
        gain *= np.exp(cosine * np.cos(2 * np.pi * order * at) + sine * np.sin(2 * np.pi * order * at))
    exponent = draw.uniform("head.bone_exponent", 1.5, 6.0)
    floor = draw.uniform("head.bone_floor", 0.02, 0.20)
    rough = draw.uniform("head.bone_roughness", 1.5, 5.0)
    layer = head.skull * draw.uniform("head.bone_layer", 0.5, 0.9)
    middle = curves.offset(head.contour, -0.5 * head.skull)
    outer = curves.offset(head.contour, -0.2 * head.skull)
    return [
        Reflector(middle, strength, True, exponent, floor, rough, gain, layer),
        Reflector(
            outer, strength + draw.uniform("head.outer_face", -8, 0), True, exponent + 1, 0.5 * floor, rough, gain
        ),
    ]


def _midline(head: _Head, pieces, echo: float, strength: float, bow: float) -> list[Shape | Reflector]:
    """Bright line between the hemispheres in pieces of (first x, last x, y offset) in shares of the half axes."""
    items: list[Shape | Reflector] = []
    width = max(head.draw.uniform("head.midline_width", 0.008, 0.024) * head.bpd, 0.35)
    for first, last, aside in pieces:
        x = np.linspace(first, last, 16)
        y = aside + bow * (1 - x**2)
        wander = head.draw.normals(f"head.midline_wander_{len(items)}", 6, 0.012)
        line = head.at(np.stack([x, y + np.interp(x, np.linspace(first, last, 6), wander)], axis=1))
        items.append(Shape("midline", curves.strip(line, width), Tissue(echo, 0.05, 1.5), 0.2 * width))
        items.append(Reflector(line, strength, exponent=6, floor=0.12, roughness=3.0, thickness=width))
    return items


def _early_brain(head: _Head) -> list[Shape | Reflector]:
    """Ten to fifteen weeks: thin mantle, large ventricles, choroid plexuses that fill them, a complete falx."""
    draw = head.draw
    items: list[Shape | Reflector] = []
    fluid = Tissue(draw.uniform("head.ventricle_echo", -40, -14), -0.06, 2.5)
    plexus = Tissue(draw.uniform("head.choroid_echo", -4, 7), 0.02, draw.uniform("head.choroid_patches", 2.0, 6.0))
    length = draw.setting("head.choroid_length")
    breadth = draw.uniform("head.choroid_breadth", 0.36, 0.86)
    centre = draw.uniform("head.choroid_centre", 0.02, 0.22)
    mantle = draw.uniform("head.mantle", 0.04, 0.16)
    soft = draw.uniform("head.choroid_softness", 0.006, 0.028)
    for side, sign in (("left", -1.0), ("right", 1.0)):
        shift = draw.uniforms(f"head.{side}_shift", 4, -0.05, 0.05)
        middle = 0.47 + shift[0] * 0.5
        half = 0.42 - mantle + shift[1] * 0.4
        room = head.blob(f"{side}_ventricle", (0.03 + shift[2], sign * middle), (0.80 - mantle, half), 0.05)
        items.append(Shape("ventricle", curves.within(room, head.inner, 0.03 * head.bpd), fluid, 0.03 * head.bpd))
        tilt = sign * draw.uniform(f"head.{side}_tilt", -0.05, 0.28)
        body = _butterfly_wing(head, side, (centre + shift[3], sign * middle), length, breadth * 0.5, tilt)
        items.append(Shape("choroid plexus", curves.within(body, head.inner, 0.02 * head.bpd), plexus, soft * head.bpd))
        items += _speckles(head, side, body, 9)
        rim = draw.uniform(f"head.{side}_rim", -14, 4)
        items.append(
            Reflector(
                curves.within(room, head.inner, 0.03 * head.bpd), rim, closed=True, exponent=4, floor=0.15, roughness=5
            )
        )
    if draw.chance("head.shows_thalami", 0.4):
        items += _thalami(head, (0.10, 0.42), 0.30, head.brain + 3)
    items += _clumps(head, draw.integer("head.clumps", 0, 10))
    bow = draw.uniform("head.midline_bow", -0.04, 0.04)
    cut = draw.uniform("head.midline_cut", 0.15, 0.95)
    strength = draw.uniform("head.midline_strength", -4, 11)
    pieces = [(-0.93, min(cut, 0.9) if draw.chance("head.midline_short", 0.5) else 0.92, 0.0)]
    if draw.chance("head.midline_broken", 0.5):
        first, last = sorted(draw.uniforms("head.midline_gap", 2, -0.6, 0.6))
        pieces = [
            (-0.93, first, 0.0),
            (last, max(pieces[0][1], last + 0.1), draw.uniform("head.midline_step", -0.03, 0.03)),
        ]
    items += _midline(head, pieces, draw.uniform("head.midline_echo", -5, 5), strength, bow)
    return items + _dashes(head, draw.integer("head.dashes", 0, 6), -14, 2) + _flecks(head)


def _butterfly_wing(head: _Head, side: str, centre, length: float, half: float, tilt: float) -> np.ndarray:
    """A choroid plexus: a drop, broad towards the occiput."""
    x = np.array([-0.5, -0.35, 0.0, 0.35, 0.5, 0.35, 0.0, -0.35]) * length
    y = np.array([0.0, 0.55, 0.9, 1.0, 0.1, -0.95, -0.85, -0.5]) * half
    outline = curves.closed_spline(np.stack([x, y], axis=1))
    outline = curves.rotate(outline, tilt) + centre
    return curves.lumpy(head.at(outline), head.draw.normals(f"head.{side}_wing", 20), 0.085)


def _speckles(head: _Head, name: str, outline: np.ndarray, most: int) -> list[Shape | Reflector]:
    """Small darker and lighter spots inside an outline, as in a plexus."""
    draw = head.draw
    count = draw.integer(f"head.{name}_spots", 0, most)
    places = draw.uniforms(f"head.{name}_spot_places", 2 * count, 0.1, 0.9).reshape(-1, 2)
    levels = draw.uniforms(f"head.{name}_spot_levels", count, -18, 9)
    low, high = outline.min(axis=0), outline.max(axis=0)
    spots = []
    for place, level in zip(places, levels, strict=True):
        centre = low + (high - low) * place
        if curves.inside(centre[None], outline)[0]:
            dot = curves.ellipse(centre, (0.03 * head.bpd, 0.02 * head.bpd), count=16)
            spots.append(Shape("choroid plexus", dot, Tissue(level, 0, 1), 0.008 * head.bpd))
    return spots


def _clumps(head: _Head, count: int) -> list[Shape | Reflector]:
    """Irregular lighter and darker lumps that no early brain is free of."""
    draw = head.draw
    places = draw.uniforms("head.clump_places", 2 * count, -0.65, 0.65).reshape(-1, 2)
    sizes = draw.uniforms("head.clump_sizes", 2 * count, 0.06, 0.20).reshape(-1, 2)
    levels = draw.uniforms("head.clump_levels", count, -14, 14)
    items = []
    for k, (place, size, level) in enumerate(zip(places, sizes, levels, strict=True)):
        outline = head.blob(f"clump_{k}", place, size, 0.16, count=28)
        echo = np.clip(head.brain + level, -30, 6)
        items.append(Shape("brain", outline, Tissue(float(echo), 0.01, 2.5), 0.012 * head.bpd))
    return items


def _thalami(head: _Head, span, breadth: float, echo: float) -> list[Shape | Reflector]:
    """Two ovals beside the third ventricle; `span` is their first and last x in shares of the half axis."""
    draw = head.draw
    items: list[Shape | Reflector] = []
    middle, half = (span[0] + span[1]) / 2, (span[1] - span[0]) / 2
    rim = draw.uniform("head.thalamus_rim", -10, 2)
    for side, sign in (("left", -1.0), ("right", 1.0)):
        centre = (middle, sign * (0.04 + breadth / 2))
        outline = head.blob(f"{side}_thalamus", centre, (half, breadth / 2), 0.07, angle=sign * 0.15)
        items.append(Shape("thalami", outline, Tissue(echo, 0.01, 1.5), 0.02 * head.bpd))
        items.append(Reflector(outline, rim, closed=True, exponent=5, floor=0.15, roughness=4.0))
    slit = curves.strip(head.at([[middle - half * 0.8, 0.0], [middle, 0.0], [middle + half * 0.8, 0.0]]), 0.03 * head.b)
    return [*items, Shape("ventricle", slit, Tissue(-28, -0.05, 1), 0.01 * head.bpd)]


def _dashes(head: _Head, count: int, low: float, high: float) -> list[Shape | Reflector]:
    """Short bright lines, roughly along the head: vessels, ventricle walls, sulci that no section is free of."""
    draw = head.draw
    items = []
    places = draw.uniforms("head.dash_places", 2 * count, -0.72, 0.72).reshape(-1, 2)
    lengths = draw.uniforms("head.dash_lengths", count, 0.05, 0.30)
    turns = draw.normals("head.dash_turns", count, 0.30)
    levels = draw.uniforms("head.dash_levels", count, low, high)
    for place, length, turn, level in zip(places, lengths, turns, levels, strict=True):
        line = curves.open_spline([[-length / 2, 0.0], [0.0, 0.015], [length / 2, 0.0]], 4)
        items.append(Reflector(head.at(curves.rotate(line, turn) + place), level, exponent=5, floor=0.2, roughness=4))
    return items


def _flecks(head: _Head) -> list[Shape | Reflector]:
    """Small bright irregular echoes, densest about the midline: membranes and vessels between the lobes."""
    draw = head.draw
    count = draw.integer("head.flecks", 0, 46)
    spread = draw.uniform("head.fleck_spread", 0.10, 0.34)
    x = draw.uniforms("head.fleck_x", count, -0.62, 0.68)
    y = draw.normals("head.fleck_y", count, spread)
    lengths = draw.uniforms("head.fleck_lengths", count, 0.02, 0.16)
    turns = draw.normals("head.fleck_turns", count, 0.45)
    levels = draw.uniforms("head.fleck_levels", count, -10, draw.uniform("head.fleck_brightest", 2, 15))
    bends = draw.normals("head.fleck_bends", count, 0.25)
    thickness = draw.uniform("head.fleck_thickness", 0.0, 0.016) * head.bpd
    items: list[Shape | Reflector] = []
    for place, length, turn, level, bend in zip(np.stack([x, y], 1), lengths, turns, levels, bends, strict=True):
        line = curves.open_spline([[-length / 2, 0.0], [0.0, bend * length], [length / 2, 0.0]], 3)
        path = head.at(curves.rotate(line, turn) + place)
        items.append(Reflector(path, level, exponent=2.5, floor=0.3, roughness=5, thickness=thickness))
    lumps = draw.integer("head.lumps_inside", 0, 8)
    spots = np.stack([draw.uniforms("head.lump_x", lumps, -0.6, 0.65), draw.normals("head.lump_y", lumps, spread)], 1)
    sizes = draw.uniforms("head.lump_sizes", 2 * lumps, 0.04, 0.16).reshape(-1, 2)
    lifts = draw.uniforms("head.lump_lifts", lumps, -6, 9)
    for k, (spot, size, lift) in enumerate(zip(spots, sizes, lifts, strict=True)):
        outline = head.blob(f"lump_{k}", spot, size * (1.0, 0.8), 0.16, count=28)
        items.append(Shape("brain", outline, Tissue(head.brain + lift, 0.01, 2.5), 0.015 * head.bpd))
    return items


def _late_brain(head: _Head) -> list[Shape | Reflector]:
    """Sixteen weeks and later: dark brain, cavum, thalami, one clear ventricle with its plexus in the far half."""
    draw = head.draw
    items = _near_haze(head)
    far = 1.0 if head.down[1] >= 0 else -1.0
    section = draw.choice("head.section", ["transthalamic", "transventricular", "transcerebellar"], [0.45, 0.42, 0.13])
    if section == "transcerebellar":
        items += _cerebellum(head)
    clear = 1.0 if section != "transthalamic" else draw.uniform("head.far_ventricle_share", 0.3, 1.0)
    items += _lateral_ventricle(head, "far", far, clear)
    if draw.chance("head.shows_near_ventricle", 0.35):
        items += _lateral_ventricle(head, "near", -far, draw.uniform("head.near_ventricle_share", 0.2, 0.7))
    if section != "transventricular" or draw.chance("head.shows_thalami", 0.5):
        lift = draw.uniform("head.thalamus_lift", -5, 2)
        items += _thalami(head, (-0.22, 0.20), draw.uniform("head.thalamus_breadth", 0.28, 0.42), head.brain + lift)
    items += _frontal_horns(head, far) + _insula(head, far)
    items += _sulci(head)
    items += _late_midline(head)
    items += _dashes(head, draw.integer("head.dashes", 3, 18), -16, 3)
    return items + _flecks(head)


def _near_haze(head: _Head) -> list[Shape | Reflector]:
    """Reverberation of the near parietal bone veils the half of the brain below it."""
    draw = head.draw
    lift = draw.uniform("head.near_haze", 0.0, 9.0)
    if lift < 1.5:
        return []
    shift = -head.down * head.b * draw.uniform("head.near_haze_shift", 0.35, 0.75)
    veil = curves.within(head.inner * 0.8 + shift, head.inner, 0.04 * head.bpd)
    return [Shape("brain", veil, Tissue(head.brain + lift, 0.01, 1.6), 0.16 * head.bpd)]


def _lateral_ventricle(head: _Head, name: str, sign: float, clear: float) -> list[Shape | Reflector]:
    """Atrium and posterior horn: dark, two bright walls, plexus hanging in it. `clear` in [0, 1] fades all of it."""
    draw = head.draw
    fade = 20 * np.log10(max(clear, 0.1))
    start = draw.uniform(f"head.{name}_ventricle_start", 0.02, 0.22)
    end = draw.uniform(f"head.{name}_ventricle_end", 0.62, 0.80)
    inner = draw.uniform(f"head.{name}_ventricle_inner", 0.16, 0.26)
    wide = draw.uniform(f"head.{name}_ventricle_width", 0.14, 0.36)
    x = np.linspace(start, end, 7)
    rise = np.linspace(0, 1, 7)
    medial = np.stack([x, sign * (inner + 0.14 * rise**1.5)], axis=1)
    lateral = np.stack([x, sign * (inner + wide * np.sin(np.pi * (0.25 + 0.6 * rise)) + 0.12 * rise)], axis=1)
    room = curves.closed_spline(np.concatenate([medial, lateral[::-1]]), 4)
    items: list[Shape | Reflector] = [
        Shape("ventricle", head.at(room), Tissue(head.brain - 12 * clear, -0.05, 1), 0.012 * head.bpd)
    ]
    wall = draw.uniform(f"head.{name}_wall", -6, 13) + fade
    for line in (medial, lateral):
        items.append(Reflector(head.at(curves.open_spline(line, 5)), wall, exponent=5, floor=0.12, roughness=3.5))
    plexus = draw.uniform(f"head.{name}_choroid_echo", -4, 9) + 0.6 * fade
    size = draw.uniform(f"head.{name}_choroid_size", 0.16, 0.30) * draw.setting("head.choroid_length")
    place = (start + 0.35 * (end - start), sign * (inner + 0.55 * wide))
    drop = head.blob(f"{name}_choroid", place, (size, wide * draw.uniform(f"head.{name}_fill", 0.32, 0.55)), 0.08)
    items.append(Shape("choroid plexus", drop, Tissue(plexus, 0.02, 2.5), 0.015 * head.bpd))
    if draw.chance(f"head.{name}_cyst", 0.06):
        cyst = head.blob(f"{name}_cyst", place, (size * 0.4, wide * 0.22), 0.05)
        items.append(Shape("choroid plexus", cyst, Tissue(-30, -0.05, 1), 0.01 * head.bpd))
    return items


def _frontal_horns(head: _Head, far: float) -> list[Shape | Reflector]:
    """Slits on both sides of the cavum, the far one clearer."""
    draw = head.draw
    items: list[Shape | Reflector] = []
    for side, sign, weaker in (("far", far, 0.0), ("near", -far, -6.0)):
        if not draw.chance(f"head.{side}_horn", 0.65):
            continue
        spread = draw.uniform(f"head.{side}_horn_spread", 0.10, 0.24)
        line = [[-0.66, sign * (spread + 0.20)], [-0.52, sign * (spread + 0.08)], [-0.36, sign * spread]]
        path = head.at(curves.open_spline(line, 6))
        width = draw.uniform(f"head.{side}_horn_width", 0.02, 0.05) * head.bpd
        items.append(Shape("ventricle", curves.strip(path, width), Tissue(head.brain - 9, -0.04, 1), 0.01 * head.bpd))
        level = draw.uniform(f"head.{side}_horn_level", -4, 9) + weaker
        for aside in (-0.5, 0.5):
            edge = path + curves.normals(path, closed=False) * aside * width
            items.append(Reflector(edge, level, exponent=5, floor=0.15, roughness=3.5))
    return items


def _insula(head: _Head, far: float) -> list[Shape | Reflector]:
    """The Sylvian fissure of the far half: a short double line parallel to the skull with bright tissue in front."""
    draw = head.draw
    if not draw.chance("head.shows_insula", 0.7):
        return []
    out = draw.uniform("head.insula_out", 0.50, 0.70)
    x = np.linspace(-0.42, draw.uniform("head.insula_end", 0.0, 0.25), 8)
    line = head.at(np.stack([x, far * (out - 0.12 * (x + 0.1) ** 2)], axis=1))
    level = draw.uniform("head.insula_level", -8, 5)
    band = curves.strip(line, draw.uniform("head.insula_width", 0.04, 0.10) * head.bpd)
    return [
        Shape("brain", band, Tissue(head.brain + draw.uniform("head.insula_lift", 0, 8), 0.01, 2), 0.02 * head.bpd),
        Reflector(line, level, exponent=4, floor=0.15, roughness=4),
    ]


def _sulci(head: _Head) -> list[Shape | Reflector]:
    """Short curved echoes under the skull; more of them the older the fetus."""
    draw = head.draw
    most = int(np.clip((head.bpd - 45) / 3, 2, 14))
    count = draw.integer("head.sulci", 0, most)
    around = draw.uniforms("head.sulcus_places", count, 0, 2 * np.pi)
    depth = draw.uniforms("head.sulcus_depths", count, 0.68, 0.86)
    length = draw.uniforms("head.sulcus_lengths", count, 0.08, 0.28)
    level = draw.uniforms("head.sulcus_levels", count, -14, 0)
    items = []
    for place, share, spread, strength in zip(around, depth, length, level, strict=True):
        phase = place + np.linspace(-spread, spread, 9)
        dip = share - 0.05 * np.cos(np.linspace(-np.pi, np.pi, 9))
        line = head.at(np.stack([np.cos(phase) * dip, np.sin(phase) * dip], axis=1))
        items.append(Reflector(line, strength, exponent=4, floor=0.2, roughness=4))
    return items


def _late_midline(head: _Head) -> list[Shape | Reflector]:
    """Falx in front and behind, the box of the cavum between, faint pieces at the thalami."""
    draw = head.draw
    strength = draw.uniform("head.midline_strength", -3, 16)
    echo = draw.uniform("head.midline_echo", -10, 2)
    bow = draw.uniform("head.midline_bow", -0.03, 0.03)
    front, back = draw.uniform("head.cavum_front", -0.62, -0.50), draw.uniform("head.cavum_back", -0.40, -0.28)
    pieces = [(-0.90, front, 0.0), (draw.uniform("head.falx_back", 0.18, 0.35), 0.90, 0.0)]
    if draw.chance("head.midline_at_thalami", 0.5):
        pieces.append((-0.2, 0.15, 0.0))
    if not draw.chance("head.shows_cavum", 0.78):
        return _midline(head, [(-0.90, draw.uniform("head.midline_end", 0.2, 0.9), 0.0)], echo, strength, bow)
    items = _midline(head, pieces, echo, strength, bow)
    half = draw.uniform("head.cavum_half_width", 0.05, 0.10)
    corners = [[front, -half], [(front + back) / 2, -half * 1.1], [back, -half]]
    box = head.at([*corners, *([x, -y] for x, y in corners[::-1])])
    items.append(Shape("cavum", box, Tissue(-30, -0.05, 1), 0.008 * head.bpd))
    for sign in (-1.0, 1.0):
        wall = head.at([[x, sign * y] for x, y in corners])
        items.append(Reflector(curves.open_spline(wall, 5), strength + 2, exponent=6, floor=0.1, roughness=2.5))
    return items


def _cerebellum(head: _Head) -> list[Shape | Reflector]:
    """Two round hemispheres and the vermis in front of the dark cisterna magna."""
    draw = head.draw
    place = draw.uniform("head.cerebellum_place", 0.52, 0.62)
    cistern = head.blob("cistern", (place + 0.16, 0.0), (0.16, 0.46), 0.04)
    items: list[Shape | Reflector] = [
        Shape("ventricle", curves.within(cistern, head.inner, 0.02 * head.bpd), Tissue(-30, -0.05, 1), 0.015 * head.bpd)
    ]
    rim = draw.uniform("head.cerebellum_rim", -6, 6)
    for side, sign in (("left", -1.0), ("right", 1.0)):
        lobe = head.blob(f"{side}_lobe", (place, sign * 0.26), (0.15, 0.24), 0.04)
        items.append(Shape("cerebellum", lobe, Tissue(head.brain + 2, 0.01, 1.5), 0.01 * head.bpd))
        items.append(Reflector(lobe, rim, closed=True, exponent=3, floor=0.25, roughness=3))
    vermis = head.blob("vermis", (place, 0.0), (0.11, 0.07), 0.04)
    items.append(Shape("cerebellum", vermis, Tissue(head.brain + 10, 0.02, 2), 0.01 * head.bpd))
    return items


def _routine_brain(head: _Head, section: str) -> list[Shape | Reflector]:
    """A routine frame of one section; every structure may be faint or missing."""
    draw = head.draw
    items = _parenchyma(head) + _near_field(head) + _mottles(head)
    far = 1.0 if head.down[1] >= 0 else -1.0
    cerebellar = section == "transcerebellar"
    clear = 1.0 if section == "transventricular" else draw.uniform("brain.ventricle_share", 0.15, 0.9)
    if draw.chance("brain.shows_ventricle", 0.3 if cerebellar else 0.85):
        items += _lateral_ventricle(head, "far", far, clear)
        if draw.chance("brain.clear_plexus", 0.6):
            items += _plexus(head, far)
    if draw.chance("brain.shows_near_ventricle", 0.2):
        items += _lateral_ventricle(head, "near", -far, draw.uniform("brain.near_ventricle_share", 0.15, 0.7))
    if draw.chance("brain.shows_thalami", 0.35 if section == "transventricular" else 0.85):
        lift = draw.uniform("brain.thalamus_lift", -7, 6)
        items += _thalami(head, (-0.24, 0.20), draw.uniform("brain.thalamus_breadth", 0.26, 0.46), head.brain + lift)
    if draw.chance("brain.shows_horns", 0.7):
        items += _frontal_horns(head, far)
    items += _insula(head, far) + _sylvian(head, far) + _sulci(head) + _gyri(head, far)
    if cerebellar:
        items += _posterior_fossa(head)
    items += _dashes(head, draw.integer("brain.dashes", 0, 6), -20, draw.uniform("brain.dash_most", -10, 4))
    items = _softened(head, items + _flecks(head), "inside", -9, 1)
    midline = [_faint_box(head, item) for item in _late_midline(head)]
    return items + _softened(head, midline, "midline", -7, 4) + _edge_shadows(head)


def _faint_box(head: _Head, item: Shape | Reflector) -> Shape | Reflector:
    """The cavum as routine frames show it: seldom black, its edges soft. Anything else unchanged."""
    if isinstance(item, Reflector) or item.structure != "cavum":
        return item
    echo = head.brain - head.draw.uniform("brain.cavum_depth", 2, 18)
    softness = head.bpd * head.draw.uniform("brain.cavum_softness", 0.010, 0.028)
    return replace(item, tissue=replace(item.tissue, echo=echo), softness=softness)


def _softened(head: _Head, items: list[Shape | Reflector], name: str, low: float, high: float):
    """Lines of the brain as a scan shows them: a layer of grains with ends that fade, not a stroke."""
    draw = head.draw
    weaker = draw.uniform(f"brain.{name}_lines", low, high)
    thickness = head.bpd * draw.log_uniform(f"brain.{name}_line_width", 0.006, 0.022)
    fade = np.sin(np.linspace(0.25, np.pi - 0.25, 9)) ** 0.7
    return [
        item
        if isinstance(item, Shape)
        else replace(
            item,
            strength=item.strength + weaker,
            thickness=max(item.thickness, thickness),
            roughness=item.roughness + 2,
            gain=fade if item.gain is None and not item.closed else item.gain,
        )
        for item in items
    ]


def _parenchyma(head: _Head) -> list[Shape | Reflector]:
    """Uneven tissue: in a textured brain many soft lumps, and grains of a reflection here and there."""
    draw = head.draw
    lobes = draw.integer("brain.lobes", 12, 55) if head.textured else draw.integer("brain.lobes", 0, 12)
    places = draw.uniforms("brain.lobe_places", 2 * lobes, -0.8, 0.8).reshape(-1, 2)
    sizes = draw.uniforms("brain.lobe_sizes", 2 * lobes, 0.04, 0.20).reshape(-1, 2)
    turns = draw.uniforms("brain.lobe_turns", lobes, -np.pi, np.pi)
    spread = draw.uniform("brain.lobe_spread", 2, 10)
    levels = head.brain + draw.uniforms("brain.lobe_levels", lobes, -spread, spread)
    soft = draw.uniform("brain.lobe_softness", 0.008, 0.035) * head.bpd
    lumps = draw.normals("brain.lobe_lumps", 8)
    patches = draw.uniform("brain.lobe_patches", 1.5, 5.0)
    items: list[Shape | Reflector] = []
    for place, size, turn, level in zip(places, sizes, turns, levels, strict=True):
        outline = curves.ellipse(head.at(place), (size[0] * head.a, size[1] * head.b), turn, 28)
        outline = curves.within(curves.lumpy(outline, np.roll(lumps, len(items)), 0.18), head.inner, 0.04 * head.bpd)
        items.append(Shape("brain", outline, Tissue(float(level), 0.01, patches), soft))
    grains = (
        draw.integer("brain.bright_grains", 10, 70) if head.textured else draw.integer("brain.bright_grains", 0, 15)
    )
    level = draw.uniform("brain.bright_grain_level", -14, 4)
    halves = draw.uniforms("brain.bright_grain_halves", grains, 0.01, 0.04)
    for (x, y, turn), half in zip(
        draw.uniforms("brain.bright_grain_places", 3 * grains, -1, 1).reshape(-1, 3), halves, strict=True
    ):
        spot = 0.82 * np.sqrt(abs(x)) * np.array([np.cos(np.pi * y), np.sin(np.pi * y)])
        stroke = curves.rotate(np.array([[-1.0, 0.0], [0.0, 0.3], [1.0, 0.0]]), np.pi * turn) * half * head.bpd
        items.append(Reflector(head.at(spot) + stroke, level, exponent=1.5, floor=0.5, roughness=6))
    return items


def _near_field(head: _Head) -> list[Shape | Reflector]:
    """Reverberation of the near parietal bone: a veil over the half below it, with echoes of the bone's own shape."""
    draw = head.draw
    items: list[Shape | Reflector] = []
    lift = draw.uniform("brain.near_veil", -3, 13)
    steps = draw.integer("brain.near_veil_steps", 2, 4)
    reach = draw.uniform("brain.near_veil_reach", 0.5, 1.1)
    if lift > 1:
        for k in range(steps):
            shift = -head.down * head.b * (0.25 + reach * (k + 1) / steps)
            veil = curves.within(head.inner * 0.9 + shift, head.inner, 0.03 * head.bpd)
            echo = head.brain + lift * (k + 1) / steps
            items.append(Shape("brain", veil, Tissue(echo, 0.01, 2.5, 1.5), 0.10 * head.bpd))
    outward = curves.normals(head.inner, closed=True) @ head.down
    near = head.inner[np.argsort(outward)[: len(outward) // 3]]
    near = near[np.argsort(near @ np.array([-head.down[1], head.down[0]]))]
    level = draw.uniform("brain.near_echo_level", -14, 7)
    gaps = np.cumsum(draw.uniforms("brain.near_echo_gaps", draw.integer("brain.near_echoes", 0, 4), 0.03, 0.12))
    for k, gap in enumerate(gaps):
        line = curves.within(near + head.down * gap * head.bpd, head.inner, 0.02 * head.bpd)
        items.append(Reflector(line, level - 3 * k, exponent=5, floor=0.05, roughness=5, thickness=0.02 * head.bpd))
    return items


def _sylvian(head: _Head, far: float) -> list[Shape | Reflector]:
    """The far Sylvian fissure as a notch below the bone, open or grown over, with a bright floor."""
    draw = head.draw
    if not draw.chance("brain.shows_sylvian", 0.5):
        return []
    start, end = draw.uniform("brain.sylvian_start", -0.45, -0.20), draw.uniform("brain.sylvian_end", -0.05, 0.25)
    floor, roof = draw.uniform("brain.sylvian_floor", 0.45, 0.60), draw.uniform("brain.sylvian_roof", 0.68, 0.85)
    knots = np.array([[start, roof], [start + 0.05, floor], [(start + end) / 2, floor - 0.03], [end, floor + 0.02]])
    knots = np.concatenate([knots, [[end + 0.04, roof]]]) * (1.0, far)
    notch = curves.within(head.at(curves.closed_spline(knots, 6)), head.inner, 0.03 * head.bpd)
    echo = head.brain + draw.uniform("brain.sylvian_lift", -10, 8)
    level = draw.uniform("brain.sylvian_level", -14, 3)
    edge = head.at(curves.open_spline(knots, 6))
    return [
        Shape("brain", notch, Tissue(echo, 0.0, 2.5), 0.02 * head.bpd),
        Reflector(curves.within(edge, head.inner, 0.03 * head.bpd), level, exponent=2.5, floor=0.2, roughness=5),
    ]


def _plexus(head: _Head, far: float) -> list[Shape | Reflector]:
    """The far choroid plexus as the bright lump that stands out in most frames, before the dark of its ventricle."""
    draw = head.draw
    x, y = draw.uniform("brain.plexus_x", 0.15, 0.50), draw.uniform("brain.plexus_y", 0.26, 0.50)
    long, broad = draw.uniform("brain.plexus_long", 0.08, 0.22), draw.uniform("brain.plexus_broad", 0.07, 0.17)
    angle = far * draw.uniform("brain.plexus_turn", -0.2, 0.7)
    fluid = head.blob("plexus_room", (x + 0.08, far * (y + 0.02)), (1.5 * long, 1.5 * broad), 0.06, angle)
    drop = head.blob("plexus", (x, far * y), (long, broad), 0.10, angle)
    dark = Tissue(head.brain - draw.uniform("brain.plexus_room_depth", 0, 12), -0.03, 1.5)
    bright = Tissue(min(head.brain + draw.uniform("brain.plexus_lift", 7, 20), 7.0), 0.02, 2.5)
    return [
        Shape("ventricle", curves.within(fluid, head.inner, 0.06 * head.bpd), dark, 0.02 * head.bpd),
        Shape("choroid plexus", curves.within(drop, head.inner, 0.05 * head.bpd), bright, 0.015 * head.bpd),
    ]


def _edge_shadows(head: _Head) -> list[Shape | Reflector]:
    """The beam is bent away where it grazes the skull: bone there is dim and throws a narrow, deep shadow."""
    draw = head.draw
    if not draw.chance("brain.edge_shadows", 0.5):
        return []
    loss = draw.log_uniform("brain.edge_loss", 0.8, 6.0)
    echo = head.brain + draw.uniform("brain.edge_echo", -6, 8)
    across = np.array([-head.down[1], head.down[0]])
    half = draw.integer("brain.edge_half", 2, 7)
    items: list[Shape | Reflector] = []
    for sign in (-1.0, 1.0):
        middle = int(np.argmax(sign * (head.contour @ across)))
        at = np.arange(middle - half, middle + half + 1) % len(head.contour)
        piece = np.concatenate([head.contour[at], head.inner[at][::-1]])
        items.append(Shape("skull", piece, Tissue(echo, loss * 2.0 / max(head.skull, 1.0), 2.0), 0.4 * head.skull))
    return items


def _mottles(head: _Head) -> list[Shape | Reflector]:
    """Broad lighter and darker areas: shadows of sutures, islands of denser tissue."""
    draw = head.draw
    count = draw.integer("brain.mottles", 2, 13)
    places = draw.uniforms("brain.mottle_places", 2 * count, -0.7, 0.7).reshape(-1, 2)
    sizes = draw.uniforms("brain.mottle_sizes", 2 * count, 0.06, 0.34).reshape(-1, 2)
    levels = draw.uniforms("brain.mottle_levels", count, -8, 10)
    items: list[Shape | Reflector] = []
    for k, (place, size, level) in enumerate(zip(places, sizes, levels, strict=True)):
        spot = curves.within(head.blob(f"mottle_{k}", place, size, 0.2, count=28), head.inner, 0.05 * head.bpd)
        items.append(Shape("brain", spot, Tissue(head.brain + level, 0.01, 2.5), 0.03 * head.bpd))
    return items


def _gyri(head: _Head, far: float) -> list[Shape | Reflector]:
    """Late in pregnancy: grainy cortex and branching fissures, brighter in the far half."""
    draw = head.draw
    if not draw.chance("brain.shows_gyri", float(np.interp(head.bpd, [45, 90], [0.05, 0.75]))):
        return []
    items: list[Shape | Reflector] = []
    grains = draw.integer("brain.grains", 10, 40)
    level = draw.uniform("brain.grain_level", -14, 3)
    for x, y, turn in draw.uniforms("brain.grain_places", 3 * grains, -1, 1).reshape(-1, 3):
        radius = np.sqrt(abs(x)) * 0.86
        spot = radius * np.array([np.cos(np.pi * y), np.sin(np.pi * y)])
        fainter = 6 * max(-far * spot[1], 0)
        line = head.at(spot) + curves.rotate(np.array([[-0.5, 0.0], [0.0, 0.1], [0.5, 0.0]]), np.pi * turn) * (
            0.035 * head.bpd
        )
        items.append(Reflector(line, level - fainter, exponent=2, floor=0.35, roughness=4))
    for k in range(draw.integer("brain.fissures", 0, 5)):
        start = draw.uniforms(f"brain.fissure_{k}_at", 2, -0.6, 0.6)
        steps = draw.normals(f"brain.fissure_{k}_steps", 8, 0.07).reshape(-1, 2)
        heading = draw.uniforms(f"brain.fissure_{k}_heading", 2, -0.12, 0.12)
        path = start + np.cumsum(steps + heading, axis=0)
        line = curves.within(head.at(curves.open_spline(path, 5)), head.inner, 0.06 * head.bpd)
        strength = draw.uniform(f"brain.fissure_{k}_level", -8, 10)
        items.append(Reflector(line, strength, exponent=3, floor=0.3, roughness=4, thickness=0.012 * head.bpd))
    return items


def _posterior_fossa(head: _Head) -> list[Shape | Reflector]:
    """Cerebellum like a dumb-bell, often tilted, its leaves as stripes, before the dark cisterna magna."""
    draw = head.draw
    place = draw.uniform("brain.cerebellum_place", 0.44, 0.64)
    tilt = draw.uniform("brain.cerebellum_tilt", -0.45, 0.45)
    lobe_length, lobe_breadth = (
        draw.uniform("brain.lobe_length", 0.12, 0.20),
        draw.uniform("brain.lobe_breadth", 0.19, 0.29),
    )
    centre = head.at((place, draw.uniform("brain.cerebellum_aside", -0.06, 0.06)))
    margin = 0.02 * head.bpd

    def put(points: np.ndarray) -> np.ndarray:
        return curves.within(curves.rotate(points, tilt) + centre, head.inner, margin)

    def oval(name: str, x: float, y: float, radii, amount: float) -> np.ndarray:
        shape = curves.ellipse((x * head.a, y * head.b), (radii[0] * head.a, radii[1] * head.b), count=48)
        return put(curves.lumpy(shape, draw.normals(f"brain.{name}_lumps", 8), amount))

    dark = Tissue(draw.uniform("brain.cistern_echo", -42, -20), -0.05, 1)
    depth = draw.uniform("brain.cistern_depth", 0.05, 0.16)
    spread = 1.7 * lobe_breadth
    items: list[Shape | Reflector] = [
        Shape(
            "ventricle",
            oval("cistern", lobe_length * 0.8, 0.0, (depth + 0.5 * lobe_length, spread), 0.06),
            dark,
            margin,
        )
    ]
    lift, rim = draw.uniform("brain.cerebellum_lift", 0, 13), draw.uniform("brain.cerebellum_rim", -8, 9)
    stripes = draw.integer("brain.leaves", 0, 3)
    stripe_level = draw.uniform("brain.leaf_level", -18, -2)
    for side, sign in (("left", -1.0), ("right", 1.0)):
        faint = draw.uniform(f"brain.{side}_lobe_faint", -6, 0)
        middle = sign * lobe_breadth
        lobe = oval(f"{side}_lobe", 0.0, middle, (lobe_length, lobe_breadth), 0.05)
        items.append(Shape("cerebellum", lobe, Tissue(head.brain + lift + faint, 0.01, 1.8), 0.012 * head.bpd))
        items.append(Reflector(lobe, rim + faint, closed=True, exponent=3, floor=0.25, roughness=4))
        for share in np.linspace(-0.6, 0.6, stripes):
            y = (middle + lobe_breadth * np.linspace(-0.7, 0.7, 8)) * head.b
            x = (share * lobe_length * np.sqrt(1 - np.linspace(-0.7, 0.7, 8) ** 2)) * head.a
            items.append(Reflector(put(np.stack([x, y], axis=1)), stripe_level + faint, floor=0.2, roughness=4))
    vermis = oval("vermis", -0.01, 0.0, (0.8 * lobe_length, 0.35 * lobe_breadth), 0.08)
    bright = head.brain + lift + draw.uniform("brain.vermis_lift", 0, 10)
    return [*items, Shape("cerebellum", vermis, Tissue(bright, 0.02, 2), 0.015 * head.bpd)]
