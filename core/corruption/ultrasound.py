"""What goes wrong between probe and screen: all of it stays inside the sector and follows its beams.

Scanners show echoes on a logarithmic scale: a gray level is proportional to decibels. With the usual dynamic range of
60 dB one decibel is 4.25 of 255 gray levels, whatever the level, so gains and losses are added and taken away; speckle
and echoes of echoes multiply and add amplitudes, so they go through the amplitude that a gray level stands for.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from functools import lru_cache

import cv2
import numpy as np

from core.corruption.base import REFERENCE_SIDE, SectorCorruption, scale
from core.corruption.beams import Beams

DYNAMIC_RANGE = 60.0
"""Decibels between black and white."""
DECADES = DYNAMIC_RANGE / 20
SWEEP_STEPS = 21


def decibels(level: np.ndarray | float) -> np.ndarray | float:
    """Gray levels in [0, 1] that so many decibels are."""
    return level / DYNAMIC_RANGE


def to_amplitude(levels: np.ndarray) -> np.ndarray:
    """Gray levels in [0, 1] -> amplitudes, 0 for black: what lies below the display's range counts as no echo."""
    return np.power(np.float32(10), np.float32(DECADES) * levels) - np.float32(1)


def to_levels(amplitude: np.ndarray) -> np.ndarray:
    """The inverse of :func:`to_amplitude`."""
    return np.log10(amplitude + np.float32(1)) / np.float32(DECADES)


def _grid(maximum: float) -> tuple[float, ...]:
    return tuple(np.linspace(0, maximum, SWEEP_STEPS).tolist())


class Speckle(SectorCorruption):
    """Correlated speckle: echoes of many small scatterers that interfere.

    Every amplitude is multiplied by that of a steady echo and a random one of mean 1; with intensity 1 nothing steady
    is left, and amplitudes of an even area follow Rayleigh's law (mean over deviation 1.91). Grains are a little over a
    pixel long and two wide at 174 pixels.
    """

    name = "speckle"
    title = "Speckle"
    parameter = "share of random scattering"
    unit = "of fully developed speckle"
    maximum = 1.0
    slider_maximum = 1.0
    step = 0.01
    levels = _grid(1.0)
    is_random = True
    description = "Grains of interference multiply the echoes, the more the less of them is steady."
    source = "Wagner et al. 1983, IEEE Trans. Sonics Ultrasonics 30(3); reference §10"

    GRAIN = (0.55, 1.0)  # deviations of the point spread at 174 pixels, along and across the beam

    @classmethod
    def in_frame(cls, intensity: float, shape: tuple[int, int]) -> str:
        height, width = (2.355 * deviation * scale(shape) for deviation in cls.GRAIN)
        return f"grains of about {width:.1f} x {height:.1f} pixels, {100 * intensity:.0f} % of the echo random"

    @classmethod
    def _corrupt_echoes(
        cls, levels: np.ndarray, sector: np.ndarray, intensity: float, generator: np.random.Generator
    ) -> np.ndarray:
        real, imaginary = (cls._grains(levels.shape, generator) for _ in range(2))
        # A complex Gaussian of mean amplitude 1.
        unit = np.float32(math.sqrt(2 / math.pi))
        steady, scattered = np.float32(1 - intensity), np.float32(intensity) * unit
        factor = np.hypot(steady + scattered * real, scattered * imaginary)
        return to_levels(to_amplitude(levels) * factor)

    @classmethod
    def _grains(cls, shape: tuple[int, int], generator: np.random.Generator) -> np.ndarray:
        """Correlated Gaussian values (H, W) float32 of deviation 1."""
        grain = generator.standard_normal((REFERENCE_SIDE, REFERENCE_SIDE)).astype(np.float32)
        along, across = cls.GRAIN
        grain = cv2.GaussianBlur(grain, (0, 0), sigmaX=across, sigmaY=along)
        if shape != grain.shape:
            grain = cv2.resize(grain, shape[::-1], interpolation=cv2.INTER_CUBIC)
        return grain / grain.std()


class Shadow(SectorCorruption):
    """Acoustic shadow: bone, gas or calcification keeps the beams behind it dark.

    One shadow, 12 to 30 % of the sector wide, begins at 5 to 40 % of the depth; where is drawn by the seed. Its sides
    are soft.
    """

    name = "shadow"
    title = "Acoustic shadow"
    parameter = "loss behind the obstacle"
    unit = "dB"
    maximum = 60.0
    slider_maximum = 40.0
    step = 0.5
    levels = _grid(40.0)
    is_random = True
    description = "The beams of one part of the sector lose their echoes behind an obstacle."
    source = "Feldman et al. 2009, RadioGraphics 29(4); reference §10"

    @classmethod
    def in_frame(cls, intensity: float, shape: tuple[int, int]) -> str:
        return f"{255 * decibels(intensity):.0f} of 255 gray levels lost in the shadow"

    @classmethod
    def _corrupt_echoes(
        cls, levels: np.ndarray, sector: np.ndarray, intensity: float, generator: np.random.Generator
    ) -> np.ndarray:
        beams = Beams.of(sector)
        half, centre, start = generator.uniform(0.06, 0.15), generator.uniform(0.25, 0.75), generator.uniform(0.05, 0.4)
        beside = _soft_step((half - np.abs(beams.angle - centre)) / 0.03)
        behind = _soft_step((beams.depth - start) / 0.03)
        return levels - np.float32(decibels(intensity)) * beside * behind


def _soft_step(values: np.ndarray) -> np.ndarray:
    """0 below -1, 1 above 1, half a cosine in between."""
    return (np.float32(0.5) + np.float32(0.5) * np.sin(np.clip(values, -1, 1) * np.float32(math.pi / 2))).astype(
        np.float32
    )


class Attenuation(SectorCorruption):
    """Depth attenuation that nothing makes up for: the deeper, the darker."""

    name = "attenuation"
    title = "Depth attenuation"
    parameter = "loss at full depth"
    unit = "dB"
    maximum = 60.0
    slider_maximum = 60.0
    step = 0.5
    levels = _grid(60.0)
    description = "Echoes lose strength evenly with depth, as in a large or fatty abdomen at too high a frequency."
    source = "Szabo 2014, Diagnostic Ultrasound Imaging, ch. 4; reference §10"

    @classmethod
    def in_frame(cls, intensity: float, shape: tuple[int, int]) -> str:
        return f"{255 * decibels(intensity):.0f} of 255 gray levels lost at the bottom of the sector"

    @classmethod
    def _corrupt_echoes(
        cls, levels: np.ndarray, sector: np.ndarray, intensity: float, generator: np.random.Generator
    ) -> np.ndarray:
        return levels - np.float32(decibels(intensity)) * Beams.of(sector).depth


class WrongTimeGain(SectorCorruption):
    """Wrong time gain compensation: the eight sliders beside the screen are out of place, some up and some down.

    A smooth curve over depth through eight random values, the largest of which is the intensity.
    """

    name = "tgc"
    title = "Wrong TGC"
    parameter = "largest error of a slider"
    unit = "dB"
    maximum = 40.0
    slider_maximum = 30.0
    step = 0.5
    levels = _grid(30.0)
    is_random = True
    description = "Bands of depth come out too bright or too dark, as with time gain sliders left out of place."
    source = "Szabo 2014, ch. 10; reference §10"

    SLIDERS = 8
    DEPTHS = 4096

    @classmethod
    def in_frame(cls, intensity: float, shape: tuple[int, int]) -> str:
        return f"up to {255 * decibels(intensity):.0f} of 255 gray levels too bright or too dark"

    @classmethod
    def _corrupt_echoes(
        cls, levels: np.ndarray, sector: np.ndarray, intensity: float, generator: np.random.Generator
    ) -> np.ndarray:
        from scipy.interpolate import PchipInterpolator  # does not overshoot its values

        values = generator.uniform(-1, 1, cls.SLIDERS)
        values /= np.abs(values).max()
        places = np.linspace(0, 1, cls.SLIDERS)
        errors = PchipInterpolator(places, values)(np.linspace(0, 1, cls.DEPTHS)).astype(np.float32)
        wrong = errors[np.rint(Beams.of(sector).depth * (cls.DEPTHS - 1)).astype(np.int32)]
        return levels + np.float32(decibels(intensity)) * wrong


class Reverberation(SectorCorruption):
    """Reverberation: echoes go to and fro between two interfaces and appear again, deeper and weaker.

    The echo of everything is added again, one, two, three ... spacings deeper, each time 0.6 of the amplitude before;
    the spacing, 8 to 16 % of the depth, is drawn by the seed.
    """

    name = "reverberation"
    title = "Reverberation"
    parameter = "amplitude of the first repeat"
    unit = "of the echo"
    maximum = 1.0
    slider_maximum = 1.0
    step = 0.01
    levels = _grid(1.0)
    is_random = True
    description = "Strong echoes return again and again at equal distances below themselves."
    source = "Feldman et al. 2009, RadioGraphics 29(4); reference §10"

    REPEATS = 4
    DECAY = 0.6

    @classmethod
    def in_frame(cls, intensity: float, shape: tuple[int, int]) -> str:
        return f"{cls.REPEATS} repeats, the first of {100 * intensity:.0f} % of the amplitude"

    @classmethod
    def _corrupt_echoes(
        cls, levels: np.ndarray, sector: np.ndarray, intensity: float, generator: np.random.Generator
    ) -> np.ndarray:
        beams, spacing = Beams.of(sector), generator.uniform(0.08, 0.16)
        amplitude = to_amplitude(np.where(sector, levels, 0))
        result = amplitude.copy()
        for repeat in range(cls.REPEATS):
            columns, rows = beams.shifted((repeat + 1) * spacing)
            returned = cv2.remap(amplitude, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
            # Above the probe's face there is nothing that could return.
            returned[beams.depth < (repeat + 1) * spacing] = 0
            result += np.float32(intensity * cls.DECAY**repeat) * returned
        return to_levels(result)


class Gain(SectorCorruption):
    """Too much gain: echoes are lifted until they merge in white, and what was black turns gray."""

    name = "gain"
    title = "Too much gain"
    parameter = "gain too high by"
    unit = "dB"
    maximum = 60.0
    slider_maximum = 40.0
    step = 0.5
    levels = _grid(40.0)
    description = "All echoes are shown brighter by the same number of decibels; the brightest merge in white."
    source = "Szabo 2014, ch. 10; reference §10"

    @classmethod
    def in_frame(cls, intensity: float, shape: tuple[int, int]) -> str:
        return f"{255 * decibels(intensity):.0f} of 255 gray levels brighter"

    @classmethod
    def _corrupt_echoes(
        cls, levels: np.ndarray, sector: np.ndarray, intensity: float, generator: np.random.Generator
    ) -> np.ndarray:
        return levels + np.float32(decibels(intensity))


class LowGain(SectorCorruption):
    """Too little gain: weak echoes drown in black."""

    name = "low_gain"
    title = "Too little gain"
    parameter = "gain too low by"
    unit = "dB"
    maximum = 60.0
    slider_maximum = 40.0
    step = 0.5
    levels = _grid(40.0)
    description = "All echoes are shown darker by the same number of decibels; the weakest are lost in black."
    source = "Szabo 2014, ch. 10; reference §10"

    @classmethod
    def in_frame(cls, intensity: float, shape: tuple[int, int]) -> str:
        return f"{255 * decibels(intensity):.0f} of 255 gray levels darker"

    @classmethod
    def _corrupt_echoes(
        cls, levels: np.ndarray, sector: np.ndarray, intensity: float, generator: np.random.Generator
    ) -> np.ndarray:
        return levels - np.float32(decibels(intensity))


class DynamicRange(SectorCorruption):
    """Too small a dynamic range: only the strongest echoes are spread from black to white, the rest is black."""

    name = "dynamic_range"
    title = "Small dynamic range"
    parameter = "dynamic range lost"
    unit = f"dB of {DYNAMIC_RANGE:.0f}"
    maximum = 55.0
    slider_maximum = 50.0
    step = 0.5
    levels = _grid(50.0)
    description = "Fewer decibels are spread over the grays: hard contrast, and weak echoes turn black."
    source = "Szabo 2014, ch. 10; reference §10"

    @classmethod
    def in_frame(cls, intensity: float, shape: tuple[int, int]) -> str:
        return f"{DYNAMIC_RANGE - intensity:.1f} dB shown, gray levels below {255 * decibels(intensity):.0f} black"

    @classmethod
    def _corrupt_echoes(
        cls, levels: np.ndarray, sector: np.ndarray, intensity: float, generator: np.random.Generator
    ) -> np.ndarray:
        return 1 - (1 - levels) * np.float32(DYNAMIC_RANGE / (DYNAMIC_RANGE - intensity))


class ContactLoss(SectorCorruption):
    """Loss of probe contact: beams from a part of the probe's face, lifted off the skin, bring nothing back.

    The part begins at the left or the right edge, which the seed decides.
    """

    name = "contact_loss"
    title = "Loss of contact"
    parameter = "share of the probe off the skin"
    unit = "%"
    maximum = 100.0
    slider_maximum = 80.0
    step = 1.0
    levels = _grid(80.0)
    is_random = True
    description = "The probe is lifted off the skin on one side: the beams from there stay black."
    source = "reference §10"

    SOFT = 0.02

    @classmethod
    def in_frame(cls, intensity: float, shape: tuple[int, int]) -> str:
        return f"{intensity:.0f} of 100 beams lost"

    @classmethod
    def _corrupt_echoes(
        cls, levels: np.ndarray, sector: np.ndarray, intensity: float, generator: np.random.Generator
    ) -> np.ndarray:
        angle = Beams.of(sector).angle
        if generator.random() < 0.5:
            angle = 1 - angle
        # The soft edge moves in from outside, so that a small intensity takes away little.
        border = intensity / 100 * (1 + 2 * cls.SOFT) - cls.SOFT
        return levels * _soft_step((angle - np.float32(border)) / np.float32(cls.SOFT))


class _Motion(SectorCorruption):
    """Motion during the sweep or the freeze: every pixel is the mean along a straight path."""

    parameter = "length of the path"
    unit = "pixels"
    maximum = 60.0
    slider_maximum = 30.0
    step = 0.25
    levels = _grid(30.0)

    @classmethod
    def in_frame(cls, intensity: float, shape: tuple[int, int]) -> str:
        return f"a path of {intensity * scale(shape):.1f} pixels of this frame"

    @classmethod
    def _corrupt_echoes(
        cls, levels: np.ndarray, sector: np.ndarray, intensity: float, generator: np.random.Generator
    ) -> np.ndarray:
        weights = _path(intensity * scale(levels.shape))
        inside = sector.astype(np.float32)
        # Black around the sector is no echo: only pixels of the sector are averaged.
        values, counted = (cls._averaged(one, weights) for one in (levels * inside, inside))
        return values / np.maximum(counted, 1e-6)

    @classmethod
    @abstractmethod
    def _averaged(cls, values: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Values (H, W) averaged along the path."""


@lru_cache(maxsize=128)
def _path(length: float) -> np.ndarray:
    """Weights (K,) float32 of the pixels along a path: 1 + ``length`` pixels, the outer two by what it covers."""
    half = (1 + length) / 2
    reach = math.ceil(half - 0.5)
    places = np.abs(np.arange(-reach, reach + 1))
    weights = np.clip(half + 0.5 - places, 0, 1)
    return (weights / weights.sum()).astype(np.float32)


class AxialMotion(_Motion):
    name = "motion_axial"
    title = "Motion along the beam"
    description = "Echoes are smeared downwards, as when the fetus or the probe moves to or fro during the sweep."
    source = "reference §10"

    @classmethod
    def _averaged(cls, values: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return cv2.sepFilter2D(values, cv2.CV_32F, np.ones(1, np.float32), weights, borderType=cv2.BORDER_CONSTANT)


class LateralMotion(_Motion):
    name = "motion_lateral"
    title = "Motion across the beam"
    description = "Echoes are smeared sideways, as when the fetus or the probe moves aside during the sweep."
    source = "reference §10"

    @classmethod
    def _averaged(cls, values: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return cv2.sepFilter2D(values, cv2.CV_32F, weights, np.ones(1, np.float32), borderType=cv2.BORDER_CONSTANT)


class Annotation(SectorCorruption):
    """Text, calipers and dotted lines burned into the picture, drawn one after the other; where is drawn by the seed.

    A fraction of a mark is drawn as transparent. They meet the sector, where the network looks; text beside it is
    removed with the rest of the screen.
    """

    name = "annotation"
    title = "Burned-in annotation"
    parameter = "number of marks"
    unit = "texts, calipers and lines"
    maximum = 24.0
    slider_maximum = 12.0
    step = 0.25
    levels = tuple(float(count) for count in range(13))
    is_random = True
    description = "Labels, calipers and dotted lines are drawn over the echoes and saved with them."
    source = "reference §1; annex 002, figure 38"

    TRIES = 64
    WORDS = ("BPD 47.2mm", "HC 18.4", "CRL", "NT 1.8 mm", "FL", "22w3d", "R", "L", "Cavum", "Th", "TIs 0.2", "12:04:31")

    @classmethod
    def in_frame(cls, intensity: float, shape: tuple[int, int]) -> str:
        return f"{intensity:.3g} marks, letters {8 * scale(shape):.0f} pixels high"

    @classmethod
    def _corrupt_echoes(
        cls, levels: np.ndarray, sector: np.ndarray, intensity: float, generator: np.random.Generator
    ) -> np.ndarray:
        result = levels
        for mark in range(math.ceil(intensity)):
            # Each mark draws on a chance of its own, so that more intensity adds marks and moves none.
            chance = np.random.default_rng(generator.integers(2**63))
            drawn = cls._mark(cls._place(sector, chance), levels.shape, chance)
            opacity = np.float32(min(1.0, intensity - mark) / 255) * drawn
            result = result * (1 - opacity) + opacity * np.float32(chance.uniform(0.8, 1.0))
        return result

    @classmethod
    def _place(cls, sector: np.ndarray, chance: np.random.Generator) -> tuple[int, int]:
        """Column and row of a pixel of the sector, the same place of the picture at every size."""
        places = chance.random((cls.TRIES, 2)) * sector.shape
        inside = sector[tuple(places.astype(int).T)]
        row, column = places[inside.argmax()].astype(int)
        return int(column), int(row)

    @classmethod
    def _mark(cls, place: tuple[int, int], shape: tuple[int, int], chance: np.random.Generator) -> np.ndarray:
        """One mark (H, W) uint8, white on black."""
        factor = scale(shape)
        drawn = np.zeros(shape, np.uint8)
        thick = max(1, round(0.7 * factor))
        what = chance.integers(3)
        if what == 0:
            word = cls.WORDS[chance.integers(len(cls.WORDS))]
            cv2.putText(drawn, word, place, cv2.FONT_HERSHEY_SIMPLEX, 0.36 * factor, 255, thick, cv2.LINE_AA)
            return drawn
        angle, length = chance.uniform(0, math.pi), chance.uniform(20, 70) * factor
        other = (round(place[0] + length * math.cos(angle)), round(place[1] + length * math.sin(angle)))
        arm = max(2, round(3 * factor))
        for x, y in (place, other):
            cv2.line(drawn, (x - arm, y), (x + arm, y), 255, thick)
            cv2.line(drawn, (x, y - arm), (x, y + arm), 255, thick)
        if what == 1:
            dots = max(2, round(length / (4 * factor)))
            for share in np.linspace(0, 1, dots):
                x = round(place[0] + share * (other[0] - place[0]))
                y = round(place[1] + share * (other[1] - place[1]))
                cv2.circle(drawn, (x, y), thick, 255, -1)
        return drawn
