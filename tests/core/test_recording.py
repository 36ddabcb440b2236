"""The GIF is decoded again: as many pictures as asked for, each with its frame, map and caption."""

import io

import numpy as np
import pytest
from PIL import Image, ImageSequence

from core.corruption import get
from core.corruption.chain import Chain
from core.errors import Cancelled, ParameterError
from core.live import LiveSubject
from core.preprocessing import clean
from core.recording import GAP, LINE, MARGIN, PANEL_SIDE, caption, record

STEPS = 6


@pytest.fixture(scope="module")
def subject(classifier):
    from core.phantom import generate

    return LiveSubject(clean(generate("BPD", 11).image, classifier.settings), classifier)


@pytest.fixture(scope="module")
def gif(subject) -> bytes:
    return record(subject, "noise", seed=2, steps=STEPS)


@pytest.fixture(scope="module")
def pictures(gif) -> list[np.ndarray]:
    with Image.open(io.BytesIO(gif)) as image:
        return [np.array(frame.convert("RGB")) for frame in ImageSequence.Iterator(image)]


def test_pictures_number_size_and_duration(subject, gif, pictures):
    height, width = subject.cleaned.gray.shape
    factor = PANEL_SIDE / max(height, width)
    panel = round(height * factor), round(width * factor)
    assert len(pictures) == STEPS
    assert {picture.shape for picture in pictures} == {(panel[0] + 2 * LINE + 2 * MARGIN, 2 * panel[1] + GAP, 3)}
    with Image.open(io.BytesIO(gif)) as image:
        assert image.info["loop"] == 0
        assert image.info["duration"] > 0


def test_frame_and_map_stand_side_by_side(subject, pictures):
    width = (pictures[0].shape[1] - GAP) // 2
    height = pictures[0].shape[0] - 2 * LINE - 2 * MARGIN
    for index in (0, STEPS - 1):
        intensity = index / (STEPS - 1) * get("noise").slider_maximum
        move = subject.move("noise", intensity, seed=2)
        frame, ssim_map = pictures[index][:height, :width], pictures[index][:height, width + GAP :]
        assert (frame[..., 0] == frame[..., 2]).all()  # gray
        assert frame.mean() == pytest.approx(move.image.mean(), abs=3)
        # cividis goes from blue to yellow
        yellow = (ssim_map[..., 0].astype(int) - ssim_map[..., 2] > 0).mean()
        assert yellow == pytest.approx((move.ssim_map > 0.5).mean(), abs=0.1)


def test_every_picture_has_a_caption_of_its_own(pictures):
    captions = [picture[-2 * LINE - MARGIN :].tobytes() for picture in pictures]
    assert len(set(captions)) == STEPS
    assert all(np.frombuffer(text, np.uint8).max() > 200 for text in captions)


def test_the_caption_says_kind_intensity_similarity_and_prediction(subject):
    move = subject.move("noise", 0.3, seed=2)
    first, second = caption(subject, move, "noise", 0.3)
    assert first == "Noise: standard deviation 0.3 of full brightness"
    assert f"{move.ssim['wang', 'sector']:.3f}" in second
    assert move.look.prediction.labels[0] in second
    chained, _ = caption(subject, move, "noise", 0.3, Chain.parse("blur:2"))
    assert chained.startswith("Blur, then Noise")


def test_a_full_recording_of_the_hardest_kind_stays_small(subject):
    assert len(record(LiveSubject(subject.cleaned), "noise")) < 5e6


def test_progress_rises_to_one_and_can_stop_the_work(subject):
    shares = []
    record(subject, "contrast", steps=4, progress=shares.append)
    assert shares == [0.25, 0.5, 0.75, 1.0]

    def stop(share: float) -> None:
        raise Cancelled("Enough.")

    with pytest.raises(Cancelled):
        record(subject, "contrast", steps=4, progress=stop)


def test_bad_requests_get_a_sentence(subject):
    with pytest.raises(ParameterError, match="at least 2 steps"):
        record(subject, "noise", steps=1)
    with pytest.raises(ParameterError, match="no corruption"):
        record(subject, "fog")
