"""Weights as plain compressed arrays in half precision, and their hash."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.errors import ModelError
from core.files import whole

if TYPE_CHECKING:
    import keras

WEIGHTS_NAME = "weights.npz"


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def save_weights(model: keras.Model, path: Path, **extra: np.ndarray) -> None:
    """Write every weight as float16 under its position, and ``extra`` arrays under ``extra/<name>``.

    Positions, not names: Keras numbers the unnamed layers of InceptionV3 anew in each process. A value beyond float16's
    range would become infinite, so it is refused.
    """
    arrays = {_key(index): np.asarray(weight.value) for index, weight in enumerate(model.weights)}
    arrays |= {f"extra/{name}": np.asarray(values) for name, values in extra.items()}
    halves = {}
    for name, values in arrays.items():
        half = values.astype(np.float16)
        if not np.isfinite(half).all():
            raise ModelError(f"The weights of {name!r} do not fit half precision; train again with smaller weights.")
        halves[name] = half
    with whole(path) as draft:
        np.savez_compressed(draft, **halves)


def load_weights(model: keras.Model, path: Path) -> dict[str, np.ndarray]:
    """Fill ``model`` from ``path`` in float32 and return the extra arrays.

    Raises
    ------
    ModelError
        If the file is missing, damaged, or its arrays do not fit the model.
    """
    arrays = read_arrays(path)
    extra = {name.removeprefix("extra/"): values for name, values in arrays.items() if name.startswith("extra/")}
    n_stored = len(arrays) - len(extra)
    if n_stored != len(model.weights):
        raise ModelError(
            f"{path.name} holds {n_stored} arrays and this network has {len(model.weights)}; "
            "it belongs to another model."
        )
    for index, weight in enumerate(model.weights):
        values = arrays.get(_key(index))
        if values is None or values.shape != tuple(weight.shape):
            shape = None if values is None else values.shape
            raise ModelError(
                f"Array {index} of {path.name} has shape {shape} and {weight.path} needs {tuple(weight.shape)}; "
                "the file belongs to another model."
            )
        weight.assign(values)
    return extra


def round_to_half(model: keras.Model) -> None:
    """Round a model's weights to what its weight file will hold, so that what is measured is what ships."""
    for weight in model.weights:
        weight.assign(np.asarray(weight.value).astype(np.float16).astype(np.float32))


def _key(index: int) -> str:
    return f"weight_{index:04d}"


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """All arrays of a weight file as float32."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name].astype(np.float32) for name in file.files}
    except FileNotFoundError as error:
        raise ModelError(
            f"The weight file {path} is missing; restore it from the repository or train again."
        ) from error
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise ModelError(
            f"The weight file {path} is damaged; restore it from the repository or train again."
        ) from error
