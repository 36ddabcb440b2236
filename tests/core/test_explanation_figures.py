"""Figures of a study of faithfulness show its numbers, where they belong."""

import numpy as np
import pandas as pd
import pytest

from core.explain.faithfulness import GROUPS
from core.explanation_figures import (
    agreement_figure,
    hiding_figure,
    one_image_figure,
    score_figure,
    scoreboard_figure,
)

TITLES = {"cam": "CAM", "saliency": "Saliency"}
SHARES = [0.0, 0.5, 1.0]


@pytest.fixture
def curves():
    rows = [
        {"method": method, "curve": curve, "share": share, "value": value, "low": value - 0.1, "high": value + 0.05,
         "n": 7}
        for method, start in (("cam", 0.9), ("saliency", 0.8), ("random_regions", 0.7))
        for curve in ("deletion", "insertion")
        for share, value in zip(SHARES, (start, 0.4, 0.2), strict=True)
    ]  # fmt: skip
    return pd.DataFrame(rows)


@pytest.mark.parametrize(("curve", "word"), [("deletion", "hidden"), ("insertion", "shown")])
def test_each_method_has_its_curve_and_band_and_chance_is_gray(curves, curve, word):
    figure = hiding_figure(curves, curve, TITLES | {"random_regions": "Random regions"})
    named = {trace.name: trace for trace in figure.data if trace.name}
    assert set(named) == {"CAM (n = 7)", "Saliency (n = 7)", "Random regions (n = 7)"}
    assert np.allclose(named["CAM (n = 7)"].y, [0.9, 0.4, 0.2])
    assert np.allclose(named["Saliency (n = 7)"].x, SHARES)
    bands = [trace for trace in figure.data if trace.fill == "tonexty"]
    assert np.allclose(bands[1].y, [0.7, 0.3, 0.1])
    colours = {name: trace.line.color for name, trace in named.items()}
    assert len(set(colours.values())) == 3
    assert colours["Random regions (n = 7)"] == "#888888"
    assert word in figure.layout.xaxis.title.text


def test_fourteen_methods_can_be_told_apart():
    names = {f"method {number}": f"Method {number}" for number in range(14)}
    rows = [
        {"method": name, "curve": "morf", "share": share, "value": 0.5, "low": 0.4, "high": 0.6, "n": 3}
        for name in names
        for share in SHARES
    ]
    figure = hiding_figure(pd.DataFrame(rows), "morf", names)
    lines = [trace for trace in figure.data if trace.name]
    assert len({(trace.line.color, trace.line.dash) for trace in lines}) == len(lines) == 14


def test_each_question_of_a_scoreboard_has_a_dot_a_method():
    rows = [
        {"method": method, "measure": measure, "value": value, "low": value / 2, "high": value * 2, "n": 5}
        for method, value in (("saliency", 0.2), ("cam", 0.4), ("random_regions", 0.1))
        for measure in GROUPS.values()
        if (method, measure) != ("cam", "stability")
    ]
    figures = {group: scoreboard_figure(pd.DataFrame(rows), TITLES, group) for group in GROUPS}
    for group, figure in figures.items():
        (trace,) = figure.data
        assert list(trace.y) == ["CAM", "Saliency"]
        assert trace.x[1] == 0.2
        assert trace.error_x.array[1] == pytest.approx(0.2)
        assert trace.error_x.arrayminus[1] == pytest.approx(0.1)
        assert figure.layout.xaxis.title.text.startswith(group)
    assert figures["faithful"].data[0].x[0] == 0.4
    assert np.isnan(figures["stable"].data[0].x[0])
    assert figures["fast"].layout.xaxis.type == "log"
    assert figures["fast"].layout.xaxis.autorange == "reversed"
    assert figures["faithful"].layout.xaxis.autorange is None
    (line,) = figures["faithful"].layout.shapes
    assert line.x0 == 0
    assert not figures["sharp"].layout.shapes


def test_an_agreement_matrix_prints_its_numbers_and_leaves_unknown_ones_empty():
    matrix = pd.DataFrame([[1, 0.25], [0.25, 1]], list(TITLES), list(TITLES))
    (squares,) = agreement_figure(matrix, TITLES, "Rank correlation").data
    assert squares.text[0][1] == "0.25"
    assert list(squares.x) == list(squares.y) == ["CAM", "Saliency"]
    assert squares.zmin == 0
    matrix.loc["cam", "saliency"] = matrix.loc["saliency", "cam"] = -0.5
    assert agreement_figure(matrix, TITLES, "Rank correlation").data[0].zmin == -0.5
    matrix.loc["cam", "saliency"] = np.nan
    assert agreement_figure(matrix, TITLES, "Rank correlation").data[0].text[0][1] == ""


def test_one_image_has_a_line_a_method_and_no_count():
    figure = one_image_figure(np.array(SHARES), {"CAM": np.array([0.9, 0.4, 0.1])}, "deletion")
    (line,) = [trace for trace in figure.data if trace.name == "CAM"]
    assert list(line.x) == SHARES
    assert list(line.y) == [0.9, 0.4, 0.1]


def test_scores_are_drawn_step_by_step():
    (line,) = score_figure(np.array([1.0, 3.0, 4.0]), "BPD").data
    assert list(line.x) == [0, 1, 2]
    assert list(line.y) == [1, 3, 4]
