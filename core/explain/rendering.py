"""The one place where a map becomes a picture: range, colour map, opacity."""

from __future__ import annotations

import cv2
import numpy as np

from core.errors import ParameterError

COLOUR_MAPS = {
    "cividis": cv2.COLORMAP_CIVIDIS,
    "viridis": cv2.COLORMAP_VIRIDIS,
    "inferno": cv2.COLORMAP_INFERNO,
    "turbo": cv2.COLORMAP_TURBO,
}
"""The first two are safe for all kinds of colour vision; the first is the default."""
DIVERGING_ENDS = ((33, 102, 172), (247, 247, 247), (178, 24, 43))
"""Blue, white, red (ColorBrewer RdBu): against, neutral, for. Safe for all kinds of colour vision."""
ROBUST_PERCENTILE = 99.5
YELLOW = (255, 255, 0)
YELLOW_SHARE = 0.4


def normalise(
    values: np.ndarray, *, symmetric: bool = False, vmin: float | None = None, vmax: float | None = None
) -> np.ndarray:
    """A map (H, W) -> [0, 1].

    Parameters
    ----------
    symmetric : bool
        0 becomes 0.5 and the largest absolute value an end, so that the sign stays visible.
    vmin, vmax : float, optional
        The values that become 0 and 1; by default the smallest value and the 99.5th percentile, so that single pixels
        do not darken the rest.

    Raises
    ------
    ParameterError
        If a value is no number.
    """
    values = np.asarray(values, dtype=np.float32)
    if not np.isfinite(values).all():
        raise ParameterError("This map holds values that are no numbers, so it cannot be drawn; compute it again.")
    if symmetric:
        limit = float(np.percentile(np.abs(values), ROBUST_PERCENTILE)) if vmax is None else vmax
        limit = limit or float(np.abs(values).max())
        vmin, vmax = -limit, limit
    else:
        vmin = float(values.min()) if vmin is None else vmin
        vmax = float(np.percentile(values, ROBUST_PERCENTILE)) if vmax is None else vmax
        if vmax <= vmin:
            vmax = float(values.max())
    if vmax <= vmin:
        return np.full_like(values, 0.5 if symmetric else 0.0)
    return np.clip((values - vmin) / (vmax - vmin), 0, 1)


def imgify(
    values: np.ndarray,
    *,
    colour_map: str = "cividis",
    symmetric: bool = False,
    vmin: float | None = None,
    vmax: float | None = None,
) -> np.ndarray:
    """A map (H, W) -> RGB (H, W, 3) uint8; ``symmetric`` maps take the diverging colours."""
    indices = np.round(255 * normalise(values, symmetric=symmetric, vmin=vmin, vmax=vmax)).astype(np.uint8)
    if symmetric:
        return _diverging_table()[indices]
    if colour_map not in COLOUR_MAPS:
        raise ParameterError(f"There is no colour map {colour_map!r}; choose one of {', '.join(COLOUR_MAPS)}.")
    return cv2.cvtColor(cv2.applyColorMap(indices, COLOUR_MAPS[colour_map]), cv2.COLOR_BGR2RGB)


def overlay(
    image: np.ndarray,
    values: np.ndarray,
    *,
    opacity: float = 0.5,
    colour_map: str = "cividis",
    symmetric: bool = False,
    top: float = 1.0,
) -> np.ndarray:
    """A map over its image: RGB (H, W, 3) uint8.

    Parameters
    ----------
    image : (H, W) uint8
    values : (h, w) float
        Resized to the image where the shapes differ.
    opacity : float
        0 shows the image alone, 1 the map alone.
    top : float
        The share of the pixels, those with the strongest values, over which the map is drawn; the sign aside where it
        is ``symmetric``.
    """
    if not 0 <= opacity <= 1:
        raise ParameterError("The opacity must lie between 0 and 1.")
    if values.shape != image.shape:
        values = cv2.resize(np.asarray(values, np.float32), image.shape[::-1], interpolation=cv2.INTER_LINEAR)
    colours = imgify(values, colour_map=colour_map, symmetric=symmetric)
    gray = cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
    drawn = cv2.addWeighted(colours, opacity, gray, 1 - opacity, 0)
    return np.where(strongest(values, top, symmetric=symmetric)[..., None], drawn, gray)


def strongest(values: np.ndarray, share: float, *, symmetric: bool = False) -> np.ndarray:
    """The ``share`` of a map's pixels (H, W) with the highest values, (H, W) bool; by size alone if ``symmetric``.

    Pixels as high as the last of them belong to it too.
    """
    if not 0 < share <= 1:
        raise ParameterError("The share of strongest pixels must lie above 0 and be at most 1.")
    strength = np.abs(values) if symmetric else values
    return strength >= np.quantile(strength, 1 - share, method="higher")


def highlighted(image: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """A picture (H, W) or (H, W, 3) uint8 with ``chosen`` pixels, (h, w) bool, in half transparent yellow: RGB.

    Yellow marks LIME's superpixels in the thesis (000 §3.4.5).
    """
    colours = cv2.cvtColor(image, cv2.COLOR_GRAY2RGB) if image.ndim == 2 else image
    mask = cv2.resize(chosen.astype(np.uint8), colours.shape[1::-1], interpolation=cv2.INTER_NEAREST).astype(bool)
    mixed = cv2.addWeighted(colours, 1 - YELLOW_SHARE, np.full_like(colours, YELLOW), YELLOW_SHARE, 0)
    return np.where(mask[..., None], mixed, colours)


def beside(image: np.ndarray, values: np.ndarray, **options: object) -> np.ndarray:
    """An image (H, W) uint8 and, to its right, the same under its map, as :func:`overlay`: RGB (H, 2 W, 3)."""
    return np.hstack([cv2.cvtColor(image, cv2.COLOR_GRAY2RGB), overlay(image, values, **options)])


def _diverging_table() -> np.ndarray:
    low, middle, high = (np.array(colour, np.float64) for colour in DIVERGING_ENDS)
    share = np.linspace(0, 1, 128)[:, None]
    table = np.concatenate([low + share * (middle - low), middle + share * (high - middle)])
    return np.round(table).astype(np.uint8)
