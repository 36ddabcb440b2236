"""The three claims in short: counts, sentences and what is said where nothing can be told, of figures set by hand."""

from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest

from core.explain.head_answers import NO_ANSWER, short_answers
from core.explain.head_study import (
    BEYOND_EDGES,
    CASE_QUALITIES,
    EDGES,
    FOLLOWS,
    HEADLINE,
    HIGH,
    LOW,
    NUMBERS,
    SIGNS,
    HeadStudy,
)
from core.explain.head_tables import board_table, error_table
from core.explain.regression_perturbation import Protocol

METHODS = ("saliency", "cam", "occlusion")
GRAY = Protocol(grids=(4,), fills=("noise", "black"))


def figure(value: float, n: int = 50) -> dict[str, float]:
    """A value with an interval of 0.1 to either side."""
    return dict(zip(NUMBERS, (value, value - 0.1, value + 0.1, n), strict=True))


@pytest.fixture
def study() -> HeadStudy:
    """Saliency follows the contour, and more than the edges do; CAM avoids it; occlusion explained too few heads."""
    enrichment = {"saliency": figure(2.5), "cam": figure(0.5), "occlusion": figure(3.0, n=4), EDGES: figure(1.9)}
    contour = [{"method": name, "measure": FOLLOWS} | one for name, one in enrichment.items()]
    beyond = {"saliency": figure(0.6), "cam": figure(-1.4), "occlusion": figure(1.1, n=4)}
    contour += [{"method": name, "measure": BEYOND_EDGES} | one for name, one in beyond.items()]
    gaps = {"saliency": 4.0, "cam": -1.0, "occlusion": 2.0, EDGES: 3.0}
    scores = [
        {"method": name, "grid": 4, "fill": fill, "ranking": "size", "measure": HEADLINE} | figure(sign * gap)
        for name, gap in gaps.items()
        for fill, sign in (("noise", 1), ("black", -1))
    ]
    scores.append({"method": "cam", "grid": 4, "fill": "noise", "ranking": "sign", "measure": SIGNS} | figure(7.0))
    halves = [
        {"method": name, "measure": measure, "difference": -1.0, "p": 0.2, "p_holm": 0.6}
        | dict(zip(LOW, (6.0, 5.0, 7.0, 8), strict=True))
        | dict(zip(HIGH, (5.0, 4.0, 6.0, 12), strict=True))
        for name in (*METHODS, EDGES)
        for measure in CASE_QUALITIES
    ]
    cases = [
        {"method": name, "image": f"{number}.png", "patient": str(number)}
        | dict.fromkeys(CASE_QUALITIES, float(number))
        for name in (*METHODS, EDGES)
        for number in range(20)
    ]
    curves = [
        {"method": "cam", "grid": 4, "fill": fill, "ranking": "size", "order": "most", "step": 3, "pixels": 9.0}
        | figure(value)
        for fill, value in (("noise", 1.25), ("black", 2.5))
    ]
    about = {
        "model": "one", "backbone": "cnn", "methods": list(METHODS), "signed": ["cam"], "protocol": asdict(GRAY),
        "seconds": {"saliency": 0.25},
    }  # fmt: skip
    frames = (pd.DataFrame(rows) for rows in (scores, curves, contour, halves, cases))
    return HeadStudy(pd.DataFrame(), *frames, about)


def test_the_contour_is_answered_by_the_methods_whose_whole_interval_is_above_chance(study):
    answer, _, _ = short_answers(study, [study])
    assert answer.figure == "1 of 3 methods"
    assert "and 1 more than the image's edges alone do" in answer.sentence
    assert "the most is Saliency's, 2.5 (2.4 to 2.6), n = 50, times chance" in answer.sentence
    assert "3 mm" in answer.caveat


def test_no_method_beyond_the_edges_is_said_and_empty_maps_are_not_counted(study):
    contour = study.contour.copy()
    contour.loc[contour["measure"] == BEYOND_EDGES, NUMBERS[:3]] = -1.0
    contour.loc[contour["method"] == "cam", "n"] = 0
    answer, _, _ = short_answers(replace(study, contour=contour), [])
    assert answer.figure == "1 of 2 methods"
    assert "and none more than the image's edges" in answer.sentence
    nothing = replace(study, contour=contour.assign(n=0))
    assert short_answers(nothing, [])[0].figure == NO_ANSWER


def test_the_backbone_takes_two_models_on_the_same_images(study):
    _, alone, _ = short_answers(study, [study])
    assert (alone.figure, alone.sentence) == (NO_ANSWER, "It takes studies of two models on the same images.")
    cases = study.cases.copy()
    cases.loc[cases["method"] == "cam", HEADLINE] += 2.0
    cases.loc[cases["method"] == "saliency", HEADLINE] -= 0.5
    # The edges know no network: they are no method that a backbone could make better.
    cases.loc[cases["method"] == EDGES, HEADLINE] += 9.0
    other = replace(study, cases=cases, about=study.about | {"model": "other"})
    _, answer, _ = short_answers(study, [study, other])
    assert answer.figure == "2 of 3 methods"
    assert (
        "the largest difference is Class activation mapping's, one less other: -2 (-2 to -2), n = 20" in answer.sentence
    )


def test_the_error_is_answered_after_holms_correction_by_the_clearest_measure(study):
    _, _, answer = short_answers(study, [])
    assert answer.figure == "0 of 3 methods"
    halves = study.halves.copy()
    for method, p_holm in (("saliency", 0.2), ("cam", 0.01), (EDGES, 0.001)):
        halves.loc[(halves["method"] == method) & (halves["measure"] == FOLLOWS), ["p", "p_holm"]] = [0.001, p_holm]
    _, _, answer = short_answers(replace(study, halves=halves), [])
    assert answer.figure == "1 of 3 methods"
    assert (
        "Class activation mapping's in the enrichment in view, 6 with low and 5 with high error (n = 8 and 12), "
        "p = 0.01." in answer.sentence
    )
    untold = replace(study, halves=study.halves.assign(p=np.nan, p_holm=np.nan))
    assert short_answers(untold, [])[2].figure == NO_ANSWER


def test_the_board_is_that_of_its_grid_and_fill(study):
    board = board_table(study, (4, "noise")).set_index("method")
    assert list(board.index) == ["Saliency", "Edges of the image", "Occlusion", "Class activation mapping"]
    assert board.loc["Saliency", "order"] == "better than chance"
    assert board.loc["Saliency", "seconds a map"] == "0.25"
    assert board.loc["Class activation mapping", "Gap of the signs (mm)"] == "7 (6.9 to 7.1), n = 50"
    assert board.loc["Saliency", "Gap of the signs (mm)"] == ""
    assert board.loc["Saliency", "more than the edges"].startswith("0.6 (0.5 to 0.7)")
    black = board_table(study, (4, "black")).set_index("method")
    assert black.loc["Saliency", "order"] == "worse than chance"
    assert black.loc["Saliency", "Gap to random order (mm)"].startswith("-4 ")


def test_the_curves_as_a_table_are_those_of_a_grid_and_fill_in_words(study):
    (row,) = error_table(study, (4, "black")).to_dict("records")
    expected = {"method": "Class activation mapping", "order": "most relevant first", "step": 3, "value": 2.5}
    assert row.items() >= expected.items()
