"""Frames of a data set at hand on this machine, so that a figure's point can be opened."""

from __future__ import annotations

import os
from pathlib import Path

from core.images import Frame, display_name, read_image

FOLDER_VARIABLE = "PLANELAB_HEADS"
"""Names the folder of frames that pages may open by name, such as HC18's; set by whoever runs the server, never by a
visitor."""


def frame_path(name: str) -> Path | None:
    """Where a frame of this file name lies in the folder of ``PLANELAB_HEADS``; None where there is none."""
    folder = os.environ.get(FOLDER_VARIABLE)
    # A name is no path: what a table or a link says must not lead out of the folder.
    if not folder or display_name(name) != name or name in (".", ".."):
        return None
    path = Path(folder) / name
    return path if path.is_file() else None


def frame_in_folder(name: str) -> Frame | None:
    """The frame of this file name, where it is at hand.

    Raises
    ------
    ImageError
        If the file cannot be read.
    """
    path = frame_path(name)
    return None if path is None else read_image(path)
