"""The command line: ``python -m core COMMAND``; the contract is in the design.

Commands stand in the files of this folder, each with its options beside it. Exit status 0 on success and 2 on unusable
arguments or input, with one line per bad input on standard error; of many inputs the good ones still print. Everything
is checked before TensorFlow loads.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Sequence

from core.cli import datasets, explanations, heads, models, pictures, reviews, screening, sweeps, training
from core.cli.shared import EXIT_OK, EXIT_UNUSABLE, Parser, check_places, complain
from core.errors import PlaneLabError
from core.files import storage_sentence

EXIT_STOPPED = 130
GROUPS = (models, pictures, screening, sweeps, explanations, reviews, training, heads, datasets)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    parser = _parser()
    try:
        options = parser.parse_args(arguments)
    except SystemExit as stop:
        return int(stop.code or 0)
    options.arguments = arguments
    try:
        check_places(options)
        return options.run(options)
    except PlaneLabError as error:
        complain(str(error))
        return EXIT_UNUSABLE
    except KeyboardInterrupt:
        complain("Stopped.")
        return EXIT_STOPPED
    except BrokenPipeError:
        # The reader (head, less) has seen enough.
        with contextlib.suppress(OSError):
            sys.stdout.close()
        return EXIT_OK
    except OSError as error:
        place = error.filename or getattr(options, "out", None) or "a file"
        complain(
            storage_sentence(error, place)
            or f"{error.strerror or error}: {place}; check the path, its permissions and free space."
        )
        return EXIT_UNUSABLE


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="python -m core", description="PlaneLab: fetal ultrasound standard planes. No medical device.")
    commands = parser.add_subparsers(dest="command", required=True, parser_class=Parser, metavar="COMMAND")
    for group in GROUPS:
        group.register(commands)
    return parser
