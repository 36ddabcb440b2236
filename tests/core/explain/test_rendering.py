"""Maps become pictures in one place."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from core.errors import ParameterError
from core.explain.rendering import COLOUR_MAPS, highlighted, imgify, normalise, overlay, strongest

RAMP = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)


def test_range_is_used():
    values = normalise(RAMP)
    assert values.min() == 0
    assert values.max() == 1


def test_symmetric_keeps_zero_in_the_middle():
    values = normalise(np.array([[-1.0, 0, 0.5]]), symmetric=True)
    assert values[0] == pytest.approx([0, 0.5, 0.75], abs=0.01)
    picture = imgify(np.array([[-1.0, 0, 1.0]]), symmetric=True)
    assert picture[0, 1].min() > 240
    assert picture[0, 0, 2] > picture[0, 0, 0]
    assert picture[0, 2, 0] > picture[0, 2, 2]


def test_one_outlier_does_not_darken_the_rest():
    values = np.tile(np.linspace(0, 1, 100), (100, 1))
    values[0, 0] = 1000
    assert normalise(values)[50, 99] > 0.9


def test_cividis_brightness_rises_with_the_value():
    picture = imgify(RAMP, vmin=0, vmax=1).astype(int)
    brightness = (picture * [299, 587, 114]).sum(axis=-1).ravel()
    assert (np.diff(brightness) >= -1500).all()
    assert brightness[-1] > brightness[0] + 100_000


def test_opacity_ends():
    image = np.random.default_rng(0).integers(0, 256, (16, 16), np.uint8)
    assert np.array_equal(overlay(image, RAMP, opacity=0)[..., 0], image)
    full = overlay(image, np.kron(RAMP, np.ones((2, 2), np.float32)), opacity=1)
    assert np.array_equal(full, imgify(np.kron(RAMP, np.ones((2, 2), np.float32))))


def test_constant_map_shows_nothing():
    assert (normalise(np.full((4, 4), 3.0)) == 0).all()
    assert (normalise(np.zeros((4, 4)), symmetric=True) == 0.5).all()


@given(arrays(np.float32, array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.floats(-1e6, 1e6, width=32)))
@settings(max_examples=50, deadline=None)
def test_any_finite_map_becomes_a_picture(values):
    for symmetric in (False, True):
        assert imgify(values, symmetric=symmetric).shape == (*values.shape, 3)


@pytest.mark.parametrize("name", COLOUR_MAPS)
def test_colour_maps_exist(name):
    assert imgify(RAMP, colour_map=name).std() > 10


def test_unknown_colour_map_and_opacity_are_refused():
    with pytest.raises(ParameterError):
        imgify(RAMP, colour_map="beige")
    with pytest.raises(ParameterError):
        overlay(np.zeros((8, 8), np.uint8), RAMP, opacity=1.5)


def test_a_map_without_numbers_is_refused_rather_than_drawn_black():
    with pytest.raises(ParameterError, match="no numbers"):
        imgify(np.full((3, 4), np.nan))


@pytest.mark.parametrize("share", [0.01, 0.25, 1.0])
def test_the_strongest_are_the_share_asked_for(share):
    values = np.random.default_rng(0).permutation(400).reshape(20, 20).astype(np.float32)
    chosen = strongest(values, share)
    assert abs(chosen.sum() - 400 * share) <= 1
    assert values[chosen].min() > (values[~chosen].max() if share < 1 else -1)


def test_of_signed_maps_the_size_counts_and_the_rest_of_the_image_is_bare():
    image = np.full((2, 2), 100, np.uint8)
    values = np.array([[-9.0, 1.0], [2.0, 8.0]])
    drawn = overlay(image, values, opacity=1, symmetric=True, top=0.5)
    assert (drawn[0, 1] == 100).all()
    assert (drawn[1, 0] == 100).all()
    assert drawn[0, 0, 2] > drawn[0, 0, 0]
    assert drawn[1, 1, 0] > drawn[1, 1, 2]
    with pytest.raises(ParameterError, match="share"):
        strongest(values, 0)


def test_highlighted_pixels_turn_yellow_and_no_others():
    drawn = highlighted(np.full((4, 4), 100, np.uint8), np.eye(2, dtype=bool))
    assert (drawn[:2, 2:] == 100).all()
    assert (drawn[:2, :2] == [162, 162, 60]).all()
