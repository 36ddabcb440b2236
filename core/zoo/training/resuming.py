"""The record and the state of a training that is under way: only the same one goes on in its folder, from where it was.

Of every epoch the state is the last thing written, in one step: whatever was written before it is written again, the
same, by a training that goes on.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import DatasetError, ModelError
from core.files import whole, write_whole
from core.zoo.weights import WEIGHTS_NAME

if TYPE_CHECKING:
    import keras

RECORD_NAME = "training.json"
STATE_NAME = "state.weights.h5"


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
    with whole(folder / STATE_NAME) as path:
        model.save_weights(path)


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
    try:
        model.load_weights(path)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(
            f"The state of the unfinished training in {path} is damaged; delete {folder.parent} and train anew."
        ) from error
    return int(model.optimizer.iterations) // steps
