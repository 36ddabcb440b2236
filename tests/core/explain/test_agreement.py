"""Agreement of two maps against scipy, hand-made cases and what must hold for any maps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import rankdata, spearmanr

from core.errors import ParameterError
from core.explain.agreement import rank_correlation, rank_correlations, top_overlap, top_overlaps

SIDE = 6
maps = arrays(np.float32, (SIDE, SIDE), elements=st.integers(-9, 9).map(float))
"""Few different values: ties are the rule."""
shares = st.floats(0.01, 1)


def is_constant(values):
    return values.min() == values.max()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("ties", [False, True])
def test_rank_correlation_is_scipys(seed, ties):
    generator = np.random.default_rng(seed)
    first = generator.standard_normal((40, 30)).astype(np.float32)
    second = (first * 0.4 + generator.standard_normal((40, 30))).astype(np.float32)
    if ties:
        first, second = np.maximum(first, 0), second.round(1)
    assert rank_correlation(first, second) == pytest.approx(spearmanr(first.ravel(), second.ravel())[0], abs=1e-12)


@given(maps, maps)
def test_rank_correlation_with_many_ties_is_pearsons_of_mean_ranks(first, second):
    if is_constant(first) or is_constant(second):
        assert rank_correlation(first, second) is None
    else:
        expected = np.corrcoef(rankdata(first.ravel()), rankdata(second.ravel()))[0, 1]
        assert rank_correlation(first, second) == pytest.approx(expected, abs=1e-9)


def test_overlap_of_hand_made_maps():
    first = np.arange(100, dtype=float).reshape(10, 10)
    # The ten highest of ``first`` are its last row; half of them are high in ``second`` too.
    second = np.zeros((10, 10))
    second[9, :5] = second[0, :5] = np.arange(1, 6)
    assert top_overlap(first, second) == pytest.approx(0.5)
    assert top_overlap(first, first) == 1
    assert top_overlap(first, -first) == 0
    assert top_overlap(first, -first, share=0.6) == pytest.approx(20 / 60)
    assert top_overlap(first, -first, share=1) == 1


def test_pixels_tied_at_the_edge_share_it_alike():
    """One pixel stands out and 99 are tied for the other nine places."""
    first = np.zeros((10, 10))
    first[3, 3] = 1
    second = np.zeros((10, 10))
    second[7, 7] = 1
    # In common: the 98 pixels tied in both (9/99 each), and 9/99 of either peak.
    assert top_overlap(first, second) == pytest.approx((98 * 9 / 99 + 2 * 9 / 99) / 10)
    assert top_overlap(first, first) == pytest.approx(1)


@given(maps, maps, shares)
def test_both_are_symmetric_and_within_their_range(first, second, share):
    correlation, overlap = rank_correlation(first, second), top_overlap(first, second, share)
    assert (correlation is None) == (overlap is None) == (is_constant(first) or is_constant(second))
    if correlation is not None:
        assert -1 <= correlation <= 1
        assert 0 <= overlap <= 1 + 1e-12
        assert correlation == pytest.approx(rank_correlation(second, first), abs=1e-12)
        assert overlap == pytest.approx(top_overlap(second, first, share), abs=1e-12)


@given(maps, maps, shares)
def test_only_the_order_of_values_matters(first, second, share):
    """e^x, cubes and shifts keep the order; x to -x turns the correlation around."""
    for rising in (np.exp, lambda x: x**3, lambda x: 5 * x - 2):
        changed = rising(first.astype(np.float64))
        assert rank_correlation(changed, second) == pytest.approx(rank_correlation(first, second))
        assert top_overlap(changed, second, share) == pytest.approx(top_overlap(first, second, share))
    if (correlation := rank_correlation(first, second)) is not None:
        assert rank_correlation(-first, second) == pytest.approx(-correlation)


@given(maps, maps, shares, st.permutations(range(SIDE * SIDE)))
def test_where_the_pixels_lie_does_not_matter(first, second, share, order):
    moved = [values.ravel()[order].reshape(SIDE, SIDE) for values in (first, second)]
    assert top_overlap(*moved, share) == pytest.approx(top_overlap(first, second, share))
    assert rank_correlation(*moved) == pytest.approx(rank_correlation(first, second))


@given(maps, shares)
def test_a_map_agrees_with_itself(values, share):
    if not is_constant(values):
        assert rank_correlation(values, values) == pytest.approx(1)
        assert top_overlap(values, values, share) == pytest.approx(1)


@settings(max_examples=20)
@given(maps, maps, shares, st.integers(1, SIDE - 1))
def test_a_region_is_the_map_cut_out(first, second, share, rows):
    region = np.zeros((SIDE, SIDE), bool)
    region[:rows] = True
    assert rank_correlation(first, second, region) == rank_correlation(first[:rows], second[:rows])
    assert top_overlap(first, second, share, region) == top_overlap(first[:rows], second[:rows], share)


@settings(max_examples=20)
@given(arrays(np.float32, (4, SIDE, SIDE), elements=st.integers(-9, 9).map(float)), shares, st.integers(1, SIDE))
def test_every_two_of_several_maps_agree_as_they_do_alone(several, share, rows):
    region = np.zeros((SIDE, SIDE), bool)
    region[:rows] = True
    for all_pairs, one_pair in (
        (rank_correlations(several, region), lambda a, b: rank_correlation(a, b, region)),
        (top_overlaps(several, share, region), lambda a, b: top_overlap(a, b, share, region)),
    ):
        expected = np.array([[one_pair(first, second) for second in several] for first in several], dtype=float)
        assert all_pairs == pytest.approx(expected, abs=1e-9, nan_ok=True)


def test_unrelated_maps_agree_as_chance_does():
    generator = np.random.default_rng(0)
    first, second = generator.random((2, 224, 224))
    assert abs(rank_correlation(first, second)) < 0.02
    assert top_overlap(first, second) == pytest.approx(0.1, abs=0.01)


def test_a_constant_map_has_no_answer():
    flat, ramp = np.zeros((4, 4)), np.arange(16.0).reshape(4, 4)
    for pair in ((flat, ramp), (ramp, flat), (flat, flat)):
        assert rank_correlation(*pair) is None
        assert top_overlap(*pair) is None


@pytest.mark.parametrize("measure", [rank_correlation, top_overlap])
def test_unusable_maps_are_refused(measure):
    ramp = np.arange(16.0).reshape(4, 4)
    broken = ramp.copy()
    broken[0, 0] = np.nan
    for first, second in ((ramp, ramp[:3]), (ramp.ravel(), ramp.ravel()), (np.empty((0, 4)), np.empty((0, 4)))):
        with pytest.raises(ParameterError, match="one shape"):
            measure(first, second)
    with pytest.raises(ParameterError, match="finite"):
        measure(ramp, broken)
    for region in (np.zeros((4, 4), bool), np.ones((3, 4), bool), np.ones((4, 4))):
        with pytest.raises(ParameterError, match="region"):
            measure(ramp, ramp, region=region)


@pytest.mark.parametrize("share", [0, -0.1, 1.1, float("nan")])
def test_a_share_outside_its_range_is_refused(share):
    with pytest.raises(ParameterError, match="share"):
        top_overlap(np.eye(4), np.eye(4), share)
