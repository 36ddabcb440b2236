"""What the pages made of stored studies share: tables in Markdown, and the way from the models' folders to a page."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import pandas as pd

from core.explain.stored_study import StoredStudy, StudyFiles
from core.zoo import list_cards

Study = TypeVar("Study", bound=StoredStudy)


def markdown(rows: pd.DataFrame) -> str:
    """A table in Markdown."""
    lines = ["| " + " | ".join(rows.columns) + " |", "|" + "---|" * len(rows.columns)]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows.itertuples(index=False)])


def print_page(
    description: str,
    files: StudyFiles,
    read: Callable[[Path], Study],
    head: Iterable[str],
    chapter: Callable[[Study], Iterator[str]],
) -> None:
    """Print the head and a chapter for each stored study of all models, those on simulated images first."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    studies = [read(folder) for card in list_cards() for folder in files.folders(card.name)]
    if not studies:
        raise SystemExit(f"No model has a {files.title} yet; make one with python -m core {files.name}.")
    ordered = sorted(studies, key=lambda study: not study.about["simulated"])
    print("\n\n".join([*head, *(part for study in ordered for part in chapter(study))]))
