"""The structural similarity index (SSIM) of two gray images, in each of the readings this project needs.

Three definitions:

``wang``
    Wang, Bovik, Sheikh and Simoncelli, IEEE Transactions on Image Processing 13(4), 2004: Gaussian windows (sigma
    1.5, 11 x 11), moments of the population. The one shown by default.
``skimage``
    scikit-image's default: uniform windows of 7 x 7, variances of a sample.
``annex``
    What the annex of the corruption thesis computed (annex 002): scikit-image's default on images in [0, 1] without a
    data range, which in 2020 meant a range of 2. It makes every corruption look milder.

All in double precision: of variances as differences of large numbers, single precision leaves errors of 1e-5 (bright
flat areas) to 1e-4 (hard black and white), and OpenCV is fast enough without it.
"""

import threading
from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np

from core.errors import ParameterError

_K1, _K2 = 0.01, 0.03  # Wang's constants, scikit-image's too


@dataclass(frozen=True)
class Definition:
    """One reading of SSIM: how a window weighs its pixels, how it estimates variances, what range values span."""

    title: str
    side: int
    gaussian_sigma: float | None
    is_sample: bool
    range_factor: float

    def means(self, values: np.ndarray, result: np.ndarray) -> None:
        """Puts the weighted mean of every window of (H, W) float64 into ``result``; the border sees a mirror image."""
        if self.gaussian_sigma is None:
            cv2.boxFilter(values, cv2.CV_64F, (self.side, self.side), dst=result, borderType=cv2.BORDER_REFLECT)
            return
        weights = cv2.getGaussianKernel(self.side, self.gaussian_sigma, cv2.CV_64F)
        cv2.sepFilter2D(values, cv2.CV_64F, weights, weights, dst=result, borderType=cv2.BORDER_REFLECT)

    @property
    def variance_factor(self) -> float:
        """From the variance of a window's pixels to the estimate."""
        pixels = self.side**2
        return pixels / (pixels - 1) if self.is_sample else 1.0


DEFINITIONS: dict[str, Definition] = {
    "wang": Definition("Wang's definition", 11, 1.5, is_sample=False, range_factor=1),
    "skimage": Definition("scikit-image's default", 7, None, is_sample=True, range_factor=1),
    "annex": Definition("the thesis's reading (double range)", 7, None, is_sample=True, range_factor=2),
}


_thread = threading.local()
_LARGEST_KEPT = 1_000_000


def _work_arrays(shape: tuple[int, int]) -> tuple[np.ndarray, ...]:
    """Seven arrays (H, W) float64 of this thread, kept for its next image of the same size.

    Fresh memory has to be handed over page by page, which takes as long as all the arithmetic.
    """
    if shape[0] * shape[1] > _LARGEST_KEPT:
        return tuple(np.empty((7, *shape)))
    kept = getattr(_thread, "arrays", None)
    if kept is None or kept[0].shape != shape:
        kept = _thread.arrays = tuple(np.empty((7, *shape)))
    return kept


class Reference:
    """An image to which many others are compared: its own share of the work is done once.

    Parameters
    ----------
    image : numpy.ndarray
        (H, W), uint8 or floating-point in [0, 1]; a side of at least 11 pixels (Wang) or 7 (the others).
    definition : {"wang", "skimage", "annex"}
    data_range : float, optional
        What the values span; by default 255 for uint8 and 1 for floating-point images. Given, floating-point values
        may be any.

    Raises
    ------
    ParameterError
        For an unknown definition, colour, too small an image, other values than described.
    """

    _RANGES: ClassVar[dict[str, float]] = {"u": 255.0, "f": 1.0}

    def __init__(self, image: np.ndarray, definition: str = "wang", data_range: float | None = None):
        if definition not in DEFINITIONS:
            raise ParameterError(f"SSIM has no definition {definition!r}: choose one of {', '.join(DEFINITIONS)}.")
        self.definition = DEFINITIONS[definition]
        if data_range is not None and not (np.isfinite(data_range) and data_range > 0):
            raise ParameterError(f"SSIM needs a positive data range, not {data_range}: use 255 for 8-bit images.")
        self._is_range_given = data_range is not None
        self._check(image)
        self._kind = image.dtype.kind
        self.shape = image.shape
        span = (self._RANGES[self._kind] if data_range is None else data_range) * self.definition.range_factor
        self._c1 = (_K1 * span) ** 2
        # The estimate's factor stands above and below the fraction, so the constant can bear it alone.
        self._c2 = (_K2 * span) ** 2 / self.definition.variance_factor
        self._image = image.copy()  # the caller may go on to change it
        self._mean, self._mean_of_squares = self._storage(image.shape)
        values, squares, *_ = _work_arrays(image.shape)
        np.copyto(values, image)
        self.definition.means(values, self._mean)
        self.definition.means(np.multiply(values, values, out=squares), self._mean_of_squares)

    def _storage(self, shape: tuple[int, int]) -> np.ndarray | tuple[np.ndarray, ...]:
        """Two arrays for the moments."""
        return np.empty((2, *shape))

    def ssim(self, image: np.ndarray, region: np.ndarray | None = None) -> float:
        """SSIM of ``image`` and the reference, see :func:`ssim`."""
        values = self._map(image)
        return self._mean_inside(values) if region is None else _mean_of(values, self._checked_region(region))

    def ssim_of_both(self, image: np.ndarray, region: np.ndarray) -> tuple[float, float]:
        """SSIM of the whole frame and of a region, from one map."""
        values = self._map(image)
        return self._mean_inside(values), _mean_of(values, self._checked_region(region))

    def measure(self, image: np.ndarray, region: np.ndarray) -> tuple[np.ndarray, float, float]:
        """The map around every pixel with the SSIM of the whole frame and of a region, all from one computation."""
        values = self._map(image)
        return values.copy(), self._mean_inside(values), float(values[self._checked_region(region)].mean())

    def _mean_inside(self, values: np.ndarray) -> float:
        """Over the windows that lie wholly inside the frame, as scikit-image does."""
        margin = self.definition.side // 2
        return float(values[margin:-margin, margin:-margin].mean())

    def map(self, image: np.ndarray) -> np.ndarray:
        """SSIM around every pixel, see :func:`ssim_map`."""
        return self._map(image).copy()

    def _map(self, image: np.ndarray) -> np.ndarray:
        """The map in one of this thread's work arrays, good until the next call."""
        parts = self._parts(image)
        return self._fraction(*parts, top=parts[0], bottom=parts[1])

    def _parts(self, image: np.ndarray) -> tuple[np.ndarray, ...]:
        """Twice the product of the means, the sum of their squares, twice the covariance, the sum of the variances.

        Each (H, W) float64 in one of this thread's work arrays, good until the next call.
        """
        self._check(image)
        if image.dtype.kind != self._kind:
            raise ParameterError("SSIM cannot compare an 8-bit image with a floating-point one: convert one of them.")
        if image.shape != self.shape:
            raise ParameterError(
                f"SSIM compares images of one size, not {self.shape} with {image.shape}: resize one of them."
            )
        values, work, mean, variances, covariance, *_ = _work_arrays(self.shape)
        np.copyto(values, image)
        self.definition.means(values, mean)
        # Of the two variances only the sum is needed.
        self.definition.means(np.multiply(values, values, out=work), variances)
        variances += self._mean_of_squares
        self.definition.means(np.multiply(values, self._image, out=work), covariance)

        product = np.multiply(mean, self._mean, out=values)
        squares = np.multiply(mean, mean, out=mean)
        squares += np.multiply(self._mean, self._mean, out=work)
        variances -= squares
        covariance -= product
        covariance *= 2
        product *= 2
        return product, squares, covariance, variances

    def _fraction(
        self,
        product: np.ndarray,
        squares: np.ndarray,
        covariance: np.ndarray,
        variances: np.ndarray,
        *,
        top: np.ndarray,
        bottom: np.ndarray,
    ) -> np.ndarray:
        """The map from its parts, put into ``top``; ``bottom`` is overwritten too, and one more work array."""
        work = _work_arrays(self.shape)[1]
        np.add(product, self._c1, out=top)
        top *= np.add(covariance, self._c2, out=work)
        np.add(squares, self._c1, out=bottom)
        bottom *= np.add(variances, self._c2, out=work)
        top /= bottom
        return top

    def _check(self, image: np.ndarray) -> None:
        if not isinstance(image, np.ndarray) or image.ndim != 2:
            raise ParameterError("SSIM compares gray images of shape (H, W): convert colour images to gray first.")
        if image.dtype != np.uint8 and image.dtype.kind != "f":
            raise ParameterError(
                f"SSIM compares 8-bit or floating-point images, not {image.dtype}: convert them first."
            )
        if min(image.shape) < self.definition.side:
            raise ParameterError(
                f"SSIM in {self.definition.title} needs at least {self.definition.side} x {self.definition.side} "
                f"pixels, not {image.shape[0]} x {image.shape[1]}: use a larger image."
            )
        if image.dtype.kind == "f":
            low, high = image.min(), image.max()
            if not (np.isfinite(low) and np.isfinite(high)):
                raise ParameterError("SSIM cannot compare values that are no numbers: remove NaN and infinity first.")
            if not self._is_range_given and not (low >= 0 and high <= 1):
                raise ParameterError(
                    f"SSIM takes floating-point images in [0, 1], these span {low:g} to {high:g}: "
                    "scale them or name their data range."
                )

    def _checked_region(self, region: np.ndarray) -> np.ndarray:
        if not isinstance(region, np.ndarray) or region.dtype != bool or region.shape != self.shape:
            raise ParameterError(f"SSIM's region must be a mask of true and false of shape {self.shape}: check it.")
        if not region.any():
            raise ParameterError("SSIM's region is empty: choose a region with at least one pixel.")
        return region


def _mean_of(values: np.ndarray, region: np.ndarray) -> float:
    """Mean over a region's pixels; OpenCV adds them up in double precision without copying them first."""
    return float(cv2.mean(values, np.ascontiguousarray(region).view(np.uint8))[0])


class _PassingReference(Reference):
    """A reference for one comparison at once, whose moments need no memory of their own."""

    def _storage(self, shape: tuple[int, int]) -> tuple[np.ndarray, ...]:
        return _work_arrays(shape)[5:]


def ssim(
    reference: np.ndarray,
    image: np.ndarray,
    definition: str = "wang",
    region: np.ndarray | None = None,
    data_range: float | None = None,
) -> float:
    """Structural similarity of two gray images, 1 where they are equal.

    Parameters
    ----------
    reference, image : numpy.ndarray
        (H, W) of one size, both uint8 or both floating-point in [0, 1].
    definition : {"wang", "skimage", "annex"}
        See the module.
    region : numpy.ndarray of bool, optional
        (H, W), for instance the sector: the mean of the map over its pixels. Without it, the mean over all windows
        that lie wholly inside the frame, as scikit-image takes it. The black around a sector inflates that one.
    data_range : float, optional
        What the values span; by default 255 for uint8 and 1 for floating-point images.

    Raises
    ------
    ParameterError
        For images of different size or kind, too small, in colour, or out of range; for an unknown definition; for a
        region that is empty or of another shape.
    """
    return _PassingReference(reference, definition, data_range).ssim(image, region)


def ssim_map(
    reference: np.ndarray, image: np.ndarray, definition: str = "wang", data_range: float | None = None
) -> np.ndarray:
    """SSIM of the window around every pixel, (H, W) float64. Parameters and errors are those of :func:`ssim`.

    Windows at the border are filled up by mirroring, as scikit-image does.
    """
    return _PassingReference(reference, definition, data_range).map(image)


REGIONS = ("sector", "frame")
READINGS: tuple[tuple[str, str], ...] = tuple((name, region) for name in DEFINITIONS for region in REGIONS)
"""Every definition in every region, in the order of :meth:`AllReadings.compare`."""


class AllReadings:
    """A frame to which many others are compared, in every definition and region at once.

    The two definitions with uniform windows differ in their constants alone, so they share their sums.

    Parameters
    ----------
    image : numpy.ndarray
        (H, W), as for :class:`Reference`, sides of at least 11.
    sector : numpy.ndarray of bool
        (H, W), with at least one pixel.
    """

    def __init__(self, image: np.ndarray, sector: np.ndarray) -> None:
        self._references = {name: Reference(image, name) for name in DEFINITIONS}
        self._sector = self._references["wang"]._checked_region(sector)

    def compare(self, image: np.ndarray) -> np.ndarray:
        """SSIM of (H, W) and the frame in the order of :data:`READINGS`, (6,) float64."""
        wang, skimage, annex = self._references.values()
        scores = self._both(wang, wang._map(image))
        parts = skimage._parts(image)
        spare = _work_arrays(image.shape)[5:]
        scores += self._both(skimage, skimage._fraction(*parts, top=spare[0], bottom=spare[1]))
        scores += self._both(annex, annex._fraction(*parts, top=spare[0], bottom=spare[1]))
        return np.array(scores)

    def _both(self, reference: Reference, values: np.ndarray) -> list[float]:
        """Mean in the sector and in the frame."""
        return [_mean_of(values, self._sector), reference._mean_inside(values)]
