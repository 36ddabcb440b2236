import numpy as np
import pytest

from core.phantom import LABELS, PLANES, disjoint_parameters, generate
from core.phantom.anatomy import Reflector, Shape
from core.phantom.femur import femur
from core.phantom.settings import Draw

SEEDS = range(18)
SIZE = (150, 200)
DOWN = np.array([0.0, 1.0])


@pytest.fixture(scope="module")
def phantoms():
    return [generate("femur", seed, size=SIZE) for seed in SEEDS]


@pytest.fixture(scope="module")
def thighs():
    """Anatomies alone, with what was drawn for each."""
    pairs = []
    for seed in range(40):
        draw = Draw(np.random.default_rng(seed))
        pairs.append((femur(draw, 50.0, DOWN), draw.parameters))
    return pairs


def shapes(anatomy, *names):
    return [item for item in anatomy.items if isinstance(item, Shape) and item.structure in names]


def region(phantom, name):
    return phantom.labels == LABELS[name]


def beneath_and_beside(phantom):
    """Mean gray of what lies under the shaft and, at the same depths, left and right of it; None without room."""
    shaft = region(phantom, "femur shaft")
    rows, columns = np.nonzero(shaft)
    tissue = phantom.sector & ~np.isin(phantom.labels, [LABELS["amniotic fluid"], LABELS["femur shaft"]])
    depth = np.arange(shaft.shape[0])
    below = (depth > rows.max() + 4) & (depth < rows.max() + 35)
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


def test_the_shaft_is_brighter_than_the_muscle_from_a_little_to_a_lot(phantoms):
    ratios = [
        phantom.image[region(phantom, "femur shaft")].mean() / phantom.image[region(phantom, "thigh")].mean()
        for phantom in phantoms
    ]
    assert np.median(ratios) > 1.6
    assert np.mean(np.array(ratios) > 1.1) >= 0.7  # the rest lie among tissue as bright as they are
    assert np.percentile(ratios, 90) > 1.6 * np.percentile(ratios, 10)


def test_it_is_darker_beneath_the_shaft_than_beside_it(phantoms):
    ratios = [under / max(beside, 1) for under, beside in filter(None, map(beneath_and_beside, phantoms))]
    assert len(ratios) >= 8
    assert np.median(ratios) < 0.9


def test_the_rod_is_one_structure_among_many(thighs):
    others = [
        len(shapes(anatomy, "limbs", "body part", "placenta", "uterine wall", "maternal tissue"))
        for anatomy, _ in thighs
    ]
    assert np.mean(np.array(others) >= 2) >= 0.8
    assert np.mean([drawn["femur.in_front"] for _, drawn in thighs]) >= 0.5


def test_the_mother_lies_around_the_thigh_and_never_on_it(thighs):
    for anatomy, drawn in thighs:
        names = [getattr(item, "structure", "") for item in anatomy.items]
        mother = [k for k, name in enumerate(names) if name in ("placenta", "uterine wall", "maternal tissue")]
        assert not mother or max(mother) < names.index("thigh")
        if not drawn["femur.in_front"]:
            continue
        sheet = anatomy.items[[k for k in mother if drawn["femur.in_front_0"] == names[k]][-1]]
        thigh = shapes(anatomy, "thigh")[0]
        assert sheet.points[:, 1].min() < thigh.points[:, 1].min()  # the probe is above


def test_shadows_and_echoes_of_the_bone_lie_below_it(thighs):
    for anatomy, drawn in thighs:
        last = max(k for k, item in enumerate(anatomy.items) if getattr(item, "structure", "") == "femur shaft")
        shaft = anatomy.items[last].points
        below = anatomy.items[last + 3 :]  # after its two faces
        assert all(isinstance(item, Reflector) for item in below)
        assert len(below) == drawn["femur.clutter"] + drawn.get("femur.reverberations", 0)
        assert all(item.points[:, 1].mean() > shaft[:, 1].min() for item in below)


def test_the_whole_shaft_is_mostly_in_view(phantoms):
    seen = []
    for phantom in phantoms:
        rows, columns = np.nonzero(region(phantom, "femur shaft"))
        long = np.hypot(np.ptp(rows), np.ptp(columns)) * phantom.pixel_size_mm
        seen.append(long / phantom.parameters["femur.length"])
    assert np.mean(np.array(seen) > 0.88) >= 0.75
    assert max(seen) < 1.3


def test_same_seed_same_bytes(phantoms):
    again = generate("femur", 3, size=SIZE)
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
