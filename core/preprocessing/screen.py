"""What a scanner's screen holds beside the echo: its background, flat panels and the gray bar.

Echo is speckled; what a scanner draws is flat along its rows. That is all this module relies on, so that screens of
makers we have never seen can be cropped too.
"""

from typing import NamedTuple

import cv2
import numpy as np

_BACKGROUND_LIMIT = 48  # a brighter border is echo, not background
_PANEL_LEVEL = 12  # darker flat areas may be fluid
_RUN = 15  # pixels along a row that must not differ for a panel to be suspected


class Box(NamedTuple):
    """Rows ``top`` to ``bottom`` and columns ``left`` to ``right`` of a frame; the ends are not included."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """The box as an index: ``frame[box.slices]``."""
        return slice(self.top, self.bottom), slice(self.left, self.right)


def square(side: int) -> np.ndarray:
    """A square structuring element."""
    return rectangle(side, side)


def rectangle(width: int, height: int) -> np.ndarray:
    """A rectangular structuring element."""
    return cv2.getStructuringElement(cv2.MORPH_RECT, (max(1, width), max(1, height)))


def share_of(mask: np.ndarray) -> float:
    """The share of a mask, bool or uint8, that is set; ``mask.mean()`` of a small mask takes many times as long."""
    return np.count_nonzero(mask) / mask.size


def background_level(gray: np.ndarray) -> int:
    """The screen's background: the gray level of most of the frame's border, 0 where no dark level prevails."""
    border = np.concatenate([gray[0], gray[-1], gray[:, 0], gray[:, -1]])
    counts = np.bincount(border, minlength=256)
    level = int(counts.argmax())
    prevails = counts[max(0, level - 1) : level + 2].sum() >= border.size / 4
    return level if prevails and level < _BACKGROUND_LIMIT else 0


def find_panels(gray: np.ndarray) -> tuple[list[Box], list[Box]]:
    """Header, text boxes and other flat rectangles that a scanner draws; and gray bars."""
    return _flat_boxes(gray, background_level(gray)), _gray_bars(gray)


def paint_boxes(boxes: list[Box], shape: tuple[int, int]) -> np.ndarray:
    """Mask (H, W) uint8 that is 1 in the boxes and in the narrow gaps between them."""
    painted = np.zeros(shape, np.uint8)
    for box in boxes:
        painted[box.slices] = 1
    gap = 2 * max(10, shape[0] // 70) + 1
    return cv2.morphologyEx(painted, cv2.MORPH_CLOSE, square(gap)) if boxes else painted


def _row_range(gray: np.ndarray, run: int) -> np.ndarray:
    """How far the gray levels of ``run`` pixels of a row, centred on each pixel, lie apart."""
    element = rectangle(run, 1)
    return cv2.subtract(cv2.dilate(gray, element), cv2.erode(gray, element))


def _flat_boxes(gray: np.ndarray, background: int) -> list[Box]:
    """Boxes around flat areas that hold nothing else but background: letters are closed over, speckle is not."""
    gap = gray.shape[0] // 60
    plain = gray <= background + 8
    found: list[Box] = []

    def add(flat: np.ndarray, gap: int, share: float, margin: int) -> None:
        for box in found:
            flat[box.slices] = 0
        left, top, wide, high = cv2.boundingRect(flat)
        if not wide:
            return
        # Closing reaches that far beyond what is flat, which on most frames is little.
        reach = 2 * gap
        window = Box(max(0, top - reach), top + high + reach, max(0, left - reach), left + wide + reach)
        closed = cv2.morphologyEx(flat[window.slices], cv2.MORPH_CLOSE, square(2 * gap + 1))
        found.extend(_plain_boxes(closed, window, plain, share, margin))

    # The median takes thin letters and the noise of JPEG off the panels, and leaves speckle.
    calm = cv2.medianBlur(gray, 5)
    spread = _row_range(calm, _RUN)
    spread |= (calm >= _PANEL_LEVEL).view(np.uint8) - np.uint8(1)  # 255 where it may be fluid
    # Strict first: a panel found early is not glued to flat echo beside it by the wide closing that JPEG needs.
    for tolerance, wide in ((2, 0.75), (3, 1.0)):
        flat = (spread <= tolerance).view(np.uint8)
        add(cv2.morphologyEx(flat, cv2.MORPH_OPEN, rectangle(9, 5)), int(gap * wide), 0.9, _RUN // 2)
    # Text boxes crowded with letters are flat in small patches only, but there of one gray level exactly.
    patch = square(5)
    constant = (cv2.dilate(gray, patch) == cv2.erode(gray, patch)) & (gray >= _PANEL_LEVEL) & (gray < 250)
    if constant.any():
        add(cv2.dilate(constant.view(np.uint8), patch), gap, 0.8, 0)
    return found


def _bounding_boxes(mask: np.ndarray) -> list[tuple[int, int, int, int]]:
    """Left, top, width and height of each connected piece of a mask."""
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return [cv2.boundingRect(contour) for contour in contours]


def _plain_boxes(flat: np.ndarray, window: Box, plain: np.ndarray, share: float, margin: int) -> list[Box]:
    """Bounding boxes of the flat areas that are panels: broad, and with hardly anything but flat and plain pixels.

    ``flat`` is a window of the frame, ``plain`` the whole frame.

    Where a box stands alone on the background, on three sides at least, letters may fill more of it: echo does not
    stand alone.
    """
    height, width = plain.shape
    found = []
    for across, down, wide, high in _bounding_boxes(flat):
        if wide < width / 20 or high < height / 100 or (high > height / 5 and wide > width / 5):
            continue
        left, top = window.left + across, window.top + down
        closed = flat[down : down + high, across : across + wide] > 0
        covered = share_of(plain[top : top + high, left : left + wide] | closed)
        box = Box(top - 1, top + high + 1, left - margin, left + wide + margin)
        box = Box(max(0, box.top), min(height, box.bottom), max(0, box.left), min(width, box.right))
        if covered >= share or (covered >= 0.6 and _free_sides(plain, box) >= 3):
            found.append(box)
    return found


def _free_sides(plain: np.ndarray, box: Box) -> int:
    """On how many of its four sides a box borders on background."""
    height, width = plain.shape
    away = 4
    free = 0
    for position, limit, rows in (
        (box.top - away, height, True),
        (box.bottom + away - 1, height, True),
        (box.left - away, width, False),
        (box.right + away - 1, width, False),
    ):
        if 0 <= position < limit:
            side = plain[position, box.left : box.right] if rows else plain[box.top : box.bottom, position]
            free += share_of(side) >= 0.9
    return free


def _upright_runs(flat: np.ndarray, length: int) -> np.ndarray:
    """A mask (H, W) uint8 of 0 and 1 opened by ``length`` pixels of a column, at most H."""
    height, width = flat.shape
    # Opening leaves runs of that length, or of half of it at the frame's edge. With the columns cut into blocks a
    # quarter as long every such run fills one of them, which speckle does not: only those columns need opening.
    block = ((length + 1) // 2 + 1) // 2
    blocks = flat[: height - height % block].reshape(-1, block, width)
    left, _, wide, _ = cv2.boundingRect(np.bitwise_and.reduce(blocks, axis=1))
    opened = np.zeros_like(flat)
    if wide:
        window = (slice(None), slice(left, left + wide))
        opened[window] = cv2.morphologyEx(flat[window], cv2.MORPH_OPEN, rectangle(1, length))
    return opened


def _gray_bars(gray: np.ndarray) -> list[Box]:
    """Narrow upright ramps of gray, the same in all their columns."""
    height, width = gray.shape
    flat = ((_row_range(gray, 3) <= 1) & (gray >= _PANEL_LEVEL)).view(np.uint8)
    flat = _upright_runs(flat, max(1, height // 10))
    found = []
    for left, top, wide, high in _bounding_boxes(flat):
        if wide > width / 25 or share_of(flat[top : top + high, left : left + wide]) < 0.9:
            continue
        strip = gray[top : top + high, left : left + wide]
        if int(strip.max()) - int(strip.min()) < 40:
            continue
        strip = strip.astype(np.float32)
        profile = strip.mean(axis=1)
        if np.ptp(profile) < 40 or share_of(np.ptp(strip, axis=1) <= 2) < 0.95:
            continue
        steps = np.diff(profile)
        if max(share_of(steps <= 1), share_of(steps >= -1)) < 0.98:
            continue
        found.append(_whole_bar(gray, Box(top, top + high, left, left + wide)))
    return found


def _whole_bar(gray: np.ndarray, core: Box) -> Box:
    """The bar with the columns and the dark end that the search for flat, bright pixels left out."""
    left, right, bottom, top = core.left, core.right, core.bottom, core.top
    height, width = gray.shape
    rows = slice(core.top, core.bottom)
    level = gray.astype(np.int16)
    middle = level[rows, (left + right) // 2]
    while left > 0 and np.abs(level[rows, left - 1] - middle).mean() <= 3:
        left -= 1
    while right < width and np.abs(level[rows, right] - middle).mean() <= 3:
        right += 1
    column = level[:, (left + right) // 2]
    continues = (np.ptp(level[:, left:right], axis=1) <= 1) & (column > 0)
    step = np.abs(np.diff(column, prepend=column[:1]))
    while bottom < height and continues[bottom] and step[bottom] <= 3:
        bottom += 1
    while top > 0 and continues[top - 1] and step[top] <= 3:
        top -= 1
    return Box(top, bottom, left, right)
