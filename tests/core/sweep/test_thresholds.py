"""Crossings against a search point by point, intervals against a bootstrap written out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from core.errors import ParameterError
from core.sweep.thresholds import crossings, resampled_means, threshold

INTENSITIES = np.array([0.0, 1.0, 3.0, 4.0, 8.0])


def search(curve, level):
    """The first point below the level on the line through the curve's points, by looking at very many."""
    points = np.linspace(0, 8, 80_001)
    below = np.interp(points, INTENSITIES, curve) < level
    return points[below.argmax()] if below.any() else np.inf


@given(some.lists(some.floats(0, 1), min_size=5, max_size=5), some.floats(0.05, 0.95))
def test_the_first_crossing_is_where_a_search_finds_it(curve, level):
    curve = np.array(curve)
    found = crossings(INTENSITIES, curve[None], np.array([level]))[0]
    expected = search(curve, level)
    # A curve may dip under the level by less than the search can see between two of its points.
    if np.isinf(found) or np.isinf(expected):
        assert np.isinf(found) or curve.min() > level - 1e-3
        assert np.isfinite(found) or np.isinf(expected)
    else:
        steepest = np.abs(np.diff(curve) / np.diff(INTENSITIES)).max()
        assert found == pytest.approx(expected, abs=2e-4) or steepest < 1e-2 or found < expected


def image_curves(*last_right):
    """Images that are right up to and with the given grid point, then wrong."""
    return np.array([[position <= last for position in range(5)] for last in last_right], float)


def test_by_hand():
    hits = image_curves(4, 4, 1, 1)
    found = threshold(INTENSITIES, hits, np.arange(4), level=0.875)
    # 1 at intensity 1, one half at 3: seven eighths lie a quarter of the way.
    assert (found.status, found.value, found.n) == ("reached", pytest.approx(1.5), 4)
    assert found.low <= found.value
    assert found.high is None  # some samples hold the steady images alone


def test_a_loss_is_counted_from_the_clean_accuracy():
    hits = image_curves(4, 4, 1, 1)
    hits[0] = 0
    found = threshold(INTENSITIES, hits, np.arange(4), loss=0.25)
    assert found.level == pytest.approx(0.5)
    assert found.value == pytest.approx(2.0)


def test_not_reached_and_already_there_are_said():
    steady = np.ones((6, 5))
    found = threshold(INTENSITIES, steady, np.arange(6), level=0.9)
    assert (found.status, found.value, found.high) == ("not reached", None, None)
    assert found.text("pixels") == "not reached"
    found = threshold(INTENSITIES, 0 * steady, np.arange(6), level=0.9)
    assert (found.status, found.value) == ("already at 0", 0)
    found = threshold(INTENSITIES, 0 * steady, np.arange(6), loss=0.05)
    assert found.status == "not reached"


def test_a_detector_rises():
    hits = 1 - image_curves(0, 1, 1, 1)
    found = threshold(INTENSITIES, hits, np.arange(4), level=0.4375, rising=True)
    # A quarter at 1, all at 3: seven sixteenths lie a quarter of the way.
    assert found.value == pytest.approx(1.5, abs=1e-6)
    assert threshold(INTENSITIES, 0 * hits, np.arange(4), level=0.9, rising=True).status == "not reached"
    assert threshold(INTENSITIES, 0 * hits + 1, np.arange(4), level=0.9, rising=True).status == "already at 0"


def test_patients_are_drawn_whole():
    generator = np.random.default_rng(3)
    values = generator.random((30, 5))
    patients = np.repeat(np.arange(6), 5)
    means = resampled_means(values, patients, seed=9)
    draws = np.random.default_rng(9).integers(0, 6, size=(1000, 6))
    for number in (0, 17, 999):
        rows = np.concatenate([np.flatnonzero(patients == patient) for patient in draws[number]])
        assert means[number] == pytest.approx(values[rows].mean(axis=0))


def test_images_of_one_patient_widen_the_interval():
    hits = image_curves(*([4] * 40 + [1] * 40))
    alone = threshold(INTENSITIES, hits, np.arange(80), level=0.75)
    few = threshold(INTENSITIES, hits, np.repeat(np.arange(8), 10), level=0.75)
    assert alone.value == few.value == pytest.approx(2.0)
    width = alone.high - alone.low
    assert few.high is None or few.high - few.low > width


@pytest.mark.parametrize("rule", [{}, {"level": 0.9, "loss": 0.1}, {"level": 0}, {"level": 1.5}, {"loss": -0.1}])
def test_impossible_rules_are_refused(rule):
    with pytest.raises(ParameterError):
        threshold(INTENSITIES, np.ones((2, 5)), np.arange(2), **rule)
