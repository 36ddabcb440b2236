"""What is learnt from: tables to prepared images, and batches of their random variations."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from core.augmentation import PRESETS as AUGMENTATIONS
from core.datasets import Table, read_pixels, refuse_test_examinations, split_by_patient
from core.errors import DatasetError
from core.parallel import in_threads
from core.preprocessing import PreprocessingSettings, prepare
from core.zoo.prediction import to_unit
from core.zoo.training.corrupted import corrupted_images, thesis_classes
from core.zoo.training.settings import TrainingSettings

CHAINS = {"plane": "plane", "anatomy": "plane", "corruption": "detector", "head_circumference": "plane"}


@dataclass(frozen=True)
class ImageSet:
    """Prepared images (N, S, S) uint8 and class indices (N,)."""

    images: np.ndarray
    targets: np.ndarray

    def __len__(self) -> int:
        return len(self.images)


def with_validation(table: Table, settings: TrainingSettings) -> Table:
    """The table with a train and a validation side, split by patient where the data set does not say.

    Raises
    ------
    DatasetError
        If fewer than two classes are left to learn.
    """
    refuse_test_examinations(table)
    labelled = table.frame
    if settings.task != "corruption":
        labelled = labelled[labelled["label"] != ""].reset_index(drop=True)
        if labelled["label"].nunique() < 2:
            raise DatasetError(
                "Training needs images of at least two classes; give a folder with a subfolder per class."
            )
    table = Table(labelled, table.layout, table.simulated, table.problems)
    test = table.frame[table.frame["split"] == "test"]
    rest = Table(table.frame[table.frame["split"] != "test"], table.layout, table.simulated)
    if "validation" not in set(rest.frame["split"]):
        rest = split_by_patient(rest, validation=settings.validation_share, seed=settings.seed)
    rows = _limited(rest.frame, settings)
    return Table(pd.concat([rows, test], ignore_index=True), table.layout, table.simulated, table.problems)


def _limited(rows: pd.DataFrame, settings: TrainingSettings) -> pd.DataFrame:
    """At most ``per_class`` training rows of each label."""
    if settings.per_class is None:
        return rows
    train = rows["split"] == "train"
    kept = rows[train].groupby("label").sample(frac=1, random_state=settings.seed).groupby("label")
    return pd.concat([kept.head(settings.per_class), rows[~train]])


def classes_of(table: Table, settings: TrainingSettings) -> list[str]:
    """The classes in the order of the network's outputs."""
    if settings.task == "corruption":
        return thesis_classes()
    return table.labels


def prepared(
    table: Table, classes: list[str], preprocessing: PreprocessingSettings, settings: TrainingSettings, size: int
) -> ImageSet:
    """Read and prepare every row as prediction will; for the task ``corruption`` see :mod:`.corrupted`."""
    if settings.task == "corruption":
        return ImageSet(*corrupted_images(table, preprocessing, settings, size))

    def one(path: Path) -> np.ndarray:
        return prepare(read_pixels(path), preprocessing, chain=CHAINS[settings.task], size=size)

    targets = np.array([classes.index(label) for label in table.frame["label"]], dtype=np.int64)
    return ImageSet(np.stack(list(in_threads(one, table.paths))), targets)


def scaled(images: np.ndarray, input_range: tuple[float, float]) -> np.ndarray:
    """Images (N, S, S) uint8 -> the network's (N, S, S, 3) float32."""
    low, high = input_range
    values = to_unit(images) * np.float32(high - low) + np.float32(low)
    return np.repeat(values[..., None], 3, axis=-1)


def varied(images: np.ndarray, indices: np.ndarray, settings: TrainingSettings, epoch: int) -> np.ndarray:
    """The variation of the images at ``indices`` that an epoch sees; seed, epoch and index fix it."""
    augmentation = AUGMENTATIONS[settings.augmentation]
    return np.stack(
        [augmentation.draw(images[i], np.random.default_rng([settings.seed, epoch, int(i)])) for i in indices]
    )


def epoch_order(count: int, settings: TrainingSettings, epoch: int) -> np.ndarray:
    """The order (count,) in which an epoch sees the training images."""
    return np.random.default_rng([settings.seed, epoch]).permutation(count)
