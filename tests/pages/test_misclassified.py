"""The matrix of images on the confusion page: what is shown is what the file of the evaluation says."""

from __future__ import annotations

import re

import pytest

from core.explain.localisation import OUTSIDE
from core.misclassifications import cells_of, errors_of
from core.phantom import LABELS
from core.zoo.assessment import assessments_of, read_evaluation
from pages.components.misclassified import MOST_OF_A_CELL, MOST_THUMBNAILS

PLANES = ["BPD", "CRL", "NT"]
ON = {"images": "True"}


@pytest.fixture(scope="module")
def assessment(loaded_model):
    return assessments_of(read_evaluation(loaded_model.card.name, classes=PLANES), PLANES)[0]


@pytest.fixture(scope="module")
def cells(assessment):
    return cells_of(errors_of(assessment))


def pictures(app) -> int:
    return len(app.get("image"))


def shown_thumbnails(cells) -> int:
    each = min(MOST_OF_A_CELL, MOST_THUMBNAILS // len(cells))
    return sum(min(len(rows), each) for rows in cells.values())


def test_off_until_asked_for_and_then_shows_each_cell(open_page, texts, cells, assessment):
    right = {"true": "BPD", "predicted": "CRL"}
    before = open_page("confusion_matrix", **right)
    assert not before.exception
    without = pictures(before)
    app = before
    app.toggle(key="images").set_value(True).run()
    assert not app.exception
    # The thumbnails of every cell, and the first image of the fullest cell enlarged.
    assert pictures(app) == without + shown_thumbnails(cells) + 1
    assert pictures(app) - without <= MOST_THUMBNAILS + 1
    for index in range(len(PLANES)):
        assert f"{assessment.matrix[index, index]} of {assessment.matrix[index].sum()} are right" in texts(app)
    (true, predicted), rows = next(iter(cells.items()))
    assert f"{len(rows)} of {(assessment.labelled['label'] == true).sum()} simulated images of {true}" in texts(app)
    assert f"Relevance for {predicted} (Class activation mapping" in texts(app)
    # Phantoms know their anatomy: the text names a structure of the plane, the table shares out the highest tenth.
    named = re.search(r"the largest part lies in the structure \*([\w ]+)\*", texts(app))[1]
    shares = next(frame.value for frame in app.dataframe if "times its area" in frame.value)
    assert named in LABELS
    assert shares["of the highest 10 % (%)"].astype(float).sum() == pytest.approx(100, abs=0.1)
    assert set(shares["structure"]) <= {*LABELS, OUTSIDE}


def test_enlarge_step_and_compare(open_page, texts, cells):
    (name, rows), (other, _) = list(cells.items())[:2]
    app = open_page("confusion_matrix", **ON, cell=">".join(other))
    app.button(key=f"enlarge_{name[0]}_{name[1]}_2").click().run()
    assert not app.exception
    assert app.selectbox(key="cell").value == ">".join(name)
    assert f"2 of {len(rows)}" in texts(app)
    assert rows["image"][1] in texts(app).replace("\\", "")
    app.button(key="cell_Previous").click().run()
    assert f"1 of {len(rows)}" in texts(app)
    assert app.button(key="cell_Previous").disabled
    one_cell = pictures(app)
    app.selectbox(key="other_cell").set_value(">".join(other)).run()
    assert not app.exception
    assert pictures(app) == one_cell + 1
    assert app.query_params["other_cell"] in (">".join(other), [">".join(other)])


def test_sorted_and_filtered(open_page, texts, cells, assessment):
    name, rows = next(iter(cells.items()))
    least = rows.sort_values("confidence")["image"].iloc[0]
    app = open_page("confusion_matrix", **ON, error_order="least", cell=">".join(name))
    assert not app.exception
    assert f"1 of {len(rows)}" in texts(app)
    assert least in texts(app).replace("\\", "").split("**taken for**")[-1]
    patient = rows["patient"].iloc[0]
    app.selectbox(key="error_patient").set_value(patient).run()
    assert not app.exception
    assert app.selectbox(key="cell").options == [f"{name[0]} taken for {name[1]} (1)"]
    # The text stays true of the whole cell.
    assert f"{len(rows)} of {(assessment.labelled['label'] == name[0]).sum()} simulated" in texts(app)


def test_another_quick_method(open_page, texts):
    app = open_page("confusion_matrix", **ON, error_method="grad_cam")
    assert not app.exception
    assert "(Grad-CAM)" in texts(app)


def test_a_forged_link_falls_back(open_page):
    app = open_page(
        "confusion_matrix", **ON, cell="X>Y", other_cell="<b>", error_method="tea", error_order="-", cell_place="9999"
    )
    assert not app.exception
    assert not app.error


def test_images_that_are_not_part_of_planelab_are_not_offered(open_page, texts, loaded_model):
    rows = read_evaluation(loaded_model.card.name)
    heads = next(data for data, group in rows.groupby("data") if set(group["label"]) == {"BPD"})
    app = open_page("confusion_matrix", data=heads, **ON)
    assert not app.exception
    assert "None of the misclassified images is part of PlaneLab" in texts(app)
    assert not [one for one in app.toggle if one.key == "images"]
