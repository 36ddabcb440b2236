"""Hiding an image region by region: against a plain loop, and on networks whose right answer is known."""

from types import SimpleNamespace

import numpy as np
import pytest

from core.errors import ParameterError
from core.explain.perturbation import filling
from core.explain.regression_perturbation import (
    ORDERS,
    STEPS,
    Protocol,
    aopc,
    follow,
    hidden_counts,
    region_relevance,
)

SIDE = 32


class Sum:
    """Measures a weighted sum of the pixels: what each region is worth is known."""

    def __init__(self, weights):
        self.weights = weights
        self.asked = 0

    def scores(self, images):
        self.asked += len(images)
        return (images * self.weights).sum(axis=(1, 2), dtype=np.float64)[:, None]


@pytest.fixture
def image():
    return np.random.default_rng(4).random((SIDE, SIDE)).astype(np.float32)


@pytest.mark.parametrize("grid", [4, 8, 5])
def test_hiding_is_that_of_a_plain_loop(image, grid, regressor):
    values = np.random.default_rng(1).normal(size=(SIDE, SIDE))
    protocol = Protocol(grids=(grid,), chances=2, seed=3)
    hidden = protocol.fill_of(image, 7, "noise")
    places = protocol.map_places(values, grid, 7, ("size",))["size/most"]
    found = follow(regressor, image, hidden, np.stack([places, *protocol.chance_places(grid, 7)]))
    assert found.shape == (3, STEPS + 1)

    cuts = [place * grid // SIDE for place in range(SIDE)]
    relevance = {(down, across): 0.0 for down in range(grid) for across in range(grid)}
    for y in range(SIDE):
        for x in range(SIDE):
            relevance[cuts[y], cuts[x]] += abs(values[y, x])
    order = sorted(relevance, key=relevance.get, reverse=True)
    for step in range(STEPS + 1):
        gone = set(order[: round(step * grid**2 / STEPS)])
        shown = image.copy()
        for y in range(SIDE):
            for x in range(SIDE):
                if (cuts[y], cuts[x]) in gone:
                    shown[y, x] = hidden[y, x]
        assert found[0, step] == pytest.approx(regressor.scores(shown[None])[0, 0], rel=1e-4)
    assert np.allclose(found[:, 0], found[0, 0])
    assert np.allclose(found[:, -1], found[0, -1])
    assert not np.allclose(found[1, 1:-1], found[2, 1:-1])


def test_what_alone_matters_is_hidden_first_and_last(image):
    """One region decides: named first, the error is there at once; named last, only at the end."""
    weights = np.zeros((SIDE, SIDE))
    weights[8:16, 16:24] = 1
    protocol = Protocol(grids=(4,), fills=("black",))
    places = protocol.map_places(weights, 4, 0, ("size",))
    lengths = follow(Sum(weights), image, np.zeros_like(image), np.stack([places["size/most"], places["size/least"]]))
    truth = float((image * weights).sum())
    errors = np.abs(lengths - truth)
    assert errors[0, 0] == pytest.approx(0, abs=1e-4)
    assert errors[0, 1:] == pytest.approx(np.full(STEPS, truth), rel=1e-5)
    assert errors[1] == pytest.approx([0] * STEPS + [truth], rel=1e-5, abs=1e-4)
    # By hand: E(0) = 0, and 15 of the 16 points hold the whole length.
    assert aopc(errors) == pytest.approx([-truth * 15 / 16, 0], abs=1e-4)


def test_the_sign_hides_first_what_raises_the_number():
    values = np.zeros((SIDE, SIDE))
    values[:8, :8], values[8:16, :8], values[16:24, :8] = 1, -3, 2
    places = Protocol().map_places(values, 4, 0, ("size", "sign"))
    down = [0, 4, 8]
    assert places["size/most"][down].tolist() == [2, 0, 1]
    assert places["sign/most"][down].tolist() == [1, 15, 0]
    assert places["sign/least"][down].tolist() == [14, 0, 15]
    assert region_relevance(values, 4, "sign")[down].tolist() == [64, -192, 128]


def test_ends_are_asked_once_for_all_orders(image):
    model = Sum(np.ones((SIDE, SIDE)))
    protocol = Protocol(grids=(4,), fills=("mean",), chances=3)
    follow(model, image, filling(image, "mean"), protocol.chance_places(4, 0))
    assert model.asked == protocol.passes(3) == 3 * 15 + 2


def test_chance_depends_on_seed_and_image_alone(image):
    first, again, other = (Protocol(seed=seed) for seed in (0, 0, 1))
    for grid in first.grids:
        orders = first.chance_places(grid, 2)
        assert np.array_equal(orders, again.chance_places(grid, 2))
        assert not np.array_equal(orders, other.chance_places(grid, 2))
        assert not np.array_equal(orders, first.chance_places(grid, 3))
        assert all(sorted(order) == list(range(grid**2)) for order in orders)
    assert np.array_equal(first.fill_of(image, 1, "noise"), again.fill_of(image, 1, "noise"))
    assert not np.array_equal(first.fill_of(image, 1, "noise"), first.fill_of(image, 2, "noise"))


def test_a_map_that_says_nothing_is_an_order_by_chance(image):
    """Ties are broken anew for each image, and by no order of reading."""
    flat = np.zeros((SIDE, SIDE))
    places = [Protocol().map_places(flat, 4, number, ("size",)) for number in range(40)]
    mean = np.mean([one["size/most"] for one in places], axis=0)
    assert np.abs(mean - 7.5).max() < 4
    assert not np.array_equal(places[0]["size/most"], places[0]["size/least"])


@pytest.mark.parametrize(("grid", "steps"), [(4, range(17)), (8, range(0, 65, 4))])
def test_every_grid_is_hidden_in_sixteen_steps(grid, steps):
    assert hidden_counts(grid).tolist() == list(steps)
    assert set(ORDERS) == {"most", "least", "random"}


@pytest.mark.parametrize(
    "bad", [{"grids": ()}, {"grids": (3,)}, {"fills": ()}, {"fills": ("pink",)}, {"chances": 0}], ids=str
)
def test_impossible_protocols_are_refused(bad):
    with pytest.raises(ParameterError):
        Protocol(**bad)


def test_an_unknown_ranking_is_refused():
    with pytest.raises(ParameterError, match="size, sign"):
        region_relevance(np.ones((8, 8)), 4, "love")


def test_more_regions_than_pixels_are_refused(image):
    with pytest.raises(ParameterError, match="coarser grid"):
        follow(SimpleNamespace(), image, image, Protocol().chance_places(40, 0))
