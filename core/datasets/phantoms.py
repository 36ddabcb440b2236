"""Phantoms: folders of simulated frames, and frames that are simulated when they are read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from core.datasets.held_out import REAL, examination
from core.datasets.items import file_and_frame
from core.datasets.layouts import Layout, paths_in, read_list, register, table_of_present
from core.datasets.table import Table
from core.errors import DatasetError, ParameterError, quoted
from core.images import read_image
from core.library import is_phantom_id, open_phantom, phantom_id

MANIFEST = "manifest.csv"
NEEDED = ("file", "plane", "seed")
"""Columns that a manifest must have: by them it is told from other tables of that name."""
ADVICE = "write the frames again with python -m core phantom, or rename a list that is no phantoms'"
SEED = re.compile(r"[0-9]{1,20}")
PREFIX = "phantom:"
FORM = "phantom:PLANES:N[:SETTINGS[:SEED]]"
"""How a data set of phantoms is asked for in place of a folder, such as ``phantom:BPD,CRL,NT:300:unseen``."""


@register
class PhantomFolder(Layout):
    """What ``python -m core phantom`` writes: images beside a ``manifest.csv`` with the columns file and plane.

    Each is a patient of its own, but for those set among the surroundings of a real frame: these share the real frame's
    examination, so that no background stands on two sides of a split.
    """

    name = "phantom"
    description = "simulated frames with their manifest.csv"

    def recognises(self, folder: Path) -> bool:
        # Also one that is broken: what was simulated must not be read as frames of patients for want of its list.
        return (folder / MANIFEST).is_file()

    def read(self, folder: Path, head_label: str) -> Table:
        path = folder / MANIFEST
        manifest = read_list(path, ",", NEEDED, ADVICE)
        for row, seed in enumerate(manifest["seed"]):
            if not SEED.fullmatch(seed):
                raise DatasetError(
                    f"{MANIFEST} has {quoted(seed)} in the column 'seed' of line {row + 2}, where a whole number "
                    f"belongs; {ADVICE}."
                )
        rows = pd.DataFrame(
            {
                "path": paths_in(folder, manifest["file"], MANIFEST, ADVICE),
                "label": manifest["plane"],
                "patient": [_patient(row) for row in manifest.to_dict("records")],
                "split": "",
                "image_id": [_recipe(row) for row in manifest.to_dict("records")],
            }
        )
        if REAL in manifest:
            rows[REAL] = manifest[REAL]
        return table_of_present(rows, self.name, simulated=True)


def phantoms(planes: Sequence[str], n: int, *, seed: int = 0, settings: str = "train") -> Table:
    """A table of phantoms that exist only while they are read (:func:`read_pixels`).

    Its frames are those ``python -m core phantom --native`` writes with the same plane, number, seed and settings. Each
    is a patient of its own.

    Parameters
    ----------
    planes : sequence of str
        Names of planes, in any case.
    n : int
        Frames of each plane.

    Raises
    ------
    ParameterError
        For an unknown plane or settings, or no frame at all.
    """
    from core.phantom import frame_seed
    from core.phantom.planes import find_plane
    from core.phantom.settings import check_settings

    check_settings(settings)
    if n < 1 or not planes:
        raise ParameterError("A data set of phantoms needs at least one plane and one frame of each.")
    names = [find_plane(plane).name for plane in planes]
    if len(set(names)) < len(names):
        raise ParameterError(f"A plane is named twice in {', '.join(names)}; name each once.")
    ids = [(name, phantom_id(name, settings, frame_seed(seed, index))) for name in names for index in range(n)]
    rows = pd.DataFrame(ids, columns=["label", "path"])
    rows = rows.assign(patient=rows["path"], split="", image_id=rows["path"])
    return Table(rows, PhantomFolder.name, simulated=True)


def is_phantoms(source: str | Path) -> bool:
    """True if ``source`` asks for phantoms in place of a folder."""
    return str(source).startswith(PREFIX)


def parse_phantoms(source: str | Path) -> Table:
    """The table that a text of the form :data:`FORM` asks for.

    Raises
    ------
    ParameterError
        If the text has another form, or asks for what does not exist.
    """
    parts = str(source).removeprefix(PREFIX).split(":")
    planes, n, settings, seed, *rest = [*parts, "", "", ""][: max(4, len(parts))]
    if rest or not planes or not n.isdecimal() or (len(parts) > 3 and not seed.isdecimal()):
        raise ParameterError(
            f"{str(source)!r} asks for no phantoms; the form is {FORM}, as in phantom:BPD,CRL:300:unseen."
        )
    names = [plane.strip() for plane in planes.split(",")]
    return phantoms(names, int(n), seed=int(seed or 0), settings=settings or "train")


def read_pixels(path: str | Path) -> np.ndarray:
    """The pixels of a table's row, (H, W) or (H, W, 3) uint8, read-only: from its file or loop, or simulated.

    The same path always gives the same pixels. This is the one place where a data set's images are read.

    Raises
    ------
    ImageError
        If the file cannot be read; the message says why.
    """
    if is_phantom_id(str(path)):
        return open_phantom(str(path)).frame.pixels
    file, frame = file_and_frame(path)
    return read_image(file, frame=frame).pixels


def _patient(row: dict[str, str]) -> str:
    number = examination(row.get(REAL, "")) if row.get("adaptation") == "surroundings" else None
    return f"{row['plane']} phantom {Path(row['file']).stem}" if number is None else f"examination {number:03d}"


def _recipe(row: dict[str, str]) -> str:
    """The id that simulates a frame again; empty for screens, sizes and adapted frames that an id does not describe."""
    native = row.get("size") == "native" and row.get("settings") and not row.get("adaptation")
    return phantom_id(row["plane"], row["settings"], int(row["seed"])) if native else ""
