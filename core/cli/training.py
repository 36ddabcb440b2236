"""``train`` and ``search``."""

from __future__ import annotations

import argparse
import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.cli.shared import (
    EXIT_OK,
    Progress,
    add_command,
    complain,
    data_option,
    model_folder,
    model_name,
    natural,
    positive,
    starting_weights,
)
from core.errors import ParameterError
from core.files import whole

HEADS = "head_circumference"
HEAD_OPTIONS = ("output", "loss", "fold", "folds", "start")
OF_CLASSES = (
    "head_epochs", "fine_tune", "variations", "copies", "optimiser", "schedule", "momentum", "patience", "precision",
    "cache", "per_class", "option",
)  # fmt: skip
"""Options of trainings that learn classes."""


def register(commands: Any) -> None:
    command = add_command(commands, "train", _train, "train a model and write its folder with a card")
    _training_options(command)
    command.add_argument("--out", type=Path, required=True, metavar="DIR")
    command.add_argument("--epochs", type=natural, help="of fine-tuning; early stopping may end before")
    command.add_argument("--head-epochs", type=natural, help="of the head on frozen features, before that")
    command.add_argument("--fine-tune", metavar="LAYER", help="all, head, or the layer after which layers are trained")
    command.add_argument("--variations", type=positive, help="augmented copies kept of each image's frozen features")
    command.add_argument("--copies", type=positive, help="corrupted anew so often, for the task corruption")
    command.add_argument("--batch-size", type=positive)
    command.add_argument("--augmentation", metavar="PRESET", help="thesis, default, scanner, report, wide or none")
    command.add_argument("--optimiser", metavar="NAME", help="adam or sgd")
    command.add_argument("--schedule", metavar="NAME", help="of the learning rate: cosine, constant or plateau")
    command.add_argument("--learning-rate", type=float)
    command.add_argument("--momentum", type=float)
    command.add_argument("--dropout", type=float)
    command.add_argument("--patience", type=positive, help="epochs without a better validation loss before the end")
    command.add_argument("--precision", metavar="NAME", help="auto, float32 or mixed_bfloat16")
    command.add_argument("--cache", type=Path, metavar="DIR", help="keep frozen features here for further trainings")
    command.add_argument("--default", action="store_true", help="mark the model as its task's default")
    heads = command.add_argument_group(f"task {HEADS}")
    heads.add_argument("--output", metavar="NAME", help="circumference (a regression) or ellipse (a segmentation)")
    heads.add_argument("--loss", metavar="NAME", help="of a regression: mae, mse or huber")
    heads.add_argument("--fold", type=natural, metavar="K", help="the validation side of a cross-validation, from 0")
    heads.add_argument("--folds", type=positive, metavar="N", help="how many there are (5)")
    heads.add_argument("--start", metavar="MODEL", help="begin with the layers of a trained model of heads")

    command = add_command(
        commands, "search", _search, "try hyperparameters of the head on frozen features, cross-validated"
    )
    _training_options(command)
    command.add_argument("--out", type=Path, required=True, metavar="SEARCH.csv")
    command.add_argument("--folds", type=positive, default=5)
    command.add_argument("--cache", type=Path, required=True, metavar="DIR", help="where frozen features are kept")
    command.add_argument(
        "--try",
        dest="grid",
        action="append",
        default=[],
        metavar="NAME=VALUE,VALUE",
        help="values of learning_rate, momentum, dropout, batch_size or epochs; the thesis's grid otherwise",
    )


def _train(options: argparse.Namespace) -> int:
    if options.task == HEADS:
        return _train_heads(options)
    given = [name for name in HEAD_OPTIONS if getattr(options, name) is not None]
    if given:
        raise ParameterError(f"--{given[0]} belongs to the task {HEADS}; leave it out.")
    from core.zoo.training import train

    changes = (
        "epochs", "head_epochs", "fine_tune", "variations", "batch_size", "augmentation", "optimiser", "schedule",
        "learning_rate", "momentum", "dropout", "patience", "precision", "copies",
    )  # fmt: skip
    settings = _training_settings(options, **{name: getattr(options, name) for name in changes})
    command = "python -m core " + shlex.join(options.arguments)
    card = train(
        _training_table(options),
        settings,
        options.out,
        weights=starting_weights(options.weights),
        cache=options.cache,
        command=command,
        default=options.default,
        progress=Progress("training"),
    )
    print(f"wrote {options.out} ({card.weights['bytes'] / 1e6:.1f} MB of weights)")
    return EXIT_OK


def _train_heads(options: argparse.Namespace) -> int:
    """A regression or a segmentation of heads."""
    from core.biometry.settings import HeadSettings
    from core.biometry.training import train_heads

    for name in OF_CLASSES:
        if getattr(options, name) not in (None, []):
            raise ParameterError(f"--{name.replace('_', '-')} does not belong to the task {HEADS}; leave it out.")
    names = (
        *HEAD_OPTIONS, "backbone", "epochs", "batch_size", "augmentation", "learning_rate", "dropout", "size", "seed",
    )  # fmt: skip
    chosen = {name: getattr(options, name) for name in names if name != "start"}
    settings = HeadSettings(**{name: value for name, value in chosen.items() if value is not None})
    card = train_heads(
        _training_table(options),
        settings,
        options.out,
        weights=starting_weights(options.weights),
        start=model_folder(options.start) / model_name(options.start) if options.start else None,
        command="python -m core " + shlex.join(options.arguments),
        default=options.default,
        progress=Progress("training"),
    )
    print(f"wrote {options.out} ({card.weights['bytes'] / 1e6:.1f} MB of weights)")
    return EXIT_OK


def _search(options: argparse.Namespace) -> int:
    from core.zoo.training import search

    rows = search(
        _training_table(options),
        _training_settings(options),
        weights=starting_weights(options.weights),
        grid=dict(map(_grid_values, options.grid)) or None,
        folds=options.folds,
        cache=options.cache,
        progress=Progress("searching"),
    )
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with whole(options.out) as path:
        rows.to_csv(path, index=False)
    print(rows.head(10).to_string(index=False))
    return EXIT_OK


def _training_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--task", default="plane", help="plane, anatomy, corruption or head_circumference")
    command.add_argument("--backbone", default="mobilenet_v2")
    command.add_argument("--preset", default="default", help="default (ours), thesis or report")
    data_option(command)
    command.add_argument(
        "--weights", default="imagenet", help="imagenet (downloads), none, or a local .weights.h5 file"
    )
    command.add_argument("--per-class", type=positive, metavar="N", help="most training images of each class")
    command.add_argument("--size", type=positive, help="side of the input; the backbone's own by default")
    command.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="of the network: dense=64; of cnn also filters=[16,32], kernel=2, normalisation=true, convolutions=2",
    )
    command.add_argument("--seed", type=natural)


def _training_settings(options: argparse.Namespace, **changes: Any) -> Any:
    from core.zoo.training import preset

    architecture = dict(map(_network_option, options.option))
    settings = preset(
        options.preset,
        options.task,
        options.backbone,
        per_class=options.per_class,
        size=options.size,
        seed=options.seed,
        **changes,
    )
    return replace(settings, architecture=settings.architecture | architecture)


def _training_table(options: argparse.Namespace) -> Any:
    from core.datasets import CLASSES, load

    head_label = "BPD" if options.task == "plane" else "brain"
    table = load(options.data, head_label=head_label, classes=CLASSES.get(options.task))
    for problem in table.problems:
        complain(problem)
    return table


def _network_option(text: str) -> tuple[str, Any]:
    name, _, value = text.partition("=")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        raise ParameterError(f"The option {text!r} is not NAME=VALUE, such as dense=64 or filters=[16,32].") from None


def _grid_values(text: str) -> tuple[str, tuple[float, ...]]:
    name, _, values = text.partition("=")
    try:
        return name, tuple(float(value) for value in values.split(","))
    except ValueError:
        raise ParameterError(f"{text!r} is not NAME=VALUE,VALUE, such as dropout=0,0.3,0.5.") from None
