"""What commands share: options, models by name, tables of images, progress and output."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import ParameterError
from core.files import check_writable

if TYPE_CHECKING:
    from distributed import Client

    from core.zoo.cards import Card
    from core.zoo.prediction import Classifier

EXIT_OK = 0
EXIT_UNUSABLE = 2


WRITTEN_OPTIONS = ("out", "cache", "copy_kept", "move_kept")
"""Of all commands the options that name a file or folder to be written."""


class Parser(argparse.ArgumentParser):
    """One line on standard error instead of argparse's usage block."""

    def error(self, message: str) -> Any:
        self.exit(EXIT_UNUSABLE, f"{self.prog}: {message} (see {self.prog} --help)\n")


class Progress:
    """A line on standard error that says how far a long task is; nothing where nobody watches a terminal."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.started = time.monotonic()

    def __call__(self, share: float) -> None:
        if not sys.stderr.isatty():
            return
        elapsed = time.monotonic() - self.started
        left = f", {elapsed / share - elapsed:.0f} s left" if share > 0 else ""
        end = "\n" if share >= 1 else ""
        print(f"\r{self.title}: {100 * share:3.0f} %{left}    ", end=end, file=sys.stderr, flush=True)


def check_places(options: argparse.Namespace) -> None:
    """Refuse what a command is to write to and cannot, before its work: ``--out`` and its like, and recorded models.

    Raises
    ------
    StorageError
    """
    places = [getattr(options, name, None) for name in WRITTEN_OPTIONS]
    if getattr(options, "record", None) or getattr(options, "writes_model", False):
        models = options.model if isinstance(options.model, list) else [options.model]
        places += [model_folder(name) / model_name(name) for name in models]
    for place in filter(None, places):
        check_writable(place)


def card_of(name: str | None) -> Any:
    from core.zoo import read_card

    return read_card(model_name(name), model_folder(name))


def listed_cards() -> tuple[list[Card], int]:
    """Cards of all models, with a line for each that cannot be read and the status that a command then ends with."""
    from core.zoo import list_cards

    damaged: list[str] = []
    cards = list_cards(report=damaged.append)
    for sentence in damaged:
        complain(sentence)
    return cards, EXIT_UNUSABLE if damaged else EXIT_OK


def load_named(name: str | None) -> Classifier:
    from core.zoo import load_model

    return load_model(model_name(name), model_folder(name))


def model_name(name: str | None) -> str:
    from core.zoo import default_name

    return Path(name).name if name else default_name()


def model_folder(name: str | None) -> Path:
    """The folder of the models, or that of a model given by its path."""
    from core.zoo.registry import MODELS_FOLDER

    return Path(name).parent if name and len(Path(name).parts) > 1 else MODELS_FOLDER


def labelled_table(options: argparse.Namespace, classes: Sequence[str] | None) -> Any:
    """The table of ``--data``, labelled and cut as the options say; of ``classes``, or of any where that is None."""
    from core.datasets import load

    head_label = "BPD" if classes is None or "BPD" in classes else "brain"
    table = load(options.data, head_label=head_label, exclude=options.exclude, classes=classes)
    if options.label:
        table = table.labelled(dict(map(file_label, options.label)))
        table = table if classes is None else table.of_classes(classes)
    return side_of(table, options.split)


def side_of(table: Any, split: str | None) -> Any:
    """The rows of one side of the data's own split; all where none is asked for."""
    if not split:
        return table
    table = table.where(split=split)
    if not len(table):
        raise ParameterError(f"The data have no side {split!r}; leave --split out or choose train or test.")
    return table


def add_command(
    commands: Any, name: str, run: Callable[[argparse.Namespace], int], description: str
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=description, description=description)
    command.set_defaults(run=run)
    return command


def model_option(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--model", metavar="NAME", help="a name listed by models, or a model folder; the plane task's default otherwise"
    )


def frame_option(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--frame", type=positive, default=1, metavar="N", help="of a DICOM loop, counted from 1 as on the pages (1)"
    )


def data_option(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--data",
        type=Path,
        required=True,
        metavar="DIR",
        help="a folder per class, FETAL_PLANES_DB or HC18 as published, phantoms with their manifest, plain images, "
        "also DICOM; or phantoms simulated as they are read: phantom:PLANES:N[:SETTINGS[:SEED]], as "
        "phantom:BPD,CRL,NT:300:unseen",
    )


def labelled_data_options(command: argparse.ArgumentParser) -> None:
    data_option(command)
    command.add_argument("--exclude", action="append", default=[], metavar="PATTERN", help="leave such file names out")
    command.add_argument(
        "--label",
        action="append",
        default=[],
        metavar="PATTERN=CLASS",
        help="label files by name, such as brain_*=brain",
    )
    command.add_argument("--split", metavar="SIDE", help="only this side of the data's own split: train or test")


def json_option(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="one JSON object per line on standard output")


def workers_options(command: argparse.ArgumentParser) -> None:
    where = command.add_mutually_exclusive_group()
    where.add_argument("--workers", type=positive, metavar="N", help="share the work among N processes of this machine")
    where.add_argument(
        "--scheduler", metavar="ADDRESS", help="or among the workers of a Dask scheduler, tcp://host:8786"
    )


def workers_of(options: argparse.Namespace) -> AbstractContextManager[Client] | None:
    """The processes that ``--workers`` or ``--scheduler`` asks for, as a context; None where neither is given."""
    from core.cluster import local_cluster, scheduler_at

    if options.workers:
        return local_cluster(options.workers)
    return scheduler_at(options.scheduler) if options.scheduler else None


def positive(text: str) -> int:
    value = natural(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return value


def natural(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is negative")
    return value


def starting_weights(text: str) -> str | Path | None:
    """What ``--weights`` asks for."""
    if text in ("imagenet", "none"):
        return "imagenet" if text == "imagenet" else None
    if not Path(text).is_file():
        raise ParameterError(f"There is no weight file {text!r}; check the path given with --weights.")
    return Path(text)


def file_label(text: str) -> tuple[str, str]:
    pattern, _, label = text.partition("=")
    if not (pattern and label):
        raise ParameterError(f"{text!r} is not PATTERN=CLASS, such as brain_*=brain.")
    return pattern, label


def print_json(row: dict[str, Any]) -> None:
    print(json.dumps(row, allow_nan=False), flush=True)


def complain(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
