"""Search over the head's hyperparameters on frozen features, with cross-validation by patient (000 §3.3).

The interpretability thesis chose learning rate, momentum, dropout, batch size and epochs of its head by a grid search.
The features are computed once; every setting is then a dense layer trained on vectors.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from core.datasets import Table
from core.errors import DatasetError, ParameterError
from core.evaluation import wilson
from core.preprocessing import PreprocessingSettings
from core.zoo.architectures import LOGITS_LAYER, POOLED_LAYER, build_classifier, get_backbone
from core.zoo.runtime import tensorflow
from core.zoo.training.frozen import FeatureCache, fingerprint, weights_fingerprint
from core.zoo.training.images import classes_of, prepared, scaled, with_validation
from core.zoo.training.settings import TrainingSettings

GRID: dict[str, tuple[float, ...]] = {
    "learning_rate": (1e-4, 1e-3, 1e-2),
    "momentum": (0.5, 0.8),
    "dropout": (0.0, 0.3, 0.5),
    "batch_size": (20, 80),
    "epochs": (20,),
}
"""The hyperparameters the thesis searched, and values around those it chose."""


def search(
    table: Table,
    settings: TrainingSettings,
    *,
    weights: str | Path | None = "imagenet",
    grid: dict[str, tuple[float, ...]] | None = None,
    folds: int = 5,
    cache: Path,
    report: Callable[[str], None] = print,
    progress: Callable[[float], None] = lambda share: None,
) -> pd.DataFrame:
    """Try every combination of ``grid`` and say how each did, best first.

    Parameters
    ----------
    table : Table
        Rows whose split is ``test`` are never read.
    settings : TrainingSettings
        Task, backbone, size and seed; what the grid names is overridden.
    grid : dict, optional
        Name of a setting -> values; :data:`GRID` by default.
    folds : int
        Of the cross-validation, stratified, a patient in one fold only.
    cache : Path
        Where the frozen features are kept.

    Returns
    -------
    pandas.DataFrame
        One row a combination: its values, accuracy over all folds with its 95 % interval and n, and the standard
        deviation between folds.

    Raises
    ------
    DatasetError
        If there are fewer patients of a class than folds.
    """
    grid = grid or GRID
    unknown = sorted(set(grid) - set(GRID))
    if unknown:
        raise ParameterError(f"The search knows no {unknown[0]!r}; it varies {', '.join(GRID)}.")
    features, targets, patients = _features(table, settings, weights, cache, report)
    sides = _folds(targets, patients, folds, settings.seed)
    combinations = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
    rows = []
    for number, values in enumerate(combinations, start=1):
        chosen = replace(settings, optimiser="sgd", **_typed(values))
        hits = [_held_out_hits(features, targets, train, held_out, chosen) for train, held_out in sides]
        share = wilson(int(sum(map(np.sum, hits))), sum(map(len, hits)))
        deviation = float(np.std([hit.mean() for hit in hits]))
        rows.append(
            {
                **values,
                "accuracy": share.value,
                "ci_low": share.low,
                "ci_high": share.high,
                "n": share.n,
                "deviation_between_folds": deviation,
            }
        )
        progress(number / len(combinations))
    return pd.DataFrame(rows).sort_values("accuracy", ascending=False, kind="stable", ignore_index=True)


def _features(
    table: Table, settings: TrainingSettings, weights: str | Path | None, cache: Path, report: Callable[[str], None]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pooled features (N, F), targets (N,) and patients (N,) of all rows that are not for testing."""
    table = with_validation(table, settings)
    rows = table.frame[table.frame["split"] != "test"].reset_index(drop=True)
    table = Table(rows, table.layout, table.simulated)
    classes = classes_of(table, settings)
    backbone = get_backbone(settings.backbone)
    size = settings.size or backbone.default_size
    report(f"reading {len(table)} images")
    images = prepared(table, classes, PreprocessingSettings(), settings, size)
    tensorflow()
    import keras

    keras.utils.set_random_seed(settings.seed)
    model = build_classifier(settings.backbone, len(classes), size=size, weights=weights, **settings.architecture)
    trunk = keras.Model(model.input, model.get_layer(POOLED_LAYER).output)
    identity = {"images": fingerprint(images.images), "trunk": weights_fingerprint(trunk)}
    features = FeatureCache(cache).get(
        trunk,
        lambda: (scaled(images.images[at : at + 32], backbone.input_range) for at in range(0, len(images), 32)),
        len(images),
        identity,
    )
    patients = np.repeat(rows["patient"].to_numpy(), len(images) // len(rows))
    return np.asarray(features, dtype=np.float32), images.targets, patients


def _folds(targets: np.ndarray, patients: np.ndarray, folds: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    from sklearn.model_selection import StratifiedGroupKFold

    fewest = min(len(np.unique(patients[targets == target])) for target in np.unique(targets))
    if folds < 2 or fewest < folds:
        raise DatasetError(
            f"Cross-validation with {folds} folds needs at least 2 folds and as many patients of every class; "
            f"the smallest class has {fewest}."
        )
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    return list(splitter.split(np.zeros(len(targets)), targets, patients))


def _held_out_hits(
    features: np.ndarray, targets: np.ndarray, train: np.ndarray, held_out: np.ndarray, settings: TrainingSettings
) -> np.ndarray:
    """Which held-out images (M,) a head trained on the others gets right."""
    import keras

    keras.utils.set_random_seed(settings.seed)
    inputs = keras.Input(features.shape[1:])
    dropped = keras.layers.Dropout(settings.dropout)(inputs)
    head = keras.Model(inputs, keras.layers.Dense(int(targets.max()) + 1, name=LOGITS_LAYER)(dropped))
    head.compile(
        keras.optimizers.SGD(settings.learning_rate, momentum=settings.momentum),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    head.fit(features[train], targets[train], epochs=settings.epochs, batch_size=settings.batch_size, verbose=0)
    return np.asarray(head(features[held_out])).argmax(axis=1) == targets[held_out]


def _typed(values: dict[str, float]) -> dict[str, Any]:
    return {name: int(value) if name in ("batch_size", "epochs") else value for name, value in values.items()}
