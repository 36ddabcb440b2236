"""Two tiny networks that judge, an archive of drawn shapes, and rows without any of them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from core.screening import Networks


@pytest.fixture(scope="session")
def networks(classifier, tiny_detector) -> Networks:
    """The tiny classifier, and the same network as a detector of two corruptions."""
    return Networks(classifier, tiny_detector)


@pytest.fixture
def archive(tmp_path, shape, dicom_loop) -> Path:
    """A folder of 20 shapes in two subfolders, a copy, a cine loop of three frames and two broken files."""
    folder = tmp_path / "archive"
    for number in range(20):
        path = folder / ("first" if number < 10 else "second") / f"{number:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), shape(("BPD", "CRL", "NT")[number % 3], 100 + number))
    (folder / "second" / "copy.png").write_bytes((folder / "first" / "03.png").read_bytes())
    (folder / "cut.png").write_bytes((folder / "first" / "03.png").read_bytes()[:200])
    (folder / "empty.png").write_bytes(b"")
    (folder / "loop.dcm").write_bytes(dicom_loop)
    (folder / "notes.txt").write_text("no image")
    return folder


@pytest.fixture
def make_rows():
    """``make_rows(n, column=values, ...)``: rows of n blameless frames, changed as told."""

    def make(n: int, **columns) -> pd.DataFrame:
        generator = np.random.default_rng(0)
        rows = pd.DataFrame(
            {
                "path": [f"{place:05d}.png" for place in range(n)],
                "frame": 0,
                "frames": 1,
                "error": "",
                "sha256": [f"{place:064x}" for place in range(n)],
                "hash": [generator.bytes(32).hex() for _ in range(n)],
                "sector_share": 0.8,
                "mean": 50.0,
                "deviation": 40.0,
                "information": 6.5,
                "label": "BPD",
                "confidence": 0.95,
                "typicality": 1.0,
                "original": 0.9,
                "corruption": "original",
                "found": "no kind is sure",
            }
        )
        return rows.assign(**columns)

    return make


@pytest.fixture(scope="session")
def model_folders(networks, write_model, tmp_path_factory) -> tuple[Path, Path]:
    """Both tiny networks as model folders: the classifier's and the detector's."""
    models = tmp_path_factory.mktemp("screening_models")
    return write_model(networks.model, models), write_model(networks.detector, models)
