"""Figures against scikit-learn; a cell's images open on the other pages."""

import pytest
from sklearn.metrics import accuracy_score, confusion_matrix

from core.zoo.assessment import read_evaluation


@pytest.fixture
def rows(loaded_model):
    rows = read_evaluation(loaded_model.card.name)
    rows = rows[rows["label"] != ""]
    return rows[rows["data"] == rows["data"].iloc[0]]


def test_accuracy_is_scikit_learns(open_page, rows):
    app = open_page("confusion_matrix")
    expected = accuracy_score(rows["label"], rows["predicted"])
    assert app.metric[0].value.startswith(f"{100 * expected:.1f} %")
    assert "Simulated images" in " ".join(caption.value for caption in app.caption)


def test_per_class_table(open_page, rows, loaded_model):
    table = open_page("confusion_matrix").dataframe[0].value
    matrix = confusion_matrix(rows["label"], rows["predicted"], labels=loaded_model.classes)
    assert list(table["n"].astype(int)) == list(matrix.sum(axis=1))
    for index, text in enumerate(table["sensitivity"]):
        assert text.startswith(f"{100 * matrix[index, index] / matrix[index].sum():.1f} %")


def test_a_cell_shows_its_images_and_counts(open_page, rows, loaded_model):
    true, predicted = loaded_model.classes[0], loaded_model.classes[0]
    app = open_page("confusion_matrix", true=true, predicted=predicted)
    count = ((rows["label"] == true) & (rows["predicted"] == predicted)).sum()
    assert app.subheader[0].value.startswith(f"True {true}, predicted {predicted}: {count} of")
    assert len(app.get("image")) == min(count, 12)


def test_an_image_of_a_cell_opens_on_another_page(open_page, rows, loaded_model):
    name = loaded_model.classes[0]
    app = open_page("confusion_matrix", true=name, predicted=name)
    button = next(button for button in app.button if button.label == "Prediction")
    button.click().run()
    assert not app.exception
    assert app.title[0].value == "Prediction"
    assert app.selectbox(key="image").value.startswith(f"phantom-{name}-unseen-")


def test_an_empty_cell_says_so(open_page, loaded_model, texts):
    """Real frames here are heads only, so no image is a true CRL."""
    rows = read_evaluation(loaded_model.card.name)
    heads = next(data for data, group in rows.groupby("data") if set(group["label"]) == {"BPD"})
    app = open_page("confusion_matrix", data=heads, true="CRL", predicted="BPD")
    assert "No image falls into this cell" in texts(app)
    assert not app.exception


def test_real_heads_show_shares_and_no_pictures(open_page, loaded_model, texts):
    rows = read_evaluation(loaded_model.card.name)
    real = rows[(rows["simulated"].astype(str) == "False") & (rows["label"] != "")]
    app = open_page("confusion_matrix", data=real["data"].iloc[0], true="BPD", predicted="BPD")
    assert not app.exception
    assert "real images" in " ".join(metric.label for metric in app.metric)
    assert len(app.get("image")) == 0
