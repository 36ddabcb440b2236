import numpy as np
import pytest

from core.phantom import LABELS, generate
from core.phantom.axial_head import EARLY_LIMIT_MM, SECTIONS, axial_head
from core.phantom.settings import Draw

DOWN = np.array([0.0, 1.0])


def names_in(section, seed):
    anatomy = axial_head(Draw(np.random.default_rng(seed)), 60.0, DOWN, section)
    return {item.structure for item in anatomy.items if hasattr(item, "structure")}


@pytest.fixture(scope="module")
def brains():
    return [generate("brain", seed, size=(200, 260)) for seed in range(8)]


@pytest.mark.parametrize("section", SECTIONS)
def test_the_cerebellum_belongs_to_one_section_only(section):
    shown = [{"cerebellum"} <= names_in(section, seed) for seed in range(10)]
    assert all(shown) if section == "transcerebellar" else not any(shown)


def test_a_section_shows_its_landmarks_more_often_than_the_others():
    shown = {section: [names_in(section, seed) for seed in range(24)] for section in SECTIONS}

    def share(section, name):
        return np.mean([name in names for names in shown[section]])

    assert share("transventricular", "choroid plexus") > share("transcerebellar", "choroid plexus") + 0.15
    assert share("transthalamic", "thalami") > share("transventricular", "thalami") + 0.2
    assert all(share(section, "midline") == 1 for section in SECTIONS)


def test_everything_lies_inside_the_scalp():
    for seed in range(12):
        anatomy = axial_head(Draw(np.random.default_rng(seed)), 70.0, DOWN, "transcerebellar")
        reach = np.abs(anatomy.outline).max(axis=0)
        for item in anatomy.items:
            assert np.all(np.abs(item.points).max(axis=0) <= 1.02 * reach)


def test_skull_is_brighter_than_brain(brains):
    ratios = []
    for phantom in brains:
        skull, brain = (phantom.image[phantom.labels == LABELS[name]].mean() for name in ("skull", "brain"))
        ratios.append(skull / brain)
    assert np.median(ratios) > 1.5


def test_heads_are_of_the_second_trimester_or_later(brains):
    assert all(phantom.parameters["brain.bpd"] >= 38 > EARLY_LIMIT_MM for phantom in brains)
    assert {phantom.parameters["brain.section"] for phantom in brains} <= set(SECTIONS)
    assert all({"skull", "brain", "midline"} <= set(phantom.structures) for phantom in brains)


def test_a_routine_frame_draws_what_the_bpd_plane_does_not():
    plain, routine = Draw(np.random.default_rng(1)), Draw(np.random.default_rng(1))
    axial_head(plain, 60.0, DOWN)
    axial_head(routine, 60.0, DOWN, "transthalamic")
    assert not [name for name in plain.parameters if name.startswith("brain.")]
    assert [name for name in routine.parameters if name.startswith("brain.")]
