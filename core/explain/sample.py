"""The images a study looks at: a spread choice of a table's rows, read, cleaned, and with the classes seen in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from core.datasets import Table, read_pixels
from core.datasets.items import item_name
from core.errors import DatasetError, ImageError
from core.parallel import in_threads
from core.preprocessing import Cleaned, clean, finish

if TYPE_CHECKING:
    from core.zoo.prediction import Classifier


def spread(table: Table, limit: int | None) -> Table:
    """At most ``limit`` rows of a table, spread over its labels and, within each, over its order."""
    keep = np.zeros(len(table), bool)
    keep[spread_positions(table.frame["label"].to_numpy(), limit)] = True
    return table.chosen(keep)


def spread_positions(labels: np.ndarray, limit: int | None) -> list[int]:
    """Positions of at most ``limit`` entries, as many of each label where there are enough, in rising order."""
    labels = np.asarray(labels)
    if limit is None or limit >= len(labels):
        return list(range(len(labels)))
    chosen: list[int] = []
    # Rare labels first: what they cannot fill goes to the others.
    groups = sorted((np.flatnonzero(labels == label) for label in np.unique(labels)), key=len)
    for index, positions in enumerate(groups):
        count = min(len(positions), (limit - len(chosen)) // (len(groups) - index))
        chosen += positions[np.round(np.linspace(0, len(positions) - 1, count)).astype(int)].tolist()
    return sorted(chosen)


@dataclass(frozen=True)
class Sample:
    """Images that were read.

    Attributes
    ----------
    rows : pandas.DataFrame
        The table's rows of these images.
    labels : list of str
        Of the classes the model tells apart; empty where an image has none of these.
    frames : list of Cleaned
    inputs : (N, S, S) uint8
        What the network sees.
    targets : (N,) int
        Indices of the classes it sees in them.
    """

    rows: pd.DataFrame
    labels: list[str]
    frames: list[Cleaned]
    inputs: np.ndarray
    targets: np.ndarray

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def names(self) -> list[str]:
        """What the images are called."""
        return [item_name(path) for path in self.rows["path"]]

    @property
    def patients(self) -> list[str]:
        return self.rows["patient"].tolist()


def open_sample(model: Classifier, table: Table) -> tuple[Sample, list[str]]:
    """The images of a table that can be read, and a sentence for each problem.

    Raises
    ------
    DatasetError
        If fewer than two images can be read.
    """

    def open_one(path: str) -> Cleaned | ImageError:
        try:
            return clean(read_pixels(path), model.settings)
        except ImageError as error:
            return error

    opened = list(in_threads(open_one, table.frame["path"]))
    problems = list(map(str, table.problems))
    for path, one in zip(table.frame["path"], opened, strict=True):
        if isinstance(one, ImageError):
            problems.append(f"{item_name(path)}: {one}")
    frames = [one for one in opened if isinstance(one, Cleaned)]
    if len(frames) < 2:
        raise DatasetError(" ".join(["A study needs at least two images that can be read.", *problems[:1]]))
    rows = table.frame[[isinstance(one, Cleaned) for one in opened]].reset_index(drop=True)
    chain, size = model.card.input["chain"], model.card.size
    inputs = np.stack([finish(frame, model.settings, chain=chain, size=size) for frame in frames])
    targets = model.probabilities(inputs).argmax(axis=1)
    # What the model does not tell apart is no label here.
    labels = [label if label in model.classes else "" for label in rows["label"]]
    return Sample(rows, labels, frames, inputs, targets), problems
