"""Screening an archive: every frame measured once, a verdict by limits that can be moved afterwards.

Sources list and read files, ``measuring`` and ``networks`` make a row of each frame, ``journal`` keeps the rows,
``rules`` turns rows into verdicts, ``report`` and ``moving`` do something with them.
"""

from core.screening.engine import about, screen
from core.screening.journal import NAME as JOURNAL_NAME
from core.screening.journal import Journal
from core.screening.networks import Names, Networks
from core.screening.rules import RULES, VERDICTS, Limits, Rule, Thresholds, default_thresholds, judged
from core.screening.session import Screening
from core.screening.sources import FolderSource, Source, Uploads, ZipSource, open_source

__all__ = [
    "JOURNAL_NAME",
    "RULES",
    "VERDICTS",
    "FolderSource",
    "Journal",
    "Limits",
    "Names",
    "Networks",
    "Rule",
    "Screening",
    "Source",
    "Thresholds",
    "Uploads",
    "ZipSource",
    "about",
    "default_thresholds",
    "judged",
    "open_source",
    "screen",
]
