"""Figures and tables of a drift study show its numbers, where they belong."""

import numpy as np
import pandas as pd
import pytest

from core.explain.drift_study import ALL_KINDS, OUTCOMES
from core.figures import drift_figure, order_figure
from core.results import order_table, to_csv, to_text

LEVELS = np.array([0.0, 0.1, 0.4])
SSIM = np.array([1.0, 0.7, 0.3])


@pytest.fixture
def curves():
    rows = [
        {"kind": "noise", "method": method, "intensity": level, "ssim": ssim, "n": 9, "mean": mean,
         "low": mean - 0.1, "high": mean + 0.05, "baseline": baseline}
        for method, means, baseline in (("cam", (1, 0.9, 0.6), 0.7), ("saliency", (1, 0.5, 0.2), 0.3))
        for level, ssim, mean in zip(LEVELS, SSIM, means, strict=True)
    ]  # fmt: skip
    return pd.DataFrame(rows)


@pytest.fixture
def flips():
    shares = {"n": 9, "flipped": [0, 0.2, 0.6], "low": [0, 0.1, 0.4], "high": [0.1, 0.3, 0.8]}
    return pd.DataFrame({"kind": "noise", "intensity": LEVELS, "ssim": SSIM} | shares)


@pytest.mark.parametrize(("x", "places"), [("intensity", LEVELS), ("ssim", SSIM)])
def test_each_method_has_its_line_band_and_baseline_and_flips_lie_below(curves, flips, x, places):
    titles = {"cam": "CAM", "saliency": "Saliency"}
    figure = drift_figure(curves, flips, "Rank correlation", titles, "the axis", x=x)
    named = {trace.name: trace for trace in figure.data if trace.name}
    assert set(named) == {"CAM (n = 9)", "Saliency (n = 9)", "predictions flipped"}
    assert np.allclose(named["CAM (n = 9)"].y, [1, 0.9, 0.6])
    assert np.allclose(named["CAM (n = 9)"].x, places)
    assert np.allclose(named["predictions flipped"].y, [0, 0.2, 0.6])
    assert named["predictions flipped"].yaxis == "y2"
    dotted = [trace for trace in figure.data if trace.line.dash == "dot"]
    assert [trace.y[0] for trace in dotted] == [0.7, 0.3]
    assert [trace.line.color for trace in dotted] == [named[f"{title} (n = 9)"].line.color for title in titles.values()]
    bands = [trace for trace in figure.data if trace.fill == "tonexty"]
    assert np.allclose(bands[1].y, [0.9, 0.4, 0.1])
    assert bands[2].yaxis == "y2"
    assert figure.layout.xaxis2.title.text == "the axis"
    assert (figure.layout.xaxis.autorange == "reversed") == (x == "ssim")


@pytest.fixture
def order():
    rows = [
        {"kind": "noise", "method": "cam", "n": 10, "unanswered": 2, "explanation": 5, "together": 1, "prediction": 2,
         "neither": 2, "either": 8, "share": 0.625, "low": 0.3, "high": 0.8, "ssim_broken": 0.5, "ssim_flipped": 0.4},
        {"kind": ALL_KINDS, "method": "saliency", "n": 4, "unanswered": 0, "explanation": 0, "together": 0,
         "prediction": 0, "neither": 4, "either": 0, "share": np.nan, "low": np.nan, "high": np.nan,
         "ssim_broken": np.nan, "ssim_flipped": np.nan},
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_bars_of_what_comes_first_fill_the_whole(order):
    figure = order_figure(order, ["CAM", "Saliency"], OUTCOMES)
    assert [bar.name for bar in figure.data] == list(OUTCOMES.values())
    assert np.allclose(sum(np.array(bar.x, float) for bar in figure.data), 1)
    assert np.allclose(figure.data[0].x, [0.5, 0])
    assert [tuple(one) for one in figure.data[2].customdata] == [(2, 10), (0, 4)]


def test_the_table_says_what_nothing_happened_to(order):
    table = order_table(order)
    text = to_text(table)
    assert text["distortion"].tolist() == ["Noise", "all together"]
    shown = text["explanation first, of those in which either happens"].tolist()
    assert shown == ["62.5 % (30.0 to 80.0)", "no image"]
    assert text["without a baseline"].tolist() == ["2", "0"]
    assert "0.625,0.3,0.8,8" in to_csv(table)
