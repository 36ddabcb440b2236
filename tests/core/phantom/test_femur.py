import hashlib

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


# Digests of image and labels before femur and brain were added: data made from these planes must stay reproducible.
BEFORE = {
    ("BPD", 1): ("78f60216721aa272", "259a439721bc0193"),
    ("BPD", 17): ("d66ad8b04e624f56", "a8f8ff7bf6ec74c9"),
    ("BPD", 123): ("d8350c47f5f81b7d", "8baa213396fa0cf0"),
    ("CRL", 1): ("4fd8d139b8f00fe2", "fd527ab05cb533fa"),
    ("CRL", 17): ("1f7f1411cae92479", "b8617b0e287c5918"),
    ("CRL", 123): ("697adfaef779190b", "e7ca5bd7a6c376d0"),
    ("NT", 1): ("008ccd8c394ff6a5", "ac0c907d94df7977"),
    ("NT", 17): ("3db94212c0e5c606", "c8799323b2e5a67d"),
    ("NT", 123): ("fc1e9eb687f61ef4", "82c940f61c5953b0"),
}


@pytest.mark.parametrize(("plane", "seed"), BEFORE)
def test_planes_of_the_thesis_keep_their_bytes(plane, seed):
    phantom = generate(plane, seed, size=(96, 128))
    digests = tuple(hashlib.sha256(part.tobytes()).hexdigest()[:16] for part in (phantom.image, phantom.labels))
    assert digests == BEFORE[plane, seed]
