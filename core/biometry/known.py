"""Simulated heads whose outline is known: the ellipse through the skull's outer border, as a person would lay it.

A phantom's skull is no exact ellipse (it is egg-shaped and lumpy), so its circumference is that of the ellipse through
its border, as HC18's annotations are. The samples' ellipses ship in ``sample_images/heads.csv``, because simulating a
screen again takes seconds; ``python -m core.biometry.known`` writes that file anew.
"""

from __future__ import annotations

import csv
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from skimage.measure import find_contours

from core.biometry.ellipse import FEWEST_POINTS, Ellipse, ellipse_through
from core.errors import ImageError
from core.library import PHANTOM_ID, SAMPLES_FOLDER
from core.phantom import LABELS, generate, raw_screen
from core.phantom.folder import read_manifest

HEADS_NAME = "heads.csv"
HEAD_PLANES = ("BPD", "brain")
"""Planes that cut the head across, where its circumference is measured."""
WITHIN_SKULL = ("skull", "brain", "midline", "thalami", "choroid plexus", "cavum", "ventricle", "cerebellum")
NUMBERS = ("x", "y", "major", "minor", "angle", "pixel_size_mm")
FARTHEST_FROM_SECTOR = 3
"""Pixels: nearer to the sector's end a border is the sector's own and says nothing of the head."""


@dataclass(frozen=True)
class KnownHead:
    """The skull's outer ellipse in pixels of the frame, and the side of a pixel."""

    ellipse: Ellipse
    pixel_size_mm: float

    @property
    def mm(self) -> float:
        """The head circumference."""
        return self.ellipse.circumference * self.pixel_size_mm


def known_head(image_id: str, folder: Path = SAMPLES_FOLDER) -> KnownHead | None:
    """The head of a sample or phantom by its id (see :mod:`core.library`); None where it shows none, or nobody knows.

    Raises
    ------
    ImageError
        If the table of the samples' heads cannot be read.
    """
    match = PHANTOM_ID.fullmatch(image_id)
    if match is None:
        return _sample_heads(folder).get(image_id)
    if match["plane"].upper() not in (plane.upper() for plane in HEAD_PLANES):
        return None
    phantom = generate(match["plane"], int(match["seed"]), size=None, settings=match["settings"])
    return KnownHead(skull_ellipse(phantom.labels), phantom.pixel_size_mm)


def skull_ellipse(labels: np.ndarray) -> Ellipse:
    """The ellipse through the skull's outer border in labels (H, W) of a phantom.

    Where the sector ends, or a black box begins, the border is not the skull's and is left out.

    Raises
    ------
    MeasurementError
        If no border of a skull is in view.
    """
    inside = np.isin(labels, [LABELS[name] for name in WITHIN_SKULL])
    contours = find_contours(np.pad(inside.astype(np.float32), 1), 0.5)
    longest = max(contours, key=len, default=np.zeros((0, 2))) - 1
    kept = [point for point in longest if not _ends_sector(labels, *point)]
    points = np.array(kept if len(kept) >= FEWEST_POINTS else longest).reshape(-1, 2)
    return ellipse_through(points[:, ::-1])


def write_sample_heads(folder: Path = SAMPLES_FOLDER) -> Path:
    """Simulate every sample that shows a head again and write its ellipse beside the samples."""
    path = folder / HEADS_NAME
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["file", *NUMBERS], lineterminator="\n")
        writer.writeheader()
        for row in read_manifest(folder).values():
            if row["plane"] in HEAD_PLANES:
                head = sample_head(row)
                numbers = {**asdict(head.ellipse), "pixel_size_mm": head.pixel_size_mm}
                writer.writerow({"file": row["file"], **{name: f"{numbers[name]:.6g}" for name in NUMBERS}})
    return path


def sample_head(row: dict[str, str]) -> KnownHead:
    """The head of a screen that a row of the samples' manifest describes, simulated again."""
    screen = raw_screen(row["plane"], int(row["seed"]), scanner=row["scanner"], settings=row["settings"])
    return KnownHead(skull_ellipse(screen.labels), screen.phantom.pixel_size_mm)


def _ends_sector(labels: np.ndarray, row: float, column: float) -> bool:
    top, left = (max(0, round(place) - FARTHEST_FROM_SECTOR) for place in (row, column))
    around = labels[top : round(row) + FARTHEST_FROM_SECTOR + 1, left : round(column) + FARTHEST_FROM_SECTOR + 1]
    at_rim = min(row, column) < 1 or row > labels.shape[0] - 2 or column > labels.shape[1] - 2
    return at_rim or bool((around == 0).any())


def _sample_heads(folder: Path) -> dict[str, KnownHead]:
    path = folder / HEADS_NAME
    if not path.is_file():
        return {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return {f"sample-{Path(row['file']).stem}": _of_row(row) for row in csv.DictReader(file)}
    except (KeyError, TypeError, ValueError) as error:
        raise ImageError(f"{path.name} is damaged; restore it from the repository.") from error


def _of_row(row: dict[str, str]) -> KnownHead:
    numbers = [float(row[name]) for name in NUMBERS]
    return KnownHead(Ellipse(*numbers[:-1]), numbers[-1])


if __name__ == "__main__":
    print(write_sample_heads())
