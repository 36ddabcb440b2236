"""What was wrong with a data set, as a sentence that also knows every name it is about."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from core.images import display_name

NAMES_SHOWN = 5
KINDS = ("missing file", "unreadable image", "duplicate image", "unknown label", "empty class", "other")


class Problem(str):
    """One sentence for the user. It names the first few files or labels; ``names`` holds all of them.

    Attributes
    ----------
    kind : str
        One of :data:`KINDS`.
    names : tuple of str
    """

    kind: str
    names: tuple[str, ...]

    def __new__(cls, sentence: str, kind: str = "other", names: Iterable[str] = ()) -> Problem:
        problem = super().__new__(cls, sentence)
        problem.kind = kind
        problem.names = tuple(names)
        return problem


def shortened(names: Iterable[str]) -> str:
    """The first few names, and dots where there are more."""
    names = list(names)
    return ", ".join(names[:NAMES_SHOWN]) + (" ..." if len(names) > NAMES_SHOWN else "")


def missing_files(paths: Iterable[Path]) -> tuple[Problem, ...]:
    """The problem of listed files that are not there; none if there is none."""
    names = [display_name(path.name) for path in paths]
    if not names:
        return ()
    sentence = f"{len(names)} listed image(s) are missing and were left out: {shortened(names)}."
    return (Problem(sentence, "missing file", names),)
