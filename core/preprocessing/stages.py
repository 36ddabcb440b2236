"""The pipeline itself: named stages from a decoded frame to what a network sees (thesis 000 §3.1, annex A.1).

``prepare`` serves training and prediction, ``run`` the preview; both go through the same steps. Two chains share the
cleaning (crop, annotation mask, fill). ``plane`` goes on with percentile stretch, median and resize; ``detector`` only
resizes, because stretch and median would erase the very corruption that it looks for.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np

from core.errors import ImageError, ParameterError
from core.preprocessing.annotation import annotation_mask, fill_annotations, gray_of
from core.preprocessing.screen import Box
from core.preprocessing.sector import Sector, find_sector, whole_frame
from core.preprocessing.settings import INTEGER_RANGES, PreprocessingSettings

CHAINS = ("plane", "detector")

# Height x width of the three known screens -> rows and columns kept (annex A.1; slices may end beyond the frame).
_GE_CROP = Box(59, 720, 15, 960)
THESIS_CROPS: dict[tuple[int, int], Box] = {
    (650, 868): _GE_CROP,
    (720, 960): _GE_CROP,
    (768, 1024): Box(80, 570, 1, 760),
}

_MUCH_DRAWN = 0.1  # of the sector: more than scanners draw

_TITLES = {
    "input": "Input in gray",
    "crop": "Crop",
    "annotation_mask": "Annotation mask",
    "fill": "Annotations filled",
    "stretch": "Percentile stretch",
    "median": "Median filter",
    "resize": "Resize",
    "channels": "Three channels",
}


@dataclass(frozen=True)
class Stage:
    """One step of the pipeline.

    Attributes
    ----------
    name, title
        For files and for people.
    image
        (H, W) uint8, or (H, W, 3) for ``channels``; for ``annotation_mask`` 255 where marked.
    changed_pixels
        How many pixels the step changed; ``description`` says what is counted where the size changes.
    description
        One sentence.
    """

    name: str
    title: str
    image: np.ndarray
    changed_pixels: int
    description: str


@dataclass(frozen=True)
class Preprocessed:
    """What ``run`` gives: all stages in order, and where in the full frame they come from.

    Attributes
    ----------
    stages
        In the order in which they were carried out.
    annotation_mask
        (H, W) bool of the full frame, before it is grown.
    sector
        (H, W) bool of the full frame: what is not blackened.
    box
        Rows and columns of the full frame that are kept.
    notes
        Sentences on what the user should know, such as a crop that found nothing.
    """

    stages: tuple[Stage, ...]
    annotation_mask: np.ndarray
    sector: np.ndarray
    box: Box
    notes: tuple[str, ...]

    @property
    def image(self) -> np.ndarray:
        """The prepared image, (size, size) uint8."""
        return self.stage("resize").image

    def stage(self, name: str) -> Stage:
        """The stage of this name.

        Raises
        ------
        ParameterError
            If the chain has no such stage.
        """
        for stage in self.stages:
            if stage.name == name:
                return stage
        raise ParameterError(f"This chain has no stage {name!r}; it has {', '.join(s.name for s in self.stages)}.")


@dataclass(frozen=True)
class Cleaned:
    """A frame without annotations, cropped, at its own resolution.

    Attributes
    ----------
    gray
        (H, W) uint8, black outside the sector.
    sector
        (H, W) bool, the same size.
    box
        Where in the full frame it lies.
    notes
        Sentences on what the user should know.
    """

    gray: np.ndarray
    sector: np.ndarray
    box: Box
    notes: tuple[str, ...]

    @cached_property
    def counts(self) -> np.ndarray:
        """How many pixels of the sector have each gray level, (256,) int64."""
        return histogram(self.gray, self.sector)


# Counts what a step changed only when asked: few watch.
_Watcher = Callable[[str, np.ndarray, Callable[[], int], str], None]


def _nobody(name: str, image: np.ndarray, changed: Callable[[], int], description: str) -> None:
    """Watches no stage."""


def run(pixels: np.ndarray, settings: PreprocessingSettings, chain: str = "plane") -> Preprocessed:
    """Carries out a chain and keeps every stage.

    Parameters
    ----------
    pixels
        (H, W) or (H, W, 3) uint8, gray or RGB.
    settings
        The parameters.
    chain
        ``plane`` or ``detector``.

    Raises
    ------
    ImageError
        If the pixels are not such an array.
    ParameterError
        If there is no such chain.
    """
    stages: list[Stage] = []

    def keep(name: str, image: np.ndarray, changed: Callable[[], int], description: str) -> None:
        stages.append(Stage(name, _TITLES[name], image, int(changed()), description))

    gray, sector, mask = _chain(pixels, settings, chain, settings.size, keep)
    keep("channels", cv2.merge([gray, gray, gray]), lambda: 0, "The gray image is repeated in three equal channels.")
    return Preprocessed(tuple(stages), mask, sector.mask, sector.box, _notes(sector, mask))


def prepare(
    pixels: np.ndarray, settings: PreprocessingSettings, chain: str = "plane", size: int | None = None
) -> np.ndarray:
    """The prepared image alone, (size, size) uint8: what ``run`` ends with before the three channels.

    Parameters
    ----------
    pixels, settings, chain
        As for ``run``.
    size
        Side in pixels instead of the settings'.

    Raises
    ------
    ImageError
        If the pixels are not (H, W) or (H, W, 3) uint8.
    ParameterError
        If there is no such chain, or the size is out of range.
    """
    return _chain(pixels, settings, chain, _checked_size(size, settings), _nobody)[0]


def clean(pixels: np.ndarray, settings: PreprocessingSettings) -> Cleaned:
    """The cleaned, cropped frame at its own resolution: what both chains share and corruptions are applied to.

    With ``crop_last`` the fill sees the whole frame, as in the chains; stretch and median are left out in any case.

    Raises
    ------
    ImageError
        If the pixels are not (H, W) or (H, W, 3) uint8.
    """
    gray, sector, mask = _clean(_checked(pixels), settings, _nobody)
    if settings.order == "crop_last":
        gray = _cut(gray, sector)
    return Cleaned(gray, sector.mask[sector.box.slices], sector.box, _notes(sector, mask))


def finish(
    cleaned: Cleaned, settings: PreprocessingSettings, chain: str = "plane", size: int | None = None
) -> np.ndarray:
    """The rest of a chain for a frame that was cleaned, and perhaps corrupted since: (size, size) uint8.

    ``finish(clean(pixels, settings), settings)`` is ``prepare(pixels, settings)``, but with ``crop_last``, whose
    percentiles look at parts of the screen that a cleaned frame no longer has.

    Raises
    ------
    ParameterError
        If there is no such chain, or the size is out of range.
    """
    _check_chain(chain)
    gray = cleaned.gray
    if chain == "plane":
        gray = _enhance(gray, cleaned.counts, settings, _nobody)
    return _watched_resize(gray, settings, _checked_size(size, settings), _nobody)


def follow(
    labels: np.ndarray, cleaned: Cleaned, settings: PreprocessingSettings, size: int | None = None
) -> np.ndarray:
    """What is drawn where in the network's input: a label image on the way that :func:`finish` takes the frame.

    Parameters
    ----------
    labels
        (H, W) uint8 over the full frame that was cleaned.

    Returns
    -------
    np.ndarray
        (size, size) uint8: each pixel has the label of its middle; 0 outside the sector and in padding.

    Raises
    ------
    ParameterError
        If the labels do not reach as far as the crop, or the size is out of range.
    """
    if labels.ndim != 2 or labels.shape[0] < cleaned.box.bottom or labels.shape[1] < cleaned.box.right:
        raise ParameterError(f"Labels of shape {labels.shape} do not cover the frame; give them at the frame's size.")
    side = _checked_size(size, settings)
    inside = np.where(cleaned.sector, labels[cleaned.box.slices], np.uint8(0))
    return cv2.resize(_padded(inside, settings), (side, side), interpolation=cv2.INTER_NEAREST_EXACT)


def placement(box: Box, settings: PreprocessingSettings, size: int | None = None) -> np.ndarray:
    """Where a frame's pixels come to lie in the network's input: an affine map of (x, y), (2, 3) float64.

    Parameters
    ----------
    box
        What the crop kept of the frame (:attr:`Cleaned.box`).

    Raises
    ------
    ParameterError
        If the size is out of range.
    """
    side = _checked_size(size, settings)
    height, width = box.bottom - box.top, box.right - box.left
    across, down = -box.left, -box.top
    if settings.aspect == "pad":
        longer = max(height, width)
        across, down = across + (longer - width) // 2, down + (longer - height) // 2
        height = width = longer
    scale = np.array([side / width, side / height])
    # Pixels are counted from their middles, and the corners are what a resize keeps in place.
    shift = scale * (np.array([across, down]) + 0.5) - 0.5
    return np.column_stack([np.diag(scale), shift])


def reduced(cleaned: Cleaned, side: int) -> Cleaned:
    """A cleaned frame averaged by area until the root of its area is ``side`` pixels; never enlarged."""
    height, width = cleaned.gray.shape
    factor = side / (height * width) ** 0.5
    if factor >= 1:
        return cleaned
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    gray = cv2.resize(cleaned.gray, size, interpolation=cv2.INTER_AREA)
    sector = cv2.resize(cleaned.sector.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    return replace(cleaned, gray=gray, sector=sector)


def histogram(image: np.ndarray, inside: np.ndarray | None = None) -> np.ndarray:
    """Counts (256,) of an image's gray levels, (H, W) or three equal channels, by choice only inside a mask (H, W)."""
    gray = image if image.ndim == 2 else image[..., 0]
    mask = None if inside is None else inside.view(np.uint8)
    return cv2.calcHist([gray], [0], mask, [256], [0, 256]).ravel().astype(np.int64)


def _checked(pixels: np.ndarray) -> np.ndarray:
    """The pixels, if they are an image."""
    is_image = isinstance(pixels, np.ndarray) and (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3))
    if not is_image or pixels.dtype != np.uint8 or pixels.size == 0:
        raise ImageError("Preprocessing needs a gray or RGB image of 8 bits a channel; decode the file first.")
    return pixels


def _notes(sector: Sector, mask: np.ndarray) -> tuple[str, ...]:
    """Sentences on what may have gone wrong."""
    notes = [sector.note] if sector.note else []
    share = np.count_nonzero(mask & sector.mask) / np.count_nonzero(sector.mask)
    if share > _MUCH_DRAWN:
        notes.append(
            f"{share:.0%} of the sector was taken for annotations; if this is colour Doppler or echo, "
            "choose another annotation mask or none."
        )
    return tuple(notes)


def _check_chain(chain: str) -> None:
    if chain not in CHAINS:
        raise ParameterError(f"There is no chain {chain!r}; choose one of {', '.join(CHAINS)}.")


def _checked_size(size: int | None, settings: PreprocessingSettings) -> int:
    if size is None:
        return settings.size
    least, greatest, _ = INTEGER_RANGES["size"]
    if not least <= size <= greatest:
        raise ParameterError(f"The side of the prepared image must be from {least} to {greatest} pixels; it is {size}.")
    return size


def _chain(
    pixels: np.ndarray, settings: PreprocessingSettings, chain: str, size: int, watch: _Watcher
) -> tuple[np.ndarray, Sector, np.ndarray]:
    """The prepared image, the sector, and the annotation mask of the full frame."""
    pixels = _checked(pixels)
    _check_chain(chain)
    gray, sector, mask = _clean(pixels, settings, watch)
    crop_last = settings.order == "crop_last"
    if chain == "plane":
        inside = None if crop_last else sector.mask[sector.box.slices]
        gray = _enhance(gray, histogram(gray, inside), settings, watch)
    if crop_last:
        gray = _watched_crop(gray, sector, watch)
    return _watched_resize(gray, settings, size, watch), sector, mask


def _enhance(gray: np.ndarray, counts: np.ndarray, settings: PreprocessingSettings, watch: _Watcher) -> np.ndarray:
    """Percentile stretch, of the counted gray levels, and median: what the detector's chain has not."""
    return _watched_median(_watched_stretch(gray, counts, settings, watch), settings, watch)


def _clean(
    pixels: np.ndarray, settings: PreprocessingSettings, watch: _Watcher
) -> tuple[np.ndarray, Sector, np.ndarray]:
    """The filled frame, cropped unless ``crop_last``; the sector; and the annotation mask of the full frame."""
    gray = gray_of(pixels)
    watch("input", gray, lambda: 0, "The frame in shades of gray, as luminance.")
    sector = _sector(pixels, settings)
    tells_tint = sector.mask if settings.crop == "automatic" and sector.shape != "frame" else None
    if settings.order == "crop_last":
        mask = annotation_mask(pixels, settings, tells_tint)
        return _watched_fill(gray, mask, settings, watch), sector, mask
    gray = _watched_crop(gray, sector, watch)
    window = sector.box.slices
    inside = sector.mask[window]
    found = annotation_mask(pixels[window], settings, None if tells_tint is None else inside) & inside
    mask = np.zeros(pixels.shape[:2], bool)
    mask[window] = found
    return _watched_fill(gray, found, settings, watch, inside), sector, mask


def _sector(pixels: np.ndarray, settings: PreprocessingSettings) -> Sector:
    shape = pixels.shape[:2]
    if settings.crop == "automatic":
        return find_sector(pixels)
    if settings.crop == "none":
        return whole_frame(shape)
    if shape not in THESIS_CROPS:
        height, width = shape
        return whole_frame(shape, f"The thesis knows no crop for {width}x{height} pixels, so the whole frame is used.")
    crop = THESIS_CROPS[shape]
    box = Box(crop.top, min(crop.bottom, shape[0]), crop.left, min(crop.right, shape[1]))
    mask = np.zeros(shape, bool)
    mask[box.slices] = True
    return Sector(mask, box, "rectangle")


def _cut(gray: np.ndarray, sector: Sector) -> np.ndarray:
    window = sector.box.slices
    return _inside(gray[window], sector.mask[window])


def _inside(gray: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """The frame (H, W) uint8, black where ``inside`` is False."""
    return cv2.bitwise_and(gray, gray, mask=inside.view(np.uint8))


def _watched_crop(gray: np.ndarray, sector: Sector, watch: _Watcher) -> np.ndarray:
    cropped = _cut(gray, sector)
    watch(
        "crop",
        cropped,
        lambda: np.count_nonzero(~sector.mask),
        "Only the sector is kept; the count is of pixels cut off or blackened.",
    )
    return cropped


def _watched_fill(
    gray: np.ndarray,
    mask: np.ndarray,
    settings: PreprocessingSettings,
    watch: _Watcher,
    inside: np.ndarray | None = None,
) -> np.ndarray:
    watch(
        "annotation_mask",
        mask.astype(np.uint8) * 255,
        lambda: np.count_nonzero(mask),
        "Pixels that the scanner drew, in white; the count is of these.",
    )
    filled = fill_annotations(gray, mask, settings)
    if inside is not None:  # a mask grown over the sector's rim must not spill echo into the black
        filled = _inside(filled, inside)
    if settings.fill == "inpaint":
        how = "continued from their surroundings"
    else:
        how = f"replaced by the mean of {settings.fill_kernel}x{settings.fill_kernel} pixels"
    watch(
        "fill",
        filled,
        lambda: np.count_nonzero(filled != gray),
        f"Marked pixels, and {settings.grow} around them, are {how}.",
    )
    return filled


def _watched_stretch(
    gray: np.ndarray, counts: np.ndarray, settings: PreprocessingSettings, watch: _Watcher
) -> np.ndarray:
    low, high = _percentiles(counts, settings.lower_percentile, settings.upper_percentile)
    stretched = cv2.LUT(gray, _stretch_table(low, high))
    watch(
        "stretch",
        stretched,
        lambda: np.count_nonzero(stretched != gray),
        f"Gray levels from {low:g} to {high:g} (percentiles {settings.lower_percentile:g} and "
        f"{settings.upper_percentile:g}) are spread over 0 to 255.",
    )
    return stretched


def _percentiles(counts: np.ndarray, *percents: float) -> tuple[float, ...]:
    """``numpy.percentile`` of the counted gray levels, by linear interpolation, without sorting them."""
    rising = np.cumsum(counts)
    found = []
    for percent in percents:
        position = percent / 100 * (rising[-1] - 1)
        below = np.floor(position)
        part = position - below
        lower = int(np.searchsorted(rising, below, side="right"))
        upper = int(np.searchsorted(rising, min(below + 1, rising[-1] - 1), side="right"))
        # Written as numpy writes it, for the last bit decides how the stretched levels are cut to integers.
        step = upper - lower
        found.append(float(lower + step * part if part < 0.5 else upper - step * (1 - part)))
    return tuple(found)


def _stretch_table(low: float, high: float) -> np.ndarray:
    """``skimage.exposure.rescale_intensity(levels, in_range=(low, high))`` for all levels, (256,) uint8."""
    levels = np.arange(256, dtype=np.float64)
    clipped = np.clip(levels, low, high)
    return (clipped if low == high else (clipped - low) / (high - low) * 255).astype(np.uint8)


def _watched_median(gray: np.ndarray, settings: PreprocessingSettings, watch: _Watcher) -> np.ndarray:
    side = settings.median_kernel
    smooth = cv2.medianBlur(gray, side) if side > 1 else gray
    watch(
        "median",
        smooth,
        lambda: np.count_nonzero(smooth != gray),
        f"Each pixel becomes the median of {side}x{side} pixels.",
    )
    return smooth


def _watched_resize(gray: np.ndarray, settings: PreprocessingSettings, size: int, watch: _Watcher) -> np.ndarray:
    height, width = gray.shape
    resized = cv2.resize(_padded(gray, settings), (size, size))
    how = "padded to a square, then resized" if settings.aspect == "pad" else "resized"
    watch(
        "resize",
        resized,
        lambda: abs(height * width - size * size),
        f"{width}x{height} pixels are {how} to {size}x{size}; the count is of pixels lost or won.",
    )
    return resized


def _padded(image: np.ndarray, settings: PreprocessingSettings) -> np.ndarray:
    """With black to a square where the settings say so."""
    height, width = image.shape
    if settings.aspect != "pad" or height == width:
        return image
    down, across = max(height, width) - height, max(height, width) - width
    return cv2.copyMakeBorder(
        image, down // 2, down - down // 2, across // 2, across - across // 2, cv2.BORDER_CONSTANT, value=0
    )
