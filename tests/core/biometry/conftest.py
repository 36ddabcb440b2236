"""Heads drawn in HC18's layout, tiny models trained on them, and models whose weights are set by hand."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from core.biometry.ellipse import Ellipse
from core.datasets.hc18 import CIRCUMFERENCE, PIXEL_SIZE, TABLE_NAME
from core.preprocessing import PreprocessingSettings
from core.zoo.cards import Card

NET = 64
PIXEL_MM = 0.5
SIDE = 96
INTERVAL = {"level": 0.9, "relative": 0.02, "exponent": 0.0, "greatest_share": None, "n": 20, "n_examinations": 20}


def draw_head(ellipse: Ellipse, shape: tuple[int, int], seed: int) -> np.ndarray:
    """A bright skull around dim speckle."""
    generator = np.random.default_rng(seed)
    image = generator.normal(60, 12, shape)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    distance = ellipse.distance(columns, rows)
    image[distance < 0] += 40
    image[np.abs(distance) < 2] = 230
    return np.clip(image, 0, 255).astype(np.uint8)


def random_head(number: int) -> Ellipse:
    generator = np.random.default_rng([7, number])
    minor = generator.uniform(16, 26)
    return Ellipse(
        SIDE / 2 + generator.uniform(-6, 6), SIDE / 2 + generator.uniform(-6, 6), minor / generator.uniform(0.75, 0.85),
        minor, generator.uniform(-1.5, 1.5),
    )  # fmt: skip


def write_folder(folder: Path, numbers: list[int], *, annotated: bool = True) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"filename,{PIXEL_SIZE},{CIRCUMFERENCE}"]
    for number in numbers:
        ellipse = random_head(number)
        cv2.imwrite(str(folder / f"{number:03d}_HC.png"), draw_head(ellipse, (SIDE, SIDE), number))
        if annotated:
            drawn = np.zeros((SIDE, SIDE), np.uint8)
            cv2.polylines(drawn, [np.round(ellipse.points(400)).astype(np.int32)], True, 255)
            cv2.imwrite(str(folder / f"{number:03d}_HC_Annotation.png"), drawn)
        lines.append(f"{number:03d}_HC.png,{PIXEL_MM},{ellipse.circumference * PIXEL_MM:.4f}")
    (folder / TABLE_NAME).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def head_of():
    """``head_of(number)``: the ellipse of a drawn head, in pixels of its frame."""
    return random_head


@pytest.fixture(scope="session")
def write_heads():
    """``write_heads(folder, numbers, annotated=True)``: heads drawn in HC18's layout, pixels of 0.5 mm."""
    return write_folder


@pytest.fixture(scope="session")
def heads(tmp_path_factory) -> Path:
    """60 examinations of one frame, of which those with a number that 5 divides are test data."""
    return write_folder(tmp_path_factory.mktemp("hc18"), list(range(1, 61)))


@pytest.fixture(scope="session")
def trained_heads(heads, tmp_path_factory) -> Path:
    """A folder of models: ``length``, a regression, and ``outline``, a segmentation; trained so little that only what
    holds of any weights can be asked of them."""
    from core.biometry.settings import HeadSettings
    from core.biometry.training import train_heads
    from core.datasets import load

    folder = tmp_path_factory.mktemp("trained_heads")
    table = load(heads)
    # Without dropout, whose random state no checkpoint keeps.
    shared = {"backbone": "cnn", "size": 32, "augmentation": "none", "validation_share": 0.4, "dropout": 0.0}
    quiet = {"weights": None, "report": lambda line: None, "default": True}
    train_heads(table, HeadSettings(epochs=2, **shared), folder / "length", **quiet)
    train_heads(table, HeadSettings(output="ellipse", epochs=1, **shared), folder / "outline", **quiet)
    return folder


def card_of(name: str, output: str, **measurement) -> Card:
    regression = output == "circumference"
    return Card(
        name=name, title=name, task="head_circumference", backbone="cnn", classes=["head circumference"],
        input={"size": NET, "range": [0, 1], "chain": "plane"},
        preprocessing=PreprocessingSettings(aspect="pad", crop="none", mask="none").to_dict(),
        feature_layer="features" if regression else "", pooled_layer="pooled" if regression else "",
        temperature=1.0, novelty_threshold=-1e9, training={}, split="", licences=[], limitations=[], command="",
        weights={"file": "weights.npz", "sha256": "0", "bytes": 0, "dtype": ""},
        measurement={"output": output, **measurement},
    )  # fmt: skip


@pytest.fixture(scope="session")
def bright_segmenter():
    """A segmenter whose weights are set by hand: inside is what is bright, so the right ellipse is known."""
    import keras

    from core.zoo.heads import HeadSegmenter

    inputs = keras.Input((NET, NET, 3))
    halved = keras.layers.AveragePooling2D(2)(inputs)
    layer = keras.layers.Conv2D(1, 1)
    model = keras.Model(inputs, layer(halved))
    layer.set_weights([np.full((1, 1, 3, 1), 20.0, np.float32), np.array([-30.0], np.float32)])
    refusal = {"certainty": 0.8, "agreement": 0.9, "inside": 0.9, "axis_ratio": [0.65, 0.95]}
    return HeadSegmenter(card_of("bright", "ellipse", refusal=refusal, interval=INTERVAL), model)


@pytest.fixture(scope="session")
def constant_regressor():
    """A regressor that says 1.5 of the input's side of every frame, whatever it shows."""
    from core.zoo.architectures import POOLED_LAYER, build_classifier
    from core.zoo.heads import HeadRegressor
    from core.zoo.novelty import Typicality
    from core.zoo.runtime import CompiledNetwork

    model = build_classifier("cnn", 1, size=NET)
    model.layers[-1].set_weights([np.zeros((64, 1), np.float32), np.array([1.5], np.float32)])
    network = CompiledNetwork(model, input_range=(0.0, 1.0), feature_layer="features", pooled_layer=POOLED_LAYER)
    pooled = network.forward(np.random.default_rng(0).random((12, NET, NET)).astype(np.float32))[1]
    card = card_of("constant", "circumference", interval=INTERVAL | {"relative": 0.05})
    return HeadRegressor(card, network, Typicality.fit(pooled, np.zeros(12, int)))
