"""The two stages: the head on frozen features, then the chosen blocks of the backbone."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from core.errors import ModelError, ParameterError
from core.files import whole
from core.tables import read_table
from core.zoo.architectures import POOLED_LAYER
from core.zoo.training.frozen import BATCH, FeatureCache, fingerprint, weights_fingerprint
from core.zoo.training.images import ImageSet, epoch_order, scaled, varied
from core.zoo.training.resuming import keep_state, keep_values, restore_state, restore_values
from core.zoo.training.settings import HEAD, WHOLE, TrainingSettings

if TYPE_CHECKING:
    import keras

AUGMENTING_THREADS = 2
HISTORY_NAME = "history.csv"
CHECKPOINT_NAME = "checkpoint"
BEST_NAME = "best.npz"
HEAD_LEARNING_RATE = 1e-3
HEAD_STAGE, FINE_TUNING = "head", "fine-tuning"


@dataclass(frozen=True)
class Work:
    """What both stages share.

    Attributes
    ----------
    sets : dict
        The sides ``train`` and ``validation``.
    input_range : (float, float)
        Of the network.
    out : Path
        Where history and checkpoints go.
    report, progress : callable
        A line of text; the share done of the step at hand in [0, 1].
    """

    settings: TrainingSettings
    sets: dict[str, ImageSet]
    input_range: tuple[float, float]
    out: Path
    cache: FeatureCache
    report: Callable[[str], None]
    progress: Callable[[float], None]


def train_head(model: keras.Model, work: Work) -> None:
    """Fit the layers after the pooling on pooled features of the untouched backbone: a good start in seconds."""
    import keras

    settings = work.settings
    features, rest = _split(model, POOLED_LAYER, work, variations=1, augmented=False)
    rest.compile(keras.optimizers.Adam(HEAD_LEARNING_RATE), _loss(), metrics=["accuracy"])
    history = rest.fit(
        np.asarray(features["train"], dtype=np.float32),
        work.sets["train"].targets,
        validation_data=(np.asarray(features["validation"], dtype=np.float32), work.sets["validation"].targets),
        epochs=settings.head_epochs,
        batch_size=settings.batch_size,
        verbose=0,
    ).history
    rows = pd.DataFrame({"stage": HEAD_STAGE, "epoch": np.arange(settings.head_epochs), **history})
    with whole(work.out / HISTORY_NAME) as path:
        rows.to_csv(path, index=False)
    work.report(
        f"head on frozen features: validation accuracy {history['val_accuracy'][-1]:.3f} "
        f"after {settings.head_epochs} epochs"
    )


def fine_tune(model: keras.Model, work: Work, frozen_to: str | None) -> None:
    """Train the layers after ``frozen_to`` (all of them if None), from the last finished epoch on.

    The weights of the epoch with the lowest validation loss are kept.
    """
    import keras

    settings = work.settings
    if frozen_to is None:
        trained, train_batch, validation = model, _augmented(work), _whole_validation(work)
    else:
        features, trained = _split(model, frozen_to, work, variations=settings.variations, augmented=True)
        train_batch = _remembered(features["train"], len(work.sets["train"]), settings.variations)
        validation = np.asarray(features["validation"], dtype=np.float32)

    class Batches(keras.utils.PyDataset):
        """Batches of training images; epoch and seed fix the order and every variation."""

        def __init__(self) -> None:
            super().__init__(workers=AUGMENTING_THREADS, use_multiprocessing=False, max_queue_size=8)
            self.start_epoch(0)

        def start_epoch(self, epoch: int) -> None:
            self.epoch = epoch
            self.order = epoch_order(len(work.sets["train"]), settings, epoch)

        def __len__(self) -> int:
            return -(-len(self.order) // settings.batch_size)

        def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
            chosen = self.order[index * settings.batch_size : (index + 1) * settings.batch_size]
            return train_batch(chosen, self.epoch), work.sets["train"].targets[chosen]

        def on_epoch_end(self) -> None:
            self.start_epoch(self.epoch + 1)

    class Follow(keras.callbacks.Callback):
        """Epochs into ``history.csv``, the best weights into a file, and an end when nothing gets better.

        All of it is read back from the files, so that a training that was killed goes on as if it had not been.
        """

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            # After a resume Keras starts at a later epoch and the batches must follow.
            if epoch != batches.epoch:
                batches.start_epoch(epoch)
            self.started = time.monotonic()

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            work.progress((batch + 1) / len(batches))

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            seconds = round(time.monotonic() - self.started, 1)
            row = {"stage": FINE_TUNING, "epoch": epoch, **_logged(logs), "seconds": seconds}
            rows = read_history(work.out)
            # A kill between history and state repeats an epoch.
            repeated = (rows["stage"] == row["stage"]) & (rows["epoch"] >= epoch)
            rows = pd.concat([rows[~repeated], pd.DataFrame([row])], ignore_index=True)
            losses = _losses(rows)
            if losses.argmin() == len(losses) - 1:
                keep_values(trained.weights, work.out / CHECKPOINT_NAME / BEST_NAME)
            with whole(work.out / HISTORY_NAME) as path:
                rows.to_csv(path, index=False)
            keep_state(trained, work.out / CHECKPOINT_NAME)
            work.report(
                f"epoch {epoch + 1}/{settings.epochs}: loss {row['loss']:.4f}, accuracy {row['accuracy']:.3f}, "
                f"validation loss {row['val_loss']:.4f}, accuracy {row['val_accuracy']:.3f} ({seconds:.0f} s)"
            )
            self.model.stop_training = _is_over(losses, settings)

    batches = Batches()
    (work.out / CHECKPOINT_NAME).mkdir(exist_ok=True)
    trained.compile(_optimiser(settings, len(batches)), _loss(), metrics=["accuracy"])
    if not _is_over(_losses(read_history(work.out)), settings):
        _fit(trained, batches, (validation, work.sets["validation"].targets), Follow(), work)
    restore_values(trained.weights, work.out / CHECKPOINT_NAME / BEST_NAME)


def _fit(
    trained: keras.Model, batches: Any, validation: tuple[np.ndarray, np.ndarray], follow: Any, work: Work
) -> None:
    import keras

    callbacks = [follow]
    if work.settings.schedule == "plateau":
        # First, so that the state which is kept of an epoch has the rate of the next.
        callbacks.insert(0, keras.callbacks.ReduceLROnPlateau("val_loss", factor=1 / 3, patience=2))
    trained.fit(
        batches,
        validation_data=validation,
        validation_batch_size=BATCH,
        initial_epoch=restore_state(trained, work.out / CHECKPOINT_NAME, len(batches)),
        epochs=work.settings.epochs,
        # The order is the batches' own: Keras's, drawn from the process's numbers, would be another after a resume.
        shuffle=False,
        verbose=0,
        callbacks=callbacks,
    )


def read_history(folder: Path) -> pd.DataFrame:
    """``history.csv``: one row an epoch with stage, epoch, loss, accuracy, val_loss, val_accuracy and seconds.

    Raises
    ------
    ModelError
        If the file cannot be read.
    """
    path = folder / HISTORY_NAME
    if path.exists():
        try:
            return read_table(path)
        except (OSError, ValueError) as error:
            raise ModelError(f"{path} cannot be read; restore it, or train into another folder.") from error
    return pd.DataFrame({"stage": pd.Series(dtype=str), "epoch": pd.Series(dtype=int)})


def frozen_layer(settings: TrainingSettings, last_started: str | None, weights: str | Path | None) -> str | None:
    """The last layer that fine-tuning leaves alone, or None where all are trained."""
    if settings.fine_tune is None:
        return last_started if isinstance(weights, Path) else None
    return {WHOLE: None, HEAD: POOLED_LAYER}.get(settings.fine_tune, settings.fine_tune)


def _split(
    model: keras.Model, layer: str, work: Work, *, variations: int, augmented: bool
) -> tuple[dict[str, np.ndarray], keras.Model]:
    """Frozen features of both sides at ``layer``, and the model of what comes after it (it shares the layers)."""
    import keras

    if layer not in {one.name for one in model.layers}:
        raise ParameterError(f"The network has no layer {layer!r}; give all, head or one of its layers to fine-tune.")
    output = model.get_layer(layer).output
    trunk = keras.Model(model.input, output)
    settings = work.settings
    weights = weights_fingerprint(trunk)
    features = {}
    for side, images in ((side, images.images) for side, images in work.sets.items()):
        copies = variations if side == "train" else 1
        identity = {
            "images": fingerprint(images),
            "trunk": [settings.backbone, settings.architecture, layer, weights],
            "range": list(work.input_range),
            "variations": [copies, settings.augmentation, settings.seed] if augmented and side == "train" else [],
        }
        vary = settings if augmented and side == "train" else None
        work.report(f"features of {len(images)} {side} images, {copies} of each")
        features[side] = work.cache.get(
            trunk,
            lambda images=images, copies=copies, vary=vary: _inputs(images, copies, vary, work.input_range),
            copies * len(images),
            identity,
            work.progress,
        )
    return features, keras.Model(output, model.output)


def _inputs(images: np.ndarray, copies: int, vary: TrainingSettings | None, input_range: tuple[float, float]) -> Any:
    for copy in range(copies):
        for start in range(0, len(images), BATCH):
            chosen = np.arange(start, min(start + BATCH, len(images)))
            yield scaled(varied(images, chosen, vary, copy) if vary else images[chosen], input_range)


def _augmented(work: Work) -> Callable[[np.ndarray, int], np.ndarray]:
    images = work.sets["train"].images
    return lambda chosen, epoch: scaled(varied(images, chosen, work.settings, epoch), work.input_range)


def _remembered(features: np.ndarray, count: int, variations: int) -> Callable[[np.ndarray, int], np.ndarray]:
    return lambda chosen, epoch: features[chosen + (epoch % variations) * count].astype(np.float32)


def _whole_validation(work: Work) -> np.ndarray:
    return scaled(work.sets["validation"].images, work.input_range)


def _optimiser(settings: TrainingSettings, steps: int) -> Any:
    import keras

    rate = settings.learning_rate
    if settings.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, settings.epochs * steps)
    if settings.optimiser == "sgd":
        return keras.optimizers.SGD(rate, momentum=settings.momentum)
    return keras.optimizers.Adam(rate)


def _loss() -> Any:
    import keras

    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def _losses(history: pd.DataFrame) -> np.ndarray:
    """Validation losses of the epochs of fine-tuning."""
    chosen = history["stage"] == FINE_TUNING
    return history.loc[chosen, "val_loss"].to_numpy() if chosen.any() else np.zeros(0)


def _is_over(losses: np.ndarray, settings: TrainingSettings) -> bool:
    """Whether all epochs are done, or the last ones brought nothing."""
    stale = len(losses) - 1 - losses.argmin() if len(losses) else 0
    return len(losses) >= settings.epochs or stale >= settings.patience


def _logged(logs: dict[str, float]) -> dict[str, float]:
    return {name: float(value) for name, value in logs.items()}
