"""Figures of a classifier against scikit-learn, scipy and hand-made cases."""

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn import calibration, metrics

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


@pytest.fixture
def answers() -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (500, 3) that are too sure of themselves, and true classes."""
    generator = np.random.default_rng(11)
    probabilities = generator.dirichlet([0.5, 0.5, 0.5], 500)
    softer = probabilities**0.5 / (probabilities**0.5).sum(axis=1, keepdims=True)
    true = (generator.random((500, 1)) > softer.cumsum(axis=1)).sum(axis=1)
    return probabilities, np.minimum(true, 2)


@pytest.mark.parametrize("bins", [5, 10, 15])
def test_reliability_is_scikit_learns_calibration_curve(answers, bins):
    probabilities, true = answers
    correct = probabilities.argmax(axis=1) == true
    share, confidence = calibration.calibration_curve(correct, probabilities.max(axis=1), n_bins=bins)
    ours = evaluation.reliability(probabilities, true, bins=bins)
    filled = [one for one in ours if one.n]
    assert len(ours) == bins
    assert [one.accuracy.value for one in filled] == pytest.approx(share)
    assert [one.confidence for one in filled] == pytest.approx(confidence)
    for one in filled:
        inside = (probabilities.max(axis=1) > one.low) & (probabilities.max(axis=1) <= one.high)
        assert one.n == inside.sum()
        assert one.accuracy == evaluation.wilson(int(correct[inside].sum()), one.n)


def test_a_confidence_on_the_edge_belongs_to_the_bin_below():
    half = np.array([[0.5, 0.5]])
    (one,) = (one for one in evaluation.reliability(half, [0], bins=10) if one.n)
    assert (one.low, one.high) == (0.4, 0.5)


def test_a_bin_without_images_has_no_number(answers):
    empty = evaluation.reliability(*answers, bins=10)[0]
    assert empty.n == 0
    assert np.isnan([empty.confidence, empty.accuracy.value]).all()


def test_reliability_by_patient_is_less_sure_where_patients_have_many_images(answers):
    probabilities, true = (np.repeat(values, 20, axis=0) for values in answers)
    by_image = evaluation.reliability(probabilities, true)[-1].accuracy
    by_patient = evaluation.reliability(probabilities, true, patients=np.arange(10_000) // 20)[-1].accuracy
    assert by_patient.value == by_image.value
    assert by_patient.high - by_patient.low > 2 * (by_image.high - by_image.low)


@pytest.mark.parametrize("bins", [4, 15])
def test_calibration_errors_are_a_mean_and_a_maximum_over_images_bins(answers, bins):
    """Counted image by image, with the bins' edges compared one by one."""
    probabilities, true = answers
    groups = {}
    for row, answer in zip(probabilities, true, strict=True):
        number = next(i for i in range(bins) if max(row) <= (i + 1) / bins)
        groups.setdefault(number, []).append((max(row), float(row[answer] == max(row))))
    gaps = {i: abs(np.mean([c for c, _ in g]) - np.mean([hit for _, hit in g])) for i, g in groups.items()}
    expected = sum(len(groups[i]) * gap for i, gap in gaps.items()) / len(true)
    assert expected > 0.05
    assert evaluation.expected_calibration_error(probabilities, true, bins=bins) == pytest.approx(expected)
    assert evaluation.maximum_calibration_error(probabilities, true, bins=bins) == pytest.approx(max(gaps.values()))


def test_scores_are_scikit_learns(answers):
    probabilities, true = answers
    brier = metrics.brier_score_loss(true, probabilities, labels=range(3), scale_by_half=False)
    assert evaluation.brier_score(probabilities, true) == pytest.approx(brier)
    likelihood = metrics.log_loss(true, probabilities, labels=range(3))
    assert evaluation.negative_log_likelihood(probabilities, true) == pytest.approx(likelihood)


def test_scores_of_known_cases():
    certain = np.array([[1.0, 0.0]])
    assert evaluation.brier_score(certain, [0]) == evaluation.negative_log_likelihood(certain, [0]) == 0
    assert evaluation.brier_score(certain, [1]) == 2
    assert evaluation.negative_log_likelihood(certain, [1], floor=5e-6) == pytest.approx(-np.log(5e-6))


def test_no_image_has_no_calibration():
    none = np.zeros((0, 3)), np.zeros(0, int)
    for measure in (
        evaluation.expected_calibration_error,
        evaluation.maximum_calibration_error,
        evaluation.brier_score,
        evaluation.negative_log_likelihood,
    ):
        assert np.isnan(measure(*none))
    assert all(one.n == 0 for one in evaluation.reliability(*none))
    with pytest.raises(ParameterError, match="no labelled image"):
        evaluation.accuracy_kept(*none)


@pytest.mark.parametrize("measure", [evaluation.brier_score, evaluation.reliability, evaluation.accuracy_kept])
@pytest.mark.parametrize("true", [[0, 1], [3], [-1]])
def test_labels_that_do_not_pair_or_fit_are_refused(measure, true):
    with pytest.raises(ParameterError):
        measure(np.array([[0.2, 0.3, 0.5]]), np.array(true))


def test_accuracy_kept_is_counted_threshold_by_threshold(answers):
    probabilities, true = answers
    confidence, correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == true
    curve = evaluation.accuracy_kept(probabilities, true)
    assert len(curve.share) == evaluation.CURVE_POINTS
    for threshold, share, accuracy in zip(curve.threshold, curve.share, curve.accuracy, strict=True):
        kept = confidence >= threshold
        assert share == pytest.approx(kept.mean())
        assert accuracy == evaluation.wilson(int(correct[kept].sum()), int(kept.sum()))
    assert curve.share[-1] == 1
    assert np.all(np.diff(curve.share) > 0)
    order = np.argsort(-confidence)
    assert curve.area == pytest.approx(np.mean(np.cumsum(correct[order]) / np.arange(1, 501)))


def test_area_of_perfect_useless_and_tied_orders():
    # Two of four are right.
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4]])
    true = np.array([0, 0, 1, 1])
    assert evaluation.accuracy_kept(probabilities, true).area == pytest.approx((1 + 1 + 2 / 3 + 1 / 2) / 4)
    worst = evaluation.accuracy_kept(probabilities, true, score=-probabilities[:, 0])
    assert worst.area == pytest.approx((0 + 0 + 1 / 3 + 1 / 2) / 4)
    tied = evaluation.accuracy_kept(np.tile([0.8, 0.2], (4, 1)), true)
    assert tied.area == pytest.approx(0.5)
    assert list(tied.share) == [1.0]


def test_area_does_not_depend_on_the_order_of_rows(answers):
    probabilities, true = answers
    rounded = probabilities.round(1)
    shuffled = np.random.default_rng(0).permutation(len(true))
    first = evaluation.accuracy_kept(rounded, true)
    again = evaluation.accuracy_kept(rounded[shuffled], true[shuffled])
    assert first.area == pytest.approx(again.area)
    assert np.array_equal(first.share, again.share)


def test_accuracy_kept_by_patient_is_less_sure(answers):
    probabilities, true = (np.repeat(values, 10, axis=0) for values in answers)
    patients = np.arange(5000) // 10
    by_patient = evaluation.accuracy_kept(probabilities, true, patients=patients, points=5).accuracy[-1]
    by_image = evaluation.accuracy_kept(probabilities, true, points=5).accuracy[-1]
    assert by_patient.high - by_patient.low > 2 * (by_image.high - by_image.low)


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
