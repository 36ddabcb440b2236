"""Folders that say what they hold by their names, or not at all."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from core.datasets.hc18 import HC18
from core.datasets.held_out import REAL, examination, is_annotation
from core.datasets.items import row_paths, with_numbered_patients
from core.datasets.layouts import Layout, images_in, is_image, register
from core.datasets.phantoms import PhantomFolder
from core.datasets.problems import Problem
from core.datasets.table import Table
from core.errors import DatasetError

INSIDE = (PhantomFolder(), HC18())
"""Layouts that a class folder may have: their lists say which files are frames and what is known of them."""


@register
class FolderPerClass(Layout):
    """A folder per class, each image (and its subfolders' images) labelled by the folder's name.

    A file is its own patient unless its folder inside the class folder says more: ``BPD/patient_7/1.png`` is of the
    same patient as ``CRL/patient_7/2.png``. HC18's frames are told by their names and share their examination. Every
    frame of a DICOM loop is an image of the same patient, and patients of DICOM files have numbers instead of names.
    """

    name = "folders"
    description = "a folder per class"

    def recognises(self, folder: Path) -> bool:
        return any(_holds_images(child) for child in _class_folders(folder))

    def read(self, folder: Path, head_label: str) -> Table:
        parts: list[Table] = []
        problems: list[str] = []
        for child in _class_folders(folder):
            part = _read_class(child)
            problems += part.problems
            if len(part):
                parts.append(part)
            else:
                sentence = f"The class folder {child.name!r} holds no image and was left out."
                problems.append(Problem(sentence, "empty class", [child.name]))
        if not parts:
            raise DatasetError(f"No image of the folder {str(folder)!r} is there; check the folder.")
        rows = pd.concat([part.frame for part in parts], ignore_index=True)
        for name in {"image_id", REAL} & set(rows):
            rows[name] = rows[name].fillna("")
        simulated = {part.frame["label"].iloc[0] for part in parts if part.simulated}
        if simulated and len(simulated) < len(parts):
            problems.append(
                Problem(
                    f"Simulated images ({', '.join(sorted(simulated))}) stand beside real ones: figures on this folder "
                    "would mix the two."
                )
            )
        return Table(with_numbered_patients(rows), self.name, len(simulated) == len(parts), tuple(problems))


@register
class FlatFolder(Layout):
    """Images without labels, side by side."""

    name = "unlabelled"
    description = "images without labels in one folder"

    def recognises(self, folder: Path) -> bool:
        return bool(images_in(folder))

    def read(self, folder: Path, head_label: str) -> Table:
        rows = _rows((path, path.stem) for path in images_in(folder)).assign(label="", split="")
        return Table(with_numbered_patients(rows), self.name, simulated=False)


def _class_folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _holds_images(folder: Path) -> bool:
    return any(layout.recognises(folder) for layout in INSIDE) or any(is_image(path) for path in folder.rglob("*"))


def _read_class(folder: Path) -> Table:
    """The table of one class folder. Of a data set with a list only what the list names: masks and twins lie beside."""
    for layout in INSIDE:
        if layout.recognises(folder):
            table = layout.read(folder, folder.name)
            return Table(table.frame.assign(label=folder.name), layout.name, table.simulated, table.problems)
    images = [path for path in sorted(folder.rglob("*")) if is_image(path)]
    outlines = [path for path in images if is_annotation(path)]
    paths = [path for path in images if not is_annotation(path)]
    rows = _rows((path, _patient(path, folder)) for path in paths)
    return Table(rows.assign(label=folder.name, split=""), FolderPerClass.name, False, _outlines(folder, outlines))


def _rows(files: Iterable[tuple[Path, str]]) -> pd.DataFrame:
    """Paths and patients of files, one row a frame."""
    rows = [(path, patient) for file, patient in files for path in row_paths(file)]
    return pd.DataFrame(rows, columns=["path", "patient"])


def _outlines(folder: Path, paths: list[Path]) -> tuple[Problem, ...]:
    if not paths:
        return ()
    names = [path.name for path in paths]
    return (
        Problem(f"{len(paths)} of HC18's outlines in {folder.name!r} are no frames and were left out.", names=names),
    )


def _patient(path: Path, class_folder: Path) -> str:
    number = examination(path)
    if number is not None:
        return f"examination {number:03d}"
    inside = path.relative_to(class_folder).parts
    return inside[0] if len(inside) > 1 else f"{class_folder.name} {path.stem}"
