"""What a training wrote down epoch by epoch, read for whoever wants to see it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from core.errors import ModelError
from core.tables import read_table
from core.zoo.registry import MODELS_FOLDER
from core.zoo.training.stages import FINE_TUNING, HISTORY_NAME

MEASURES = ("loss", "accuracy")
VALIDATION = "val_"


def read_history(name: str, folder: Path = MODELS_FOLDER) -> pd.DataFrame:
    """The epochs of ``models/<name>/history.csv`` in order; empty where the model has none.

    Columns: ``number`` (from 1, over all stages), ``stage``, and of loss, accuracy, val_loss and val_accuracy those
    that there are, float64. Other columns are left as they are.

    Raises
    ------
    ModelError
        If the file cannot be read, has no measure, or a measure is no number.
    """
    path = folder / name / HISTORY_NAME
    if not path.is_file():
        return pd.DataFrame()
    advice = f"restore models/{name}/{HISTORY_NAME} from the repository or train the model again."
    try:
        rows = read_table(path)
    except (OSError, ValueError) as error:
        raise ModelError(f"{HISTORY_NAME} of model {name!r} cannot be read; {advice}") from error
    known = [column for column in rows if column.removeprefix(VALIDATION) in MEASURES]
    if not known:
        raise ModelError(f"{HISTORY_NAME} of model {name!r} has neither loss nor accuracy; {advice}")
    for column in known:
        numbers = pd.to_numeric(rows[column], errors="coerce").astype(np.float64)
        if (numbers.isna() & rows[column].notna()).any():
            raise ModelError(f"The column {column!r} in {HISTORY_NAME} of model {name!r} is not of numbers; {advice}")
        rows[column] = numbers
    if "stage" not in rows:
        rows["stage"] = FINE_TUNING
    rows.insert(0, "number", np.arange(1, len(rows) + 1))
    return rows
