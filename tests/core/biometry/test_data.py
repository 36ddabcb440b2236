"""Annotations, the way into the network and its augmentation: ellipses go where the pixels go."""

import cv2
import numpy as np
import pytest

from core.augmentation import PRESETS
from core.biometry.annotation import read_annotation
from core.biometry.data import read_heads
from core.biometry.ellipse import Ellipse
from core.biometry.settings import HeadSettings
from core.biometry.training import PREPROCESSING, sides, vary
from core.datasets import load
from core.errors import DatasetError, MeasurementError, ParameterError
from core.preprocessing import PreprocessingSettings, clean, finish, placement
from core.preprocessing.screen import Box
from core.zoo.heads import filled_window, frame_ellipse, frame_pixels


def test_an_annotation_is_read_beside_its_frame(heads, head_of):
    found = read_annotation(heads / "007_HC.png")
    assert found.circumference == pytest.approx(head_of(7).circumference, rel=0.01)
    assert read_annotation(heads / "999_HC.png") is None


def test_an_empty_annotation_is_a_sentence(tmp_path):
    cv2.imwrite(str(tmp_path / "001_HC_Annotation.png"), np.zeros((20, 20), np.uint8))
    with pytest.raises(MeasurementError, match="shows no ellipse"):
        read_annotation(tmp_path / "001_HC.png")


@pytest.mark.parametrize("aspect", ["pad", "stretch"])
def test_placement_is_where_a_resize_puts_a_dot(aspect):
    settings = PreprocessingSettings(
        crop="none", mask="none", aspect=aspect, median_kernel=1, lower_percentile=0, upper_percentile=100
    )
    frame = np.zeros((180, 260), np.uint8)
    cv2.rectangle(frame, (170, 60), (177, 67), 255, -1)
    cleaned = clean(frame, settings)
    image = finish(cleaned, settings, size=90).astype(float)
    rows, columns = np.mgrid[:90, :90]
    centre = np.array([(image * columns).sum(), (image * rows).sum()]) / image.sum()
    matrix = placement(cleaned.box, settings, 90)
    np.testing.assert_allclose(matrix[:, :2] @ [173.5, 63.5] + matrix[:, 2], centre, atol=0.15)


def test_placement_takes_the_crop_into_account_and_is_undone():
    matrix = placement(Box(10, 110, 30, 230), PREPROCESSING, 100)
    # 200 pixels wide, padded from 100 high: half a pixel a pixel, its left edge at the image's.
    np.testing.assert_allclose(matrix[:, :2], np.eye(2) / 2)
    np.testing.assert_allclose(matrix[:, :2] @ [29.5, 9.5] + matrix[:, 2], [-0.5, 24.5])
    head = Ellipse(120, 60, 40, 30, 0.3)
    back = frame_ellipse(head.moved(matrix), matrix)
    assert (back.x, back.y, back.major) == pytest.approx((120, 60, 40))
    assert frame_pixels([50.0], [matrix]) == pytest.approx([100.0])


def test_the_window_is_what_the_frame_fills():
    cleaned = clean(np.full((100, 200), 90, np.uint8), PreprocessingSettings(crop="none", mask="none", aspect="pad"))
    window = filled_window(cleaned, placement(cleaned.box, PREPROCESSING, 100))
    np.testing.assert_allclose(window, [[-0.5, 99.5], [24.5, 74.5]])


@pytest.mark.parametrize("seed", range(4))
def test_a_varied_mask_is_the_mask_of_the_moved_ellipse(seed):
    head = Ellipse(60, 66, 30, 23, 0.5)
    image = np.round(255 * head.coverage((128, 128))).astype(np.uint8)
    moving = PRESETS["head"]
    variation = type(moving)(
        **{**moving.to_dict(), "gain": 1.0, "gamma": 1.0, "blur": 0.0, "noise": 0.0}
    ).vary(image, np.random.default_rng(seed))  # fmt: skip
    expected = head.moved(variation.matrix).coverage((128, 128))
    assert np.abs(variation.image / 255 - expected).mean() < 0.004
    wrong = head.coverage((128, 128))
    assert np.abs(variation.image / 255 - wrong).mean() > 0.02


def test_heads_are_prepared_with_their_ellipse_and_scale(heads):
    found = read_heads(load(heads).where(split="test"), PREPROCESSING, 48)
    assert found.images.shape == (12, 48, 48)
    lengths = np.array([one.circumference for one in found.ellipses]) / found.scales * found.pixel_sizes
    np.testing.assert_allclose(lengths, found.circumferences, rtol=0.01)
    np.testing.assert_allclose(found.targets * found.millimetres, found.circumferences)


def test_the_target_of_a_variation_follows_its_ellipse(heads):
    found = read_heads(load(heads).where(split="test"), PREPROCESSING, 48)
    settings = HeadSettings(backbone="cnn", size=48)
    _, target = vary(found, 2, settings, epoch=1)
    again = vary(found, 2, settings, epoch=1)[1]
    assert target == again
    assert target != vary(found, 2, settings, epoch=2)[1]
    assert 0.6 < target / found.targets[2] < 1.6
    _, mask = vary(found, 2, HeadSettings(output="ellipse", backbone="cnn", size=48), epoch=1)
    assert mask.shape == (24, 24, 1)


def test_heads_without_annotation_or_circumference_are_refused(write_heads, shape_folder, tmp_path):
    bare = write_heads(tmp_path / "bare", [1, 2], annotated=False)
    with pytest.raises(DatasetError, match="no annotation"):
        read_heads(load(bare), PREPROCESSING, 48)
    with pytest.raises(DatasetError, match="circumference"):
        read_heads(load(shape_folder), PREPROCESSING, 48)


def test_folds_share_no_examination_and_leave_the_test_ones_out(heads):
    table = load(heads)
    held_out = []
    for fold in range(5):
        train, validation = sides(table, HeadSettings(fold=fold))
        assert not set(train.frame["patient"]) & set(validation.frame["patient"])
        assert len(train) + len(validation) == 48
        held_out += list(validation.frame["image"] if "image" in validation.frame else validation.frame["path"])
    assert len(held_out) == len(set(held_out)) == 48
    assert not [path for path in held_out if int(path.split("/")[-1][:3]) % 5 == 0]


def test_too_few_examinations_make_no_folds(heads):
    table = load(heads)
    few = table.chosen(table.frame["path"].str.contains("/00"))
    with pytest.raises(DatasetError, match="make no 20 folds"):
        sides(few, HeadSettings(fold=0, folds=20))


@pytest.mark.parametrize(
    "wrong",
    [{"output": "mask"}, {"loss": "l1"}, {"augmentation": "x"}, {"epochs": 0}, {"fold": 5}, {"folds": 1},
     {"dropout": 1.0}, {"learning_rate": 0.0}, {"validation_share": 1.0}],
)  # fmt: skip
def test_settings_that_cannot_be_are_a_sentence(wrong):
    with pytest.raises(ParameterError, match=r"\.$"):
        HeadSettings(**wrong)
