import numpy as np
import pytest

from core.errors import ParameterError
from core.phantom import PLANES, SCANNERS, generate, raw_screen

CROPS = {(650, 868): (59, 720, 15, 960), (720, 960): (59, 720, 15, 960), (768, 1024): (80, 570, 1, 760)}
CASES = [("BPD", 0, "siemens"), ("CRL", 1, "ge"), ("NT", 2, "ge"), ("BPD", 5, "ge"), ("NT", 3, "siemens")]


@pytest.fixture(scope="module", params=CASES, ids=lambda case: "-".join(map(str, case)))
def screen(request):
    plane, seed, scanner = request.param
    return raw_screen(plane, seed, scanner=scanner)


def test_sizes_and_types(screen):
    assert screen.pixels.shape[:2] in ({(768, 1024)} if screen.scanner == "siemens" else {(650, 868), (720, 960)})
    for colour in (screen.pixels, screen.clean):
        assert (colour.dtype, colour.shape[2]) == (np.uint8, 3)
    for plane in (screen.annotation_mask, screen.sector):
        assert (plane.dtype, plane.shape) == (bool, screen.pixels.shape[:2])


def test_the_thesis_crop_contains_the_sector(screen):
    top, bottom, left, right = CROPS[screen.pixels.shape[:2]]
    outside = screen.sector.copy()
    outside[top:bottom, left:right] = False
    assert not outside.any()
    assert screen.sector.any()


def test_the_clean_twin_is_the_sector_and_nothing_else(screen):
    assert np.array_equal(screen.clean.max(axis=2) > 0, screen.sector)


def test_the_twin_equals_the_screen_but_for_the_annotations(screen):
    differs = (screen.pixels != screen.clean).any(axis=2)
    assert np.array_equal(differs & screen.sector, screen.annotation_mask)
    assert not (screen.annotation_mask & ~screen.sector).any()


def test_header_and_bar_lie_outside_the_sector(screen):
    beside = screen.pixels[~screen.sector]
    assert (beside > 0).any(axis=1).sum() > 5000
    assert {"header", "gray bar", "depth ticks"} <= set(screen.drawn)


def test_labels_match_the_sector(screen):
    assert np.array_equal(screen.labels > 0, screen.sector)


def test_calipers_are_drawn_over_the_anatomy():
    marked = [raw_screen("BPD", seed, scanner="ge") for seed in range(6)]
    with_marks = [screen for screen in marked if "measurement text" in screen.drawn or "dotted ellipse" in screen.drawn]
    assert len(with_marks) >= 3
    for screen in with_marks:
        assert 20 < screen.annotation_mask.sum() < 0.06 * screen.sector.sum()


def test_tints_colour_the_anatomy_and_are_the_same_in_the_twin():
    tints = {}
    for seed in range(10):
        screen = raw_screen("NT", seed, scanner="siemens")
        quiet = screen.sector & ~screen.annotation_mask & (screen.clean.mean(axis=2) > 60)
        colour = screen.clean[quiet].mean(axis=0)
        tints.setdefault(screen.parameters["screen.tint"], []).append(colour[2] - colour[0])
        assert np.array_equal(screen.pixels[quiet], screen.clean[quiet])
    assert max(tints["blue"]) > 10
    assert min(tints["sepia"]) < -8
    assert all(difference == 0 for difference in tints["none"])


@pytest.mark.parametrize("scanner", SCANNERS)
def test_same_seed_same_screen(scanner):
    first = raw_screen("CRL", 4, scanner=scanner)
    raw_screen("NT", 9, scanner=scanner)
    second = raw_screen("CRL", 4, scanner=scanner)
    assert np.array_equal(first.pixels, second.pixels)
    assert first.parameters == second.parameters


def test_the_screen_shows_the_phantom_of_its_seed():
    screen = raw_screen("NT", 6, scanner="siemens")
    rows, columns = np.nonzero(screen.sector)
    phantom = generate("NT", 6, size=screen.phantom.image.shape)
    assert np.array_equal(phantom.image, screen.phantom.image)
    shown = screen.labels[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    own_rows, own_columns = np.nonzero(phantom.sector)
    own = phantom.labels[own_rows.min() : own_rows.max() + 1, own_columns.min() : own_columns.max() + 1]
    assert np.array_equal(shown, own)


@pytest.mark.parametrize("plane", PLANES)
def test_an_unknown_scanner_is_refused(plane):
    with pytest.raises(ParameterError, match=r"'philips'.*siemens, ge"):
        raw_screen(plane, 0, scanner="philips")
