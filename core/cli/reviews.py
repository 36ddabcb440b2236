"""``reviews``: what readers said of images, out of the database, into it, and summed up."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.cli.shared import EXIT_OK, Parser, add_command, json_option, print_json
from core.errors import ReviewError
from core.files import write_whole

if TYPE_CHECKING:
    from core.reviews import Review, ReviewStore
    from core.zoo.assessment import Assessment

TABLES = {
    "counts": "Images by reader",
    "beside_model": "Readers' blind labels beside the model's answers, random sample",
    "without_invalid": "The model with and without images that a reader calls not valid, random sample",
    "agreement": "Agreement of two readers (Cohen's kappa), random sample",
}


def register(commands: Any) -> None:
    _reviews_commands(add_command(commands, "reviews", _summary, "export, import or sum up the reviews of readers"))


def _reviews_commands(command: argparse.ArgumentParser) -> None:
    commands = command.add_subparsers(dest="reviews_command", required=True, parser_class=Parser, metavar="COMMAND")

    command = add_command(commands, "export", _export, "write every review as CSV")
    command.add_argument("--out", type=Path, required=True, metavar="FILE")
    _database_option(command)

    command = add_command(commands, "import", _import, "take in what was exported here or elsewhere: all of it or none")
    command.add_argument("file", type=Path, metavar="FILE")
    _database_option(command)

    command = add_command(
        commands, "summary", _summary, "counts, readers beside the model, and kappa of every two readers"
    )
    _database_option(command)
    json_option(command)


def _database_option(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--database",
        metavar="URL",
        help="of SQLite or PostgreSQL; PLANELAB_DATABASE, or the user's file, otherwise",
    )


@contextmanager
def _store(options: argparse.Namespace, *, create: bool = False) -> Iterator[ReviewStore]:
    from core.reviews import ReviewStore, database_url

    store = ReviewStore(options.database or database_url(), create=create)
    try:
        yield store
    finally:
        store.close()


def _stored(options: argparse.Namespace) -> list[Review]:
    with _store(options) as store:
        reviews = store.all()
        if not reviews:
            raise ReviewError(f"The database of reviews ({store.place}) holds no review yet; check its address.")
    return reviews


def _export(options: argparse.Namespace) -> int:
    from core.reviews.exchange import to_csv

    reviews = _stored(options)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    # As bytes: the line ends of comments and of rows are the table's own.
    write_whole(options.out, to_csv(reviews).encode())
    print(f"wrote {len(reviews)} reviews: {options.out}")
    return EXIT_OK


def _import(options: argparse.Namespace) -> int:
    from core.reviews.exchange import LARGEST_BYTES, from_csv
    from core.zoo import list_cards

    with options.file.open("rb") as file:
        content = file.read(LARGEST_BYTES + 1)
    reviews = from_csv(content, {card.name: card.classes for card in list_cards()})
    with _store(options, create=True) as store:
        added = store.extend(reviews)
    print(f"added {added} of {len(reviews)} reviews; the others were there already")
    return EXIT_OK


def _summary(options: argparse.Namespace) -> int:
    from core.results import to_text
    from core.reviews.summary import summarise

    for summary in summarise(_stored(options), _assessment_of):
        if not options.json:
            print(summary.title)
        for name, table in summary.tables.items():
            if options.json:
                about = {"model": summary.model, "data": summary.data, "simulated": summary.simulated, "table": name}
                for row in _records(table):
                    print_json(about | row)
            else:
                print(f"\n{TABLES[name]}\n{to_text(table).to_string(index=False)}")
        if not options.json:
            print()
    return EXIT_OK


def _assessment_of(model: str, data: str) -> Assessment | None:
    """What an installed model answered on a data set it was evaluated on; None where it was not."""
    from core.zoo import list_cards
    from core.zoo.assessment import assessments_of, read_evaluation

    classes = next((card.classes for card in list_cards() if card.name == model), None)
    if classes is None:
        return None
    found = assessments_of(read_evaluation(model, classes=classes), classes)
    return next((one for one in found if one.layout == data), None)


def _records(table: Any) -> list[dict[str, Any]]:
    """Rows as JSON takes them: a share as value, low, high and n; null for what is not known."""
    from core.results import flat

    named = flat(table).rename(columns=lambda name: name.replace(" ", "_"))
    return json.loads(named.to_json(orient="records", double_precision=15))
