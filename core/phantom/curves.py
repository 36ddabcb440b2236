"""Outlines: the handful of curves that anatomy is drawn with. Points are float64 arrays (N, 2) of x, y."""

from __future__ import annotations

import numpy as np


def ellipse(centre, radii, angle: float = 0.0, count: int = 72) -> np.ndarray:
    """Closed outline of an ellipse; `angle` in radians turns the first radius away from the x axis."""
    phase = np.linspace(0, 2 * np.pi, count, endpoint=False)
    points = np.stack([radii[0] * np.cos(phase), radii[1] * np.sin(phase)], axis=1)
    return rotate(points, angle) + np.asarray(centre, float)


def lumpy(points: np.ndarray, coefficients: np.ndarray, amount: float) -> np.ndarray:
    """Push a closed outline in and out by low harmonics.

    Parameters
    ----------
    points: closed outline (N, 2).
    coefficients: 2 K numbers of order 1, the cosine and sine weights of harmonics 2 .. K + 1.
    amount: deviation of the radius as a share of it.
    """
    centre = points.mean(axis=0)
    phase = np.linspace(0, 2 * np.pi, len(points), endpoint=False)
    cosines, sines = np.asarray(coefficients, float).reshape(2, -1)
    orders = np.arange(2, 2 + len(cosines))
    weights = amount / np.sqrt(orders - 1.0)
    waves = np.cos(np.outer(phase, orders)) @ (weights * cosines) + np.sin(np.outer(phase, orders)) @ (weights * sines)
    return centre + (points - centre) * (1 + waves[:, None])


def _catmull_rom(p0, p1, p2, p3, t):
    return 0.5 * (2 * p1 + (p2 - p0) * t + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2 + (3 * p1 - p0 - 3 * p2 + p3) * t**3)


def closed_spline(knots, per_knot: int = 8) -> np.ndarray:
    """Smooth closed curve through the knots (Catmull-Rom)."""
    knots = np.asarray(knots, float)
    t = np.linspace(0, 1, per_knot, endpoint=False)[None, :, None]
    around = [np.roll(knots, shift, axis=0)[:, None, :] for shift in (1, 0, -1, -2)]
    return _catmull_rom(*around, t).reshape(-1, 2)


def open_spline(knots, per_knot: int = 8) -> np.ndarray:
    """Smooth open curve through the knots (Catmull-Rom, ends mirrored)."""
    knots = np.asarray(knots, float)
    padded = np.concatenate([2 * knots[:1] - knots[1:2], knots, 2 * knots[-1:] - knots[-2:-1]])
    t = np.linspace(0, 1, per_knot, endpoint=False)[None, :, None]
    inner = _catmull_rom(*(padded[k : len(padded) - 3 + k, None, :] for k in range(4)), t).reshape(-1, 2)
    return np.concatenate([inner, knots[-1:]])


def rotate(points: np.ndarray, angle: float, about=(0.0, 0.0)) -> np.ndarray:
    """Turn points by `angle` radians (x towards y) about a point."""
    about = np.asarray(about, float)
    cosine, sine = np.cos(angle), np.sin(angle)
    return (np.asarray(points, float) - about) @ np.array([[cosine, sine], [-sine, cosine]]) + about


def shift(points, x: float, y: float) -> np.ndarray:
    """Points moved by (x, y)."""
    return np.asarray(points, float) + np.array([x, y], float)


def tangents(points: np.ndarray, closed: bool) -> np.ndarray:
    """Unit tangents (N, 2)."""
    if closed:
        steps = np.roll(points, -1, axis=0) - np.roll(points, 1, axis=0)
    else:
        steps = np.gradient(points, axis=0)
    return steps / np.maximum(np.hypot(steps[:, 0], steps[:, 1]), 1e-9)[:, None]


def normals(points: np.ndarray, closed: bool) -> np.ndarray:
    """Unit normals (N, 2), the tangent turned by a quarter (x towards -y).

    They point outwards on a closed outline that runs from x towards y, as `ellipse` does.
    """
    along = tangents(points, closed)
    return np.stack([along[:, 1], -along[:, 0]], axis=1)


def offset(points: np.ndarray, distance) -> np.ndarray:
    """A closed outline moved outwards by `distance` (number or one per point; negative moves inwards)."""
    return points + normals(points, closed=True) * np.reshape(distance, (-1, 1))


def strip(points: np.ndarray, width) -> np.ndarray:
    """Closed outline of a line drawn with a width (number or one per point), its ends cut square."""
    across = normals(points, closed=False) * (np.reshape(width, (-1, 1)) / 2)
    return np.concatenate([points + across, (points - across)[::-1]])


def limb(points: np.ndarray, widths) -> np.ndarray:
    """Closed outline of a limb along a line: the width follows `widths` (K knots), the ends are round."""
    along = np.linspace(0, 1, len(points))
    width = np.interp(along, np.linspace(0, 1, len(widths)), widths)
    sides = strip(points, width)
    half = len(points)
    arc = np.linspace(0, np.pi, 7)[1:-1]

    def cap(centre, start):
        return centre + np.stack([rotate(start - centre, angle) for angle in arc])

    return np.concatenate([sides[:half], cap(points[-1], sides[half - 1]), sides[half:], cap(points[0], sides[-1])])


def resample(points: np.ndarray, spacing: float, closed: bool) -> tuple[np.ndarray, np.ndarray]:
    """Points at even distances along a curve, and where they lie on it in [0, 1]."""
    path = np.concatenate([points, points[:1]]) if closed else points
    lengths = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(path, axis=0).T))])
    count = max(int(lengths[-1] / spacing) + 1, 2)
    at = np.linspace(0, lengths[-1], count, endpoint=not closed)
    even = np.stack([np.interp(at, lengths, path[:, 0]), np.interp(at, lengths, path[:, 1])], axis=1)
    return even, at / max(lengths[-1], 1e-9)


def inside(points: np.ndarray, outline: np.ndarray) -> np.ndarray:
    """Which of the points (N, 2) lie inside a closed outline (even-odd rule)."""
    x, y = points[:, 0, None], points[:, 1, None]
    x0, y0 = outline[:, 0], outline[:, 1]
    x1, y1 = np.roll(x0, -1), np.roll(y0, -1)
    rise = np.where(y1 == y0, 1e-12, y1 - y0)
    crosses = ((y0 > y) != (y1 > y)) & (x < (x1 - x0) * (y - y0) / rise + x0)
    return crosses.sum(axis=1) % 2 == 1


def within(points: np.ndarray, outline: np.ndarray, margin: float) -> np.ndarray:
    """Pull points that lie outside a star-shaped outline (or nearer to it than `margin`) back towards its middle."""
    centre = outline.mean(axis=0)
    offsets, limits = points - centre, outline - centre
    angles = np.arctan2(limits[:, 1], limits[:, 0])
    order = np.argsort(angles)
    reach = np.hypot(*limits[order].T) - margin
    allowed = np.interp(np.arctan2(offsets[:, 1], offsets[:, 0]), angles[order], reach, period=2 * np.pi)
    length = np.maximum(np.hypot(*offsets.T), 1e-9)
    return centre + offsets * np.minimum(1, allowed / length)[:, None]
