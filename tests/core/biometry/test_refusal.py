"""What an outline tells of itself, and which findings of the detector refuse a frame."""

import numpy as np
import pytest

from core.biometry.ellipse import Ellipse
from core.biometry.refusal import (
    Evidence,
    bounds_of,
    doubt_of_anatomy,
    doubt_of_corruption,
    doubts_about,
    evidence_of,
)
from core.zoo.detection import Finding, Verdict

HEAD = Ellipse(32, 30, 20, 16, 0.2)
WINDOW = np.array([[-0.5, 63.5], [-0.5, 63.5]])


def verdict(*findings):
    return Verdict(" + ".join(one.kind for one in findings), findings, 0.0, "")


def test_a_mask_that_is_the_ellipse_agrees_wholly():
    mask = HEAD.coverage((32, 32), 2.0)
    found = evidence_of(mask, HEAD, 64, WINDOW)
    assert found.agreement == pytest.approx(1)
    assert found.axis_ratio == pytest.approx(0.8)
    assert found.inside == 1
    assert 0.9 < found.certainty < 1


def test_half_a_mask_agrees_by_half_and_a_gray_one_is_unsure():
    mask = HEAD.coverage((32, 32), 2.0)
    half = mask.copy()
    half[:, 16:] = 0
    assert evidence_of(half, HEAD, 64, WINDOW).agreement == pytest.approx(0.5, abs=0.05)
    assert evidence_of(np.full((32, 32), 0.5), HEAD, 64, WINDOW).certainty == 0


def test_the_share_inside_is_that_of_the_outline():
    circle = Ellipse(63.5, 30, 12, 12, 0)
    assert evidence_of(circle.coverage((32, 32), 2.0), circle, 64, WINDOW).inside == pytest.approx(0.5, abs=0.01)


def test_bounds_cost_one_head_in_a_hundred():
    generator = np.random.default_rng(0)
    heads = [Evidence(*row) for row in generator.uniform(0.9, 1, (1000, 4))]
    ratios = generator.normal(0.79, 0.04, 1000)
    bounds = bounds_of(heads, ratios)
    unsure = [one for one in heads if one.certainty < bounds["certainty"]]
    assert len(unsure) == 10
    low, high = bounds["axis_ratio"]
    assert low < ratios.min()
    assert ratios.mean() < high <= 1
    good = Evidence(1.0, 1.0, 0.79, 1.0)
    assert doubts_about(good, bounds) == []
    assert len(doubts_about(Evidence(0.1, 0.1, 0.3, 0.1), bounds)) == 4
    assert doubts_about(Evidence(0.1, 0.1, 0.3, 0.1), {}) == []


def test_slight_blur_is_borne_and_any_other_finding_is_not():
    assert doubt_of_corruption(None) == doubt_of_corruption(verdict()) == []
    assert doubt_of_corruption(verdict(Finding("blur", 0.9, 2.4))) == []
    (worse,) = doubt_of_corruption(verdict(Finding("blur", 0.9, 3.1)))
    assert "Blur, severity 3.1" in worse
    (noisy,) = doubt_of_corruption(verdict(Finding("noise", 0.9, 0.6), Finding("blur", 0.9, 0.5)))
    assert "oise" in noisy
    assert "Blur" not in noisy
    assert doubt_of_corruption(verdict(Finding("blur", 0.9, None)))


def test_only_a_sure_answer_of_another_anatomy_refuses():
    assert doubt_of_anatomy("brain", 0.99) == doubt_of_anatomy("femur", 0.7) == []
    assert "femur (97%)" in doubt_of_anatomy("femur", 0.97)[0]
