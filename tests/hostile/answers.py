"""What loaders answer to a case, and whether that is what it asks for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from core.errors import PlaneLabError

from .case import EITHER, READ, Case, faults_of
from .pictures import SECRET


@contextmanager
def about(case: Case) -> Iterator[None]:
    """Whatever is raised inside names the case."""
    try:
        yield
    except Exception as error:
        error.add_note(str(case))
        raise


def answer_to(case: Case, read: Callable[[], object]) -> str:
    """The sentence that a case is refused with; empty where it is read. Any other error is a defect and is raised."""
    with about(case):
        try:
            read()
        except PlaneLabError as error:
            return str(error)
    return ""


def wrong_with(case: Case, answer: str) -> list[str]:
    """What is wrong with an answer, of one or several lines; empty where nothing is."""
    found = [f"{fault}: {line[:200]}" for line in answer.splitlines() for fault in faults_of(line)]
    if SECRET in answer:
        found.append(f"names somebody: {answer[:200]}")
    if case.says == READ and answer:
        found.append(f"is refused: {answer[:200]}")
    if case.says not in (READ, EITHER) and not re.search(case.says, answer):
        found.append(f"says {answer[:200]!r} instead of {case.says!r}")
    return found


def wrong_answers(cases: Iterable[Case], read: Callable[[Case], object]) -> dict[str, list[str]]:
    """What is wrong with the answers to these cases, by case; empty where nothing is."""
    found = {str(case): wrong_with(case, answer_to(case, lambda case=case: read(case))) for case in cases}
    return {case: wrong for case, wrong in found.items() if wrong}
