"""LIME against the authors' own package and against functions whose weights are known."""

import numpy as np
import pytest

from core.errors import ParameterError
from core.explain import get_method
from core.explain.lime_superpixels import kernel
from core.explain.superpixels import cut, hidden_superpixels

TARGET = 1
GRID = np.kron(np.arange(16).reshape(4, 4), np.ones((12, 12), int))


@pytest.fixture(scope="module")
def image(shape):
    return shape("CRL", 5, 48).astype(np.float32) / 255


def theirs(classifier, image, segments, samples, seed):
    """The authors' answer: weights in the order of the superpixels, intercept, R2 and the explanation."""
    from lime.lime_image import LimeImageExplainer

    found = LimeImageExplainer(random_state=seed).explain_instance(
        np.repeat(image[..., None], 3, axis=-1).astype(np.float64),
        lambda batch: classifier.scores(batch[..., 0].astype(np.float32)),
        labels=(TARGET,),
        top_labels=None,
        num_samples=samples,
        segmentation_fn=lambda _: segments,
        random_seed=0,
    )
    weights = np.array([weight for _, weight in sorted(found.local_exp[TARGET])])
    return weights, found.intercept[TARGET], found.score, found


def test_the_same_samples_give_the_weights_of_the_authors_package(classifier, image):
    """Its coalitions are drawn again from its generator: everything after them must agree to rounding."""
    samples, seed = 200, 11
    segments = cut(image, GRID)
    weights, intercept, score, _ = theirs(classifier, image, segments, samples, seed)
    drawn = np.random.RandomState(seed).randint(0, 2, samples * 16).reshape(samples, 16)
    drawn[0] = 1
    ours = get_method("lime").explain_coalitions(
        classifier, image, TARGET, segments, drawn.astype(bool), hidden_superpixels(image, segments)
    )
    assert np.abs(weights).max() > 0.01
    assert np.allclose(ours.weights, weights, atol=1e-5)
    assert ours.intercept == pytest.approx(intercept, abs=1e-5)
    assert ours.fit_score == pytest.approx(score, abs=1e-4)


class Checkered:
    """A model that reads whether a checkered square still is one or has become gray, and answers with a bent sum.

    Weights in the bend are of either sign, and two squares count only together.
    """

    weights = np.random.default_rng(4).normal(0, 0.8, 16)

    def scores(self, images):
        # A white pixel of each square: 1 where it is shown, 0.5 where the square's mean is.
        shown = 2 * images[:, ::12, ::12].reshape(len(images), 16) - 1
        score = 1 / (1 + np.exp(-(shown @ self.weights + shown[:, 3] * shown[:, 9])))
        return np.stack([1 - score, score], axis=1)


def test_with_many_samples_of_its_own_it_agrees_with_the_authors_package():
    """Other random numbers, the same function: within 5 % of the largest weight."""
    image = (np.indices((48, 48)).sum(axis=0) % 2 == 0).astype(np.float32)
    weights, intercept, score, found = theirs(Checkered(), image, GRID, 4000, 1)
    ours = get_method("lime").explain_superpixels(Checkered(), image, TARGET, segmentation=GRID, samples=4000, seed=2)
    assert np.ptp(weights) > 0.2
    assert np.allclose(ours.weights, weights, atol=0.05 * np.abs(weights).max())
    assert ours.intercept == pytest.approx(intercept, abs=0.05)
    assert ours.fit_score == pytest.approx(score, abs=0.05)
    assert np.array_equal(ours.most_important(3) > 0, found.get_image_and_mask(TARGET, num_features=3)[1] > 0)


class Sum:
    """A model that adds up the means of quarters, weighted: what LIME fits is its very shape."""

    weights = np.array([0.4, 0.0, -0.2, 0.1])

    def scores(self, images):
        quarters = images.reshape(len(images), 2, 24, 2, 24).mean(axis=(2, 4)).reshape(len(images), 4)
        score = 0.3 + quarters @ self.weights
        return np.stack([score, 1 - score], axis=1)


QUARTERS = np.kron([[0, 1], [2, 3]], np.ones((24, 24), int))


def test_a_sum_of_superpixels_is_fitted_exactly_up_to_the_ridge():
    image = np.ones((48, 48), np.float32)
    drawn = np.random.default_rng(0).random((2000, 4)) < 0.5
    found = get_method("lime").explain_coalitions(Sum(), image, 0, QUARTERS, drawn, np.zeros_like(image))
    assert np.allclose(found.weights, Sum.weights, atol=0.01)
    assert found.intercept == pytest.approx(0.3, abs=0.01)
    assert found.fit_score > 0.999


def test_a_function_that_is_no_sum_fits_badly_and_says_so():
    class Parity(Sum):
        def scores(self, images):
            quarters = images.reshape(len(images), 2, 24, 2, 24).mean(axis=(2, 4)).reshape(len(images), 4)
            odd = np.round(quarters.sum(axis=1)) % 2
            return np.stack([odd, 1 - odd], axis=1)

    image = np.ones((48, 48), np.float32)
    drawn = np.random.default_rng(0).random((2000, 4)) < 0.5
    found = get_method("lime").explain_coalitions(Parity(), image, 0, QUARTERS, drawn, np.zeros_like(image))
    assert found.fit_score < 0.2


def test_kernel_is_the_authors_of_the_cosine_distance():
    from sklearn.metrics import pairwise_distances

    drawn = np.random.default_rng(0).random((50, 9)) < 0.5
    drawn[0], drawn[1] = True, False
    distance = pairwise_distances(drawn.astype(float), np.ones((1, 9)), metric="cosine").ravel()
    assert np.allclose(kernel(drawn.mean(axis=1)), np.sqrt(np.exp(-(distance**2) / 0.25**2)), atol=1e-7)


def test_the_seed_decides_the_samples(image):
    method = get_method("lime")
    first, again, other = (
        method.explain_superpixels(Sum(), image, 0, segmentation=GRID, samples=40, seed=seed).weights
        for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_annex_preset_hides_behind_its_gray():
    """A white image is one superpixel: hiding it leaves gray 167 there and its own mean in the other presets."""
    image = np.full((48, 48), 0.9, np.float32)

    class Brightness:
        def __init__(self):
            self.seen = set()

        def scores(self, images):
            means = images.mean(axis=(1, 2))
            self.seen |= set(np.round(means, 4).tolist())
            return np.stack([means, 1 - means], axis=1)

    for name, expected in (("felzenszwalb", {0.9, round(167 / 255, 4)}), ("quickshift", {0.9})):
        model = Brightness()
        get_method("lime").explain_superpixels(model, image, 0, segmentation=name, samples=30)
        assert {round(value, 4) for value in model.seen} == expected


def test_a_single_sample_is_refused(image):
    with pytest.raises(ParameterError, match="at least 2 samples"):
        get_method("lime").explain_superpixels(Sum(), image, 0, segmentation=GRID, samples=1)
