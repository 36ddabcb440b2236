"""The corruption thesis's three against scikit-image, SciPy and the annex's own lines."""

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates
from skimage.filters import median
from skimage.morphology import disk
from skimage.util import crop, random_noise

from core.corruption import (
    CORRUPTIONS,
    REFERENCE_SIDE,
    Corruption,
    corrupt,
    corrupt_batch,
    disk_median,
    get,
    scale,
)
from core.errors import ParameterError
from core.similarity import ssim

KINDS = ["scale_up", "blur", "noise"]
SQUARE = (REFERENCE_SIDE, REFERENCE_SIDE)


def speckle(shape=SQUARE, seed=0):
    """Something like a frame: a bright ring and speckle of uneven brightness in a fan, black around it; uint8."""
    generator = np.random.default_rng(seed)
    height, width = shape
    rows, columns = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    grain = generator.rayleigh(1, (90, 120))
    texture = cv2.resize(grain, (width, height), interpolation=cv2.INTER_CUBIC)
    slopes = cv2.resize(generator.standard_normal((5, 6)), (width, height), interpolation=cv2.INTER_CUBIC)
    ring = np.exp(-(((np.hypot(rows / 0.6, columns / 0.75) - 1) / 0.06) ** 2))
    fan = (np.abs(columns) < 0.55 * (rows + 1.2)) & (np.hypot(rows + 1, columns) < 1.95)
    image = fan * (38 * texture * np.exp(0.4 * slopes) + 170 * ring)
    return np.clip(image, 0, 255).astype(np.uint8)


def seen(image):
    """A frame as the thesis sees it."""
    return cv2.resize(image, SQUARE, interpolation=cv2.INTER_AREA)


# ---------------------------------------------------------------------------------------------------------------------
# All kinds


def test_the_three_of_the_thesis_come_first():
    assert list(CORRUPTIONS)[:3] == KINDS
    assert all(get(kind).name == kind for kind in KINDS)


def test_a_further_class_registers_itself():
    class Darker(Corruption):
        name = "darker_for_a_test"
        title = "Darker"
        parameter = "share of brightness lost"
        unit = "%"
        maximum = 100.0

        @classmethod
        def in_frame(cls, intensity, shape):
            return f"{intensity} %"

        @classmethod
        def _corrupt(cls, image, intensity, generator):
            return (image * (1 - intensity / 100)).astype(image.dtype)

    try:
        np.testing.assert_array_equal(corrupt(np.full((4, 4), 200, np.uint8), "darker_for_a_test", 50), 100)
    finally:
        del CORRUPTIONS["darker_for_a_test"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_class_describes_itself(kind):
    corruption = get(kind)
    for text in ("title", "parameter", "unit", "description", "source"):
        assert getattr(corruption, text)
    assert corruption.minimum == 0
    assert 0 < corruption.step < corruption.slider_maximum <= corruption.maximum
    for levels in (corruption.levels, corruption.annex_levels):
        assert list(levels) == sorted(set(levels))
        for level in levels:
            corruption.check(level)
    assert corruption.levels[0] == 0
    assert corruption.levels[-1] == corruption.slider_maximum
    assert 0 < corruption.published_limit < corruption.slider_maximum
    assert corruption.in_frame(corruption.slider_maximum, (735, 975))


def test_grids_are_those_of_the_thesis():
    assert [len(get(kind).levels) for kind in KINDS] == [50, 21, 50]
    assert [len(get(kind).annex_levels) for kind in KINDS] == [50, 20, 50]
    assert get("scale_up").annex_levels[-1] / 100 * 174 / 2 == pytest.approx(21.8)  # pixels a side
    assert get("noise").annex_levels[-1] == pytest.approx(0.1225)
    assert get("blur").annex_levels[-1] == 19


@pytest.mark.parametrize("kind", KINDS)
def test_zero_is_the_image_itself(kind):
    for image in (speckle(), speckle((50, 80)), (speckle() / 255).astype(np.float32)):
        result = corrupt(image, kind, 0)
        np.testing.assert_array_equal(result, image)
        assert result.dtype == image.dtype
        assert not np.shares_memory(result, image)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_shape_type_and_range_are_kept(data):
    kind = data.draw(st.sampled_from(KINDS))
    shape = data.draw(st.tuples(st.integers(1, 60), st.integers(1, 60)))
    intensity = data.draw(st.floats(0, get(kind).maximum))
    image = np.random.default_rng(data.draw(st.integers(0, 9))).integers(0, 256, shape).astype(np.uint8)
    if data.draw(st.booleans()):
        image = (image / 255).astype(np.float32)
    before = image.copy()
    result = corrupt(image, kind, intensity, seed=3)
    assert result.shape == shape
    assert result.dtype == image.dtype
    assert result.min() >= 0
    assert result.max() <= (255 if image.dtype == np.uint8 else 1)
    np.testing.assert_array_equal(image, before)
    np.testing.assert_array_equal(corrupt(image, kind, intensity, seed=3), result)


@pytest.mark.parametrize("kind", KINDS)
def test_floating_point_images_give_the_same_picture(kind):
    image = speckle()
    intensity = get(kind).published_limit * 2
    result = corrupt((image / 255).astype(np.float32), kind, intensity, seed=1)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result * 255, corrupt(image, kind, intensity, seed=1), atol=1.01)


@pytest.mark.parametrize("kind", KINDS)
def test_views_are_corrupted_like_copies(kind):
    image = speckle((120, 90))
    np.testing.assert_array_equal(
        corrupt(image[::-1, ::2], kind, get(kind).published_limit),
        corrupt(image[::-1, ::2].copy(), kind, get(kind).published_limit),
    )


@pytest.mark.parametrize("kind", KINDS)
def test_batch_is_the_images_one_by_one(kind):
    images = np.stack([speckle((60, 70), seed) for seed in range(5)])
    intensity = get(kind).published_limit
    result = corrupt_batch(images, kind, intensity, seed=7)
    assert result.dtype == np.uint8
    for index, image in enumerate(images):
        np.testing.assert_array_equal(result[index], corrupt(image, kind, intensity, seed=(7, index)))
    assert corrupt_batch(images[:0], kind, intensity).shape == (0, 60, 70)
    with pytest.raises(ParameterError, match="batch"):
        corrupt_batch(images[0], kind, intensity)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("wrong", [-0.001, 1e9, math.nan, math.inf, "much", None])
def test_intensities_out_of_range_are_refused(kind, wrong):
    with pytest.raises(ParameterError, match=get(kind).title):
        corrupt(speckle(), kind, wrong)


def test_limits_of_the_intensities():
    for kind, largest in (("scale_up", 75), ("blur", 20), ("noise", 0.5)):
        assert corrupt(speckle((40, 40)), kind, largest).shape == (40, 40)
        with pytest.raises(ParameterError):
            corrupt(speckle((40, 40)), kind, largest * 1.001)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4, 3), np.uint8),
        np.zeros((4, 4), np.float64),
        np.zeros((4, 4), bool),
        np.full((4, 4), 1.5, np.float32),
        np.full((4, 4), np.nan, np.float32),
        np.zeros((0, 4), np.uint8),
        [[1]],
    ],
)
def test_only_gray_images_are_corrupted(image):
    with pytest.raises(ParameterError, match="first"):
        corrupt(image, "noise", 0.1)


def test_unknown_kinds_and_seeds_are_named():
    with pytest.raises(ParameterError, match="'fog': choose one of scale_up, blur, noise"):
        corrupt(speckle(), "fog", 1)
    with pytest.raises(ParameterError, match="-1"):
        corrupt(speckle(), "noise", 0.1, seed=-1)


@pytest.mark.parametrize("shape", [(224, 224), (299, 299), (540, 800), (735, 975)])
@pytest.mark.parametrize(
    ("kind", "intensities"),
    [("scale_up", (1.5, 10, 37.3)), ("blur", (1, 4)), ("noise", (0.02, 0.1, 0.18, 0.5))],
)
def test_an_intensity_means_the_same_on_every_frame(kind, intensities, shape):
    """SSIM seen at 174 pixels, corrupted there or on a screen."""
    frame = speckle(shape)
    small = seen(frame)
    for intensity in intensities:
        there = ssim(small, corrupt(small, kind, intensity))
        on_screen = ssim(small, seen(corrupt(frame, kind, intensity)))
        assert on_screen == pytest.approx(there, abs=0.05 if kind == "blur" else 0.035)


@pytest.mark.parametrize("kind", KINDS)
def test_more_of_it_looks_less_alike(kind):
    image = speckle()
    values = [ssim(image, corrupt(image, kind, share * get(kind).slider_maximum)) for share in (0.03, 0.1, 0.2, 0.5)]
    assert values == sorted(values, reverse=True)
    assert values[0] > values[-1] + 0.2


# ---------------------------------------------------------------------------------------------------------------------
# Scale up


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("pixels", [1, 4, 22, 43, 65])
def test_whole_pixels_are_cropped_as_in_the_annex(pixels, dtype):
    image = speckle() if dtype == np.uint8 else (speckle() / 255).astype(np.float32)
    expected = cv2.resize(crop(image, ((pixels, pixels), (pixels, pixels))), SQUARE)
    np.testing.assert_array_equal(corrupt(image, "scale_up", 200 * pixels / 174), expected)


def test_whole_pixels_of_a_screen_are_cropped_as_in_the_annex():
    image = speckle((540, 800))
    np.testing.assert_array_equal(corrupt(image, "scale_up", 10), cv2.resize(image[27:-27, 40:-40], (800, 540)))


@pytest.mark.parametrize("shape", [(174, 174), (61, 90)])
@pytest.mark.parametrize("percent", [0.3, 11.7, 42.42, 74.9])
def test_fractions_of_pixels_follow_the_same_convention(shape, percent):
    image = (speckle(shape) / 255).astype(np.float32)

    def positions(side):
        margin = side * percent / 200
        places = margin + (np.arange(side) + 0.5) * (side - 2 * margin) / side - 0.5
        return np.clip(places, margin, side - 1 - margin)

    expected = map_coordinates(image, np.meshgrid(*map(positions, shape), indexing="ij"), order=1)
    np.testing.assert_allclose(corrupt(image, "scale_up", percent), expected, atol=2e-4)


def test_scale_up_is_continuous():
    image = cv2.GaussianBlur(speckle(), (0, 0), 2)
    whole = 200 * 22 / 174  # 22 pixels a side
    result = corrupt(image, "scale_up", whole).astype(int)
    for near in (whole - 1e-3, whole + 1e-3):
        assert np.abs(corrupt(image, "scale_up", near) - result).max() <= 1


def test_nothing_from_outside_the_crop_is_seen():
    image = np.full(SQUARE, 255, np.uint8)
    image[20:-20, 20:-20] = 0
    for pixels in (20, 20.3, 20.9):
        assert corrupt(image, "scale_up", 200 * pixels / 174).max() == 0


# ---------------------------------------------------------------------------------------------------------------------
# Blur


@pytest.mark.parametrize("radius", [1, 2, 3, 4, 7, 12])
def test_blur_of_whole_radii_is_scikit_images(radius):
    image = speckle()
    np.testing.assert_array_equal(corrupt(image, "blur", radius), median(image, disk(radius)))


@pytest.mark.parametrize(
    ("shape", "radius"), [((40, 25), 30), ((3, 50), 4), ((1, 1), 5), ((410, 400), 2), ((400, 410), 3)]
)
def test_disk_median_equals_scikit_image(shape, radius):
    """Disks larger than the image, and images that are filtered by several threads."""
    image = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    np.testing.assert_array_equal(disk_median(image, radius), median(image, disk(radius)))


@pytest.mark.parametrize(("intensity", "lower"), [(0.4, 0), (1.5, 1), (4.25, 4), (9.9, 9)])
def test_radii_in_between_blend_their_neighbours(intensity, lower):
    image = speckle()
    below = image if lower == 0 else median(image, disk(lower))
    above = median(image, disk(lower + 1))
    expected = below + (intensity - lower) * (above.astype(float) - below)
    np.testing.assert_allclose(corrupt(image, "blur", intensity), expected, atol=0.51)


def test_radius_grows_with_the_frame():
    image = speckle((300, 403))
    radius = 3 * scale(image.shape)
    assert 5 < radius < 7
    lower = math.floor(radius)
    expected = cv2.addWeighted(
        median(image, disk(lower)), lower + 1 - radius, median(image, disk(lower + 1)), radius - lower, 0
    )
    np.testing.assert_array_equal(corrupt(image, "blur", 3), expected)


def test_large_radii_are_rounded():
    image = speckle((400, 400))
    assert 22.9 < 10 * scale(image.shape) < 23
    np.testing.assert_array_equal(corrupt(image, "blur", 10), disk_median(image, 23))


def test_huge_radii_are_filtered_at_a_smaller_size():
    image = speckle((640, 1200))
    radius = round(20 * scale(image.shape))
    assert radius == 101
    result = corrupt(image, "blur", 20).astype(float)
    padded = np.pad(image, radius, mode="edge")
    window = disk(radius).astype(bool)
    places = np.random.default_rng(0).integers(0, image.shape, (300, 2))
    exact = [np.median(padded[y : y + 2 * radius + 1, x : x + 2 * radius + 1][window]) for y, x in places]
    difference = np.abs(result[places[:, 0], places[:, 1]] - exact)
    assert difference.mean() < 0.5
    assert difference.max() < 5


# ---------------------------------------------------------------------------------------------------------------------
# Noise


@pytest.mark.parametrize("sigma", [0.02, 0.18, 0.5])
def test_noise_at_174_pixels_is_scikit_images(sigma):
    image = speckle()
    expected = random_noise(image, var=sigma**2, rng=np.random.default_rng(5))
    np.testing.assert_allclose(corrupt(image, "noise", sigma, seed=5), expected * 255, atol=0.501)
    result = corrupt((image / 255).astype(np.float32), "noise", sigma, seed=5)
    np.testing.assert_allclose(result, expected, atol=1e-6)


@pytest.mark.parametrize("shape", [(174, 174), (175, 175), (240, 200), (540, 800), (735, 975), (300, 1000)])
def test_noise_seen_at_174_pixels_has_the_deviation_asked_for(shape):
    gray = np.full(shape, 0.5, np.float32)
    noise = np.stack([seen(corrupt(gray, "noise", 0.08, seed) - gray) for seed in range(4)])
    assert noise.std() == pytest.approx(0.08, rel=0.02)
    assert abs(noise.mean()) < 0.002
    # Nearly white: neighbours share what interpolation makes them share, not more.
    for one, other in ((noise[..., 1:], noise[..., :-1]), (noise[:, 1:], noise[:, :-1])):
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.35


@pytest.mark.parametrize("shape", [(87, 87), (60, 120), (120, 90)])
def test_noise_on_small_frames_is_what_averaging_leaves(shape):
    gray = np.full(shape, 0.5, np.float32)
    noise = np.stack([corrupt(gray, "noise", 0.1, seed) - gray for seed in range(20)])
    assert noise.std() == pytest.approx(0.1 * scale(shape), rel=0.03)


def test_a_seed_gives_the_same_noise_at_every_size():
    frames = [seen(corrupt(np.full(shape, 0.5, np.float32), "noise", 0.05, seed=2)) for shape in (SQUARE, (540, 800))]
    other = seen(corrupt(np.full(SQUARE, 0.5, np.float32), "noise", 0.05, seed=3))
    assert np.corrcoef(frames[0].ravel(), frames[1].ravel())[0, 1] > 0.95
    assert abs(np.corrcoef(frames[0].ravel(), other.ravel())[0, 1]) < 0.05


def test_seeds_decide():
    image = speckle((90, 100))
    first = corrupt(image, "noise", 0.1, seed=1)
    np.testing.assert_array_equal(first, corrupt(image, "noise", 0.1, seed=np.random.default_rng(1)))
    assert (first != corrupt(image, "noise", 0.1, seed=2)).mean() > 0.5
    assert (first != corrupt(image, "noise", 0.1, seed=(1, 1))).mean() > 0.5
