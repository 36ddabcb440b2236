"""Finding the sector: the fan or rectangle of echo on a scanner's screen, without anything drawn around it.

The thesis cuts fixed rectangles for three known screens (thesis 000 §3.1). Every other screen is searched here: take
away what is coloured or flat, gather the remaining echo, and take its convex hull, for a sector is convex but for the
probe's concave face and for boxes blackened out of its corners, which are then carved off. Dark fluid and shadow stay
inside the hull, so no anatomy is lost.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from core.preprocessing.annotation import estimate_tint, gray_of, tint_departure
from core.preprocessing.screen import Box, background_level, find_panels, paint_boxes, share_of, square

_SMALLEST_SIDE = 32  # of a frame in which a sector is looked for
_SMALLEST_SHARE = 0.02  # of the frame that a sector covers
_WHOLE_SHARE = 0.985  # from here on the frame is all sector
_ISLAND_SHARE = 0.001  # smaller islands of echo are letters and marks
_BOX_SHARE = 0.002  # of the sector that a black box covers at least
_JUMP = 48  # gray levels between neighbours of a row, which drawn things reach and echo does not
_STRAIGHT = 12  # pixels of an outline that lie in one row or column where it was drawn
_CIRCLES = 128  # compared at once with the echo under a probe's face
_COUNTED_AT_ONCE = 2**16  # pieces that OpenCV's histogram, which is quicker than NumPy's, can tell apart
_GROWTH = 30.0  # an island belongs to the sector if the hull grows by at most this many times the island
_GROWTH_LETTERS = 2.0  # the same for an island that looks like letters
_GROWTH_BUTTON = 0.5  # the same for an island that looks like a bar or a button


@dataclass(frozen=True)
class Sector:
    """Where the echo is.

    Attributes
    ----------
    mask
        (H, W) bool, the whole frame's size.
    box
        The smallest box around the mask.
    shape
        ``fan``, ``rectangle`` or ``frame`` (the whole frame).
    note
        A sentence when no sector was found, else empty.
    """

    mask: np.ndarray
    box: Box
    shape: str
    note: str = ""


def whole_frame(shape: tuple[int, int], note: str = "") -> Sector:
    """The sector that is the whole frame."""
    return Sector(np.ones(shape, bool), Box(0, shape[0], 0, shape[1]), "frame", note)


def find_sector(pixels: np.ndarray) -> Sector:
    """The sector of a screen, (H, W) or (H, W, 3) uint8; the whole frame, with a note, where there is none to find."""
    gray = gray_of(pixels)
    if min(gray.shape) < _SMALLEST_SIDE:
        return whole_frame(gray.shape, "The frame is too small to look for a sector, so the whole frame is used.")
    panels, bars = find_panels(gray)
    lit = (gray > background_level(gray)).view(np.uint8)
    echo = _echo(pixels, gray, lit, paint_boxes(panels + bars, gray.shape))
    outline, islands = _outline(echo, gray)
    if outline is None:
        return whole_frame(gray.shape, "The automatic crop found no sector, so the whole frame is used.")
    hull = np.zeros(gray.shape, np.uint8)
    cv2.fillConvexPoly(hull, outline, 1)
    drawn = [box for box in panels if _has_straight_edges(gray, box)] + bars
    for box in drawn:
        _carve_rim(hull, box)
    _carve_black_boxes(hull, lit, paint_boxes(drawn, gray.shape))
    _carve_probe_face(hull, islands)
    return _sector_of(hull)


def _sector_of(hull: np.ndarray) -> Sector:
    left, top, wide, high = cv2.boundingRect(hull)
    window = (slice(top, top + high), slice(left, left + wide))
    largest = _largest_piece(hull[window])
    area = np.count_nonzero(largest)
    if area >= _WHOLE_SHARE * hull.size:
        return whole_frame(hull.shape)
    mask = np.zeros(hull.shape, bool)
    mask[window] = largest
    across, down, wide, high = cv2.boundingRect(largest.view(np.uint8))
    shape = "rectangle" if area >= 0.97 * wide * high else "fan"
    return Sector(mask, Box(top + down, top + down + high, left + across, left + across + wide), shape)


def _largest_piece(mask: np.ndarray) -> np.ndarray:
    """The largest connected piece (H, W) bool of a mask."""
    # Outlines are found sooner than labels, and what was not cut in two has one alone.
    _, hierarchy = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    if np.count_nonzero(hierarchy[0, :, 3] < 0) == 1:
        return mask > 0
    labels, areas = _pieces(mask)
    return labels == 1 + int(areas[1:].argmax())


def _pieces(mask: np.ndarray, connectivity: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Connected pieces of a mask: labels (H, W) int32, 0 beside them, and how many pixels have each label.

    OpenCV's own statistics take longer than the labels, for boxes and middles of specks nobody asks about.
    """
    # Of OpenCV's ways the one by Wu is quickest at four neighbours; the order of labels may differ between ways.
    way = cv2.CCL_WU if connectivity == 4 else cv2.CCL_DEFAULT
    count, labels = cv2.connectedComponentsWithAlgorithm(mask, connectivity, cv2.CV_32S, way)
    if count <= 2:
        covered = cv2.countNonZero(mask)
        return labels, np.array([mask.size - covered, covered][:count])
    if count > _COUNTED_AT_ONCE:
        return labels, np.bincount(labels.ravel())
    sizes = cv2.calcHist([labels.astype(np.uint16)], [0], None, [count], [0, count])
    return labels, sizes.ravel().astype(np.int64)


def _echo(pixels: np.ndarray, gray: np.ndarray, lit: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Pixels (H, W) uint8 that are neither background, that is ``lit``, nor coloured, nor on a panel."""
    echo = lit & (1 - drawn)
    if pixels.ndim == 3:
        tint = estimate_tint(pixels, echo > 0)
        coloured = tint_departure(pixels, tint, gray) > max(20.0, 5.0 * tint.spread)
        echo &= 1 - cv2.dilate(coloured.view(np.uint8), square(5))
    return echo


def _outline(echo: np.ndarray, gray: np.ndarray) -> tuple[np.ndarray | None, np.ndarray]:
    """The convex outline (N, 1, 2) of the echo, and the islands of echo it was drawn around."""
    stroke = 2 * (min(echo.shape) // 300) + 1
    opened = cv2.morphologyEx(echo, cv2.MORPH_OPEN, square(max(3, stroke)))
    labels, areas = _pieces(opened)
    large = np.flatnonzero(areas >= _ISLAND_SHARE * echo.size)
    order = [index for index in large[np.argsort(-areas[large], kind="stable")] if index]
    outline, covered, kept = None, 0.0, np.zeros_like(echo)
    for index in order:
        everywhere = (labels == index).view(np.uint8)
        left, top, wide, high = cv2.boundingRect(everywhere)
        window = (slice(top, top + high), slice(left, left + wide))
        island = everywhere[window]
        contours, _ = cv2.findContours(island, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE, offset=(left, top))
        points = np.concatenate(contours)
        candidate = cv2.convexHull(points if outline is None else np.concatenate([outline, points]))
        grown = cv2.contourArea(candidate)
        if outline is None or grown - covered <= _growth_limit(island, gray[window]) * int(areas[index]):
            outline, covered = candidate, grown
            kept[window] |= island
    if covered < _SMALLEST_SHARE * echo.size:
        return None, opened
    return outline, kept


def _growth_limit(island: np.ndarray, gray: np.ndarray) -> float:
    """How many times its own area an island of echo may make the hull grow.

    Little when it looks like a bar or a button, that is very long or filling its bounding box; not much when gray
    levels jump along its rows as in logos and letters: a beam is many pixels wide, so echo hardly ever jumps.
    """
    if share_of(island) >= 0.93 or max(island.shape) > 8 * min(island.shape):
        return _GROWTH_BUTTON
    within = cv2.erode(island, square(3), borderType=cv2.BORDER_CONSTANT, borderValue=0)[:, :-1] > 0
    jumps = cv2.absdiff(gray[:, 1:], gray[:, :-1]) >= _JUMP
    inside = np.count_nonzero(within)
    if inside and np.count_nonzero(jumps & within) / inside >= 0.02:
        return _GROWTH_LETTERS
    return _GROWTH


def _carve_rim(hull: np.ndarray, box: Box) -> None:
    """Takes off a panel that lies over the sector's rim; one wholly inside is left to the annotation mask."""
    piece = hull[box.slices]
    if not piece.all() or _at_frame_edge(box, hull.shape):
        piece[:] = 0


def _at_frame_edge(box: Box, shape: tuple[int, int]) -> bool:
    return box.top <= 2 or box.left <= 2 or box.bottom >= shape[0] - 2 or box.right >= shape[1] - 2


def _has_straight_edges(gray: np.ndarray, box: Box) -> bool:
    """Whether the gray level jumps along most of the box's outline, as it does around drawn boxes."""
    height, width = gray.shape
    level = gray.astype(np.int16)
    shares = []
    for position, limit, rows in (
        (box.top, height, True),
        (box.bottom, height, True),
        (box.left, width, False),
        (box.right, width, False),
    ):
        low, high = max(0, position - 4), min(limit, position + 4)
        if low == 0 or high == limit:
            continue
        strip = level[low:high, box.left : box.right] if rows else level[box.top : box.bottom, low:high].T
        shares.append(share_of(np.abs(np.diff(strip, axis=0)).max(axis=0) >= 5))
    return not shares or (min(shares) >= 0.5 and np.mean(shares) >= 0.8)


def _carve_black_boxes(hull: np.ndarray, lit: np.ndarray, drawn: np.ndarray) -> None:
    """Takes off black rectangles that hide a name or a logo, and staircases of them.

    Dark fluid has a ragged outline; a box is bounded by straight rows and columns wherever it meets echo.
    """
    lit = cv2.morphologyEx(lit & (1 - drawn), cv2.MORPH_OPEN, square(3))
    dark = hull & (1 - cv2.morphologyEx(lit, cv2.MORPH_CLOSE, square(5)))
    labels, areas = _pieces(dark, connectivity=4)
    least = _BOX_SHARE * cv2.countNonZero(hull)
    inner = cv2.erode(hull, square(7), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    for index in np.flatnonzero(areas >= least):
        if index == 0:
            continue
        everywhere = (labels == index).view(np.uint8)
        left, top, wide, high = cv2.boundingRect(everywhere)
        area = (slice(top, top + high), slice(left, left + wide))
        piece = everywhere[area]
        if _is_drawn(piece, inner[area]):
            hull[area] -= piece


def _is_drawn(piece: np.ndarray, inner: np.ndarray) -> bool:
    """Whether the part of a dark piece's outline that faces echo consists of straight rows and columns."""
    outline = max(cv2.findContours(piece, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0], key=len)[:, 0]
    faces_echo = inner[outline[:, 1], outline[:, 0]] > 0
    if not faces_echo.any():
        return False
    ahead = np.abs(np.roll(outline, -_STRAIGHT, axis=0) - outline)
    shares = []
    for along, across in ((0, 1), (1, 0)):
        starts = (ahead[:, across] <= 1) & (ahead[:, along] >= _STRAIGHT - 1)
        straight = np.convolve(np.tile(starts, 2), np.ones(_STRAIGHT + 1))[len(starts) : 2 * len(starts)] > 0
        shares.append(share_of(straight[faces_echo]))
    return sum(shares) >= 0.75 and min(shares) >= 0.1


def _carve_probe_face(hull: np.ndarray, islands: np.ndarray) -> None:
    """Takes off the cap between the hull's straight top and the arc of a curved probe's face.

    The arc is the circle, centred above the sector, that runs along the topmost echo of the most columns and has
    hardly any echo above it. Nothing is taken when no such circle exists.
    """
    left, top, wide, high = cv2.boundingRect(hull)
    step = max(1, wide // 250)
    columns = np.arange(left, left + wide, step)
    # Turned over: a search along memory ends at the first pixel that is set.
    echo, inside = (cv2.transpose(mask[:, left : left + wide : step]).view(bool) for mask in (islands, hull))
    met = echo.any(axis=1)
    first_echo, first_hull = (turned[met].argmax(axis=1).astype(np.float64) for turned in (echo, inside))
    circle = _arc_along(columns[met].astype(np.float64), first_echo, first_hull)
    if circle is None:
        return
    centre_x, centre_y, radius = circle
    rows = np.arange(top, min(top + high, int(centre_y + radius) + 1))
    reach = np.sqrt(np.maximum(0.0, (radius - 1) ** 2 - (rows - centre_y) ** 2))
    span = np.arange(left, left + wide)
    cap = np.abs(span[None, :] - centre_x) < reach[:, None]
    area = hull[rows[0] : rows[-1] + 1, left : left + wide]
    cap = cap.view(np.uint8) & area
    covered = cv2.countNonZero(cap)
    lost = cv2.countNonZero(islands[rows[0] : rows[-1] + 1, left : left + wide] & cap)
    if covered <= 0.1 * cv2.countNonZero(hull) and lost <= 0.02 * covered:
        area -= cap


def _arc_along(
    columns: np.ndarray, first_echo: np.ndarray, first_hull: np.ndarray
) -> tuple[float, float, float] | None:
    """Centre and radius of the circle that most of the topmost echo lies on, or None."""
    depth = first_echo - first_hull
    sunken = np.flatnonzero(depth >= 2)
    if len(sunken) == 0:
        return None
    hollows = np.split(sunken, np.flatnonzero(np.diff(sunken) > 10) + 1)
    below = max(hollows, key=lambda hollow: depth[hollow].sum())
    if len(below) < 12:
        return None
    inner = np.arange(max(0, below[0] - 4), min(len(columns), below[-1] + 5))
    x, y = columns[inner], first_echo[inner]
    thirds = [part[:: max(1, len(part) // 12)] for part in np.array_split(np.arange(len(x)), 3)]
    i, j, k = np.ix_(*thirds)
    with np.errstate(divide="ignore", invalid="ignore"):
        centre_x, centre_y = _circle_centres(x[i], y[i], x[j], y[j], x[k], y[k])
        radius = np.hypot(x[i] - centre_x, y[i] - centre_y)
    hanging = np.isfinite(radius) & (centre_y < y.min() - 0.2 * radius) & (radius < 20 * len(columns) * 4)
    if not hanging.any():
        return None
    centre_x, centre_y, radius = centre_x[hanging], centre_y[hanging], radius[hanging]
    on_arc, above_arc = _shares_along(centre_x, centre_y, radius, x, y)
    best = int((on_arc - 3 * above_arc).argmax())
    if on_arc[best] < 0.4 or above_arc[best] > 0.05:
        return None
    return float(centre_x[best]), float(centre_y[best]), float(radius[best])


def _shares_along(
    centre_x: np.ndarray, centre_y: np.ndarray, radius: np.ndarray, x: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """For N circles the share of points within two pixels of each, and of those further above it."""
    within, above = np.empty((2, len(radius)), int)
    nearest, farthest = np.square(np.maximum(radius - 2, 0)), np.square(radius + 2)
    # So few at once that they stay in the processor's cache, where this is quickest.
    for start in range(0, len(radius), _CIRCLES):
        some = slice(start, start + _CIRCLES)
        squared, down = x - centre_x[some, None], y - centre_y[some, None]
        squared *= squared
        down *= down
        squared += down
        above[some] = _set_in_rows(squared < nearest[some, None])
        within[some] = _set_in_rows(squared <= farthest[some, None])
    return (within - above) / len(x), above / len(x)


def _set_in_rows(mask: np.ndarray) -> np.ndarray:
    """How many pixels of each row (N,) of a mask (N, M) bool are set; NumPy's own count is slower."""
    return cv2.reduce(mask.view(np.uint8), 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S)[:, 0]


def _circle_centres(ax, ay, bx, by, cx, cy):
    """Centres of the circles through three points each; coordinates need only broadcast against each other."""
    twice = 2 * (ax * (by - cy) + bx * (cy - ay) + cx * (ay - by))
    a, b, c = ax**2 + ay**2, bx**2 + by**2, cx**2 + cy**2
    centre_x = (a * (by - cy) + b * (cy - ay) + c * (ay - by)) / twice
    centre_y = (a * (cx - bx) + b * (ax - cx) + c * (bx - ax)) / twice
    return centre_x, centre_y
