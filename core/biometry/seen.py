"""What a model of heads was trained on: the hashes of the frames' files, so that a copy by another name is told."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from core.errors import ModelError
from core.files import whole
from core.parallel import in_threads
from core.tables import read_table
from core.zoo.weights import sha256_of

SEEN_NAME = "seen.csv"


def write_seen(folder: Path, paths: Iterable[Path]) -> None:
    """Write ``seen.csv`` with name and SHA-256 of each file of the training side."""
    paths = list(paths)
    rows = {"image": [path.name for path in paths], "sha256": list(in_threads(sha256_of, paths))}
    with whole(folder / SEEN_NAME) as path:
        pd.DataFrame(rows).to_csv(path, index=False)


def read_seen(folder: Path) -> frozenset[str]:
    """The hashes in ``seen.csv``.

    Raises
    ------
    ModelError
        If the file is missing or is none of ours.
    """
    path = folder / SEEN_NAME
    try:
        return frozenset(read_table(path, dtype=str)["sha256"])
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(
            f"{SEEN_NAME} of model {folder.name!r} cannot be read, so nobody knows what it was trained on; "
            f"write it again with python -m core calibrate --model {folder.name} --data DIR."
        ) from error
