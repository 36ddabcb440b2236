"""Figures show the numbers they were given, where they belong."""

import numpy as np
import pytest

from core.evaluation import accuracy_kept, reliability, wilson
from core.figures import (
    abstain_curve,
    confusion_figure,
    histogram_figure,
    image_sweep_figure,
    probability_bars,
    reliability_diagram,
    share_text,
    spread_bars,
)
from core.sweep import ImageSweep

PLANES = ["BPD", "CRL", "NT"]


def vertical_lines(figure) -> dict[str, float]:
    """Marks across the figure by what is written at them."""
    return {note.text: shape.x0 for note, shape in zip(figure.layout.annotations, figure.layout.shapes, strict=True)}


def test_bars_hold_the_probabilities_before_and_after():
    figure = probability_bars(PLANES, [0.7, 0.2, 0.1], [0.1, 0.3, 0.6])
    assert {bar.name: list(bar.x) for bar in figure.data} == {"clean": [0.7, 0.2, 0.1], "corrupted": [0.1, 0.3, 0.6]}
    assert all(list(bar.y) == PLANES for bar in figure.data)


@pytest.mark.parametrize("flip", [None, 0.3])
@pytest.mark.parametrize("current", [None, 0.1])
def test_a_sweep_marks_the_flip_and_the_current_intensity(flip, current):
    intensities = np.linspace(0, 1, 5)
    probabilities = np.random.default_rng(0).dirichlet([1, 1, 1], 5)
    sweep = ImageSweep("noise", intensities, probabilities, np.linspace(1, 0.2, 5), flip, "BPD", "CRL")
    figure = image_sweep_figure(sweep, PLANES, "Deviation", current)
    series = {trace.name: trace for trace in figure.data}
    for index, plane in enumerate(PLANES):
        assert np.allclose(series[plane].y, probabilities[:, index])
        assert np.allclose(series[plane].x, intensities)
    assert np.allclose(series["SSIM (sector)"].y, sweep.ssim)
    marks = {"flips": flip, "now": current}
    assert vertical_lines(figure) == {text: x for text, x in marks.items() if x is not None}


@pytest.mark.parametrize("shares", [True, False])
def test_each_square_of_a_matrix_knows_its_cell(shares):
    matrix = np.array([[8, 2, 0], [1, 9, 0], [0, 0, 0]])
    (squares,) = confusion_figure(matrix, PLANES, shares=shares, selected=("CRL", "BPD")).data
    for true, predicted, text, x, y, width in zip(
        *zip(*squares.customdata, strict=True),
        squares.text,
        squares.x,
        squares.y,
        squares.marker.line.width,
        strict=True,
    ):
        count = matrix[PLANES.index(true), PLANES.index(predicted)]
        row = max(matrix[PLANES.index(true)].sum(), 1)
        assert (x, y) == (predicted, true)
        assert text == (f"{100 * count / row:.1f} %" if shares else str(count))
        assert (width > 0) == ((true, predicted) == ("CRL", "BPD"))
    assert len(squares.x) == 9


def test_a_matrix_of_many_classes_shows_those_that_occur():
    names = [f"kind {number}" for number in range(19)]
    matrix = np.zeros((19, 19), int)
    matrix[3, [3, 7]] = 40, 2
    figure = confusion_figure(matrix, names)
    assert set(figure.data[0].x) == set(figure.data[0].y) == {"kind 3", "kind 7"}
    everything = confusion_figure(np.eye(19), names)
    assert everything.data[0].marker.size > 30
    assert everything.layout.height > figure.layout.height


def test_a_histogram_tells_counts_on_hover():
    counts = np.arange(256)
    (trace,) = histogram_figure(counts).data
    assert np.array_equal(trace.customdata, counts)
    assert np.allclose(np.square(trace.y), counts)


def test_a_share_without_images_is_no_number():
    assert share_text(wilson(0, 0)) == "no image"
    assert share_text(wilson(9, 10)).startswith("90.0 % (")


@pytest.fixture
def answers() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(1)
    return generator.dirichlet([1, 1, 1], 200), generator.integers(0, 3, 200)


def test_a_reliability_diagram_shows_the_bins_that_hold_images(answers):
    bins = reliability(*answers, bins=10)
    filled = [one for one in bins if one.n]
    assert len(filled) < len(bins)
    figure = reliability_diagram(bins)
    diagonal, points, counts = figure.data
    assert list(diagonal.x) == list(diagonal.y) == [0, 1]
    assert list(points.x) == [one.confidence for one in filled]
    assert list(points.y) == [one.accuracy.value for one in filled]
    assert np.allclose(np.add(points.y, points.error_y.array), [one.accuracy.high for one in filled])
    assert np.allclose(np.subtract(points.y, points.error_y.arrayminus), [one.accuracy.low for one in filled])
    assert list(counts.y) == [one.n for one in filled]
    assert sum(counts.y) == 200


def test_a_reliability_diagram_of_nothing_is_the_diagonal():
    _, points, counts = reliability_diagram(reliability(np.zeros((0, 3)), np.zeros(0, int))).data
    assert len(points.x) == len(counts.x) == 0


def test_an_abstain_curve_holds_accuracies_inside_their_band_and_the_current_share(answers):
    curve = accuracy_kept(*answers)
    figure = abstain_curve(curve, 0.8)
    upper, lower, line = (np.asarray(trace.y, float) for trace in figure.data)
    assert np.allclose(line, [share.value for share in curve.accuracy])
    assert np.all(lower <= line)
    assert np.all(line <= upper)
    assert np.allclose(figure.data[-1].x, curve.share)
    assert vertical_lines(figure) == {"now": 0.8}


def test_bars_of_methods_stand_in_their_order_with_spreads_inside_0_and_1():
    answers = {
        "Single pass": (np.array([0.9, 0.08, 0.02]), np.zeros(3)),
        "Ensemble": (np.array([0.8, 0.15, 0.05]), np.array([0.3, 0.1, 0.1])),
    }
    figure = spread_bars(PLANES, answers)
    bars = {bar.name: bar for bar in figure.data}
    for title, (mean, spread) in answers.items():
        assert np.allclose(bars[title].x, mean)
        assert np.allclose(bars[title].customdata, spread)
    ensemble = bars["Ensemble"]
    assert np.allclose(ensemble.error_x.array, [0.2, 0.1, 0.1])
    assert np.allclose(ensemble.error_x.arrayminus, [0.3, 0.1, 0.05])
