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
from core.preprocessing.screen import find_panels, paint_boxes, rectangle, square
from core.preprocessing.settings import PreprocessingSettings

# Half widths, in luminance levels, of the window whose pixels vote for a level's colour: the smallest that holds
# enough pixels is used, so that a few bright letters cannot stand for a level that the echo hardly reaches.
_HALF_WIDTHS = np.array([0, 1, 2, 4, 8, 16, 32, 64, 128, 255])
_REACH = 96  # levels that a gray map's red or blue may lie from its luminance
_COLUMNS = 2 * _REACH + 1
_SECOND_LOOK = 24  # levels around the first estimate within which pixels vote again
_SATURATED = 96  # difference between channels that a gray map hardly reaches
_VOTERS = 200_000  # pixels of a frame beyond which only every fourth votes
_DARK = 8  # luminance under which a pixel tells nothing about the colour noise
_CLEAN_SPREAD = 1.0  # rounding alone spreads colours no further; beyond it the frame has been through JPEG
_STANDS_OUT = 12  # gray levels by which a faintly coloured pixel must differ from its surroundings in a JPEG frame
_BLACK = 16  # luminance under which the rim of something drawn looks black
_SPECK = 24  # gray levels by which such a rim lies below its surroundings
_MUCH_WRITTEN = 0.1  # of the sector: uncoloured strokes that cover more are noise, which must not be filled in
_GRADIENT = 4  # pixels beyond its radius that inpainting looks at, and some to spare
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
    it holds half a percent of all pixels; signal colours have no vote. Pixels far from this first curve are then left
    out and the medians taken again over narrow windows. Green follows from luminance.

    Parameters
    ----------
    rgb
        (H, W, 3) uint8.
    inside
        (H, W) bool, the pixels that vote; all by default.
    """
    if inside is None:
        inside = np.ones(rgb.shape[:2], bool)
    if inside.size > _VOTERS:  # a quarter of the pixels tells as much
        half = (inside.shape[1] // 2, inside.shape[0] // 2)
        rgb = cv2.resize(rgb, half, interpolation=cv2.INTER_NEAREST)
        inside = cv2.resize(inside.astype(np.uint8), half, interpolation=cv2.INTER_NEAREST) > 0
    red, green, blue = (channel[inside].astype(np.int16) for channel in cv2.split(rgb))
    levels = gray_of(rgb)[inside]
    if levels.size == 0:
        return Tint(np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1), 0.0)
    saturation = np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)
    modest = saturation <= max(_SATURATED, 2 * np.median(saturation))  # signal colours have no vote
    levels, red, blue = levels[modest], red[modest], blue[modest]
    offsets = [np.clip(channel - levels, -_REACH, _REACH) for channel in (red, blue)]
    enough = max(50, levels.size // 200)
    first = [_windowed_median(_vote_table(levels, offset), enough) for offset in offsets]
    near = np.ones(levels.shape, bool)
    for offset, curve in zip(offsets, first, strict=True):
        near &= np.abs(offset - curve[levels]) <= _SECOND_LOOK
    if not near.any():
        near[:] = True
    tables = [_vote_table(levels[near], offset[near]) for offset in offsets]
    # A running median over luminance: text of one gray level may outvote the echo there, but not at its neighbours.
    curves = [median_filter(_windowed_median(table, 50), 7, mode="nearest") for table in tables]
    luminance = np.arange(256)
    red, blue = (luminance + curve for curve in curves)
    green = (luminance - 0.299 * red - 0.114 * blue) / 0.587
    colours = np.clip(np.rint(np.stack([red, green, blue], axis=1)), 0, 255).astype(np.uint8)
    return Tint(colours, max(_usual_departure(table, curve) for table, curve in zip(tables, curves, strict=True)))


def _vote_table(levels: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Counts (256, 2 * _REACH + 1) of luminance against a channel's offset from luminance."""
    cells = offsets + (_REACH + _COLUMNS * levels.astype(np.int32))
    return np.bincount(cells, minlength=256 * _COLUMNS).reshape(256, _COLUMNS).astype(np.int32)


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
    found = np.zeros(gray.shape, np.uint8)
    if pixels.ndim == 3:
        if inside is None:
            panels, bars = find_panels(gray)
            inside = paint_boxes(panels + bars, gray.shape) == 0
        found |= _coloured(pixels, gray, estimate_tint(pixels, inside), settings)
    if settings.sharp_jump:
        found |= _sharp_strokes(gray, found, settings.sharp_jump, inside)
    return found > 0


def _coloured(rgb: np.ndarray, gray: np.ndarray, tint: Tint, settings: PreprocessingSettings) -> np.ndarray:
    """Pixels (H, W) uint8 off the frame's gray map, with their dark rims."""
    departure = tint_departure(rgb, tint, gray)
    threshold = max(settings.tint_tolerance, settings.tint_spread * tint.spread)
    strong = departure > threshold
    if tint.spread > _CLEAN_SPREAD:
        # JPEG smears colour over whole blocks but keeps luminance sharp: faint colour alone is no evidence there.
        stands_out = cv2.absdiff(gray, cv2.medianBlur(gray, 5)) >= _STANDS_OUT
        return ((departure > 4 * threshold) | (strong & stands_out)).astype(np.uint8)
    # Antialiased rims fade into black: beside a drawn pixel, half the departure or a black speck will do. Drawn pixels
    # are lowered first, lest the echo between two of them looks dark.
    beside = cv2.dilate(strong.astype(np.uint8), square(3)) > 0
    lowered = np.where(strong, cv2.erode(gray, square(_STROKE)), gray)
    speck = (gray < _BLACK) & (cv2.morphologyEx(lowered, cv2.MORPH_BLACKHAT, square(_STROKE)) >= _SPECK)
    return (strong | (beside & ((departure > threshold / 2) | speck))).astype(np.uint8)


def _sharp_strokes(gray: np.ndarray, found: np.ndarray, jump: int, inside: np.ndarray | None) -> np.ndarray:
    """Uncoloured letters, crosses and lines (H, W) uint8: thin, and brighter by ``jump`` than what lies beside them.

    They are either two pixels thin, or up to four pixels wide along the row; a beam blurs echo wider than that. What
    hangs together with such pixels and stands out by half the jump belongs to the stroke. Dark rims of what is already
    ``found``, and what is not ``inside``, are raised first, lest the echo between or beside them looks sharp.
    """
    free, raised = np.ones(gray.shape, bool), gray
    if found.any():
        free = cv2.dilate(found, square(3)) == 0
        raised = np.where(free, gray, cv2.dilate(gray, square(_STROKE)))
    if inside is not None:
        raised = raised | (inside.view(np.uint8) - np.uint8(1))  # 255 where it is not inside
        free &= inside
    upright = cv2.morphologyEx(raised, cv2.MORPH_OPEN, rectangle(_STROKE, 1))
    thin = cv2.morphologyEx(raised, cv2.MORPH_OPEN, square(3))
    sharpness = cv2.subtract(raised, cv2.min(upright, thin))
    seeds = (sharpness >= jump) & free
    most = _MUCH_WRITTEN * (gray.size if inside is None else np.count_nonzero(inside))
    if not 0 < np.count_nonzero(seeds) <= most:  # strokes hold the seeds
        return np.zeros_like(found)
    wide = cv2.morphologyEx(raised, cv2.MORPH_TOPHAT, square(2 * _STROKE - 1)) >= jump
    beside = cv2.dilate(seeds.view(np.uint8), square(_STROKE)) > 0
    candidates = ((sharpness >= (jump + 1) // 2) | (wide & beside)) & free
    count, labels = cv2.connectedComponents(candidates.view(np.uint8))
    belongs = np.zeros(count, np.uint8)
    belongs[labels.take(np.flatnonzero(seeds))] = 1
    strokes = belongs.take(labels)
    return strokes if np.count_nonzero(strokes) <= most else np.zeros_like(found)


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
    frame's edge); inpainting, Bertalmio et al., CVPR 2001, as in OpenCV.
    """
    if mask.shape != gray.shape:
        raise ParameterError(f"The mask must have the frame's shape {gray.shape}; it has {mask.shape}.")
    if not mask.any():
        return gray.copy()
    marked = mask.astype(np.uint8)
    if settings.grow:
        marked = cv2.dilate(marked, square(2 * settings.grow + 1))
    if settings.fill == "inpaint":
        # OpenCV walks through the whole frame several times, but looks no further than the radius and its gradients.
        reach = settings.inpaint_radius + _GRADIENT
        left, top, wide, high = cv2.boundingRect(marked)
        window = (slice(max(0, top - reach), top + high + reach), slice(max(0, left - reach), left + wide + reach))
        filled = gray.copy()
        filled[window] = cv2.inpaint(gray[window], marked[window], settings.inpaint_radius, cv2.INPAINT_NS)
        return filled
    window = (settings.fill_kernel, settings.fill_kernel)
    mean = cv2.boxFilter(gray, -1, window, borderType=cv2.BORDER_CONSTANT)
    return np.where(marked > 0, mean, gray)
