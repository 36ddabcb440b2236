"""Prediction intervals: oracles by hand, and coverage of exchangeable data."""

import numpy as np
import pandas as pd
import pytest

from core.biometry.interval import around, relative_bound
from core.errors import ParameterError


def test_of_nine_examinations_the_largest_error_bounds_the_tenth():
    errors = np.array([3, 1, 9, 2, 5, 4, 8, 7, 6]) / 100
    assert relative_bound(errors, np.arange(9)) == 0.09
    assert relative_bound(errors[:8], np.arange(8)) == float("inf")


def test_of_nineteen_it_is_the_eighteenth():
    assert relative_bound(np.arange(1, 20) / 100, np.arange(19)) == 0.18


def test_frames_of_an_examination_share_its_weight():
    # Nine examinations with one frame each, the tenth with many bad ones: it is one witness among ten.
    errors = np.concatenate([np.arange(1, 10) / 100, np.full(50, 0.5)])
    examinations = np.concatenate([np.arange(9), np.full(50, 9)])
    assert relative_bound(errors, examinations, 9 / 11) == 0.09
    assert relative_bound(errors, examinations, 9 / 11 + 0.001) == 0.5


def test_a_new_examination_is_covered_at_least_as_often_as_promised():
    generator = np.random.default_rng(0)
    hits = []
    for _ in range(3000):
        spreads = generator.gamma(2, size=21)
        counts = generator.integers(1, 5, size=21)
        examinations = np.repeat(np.arange(21), counts)
        errors = np.abs(generator.normal(size=len(examinations))) * spreads[examinations]
        past = examinations < 20
        bound = relative_bound(errors[past], examinations[past])
        hits.append(errors[~past][0] <= bound)
    # 3 standard errors of 3000 draws are 1.6 %; the bound is also not wildly wide.
    assert 0.9 - 0.016 <= np.mean(hits) <= 0.97


def test_scaling_the_errors_scales_the_bound():
    errors = np.random.default_rng(1).exponential(size=40)
    groups = np.arange(40) // 2
    assert relative_bound(3 * errors, groups) == pytest.approx(3 * relative_bound(errors, groups))


def test_ends_around_a_value():
    assert around(200.0, 0.05) == pytest.approx((190.0, 210.0))
    assert around(200.0, 1.5) == pytest.approx((0.0, 500.0))
    assert around(200.0, None) == (None, None)


@pytest.mark.parametrize(
    ("errors", "examinations", "level"),
    [([0.1], [1], 1.0), ([0.1, 0.2], [1], 0.9), ([-0.1], [1], 0.9), ([np.nan], [1], 0.9)],
)
def test_what_cannot_be_bounded_is_a_sentence(errors, examinations, level):
    with pytest.raises(ParameterError):
        relative_bound(np.array(errors), np.array(examinations), level)


def test_a_card_keeps_the_interval_of_measured_frames(trained_heads):
    from core.biometry.interval import calibrated
    from core.zoo import read_card

    card = read_card("length", trained_heads)
    rows = pd.DataFrame(
        {"patient": np.arange(10).astype(str), "true_mm": 100.0, "predicted_mm": [*np.arange(101, 110), np.nan]}
    )
    interval = calibrated(card, rows).measurement["interval"]
    assert interval["relative"] == pytest.approx(9 / 109)
    assert (interval["n"], interval["n_examinations"]) == (9, 9)
    assert calibrated(card, rows[:5]).measurement["interval"]["relative"] is None
