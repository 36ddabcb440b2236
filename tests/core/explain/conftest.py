"""Classifiers around networks whose explanations are known, and methods whose maps are."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from core.explain import METHODS
from core.explain.base import Method


class Bright(Method):
    """The image itself."""

    family = "perturbation"
    title = "Bright"
    explanation = trust = "It."
    paper = "Nobody"
    calls = 0

    def explain(self, model, images, targets, progress=lambda share: None):
        type(self).calls += 1
        progress(1.0)
        return np.asarray(images, np.float32)


class Dim(Bright):
    title = "Dim"
    costly = True
    signed = True

    def explain(self, model, images, targets, progress=lambda share: None):
        return 0.3 - super().explain(model, images, targets, progress)


class Empty(Bright):
    title = "Empty"

    def explain(self, model, images, targets, progress=lambda share: None):
        return 0 * super().explain(model, images, targets, progress)


@pytest.fixture(scope="module")
def oracles():
    """Name -> class of methods whose maps are known, registered while a module's tests run; each counts its calls."""
    made = {"bright": Bright, "dim": Dim, "empty": Empty}
    with pytest.MonkeyPatch.context() as patch:
        for name, cls in made.items():
            cls.name = name
            patch.setitem(METHODS, name, cls())
        yield made


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
def heads():
    """Three smooth images (3, 32, 32) float32 in [0, 1]."""
    rough = np.random.default_rng(6).random((3, 32, 32)).astype(np.float32)
    return np.stack([cv2.GaussianBlur(one, (0, 0), 2) for one in rough])
