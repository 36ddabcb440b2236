"""Figures of a classifier against scikit-learn, scipy and hand-made cases."""

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn import metrics

from core import evaluation
from core.errors import ParameterError

CLASSES = ["BPD", "CRL", "NT"]


@pytest.fixture
def labels() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(3)
    true = generator.integers(0, 3, 200)
    predicted = np.where(generator.random(200) < 0.7, true, generator.integers(0, 3, 200))
    return true, predicted


def test_confusion_matrix_is_scikit_learns(labels):
    true, predicted = labels
    expected = metrics.confusion_matrix(true, predicted, labels=range(3))
    assert np.array_equal(evaluation.confusion_matrix(true, predicted, 3), expected)


def test_rows_are_true_classes():
    matrix = evaluation.confusion_matrix(np.array([0]), np.array([2]), 3)
    assert matrix[0, 2] == 1
    assert matrix.sum() == 1


@pytest.mark.parametrize(("true", "predicted"), [([0, 1], [0]), ([3], [0]), ([0], [-1])])
def test_confusion_matrix_refuses_what_does_not_pair_or_fit(true, predicted):
    with pytest.raises(ParameterError):
        evaluation.confusion_matrix(np.array(true), np.array(predicted), 3)


def test_class_measures_are_scikit_learns(labels):
    true, predicted = labels
    matrix = evaluation.confusion_matrix(true, predicted, 3)
    precision, recall, f1, support = metrics.precision_recall_fscore_support(true, predicted, labels=range(3))
    for index, measures in enumerate(evaluation.class_measures(matrix, CLASSES)):
        negatives = true != index
        assert measures.name == CLASSES[index]
        assert measures.support == support[index]
        assert measures.sensitivity.value == pytest.approx(recall[index])
        assert measures.precision.value == pytest.approx(precision[index])
        assert measures.f1 == pytest.approx(f1[index])
        assert measures.specificity.value == pytest.approx((predicted[negatives] != index).mean())
        assert measures.specificity.n == negatives.sum()


@pytest.mark.parametrize(("hits", "n"), [(0, 12), (12, 12), (7, 12), (400, 853)])
def test_wilson_is_scipys(hits, n):
    share = evaluation.wilson(hits, n)
    expected = binomtest(hits, n).proportion_ci(method="wilson")
    assert (share.low, share.high) == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert share.value == pytest.approx(hits / n)
    assert share.n == n


def test_no_image_gives_no_number():
    share = evaluation.wilson(0, 0)
    assert np.isnan(share.value)
    assert str(share) == "no image"


def test_impossible_counts_are_refused():
    with pytest.raises(ParameterError):
        evaluation.wilson(5, 3)


def test_bootstrap_by_patient_is_wider_than_by_image_where_patients_agree():
    """Ten patients of twenty equal images each hold ten facts, not two hundred."""
    values = np.repeat(np.arange(10) % 2, 20).astype(float)
    by_patient = evaluation.bootstrap_by_patient(values, np.repeat(np.arange(10), 20))
    by_image = evaluation.bootstrap_by_patient(values, np.arange(200))
    assert by_patient.value == by_image.value == 0.5
    assert by_patient.high - by_patient.low > 3 * (by_image.high - by_image.low)


def test_bootstrap_interval_covers_the_truth_about_as_often_as_it_says():
    generator = np.random.default_rng(0)
    covered = 0
    for trial in range(100):
        share = evaluation.bootstrap_by_patient(generator.random(150) < 0.8, np.arange(150), seed=trial)
        covered += share.low <= 0.8 <= share.high
    assert 88 <= covered <= 100


def test_interval_does_not_collapse_when_all_images_agree():
    share = evaluation.share_by_patient(np.ones(40, bool), np.repeat(np.arange(8), 5))
    assert share.value == share.high == 1
    assert share.low == pytest.approx(evaluation.wilson(8, 8).low)


def test_one_image_a_patient_is_wilson():
    hits = np.array([True, False, True])
    assert evaluation.share_by_patient(hits, np.arange(3)) == evaluation.wilson(2, 3)


def test_expected_calibration_error_of_known_cases():
    certain = np.tile([1.0, 0.0], (10, 1))
    assert evaluation.expected_calibration_error(certain, np.zeros(10, int)) == 0
    assert evaluation.expected_calibration_error(certain, np.ones(10, int)) == 1
    # Says 0.8 and is right 8 times of 10: calibrated.
    calibrated = np.tile([0.8, 0.2], (10, 1))
    assert evaluation.expected_calibration_error(calibrated, np.array([0] * 8 + [1] * 2)) == pytest.approx(0)


def test_entropy_of_known_cases():
    rows = np.array([[1, 0, 0], [0.5, 0.5, 0], [1 / 3, 1 / 3, 1 / 3]])
    assert evaluation.entropy(rows) == pytest.approx([0, 1, np.log2(3)])
    assert not np.signbit(evaluation.entropy(rows)[0])


def test_mean_recall_is_scikit_learns_balanced_accuracy():
    generator = np.random.default_rng(3)
    true = generator.choice(4, 300, p=[0.7, 0.1, 0.1, 0.1])
    predicted = np.where(generator.random(300) < 0.7, true, generator.integers(0, 4, 300))
    share = evaluation.mean_recall(true, true == predicted, np.arange(300) // 2)
    assert share.value == pytest.approx(metrics.balanced_accuracy_score(true, predicted))
    assert share.low < share.value < share.high
    assert share.n == 300
    assert np.isnan(evaluation.mean_recall(np.zeros(0), np.zeros(0), np.zeros(0)).value)
