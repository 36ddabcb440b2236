"""Corruptions of ultrasound against the physics they claim."""

import itertools

import numpy as np
import pytest
from scipy.ndimage import uniform_filter1d

from core.corruption import corrupt
from core.corruption.beams import Beams
from core.corruption.ultrasound import DYNAMIC_RANGE, to_amplitude, to_levels

SQUARE = (174, 174)
DECIBEL = 255 / DYNAMIC_RANGE


def even(level=0.5, shape=SQUARE):
    return np.full(shape, level, np.float32)


def sector(apex=(-60.0, 87.0), opening=0.5, near=70, far=220, shape=SQUARE):
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    distance = np.hypot(rows - apex[0], columns - apex[1])
    return (np.abs(np.arctan2(columns - apex[1], rows - apex[0])) < opening) & (distance > near) & (distance < far)


# ---------------------------------------------------------------------------------------------------------------------
# Beams


@pytest.mark.parametrize("apex", [(-60.0, 87.0), (-20.0, 70.0), (-120.0, 100.0)])
def test_the_apex_of_a_fan_is_found(apex):
    found = Beams.of(sector(apex, near=-apex[0] + 8, far=-apex[0] + 165, opening=0.35))
    assert found.apex == pytest.approx(apex, abs=6)


def test_depth_and_angle_of_a_fan_are_those_of_its_geometry():
    inside = sector()
    beams = Beams.of(inside)
    rows, columns = np.nonzero(inside)
    depth = (np.hypot(rows + 60, columns - 87) - 70) / 150
    angle = np.arctan2(columns - 87, rows + 60) / 1.0 + 0.5
    assert np.abs(beams.depth[inside] - depth).max() < 0.03
    assert np.abs(beams.angle[inside] - angle).max() < 0.05


@pytest.mark.parametrize("mask", [np.ones(SQUARE, bool), np.eye(174, dtype=bool), np.zeros(SQUARE, bool)])
def test_other_sectors_have_beams_side_by_side(mask):
    mask = mask.copy()
    mask[80, 80] = True
    beams = Beams.of(mask)
    assert beams.apex is None
    assert np.isfinite(beams.depth).all()


def test_beams_side_by_side_run_from_top_to_bottom():
    beams = Beams.of(np.ones((50, 80), bool))
    np.testing.assert_allclose(beams.depth[:, 3], np.linspace(0, 1, 50), atol=1e-6)
    np.testing.assert_allclose(beams.angle[7], np.linspace(0, 1, 80), atol=1e-6)


# ---------------------------------------------------------------------------------------------------------------------
# Kinds


def test_amplitudes_and_levels_are_each_others_inverse():
    levels = np.linspace(0, 1, 256, dtype=np.float32)
    np.testing.assert_allclose(to_levels(to_amplitude(levels)), levels, atol=1e-5)
    # Ten decibels of a 60 dB display are a sixth of the grays, well above its floor.
    ratio = to_amplitude(np.float32(0.9)) / to_amplitude(np.float32(0.9 - 1 / 6))
    assert 20 * np.log10(ratio) == pytest.approx(10, abs=0.1)


def test_full_speckle_is_rayleighs():
    """Mean over deviation of fully developed speckle is 1.91 (reference §10)."""
    amplitudes = np.concatenate([to_amplitude(corrupt(even(0.5), "speckle", 1.0, seed)).ravel() for seed in range(6)])
    assert amplitudes.mean() / amplitudes.std() == pytest.approx(np.sqrt(np.pi / (4 - np.pi)), rel=0.03)
    assert amplitudes.mean() == pytest.approx(to_amplitude(np.float32(0.5)), rel=0.02)


def test_half_speckle_is_steadier_and_correlated():
    amplitude = to_amplitude(corrupt(even(0.5), "speckle", 0.3, 1))
    assert amplitude.mean() / amplitude.std() > 3
    centred = amplitude - amplitude.mean()
    across = (centred[:, 1:] * centred[:, :-1]).mean() / amplitude.var()
    along = (centred[1:] * centred[:-1]).mean() / amplitude.var()
    far = (centred[:, 6:] * centred[:, :-6]).mean() / amplitude.var()
    assert across > along > 0.2
    assert abs(far) < 0.1


def test_black_stays_black_under_speckle_and_reverberation():
    for kind in ("speckle", "reverberation"):
        assert corrupt(np.zeros(SQUARE, np.uint8), kind, 1.0, 2).max() == 0


@pytest.mark.parametrize(("kind", "sign"), [("gain", 1), ("low_gain", -1)])
def test_gain_is_decibels_in_grays(kind, sign):
    image = np.full(SQUARE, 120, np.uint8)
    assert np.unique(corrupt(image, kind, 6)).tolist() == [round(120 + sign * 6 * DECIBEL)]
    assert np.unique(corrupt(image, kind, 60)).tolist() == [255 if sign > 0 else 0]


def test_attenuation_grows_evenly_with_depth():
    lost = 200 - corrupt(np.full(SQUARE, 200, np.uint8), "attenuation", 20)[:, 5].astype(float)
    np.testing.assert_allclose(lost, np.linspace(0, 20 * DECIBEL, 174), atol=0.51)


def test_attenuation_of_a_fan_follows_its_beams():
    inside = sector()
    image = np.where(inside, 200, 0).astype(np.uint8)
    lost = 200 - corrupt(image, "attenuation", 20, sector=inside).astype(float)
    distance = np.hypot(*(np.mgrid[:174, :174] - np.array([-60, 87])[:, None, None]))
    for near in (90, 130, 180):
        ring = inside & (np.abs(distance - near) < 0.7)
        assert np.ptp(lost[ring]) < 5
        assert lost[ring].mean() == pytest.approx(20 * DECIBEL * (near - 70) / 150, abs=3)


def test_wrong_time_gain_errs_by_what_is_asked_somewhere_and_alike_across():
    change = corrupt(np.full(SQUARE, 128, np.uint8), "tgc", 12, 3).astype(float) - 128
    assert np.ptp(change, axis=1).max() == 0
    assert np.abs(change).max() == pytest.approx(12 * DECIBEL, abs=1)
    assert np.abs(np.diff(change[:, 0])).max() < 6


def test_a_shadow_is_dark_by_its_decibels_and_leaves_the_rest():
    for seed in range(4):
        lost = 200 - corrupt(np.full(SQUARE, 200, np.uint8), "shadow", 20, seed).astype(float)
        assert lost.max() == pytest.approx(20 * DECIBEL, abs=1)
        assert 0.02 < (lost > 10 * DECIBEL).mean() < 0.35
        # Behind the obstacle it lasts to the bottom.
        dark = lost[-1] > 19 * DECIBEL
        start = np.argmax(lost[:, dark][:, 0] > 19 * DECIBEL)
        assert (lost[start:, dark] > 18 * DECIBEL).all()
        assert lost[: start - 12].max() < 1


def test_reverberation_repeats_a_line_at_equal_distances_and_weaker():
    image = np.zeros(SQUARE, np.uint8)
    image[10:12] = 230
    profile = corrupt(image, "reverberation", 0.5, 1)[:, 80].astype(np.float32) / 255
    lines = [row for row in range(1, 173) if profile[row] > 0.2 and profile[row] >= profile[[row - 1, row + 1]].max()]
    first = [lines[0]] + [after for before, after in itertools.pairwise(lines) if after - before > 3]
    distances = np.diff(first)
    assert len(distances) >= 3
    assert np.ptp(distances) <= 1
    strengths = to_amplitude(profile[first])
    assert (np.diff(strengths[1:]) < 0).all()
    assert strengths[1] / strengths[0] == pytest.approx(0.5, abs=0.2)


def test_dynamic_range_keeps_white_and_blackens_the_weak():
    levels = np.tile(np.arange(256, dtype=np.uint8), (60, 1))
    result = corrupt(levels, "dynamic_range", 30)[0].astype(int)
    assert result[255] == 255
    assert result[127] == 0
    np.testing.assert_allclose(result[128:], 255 - 2 * (255 - np.arange(128, 256)), atol=1)


@pytest.mark.parametrize("share", [10, 40, 80])
def test_lost_contact_takes_that_share_of_the_beams_from_one_side(share):
    sides = set()
    for seed in range(6):
        dark = corrupt(np.full(SQUARE, 200, np.uint8), "contact_loss", share, seed)[80] < 100
        assert dark.mean() == pytest.approx(share / 100, abs=0.03)
        assert dark[0] != dark[-1]
        sides.add(bool(dark[0]))
    assert sides == {True, False}


@pytest.mark.parametrize(("kind", "axis"), [("motion_axial", 0), ("motion_lateral", 1)])
@pytest.mark.parametrize("length", [2, 8, 20])
def test_motion_is_the_mean_along_its_path(kind, axis, length):
    image = np.random.default_rng(0).random(SQUARE).astype(np.float32)
    result = corrupt(image, kind, length)
    expected = uniform_filter1d(image.astype(np.float64), length + 1, axis=axis)
    edge = length
    np.testing.assert_allclose(result[edge:-edge, edge:-edge], expected[edge:-edge, edge:-edge], atol=1e-5)


def test_motion_does_not_drag_the_black_around_into_the_sector():
    inside = sector()
    image = np.where(inside, 180, 0).astype(np.uint8)
    for kind in ("motion_axial", "motion_lateral"):
        np.testing.assert_array_equal(corrupt(image, kind, 15, sector=inside)[inside], 180)


def test_annotation_adds_marks_and_moves_none():
    image = np.zeros(SQUARE, np.uint8)
    drawn = [corrupt(image, "annotation", count, 5) for count in (1, 2, 4, 8)]
    for fewer, more in itertools.pairwise(drawn):
        assert (more >= fewer).mean() > 0.995  # where marks cross, the later one's gray may be a little darker
        assert (more > 0).sum() > (fewer > 0).sum()
    assert drawn[-1].max() > 190
    assert (drawn[-1] > 0).mean() < 0.2
