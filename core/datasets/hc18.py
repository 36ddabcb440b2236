"""HC18 as published: fetal heads with their circumference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from core.datasets.held_out import is_held_out
from core.datasets.layouts import Layout, numbers, paths_in, read_list, register, table_of_present
from core.datasets.table import Table

TABLE_NAME = "training_set_pixel_size_and_HC.csv"
IMAGES_NAME = "training_set"
ADVICE = "use the file as published on Zenodo (1327317)"
CIRCUMFERENCE, PIXEL_SIZE = "head circumference (mm)", "pixel size(mm)"


@register
class HC18(Layout):
    """``*_HC.png`` beside ``training_set_pixel_size_and_HC.csv``, or in ``training_set`` beside it (Zenodo 1327317).

    The number before the first ``_`` is the examination: frames of one examination share it, and it serves as the
    patient (which examinations belong to one woman is not published).
    """

    name = "hc18"
    description = "HC18 as published"

    def recognises(self, folder: Path) -> bool:
        return _table_path(folder).is_file()

    def read(self, folder: Path, head_label: str) -> Table:
        path = _table_path(folder)
        published = read_list(path, ",", ("filename", PIXEL_SIZE, CIRCUMFERENCE), ADVICE)
        beside = path.parent / IMAGES_NAME
        images = beside if beside.is_dir() else path.parent
        names = published["filename"]
        rows = pd.DataFrame(
            {
                "path": paths_in(images, names, path.name, ADVICE),
                "label": head_label,
                "patient": ["examination " + name.split("_")[0] for name in names],
                "split": [hc18_split(name) for name in names],
                "circumference_mm": _lengths(published, CIRCUMFERENCE, path.name),
                "pixel_size_mm": _lengths(published, PIXEL_SIZE, path.name),
            }
        )
        return table_of_present(rows, self.name)


def hc18_split(file_name: str) -> str:
    """The project's one split of HC18: examinations whose number is a multiple of 5 are test data, always."""
    return "test" if is_held_out(file_name) else "train"


def _lengths(published: pd.DataFrame, column: str, file: str) -> pd.Series:
    return numbers(
        published, column, file, ADVICE, lambda values: np.isfinite(values) & (values > 0), "a length above 0"
    )


def _table_path(folder: Path) -> Path:
    """Where the list of a folder lies; some unpack it among the images."""
    path = folder / TABLE_NAME
    return path if path.is_file() else folder / IMAGES_NAME / TABLE_NAME
