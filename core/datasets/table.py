"""The one table all data sets become: path, label, patient, split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from core.datasets.held_out import refuse_held_out
from core.datasets.items import file_and_frame
from core.datasets.problems import Problem
from core.errors import DatasetError

COLUMNS = ("path", "label", "patient", "split")
SPLITS = ("train", "validation", "test")
CLASSES = {"plane": ("BPD", "CRL", "NT"), "anatomy": ("brain", "abdomen", "femur", "thorax")}
"""The classes of the tasks whose classes are labels, spelled as the field does."""


@dataclass(frozen=True)
class Table:
    """Labelled images and where they come from.

    Attributes
    ----------
    frame : pandas.DataFrame
        One row an image with the columns of :data:`COLUMNS` and any extra ones a layout brings
        (HC18: ``circumference_mm`` and ``pixel_size_mm``; FETAL_PLANES_DB: ``plane``, ``brain_plane``, ``operator``,
        ``machine``; phantoms: ``image_id`` and ``real_file``). ``path`` is what :func:`core.datasets.read_pixels`
        takes: a file, a frame of a DICOM loop (:mod:`core.datasets.items`), or the id of a phantom that is simulated
        while it is read. ``label`` may be empty for unlabelled
        images and ``split`` is empty until the data set or :func:`split_by_patient` says otherwise.
    layout : str
        Which layout was recognised.
    simulated : bool
        True for phantoms. Figures on simulated and real images are never mixed.
    problems : tuple of str
        What was left out and why, one sentence each; mostly :class:`core.datasets.problems.Problem`.

    Raises
    ------
    DatasetError
        If a column is missing, a split has an unknown name, a patient stands on two sides of a split, or a frame of
        HC18's test examinations stands on the side of training or validation.
    """

    frame: pd.DataFrame
    layout: str
    simulated: bool
    problems: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        missing = [name for name in COLUMNS if name not in self.frame.columns]
        if missing:
            raise DatasetError(f"The table of images lacks the column {missing[0]!r}; it needs {', '.join(COLUMNS)}.")
        unknown = sorted(set(self.frame["split"]) - {"", *SPLITS})
        if unknown:
            raise DatasetError(f"There is no side {unknown[0]!r} of a split; use {', '.join(SPLITS)} or nothing.")
        assigned = self.frame[self.frame["split"] != ""]
        sides = assigned.groupby("patient")["split"].nunique()
        if (sides > 1).any():
            patient = sides.index[sides > 1][0]
            raise DatasetError(
                f"Patient {patient!r} has images on two sides of the split; split by patient so that none is on both."
            )
        refuse_held_out(assigned[assigned["split"] != "test"])

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
        keep = pd.Series(True, index=self.frame.index)
        for column, value in conditions.items():
            keep &= self.frame[column] == value
        return self.chosen(keep)

    def chosen(self, keep: Sequence[bool] | pd.Series) -> Table:
        """The rows for which ``keep`` (N,) is true."""
        rows = self.frame[np.asarray(keep, dtype=bool)].reset_index(drop=True)
        return Table(rows, self.layout, self.simulated, self.problems)

    def labelled(self, by_name: Mapping[str, str]) -> Table:
        """The same rows, those whose file name matches a pattern (``brain_*``) labelled as it says.

        Raises
        ------
        DatasetError
            If a pattern matches no file.
        """
        labels = self.frame["label"].copy()
        for pattern, label in by_name.items():
            matching = [file_and_frame(path)[0].match(pattern) for path in self.frame["path"]]
            if not any(matching):
                raise DatasetError(
                    f"No file is named {pattern!r}, which was to be labelled {label}; check the pattern."
                )
            labels[matching] = label
        return Table(self.frame.assign(label=labels), self.layout, self.simulated, self.problems)

    def of_classes(self, classes: Sequence[str]) -> Table:
        """The rows whose label is one of a task's classes, whatever its case, spelled as the task does.

        Unlabelled rows stay. The problems say how many images of which other label were left out, and which classes
        have no image though others have.

        Raises
        ------
        DatasetError
            If no row is left.
        """
        spelling = {name.lower(): name for name in classes} | {"": ""}
        labels = self.frame["label"].map(lambda label: spelling.get(label.lower()))
        known = labels.notna()
        others = self.frame["label"][~known].value_counts().sort_index()
        counted = ", ".join(f"{count} {label}" for label, count in others.items())
        task = ", ".join(classes)
        if not known.any():
            raise DatasetError(f"No image is of a class asked for ({task}); the labels are: {counted}.")
        problems = list(self.problems)
        if counted:
            sentence = f"Left out, being of no class asked for ({task}): {counted}."
            problems.append(Problem(sentence, "unknown label", others.index))
        present = set(labels[known]) - {""}
        empty = [name for name in classes if name not in present]
        if len(present) > 1 and empty:
            problems.append(Problem(f"No image is of the class(es) {', '.join(empty)}.", "empty class", empty))
        rows = self.frame.assign(label=labels)[known].reset_index(drop=True)
        return Table(rows, self.layout, self.simulated, tuple(problems))


def split_by_patient(table: Table, *, validation: float = 0.15, test: float = 0.0, seed: int = 0) -> Table:
    """Assign whole patients to train, validation and test, so that every label has its share of patients on each side.

    Labels with few patients are served first; a patient of several labels counts for each. Patients whom the data set
    itself publishes as test stay there, and the shares are of the others.

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
        If the shares leave nothing to train on, or HC18's test examinations would be trained on.
    """
    if validation < 0 or test < 0 or validation + test >= 1:
        raise DatasetError("The shares of validation and test images must be at least 0 and together below 1.")
    published = set(table.frame["patient"][table.frame["split"] == "test"])
    rest = table.frame[~table.frame["patient"].isin(published)]
    patients_of = {label: sorted(rows.unique()) for label, rows in rest.groupby("label")["patient"]}
    position = {label: index for index, label in enumerate(sorted(patients_of))}
    side = dict.fromkeys(published, "test")
    for label in sorted(patients_of, key=lambda label: (len(patients_of[label]), label)):
        wanted = {name: _count(share, len(patients_of[label])) for name, share in _sides(test, validation)}
        if sum(wanted.values()) >= len(patients_of[label]):
            raise _too_few(label, len(patients_of[label]))
        free = np.array([patient for patient in patients_of[label] if patient not in side])
        np.random.default_rng([seed, position[label]]).shuffle(free)
        queue = list(free)
        for name, count in wanted.items():
            have = sum(side.get(patient) == name for patient in patients_of[label])
            for patient in queue[: max(0, count - have)]:
                side[patient] = name
            queue = [patient for patient in queue if patient not in side]
        side.update(dict.fromkeys(queue, "train"))
        # Rarer labels that share this one's patients may have taken them all.
        if not {name for name, count in wanted.items() if count} | {"train"} <= {side[p] for p in patients_of[label]}:
            raise _too_few(label, len(patients_of[label]))
    rows = table.frame.assign(split=table.frame["patient"].map(side))
    return Table(rows, table.layout, table.simulated, table.problems)


def _sides(test: float, validation: float) -> list[tuple[str, float]]:
    return [("test", test), ("validation", validation)]


def _count(share: float, patients: int) -> int:
    return max(1, round(share * patients)) if share else 0


def _too_few(label: str, patients: int) -> DatasetError:
    return DatasetError(
        f"Class {label!r} has {patients} patient(s), too few to split; add images of more patients or lower the shares."
    )
