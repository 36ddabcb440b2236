"""The record and the state of a training that is under way: only the same one goes on in its folder, from where it was.

Of every epoch the state is the last thing written, in one step: whatever was written before it is written again, the
same, by a training that goes on.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import DatasetError, ModelError
from core.files import whole, write_whole
from core.zoo.weights import WEIGHTS_NAME

if TYPE_CHECKING:
    import keras

RECORD_NAME = "training.json"
STATE_NAME = "state.npz"


def check_resumable(out: Path, record: dict[str, Any]) -> None:
    """Write ``record``, all that a training follows from, to ``out``; or find the same one there.

    Raises
    ------
    DatasetError
        If the folder holds a training of other settings, or a trained model.
    """
    record = json.loads(json.dumps(record))
    path = out / RECORD_NAME
    if path.exists():
        if json.loads(path.read_text(encoding="utf-8")) != record:
            raise DatasetError(
                f"The folder {str(out)!r} holds an unfinished training with other settings; "
                "use those again, choose another folder, or delete it."
            )
    elif (out / WEIGHTS_NAME).exists():
        raise DatasetError(f"The folder {str(out)!r} holds a trained model already; choose another folder.")
    write_whole(path, json.dumps(record))


def keep_state(model: keras.Model, folder: Path) -> None:
    """Write weights and optimiser of a compiled model; its count of steps tells the epoch."""
    keep_values([*model.weights, *model.optimizer.variables], folder / STATE_NAME)


def restore_state(model: keras.Model, folder: Path, steps: int) -> int:
    """Bring back what :func:`keep_state` wrote, if anything, and return the epochs done by then.

    Parameters
    ----------
    steps : int
        Of one epoch.

    Raises
    ------
    ModelError
        If the file is damaged.
    """
    path = folder / STATE_NAME
    if not path.is_file():
        return 0
    model.optimizer.build(model.trainable_variables)
    restore_values([*model.weights, *model.optimizer.variables], path)
    return int(model.optimizer.iterations) // steps


def keep_values(variables: Sequence[keras.Variable], path: Path) -> None:
    """Write variables as they are, whole or not at all.

    Not as Keras does: HDF5 ends the whole process where a disk is full.
    """
    with whole(path) as draft:
        np.savez(draft, **{f"value_{index:04d}": np.asarray(one.value) for index, one in enumerate(variables)})


def restore_values(variables: Sequence[keras.Variable], path: Path) -> None:
    """Bring back what :func:`keep_values` wrote of the same variables.

    Raises
    ------
    ModelError
        If the file is damaged or of others.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            values = [file[name] for name in sorted(file.files)]
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ModelError(
            f"The state of the unfinished training in {path} is damaged; delete {path.parents[1]} and train anew."
        ) from error
