"""The record of a training that is under way, so that only the same one goes on in its folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from core.errors import DatasetError
from core.files import write_whole
from core.zoo.weights import WEIGHTS_NAME

RECORD_NAME = "training.json"


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
