"""Tables of results read back from their CSV files."""

from __future__ import annotations

import csv
import gzip
import io
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd

MOST_COLUMNS = 1000
"""Ten times as many as any table of ours has. pandas would be long at naming a million."""
_BEGINNING = 2**20


def read_table(path: Path, **options: Any) -> pd.DataFrame:
    """What :func:`pandas.read_csv` makes of a file, once its first rows have been found to be of a width that can be.

    Parameters
    ----------
    path : Path
        A CSV file, packed where its name ends in ``.gz``.
    options
        Of :func:`pandas.read_csv`.

    Raises
    ------
    OSError, EOFError, ValueError, zlib.error
        If the file cannot be read or has more than :data:`MOST_COLUMNS` columns.
    """
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        beginning = file.read(_BEGINNING).decode(errors="replace")
    try:
        # A data row that is wider than the header adds columns, too.
        widths = [len(row) for row in islice(filter(None, csv.reader(io.StringIO(beginning, newline=""))), 2)]
    except csv.Error as error:
        raise ValueError(f"{path.name} does not begin like a table") from error
    if max(widths, default=0) > MOST_COLUMNS:
        raise ValueError(f"{path.name} has more than {MOST_COLUMNS} columns")
    return pd.read_csv(path, **options)
