"""Integrated gradients where the integral is known, on a smooth network, and on rectifiers."""

import numpy as np
import pytest

from core.errors import Cancelled, ParameterError
from core.explain import get_method
from core.explain.integrated_gradients import Integration
from core.explain.perturbation import filling

METHOD = get_method("integrated_gradients")
SIDE = 16


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(5).random((2, SIDE, SIDE)).astype(np.float32)


@pytest.fixture(scope="module")
def quadratic(keras, classifier_of):
    """Each logit a weighted mean of the squared channels."""
    inputs = keras.Input((SIDE, SIDE, 3))
    value = keras.layers.Activation(keras.ops.square, name="features")(inputs)
    value = keras.layers.GlobalAveragePooling2D(name="pooled")(value)
    keras.utils.set_random_seed(5)
    return classifier_of(keras.Model(inputs, keras.layers.Dense(3, name="logits")(value)))


@pytest.fixture(scope="module")
def smooth(keras, classifier_of):
    """Convolutions with tanh, strong enough to bend along the path."""
    keras.utils.set_random_seed(6)
    inputs = keras.Input((SIDE, SIDE, 3))
    value = keras.layers.Conv2D(8, 3, activation="tanh", kernel_initializer=keras.initializers.RandomNormal(0, 1))(
        inputs
    )
    value = keras.layers.Conv2D(8, 3, activation="tanh", name="features")(value)
    value = keras.layers.GlobalAveragePooling2D(name="pooled")(value)
    return classifier_of(keras.Model(inputs, keras.layers.Dense(3, name="logits")(value)), (-1.0, 1.0))


@pytest.mark.parametrize("baseline", ["black", "mean"])
def test_a_quadratic_score_is_integrated_exactly(quadratic, images, baseline):
    """From b to x, the integral of w (b + a (x - b)) da times 2 (x - b) is w (x^2 - b^2)."""
    result = METHOD.integrate(quadratic, images, np.array([1, 2]), baseline=baseline)
    kernel = np.asarray(quadratic.network.model.get_layer("logits").kernel)
    for one, image, target in zip(result.maps, images, (1, 2), strict=True):
        start = filling(image, baseline)
        expected = kernel[:, target].sum() * (image**2 - start**2) / SIDE**2
        assert np.allclose(one, expected, atol=1e-6)
    assert result.residual_share.max() < 1e-3
    assert result.steps.tolist() == [32, 32]


def test_on_a_smooth_network_the_map_sums_to_the_score_within_1_percent(smooth, images):
    """Starting from one step, so that it must double until it gets there."""
    targets = np.array([0, 1])
    result = METHOD.integrate(smooth, images, targets, first_steps=1)
    logits = smooth.network.forward(np.concatenate([images, np.zeros_like(images)]))[0]
    gained = logits[[0, 1], targets] - logits[[2, 3], targets]
    assert np.allclose(result.maps.sum(axis=(1, 2)), gained, rtol=0.01)
    assert (result.residual_share <= 0.01).all()
    assert (result.steps > 1).all()
    assert (result.steps < 512).all()


def test_doubling_arrives_at_the_plain_trapezoid_rule(classifier, gradient_of):
    """Three doublings of 2 steps, points in between only, are the rule with 16 over one tape; a tolerance of 0 is
    never met by a network of rectifiers, so it goes to the end, and says what is left."""
    image = np.random.default_rng(8).random((48, 48)).astype(np.float32)
    inputs = np.linspace(0, 1, 17, dtype=np.float32)[:, None, None, None] * np.repeat(image[..., None], 3, axis=-1)
    logits, gradient = gradient_of(classifier.network.model, inputs, 1)
    mean = (gradient[:-1] + gradient[1:]).sum(axis=0) / 2 / 16
    expected = (mean * inputs[-1]).sum(axis=-1)
    options = {"first_steps": 2, "most_steps": 31, "tolerance": 0.0}
    result = METHOD.integrate(classifier, image[None], np.array([1]), **options)
    assert result.steps.tolist() == [16]
    assert np.allclose(result.maps[0], expected, atol=1e-4 * np.abs(expected).max())
    difference = float(logits[-1, 1] - logits[0, 1])
    assert result.difference[0] == pytest.approx(difference, rel=1e-4)
    assert result.residual[0] == pytest.approx(expected.sum() - difference, abs=1e-4 * abs(difference))
    assert result.residual_share[0] == pytest.approx(abs(result.residual[0] / difference), rel=1e-3)


def test_an_image_that_is_its_baseline_has_an_empty_and_complete_map(smooth):
    result = METHOD.integrate(smooth, np.zeros((1, SIDE, SIDE), np.float32), np.array([0]))
    assert not result.maps.any()
    assert result.residual_share.tolist() == [0.0]


def test_the_figures_told_are_those_of_the_map(classifier):
    """What the map sums to, its residual taken off, is the gain in score, asked of the network itself."""
    image = np.random.default_rng(9).random((48, 48)).astype(np.float32)
    told = METHOD.explain_and_tell(classifier, image, 2)
    logits = classifier.network.forward(np.stack([image, np.zeros_like(image)]))[0][:, 2]
    assert told.map.sum() - told.facts["residual"] == pytest.approx(float(logits[0] - logits[1]), rel=1e-3)
    assert told.facts["residual_share"] == pytest.approx(abs(told.facts["residual"] / told.facts["difference"]))
    assert f"{told.facts['residual']:+.2f}" in told.note
    assert f"{100 * told.facts['residual_share']:.1f} % of it, after {told.facts['steps']} steps" in told.note


def test_a_residual_of_no_difference_has_no_share():
    """Only where the score gains nothing at all; JSON knows no infinity."""
    one = Integration(np.ones((1, 2, 2), np.float32), np.array([0.0]), np.array([4.0]), np.array([512]))
    assert one.facts(0)["residual_share"] is None
    assert "residual is +4.00, after 512 steps" in one.note(0)


@pytest.mark.parametrize("bad", [{"first_steps": 0}, {"first_steps": 64, "most_steps": 32}, {"baseline": "pink"}])
def test_impossible_settings_are_refused(smooth, images, bad):
    with pytest.raises(ParameterError):
        METHOD.explain(smooth, images, np.array([0, 1]), **bad)


def test_it_can_be_cancelled_on_the_way(smooth, images):
    def stop(share):
        if share > 0.01:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        METHOD.explain(smooth, images, np.array([0, 1]), stop)
