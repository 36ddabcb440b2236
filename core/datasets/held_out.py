"""What is never trained on: HC18's examinations whose number is a multiple of 5, wherever their frames lie.

HC18 names its frames ``NNN_HC.png``, further frames of the same examination ``NNN_2HC.png`` and so on, with
examinations 0 to 805. A copy in another folder keeps that name, so the name is what gives a frame away; a number above
805 or other words around it are taken for somebody else's file.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import DatasetError

if TYPE_CHECKING:
    import pandas as pd

    from core.datasets.table import Table

LAST_EXAMINATION = 805
REAL = "real_file"
"""Column of a table of phantoms: the real frame that each was adapted to, empty where there is none."""
FRAME = re.compile(
    r"(?P<examination>\d{3})_[2-9]?HC(?P<annotation>_Annotation)?(?: ?\(\d+\)| - Copy| copy|_copy)?", re.I
)
"""A frame's or its annotation's name without its ending, also as file managers name a copy."""
NAMES_SHOWN = 5


def examination(path: str | Path) -> int | None:
    """The HC18 examination a file name belongs to; None for names HC18 does not have."""
    match = FRAME.fullmatch(Path(path).stem)
    if match is None or int(match["examination"]) > LAST_EXAMINATION:
        return None
    return int(match["examination"])


def is_annotation(path: str | Path) -> bool:
    """True for the outlines that HC18 has beside its frames."""
    match = FRAME.fullmatch(Path(path).stem)
    return match is not None and match["annotation"] is not None


def is_held_out(path: str | Path) -> bool:
    """True for a frame of an HC18 examination whose number is a multiple of 5."""
    number = examination(path)
    return number is not None and number % 5 == 0


def refuse_test_examinations(table: Table) -> None:
    """Refuse a table that anybody is about to train on while HC18's test examinations stand outside its test side.

    Raises
    ------
    DatasetError
        With the names of the frames.
    """
    refuse_held_out(table.frame[table.frame["split"] != "test"])


def refuse_held_out(rows: pd.DataFrame) -> None:
    """Refuse rows that are frames held out, or phantoms adapted to one.

    Raises
    ------
    DatasetError
        With the names of the frames.
    """
    sources = [*rows["path"], *rows.get(REAL, ())]
    held_out = [Path(source).name for source in sources if is_held_out(source)]
    if held_out:
        names = ", ".join(held_out[:NAMES_SHOWN]) + (" ..." if len(held_out) > NAMES_SHOWN else "")
        raise DatasetError(
            f"{len(held_out)} frame(s) of HC18 examinations whose number is a multiple of 5 ({names}) are kept for "
            "testing and are never trained on; take them out of the folder, or rename them if they are not HC18's."
        )
