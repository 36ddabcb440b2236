"""What a card says of where a model comes from: licences of data and starting weights, and limitations."""

from __future__ import annotations

from pathlib import Path

from core.datasets import Table
from core.datasets.fetal_planes import FetalPlanes
from core.datasets.hc18 import HC18
from core.datasets.held_out import REAL


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
