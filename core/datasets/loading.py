"""Readers of the layouts data sets come in. A layout is one class in :data:`LAYOUTS`; ``load`` asks each in turn."""

from __future__ import annotations

import csv
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

import pandas as pd

from core.datasets.table import Table
from core.errors import DatasetError
from core.library import phantom_id

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
NAMES_SHOWN = 5


class Layout(ABC):
    """One way a data set lies on disk."""

    name: ClassVar[str]
    description: ClassVar[str]

    @abstractmethod
    def recognises(self, folder: Path) -> bool:
        """True if ``folder`` looks like this layout."""

    @abstractmethod
    def read(self, folder: Path, head_label: str) -> Table:
        """Read the table; ``head_label`` is what a data set of heads only calls its one class."""


LAYOUTS: dict[str, Layout] = {}


def register(layout: type[Layout]) -> type[Layout]:
    LAYOUTS[layout.name] = layout()
    return layout


def load(folder: str | Path, *, head_label: str = "brain", exclude: tuple[str, ...] = ()) -> Table:
    """Read a folder of images in any known layout.

    Parameters
    ----------
    folder : str or Path
    head_label : str
        The class of HC18's frames: ``brain`` for anatomy models, ``BPD`` for plane models.
    exclude : tuple of str
        File name patterns to leave out, such as ``brain_*``.

    Raises
    ------
    DatasetError
        If the folder is missing, holds no images, or nothing is left.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DatasetError(f"There is no folder {str(folder)!r}; give the folder that holds the images.")
    for layout in LAYOUTS.values():
        if layout.recognises(folder):
            table = layout.read(folder, head_label)
            break
    else:
        raise DatasetError(
            f"The folder {str(folder)!r} holds no images; known layouts are: "
            + "; ".join(layout.description for layout in LAYOUTS.values())
            + "."
        )
    for pattern in exclude:
        keep = [not Path(path).match(pattern) for path in table.frame["path"]]
        table = Table(table.frame[keep].reset_index(drop=True), table.layout, table.simulated, table.problems)
    if not len(table):
        raise DatasetError(f"No image is left of {str(folder)!r}; check the folder and the patterns left out.")
    return table


@register
class PhantomFolder(Layout):
    """What ``python -m core phantom`` writes: images beside a ``manifest.csv`` with the columns file and plane."""

    name = "phantom"
    description = "simulated frames with their manifest.csv"

    def recognises(self, folder: Path) -> bool:
        header = _header(folder / "manifest.csv", ",")
        return {"file", "plane", "seed"} <= set(header)

    def read(self, folder: Path, head_label: str) -> Table:
        manifest = pd.read_csv(folder / "manifest.csv", dtype=str, keep_default_na=False)
        paths = [folder / name for name in manifest["file"]]
        present = [path.is_file() for path in paths]
        problems = _missing_files([path for path, here in zip(paths, present, strict=True) if not here])
        rows = pd.DataFrame(
            {
                "path": [str(path) for path in paths],
                "label": manifest["plane"],
                "patient": [f"phantom {path.stem}" for path in paths],
                "split": "",
                "image_id": [_phantom_id(row) for row in manifest.to_dict("records")],
            }
        )[present].reset_index(drop=True)
        return Table(rows, self.name, simulated=True, problems=problems)


@register
class HC18(Layout):
    """HC18 as published: ``*_HC.png`` beside ``training_set_pixel_size_and_HC.csv`` (Zenodo 1327317).

    The number before the first ``_`` is the examination: frames of one examination share it, and it serves as the
    patient (which examinations belong to one woman is not published).
    """

    name = "hc18"
    description = "HC18 as published"
    table_name = "training_set_pixel_size_and_HC.csv"

    def recognises(self, folder: Path) -> bool:
        return (folder / self.table_name).is_file()

    def read(self, folder: Path, head_label: str) -> Table:
        published = pd.read_csv(folder / self.table_name)
        published.columns = [column.strip() for column in published.columns]
        needed = ("filename", "pixel size(mm)", "head circumference (mm)")
        missing = [column for column in needed if column not in published.columns]
        if missing:
            raise DatasetError(
                f"{self.table_name} lacks the column {missing[0]!r}; use the file as published on Zenodo (1327317)."
            )
        paths = [folder / name for name in published["filename"]]
        present = [path.is_file() for path in paths]
        problems = _missing_files([path for path, here in zip(paths, present, strict=True) if not here])
        rows = pd.DataFrame(
            {
                "path": [str(path) for path in paths],
                "label": head_label,
                "patient": ["examination " + path.name.split("_")[0] for path in paths],
                "split": [hc18_split(path.name) for path in paths],
                "circumference_mm": published["head circumference (mm)"],
                "pixel_size_mm": published["pixel size(mm)"],
            }
        )[present].reset_index(drop=True)
        return Table(rows, self.name, simulated=False, problems=problems)


def hc18_split(file_name: str) -> str:
    """The project's one split of HC18: examinations whose number is a multiple of 5 are test data, always."""
    return "test" if int(file_name.split("_")[0]) % 5 == 0 else "train"


@register
class FolderPerClass(Layout):
    """A folder per class, each image (and its subfolders' images) labelled by the folder's name.

    A file is its own patient unless its folder inside the class folder says more: ``BPD/patient_7/1.png``.
    """

    name = "folders"
    description = "a folder per class"

    def recognises(self, folder: Path) -> bool:
        return any(_images(child) for child in folder.iterdir() if child.is_dir())

    def read(self, folder: Path, head_label: str) -> Table:
        parts, problems, simulated = [], [], []
        for child in sorted(path for path in folder.iterdir() if path.is_dir()):
            images = _images(child)
            if not images:
                problems.append(f"The class folder {child.name!r} holds no image and was left out.")
                continue
            simulated.append(PhantomFolder().recognises(child))
            if simulated[-1]:
                table = PhantomFolder().read(child, head_label)
                problems += table.problems
                rows = table.frame
            else:
                rows = pd.DataFrame({"path": map(str, images), "patient": [_patient(path, child) for path in images]})
            parts.append(rows.assign(label=child.name, patient=f"{child.name} " + rows["patient"], split=""))
        rows = pd.concat(parts, ignore_index=True)
        if "image_id" in rows:
            rows["image_id"] = rows["image_id"].fillna("")
        return Table(rows, self.name, all(simulated), tuple(problems))


@register
class FlatFolder(Layout):
    """Images without labels, side by side."""

    name = "unlabelled"
    description = "images without labels in one folder"

    def recognises(self, folder: Path) -> bool:
        return any(path.suffix.lower() in IMAGE_SUFFIXES for path in folder.iterdir() if path.is_file())

    def read(self, folder: Path, head_label: str) -> Table:
        paths = sorted(path for path in folder.iterdir() if path.is_file() and path.suffix.lower() in IMAGE_SUFFIXES)
        rows = pd.DataFrame({"path": [str(path) for path in paths], "label": "", "patient": [p.stem for p in paths]})
        return Table(rows.assign(split=""), self.name, simulated=False)


def _images(folder: Path) -> list[Path]:
    """Images of a class folder. Of phantoms only those of the manifest: clean twins and masks lie beside them."""
    if PhantomFolder().recognises(folder):
        return PhantomFolder().read(folder, "").paths
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)


def _patient(path: Path, class_folder: Path) -> str:
    inside = path.relative_to(class_folder).parts
    return inside[0] if len(inside) > 1 else path.stem


def _phantom_id(row: dict[str, str]) -> str:
    """The id that simulates a frame again; empty for screens and sizes that an id does not describe."""
    native = row.get("size") == "native"
    return phantom_id(row["plane"], row["settings"], int(row["seed"])) if native else ""


def _header(path: Path, delimiter: str) -> list[str]:
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return next(csv.reader(file, delimiter=delimiter), [])


def _missing_files(paths: list[Path]) -> tuple[str, ...]:
    if not paths:
        return ()
    names = ", ".join(path.name for path in paths[:NAMES_SHOWN]) + (" ..." if len(paths) > NAMES_SHOWN else "")
    return (f"{len(paths)} listed image(s) are missing and were left out: {names}.",)
