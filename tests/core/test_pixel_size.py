"""core.pixel_size against screens drawn here, whose ticks are known."""

import cv2
import numpy as np
import pytest

from core.errors import ParameterError
from core.images import Frame
from core.pixel_size import from_depth_ticks, pixel_size_of

YELLOW, WHITE = (255, 255, 170), (255, 255, 255)


def screen(period=35.0, first=76.0, widths=lambda k: 9 if k % 10 == 0 else 3 if k % 2 == 0 else 1, **options):
    """A scanner's screen (735, 975, 3) with speckle, letters, a gray bar and a column of ticks.

    Options: ``column``, ``colour``, ``missing`` ticks by number, ``right`` where ticks end in one column, ``echo`` on
    which the scale lies.
    """
    generator = np.random.default_rng(0)
    picture = np.zeros((735, 975, 3), np.uint8)
    speckle = cv2.GaussianBlur(generator.normal(0, 90, (735, 975)), (0, 0), 2) + 70
    left = 0 if options.get("echo") else 120
    picture[76:, left:900] = np.clip(speckle, 5, 200).astype(np.uint8)[76:, left:900, None]
    picture[100:300, 2:12] = np.linspace(250, 0, 200).astype(np.uint8)[:, None, None]
    for row, text in enumerate(("Routine", "Har-mid", "Pwr 89 %", "Gn -1", "C6 / M7", "P3 / E3", "SRI II 3")):
        cv2.putText(picture, text, (905, 90 + 16 * row), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (190, 190, 190), 1)
    column = options.get("column", 28)
    for number, row in enumerate(np.arange(first, 733, period)):
        if number in options.get("missing", ()):
            continue
        wide = widths(number)
        start = column - wide if options.get("right") else column
        picture[int(row) : int(row) + (3 if wide == 9 else 2), start : start + wide] = options.get("colour", YELLOW)
    return picture


@pytest.mark.parametrize("period", [29.16, 34.9, 42.8, 79.6])
def test_dots_between_short_ticks_are_five_millimetres_apart(period):
    size = from_depth_ticks(screen(period))
    assert size.source == "depth ticks"
    assert size.pixels_per_tick == pytest.approx(period, rel=0.005)
    assert size.mm == pytest.approx(5 / period, rel=0.005)
    assert "taken to be 5 mm apart" in size.note


def test_the_pattern_may_begin_anywhere():
    for shift in (1, 4, 7):
        kinds = [9, 1, 3, 1, 3, 1, 3, 1, 3, 1]
        size = from_depth_ticks(screen(widths=lambda k, s=shift, kinds=kinds: kinds[(k + s) % 10]))
        assert size.mm == pytest.approx(5 / 35, rel=0.005)


@pytest.mark.parametrize(
    "widths",
    [lambda k: 3, lambda k: 9 if k % 5 == 0 else 3, lambda k: 9 if k % 10 == 0 else 3, lambda k: (3, 3, 9)[k % 3]],
)
def test_other_patterns_tell_pixels_only(widths):
    size = from_depth_ticks(screen(widths=widths))
    assert size.mm is None
    assert size.pixels_per_tick == pytest.approx(35, rel=0.005)
    assert "cannot be told from the picture" in size.note


def test_a_scale_on_echo_with_missing_ticks_is_found():
    size = from_depth_ticks(screen(missing=(3, 4, 11), echo=True))
    assert size.pixels_per_tick == pytest.approx(35, rel=0.005)


def test_a_white_scale_on_the_right_whose_ticks_end_in_one_column():
    size = from_depth_ticks(screen(column=890, right=True, colour=WHITE))
    assert size.mm == pytest.approx(5 / 35, rel=0.005)


def test_a_larger_screen():
    large = cv2.resize(screen(), None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    assert from_depth_ticks(large).mm == pytest.approx(5 / 70, rel=0.005)


@pytest.mark.parametrize(
    "picture",
    [
        screen(first=900),
        screen(missing=range(5, 50)),
        screen(missing=(1, 2, 4, 7, 8, 10, 12, 13, 15)),
        np.zeros((735, 975, 3), np.uint8),
        np.full((20, 20), 255, np.uint8),
        np.random.default_rng(1).integers(0, 256, (300, 400)).astype(np.uint8),
    ],
    ids=["none", "too short", "too many missing", "black", "tiny", "noise"],
)
def test_without_a_scale_there_is_no_size(picture):
    assert from_depth_ticks(picture) is None


def test_unevenly_spaced_marks_are_no_scale():
    picture = screen(first=900)
    for row in np.cumsum(np.random.default_rng(2).integers(12, 60, 18)) + 76:
        picture[row : row + 2, 28:31] = YELLOW
    assert from_depth_ticks(picture) is None


def test_typed_comes_before_the_file_and_the_file_before_ticks():
    pixels = screen()
    known, unknown = Frame(pixels, "a", "0", pixel_size_mm=0.2), Frame(pixels, "a", "0")
    assert (pixel_size_of(known, 0.3).mm, pixel_size_of(known, 0.3).source) == (0.3, "typed")
    assert (pixel_size_of(known).mm, pixel_size_of(known).source) == (0.2, "DICOM")
    assert pixel_size_of(unknown).source == "depth ticks"
    assert pixel_size_of(Frame(np.zeros((50, 50), np.uint8), "a", "0")) is None


@pytest.mark.parametrize("typed", [0, -0.2, float("nan"), float("inf"), 100])
def test_an_impossible_typed_size(typed):
    with pytest.raises(ParameterError, match="give its side in mm"):
        pixel_size_of(Frame(screen(), "a", "0"), typed)
