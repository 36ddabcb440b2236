"""Kernel SHAP against Shapley values by their definition, over all orders, and against its axioms."""

from itertools import permutations

import numpy as np
import pytest

from core.explain import get_method
from core.explain.kernel_shap import size_weights
from core.explain.superpixels import hidden_superpixels

TARGET = 2


def strips(number, size=48):
    """``number`` vertical superpixels."""
    return np.tile(np.arange(size) * number // size, (size, 1))


@pytest.fixture(scope="module")
def image(shape):
    return shape("NT", 4, 48).astype(np.float32) / 255


class Game:
    """A model that plays a cooperative game: a superpixel is shown where its pixels are white."""

    def __init__(self, worth, players):
        self.worth, self.players = worth, players

    def scores(self, images):
        shown = np.stack(
            [images[:, :, strips(self.players)[0] == one].mean(axis=(1, 2)) for one in range(self.players)]
        )
        value = np.array([self.worth(coalition > 0.5) for coalition in shown.T])
        return np.stack([value, 1 - value], axis=1)

    def explain(self, samples=500):
        """Superpixels of a white image, hidden behind black: behind their means they would not change."""
        image = np.ones((48, 48), np.float32)
        method = get_method("kernel_shap")
        coalitions = method.coalitions(self.players, samples, np.random.default_rng(0))
        return method.explain_coalitions(self, image, 0, strips(self.players), coalitions, np.zeros_like(image))


def by_definition(worth, players):
    """The mean over all orders of what each player adds to those before."""
    values = np.zeros(players)
    orders = list(permutations(range(players)))
    for order in orders:
        shown = np.zeros(players, bool)
        before = worth(shown)
        for player in order:
            shown[player] = True
            now = worth(shown)
            values[player] += now - before
            before = now
    return values / len(orders)


def rough(seed, players):
    """A game without structure: any coalition is worth anything."""
    table = np.random.default_rng(seed).random(2**players)
    return lambda shown: float(table[int(shown @ (1 << np.arange(players)))])


@pytest.mark.parametrize("players", [1, 2, 3, 6])
def test_few_superpixels_have_their_exact_shapley_values(players):
    worth = rough(players, players)
    found = Game(worth, players).explain()
    assert np.allclose(found.weights, by_definition(worth, players), atol=1e-9)
    assert found.intercept == pytest.approx(worth(np.zeros(players, bool)))


def test_a_real_network_has_its_exact_shapley_values(classifier, image):
    segments = strips(5)
    hidden = hidden_superpixels(image, segments)

    def worth(shown):
        return classifier.probabilities(np.where(shown[segments], image, hidden)[None])[0, TARGET]

    found = get_method("kernel_shap").explain_superpixels(classifier, image, TARGET, segmentation=segments)
    assert np.abs(found.weights).max() > 0.01
    assert np.allclose(found.weights, by_definition(worth, 5), atol=1e-5)


def test_sampled_values_come_near_the_exact_ones_and_sum_exactly():
    """12 players have 4,096 coalitions; a game of pairs on top of single gains, from 600 of them."""
    generator = np.random.default_rng(1)
    gains, pairs = generator.normal(0, 0.1, 12), generator.normal(0, 0.02, (12, 12))

    def worth(shown):
        return float(gains @ shown + shown @ pairs @ shown)

    exact = gains + np.diag(pairs) + (pairs + pairs.T - 2 * np.diag(np.diag(pairs))).sum(axis=1) / 2
    found = Game(worth, 12).explain(samples=600)
    assert found.weights.sum() == pytest.approx(worth(np.ones(12, bool)) - worth(np.zeros(12, bool)), abs=1e-9)
    # With complements pairs cancel: what is left of the error is rounding.
    assert np.allclose(found.weights, exact, atol=0.01)
    rougher = Game(rough(0, 12), 12)
    some, all_of_them = rougher.explain(samples=2000).weights, rougher.explain(samples=4096).weights
    assert np.abs(some - all_of_them).max() < 0.15
    assert np.corrcoef(some, all_of_them)[0, 1] > 0.6


@pytest.mark.parametrize("samples", [4, 10, 60])
def test_values_sum_to_what_the_image_gains_however_few_samples(samples, classifier, image):
    segments = strips(16)
    ends = np.stack([image, hidden_superpixels(image, segments)])
    whole, hidden = classifier.probabilities(ends)[:, TARGET]
    found = get_method("kernel_shap").explain_superpixels(
        classifier, image, TARGET, segmentation=segments, samples=samples
    )
    assert found.weights.sum() == pytest.approx(whole - hidden, abs=1e-5)
    assert found.intercept == pytest.approx(hidden, abs=1e-5)


def test_who_adds_nothing_gets_nothing_and_equals_get_equal_shares():
    found = Game(lambda shown: 0.5 * float(shown[0] and shown[1]) + 0.3 * float(shown[2]), 4).explain()
    assert found.weights == pytest.approx([0.25, 0.25, 0.3, 0], abs=1e-9)


def test_coalitions_are_drawn_by_the_kernel_in_complementary_pairs():
    drawn = get_method("kernel_shap").coalitions(9, 400, np.random.default_rng(0))
    assert len(drawn) == 400
    assert drawn[0].all()
    assert not drawn[1].any()
    rest = drawn[2:]
    assert np.array_equal(rest[::2], ~rest[1::2])
    sizes = np.bincount(rest.sum(axis=1), minlength=10)[1:9]
    assert sizes.sum() == 398
    expected = 398 * size_weights(9)
    # Pairs are drawn, so counts vary with twice the variance of a draw.
    assert np.all(np.abs(sizes - expected) < 4 * np.sqrt(2 * expected))


def test_an_additive_network_is_fitted_perfectly_and_a_rough_one_is_not():
    assert Game(lambda shown: float(shown @ np.arange(6)) / 20, 6).explain().fit_score == pytest.approx(1)
    assert Game(rough(0, 6), 6).explain().fit_score < 0.9
