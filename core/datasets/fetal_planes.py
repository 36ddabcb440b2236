"""FETAL_PLANES_DB as published: 12,400 frames of 1,792 patients in six classes (Burgos-Artizzu et al. 2020)."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from core.datasets.layouts import Layout, numbers, paths_in, read_list, register, table_of_present
from core.datasets.problems import Problem, shortened
from core.datasets.table import Table
from core.errors import DatasetError, quoted

TABLE_NAME = "FETAL_PLANES_DB_data.csv"
FOLDER_NAME = "FETAL_PLANES_ZENODO"
IMAGES_NAME = "Images"
ADVICE = "use the file as published on Zenodo (3904280)"
LABELS = {
    "Fetal brain": "brain",
    "Fetal abdomen": "abdomen",
    "Fetal femur": "femur",
    "Fetal thorax": "thorax",
    "Maternal cervix": "maternal cervix",
    "Other": "other",
}
"""What the list's column Plane says -> our spelling."""
SPLITS = {"1": "train", "0": "test"}
EXTRA = {"Plane": "plane", "Brain_plane": "brain_plane", "Operator": "operator", "US_Machine": "machine"}
"""Columns that are kept as they are -> their names in the table."""


@register
class FetalPlanes(Layout):
    """``FETAL_PLANES_DB_data.csv`` beside ``Images/<Image_name>.png`` (Zenodo 3904280), with the list's own split."""

    name = "fetal-planes"
    description = "FETAL_PLANES_DB as published"

    def recognises(self, folder: Path) -> bool:
        return _table_path(folder).is_file()

    def read(self, folder: Path, head_label: str) -> Table:
        path = _table_path(folder)
        published = read_list(path, ";", ("Image_name", "Patient_num", "Train", *EXTRA), ADVICE)
        patients = numbers(published, "Patient_num", path.name, ADVICE, _are_whole, "a whole number").astype(int)
        unknown = sorted(set(published["Train"]) - set(SPLITS))
        if unknown:
            raise DatasetError(
                f"{path.name} has {quoted(unknown[0])} in its column 'Train', which must be 0 or 1; {ADVICE}."
            )
        names = [f"{name}.png" for name in published["Image_name"]]
        rows = pd.DataFrame(
            {
                "path": paths_in(path.parent / IMAGES_NAME, names, path.name, ADVICE),
                "label": published["Plane"].map(LABELS).fillna(""),
                "patient": [f"patient {number}" for number in patients],
                "split": published["Train"].map(SPLITS),
                **{ours: published[theirs] for theirs, ours in EXTRA.items()},
            }
        )
        known = rows["label"] != ""
        return table_of_present(rows[known], self.name, problems=_unknown_planes(rows.loc[~known, "plane"]))


def _are_whole(values: pd.Series) -> pd.Series:
    """Whether values are whole numbers that a float can tell apart."""
    return (values % 1 == 0) & (values.abs() < 2**53)


def _unknown_planes(planes: pd.Series) -> tuple[Problem, ...]:
    if planes.empty:
        return ()
    names = sorted(planes.unique())
    sentence = f"{len(planes)} image(s) of a plane that is unknown here were left out: {shortened(map(quoted, names))}."
    return (Problem(sentence, "unknown label", names),)


def _table_path(folder: Path) -> Path:
    """Where the list of a folder lies; the archive is often unpacked into a folder of its own."""
    path = folder / TABLE_NAME
    return path if path.is_file() else folder / FOLDER_NAME / TABLE_NAME
