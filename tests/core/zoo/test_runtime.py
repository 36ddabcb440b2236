"""One compiled function per batch shape; results do not depend on how images were cut into batches."""

import numpy as np
import pytest

from core.zoo.forward import BATCH_SIZES
from core.zoo.runtime import _batch_plan


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(2).random((45, 48, 48)).astype(np.float32)


@pytest.mark.parametrize("n", [1, 2, 5, 8, 9, 31, 32, 33, 45, 100])
def test_plan_covers_every_image_once_with_known_shapes(n):
    plan = _batch_plan(n)
    assert sum(used for _, used in plan) == n
    assert {batch for batch, _ in plan} <= set(BATCH_SIZES)
    assert all(0 < used <= batch for batch, used in plan)


def test_batches_agree_with_the_plain_model(network, images):
    three = np.repeat(images[..., None], 3, axis=-1)
    expected = np.asarray(network.model(three, training=False))
    for n in (1, 3, 9, 45):
        logits, pooled = network.forward(images[:n])
        assert np.allclose(logits, expected[:n], atol=1e-4)
        assert pooled.shape == (n, 64)


def test_input_range_is_applied_inside(network, images):
    from core.zoo.architectures import POOLED_LAYER
    from core.zoo.runtime import CompiledNetwork

    shifted = CompiledNetwork(
        network.model, input_range=(-1.0, 1.0), feature_layer="features", pooled_layer=POOLED_LAYER
    )
    expected = network.model(np.repeat(2 * images[:4, ..., None] - 1, 3, axis=-1), training=False)
    assert np.allclose(shifted.forward(images[:4])[0], np.asarray(expected), atol=1e-4)


def test_functions_are_compiled_once_per_shape(network, images):
    targets = np.zeros(len(images), int)
    network.input_gradient(images, targets)
    before = dict(network._functions)
    network.input_gradient(images[::-1], targets)
    assert network._functions == before


def test_gradient_is_the_finite_difference(network, images):
    """Over many directions, because single ones may step over a kink of a maximum."""
    image = images[0]
    logits, gradient = network.input_gradient(image[None], np.array([1]))
    directions = np.random.default_rng(5).normal(0, 1, (40, *image.shape)).astype(np.float32)
    step = np.float32(1e-3)
    scores = [network.forward(image + sign * step * directions)[0][:, 1] for sign in (1, -1)]
    expected = (scores[0] - scores[1]) / (2 * step)
    predicted = (gradient[0].sum(axis=-1) * directions).sum(axis=(1, 2))
    assert np.corrcoef(predicted, expected)[0, 1] > 0.99
    assert np.polyfit(predicted, expected, 1)[0] == pytest.approx(1, abs=0.05)
    assert logits.shape == (1, 3)


def test_no_image_is_refused(network):
    with pytest.raises(ValueError, match="at least one"):
        network.forward(np.zeros((0, 48, 48), np.float32))


def test_threads_may_share_a_network(network, images):
    from concurrent.futures import ThreadPoolExecutor

    expected = network.forward(images[:8])[0]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: network.forward(images[:8])[0], range(12)))
    assert all(np.array_equal(answer, expected) for answer in answers)
