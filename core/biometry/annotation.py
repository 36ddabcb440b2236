"""HC18's annotations: an ellipse drawn around each head, one image beside the frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from core.biometry.ellipse import Ellipse, ellipse_through
from core.errors import MeasurementError
from core.images import Frame, read_image

SUFFIX = "_Annotation"
MOST_OF_AREA = 0.25
"""Share of the ellipse that its drawn line may fill; HC18's fill 1 to 6 %, and a filled head is another thing."""


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
    return annotated_ellipse(read_image(path)) if path.is_file() else None


def annotated_ellipse(annotation: Frame, shape: tuple[int, int] | None = None) -> Ellipse:
    """The ellipse that an annotation shows, in its pixels.

    Parameters
    ----------
    shape : (int, int), optional
        Height and width of the frame that it was drawn for.

    Raises
    ------
    MeasurementError
        If it shows no ellipse drawn as a thin line, or was drawn for a frame of another size.
    """
    if shape is not None and (annotation.height, annotation.width) != tuple(shape):
        raise MeasurementError(
            f"{annotation.source} has {annotation.width} x {annotation.height} pixels and the frame "
            f"{shape[1]} x {shape[0]}; choose the annotation of this frame."
        )
    rows, columns = np.nonzero(annotation.gray() > 0)
    try:
        ellipse = ellipse_through(np.column_stack([columns, rows]))
    except MeasurementError as error:
        raise MeasurementError(f"{annotation.source} shows no ellipse; use the annotation as published.") from error
    if len(rows) > MOST_OF_AREA * ellipse.area:
        raise MeasurementError(
            f"{annotation.source} shows no thin line; choose an image with the head's outline alone, drawn on black."
        )
    return ellipse
