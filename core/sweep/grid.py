"""The intensities a sweep visits: the reference's, the annex's, or the five calibrated severities.

Every grid starts at 0, the clean frame: thresholds and corruption errors are measured from it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from core.corruption import CORRUPTIONS, get
from core.corruption.severity import severities
from core.errors import ParameterError

THESIS_KINDS = ("scale_up", "blur", "noise")
ALL = "all"

Grid = dict[str, tuple[float, ...]]
"""Kind of corruption -> rising intensities, the first of them 0."""

GRIDS: dict[str, Callable[[str], Sequence[float]]] = {
    "reference": lambda kind: get(kind).levels,
    "annex": lambda kind: get(kind).annex_levels,
    "severities": lambda kind: severities(kind).intensities,
}


def make_grid(name: str = "reference", kinds: Sequence[str] = THESIS_KINDS) -> Grid:
    """The intensities of each kind.

    Parameters
    ----------
    name : {"reference", "annex", "severities"}
        ``reference``: each kind's own levels (50 of scale up, 50 of noise, 21 of blur). ``annex``: those the annex of
        the corruption thesis ran (002). ``severities``: the five of :mod:`core.corruption.severity`.
    kinds : sequence of str
        Kinds by name; ``all`` stands for every kind that the grid knows.

    Raises
    ------
    ParameterError
        For an unknown grid or kind, or a kind the grid has no intensities of.
    """
    if name not in GRIDS:
        raise ParameterError(f"There is no grid {name!r}; choose one of {', '.join(GRIDS)}.")
    levels_of = GRIDS[name]
    chosen = [kind for kind in CORRUPTIONS if levels_of(kind)] if ALL in kinds else list(dict.fromkeys(kinds))
    grid = {kind: tuple(sorted({0.0, *map(float, levels_of(kind))})) for kind in chosen}
    empty = [kind for kind, levels in grid.items() if len(levels) < 2]
    if empty or not grid:
        raise ParameterError(
            f"The grid {name!r} has no intensities of {', '.join(empty) or 'nothing'}; choose another grid or kind."
        )
    return grid
