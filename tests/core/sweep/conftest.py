"""Shapes on disk as the images of a sweep, and tiny models of planes and of corruptions."""

from __future__ import annotations

from dataclasses import replace

import cv2
import pandas as pd
import pytest

PLANES = ["BPD", "CRL", "NT"]
GRID = {"scale_up": (0.0, 10.0, 40.0), "blur": (0.0, 4.0), "noise": (0.0, 0.1, 0.4)}


@pytest.fixture
def frames(tmp_path, shape) -> pd.DataFrame:
    """Six shapes, two a class; the two of a class are of one patient."""
    rows = []
    for plane in PLANES:
        for seed in (50, 51):
            path = tmp_path / f"{plane}_{seed}.png"
            cv2.imwrite(str(path), shape(plane, seed))
            rows.append({"path": str(path), "label": plane, "patient": plane, "group": "data"})
    return pd.DataFrame(rows)


@pytest.fixture
def other_model(classifier):
    """A second model of the planes: the same network, other weights by its card, more cautious."""
    from core.zoo.prediction import Classifier

    weights = {**classifier.card.weights, "sha256": "1"}
    card = replace(classifier.card, name="other", temperature=4.0, weights=weights)
    return Classifier(card, classifier.network, classifier.typicality)
