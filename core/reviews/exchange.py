"""Reviews as CSV: every digit and letter out, every row checked on the way in."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime

from core.errors import PlaneLabError, ReviewError, quoted
from core.library import is_phantom_id, sample_ids
from core.reviews.review import NONE_OF_THEM, Review

COLUMNS = tuple(field.name for field in fields(Review))
BOOLEANS = {"yes": True, "no": False, "": None}
SHOWN_PROBLEMS = 10
LARGEST_BYTES = 20 * 2**20


def to_csv(reviews: Iterable[Review]) -> str:
    """All fields of all reviews, one row a review, in their order."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    words = {value: word for word, value in BOOLEANS.items()}
    for review in reviews:
        cells = {name: getattr(review, name) for name in COLUMNS}
        cells["valid"] = words[review.valid]
        cells["causes"] = " ".join(review.causes)
        cells["made_at"] = review.made_at.isoformat(timespec="microseconds")
        writer.writerow([cells[name] for name in COLUMNS])
    return text.getvalue()


def from_csv(content: bytes, classes: Mapping[str, Sequence[str]]) -> list[Review]:
    """Read what :func:`to_csv` wrote, here or elsewhere.

    Parameters
    ----------
    content : bytes
        The file; UTF-8, with or without a byte order mark.
    classes : mapping
        Classes of each model that is installed here, by its name.

    Raises
    ------
    ReviewError
        If the file is no such table, or any row is not usable; the lines are named, and nothing is to be imported then.
    """
    if len(content) > LARGEST_BYTES:
        raise ReviewError(f"The file is larger than {LARGEST_BYTES // 2**20} MB; import it in parts.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ReviewError("The file is not written in UTF-8; save it as CSV in UTF-8 and import it again.") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    reviews: list[Review] = []
    problems: list[str] = []
    lines: dict[str, int] = {}
    try:
        _check_header(next(reader, []))
        end = reader.line_num
        for cells in reader:
            # A comment may hold line ends: the line named is the one on which the row begins.
            line, end = end + 1, reader.line_num
            if not cells:
                continue
            try:
                review = _review(cells, classes)
                if review.review_id in lines:
                    raise ReviewError(f"It repeats the review_id of line {lines[review.review_id]}.")
                lines[review.review_id] = line
                reviews.append(review)
            except PlaneLabError as error:
                problems.append(f"Line {line}: {error}")
    except csv.Error as error:
        raise ReviewError(f"Line {reader.line_num} of the file is no CSV ({error}); save it again as CSV.") from error
    if problems:
        more = len(problems) - SHOWN_PROBLEMS
        listed = [*problems[:SHOWN_PROBLEMS], *([f"and {more} more lines."] if more > 0 else [])]
        raise ReviewError("Nothing was imported. " + "  \n".join(listed))
    if not reviews:
        raise ReviewError("The file holds no review; export some first.")
    return reviews


def _check_header(header: list[str]) -> None:
    missing = [name for name in COLUMNS if name not in header]
    if missing or len(header) != len(COLUMNS) or tuple(header) != COLUMNS:
        reason = f"lacks the column {missing[0]!r}" if missing else "has other columns, or in another order"
        raise ReviewError(f"The first line {reason}; it must read {','.join(COLUMNS)}.")


def _review(cells: list[str], classes: Mapping[str, Sequence[str]]) -> Review:
    if len(cells) != len(COLUMNS):
        raise ReviewError(f"It has {len(cells)} cells instead of {len(COLUMNS)}.")
    values = dict(zip(COLUMNS, cells, strict=True))
    if values["valid"] not in BOOLEANS:
        raise ReviewError(f"The column valid says {quoted(values['valid'])}; write yes, no or nothing.")
    try:
        made_at = datetime.fromisoformat(values["made_at"])
    except ValueError as error:
        raise ReviewError(
            f"The time {quoted(values['made_at'])} is none; write it as 2026-11-21T18:00:00+00:00."
        ) from error
    converted = {"valid": BOOLEANS[values["valid"]], "causes": tuple(values["causes"].split()), "made_at": made_at}
    review = Review(**values | converted)
    _check_against_models(review, classes)
    return review


def _check_against_models(review: Review, classes: Mapping[str, Sequence[str]]) -> None:
    if review.model not in classes:
        raise ReviewError(f"The model {quoted(review.model)} is not installed here; install it first.")
    known = classes[review.model]
    answers = {"label": known, "predicted": known, "reading": [*known, NONE_OF_THEM]}
    if review.is_complete:
        answers["right_label"] = answers["reading"]
    for name, allowed in answers.items():
        if getattr(review, name) not in allowed:
            raise ReviewError(f"The {name} {quoted(getattr(review, name))} is none of {', '.join(allowed)}.")
    if not is_phantom_id(review.image_id) and review.image_id not in sample_ids():
        raise ReviewError(f"The image {quoted(review.image_id)} is no sample or phantom of PlaneLab.")
