"""Gestational age against rows of published tables of the formula."""

import pytest

from core.biometry.growth import gestational_age, trimester, weeks_and_days, why_no_age
from core.errors import MeasurementError


@pytest.mark.parametrize(("mm", "weeks"), [(68, 12.7263), (151, 18.1469), (224, 24.4278), (301, 33.3953)])
def test_the_formula_gives_the_tabulated_weeks(mm, weeks):
    assert gestational_age(mm).weeks == pytest.approx(weeks, abs=6e-4)


@pytest.mark.parametrize(("mm", "spread"), [(68, 1.19), (150, 1.48), (240, 2.06), (300, 2.98), (345, 2.70)])
def test_the_spread_follows_the_age(mm, spread):
    age = gestational_age(mm)
    assert age.spread == spread
    assert (age.low + age.high) / 2 == pytest.approx(age.weeks)


@pytest.mark.parametrize(("mm", "word"), [(44, "small"), (400, "large")])
def test_outside_its_range_there_is_a_sentence_and_no_age(mm, word):
    assert gestational_age(mm) is None
    assert word in why_no_age(mm)
    assert why_no_age(200) is None


@pytest.mark.parametrize(
    ("weeks", "text"), [(22 + 3 / 7, "22 weeks 3 days"), (22.99, "23 weeks 0 days"), (20.15, "20 weeks 1 day")]
)
def test_days_are_rounded_into_weeks(weeks, text):
    assert weeks_and_days(weeks) == text


def test_trimesters_change_at_14_and_28_weeks():
    assert [trimester(mm) for mm in (44, 86, 90, 255, 262)] == ["first", "first", "second", "second", "third"]


@pytest.mark.parametrize("mm", [0, -3, float("nan")])
def test_no_head_has_such_a_circumference(mm):
    with pytest.raises(MeasurementError):
        gestational_age(mm)
