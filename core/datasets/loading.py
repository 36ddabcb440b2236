"""One door to every data set: ``load`` asks each layout in turn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

# Importing a layout registers it. Folders that only have names come last: they import those that have a list.
from core.datasets import fetal_planes, folders, hc18, phantoms  # noqa: F401
from core.datasets.duplicates import without_duplicates
from core.datasets.items import file_and_frame
from core.datasets.layouts import LAYOUTS
from core.datasets.table import Table
from core.errors import DatasetError


def load(
    source: str | Path,
    *,
    head_label: str = "brain",
    exclude: Sequence[str] = (),
    classes: Sequence[str] | None = None,
) -> Table:
    """Read images in any known layout.

    Parameters
    ----------
    source : str or Path
        A folder, or phantoms to be simulated while they are read: ``phantom:BPD,CRL,NT:300:unseen``.
    head_label : str
        The class of HC18's frames: ``brain`` for anatomy models, ``BPD`` for plane models.
    exclude : sequence of str
        File name patterns to leave out, such as ``brain_*``.
    classes : sequence of str, optional
        The classes of the task at hand, see :meth:`Table.of_classes`; every label by default.

    Raises
    ------
    DatasetError
        If the folder is missing, holds no images, or nothing is left.
    ParameterError
        If phantoms are asked for that do not exist.
    """
    table = phantoms.parse_phantoms(source) if phantoms.is_phantoms(source) else _read(Path(source), head_label)
    for pattern in exclude:
        table = table.chosen([not file_and_frame(path)[0].match(pattern) for path in table.frame["path"]])
    table = without_duplicates(table)
    if not len(table):
        raise DatasetError(
            f"No image is left of {str(source)!r}; check the folder and the patterns left out."
            + (f" {table.problems[0]}" if table.problems else "")
        )
    return table if classes is None else table.of_classes(classes)


def _read(folder: Path, head_label: str) -> Table:
    if not folder.is_dir():
        raise DatasetError(f"There is no folder {str(folder)!r}; give the folder that holds the images.")
    for layout in LAYOUTS.values():
        if layout.recognises(folder):
            return layout.read(folder, head_label)
    known = "; ".join(layout.description for layout in LAYOUTS.values())
    raise DatasetError(
        f"The folder {str(folder)!r} holds no images; known layouts are: {known}; or ask for {phantoms.FORM}."
    )
