"""Relevance propagation by hand, against input times gradient, and conserved where nothing may be lost."""

from dataclasses import replace

import numpy as np
import pytest

from core.errors import ParameterError
from core.explain import get_method
from core.zoo.relevance import EPSILON, RULES, Walk

SIDE = 16
PAIR = np.array([[1, 0.5]], np.float32)
HIDDEN = np.array([[1, -1, 2], [2, 1, -1]], np.float32)
"""Of :data:`PAIR` these weights make 2, -0.5 and 1.5."""


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(2).random((3, SIDE, SIDE)).astype(np.float32)


def two_layers(keras, outgoing, hidden=HIDDEN):
    """Two inputs, rectified units, one logit; no bias."""
    inputs = keras.Input((2,))
    value = keras.layers.Dense(hidden.shape[1], activation="relu", use_bias=False)(inputs)
    model = keras.Model(inputs, keras.layers.Dense(1, use_bias=False)(value))
    model.set_weights([hidden, np.array(outgoing, np.float32)[:, None]])
    return model


def shared_out(model, rule, inputs=PAIR):
    """Logits and relevance of inputs (N, ...) between 0 and 1 for the first logit, in NumPy."""
    import tensorflow as tf

    zeros = tf.zeros_like(inputs)
    logits, relevance = Walk(model).relevance(tf.constant(inputs), zeros, zeros + 1, np.zeros(len(inputs), int), rule)
    return logits.numpy(), relevance.numpy()


def rich(keras, *, bias, **rectifier):
    """A small network with every layer that has a rule, its batch normalisations far from where they start."""
    layers = keras.layers
    keras.utils.set_random_seed(21)
    inputs = keras.Input((SIDE, SIDE, 3))
    value = layers.ZeroPadding2D(1)(layers.Rescaling(2.0, offset=-0.5 if bias else 0.0)(inputs))
    value = layers.Conv2D(6, 3, use_bias=bias, bias_initializer="random_normal", activation="relu")(value)
    side = layers.AveragePooling2D(3, 1, padding="same")(value)
    value = layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2, use_bias=False)(value)
    value = layers.BatchNormalization(center=bias)(value)
    value = layers.ReLU(**rectifier)(value)
    value = layers.SeparableConv2D(6, 3, padding="same", use_bias=bias)(value)
    value = layers.Add()([value, side])
    value = layers.BatchNormalization(center=bias)(value)
    value = layers.Activation("relu")(value)
    value = layers.MaxPooling2D(3, 2, padding="same")(value)
    value = layers.Concatenate(name="features")([value, layers.Conv2D(4, 1, use_bias=bias)(value)])
    pooled = layers.GlobalAveragePooling2D(name="pooled")(value)
    value = layers.Dense(7, activation="relu", use_bias=bias)(layers.Flatten()(pooled))
    model = keras.Model(inputs, layers.Dense(3, use_bias=bias, name="logits")(layers.Dropout(0.3)(value)))
    generator = np.random.default_rng(4)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.gamma.assign(generator.uniform(0.5, 2, layer.gamma.shape))
            layer.moving_variance.assign(generator.uniform(0.5, 2, layer.gamma.shape))
            if bias:
                layer.moving_mean.assign(generator.normal(0, 0.2, layer.gamma.shape))
                layer.beta.assign(generator.normal(0, 0.2, layer.gamma.shape))
    return model


def test_two_layers_by_hand_z(keras):
    """The units get 3 * 2 = 6, 0 and -2 * 1.5 = -3; the inputs (1/2) 6 + (2/1.5) (-3) and (1/2) 6 + (-0.5/1.5) (-3)."""
    logits, relevance = shared_out(two_layers(keras, [3, 4, -2]), "z")
    assert logits == pytest.approx(np.array([[3]]))
    assert relevance == pytest.approx(np.array([[-1, 4]]), abs=1e-5)


def test_two_layers_by_hand_epsilon(keras):
    sums = np.array([2, -0.5, 1.5])
    away = sums + EPSILON * np.sqrt((sums**2).mean()) * np.sign(sums)
    units = np.array([6, 0, -3]) / (1 + EPSILON)
    expected = (PAIR.T * HIDDEN / away * units).sum(axis=1)
    _, relevance = shared_out(two_layers(keras, [3, 4, -2]), "epsilon")
    assert relevance == pytest.approx(expected[None], rel=1e-4)


def test_two_layers_by_hand_z_plus(keras):
    """z+ to the units, 6 and 3; z^B between 0 and 1 to the inputs: 6 in halves, and 3 as 2 to -0.5 + 1."""
    _, relevance = shared_out(two_layers(keras, [3, 4, 2]), "z_plus")
    assert relevance == pytest.approx(np.array([[5.4, 3.6]]), rel=1e-5)
    # What takes off gets nothing, and what it took is not given back.
    logits, relevance = shared_out(two_layers(keras, [3, 4, -2]), "z_plus")
    assert relevance == pytest.approx(logits * [[0.5, 0.5]], rel=1e-5)


def test_a_linear_unit_below_zero_shares_out_among_what_made_it_so(keras):
    """Two rectified copies of the inputs, a linear unit of 1 (-3) + 0.5 (2) = -2, and a logit of -1 times that."""
    inputs = keras.Input((2,))
    copies = keras.layers.Dense(2, activation="relu", use_bias=False)(inputs)
    linear = keras.layers.Dense(1, use_bias=False)(copies)
    model = keras.Model(inputs, keras.layers.Dense(1, use_bias=False)(linear))
    model.set_weights([np.eye(2), np.array([[-3.0], [2.0]]), np.array([[-1.0]])])
    logits, relevance = shared_out(model, "z_plus")
    assert logits[0, 0] == pytest.approx(2)
    assert relevance == pytest.approx(np.array([[2, 0]]), abs=1e-6)


@pytest.mark.parametrize("rule", RULES)
def test_without_biases_nothing_is_lost(keras, images, rule):
    """Summed over the image, relevance is the logit; ``epsilon`` takes a share at every layer, and adds nothing."""
    inputs = np.repeat(images[..., None], 3, axis=-1)
    logits, relevance = shared_out(rich(keras, bias=False), rule, inputs)
    total = relevance.sum(axis=(1, 2, 3))
    size = np.abs(logits[:, 0])
    if rule == "epsilon":
        assert (np.abs(total) < size).all()
    else:
        assert np.allclose(total, size if rule == "z_plus" else logits[:, 0], rtol=1e-3)
    assert (relevance.min() < 0) == (rule != "z_plus")


def test_lrp_z_is_input_times_gradient_where_no_rectifier_has_a_maximum(keras, classifier_of, images):
    """With biases, and whatever number the network is fed for black."""
    classifier = classifier_of(rich(keras, bias=True), input_range=(-1.0, 1.0))
    targets = np.array([0, 1, 2])
    expected = get_method("input_x_gradient").explain(classifier, images, targets)
    found = get_method("lrp_z").explain(classifier, images, targets)
    assert np.allclose(found, expected, atol=1e-4 * np.abs(expected).max())
    logits, _ = classifier.network.relevance(images, targets, "z")
    assert np.allclose(logits, classifier.network.forward(images)[0], rtol=1e-3, atol=1e-4)


def test_a_unit_at_its_maximum_has_relevance_and_no_gradient(keras, classifier_of, images):
    classifier = classifier_of(rich(keras, bias=True, max_value=0.2))
    targets = np.array([0, 1, 2])
    expected = get_method("input_x_gradient").explain(classifier, images, targets)
    found = get_method("lrp_z").explain(classifier, images, targets)
    assert not np.allclose(found, expected, atol=0.05 * np.abs(expected).max())


def test_a_normalisation_counts_as_part_of_the_layer_before_it(keras):
    """The same relevance as of a layer that has its scale and shift in its own weights."""
    layers = keras.layers
    inputs = keras.Input((2,))
    value = layers.ReLU()(layers.BatchNormalization(epsilon=0.0)(layers.Dense(3)(inputs)))
    apart = keras.Model(inputs, layers.Dense(1)(value))
    gamma, beta, mean, variance = [2, 0.5, 1], [0.3, 0, -0.2], [0.1, -1, 0.2], [4, 0.25, 1]
    bias, outgoing = np.array([0.1, 0.2, 0.3]), np.array([[1.0], [-2.0], [3.0]])
    apart.set_weights([HIDDEN, bias, *map(np.array, (gamma, beta, mean, variance)), outgoing, np.array([0.5])])
    scale = np.array(gamma) / np.sqrt(variance)
    together = keras.Model(inputs, layers.Dense(1)(layers.Dense(3, activation="relu")(inputs)))
    together.set_weights([HIDDEN * scale, (bias - mean) * scale + beta, outgoing, np.array([0.5])])
    for rule in RULES:
        for found, expected in zip(shared_out(apart, rule), shared_out(together, rule), strict=True):
            assert found == pytest.approx(expected, rel=1e-4)


def test_the_methods_take_the_weights_of_the_moment(classifier, images):
    images = np.repeat(np.repeat(images, 3, axis=1), 3, axis=2)
    logits = classifier.network.model.get_layer("logits")
    before = get_method("lrp_z").explain(classifier, images, np.array([0, 1, 2]))
    kernel, bias = logits.get_weights()
    try:
        logits.set_weights([2 * kernel, bias])
        assert np.allclose(get_method("lrp_z").explain(classifier, images, np.array([0, 1, 2])), 2 * before, rtol=1e-3)
    finally:
        logits.set_weights([kernel, bias])


def test_a_layer_without_a_rule_is_named(keras):
    inputs = keras.Input((2,))
    value = keras.layers.Dense(2, activation="tanh", name="bent")(inputs)
    with pytest.raises(ParameterError, match=r"layer bent \(activation tanh\); use integrated gradients"):
        Walk(keras.Model(inputs, keras.layers.Dense(1)(value)))
    value = keras.layers.Multiply(name="gated")([inputs, inputs])
    with pytest.raises(ParameterError, match=r"layer gated \(Multiply\)"):
        Walk(keras.Model(inputs, keras.layers.Dense(1)(value)))


def test_an_unknown_rule_is_refused(classifier, images):
    with pytest.raises(ParameterError, match="z, epsilon, z_plus"):
        classifier.network.relevance(images, np.array([0, 1, 2]), "gamma")


@pytest.mark.parametrize("name", ["lrp_z", "lrp_epsilon", "lrp_z_plus"])
def test_models_with_layers_without_a_rule_are_refused_by_their_card(name, classifier):
    method = get_method(name)
    assert method.obstacle(classifier.card) is None
    assert "multiply feature maps" in method.obstacle(replace(classifier.card, backbone="efficientnet_b0"))
    assert "deviations" in method.obstacle(replace(classifier.card, detection={"kinds": []}))


@pytest.mark.parametrize("name", ["cnn", "efficientnet_b0"])
def test_backbones_say_rightly_whether_every_layer_has_a_rule(name):
    from core.zoo.architectures import BACKBONES, build_classifier

    model = build_classifier(name, 2, size=32)
    if BACKBONES[name].unruled_layers:
        with pytest.raises(ParameterError, match="no rule"):
            Walk(model)
    else:
        Walk(model)
