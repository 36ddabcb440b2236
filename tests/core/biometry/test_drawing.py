"""The picture of a measured head: lines lie where the ellipse does, in their colours, named below the frame."""

import numpy as np
import pytest

from core.biometry.drawing import (
    ANNOTATION,
    DIAMETER,
    LEAST_SIDE,
    OUTLINE,
    annotation,
    before,
    diameter_ends,
    draw_heads,
    outline,
)
from core.biometry.ellipse import Ellipse

HEAD = Ellipse(420.0, 300.0, 210.0, 160.0, 0.5)


def near(picture: np.ndarray, colour: tuple[int, int, int], x: float, y: float) -> bool:
    """Whether the colour, blended with another by a quarter at most, is within two pixels of a point."""
    around = picture[round(y) - 2 : round(y) + 3, round(x) - 2 : round(x) + 3].astype(int)
    return bool((np.abs(around - np.array(colour)).max(axis=-1) < 65).any())


@pytest.fixture(scope="module")
def frame() -> np.ndarray:
    return np.full((600, 800), 90, np.uint8)


def test_the_outline_is_drawn_all_around_and_nowhere_else(frame):
    picture = draw_heads(frame, [annotation(HEAD)], legend=False)
    assert picture.shape == (600, 800, 3)
    assert all(near(picture, ANNOTATION, x, y) for x, y in HEAD.points(40))
    rows, columns = np.nonzero((picture != 90).any(axis=-1))
    assert np.abs(HEAD.distance(columns, rows)).max() < 5
    assert (frame == 90).all()


def test_diameters_end_on_the_outline_at_right_angles_and_are_drawn(frame):
    ends = diameter_ends(HEAD)
    for points in ends.values():
        assert HEAD.distance(*points.T) == pytest.approx([0, 0], abs=1e-9)
    bpd, ofd = (points[1] - points[0] for points in (ends["BPD"], ends["OFD"]))
    assert np.linalg.norm(bpd) == pytest.approx(2 * HEAD.minor)
    assert np.linalg.norm(ofd) == pytest.approx(2 * HEAD.major)
    assert bpd @ ofd == pytest.approx(0, abs=1e-6)
    picture = draw_heads(frame, [outline(HEAD)], legend=False)
    for points in ends.values():
        for share in (0.1, 0.5, 0.9):
            assert near(picture, DIAMETER, *(points[0] + share * (points[1] - points[0])))


def test_the_last_line_lies_on_top(frame):
    picture = draw_heads(frame, [annotation(HEAD), before(HEAD)], legend=False)
    assert not any(near(picture, ANNOTATION, x, y) for x, y in HEAD.points(12))


def test_a_small_frame_is_enlarged_with_its_lines(frame):
    small = Ellipse(60.0, 40.0, 30.0, 20.0, 0.2)
    picture = draw_heads(frame[:90, :120], [outline(small)], legend=False)
    factor = LEAST_SIDE / 120
    assert picture.shape == (540, LEAST_SIDE, 3)
    for x, y in small.points(24)[1::2]:
        assert near(picture, OUTLINE, (x + 0.5) * factor - 0.5, (y + 0.5) * factor - 0.5)


def test_the_legend_names_what_is_there_below_the_frame(frame):
    plain = draw_heads(frame, [outline(HEAD), annotation(HEAD)], legend=False)
    named = draw_heads(frame, [outline(HEAD), annotation(HEAD)])
    assert (named[:600] == plain).all()
    strip = named[600:]
    for colour in (OUTLINE, ANNOTATION, DIAMETER):
        assert (strip == colour).all(axis=-1).any()
    assert draw_heads(frame, []).shape == (600, 800, 3)


def test_a_legend_too_long_for_one_row_takes_several():
    narrow = np.zeros((720, 300), np.uint8)
    lines = [outline(HEAD, "outline found, not to be used"), annotation(HEAD), before(HEAD)]
    one, several = draw_heads(narrow, lines[1:2]), draw_heads(narrow, lines)
    assert several.shape[0] - 720 >= 2 * (one.shape[0] - 720)


def test_colour_frames_keep_their_colours():
    frame = np.full((600, 800, 3), (10, 20, 30), np.uint8)
    picture = draw_heads(frame, [annotation(HEAD)], legend=False)
    assert tuple(picture[5, 5]) == (10, 20, 30)
    assert (frame == (10, 20, 30)).all()


def test_lines_have_a_dark_rim_so_that_bright_echoes_do_not_swallow_them():
    """On white, nothing but the rim is darker than the line."""
    picture = draw_heads(np.full((600, 800), 255, np.uint8), [annotation(HEAD)], legend=False)
    for x, y in HEAD.points(40):
        around = picture[round(y) - 3 : round(y) + 4, round(x) - 3 : round(x) + 4]
        assert around.sum(axis=-1).min() < sum(ANNOTATION) - 60


def test_the_middle_of_the_line_is_the_ellipse(frame):
    """The mean of all drawn pixels is the middle of the head, to a third of a pixel."""
    rows, columns = np.nonzero((draw_heads(frame, [annotation(HEAD)], legend=False) != 90).any(axis=-1))
    assert (columns.mean(), rows.mean()) == pytest.approx((HEAD.x, HEAD.y), abs=0.3)
    small = Ellipse(60.0, 40.0, 30.0, 20.0, 0.2)
    rows, columns = np.nonzero((draw_heads(frame[:90, :120], [annotation(small)], legend=False) != 90).any(axis=-1))
    factor = LEAST_SIDE / 120
    expected = ((small.x + 0.5) * factor - 0.5, (small.y + 0.5) * factor - 0.5)
    assert (columns.mean(), rows.mean()) == pytest.approx(expected, abs=0.3)
