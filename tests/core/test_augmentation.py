"""The thesis's variations: seeded, bounded, geometric."""

import cv2
import numpy as np
import pytest

from core.augmentation import PRESETS, Augmentation
from core.errors import ParameterError


@pytest.fixture
def image():
    return cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8), (0, 0), 2)


def only(**changes):
    return Augmentation(
        **({"rotation": 0, "horizontal_shift": 0, "vertical_shift": 0, "shear": 0, "horizontal_flip": False} | changes)
    )


def test_none_changes_nothing(image):
    assert np.array_equal(PRESETS["none"].draw(image, np.random.default_rng(1)), image)


def test_same_seed_same_batch_and_images_do_not_depend_on_their_neighbours(image):
    images = np.stack([image, image[::-1], image.T])
    batch = PRESETS["default"].batch(images, seed=5)
    assert np.array_equal(batch, PRESETS["default"].batch(images, seed=5))
    assert np.array_equal(batch[:2], PRESETS["default"].batch(images[:2], seed=5))
    assert not np.array_equal(batch, PRESETS["default"].batch(images, seed=6))


def test_flip_mirrors_half_of_the_images(image):
    drawn = [only(horizontal_flip=True).draw(image, np.random.default_rng(seed)) for seed in range(200)]
    mirrored = sum(np.array_equal(one, image[:, ::-1]) for one in drawn)
    same = sum(np.array_equal(one, image) for one in drawn)
    assert mirrored + same == 200
    assert 70 <= mirrored <= 130


def centre_of_mass(image):
    rows, columns = np.indices(image.shape)
    return np.array([(columns * image).sum(), (rows * image).sum()]) / image.sum()


def test_shift_stays_within_its_share_and_fills_it():
    spot = np.zeros((100, 100), np.uint8)
    cv2.circle(spot, (50, 50), 4, 255, -1)
    moved = np.array(
        [
            centre_of_mass(only(horizontal_shift=0.1, vertical_shift=0.05).draw(spot, np.random.default_rng(seed)))
            for seed in range(200)
        ]
    ) - centre_of_mass(spot)
    assert np.abs(moved[:, 0]).max() == pytest.approx(10, abs=0.6)
    assert np.abs(moved[:, 1]).max() == pytest.approx(5, abs=0.6)


def test_rotation_stays_within_its_degrees():
    line = np.zeros((101, 101), np.uint8)
    line[48:53, 10:91] = 255
    angles = []
    for seed in range(100):
        drawn = only(rotation=15).draw(line, np.random.default_rng(seed))
        rows, columns = np.nonzero(drawn > 127)
        angles.append(np.degrees(np.arctan(np.polyfit(columns, rows, 1)[0])))
    assert max(np.abs(angles)) == pytest.approx(15, abs=1)
    assert np.std(angles) > 5


@pytest.mark.parametrize("name", sorted(set(PRESETS) - {"wide"}))
def test_no_preset_for_planes_zooms(name):
    """Zoom tells the planes apart: areas must stay what they are up to interpolation."""
    disk = np.zeros((120, 120), np.uint8)
    cv2.circle(disk, (60, 60), 20, 255, -1)
    area = (disk > 127).sum()
    geometric = Augmentation(**(PRESETS[name].to_dict() | {"gain": 1.0, "gamma": 1.0}))
    for seed in range(20):
        drawn = geometric.draw(disk, np.random.default_rng(seed))
        assert (drawn > 127).sum() == pytest.approx(area, rel=0.03), name


def test_gain_keeps_black_black_and_geometry_still(image):
    bright = only(gain=1.4, gamma=1.5).draw(np.where(image < 100, 0, image).astype(np.uint8), np.random.default_rng(2))
    assert (bright[image < 100] == 0).all()
    assert not np.array_equal(bright[image >= 100], image[image >= 100])


@pytest.mark.parametrize("bad", [{"rotation": -1}, {"shear": 90}, {"vertical_shift": 2}, {"gain": 0.5}])
def test_impossible_settings_are_refused(bad):
    with pytest.raises(ParameterError):
        Augmentation(**bad)


def test_wide_zooms_degrades_and_covers():
    """Areas spread by more than the shear's few percent, a flat image gets grain, and black boxes appear."""
    disk = np.zeros((120, 120), np.uint8)
    cv2.circle(disk, (60, 60), 20, 255, -1)
    zooming = Augmentation(0, 0, 0, 0, False, zoom=1.5)
    areas = [(zooming.draw(disk, np.random.default_rng(seed)) > 127).sum() for seed in range(40)]
    assert max(areas) > 1.5 * (disk > 127).sum()
    assert min(areas) < (disk > 127).sum() / 1.5
    flat = np.full((80, 80), 128, np.uint8)
    grainy = Augmentation(0, 0, 0, 0, False, noise=0.1).draw(flat, np.random.default_rng(1))
    assert 1 < grainy.std() <= 0.1 * 255
    covered = [
        (Augmentation(0, 0, 0, 0, False, boxes=2).draw(flat, np.random.default_rng(s)) == 0).any() for s in range(9)
    ]
    assert any(covered)
    assert not all(covered)


def test_upside_down_images_come_half_of_the_time():
    gradient = np.repeat(np.arange(60, dtype=np.uint8)[:, None], 60, axis=1)
    flipping = Augmentation(0, 0, 0, 0, False, vertical_flip=True)
    turned = [flipping.draw(gradient, np.random.default_rng(seed))[0, 0] > 30 for seed in range(100)]
    assert 30 < sum(turned) < 70


@pytest.mark.parametrize("bad", [{"zoom": 0.5}, {"blur": -1}, {"noise": -0.1}, {"boxes": -1}])
def test_impossible_degradations_are_refused(bad):
    with pytest.raises(ParameterError):
        Augmentation(**bad)
