"""Guided backpropagation against tf-keras-vis where it can, by hand where it cannot, and the original left alone."""

import gc
import weakref
from dataclasses import replace

import numpy as np
import pytest

from core.errors import ParameterError
from core.explain import get_method

METHOD = get_method("guided_backpropagation")
SIDE = 12


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(9).random((3, SIDE, SIDE)).astype(np.float32)


def activations_inside_layers(keras):
    """As VGG: rectifiers are the activations of convolutions and of a hidden layer."""
    keras.utils.set_random_seed(10)
    inputs = keras.Input((SIDE, SIDE, 3))
    value = keras.layers.Conv2D(6, 3, activation="relu", padding="same")(inputs)
    value = keras.layers.MaxPooling2D()(value)
    value = keras.layers.Conv2D(8, 3, activation="relu", name="features")(value)
    value = keras.layers.GlobalAveragePooling2D(name="pooled")(value)
    value = keras.layers.Dense(8, activation="relu")(value)
    return keras.Model(inputs, keras.layers.Dense(3, name="logits")(value))


def test_rectifiers_inside_layers_are_those_of_tf_keras_vis(keras, classifier_of, images):
    from tf_keras_vis.saliency import Saliency
    from tf_keras_vis.utils.model_modifiers import GuidedBackpropagation
    from tf_keras_vis.utils.scores import CategoricalScore

    model = activations_inside_layers(keras)
    targets = np.array([0, 1, 2])
    oracle = Saliency(model, model_modifier=GuidedBackpropagation(), clone=True)
    expected = oracle(
        CategoricalScore(targets.tolist()),
        np.repeat(images[..., None], 3, axis=-1),
        keepdims=False,
        normalize_map=False,
    )
    ours = METHOD.explain(classifier_of(model), images, targets)
    assert np.allclose(ours, expected, atol=1e-5 * np.abs(expected).max())
    plain = get_method("saliency").explain(classifier_of(model), images, targets)
    assert not np.allclose(ours, plain, atol=0.01 * plain.max())


def test_layers_that_rectify_with_a_maximum_by_hand(keras, classifier_of, images):
    """1 x 1 convolutions and a dense layer in NumPy: nothing flows back below 0, above 6, or where it is negative."""
    keras.utils.set_random_seed(11)
    wide = keras.initializers.RandomNormal(0, 4)
    inputs = keras.Input((SIDE, SIDE, 3))
    value = keras.layers.Conv2D(6, 1, kernel_initializer=wide)(inputs)
    value = keras.layers.ReLU(6.0)(value)
    value = keras.layers.Conv2D(5, 1)(value)
    value = keras.layers.Activation("relu", name="features")(value)
    value = keras.layers.GlobalAveragePooling2D(name="pooled")(value)
    model = keras.Model(inputs, keras.layers.Dense(3, name="logits")(value))
    first, second, last = (
        np.asarray(layer.kernel).reshape(layer.kernel.shape[-2:]) for layer in model.layers if layer.weights
    )
    pixels = np.repeat(images[..., None], 3, axis=-1)
    before_first = pixels @ first
    before_second = np.clip(before_first, 0, 6) @ second
    assert (before_first > 6).any()

    back = np.maximum(last[:, 2] / SIDE**2, 0) * (before_second > 0)
    back = np.maximum(back @ second.T, 0) * ((before_first > 0) & (before_first < 6))
    expected = np.abs(back @ first.T).max(axis=-1)
    ours = METHOD.explain(classifier_of(model), images, np.full(3, 2))
    assert expected.max() > 0
    assert np.allclose(ours, expected, atol=1e-5 * expected.max())


def test_the_network_stays_as_it_was_and_its_weights_are_those_used(keras, classifier_of, images):
    model = activations_inside_layers(keras)
    classifier = classifier_of(model)
    targets = np.array([0, 1, 2])
    saliency = get_method("saliency")
    plain, links = saliency.explain(classifier, images, targets), [len(layer._inbound_nodes) for layer in model.layers]
    guided = METHOD.explain(classifier, images, targets)
    assert [len(layer._inbound_nodes) for layer in model.layers] == links
    assert np.array_equal(saliency.explain(classifier, images, targets), plain)
    logits = model.get_layer("logits")
    logits.kernel.assign(2 * logits.kernel)
    assert np.allclose(METHOD.explain(classifier, images, targets), 2 * guided, rtol=1e-4)


def test_no_second_copy_of_the_weights_stays_in_memory(keras, classifier_of, images, monkeypatch):
    from core.zoo import runtime

    copies = []

    def watched(model, make=runtime._guided_copy):
        copy = make(model)
        copies.extend([weakref.ref(copy), weakref.ref(copy.get_layer("logits").kernel)])
        return copy

    monkeypatch.setattr(runtime, "_guided_copy", watched)
    METHOD.explain(classifier_of(activations_inside_layers(keras)), images[:1], np.array([0]))
    gc.collect()
    assert [copy() for copy in copies] == [None, None]


def test_operations_without_a_layer_are_passed_as_they_are(keras, classifier_of, images):
    """As in a detector of severities; without rectifiers the guided gradient is the plain one."""
    keras.utils.set_random_seed(12)
    inputs = keras.Input((SIDE, SIDE, 3))
    value = keras.layers.Conv2D(4, 3, activation="tanh", name="features")(inputs)
    mean = keras.layers.GlobalAveragePooling2D(name="pooled")(value)
    deviation = keras.ops.sqrt(keras.ops.var(value, axis=(1, 2)) + 1e-6)
    value = keras.layers.Concatenate()([mean, deviation])[:, 1:]
    classifier = classifier_of(keras.Model(inputs, keras.layers.Dense(3, name="logits")(value)))
    targets = np.array([0, 1, 2])
    expected = get_method("saliency").explain(classifier, images, targets)
    assert np.allclose(METHOD.explain(classifier, images, targets), expected, rtol=1e-4, atol=1e-7)


def test_a_network_without_rectifiers_is_refused(classifier, images):
    card = replace(classifier.card, backbone="efficientnet_b0")
    assert METHOD.obstacle(classifier.card) is None
    assert "ReLU" in METHOD.obstacle(card)
    swish = type(classifier)(card, classifier.network, classifier.typicality)
    with pytest.raises(ParameterError, match="ReLU"):
        METHOD.explain(swish, images, np.array([0, 1, 2]))


@pytest.mark.parametrize("name", ["cnn", "mobilenet_v2", "vgg16", "efficientnet_b0"])
def test_backbones_say_rightly_whether_they_rectify(name):
    """Counted in the graph itself, at the smallest side that each takes."""
    from core.zoo.architectures import BACKBONES, build_classifier
    from core.zoo.runtime import _rectifies

    gates = sum(_rectifies(layer) for layer in build_classifier(name, 2, size=75).layers)
    assert bool(gates) == BACKBONES[name].rectifies
