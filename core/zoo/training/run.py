"""One training from a table of images to a model folder.

The weights are rounded to half precision before anything is calibrated or measured, so that the card describes the file
that ships.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.augmentation import PRESETS as AUGMENTATIONS
from core.datasets import Table
from core.evaluation import accuracy, confusion_matrix
from core.preprocessing import PreprocessingSettings
from core.zoo.architectures import POOLED_LAYER, Backbone, build_classifier, get_backbone
from core.zoo.cards import Card, Metric
from core.zoo.novelty import Typicality, threshold
from core.zoo.prediction import fit_temperature, softmax, to_unit
from core.zoo.runtime import CompiledNetwork, computes_bfloat16, tensorflow
from core.zoo.training.card_texts import data_licences, limitations, limitations_of_classes, start_licence
from core.zoo.training.frozen import FEATURES_NAME, FeatureCache
from core.zoo.training.images import CHAINS, ImageSet, classes_of, prepared, scaled, with_validation
from core.zoo.training.resuming import RECORD_NAME, STATE_NAME, check_resumable
from core.zoo.training.settings import TrainingSettings
from core.zoo.training.severity import train_detector
from core.zoo.training.stages import CHECKPOINT_NAME, Work, fine_tune, frozen_layer, train_head
from core.zoo.training.start import IMAGES, scale_to_unit
from core.zoo.weights import WEIGHTS_NAME, round_to_half, save_weights, sha256_of

if TYPE_CHECKING:
    import keras

Report = Callable[[str], None]
TYPICALITY_IMAGES = 2000


def train(
    table: Table,
    settings: TrainingSettings,
    out: Path,
    *,
    weights: str | Path | None = "imagenet",
    preprocessing: PreprocessingSettings | None = None,
    cache: Path | None = None,
    command: str = "",
    default: bool = False,
    report: Report = print,
    progress: Callable[[float], None] = lambda share: None,
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
    cache : Path, optional
        Where frozen features are kept for further trainings; by default in ``out`` until the training ends.
    default : bool
        Whether the card says that this is its task's default model.
    report, progress : callable
        Told a line of text; told the share done of the step at hand.

    Raises
    ------
    DatasetError
        If the table cannot be trained on.
    ModelError
        If the starting weights are not to be had.
    """
    if settings.severities:
        return train_detector(
            table, settings, out, weights=weights, preprocessing=preprocessing, cache=cache, command=command,
            default=default, report=report, progress=progress,
        )  # fmt: skip
    table = with_validation(table, settings)
    classes = classes_of(table, settings)
    out.mkdir(parents=True, exist_ok=True)
    check_resumable(out, {**asdict(settings), "classes": classes, "weights": str(weights)})
    preprocessing = preprocessing or PreprocessingSettings()
    backbone = get_backbone(settings.backbone)
    size = settings.size or backbone.default_size
    report(f"reading {len(table)} images")
    sets = {
        side: prepared(table.where(split=side), classes, preprocessing, settings, size)
        for side in ("train", "validation")
    }
    tensorflow()
    import keras

    keras.utils.set_random_seed(settings.seed)
    frozen_to = frozen_layer(settings, backbone.last_started_layer, weights)
    work = Work(settings, sets, backbone.input_range, out, FeatureCache(cache or out / FEATURES_NAME), report, progress)
    with _precision(settings.precision) as precision:
        model = _build(settings, len(classes), size, weights)
        # A head on blocks that start from random values would learn noise, unless nothing else is to be trained.
        started = weights == "imagenet" or (weights is not None and backbone.last_started_layer is None)
        resumed = (out / CHECKPOINT_NAME / STATE_NAME).exists()
        if isinstance(weights, Path) and backbone.last_started_layer:
            images = sets["train"].images
            chosen = np.random.default_rng(settings.seed).permutation(len(images))[:IMAGES]
            if scale_to_unit(model, backbone.last_started_layer, scaled(images[chosen], backbone.input_range)):
                report(f"features scaled to unit size from {backbone.last_started_layer} on")
        if settings.head_epochs and not resumed and (started or not settings.epochs or frozen_to == POOLED_LAYER):
            train_head(model, work)
        if settings.epochs and frozen_to != POOLED_LAYER:
            fine_tune(model, work, frozen_to)
    if precision != "float32":
        single = _build(settings, len(classes), size, None)
        single.set_weights(model.get_weights())
        model = single

    card = _finish(model, sets, table, settings, preprocessing, classes, out, weights, command, report)
    card = replace(card, default=default, training={**card.training, "computed_in": precision})
    card.write(out)
    for leftover in (CHECKPOINT_NAME, FEATURES_NAME):
        shutil.rmtree(out / leftover, ignore_errors=True)
    (out / RECORD_NAME).unlink(missing_ok=True)
    return card


def _build(settings: TrainingSettings, n_classes: int, size: int, weights: str | Path | None) -> keras.Model:
    return build_classifier(
        settings.backbone, n_classes, size=size, weights=weights, dropout=settings.dropout, **settings.architecture
    )


@contextmanager
def _precision(wanted: str) -> Iterator[str]:
    """Set Keras's policy for what is built inside, and say which one it is."""
    import keras

    chosen = wanted if wanted != "auto" else ("mixed_bfloat16" if computes_bfloat16() else "float32")
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(chosen)
    try:
        yield chosen
    finally:
        keras.config.set_dtype_policy(before)


def _finish(
    model: keras.Model,
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
    exact = _network(model, backbone).forward(to_unit(validation.images))[0]
    round_to_half(model)
    # Built again: a compiled function may have folded the unrounded weights into its graph.
    network = _network(model, backbone)
    logits, pooled = network.forward(to_unit(validation.images))
    temperature = fit_temperature(logits, validation.targets)
    rounding = _rounding(exact, logits, temperature)
    report(
        f"half precision moves probabilities by at most {rounding['largest_change']:.1e} and flips "
        f"{rounding['flips']} of {rounding['n']} answers"
    )
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
    said_of_task = []
    if settings.task == "corruption":
        said_of_task = limitations_of_classes(model, backbone.feature_layer, settings.architecture.get("dense", 0))
    # Detectors never learn from augmented images: the variations they learn from are corruptions.
    plain = ", without augmentation" if settings.augmentation == "none" and settings.task != "corruption" else ""
    card = Card(
        name=out.name,
        title=f"{settings.backbone} ({', '.join(classes)}){plain}",
        task=settings.task,
        backbone=settings.backbone,
        classes=classes,
        input={"size": network.size, "range": list(backbone.input_range), "chain": CHAINS[settings.task]},
        preprocessing=preprocessing.to_dict(),
        feature_layer=backbone.feature_layer,
        pooled_layer=POOLED_LAYER,
        architecture={"dropout": settings.dropout, **settings.architecture},
        parameters=model.count_params(),
        temperature=temperature,
        novelty_threshold=threshold(typicality.score(pooled)),
        training={
            **asdict(settings),
            "augmentation_settings": AUGMENTATIONS[settings.augmentation].to_dict(),
            "images": counts,
            "simulated": table.simulated,
            "start": backbone.start(weights),
            "half_precision": rounding,
        },
        split="by patient (a phantom is its own patient), before anything was generated from the images",
        weights={
            "file": WEIGHTS_NAME,
            "sha256": sha256_of(out / WEIGHTS_NAME),
            "bytes": (out / WEIGHTS_NAME).stat().st_size,
            "dtype": "float16, rebuilt in float32",
        },
        licences=["Apache-2.0, as PlaneLab", *start_licence(weights), *data_licences(table)],
        limitations=limitations(table) + said_of_task,
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


def _network(model: keras.Model, backbone: Backbone) -> CompiledNetwork:
    return CompiledNetwork(
        model, input_range=backbone.input_range, feature_layer=backbone.feature_layer, pooled_layer=POOLED_LAYER
    )


def _rounding(exact: np.ndarray, rounded: np.ndarray, temperature: float) -> dict[str, float | int]:
    """What rounding the weights changes on validation images."""
    change = np.abs(softmax(exact / temperature) - softmax(rounded / temperature)).max()
    flips = int((exact.argmax(axis=1) != rounded.argmax(axis=1)).sum())
    return {"largest_change": float(change), "flips": flips, "n": len(exact)}
