"""The stored studies of faithfulness: answer, figures and files; choices in the link; damaged ones and none at all."""

import shutil

import pytest

from core.datasets import load
from core.explain.faithfulness import FaithfulnessSettings, Scoring, read_study, run_study
from core.explain.faithfulness.study import ABOUT_NAME
from core.explain.faithfulness.tables import scoreboard_table
from core.zoo.registry import load_model

METHODS = ("cam", "saliency")
MODEL = "tiny_planes"


@pytest.fixture(scope="module")
def models(tmp_path_factory, write_tiny_model):
    """A tiny model of the planes: a study by one that ships takes ten times as long and looks the same."""
    folder = tmp_path_factory.mktemp("models")
    write_tiny_model(folder / MODEL, "plane", ["BPD", "CRL", "NT"], "plane")
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory, models):
    """A study of three phantoms, really run."""
    folder = tmp_path_factory.mktemp("study")
    settings = FaithfulnessSettings(METHODS, scoring=Scoring(steps=2, grid=2, regions=2, subsets=3, copies=1))
    table = load("phantom:BPD,CRL,NT:1:unseen")
    return run_study(load_model(MODEL, models), table, settings, folder)


@pytest.fixture
def studies(made, models, tmp_path, use_models):
    """The model with one study of its own."""
    model = tmp_path / "models" / MODEL
    shutil.copytree(models / MODEL, model)
    made.write(model / "faithfulness" / "phantoms")
    use_models(tmp_path / "models")
    return model / "faithfulness"


def test_a_study_shows_its_scoreboard_curves_anatomy_and_agreement(open_page, texts, studies):
    app = open_page("faithfulness")
    assert not app.exception
    assert not app.error
    study = read_study(studies / "phantoms")
    headings = [heading.value for heading in app.header]
    assert headings[0].startswith("Which tells the truth?")
    assert "simulated" in headings[0]
    assert "What a phantom-trained network looks at" in headings
    for sentence in study.conclusions():
        assert sentence in texts(app)
    board = next(frame.value for frame in app.dataframe if "order" in frame.value)
    assert list(board["method"]) == list(scoreboard_table(study)["method"])
    assert len(app.get("plotly_chart")) == 4 + 2


def test_choices_are_in_the_link(open_page, studies):
    app = open_page("faithfulness", order="insertion", agreement="top_overlap")
    assert app.segmented_control(key="order").value == "insertion"
    assert app.segmented_control(key="agreement").value == "top_overlap"
    assert not app.exception


def test_a_damaged_study_is_a_sentence(open_page, studies):
    (studies / "phantoms" / ABOUT_NAME).write_text("{}")
    app = open_page("faithfulness")
    assert not app.exception
    assert "make it again" in app.error[0].value
    assert "no study of faithfulness yet" in app.info[0].value


def test_without_a_study_it_says_how_to_make_one(open_page, studies):
    for path in (studies / "phantoms").iterdir():
        path.unlink()
    app = open_page("faithfulness")
    assert not app.exception
    assert "python -m core faithfulness" in app.info[0].value
