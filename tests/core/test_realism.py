import numpy as np
import pytest
from sklearn.metrics.pairwise import polynomial_kernel

from core.errors import ParameterError
from core.realism import frechet_distance, kernel_distance, principal_components, probe_accuracy


def gaussian(seed, n, mean, covariance):
    return np.random.default_rng(seed).multivariate_normal(mean, covariance, n)


def with_moments(features, mean, root):
    """Features moved and stretched until mean and covariance are exactly those asked for."""
    centred = features - features.mean(axis=0)
    whitened = centred @ np.linalg.inv(np.linalg.cholesky(np.cov(centred, rowvar=False))).T
    return whitened @ root.T + mean


def test_frechet_distance_of_gaussians_with_a_common_frame_of_axes():
    """|m1 - m2|^2 + sum (s1 - s2)^2 when the covariances commute, in any orientation."""
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))[0]
    deviations = np.array([[1.0, 2.0, 0.5, 3.0], [2.0, 2.5, 0.1, 1.0]])
    means = np.array([[0.0, 1.0, 2.0, 3.0], [1.0, 1.0, 0.0, 5.0]])
    noise = np.random.default_rng(1).normal(size=(2, 60, 4))
    first, second = (with_moments(noise[k], means[k], turn @ np.diag(deviations[k])) for k in range(2))
    expected = np.sum((means[0] - means[1]) ** 2) + np.sum((deviations[0] - deviations[1]) ** 2)
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-9)


def test_frechet_distance_of_covariances_that_do_not_commute():
    from scipy.linalg import sqrtm

    noise = np.random.default_rng(2).normal(size=(2, 50, 3))
    roots = np.random.default_rng(3).normal(size=(2, 3, 3))
    first, second = (with_moments(noise[k], np.zeros(3), roots[k]) for k in range(2))
    a, b = (root @ root.T for root in roots)
    expected = np.trace(a) + np.trace(b) - 2 * np.trace(sqrtm(a @ b).real)
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-8)


def test_a_set_lies_at_no_distance_from_itself():
    features = np.random.default_rng(0).normal(size=(40, 6))
    assert frechet_distance(features, features) == pytest.approx(0, abs=1e-9)


def test_kernel_distance_agrees_with_scikit_learn():
    generator = np.random.default_rng(4)
    first, second = generator.normal(size=(30, 8)), generator.normal(0.4, 1.2, size=(45, 8))
    within = []
    for features in (first, second):
        kernel = polynomial_kernel(features, degree=3, gamma=1 / 8, coef0=1)
        within.append(kernel[~np.eye(len(kernel), dtype=bool)].mean())
    between = polynomial_kernel(first, second, degree=3, gamma=1 / 8, coef0=1).mean()
    result = kernel_distance(first, second, subsets=20, size=10)
    assert result.value == pytest.approx(sum(within) - 2 * between, rel=1e-10)
    assert result.n == (30, 45)


def test_kernel_distance_is_unbiased_where_both_sets_are_alike():
    values = []
    for seed in range(200):
        first, second = np.random.default_rng(seed).normal(size=(2, 20, 5))
        values.append(kernel_distance(first, second, subsets=1, size=5).value)
    assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(len(values))
    assert min(values) < 0


def test_kernel_distance_grows_with_the_shift_and_its_range_holds_it():
    generator = np.random.default_rng(5)
    still = generator.normal(size=(200, 5))
    shifted = [kernel_distance(still, generator.normal(shift, 1, size=(200, 5))) for shift in (0.3, 0.8, 2.0)]
    assert shifted[0].value < shifted[1].value < shifted[2].value
    assert all(one.low < one.value < one.high for one in shifted)


def test_principal_components_find_the_directions_that_vary():
    features = gaussian(0, 400, np.zeros(5), np.diag([9.0, 1e-4, 4.0, 1e-4, 1e-4]))
    mean, directions = principal_components(features, 2)
    assert np.allclose(mean, features.mean(axis=0))
    assert np.allclose(np.abs(directions[[0, 2], [0, 1]]), 1, atol=0.02)
    with pytest.raises(ParameterError, match="cannot be reduced to 6 dimensions"):
        principal_components(features, 6)


def test_the_probe_tells_what_differs_and_guesses_what_does_not():
    generator = np.random.default_rng(6)
    first, alike = generator.normal(size=(2, 150, 10))
    patients = (np.arange(150), np.arange(150))
    assert probe_accuracy(first, alike + 4, patients).value > 0.99
    guess = probe_accuracy(first, alike, patients)
    assert guess.low < 0.5 < guess.high
    assert guess.n == 300


def test_the_probe_never_asks_about_a_patient_it_has_learnt_from():
    """Five identical images a patient: a probe that saw one of them would know the others."""
    generator = np.random.default_rng(7)
    people = generator.normal(size=(2, 40, 400))
    features = [np.repeat(part, 5, axis=0) for part in people]
    patients = [np.repeat(np.arange(40), 5)] * 2
    assert probe_accuracy(*features, tuple(patients)).value < 0.75


def test_sets_that_cannot_be_compared_are_refused():
    for first, second in ((np.zeros((5, 3)), np.zeros((5, 4))), (np.zeros((1, 3)), np.zeros((5, 3)))):
        for distance in (frechet_distance, kernel_distance):
            with pytest.raises(ParameterError, match="cannot be compared"):
                distance(first, second)
