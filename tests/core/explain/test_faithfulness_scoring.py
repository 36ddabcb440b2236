"""Scores of maps: a model whose true map is known, plain loops, and others' formulas."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import pearsonr
from sklearn.metrics import auc

from core.errors import ParameterError
from core.evaluation import bootstrap_by_patient
from core.explain.faithfulness import CURVES, MEASURES, Scoring, at_share, refer, score_map, stability
from core.explain.faithfulness.scoring import area, correlation, gini, lit, ranks, region_map
from core.explain.perturbation import FILLS, filling

SIZE = 24
FINE = Scoring(steps=SIZE * SIZE, grid=4, regions=1, subsets=40)
"""One pixel a step, so that the order alone decides."""
COARSE = Scoring(grid=4, regions=2, subsets=40)


class Linear:
    """A model whose first class has the probability ``sum(weights * image)``: the truth is ``weights * image``."""

    def __init__(self, weights):
        self.weights = weights

    def scores(self, images):
        first = np.tensordot(np.asarray(images, np.float64), self.weights, axes=2)
        return np.stack([first, 1 - first], axis=1)


def blocks(values):
    """Values of 4 x 4 regions as an image."""
    return np.kron(np.reshape(values, (4, 4)), np.ones((SIZE // 4, SIZE // 4)))


@pytest.fixture(scope="module")
def image():
    return (0.2 + 0.8 * np.random.default_rng(3).random((SIZE, SIZE))).astype(np.float32)


@pytest.fixture(scope="module")
def model():
    weights = blocks(np.random.default_rng(5).permutation(16) + 1.0)
    return Linear(weights / weights.sum())


def scored(model, image, values, scoring=COARSE, number=0):
    return score_map(model, refer(model, image, number, 0, scoring), np.asarray(values, np.float32), scoring)


def test_the_true_map_of_a_linear_model_scores_best_of_all_orders_and_its_reverse_worst(model, image):
    truth = model.weights * image
    generator = np.random.default_rng(0)
    best, worst = scored(model, image, truth, FINE).measures, scored(model, image, -truth, FINE).measures
    others = [scored(model, image, generator.random((SIZE, SIZE)), FINE).measures for _ in range(8)]
    for name in ("deletion", "insertion", "aopc_morf", "aopc_lerf", "aopc_gap", "mu_fidelity"):
        sign = 1 if MEASURES[name].higher else -1
        for other in others:
            assert sign * best[name] > sign * other[name] > sign * worst[name]
    assert best["mu_fidelity"] == pytest.approx(1, abs=1e-5)
    assert worst["mu_fidelity"] == pytest.approx(-1, abs=1e-5)
    assert worst["aopc_gap"] == pytest.approx(-best["aopc_gap"], abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(16)))
def test_no_order_of_the_regions_beats_the_true_one(order):
    weights = blocks(np.arange(1.0, 17) / (17 * 8 * 36))
    model, image = Linear(weights), np.ones((SIZE, SIZE), np.float32)
    best, other = scored(model, image, weights).measures, scored(model, image, blocks(order)).measures
    assert other["aopc_gap"] <= best["aopc_gap"] + 1e-9
    assert other["deletion"] >= best["deletion"] - 1e-9


def test_mu_fidelity_of_the_sum_of_all_pixels_explained_by_the_image_is_1(image):
    total = Linear(np.ones((SIZE, SIZE)) / SIZE**2)
    assert scored(total, image, image).measures["mu_fidelity"] == pytest.approx(1, abs=1e-5)
    assert scored(total, image, 1 - image).measures["mu_fidelity"] < -0.9


def test_random_maps_score_as_chance_does(model, image):
    generator = np.random.default_rng(1)
    many = [scored(model, image, blocks(generator.random(16)), number=number).measures for number in range(80)]
    for name in ("aopc_gap", "mu_fidelity"):
        mean = bootstrap_by_patient(np.array([one[name] for one in many]), np.arange(80))
        assert mean.low < 0 < mean.high
    truth = scored(model, image, model.weights * image).measures
    assert bootstrap_by_patient(np.array([one["aopc_gap"] for one in many]), np.arange(80)).high < truth["aopc_gap"]


@pytest.mark.parametrize("fill", FILLS)
def test_curves_are_what_a_plain_loop_makes(model, image, fill):
    scoring = Scoring(fill=fill, steps=6, grid=4, regions=3, subsets=5)
    values = np.random.default_rng(8).random((SIZE, SIZE)).astype(np.float32)
    found = scored(model, image, values, scoring)
    hidden = filling(image, fill)
    order = np.argsort(-values.ravel())

    def probability(shown):
        return model.scores(np.where(shown, image, hidden)[None])[0, 0]

    for step in range(7):
        first = np.zeros(SIZE * SIZE, bool)
        first[order[: step * SIZE * SIZE // 6]] = True
        first = first.reshape(SIZE, SIZE)
        assert found.curves["deletion"][step] == pytest.approx(probability(~first), abs=1e-6)
        assert found.curves["insertion"][step] == pytest.approx(probability(first), abs=1e-6)
    means = values.reshape(4, 6, 4, 6).mean(axis=(1, 3)).ravel()
    lost = {"morf": [], "lerf": []}
    for curve, regions in (("morf", np.argsort(-means)), ("lerf", np.argsort(means))):
        for step in range(7):  # 16 regions, 3 a step: the last step hides one
            shown = np.ones(16)
            shown[regions[: 3 * step]] = 0
            now = probability(blocks(shown) > 0)
            assert found.curves[curve][step] == pytest.approx(now, abs=1e-6)
            lost[curve].append(probability(np.ones((SIZE, SIZE), bool)) - now)
    assert found.measures["aopc_morf"] == pytest.approx(np.mean(lost["morf"]), abs=1e-6)
    assert found.measures["aopc_gap"] == pytest.approx(np.mean(lost["morf"]) - np.mean(lost["lerf"]), abs=1e-6)
    for curve in CURVES:
        assert len(scoring.shares(curve)) == len(found.curves[curve])
        assert scoring.shares(curve)[[0, -1]].tolist() == [0, 1]
    shares = scoring.shares("deletion")
    assert found.measures["deletion"] == pytest.approx(auc(shares, found.curves["deletion"]))
    assert area(found.curves["insertion"]) == pytest.approx(auc(shares, found.curves["insertion"]))


def test_mu_fidelity_is_pearsons_correlation_over_the_random_sets(model, image):
    values = np.random.default_rng(2).normal(size=(SIZE, SIZE)).astype(np.float32)
    reference = refer(model, image, 0, 0, COARSE)
    assert (reference.subsets.sum(axis=1) == COARSE.subset_size).all()
    regions = region_map(SIZE, 4)
    held = [values[np.isin(regions, np.flatnonzero(subset))].sum() for subset in reference.subsets]
    lost = []
    for subset in reference.subsets:
        hidden = np.where(np.isin(regions, np.flatnonzero(subset)), 0, image)
        lost.append(reference.clean - model.scores(hidden[None])[0, 0])
    found = score_map(model, reference, values, COARSE).measures["mu_fidelity"]
    assert found == pytest.approx(pearsonr(held, lost)[0], abs=1e-6)
    assert correlation(np.ones(9), np.arange(9.0)) is np.nan


def test_drop_and_increase_by_hand(image):
    """The map shows the left half fully, half of the upper right and nothing of the rest."""
    half = SIZE // 2
    values = np.zeros((SIZE, SIZE), np.float32)
    values[:, :half], values[:half, half:], values[half:, half:] = 2, 1, -3
    right = np.zeros((SIZE, SIZE))
    right[:, half:] = 1 / (half * SIZE)
    found = scored(Linear(right), np.ones_like(image), values).measures
    assert found["average_drop"] == pytest.approx(0.75)
    assert found["average_increase"] == 0


def test_an_image_shown_as_its_map_lights_it_may_become_surer(image):
    class Dark:
        def scores(self, images):
            first = 1 - images[:, -1].mean(axis=1)
            return np.stack([first, 1 - first], axis=1)

    values = np.ones((SIZE, SIZE), np.float32)
    values[-1] = 0
    found = scored(Dark(), image, values).measures
    assert (found["average_drop"], found["average_increase"]) == (0, 1)


@settings(deadline=None)
@given(st.lists(st.floats(-100, 100), min_size=2, max_size=30).filter(lambda values: sum(map(abs, values)) > 1e-3))
def test_gini_is_half_the_relative_mean_difference(values):
    sizes = np.abs(np.array(values, np.float64))
    expected = np.abs(sizes[:, None] - sizes).mean() / (2 * sizes.mean())
    assert gini(np.array(values)[None]) == pytest.approx(expected, abs=1e-9)


def test_stability_of_the_same_map_is_1_and_of_the_opposite_minus_1(image):
    assert stability(image, np.stack([image, image])) == {"stability": pytest.approx(1), "sensitivity": 0}
    found = stability(image, np.stack([image, -image, 1.5 * image]))
    assert found["stability"] == pytest.approx(1 / 3)
    assert found["sensitivity"] == pytest.approx(2)
    nothing = stability(np.zeros_like(image), np.stack([image]))
    assert np.isnan([nothing["stability"], nothing["sensitivity"]]).all()


def test_a_map_that_says_nothing_has_the_order_of_chance_and_no_other_answer(model, image):
    found = scored(model, image, np.zeros((SIZE, SIZE)))
    assert np.isnan(found.measures["mu_fidelity"])
    assert np.isnan(found.measures["sparseness"])
    assert 0 < found.measures["deletion"] < 1
    assert found.measures["average_drop"] == pytest.approx(1)


def test_signed_maps_are_ordered_by_value_with_evidence_against_last(model, image):
    values = blocks(np.arange(16.0) - 8)
    places = ranks(values.ravel(), np.random.default_rng(0)).reshape(SIZE, SIZE)
    assert places[values == 7].max() < places[values == 0].min()
    assert places[values == 0].max() < places[values == -8].min()
    assert lit(values).min() == 0
    assert lit(values).max() == 1
    shifted = scored(model, image, values + 100).measures
    assert shifted["aopc_gap"] == pytest.approx(scored(model, image, values).measures["aopc_gap"])


def test_the_same_seed_gives_the_same_scores_and_another_breaks_ties_otherwise(model, image):
    flat = blocks([1.0] * 8 + [0.0] * 8)
    once, again = (scored(model, image, flat).measures for _ in range(2))
    assert once == again
    other = scored(model, image, flat, Scoring(grid=4, regions=2, subsets=40, seed=1)).measures
    assert other["deletion"] != once["deletion"]
    assert other["mu_fidelity"] != once["mu_fidelity"]


def test_as_many_passes_are_made_as_are_told(model, image):
    asked = []

    class Counting(Linear):
        def scores(self, images):
            asked.append(len(images))
            return super().scores(images)

    reference = refer(model, image, 0, 0, COARSE)
    score_map(Counting(model.weights), reference, image, COARSE)
    assert sum(asked) == COARSE.passes()
    assert max(asked) <= 8


@pytest.mark.parametrize(
    "bad",
    [
        {"fill": "pink"}, {"steps": 1}, {"grid": 1}, {"regions": 64}, {"regions": 0}, {"subsets": 2},
        {"subset_share": 0.0}, {"subset_share": 1.0}, {"noise": 0.0}, {"copies": 0},
    ],
)  # fmt: skip
def test_impossible_settings_are_refused(bad):
    with pytest.raises(ParameterError):
        Scoring(**bad)


def test_a_grid_finer_than_the_image_is_refused():
    with pytest.raises(ParameterError, match="coarser"):
        region_map(6, 7)


def test_regions_cover_the_image_as_equally_as_pixels_allow():
    counts = np.bincount(region_map(299, 8).ravel())
    assert len(counts) == 64
    assert counts.sum() == 299**2
    assert counts.max() / counts.min() < 1.06


@pytest.mark.parametrize("fill", ["black", "mean"])
def test_the_image_at_a_share_is_what_the_curve_asked_about(classifier, fill):
    """Asked again, the network says what the curve says, at every point of every curve."""
    generator = np.random.default_rng(8)
    image, values = generator.random((2, 48, 48)).astype(np.float32)
    scoring = Scoring(fill=fill, steps=4, grid=4, regions=4, subsets=4)
    scores = score_map(classifier, refer(classifier, image, 3, 1, scoring), values, scoring)
    for curve, expected in scores.curves.items():
        shown = [at_share(image, values, curve, share, scoring, number=3) for share in scoring.shares(curve)]
        assert np.allclose(classifier.scores(np.stack(shown))[:, 1], expected, atol=1e-5)
    with pytest.raises(ParameterError, match="share"):
        at_share(image, values, "deletion", 1.5, scoring)
