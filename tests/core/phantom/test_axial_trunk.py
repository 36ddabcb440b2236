import numpy as np
import pytest

from core.phantom import LABELS, PLANES, disjoint_parameters, generate
from core.phantom.anatomy import Shape
from core.phantom.axial_trunk import axial_abdomen, axial_thorax
from core.phantom.scene import View
from core.phantom.settings import Draw

TRUNKS = ("abdomen", "thorax")
SEEDS = range(8)
DOWN = np.array([0.0, 1.0])


@pytest.fixture(scope="module")
def phantoms():
    return {plane: [generate(plane, seed, size=(220, 300)) for seed in SEEDS] for plane in TRUNKS}


def anatomy(build, seed, width=60.0, settings="train"):
    return build(Draw(np.random.default_rng(seed), settings), width, DOWN)


def shapes(built, structure):
    return [item for item in built.items if isinstance(item, Shape) and item.structure == structure]


def gray_pairs(phantoms, dark, bright, least=40):
    """Mean gray of two structures in every picture that shows enough of both."""
    masks = [[phantom.labels == LABELS[name] for name in (dark, bright)] for phantom in phantoms]
    return [
        [phantom.image[mask].mean() for mask in pair]
        for phantom, pair in zip(phantoms, masks, strict=True)
        if min(mask.sum() for mask in pair) >= least
    ]


class TestPictures:
    @pytest.mark.parametrize("plane", TRUNKS)
    def test_what_the_plane_shows_is_mostly_there(self, phantoms, plane):
        shares = [np.mean([n in phantom.structures for n in PLANES[plane].structures]) for phantom in phantoms[plane]]
        assert min(shares) >= 0.5  # three vessels have no septum, a far wall may hide in a zoom
        assert np.mean(shares) >= 0.85

    def test_stomach_is_darker_than_liver(self, phantoms):
        pairs = gray_pairs(phantoms["abdomen"], "stomach", "liver")
        assert len(pairs) >= 5
        assert np.mean([dark < bright for dark, bright in pairs]) >= 0.8

    def test_chambers_are_darker_than_lungs_and_septum(self, phantoms):
        for bright in ("lungs", "septum"):
            pairs = gray_pairs(phantoms["thorax"], "heart chambers", bright, 20)
            assert len(pairs) >= 4
            assert np.mean([dark < light for dark, light in pairs]) >= 0.85

    @pytest.mark.parametrize("plane", TRUNKS)
    def test_the_spine_casts_a_shadow(self, monkeypatch, plane):
        monkeypatch.setattr(PLANES[plane], "view", View(fill=(0.6, 0.7), turn=4.0, any_turn=0.0, seen=(1.0, 1.0)))
        ratios = []
        for seed in range(16):
            phantom = generate(plane, seed, size=200)
            rows, columns = np.nonzero(phantom.labels == LABELS["spine"])
            if len(rows) < 25 or rows.max() > 110:  # the half whose spine lies towards the probe
                continue
            below = slice(rows.max() + 4, rows.max() + 40)
            aside = np.abs(np.arange(200) - np.median(columns))
            inside = np.isin(phantom.labels[below], [LABELS[n] for n in ("liver", "lungs") if n in LABELS])
            behind = phantom.image[below][inside & (aside < 0.3 * np.ptp(columns) + 1)]
            beside = phantom.image[below][inside & (aside > np.ptp(columns)) & (aside < 2.5 * np.ptp(columns))]
            if min(behind.size, beside.size) > 30:
                ratios.append(behind.mean() / max(beside.mean(), 1.0))
        assert len(ratios) >= 3
        assert np.median(ratios) < 0.75

    @pytest.mark.parametrize("plane", TRUNKS)
    def test_same_seed_same_bytes(self, phantoms, plane):
        again = generate(plane, 3, size=(220, 300))
        assert np.array_equal(again.image, phantoms[plane][3].image)
        assert np.array_equal(again.labels, phantoms[plane][3].labels)
        assert again.parameters == phantoms[plane][3].parameters

    def test_the_spine_points_in_all_directions(self, phantoms):
        turns = [p.parameters["pose.turn"] for p in phantoms["abdomen"] + phantoms["thorax"]]
        assert len(set(np.floor_divide(turns, 90))) == 4


class TestAnatomy:
    @pytest.mark.parametrize("build", [axial_abdomen, axial_thorax])
    def test_outline_is_as_wide_as_asked(self, build):
        for seed in SEEDS:
            assert np.ptp(anatomy(build, seed, 80.0).outline[:, 0]) == pytest.approx(80.0, rel=0.12)

    @pytest.mark.parametrize("build", [axial_abdomen, axial_thorax])
    def test_ribs_are_alike_on_both_sides_and_bony(self, build):
        middles = np.array(
            [rib.points.mean(axis=0) for seed in range(30) for rib in shapes(anatomy(build, seed), "ribs")]
        )
        left, right = middles[middles[:, 0] < 0], middles[middles[:, 0] > 0]
        assert len(left) == pytest.approx(len(right), rel=0.25)
        assert np.abs(left.mean(axis=0) * (-1, 1) - right.mean(axis=0)).max() < 0.06 * 60
        assert all(rib.tissue.attenuation > 0.1 for seed in SEEDS for rib in shapes(anatomy(build, seed), "ribs"))

    @pytest.mark.parametrize("build", [axial_abdomen, axial_thorax])
    def test_the_spine_lies_behind_the_aorta(self, build):
        for seed in SEEDS:
            built = anatomy(build, seed)
            spine = np.mean([part.points.mean(axis=0)[1] for part in shapes(built, "spine")])
            assert shapes(built, "aorta")[0].points.mean(axis=0)[1] < spine
            assert spine > 0.5 * built.outline[:, 1].max()

    def test_fluid_loses_less_than_tissue(self):
        for seed in SEEDS:
            parts = [
                *shapes(anatomy(axial_abdomen, seed), "stomach"),
                *shapes(anatomy(axial_thorax, seed), "heart chambers"),
            ]
            assert all(part.tissue.attenuation < 0 for part in parts)

    def test_heart_and_stomach_lie_on_the_left(self):
        # Left is negative: most of the heart, and the stomach, lie there (situs solitus before mirroring).
        hearts = [shapes(anatomy(axial_thorax, k), "heart")[0].points[:, 0].mean() for k in SEEDS]
        bags = [s.points[:, 0].mean() for k in SEEDS for s in shapes(anatomy(axial_abdomen, k), "stomach")]
        assert max(bags) < 0
        assert np.mean(hearts) < 0

    @pytest.mark.parametrize("build", [axial_abdomen, axial_thorax])
    def test_every_structure_has_a_label(self, build):
        for seed in range(40):
            assert {item.structure for item in anatomy(build, seed).items if isinstance(item, Shape)} <= set(LABELS)


def test_unseen_ranges_are_never_drawn_in_training():
    names = [name for name in disjoint_parameters() if name.split(".")[0] in ("trunk", "abdomen", "thorax")]
    assert len(names) == 5
    drawn = {"train": {}, "unseen": {}}
    for settings, by_name in drawn.items():
        for build in (axial_abdomen, axial_thorax):
            for seed in range(7):
                draw = Draw(np.random.default_rng(seed), settings)
                build(draw, 60.0, DOWN)
                for name in names:
                    if name in draw.parameters:
                        by_name.setdefault(name, []).append(draw.parameters[name])
    for name in names:
        train, unseen = drawn["train"][name], drawn["unseen"][name]
        assert max(train) < min(unseen) or max(unseen) < min(train)
