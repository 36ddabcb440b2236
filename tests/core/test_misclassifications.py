"""Errors cell by cell: which are shown, and texts whose every figure is looked up."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from core.errors import ParameterError
from core.explain.localisation import OUTSIDE, Place, Structures
from core.misclassifications import ImageFacts, cells_of, describe, errors_of, filters_of, measure, structure_table
from core.preprocessing import Cleaned
from core.zoo.assessment import Assessment

PLANES = ["BPD", "CRL", "NT"]


@pytest.fixture
def assessment() -> Assessment:
    """Nine labelled images: five errors in three cells; one image without a label."""
    rows = pd.DataFrame(
        [
            ("a", "BPD", "BPD", 0.9, 0.1, 0.0, "GE"),
            ("b", "BPD", "CRL", 0.2, 0.7, 0.1, "GE"),
            ("c", "BPD", "CRL", 0.0, 0.9, 0.1, "Siemens"),
            ("d", "BPD", "NT", 0.3, 0.1, 0.6, "GE"),
            ("e", "CRL", "CRL", 0.0, 1.0, 0.0, "GE"),
            ("f", "CRL", "BPD", 0.8, 0.1, 0.1, "GE"),
            ("g", "BPD", "CRL", 0.1, 0.8, 0.1, "GE"),
            ("h", "BPD", "BPD", 0.7, 0.2, 0.1, "GE"),
            ("i", "NT", "NT", 0.1, 0.2, 0.7, "GE"),
            ("j", "", "NT", 0.1, 0.2, 0.7, "Philips"),
        ],
        columns=["image", "label", "predicted", "p_BPD", "p_CRL", "p_NT", "source"],
    )
    return Assessment(rows.assign(patient=rows["image"], quality=""), PLANES, "made up", True, ())


def test_errors_are_sorted_by_the_wrong_answers_confidence(assessment):
    assert errors_of(assessment)["image"].tolist() == ["c", "f", "g", "b", "d"]
    assert errors_of(assessment)["confidence"].tolist() == [0.9, 0.8, 0.8, 0.7, 0.6]
    assert errors_of(assessment, "least")["image"].tolist() == ["d", "b", "f", "g", "c"]
    with pytest.raises(ParameterError, match="order 'best'"):
        errors_of(assessment, "best")


def test_errors_are_chosen_by_what_the_file_has(assessment):
    everything = errors_of(assessment)
    assert filters_of(everything) == {"patient": ["b", "c", "d", "f", "g"], "source": ["GE", "Siemens"]}
    assert errors_of(assessment, chosen={"source": "Siemens"})["image"].tolist() == ["c"]
    assert errors_of(assessment, chosen={"source": "Siemens", "patient": "b"}).empty
    with pytest.raises(ParameterError, match="'label'"):
        errors_of(assessment, chosen={"label": "BPD"})


def test_cells_hold_every_error_once_the_fullest_first(assessment):
    cells = cells_of(errors_of(assessment))
    assert list(cells) == [("BPD", "CRL"), ("BPD", "NT"), ("CRL", "BPD")]
    assert cells["BPD", "CRL"]["image"].tolist() == ["c", "g", "b"]
    counts = assessment.matrix
    for (true, predicted), rows in cells.items():
        assert len(rows) == counts[PLANES.index(true), PLANES.index(predicted)]
    assert cells_of(errors_of(assessment).iloc[:0]) == {}


def test_facts_of_an_image_drawn_for_it():
    """A sector of half the frame, half of it white; relevance in the middle quarter alone, four times the mean."""
    gray = np.zeros((80, 80), np.uint8)
    sector = np.zeros((80, 80), bool)
    sector[:, :40] = True
    gray[:40, :40] = 255
    gray[:, 40:] = 99  # outside the sector: does not count
    values = np.zeros((40, 40), np.float32)
    values[10:30, 10:30] = 2.5
    image = np.zeros((40, 40), np.uint8)
    image[10:30, 10:18] = 200  # a tenth of the pixels, all within the relevance
    facts = measure(Cleaned(gray, sector, None, ()), image, values)
    assert facts.sector == 0.5
    assert facts.contrast == pytest.approx(0.5)
    assert facts.density == {"centre": pytest.approx(4.0), "border": 0.0, "bright": pytest.approx(4.0)}
    even = measure(Cleaned(gray, sector, None, ()), image, np.ones((40, 40)))
    assert even.density == dict.fromkeys(["centre", "border", "bright"], pytest.approx(1.0))
    against = measure(Cleaned(gray, sector, None, ()), image, -values)
    assert against.density == dict.fromkeys(["centre", "border", "bright"])


def test_the_text_of_a_cell_says_what_was_measured(assessment):
    facts = [
        ImageFacts(0.5, 0.2, {"centre": 1.5, "border": 0.25, "bright": None}),
        ImageFacts(0.7, 0.1, {"centre": 2.5, "border": 0.75, "bright": None}),
    ]
    text = " ".join(describe(assessment, ("BPD", "CRL"), facts, "CAM"))
    assert "3 of 6 simulated images of BPD are taken for CRL, with a mean confidence of 80.0 % (n = 3" in text
    assert "those called BPD have a mean confidence of 80.0 % (n = 2" in text
    assert "Of the 2 images measured" in text
    assert "60 (50 to 70) % of the frame" in text
    assert "15 (10 to 20) % of the range" in text
    assert "Relevance for CRL (CAM)" in text
    assert "2.00 (1.50 to 2.50) in the centre" in text
    assert "0.50 (0.25 to 0.75) at the border" in text
    assert "brightest" not in text


def drawn_anatomy() -> Structures:
    """A skull on the left tenth of a square, fluid on the rest of its upper half, nothing known below."""
    labels = np.zeros((40, 40), np.uint8)
    labels[:20] = 2
    labels[:, :4] = 1
    return Structures(labels, {"skull": 1, "fluid": 2, "heart": 3})


def test_the_highest_tenth_is_shared_out_among_the_structures_in_view():
    """160 of 1,600 pixels: 120 in the skull's 160, 40 in the fluid's 720."""
    values = np.zeros((40, 40), np.float32)
    values[:30, :4] = 3
    values[:10, 20:24] = 2
    gray = np.full((40, 40), 100, np.uint8)
    cleaned = Cleaned(gray, np.ones((40, 40), bool), None, ())
    facts = measure(cleaned, gray, values, drawn_anatomy())
    table = structure_table(facts)
    assert table["structure"].tolist() == ["skull", "fluid", OUTSIDE]
    assert table["of the highest 10 % (%)"].tolist() == pytest.approx([75, 25, 0])
    assert table["of the image (%)"].tolist() == pytest.approx([10, 45, 45])
    assert table["times its area"].tolist() == pytest.approx([7.5, 25 / 45, 0])
    assert measure(cleaned, gray, values).structures is None
    assert measure(cleaned, gray, -values, drawn_anatomy()).structures == ()
    assert structure_table(measure(cleaned, gray, values)).empty


def test_the_text_names_the_structure_that_leads_against_its_area(assessment):
    density = {"centre": 1.0, "border": 1.0, "bright": 1.0}

    def fact(*places):
        return ImageFacts(0.5, 0.2, density, tuple(Place(name, share, area, 0, 0) for name, share, area in places))

    facts = [
        fact(("skull", 0.7, 0.1), ("fluid", 0.3, 0.45)),
        fact(("skull", 0.3, 0.2), ("fluid", 0.2, 0.55)),
        # In view once only: whatever it holds, it says nothing of the cell.
        fact(("skull", 0.2, 0.3), ("heart", 0.8, 0.1)),
    ]
    said = describe(assessment, ("BPD", "CRL"), facts, "CAM")[-1]
    assert "in the structure *skull*: 40 (20 to 70) %, on 20 (10 to 30) % of the image, 2.0 times its area" in said
    assert "in view in 3 of the 3" in said
    outside = fact((OUTSIDE, 0.6, 0.3), ("skull", 0.4, 0.1))
    assert f"lies {OUTSIDE}: 60 %" in describe(assessment, ("BPD", "CRL"), [outside], "CAM")[-1]


def test_where_the_anatomy_is_not_known_the_text_says_so(assessment):
    unknown = ImageFacts(0.5, 0.2, {"centre": 1.0, "border": 1.0, "bright": 1.0})
    said = describe(assessment, ("BPD", "CRL"), [unknown], "CAM")[-1]
    assert said == "Nobody has marked the anatomy of these images, so no structure can be named."


def test_the_text_of_a_cell_without_maps_says_so(assessment):
    cell = ("CRL", "BPD")
    assert len(describe(assessment, cell, [], "CAM")) == 1
    nothing = ImageFacts(1.0, 0.0, dict.fromkeys(["centre", "border", "bright"]))
    assert describe(assessment, cell, [nothing], "CAM")[-1] == "No map of CAM says anything in favour of BPD."
    assert "Of the 1 image measured" in describe(assessment, cell, [nothing], "CAM")[1]
