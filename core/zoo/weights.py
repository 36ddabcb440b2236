"""Weights as plain compressed arrays in half precision, and their hash."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.errors import ModelError, quoted
from core.files import whole

if TYPE_CHECKING:
    import keras

WEIGHTS_NAME = "weights.npz"
LARGEST_WEIGHTS = 128 * 2**20
"""Unpacked, in half precision: 64 million weights."""
_EXTRA = "extra/"
_UNREADABLE = (
    OSError,
    ValueError,
    TypeError,
    EOFError,
    MemoryError,  # an array that claims more values than memory holds
    NotImplementedError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def save_weights(model: keras.Model, path: Path, **extra: np.ndarray) -> None:
    """Write every weight as float16 under its position, and ``extra`` arrays under ``extra/<name>``.

    Positions, not names: Keras numbers the unnamed layers of InceptionV3 anew in each process. A value beyond float16's
    range would become infinite, so it is refused.
    """
    arrays = {_key(index): np.asarray(weight.value) for index, weight in enumerate(model.weights)}
    arrays |= {f"{_EXTRA}{name}": np.asarray(values) for name, values in extra.items()}
    halves = {}
    for name, values in arrays.items():
        half = values.astype(np.float16)
        if not np.isfinite(half).all():
            raise ModelError(f"The weights of {name!r} do not fit half precision; train again with smaller weights.")
        halves[name] = half
    with whole(path) as draft:
        np.savez_compressed(draft, **halves)


def load_weights(model: keras.Model, path: Path, content: bytes) -> None:
    """Fill ``model`` in float32 from the content of the weight file ``path``.

    Raises
    ------
    ModelError
        If it is damaged, or its arrays do not fit the model.
    """
    arrays = read_arrays(path, content, lambda name: not name.startswith(_EXTRA))
    n_stored = len(arrays)
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


def extra_arrays(path: Path, content: bytes) -> dict[str, np.ndarray]:
    """The arrays that :func:`save_weights` was given besides the model's. Raises ModelError if they are damaged."""
    extra = read_arrays(path, content, lambda name: name.startswith(_EXTRA))
    return {name.removeprefix(_EXTRA): values for name, values in extra.items()}


def round_to_half(model: keras.Model) -> None:
    """Round a model's weights to what its weight file will hold, so that what is measured is what ships."""
    for weight in model.weights:
        weight.assign(np.asarray(weight.value).astype(np.float16).astype(np.float32))


def _key(index: int) -> str:
    return f"weight_{index:04d}"


def read_arrays(
    path: Path, content: bytes | None = None, wanted: Callable[[str], bool] = lambda name: True
) -> dict[str, np.ndarray]:
    """The arrays of a weight file, or those of the names ``wanted``, as float32.

    Parameters
    ----------
    path : Path
    content : bytes, optional
        What is in the file, if it has been read already.
    wanted : callable

    Raises
    ------
    ModelError
        If the file is missing or damaged, holds more than any network here has, or a value that is no number.
    """
    advice = "restore it from the repository or train again."
    try:
        with zipfile.ZipFile(path if content is None else BytesIO(content)) as archive:
            claimed = sum(member.file_size for member in archive.infolist())
        if claimed > LARGEST_WEIGHTS:
            raise ModelError(
                f"The weight file {path} claims to hold {claimed // 2**20} MB, more than the "
                f"{LARGEST_WEIGHTS // 2**20} MB of any network here; {advice}"
            )
        with np.load(path if content is None else BytesIO(content), allow_pickle=False) as file:
            arrays = {name: _single_precision(file[name]) for name in file.files if wanted(name)}
    except FileNotFoundError as error:
        raise ModelError(f"The weight file {path} is missing; {advice}") from error
    except _UNREADABLE as error:
        raise ModelError(f"The weight file {path} is damaged; {advice}") from error
    broken = [name for name, values in arrays.items() if not np.isfinite(values).all()]
    if broken:
        raise ModelError(f"The weight file {path} holds values that are no numbers in {quoted(broken[0])}; {advice}")
    return arrays


def _single_precision(values: np.ndarray | bytes) -> np.ndarray:
    """An array of a weight file as float32. Raises ValueError for what is none, or holds no floating-point numbers."""
    if not isinstance(values, np.ndarray) or values.dtype.kind != "f":
        raise ValueError("no array of floating-point numbers")
    return values.astype(np.float32)
