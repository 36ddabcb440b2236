"""The corruption thesis's three: scale up, blur and noise, exact at its 174 x 174 pixels (001 §4.2, 002)."""

import math
from functools import lru_cache

import cv2
import numpy as np

from core.corruption.base import REFERENCE_SIDE, Corruption, scale
from core.parallel import cores, in_threads

# Below this a second thread costs more than it saves.
_PIXELS_WORTH_THREADS = 150_000


class ScaleUp(Corruption):
    """Crop around the centre, then back to the frame's size: the probe too near, the fetus cut off.

    Where the crop falls on whole pixels it is cropped and enlarged by ``cv2.resize``, as in the annex. In between, the
    annex's numbers would be cut to whole pixels; here the crop's edges move continuously, by the same pixel-centre
    convention, and nothing from outside the crop is looked at.
    """

    name = "scale_up"
    title = "Scale up"
    parameter = "share of each side lost"
    unit = "%"
    # At 75 % a quarter of the side remains.
    maximum = 75.0
    slider_maximum = 50.0
    step = 0.5
    levels = tuple(np.linspace(0, 50, 50).tolist())
    # The annex crops 0.24 to 21.8 pixels of 174 on either side, in steps of 0.44.
    annex_levels = tuple((200 * (0.24 + 0.44 * np.arange(50)) / REFERENCE_SIDE).tolist())
    training_range = (100 * 75 / 224, 100 * 100 / 224)
    published_limit = 1.5  # the thesis does not say whether of a side or of the area
    description = "The frame is cropped around its centre and enlarged to its old size; the outer parts are lost."
    source = "thesis 001 §4.2.1, annex 002"

    @classmethod
    def in_frame(cls, intensity: float, shape: tuple[int, int]) -> str:
        height, width = (intensity / 100 * side for side in shape)
        return f"{height:.1f} of {shape[0]} rows and {width:.1f} of {shape[1]} columns lost"

    @classmethod
    def warp_back(cls, values: np.ndarray, intensity: float) -> tuple[np.ndarray, np.ndarray]:
        """The map made as small as the crop again and laid over it; valid are the pixels whose middle lies in it."""
        share = cls.check(intensity) / 100
        if not share:
            return values, np.ones(values.shape, bool)
        (rows, has_row), (columns, has_column) = (_places_in_enlarged(side, share) for side in values.shape)
        across, down = np.meshgrid(columns, rows)
        back = cv2.remap(values, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return back, has_row[:, None] & has_column[None, :]

    @classmethod
    def _corrupt(cls, image: np.ndarray, intensity: float, generator: np.random.Generator) -> np.ndarray:
        height, width = image.shape
        top, left = height * intensity / 200, width * intensity / 200
        if _is_whole(top) and _is_whole(left):
            rows, columns = round(top), round(left)
            return cv2.resize(image[rows : height - rows, columns : width - columns], (width, height))
        across, down = np.meshgrid(_positions(width, left), _positions(height, top))
        return cv2.remap(image, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _is_whole(number: float) -> bool:
    return abs(number - round(number)) < 1e-6


def _positions(side: int, margin: float) -> np.ndarray:
    """Where the pixels of an enlarged crop lie along a side, in pixels of the frame, within the crop: (side,) float32.

    A crop of a fraction of a pixel shows that fraction, so its outermost position is its middle.
    """
    first = min(margin, (side - 1) / 2)
    places = (np.arange(side) + 0.5) * ((side - 2 * margin) / side) - 0.5 + margin
    return np.clip(places, first, side - 1 - first).astype(np.float32)


def _places_in_enlarged(side: int, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Where a frame's pixels come to lie along a side, (side,) float32, and which lie in the crop, (side,) bool.

    The inverse of :func:`_positions` for a crop that loses ``share`` of the side.
    """
    middles = (np.arange(side) + 0.5) / side
    enlarged = (middles - share / 2) / (1 - share)
    return (enlarged * side - 0.5).astype(np.float32), (enlarged >= 0) & (enlarged <= 1)


class Blur(Corruption):
    """Median over a disk: outlines dissolve, broad shapes stay.

    Whole radii, in the frame's own pixels, equal ``skimage.filters.median(image, disk(radius))``. In between, the two
    neighbours are blended up to radius 21, so that on 174 pixels every intensity moves the image; beyond, where one
    pixel more changes next to nothing and each median takes long, the nearest whole radius is taken. Frames on which
    the radius would exceed 100 pixels are filtered at the size where it is 100 and enlarged again.

    The filter counts gray levels, so floating-point images are filtered in steps of 1/255.
    """

    name = "blur"
    title = "Blur"
    parameter = "disk radius"
    unit = "pixels"
    maximum = 20.0
    slider_maximum = 20.0
    step = 0.25
    levels = tuple(float(radius) for radius in range(21))
    annex_levels = tuple(float(radius) for radius in range(20))
    training_range = (1.0, 10.0)
    published_limit = 4.0
    is_costly = True
    description = "Every pixel takes the median of the disk around it; outlines dissolve while broad shapes stay."
    source = "thesis 001 §4.2.2, annex 002"

    _LARGEST_BLENDED = 21.0
    _LARGEST_EXACT = 100.0

    @classmethod
    def in_frame(cls, intensity: float, shape: tuple[int, int]) -> str:
        return f"radius of {intensity * scale(shape):.1f} pixels of this frame"

    @classmethod
    def _corrupt(cls, image: np.ndarray, intensity: float, generator: np.random.Generator) -> np.ndarray:
        radius = intensity * scale(image.shape)
        if image.dtype == np.uint8:
            return cls._blurred(image, radius)
        return cls._blurred(np.rint(image * 255).astype(np.uint8), radius) / np.float32(255)

    @classmethod
    def _blurred(cls, image: np.ndarray, radius: float) -> np.ndarray:
        if radius > cls._LARGEST_EXACT:
            return cls._blurred_at_smaller_size(image, radius)
        if radius > cls._LARGEST_BLENDED or _is_whole(radius):
            return disk_median(image, round(radius))
        lower = math.floor(radius)
        weight = radius - lower
        return cv2.addWeighted(disk_median(image, lower), 1 - weight, disk_median(image, lower + 1), weight, 0)

    @classmethod
    def _blurred_at_smaller_size(cls, image: np.ndarray, radius: float) -> np.ndarray:
        height, width = image.shape
        factor = cls._LARGEST_EXACT / radius
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        return cv2.resize(disk_median(small, round(cls._LARGEST_EXACT)), (width, height))


def disk_median(image: np.ndarray, radius: int) -> np.ndarray:
    """Median over a disk, equal to ``skimage.filters.median(image, skimage.morphology.disk(radius))``, but fast.

    (H, W) uint8 and a radius of at least 0 give (H, W) uint8. scikit-image sorts every disk anew; its rank filter
    moves a histogram along instead, and gives the same once the border is repeated outwards. Strips of rows go to
    several threads where the work is worth it.
    """
    if radius == 0:
        return image.copy()
    from skimage.filters import median, rank
    from skimage.morphology import disk

    footprint = disk(radius)
    if radius == 1:  # five pixels are sorted sooner than counted
        return median(image, footprint)
    padded = cv2.copyMakeBorder(image, radius, radius, radius, radius, cv2.BORDER_REPLICATE)
    height = image.shape[0]
    result = np.empty(image.shape, np.uint8)
    strips = min(cores(), height) if image.size >= _PIXELS_WORTH_THREADS else 1
    edges = [height * strip // strips for strip in range(strips + 1)]

    def filter_strip(strip: int) -> None:
        first, last = edges[strip], edges[strip + 1]
        filtered = rank.median(padded[first : last + 2 * radius], footprint)
        result[first:last] = filtered[radius:-radius, radius:-radius]

    for _ in in_threads(filter_strip, range(strips), strips):
        pass
    return result


class Noise(Corruption):
    """Additive Gaussian noise, clipped to the range of the image.

    On 174 x 174 pixels it is white, as in the thesis, and equals ``skimage.util.random_noise`` of the same seed. White
    noise of a larger frame's own grain would vanish when the frame is seen at that size; so that of 174 x 174 is
    enlarged with the frame (bicubic), with an amplitude such that, seen at 174 x 174 again (averaged by area), its
    standard deviation is the intensity. On smaller frames it is averaged down. So a seed gives the same noise at every
    size of a frame.
    """

    name = "noise"
    title = "Noise"
    parameter = "standard deviation"
    unit = "of full brightness"
    maximum = 0.5
    slider_maximum = 0.5
    step = 0.005
    levels = tuple(np.linspace(0, 0.5, 50).tolist())
    annex_levels = tuple((0.0025 * np.arange(50)).tolist())
    training_range = (0.1, 0.5)
    published_limit = 0.18
    is_random = True
    description = "Gaussian noise is added to every pixel and the result clipped to the range from black to white."
    source = "thesis 001 §4.2.3, annex 002"

    @classmethod
    def in_frame(cls, intensity: float, shape: tuple[int, int]) -> str:
        height, width = (max(1.0, side / REFERENCE_SIDE) for side in shape)
        return f"{intensity * 255:.0f} of 255 levels seen at 174 pixels, in grains of {width:.1f} x {height:.1f} pixels"

    @classmethod
    def _corrupt(cls, image: np.ndarray, intensity: float, generator: np.random.Generator) -> np.ndarray:
        grain = cls._grain(image.shape, generator)
        if image.dtype == np.uint8:
            # In place: float32 is exact enough for 256 levels.
            grain *= 255 * intensity
            grain += image
            return np.clip(np.rint(grain, out=grain), 0, 255).astype(np.uint8)
        grain *= intensity
        grain += image
        return np.clip(grain, 0, 1, out=grain)

    @staticmethod
    def _grain(shape: tuple[int, int], generator: np.random.Generator) -> np.ndarray:
        """Noise (H, W) float32 of unit deviation seen at 174 x 174."""
        grain = generator.standard_normal((REFERENCE_SIDE, REFERENCE_SIDE)).astype(np.float32)
        height, width = shape
        grain = cv2.resize(grain, (REFERENCE_SIDE, height), interpolation=_interpolation(height))
        grain = cv2.resize(grain, (width, height), interpolation=_interpolation(width))
        grain *= _gain(height) * _gain(width)
        return grain


def _interpolation(side: int) -> int:
    return cv2.INTER_CUBIC if side > REFERENCE_SIDE else cv2.INTER_AREA


@lru_cache(maxsize=256)
def _gain(side: int) -> float:
    """What makes up, along an axis of so many pixels, for the deviation that noise loses in being resized.

    On more than 174 pixels the deviation has to be right once they are averaged down to 174 again; on fewer it should
    be the one that averaging leaves, though pixels do not fall into line.
    """
    resized = cv2.resize(
        np.eye(REFERENCE_SIDE, dtype=np.float32), (REFERENCE_SIDE, side), interpolation=_interpolation(side)
    )
    if side > REFERENCE_SIDE:
        resized = cv2.resize(resized, (REFERENCE_SIDE, REFERENCE_SIDE), interpolation=cv2.INTER_AREA)
    deviation = math.sqrt(float(np.square(resized).sum(axis=1).mean()))
    return min(1.0, math.sqrt(side / REFERENCE_SIDE)) / deviation
