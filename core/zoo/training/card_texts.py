"""What a card says of where a model comes from: licences of data and starting weights, and limitations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from core.datasets import Table
from core.datasets.fetal_planes import FetalPlanes
from core.datasets.hc18 import HC18
from core.datasets.held_out import REAL

if TYPE_CHECKING:
    import keras


def limitations(table: Table) -> list[str]:
    """What a card says a model trained on a table must not be taken for."""
    lines = ["No medical device. Research and teaching only."]
    if table.simulated:
        data = "simulated images alone"
        if _borrows(table):
            data = "simulated anatomies, many of them among surroundings or with gray statistics of real HC18 frames"
        lines += [
            f"Trained on {data}: figures on phantoms say little about real frames; read those apart.",
            "It always answers with one of its classes; a plane it does not know is called one of those all the same, "
            "so heed the warning on images unlike the training data.",
        ]
    return lines


FAULTS_OF_SCANNERS = (
    "Learned from corruptions made by core.corruption: how well it finds faults that a scanner made by itself has not "
    "been measured."
)
LITTLE_ENLARGED = (
    "Whether a frame is enlarged can only be told from what it no longer shows; little of it is not found."
)


def limitations_of_classes(model: keras.Model, feature_layer: str, dense: int) -> list[str]:
    """What else a card says of a detector of the thesis's four classes, whose head pools where the thesis flattened."""
    rows, columns, channels = model.get_layer(feature_layer).output.shape[1:]
    flattened = model.count_params() + (rows * columns - 1) * channels * dense
    return [
        FAULTS_OF_SCANNERS,
        LITTLE_ENLARGED,
        "It knows no mixtures and always answers with one of its classes.",
        f"Its head averages each of the {channels} feature maps; the thesis's, which flattened them, would make it "
        f"weigh {2 * flattened / 1e6:.0f} MB in half precision.",
    ]


def data_licences(table: Table) -> list[str]:
    """The sources that a card has to name for what a table holds."""
    lines = []
    if table.layout == HC18.name or _borrows(table):
        lines.append("Training data: HC18, van den Heuvel et al., Zenodo 1327317, CC BY 4.0")
    if table.layout == FetalPlanes.name:
        lines.append("Training data: FETAL_PLANES_DB, Burgos-Artizzu et al., Zenodo 3904280, CC BY 4.0")
    return lines


def _borrows(table: Table) -> bool:
    """Whether phantoms of the table were adapted to real frames."""
    return REAL in table.frame and bool((table.frame[REAL].fillna("") != "").any())


def start_licence(weights: str | Path | None) -> list[str]:
    if weights is None:
        return []
    return ["Starting weights: Keras Applications, Apache-2.0, trained on ImageNet (non-commercial research terms)"]
