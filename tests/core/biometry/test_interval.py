"""Prediction intervals: oracles by hand, and coverage of exchangeable data."""

import numpy as np
import pandas as pd
import pytest

from core.biometry.interval import around, calibrated, exponent_of, relative_bound, relative_of
from core.errors import ParameterError
from core.zoo.cards import Card
from core.zoo.registry import MODELS_FOLDER

SHIPPED = MODELS_FOLDER / "mobilenet_v2_head"


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


def measured(shares, errors, prefix="examination"):
    """Rows of heads of 100 mm whose predictions are off by these relative errors."""
    patients = [f"{prefix} {number}" for number in range(len(shares))]
    predicted = 100 / (1 - np.asarray(errors))
    return pd.DataFrame({"patient": patients, "true_mm": 100.0, "predicted_mm": predicted, "share": shares})


@pytest.fixture
def card():
    return Card.read(SHIPPED)


def test_a_card_keeps_the_interval_of_measured_frames(card):
    rows = measured(np.ones(10), [*np.arange(1, 10) / 100, np.nan])
    interval = calibrated(card, rows).measurement["interval"]
    assert interval["relative"] == pytest.approx(0.09)
    assert (interval["exponent"], interval["n"], interval["n_examinations"]) == (0, 9, 9)
    assert calibrated(card, rows[:5]).measurement["interval"]["relative"] is None
    assert relative_of(calibrated(card, rows[:5]), 1.0) is None


def test_the_power_that_errors_go_with_size_by_is_found():
    generator = np.random.default_rng(0)
    shares = generator.uniform(0.7, 2, 4000)
    errors = np.abs(generator.normal(size=4000)) * 0.02 * shares**-1.5
    assert exponent_of(shares, errors) == pytest.approx(-1.5, abs=0.15)
    with pytest.raises(ParameterError, match="several sizes"):
        exponent_of(np.ones(5), np.full(5, 0.1))


def test_small_heads_are_covered_as_often_as_large_ones(card):
    generator = np.random.default_rng(1)

    def drawn(count, prefix):
        shares = generator.uniform(0.7, 2, count)
        return measured(shares, np.minimum(np.abs(generator.normal(size=count)) * 0.02 * shares**-1.5, 0.5), prefix)

    new = drawn(20_000, "new")
    validation = drawn(400, "validation")
    errors = (new["true_mm"] - new["predicted_mm"]).abs() / new["predicted_mm"]
    shares = {}
    for name, others in (("even", None), ("by size", drawn(600, "other"))):
        kept = calibrated(card, validation, others)
        inside = errors <= [relative_of(kept, share) for share in new["share"]]
        shares[name] = [inside[new["share"] < 0.9].mean(), inside[new["share"] > 1.6].mean()]
    assert np.abs(np.array(shares["by size"]) - 0.9).max() < 0.05
    # Without what is known of sizes the small ones pay for the large ones.
    assert shares["even"][0] < 0.8 < 0.95 < shares["even"][1]


def test_the_frames_of_the_bound_do_not_decide_what_it_is_divided_by(card):
    generator = np.random.default_rng(2)
    shares = generator.uniform(0.7, 2, 50)
    validation, others = measured(shares, 0.03 * shares**-1.0), measured(shares, 0.03 * shares**-1.0, "other")
    spoilt = pd.concat([others, measured(shares, 0.03 * shares**5.0)])
    assert calibrated(card, validation, spoilt).measurement == calibrated(card, validation, others).measurement


def test_beyond_the_largest_head_known_an_interval_grows_no_narrower(card):
    shares = np.linspace(0.7, 2, 50)
    kept = calibrated(card, measured(shares, 0.03 / shares), measured(shares, 0.03 / shares, "other"))
    assert relative_of(kept, 1.0) == pytest.approx(0.03, rel=0.01)
    assert relative_of(kept, 0.5) == pytest.approx(0.06, rel=0.01)
    assert relative_of(kept, 4.0) == relative_of(kept, 2.0)
    assert type(relative_of(kept, np.float32(1.0))) is float
