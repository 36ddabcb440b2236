"""One review, and which of many count."""

from __future__ import annotations

import re
import unicodedata
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from core.errors import ReviewError, quoted

MISCLASSIFIED = "misclassified"
RANDOM = "random"
QUEUES = {MISCLASSIFIED: "Misclassified", RANDOM: "Random sample"}

NONE_OF_THEM = "none of them"
"""A reader's label where an image shows none of the model's classes."""

CAUSES = {
    "too_far": "Too far: the zoom is small",
    "too_much_zoom": "Too much zoom",
    "weak_skull": "Weak skull: its outline is not well defined",
    "low_contrast": "Low contrast to nearby tissue",
    "no_inner_structures": "No inner structures visible",
    "round_walls": "Round shapes of uterine wall or face",
    "body_indistinct": "Body indistinct from the head",
    "too_much_body": "Too much of the body in view",
    "other": "Something else (say so in the comment)",
}
"""Causes of an error as the thesis names them (000 §4.4), by the name that is stored; ``other`` is ours."""

LONGEST_READER = 80
LONGEST_COMMENT = 2000
LONGEST_NAME = 200
REVIEW_ID = re.compile(r"[0-9a-f]{32}")


def _now() -> datetime:
    return datetime.now(UTC)


def _new_id() -> str:
    return uuid.uuid4().hex


@dataclass(frozen=True)
class Review:
    """What one reader said of one image at one time.

    The reading is written before the prediction shows, as a review without a verdict; the verdict follows as another
    one that repeats the reading. So a reader who closes the browser in between has still read blind.

    Attributes
    ----------
    reader : str
        Name, as the reader writes it.
    model, data, image_id : str
        Which row of which ``evaluation.csv.gz`` was shown.
    label, predicted : str
        That row's class and the model's answer.
    queue : str
        ``misclassified`` or ``random``: where the image was met.
    reading : str
        The reader's own label, given blind: a class or :data:`NONE_OF_THEM`.
    right_label : str
        Which label is right in the reader's final judgement; empty before the verdict.
    valid : bool or None
        Whether the plane is valid for measurement; None before the verdict.
    causes : tuple of str
        Of the model's error, names of :data:`CAUSES`, in their order.
    comment : str
    made_at : datetime
        With a time zone; kept in UTC to the microsecond.
    review_id : str
        32 hexadecimal digits, the same on every machine the review is copied to.

    Raises
    ------
    ReviewError
        If a field says what cannot be.
    """

    reader: str
    model: str
    data: str
    image_id: str
    label: str
    predicted: str
    queue: str
    reading: str
    right_label: str = ""
    valid: bool | None = None
    causes: tuple[str, ...] = ()
    comment: str = ""
    made_at: datetime = field(default_factory=_now)
    review_id: str = field(default_factory=_new_id)

    def __post_init__(self) -> None:
        object.__setattr__(self, "reader", tidy_name(self.reader))
        # Line ends differ between browsers and files.
        object.__setattr__(self, "comment", self.comment.replace("\r\n", "\n").replace("\r", "\n"))
        object.__setattr__(self, "causes", tuple(name for name in CAUSES if name in self._known_causes()))
        _check_text("name of the reader", self.reader, LONGEST_READER)
        for name in ("model", "data", "image_id", "label", "predicted", "reading"):
            _check_text(name, getattr(self, name), LONGEST_NAME)
        _check_text("right_label", self.right_label, LONGEST_NAME, needed=False)
        _check_text("comment", self.comment, LONGEST_COMMENT, needed=False, lines=True)
        if self.queue not in QUEUES:
            raise ReviewError(f"The queue {quoted(self.queue)} is none of {', '.join(QUEUES)}.")
        if bool(self.right_label) != (self.valid is not None):
            raise ReviewError("A verdict has both a right label and whether the plane is valid; give both or neither.")
        if not self.is_complete and (self.causes or self.comment):
            raise ReviewError("Causes and a comment belong to a verdict; say which label is right and if it is valid.")
        if self.made_at.tzinfo is None:
            raise ReviewError("The time of a review needs a time zone, such as 2026-11-21T18:00:00+00:00.")
        try:
            object.__setattr__(self, "made_at", self.made_at.astimezone(UTC))
        except OverflowError as error:
            raise ReviewError("The time of a review lies, in UTC, outside the years 1 to 9999; correct it.") from error
        if not REVIEW_ID.fullmatch(self.review_id):
            raise ReviewError(f"The review_id {quoted(self.review_id)} is not made of 32 hexadecimal digits.")

    def _known_causes(self) -> tuple[str, ...]:
        for name in self.causes:
            if name not in CAUSES:
                raise ReviewError(f"The cause {quoted(name)} is none of {', '.join(CAUSES)}.")
        return tuple(self.causes)

    @property
    def is_complete(self) -> bool:
        """True for a verdict, False for a reading alone."""
        return self.valid is not None

    @property
    def label_is_right(self) -> bool | None:
        """Whether the reader finds the image's label right; None before the verdict."""
        return self.right_label == self.label if self.is_complete else None


def tidy_name(name: str) -> str:
    """A reader's name as it is kept: what looks alike is alike, however the keyboard composes its accents."""
    return unicodedata.normalize("NFC", name.strip())


def _check_text(name: str, text: str, longest: int, *, needed: bool = True, lines: bool = False) -> None:
    """Refuse what a database or a file could not give back letter by letter."""
    if needed and not text.strip():
        raise ReviewError(f"The {name} is missing; a review needs it.")
    if len(text) > longest:
        raise ReviewError(f"The {name} has {len(text)} letters; at most {longest} are kept.")
    if any(letter < " " and not (lines and letter in "\n\t") for letter in text):
        raise ReviewError(f"The {name} holds a control character; write it as plain text.")
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise ReviewError(f"The {name} holds half a character that no file can keep; write it again.")


def newest(reviews: Iterable[Review]) -> list[Review]:
    """Those that count: the newest of each reader for each image of a model, oldest first.

    Of two made in the same microsecond the one appended later counts.
    """
    counting: dict[tuple[str, str, str], Review] = {}
    for review in sorted(reviews, key=lambda review: review.made_at):
        key = (review.reader, review.model, review.image_id)
        counting.pop(key, None)
        counting[key] = review
    return list(counting.values())


def first_reading(reviews: Iterable[Review], reader: str, image_id: str, classes: Iterable[str]) -> str | None:
    """A reader's first label of an image, whichever model was reviewed: only that one was blind.

    None where the reader has not seen the image, or only beside a model of other classes.
    """
    answers = {*classes, NONE_OF_THEM}
    own = [one for one in reviews if one.reader == reader and one.image_id == image_id and one.reading in answers]
    return min(own, key=lambda review: review.made_at).reading if own else None
