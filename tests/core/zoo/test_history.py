"""Epochs are read in order, whatever else stands beside them; what cannot be read is a sentence."""

import pytest

from core.errors import ModelError
from core.figures import history_figure
from core.zoo.history import read_history

STAGES = "stage,epoch,accuracy,loss,val_accuracy,val_loss,seconds,mood\n" + "".join(
    f"{stage},{epoch},0.{epoch}5,{1 - epoch / 9},0.{epoch},{2 - epoch / 9},3,good\n"
    for stage, epoch in (("head", 0), ("head", 1), ("fine-tuning", 0), ("fine-tuning", 1))
)


@pytest.fixture
def write(tmp_path):
    def write_history(content):
        (tmp_path / "one").mkdir()
        (tmp_path / "one" / "history.csv").write_text(content)
        return tmp_path

    return write_history


def test_epochs_are_numbered_over_both_stages(write):
    history = read_history("one", write(STAGES))
    assert list(history["number"]) == [1, 2, 3, 4]
    assert list(history["stage"]) == ["head", "head", "fine-tuning", "fine-tuning"]
    assert history["val_accuracy"].dtype == float


def test_without_a_file_there_is_nothing(tmp_path):
    assert read_history("one", tmp_path).empty


def test_an_older_file_has_one_stage_and_may_lack_measures(write):
    history = read_history("one", write("epoch,loss\n0,0.5\n1,\n"))
    assert list(history["stage"].unique()) == ["fine-tuning"]
    assert history["loss"].isna().sum() == 1


@pytest.mark.parametrize("content", ["", "epoch,seconds\n0,1\n", "epoch,val_loss\n0,much\n"])
def test_what_cannot_be_read_is_a_sentence(write, content):
    with pytest.raises(ModelError, match=r"history\.csv"):
        read_history("one", write(content))


def test_figure_shows_both_curves_and_where_the_second_stage_begins(write):
    figure = history_figure(read_history("one", write(STAGES)), "loss")
    assert [trace.name for trace in figure.data] == ["training", "validation"]
    assert list(figure.data[1].y) == pytest.approx([2, 2 - 1 / 9, 2, 2 - 1 / 9])
    assert [note.text for note in figure.layout.annotations] == ["head", "fine-tuning"]
    assert [line.x0 for line in figure.layout.shapes] == [0.5, 2.5]
