"""Train a regression or a segmentation of heads and write it as a model folder with its card."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from core.augmentation import PRESETS as AUGMENTATIONS
from core.biometry.calibration import HEADS_NAME, calibrate
from core.biometry.data import HeadSet, read_heads
from core.biometry.settings import HUBER_DELTA, HeadSettings
from core.datasets import Table, refuse_test_examinations, split_by_patient
from core.errors import DatasetError, ModelError
from core.evaluation import bootstrap_by_patient
from core.files import whole
from core.preprocessing import PreprocessingSettings
from core.tables import read_table
from core.zoo.architectures import POOLED_LAYER, build_classifier, build_segmenter, get_backbone
from core.zoo.cards import Card, Metric
from core.zoo.heads import CIRCUMFERENCE, CLASSES, ELLIPSE, MaskPass, ellipses_in
from core.zoo.novelty import Typicality, threshold
from core.zoo.registry import load_model
from core.zoo.runtime import CompiledNetwork, tensorflow
from core.zoo.training.card_texts import start_licence
from core.zoo.training.images import scaled
from core.zoo.training.resuming import RECORD_NAME, check_resumable, keep_state, restore_state
from core.zoo.training.start import IMAGES, scale_to_unit
from core.zoo.weights import WEIGHTS_NAME, round_to_half, save_weights, sha256_of

if TYPE_CHECKING:
    import keras

CHECKPOINT_NAME = "checkpoint"
HISTORY_NAME = "history.csv"
VALIDATION_BATCH = 32
AUGMENTING_THREADS = 2
PREPROCESSING = PreprocessingSettings(aspect="pad")
"""A head's length is its own in every direction: frames are padded to a square, never stretched."""


def train_heads(
    table: Table,
    settings: HeadSettings,
    out: Path,
    *,
    weights: str | Path | None = "imagenet",
    start: Path | None = None,
    command: str = "",
    default: bool = False,
    report: Callable[[str], None] = print,
    progress: Callable[[float], None] = lambda share: None,
) -> Card:
    """Train on ``table`` and write ``out`` with weights, card, history and validation predictions.

    Killed half-way and started again with the same settings, it goes on from the last finished epoch.

    Parameters
    ----------
    table : Table
        Of HC18: circumference, pixel size and an annotation beside each frame. Test rows are never read.
    weights : ``"imagenet"``, Path or None
        Where the backbone starts.
    start : Path, optional
        The folder of a model of heads; layers of the same name and shape start from its weights instead.

    Raises
    ------
    DatasetError
        If the table cannot be trained on.
    ModelError
        If the starting weights are not to be had.
    """
    train_side, validation_side = sides(table, settings)
    out.mkdir(parents=True, exist_ok=True)
    check_resumable(out, {**asdict(settings), "weights": str(weights), "start": start and start.name})
    report(f"reading {len(train_side) + len(validation_side)} frames")
    train = read_heads(train_side, PREPROCESSING, settings.size)
    validation = read_heads(validation_side, PREPROCESSING, settings.size)
    tensorflow()
    import keras

    keras.utils.set_random_seed(settings.seed)
    model = _built(settings, weights)
    began = get_backbone(settings.backbone).start(weights)
    last_started = get_backbone(settings.backbone).last_started_layer
    if isinstance(weights, Path) and last_started:
        _freeze(model, last_started)
        chosen = np.random.default_rng(settings.seed).permutation(len(train))[:IMAGES]
        scale_to_unit(model, last_started, _inputs(train.images[chosen], settings))
    if start:
        copied = _copy_layers(load_model(start.name, start.parent), model)
        began = f"{copied} layers of {start.parent.name}/{start.name}; the others: {began}"
        report(f"starting from {began}")
    if settings.output == CIRCUMFERENCE:
        # A network that begins at the mean has only the differences to learn.
        model.layers[-1].bias.assign([train.targets.mean()])
    _fit(model, train, validation, settings, out, report, progress)
    round_to_half(model)
    card, predicted = _card(model, train, validation, settings, out, began, weights, command, default)
    with whole(out / HEADS_NAME) as path:
        predicted.to_csv(path, index=False)
    card.write(out)
    card = calibrate(out, train, validation)
    error = f"{card.metrics[0].value:.2f} mm mean absolute error" if card.metrics else "no outline of a head was found"
    report(f"validation: {error}, n = {len(validation)}")
    shutil.rmtree(out / CHECKPOINT_NAME, ignore_errors=True)
    (out / RECORD_NAME).unlink(missing_ok=True)
    return card


def sides(table: Table, settings: HeadSettings) -> tuple[Table, Table]:
    """The training and the validation side, split by examination; of a fold or by share.

    Raises
    ------
    DatasetError
        If HC18's test examinations would be trained on, or too few are left.
    """
    refuse_test_examinations(table)
    rest = table.chosen(table.frame["split"] != "test")
    if settings.fold is None:
        rest = split_by_patient(rest, validation=settings.validation_share, seed=settings.seed)
        return rest.where(split="train"), rest.where(split="validation")
    patients = np.random.default_rng(settings.seed).permutation(sorted(rest.frame["patient"].unique()))
    if len(patients) < settings.folds:
        raise DatasetError(f"{len(patients)} examination(s) make no {settings.folds} folds; give more frames.")
    chosen = rest.frame["patient"].isin(patients[settings.fold :: settings.folds]).to_numpy()
    return rest.chosen(~chosen), rest.chosen(chosen)


def _built(settings: HeadSettings, weights: str | Path | None) -> keras.Model:
    if settings.output == ELLIPSE:
        return build_segmenter(settings.backbone, size=settings.size, weights=weights, dropout=settings.dropout)
    return build_classifier(settings.backbone, 1, size=settings.size, weights=weights, dropout=settings.dropout)


def _freeze(model: keras.Model, last: str) -> None:
    """Leave the layers up to ``last`` as they started, as a training of classes does."""
    names = [layer.name for layer in model.layers]
    for layer in model.layers[: names.index(last) + 1]:
        layer.trainable = False


def _copy_layers(source: Any, model: keras.Model) -> int:
    """Weights of layers that both networks have, by name and shape; returns how many were taken."""
    taken = 0
    for layer in model.layers:
        if not layer.weights:
            continue
        try:
            values = source.model.get_layer(layer.name).get_weights()
        except ValueError:
            continue
        if [value.shape for value in values] == [tuple(weight.shape) for weight in layer.weights]:
            layer.set_weights(values)
            taken += 1
    if not taken:
        raise ModelError(f"{source.card.name} shares no layer with this network; start from one of the same backbone.")
    return taken


def _fit(
    model: keras.Model, train: HeadSet, validation: HeadSet, settings: HeadSettings, out: Path,
    report: Callable[[str], None], progress: Callable[[float], None],
) -> None:  # fmt: skip
    import keras

    batches = _batches(train, settings)
    rate = keras.optimizers.schedules.CosineDecay(settings.learning_rate, settings.epochs * len(batches))
    model.compile(keras.optimizers.Adam(rate), **_objective(settings))

    class Follow(keras.callbacks.Callback):
        """Epochs into ``history.csv``, read back when a training that was killed goes on."""

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            # After a resume Keras starts at a later epoch and the batches must follow.
            if epoch != batches.epoch:
                batches.start_epoch(epoch)
            self.started = time.monotonic()

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            progress((batch + 1) / len(batches))

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            row = {"epoch": epoch, **{name: float(value) for name, value in logs.items()}}
            row["seconds"] = round(time.monotonic() - self.started, 1)
            path = out / HISTORY_NAME
            rows = read_table(path) if path.exists() else pd.DataFrame({"epoch": []})
            rows = pd.concat([rows[rows["epoch"] < epoch], pd.DataFrame([row])], ignore_index=True)
            with whole(path) as draft:
                rows.to_csv(draft, index=False)
            keep_state(model, out / CHECKPOINT_NAME)
            report(
                f"epoch {epoch + 1}/{settings.epochs}: loss {row['loss']:.4f}, validation loss {row['val_loss']:.4f} "
                f"({row['seconds']:.0f} s)"
            )

    (out / CHECKPOINT_NAME).mkdir(exist_ok=True)
    model.fit(
        batches,
        validation_data=(_inputs(validation.images, settings), _targets(validation, settings)),
        validation_batch_size=VALIDATION_BATCH,
        initial_epoch=restore_state(model, out / CHECKPOINT_NAME, len(batches)),
        epochs=settings.epochs,
        # The order is the batches' own: Keras's, drawn from the process's numbers, would be another after a resume.
        shuffle=False,
        verbose=0,
        callbacks=[Follow()],
    )


def _batches(train: HeadSet, settings: HeadSettings) -> Any:
    import keras

    class Batches(keras.utils.PyDataset):
        """Batches of varied heads; epoch and seed fix the order and every variation."""

        def __init__(self) -> None:
            super().__init__(workers=AUGMENTING_THREADS, use_multiprocessing=False, max_queue_size=8)
            self.start_epoch(0)

        def start_epoch(self, epoch: int) -> None:
            self.epoch = epoch
            self.order = np.random.default_rng([settings.seed, epoch]).permutation(len(train))

        def __len__(self) -> int:
            return -(-len(self.order) // settings.batch_size)

        def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
            chosen = self.order[index * settings.batch_size : (index + 1) * settings.batch_size]
            varied = [vary(train, int(one), settings, self.epoch) for one in chosen]
            return _inputs(np.stack([image for image, _ in varied]), settings), np.stack(
                [target for _, target in varied]
            )

        def on_epoch_end(self) -> None:
            self.start_epoch(self.epoch + 1)

    return Batches()


def vary(heads: HeadSet, index: int, settings: HeadSettings, epoch: int) -> tuple[np.ndarray, np.ndarray | float]:
    """A variation (S, S) of a head and what is to be learned of it: the ellipse moves as the pixels do.

    The target is a circumference over the side or a mask (S/2, S/2, 1); seed, epoch and index fix the variation.
    """
    variation = AUGMENTATIONS[settings.augmentation].vary(
        heads.images[index], np.random.default_rng([settings.seed, epoch, index])
    )
    before = heads.ellipses[index]
    after = before.moved(variation.matrix)
    if settings.output == ELLIPSE:
        return variation.image, _mask(after, settings)
    return variation.image, heads.targets[index] * after.circumference / before.circumference


def _mask(ellipse: Any, settings: HeadSettings) -> np.ndarray:
    half = settings.size // 2
    return ellipse.coverage((half, half), 2.0)[..., None]


def _inputs(images: np.ndarray, settings: HeadSettings) -> np.ndarray:
    return scaled(images, get_backbone(settings.backbone).input_range)


def _targets(heads: HeadSet, settings: HeadSettings) -> np.ndarray:
    if settings.output == ELLIPSE:
        return np.stack([_mask(ellipse, settings) for ellipse in heads.ellipses])
    return heads.targets


def _objective(settings: HeadSettings) -> dict[str, Any]:
    import keras

    if settings.output == CIRCUMFERENCE:
        losses = {"mae": "mae", "mse": "mse", "huber": keras.losses.Huber(HUBER_DELTA)}
        return {"loss": losses[settings.loss], "metrics": ["mae"]}

    def overlap(true: Any, logits: Any) -> Any:
        """Dice's loss of soft masks (Milletari et al. 2016)."""
        inside = keras.ops.sigmoid(logits)
        both = keras.ops.sum(true * inside, axis=(1, 2, 3))
        return 1 - 2 * both / (keras.ops.sum(true + inside, axis=(1, 2, 3)) + 1)

    def loss(true: Any, logits: Any) -> Any:
        crossed = keras.losses.binary_crossentropy(true, logits, from_logits=True)
        return keras.ops.mean(crossed, axis=(1, 2)) + overlap(true, logits)

    return {"loss": loss, "metrics": [overlap]}


def _card(
    model: keras.Model, train: HeadSet, validation: HeadSet, settings: HeadSettings, out: Path, began: str,
    weights: str | Path | None, command: str, default: bool,
) -> tuple[Card, pd.DataFrame]:  # fmt: skip
    """Predict the validation side with the rounded weights, write these, and describe them."""
    backbone = get_backbone(settings.backbone)
    arrays: dict[str, np.ndarray] = {}
    novelty = 0.0
    regression = settings.output == CIRCUMFERENCE
    if regression:
        network = CompiledNetwork(
            model, input_range=backbone.input_range, feature_layer=backbone.feature_layer, pooled_layer=POOLED_LAYER
        )
        pooled = network.forward(train.images.astype(np.float32) / 255)[1]
        fitted = Typicality.fit(pooled, np.zeros(len(train), int)).to_arrays()
        # Through half precision and back, as the file will hold it.
        arrays = {name: values.astype(np.float16).astype(np.float32) for name, values in fitted.items()}
        logits, pooled = network.forward(validation.images.astype(np.float32) / 255)
        novelty = threshold(Typicality.from_arrays(arrays).score(pooled))
        lengths = logits[:, 0].astype(np.float64) * settings.size
    else:
        ellipses = ellipses_in(
            MaskPass(lambda: model, settings.size, backbone.input_range)(validation.images), settings.size
        )
        lengths = np.array([np.nan if one is None else one.circumference for one in ellipses])
    save_weights(model, out / WEIGHTS_NAME, **arrays)
    predicted = pd.DataFrame(
        {
            "image": [path.name for path in validation.paths],
            "patient": validation.patients,
            "pixel_size_mm": validation.pixel_sizes,
            "true_mm": validation.circumferences,
            "predicted_mm": lengths / validation.scales * validation.pixel_sizes,
        }
    )
    errors = (predicted["predicted_mm"] - predicted["true_mm"]).abs()
    found = errors.notna()
    mean = bootstrap_by_patient(errors[found].to_numpy(), validation.patients[found])
    metric = Metric(
        "mean absolute error", "validation frames of HC18", False, mean.value, mean.low, mean.high, mean.n, command,
        "decided nothing in this training; the interval is set on them", "mm",
    )  # fmt: skip
    what = "head circumference" if regression else "head outline (U-Net)"
    card = Card(
        name=out.name,
        title=f"{settings.backbone}, {what}"
        + (f", {settings.loss.upper()} loss" if regression else "")
        + ("" if settings.fold is None else f", fold {settings.fold + 1} of {settings.folds}, {settings.size} pixels"),
        task="head_circumference",
        backbone=settings.backbone,
        classes=CLASSES,
        input={"size": settings.size, "range": list(backbone.input_range), "chain": "plane"},
        preprocessing=PREPROCESSING.to_dict(),
        feature_layer=backbone.feature_layer if regression else "",
        pooled_layer=POOLED_LAYER if regression else "",
        architecture={"dropout": settings.dropout},
        parameters=model.count_params(),
        temperature=1.0,
        novelty_threshold=novelty,
        training={
            **asdict(settings),
            "augmentation_settings": AUGMENTATIONS[settings.augmentation].to_dict(),
            "images": {"train": len(train), "validation": len(validation)},
            "examinations": {
                "train": len(set(train.patients)), "validation": len(set(validation.patients)),
            },
            "simulated": False,
            "start": began,
            "frozen_to": backbone.last_started_layer if isinstance(weights, Path) else None,
        },
        split="by examination: those whose number is a multiple of 5 are test data and were never read; "
        + ("the rest in folds" if settings.fold is not None else "of the rest a share is validation data"),
        weights={
            "file": WEIGHTS_NAME,
            "sha256": sha256_of(out / WEIGHTS_NAME),
            "bytes": (out / WEIGHTS_NAME).stat().st_size,
            "dtype": "float16, rebuilt in float32",
        },
        licences=[
            "Apache-2.0, as PlaneLab",
            *start_licence(weights),
            "Training data: HC18, van den Heuvel et al., Zenodo 1327317, CC BY 4.0",
        ],
        limitations=[
            "No medical device. Research and teaching only.",
            "Learned from frames of one hospital and two scanners' makes; other screens may be measured worse.",
            "Millimetres are as right as the size of a pixel that it is given.",
        ],
        command=command,
        default=default,
        measurement={"output": settings.output},
        metrics=[metric] if found.any() else [],
    )  # fmt: skip
    return card, predicted
