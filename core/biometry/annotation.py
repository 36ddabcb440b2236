"""HC18's annotations: an ellipse drawn around each head, one image beside the frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from core.biometry.ellipse import Ellipse, ellipse_through
from core.errors import MeasurementError
from core.images import read_image

SUFFIX = "_Annotation"


def annotation_path(frame: Path) -> Path:
    """Where the annotation of ``NNN_HC.png`` lies: ``NNN_HC_Annotation.png`` beside it."""
    return frame.with_name(f"{frame.stem}{SUFFIX}{frame.suffix}")


def read_annotation(frame: Path) -> Ellipse | None:
    """The annotated ellipse of a frame in its pixels; None where no annotation lies beside it.

    Raises
    ------
    ImageError
        If the annotation cannot be read.
    MeasurementError
        If it shows no ellipse.
    """
    path = annotation_path(frame)
    if not path.is_file():
        return None
    rows, columns = np.nonzero(read_image(path).gray() > 0)
    try:
        return ellipse_through(np.column_stack([columns, rows]))
    except MeasurementError as error:
        raise MeasurementError(f"{path.name} shows no ellipse; use the annotation as published.") from error
