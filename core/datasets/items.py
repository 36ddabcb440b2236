"""What the path of a table's row stands for: a file, or one frame of a DICOM loop, written ``FILE#frame=2``.

Frames are counted from 1, as wherever people see them. DICOM files are often called after a patient, and so are their
folders: whatever is shown or written calls a row by :func:`item_name`, and its patient by a number.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from pathlib import Path

import pandas as pd

from core.errors import ImageError
from core.image_formats import DICOM_EXTENSIONS, is_dicom
from core.images import read_file
from core.library import is_phantom_id

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
_SUFFIXES = (*IMAGE_SUFFIXES, *DICOM_EXTENSIONS)
_FRAME = re.compile(r"(?P<file>.+)#frame=(?P<number>[1-9]\d*)", re.DOTALL)
_NUMBERED = re.compile(r"\.\d*")
_BEGINNING = 132


def may_be_frame(name: str, path: Path | None = None) -> bool:
    """Whether a file is an image by its name; one without an extension is where it begins like DICOM, if that is known.

    Numbers are no extension: the names of DICOM files often end in them.
    """
    if name.startswith("."):
        return False
    suffix = Path(name).suffix.lower()
    if suffix in _SUFFIXES:
        return True
    if suffix and not _NUMBERED.fullmatch(suffix):
        return False
    if path is None:
        return True
    try:
        with path.open("rb") as file:
            return is_dicom(file.read(_BEGINNING))
    except OSError:
        # Reading it will say why it cannot be opened.
        return True


def file_and_frame(path: str | Path) -> tuple[Path, int]:
    """The file of a row, and which of its frames, from 0."""
    match = _FRAME.fullmatch(str(path))
    return (Path(match["file"]), int(match["number"]) - 1) if match else (Path(path), 0)


def row_paths(file: Path) -> list[str]:
    """The paths of a file's rows: its own, or one a frame of a DICOM loop.

    A file that cannot be read has one row, whose reading will say why.
    """
    if not is_dicom_by_name(file):
        return [str(file)]
    # Imported here: pydicom is only loaded when it is needed.
    from core.dicom import loop_length

    try:
        frames = loop_length(read_file(file))
    except ImageError:
        return [str(file)]
    return [str(file)] if frames == 1 else [f"{file}#frame={number}" for number in range(1, frames + 1)]


def item_name(path: str | Path) -> str:
    """What a row's image is called: its file's name, but a fingerprint of a DICOM file, with the frame of a loop."""
    file, frame = file_and_frame(path)
    if not is_dicom_by_name(file):
        return file.name
    try:
        name = f"DICOM {digest_of(file)[:8]}"
    except OSError:  # gone, or not to be opened
        name = "DICOM file"
    return f"{name}, frame {frame + 1}" if str(file) != str(path) else name


def short_path(path: str | Path) -> str:
    """A file with the folder it lies in, enough to tell it from its namesakes; a DICOM file's fingerprint."""
    return item_name(path) if is_dicom_by_name(file_and_frame(path)[0]) else "/".join(Path(path).parts[-2:])


def digest_of(file: Path) -> str:
    """SHA-256 of a file, in hexadecimal; remembered as long as its size and time stay."""
    status = file.stat()
    return _digest(str(file), status.st_size, status.st_mtime_ns)


def with_numbered_patients(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of a table, the patients of DICOM files called by numbers, in the order of their names."""
    is_named = rows["path"].map(lambda path: is_dicom_by_name(file_and_frame(path)[0]))
    names = sorted(rows["patient"][is_named].unique())
    numbers = {name: f"DICOM patient {number:04d}" for number, name in enumerate(names, start=1)}
    return rows.assign(patient=rows["patient"].replace(numbers)) if numbers else rows


def is_dicom_by_name(file: Path) -> bool:
    """Whether an image file of a table is DICOM: all that have none of the other types' extensions are."""
    return file.suffix.lower() not in IMAGE_SUFFIXES and not is_phantom_id(str(file))


@lru_cache(maxsize=10_000)
def _digest(file: str, size: int, changed: int) -> str:
    with Path(file).open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
