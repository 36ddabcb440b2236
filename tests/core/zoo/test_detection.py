"""Verdicts of detectors: what probabilities come to, a detector trained on shapes, and the tests it is put to."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from core.corruption import CORRUPTIONS
from core.corruption.severity import intensity_of
from core.datasets import load
from core.errors import DatasetError, ParameterError
from core.evaluation import wilson
from core.preprocessing import clean
from core.similarity import Reference
from core.zoo import load_model
from core.zoo.assessment import read_evaluation, record
from core.zoo.detection import Detection, Detector, judge
from core.zoo.detector_tests import PROTOCOLS, VARIATIONS, Case, assess_detector, foreign_image
from core.zoo.prediction import Prediction, to_unit
from core.zoo.training import TrainingSettings, preset, train
from core.zoo.training.corrupted import thesis_classes, varied_clean
from core.zoo.training.severity import LEAST_SEVERITY, Plan, _thresholds

KINDS = list(CORRUPTIONS)


@pytest.fixture(scope="module")
def detector(shape_folder, tmp_path_factory) -> Detector:
    """A detector of severities with random weights before its last layers, trained on shapes for a moment."""
    out = tmp_path_factory.mktemp("detectors") / "severities"
    settings = preset("default", "corruption", "mobilenet_v2", size=64, phantoms=0, copies=3, epochs=3, batch_size=32)
    train(load(shape_folder), settings, out, weights=None, command="train", report=lambda line: None)
    assert sorted(path.name for path in out.iterdir()) == ["card.json", "history.csv", "weights.npz"]
    return load_model(out.name, out.parent)


def answer(detector, *, original=0.0, unlike=False, **kinds):
    """A detection of one image in which the kinds named have (probability, severity)."""
    presence = np.array([[original, *(kinds.get(kind, (0.0, 0.0))[0] for kind in detector.kinds)]])
    severities = np.array([[kinds.get(kind, (0.0, 0.0))[1] for kind in detector.kinds]])
    return Detection(detector.classes, presence / presence.sum(), np.zeros(1), np.array([unlike]), presence, severities)


def verdict(detector, **values):
    return judge(detector, answer(detector, **values))[0]


@pytest.fixture(scope="module")
def bounded(detector):
    """The detector with thresholds that a test can rely on."""
    detection = {**detector.card.detection, "corrupted": 0.2, "original": 0.6, "named": 0.5}
    return Detector(replace(detector.card, detection=detection), detector.network, detector.typicality)


# ---------------------------------------------------------------------------------------------------------------------
# Verdicts


def test_what_is_found_is_named_the_most_severe_first(bounded):
    found = verdict(bounded, blur=(0.9, 1.2), noise=(0.99, 3.4), jpeg=(0.4, 4.0), original=0.01)
    assert found.label == "noise + blur"
    assert [finding.kind for finding in found.findings] == ["noise", "blur"]
    assert "severity 3.4" in found.reason
    assert f"{intensity_of('noise', 3.4):.3g}" in found.reason
    assert found.is_corrupted


def test_clean_frames_pass_and_it_says_unknown_where_it_should_not_guess(bounded):
    passed = verdict(bounded, original=0.9, blur=(0.7, 2.0))
    assert passed.label == "original"
    assert "looks like blur" in passed.reason
    assert verdict(bounded, original=0.9, blur=(0.3, 2.0)).reason == "No corruption was found."
    for doubtful, why in (
        (verdict(bounded, original=0.4, blur=(0.9, 1.0)), "not sure enough"),
        (verdict(bounded, original=0.1, blur=(0.3, 1.0)), "no one kind"),
        (verdict(bounded, original=0.9, unlike=True), "unlike"),
    ):
        assert doubtful.label == "unknown"
        assert why in doubtful.reason
        assert not doubtful.is_corrupted


def test_thresholds_of_the_card_decide(bounded):
    assert verdict(bounded, blur=(0.5, 2.0), original=0.1999).label == "blur"
    assert verdict(bounded, blur=(0.4999, 2.0), original=0.1999).label == "unknown"
    assert verdict(bounded, blur=(0.5, 2.0), original=0.2).label == "unknown"
    assert verdict(bounded, blur=(0.5, 2.0), original=0.6).label == "original"


def test_thresholds_are_set_by_clean_frames():
    """A thousand clean frames and as many blurred ones whose probabilities are known."""
    kinds = ["blur", "noise"]
    ranks = (np.arange(1000) + 0.5) / 1000
    answers = np.zeros((2000, 8), np.float32)
    answers[:1000, 0] = 1
    answers[1000:, 1] = 1
    presence = np.full((2000, 3), 0.01)
    presence[:1000, 0] = ranks
    presence[:1000, 1] = 1 - ranks
    presence[1000:, 0] = ranks / 10
    presence[1000:, 1] = 0.9
    logits = np.concatenate([np.log(presence / (1 - presence)), np.zeros((2000, 2))], axis=1)
    detection, measured = _thresholds(logits, answers, kinds)
    assert measured["false alarms on clean frames"].value == pytest.approx(0.01)
    assert measured["unknown of clean frames"].value == pytest.approx(0.04)
    assert detection["corrupted"] == pytest.approx(0.0105, abs=1e-4)
    assert detection["original"] == pytest.approx(0.05, abs=1e-3)
    assert measured["corrupted frames found"].value == pytest.approx(0.105, abs=0.001)
    assert measured["corrupted frames passed as original"].value == pytest.approx(0.5, abs=0.01)


def test_four_classes_get_verdicts_too(classifier):
    classes = thesis_classes()
    rows = np.array([[0.9, 0.1, 0, 0], [0.1, 0.2, 0.7, 0], [0.4, 0.3, 0.2, 0.1], [0.9, 0.1, 0, 0]])
    prediction = Prediction(classes, rows, np.zeros(4), np.array([False, False, False, True]))
    verdicts = judge(classifier, prediction)
    assert [one.label for one in verdicts] == ["original", "blur", "unknown", "unknown"]
    assert verdicts[1].findings[0].severity is None
    assert verdicts[1].reason == "Blur."


# ---------------------------------------------------------------------------------------------------------------------
# Training


def test_a_plan_asks_what_can_be_answered():
    plan = Plan.draw(200, 5, KINDS, seed=1)
    answers = plan.answers(KINDS)
    there, asked, severity = np.split(answers, [1 + len(KINDS), 2 * (1 + len(KINDS))], axis=1)
    assert plan.fingerprint() == Plan.draw(200, 5, KINDS, seed=1).fingerprint()
    assert plan.fingerprint() != Plan.draw(200, 5, KINDS, seed=2).fingerprint()
    counts = np.array([len(steps) for steps in plan.steps])
    np.testing.assert_allclose(np.bincount(counts) / len(counts), (0.3, 0.45, 0.2, 0.05), atol=0.05)
    np.testing.assert_array_equal(there[:, 0], counts == 0)
    for row, steps in enumerate(plan.steps):
        for kind, level in steps:
            place = KINDS.index(kind)
            assert severity[row, place] == pytest.approx(level / 5)
            assert there[row, 1 + place] == asked[row, 1 + place] == (level >= LEAST_SEVERITY)
    assert ((severity > 0).sum(axis=1) == counts).all()
    slight = [bool(steps) and max(level for _, level in steps) < LEAST_SEVERITY for steps in plan.steps]
    np.testing.assert_array_equal(asked[:, 0], ~np.array(slight))
    assert any(slight)


def test_the_card_describes_the_detector(detector):
    card = detector.card
    assert isinstance(detector, Detector)
    assert card.task == "corruption"
    assert card.input["chain"] == "detector"
    assert card.classes == ["original", *KINDS]
    assert card.detection["kinds"] == KINDS
    assert 0 < card.detection["corrupted"] <= card.detection["original"] < 1
    assert card.training["samples"]["train"] > 3 * card.training["samples"]["validation"]
    alarms = next(metric for metric in card.metrics if metric.name == "false alarms on clean frames")
    assert alarms.value <= 0.01


def test_a_detector_answers_like_any_classifier(detector, shape):
    images = np.stack([detector.prepare(shape("BPD", seed)) for seed in range(3)])
    prediction = detector.predict_prepared(images)
    np.testing.assert_allclose(prediction.probabilities.sum(axis=1), 1)
    np.testing.assert_allclose(prediction.probabilities, detector.probabilities(images))
    logits = detector.network.forward(to_unit(images))[0]
    np.testing.assert_allclose(prediction.presence, 1 / (1 + np.exp(-logits[:, : 1 + len(KINDS)])), rtol=1e-5)
    np.testing.assert_allclose(prediction.severities, 5 / (1 + np.exp(-logits[:, 1 + len(KINDS) :])), rtol=1e-5)


def test_only_backbones_with_texture_layers_become_detectors(shape_folder, tmp_path):
    with pytest.raises(ParameterError, match="texture layers; detectors of severity use mobilenet_v2"):
        train(load(shape_folder), preset("default", "corruption", "cnn"), tmp_path / "x", weights=None)


def test_the_thesis_preset_is_the_corruption_thesis():
    settings = preset("thesis", "corruption", "vgg16")
    assert (settings.optimiser, settings.batch_size, settings.epochs, settings.size) == ("adam", 64, 100, 174)
    assert settings.architecture == {"dense": 1024}
    assert not settings.severities
    assert preset("default", "corruption", "mobilenet_v2").severities
    assert preset("thesis", "plane", "vgg16").optimiser == "sgd"


def test_clean_frames_vary_harmlessly(shape):
    from core.preprocessing import PreprocessingSettings

    cleaned = clean(shape("BPD", 1, 200), PreprocessingSettings())
    shapes = set()
    for seed in range(12):
        varied = varied_clean(cleaned, np.random.default_rng(seed))
        assert varied.gray.shape == varied.sector.shape
        assert varied.gray.dtype == np.uint8
        assert varied.gray.mean() == pytest.approx(cleaned.gray.mean(), rel=0.15)
        shapes.add(varied.gray.shape)
    assert len(shapes) > 8


# ---------------------------------------------------------------------------------------------------------------------
# Tests of detectors


@pytest.fixture(scope="module")
def table(shape_folder):
    frames = load(shape_folder)
    return frames.chosen(np.arange(len(frames)) < 4)


@pytest.mark.parametrize(
    ("protocol", "originals", "others"),
    [
        ("basic", 1, {"scale_up": 1, "blur": 1, "noise": 1}),
        ("foreign", 1, {"scale_up": 1, "blur": 1, "noise": 1}),
        ("full", 19, {"scale_up": 7, "blur": 5, "noise": 7}),
        ("limits", 19, {"scale_up": 7, "blur": 5, "noise": 7}),
        ("clean", VARIATIONS, {}),
        ("severities", 1, dict.fromkeys(KINDS, 5)),
    ],
)
def test_protocols_hold_what_they_promise(detector, table, protocol, originals, others):
    result = assess_detector(detector, table, protocol)
    counts = result.rows["label"].value_counts().to_dict()
    assert counts == {name: 4 * count for name, count in {"original": originals, **others}.items()}
    assert result.rows["patient"].nunique() == 4
    corrupted = result.rows["kind"] != "original"
    if protocol != "limits":
        assert ((result.rows["intensity"] > 0) == corrupted).all()
    assert result.rows["ssim"].between(0, 1).all()
    assert set(result.detection) == {"false alarms on clean frames", "clean frames called unknown"}


def test_limits_count_slight_corruption_as_original(detector, table):
    rows = assess_detector(detector, table, "limits").rows
    for kind, group in rows.groupby("kind"):
        limit = CORRUPTIONS[kind].published_limit
        np.testing.assert_array_equal(group["label"] == "original", group["intensity"] < limit)


def test_alarms_are_counted_from_verdicts(detector, table):
    result = assess_detector(detector, table, "clean")
    named = ~result.rows["verdict"].isin(["original", "unknown"])
    assert result.detection["false alarms on clean frames"].value == pytest.approx(named.mean())
    # Small heads matter to what is called a head, not to what is called corrupted.
    assert replace(result, rows=result.rows.assign(circumference_mm=90.0, split="test")).parts == {}


@pytest.mark.parametrize("kind", ["scale_up", "blur", "noise"])
def test_others_code_does_about_the_same(kind):
    """Or the foreign test would test something else."""
    from core.phantom import generate
    from core.preprocessing import PreprocessingSettings

    cleaned = clean(generate("BPD", 3, size=348).image, PreprocessingSettings())
    intensity = intensity_of(kind, 2)
    reference = Reference(cleaned.gray)
    theirs, similarity = foreign_image(cleaned, Case(kind, intensity, (5,)), 174, reference)
    assert theirs.shape == (174, 174)
    assert theirs.dtype == np.uint8
    ours = CORRUPTIONS[kind].apply(cleaned.gray, intensity, 5, cleaned.sector)
    small = np.asarray(Image.fromarray(ours).resize((174, 174), Image.Resampling.BICUBIC))
    assert similarity == pytest.approx(reference.ssim(ours, cleaned.sector), abs=0.12)
    assert np.abs(small.astype(float).std() - theirs.astype(float).std()) < 8


def test_records_and_wrong_requests(detector, table, tmp_path):
    result = assess_detector(detector, table, "basic")
    card = record(result, detector.card, tmp_path, "a basic test", ["evaluate"])
    names = {metric.name for metric in card.metrics if metric.data == "a basic test"}
    assert {"accuracy", "mean recall", "false alarms on clean frames", "clean frames called unknown"} <= names
    rows = read_evaluation(tmp_path.name, tmp_path.parent, classes=detector.classes)
    assert len(rows) == 16
    assert {"kind", "intensity", "ssim", "verdict"} <= set(rows)
    hits = int((rows["label"] == rows["predicted"]).sum())
    assert result.accuracy.value == pytest.approx(wilson(hits, 16).value)
    with pytest.raises(ParameterError, match="no protocol 'hard'; choose one of basic"):
        assess_detector(detector, table, "hard")
    assert "basic" in PROTOCOLS


def test_frames_that_cannot_be_read_are_listed(detector, tmp_path, shape):
    import cv2

    (tmp_path / "a").mkdir()
    cv2.imwrite(str(tmp_path / "a" / "good.png"), shape("BPD", 1))
    table = load(tmp_path)
    (tmp_path / "a" / "good.png").write_bytes(b"no picture")
    with pytest.raises(DatasetError, match="None of the images could be read"):
        assess_detector(detector, table, "basic")


def test_training_settings_refuse_no_copies():
    with pytest.raises(ParameterError, match="copies"):
        TrainingSettings(task="corruption", copies=0)
