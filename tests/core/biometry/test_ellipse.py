"""Ellipses against exact integrals, against their own points, and against masks."""

import cv2
import numpy as np
import pytest
from scipy.special import ellipe

from core.biometry.ellipse import Ellipse, ellipse_through
from core.biometry.outline import ellipse_in
from core.errors import MeasurementError

HEAD = Ellipse(101.3, 87.6, 62.4, 47.9, 0.7)


@pytest.mark.parametrize("minor", [30.0, 45.0, 60.0])
def test_the_circumference_is_the_elliptic_integral(minor):
    exact = 4 * 60 * ellipe(1 - (minor / 60) ** 2)
    assert Ellipse(0, 0, 60, minor, 0.3).circumference == pytest.approx(exact, rel=1e-6)


def test_points_lie_on_the_outline_and_turn_with_the_angle():
    x, y = HEAD.points(90).T
    np.testing.assert_allclose(HEAD.distance(x, y), 0, atol=1e-9)
    far = HEAD.points(4)[0]
    np.testing.assert_allclose(far, [101.3 + 62.4 * np.cos(0.7), 87.6 + 62.4 * np.sin(0.7)])


def test_the_distance_is_that_from_a_circle():
    circle = Ellipse(5, 6, 20, 20, 0)
    assert circle.distance(5 + 23, 6) == pytest.approx(3)
    assert circle.distance(5, 6 - 18) == pytest.approx(-2)
    assert circle.distance(5, 6) == -20


@pytest.mark.parametrize(
    "linear", [[[0.4, 0], [0, 0.4]], [[-1, 0], [0, 1]], [[0.9, -0.3], [0.2, 1.3]], [[0, -1], [1, 0]]]
)
def test_a_moved_ellipse_runs_through_the_moved_points(linear):
    matrix = np.column_stack([np.array(linear), [12.0, -7.0]])
    moved = HEAD.moved(matrix)
    x, y = (HEAD.points(60) @ matrix[:, :2].T + matrix[:, 2]).T
    np.testing.assert_allclose(moved.distance(x, y), 0, atol=1e-6)
    assert moved.major >= moved.minor
    assert -np.pi / 2 <= moved.angle <= np.pi / 2
    assert moved.area == pytest.approx(HEAD.area * abs(np.linalg.det(matrix[:, :2])))


@pytest.mark.parametrize("step", [1.0, 2.0])
def test_coverage_adds_up_to_the_area(step):
    covered = HEAD.coverage((int(200 / step), int(220 / step)), step)
    assert covered.sum() * step**2 == pytest.approx(HEAD.area, rel=2e-3)
    assert covered.min() == 0
    assert covered.max() == 1


def test_an_ellipse_is_found_through_its_points():
    found = ellipse_through(HEAD.points(40))
    for name in ("x", "y", "major", "minor", "angle"):
        assert getattr(found, name) == pytest.approx(getattr(HEAD, name), abs=1e-2)


@pytest.mark.parametrize("points", [np.zeros((5, 2)), np.zeros((8, 2)), np.column_stack([range(9), range(9)])])
def test_points_on_no_ellipse_are_a_sentence(points):
    with pytest.raises(MeasurementError, match=r"\.$"):
        ellipse_through(points)


@pytest.mark.parametrize("step", [1.0, 2.0])
def test_a_mask_gives_its_ellipse_back(step):
    found = ellipse_in(HEAD.coverage((int(200 / step), int(220 / step)), step), step)
    assert found.circumference == pytest.approx(HEAD.circumference, rel=2e-3)
    assert (found.x, found.y) == pytest.approx((HEAD.x, HEAD.y), abs=0.1)
    assert found.angle == pytest.approx(HEAD.angle, abs=0.01)


def test_a_mask_cut_by_the_rim_gives_the_whole_ellipse():
    cut = Ellipse(60, 20, 50, 40, 0)
    found = ellipse_in(cut.coverage((120, 120)))
    assert found.circumference == pytest.approx(cut.circumference, rel=0.01)


def test_the_longest_border_counts_not_a_speck():
    mask = HEAD.coverage((200, 220))
    cv2.circle(mask, (10, 10), 4, 1.0, -1)
    assert ellipse_in(mask).x == pytest.approx(HEAD.x, abs=0.1)


@pytest.mark.parametrize("mask", [np.zeros((50, 50)), np.pad(np.ones((1, 1)), 25)])
def test_no_head_in_sight_is_a_sentence(mask):
    with pytest.raises(MeasurementError, match="No outline of a head"):
        ellipse_in(mask.astype(np.float32))
