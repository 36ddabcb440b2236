"""Training writes a model folder that is what its card says; it resumes, and one seed reproduces it."""

import json
import shutil
from dataclasses import replace

import cv2
import numpy as np
import pandas as pd
import pytest

from core.datasets import load
from core.errors import DatasetError, ModelError, ParameterError
from core.zoo import load_model, read_card
from core.zoo.architectures import BACKBONES, build_classifier
from core.zoo.assessment import assess, read_evaluation, record
from core.zoo.runtime import tensorflow
from core.zoo.training import TrainingSettings, preset, search, train
from core.zoo.training.card_texts import data_licences, limitations, limitations_of_classes
from core.zoo.training.frozen import FeatureCache
from core.zoo.training.stages import read_history
from core.zoo.training.start import scale_to_unit

# Two blocks of few filters: what takes the time is that Keras traces every layer for each training anew.
SETTINGS = TrainingSettings(
    backbone="cnn", size=32, epochs=2, head_epochs=1, patience=5, architecture={"filters": [4, 4]}
)


def quiet(line):
    pass


def test_card_tells_what_was_done(trained_folder):
    card = read_card(trained_folder.name, trained_folder.parent)
    assert card.classes == ["BPD", "CRL", "NT"]
    assert card.training["images"]["train"] == {"BPD": 20, "CRL": 20, "NT": 20}
    assert card.training["images"]["validation"] == {"BPD": 4, "CRL": 4, "NT": 4}
    assert card.training["start"] == "random values"
    assert card.metrics[0].n == 12
    assert "optimistic" in card.metrics[0].note
    assert card.command.startswith("python -m core train")


def test_history_has_a_row_an_epoch(trained_folder):
    history = pd.read_csv(trained_folder / "history.csv")
    assert list(history["epoch"]) == list(range(len(history)))
    assert {"accuracy", "val_accuracy", "loss", "val_loss"} <= set(history)


def test_it_learns_the_shapes(trained_folder, shape_folder):
    model = load_model(trained_folder.name, trained_folder.parent)
    assert assess(model, load(shape_folder)).accuracy.value > 0.9


def test_nothing_is_left_behind(trained_folder):
    assert sorted(path.name for path in trained_folder.iterdir()) == ["card.json", "history.csv", "weights.npz"]


def test_one_seed_reproduces(shape_folder, tmp_path):
    table = load(shape_folder)
    cards = [train(table, SETTINGS, tmp_path / name, weights=None, report=quiet) for name in ("one", "two")]
    first, second = (np.load(tmp_path / name / "weights.npz") for name in ("one", "two"))
    assert all(np.array_equal(first[name], second[name]) for name in first.files)
    assert cards[0].temperature == cards[1].temperature
    assert cards[0].training["seed"] == SETTINGS.seed


def test_a_killed_training_goes_on_to_the_same_weights(shape_folder, tmp_path):
    """It dies amid the last epoch like a killed process would; the next call ends the work."""
    table = load(shape_folder)
    # Without dropout, whose random state no checkpoint keeps.
    settings = replace(SETTINGS, dropout=0.0)
    train(table, settings, tmp_path / "whole", weights=None, report=quiet)

    lines = []

    def die(share):
        if share > 0.5 and any(line.startswith("epoch 1/2") for line in lines):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(table, settings, tmp_path / "model", weights=None, report=lines.append, progress=die)
    assert not (tmp_path / "model" / "card.json").exists()
    lines.clear()
    train(table, settings, tmp_path / "model", weights=None, report=lines.append)
    assert [line.split(":")[0] for line in lines if line.startswith("epoch")] == ["epoch 2/2"]
    assert load_model("model", tmp_path).card.classes == ["BPD", "CRL", "NT"]
    resumed, whole = (np.load(tmp_path / name / "weights.npz") for name in ("model", "whole"))
    for name in whole.files:
        np.testing.assert_allclose(resumed[name], whole[name], rtol=1e-3, atol=1e-4, err_msg=name)


def test_an_unfinished_training_of_other_settings_is_not_overwritten(shape_folder, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "training.json").write_text(json.dumps({"seed": 99}))
    with pytest.raises(DatasetError, match="other settings"):
        train(load(shape_folder), SETTINGS, tmp_path / "model", weights=None, report=quiet)


def test_a_finished_model_is_not_overwritten(trained_folder, shape_folder):
    with pytest.raises(DatasetError, match="trained model already"):
        train(load(shape_folder), SETTINGS, trained_folder, weights=None, report=quiet)


def test_test_images_are_never_trained_on(shape_folder, tmp_path):
    table = load(shape_folder)
    frame = table.frame.copy()
    frame.loc[frame["path"].str.endswith(("000.png", "001.png")), "split"] = "test"
    card = train(replace(table, frame=frame), SETTINGS, tmp_path / "model", weights=None, report=quiet)
    used = sum(sum(counts.values()) for counts in card.training["images"].values())
    assert used == 72 - 6


def test_one_class_cannot_be_trained(shape_folder, tmp_path):
    with pytest.raises(DatasetError, match="two classes"):
        train(load(shape_folder).where(label="NT"), SETTINGS, tmp_path / "model", weights=None, report=quiet)


@pytest.mark.parametrize(
    "bad",
    [
        {"task": "weather"},
        {"backbone": "abacus"},
        {"augmentation": "wild"},
        {"optimiser": "luck"},
        {"dropout": 1.0},
        {"epochs": 0, "head_epochs": 0},
    ],
)
def test_impossible_settings_are_refused(bad):
    with pytest.raises(ParameterError):
        TrainingSettings(**bad)


def test_wrong_starting_weights_are_a_sentence(shape_folder, tmp_path):
    path = tmp_path / "start.weights.h5"
    path.write_bytes(b"not weights")
    settings = TrainingSettings(backbone="mobilenet_v2", epochs=1)
    with pytest.raises(ModelError, match="does not hold weights"):
        train(load(shape_folder), settings, tmp_path / "model", weights=path, report=quiet)


def test_only_layers_after_the_named_one_change(shape_folder, tmp_path):
    """Trained on features kept on disk, the layers up to the named one keep the values they started with."""
    settings = replace(SETTINGS, fine_tune="block1_pool", variations=2, learning_rate=0.02)
    train(load(shape_folder), settings, tmp_path / "model", weights=None, report=quiet)
    trained = load_model("model", tmp_path).network.model
    tensorflow().keras.utils.set_random_seed(settings.seed)
    start = build_classifier("cnn", 3, size=32, **settings.architecture)
    for layer in start.layers:
        if layer.weights:
            same = all(
                np.allclose(before, after, atol=2e-3)
                for before, after in zip(layer.get_weights(), trained.get_layer(layer.name).get_weights(), strict=True)
            )
            assert same == layer.name.startswith("block1"), layer.name


def test_random_layers_after_large_features_give_values_of_unit_size():
    import keras

    def features(name):
        return keras.Model(model.input, model.get_layer(name).output).predict(batch, verbose=0)

    model = build_classifier("cnn", 3, size=32)
    for name in ("block1_convolution1", "block2_convolution1"):
        kernel, bias = model.get_layer(name).get_weights()
        model.get_layer(name).set_weights([30 * kernel, bias + 2])
    batch = np.random.default_rng(0).random((16, 32, 32, 3), dtype=np.float32)
    before = features("block2_pool")
    assert scale_to_unit(model, "block2_pool", batch) == ["block3_convolution1", "block4_convolution1"]
    started = features("block2_pool")
    assert np.sqrt(np.mean(started**2)) == pytest.approx(1, rel=1e-3)
    np.testing.assert_allclose(started, before / np.sqrt(np.mean(before**2)), rtol=1e-3, atol=1e-5)
    for name in ("block3_convolution1", "block4_convolution1"):
        assert np.sqrt(np.mean(features(name) ** 2)) == pytest.approx(1, rel=1e-3)


def test_a_network_with_normalisation_scales_by_itself():
    model = build_classifier("cnn", 3, size=32, normalisation=True)
    assert scale_to_unit(model, "block1_pool", np.ones((2, 32, 32, 3), dtype=np.float32)) == []


def test_kept_features_are_those_of_the_layer_and_are_read_again(tmp_path):
    model = build_classifier("cnn", 3, size=32)
    trunk = tensorflow().keras.Model(model.input, model.get_layer("block2_pool").output)
    images = np.random.default_rng(0).random((5, 32, 32, 3)).astype(np.float32)
    calls = []

    def batches():
        calls.append(1)
        return (images[at : at + 2] for at in (0, 2, 4))

    cache = FeatureCache(tmp_path)
    first = cache.get(trunk, batches, 5, {"images": "a"})
    again = cache.get(trunk, batches, 5, {"images": "a"})
    cache.get(trunk, batches, 5, {"images": "b"})
    assert len(calls) == 2
    np.testing.assert_allclose(first, np.asarray(trunk(images)), rtol=2e-3, atol=1e-3)
    np.testing.assert_array_equal(first, again)
    assert not list(tmp_path.glob("*.part"))


def test_a_layer_that_is_not_there_is_a_sentence(shape_folder, tmp_path):
    settings = replace(SETTINGS, fine_tune="block9_pool")
    with pytest.raises(ParameterError, match="block9_pool"):
        train(load(shape_folder), settings, tmp_path / "model", weights=None, report=quiet)


def test_training_the_head_alone_needs_no_fine_tuning(shape_folder, tmp_path):
    settings = replace(SETTINGS, fine_tune="head", head_epochs=3)
    train(load(shape_folder), settings, tmp_path / "model", weights=None, report=quiet)
    history = pd.read_csv(tmp_path / "model" / "history.csv")
    assert list(history["stage"]) == ["head"] * 3


def test_early_stopping_keeps_the_best_epoch(shape_folder, tmp_path):
    """With a learning rate that destroys the network, training stops ``patience`` epochs after the best one."""
    settings = replace(SETTINGS, architecture={}, epochs=12, patience=2, learning_rate=0.9, optimiser="sgd")
    card = train(load(shape_folder), settings, tmp_path / "model", weights=None, report=quiet)
    history = pd.read_csv(tmp_path / "model" / "history.csv")
    best = history["val_loss"].argmin()
    assert len(history) == min(best + 1 + settings.patience, settings.epochs)
    assert card.metrics[0].value == pytest.approx(history["val_accuracy"][best], abs=1e-6)


def test_images_a_class_are_limited(shape_folder, tmp_path):
    card = train(load(shape_folder), replace(SETTINGS, per_class=7), tmp_path / "m", weights=None, report=quiet)
    assert set(card.training["images"]["train"].values()) == {7}
    assert set(card.training["images"]["validation"].values()) == {4}


def test_a_hidden_layer_and_other_filters_survive_the_model_folder(shape_folder, tmp_path):
    options = {"dense": 5, "filters": [4, 6], "kernel": 2, "normalisation": True, "convolutions": 2}
    settings = replace(SETTINGS, architecture=options)
    card = train(load(shape_folder), settings, tmp_path / "model", weights=None, report=quiet)
    model = load_model("model", tmp_path)
    assert model.network.model.get_layer("hidden").units == 5
    assert model.network.model.count_params() == card.parameters
    assert model.network.model.get_layer("block2_convolution2").kernel.shape == (2, 2, 6, 6)


def test_reduced_precision_trains_a_network_that_predicts_in_single(shape_folder, tmp_path):
    settings = replace(SETTINGS, precision="mixed_bfloat16", epochs=1)
    card = train(load(shape_folder), settings, tmp_path / "model", weights=None, report=quiet)
    assert card.training["computed_in"] == "mixed_bfloat16"
    assert load_model("model", tmp_path).network.model.dtype_policy.name == "float32"
    assert tensorflow().keras.config.dtype_policy().name == "float32"


def test_rounding_to_half_is_reported(trained_folder):
    rounding = read_card(trained_folder.name, trained_folder.parent).training["half_precision"]
    assert rounding["n"] == 12
    assert 0 < rounding["largest_change"] < 0.01
    assert rounding["flips"] == 0


def test_corrupted_copies_follow_the_split(shape_folder, tmp_path):
    """One copy of each kind of every frame, made after the split: 60 frames to train on give 60 of each class."""
    settings = replace(SETTINGS, task="corruption", epochs=1)
    card = train(load(shape_folder), settings, tmp_path / "model", weights=None, report=quiet)
    assert card.classes == ["original", "scale_up", "blur", "noise"]
    assert set(card.training["images"]["train"].values()) == {60}
    assert card.input["chain"] == "detector"


def test_the_card_names_the_source_of_borrowed_surroundings(shape_folder):
    table = load(shape_folder)
    assert data_licences(table) == []
    borrowed = replace(table, frame=table.frame.assign(real_file="001_HC.png"), simulated=True)
    assert "Zenodo 1327317" in data_licences(borrowed)[0]
    assert "real HC18 frames" in limitations(borrowed)[1]
    assert "simulated images alone" in limitations(replace(table, simulated=True))[1]


def test_presets_are_the_seeds():
    thesis = preset("thesis", "plane", "inception_v3", epochs=3)
    assert (thesis.optimiser, thesis.learning_rate, thesis.momentum, thesis.batch_size) == ("sgd", 1e-3, 0.8, 20)
    assert thesis.epochs == 3
    assert preset("thesis", "plane", "vgg19").batch_size == 80
    assert preset("report", "anatomy", "cnn").architecture == {"dense": 64}
    with pytest.raises(ParameterError, match="default, thesis, report"):
        preset("secret", "plane", "cnn")


def test_search_finds_the_setting_that_learns(tmp_path):
    """Four textures differ in random filters' means; a learning rate of nearly 0 cannot find that out."""
    generator = np.random.default_rng(0)
    slope = np.add.outer(*[np.arange(40.0)] * 2) * 3
    textures = {
        "noise": lambda: generator.uniform(0, 255, (40, 40)),
        "slope": lambda: slope,
        "stripes": lambda: 200.0 * (np.arange(40) // 2 % 2) + np.zeros((40, 1)),
        "board": lambda: 200.0 * (np.add.outer(*[np.arange(40) // 6] * 2) % 2),
    }
    for name, draw in textures.items():
        (tmp_path / name).mkdir()
        for number in range(12):
            image = np.clip(draw() + generator.normal(0, 5, (40, 40)), 0, 255).astype(np.uint8)
            cv2.imwrite(str(tmp_path / name / f"{number}.png"), image)
    rows = search(
        load(tmp_path),
        # Enough random filters to tell textures by.
        replace(SETTINGS, architecture={}),
        weights=None,
        grid={"learning_rate": (1e-9, 0.2), "batch_size": (8,), "epochs": (20,)},
        folds=2,
        cache=tmp_path / "cache",
        report=quiet,
    )
    assert rows["learning_rate"][0] == 0.2
    assert rows["accuracy"][0] > rows["accuracy"][1]
    assert set(rows["n"]) == {48}
    assert (rows["ci_low"] < rows["accuracy"]).all()


def test_search_refuses_more_folds_than_patients(shape_folder, tmp_path):
    with pytest.raises(DatasetError, match="smallest class has 24"):
        search(load(shape_folder), SETTINGS, weights=None, folds=25, cache=tmp_path, report=quiet)


@pytest.fixture
def assessed(trained_folder, shape_folder, tmp_path):
    shutil.copytree(trained_folder, tmp_path / "shapes")
    model = load_model("shapes", tmp_path)
    return model, assess(model, load(shape_folder)), tmp_path / "shapes"


def test_assessment_counts_every_image(assessed):
    _, result, _ = assessed
    assert result.matrix.sum() == len(result.rows) == 72
    assert result.accuracy.value == pytest.approx((result.rows["label"] == result.rows["predicted"]).mean())
    shares = [result.share_called(name).value for name in result.classes]
    assert sum(shares) == pytest.approx(1)
    assert json.loads(json.dumps(result.to_dict(), allow_nan=False))["n"] == 72


def test_recorded_figures_stand_in_card_and_csv_and_replace_older_ones(assessed):
    model, result, folder = assessed
    card = record(result, model.card, folder, "shapes", ["evaluate", "--data", "a folder"])
    card = record(result, card, folder, "shapes", ["evaluate", "--data", "a folder"])
    accuracies = [metric for metric in card.metrics if metric.data == "shapes" and metric.name == "accuracy"]
    assert len(accuracies) == 1
    assert accuracies[0].value == pytest.approx(result.accuracy.value)
    assert accuracies[0].command == "python -m core evaluate --data 'a folder'"
    assert card.metrics[0] == accuracies[0]
    rows = read_evaluation("shapes", folder.parent)
    assert len(rows) == 72
    assert (rows["label"] == rows["predicted"]).mean() == pytest.approx(result.accuracy.value)


def test_broken_images_are_listed_and_the_rest_counts(assessed, shape_folder, tmp_path):
    model, _, _ = assessed
    shutil.copytree(shape_folder, tmp_path / "data")
    (tmp_path / "data" / "NT" / "000.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    result = assess(model, load(tmp_path / "data"))
    assert len(result.rows) == 71
    assert result.problems[0].startswith("000.png:")


def test_labels_the_model_does_not_know_are_named(assessed, shape_folder, tmp_path):
    model, _, _ = assessed
    shutil.copytree(shape_folder / "NT", tmp_path / "data" / "femur")
    with pytest.raises(DatasetError, match="femur"):
        assess(model, load(tmp_path / "data"))


def test_evaluation_without_a_column_says_which(assessed):
    model, result, folder = assessed
    record(result, model.card, folder, "shapes", ["evaluate"])
    path = folder / "evaluation.csv.gz"
    pd.read_csv(path).drop(columns="predicted").to_csv(path, index=False)
    with pytest.raises(ModelError, match="predicted"):
        read_evaluation("shapes", folder.parent)


def test_tables_that_cannot_be_gone_on_with_are_sentences(assessed, tmp_path):
    model, result, folder = assessed
    out = tmp_path / "out"
    out.mkdir()
    (out / "history.csv").write_text("stage\n" + "," * 5000)
    with pytest.raises(ModelError, match=r"history\.csv cannot be read; restore it, or train into another folder"):
        read_history(out)
    kept = {name: (folder / name).read_bytes() for name in ("card.json", "history.csv")}
    kept["evaluation.csv.gz"] = b"broken"
    for name, content in kept.items():
        (out / name).write_bytes(content)
    with pytest.raises(ModelError, match="cannot be read; restore or remove it"):
        record(result, model.card, out, "shapes", ["evaluate"])
    assert {path.name: path.read_bytes() for path in out.iterdir()} == kept


@pytest.mark.parametrize(("backbone", "megabytes"), [("vgg16", 56), ("xception", 193)])
def test_a_card_says_what_a_flattened_head_would_weigh(backbone, megabytes):
    """The figures of the issue, by hand: 5 x 5 x 512 and 6 x 6 x 2048 features into 1,024 units."""
    model = build_classifier(backbone, 4, size=174, dense=1024)
    lines = limitations_of_classes(model, BACKBONES[backbone].feature_layer, 1024)
    assert f"weigh {megabytes} MB" in " ".join(lines)
