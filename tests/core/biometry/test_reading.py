"""Readings by models whose weights are set by hand, so that the right answer is known."""

import json
from dataclasses import replace

import numpy as np
import pytest

from core.biometry.ellipse import Ellipse
from core.biometry.reading import HeadReader, check_pixel_size, default_cards
from core.errors import MeasurementError, ModelError
from core.preprocessing import clean
from core.zoo.heads import HeadSegmenter

HEAD = Ellipse(150, 110, 80, 62, 0.4)


def frame_of(ellipse, shape=(220, 300)):
    return (20 + 200 * ellipse.coverage(shape)).astype(np.uint8)


@pytest.fixture
def hand_reader(constant_regressor, bright_segmenter):
    return HeadReader(constant_regressor, bright_segmenter)


def test_the_ellipse_comes_back_in_pixels_of_the_frame(bright_segmenter):
    reading = HeadReader(segmenter=bright_segmenter).read(frame_of(HEAD), 0.25)
    assert reading.accepted
    assert (reading.ellipse.x, reading.ellipse.y) == pytest.approx((150, 110), abs=0.7)
    assert reading.segmentation.pixels == pytest.approx(HEAD.circumference, rel=0.01)
    assert reading.segmentation.mm == pytest.approx(0.25 * reading.segmentation.pixels)
    assert reading.bpd_mm == pytest.approx(0.25 * 124, rel=0.02)
    assert reading.ofd_mm == pytest.approx(0.25 * 160, rel=0.02)
    assert reading.regression is None
    assert reading.disagreement is None


def test_the_regression_is_scaled_to_the_frame(hand_reader):
    # 1.5 sides of a 300 pixels wide frame that was padded to a square.
    reading = hand_reader.read(frame_of(HEAD), 0.2)
    assert reading.regression.pixels == pytest.approx(450, rel=1e-5)
    assert (reading.regression.low_mm, reading.regression.high_mm) == pytest.approx((85.5, 94.5), rel=1e-5)
    expected = (450 - reading.segmentation.pixels) / ((450 + reading.segmentation.pixels) / 2)
    assert reading.disagreement == pytest.approx(abs(expected))


def test_intervals_that_do_not_touch_disagree_and_refuse(hand_reader):
    assert not hand_reader.read(frame_of(HEAD)).disagrees
    small = hand_reader.read(frame_of(Ellipse(150, 110, 52, 42, 0.4)))
    assert small.disagrees
    assert any("contradict" in reason for reason in small.refusals)


def test_without_a_pixel_size_there_are_pixels_only(hand_reader):
    reading = hand_reader.read(frame_of(HEAD))
    assert reading.segmentation.mm is reading.segmentation.low_mm is reading.bpd_mm is reading.age is None
    assert "size of a pixel" in reading.why_no_age
    assert reading.segmentation.low_pixels < reading.segmentation.pixels < reading.segmentation.high_pixels


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (np.full((200, 300), 30, np.uint8), "No outline"),
        (frame_of(Ellipse(150, 110, 100, 40, 0)), "axes"),
        (frame_of(Ellipse(250, 110, 90, 72, 0)), "outside the frame"),
        (np.where(np.indices((220, 300)).sum(axis=0) < 260, 220, 20).astype(np.uint8), "no ellipse"),
    ],
)
def test_what_is_no_whole_head_is_refused_with_its_reason(bright_segmenter, frame, words):
    reading = HeadReader(segmenter=bright_segmenter).read(frame)
    assert any(words in reason for reason in reading.refusals), reading.refusals
    assert all(reason.endswith(".") for reason in reading.refusals)


def test_an_unsure_mask_is_refused(bright_segmenter):
    pale = (20 + (200 * HEAD.coverage((220, 300))).astype(np.uint8) * 0.99).astype(np.uint8)
    card = bright_segmenter.card
    strict = replace(
        card, measurement={**card.measurement, "refusal": {**card.measurement["refusal"], "certainty": 0.9999}}
    )
    reading = HeadReader(segmenter=HeadSegmenter(strict, bright_segmenter.model)).read(pale)
    assert any("unsure" in reason for reason in reading.refusals)


def test_an_untypical_frame_is_refused(constant_regressor, bright_segmenter):
    strange = replace(constant_regressor.card, novelty_threshold=1e9)
    regressor = type(constant_regressor)(strange, constant_regressor.network, constant_regressor.typicality)
    reasons = HeadReader(regressor, bright_segmenter).read(frame_of(HEAD)).refusals
    assert any("unlike the heads" in reason for reason in reasons)


def test_several_frames_are_read_as_each_alone(hand_reader):
    frames = [frame_of(Ellipse(150, 110, 60 + grow, 46 + grow, 0.1 * grow)) for grow in range(0, 24, 6)]
    sizes = [0.1, None, 0.2, 0.3]
    together = hand_reader.read_all(frames, sizes)
    for frame, size, reading in zip(frames, sizes, together, strict=True):
        alone = hand_reader.read(frame, size)
        assert reading.segmentation.pixels == pytest.approx(alone.segmentation.pixels)
        assert reading.pixel_size_mm == size
    cleaned = hand_reader.read_cleaned([clean(frames[2], hand_reader.settings)], [0.2])[0]
    assert cleaned.segmentation.mm == pytest.approx(together[2].segmentation.mm)


def test_a_reading_is_json(hand_reader):
    values = json.loads(json.dumps(hand_reader.read(frame_of(HEAD), 0.5).to_dict(), allow_nan=False))
    assert values["ellipse"]["major"] == pytest.approx(80, rel=0.02)
    assert values["gestational_age"]["text"].endswith(("day", "days"))
    empty = json.loads(json.dumps(hand_reader.read(np.full((90, 90), 9, np.uint8)).to_dict(), allow_nan=False))
    assert empty["ellipse"] is None
    assert empty["refusals"]


@pytest.mark.parametrize("size", [0.0, 0.005, 1.2, -1, float("nan"), float("inf")])
def test_impossible_pixel_sizes_are_a_sentence(size):
    with pytest.raises(MeasurementError, match="wide, not"):
        check_pixel_size(size)


def test_sizes_and_frames_must_pair_up(hand_reader):
    with pytest.raises(MeasurementError, match="2 pixel sizes for 1 frames"):
        hand_reader.read_all([frame_of(HEAD)], [0.1, 0.2])


def test_a_reader_needs_models_that_clean_alike(bright_segmenter, constant_regressor):
    with pytest.raises(ModelError, match="No model"):
        HeadReader()
    other = replace(
        constant_regressor.card, preprocessing={**constant_regressor.card.preprocessing, "aspect": "stretch"}
    )
    regressor = type(constant_regressor)(other, constant_regressor.network, constant_regressor.typicality)
    with pytest.raises(ModelError, match="differently"):
        HeadReader(regressor, bright_segmenter)


def test_default_cards_are_one_of_each_output(trained_heads, tmp_path):
    regression, outline = default_cards(trained_heads)
    assert (regression.name, outline.name) == ("length", "outline")
    assert default_cards(tmp_path) == (None, None)
