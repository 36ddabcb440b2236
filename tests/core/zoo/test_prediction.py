"""Probabilities, temperature, typicality."""

import numpy as np
import pytest
from scipy.special import softmax as scipy_softmax
from sklearn.decomposition import PCA

from core.zoo.novelty import PrincipalGaussian, Typicality, threshold
from core.zoo.prediction import TEMPERATURE_BOUNDS, fit_temperature, softmax, to_unit


def test_softmax_is_scipys_even_for_large_logits():
    logits = np.array([[1.0, 2, 3], [1000, 0, -1000], [5, 5, 5]])
    assert np.allclose(softmax(logits), scipy_softmax(logits, axis=-1))


def test_probabilities_are_of_logits_over_the_cards_temperature(classifier):
    images = np.random.default_rng(4).random((6, 48, 48)).astype(np.float32)
    logits = np.asarray(classifier.network.model(np.repeat(images[..., None], 3, axis=-1), training=False))
    prediction = classifier.predict_prepared(images)
    assert np.allclose(prediction.probabilities, scipy_softmax(logits / 1.3, axis=-1), atol=1e-5)
    assert prediction.labels == [classifier.classes[i] for i in logits.argmax(axis=1)]
    assert np.allclose(prediction.confidence, prediction.probabilities.max(axis=1))


def test_bytes_and_floats_of_the_same_image_agree(classifier):
    image = np.random.default_rng(4).integers(0, 256, (1, 48, 48), np.uint8)
    assert np.allclose(
        classifier.probabilities(image), classifier.probabilities(image.astype(np.float32) / 255), atol=1e-6
    )
    assert to_unit(image).dtype == np.float32


def test_temperature_finds_the_one_that_was_hidden():
    generator = np.random.default_rng(0)
    true_logits = generator.normal(0, 2, (20_000, 3))
    chance = softmax(true_logits).cumsum(axis=1)
    labels = (generator.random((20_000, 1)) > chance).sum(axis=1)
    assert fit_temperature(true_logits * 2.5, labels) == pytest.approx(2.5, rel=0.05)


def test_temperature_stays_in_bounds_where_all_is_right():
    logits = np.eye(3)[np.arange(30) % 3] * 5
    temperature = fit_temperature(logits, np.arange(30) % 3)
    assert TEMPERATURE_BOUNDS[0] <= temperature <= TEMPERATURE_BOUNDS[0] * 1.05


@pytest.fixture
def features():
    generator = np.random.default_rng(9)
    return generator.normal(0, 1, (400, 30)) @ generator.normal(0, 1, (30, 30)) + generator.normal(0, 3, 30)


def test_the_density_of_a_class_is_scikit_learns_probabilistic_pca(features):
    ours = PrincipalGaussian.fit(features, n_components=6)
    expected = PCA(n_components=6, svd_solver="full").fit(features).score_samples(features)
    assert np.allclose(ours.score(features) * features.shape[1], expected, rtol=1e-4, atol=1e-3)


@pytest.fixture
def targets(features):
    return np.arange(len(features)) % 3


def test_typicality_adds_both_views_under_the_best_class(features, targets):
    shifted = features + 30 * np.eye(3)[targets].repeat(10, axis=1)
    directions = shifted / np.sqrt((shifted**2).mean(axis=1, keepdims=True))
    total = np.zeros((3, len(shifted)))
    for view in (shifted, directions):
        scores = [PCA(6, svd_solver="full").fit(view[targets == k]).score_samples(view) for k in range(3)]
        total += np.array(scores) / np.max(scores, axis=0).std()
    assert np.allclose(Typicality.fit(shifted, targets, 6).score(shifted), total.max(axis=0), rtol=1e-3, atol=1e-3)


def test_features_of_nothing_have_a_finite_score(features, targets):
    assert np.isfinite(Typicality.fit(features, targets, 6).score(np.zeros((1, 30)))).all()


def test_typicality_survives_its_arrays(features, targets):
    ours = Typicality.fit(features, targets, 6)
    again = Typicality.from_arrays(ours.to_arrays())
    assert np.allclose(again.score(features), ours.score(features))


def test_other_directions_fall_below_the_threshold(features, targets):
    clusters = features * 0.1 + 30 * np.eye(3)[targets].repeat(10, axis=1)
    ours = Typicality.fit(clusters, targets, 6)
    limit = threshold(ours.score(clusters))
    assert (ours.score(clusters) < limit).mean() == pytest.approx(0.01, abs=0.005)
    assert (ours.score(-clusters) < limit).all()
    # Half of one class and half of another is neither.
    assert (ours.score(clusters[:-1] + clusters[1:]) < limit).all()


def test_typicality_of_few_images_is_finite():
    few = np.random.default_rng(1).normal(0, 1, (6, 30))
    assert np.isfinite(Typicality.fit(few, np.arange(6) % 3).score(few)).all()
