"""Train a classifier from a table of images and write it as a model folder with its card.

Two stages: the head alone on frozen features, then the whole network with augmentation. The weights are rounded to half
precision before anything is calibrated or measured, so that the card describes the file that ships.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.augmentation import PRESETS
from core.datasets import Table, split_by_patient
from core.errors import DatasetError, ParameterError
from core.evaluation import accuracy, confusion_matrix
from core.images import read_image
from core.parallel import in_threads
from core.preprocessing import PreprocessingSettings, prepare
from core.zoo.architectures import LOGITS_LAYER, POOLED_LAYER, build_classifier, get_backbone
from core.zoo.cards import TASKS, Card, Metric
from core.zoo.novelty import Typicality, threshold
from core.zoo.prediction import fit_temperature, to_unit
from core.zoo.runtime import CompiledNetwork, tensorflow
from core.zoo.weights import WEIGHTS_NAME, round_to_half, save_weights, sha256_of

if TYPE_CHECKING:
    import keras

Report = Callable[[str], None]
TYPICALITY_IMAGES = 2000
AUGMENTING_THREADS = 2
CHAINS = {"plane": "plane", "anatomy": "plane", "corruption": "detector", "head_circumference": "plane"}


@dataclass(frozen=True)
class TrainingSettings:
    """How to train. Defaults are ours; the interpretability thesis trained with SGD at 0.001 (000 §3.3).

    Parameters
    ----------
    task : str
        One of the tasks of a card.
    backbone : str
        A name of :data:`core.zoo.architectures.BACKBONES`.
    epochs : int
        Of the whole network; early stopping may end before.
    head_epochs : int
        Of the head on frozen features, before that.
    augmentation : str
        A preset of :mod:`core.augmentation`.
    size : int, optional
        Side of the input; the backbone's own by default.
    """

    task: str = "plane"
    backbone: str = "mobilenet_v2"
    epochs: int = 10
    head_epochs: int = 20
    batch_size: int = 32
    learning_rate: float = 3e-4
    patience: int = 4
    dropout: float = 0.3
    validation_share: float = 0.15
    augmentation: str = "default"
    size: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise ParameterError(f"There is no task {self.task!r}; choose one of {', '.join(TASKS)}.")
        if self.task in ("corruption", "head_circumference"):
            raise ParameterError(f"The task {self.task!r} cannot be trained yet; choose plane or anatomy.")
        if self.augmentation not in PRESETS:
            raise ParameterError(f"There is no augmentation {self.augmentation!r}; choose one of {', '.join(PRESETS)}.")
        get_backbone(self.backbone)
        if min(self.epochs, self.head_epochs) < 0 or self.epochs + self.head_epochs < 1:
            raise ParameterError("Train for at least one epoch.")


def train(
    table: Table,
    settings: TrainingSettings,
    out: Path,
    *,
    weights: str | Path | None = "imagenet",
    preprocessing: PreprocessingSettings | None = None,
    command: str = "",
    default: bool = False,
    report: Report = print,
) -> Card:
    """Train on ``table`` and write ``out`` with weights, card, history and validation predictions.

    Killed half-way and started again with the same settings, it goes on from the last finished epoch.

    Parameters
    ----------
    table : Table
        At least two labels. Rows whose split is ``test`` are never read; where no split is given, patients are split
        here.
    out : Path
        The model folder; its name becomes the model's.
    weights : ``"imagenet"``, Path or None
        Where the backbone starts.
    default : bool
        Whether the card says that this is its task's default model.

    Raises
    ------
    DatasetError
        If the table cannot be trained on.
    ModelError
        If the starting weights are not to be had.
    """
    table = _with_validation(table, settings)
    classes = table.labels
    out.mkdir(parents=True, exist_ok=True)
    _check_resumable(out, settings, classes, weights)
    preprocessing = preprocessing or PreprocessingSettings()
    backbone = get_backbone(settings.backbone)
    size = settings.size or backbone.default_size
    chain = CHAINS[settings.task]
    report(f"reading {len(table)} images")
    sets = {
        side: _prepared(table.where(split=side), classes, preprocessing, chain, size)
        for side in ("train", "validation")
    }
    tensorflow()
    import keras

    keras.utils.set_random_seed(settings.seed)
    model = build_classifier(settings.backbone, len(classes), size=size, weights=weights, dropout=settings.dropout)
    if not (out / "checkpoint").exists() and settings.head_epochs:
        _train_head(model, sets["train"], settings, backbone.input_range, report)
    if settings.epochs:
        _train_all(model, sets, settings, backbone.input_range, out, report)

    round_to_half(model)
    network = CompiledNetwork(
        model, input_range=backbone.input_range, feature_layer=backbone.feature_layer, pooled_layer=POOLED_LAYER
    )
    card = _finish(network, sets, table, settings, preprocessing, classes, out, weights, command, report)
    card = replace(card, default=default)
    card.write(out)
    shutil.rmtree(out / "checkpoint", ignore_errors=True)
    (out / "training.json").unlink(missing_ok=True)
    return card


@dataclass(frozen=True)
class ImageSet:
    """Prepared images (N, S, S) uint8, class indices (N,) and where they came from."""

    images: np.ndarray
    targets: np.ndarray
    table: Table


def _with_validation(table: Table, settings: TrainingSettings) -> Table:
    labelled = table.frame[table.frame["label"] != ""].reset_index(drop=True)
    table = Table(labelled, table.layout, table.simulated, table.problems)
    if len(table.labels) < 2:
        raise DatasetError("Training needs images of at least two classes; give a folder with a subfolder per class.")
    sides = set(table.frame["split"])
    if sides == {""}:
        return split_by_patient(table, validation=settings.validation_share, seed=settings.seed)
    if "validation" not in sides:
        test = table.frame[table.frame["split"] == "test"]
        rest = Table(table.frame[table.frame["split"] != "test"], table.layout, table.simulated)
        split = split_by_patient(rest, validation=settings.validation_share, seed=settings.seed)
        import pandas as pd

        rows = pd.concat([split.frame, test], ignore_index=True)
        return Table(rows, table.layout, table.simulated, table.problems)
    return table


def _check_resumable(out: Path, settings: TrainingSettings, classes: list[str], weights: str | Path | None) -> None:
    """Refuse to go on with a training of other settings; start a fresh record otherwise."""
    record = json.loads(json.dumps({**asdict(settings), "classes": classes, "weights": str(weights)}))
    path = out / "training.json"
    if path.exists():
        if json.loads(path.read_text(encoding="utf-8")) != record:
            raise DatasetError(
                f"The folder {str(out)!r} holds an unfinished training with other settings; "
                "use those again, choose another folder, or delete it."
            )
    elif (out / WEIGHTS_NAME).exists():
        raise DatasetError(f"The folder {str(out)!r} holds a trained model already; choose another folder.")
    path.write_text(json.dumps(record), encoding="utf-8")


def _prepared(table: Table, classes: list[str], settings: PreprocessingSettings, chain: str, size: int) -> ImageSet:
    def one(path: Path) -> np.ndarray:
        return prepare(read_image(path).pixels, settings, chain=chain, size=size)

    images = list(in_threads(one, table.paths))
    targets = np.array([classes.index(label) for label in table.frame["label"]])
    return ImageSet(np.stack(images), targets, table)


def _scaled(images: np.ndarray, input_range: tuple[float, float]) -> np.ndarray:
    """Images (N, S, S) uint8 -> the network's (N, S, S, 3) float32."""
    low, high = input_range
    values = to_unit(images) * np.float32(high - low) + np.float32(low)
    return np.repeat(values[..., None], 3, axis=-1)


def _train_head(
    model: keras.Model,
    train_set: ImageSet,
    settings: TrainingSettings,
    input_range: tuple[float, float],
    report: Report,
) -> None:
    """Fit the dense layer on pooled features of the untouched backbone: a good start for a few seconds' work."""
    import keras

    pooled = keras.Model(model.input, model.get_layer(POOLED_LAYER).output)
    function = tensorflow().function(lambda batch: pooled(batch, training=False), reduce_retracing=True)
    features = np.concatenate(
        [
            function(_scaled(train_set.images[start : start + settings.batch_size], input_range)).numpy()
            for start in range(0, len(train_set.images), settings.batch_size)
        ]
    )
    head_input = keras.Input(features.shape[1:])
    logits = model.get_layer(LOGITS_LAYER)(keras.layers.Dropout(settings.dropout)(head_input))
    head = keras.Model(head_input, logits)
    head.compile(
        keras.optimizers.Adam(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"]
    )
    history = head.fit(
        features, train_set.targets, epochs=settings.head_epochs, batch_size=settings.batch_size, verbose=0
    )
    report(f"head on frozen features: accuracy {history.history['accuracy'][-1]:.3f} on training images")


def _train_all(
    model: keras.Model,
    sets: dict[str, ImageSet],
    settings: TrainingSettings,
    input_range: tuple[float, float],
    out: Path,
    report: Report,
) -> None:
    import keras

    class Augmented(keras.utils.PyDataset):
        """Batches of freshly varied training images; epoch and seed fix the order and every variation."""

        def __init__(self) -> None:
            super().__init__(workers=AUGMENTING_THREADS, use_multiprocessing=False, max_queue_size=8)
            self.start_epoch(0)

        def start_epoch(self, epoch: int) -> None:
            self.epoch = epoch
            generator = np.random.default_rng([settings.seed, epoch])
            self.order = generator.permutation(len(sets["train"].images))

        def __len__(self) -> int:
            return -(-len(self.order) // settings.batch_size)

        def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
            chosen = self.order[index * settings.batch_size : (index + 1) * settings.batch_size]
            augmentation = PRESETS[settings.augmentation]
            images = np.stack(
                [
                    augmentation.draw(
                        sets["train"].images[i], np.random.default_rng([settings.seed, self.epoch, int(i)])
                    )
                    for i in chosen
                ]
            )
            return _scaled(images, input_range), sets["train"].targets[chosen]

        def on_epoch_end(self) -> None:
            self.start_epoch(self.epoch + 1)

    class Say(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            # After a resume Keras starts at a later epoch and the batches must follow.
            if epoch != batches.epoch:
                batches.start_epoch(epoch)

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            report(
                f"epoch {epoch + 1}/{settings.epochs}: loss {logs['loss']:.4f}, accuracy {logs['accuracy']:.3f}, "
                f"validation loss {logs['val_loss']:.4f}, accuracy {logs['val_accuracy']:.3f}"
            )

    batches = Augmented()
    steps = settings.epochs * len(batches)
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(settings.learning_rate, steps)),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    validation = sets["validation"]
    model.fit(
        batches,
        validation_data=(_scaled(validation.images, input_range), validation.targets),
        epochs=settings.epochs,
        verbose=0,
        callbacks=[
            keras.callbacks.BackupAndRestore(str(out / "checkpoint"), delete_checkpoint=False),
            keras.callbacks.CSVLogger(str(out / "history.csv"), append=True),
            keras.callbacks.EarlyStopping("val_loss", patience=settings.patience, restore_best_weights=True),
            Say(),
        ],
    )


def _finish(
    network: CompiledNetwork,
    sets: dict[str, ImageSet],
    table: Table,
    settings: TrainingSettings,
    preprocessing: PreprocessingSettings,
    classes: list[str],
    out: Path,
    weights: str | Path | None,
    command: str,
    report: Report,
) -> Card:
    """Calibrate, fit the typicality, write weights and card."""
    backbone = get_backbone(settings.backbone)
    validation = sets["validation"]
    logits, pooled = network.forward(to_unit(validation.images))
    temperature = fit_temperature(logits, validation.targets)
    chosen = np.random.default_rng(settings.seed).permutation(len(sets["train"].images))[:TYPICALITY_IMAGES]
    train_pooled = network.forward(to_unit(sets["train"].images[chosen]))[1]
    # Through half precision and back, as the file will hold it.
    arrays = {
        name: values.astype(np.float16).astype(np.float32)
        for name, values in Typicality.fit(train_pooled, sets["train"].targets[chosen]).to_arrays().items()
    }
    typicality = Typicality.from_arrays(arrays)
    save_weights(network.model, out / WEIGHTS_NAME, **arrays)
    matrix = confusion_matrix(validation.targets, logits.argmax(axis=1), len(classes))
    share = accuracy(matrix)
    report(f"validation accuracy {share}; temperature {temperature:.2f}")
    counts = {
        side: {name: int((sets[side].targets == index).sum()) for index, name in enumerate(classes)} for side in sets
    }
    card = Card(
        name=out.name,
        title=f"{settings.backbone} ({', '.join(classes)})",
        task=settings.task,
        backbone=settings.backbone,
        classes=classes,
        input={"size": network.size, "range": list(backbone.input_range), "chain": CHAINS[settings.task]},
        preprocessing=preprocessing.to_dict(),
        feature_layer=backbone.feature_layer,
        pooled_layer=POOLED_LAYER,
        temperature=temperature,
        novelty_threshold=threshold(typicality.score(pooled)),
        training={
            **asdict(settings),
            "augmentation_settings": PRESETS[settings.augmentation].to_dict(),
            "images": counts,
            "simulated": table.simulated,
            "start": _start(weights, backbone.start_coverage),
        },
        split="by patient (a phantom is its own patient), before anything was generated from the images",
        weights={
            "file": WEIGHTS_NAME,
            "sha256": sha256_of(out / WEIGHTS_NAME),
            "bytes": (out / WEIGHTS_NAME).stat().st_size,
            "dtype": "float16, rebuilt in float32",
        },
        licences=["Apache-2.0, as PlaneLab", *_start_licence(weights)],
        limitations=_limitations(table.simulated),
        command=command,
        metrics=[
            Metric(
                "accuracy",
                "validation images of the training data",
                table.simulated,
                share.value,
                share.low,
                share.high,
                share.n,
                command,
                "used for early stopping and calibration, so optimistic",
            )
        ],
    )
    return card


def _limitations(simulated: bool) -> list[str]:
    lines = ["No medical device. Research and teaching only."]
    if simulated:
        lines += [
            "Trained on simulated images alone: figures on phantoms say little about real frames; read those apart.",
            "It always answers with one of its classes; a plane it does not know is called one of those all the same, "
            "so heed the warning on images unlike the training data.",
        ]
    return lines


def _start(weights: str | Path | None, coverage: str) -> str:
    if weights is None:
        return "random values"
    if weights == "imagenet":
        return "ImageNet weights of Keras Applications: the whole backbone"
    return f"ImageNet weights from {Path(weights).name}: {coverage}"


def _start_licence(weights: str | Path | None) -> list[str]:
    if weights is None:
        return []
    return ["Starting weights: Keras Applications, Apache-2.0, trained on ImageNet (non-commercial research terms)"]
