"""What a data set holds, and everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from core.datasets.items import item_name, short_path
from core.datasets.phantoms import read_pixels
from core.datasets.problems import Problem, shortened
from core.datasets.table import Table
from core.errors import ImageError
from core.library import is_phantom_id
from core.parallel import in_threads

UNLABELLED, NO_SPLIT = "unlabelled", "not split"


@dataclass(frozen=True)
class Summary:
    """A data set in numbers.

    Attributes
    ----------
    counts : pandas.DataFrame
        Images of every label (rows) on every side of the split (columns).
    patients : dict
        Patients by side of the split.
    problems : tuple of Problem
    """

    layout: str
    simulated: bool
    n: int
    counts: pd.DataFrame
    patients: dict[str, int]
    problems: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The object ``datasets check --json`` prints."""
        return {
            "layout": self.layout,
            "simulated": self.simulated,
            "n": self.n,
            "counts": {label: {s: int(n) for s, n in row.items()} for label, row in self.counts.iterrows()},
            "patients": self.patients,
            "problems": [
                {"kind": getattr(p, "kind", "other"), "sentence": str(p), "names": list(getattr(p, "names", ()))}
                for p in self.problems
            ],
        }

    def __str__(self) -> str:
        sides = ", ".join(f"{n} {side}" for side, n in self.patients.items())
        lines = [
            f"{self.n} {'simulated' if self.simulated else 'real'} images ({self.layout})",
            self.counts.to_string(),
            f"patients or examinations: {sides}",
        ]
        for problem in self.problems:
            lines += [str(problem), *(f"  {name}" for name in getattr(problem, "names", ()))]
        return "\n".join(lines)


def summarise(table: Table) -> Summary:
    """Count a table's images by label and side."""
    label = table.frame["label"].replace("", UNLABELLED).rename("label")
    split = table.frame["split"].replace("", NO_SPLIT).rename("split")
    patients = table.frame.groupby(split)["patient"].nunique()
    return Summary(
        table.layout,
        table.simulated,
        len(table),
        pd.crosstab(label, split),
        {side: int(number) for side, number in patients.items()},
        table.problems,
    )


def without_unreadable(table: Table, progress: Callable[[float], None] = lambda share: None) -> Table:
    """Read every image; the table of those that can be read, with the others as a problem each.

    Raises
    ------
    Cancelled
        If ``progress`` does.
    """

    def reason(path: str) -> str:
        # A phantom is simulated anew whenever it is read: there is no file to be damaged.
        if not is_phantom_id(path):
            try:
                read_pixels(path)
            except ImageError as error:
                return str(error)
        return ""

    reasons = []
    for number, text in enumerate(in_threads(reason, table.frame["path"]), start=1):
        reasons.append(text)
        progress(number / len(table))
    bad = [(path, text) for path, text in zip(table.frame["path"], reasons, strict=True) if text]
    if not bad:
        return table
    names = [f"{short_path(path)}: {text}" for path, text in bad]
    shown = shortened(item_name(path) for path, _ in bad)
    problem = Problem(f"{len(bad)} image(s) cannot be read and were left out: {shown}.", "unreadable image", names)
    kept = table.chosen([not text for text in reasons])
    return Table(kept.frame, kept.layout, kept.simulated, (*kept.problems, problem))
