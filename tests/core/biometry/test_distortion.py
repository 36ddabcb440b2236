"""A head under distortion: the truth moves with the picture, and errors are measured against it."""

import numpy as np
import pytest

from core.biometry.distortion import distorted, follow_head, moved_in_frame, movement
from core.biometry.ellipse import Ellipse
from core.biometry.reading import HeadReader
from core.corruption import CORRUPTIONS, corrupt
from core.corruption.severity import severity_of
from core.errors import Cancelled, MeasurementError, ParameterError
from core.preprocessing import Box, Cleaned, clean
from core.zoo import load_model

HEAD = Ellipse(150.0, 110.0, 62.0, 49.0, 0.4)
SHAPE = (220, 300)


@pytest.fixture(scope="module")
def reader(head_models):
    return HeadReader(load_model("tiny_head", head_models), load_model("tiny_outline", head_models))


@pytest.fixture(scope="module")
def cleaned(reader, bright_head):
    return clean(bright_head(SHAPE, HEAD), reader.settings)


def test_what_magnifies_moves_the_head_as_the_pixels_move():
    """A dot drawn into the frame lies after the corruption where the movement says."""
    frame = np.zeros(SHAPE, np.uint8)
    frame[70:75, 180:185] = 255
    changed = corrupt(frame, "scale_up", 24.0)
    rows, columns = np.nonzero(changed > 127)
    x, y = movement("scale_up", 24.0, SHAPE) @ [182.0, 72.0, 1.0]
    assert (columns.mean(), rows.mean()) == pytest.approx((x, y), abs=0.5)
    assert movement("scale_up", 24.0, SHAPE)[0, 0] == pytest.approx(1 / 0.76, rel=1e-3)


@pytest.mark.parametrize("kind", sorted(set(CORRUPTIONS) - {"scale_up"}))
def test_what_does_not_magnify_leaves_everything_in_its_place(kind):
    unchanged = np.eye(2, 3)
    assert movement(kind, CORRUPTIONS[kind].slider_maximum, SHAPE) == pytest.approx(unchanged, abs=1e-4)


def test_an_ellipse_of_the_frame_moves_about_the_middle_of_the_crop():
    box = Box(top=20, bottom=120, left=40, right=140)
    source = Cleaned(np.zeros((100, 100), np.uint8), np.ones((100, 100), bool), box, ())
    middle = Ellipse(40 + 49.5, 20 + 49.5, 20.0, 10.0, 0.3)
    moved = moved_in_frame(middle, source, "scale_up", 20.0)
    assert (moved.x, moved.y) == pytest.approx((middle.x, middle.y), abs=0.02)
    assert moved.circumference == pytest.approx(middle.circumference / 0.8, rel=1e-3)


def test_a_distorted_frame_keeps_its_box_and_is_what_the_corruption_gives(cleaned):
    changed = distorted(cleaned, "noise", 0.1, seed=3)
    assert changed.box == cleaned.box
    assert np.array_equal(changed.gray, corrupt(cleaned.gray, "noise", 0.1, seed=3, sector=cleaned.sector))


def test_errors_are_against_the_truth_in_millimetres(reader, cleaned):
    rows = follow_head(reader, cleaned, "blur", [0.0, 2.0], pixel_size_mm=0.2, truth=HEAD)
    assert list(rows["network"]) == ["regression", "outline"] * 2
    assert (rows["unit"] == "mm").all()
    assert rows["expected"].to_numpy() == pytest.approx([HEAD.circumference * 0.2] * 4)
    assert rows["error"].to_numpy() == pytest.approx((rows["value"] - rows["expected"]).to_numpy())
    still = rows[(rows["network"] == "outline") & (rows["intensity"] == 0)].iloc[0]
    # The network finds the bright ellipse, drawn larger by its max pooling, and its interval is 5 % to either side.
    assert abs(still["error"]) < 0.08 * still["expected"]
    assert (still["low"], still["high"]) == pytest.approx((0.95 * still["value"], 1.05 * still["value"]))


def test_every_intensity_is_measured_under_its_own_corruption_and_seed(reader, cleaned):
    size = 0.2
    rows = follow_head(reader, cleaned, "noise", [0.0, 0.3], pixel_size_mm=size, seed=5)
    assert list(rows["intensity"]) == [0.0, 0.0, 0.3, 0.3]
    assert list(rows["severity"]) == [severity_of("noise", intensity) for intensity in rows["intensity"]]
    changed = reader.read_cleaned([distorted(cleaned, "noise", 0.3, seed=5)], [size])[0]
    expected = [changed.regression.mm, changed.segmentation.mm if changed.segmentation else np.nan]
    assert rows["value"][2:].tolist() == pytest.approx(expected, nan_ok=True)
    other = follow_head(reader, cleaned, "noise", [0.3], pixel_size_mm=size, seed=6)
    assert other["value"][0] != rows["value"][2]


def test_a_pixel_that_no_frame_of_a_head_has_is_refused(reader, cleaned):
    with pytest.raises(MeasurementError, match="millimetres"):
        follow_head(reader, cleaned, "blur", [0.0], pixel_size_mm=7.0)


def test_without_truth_errors_are_shifts_and_without_pixel_size_in_pixels(reader, cleaned):
    rows = follow_head(reader, cleaned, "scale_up", [0.0, 10.0])
    assert (rows["unit"] == "pixels").all()
    still, grown = rows[rows["intensity"] == 0], rows[rows["intensity"] == 10]
    assert still["error"].to_numpy() == pytest.approx([0.0, 0.0])
    assert grown["expected"].to_numpy() == pytest.approx(still["value"].to_numpy() / 0.9, rel=1e-3)
    outline = grown[grown["network"] == "outline"].iloc[0]
    assert abs(outline["error"]) < 0.05 * outline["expected"]


def test_a_head_that_vanishes_is_refused_and_has_no_number(reader, cleaned):
    rows = follow_head(reader, cleaned, "contrast", [0.0, CORRUPTIONS["contrast"].maximum], truth=HEAD)
    assert list(rows["refused"][:2]) == ["", ""]
    gone = rows[(rows["network"] == "outline") & (rows["intensity"] > 0)].iloc[0]
    assert gone["refused"].startswith("No outline")
    assert np.isnan(gone["value"]) and np.isnan(gone["error"])


def test_one_network_alone_has_its_rows_alone(reader, cleaned):
    rows = follow_head(HeadReader(segmenter=reader.segmenter), cleaned, "blur", [0.0])
    assert list(rows["network"]) == ["outline"]


def test_it_reports_progress_and_can_be_cancelled(reader, cleaned):
    shares = []

    def stop(share: float) -> None:
        shares.append(share)
        if share > 0.4:
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        follow_head(reader, cleaned, "blur", [0.0, 1.0, 2.0, 3.0], progress=stop)
    assert shares == [0.25, 0.5]


def test_an_unknown_corruption_is_refused(reader, cleaned):
    with pytest.raises(ParameterError):
        follow_head(reader, cleaned, "melting", [0.0])
