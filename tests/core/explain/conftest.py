"""Classifiers around networks whose explanations are known."""

from dataclasses import replace

import cv2
import numpy as np
import pandas as pd
import pytest


@pytest.fixture(scope="session")
def classifier_of(classifier):
    """``classifier_of(model, input_range=(0, 1))``: any small network as a classifier of temperature 1.

    The network needs layers called features, pooled and logits.
    """
    from core.zoo.prediction import Classifier
    from core.zoo.runtime import CompiledNetwork

    def wrap(model, input_range=(0.0, 1.0)):
        network = CompiledNetwork(model, input_range=input_range, feature_layer="features", pooled_layer="pooled")
        card = replace(classifier.card, input=classifier.card.input | {"size": network.size}, temperature=1.0)
        return Classifier(card, network, classifier.typicality)

    return wrap


@pytest.fixture(scope="session")
def keras():
    from core.zoo.runtime import tensorflow

    tensorflow()
    import keras

    return keras


@pytest.fixture(scope="session")
def gradient_of(keras):
    """``gradient_of(model, inputs, target)``: logits and their gradient by the network's input, by a plain tape."""
    import tensorflow as tf

    def gradient(model, inputs, target):
        inputs = tf.constant(inputs, tf.float32)
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            logits = model(inputs, training=False)
            score = logits[:, target]
        return logits.numpy(), tape.gradient(score, inputs).numpy()

    return gradient


@pytest.fixture(scope="session")
def write_heads():
    """``write_heads(folder, names, size=96)``: bright ellipses on speckle with HC18's annotations and list."""
    from core.biometry.ellipse import Ellipse

    def write(folder, names, size=96):
        folder.mkdir(parents=True, exist_ok=True)
        rows = []
        for number, name in enumerate(names):
            generator = np.random.default_rng(number)
            head = Ellipse(size / 2 + number % 3, size / 2, size * 0.33 + number % 5, size * 0.24, 0.3 * number % 1.5)
            frame = np.clip(generator.normal(40, 12, (size, size)), 1, 255)
            outline = np.exp(-((head.distance(np.arange(size)[None], np.arange(size)[:, None]) / 2) ** 2))
            cv2.imwrite(str(folder / name), np.clip(frame + 190 * outline, 0, 255).astype(np.uint8))
            drawn = np.zeros((size, size), np.uint8)
            cv2.polylines(drawn, [np.round(head.points()).astype(np.int32)], True, 255)
            cv2.imwrite(str(folder / name.replace("HC.png", "HC_Annotation.png")), drawn)
            size_mm = 0.8 + 0.02 * number
            rows.append((name, size_mm, head.circumference * size_mm))
        columns = ["filename", "pixel size(mm)", "head circumference (mm)"]
        pd.DataFrame(rows, columns=columns).to_csv(folder / "training_set_pixel_size_and_HC.csv", index=False)

    return write


@pytest.fixture(scope="session")
def tiny_regressor(keras):
    """A measurer of random weights on 32 pixels, and some 2 a side."""
    from core.biometry.training import PREPROCESSING
    from core.zoo.architectures import POOLED_LAYER, build_classifier
    from core.zoo.cards import Card
    from core.zoo.heads import CIRCUMFERENCE, CLASSES, HeadRegressor
    from core.zoo.novelty import Typicality
    from core.zoo.runtime import CompiledNetwork

    keras.utils.set_random_seed(5)
    model = build_classifier("cnn", 1, size=32, filters=[4, 8])
    weights = np.random.default_rng(5).normal(0, 1, model.layers[-1].kernel.shape)
    model.layers[-1].kernel.assign(weights)
    model.layers[-1].bias.assign([2.0])
    network = CompiledNetwork(model, input_range=(0.0, 1.0), feature_layer="features", pooled_layer=POOLED_LAYER)
    images = np.random.default_rng(0).random((20, 32, 32)).astype(np.float32)
    card = Card(
        name="tiny_head",
        title="tiny head",
        task="head_circumference",
        backbone="cnn",
        classes=CLASSES,
        input={"size": 32, "range": [0, 1], "chain": "plane"},
        preprocessing=PREPROCESSING.to_dict(),
        feature_layer="features",
        pooled_layer=POOLED_LAYER,
        temperature=1.0,
        novelty_threshold=-1e9,
        training={"simulated": False},
        split="",
        weights={"file": "weights.npz", "sha256": "0", "bytes": 0, "dtype": ""},
        licences=[],
        limitations=[],
        command="python -m core train",
        architecture={"filters": [4, 8]},
        measurement={"output": CIRCUMFERENCE},
    )
    return HeadRegressor(card, network, Typicality.fit(network.forward(images)[1], np.zeros(20, int)))


@pytest.fixture(scope="session")
def tiny_head_folder(tiny_regressor, tmp_path_factory):
    """The folder of :func:`tiny_regressor`."""
    from core.zoo.weights import save_weights, sha256_of

    folder = tmp_path_factory.mktemp("heads") / "tiny_head"
    folder.mkdir()
    save_weights(tiny_regressor.keras_model, folder / "weights.npz", **tiny_regressor.typicality.to_arrays())
    weights = {"file": "weights.npz", "sha256": sha256_of(folder / "weights.npz"), "bytes": 1, "dtype": "float16"}
    replace(tiny_regressor.card, weights=weights).write(folder)
    return folder
