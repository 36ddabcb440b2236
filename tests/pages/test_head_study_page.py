"""Faithfulness of a model that measures heads: its perturbation study, its choices, and none at all."""

import shutil
from dataclasses import replace

import pytest

from core.datasets import load
from core.explain.head_answers import short_answers
from core.explain.head_run import HeadStudySettings, run_head_study
from core.explain.head_study import FILES, read_study
from core.explain.regression_perturbation import Protocol
from core.zoo import Card

NAMES = ["000_HC.png", "005_HC.png", "010_HC.png", "015_HC.png"]


@pytest.fixture(scope="module")
def made(regressor, write_heads, tmp_path_factory):
    """A study of four drawn heads by a tiny network, really run."""
    folder = tmp_path_factory.mktemp("heads")
    write_heads(folder, NAMES)
    settings = HeadStudySettings(
        ("saliency", "input_x_gradient"), protocol=Protocol(grids=(4,), fills=("noise", "black"), chances=1)
    )
    return run_head_study(regressor, load(folder), settings, folder / "out", name="drawn heads")


@pytest.fixture
def studies(made, regressor_folder, tmp_path, use_models):
    """Two models of heads alike, each with the study."""
    models = tmp_path / "models"
    for name in ("tiny_heads", "tiny_twin"):
        shutil.copytree(regressor_folder, models / name)
        replace(Card.read(models / name), name=name, title=name).write(models / name)
        replace(made, about=made.about | {"model": name}).write(models / name / FILES.name / "drawn")
    use_models(models)
    return models


def test_a_study_answers_the_three_claims_with_figures(open_page, texts, studies):
    app = open_page("faithfulness", model="tiny_heads")
    assert not app.exception
    assert not app.error
    said = texts(app)
    for sentence in read_study(studies / "tiny_heads" / FILES.name / "drawn").conclusions():
        assert sentence in said
    assert "Claim 2, map quality depends on the backbone, by enrichment in view: tiny_heads" in said
    stored = [read_study(studies / name / FILES.name / "drawn") for name in ("tiny_heads", "tiny_twin")]
    answers = short_answers(stored[0], stored)
    assert [(metric.label, metric.value) for metric in app.metric] == [(one.question, one.figure) for one in answers]
    assert [metric.help for metric in app.metric] == [one.caveat for one in answers]
    assert all(one.sentence in said for one in answers)
    assert len(app.get("plotly_chart")) == 5
    board = next(frame.value for frame in app.dataframe if "seconds a map" in frame.value)
    assert set(board["method"]) == {"Saliency", "Input × gradient", "Edges of the image"}


def test_every_number_is_there_to_take_away(open_page, studies):
    app = open_page("faithfulness", model="tiny_heads", hidden_as="4-black")
    shown = [set(frame.value.columns) for frame in app.dataframe]
    for column in (
        "seconds a map",
        "ranked by",
        "4 by 4, noise",
        "Share of the image there",
        "step",
        "p (Holm)",
        "models",
    ):
        assert sum(column in columns for columns in shown) == 1, column
    labels = [button.label for button in app.get("download_button")]
    assert labels.count("CSV") == len(shown)
    assert "Settings and conclusions (JSON)" in labels
    curves = next(frame.value for frame in app.dataframe if "step" in frame.value)
    stored = read_study(studies / "tiny_heads" / FILES.name / "drawn").curves
    assert len(curves) == (stored["fill"] == "black").sum()


def test_choices_are_in_the_link(open_page, studies):
    app = open_page(
        "faithfulness", model="tiny_heads", hidden_as="4-black", explained_by="input_x_gradient", ranked="sign",
        quality="enrichment_in_view",
    )  # fmt: skip
    assert not app.exception
    assert app.segmented_control(key="hidden_as").value == "4-black"
    assert app.selectbox(key="explained_by").value == "input_x_gradient"
    assert app.segmented_control(key="ranked").value == "sign"
    app.selectbox(key="explained_by").set_value("saliency").run()
    assert not app.exception
    assert app.segmented_control(key="ranked").options == ["by the size of relevance"]


def test_without_a_study_it_says_how_to_make_one(open_page, studies):
    shutil.rmtree(studies / "tiny_heads" / FILES.name)
    app = open_page("faithfulness", model="tiny_heads")
    assert not app.exception
    assert "python -m core perturbation --model tiny_heads" in app.info[0].value


def test_a_model_that_draws_has_its_reason(open_page, studies):
    shutil.rmtree(studies / "tiny_heads" / FILES.name)
    card = Card.read(studies / "tiny_heads")
    replace(card, measurement={"output": "ellipse"}).write(studies / "tiny_heads")
    app = open_page("faithfulness", model="tiny_heads")
    assert not app.exception
    assert "draws an outline" in app.info[0].value


def test_a_damaged_study_is_a_sentence_beside_the_other(open_page, studies):
    (studies / "tiny_twin" / FILES.name / "drawn" / "cases.csv").unlink()
    app = open_page("faithfulness", model="tiny_heads")
    assert not app.exception
    assert "lacks cases.csv" in app.error[0].value
    assert len(app.get("plotly_chart")) == 4
