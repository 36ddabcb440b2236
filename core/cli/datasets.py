"""``datasets``: download and check published data."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import Any

from core.cli.shared import EXIT_OK, Parser, Progress, add_command, json_option, print_json


def register(commands: Any) -> None:
    _datasets_commands(add_command(commands, "datasets", _datasets_check, "download published data sets, or check one"))


def _datasets_commands(command: argparse.ArgumentParser) -> None:
    commands = command.add_subparsers(dest="datasets_command", required=True, parser_class=Parser, metavar="COMMAND")

    command = add_command(
        commands, "download", _datasets_download, "fetch, verify and unpack; goes on where it was stopped"
    )
    command.add_argument("name", metavar="NAME", help="hc18 or fetal-planes")
    command.add_argument("--out", type=Path, required=True, metavar="DIR")
    command.add_argument("--server", metavar="URL", help="a mirror of Zenodo")

    command = add_command(
        commands, "check", _datasets_check, "what a data set holds and what is wrong with it, by name"
    )
    command.add_argument("data", type=Path, metavar="DIR")
    json_option(command)


def _datasets_download(options: argparse.Namespace) -> int:
    from core.datasets.download import SERVER, download

    shown: dict[str, Progress] = {}
    download(
        options.name,
        options.out,
        server=options.server or SERVER,
        progress=lambda what, share: shown.setdefault(what, Progress(what))(share),
    )
    print(
        f"{options.name} is in {options.out}; python -m core datasets check {shlex.quote(str(options.out))} counts it"
    )
    return EXIT_OK


def _datasets_check(options: argparse.Namespace) -> int:
    from core.datasets import load, summarise, without_unreadable

    summary = summarise(without_unreadable(load(options.data), Progress("reading")))
    if options.json:
        print_json(summary.to_dict())
    else:
        print(summary)
    return EXIT_OK
