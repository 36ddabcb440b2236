"""The thesis's variations: seeded, bounded, geometric."""

import cv2
import numpy as np
import pytest

from core.augmentation import FLIPS, PRESETS, RANGES, Augmentation, Variation, contact_sheet, drawn_text
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


@pytest.mark.parametrize("name", sorted(set(PRESETS) - {"wide", "head"}))
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


@pytest.mark.parametrize("name", PRESETS)
def test_the_numbers_told_stay_within_the_settings_and_name_them_all(image, name):
    settings = PRESETS[name]
    for one in settings.variations(image, seed=3, count=20):
        assert set(one.drawn) == set(settings.to_dict())
        for field, largest in settings.to_dict().items():
            value = one.drawn[field]
            if field in ("gain", "gamma", "zoom"):
                assert 1 / largest <= value <= largest
            else:
                assert abs(value) <= largest


def test_telling_the_numbers_draws_the_same_picture_and_no_number_more(image):
    for settings in PRESETS.values():
        one, other = np.random.default_rng(8), np.random.default_rng(8)
        assert np.array_equal(settings.draw(image, one), settings.vary(image, other).image)
        assert one.random() == other.random()


def test_the_numbers_told_describe_the_picture():
    """scikit-image, told the same turn, mirror and zoom, makes the same picture."""
    from skimage.transform import AffineTransform, warp

    picture = np.zeros((101, 101), np.uint8)
    cv2.ellipse(picture, (58, 44), (28, 12), 30, 0, 360, 220, -1)
    picture = cv2.GaussianBlur(picture, (0, 0), 2)
    settings = Augmentation(20, 0.1, 0.08, 0, True, zoom=1.2, vertical_flip=True)
    for one in settings.variations(picture, seed=1, count=6):
        drawn = one.drawn
        angle = np.deg2rad(drawn["rotation"])
        flips = np.diag([-1.0 if drawn[name] else 1.0 for name in ("horizontal_flip", "vertical_flip")])
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        linear = drawn["zoom"] * turn @ flips
        offset = np.array([50, 50]) - linear @ [50, 50]
        offset += np.array([drawn["horizontal_shift"], drawn["vertical_shift"]]) * 101
        matrix = np.vstack([np.column_stack([linear, offset]), [0, 0, 1]])
        expected = warp(picture, AffineTransform(matrix).inverse, order=1, mode="edge", preserve_range=True)
        assert np.abs(one.image - expected).max() < 6


def test_variations_depend_on_seed_and_position_alone(image):
    settings = PRESETS["default"]
    three, five = settings.variations(image, seed=1, count=3), settings.variations(image, seed=1, count=5)
    assert all(np.array_equal(a.image, b.image) for a, b in zip(three, five[:3], strict=True))
    assert not np.array_equal(five[0].image, five[1].image)


def test_what_was_drawn_in_words(image):
    assert drawn_text(PRESETS["none"].variations(image, 0, 1)[0]) == "unchanged"
    plain = PRESETS["none"].variations(image, 0, 1)[0]
    changes = {"rotation": -3.14, "horizontal_shift": 0.04, "horizontal_flip": True, "gain": 1.25, "boxes": 2}
    told = drawn_text(Variation(image, plain.drawn | changes, plain.matrix))
    assert told == "rotation -3.1°, horizontal shift +4.0 %, mirrored, gain × 1.25, boxes 2"


def test_ranges_hold_every_preset():
    assert set(RANGES) | set(FLIPS) == set(Augmentation().to_dict())
    for preset in PRESETS.values():
        for name, (low, high, _, _) in RANGES.items():
            assert low <= getattr(preset, name) <= high


def test_contact_sheet_places_images_in_order():
    images = [np.full((10, 10), 20 * number, np.uint8) for number in range(5)]
    sheet = contact_sheet(images, columns=3)
    assert sheet.shape == (2 * 14 + 4, 3 * 14 + 4)
    assert [sheet[4 + 5, 4 + 14 * column + 5] for column in range(3)] == [0, 20, 40]
    assert sheet[4 + 14 + 5, 4 + 14 + 5] == 80
    assert sheet[-6, -6] == 255
