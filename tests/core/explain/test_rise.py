"""RISE against a plain sum over its masks and against models whose map is known."""

from types import SimpleNamespace

import numpy as np
import pytest

from core.errors import ParameterError
from core.explain import get_method
from core.explain.rise import smooth_masks

SIZE = 40
LENGTH = {"output": "circumference"}


class Corner:
    """Answers with the mean of one corner of 10 x 10 pixels, as the probability of its first class or as a length."""

    def __init__(self, measurement=None):
        self.card = SimpleNamespace(measurement=measurement or {})

    def scores(self, images):
        share = images[:, :10, :10].mean(axis=(1, 2)).astype(np.float64)
        return np.stack([share, 1 - share], axis=1)


def explain(model, image=None, **options):
    image = np.ones((SIZE, SIZE), np.float32) if image is None else image
    return get_method("rise").explain(model, image[None], np.array([0]), **options)[0]


def test_the_map_is_the_mean_probability_over_the_masks_that_show_a_pixel():
    image = np.random.default_rng(1).random((SIZE, SIZE)).astype(np.float32)
    masks = np.stack(list(smooth_masks(SIZE, 37, grid=5, shown=0.4, seed=9)))
    scores = Corner().scores(masks * image)[:, 0]
    expected = np.tensordot(scores, masks, axes=1) / masks.sum(axis=0)
    found = explain(Corner(), image, masks=37, grid=5, shown=0.4, seed=9)
    assert np.allclose(found, expected, atol=1e-5)


def test_the_corner_that_is_read_stands_out():
    found = explain(Corner(), masks=600)
    assert found[:10, :10].mean() > found.mean() + 5 * found[20:, 20:].std()
    assert np.unravel_index(found.argmax(), found.shape) <= (12, 12)
    assert found[:10, :10].min() > found[20:, 20:].max()


def test_a_network_that_answers_the_same_whatever_it_sees_gets_a_flat_map():
    class Deaf(Corner):
        def scores(self, images):
            return np.full((len(images), 2), 0.5)

    assert explain(Deaf(), masks=20) == pytest.approx(0.5, abs=1e-6)
    assert explain(Deaf(LENGTH), masks=20) == pytest.approx(0, abs=1e-6)


def test_of_a_measurement_the_map_is_the_shift_from_the_mean_over_the_masks():
    image = np.random.default_rng(1).random((SIZE, SIZE)).astype(np.float32)
    masks = np.stack(list(smooth_masks(SIZE, 37, grid=5, shown=0.4, seed=9)))
    scores = Corner().scores(masks * image)[:, 0]
    expected = np.tensordot(scores - scores.mean(), masks, axes=1) / masks.sum(axis=0)
    found = explain(Corner(LENGTH), image, masks=37, grid=5, shown=0.4, seed=9)
    assert np.allclose(found, expected, atol=1e-6)
    assert found.min() < 0 < found.max()


def test_masks_are_smooth_seeded_and_show_their_share():
    masks = np.stack(list(smooth_masks(SIZE, 400, grid=7, shown=0.3, seed=0)))
    assert masks.shape == (400, SIZE, SIZE)
    assert masks.min() >= 0
    assert masks.max() <= 1
    # Everywhere alike: the random shift leaves no trace of the grid.
    assert masks.mean() == pytest.approx(0.3, abs=0.01)
    assert np.abs(masks.mean(axis=0) - 0.3).max() < 0.12
    # Bilinear: neighbours differ by at most the change across a cell of 6 pixels.
    assert np.abs(np.diff(masks, axis=1)).max() <= 1 / 6 + 1e-6
    again = np.stack(list(smooth_masks(SIZE, 400, grid=7, shown=0.3, seed=0)))
    assert np.array_equal(masks, again)
    assert not np.array_equal(masks, np.stack(list(smooth_masks(SIZE, 400, grid=7, shown=0.3, seed=1))))


def test_a_fill_other_than_black_changes_what_hides(shape):
    image = shape("BPD", 1, SIZE).astype(np.float32) / 255
    assert not np.allclose(explain(Corner(), image, masks=40), explain(Corner(), image, masks=40, fill="blur"))


@pytest.mark.parametrize("bad", [{"masks": 0}, {"grid": 0}, {"grid": SIZE + 1}, {"shown": 0.0}, {"shown": 1.0}])
def test_impossible_settings_are_refused(bad):
    with pytest.raises(ParameterError, match="RISE needs"):
        explain(Corner(), **bad)
