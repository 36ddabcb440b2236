"""Maps of corrupted frames laid back: against formulas, and what must hold for every corruption."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.corruption import CORRUPTIONS, get
from core.errors import ParameterError


def field(down, across):
    """A smooth function of the place in the frame, in shares of its sides."""
    return 0.5 + 0.3 * np.sin(5 * across + 1) * np.cos(4 * down) + 0.2 * across * down


def middles(side):
    return (np.arange(side) + 0.5) / side


def seen(shape, lost=0.0):
    """The field on a frame of which ``lost`` of each side was cropped away around the middle, by its formula."""
    down, across = np.meshgrid(*(0.5 + (middles(side) - 0.5) * (1 - lost) for side in shape), indexing="ij")
    return field(down, across).astype(np.float32)


@pytest.mark.parametrize("intensity", [0.4, 1.5, 10, 25, 33.3, 50, 75])
@pytest.mark.parametrize("shape", [(224, 224), (97, 160)])
def test_scale_up_laid_back_is_the_map_inside_the_crop(shape, intensity):
    lost = intensity / 100
    back, valid = get("scale_up").warp_back(seen(shape, lost), intensity)
    assert back.shape == valid.shape == shape
    assert back.dtype == np.float32
    assert np.abs(back - seen(shape))[valid].max() < 0.01
    inside = [np.abs(middles(side) - 0.5) <= (1 - lost) / 2 for side in shape]
    assert np.array_equal(valid, inside[0][:, None] & inside[1])
    # Without it the map is of another place.
    if intensity >= 10:
        assert np.abs(seen(shape, lost) - seen(shape))[valid].max() > 0.03


@pytest.mark.parametrize("intensity", [2, 20, 50])
def test_it_undoes_what_the_corruption_does(intensity):
    shape = (200, 200)
    frame = seen(shape)
    back, valid = get("scale_up").warp_back(get("scale_up").apply(frame, intensity), intensity)
    assert np.abs(back - frame)[valid].max() < 0.01


@pytest.mark.parametrize("kind", sorted(CORRUPTIONS))
def test_without_corruption_nothing_moves(kind):
    values = seen((40, 60))
    back, valid = get(kind).warp_back(values, 0)
    assert np.array_equal(back, values)
    assert valid.all()


@pytest.mark.parametrize("kind", sorted(set(CORRUPTIONS) - {"scale_up"}))
def test_what_moves_nothing_leaves_the_map_as_it_is(kind):
    values = seen((40, 60))
    back, valid = get(kind).warp_back(values, get(kind).slider_maximum)
    assert np.array_equal(back, values)
    assert valid.all()
    assert valid.dtype == bool


@settings(max_examples=30, deadline=None)
@given(st.floats(0, 75), st.integers(8, 90), st.integers(8, 90))
def test_what_is_left_shrinks_as_the_crop_does_and_lies_in_the_middle(intensity, height, width):
    values = np.ones((height, width), np.float32)
    back, valid = get("scale_up").warp_back(values, intensity)
    assert np.isfinite(back).all()
    assert np.array_equal(valid, valid[::-1, ::-1])
    for count, side in ((valid.any(axis=1).sum(), height), (valid.any(axis=0).sum(), width)):
        assert abs(count - side * (1 - intensity / 100)) <= 1


@pytest.mark.parametrize("kind", sorted(CORRUPTIONS))
@pytest.mark.parametrize("intensity", [-1, 1e9, float("nan")])
def test_an_intensity_that_is_not_allowed_is_refused(kind, intensity):
    with pytest.raises(ParameterError):
        get(kind).warp_back(np.ones((9, 9), np.float32), intensity)
