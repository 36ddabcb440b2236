"""What a corruption is: one class each, in a registry, with an intensity that means the same everywhere.

The corruption thesis works on frames of 174 x 174 pixels, and its intensities mean nothing without that: a median of
radius 4 wipes out a skull line there and leaves a screen of 975 x 735 as it was. Every intensity is therefore defined
at 174 pixels of image side and converted to the frame at hand by its :func:`scale`; on a frame of 174 x 174 each
corruption is the thesis's own, to the digit.

What a scanner does to its echoes (gain, shadow, motion) stays inside the sector: :class:`SectorCorruption`. What
happens to the picture after that (noise, JPEG, a crop) meets the whole frame.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from core.errors import ParameterError
from core.parallel import in_threads

REFERENCE_SIDE = 174

Seed = int | Sequence[int] | np.random.Generator

CORRUPTIONS: dict[str, type["Corruption"]] = {}


def scale(shape: tuple[int, int]) -> float:
    """Pixels of a frame (height, width) that make up one pixel of a frame of 174 x 174 of the same content."""
    return math.sqrt(shape[0] * shape[1]) / REFERENCE_SIDE


class Corruption(ABC):
    """One way to spoil a frame.

    Subclasses set the attributes, implement :meth:`_corrupt` and :meth:`in_frame`, and are registered by their name.

    Attributes
    ----------
    name, title : str
        In code and on screen.
    parameter, unit : str
        What the intensity measures, at 174 pixels.
    minimum, maximum : float
        The allowed intensities; the minimum leaves the image as it is.
    slider_maximum, step : float
        Of the slider on screen.
    levels : tuple of float
        The grid of a sweep.
    annex_levels : tuple of float
        The same in the annex of the thesis, where it has one.
    published_limit : float or None
        The intensity from which the thesis calls an image corrupted.
    training_range : (float, float) or None
        The intensities the thesis's detectors of corrupted images learn from (001 §6); None where they are not taught
        the kind.
    stays_in_sector : bool
        Whether pixels outside a sector that is given stay as they are.
    is_random : bool
        Whether the seed matters.
    is_costly : bool
        Whether an image takes so long that batches are worth several threads.
    description, source : str
        One sentence for the user, and where it comes from.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    parameter: ClassVar[str]
    unit: ClassVar[str]
    minimum: ClassVar[float] = 0.0
    maximum: ClassVar[float]
    slider_maximum: ClassVar[float]
    step: ClassVar[float]
    levels: ClassVar[tuple[float, ...]]
    annex_levels: ClassVar[tuple[float, ...]] = ()
    published_limit: ClassVar[float | None] = None
    training_range: ClassVar[tuple[float, float] | None] = None
    stays_in_sector: ClassVar[bool] = False
    is_random: ClassVar[bool] = False
    is_costly: ClassVar[bool] = False
    description: ClassVar[str]
    source: ClassVar[str]

    def __init_subclass__(cls, **options: object) -> None:
        super().__init_subclass__(**options)
        if "name" in cls.__dict__:  # a base of several corruptions has none
            CORRUPTIONS[cls.name] = cls

    @classmethod
    def axis_title(cls) -> str:
        """What an axis or a slider of intensities is called."""
        return f"{cls.parameter[0].upper()}{cls.parameter[1:]} ({cls.unit}, at {REFERENCE_SIDE} pixels)"

    @classmethod
    def amount(cls, intensity: float) -> str:
        """An intensity in words: ``disk radius 4 pixels``."""
        return f"{cls.parameter} {intensity:.3g} {cls.unit}"

    @classmethod
    def apply(cls, image: np.ndarray, intensity: float, seed: Seed = 0, sector: np.ndarray | None = None) -> np.ndarray:
        """The corrupted image, a new array of the same shape and type.

        Parameters
        ----------
        image : numpy.ndarray
            (H, W), uint8 or float32 in [0, 1].
        intensity : float
            From ``minimum`` (an exact copy) to ``maximum``, defined at 174 pixels of image side.
        seed : int, sequence of int or numpy.random.Generator
            The same seed gives the same bytes.
        sector : numpy.ndarray of bool, optional
            (H, W), where the echoes are, as :func:`core.preprocessing.clean` finds it; the whole frame by default.
            Corruptions that stay in the sector follow its beams; the others do not look at it.

        Raises
        ------
        ParameterError
            For another kind of image, an intensity that is not allowed, or a sector of another shape.
        """
        _check_image(image)
        _check_sector(sector, image.shape)
        intensity = cls.check(intensity)
        if intensity == cls.minimum:
            return image.copy()
        return cls._corrupt_within(image, sector, intensity, _generator(seed))

    @classmethod
    def apply_batch(
        cls, images: np.ndarray, intensity: float, seed: int = 0, sectors: np.ndarray | None = None
    ) -> np.ndarray:
        """Corrupts images (N, H, W) with sectors (N, H, W) or none.

        Image ``i`` is ``apply(images[i], intensity, seed=(seed, i), sector=sectors[i])``.
        """
        if not isinstance(images, np.ndarray) or images.ndim != 3:
            raise ParameterError("A batch of images has the shape (N, H, W): stack gray images of one size.")
        if sectors is not None and len(sectors) != len(images):
            raise ParameterError(f"{len(images)} images need as many sectors, not {len(sectors)}.")
        result = np.empty_like(images, order="C")

        def corrupt_one(index: int) -> np.ndarray:
            return cls.apply(images[index], intensity, (seed, index), None if sectors is None else sectors[index])

        for index, image in enumerate(in_threads(corrupt_one, range(len(images)), None if cls.is_costly else 1)):
            result[index] = image
        return result

    @classmethod
    def warp_back(cls, values: np.ndarray, intensity: float) -> tuple[np.ndarray, np.ndarray]:
        """A map of the corrupted frame laid back over the frame as it was, and where that says anything.

        Parameters
        ----------
        values : numpy.ndarray
            (H, W) float, such as a relevance map of the corrupted frame, in any size that spans the whole frame.
        intensity : float
            What the frame was corrupted with.

        Returns
        -------
        (H, W) of the same type and (H, W) bool. Most corruptions move nothing: the map as it is, valid everywhere.

        Raises
        ------
        ParameterError
            For an intensity that is not allowed.
        """
        cls.check(intensity)
        return values, np.ones(values.shape, bool)

    @classmethod
    def check(cls, intensity: float) -> float:
        """The intensity as a float, or ParameterError if it is not allowed."""
        try:
            number = float(intensity)
        except (TypeError, ValueError) as error:
            raise ParameterError(f"{cls.title} needs a number as {cls.parameter}, not {intensity!r}.") from error
        if not cls.minimum <= number <= cls.maximum:
            raise ParameterError(
                f"{cls.title} takes a {cls.parameter} from {cls.minimum:g} to {cls.maximum:g} ({cls.unit}), "
                f"not {number:g}."
            )
        return number

    @classmethod
    @abstractmethod
    def in_frame(cls, intensity: float, shape: tuple[int, int]) -> str:
        """What an intensity comes to in a frame (height, width), in its own pixels, for the screen."""

    @classmethod
    def _corrupt_within(
        cls, image: np.ndarray, sector: np.ndarray | None, intensity: float, generator: np.random.Generator
    ) -> np.ndarray:
        """The corrupted image; all is checked, and the intensity is above the minimum."""
        return cls._corrupt(image, intensity, generator)

    @classmethod
    @abstractmethod
    def _corrupt(cls, image: np.ndarray, intensity: float, generator: np.random.Generator) -> np.ndarray:
        """The whole frame corrupted, whatever its sector."""


class SectorCorruption(Corruption):
    """One that happens to the echoes: computed on gray levels in [0, 1], pixels outside the sector stay."""

    stays_in_sector = True

    @classmethod
    def _corrupt_within(
        cls, image: np.ndarray, sector: np.ndarray | None, intensity: float, generator: np.random.Generator
    ) -> np.ndarray:
        inside = np.ones(image.shape, bool) if sector is None else sector
        if not inside.any():
            return image.copy()
        is_whole = image.dtype == np.uint8
        levels = image.astype(np.float32) / np.float32(255) if is_whole else image
        result = np.clip(cls._corrupt_echoes(levels, inside, intensity, generator), 0, 1)
        if is_whole:
            result = np.rint(result * 255).astype(np.uint8)
        return np.where(inside, result, image)

    @classmethod
    def _corrupt(cls, image: np.ndarray, intensity: float, generator: np.random.Generator) -> np.ndarray:
        return cls._corrupt_within(image, None, intensity, generator)

    @classmethod
    @abstractmethod
    def _corrupt_echoes(
        cls, levels: np.ndarray, sector: np.ndarray, intensity: float, generator: np.random.Generator
    ) -> np.ndarray:
        """Gray levels (H, W) float32 -> corrupted ones; what they are outside the sector does not matter."""


def get(kind: str) -> type[Corruption]:
    """The corruption of that name; ParameterError, naming those there are, if there is none."""
    if kind not in CORRUPTIONS:
        raise ParameterError(f"There is no corruption {kind!r}: choose one of {', '.join(CORRUPTIONS)}.")
    return CORRUPTIONS[kind]


def corrupt(
    image: np.ndarray, kind: str, intensity: float, seed: Seed = 0, sector: np.ndarray | None = None
) -> np.ndarray:
    """``image`` corrupted in one of the registered ways; see :meth:`Corruption.apply`."""
    return get(kind).apply(image, intensity, seed, sector)


def corrupt_batch(
    images: np.ndarray, kind: str, intensity: float, seed: int = 0, sectors: np.ndarray | None = None
) -> np.ndarray:
    """Images (N, H, W) corrupted alike, each with chance of its own; see :meth:`Corruption.apply_batch`."""
    return get(kind).apply_batch(images, intensity, seed, sectors)


def _generator(seed: Seed) -> np.random.Generator:
    try:
        return np.random.default_rng(seed)
    except (TypeError, ValueError) as error:
        raise ParameterError(f"A seed is a whole number from 0 upwards, not {seed!r}.") from error


def _check_image(image: np.ndarray) -> None:
    if not isinstance(image, np.ndarray) or image.ndim != 2 or 0 in image.shape:
        raise ParameterError("A corruption takes one gray image of shape (H, W): convert colour images to gray first.")
    if image.dtype not in (np.uint8, np.float32):
        raise ParameterError(f"A corruption takes uint8 or float32 images, not {image.dtype}: convert the image first.")
    # NaN fails both comparisons.
    if image.dtype == np.float32 and not (image.min() >= 0 and image.max() <= 1):
        raise ParameterError("A corruption takes float32 images with values from 0 to 1: scale the image first.")


def _check_sector(sector: np.ndarray | None, shape: tuple[int, int]) -> None:
    if sector is None:
        return
    if not isinstance(sector, np.ndarray) or sector.dtype != bool or sector.shape != shape:
        raise ParameterError(f"A corruption's sector must be a mask of true and false of shape {shape}: check it.")
