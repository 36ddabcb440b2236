"""Every number of a move against an independent computation, on phantoms and a tiny network."""

import hashlib
from dataclasses import replace

import cv2
import numpy as np
import pytest
from scipy.stats import spearmanr
from skimage.metrics import structural_similarity

from core.corruption import CORRUPTIONS, corrupt
from core.corruption.chain import Chain
from core.errors import ParameterError
from core.explain import get_method
from core.live import DIFFERENCE_SHOWN, MAP_SIDE, PICTURE_SIDE, LiveSubject
from core.preprocessing import clean, finish
from core.zoo.prediction import Classifier


@pytest.fixture(scope="module")
def cleaned(classifier):
    from core.phantom import generate

    return clean(generate("BPD", 11, size=200).image, classifier.settings)


@pytest.fixture(scope="module")
def detector(classifier):
    """The tiny network, its three classes taken for a detector's."""
    card = replace(
        classifier.card,
        task="corruption",
        classes=["original", "blur", "noise"],
        input={**classifier.card.input, "chain": "detector"},
    )
    return Classifier(card, classifier.network, classifier.typicality)


@pytest.fixture(scope="module")
def subject(cleaned, classifier, detector):
    return LiveSubject(cleaned, classifier, detector)


@pytest.fixture(scope="module")
def move(subject):
    return subject.move("noise", 0.1, seed=4)


def decoded(picture: bytes) -> np.ndarray:
    pixels = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_UNCHANGED)
    return pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def prepared(cleaned, gray, model, chain="plane") -> np.ndarray:
    return finish(replace(cleaned, gray=gray), model.settings, chain=chain, size=model.card.size)


def test_the_image_is_the_corruption_of_the_clean_frame(cleaned, move):
    np.testing.assert_array_equal(move.image, corrupt(cleaned.gray, "noise", 0.1, 4, cleaned.sector))


@pytest.mark.parametrize("definition", ["wang", "skimage"])
def test_similarity_is_scikit_images(cleaned, move, definition):
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False} if definition == "wang" else {}
    frame, values = structural_similarity(cleaned.gray, move.image, data_range=255, full=True, **options)
    assert move.ssim[definition, "frame"] == pytest.approx(frame, abs=1e-6)
    assert move.ssim[definition, "sector"] == pytest.approx(values[cleaned.sector].mean(), abs=1e-6)
    if definition == "wang":
        np.testing.assert_allclose(move.ssim_map, values, atol=1e-6)


def test_the_answer_is_the_models_own_of_the_frame_it_would_be_given(cleaned, move, classifier):
    expected = classifier.predict_prepared(prepared(cleaned, move.image, classifier)[None])
    answer = move.look.prediction
    np.testing.assert_allclose(answer.probabilities, expected.probabilities, atol=1e-6)
    np.testing.assert_allclose(answer.typicality, expected.typicality, rtol=1e-4)
    assert answer.unlike_training.tolist() == expected.unlike_training.tolist()


def test_the_detector_judges_its_own_view_of_the_frame(cleaned, move, detector):
    seen = prepared(cleaned, move.image, detector, chain="detector")
    assert not np.array_equal(seen, move.look.image)
    (row,) = detector.probabilities(seen[None])
    if row.max() < 0.5:
        assert move.verdict.label == "unknown"
    else:
        assert move.verdict.label == detector.classes[row.argmax()]
    assert move.verdict.probability == pytest.approx(row[0], abs=1e-6)


def test_both_maps_are_of_the_class_of_the_clean_frame(cleaned, subject, move, classifier):
    clean_input = prepared(cleaned, cleaned.gray, classifier)
    target = int(classifier.probabilities(clean_input[None])[0].argmax())
    assert subject.target == classifier.classes[target]
    method = get_method("cam")
    for look, gray in ((subject.look, cleaned.gray), (move.look, move.image)):
        values = method.explain_one(classifier, prepared(cleaned, gray, classifier).astype(np.float32) / 255, target)
        np.testing.assert_allclose(look.map, values, atol=1e-4)


def test_drift_is_spearmans_and_the_overlap_that_of_the_highest_tenth(subject, move):
    before, after = subject.look.map.ravel(), move.look.map.ravel()
    assert move.drift == pytest.approx(spearmanr(before, after).statistic, abs=1e-9)
    count = round(0.1 * len(before))
    tops = [set(np.argsort(values)[-count:].tolist()) for values in (before, after)]
    assert move.overlap == pytest.approx(len(tops[0] & tops[1]) / count, abs=0.01)


def test_digests_are_of_what_was_computed(move):
    def digest(values: np.ndarray) -> str:
        return hashlib.sha256(values.tobytes()).hexdigest()[:16]

    assert move.digests["image"] == digest(move.image)
    assert move.digests["map"] == digest(move.ssim_map.astype(np.float32))
    assert move.digests["ssim"] == digest(np.array([value for _, value in sorted(move.ssim.items())]))


def test_every_intensity_has_digests_of_its_own(subject):
    moves = [subject.move("noise", intensity) for intensity in np.linspace(0.05, 0.5, 10)]
    for name in ("image", "ssim", "map"):
        assert len({move.digests[name] for move in moves}) == 10


def test_pictures_show_what_was_computed(cleaned, move):
    assert max(cleaned.gray.shape) <= MAP_SIDE
    np.testing.assert_array_equal(decoded(move.pictures["before"]), cleaned.gray)
    np.testing.assert_array_equal(decoded(move.pictures["after"]), move.image)
    change = move.image.astype(int) - cleaned.gray
    red, _, blue = np.moveaxis(decoded(move.pictures["difference"]).astype(int), -1, 0)
    strong = DIFFERENCE_SHOWN / 4
    assert (red > blue)[change > strong].all()
    assert (red < blue)[change < -strong].all()
    size = move.look.image.shape
    assert decoded(move.pictures["cam_before"]).shape == decoded(move.pictures["cam_after"]).shape == (*size, 3)
    brightness = decoded(move.pictures["ssim"]).astype(int).sum(axis=-1)
    assert spearmanr(brightness.ravel(), move.ssim_map.ravel()).statistic > 0.99


def test_under_scale_up_the_maps_are_compared_where_they_show_the_same(subject):
    move = subject.move("scale_up", 30)
    laid_back, valid = CORRUPTIONS["scale_up"].warp_back(move.look.map, 30)
    clean = subject.look.map
    assert 0.4 < valid.mean() < 0.6
    assert move.drift == pytest.approx(spearmanr(clean[valid], laid_back[valid]).statistic, abs=1e-9)
    assert move.drift != pytest.approx(spearmanr(clean.ravel(), move.look.map.ravel()).statistic, abs=1e-3)


def test_pictures_of_large_frames_are_reduced_and_numbers_are_not(classifier):
    from core.phantom import generate

    large = clean(generate("NT", 3, size=700).image, classifier.settings)
    move = LiveSubject(large).move("scale_up", 20)
    assert move.image.shape == move.ssim_map.shape == large.gray.shape
    assert max(decoded(move.pictures["after"]).shape) == PICTURE_SIDE
    assert max(decoded(move.pictures["ssim"]).shape) == MAP_SIDE
    assert move.ssim["wang", "frame"] == pytest.approx(
        structural_similarity(
            large.gray, move.image, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        ),
        abs=1e-6,
    )


def test_without_corruption_nothing_has_moved(subject, cleaned):
    move = subject.move("speckle", 0.0)
    np.testing.assert_array_equal(move.image, cleaned.gray)
    assert all(value == pytest.approx(1) for value in move.ssim.values())
    assert move.drift == pytest.approx(1)
    assert move.overlap == pytest.approx(1)
    np.testing.assert_allclose(move.look.prediction.probabilities, subject.look.prediction.probabilities, atol=1e-7)
    assert len(np.unique(decoded(move.pictures["difference"]).reshape(-1, 3), axis=0)) == 1


def test_without_models_there_is_the_image_and_its_similarity(cleaned):
    move = LiveSubject(cleaned).move("blur", 3)
    assert move.look is move.verdict is move.drift is move.overlap is None
    assert set(move.pictures) == {"before", "after", "difference", "ssim"}
    assert move.ssim["wang", "sector"] < 1


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_every_kind_can_be_moved(cleaned, kind):
    move = LiveSubject(cleaned).move(kind, CORRUPTIONS[kind].slider_maximum / 2, seed=1)
    assert not np.array_equal(move.image, cleaned.gray)
    if CORRUPTIONS[kind].stays_in_sector:
        np.testing.assert_array_equal(move.image[~cleaned.sector], cleaned.gray[~cleaned.sector])


def test_the_sliders_corruption_comes_after_the_earlier_ones(cleaned):
    earlier = Chain.parse("blur:2,jpeg:60")
    move = LiveSubject(cleaned).move("noise", 0.1, seed=4, earlier=earlier)
    expected = Chain.parse("blur:2,jpeg:60,noise:0.1").apply(cleaned.gray, 4, cleaned.sector)
    np.testing.assert_array_equal(move.image, expected)


def test_seconds_are_told_for_each_step(move):
    assert {"corruption", "ssim", "model", "detector", "map", "total"} <= set(move.seconds)
    assert move.seconds["total"] >= max(move.seconds["corruption"], move.seconds["model"])


@pytest.mark.parametrize(("kind", "intensity"), [("fog", 1.0), ("noise", 7.0), ("noise", -1.0), ("blur", float("nan"))])
def test_what_cannot_be_asked_is_refused_in_a_sentence(cleaned, kind, intensity):
    with pytest.raises(ParameterError, match=r"\w+ .*"):
        LiveSubject(cleaned).move(kind, intensity)
