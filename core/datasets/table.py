"""The one table all data sets become: path, label, patient, split."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from core.errors import DatasetError

COLUMNS = ("path", "label", "patient", "split")
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Table:
    """Labelled images and where they come from.

    Attributes
    ----------
    frame : pandas.DataFrame
        One row an image with the columns of :data:`COLUMNS` and any extra ones a layout brings
        (HC18: ``circumference_mm`` and ``pixel_size_mm``). ``label`` may be empty for unlabelled images and
        ``split`` is empty until the data set or :func:`split_by_patient` says otherwise.
    layout : str
        Which layout was recognised.
    simulated : bool
        True for phantoms. Figures on simulated and real images are never mixed.
    problems : tuple of str
        What was left out and why, one sentence each.

    Raises
    ------
    DatasetError
        If a column is missing or a patient stands on two sides of a split.
    """

    frame: pd.DataFrame
    layout: str
    simulated: bool
    problems: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        missing = [name for name in COLUMNS if name not in self.frame.columns]
        if missing:
            raise DatasetError(f"The table of images lacks the column {missing[0]!r}; it needs {', '.join(COLUMNS)}.")
        assigned = self.frame[self.frame["split"] != ""]
        sides = assigned.groupby("patient")["split"].nunique()
        if (sides > 1).any():
            patient = sides.index[sides > 1][0]
            raise DatasetError(
                f"Patient {patient!r} has images on two sides of the split; split by patient so that none is on both."
            )

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def labels(self) -> list[str]:
        """The labels that occur, in alphabetical order."""
        return sorted(label for label in self.frame["label"].unique() if label)

    @property
    def paths(self) -> list[Path]:
        return [Path(path) for path in self.frame["path"]]

    def where(self, **conditions: str) -> Table:
        """The rows in which every named column equals the given value."""
        rows = self.frame
        for column, value in conditions.items():
            rows = rows[rows[column] == value]
        return Table(rows.reset_index(drop=True), self.layout, self.simulated, self.problems)


def split_by_patient(table: Table, *, validation: float = 0.15, test: float = 0.0, seed: int = 0) -> Table:
    """Assign whole patients to train, validation and test, each label apart (stratified by a patient's first label).

    Parameters
    ----------
    table : Table
    validation, test : float
        Shares of the patients of every label, in [0, 1); at least one patient goes to a side whose share is not 0.
    seed : int
        The same seed gives the same split, whatever the order of the rows.

    Raises
    ------
    DatasetError
        If the shares leave nothing to train on.
    """
    if validation < 0 or test < 0 or validation + test >= 1:
        raise DatasetError("The shares of validation and test images must be at least 0 and together below 1.")
    first_label = table.frame.groupby("patient")["label"].first()
    side: dict[str, str] = {}
    for position, label in enumerate(sorted(first_label.unique())):
        patients = np.array(sorted(first_label.index[first_label == label]))
        np.random.default_rng([seed, position]).shuffle(patients)
        n_test = max(1, round(test * len(patients))) if test else 0
        n_validation = max(1, round(validation * len(patients))) if validation else 0
        if n_test + n_validation >= len(patients):
            raise DatasetError(
                f"Class {label!r} has {len(patients)} patient(s), too few to split; "
                "add images of more patients or lower the shares."
            )
        for index, patient in enumerate(patients):
            if index < n_test:
                side[patient] = "test"
            elif index < n_test + n_validation:
                side[patient] = "validation"
            else:
                side[patient] = "train"
    rows = table.frame.assign(split=table.frame["patient"].map(side))
    return Table(rows, table.layout, table.simulated, table.problems)
