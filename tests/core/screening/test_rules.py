"""Verdicts as a pure function of rows and limits."""

import numpy as np
import pandas as pd
import pytest

from core.errors import ParameterError
from core.screening.rules import RULES, Limits, Thresholds, judged

DEFAULTS = Thresholds({})


def verdicts(rows, thresholds=DEFAULTS):
    return judged(rows, thresholds)["verdict"].tolist()


def test_blameless_frames_are_kept_without_a_reason(make_rows):
    found = judged(make_rows(3), DEFAULTS)
    assert found["verdict"].tolist() == ["keep"] * 3
    assert found["reason"].tolist() == [""] * 3
    assert found["copy_of"].tolist() == [""] * 3


@pytest.mark.parametrize("rule", [rule for rule in RULES.values() if rule.name != "near"], ids=lambda rule: rule.name)
def test_each_rule_reviews_and_discards_beyond_its_limits(make_rows, rule):
    thresholds = DEFAULTS.changed(rule.name, review=0.5 if rule.low else 1.0, discard=0.2 if rule.low else 2.0)
    off = {other: Limits(None, None) for other in RULES if other != rule.name}
    thresholds = Thresholds({**off, rule.name: thresholds[rule.name]})
    values = [0.5, 0.4, 0.2, 0.1] if rule.low else [1.0, 1.5, 2.0, 2.5]
    found = judged(make_rows(4, **{rule.column: values}), thresholds)
    assert found["verdict"].tolist() == ["keep", "review", "review", "discard"]
    assert found["rules"].tolist() == ["", rule.name, rule.name, rule.name]
    assert found["reason"].str.len().gt(0).tolist() == [False, True, True, True]
    assert (
        verdicts(make_rows(4, **{rule.column: values}), Thresholds({**off, rule.name: Limits(None, None)}))
        == ["keep"] * 4
    )


def test_a_broken_file_is_discarded_with_its_sentence_and_is_nobodys_original(make_rows):
    rows = make_rows(2, error=["Cut.png is cut short: copy it again.", ""], sha256="same")
    rows.loc[0, ["mean", "original", "information", "sector_share", "confidence", "typicality"]] = np.nan
    found = judged(rows, DEFAULTS)
    assert found["verdict"].tolist() == ["discard", "keep"]
    assert found["reason"][0] == "Cut.png is cut short: copy it again."
    assert found["rules"].tolist() == ["unreadable", ""]


def test_all_reasons_are_told_those_that_discard_first(make_rows):
    found = judged(make_rows(1, mean=15.0, original=0.01, found="Blur, severity 3.0"), DEFAULTS)
    assert found["rules"][0] == "corruption, dark"
    assert found["verdict"][0] == "discard"
    assert found["reason"][0] == (
        "corrupted (Blur, severity 3.0; probability of being an original 0.01); dark (mean gray level 15 of 255)."
    )


def test_of_equal_pixels_the_first_by_path_is_kept(make_rows):
    found = judged(make_rows(4, sha256=["a", "b", "a", "a"]), DEFAULTS)
    assert found["verdict"].tolist() == ["keep", "keep", "discard", "discard"]
    assert found["copy_of"].tolist() == ["", "", "00000.png", "00000.png"]
    assert found["reason"][2] == "same pixels as 00000.png."


def test_a_clean_frame_is_not_dropped_in_favour_of_a_worse_copy(make_rows):
    rows = make_rows(3)
    rows["hash"] = rows["hash"][0]
    rows["original"] = [0.3, 0.9, 0.01]
    found = judged(rows, DEFAULTS)
    assert found["verdict"].tolist() == ["discard", "keep", "discard"]
    assert found["copy_of"].tolist() == ["00001.png", "", ""]
    assert found["rules"].tolist() == ["near, corruption", "", "corruption"]
    assert pd.isna(found["distance"][2])


def test_verdicts_do_not_hang_on_the_order_of_rows(make_rows):
    generator = np.random.default_rng(1)
    rows = make_rows(60, mean=generator.uniform(5, 60, 60), sha256=[f"{n % 40}" for n in range(60)])
    rows["hash"] = rows["hash"][:20].tolist() * 3
    expected = judged(rows, DEFAULTS).set_index("path")
    shuffled = rows.sample(frac=1, random_state=2).sort_values("path")
    pd.testing.assert_frame_equal(judged(shuffled, DEFAULTS).set_index("path"), expected)
    assert expected["verdict"].nunique() == 3


def test_nothing_is_judged_of_nothing(make_rows):
    assert verdicts(make_rows(0)) == []


@pytest.mark.parametrize(
    ("name", "limits", "sentence"),
    [
        ("tea", Limits(1.0, 0.5), "no rule 'tea'"),
        ("dark", Limits(10.0, 20.0), "does not even ask"),
        ("bright", Limits(200.0, 100.0), "does not even ask"),
        ("dark", Limits(300.0, 1.0), "out of range"),
        ("corruption", Limits(float("nan"), None), "out of range"),
    ],
)
def test_limits_that_make_no_sense_are_refused(name, limits, sentence):
    with pytest.raises(ParameterError, match=sentence):
        Thresholds({name: limits})
