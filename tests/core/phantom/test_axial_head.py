import numpy as np
import pytest

from core.phantom import LABELS, generate
from core.phantom.anatomy import Reflector
from core.phantom.axial_head import EARLY_LIMIT_MM, SECTIONS, axial_head
from core.phantom.settings import Draw

DOWN = np.array([0.0, 1.0])


def names_in(section, seed):
    anatomy = axial_head(Draw(np.random.default_rng(seed)), 60.0, DOWN, section)
    return {item.structure for item in anatomy.items if hasattr(item, "structure")}


@pytest.fixture(scope="module")
def brains():
    return [generate("brain", seed, size=(140, 190)) for seed in range(8)]


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


def test_bone_is_fainter_where_the_beam_runs_along_it():
    ratios = []
    for seed in range(20):
        draw = Draw(np.random.default_rng(seed))
        face = axial_head(draw, 60.0, DOWN, "transthalamic").items[-2]
        if not draw.parameters["brain.loses_sides"]:
            continue
        across = np.interp(np.linspace(0, 1, len(face.gain)), np.linspace(0, 1, len(face.points)), face.points[:, 0])
        aside = np.abs(across) > 0.97 * np.abs(across).max()
        ratios.append(face.gain[aside].mean() / face.gain[~aside].mean())
    assert len(ratios) >= 6
    assert np.median(ratios) < 0.6


def test_lines_inside_a_routine_brain_are_layers_that_fade():
    for seed in range(6):
        anatomy = axial_head(Draw(np.random.default_rng(seed)), 60.0, DOWN, "transventricular")
        inside = [item for item in anatomy.items[2:-2] if isinstance(item, Reflector) and not item.closed]
        assert all(line.thickness >= 0.3 for line in inside)
        assert all(line.gain is not None and line.gain[0] < line.gain.max() for line in inside)


def test_textured_brains_are_frequent_and_lighter():
    drawn = []
    for seed in range(40):
        draw = Draw(np.random.default_rng(seed))
        anatomy = axial_head(draw, 70.0, DOWN, "transthalamic")
        brain = [item for item in anatomy.items if getattr(item, "structure", "") == "brain"]
        drawn.append((draw.parameters["brain.textured"], brain[0].tissue.echo, len(brain)))
    textured, echo, lumps = np.array(drawn, float).T
    textured = textured > 0
    assert 0.25 < textured.mean() < 0.65
    assert echo[textured].mean() > echo[~textured].mean() + 2
    assert lumps[textured].mean() > 1.5 * lumps[~textured].mean()
