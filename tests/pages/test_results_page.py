"""Figures against scikit-learn, simulated and real apart, beside the seeds; sentences for missing or bad files."""

import io
import shutil

import pandas as pd
import pytest
from sklearn.metrics import confusion_matrix, precision_score

from core.published import published_models
from core.results import to_csv, to_text
from core.zoo.assessment import read_evaluation


@pytest.fixture
def copied(tmp_path, use_models):
    """A folder of one model, a copy of the one that ships but for its weights, to be spoilt; the app looks there."""
    from core.zoo.registry import MODELS_FOLDER

    folder = tmp_path / "models" / "mobilenet_v2_plane"
    folder.mkdir(parents=True)
    for name in ("card.json", "history.csv", "evaluation.csv.gz"):
        shutil.copy(MODELS_FOLDER / folder.name / name, folder)
    use_models(folder.parent)
    return folder


def table(app, column):
    """The first table with a column."""
    return next(frame.value for frame in app.dataframe if column in frame.value)


def captions(app):
    return [caption.value for caption in app.caption]


def test_simulated_and_real_images_stand_apart_with_their_figures(open_page, loaded_model, texts):
    app = open_page("results")
    assert not app.exception
    assert not app.error
    headers = [header.value for header in app.header]
    assert headers[-3:] == ["On simulated images", "On real images", "Beside the seed's figures"]
    rows = read_evaluation(loaded_model.card.name)
    labelled = rows[rows["label"] != ""]
    for data, group in labelled.groupby("data"):
        kind = "Simulated" if group["simulated"].iloc[0] else "Real"
        share = 100 * (group["label"] == group["predicted"]).mean()
        assert any(text.startswith(f"{kind} images, n = {len(group)}: {share:.1f} %") for text in captions(app)), data
    overview = [frame.value for frame in app.dataframe if "backbone" in frame.value]
    for frame, flag in zip(overview, (True, False), strict=True):
        sets = set(labelled.loc[labelled["simulated"] == flag, "data"])
        assert sets <= set(frame.columns)
        assert not set(labelled.loc[labelled["simulated"] != flag, "data"]) & set(frame.columns)

    # Classes of the first data set, as scikit-learn counts them.
    first = labelled[labelled["data"] == labelled["data"].iloc[0]]
    shown = table(app, "specificity")
    matrix = confusion_matrix(first["label"], first["predicted"], labels=loaded_model.classes)
    precision = precision_score(first["label"], first["predicted"], labels=loaded_model.classes, average=None)
    for index in range(3):
        assert shown["sensitivity"][index].startswith(f"{100 * matrix[index, index] / matrix[index].sum():.1f} %")
        assert shown["precision"][index].startswith(f"{100 * precision[index]:.1f} %")

    # Beside the seed's figures, with a sentence on the difference and the source.
    there = published_models("plane", loaded_model.card.backbone)[0]
    beside = table(app, "sensitivity, published")
    assert list(beside["sensitivity, published"]) == [
        str(there.per_class[name]["sensitivity"]) for name in there.classes
    ]
    text = texts(app)
    assert there.source in text
    assert "trained on simulated images" in text
    assert "on real images we could check" in text
    assert len([key for key in chart_keys(app) if "history" in key]) == 2
    assert len({button.key for button in app.get("download_button")}) == len(app.get("download_button"))


def chart_keys(app):
    return [str(chart.proto.id) for chart in app.get("plotly_chart")]


def test_another_published_model_by_link(open_page, texts):
    app = open_page("results", published="VGG19")
    assert app.selectbox(key="published").value == "VGG19"
    assert "000 A.3" in texts(app)
    assert "No accuracy printed" in texts(app)


def test_a_model_without_weights_history_and_evaluation_is_still_told_of(open_page, texts, copied):
    (copied / "history.csv").unlink()
    (copied / "evaluation.csv.gz").unlink()
    app = open_page("results")
    assert not app.exception
    assert not app.error
    text = texts(app)
    assert "no record of its training" in text
    assert "no confusion matrix on simulated images" in text
    assert table(app, "weights")["weights"][0] == "to be trained"


def spoil(path, change):
    frame = pd.read_csv(path, keep_default_na=False)
    change(frame)
    frame.to_csv(path, index=False)


BAD = {
    "unreadable": lambda path: path.write_bytes(b'\xff\xfe\x00,\n"x'),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:-2000]),
    "empty": lambda path: path.write_text(""),
    "no probability": lambda path: spoil(path, lambda frame: frame.drop(columns="p_NT", inplace=True)),
    "unknown class": lambda path: spoil(path, lambda frame: frame.replace("NT", "knee", inplace=True)),
    "no number": lambda path: spoil(path, lambda frame: frame.isetitem(frame.columns.get_loc("p_BPD"), "x")),
    "mixed": lambda path: spoil(path, lambda frame: frame.isetitem(frame.columns.get_loc("data"), "all")),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_evaluation_is_one_sentence_and_the_rest_stays(open_page, texts, copied, kind):
    BAD[kind](copied / "evaluation.csv.gz")
    app = open_page("results")
    assert not app.exception
    assert len(app.error) == 1
    assert "evaluation.csv.gz" in app.error[0].value
    assert "core evaluate" in app.error[0].value
    assert len([key for key in chart_keys(app) if "history" in key]) == 2


@pytest.mark.parametrize("content", ["epoch,seconds\n0,1\n", "epoch,loss\n0,tea\n", ""], ids=["bare", "words", "empty"])
def test_a_bad_history_is_one_sentence_and_the_rest_stays(open_page, copied, content):
    (copied / "history.csv").write_text(content)
    app = open_page("results")
    assert not app.exception
    assert len(app.error) == 1
    assert "history.csv" in app.error[0].value
    assert any("n = 900" in text for text in captions(app))


def test_csv_holds_every_digit():
    from core.evaluation import wilson

    share = wilson(2, 3)
    frame = pd.DataFrame({"class": ["A", "B"], "sensitivity": [share, None]})
    assert list(to_text(frame)["sensitivity"]) == ["66.7 % (20.8 to 93.9)", ""]
    read = pd.read_csv(io.StringIO(to_csv(frame)))
    assert read["sensitivity"][0] == pytest.approx(2 / 3, abs=1e-15)
    assert read["sensitivity_n"][0] == 3
    assert read["sensitivity_low"][0] == pytest.approx(share.low, abs=1e-15)
