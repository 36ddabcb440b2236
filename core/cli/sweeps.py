"""``sweep``: models under growing corruption."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import Any

from core.cli.shared import (
    EXIT_OK,
    Progress,
    add_command,
    card_of,
    complain,
    json_option,
    labelled_data_options,
    labelled_table,
    load_named,
    model_folder,
    model_name,
    natural,
    positive,
    print_json,
    workers_of,
    workers_options,
)


def register(commands: Any) -> None:
    _sweep_options(
        add_command(commands, "sweep", _sweep, "accuracy and similarity of models as corruptions grow, thresholds")
    )


def _sweep_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--model",
        action="append",
        metavar="NAME",
        help="a name listed by models, or a model folder; once for each model; the plane task's default otherwise",
    )
    labelled_data_options(command)
    command.add_argument("--out", type=Path, required=True, metavar="DIR", help="results, and cells that are finished")
    command.add_argument("--kind", action="append", metavar="KIND", help="once for each; all; or the thesis's three")
    command.add_argument("--grid", default="reference", help="intensities: reference, annex or severities")
    command.add_argument("--side", type=positive, help="reduce cleaned frames to this square first; the thesis's: 174")
    command.add_argument("--limit", type=positive, metavar="N", help="images of each class, drawn by the seed")
    command.add_argument("--seed", type=natural, default=0)
    command.add_argument("--level", type=float, default=0.9, metavar="P", help="accuracy whose crossing is a threshold")
    command.add_argument("--loss", type=float, default=0.05, metavar="P", help="loss from the clean accuracy that is")
    command.add_argument("--baseline", metavar="MODEL", help="corruption errors relative to this model, swept too")
    command.add_argument("--beside", type=Path, metavar="DIR", help="frames of no class, beside data of one class")
    command.add_argument("--title", help="what the data are, for people; the folder's name otherwise")
    workers_options(command)
    command.add_argument("--record", metavar="NAME", help="keep the results with the models under this name")
    json_option(command)


def _sweep(options: argparse.Namespace) -> int:
    from core.datasets import load
    from core.sweep.engine import check_cards
    from core.sweep.grid import THESIS_KINDS
    from core.sweep.store import CellStore
    from core.sweep.study import CELLS_NAME, Settings, frames_of, run_study

    names = list(options.model or [model_name(None)])
    if options.baseline is not None and card_of(options.baseline).name not in [card_of(name).name for name in names]:
        names.append(options.baseline)
    cards = [card_of(name) for name in names]
    check_cards(cards)
    settings = Settings(
        kinds=tuple(options.kind or THESIS_KINDS),
        grid=options.grid,
        side=options.side,
        seed=options.seed,
        level=options.level,
        loss=options.loss,
        baseline=None if options.baseline is None else card_of(options.baseline).name,
    )
    table = labelled_table(options, None if cards[0].task == "corruption" else cards[0].classes)
    beside = load(options.beside) if options.beside else None
    frames = frames_of(table, cards[0], beside=beside, limit=options.limit, seed=options.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    store = CellStore(options.out / CELLS_NAME)
    models = [load_named(name) for name in names]
    try:
        _by_workers(options, models, frames, settings, store)
        study = run_study(
            models,
            frames,
            settings,
            name=options.record or options.title or Path(options.data).name,
            simulated=table.simulated,
            problems=table.problems,
            store=store,
            command="python -m core " + shlex.join(options.arguments),
            progress=Progress("sweeping"),
        )
    except KeyboardInterrupt:
        complain(f"What is finished is kept in {options.out / CELLS_NAME}; the same command goes on from there.")
        raise
    finally:
        store.close()
    for problem in study.summary["problems"]:
        complain(problem)
    study.write(options.out)
    if options.record:
        for name in names:
            study.record(options.record, card_of(name).name, model_folder(name))
    if options.json:
        print_json(study.summary | {"thresholds": study.thresholds})
    else:
        _print_study(study)
    return EXIT_OK


def _by_workers(options: argparse.Namespace, models: Any, frames: Any, settings: Any, store: Any) -> None:
    """Have the workers that the options ask for finish the cells; the study then finds them."""
    workers = workers_of(options)
    if workers is None:
        return
    from core.sweep.distributed import sweep_by_workers

    with workers as client:
        sweep_by_workers(
            client,
            models,
            frames,
            settings.intensities,
            store,
            side=settings.side,
            seed=settings.seed,
            progress=Progress("sweeping by workers"),
        )


def _print_study(study: Any) -> None:
    from core.sweep.describe import threshold_lines

    kind = "simulated" if study.simulated else "real"
    print(f"{study.summary['n']} {kind} images ({study.title}); {study.measure}")
    for line in threshold_lines(study):
        print(line)
