"""Input x gradient on a linear network, where it is exact, and against a plain tape."""

import numpy as np
import pytest

from core.errors import ParameterError
from core.explain import get_method
from core.explain.perturbation import filling

METHOD = get_method("input_x_gradient")


@pytest.fixture(scope="module")
def linear(keras, classifier_of):
    """A linear network over an input in [-1, 1], where black is not zero."""
    inputs = keras.Input((12, 12, 3))
    value = keras.layers.Conv2D(4, 3, padding="same", name="features")(inputs)
    value = keras.layers.Flatten(name="pooled")(value)
    keras.utils.set_random_seed(3)
    model = keras.Model(inputs, keras.layers.Dense(3, name="logits")(value))
    return classifier_of(model, (-1.0, 1.0))


@pytest.mark.parametrize("baseline", ["black", "mean", "blur"])
def test_on_a_linear_network_the_map_is_what_the_image_adds_to_its_baseline(linear, baseline):
    images = np.random.default_rng(0).random((2, 12, 12)).astype(np.float32)
    targets = np.array([2, 0])
    maps = METHOD.explain(linear, images, targets, baseline=baseline)
    start = np.stack([filling(image, baseline) for image in images])
    gained = linear.network.forward(images)[0] - linear.network.forward(start)[0]
    assert np.allclose(maps.sum(axis=(1, 2)), gained[[0, 1], targets], atol=1e-4)
    assert (np.abs(gained) > 1e-3).any()


def test_where_black_is_zero_it_is_the_textbook_product(classifier, gradient_of):
    images = np.random.default_rng(1).random((2, 48, 48)).astype(np.float32)
    inputs = np.repeat(images[..., None], 3, axis=-1)
    _, gradient = gradient_of(classifier.network.model, inputs, 1)
    expected = (inputs * gradient).sum(axis=-1)
    ours = METHOD.explain(classifier, images, np.array([1, 1]))
    assert np.allclose(ours, expected, atol=1e-4 * np.abs(expected).max())


def test_an_unknown_baseline_is_refused(linear):
    with pytest.raises(ParameterError, match="black"):
        METHOD.explain(linear, np.zeros((1, 12, 12), np.float32), np.array([0]), baseline="pink")
