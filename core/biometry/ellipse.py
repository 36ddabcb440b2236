"""Ellipses: what a head's outline is taken for (HC18's annotation, and every sonographer's callipers)."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from core.errors import MeasurementError

FEWEST_POINTS = 6
"""An ellipse has five parameters."""
STRAIGHT = 1e-6
"""Points on a line or on one spot spread less across than this share of along; OpenCV fits something to them."""
NO_ELLIPSE = "No ellipse runs through these points; mark points around the whole head."


@dataclass(frozen=True)
class Ellipse:
    """An ellipse in pixels, (x, y) being (column, row) of pixel centres.

    Attributes
    ----------
    x, y : float
        Centre.
    major, minor : float
        Semi-axes, ``major`` the longer.
    angle : float
        Of the longer axis against the columns' direction, in radians in (-pi/2, pi/2]; clockwise on the screen.
    """

    x: float
    y: float
    major: float
    minor: float
    angle: float

    @property
    def circumference(self) -> float:
        """Ramanujan's second approximation (1914); its error stays below 1e-6 of the value for any head."""
        excess = ((self.major - self.minor) / (self.major + self.minor)) ** 2
        return float(np.pi * (self.major + self.minor) * (1 + 3 * excess / (10 + np.sqrt(4 - 3 * excess))))

    @property
    def area(self) -> float:
        return float(np.pi * self.major * self.minor)

    def points(self, count: int = 360) -> np.ndarray:
        """Points (count, 2) of x and y along the outline."""
        turn = np.linspace(0, 2 * np.pi, count, endpoint=False)
        return np.stack([np.cos(turn), np.sin(turn)], axis=-1) @ self._linear().T + [self.x, self.y]

    def moved(self, matrix: np.ndarray) -> Ellipse:
        """The ellipse under an affine map (2, 3): exact, for the image of an ellipse is one."""
        linear, shift = matrix[:, :2], matrix[:, 2]
        centre = linear @ [self.x, self.y] + shift
        return _of_linear(centre, linear @ self._linear())

    def coverage(self, shape: tuple[int, int], step: float = 1.0) -> np.ndarray:
        """How much of each pixel lies inside, (H, W) float32 from 0 to 1, exact but for the outline's curvature.

        Parameters
        ----------
        step : float
            Side of a pixel of the result in pixels of the ellipse: 2 gives a mask of half the size.
        """
        rows, columns = (np.arange(count) * step + (step - 1) / 2 for count in shape)
        return np.clip(0.5 - self.distance(columns[None, :], rows[:, None]) / step, 0, 1).astype(np.float32)

    def distance(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Signed distance of points from the outline in pixels, negative inside, to first order at the outline."""
        across, along = np.sin(self.angle), np.cos(self.angle)
        u = (x - self.x) * along + (y - self.y) * across
        v = (y - self.y) * along - (x - self.x) * across
        radius = np.hypot(u / self.major, v / self.minor)
        slope = np.hypot(u / self.major**2, v / self.minor**2)
        # At the centre there is no slope; any point there lies deep inside.
        return np.where(slope > 0, radius * (radius - 1) / np.where(slope > 0, slope, 1), -self.minor)

    def _linear(self) -> np.ndarray:
        """The (2, 2) matrix that makes this ellipse of the unit circle, but for its centre."""
        across, along = np.sin(self.angle), np.cos(self.angle)
        return np.array([[along, -across], [across, along]]) @ np.diag([self.major, self.minor])


def ellipse_through(points: np.ndarray) -> Ellipse:
    """The ellipse that fits points (N, 2) of x and y best (direct least squares: Fitzgibbon et al. 1999).

    Raises
    ------
    MeasurementError
        If there are fewer than six points, or they lie on no ellipse.
    """
    if len(points) < FEWEST_POINTS:
        raise MeasurementError(f"An ellipse needs at least {FEWEST_POINTS} points; there are {len(points)}.")
    long, short = np.linalg.svd(points - np.mean(points, axis=0), compute_uv=False)
    if short <= STRAIGHT * long:
        raise MeasurementError(NO_ELLIPSE)
    (x, y), (width, height), degrees = cv2.fitEllipseDirect(np.asarray(points, dtype=np.float32).reshape(-1, 1, 2))
    if not (np.isfinite([x, y, width, height, degrees]).all() and min(width, height) > 0):
        raise MeasurementError(NO_ELLIPSE)
    turn = np.deg2rad(degrees)
    linear = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ np.diag([width / 2, height / 2])
    return _of_linear(np.array([x, y]), linear)


def _of_linear(centre: np.ndarray, linear: np.ndarray) -> Ellipse:
    directions, axes, _ = np.linalg.svd(linear)
    angle = np.arctan2(directions[1, 0], directions[0, 0])
    # An axis has no sense: the angle of its half in the right half-plane is its name.
    angle = (angle + np.pi / 2) % np.pi - np.pi / 2
    return Ellipse(float(centre[0]), float(centre[1]), float(axes[0]), float(axes[1]), float(angle))
