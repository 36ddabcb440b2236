"""``screen``: an archive of frames, each kept, to be reviewed or discarded, with the reason."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from core.cli.shared import (
    EXIT_OK,
    EXIT_UNUSABLE,
    add_command,
    complain,
    json_option,
    model_option,
    workers_of,
    workers_options,
)
from core.errors import DatasetError, ParameterError

OFF = "off"


def register(commands: Any) -> None:
    command = add_command(
        commands, "screen", _screen, "judge every frame of a folder or ZIP: keep, review or discard, and why"
    )
    command.add_argument(
        "source", type=Path, nargs="?", metavar="SOURCE", help="a folder with its subfolders, or a ZIP"
    )
    command.add_argument(
        "--out", type=Path, metavar="DIR", help="rows, report, contact sheets, and the journal to go on from"
    )
    model_option(command)
    command.add_argument("--detector", metavar="NAME", help="of corruptions; the task's default otherwise")
    for verdict in ("review", "discard"):
        command.add_argument(
            f"--{verdict}",
            action="append",
            default=[],
            metavar="RULE=LIMIT",
            help=f"from where a rule leads to {verdict}, or off; once for each of {', '.join(_rule_names())}",
        )
    workers_options(command)
    kept = command.add_mutually_exclusive_group()
    kept.add_argument("--copy-kept", type=Path, metavar="DIR", help="copy the kept files there; nothing is overwritten")
    kept.add_argument("--move-kept", type=Path, metavar="DIR", help="move them, each verified before its source goes")
    command.add_argument(
        "--undo", type=Path, metavar="DIR", help="take back what was copied or moved to DIR; nothing is screened"
    )
    json_option(command)


def _rule_names() -> list[str]:
    from core.screening.rules import RULES

    return list(RULES)


class _Pace:
    """A line on standard error: share, frames a second and time left; nothing where nobody watches a terminal."""

    def __init__(self, files: int) -> None:
        self.files = files
        self.started = time.monotonic()

    def __call__(self, share: float) -> None:
        if not sys.stderr.isatty():
            return
        elapsed = max(time.monotonic() - self.started, 1e-9)
        left = f"{elapsed / share - elapsed:.0f} s left" if share > 0 else ""
        end = "\n" if share >= 1 else ""
        rate = f"{share * self.files / elapsed:.1f} files a second"
        print(f"\rscreening: {100 * share:3.0f} %, {rate}, {left}    ", end=end, file=sys.stderr, flush=True)


def _screen(options: argparse.Namespace) -> int:
    if options.undo is not None:
        return _undo(options)
    if options.source is None or options.out is None:
        raise ParameterError("Name the folder or ZIP to screen and --out DIR for what comes of it.")
    from core.preprocessing import PreprocessingSettings
    from core.screening import JOURNAL_NAME, Journal, Names, about, default_thresholds, judged, open_source
    from core.screening.moving import COPY, MOVE, keep_files, moved_away
    from core.screening.report import json_lines, report_text, summary_of, write_report
    from core.screening.rules import KEEP

    names = Names.of(options.model, options.detector)
    thresholds = _thresholds(options, default_thresholds(*names.cards))
    source = open_source(options.source)
    _check_outside(options)
    entries = source.entries()
    if not entries:
        raise DatasetError(
            f"{options.source} holds no frame; {source.left_out} files in it are no images by their names."
        )
    target, how = (options.copy_kept, COPY) if options.copy_kept else (options.move_kept, MOVE)
    facts = about(source.title, *names.cards)
    with Journal(options.out / JOURNAL_NAME, facts) as journal:
        if how == MOVE and target:
            # What an earlier run moved away was judged with the rest, and still counts.
            listed = {entry.name for entry in entries}
            gone = [journal.entry_of(name) for name in moved_away(source, target) if name not in listed]
            entries += [entry for entry in gone if entry is not None]
        missing = [entry for entry in entries if not journal.is_done(entry)]
        if missing:
            try:
                _make_rows(options, source, missing, names, journal)
            except KeyboardInterrupt:
                complain(f"What is finished is kept in {journal.path}; the same command goes on from there.")
                raise
        rows = judged(journal.rows(entries, names.cards[0].classes), thresholds)
    summary = summary_of(rows, thresholds, names.cards[0].classes, facts, source.left_out)
    settings = PreprocessingSettings.from_dict(names.cards[1].preprocessing)
    write_report(options.out, rows, summary, source, settings)
    if options.json:
        sys.stdout.writelines(json_lines(rows))
        sys.stdout.flush()
    else:
        print(report_text(summary))
    unreadable = rows.loc[rows["error"] != "", "error"]
    for sentence in unreadable:
        complain(sentence)
    problems: tuple[str, ...] = ()
    if target:
        kept = list(dict.fromkeys(rows.loc[rows["verdict"] == KEEP, "path"]))
        moved = keep_files(source, kept, target, how)
        problems = moved.problems
        complain(
            f"{moved.done + moved.before} kept files are in {target}; take them back with: "
            f"python -m core screen --undo {target}"
        )
    for problem in problems:
        complain(problem)
    return EXIT_UNUSABLE if len(unreadable) or problems else EXIT_OK


def _make_rows(options: argparse.Namespace, source: Any, missing: Any, names: Any, journal: Any) -> None:
    """In this process, or by the workers that the options ask for."""
    from core.screening import screen

    pace = _Pace(len(missing))
    workers = workers_of(options)
    if workers is None:
        screen(source, missing, names.load(), journal, pace)
        return
    from core.cluster import sent_to_all
    from core.screening.distributed import screen_by_workers

    with workers as client, sent_to_all(client, names.load()) as networks:
        screen_by_workers(client, options.source, missing, networks, journal, pace)


def _undo(options: argparse.Namespace) -> int:
    from core.screening.moving import undo

    found = undo(options.undo)
    complain(f"{found.done} files were taken back from {options.undo}.")
    for problem in found.problems:
        complain(problem)
    return EXIT_UNUSABLE if found.problems else EXIT_OK


def _thresholds(options: argparse.Namespace, thresholds: Any) -> Any:
    """The defaults with the limits that the options ask for, all of them checked together."""
    from core.screening.rules import RULES, Limits, Thresholds

    limits = {name: {"review": one.review, "discard": one.discard} for name, one in thresholds.limits.items()}
    for verdict in ("review", "discard"):
        for text in getattr(options, verdict):
            name, _, number = text.partition("=")
            if name not in RULES:
                raise ParameterError(
                    f"--{verdict} {text}: there is no rule {name!r}; the rules are {', '.join(RULES)}."
                )
            limits[name][verdict] = None if number == OFF else _number(verdict, text, number)
    return Thresholds({name: Limits(**one) for name, one in limits.items()})


def _number(verdict: str, text: str, number: str) -> float:
    try:
        return float(number)
    except ValueError:
        raise ParameterError(f"--{verdict} {text} is not RULE=LIMIT, such as dark=20 or dark={OFF}.") from None


def _check_outside(options: argparse.Namespace) -> None:
    """What is written must not be screened itself the next time."""
    if options.source.is_dir() and options.out.resolve().is_relative_to(options.source.resolve()):
        raise ParameterError(f"--out {options.out} lies inside {options.source}; choose a folder outside it.")
