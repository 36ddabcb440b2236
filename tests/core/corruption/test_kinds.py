"""What holds for every corruption, those added later too."""

import json

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.corruption import CORRUPTIONS, corrupt, corrupt_batch, get
from core.corruption.severity import FILE, LEVELS, intensity_of, severities, severity_of
from core.errors import ParameterError
from core.phantom import generate
from core.similarity import ssim

KINDS = list(CORRUPTIONS)
CHEAP = [kind for kind in KINDS if kind != "blur"]


def fan(shape=(150, 180)):
    """A sector whose edges meet above the frame."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    distance = np.hypot(rows + 30, columns - shape[1] / 2)
    opening = np.abs(np.arctan2(columns - shape[1] / 2, rows + 30))
    return (opening < 0.6) & (distance > 50) & (distance < 165)


def echoes(sector, seed=0):
    """Speckle of uneven brightness inside a sector, some of it black, uint8."""
    generator = np.random.default_rng(seed)
    slopes = cv2.resize(generator.standard_normal((5, 6)), sector.shape[::-1], interpolation=cv2.INTER_CUBIC)
    image = 60 * generator.rayleigh(1, sector.shape) * np.exp(0.5 * slopes)
    return (np.clip(image, 0, 255) * sector).astype(np.uint8)


@pytest.fixture(scope="module")
def phantom():
    made = generate("BPD", 5, size=174)
    return made.image


def test_eighteen_kinds_those_of_the_thesis_first():
    assert KINDS[:3] == ["scale_up", "blur", "noise"]
    assert set(KINDS) >= {
        "speckle", "shadow", "attenuation", "tgc", "reverberation", "gain", "low_gain", "dynamic_range", "contact_loss",
        "motion_axial", "motion_lateral", "annotation", "jpeg", "down_sampling", "contrast",
    }  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_describes_itself(kind):
    corruption = get(kind)
    for text in ("title", "parameter", "unit", "description", "source"):
        assert getattr(corruption, text)
    assert corruption.description.endswith(".")
    assert corruption.minimum == 0
    assert 0 < corruption.step < corruption.slider_maximum <= corruption.maximum
    assert list(corruption.levels) == sorted(set(corruption.levels))
    assert corruption.levels[0] == 0
    assert corruption.levels[-1] == pytest.approx(corruption.slider_maximum)
    assert corruption.in_frame(corruption.slider_maximum, (735, 975))


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_the_image_itself(kind):
    sector = fan()
    image = echoes(sector)
    np.testing.assert_array_equal(corrupt(image, kind, 0, 3, sector), image)


@pytest.mark.parametrize("kind", KINDS)
def test_seeds_decide_where_chance_does_and_only_there(kind):
    sector = fan()
    image = echoes(sector)
    strong = 0.7 * get(kind).slider_maximum
    first = corrupt(image, kind, strong, 1, sector)
    np.testing.assert_array_equal(first, corrupt(image, kind, strong, 1, sector))
    others = [corrupt(image, kind, strong, seed, sector) for seed in range(2, 8)]
    assert get(kind).is_random == any((other != first).any() for other in others)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if get(kind).stays_in_sector])
def test_what_happens_to_echoes_stays_in_the_sector(kind):
    sector = fan()
    image = np.where(sector, echoes(sector), 77).astype(np.uint8)
    result = corrupt(image, kind, get(kind).slider_maximum, 4, sector)
    np.testing.assert_array_equal(result[~sector], 77)
    assert (result[sector] != image[sector]).mean() > 0.01


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_shape_type_and_range_are_kept(data):
    kind = data.draw(st.sampled_from(CHEAP))
    shape = data.draw(st.tuples(st.integers(1, 60), st.integers(1, 60)))
    intensity = data.draw(st.floats(0, get(kind).maximum))
    generator = np.random.default_rng(data.draw(st.integers(0, 9)))
    image = generator.integers(0, 256, shape).astype(np.uint8)
    if data.draw(st.booleans()):
        image = (image / 255).astype(np.float32)
    sector = generator.random(shape) < data.draw(st.sampled_from([0, 0.5, 1.0]))
    before = image.copy()
    result = corrupt(image, kind, intensity, 3, sector)
    assert result.shape == shape
    assert result.dtype == image.dtype
    assert result.min() >= 0
    assert result.max() <= (255 if image.dtype == np.uint8 else 1)
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("kind", KINDS)
def test_floating_point_images_give_the_same_picture(kind):
    sector = fan()
    image = echoes(sector)
    strong = 0.6 * get(kind).slider_maximum
    result = corrupt((image / 255).astype(np.float32), kind, strong, 1, sector)
    np.testing.assert_allclose(result * 255, corrupt(image, kind, strong, 1, sector), atol=1.51)


@pytest.mark.parametrize("kind", KINDS)
def test_batches_are_the_images_one_by_one_each_with_its_sector(kind):
    sectors = np.stack([fan((60, 70)), np.ones((60, 70), bool), np.flip(fan((60, 70)), 0)])
    images = np.stack([echoes(sector, seed) for seed, sector in enumerate(sectors)])
    strong = 0.5 * get(kind).slider_maximum
    result = corrupt_batch(images, kind, strong, 7, sectors)
    for index, (image, sector) in enumerate(zip(images, sectors, strict=True)):
        np.testing.assert_array_equal(result[index], corrupt(image, kind, strong, (7, index), sector))
    with pytest.raises(ParameterError, match="as many sectors"):
        corrupt_batch(images, kind, strong, 7, sectors[:2])


@pytest.mark.parametrize("wrong", [np.ones((3, 3), bool), np.ones((150, 180), np.uint8), [[True]]])
def test_sectors_of_another_shape_or_kind_are_refused(wrong):
    with pytest.raises(ParameterError, match="sector must be a mask"):
        corrupt(echoes(fan()), "gain", 3, sector=wrong)


@pytest.mark.parametrize("kind", KINDS)
def test_an_intensity_means_the_same_at_another_size(kind, phantom):
    """Of a frame and of the same frame twice as large, seen at 174 pixels, the corrupted copies look alike."""
    large = cv2.resize(phantom, (348, 348), interpolation=cv2.INTER_CUBIC)
    intensity = intensity_of(kind, 3)
    seen = cv2.resize(corrupt(large, kind, intensity, 2), (174, 174), interpolation=cv2.INTER_AREA)
    same, nothing = (ssim(corrupt(phantom, kind, one, 2), seen) for one in (intensity, 0))
    assert same > nothing
    assert same > 0.7


# ---------------------------------------------------------------------------------------------------------------------
# Severities


@pytest.mark.parametrize("kind", KINDS)
def test_five_calibrated_severities_rise_within_the_slider(kind):
    known = severities(kind)
    assert known.basis in ("ssim", "recall")
    assert len(known.intensities) == len(known.values) == LEVELS
    assert list(known.intensities) == sorted(set(known.intensities))
    assert known.intensities[0] > 0
    assert known.intensities[-1] <= get(kind).slider_maximum
    steps = -np.diff(known.values)
    np.testing.assert_allclose(steps, steps.mean(), atol=0.002)  # equal steps of what they are calibrated by


def test_scale_up_is_calibrated_by_recall_because_ssim_misleads():
    assert severities("scale_up").basis == "recall"
    assert set(json.loads(FILE.read_text())) == set(KINDS)


# Of scale up SSIM does not fall evenly; blocks of JPEG's worst qualities are of one gray, which may happen to fit.
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("scale_up", "jpeg")])
def test_more_severe_is_less_similar(kind, phantom):
    scores = [np.mean([ssim(phantom, corrupt(phantom, kind, intensity_of(kind, level), s)) for s in range(3)])
              for level in range(LEVELS + 1)]  # fmt: skip
    assert scores[0] == pytest.approx(1)
    assert (np.diff(scores) < 0.005).all()
    assert scores[-1] < scores[1]


@pytest.mark.parametrize("kind", ["scale_up", "blur", "shadow"])
def test_severity_and_intensity_are_each_others_inverse(kind):
    for level in np.linspace(0, LEVELS, 23):
        assert severity_of(kind, intensity_of(kind, level)) == pytest.approx(level)
    assert severity_of(kind, get(kind).maximum) == LEVELS
    for wrong in (-0.1, 5.1, float("nan")):
        with pytest.raises(ParameterError, match="0 to 5"):
            intensity_of(kind, wrong)
