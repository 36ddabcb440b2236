"""Grids hold the reference's steps, start at 0 and refuse what they do not know."""

import numpy as np
import pytest

from core.corruption import CORRUPTIONS
from core.corruption.severity import severities
from core.errors import ParameterError
from core.sweep.grid import GRIDS, THESIS_KINDS, make_grid


def test_the_reference_has_50_50_and_21_steps():
    grid = make_grid()
    assert {kind: len(levels) for kind, levels in grid.items()} == {"scale_up": 50, "blur": 21, "noise": 50}
    assert (grid["scale_up"][-1], grid["blur"][-1], grid["noise"][-1]) == (50, 20, 0.5)


def test_the_annex_never_reaches_the_published_noise():
    grid = make_grid("annex")
    assert grid["noise"][-1] == pytest.approx(0.1225)
    assert grid["blur"][-1] == 19
    # 0.24 + 49 x 0.44 = 21.8 pixels of 174 on either side.
    assert grid["scale_up"][-1] == pytest.approx(100 * 2 * 21.8 / 174)


@pytest.mark.parametrize("name", GRIDS)
def test_every_grid_starts_clean_and_rises(name):
    for kind, levels in make_grid(name, ["all"]).items():
        assert levels[0] == 0
        assert np.all(np.diff(levels) > 0)
        assert levels[-1] <= CORRUPTIONS[kind].maximum


def test_severities_are_the_calibrated_five():
    for kind, levels in make_grid("severities", ["all"]).items():
        assert levels == (0.0, *severities(kind).intensities)
    assert set(make_grid("reference", ["all"])) == set(CORRUPTIONS)
    assert set(THESIS_KINDS) <= set(CORRUPTIONS)


@pytest.mark.parametrize(("name", "kinds"), [("monthly", ["blur"]), ("reference", ["melt"]), ("reference", [])])
def test_what_does_not_exist_is_refused(name, kinds):
    with pytest.raises(ParameterError):
        make_grid(name, kinds)
