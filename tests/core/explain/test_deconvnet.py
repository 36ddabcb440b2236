"""The deconvolutional network by hand, on rectifiers of every sort."""

from dataclasses import replace

import numpy as np
import pytest

from core.errors import ParameterError
from core.explain import get_method

METHOD = get_method("deconvnet")
SIDE = 8


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(9).random((3, SIDE, SIDE)).astype(np.float32)


@pytest.fixture(scope="module")
def model(keras):
    """1 x 1 convolutions; a rectifier that is a layer with a maximum, one inside a layer, and one as an activation."""
    keras.utils.set_random_seed(11)
    wide = keras.initializers.RandomNormal(0, 4)
    inputs = keras.Input((SIDE, SIDE, 3))
    value = keras.layers.Conv2D(6, 1, kernel_initializer=wide)(inputs)
    value = keras.layers.ReLU(6.0)(value)
    value = keras.layers.Conv2D(5, 1, activation="relu")(value)
    value = keras.layers.Conv2D(4, 1)(value)
    value = keras.layers.Activation("relu", name="features")(value)
    value = keras.layers.GlobalAveragePooling2D(name="pooled")(value)
    return keras.Model(inputs, keras.layers.Dense(3, name="logits")(value))


def kernels(model):
    return [np.asarray(layer.kernel).reshape(layer.kernel.shape[-2:]) for layer in model.layers if layer.weights]


def test_every_rectifier_rectifies_what_comes_back_and_asks_nothing_else(model, classifier_of, images):
    """So the map is the same everywhere and for every image: forwards nothing but pooling counts."""
    first, second, third, last = kernels(model)
    back = np.maximum(last[:, 2] / SIDE**2, 0)
    back = np.maximum(third @ back, 0)
    back = np.maximum(second @ back, 0)
    expected = np.abs(first @ back).max()
    found = METHOD.explain(classifier_of(model), images, np.full(3, 2))
    assert expected > 0
    assert np.allclose(found, expected, rtol=1e-4)
    for other in ("saliency", "guided_backpropagation"):
        assert np.ptp(get_method(other).explain(classifier_of(model), images, np.full(3, 2))) > 0.1 * expected


def test_max_pooling_sends_back_to_its_maximum(keras, classifier_of, images):
    inputs = keras.Input((SIDE, SIDE, 3))
    value = keras.layers.MaxPooling2D(SIDE, name="features")(inputs)
    value = keras.layers.GlobalAveragePooling2D(name="pooled")(value)
    classifier = classifier_of(keras.Model(inputs, keras.layers.Dense(3, name="logits")(value)))
    found = METHOD.explain(classifier, images, np.zeros(3, int))
    assert [np.flatnonzero(one).tolist() for one in found] == [[one.argmax()] for one in images]


def test_answers_forwards_are_the_networks_own_and_the_network_stays_as_it_was(model, classifier_of, images):
    classifier = classifier_of(model)
    targets = np.array([0, 1, 2])
    plain = get_method("saliency").explain(classifier, images, targets)
    logits, _ = classifier.network.deconvolved(images, targets)
    assert np.allclose(logits, classifier.network.forward(images)[0], rtol=1e-3, atol=1e-3)
    assert np.array_equal(get_method("saliency").explain(classifier, images, targets), plain)


def test_a_network_without_rectifiers_is_refused(classifier, images):
    card = replace(classifier.card, backbone="efficientnet_b0")
    assert METHOD.obstacle(classifier.card) is None
    swish = type(classifier)(card, classifier.network, classifier.typicality)
    with pytest.raises(ParameterError, match="ReLU"):
        METHOD.explain(swish, images, np.array([0, 1, 2]))
