"""The refined map against the whole one and against models whose map is known; the plain loop is in test_methods."""

import numpy as np
import pytest

from core.errors import ParameterError
from core.explain.occlusion import (
    Occlusion,
    patch_places,
    smoothed_for_display,
)

SIZE = 60


class Additive:
    """A model whose first probability is a weighted sum of pixels: hiding places adds up."""

    def __init__(self, weights):
        self.weights = weights
        self.passes = 0

    def scores(self, images):
        self.passes += len(images)
        score = np.tensordot(images, self.weights, axes=2)
        return np.stack([score, 1 - score], axis=1)


def map_of(model, image=None, **options):
    image = np.ones((1, SIZE, SIZE), np.float32) if image is None else image
    return Occlusion().explain(model, image, np.array([0]), patch=4, **options)[0]


@pytest.fixture
def bump():
    """Weights that are 0 but for one place of 12 x 12 pixels that spans four blocks."""
    weights = np.zeros((SIZE, SIZE))
    weights[20:32, 18:30] = np.random.default_rng(0).random((12, 12)) / 100
    return weights


def test_all_blocks_refined_is_the_whole_map(bump):
    bump = bump + np.random.default_rng(1).random((SIZE, SIZE)) / 1e4
    assert np.allclose(map_of(Additive(bump), refine=1.0), map_of(Additive(bump)), atol=1e-7)


def test_a_place_that_matters_is_found_whole_with_few_passes(bump):
    refined, whole = Additive(bump), Additive(bump)
    assert np.allclose(map_of(refined, refine=0.2), map_of(whole), atol=1e-7)
    assert whole.passes == 1 + 225
    # The image, 25 blocks, 9 patches of each of 5 blocks.
    assert refined.passes == 1 + 25 + 45


def test_without_refinement_every_patch_has_its_share_of_the_block(bump):
    """Additive effects: the shares of a block sum to the block's effect, whatever its partial patches."""
    model = Additive(bump)
    image = np.ones((1, SIZE, SIZE), np.float32)
    coarse = Occlusion().explain(model, image, np.array([0]), patch=7, refine=0.0)[0]
    assert model.passes == 1 + 9
    assert coarse[:21, :21] == pytest.approx(coarse[0, 0])
    # Each pixel carries its patch's loss: what a block lost is the sum over its patches.
    places = patch_places(SIZE, 7, 7)
    assert sum(coarse[place].flat[0] for place in places) == pytest.approx(bump.sum(), rel=1e-4)


@pytest.mark.parametrize("stride", [7, 5])
def test_where_all_pixels_matter_alike_blocks_alone_give_the_whole_map(stride):
    """Partial patches lose less, by area: 60 is no multiple of 7, and with stride 5 patches overlap."""
    model = Additive(np.full((SIZE, SIZE), 1 / SIZE**2))
    image = np.ones((1, SIZE, SIZE), np.float32)
    whole, coarse = (
        Occlusion().explain(model, image, np.array([0]), patch=7, stride=stride, refine=refine)[0]
        for refine in (None, 0.0)
    )
    assert np.ptp(whole) > 0
    assert np.allclose(coarse, whole, atol=1e-6)


def test_overlapping_patches_can_be_refined_too(bump):
    bump = bump + np.random.default_rng(1).random((SIZE, SIZE)) / 1e4
    whole = map_of(Additive(bump), stride=3)
    assert np.allclose(map_of(Additive(bump), stride=3, refine=1.0), whole, atol=1e-7)
    some = map_of(Additive(bump), stride=3, refine=0.4)
    assert np.abs(some - whole).max() < 0.05 * whole.max()


@pytest.mark.parametrize("refine", [None, 0.0, 0.3, 1.0])
def test_progress_rises_to_one(bump, refine):
    shares = []
    images = np.ones((2, SIZE, SIZE), np.float32)
    Occlusion().explain(Additive(bump), images, np.array([0, 1]), shares.append, patch=4, refine=refine)
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)


def test_evidence_against_the_target_is_negative(bump):
    found = map_of(Additive(-bump), refine=0.2)
    assert found.min() < 0
    assert found.max() <= 1e-9


@pytest.mark.parametrize("refine", [-0.1, 1.1])
def test_an_impossible_share_is_refused(bump, refine):
    with pytest.raises(ParameterError, match="between 0 and 1"):
        map_of(Additive(bump), refine=refine)


def test_the_default_is_the_thesis_grid():
    """20 of 299 pixels every 20: 15 patches a side, the last of 19."""
    model = Additive(np.full((299, 299), 1 / 299**2))
    found = Occlusion().explain(model, np.ones((1, 299, 299), np.float32), np.array([0]))[0]
    assert model.passes == 1 + 15 * 15
    assert found[0, 0] == pytest.approx(400 / 299**2, rel=1e-3)
    assert found[-1, -1] == pytest.approx(361 / 299**2, rel=1e-3)


def test_display_smooths_with_four_of_299_pixels():
    point = np.zeros((299, 299), np.float32)
    point[149, 149] = 1
    shown = smoothed_for_display(point)
    assert shown.sum() == pytest.approx(1, abs=1e-3)
    distance = np.arange(299) - 149
    assert np.sqrt((shown.sum(axis=0) * distance**2).sum()) == pytest.approx(4, rel=0.02)


def test_patches_that_change_nothing_are_not_asked(bump):
    """Outside the sector a frame is black already; a patch that holds one pixel of it is asked all the same."""
    image = np.ones((1, SIZE, SIZE), np.float32)
    image[0, :, 40:] = 0
    image[0, 59, 59] = 0.5
    model, whole = Additive(bump), Additive(bump)
    by_hand = (image[0] * bump).reshape(15, 4, 15, 4).sum(axis=(1, 3)).repeat(4, axis=0).repeat(4, axis=1)
    assert np.allclose(map_of(model, image), by_hand, atol=1e-6)
    assert model.passes == 1 + 15 * 10 + 1
    map_of(whole, image, fill="noise")
    assert whole.passes == 1 + 225


def test_a_black_image_loses_nothing(bump):
    model = Additive(bump)
    shares = []
    black = np.zeros((1, SIZE, SIZE), np.float32)
    assert not Occlusion().explain(model, black, np.array([0]), shares.append, patch=4).any()
    assert model.passes == 1
    assert shares[-1] == 1
