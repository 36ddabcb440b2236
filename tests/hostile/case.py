"""What a hostile or broken input is, and what its answer must look like."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

READ = "(read)"
"""The input is sound, or sound enough: it must be read."""
EITHER = "(read or refused)"
"""Bytes changed at random: what comes of them may differ between versions of a decoder, a trace never does."""
LONGEST_SENTENCE = 1000
"""Room for a file's name three times, and for what there is to say."""
SEED = 7
FLIPPED = 6


@dataclass(frozen=True)
class Case:
    """One input.

    Attributes
    ----------
    kind : str
        What it claims to be, such as ``PNG`` or ``ZIP``.
    what : str
        What is wrong with it; one of its kind only.
    file : str
        What the file is called when it is handed over.
    data : bytes
    says : str
        A pattern of the sentence that it must be refused with, or :data:`READ` or :data:`EITHER`.
    """

    kind: str
    what: str
    file: str
    data: bytes
    says: str = EITHER

    def __str__(self) -> str:
        return f"{self.kind}: {self.what}"


def cuts(kind: str, file: str, data: bytes, says: str = "") -> list[Case]:
    """A file cut at every tenth of its length, from nothing to the last tenth missing."""
    return [
        Case(kind, f"{file}, cut at {tenth} tenths", file, data[: len(data) * tenth // 10], says or _cut_says(tenth))
        for tenth in range(10)
    ]


def _cut_says(tenth: int) -> str:
    return r"is empty" if tenth == 0 else r"is cut short|damaged"


def flips(kind: str, file: str, data: bytes, count: int) -> list[Case]:
    """Copies of a file with a few bits turned over, at places that the file's name and the number decide."""
    made = []
    for number in range(count):
        generator = np.random.default_rng([SEED, number, *file.encode()])
        changed = bytearray(data)
        for place in generator.integers(0, len(data), FLIPPED):
            changed[place] ^= 1 << int(generator.integers(0, 8))
        made.append(Case(kind, f"{file}, bits turned over ({number})", file, bytes(changed)))
    return made


def faults_of(sentence: str) -> list[str]:
    """What keeps a text from being a sentence for a user; empty where nothing does."""
    found = {
        "is empty": not sentence.strip(),
        "does not end like a sentence": not sentence.rstrip().endswith((".", ")")) and "or run: " not in sentence,
        "has several lines": len(sentence.strip().splitlines()) > 1,
        "is a trace": "Traceback" in sentence or 'File "' in sentence,
        "holds characters that no terminal should get": any(not c.isprintable() for c in sentence.strip()),
        f"is longer than {LONGEST_SENTENCE} letters": len(sentence) > LONGEST_SENTENCE,
    }
    return [what for what, is_so in found.items() if is_so]
