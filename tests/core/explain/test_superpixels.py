"""Segmentations, what hides superpixels, and what a page draws of an explanation."""

import numpy as np
import pytest

from core.errors import ParameterError
from core.explain.superpixels import SEGMENTATIONS, SuperpixelExplanation, cut, hidden_superpixels, hide_gray_of


@pytest.fixture(scope="module")
def ring(shape):
    return shape("BPD", 3, 96).astype(np.float32) / 255


QUARTERS = np.kron([[0, 1], [2, 3]], np.ones((4, 4), int))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("slic", {"n_segments": 30, "compactness": 50, "sigma": 1}),
        ("quickshift", {"ratio": 0.2, "kernel_size": 6, "max_dist": 200}),
        ("felzenszwalb", {"scale": 200, "sigma": 1, "min_size": 200}),
    ],
)
def test_presets_are_the_published_cuts_of_an_image_of_any_range(name, options, ring):
    """The same superpixels as scikit-image finds with the published settings in the picture as a colour PNG."""
    from skimage import segmentation

    picture = np.repeat(np.round(255 * ring).astype(np.uint8)[..., None], 3, axis=-1)
    expected = getattr(segmentation, name)(picture, **options)
    found = cut(ring, name)
    pairs = np.unique(np.stack([found.ravel(), expected.ravel()]), axis=1)
    assert pairs.shape[1] == found.max() + 1 == len(np.unique(expected))
    assert found.max() > 0


def test_superpixels_are_numbered_from_0_without_gaps():
    assert np.array_equal(cut(np.zeros((8, 8), np.float32), 7 * QUARTERS + 2), QUARTERS)


@pytest.mark.parametrize("bad", ["voronoi", np.zeros((3, 3), int)])
def test_an_unusable_segmentation_is_refused(bad):
    with pytest.raises(ParameterError):
        cut(np.zeros((8, 8), np.float32), bad)


def test_hidden_superpixels_are_their_means_or_one_gray():
    image = np.random.default_rng(0).random((8, 8)).astype(np.float32)
    hidden = hidden_superpixels(image, QUARTERS)
    for index in range(4):
        assert hidden[index == QUARTERS] == pytest.approx(image[index == QUARTERS].mean())
    assert np.all(hidden_superpixels(image, QUARTERS, 0.25) == 0.25)
    assert hide_gray_of("felzenszwalb") == pytest.approx(167 / 255)
    assert all(hide_gray_of(name) is None for name in (*SEGMENTATIONS, QUARTERS)[:2])


def explanation(weights):
    return SuperpixelExplanation(QUARTERS, np.array(weights), 0.1, 0.9)


def test_the_map_lays_weights_on_their_superpixels():
    found = explanation([0.5, -0.25, 0.0, 2.0])
    assert found.map.dtype == np.float32
    assert found.map[0, 0] == 0.5
    assert found.map[0, 7] == -0.25
    assert found.map[7, 7] == 2.0


def test_the_yellow_mask_holds_the_strongest_for_the_class():
    found = explanation([0.5, -3.0, 0.0, 2.0])
    assert np.array_equal(found.most_important(1), QUARTERS == 3)
    # Five are asked for, two speak for the class.
    assert np.array_equal(found.most_important(), np.isin(QUARTERS, (0, 3)))
    signed = found.most_important(2, positive_only=False)
    assert np.array_equal(signed, np.select([QUARTERS == 1, QUARTERS == 3], [-1, 1]))


def test_borders_separate_superpixels_and_nothing_else():
    borders = explanation([0.0] * 4).borders
    assert borders[3:5].all()
    assert borders[:, 3:5].all()
    assert not borders[:3, :3].any()
    assert not borders[5:, 5:].any()
