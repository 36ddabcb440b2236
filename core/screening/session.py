"""A screening that belongs to a session: its rows lie in a file of their own, which goes when the session does."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import pandas as pd

from core.errors import ParameterError
from core.screening.engine import Progress, about, screen
from core.screening.journal import NAME, Journal
from core.screening.networks import Networks
from core.screening.sources import Entry, Nameless, Source, open_source
from core.zoo.cards import Card

FOLDERS_VARIABLE = "PLANELAB_ARCHIVES"
"""Names the folders and ZIPs that visitors may have screened on the server, separated as in PATH; set by whoever runs
it, never by a visitor."""


class Screening:
    """What two models make of files that may change: a file that was judged is not judged again.

    Parameters
    ----------
    title : str
        Of the files, for reports.
    model, detector : Card

    Attributes
    ----------
    key : str
        Tells it from any other in caches.
    """

    def __init__(self, title: str, model: Card, detector: Card) -> None:
        self.key = uuid4().hex
        self.about = about(title, model, detector)
        self.classes = model.classes
        self._folder = TemporaryDirectory(prefix="planelab-screening-")
        self._journal = Journal(Path(self._folder.name) / NAME, self.about)
        self.source: Source | None = None
        self.entries: Sequence[Entry] = ()

    def use(self, source: Source) -> None:
        """Take these files from now on; they are listed once.

        Raises
        ------
        DatasetError
            If they cannot be listed.
        """
        if source is not self.source:
            self.entries = source.entries()
            self.source = source

    @property
    def missing(self) -> list[Entry]:
        """Files that have no rows yet, or not all of theirs."""
        return [entry for entry in self.entries if not self._journal.is_done(entry)]

    def run(self, networks: Networks, progress: Progress) -> None:
        """Make the rows that are missing; what ``progress`` raises ends it, and finished rows are kept."""
        if self.source is None:
            raise ParameterError("There is nothing to screen yet; choose files first.")
        screen(self.source, self.entries, networks, self._journal, progress)

    def rows(self) -> pd.DataFrame:
        """The rows made so far of the files at hand."""
        return self._journal.rows(self.entries, self.classes)


def offered_archives() -> dict[str, Path]:
    """Folders and ZIPs that the person who runs the server offers, by name; none where the variable is not set."""
    offered: dict[str, Path] = {}
    for text in filter(None, os.environ.get(FOLDERS_VARIABLE, "").split(os.pathsep)):
        path = Path(text)
        name, number = path.name, 1
        while name in offered:
            number += 1
            name = f"{path.name} ({number})"
        offered[name] = path
    return offered


def open_offered(name: str) -> Source:
    """An offered archive by its name; its DICOM files have made-up ones.

    Raises
    ------
    ParameterError
        If none of that name is offered.
    DatasetError
        If it is not there.
    """
    offered = offered_archives()
    if name not in offered:
        raise ParameterError(f"This server offers no archive {name!r}; choose one of its list.")
    return Nameless(open_source(offered[name]))
