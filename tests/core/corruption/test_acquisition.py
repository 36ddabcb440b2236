"""JPEG, down-sampling and contrast against Pillow and arithmetic; chains against their parts."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from core.corruption import corrupt
from core.corruption.chain import Chain, Step
from core.errors import ParameterError


def picture(shape=(174, 174)):
    generator = np.random.default_rng(0)
    rough = cv2.resize(generator.random((12, 12)), shape[::-1], interpolation=cv2.INTER_CUBIC)
    return np.clip(255 * rough + generator.normal(0, 12, shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("lost", [20, 60, 90])
def test_jpeg_at_174_pixels_is_pillows(lost):
    image = picture()
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=100 - lost)
    theirs = np.asarray(Image.open(file)).astype(int)
    ours = corrupt(image, "jpeg", lost).astype(int)
    assert np.abs(ours - theirs).mean() < 0.05 * np.abs(theirs - image).mean()


def test_jpeg_of_a_larger_frame_has_blocks_of_the_thesis_size():
    image = cv2.resize(picture(), (348, 348), interpolation=cv2.INTER_CUBIC)
    change = corrupt(image, "jpeg", 97).astype(float) - image
    # Jumps between neighbouring columns gather where blocks of 16 pixels of this frame meet.
    jumps = np.abs(np.diff(change, axis=1)).mean(axis=0)
    at_seams = jumps[15::16].mean()
    assert at_seams > 1.5 * jumps[7::16].mean()


def test_down_sampling_at_174_pixels_leaves_that_many():
    image = picture()
    expected = cv2.resize(cv2.resize(image, (87, 87), interpolation=cv2.INTER_AREA), (174, 174))
    np.testing.assert_array_equal(corrupt(image, "down_sampling", 50), expected)


def test_contrast_keeps_the_mean_and_shrinks_the_spread_of_the_sector():
    image = (picture() / 255).astype(np.float32)
    inside = np.zeros(image.shape, bool)
    inside[30:150, 20:160] = True
    result = corrupt(image, "contrast", 60, sector=inside)
    assert result[inside].mean() == pytest.approx(image[inside].mean(), abs=1e-4)
    assert result[inside].std() == pytest.approx(0.4 * image[inside].std(), rel=1e-3)


def test_a_chain_is_its_steps_one_after_the_other():
    image = picture()
    chain = Chain.parse("blur:3, noise:0.1,jpeg:50")
    expected = image
    for index, (kind, intensity) in enumerate((("blur", 3), ("noise", 0.1), ("jpeg", 50))):
        expected = corrupt(expected, kind, intensity, (9, index))
    np.testing.assert_array_equal(chain.apply(image, seed=9), expected)
    assert chain.text == "blur:3,noise:0.1,jpeg:50"
    assert Chain.parse(chain.text) == chain
    assert chain.title == "Blur, then Noise, then JPEG compression"


def test_short_chains():
    image = picture()
    np.testing.assert_array_equal(Chain.parse("").apply(image), image)
    assert Chain.parse(" ").title == "No corruption"
    np.testing.assert_array_equal(Chain((Step("noise", 0.2),)).apply(image, 4), corrupt(image, "noise", 0.2, 4))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("blur", "'blur' is no corruption of a chain: write kind:intensity"),
        ("blur:", "no corruption of a chain"),
        ("blur:much", "no corruption of a chain"),
        ("fog:3", "There is no corruption 'fog'"),
        ("blur:99", "from 0 to 20"),
        (",".join(["blur:1"] * 7), "at most 6"),
    ],
)
def test_wrong_chains_say_what_is_wrong(text, complaint):
    with pytest.raises(ParameterError, match=complaint):
        Chain.parse(text)
