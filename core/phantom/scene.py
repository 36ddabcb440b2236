"""From a plane's anatomy to a picture: pose it, point the probe at it, surround it, image it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np

from core.phantom import acoustics, curves
from core.phantom.acoustics import Beam, FieldOfView, PolarGrid, Processing
from core.phantom.anatomy import Anatomy
from core.phantom.canvas import Canvas
from core.phantom.settings import Draw, declare_ranges
from core.phantom.surroundings import roughness_maps, surround

declare_ranges(
    {
        "scanner.axial_share": {"train": (0.0036, 0.0108), "unseen": (0.0028, 0.0035)},
        "scanner.lateral_ratio": {"train": (1.5, 3.0), "unseen": (3.05, 3.6)},
        "scanner.dynamic_range": {"train": (52.0, 74.0), "unseen": (74.5, 84.0)},
        "processing.gamma": {"train": (1.30, 2.50), "unseen": (2.55, 3.00)},
        "processing.sharpening": {"train": (0.0, 0.8), "unseen": (0.82, 1.2)},
        "processing.smoothing": {"train": (0.0, 0.85), "unseen": (0.86, 1.0)},
    }
)


PICTURE_HEIGHT_MM = (32.0, 210.0)
"""Depths that scanners show, from the strongest zoom to the whole belly."""


@dataclass(frozen=True)
class View:
    """How a plane is to be shown: the share of the picture its frame fills, and how it may be turned.

    `turn` is the deviation in degrees about the plane's own orientation, `any_turn` the share turned at random, `seen`
    the range of the share of the anatomy that must lie within the sector. `wider` draws a wider variety of fields of
    view and presets, for planes whose frames come from many scanners.
    """

    fill: tuple[float, float]
    turn: float
    any_turn: float
    seen: tuple[float, float]
    wider: bool = False


@dataclass(frozen=True)
class Picture:
    """An imaged scene: gray levels (H, W) uint8, labels (H, W) uint8, sector (H, W) bool, mm per pixel."""

    image: np.ndarray
    labels: np.ndarray
    sector: np.ndarray
    pixel_size_mm: float


def unit_field(draw: Draw, aspect: float, wider: bool = False) -> FieldOfView:
    """A field of view whose window is 1 high and `aspect` wide: convex, linear or trapezoid, whole or zoomed.

    Everything is in shares of the picture's height, so that depth and shape of the fan tell nothing of the plane.
    `wider` as in `View`.
    """
    shape = draw.choice("scanner.array", ["convex", "flat"], [0.80, 0.20] if wider else [0.90, 0.10])
    wanted = aspect * draw.uniform("scanner.fan_aspect", 0.90, 1.60)
    half = np.deg2rad(draw.normal("scanner.half_angle", 33, 11, 15, 60))
    if shape == "flat":
        slopes = ["1", "7", "14", "21"] if wider else ["1", "14"]
        half = np.deg2rad(float(draw.choice("scanner.trapezoid_degrees", slopes)))
        radius, near, far = max(wanted / 2 - np.tan(half), 0.25) / np.tan(half), 0.0, 1.0
    else:
        # Width 2 b sin(half) and height b - t cos(half) of a fan between radii t and b give the wanted aspect.
        inner = np.clip((1 - 2 * np.sin(half) / wanted) / np.cos(half), 0.16, 0.86)
        outer = 1 / (1 - inner * np.cos(half))
        zoomed = draw.chance("scanner.zoomed", 0.6)
        face = inner * outer * (draw.uniform("scanner.face_share", 0.3, 0.9) if zoomed else 1.0)
        radius, near, far = face, inner * outer - face, outer - face
    tilt = np.deg2rad(draw.normal("scanner.tilt", 0, 6, -16, 16)) if draw.chance("scanner.tilted", 0.35) else 0.0
    fan = FieldOfView(radius, shape == "flat", tilt - half, tilt + half, near, far)
    low, high = fan.outline().min(axis=0), fan.outline().max(axis=0)
    contain = max((high[0] - low[0]) / aspect, high[1] - low[1])
    cover = min((high[0] - low[0]) / aspect, high[1] - low[1])
    zoom = draw.uniform("scanner.cover", 0.15, 1.3)
    height = contain + (cover - contain) * min(zoom, 1.0)
    height *= 1 - draw.uniform("scanner.crop", 0.0, 0.30) * draw.chance("scanner.cropped", 0.75)
    slack = np.array([height * aspect, height]) - (high - low)
    share = np.array(
        [draw.normal("scanner.window_x", 0.5, 0.12, 0.2, 0.8), draw.normal("scanner.window_y", 0.5, 0.25, 0, 1)]
    )
    left, top = low - slack * share
    scale = 1 / height
    return FieldOfView(
        fan.radius * scale,
        fan.flat,
        fan.first_angle,
        fan.last_angle,
        fan.near * scale,
        fan.far * scale,
        left * scale,
        top * scale,
        aspect,
        1.0,
    )


def scaled(field: FieldOfView, factor: float) -> FieldOfView:
    """The same view in other units of length."""
    lengths = ("radius", "near", "far", "left", "top", "width", "height")
    return replace(field, **{name: getattr(field, name) * factor for name in lengths})


def place(
    draw: Draw, build: Callable[[np.ndarray], Anatomy], view: View, field: FieldOfView
) -> tuple[Anatomy, FieldOfView]:
    """Turn, mirror and place an anatomy in a field of view, and scale the field to it.

    Parameters
    ----------
    build: gives the anatomy when told the beam's direction in its own coordinates.
    field: as `unit_field` gives it.

    Returns
    -------
    The anatomy in the field's coordinates, and the field, both in millimetres.
    """
    if draw.chance("pose.any_turn", view.any_turn):
        turn = np.deg2rad(draw.uniform("pose.turn", -180, 180))
    else:
        turn = np.deg2rad(draw.normal("pose.turn", 0, view.turn, -2.5 * view.turn, 2.5 * view.turn))
    flip = np.array(
        [-1.0 if draw.chance("pose.mirrored", 0.5) else 1.0, -1.0 if draw.chance("pose.flipped", 0.5) else 1.0]
    )

    anatomy = build(curves.rotate(np.array([[0.0, 1.0]]), -turn)[0] * flip)
    warp = _irregular(draw, anatomy.frame)
    turned = anatomy.moved(lambda points: curves.rotate(warp(points) * flip, turn))
    low, high = turned.frame.min(axis=0), turned.frame.max(axis=0)
    fill = draw.uniform("pose.fill", *view.fill)
    height = max((high[0] - low[0]) / (fill * field.width), (high[1] - low[1]) / (fill * 1.05))
    height = float(np.clip(height, *PICTURE_HEIGHT_MM))
    middle = (low + high) / 2
    wanted = draw.uniform("pose.seen", *view.seen)
    # The mean of two draws: most people keep what they look at near the middle.
    offsets = draw.uniforms("pose.places", 96, 0.08, 0.92).reshape(2, -1, 2).mean(axis=0)
    for closer in 1.12 ** np.arange(8):  # step back until enough is seen
        shown = scaled(field, height * closer)
        spot, seen = _spot(turned.frame - middle, turned.key - middle, shown, offsets, wanted)
        if seen >= wanted:
            break
    return turned.moved(lambda points: points - middle + spot), shown


def _irregular(draw: Draw, frame: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """A smooth random deformation: no two sides of a body are alike, and no outline is a formula."""
    size = float(np.hypot(*(frame.max(axis=0) - frame.min(axis=0))))
    amount = draw.uniform("pose.warp", 0.002, 0.009) * size
    waves = draw.normals("pose.warp_waves", 16).reshape(4, 2, 2)
    phases = draw.uniforms("pose.warp_phases", 8, 0, 2 * np.pi).reshape(4, 2)
    numbers = waves * np.array([3.0, 5.0, 8.0, 12.0])[:, None, None] / size
    heights = amount * np.array([1.0, 0.7, 0.45, 0.3])

    def warp(points: np.ndarray) -> np.ndarray:
        angles = np.einsum("nc,wac->wna", points, numbers) + phases[:, None, :]
        return points + np.einsum("w,wna->na", heights, np.sin(angles))

    return warp


def _spot(
    frame: np.ndarray, key: np.ndarray, field: FieldOfView, offsets: np.ndarray, wanted: float
) -> tuple[np.ndarray, float]:
    """The first random place where enough of a frame and all of its key is seen, else the best; and how much is."""
    places = ((field.left, field.top) + offsets * (field.width, field.height)).astype(np.float32)
    shares = []
    for part in (frame, key):
        points = places[:, None, :] + part[None, :: max(len(part) // 16, 1)].astype(np.float32)
        shares.append(field.holds(points[..., 0], points[..., 1]).mean(axis=1))
    seen = np.minimum(shares[0], 1 - 2 * (1 - shares[1]))
    enough = np.flatnonzero(seen >= wanted)
    chosen = enough[0] if len(enough) else int(np.argmax(seen))
    return places[chosen], float(seen[chosen])


def scanner_beam(draw: Draw, field: FieldOfView) -> Beam:
    """A point spread function for a field of view in mm; its size is a share of the picture, alike for all planes."""
    axial = draw.setting("scanner.axial_share") * field.height
    lateral = axial * draw.setting("scanner.lateral_ratio")
    depth = field.far - field.near
    return Beam(
        axial=axial,
        axial_growth=draw.uniform("scanner.axial_growth", 1.0, 1.45),
        lateral=lateral,
        focus=field.near + depth * draw.uniform("scanner.focus", 0.25, 0.85),
        focal_length=depth * draw.uniform("scanner.focal_length", 0.30, 0.80),
        side_lobes=draw.uniform("scanner.side_lobes", 0.0, 0.05),
        looks=draw.integer("scanner.looks", 1, 4),
        video=draw.uniform("scanner.video", 0.2, 1.1),
    )


def scanner_processing(draw: Draw) -> Processing:
    """Smoothing, sharpening, gray map and compression of one scanner's preset."""
    compressed = draw.chance("processing.jpeg", 0.25)
    return Processing(
        smoothing=draw.setting("processing.smoothing"),
        blur=draw.uniform("processing.blur", 0.0, 1.0),
        sharpening=draw.setting("processing.sharpening"),
        detail=draw.uniform("processing.detail", 1.2, 3.2),
        gamma=draw.setting("processing.gamma"),
        contrast=draw.uniform("processing.contrast", 0.0, 0.7),
        black=draw.uniform("processing.black", 0.0, 0.04),
        quality=draw.integer("processing.jpeg_quality", 55, 95) if compressed else 100,
    )


def image_scene(
    anatomy: Anatomy,
    field: FieldOfView,
    draw: Draw,
    speckle: np.random.Generator,
    shape: tuple[int, int],
    wider: bool = False,
) -> Picture:
    """Surround an anatomy and image it at a given size.

    Parameters
    ----------
    anatomy, field: as `place` gives them.
    draw: source of surroundings and scanner.
    speckle: source of scatterers and noise.
    shape: rows and columns of the picture, with the window's aspect.
    wider: as in `View`.
    """
    around = surround(draw, anatomy, field)
    beam = scanner_beam(draw, field)
    processing = scanner_processing(draw)
    canvas = Canvas(field, shape, ("maternal tissue", around.ground))
    canvas.paint(around.behind)
    canvas.paint(anatomy.items)
    canvas.paint(around.before)
    patches, layers, drift = roughness_maps(draw, canvas, around.cavity)
    canvas.thicken(draw.uniform("scanner.slice_thickness", 0.005, 0.020), drift)
    canvas.roughen(patches, layers)
    rows, columns = shape
    grid = PolarGrid.fit(field, beam, max_rows=int(1.25 * rows) + 60, max_beams=int(0.85 * columns) + 60)
    levels = _echo_levels(canvas, grid, beam, draw, speckle, drift, processing.gamma)
    picture, sector = acoustics.scan_convert(levels, grid, shape)
    picture = acoustics.process(picture, processing)
    if wider:
        picture = _preset(draw, picture)
    image = acoustics.to_bytes(picture, processing.quality)
    if wider:
        image = _passed_on(draw, image)
    sector = sector & ~_black_boxes(draw, shape)
    return masked_picture(image, canvas.labels, sector, field.height / rows)


def _preset(draw: Draw, picture: np.ndarray) -> np.ndarray:
    """Presets of other makers on a processed picture in [0, 1]: dark or bright, veiled, flat or clipped."""
    picture = picture * draw.uniform("preset.brightness", 0.70, 1.40)
    if draw.chance("preset.veiled", 0.35):
        rows, columns = picture.shape
        corners = draw.uniforms("preset.veil", 9, 0.0, 0.16).reshape(3, 3).astype(np.float32)
        veil = cv2.resize(corners, (columns, rows), interpolation=cv2.INTER_CUBIC)
        picture = picture + np.maximum(veil, 0) * (1 - picture)
    if draw.chance("preset.flat", 0.25):
        middle = float(picture.mean())
        picture = middle + (picture - middle) * draw.uniform("preset.contrast", 0.55, 1.0)
    return np.clip(picture, 0, 1).astype(np.float32)


def _passed_on(draw: Draw, image: np.ndarray) -> np.ndarray:
    """What happens between scanner and archive: stored smaller, enlarged again, compressed once more."""
    if draw.chance("archive.stored_smaller", 0.30):
        factor = draw.uniform("archive.smaller", 0.40, 0.85)
        small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        image = cv2.resize(small, image.shape[::-1], interpolation=cv2.INTER_LINEAR)
    if draw.chance("archive.compressed", 0.25):
        ok, code = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, draw.integer("archive.quality", 30, 80)])
        image = cv2.imdecode(code, cv2.IMREAD_GRAYSCALE) if ok else image
    return image


def masked_picture(image: np.ndarray, labels: np.ndarray, sector: np.ndarray, pixel_size_mm: float) -> Picture:
    """A picture that is 0 outside the sector and at least 1 inside: scanners show the dimmest echo as near black."""
    image = np.where(sector, np.maximum(image, 1), 0).astype(np.uint8)
    return Picture(image, np.where(sector, labels, 0).astype(np.uint8), sector, pixel_size_mm)


def _echo_levels(
    canvas: Canvas,
    grid: PolarGrid,
    beam: Beam,
    draw: Draw,
    speckle: np.random.Generator,
    drift: np.ndarray,
    gamma: float,
) -> np.ndarray:
    """Compressed echo levels (R, B) in [0, 1]."""
    field = canvas.field
    maps = grid.sample(np.ascontiguousarray(canvas.tissue[..., :2]))
    echo, attenuation = maps[..., 0], maps[..., 1]
    strength = draw.uniform("scanner.loss_scale", 0.6, 1.25) * (60 / field.height) ** 0.5
    blur = draw.uniform("scanner.aperture", 0.004, 0.02) * grid.shape[1]
    loss = acoustics.accumulated_loss(attenuation * np.float32(strength), grid, blur)
    gain = _gain(draw, grid, speckle) - loss
    amplitude = 10 ** (echo / 20)
    coherent = canvas.reflections(grid, beam, speckle, drift * draw.uniform("scanner.reflector_drift", 2.0, 6.5))
    _near_field(draw, grid, beam, amplitude, speckle)
    transmitted = 10 ** (gain / 20)
    amplitude *= transmitted
    coherent *= transmitted
    _reverberate(draw, grid, amplitude, coherent)
    depth = np.linspace(0, 1, grid.shape[0], dtype=np.float32)[:, None]
    noise_floor = draw.uniform("scanner.noise_db", -52, -26) + draw.uniform("scanner.noise_rise", 0, 14) * depth
    levels = acoustics.envelope(speckle, grid, beam, amplitude, coherent, (10 ** (noise_floor / 20)).astype(np.float32))
    return acoustics.log_compress(levels, draw.setting("scanner.dynamic_range"), *_operator_gain(draw, levels, gamma))


def _operator_gain(draw: Draw, levels: np.ndarray, gamma: float) -> tuple[float, float]:
    """The gain that someone would dial in: an amplitude, and where between black (0) and white (1) to show it.

    Whoever scans turns the knob until bright tissue has a pleasant gray, whatever the plane.
    """
    share = draw.uniform("scanner.gain_percentile", 84, 93)
    amplitude = float(np.percentile(levels[::5, ::5], share))
    return amplitude, draw.uniform("scanner.gain_gray", 0.24, 0.50) ** (1 / gamma)


def _gain(draw: Draw, grid: PolarGrid, speckle: np.random.Generator) -> np.ndarray:
    """Gain in dB: slips of the depth sliders, weak beams at the sides, shadows cast by what lies above the picture."""
    rows, beams = grid.shape
    sliders = draw.normals("scanner.sliders", 6, draw.uniform("scanner.slider_slip", 0.5, 4.0))
    depth = np.interp(np.linspace(0, 5, rows), np.arange(6), sliders)
    depth += draw.uniform("scanner.near_gain", -3, 8) * np.exp(-np.linspace(0, 9, rows))
    depth -= draw.uniform("scanner.deep_loss", -2, 9) * np.clip(np.linspace(-0.8, 1, rows), 0, 1) ** 1.5
    across = np.linspace(0, 1, beams)
    ripple = speckle.standard_normal(beams // 5 + 3)
    line = draw.uniform("scanner.beam_ripple", 0.0, 0.9) * np.interp(
        np.linspace(0, len(ripple) - 1, beams), np.arange(len(ripple)), ripple
    )
    side = draw.uniform("scanner.side_width", 0.02, 0.30)
    for name, distance in (("left", across), ("right", 1 - across)):
        if draw.chance(f"scanner.{name}_side_dim", 0.35):
            line -= draw.uniform(f"scanner.{name}_side_loss", 3, 30) * np.exp(-((distance / side) ** 2))
    count = draw.choice("scanner.shadows", ["0", "1", "2", "3"], [0.45, 0.3, 0.15, 0.1])
    for k in range(int(count)):
        middle, width = (
            draw.uniform(f"scanner.shadow_{k}_at", 0, 1),
            draw.uniform(f"scanner.shadow_{k}_width", 0.015, 0.10),
        )
        line -= draw.uniform(f"scanner.shadow_{k}_depth", 3, 20) * np.exp(-(np.abs((across - middle) / width) ** 3))
    return (depth[:, None] + line[None, :]).astype(np.float32)


def _near_field(draw: Draw, grid: PolarGrid, beam: Beam, amplitude: np.ndarray, speckle: np.random.Generator) -> None:
    """Rings of reverberation under the probe's face, where the picture shows it."""
    if not draw.chance("scanner.has_rings", 0.6):
        return
    level = draw.uniform("scanner.ring_level", -6, 12)
    count = draw.integer("scanner.rings", 1, 6)
    places = np.cumsum(draw.uniforms("scanner.ring_gaps", count, 0.006, 0.05)) * grid.field.height
    weights = draw.uniforms("scanner.ring_weights", count, 0.2, 1.0) * 0.75 ** np.arange(count)
    width = draw.uniform("scanner.ring_width", 0.5, 1.6) * beam.axial
    rings = np.exp(-(((grid.depths[:, None] - places) / width) ** 2)) @ weights
    sides = np.interp(np.arange(grid.shape[1]), np.linspace(0, grid.shape[1] - 1, 9), speckle.uniform(0.1, 1.0, 9))
    amplitude += (10 ** (level / 20) * rings[:, None] * sides[None, :]).astype(np.float32)


def _reverberate(draw: Draw, grid: PolarGrid, amplitude: np.ndarray, coherent: np.ndarray) -> None:
    """Echoes that come back twice appear again deeper: the veil in the fluid under the near wall."""
    delay = draw.uniform("scanner.echo_delay", 0.04, 0.16) * grid.field.height
    rows = int(delay / grid.depth_step)
    share = 10 ** (draw.uniform("scanner.echo_share_db", -38, -16) / 20)
    ghost = cv2.blur(amplitude[:-rows] + 0.5 * np.abs(coherent[:-rows]), (9, 15))
    amplitude[rows:] += np.float32(share) * ghost


def _black_boxes(draw: Draw, shape: tuple[int, int]) -> np.ndarray:
    """Rectangles in corners that hide a patient's data, as in HC18."""
    rows, columns = shape
    covered = np.zeros(shape, bool)
    for name, bottom, right in (("top_right", False, True), ("bottom_right", True, True), ("bottom_left", True, False)):
        if draw.chance(f"boxes.{name}", 0.22):
            high = int(draw.uniform(f"boxes.{name}_height", 0.05, 0.22) * rows)
            wide = int(draw.uniform(f"boxes.{name}_width", 0.08, 0.27) * columns)
            covered[
                rows - high if bottom else 0 : rows if bottom else high,
                columns - wide if right else 0 : columns if right else wide,
            ] = True
    return covered
