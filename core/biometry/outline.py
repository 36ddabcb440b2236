"""From a segmentation to an ellipse."""

from __future__ import annotations

import numpy as np
from skimage.measure import find_contours

from core.biometry.ellipse import Ellipse, ellipse_through
from core.errors import MeasurementError

INSIDE = 0.5
LEAST_SIDE_SHARE = 0.05
"""Of the mask's side: what is smaller than this is no head in any frame that a doctor froze to measure one."""


def ellipse_in(mask: np.ndarray, step: float = 1.0) -> Ellipse:
    """The ellipse through the longest border of a mask (h, w) of probabilities of lying inside.

    The border is found between pixels, where the probability passes one half.

    Parameters
    ----------
    step : float
        Side of a pixel of the mask in pixels of the result.

    Raises
    ------
    MeasurementError
        If no border is as long as a head's, or no ellipse fits it.
    """
    # A head may be cut off by the image's rim: its border is closed along it.
    contours = find_contours(np.pad(mask, 1), INSIDE)
    longest = max(contours, key=len, default=np.zeros((0, 2)))
    extent = np.ptp(longest, axis=0).min() if len(longest) else 0
    if extent < LEAST_SIDE_SHARE * mask.shape[0]:
        raise MeasurementError("No outline of a head is found in this frame; measure a frame that shows a whole head.")
    rows, columns = (longest - 1).T
    # What the rim cut says nothing of where the head ends.
    inner = (rows > 0) & (columns > 0) & (rows < mask.shape[0] - 1) & (columns < mask.shape[1] - 1)
    return ellipse_through(np.column_stack([columns, rows])[inner] * step + (step - 1) / 2)
