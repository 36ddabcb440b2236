"""How far two maps of the same image say the same: by the order of all their pixels, and by where their tops lie.

Both look at the order of values alone, so maps of different methods, models or units can be compared. A constant map
has no order: both then answer None, which means *no answer*, never 0 (Grad-CAM of a class without any evidence for it
is such a map).
"""

from __future__ import annotations

import numpy as np

from core.errors import ParameterError

TOP_SHARE = 0.1


def rank_correlation(first: np.ndarray, second: np.ndarray, region: np.ndarray | None = None) -> float | None:
    """Spearman's rank correlation of two maps over their pixels (Spearman 1904), ties given their mean rank.

    Parameters
    ----------
    first, second : (H, W) float
        Relevance maps of one shape.
    region : (H, W) bool, optional
        The pixels to compare; all by default.

    Returns
    -------
    float or None
        From -1 (opposite order) over 0 (unrelated) to 1 (same order); None where a map is constant.

    Raises
    ------
    ParameterError
        For maps of different shapes, values that are no numbers, or a region that is empty or of another shape.
    """
    first, second = _compared(first, second, region)
    first, second = _centred_ranks(first), _centred_ranks(second)
    # Sums, not products of vectors: these would wake a thread on every core, which takes longer than the sum.
    spread = np.sqrt((first * first).sum() * (second * second).sum())
    return float(np.clip((first * second).sum() / spread, -1, 1)) if spread else None


def top_overlap(
    first: np.ndarray, second: np.ndarray, share: float = TOP_SHARE, region: np.ndarray | None = None
) -> float | None:
    """Share of the highest pixels of one map that are among the highest of the other.

    Both tops hold the same number of pixels: ``share`` of them, at least one. Pixels tied at a top's lower edge belong
    to it in equal parts, so that the answer depends on no order of reading; two pixels of parts a and b have the
    smaller one in common. Maps that have nothing to do with each other overlap by ``share``.

    Parameters
    ----------
    first, second, region
        As for :func:`rank_correlation`.
    share : float
        Above 0 and up to 1.

    Returns
    -------
    float or None
        From 0 (apart) to 1 (the same place); None where a map is constant.

    Raises
    ------
    ParameterError
        As :func:`rank_correlation`, and for a share outside (0, 1].
    """
    _check_share(share)
    first, second = _compared(first, second, region)
    count = _top_count(len(first), share)
    tops = _top(first, count), _top(second, count)
    return float(np.minimum(*tops).sum() / count) if _varies(first) and _varies(second) else None


def rank_correlations(maps: np.ndarray, region: np.ndarray | None = None) -> np.ndarray:
    """:func:`rank_correlation` of every two of the maps (N, H, W): (N, N) float64, NaN where one is constant."""
    values = _compared_all(maps, region)
    ranks = np.stack([_centred_ranks(one) for one in values])
    length = np.sqrt((ranks**2).sum(axis=1))
    length[length == 0] = np.nan
    return np.clip(ranks @ ranks.T / np.outer(length, length), -1, 1)


def top_overlaps(maps: np.ndarray, share: float = TOP_SHARE, region: np.ndarray | None = None) -> np.ndarray:
    """:func:`top_overlap` of every two of the maps (N, H, W): (N, N) float64, NaN where one is constant."""
    _check_share(share)
    values = _compared_all(maps, region)
    count = _top_count(values.shape[1], share)
    tops = np.stack([_top(one, count) for one in values])
    overlaps = np.stack([np.minimum(top, tops).sum(axis=1) / count for top in tops])
    constant = np.array([not _varies(one) for one in values])
    overlaps[constant] = overlaps[:, constant] = np.nan
    return overlaps


def top_membership(values: np.ndarray, share: float = TOP_SHARE) -> np.ndarray | None:
    """How far each pixel of a map (H, W) belongs to its highest: (H, W) float64, as in :func:`top_overlap`.

    None where the map is constant; it has no highest pixels then.
    """
    _check_share(share)
    flat = _compared(values, values, None)[0]
    return _top(flat, _top_count(len(flat), share)).reshape(np.shape(values)) if _varies(flat) else None


def _check_share(share: float) -> None:
    if not 0 < share <= 1:
        raise ParameterError(f"The top's share of the pixels must lie above 0 and up to 1, not at {share:g}.")


def _top_count(pixels: int, share: float) -> int:
    return max(1, round(share * pixels))


def _compared_all(maps: np.ndarray, region: np.ndarray | None) -> np.ndarray:
    """The pixels to compare of each map, (N, P)."""
    return np.stack([_compared(one, maps[0], region)[0] for one in maps])


def _compared(first: np.ndarray, second: np.ndarray, region: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """The pixels to compare, (P,) each."""
    first, second = np.asarray(first), np.asarray(second)
    if first.shape != second.shape or first.ndim != 2 or not first.size:
        raise ParameterError(f"Maps to compare must be of one shape (H, W), not {first.shape} and {second.shape}.")
    if region is None:
        first, second = first.ravel(), second.ravel()
    else:
        region = np.asarray(region)
        if region.shape != first.shape or region.dtype != bool or not region.any():
            raise ParameterError(
                f"The region to compare must be a mask of shape {first.shape} with at least one pixel: check it."
            )
        first, second = first[region], second[region]
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise ParameterError("A map holds values that are no finite numbers and cannot be ranked: compute it again.")
    return first, second


def _varies(values: np.ndarray) -> bool:
    return bool(values.min() < values.max())


def _centred_ranks(values: np.ndarray) -> np.ndarray:
    """Ranks (P,) float64 minus their mean, ties given their mean rank.

    ``scipy.stats.rankdata`` says the same in three times the time.
    """
    order = np.argsort(values)
    ordered = values[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    ends = np.append(starts[1:], len(values))
    ranks = np.empty(len(values))
    ranks[order] = np.repeat((starts + ends - len(values)) / 2, ends - starts)
    return ranks


def _top(values: np.ndarray, count: int) -> np.ndarray:
    """How far each value (P,) belongs to the ``count`` highest: 1, 0, or an equal part where tied at the edge."""
    edge = np.partition(values, len(values) - count)[len(values) - count]
    above, at_edge = values > edge, values == edge
    return above + at_edge * ((count - np.count_nonzero(above)) / np.count_nonzero(at_edge))
