"""Do maps follow the head's contour? The share of relevance near the annotated ellipse, against that of the area.

The ring is what lies within 3 mm of the ellipse. A map that knows nothing of the head puts as much of its relevance
there as the ring fills of the image: an *enrichment* of 1. Of most maps, though, padding and what is black around the
sector hold no relevance, which alone lifts that number; so the ring is held against the part **in view** as well, and
verdicts go by that. Relevance is the absolute value of a map: what lowers the circumference is relevant too.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from core.biometry.ellipse import Ellipse

WIDTH_MM = 3.0
CONTOUR_MEASURES = {
    "relevance": f"share of relevance within {WIDTH_MM:g} mm of the ellipse",
    "area": "share of the image there",
    "enrichment": "enrichment",
    "enrichment_in_view": "enrichment in view",
}


@dataclass(frozen=True)
class Ring:
    """Where a head's contour runs in an image: ``near`` it and ``in_view`` at all, (S, S) bool each."""

    near: np.ndarray
    in_view: np.ndarray


def ring_around(ellipse: Ellipse, image: np.ndarray, millimetres: float, width: float = WIDTH_MM) -> Ring:
    """The ring within ``width`` mm of an ellipse.

    Parameters
    ----------
    ellipse : Ellipse
        In pixels of the image.
    image : (S, S)
        What the network sees; in view is the convex hull of what is not black.
    millimetres : float
        A pixel of the image.
    """
    rows, columns = np.indices(image.shape)
    near = np.abs(ellipse.distance(columns, rows)) * millimetres <= width
    in_view = np.zeros(image.shape, np.uint8)
    lit = np.argwhere(image > 0)[:, ::-1]
    if len(lit):
        cv2.fillConvexPoly(in_view, cv2.convexHull(np.ascontiguousarray(lit, dtype=np.int32)), 1)
    return Ring(near, in_view > 0)


def contour_shares(values: np.ndarray, ring: Ring) -> dict[str, float]:
    """What a map (S, S) says of the contour: a figure for each of :data:`CONTOUR_MEASURES`.

    NaN where the map is 0 everywhere, or in all that is in view.
    """
    size = np.abs(np.asarray(values, dtype=np.float64))
    whole = np.ones(size.shape, bool)
    relevance, area = _share(size, ring.near, whole), float(ring.near.mean())
    seen = _share(size, ring.near, ring.in_view)
    area_seen = _share(np.ones(size.shape), ring.near, ring.in_view)
    return {
        "relevance": relevance,
        "area": area,
        "enrichment": relevance / area if area else np.nan,
        "enrichment_in_view": seen / area_seen if area_seen else np.nan,
    }


def edges(image: np.ndarray) -> np.ndarray:
    """Strength (S, S) float32 of the gray edges of an image: a map that follows contours and knows no network."""
    across, down = (cv2.Sobel(np.asarray(image, np.float32), cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
    return np.hypot(across, down)


def _share(size: np.ndarray, part: np.ndarray, whole: np.ndarray) -> float:
    total = size[whole].sum()
    return float(size[part & whole].sum() / total) if total else np.nan
