import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.phantom import curves


def area(points):
    x, y = points.T
    return 0.5 * abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))


@given(st.floats(1, 50), st.floats(1, 50), st.floats(-3, 3))
@settings(max_examples=20, deadline=None)
def test_an_ellipse_has_its_area_however_it_is_turned(first, second, angle):
    assert area(curves.ellipse((3, -2), (first, second), angle, 400)) == pytest.approx(np.pi * first * second, rel=1e-3)


@given(st.floats(0.5, 3.0))
@settings(max_examples=10, deadline=None)
def test_offset_moves_a_circle_outwards(distance):
    circle = curves.ellipse((0, 0), (10, 10), count=200)
    assert np.allclose(np.hypot(*curves.offset(circle, distance).T), 10 + distance, atol=0.01)
    assert np.allclose(np.hypot(*curves.offset(circle, -distance).T), 10 - distance, atol=0.01)


def test_splines_pass_through_their_knots():
    knots = np.array([[0, 0], [3, 1], [4, 5], [1, 6.0]])
    assert np.allclose(curves.open_spline(knots, 5)[::5], knots)
    assert np.allclose(curves.closed_spline(knots, 5)[::5], knots)


def test_a_strip_has_the_area_of_length_times_width():
    line = np.stack([np.linspace(0, 20, 40), np.zeros(40)], axis=1)
    assert area(curves.strip(line, 2.0)) == pytest.approx(40)


def test_a_limb_has_round_ends():
    line = np.stack([np.linspace(0, 20, 40), np.zeros(40)], axis=1)
    limb = curves.limb(line, (2.0, 2.0))
    assert limb[:, 0].min() == pytest.approx(-1, abs=0.05)
    assert limb[:, 0].max() == pytest.approx(21, abs=0.05)
    assert area(limb) == pytest.approx(40 + np.pi, rel=0.02)


def test_resampling_is_even():
    points, at = curves.resample(curves.ellipse((0, 0), (10, 10), count=300), 0.5, closed=True)
    steps = np.hypot(*np.diff(points, axis=0).T)
    assert np.allclose(steps, steps.mean(), rtol=0.02)
    assert (at[0], at[-1] < 1) == (0, True)


def test_inside_agrees_with_the_circle():
    points = np.random.default_rng(0).uniform(-2, 2, (500, 2))
    expected = np.hypot(*points.T) < 1
    found = curves.inside(points, curves.ellipse((0, 0), (1, 1), count=400))
    assert (found == expected).mean() > 0.99


def test_within_pulls_only_what_sticks_out():
    outline = curves.ellipse((0, 0), (10, 10), count=200)
    points = np.array([[3.0, 0.0], [0.0, 15.0]])
    kept, pulled = curves.within(points, outline, 1.0)
    assert np.allclose(kept, [3, 0])
    assert np.allclose(pulled, [0, 9], atol=0.05)


def test_lumps_keep_the_size():
    circle = curves.ellipse((0, 0), (10, 10), count=200)
    lumpy = curves.lumpy(circle, np.random.default_rng(0).standard_normal(8), 0.05)
    assert area(lumpy) == pytest.approx(area(circle), rel=0.1)
    assert np.hypot(*lumpy.T).std() > 0.1
