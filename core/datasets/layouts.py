"""What a layout is, and the registry of those known: one class each, in a file of its own or beside its like."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

import pandas as pd

from core.datasets.items import may_be_frame
from core.datasets.problems import missing_files
from core.datasets.table import Table
from core.errors import DatasetError


class Layout(ABC):
    """One way a data set lies on disk."""

    name: ClassVar[str]
    description: ClassVar[str]

    @abstractmethod
    def recognises(self, folder: Path) -> bool:
        """True if ``folder`` looks like this layout."""

    @abstractmethod
    def read(self, folder: Path, head_label: str) -> Table:
        """Read the table; ``head_label`` is what a data set of heads only calls its one class."""


LAYOUTS: dict[str, Layout] = {}


def register(layout: type[Layout]) -> type[Layout]:
    LAYOUTS[layout.name] = layout()
    return layout


def images_in(folder: Path) -> list[Path]:
    """Image files of a folder, without its subfolders' and without hidden ones, by name."""
    return sorted(path for path in folder.iterdir() if is_image(path))


def is_image(path: Path) -> bool:
    return path.is_file() and may_be_frame(path.name, path)


def read_list(path: Path, separator: str, needed: tuple[str, ...], source: str) -> pd.DataFrame:
    """A published list with its column names and texts freed of stray spaces.

    Parameters
    ----------
    needed : tuple of str
        Columns that must be there.
    source : str
        Where the list is published, for the message.

    Raises
    ------
    DatasetError
        If the file is no such list, or a column is missing.
    """
    try:
        rows = pd.read_csv(path, sep=separator, encoding="utf-8-sig", dtype=str, keep_default_na=False)
    except (ValueError, pd.errors.ParserError) as error:
        raise DatasetError(f"{path.name} cannot be read as a table; use the file as published on {source}.") from error
    rows.columns = [column.strip() for column in rows.columns]
    missing = [column for column in needed if column not in rows.columns]
    if missing:
        raise DatasetError(f"{path.name} lacks the column {missing[0]!r}; use the file as published on {source}.")
    return rows.apply(lambda column: column.str.strip())


def numbers(rows: pd.DataFrame, column: str, file: str, source: str) -> pd.Series:
    """A column as numbers.

    Raises
    ------
    DatasetError
        If a row holds none; the message says which.
    """
    values = pd.to_numeric(rows[column], errors="coerce")
    if values.isna().any():
        row = int(values.isna().to_numpy().argmax())
        raise DatasetError(
            f"{file} has {rows[column].iloc[row]!r} in the column {column!r} of line {row + 2}, where a number "
            f"belongs; use the file as published on {source}."
        )
    return values


def table_of_present(
    rows: pd.DataFrame, layout: str, *, simulated: bool = False, problems: tuple[str, ...] = ()
) -> Table:
    """The table of the rows whose file is there; the others are listed as missing."""
    present = [Path(path).is_file() for path in rows["path"]]
    missing = [Path(path) for path, here in zip(rows["path"], present, strict=True) if not here]
    return Table(rows[present].reset_index(drop=True), layout, simulated, (*problems, *missing_files(missing)))
