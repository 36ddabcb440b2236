"""Two ways to bring phantoms nearer to real frames, the same for every plane, so that neither gives a class away.

``surroundings`` cuts a real frame (HC18, CC BY 4.0, training examinations only) free of its head and sets the
phantom's anatomy with what lies next to it into the gap. ``statistics`` leaves the phantom where it is and matches gray
levels and the spectrum of its texture to those of a real frame, as Fourier domain adaptation does (Yang and Soatto,
CVPR 2020), but only in fine detail, so that anatomy stays.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from core.datasets.hc18 import HC18, hc18_split
from core.errors import DatasetError, ParameterError
from core.phantom.anatomy import LABELS, declare_structures
from core.phantom.canvas import patch_noise
from core.phantom.generator import Phantom
from core.phantom.settings import Draw
from core.preprocessing import find_sector

MODES = ("surroundings", "statistics")
REAL = "real surroundings"
"""What label images call pixels that come from a real frame."""

ROWS = 400
"""Height of real frames here, that of phantoms in the shape of a scanner's crop."""

AROUND = ("maternal tissue", "uterine wall", "placenta", "amniotic fluid", "amnion", "cord", "body part")
"""Structures that surround an anatomy; everything else is anatomy."""

declare_structures([REAL])

_BLOCK = 64  # pixels; side of the blocks that a spectrum is averaged over
_COARSE = 8  # poses are searched on maps reduced by this factor
_POSES = 20
_FRAMES = 3
_HEAD_MARGIN = (1.08, 8)  # times its radius, and pixels: the skull's glow and the scalp lie outside HC18's ellipse
_CANDIDATES = 24
_LARGEST_HOLE = 0.5  # of the sector; larger heads leave little that is real


@dataclass(frozen=True)
class RealFrame:
    """A real frame of a head.

    Attributes
    ----------
    name: file name.
    gray: (H, W) uint8, black outside the sector.
    sector: (H, W) bool.
    head: ((x, y), (width, height), degrees) as OpenCV writes an ellipse, in pixels.
    """

    name: str
    gray: np.ndarray
    sector: np.ndarray
    head: tuple[tuple[float, float], tuple[float, float], float]


class RealBank:
    """Real frames to borrow surroundings and statistics from, each read when it is first asked for.

    Parameters
    ----------
    paths: HC18 frames with their ``*_Annotation.png`` beside them.

    Raises
    ------
    DatasetError: if there is none, an annotation is missing, or one belongs to a test examination.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = [Path(path) for path in paths]
        if not self.paths:
            raise DatasetError("There are no real frames to adapt phantoms to; give the folder of HC18 as published.")
        for path in self.paths:
            if hc18_split(path.name) == "test":
                raise DatasetError(
                    f"{path.name} is test data (its examination is a multiple of 5) and must not go into training "
                    "frames; leave it out."
                )
            if not annotation_of(path).is_file():
                raise DatasetError(
                    f"{annotation_of(path).name} is missing, so the head in {path.name} cannot be taken out; "
                    "unpack all of HC18's training set."
                )
        self.frame = lru_cache(maxsize=None)(self._read)

    @classmethod
    def read(cls, folder: Path | str) -> RealBank:
        """All frames of the training examinations in a folder of HC18 as published.

        Raises
        ------
        DatasetError: if the folder is not HC18 as published.
        """
        folder = Path(folder)
        if not HC18().recognises(folder):
            raise DatasetError(f"{folder} does not hold HC18 as published; get it with: datasets download hc18.")
        return cls(HC18().read(folder, "brain").where(split="train").paths)

    def __len__(self) -> int:
        return len(self.paths)

    def _read(self, index: int) -> RealFrame:
        path = self.paths[index]
        gray, outline = (_read_gray(file) for file in (path, annotation_of(path)))
        points = np.argwhere(outline > 127)[:, ::-1]
        if len(points) < 5:
            raise DatasetError(f"{annotation_of(path).name} holds no ellipse; unpack HC18's training set again.")
        sector = _without_gaps(find_sector(gray).mask)
        scale = ROWS / gray.shape[0]
        size = (round(gray.shape[1] * scale), ROWS)
        (x, y), axes, angle = cv2.fitEllipse(points.astype(np.float32))
        head = ((x * scale, y * scale), (axes[0] * scale, axes[1] * scale), angle)
        gray = cv2.resize(np.where(sector, gray, 0), size, interpolation=cv2.INTER_AREA)
        sector = cv2.resize(sector.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
        return RealFrame(path.name, np.where(sector, gray, 0).astype(np.uint8), sector, head)


def annotation_of(path: Path) -> Path:
    """HC18's file with the head's outline as an ellipse."""
    return path.with_name(f"{path.stem}_Annotation.png")


def _read_gray(path: Path) -> np.ndarray:
    pixels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if pixels is None:
        raise DatasetError(f"{path} cannot be read as an image; download HC18 again.")
    return pixels


def _without_gaps(mask: np.ndarray) -> np.ndarray:
    """A mask with all that it encloses."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(np.zeros(mask.shape, np.uint8), contours, -1, 1, cv2.FILLED) > 0


def adapt(phantom: Phantom, bank: RealBank, seed: int, mode: str) -> Phantom:
    """A phantom brought nearer to real frames; the same arguments give the same pixels.

    Parameters
    ----------
    phantom: best in the shape of a scanner's crop (`generate` with size None).
    bank: the real frames.
    seed: whole number, 0 or more, of the choice of frame, pose and strength.
    mode: one of `MODES`.

    Returns
    -------
    The adapted phantom: with *surroundings* in the real frame's shape and sector, and `REAL` in its labels. Its
    parameters gain ``adaptation.*``, among them ``adaptation.real``, the real frame's file name.

    Raises
    ------
    ParameterError: for an unknown mode or seed.
    """
    if mode not in MODES:
        raise ParameterError(f"There is no way to adapt phantoms called {mode!r}; use one of {', '.join(MODES)}.")
    if isinstance(seed, bool) or int(seed) != seed or seed < 0:
        raise ParameterError(f"The seed {seed!r} is not a whole number of 0 or more; choose another one.")
    name = zlib.crc32(f"adaptation/{phantom.plane}/{phantom.settings}/{mode}".encode())
    draw = Draw(np.random.default_rng(np.random.SeedSequence((int(seed), int(phantom.seed), name))))
    adapted = _set_among_real(phantom, bank, draw) if mode == "surroundings" else _with_statistics(phantom, bank, draw)
    return replace(adapted, parameters={**phantom.parameters, **draw.parameters, "adaptation.mode": mode})


# --- gray levels and texture -----------------------------------------------------------------------------------------


def _with_statistics(phantom: Phantom, bank: RealBank, draw: Draw) -> Phantom:
    real = bank.frame(draw.integer("adaptation.frame", 0, len(bank) - 1))
    draw.parameters["adaptation.real"] = real.name
    texture = draw.uniform("adaptation.texture_strength", 0.2, 1.0)
    image = match_texture(phantom.image, phantom.sector, real.gray, real.sector & ~_hole(real), texture)
    grays = draw.uniform("adaptation.gray_strength", 0.2, 1.0)
    image = match_gray(image, phantom.sector, real.gray, real.sector, grays)
    image = np.where(phantom.sector, np.maximum(image, 1), 0).astype(np.uint8)
    return replace(phantom, image=image)


def match_gray(
    gray: np.ndarray, inside: np.ndarray, reference: np.ndarray, reference_inside: np.ndarray, strength: float
) -> np.ndarray:
    """Histogram matching by a share from 0 (not at all) to 1: a gray level moves that far towards that of equal rank.

    Parameters
    ----------
    gray, reference: (H, W) uint8, may differ in size.
    inside, reference_inside: bool, the pixels that count.

    Returns
    -------
    (H, W) uint8, black where it was black.
    """
    levels = np.arange(256)
    ranks = [np.bincount(image[mask], minlength=256) for image, mask in ((gray, inside), (reference, reference_inside))]
    if not (ranks[0].sum() and ranks[1].sum()):
        return gray
    own, other = ((np.cumsum(counts) - 0.5 * counts) / counts.sum() for counts in ranks)
    present = ranks[1] > 0
    wanted = np.interp(own, other[present], levels[present])
    # Steep tables turn speckle into blots, crush dark tissue and lift fluid to a flat gray: slopes and gains are
    # limited, and black stays black.
    anchor = int(np.searchsorted(own, 0.7))
    slopes = np.clip(np.diff(wanted), 0.4, 2.0)
    rising = np.concatenate([[0.0], np.cumsum(slopes)])
    wanted = np.clip(wanted[anchor] + rising - rising[anchor], 0.5 * levels, 2 * levels + 8)
    table = levels + strength * np.minimum(levels / 24, 1) * (wanted - levels)
    return cv2.LUT(gray, np.clip(np.rint(table), 0, 255).astype(np.uint8))


def match_texture(
    gray: np.ndarray, inside: np.ndarray, reference: np.ndarray, reference_inside: np.ndarray, strength: float
) -> np.ndarray:
    """Detail finer than 20 pixels amplified or damped towards the spectrum of another image, by a share from 0 to 1.

    Both directions count apart, for speckle is longer across the beam than along it.

    Parameters
    ----------
    gray, reference: (H, W) uint8, may differ in size; they are compared per pixel.
    inside, reference_inside: bool, the pixels that count.

    Returns
    -------
    (H, W) uint8; pixels outside are as they were, and so is everything where either image has no room for a block.
    """
    own, other = texture_spectrum(gray, inside), texture_spectrum(reference, reference_inside)
    if own is None or other is None:
        return gray
    gain = np.clip((other / own) ** (strength / 2), 0.6, 1.8)
    rows, columns = (cv2.getOptimalDFTSize(side + _BLOCK) for side in gray.shape)
    mean = float(gray[inside].mean())
    padded = np.zeros((rows, columns), np.float32)
    padded[: gray.shape[0], : gray.shape[1]] = np.where(inside, gray, mean) - mean
    across, down = np.fft.rfftfreq(columns), np.fft.fftfreq(rows)
    shifted = np.fft.fftshift(gain).astype(np.float32)
    shifted = np.pad(shifted, ((0, 1), (0, 1)), mode="wrap")
    at_x = np.broadcast_to(across * _BLOCK + _BLOCK / 2, (rows, len(across))).astype(np.float32)
    at_y = np.broadcast_to((down * _BLOCK + _BLOCK / 2)[:, None], (rows, len(across))).astype(np.float32)
    response = cv2.remap(shifted, at_x, at_y, cv2.INTER_LINEAR)
    frequency = np.hypot(across[None, :], down[:, None])
    fine = np.clip((frequency - 1 / 40) / (1 / 20 - 1 / 40), 0, 1)
    filtered = np.fft.irfft2(np.fft.rfft2(padded) * (1 + fine * (response - 1)), s=padded.shape)
    result = filtered[: gray.shape[0], : gray.shape[1]] + mean
    return np.where(inside, np.clip(np.rint(result), 0, 255), gray).astype(np.uint8)


def texture_spectrum(gray: np.ndarray, inside: np.ndarray) -> np.ndarray | None:
    """Power of the contrast over blocks of 64 pixels that lie inside (Welch 1967): (64, 64), or None without such.

    Each block is divided by its mean, so that brightness does not count.
    """
    step = _BLOCK // 2
    window = np.hanning(_BLOCK)[:, None] * np.hanning(_BLOCK)
    powers = []
    for top in range(0, gray.shape[0] - _BLOCK + 1, step):
        for left in range(0, gray.shape[1] - _BLOCK + 1, step):
            area = np.s_[top : top + _BLOCK, left : left + _BLOCK]
            if inside[area].mean() < 0.98:
                continue
            block = gray[area].astype(np.float64)
            mean = block.mean()
            if mean < 6:
                continue
            powers.append(np.abs(np.fft.fft2((block / mean - 1) * window)) ** 2)
    if not powers:
        return None
    # Below the median, for a few blocks with bone and edges in them would outweigh all speckle.
    typical = np.fft.fftshift(np.percentile(powers, 40, axis=0))
    typical = cv2.GaussianBlur(typical, (0, 0), 1.5, borderType=cv2.BORDER_REFLECT_101)
    return np.fft.ifftshift(typical) + 1e-4


# --- real surroundings -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Pose:
    """A real frame as it is shown, and where the phantom comes to lie in it (2x3 matrix)."""

    real: RealFrame
    matrix: np.ndarray
    cost: float
    name: str  # of the frame's parameters


def _set_among_real(phantom: Phantom, bank: RealBank, draw: Draw) -> Phantom:
    anatomy = anatomy_mask(phantom)
    poses = [
        _best_pose(phantom, anatomy, frame, draw, k) for k, frame in enumerate(_usable_frames(bank, draw, anatomy))
    ]
    pose = min(poses, key=lambda one: one.cost)
    real = pose.real
    draw.parameters["adaptation.real"] = real.name
    draw.parameters["adaptation.shown"] = pose.name
    draw.parameters["adaptation.matrix"] = pose.matrix.ravel().tolist()
    size = real.gray.shape[::-1]
    scale = float(np.hypot(pose.matrix[0, 0], pose.matrix[1, 0]))
    image = _warp(phantom.image, pose.matrix, size)
    covered = _warp_mask(phantom.sector, pose.matrix, size)
    hole = _hole(real)
    texture = draw.uniform("adaptation.texture_strength", 0.6, 1.0)
    image = match_texture(image, covered, real.gray, real.sector & ~hole, texture)
    grays = draw.uniform("adaptation.gray_strength", 0.5, 0.95)
    image = match_gray(image, covered, real.gray, real.sector, grays)
    moved = _warp_mask(anatomy, pose.matrix, size)
    share = _share_of_phantom(hole, moved, covered, draw)
    plate = _without_head(real)
    picture = blend(plate, image.astype(np.float32), share, covered, real.sector)
    picture = np.where(real.sector, np.maximum(np.rint(np.clip(picture, 0, 255)), 1), 0).astype(np.uint8)
    labels = cv2.warpAffine(phantom.labels, pose.matrix, size, flags=cv2.INTER_NEAREST)
    labels = np.where((share > 0.5) & (labels > 0), labels, LABELS[REAL])
    labels = np.where(real.sector, labels, 0).astype(np.uint8)
    present = np.bincount(labels.ravel(), minlength=max(LABELS.values()) + 1)
    return replace(
        phantom,
        image=picture,
        labels=labels,
        structures={name: value for name, value in LABELS.items() if present[value]},
        sector=real.sector,
        pixel_size_mm=phantom.pixel_size_mm / scale,
    )


def anatomy_mask(phantom: Phantom) -> np.ndarray:
    """(H, W) bool: the largest connected piece of what is neither mother, fluid, cord nor a neighbouring part."""
    around = [0, LABELS[REAL], *(LABELS[name] for name in AROUND)]
    mask = (~np.isin(phantom.labels, around)).astype(np.uint8)
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    count, pieces, boxes, _ = cv2.connectedComponentsWithStats(mask)
    if count < 2:
        return phantom.sector.copy()
    return pieces == 1 + int(boxes[1:, cv2.CC_STAT_AREA].argmax())


def _usable_frames(bank: RealBank, draw: Draw, anatomy: np.ndarray) -> list[RealFrame]:
    """Of some random frames those whose head is nearest to the anatomy in size and leaves surroundings in view."""
    order = np.argsort(draw.generator.random(len(bank)))[:_CANDIDATES]
    size = _extent(anatomy)[1]
    usable = []
    for index in order:
        frame = bank.frame(int(index))
        head = np.pi / 4 * np.prod(frame.head[1])
        full = max(0.0, head / max(np.count_nonzero(frame.sector), 1) - _LARGEST_HOLE)
        usable.append((abs(np.log(np.sqrt(head) / size)) + 8 * full, index))
    return [bank.frame(int(index)) for _, index in sorted(usable)[:_FRAMES]]


def _extent(mask: np.ndarray) -> tuple[tuple[float, float], float]:
    """Middle (x, y) of the smallest rectangle around a mask, and the root of the area of the ellipse in it."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    middle, sides, _ = cv2.minAreaRect(cv2.convexHull(np.concatenate(contours)))
    return middle, max(float(np.sqrt(np.pi / 4 * np.prod(sides))), 1.0)


def _best_pose(phantom: Phantom, anatomy: np.ndarray, frame: RealFrame, draw: Draw, number: int) -> _Pose:
    """A frame shown at random, and the best of several random places of the phantom in it."""
    name = f"adaptation.frame_{number}"
    mirrored = draw.chance(f"{name}_mirrored", 0.5)
    # Boxes blackened out of a frame's corners are upright, so most frames stay so.
    turn = draw.normal(f"{name}_turn", 0, 5, -9, 9) if draw.chance(f"{name}_turned", 0.35) else 0.0
    zoom = draw.log_uniform(f"{name}_zoom", 0.9, 1.35)
    real = shown(frame, shown_matrix(frame, mirrored, turn, zoom))
    share = np.pi / 4 * np.prod(real.head[1])
    (x, y), extent = _extent(anatomy)
    fitting = np.sqrt(share) / extent
    size = tuple(side // _COARSE for side in real.gray.shape[::-1])
    sector = cv2.resize(real.sector.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    hole = _hole(real).astype(np.uint8)
    hole = cv2.resize(hole, size, interpolation=cv2.INTER_NEAREST) > 0
    hole &= sector
    rim = phantom.sector & (cv2.erode(np.pad(phantom.sector.astype(np.uint8), 1), np.ones((9, 9)))[1:-1, 1:-1] == 0)
    cut = rim & anatomy
    perimeter = 9 * 4 * np.sqrt(np.count_nonzero(anatomy)) / 2  # as thick as the rim
    maps = [part.astype(np.uint8) * 255 for part in (phantom.sector, anatomy, cut)]
    poses = []
    for scale, turn, across, down in _tries(draw, name):
        matrix = cv2.getRotationMatrix2D((x, y), turn, fitting * scale)
        matrix[:, 2] += np.array(real.head[0]) - (x, y) + np.array([across, down]) * np.sqrt(share)
        coarse = matrix / _COARSE
        seen, body, edge = (cv2.warpAffine(part, coarse, size, flags=cv2.INTER_LINEAR) / 255 for part in maps)
        bare = np.sum(hole * (1 - seen)) / max(hole.sum(), 1)
        size_there = fitting * scale
        visible_cut = np.sum(edge * sector) * _COARSE**2 / (perimeter * size_there**2)
        clipped = 1 - np.sum(body * sector) / max(np.sum(anatomy) * (fitting * scale) ** 2 / _COARSE**2, 1e-6)
        missed = np.sum(hole * (1 - body)) / max(hole.sum(), 1)
        real_share = np.sum(sector & ~hole & (body < 0.5)) / max(sector.sum(), 1)
        cost = 2 * bare + 3 * visible_cut + 2 * max(0.0, clipped - 0.15) + 2 * max(0.0, 0.3 - real_share)
        cost += 0.8 * missed + max(0.0, np.log(size_there / 1.1))  # enlarged speckle is coarse
        poses.append(_Pose(real, matrix, float(cost), name))
    return min(poses, key=lambda one: one.cost)


def _tries(draw: Draw, name: str) -> np.ndarray:
    """Scale, turn and offset to be tried, (N, 4): the first ones near the fitting place, later ones further off."""
    generator = draw.generator
    wide = np.linspace(0.3, 1.0, _POSES)
    scale = np.exp(generator.uniform(-0.25, 0.55, _POSES) * wide)
    turn = generator.uniform(-18, 18, _POSES)
    offsets = generator.uniform(-0.45, 0.45, (2, _POSES)) * wide
    return np.column_stack([1.05 * scale, turn, *offsets])


def shown_matrix(frame: RealFrame, mirrored: bool, turn: float, zoom: float) -> np.ndarray:
    """Matrix (2, 3) that mirrors, turns (degrees) and zooms a frame about a point between its middle and its head."""
    middle = np.array(frame.gray.shape[::-1]) / 2
    mirror = np.array([-1.0 if mirrored else 1.0, 1.0])
    matrix = cv2.getRotationMatrix2D((0, 0), turn, zoom)[:, :2] * mirror
    pivot = (middle + frame.head[0]) / 2
    shown_at = middle + (pivot - middle) * mirror / 2
    return np.column_stack([matrix, shown_at - matrix @ pivot])


def shown(frame: RealFrame, matrix: np.ndarray) -> RealFrame:
    """The frame under an affine map, in a picture of the same size."""
    size = frame.gray.shape[::-1]
    sector = _warp_mask(frame.sector, matrix, size)
    gray = np.where(sector, _warp(frame.gray, matrix, size), 0).astype(np.uint8)
    turns = np.linspace(0, 2 * np.pi, 73)
    outline = _ellipse_points(frame.head, np.column_stack([np.cos(turns), np.sin(turns)]))
    return RealFrame(
        frame.name, gray, sector, cv2.fitEllipse((outline @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32))
    )


def _ellipse_points(ellipse, unit: np.ndarray) -> np.ndarray:
    """Points (N, 2) of the unit disc moved onto an ellipse as OpenCV writes it."""
    centre, axes, angle = ellipse
    turn = np.deg2rad(angle)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return (unit * (np.array(axes) / 2)) @ rotation.T + centre


def _ellipse_radius(ellipse, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distance (H, W) from an ellipse's centre in its radii, and the offsets x, y from its centre."""
    (x, y), axes, angle = ellipse
    turn = np.deg2rad(angle)
    down, across = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    across -= np.float32(x)
    down -= np.float32(y)
    along = across * np.float32(np.cos(turn)) + down * np.float32(np.sin(turn))
    aside = down * np.float32(np.cos(turn)) - across * np.float32(np.sin(turn))
    radius = np.sqrt((2 * along / axes[0]) ** 2 + (2 * aside / axes[1]) ** 2)
    return radius, across, down


def _margin(real: RealFrame) -> float:
    """How many radii from its centre the last trace of a head ends."""
    factor, pixels = _HEAD_MARGIN
    return factor + 2 * pixels / float(np.sqrt(np.prod(real.head[1])))


def _hole(real: RealFrame) -> np.ndarray:
    return _ellipse_radius(real.head, real.gray.shape)[0] <= _margin(real)


def _without_head(real: RealFrame) -> np.ndarray:
    """The frame with its surroundings mirrored inwards where the head was, (H, W) float32."""
    margin = _margin(real)
    radius, across, down = _ellipse_radius(real.head, real.gray.shape)
    outward = np.where(radius < margin, (2 * margin - radius) / np.maximum(radius, 0.05), 1.0).astype(np.float32)
    (x, y), _, _ = real.head
    at_x, at_y = np.float32(x) + across * outward, np.float32(y) + down * outward
    gray = real.gray.astype(np.float32)
    sector = real.sector.astype(np.float32)
    plate = cv2.remap(gray, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    known = cv2.remap(sector, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    ring = real.sector & (radius >= margin)
    level = gray[ring].mean() if ring.any() else 30.0
    width = 0.15 * float(np.sqrt(np.prod(real.head[1])))
    smooth = (_smooth(gray * ring, width) + 1e-3 * level) / (_smooth(sector * ring, width) + 1e-3)
    return np.where(radius < margin, plate * known + smooth * (1 - known), gray)


def _share_of_phantom(hole: np.ndarray, anatomy: np.ndarray, covered: np.ndarray, draw: Draw) -> np.ndarray:
    """How much of each pixel comes from the phantom, (H, W) float32 in [0, 1], with a soft and irregular edge."""
    reach = float(np.sqrt(np.count_nonzero(hole) / np.pi))
    margin = draw.log_uniform("adaptation.margin", 0.01, 0.10) * reach
    width = draw.uniform("adaptation.seam_width", 0.05, 0.14) * reach
    noise = patch_noise(draw.generator, hole.shape, (0.12, 0.05))
    # An even rim of fluid around a body would look pasted.
    wanted = hole | (_distance(~anatomy) < 2 + margin * np.clip(1 + 0.5 * noise, 0, 2))
    signed = _distance(wanted) - _distance(~wanted)
    edge = signed + np.abs(noise) * draw.uniform("adaptation.seam_waves", 0.02, 0.07) * reach + 0.5 * width
    share = _smooth_step(edge / width)
    within = _distance(np.pad(covered, 1))[1:-1, 1:-1] - 2 + 0.25 * width * np.minimum(noise, 0)
    return (share * _smooth_step(within / width)).astype(np.float32)


def _distance(mask: np.ndarray) -> np.ndarray:
    """Distance in pixels of every pixel in a mask from its outside; 0 outside."""
    return cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5)


def _smooth_step(value: np.ndarray) -> np.ndarray:
    value = np.clip(value, 0, 1)
    return value * value * (3 - 2 * value)


def blend(
    plate: np.ndarray, image: np.ndarray, share: np.ndarray, covered: np.ndarray, sector: np.ndarray
) -> np.ndarray:
    """Both pictures joined; the phantom's brightness bends to the plate's along the seam and is its own further in."""
    seam = (share > 0.02) & (share < 0.98) & covered & sector
    if seam.any():
        width = 0.04 * plate.shape[0]
        near = cv2.dilate(seam.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
        weight = (near & covered & sector).astype(np.float32)
        real, own, amount = (_smooth(part * weight, width) for part in (plate, image, np.ones_like(image)))
        amount = amount + 1e-6
        logarithm = np.log((real / amount + 4) / (own / amount + 4))
        away = _distance(~seam)
        fading = np.exp(-((away / (0.09 * plate.shape[0])) ** 2))
        image = (image + 2) * np.exp(np.clip(logarithm, -1.0, 0.7) * fading) - 2
    mixed = share * image + (1 - share) * plate
    # Averaging two speckle patterns dulls them; give the detail its strength back.
    smooth = cv2.GaussianBlur(mixed, (0, 0), 3.0)
    strength = 1 / np.sqrt(share**2 + (1 - share) ** 2)
    return smooth + (mixed - smooth) * strength


def _smooth(image: np.ndarray, deviation: float) -> np.ndarray:
    """A wide Gaussian blur, at a quarter of the size."""
    rows, columns = image.shape
    small = cv2.resize(image, (columns // 4 + 1, rows // 4 + 1), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), deviation / 4)
    return cv2.resize(small, (columns, rows), interpolation=cv2.INTER_LINEAR)


def _warp(image: np.ndarray, matrix: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if scale < 0.8:  # or speckle would alias
        image = cv2.GaussianBlur(image, (0, 0), 0.4 / scale)
    return cv2.warpAffine(image, matrix, size, flags=cv2.INTER_CUBIC)


def _warp_mask(mask: np.ndarray, matrix: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return cv2.warpAffine(mask.astype(np.uint8), matrix, size, flags=cv2.INTER_NEAREST) > 0
