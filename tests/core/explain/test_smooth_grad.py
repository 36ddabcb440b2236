"""SmoothGrad against a plain loop over one tape, and what its options must do."""

import numpy as np
import pytest

from core.errors import Cancelled, ParameterError
from core.explain import get_method

METHOD = get_method("smooth_grad")


@pytest.fixture(scope="module")
def image():
    return (0.2 + 0.5 * np.random.default_rng(4).random((48, 48))).astype(np.float32)


@pytest.mark.parametrize("squared", [False, True])
def test_it_is_the_plain_loop(classifier, gradient_of, image, squared):
    """11 copies: a full batch and a part of one. The noise is a share of the image's range, which is 0.5 here."""
    generator = np.random.default_rng(7)
    total = np.zeros((48, 48, 3))
    for _ in range(11):
        noisy = image + 0.2 * (image.max() - image.min()) * generator.standard_normal((48, 48), np.float32)
        _, gradient = gradient_of(classifier.network.model, np.repeat(noisy[None, ..., None], 3, axis=-1), 2)
        total += gradient[0] ** 2 if squared else gradient[0]
    expected = np.abs(total / 11).max(axis=-1)
    options = {"noise": 0.2, "samples": 11, "squared": squared, "seed": 7}
    ours = METHOD.explain(classifier, image[None], np.array([2]), **options)[0]
    assert np.allclose(ours, expected, atol=1e-4 * expected.max())


def test_without_noise_it_is_the_saliency_map(classifier, image):
    ours = METHOD.explain(classifier, image[None], np.array([1]), noise=0.0, samples=3)
    expected = get_method("saliency").explain(classifier, image[None], np.array([1]))
    assert np.allclose(ours, expected, rtol=1e-4)


def test_the_seed_decides_the_noise(classifier, image):
    first, again, other = (
        METHOD.explain(classifier, image[None], np.array([1]), samples=8, seed=seed) for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.allclose(first, other)


@pytest.mark.parametrize("bad", [{"noise": -0.1}, {"noise": np.nan}, {"samples": 0}])
def test_impossible_settings_are_refused(classifier, image, bad):
    with pytest.raises(ParameterError):
        METHOD.explain(classifier, image[None], np.array([0]), **bad)


def test_it_can_be_cancelled_between_batches(classifier, image):
    shares = []

    def stop(share):
        shares.append(share)
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        METHOD.explain(classifier, image[None], np.array([0]), stop, samples=16)
    assert shares == [0.5]
