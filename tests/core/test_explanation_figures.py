"""Figures of a study of faithfulness show its numbers, where they belong."""

import numpy as np
import pandas as pd
import pytest

from core.explain.faithfulness import GROUPS
from core.explanation_figures import (
    agreement_figure,
    dots_figure,
    error_figure,
    halves_figure,
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


def test_errors_have_a_line_and_a_band_an_order():
    rows = [
        {"order": order, "step": step, "value": start + step, "low": start + step - 1, "high": start + step + 2,
         "pixels": 10.0 * step, "n": 9}
        for order, start in (("most", 5.0), ("least", 2.0), ("random", 3.0))
        for step in range(17)
    ]  # fmt: skip
    figure = error_figure(pd.DataFrame(rows), "CAM")
    named = {trace.name: trace for trace in figure.data if trace.name}
    assert list(named) == ["most relevant first (n = 9)", "least relevant first (n = 9)", "random order (n = 9)"]
    assert list(named["most relevant first (n = 9)"].y) == [5.0 + step for step in range(17)]
    bands = [trace for trace in figure.data if trace.fill == "tonexty"]
    assert [band.y[0] for band in bands] == [4, 1, 2]
    assert len({trace.line.color for trace in named.values()}) == 3
    assert "mm" in figure.layout.yaxis.title.text


def test_dots_stand_beside_chance():
    rows = pd.DataFrame({"method": ["saliency", "cam"], "value": [2.0, 0.5], "low": [1.5, 0.2], "high": [2.2, 1.2]})
    figure = dots_figure(rows.assign(n=4), TITLES, "Enrichment", 1.0)
    (dots,) = figure.data
    assert list(dots.y) == ["CAM", "Saliency"]
    assert list(dots.x) == [0.5, 2.0]
    assert dots.error_x.array == pytest.approx([0.7, 0.2])
    assert [shape.x0 for shape in figure.layout.shapes] == [1.0]


def test_low_and_high_errors_stand_side_by_side():
    rows = pd.DataFrame([{"method": "cam", "low_value": 1.0, "high_value": 3.0, "low_n": 5, "high_n": 6}])
    for half in ("low", "high"):
        rows[f"{half}_low"], rows[f"{half}_high"] = rows[f"{half}_value"] - 0.5, rows[f"{half}_value"] + 0.25
    low, high = halves_figure(rows, {"cam": "CAM"}, "Gap").data
    assert (low.name, high.name) == ("low error", "high error")
    assert (low.x[0], high.x[0]) == (1, 3)
    assert low.y[0] < 0 < high.y[0]
    assert high.error_x.arrayminus[0] == pytest.approx(0.5)
    assert high.customdata[0][2] == 6
    assert "%{text}, Gap, high error" in high.hovertemplate
