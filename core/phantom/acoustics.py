"""How a scanner sees tissue: the convolution model, from scatterers to gray levels on the screen.

Echoes are complex numbers on a polar grid (depth x beam). Random scatterers times echogenicity, plus coherent
reflectors, are convolved with a point spread function that widens away from the focus; magnitude gives the envelope;
attenuation, shadow, enhancement and gain act on it; logarithmic compression, the scanner's own smoothing and
sharpening and a gray map follow, and the scan converter lays the beams out as a sector.

Sources: Meunier and Bertrand (1995), "Ultrasonic texture motion analysis: theory and simulation" for the convolution
model; Burckhardt (1978), "Speckle in ultrasound B-mode scans" for the statistic 1.91 of fully developed speckle.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from scipy import fft

SPECKLE_MEAN_OVER_DEVIATION = float(np.sqrt(np.pi / (4 - np.pi)))  # 1.913, Rayleigh amplitudes
FULL_WIDTH = 2 * float(np.sqrt(2 * np.log(2)))  # full width at half maximum of a Gaussian, in deviations


@dataclass(frozen=True)
class FieldOfView:
    """The region a probe insonifies and the rectangle of it that is shown.

    Origin in the middle of the probe's face, y downwards, millimetres. Beams start at a virtual apex `radius` above
    it: on a convex probe the face is an arc about that apex, on a flat one (linear, trapezoid) a straight line.
    """

    radius: float
    flat: bool
    first_angle: float  # radians, 0 straight down, positive to the right
    last_angle: float
    near: float  # depths shown, mm from the face along the beam
    far: float
    left: float = 0.0  # the window shown, mm
    top: float = 0.0
    width: float = 1.0
    height: float = 1.0

    def start(self, angle):
        """Distance from the apex to the probe's face along a beam."""
        return self.radius / np.cos(angle) if self.flat else self.radius

    def to_beam(self, x, y):
        """Beam angle and depth of points."""
        below = y + self.radius
        angle = np.arctan2(x, below)
        return angle, np.hypot(x, below) - self.start(angle)

    def from_beam(self, angle, depth):
        """Points at depths along beams."""
        distance = self.start(angle) + depth
        return np.sin(angle) * distance, np.cos(angle) * distance - self.radius

    def holds(self, x, y, beam=None):
        """Which points lie in the insonified region and in the window; `beam` is `to_beam` of them if known."""
        angle, depth = self.to_beam(x, y) if beam is None else beam
        in_window = (x >= self.left) & (x <= self.left + self.width) & (y >= self.top) & (y <= self.top + self.height)
        in_fan = (angle >= self.first_angle) & (angle <= self.last_angle) & (depth >= self.near) & (depth <= self.far)
        return in_fan & in_window

    def pixel_positions(self, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """x (1, W) and y (H, 1) in mm of the pixel centres of a picture of the window."""
        rows, columns = shape
        x = self.left + (np.arange(columns, dtype=np.float32) + 0.5) * (self.width / columns)
        y = self.top + (np.arange(rows, dtype=np.float32) + 0.5) * (self.height / rows)
        return x[None, :], y[:, None]

    def outline(self, count: int = 40) -> np.ndarray:
        """Closed outline (N, 2) of the insonified region, before the window cuts it."""
        angles = np.linspace(self.first_angle, self.last_angle, count)
        depths = np.linspace(self.near, self.far, count)
        sides = [
            self.from_beam(angles, np.full(count, self.near)),
            self.from_beam(np.full(count, self.last_angle), depths),
            self.from_beam(angles[::-1], np.full(count, self.far)),
            self.from_beam(np.full(count, self.first_angle), depths[::-1]),
        ]
        return np.concatenate([np.stack(side, axis=1) for side in sides])


@dataclass(frozen=True)
class Beam:
    """The point spread function. Widths are full widths at half maximum in mm."""

    axial: float
    axial_growth: float  # factor from the near to the far end: deep echoes have lost their high frequencies
    lateral: float  # in the focus
    focus: float  # depth, mm
    focal_length: float  # mm from the focus to where the beam is wider by the square root of two
    side_lobes: float = 0.0  # share of amplitude that leaks sideways
    looks: int = 1  # averaged views (spatial compounding)
    video: float = 0.0  # smoothing of the envelope, as a share of the point spread function's width

    def lateral_at(self, depth):
        """Lateral width at depths, mm."""
        return self.lateral * np.sqrt(1 + ((depth - self.focus) / self.focal_length) ** 2)


@dataclass(frozen=True)
class PolarGrid:
    """Samples of a field of view: `depths` (R,) in mm and `angles` (B,) in radians, both evenly spaced."""

    field: FieldOfView
    depths: np.ndarray
    angles: np.ndarray

    @classmethod
    def fit(cls, field: FieldOfView, beam: Beam, max_rows: int, max_beams: int) -> PolarGrid:
        """A grid fine enough for the beam and no finer than the limits, with a margin on all sides."""
        first, last, near, far = _visible(field)
        margin = 1.5 * beam.axial
        rows = int(np.clip((far - near + 2 * margin) / (0.36 * beam.axial), 160, max_rows))
        depths = np.linspace(near - margin, far + margin, rows)
        # The narrowest beam, seen as an angle, decides how many are needed.
        distance = np.maximum(field.radius + depths, 1.0)
        narrowest = float(np.min(beam.lateral_at(depths) / distance))
        spread = last - first
        beams = int(np.clip(1.08 * spread / (0.42 * narrowest), 96, max_beams))
        middle = (first + last) / 2
        angles = middle + np.linspace(-0.54, 0.54, beams) * spread
        return cls(field, depths.astype(np.float32), angles.astype(np.float32))

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.depths), len(self.angles)

    @property
    def depth_step(self) -> float:
        return float(self.depths[1] - self.depths[0])

    @property
    def angle_step(self) -> float:
        return float(self.angles[1] - self.angles[0])

    @cached_property
    def beam_spacing(self) -> np.ndarray:
        """Distance between neighbouring beams at every depth (R,), mm."""
        return np.maximum(self.field.radius + self.depths, 1.0) * self.angle_step

    def indices(self, angle, depth):
        """Fractional row and column of points given by their beam's angle and depth."""
        return (depth - self.depths[0]) / self.depth_step, (angle - self.angles[0]) / self.angle_step

    def sample(self, maps: np.ndarray) -> np.ndarray:
        """Read maps (H, W, C) that cover the field's window at the grid's samples: (R, B, C)."""
        rows, columns = maps.shape[:2]
        x, y = self.field.from_beam(self.angles[None, :], self.depths[:, None])
        column = ((x - self.field.left) * (columns / self.field.width) - 0.5).astype(np.float32)
        row = ((y - self.field.top) * (rows / self.field.height) - 0.5).astype(np.float32)
        return cv2.remap(maps, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _visible(field: FieldOfView) -> tuple[float, float, float, float]:
    """First and last angle and depth of the part of the fan that the window shows."""
    x, y = field.pixel_positions((48, 48))
    angle, depth = field.to_beam(x, y)
    shown = field.holds(x, y)
    if not shown.any():
        return field.first_angle, field.last_angle, field.near, field.far
    step = field.height / 48
    return (
        max(field.first_angle, float(angle[shown].min()) - 0.02),
        min(field.last_angle, float(angle[shown].max()) + 0.02),
        max(field.near, float(depth[shown].min()) - step),
        min(field.far, float(depth[shown].max()) + step),
    )


def scatterers(generator: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Echoes of very many small scatterers in every sample: circular complex noise of unit power, complex64."""
    noise = generator.standard_normal((*shape, 2), dtype=np.float32)
    noise *= np.float32(np.sqrt(0.5))
    return noise.view(np.complex64)[..., 0]


def _kernel(deviation: float) -> np.ndarray:
    """Gaussian of unit energy, so that white noise of unit power keeps it."""
    reach = max(int(np.ceil(3.2 * deviation)), 1)
    samples = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    return (samples / np.sqrt(np.sum(samples**2))).astype(np.float32)


def _axial_deviations(grid: PolarGrid, beam: Beam) -> tuple[float, float]:
    near = max(beam.axial / FULL_WIDTH / grid.depth_step, 0.7)
    return near, near * beam.axial_growth


def _axial(echoes: np.ndarray, grid: PolarGrid, beam: Beam) -> np.ndarray:
    """Convolve along depth; the pulse lengthens with depth by cross-fading two lengths at constant power."""
    shape = echoes.shape
    parts = np.ascontiguousarray(echoes).view(np.float32).reshape(*shape, 2)
    one = np.ones(1, np.float32)
    kernels = [_kernel(deviation) for deviation in _axial_deviations(grid, beam)]
    short, long = (cv2.sepFilter2D(parts, -1, one, k, borderType=cv2.BORDER_REFLECT) for k in kernels)
    share = np.linspace(0, 1, shape[0], dtype=np.float32)
    pad = (len(kernels[1]) - len(kernels[0])) // 2
    overlap = float(np.sum(np.pad(kernels[0], pad) * kernels[1]))
    power = (1 - share) ** 2 + share**2 + 2 * share * (1 - share) * overlap
    share, scale = share[:, None, None], (1 / np.sqrt(power))[:, None, None].astype(np.float32)
    mixed = (short + share * (long - short)) * scale
    return mixed.reshape(shape[0], -1).view(np.complex64)


def _lateral(echoes: np.ndarray, grid: PolarGrid, beam: Beam) -> np.ndarray:
    """Convolve across beams with a width of its own at every depth (exact, in the Fourier domain)."""
    width = beam.lateral_at(grid.depths) / FULL_WIDTH / grid.beam_spacing
    width = np.maximum(width, 0.6)[:, None].astype(np.float32)
    frequency = (2 * np.pi * fft.fftfreq(echoes.shape[1])).astype(np.float32)[None, :]
    response = np.exp(-0.5 * (width * frequency) ** 2)
    if beam.side_lobes > 0:
        response += np.float32(beam.side_lobes) * np.exp(-0.5 * (5 * width * frequency) ** 2)
    response /= np.sqrt(np.mean(response**2, axis=1, keepdims=True))  # unit power again (Parseval)
    return fft.ifft(fft.fft(echoes, axis=1) * response, axis=1)


def line_response(grid: PolarGrid, beam: Beam) -> np.ndarray:
    """Peak that a unit line at a right angle to the beams reaches after convolution, per depth (R,)."""
    near, far = _axial_deviations(grid, beam)
    deviation = np.linspace(near, far, len(grid.depths))
    width = np.maximum(beam.lateral_at(grid.depths) / FULL_WIDTH / grid.beam_spacing, 0.6)
    return np.sqrt(2 * np.sqrt(np.pi) * width) / np.sqrt(np.sqrt(np.pi) * deviation)


def envelope(
    generator: np.random.Generator,
    grid: PolarGrid,
    beam: Beam,
    amplitude: np.ndarray,
    coherent: np.ndarray | None = None,
    noise: np.ndarray | float = 0.0,
) -> np.ndarray:
    """Magnitude of the echoes, before any compression.

    Parameters
    ----------
    generator: source of the scatterers.
    grid, beam: where samples lie, and the point spread function.
    amplitude: (R, B) root of the backscattered power.
    coherent: (R, B) amplitudes of reflectors, as `splat_reflectors` makes them.
    noise: electronic noise's amplitude, (R, 1) or a number.

    Returns
    -------
    (R, B) float32. With one look and constant amplitude its mean over its deviation is 1.91 (Rayleigh).
    """
    total = None
    for _ in range(beam.looks):
        echoes = scatterers(generator, grid.shape) * amplitude
        if coherent is not None:
            echoes += coherent
        echoes = _lateral(_axial(echoes, grid, beam), grid, beam)
        if np.any(noise):
            echoes = echoes + scatterers(generator, grid.shape) * noise
        magnitude = np.abs(echoes)
        total = magnitude if total is None else total + magnitude
    return _video_filter((total / beam.looks).astype(np.float32), grid, beam)


def _video_filter(magnitude: np.ndarray, grid: PolarGrid, beam: Beam) -> np.ndarray:
    """Persistence and video filtering: a light blur of the envelope, which fills speckle's darkest nulls."""
    if beam.video <= 0:
        return magnitude
    along = max(beam.video * beam.axial / FULL_WIDTH / grid.depth_step, 0.05)
    middle = len(grid.depths) // 2
    across = beam.video * float(beam.lateral_at(grid.depths[middle])) / FULL_WIDTH / float(grid.beam_spacing[middle])
    return cv2.GaussianBlur(magnitude, (0, 0), sigmaX=max(across, 0.05), sigmaY=along)


def splat_reflectors(
    grid: PolarGrid, beam: Beam, points: np.ndarray, lengths: np.ndarray, amplitudes: np.ndarray
) -> np.ndarray:
    """Lay reflector samples onto the polar grid, so that a line at a right angle peaks at its amplitude.

    Parameters
    ----------
    points: (N, 2) samples along surfaces, mm.
    lengths: (N,) mm of surface that each sample stands for.
    amplitudes: (N,) with the angle to the beam already in them.

    Returns
    -------
    (R, B) float32.
    """
    rows, columns = grid.indices(*grid.field.to_beam(points[:, 0], points[:, 1]))
    height, width = grid.shape
    row, column = np.floor(rows).astype(int), np.floor(columns).astype(int)
    fits = (row >= 0) & (row < height - 1) & (column >= 0) & (column < width - 1)
    row, column, down, right = row[fits], column[fits], (rows - row)[fits], (columns - column)[fits]
    spacing = grid.beam_spacing[row]
    weights = amplitudes[fits] * lengths[fits] / spacing / line_response(grid, beam)[row]
    total = np.zeros(height * width)
    for step_row, step_column, share in (
        (0, 0, (1 - down) * (1 - right)),
        (0, 1, (1 - down) * right),
        (1, 0, down * (1 - right)),
        (1, 1, down * right),
    ):
        flat = (row + step_row) * width + column + step_column
        total += np.bincount(flat, weights * share, minlength=height * width)
    return total.reshape(height, width).astype(np.float32)


def accumulated_loss(attenuation: np.ndarray, grid: PolarGrid, blur_beams: float, limits=(-12.0, 45.0)) -> np.ndarray:
    """Two-way loss in dB at every sample from all that lies above it: shadows positive, enhancement negative.

    The aperture is wider than one beam, so edges of shadows are soft: `blur_beams` is their deviation in beams.
    """
    loss = np.cumsum(attenuation, axis=0, dtype=np.float32) * np.float32(grid.depth_step)
    if blur_beams > 0.3:
        loss = cv2.GaussianBlur(loss, (0, 0), sigmaX=blur_beams, sigmaY=0.01, borderType=cv2.BORDER_REPLICATE)
    return np.clip(loss, *limits)


def log_compress(
    amplitude: np.ndarray, dynamic_range: float, reference: float = 1.0, shown_at: float = 0.5
) -> np.ndarray:
    """Amplitudes to [0, 1]: `dynamic_range` dB from black to white, the amplitude `reference` shown at `shown_at`."""
    relative = np.maximum(amplitude / np.float32(max(reference, 1e-9)), 1e-7)
    level = np.log10(relative) * np.float32(20 / dynamic_range) + np.float32(shown_at)
    return np.clip(level, 0, 1)


def scan_convert(polar: np.ndarray, grid: PolarGrid, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Polar picture (R, B) to the field's window.

    Returns
    -------
    picture (H, W) float32 with 0 outside the sector, and the sector (H, W) bool.
    """
    x, y = grid.field.pixel_positions(shape)
    beam = grid.field.to_beam(x, y)
    rows, columns = grid.indices(*beam)
    picture = cv2.remap(
        polar, columns.astype(np.float32), rows.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    sector = grid.field.holds(x, y, beam)
    return picture * sector, sector


@dataclass(frozen=True)
class Processing:
    """What a scanner does to the picture after compression."""

    smoothing: float = 0.0  # strength of speckle reduction (SRI), 0 none, 1 strong
    blur: float = 0.0  # deviation in pixels
    sharpening: float = 0.0  # edge enhancement, share of the detail added again
    detail: float = 1.6  # size in pixels of the detail that is enhanced
    gamma: float = 1.0  # gray map: below 1 lifts dark grays
    contrast: float = 0.0  # S-shaped gray map, 0 straight, 1 strong
    black: float = 0.0  # level below which all is black
    quality: int = 100  # JPEG quality, 100 none


def process(picture: np.ndarray, processing: Processing) -> np.ndarray:
    """Speckle reduction, edge enhancement and gray map on a picture (H, W) float32 in [0, 1]."""
    if processing.smoothing > 0.02:
        # A bilateral filter stands in for the vendors' adaptive ones: it smooths speckle and keeps edges.
        smooth = cv2.bilateralFilter(picture, 5, 0.10 + 0.15 * processing.smoothing, 1.6)
        picture = picture + min(processing.smoothing, 1.0) * (smooth - picture)
    if processing.sharpening > 0.02:
        broad = cv2.GaussianBlur(picture, (0, 0), processing.detail)
        picture = picture + processing.sharpening * (picture - broad)
    if processing.blur > 0.2:
        picture = cv2.GaussianBlur(picture, (0, 0), processing.blur)
    picture = np.clip((picture - processing.black) / (1 - processing.black), 0, 1)
    picture = picture**processing.gamma
    curve = picture * picture * (3 - 2 * picture)
    return picture + processing.contrast * (curve - picture)


def to_bytes(picture: np.ndarray, quality: int = 100) -> np.ndarray:
    """[0, 1] to uint8, through JPEG below quality 100."""
    levels = np.rint(picture * 255).astype(np.uint8)
    if quality >= 100:
        return levels
    written, code = cv2.imencode(".jpg", levels, [cv2.IMWRITE_JPEG_QUALITY, int(quality)])
    return cv2.imdecode(code, cv2.IMREAD_GRAYSCALE) if written else levels
