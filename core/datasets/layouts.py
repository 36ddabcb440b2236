"""What a layout is, and the registry of those known: one class each, in a file of its own or beside its like."""

from __future__ import annotations

import csv
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd

from core.datasets.items import may_be_frame
from core.datasets.problems import missing_files
from core.datasets.table import Table
from core.errors import DatasetError, quoted
from core.tables import MOST_COLUMNS


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


def read_list(path: Path, separator: str, needed: tuple[str, ...], advice: str) -> pd.DataFrame:
    """A list of files with its column names and texts freed of stray spaces, all cells as text.

    Parameters
    ----------
    needed : tuple of str
        Columns that must be there.
    advice : str
        What to do about a list that is broken, for the message.

    Raises
    ------
    DatasetError
        If the file is no such list, a column is missing or there twice, or a row has more or fewer cells than columns.
    """
    rows: list[list[str]] = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, delimiter=separator, strict=True)
            columns = [column.strip() for column in next(reader, [])]
            _check_columns(columns, needed, path.name, advice)
            for cells in filter(None, reader):
                line = f"line {reader.line_num} of {path.name}"
                if len(cells) != len(columns):
                    raise DatasetError(f"There are {len(cells)} cells instead of {len(columns)} in {line}; {advice}.")
                if any("\0" in cell for cell in cells):
                    raise DatasetError(f"There is a null in {line}; {advice}.")
                rows.append([cell.strip() for cell in cells])
    except (UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path.name} cannot be read as a table; {advice}.") from error
    return pd.DataFrame(rows, columns=columns, dtype=object)


def _check_columns(columns: list[str], needed: tuple[str, ...], file: str, advice: str) -> None:
    if len(columns) > MOST_COLUMNS:
        raise DatasetError(f"{file} has {len(columns)} columns, more than {MOST_COLUMNS}; {advice}.")
    missing = [column for column in needed if column not in columns]
    if missing:
        raise DatasetError(f"{file} lacks the column {missing[0]!r}; {advice}.")
    doubled = [column for place, column in enumerate(columns) if column in columns[:place]]
    if doubled:
        raise DatasetError(f"{file} has the column {quoted(doubled[0])} twice; {advice}.")


def numbers(
    rows: pd.DataFrame, column: str, file: str, advice: str,
    allowed: Callable[[pd.Series], pd.Series] = np.isfinite, what: str = "a number",
) -> pd.Series:  # fmt: skip
    """A column as numbers.

    Parameters
    ----------
    allowed : callable
        Which of the numbers (N,) can be.
    what : str
        What they are, for the message.

    Raises
    ------
    DatasetError
        If a row holds none; the message says which.
    """
    values = pd.to_numeric(rows[column], errors="coerce")
    wrong = ~allowed(values)
    if wrong.any():
        row = int(wrong.to_numpy().argmax())
        raise DatasetError(
            f"{file} has {quoted(rows[column].iloc[row])} in the column {column!r} of line {row + 2}, where {what} "
            f"belongs; {advice}."
        )
    return values


def paths_in(folder: Path, names: Iterable[str], file: str, advice: str) -> list[str]:
    """Where the files of a list lie.

    Raises
    ------
    DatasetError
        If a name leads out of the folder.
    """
    names = list(names)
    for row, name in enumerate(names):
        if name.startswith("/") or ".." in Path(name).parts:
            raise DatasetError(
                f"{file} names {quoted(name)} in line {row + 2}, which leads out of its folder; {advice}."
            )
    return [str(folder / name) for name in names]


def table_of_present(
    rows: pd.DataFrame, layout: str, *, simulated: bool = False, problems: tuple[str, ...] = ()
) -> Table:
    """The table of the rows whose file is there; the others are listed as missing."""
    present = [_is_there(path) for path in rows["path"]]
    missing = [Path(path) for path, here in zip(rows["path"], present, strict=True) if not here]
    return Table(rows[present].reset_index(drop=True), layout, simulated, (*problems, *missing_files(missing)))


def _is_there(path: str) -> bool:
    try:
        return Path(path).is_file()
    except OSError:  # a name longer than any file's may be
        return False
