"""Finding what a scanner drew over the echo, and filling it in.

The thesis marks pixels by fixed boxes in RGB (thesis 000 §3.1, table 3.1; annex A.1). Those miss dark and antialiased
annotations and eat the echo of tinted gray maps. ``tint`` learns the frame's own gray map instead: scan-converted echo
takes one colour a luminance, so whatever lies off that curve was drawn.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.ndimage import median_filter

from core.errors import ParameterError
from core.preprocessing.screen import find_panels, paint_boxes, square
from core.preprocessing.settings import PreprocessingSettings

# Half widths, in luminance levels, of the window whose pixels vote for a level's colour: the smallest that holds
# enough pixels is used, so that a few bright letters cannot stand for a level that the echo hardly reaches.
_HALF_WIDTHS = np.array([0, 1, 2, 4, 8, 16, 32, 64, 128, 255])
_REACH = 96  # levels that a gray map's red or blue may lie from its luminance
_COLUMNS = 2 * _REACH + 1
_SECOND_LOOK = 24  # levels around the first estimate within which pixels vote again
_DARK = 8  # luminance under which a pixel tells nothing about the colour noise
_CLEAN_SPREAD = 1.0  # rounding alone spreads colours no further; beyond it the frame has been through JPEG
_STANDS_OUT = 12  # gray levels by which a faintly coloured pixel must differ from its surroundings in a JPEG frame
_STROKE = 5  # an uncoloured stroke is narrower than this many pixels


@dataclass(frozen=True)
class Tint:
    """A frame's gray map: the RGB colour expected at each luminance, uint8 (256, 3), and the spread around it."""

    colours: np.ndarray
    spread: float


def gray_of(pixels: np.ndarray) -> np.ndarray:
    """Luminance (H, W) uint8 of a gray or RGB frame, rounded as OpenCV does (thesis 000 A.1)."""
    return pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)


def estimate_tint(rgb: np.ndarray, inside: np.ndarray | None = None) -> Tint:
    """The gray map of an RGB frame, from the frame alone.

    For each luminance the expected red and blue are the median of its pixels, over a window of luminances widened until
    it holds half a percent of all pixels; pixels far from this first curve are then left out and the
    medians taken again over narrow windows. Green follows from luminance.

    Parameters
    ----------
    rgb
        (H, W, 3) uint8.
    inside
        (H, W) bool, the pixels that vote; all by default.
    """
    gray = gray_of(rgb)
    votes = [_vote_table(gray, rgb[..., channel], inside) for channel in (0, 2)]
    total = votes[0].sum()
    if total == 0:
        return Tint(np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1), 0.0)
    offsets = np.arange(-_REACH, _REACH + 1)
    differences, deviations = [], []
    for table in votes:
        first = _windowed_median(table, max(50, total // 200))
        near = np.abs(offsets[None, :] - first[:, None]) <= _SECOND_LOOK
        # A running median over luminance: text of one gray level may outvote the echo there, but not at its neighbours.
        final = median_filter(_windowed_median(table * near, 50), 7, mode="nearest")
        differences.append(final)
        deviations.append(_usual_departure(table * near, final))
    luminance = np.arange(256)
    red, blue = (luminance + difference for difference in differences)
    green = (luminance - 0.299 * red - 0.114 * blue) / 0.587
    colours = np.clip(np.rint(np.stack([red, green, blue], axis=1)), 0, 255).astype(np.uint8)
    return Tint(colours, max(deviations))


def _vote_table(gray: np.ndarray, channel: np.ndarray, inside: np.ndarray | None) -> np.ndarray:
    """Counts (256, 2 * _REACH + 1) of luminance against the channel's difference from luminance."""
    difference = np.subtract(channel, gray, dtype=np.int16)
    cell = np.clip(difference, -_REACH, _REACH) + (_REACH + _COLUMNS * gray.astype(np.int32))
    votes = cell.ravel() if inside is None else cell[inside]
    return np.bincount(votes, minlength=256 * _COLUMNS).reshape(256, _COLUMNS).astype(np.int32)


def _windowed_median(table: np.ndarray, enough: int) -> np.ndarray:
    """Each luminance's median difference over the smallest window of luminances that holds enough pixels."""
    below = np.vstack([np.zeros((1, table.shape[1]), table.dtype), np.cumsum(table, axis=0)])
    levels = np.arange(256)
    low = np.clip(levels[:, None] - _HALF_WIDTHS[None, :], 0, 256)
    high = np.clip(levels[:, None] + _HALF_WIDTHS[None, :] + 1, 0, 256)
    counts = below.sum(axis=1)
    held = counts[high] - counts[low]
    held[:, -1] = enough  # the widest window always serves
    choice = np.argmax(held >= enough, axis=1)
    window = below[high[levels, choice]] - below[low[levels, choice]]
    rising = np.cumsum(window, axis=1)
    return np.argmax(2 * rising >= np.maximum(rising[:, -1:], 1), axis=1) - _REACH


def _usual_departure(table: np.ndarray, centre: np.ndarray) -> float:
    """The departure that nine tenths of the echo do not exceed; black has no colour noise and does not count."""
    distance = np.abs(np.arange(-_REACH, _REACH + 1)[None, :] - centre[:, None])[_DARK:]
    rising = np.cumsum(np.bincount(distance.ravel(), weights=table[_DARK:].ravel()))
    return float(np.argmax(rising >= 0.9 * rising[-1]))


def tint_departure(rgb: np.ndarray, tint: Tint, gray: np.ndarray | None = None) -> np.ndarray:
    """How far each pixel lies from the gray map, (H, W) uint8: the largest channel difference at its luminance."""
    gray = gray_of(rgb) if gray is None else gray
    expected = cv2.LUT(cv2.merge([gray, gray, gray]), tint.colours[None])
    red, green, blue = cv2.split(cv2.absdiff(rgb, expected))
    return cv2.max(cv2.max(red, green), blue)


def annotation_mask(
    pixels: np.ndarray, settings: PreprocessingSettings, inside: np.ndarray | None = None
) -> np.ndarray:
    """Pixels that the scanner drew, (H, W) bool.

    Parameters
    ----------
    pixels
        (H, W) or (H, W, 3) uint8. A gray frame has no colour to judge, so only uncoloured strokes are found in it.
    settings
        Uses ``mask`` and that mask's own parameters.
    inside
        (H, W) bool: the pixels that tell the tint, such as the sector; by default all but flat panels.

    Source: thesis 000 §3.1 and annex A.1 for the boxes; ``tint`` is ours.
    """
    if settings.mask == "none":
        return np.zeros(pixels.shape[:2], bool)
    if settings.mask == "tint":
        return _tint_mask(pixels, settings, inside)
    return _box_mask(pixels, settings)


def _box_mask(pixels: np.ndarray, settings: PreprocessingSettings) -> np.ndarray:
    rgb = pixels if pixels.ndim == 3 else cv2.merge([pixels, pixels, pixels])
    found = np.zeros(pixels.shape[:2], np.uint8)
    for box in settings.colour_boxes.values():
        lower, upper = zip(*box, strict=True)
        found |= cv2.inRange(rgb, lower, upper)
    return found.astype(bool)


def _tint_mask(pixels: np.ndarray, settings: PreprocessingSettings, inside: np.ndarray | None) -> np.ndarray:
    gray = gray_of(pixels)
    found = _sharp_strokes(gray, settings.sharp_jump)
    if pixels.ndim == 3:
        if inside is None:
            panels, bars = find_panels(gray)
            inside = paint_boxes(panels + bars, gray.shape) == 0
        found |= _coloured(pixels, gray, estimate_tint(pixels, inside), settings)
    return found


def _coloured(rgb: np.ndarray, gray: np.ndarray, tint: Tint, settings: PreprocessingSettings) -> np.ndarray:
    departure = tint_departure(rgb, tint, gray)
    threshold = max(settings.tint_tolerance, settings.tint_spread * tint.spread)
    strong = departure > threshold
    if tint.spread > _CLEAN_SPREAD:
        # JPEG smears colour over whole blocks but keeps luminance sharp: faint colour alone is no evidence there.
        stands_out = cv2.absdiff(gray, cv2.medianBlur(gray, 5)) >= _STANDS_OUT
        return (departure > 4 * threshold) | (strong & stands_out)
    # Antialiased rims fade into black and back to the tint: beside a drawn pixel, half the departure will do.
    beside = cv2.dilate(strong.astype(np.uint8), square(3))
    return strong | ((departure > threshold / 2) & (beside > 0))


def _sharp_strokes(gray: np.ndarray, jump: int) -> np.ndarray:
    """Uncoloured letters and crosses: brighter by ``jump`` than both their sides along the row within four pixels.

    A beam is wider than that across, so echo does not do it; along the depth it may, so only rows are searched, and
    the horizontal parts of a stroke are taken when they touch an upright one.
    """
    if jump == 0:
        return np.zeros(gray.shape, bool)
    across = cv2.morphologyEx(gray, cv2.MORPH_TOPHAT, cv2.getStructuringElement(cv2.MORPH_RECT, (_STROKE, 1)))
    upright = (across >= jump).astype(np.uint8)
    if not upright.any():
        return upright.astype(bool)
    thin = cv2.morphologyEx(gray, cv2.MORPH_TOPHAT, square(2 * _STROKE - 1)) >= jump
    return (cv2.dilate(upright, square(2 * _STROKE - 1)) > 0) & thin


def fill_annotations(gray: np.ndarray, mask: np.ndarray, settings: PreprocessingSettings) -> np.ndarray:
    """The frame with its annotations filled in, (H, W) uint8.

    Parameters
    ----------
    gray
        (H, W) uint8.
    mask
        (H, W) bool, grown by ``settings.grow`` pixels first.
    settings
        Uses ``grow``, ``fill`` and that fill's parameter.

    Raises
    ------
    ParameterError
        If mask and frame differ in shape.

    Source: average, thesis 000 §3.1 (a box filter whose window includes the annotation itself, black beyond the
    frame's edge); inpainting, Telea, Journal of Graphics Tools 9(1), 2004.
    """
    if mask.shape != gray.shape:
        raise ParameterError(f"The mask must have the frame's shape {gray.shape}; it has {mask.shape}.")
    if not mask.any():
        return gray.copy()
    marked = mask.astype(np.uint8)
    if settings.grow:
        marked = cv2.dilate(marked, square(2 * settings.grow + 1))
    if settings.fill == "inpaint":
        return cv2.inpaint(gray, marked, settings.inpaint_radius, cv2.INPAINT_TELEA)
    window = (settings.fill_kernel, settings.fill_kernel)
    mean = cv2.boxFilter(gray, -1, window, borderType=cv2.BORDER_CONSTANT)
    return np.where(marked > 0, mean, gray)

