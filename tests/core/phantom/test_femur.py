import numpy as np
import pytest

from core.phantom import LABELS, PLANES, disjoint_parameters, generate

SEEDS = range(10)


@pytest.fixture(scope="module")
def phantoms():
    return [generate("femur", seed, size=(220, 300)) for seed in SEEDS]


def region(phantom, name):
    return phantom.labels == LABELS[name]


def beneath_and_beside(phantom):
    """Mean gray of what lies under the shaft and, at the same depths, left and right of it; None without room."""
    shaft = region(phantom, "femur shaft")
    rows, columns = np.nonzero(shaft)
    tissue = phantom.sector & ~np.isin(phantom.labels, [LABELS["amniotic fluid"], LABELS["femur shaft"]])
    depth = np.arange(shaft.shape[0])
    below = (depth > rows.max() + 4) & (depth < rows.max() + 45)
    middle, half = (columns.min() + columns.max()) / 2, np.ptp(columns) / 2
    distance = np.abs(np.arange(shaft.shape[1]) - middle)
    under = tissue & below[:, None] & (distance < 0.6 * half)[None, :]
    beside = tissue & below[:, None] & (distance > 1.4 * half)[None, :]
    if min(under.sum(), beside.sum()) < 200:
        return None
    return phantom.image[under].mean(), phantom.image[beside].mean()


def test_shaft_and_thigh_are_always_there_and_the_rest_mostly(phantoms):
    assert all({"femur shaft", "thigh"} <= set(phantom.structures) for phantom in phantoms)
    shares = [np.mean([name in phantom.structures for name in PLANES["femur"].structures]) for phantom in phantoms]
    assert np.mean(shares) >= 0.8


def test_the_shaft_is_much_brighter_than_the_muscle(phantoms):
    ratios = [
        phantom.image[region(phantom, "femur shaft")].mean() / phantom.image[region(phantom, "thigh")].mean()
        for phantom in phantoms
    ]
    assert np.median(ratios) > 2.0
    assert np.mean(np.array(ratios) > 1.3) >= 0.8


def test_it_is_darker_beneath_the_shaft_than_beside_it():
    pairs = [beneath_and_beside(generate("femur", seed, size=(200, 260))) for seed in range(18)]
    ratios = [under / max(beside, 1) for under, beside in filter(None, pairs)]
    assert len(ratios) >= 8
    assert np.median(ratios) < 0.85


def test_the_whole_shaft_is_mostly_in_view(phantoms):
    seen = []
    for phantom in phantoms:
        rows, columns = np.nonzero(region(phantom, "femur shaft"))
        long = np.hypot(np.ptp(rows), np.ptp(columns)) * phantom.pixel_size_mm
        seen.append(long / phantom.parameters["femur.length"])
    assert np.mean(np.array(seen) > 0.88) >= 0.8
    assert max(seen) < 1.3


def test_same_seed_same_bytes(phantoms):
    again = generate("femur", 3, size=(220, 300))
    assert np.array_equal(again.image, phantoms[3].image)
    assert np.array_equal(again.labels, phantoms[3].labels)
    assert not np.array_equal(phantoms[4].image, phantoms[3].image)


def test_unseen_thighs_are_never_drawn_in_training():
    names = {"femur.thickness", "femur.bow", "femur.flesh_below"}
    assert names <= set(disjoint_parameters())
    train, unseen = (generate("femur", 1, size=64, settings=name).parameters for name in ("train", "unseen"))
    assert all(train[name] < unseen[name] for name in names)


@pytest.mark.parametrize("name", ["BPD", "CRL", "NT"])
def test_planes_of_the_thesis_draw_nothing_of_the_wider_variety(name):
    drawn = generate(name, 2, size=64).parameters
    assert not [key for key in drawn if key.startswith(("preset.", "archive.", "brain.", "femur."))]
