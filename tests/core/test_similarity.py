"""core.similarity against scikit-image."""

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from skimage.metrics import structural_similarity

from core.errors import ParameterError
from core.similarity import DEFINITIONS, READINGS, AllReadings, Reference, ssim, ssim_map

THEIRS = {
    "wang": {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False},
    "skimage": {},
}


def smooth(shape, seed=0):
    field = cv2.GaussianBlur(np.random.default_rng(seed).standard_normal(shape), (0, 0), 4)
    return cv2.normalize(field, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)


def noisy(image, deviation, seed=1):
    noise = np.random.default_rng(seed).normal(0, deviation, image.shape)
    return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)


def sector(image):
    """The image within a fan, black around it."""
    rows, columns = np.indices(image.shape)
    height, width = image.shape
    distance = np.hypot(rows, columns - width / 2)
    inside = (distance < 0.9 * height) & (np.abs(columns - width / 2) < 0.7 * rows + 5)
    return np.where(inside, image, 0).astype(np.uint8), inside


def halves(left, right, shape=(61, 74)):
    image = np.full(shape, left, np.uint8)
    image[:, shape[1] // 2 :] = right
    return image


def pairs():
    base = smooth((99, 120))
    bright = np.random.default_rng(2).integers(250, 256, (80, 80)).astype(np.uint8)
    half_bright = np.where(np.arange(80) < 30, 0, bright).astype(np.uint8)
    black_around, _ = sector(base)
    return {
        "noise": (base, noisy(base, 30)),
        "little noise": (base, noisy(base, 1)),
        "heavy noise": (base, noisy(base, 120)),
        "blur": (base, cv2.medianBlur(base, 9)),
        "inverted": (base, 255 - base),
        "black background": (black_around, noisy(black_around, 40)),
        "constant": (np.full((40, 40), 200, np.uint8), np.full((40, 40), 251, np.uint8)),
        "constant and noise": (np.full((40, 40), 255, np.uint8), noisy(np.full((40, 40), 255, np.uint8), 2)),
        "black": (np.zeros((40, 40), np.uint8), np.zeros((40, 40), np.uint8)),
        "flat and bright": (bright, np.roll(bright, 1)),
        "hard edge": (halves(0, 255), halves(10, 240)),
        "black beside bright": (half_bright, bright),
        "odd size": (smooth((33, 171)), noisy(smooth((33, 171)), 20)),
        "smallest": (smooth((11, 11)), noisy(smooth((11, 11)), 20)),
        "large": (smooth((1010, 1001)), noisy(smooth((1010, 1001)), 20)),
    }


PAIRS = pairs()


@pytest.mark.parametrize("definition", THEIRS)
@pytest.mark.parametrize("kind", PAIRS)
def test_ssim_of_8_bit_images_equals_scikit_image(kind, definition):
    reference, image = PAIRS[kind]
    expected, expected_map = structural_similarity(reference, image, data_range=255, full=True, **THEIRS[definition])
    assert ssim(reference, image, definition) == pytest.approx(expected, abs=1e-9)
    np.testing.assert_allclose(ssim_map(reference, image, definition), expected_map, atol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("definition", THEIRS)
@pytest.mark.parametrize("kind", PAIRS)
def test_ssim_of_floating_point_images_equals_scikit_image(kind, definition, dtype):
    reference, image = (part.astype(dtype) / dtype(255) for part in PAIRS[kind])
    # scikit-image computes in the images' own precision; ours is compared with the precise result
    expected = structural_similarity(
        reference.astype(np.float64), image.astype(np.float64), data_range=1, **THEIRS[definition]
    )
    assert ssim(reference, image, definition) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("kind", ["noise", "blur", "black background"])
def test_annex_reading_is_a_range_of_two(kind):
    reference, image = PAIRS[kind]
    expected = structural_similarity(reference / 255, image / 255, data_range=2)
    assert ssim(reference / 255, image / 255, "annex") == pytest.approx(expected, abs=1e-9)
    assert ssim(reference, image, "annex") == pytest.approx(expected, abs=1e-9)
    assert expected > ssim(reference, image, "skimage") + 0.01


def test_region_is_the_mean_of_the_map_over_it():
    clean, inside = sector(smooth((120, 150)))
    corrupted = np.where(inside, noisy(clean, 46), 0).astype(np.uint8)
    theirs = structural_similarity(clean, corrupted, data_range=255, full=True, **THEIRS["wang"])[1]
    within = ssim(clean, corrupted, region=inside)
    assert within == pytest.approx(theirs[inside].mean(), abs=1e-9)
    assert within < ssim(clean, corrupted) - 0.05  # the black around the sector looks alike


def test_reference_serves_many_images():
    base = smooth((70, 80))
    reference = Reference(base)
    images = [noisy(base, deviation) for deviation in (1, 5, 25, 125)]
    expected = [ssim(base, image) for image in images]
    first_map = reference.map(images[0])
    kept = first_map.copy()
    assert [reference.ssim(image) for image in images] == expected
    np.testing.assert_array_equal(first_map, kept)  # a map is the caller's own
    base[:] = 0
    assert reference.ssim(images[2]) == expected[2]


def test_threads_do_not_share_work():
    tasks = [(*PAIRS[kind], definition) for kind in ("noise", "odd size", "hard edge", "blur") for definition in THEIRS]
    expected = [ssim(*task) for task in tasks]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda task: ssim(*task), tasks * 20)) == expected * 20


@settings(max_examples=30, deadline=None)
@given(
    arrays.arrays(np.uint8, arrays.array_shapes(min_dims=2, max_dims=2, min_side=11, max_side=40)),
    st.integers(0, 100),
    st.sampled_from(sorted(DEFINITIONS)),
)
def test_ssim_is_symmetric_and_bounded(image, seed, definition):
    other = np.random.default_rng(seed).integers(0, 256, image.shape).astype(np.uint8)
    assert ssim(image, image, definition) == pytest.approx(1, abs=1e-12)
    value = ssim(image, other, definition)
    assert -1 <= value <= 1
    assert value == pytest.approx(ssim(other, image, definition), abs=1e-12)


def test_data_range_can_be_named():
    reference, image = (part.astype(np.float32) * 16 for part in PAIRS["noise"])
    expected = structural_similarity(reference.astype(float), image.astype(float), data_range=4095, **THEIRS["wang"])
    assert ssim(reference, image, data_range=4095) == pytest.approx(expected, abs=1e-9)


GRAY = smooth((40, 40))
FLOAT = (GRAY / 255).astype(np.float32)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((GRAY, FLOAT), "8-bit image with a floating-point one"),
        ((GRAY, GRAY[:-1]), "one size"),
        ((np.dstack([GRAY] * 3), np.dstack([GRAY] * 3)), "gray images"),
        ((GRAY.astype(np.int32), GRAY.astype(np.int32)), "not int32"),
        ((GRAY > 3, GRAY > 3), "not bool"),
        ((GRAY[:10, :], GRAY[:10, :]), "at least 11 x 11 pixels, not 10 x 40"),
        ((GRAY[:, :6], GRAY[:, :6], "skimage"), "at least 7 x 7 pixels, not 40 x 6"),
        ((FLOAT * 255, FLOAT * 255), r"\[0, 1\], these span 0 to 25"),
        ((FLOAT, FLOAT - 0.1), r"\[0, 1\]"),
        ((FLOAT, np.where(FLOAT > 0.5, np.float32(np.nan), FLOAT)), "no numbers"),
        ((FLOAT, np.where(FLOAT > 0.5, np.float32(np.inf), FLOAT), "wang", None, 10), "no numbers"),
        ((GRAY, GRAY, "ssim"), "no definition 'ssim': choose one of wang, skimage, annex"),
        ((GRAY, GRAY, "wang", np.zeros((40, 40), bool)), "region is empty"),
        ((GRAY, GRAY, "wang", np.ones((40, 39), bool)), "mask"),
        ((GRAY, GRAY, "wang", GRAY), "mask"),
        ((GRAY, GRAY, "wang", None, 0), "positive data range"),
        ((GRAY, GRAY, "wang", None, float("nan")), "positive data range"),
        (([[1, 2]], [[1, 2]]), "gray images"),
    ],
)
def test_unusable_input_gets_a_sentence(arguments, sentence):
    with pytest.raises(ParameterError, match=sentence):
        ssim(*arguments)


@pytest.mark.parametrize("definition", DEFINITIONS)
def test_both_regions_from_one_map_are_the_two_taken_singly(definition):
    generator = np.random.default_rng(3)
    first, second = generator.integers(0, 256, (2, 40, 50), np.uint8)
    region = generator.random((40, 50)) < 0.3
    reference = Reference(first, definition)
    assert reference.ssim_of_both(second, region) == (reference.ssim(second), reference.ssim(second, region))


@pytest.mark.parametrize("shape", [(40, 64), (174, 174)])
def test_all_readings_at_once_are_each_reading_alone(shape):
    generator = np.random.default_rng(4)
    reference = generator.integers(0, 256, shape, dtype=np.uint8)
    reference[:10] = 0
    sector = np.zeros(shape, bool)
    sector[5:-7, 9:-3] = True
    readings = AllReadings(reference, sector)
    for spread in (0, 5, 80):
        image = np.clip(reference + generator.normal(0, spread, shape), 0, 255).astype(np.uint8)
        scores = dict(zip(READINGS, readings.compare(image), strict=True))
        assert set(scores) == {(name, region) for name in DEFINITIONS for region in ("sector", "frame")}
        for (name, region), score in scores.items():
            assert score == pytest.approx(
                ssim(reference, image, name, sector if region == "sector" else None), abs=1e-12
            )
        options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "full": True}
        _, there = structural_similarity(reference, image, **options)
        assert scores["wang", "sector"] == pytest.approx(there[sector].mean(), abs=1e-6)
        _, there = structural_similarity(reference, image, full=True, data_range=510)
        assert scores["annex", "sector"] == pytest.approx(there[sector].mean(), abs=1e-6)
