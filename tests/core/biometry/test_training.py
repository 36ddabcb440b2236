"""Training tiny networks: what is written, and that a training which was killed goes on as if it had not been."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from core.biometry.calibration import calibrate, settings_of
from core.biometry.data import read_heads
from core.biometry.seen import read_seen
from core.biometry.settings import HeadSettings
from core.biometry.training import PREPROCESSING, _freeze, sides, train_heads
from core.datasets import load
from core.errors import DatasetError, ModelError
from core.zoo import load_model, read_card
from core.zoo.architectures import build_classifier
from core.zoo.weights import sha256_of

SETTINGS = HeadSettings(epochs=2, backbone="cnn", size=32, augmentation="none", dropout=0.0, validation_share=0.4)
"""As those of the fixture's regression."""


def test_a_model_folder_says_what_it_is(heads, trained_heads):
    for name, output in (("length", "circumference"), ("outline", "ellipse")):
        card = read_card(name, trained_heads)
        assert card.task == "head_circumference"
        assert card.measurement["output"] == output
        assert settings_of(card).output == output
        rows = pd.read_csv(trained_heads / name / "validation.csv")
        assert list(rows) == ["image", "patient", "pixel_size_mm", "true_mm", "predicted_mm"]
        assert not (trained_heads / name / "training.json").exists()
    interval = read_card("length", trained_heads).measurement["interval"]
    assert interval["n_examinations"] == len(rows)
    assert interval["relative"] > 0
    # Half a length is half a pixel: a network that begins at the mean is within half of any drawn head.
    length = pd.read_csv(trained_heads / "length" / "validation.csv")
    assert (length["predicted_mm"] / length["true_mm"]).between(0.4, 2.5).all()


def test_what_was_trained_on_is_kept_by_hash(heads, trained_heads):
    train, validation = sides(load(heads), SETTINGS)
    seen = read_seen(trained_heads / "length")
    assert seen == {sha256_of(path) for path in train.paths}
    assert not seen & {sha256_of(path) for path in validation.paths}
    with pytest.raises(ModelError, match="calibrate"):
        read_seen(heads)


def test_a_killed_training_goes_on_to_the_same_predictions(heads, trained_heads, tmp_path):
    class Killed(Exception):
        pass

    def kill(line):
        if line.startswith("epoch 2/"):
            raise Killed

    table, out = load(heads), tmp_path / "length"
    with pytest.raises(Killed):
        train_heads(table, SETTINGS, out, weights=None, report=kill)
    assert not (out / "card.json").exists()
    with pytest.raises(DatasetError, match="other settings"):
        train_heads(table, HeadSettings(**{**SETTINGS.__dict__, "seed": 1}), out, weights=None, report=print)
    lines = []
    train_heads(table, SETTINGS, out, weights=None, report=lines.append)
    assert [line for line in lines if line.startswith("epoch 1/")] == []
    # Threads add in any order and Adam makes much of little: what is predicted is compared, not each weight.
    resumed, whole = (
        pd.read_csv(folder / "validation.csv")["predicted_mm"] for folder in (out, trained_heads / "length")
    )
    np.testing.assert_allclose(resumed, whole, rtol=1e-4)
    with pytest.raises(DatasetError, match="holds a trained model"):
        train_heads(table, SETTINGS, out, weights=None, report=print)


def test_calibrating_again_changes_nothing_and_other_frames_are_refused(heads, trained_heads, tmp_path):
    folder = tmp_path / "length"
    shutil.copytree(trained_heads / "length", folder)
    before = json.loads((folder / "card.json").read_text())
    train, validation = (read_heads(one, PREPROCESSING, 32) for one in sides(load(heads), SETTINGS))
    calibrate(folder, train, validation)
    assert json.loads((folder / "card.json").read_text()) == before
    with pytest.raises(ModelError, match="other frames"):
        calibrate(folder, validation, train)


def test_predictions_out_of_fold_are_kept_beside_the_model_and_used_again(heads, trained_heads, tmp_path):
    folder = tmp_path / "length"
    shutil.copytree(trained_heads / "length", folder)
    train, validation = (read_heads(one, PREPROCESSING, 32) for one in sides(load(heads), SETTINGS))
    parts = [(part, path, number) for part in (train, validation) for number, path in enumerate(part.paths)]
    rows = pd.DataFrame(
        {
            "image": [path.name for _, path, _ in parts],
            "patient": [part.patients[number] for part, _, number in parts],
            "pixel_size_mm": [part.pixel_sizes[number] for part, _, number in parts],
            "true_mm": [part.circumferences[number] for part, _, number in parts],
        }
    )
    shares = rows["true_mm"] / [part.millimetres[number] for part, _, number in parts]
    # Wrong by a share that falls with the square of the size.
    rows["predicted_mm"] = rows["true_mm"] * (1 + 0.01 * shares**-2)
    table = tmp_path / "out_of_fold.csv"
    rows.assign(more=1).to_csv(table, index=False)
    interval = calibrate(folder, train, validation, table).measurement["interval"]
    assert interval["exponent"] == pytest.approx(-2, abs=0.1)
    table.unlink()
    assert calibrate(folder, train, validation).measurement["interval"] == interval
    rows[:-1].to_csv(table, index=False)
    with pytest.raises(ModelError, match="cross-validate"):
        calibrate(folder, train, validation, table)


def test_a_loaded_regression_repeats_its_validation(heads, trained_heads):
    _, side = sides(load(heads), SETTINGS)
    validation = read_heads(side, PREPROCESSING, 32)
    lengths, _ = load_model("length", trained_heads).circumferences(validation.images)
    rows = pd.read_csv(trained_heads / "length" / "validation.csv")
    np.testing.assert_allclose(lengths / validation.scales * validation.pixel_sizes, rows["predicted_mm"], rtol=1e-4)


def test_layers_up_to_the_last_started_one_stay_as_they_are():
    model = build_classifier("cnn", 1, size=32)
    learning = [layer for layer in model.layers if layer.weights]
    _freeze(model, learning[1].name)
    assert [layer.trainable for layer in learning] == [False, False, *[True] * (len(learning) - 2)]
    assert len(learning) > 2
