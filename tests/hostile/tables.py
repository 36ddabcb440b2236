"""Hostile and broken tables: the lists of published data sets, manifests of phantoms, and reviews to be imported."""

from __future__ import annotations

import csv
import gzip
import io
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from .case import EITHER, READ, Case, cuts
from .pictures import saved

HC18, PLANES, PHANTOMS, REVIEWS = "HC18 list", "FETAL_PLANES_DB list", "phantom manifest", "reviews"
MODEL, CLASSES = "mobilenet_v2_plane", ("BPD", "CRL", "NT")
"""Whose images the reviews are about."""
MILLION = 1_000_000
REFUSED = r"\.$"
"""Any sentence: which of several faults is told first is no matter."""

Rows = list[list[str]]


@dataclass(frozen=True)
class Form:
    """A kind of table: its file, how cells are parted, its sound rows with the header, and one of its columns each that
    names a file and holds a number (None where there is none)."""

    kind: str
    file: str
    separator: str
    rows: Rows
    names: str | None
    number: str

    def written(self, rows: Rows) -> bytes:
        text = io.StringIO()
        csv.writer(text, delimiter=self.separator).writerows(rows)
        return text.getvalue().encode()

    @property
    def sound(self) -> bytes:
        return self.written(self.rows)

    def with_cell(self, column: str, value: str) -> bytes:
        """The table with another value in the first row."""
        rows = [list(row) for row in self.rows]
        rows[1][rows[0].index(column)] = value
        return self.written(rows)


def _manifest_rows() -> Rows:
    header = ["file", "plane", "seed", "settings", "scanner", "size", "drawn", "overlay", "tint", "pixel_size_mm"]
    header += ["rows", "columns", "adaptation", "real_file"]
    numbers = enumerate(("a", "b", "c"))
    return [header] + [
        [f"{name}.png", "BPD", str(seed), "train", "", "native", "", "", "", "0.3", "300", "400", "", ""]
        for seed, name in numbers
    ]


def _review_rows() -> Rows:
    header = ["reader", "model", "data", "image_id", "label", "predicted", "queue", "reading", "right_label", "valid"]
    header += ["causes", "comment", "made_at", "review_id"]
    answers = ["Ada", MODEL, "phantoms", "", "BPD", "NT", "random", "BPD", "BPD", "yes", "too_far", "a comment"]
    numbered = ((f"phantom-BPD-unseen-{number}", f"{number:032x}") for number in range(3))
    made_at = "2026-11-21T18:00:00+00:00"
    return [header, *([*answers[:3], image, *answers[4:], made_at, one] for image, one in numbered)]


FORMS = {
    form.kind: form
    for form in (
        Form(
            HC18,
            "training_set_pixel_size_and_HC.csv",
            ",",
            [["filename", "pixel size(mm)", "head circumference (mm)"]]
            + [[f"00{number}_HC.png", f"0.1{number}", f"17{number}.5"] for number in (1, 2, 3)],
            "filename",
            "pixel size(mm)",
        ),
        Form(
            PLANES,
            "FETAL_PLANES_DB_data.csv",
            ";",
            [["Image_name", "Patient_num", "Plane", "Brain_plane", "Operator", "US_Machine", "Train "]]
            + [[f"Patient0000{n}_Plane1", str(n), "Fetal brain", "Other", "Op. 1", "Voluson", "1"] for n in (1, 2, 3)],
            "Image_name",
            "Patient_num",
        ),
        Form(PHANTOMS, "manifest.csv", ",", _manifest_rows(), "file", "seed"),
        Form(REVIEWS, "reviews.csv", ",", _review_rows(), None, "made_at"),
    )
}


def write_data(folder: Path, case: Case) -> None:
    """The folder that a list belongs to: three frames, and the list beside them."""
    form = FORMS[case.kind]
    images = folder / "Images" if case.kind == PLANES else folder
    images.mkdir(parents=True, exist_ok=True)
    for number, row in enumerate(form.rows[1:]):
        name = row[0] if row[0].endswith(".png") else f"{row[0]}.png"
        (images / name).write_bytes(saved(np.full((8, 8), 60 * number, np.uint8), "PNG"))
    (folder / case.file).write_bytes(case.data)


def _common(form: Form) -> dict[str, tuple[bytes, str]]:
    """What can be wrong with any table."""
    header, first, *others = form.rows
    text = form.sound.decode()
    last = len(header) - 1
    made = {
        "a byte order mark": (b"\xef\xbb\xbf" + form.sound, READ),
        "line ends of Windows, doubled": (text.replace("\r\n", "\r\r\n").encode(), EITHER),
        "line ends of old Macs": (text.replace("\r\n", "\r").encode(), EITHER),
        "empty lines between": (text.replace("\r\n", "\r\n\r\n").encode(), READ),
        "UTF-16": (text.encode("utf-16"), REFUSED),
        "UTF-32": (text.encode("utf-32"), REFUSED),
        "Latin-1": (form.with_cell(header[0], "Müller").decode().encode("latin-1"), REFUSED),
        "nothing": (b"", REFUSED),
        "a byte order mark alone": (b"\xef\xbb\xbf", REFUSED),
        "line ends alone": (b"\r\n" * 50, REFUSED),
        "the header alone": (form.written([header]), REFUSED),
        "no header": (form.written(form.rows[1:]), REFUSED),
        "null bytes": (b"\0" * 400, REFUSED),
        "null bytes between": (text.replace(form.separator, "\0" + form.separator).encode(), REFUSED),
        "a quote that never closes": (form.written([header, first]) + b'"' + form.written(others), REFUSED),
        "a quote in the header that never closes": (b'"' + form.sound, REFUSED),
        "a cell of a million letters": (form.with_cell(header[0], "x" * MILLION), REFUSED),
        "a column's name of a million letters": (form.written([["x" * MILLION, *header[1:]], first]), REFUSED),
        "a million cells in a row": (
            form.written([header, first]) + form.separator.encode() * MILLION + b"\r\n",
            REFUSED,
        ),
        "a hundred thousand columns": (form.written([[*header, *map(str, range(100_000))], first]), EITHER),
        "a row too short": (form.written([header, first[:-1]]), REFUSED),
        "a row of one cell": (form.written([header, first[:1]]), REFUSED),
        "a row too long": (form.written([header, first, [*others[0], "more"]]), REFUSED),
        "all rows too long": (form.written([header, *([*row, "more"] for row in form.rows[1:])]), REFUSED),
        "all rows too long by an empty cell": (form.written([header, *(["", *row] for row in form.rows[1:])]), REFUSED),
        "another separator": (text.replace(form.separator, "\t").encode(), REFUSED),
        "column names in capitals": (
            text.replace(text.splitlines()[0], text.splitlines()[0].upper()).encode(),
            REFUSED,
        ),
        "every cell empty": (form.written([header, [""] * len(header)]), REFUSED),
        "a picture": (saved(np.zeros((50, 50), np.uint8), "PNG"), REFUSED),
        "a gzip of itself": (gzip.compress(form.sound, mtime=0), REFUSED),
        "noise": (np.random.default_rng(5).bytes(5000), REFUSED),
        "JSON": (b'[{"filename": "x"}]', REFUSED),
        "a page of the web": (b"<!DOCTYPE html><html><body>404, not found</body></html>", REFUSED),
        "the same column twice": (
            form.written([[header[0], *row] if row is header else [row[0], *row] for row in form.rows]),
            REFUSED,
        ),
        "the same column twice but for a space": (
            form.written([[header[0] + " ", *row] if row is header else [row[0], *row] for row in form.rows]),
            REFUSED,
        ),
        "a column of a row's number before": (
            form.written([["", *header], *([str(n), *row] for n, row in enumerate(form.rows[1:]))]),
            EITHER,
        ),
        "a number as a word": (form.with_cell(form.number, "ten"), REFUSED),
        "a number with a comma": (form.with_cell(form.number, "0,1"), REFUSED),
        "a number that is none": (form.with_cell(form.number, "nan"), REFUSED),
        "a number without end": (form.with_cell(form.number, "inf"), REFUSED),
        "a number of 10 to the 400th": (form.with_cell(form.number, "1e400"), REFUSED),
        "a number of ten thousand digits": (form.with_cell(form.number, "9" * 10_000), REFUSED),
        "a number in digits of another script": (form.with_cell(form.number, "٣"), EITHER),
        "a negative number": (form.with_cell(form.number, "-4"), EITHER if form.kind == PLANES else REFUSED),
        "a formula": (form.with_cell(header[1], '=HYPERLINK("http://evil.example")'), EITHER),
        "a cell of terminal commands": (form.with_cell(header[last], "\x1b[31mred\x1b[0m"), EITHER),
    }
    for place, name in enumerate(header):
        rows = [[cell for at, cell in enumerate(row) if at != place] for row in form.rows]
        made[f"no column {name.strip()!r}"] = (form.written(rows), REFUSED)
    return made


def _if_told(form: Form, data: bytes, says: str) -> str:
    """A manifest is told from other tables of its name by its header; any other is passed over, not refused."""
    header = form.written(form.rows[:1])
    return says if says == READ or data.removeprefix(b"\xef\xbb\xbf").startswith(header) else EITHER


def _names(form: Form) -> dict[str, tuple[bytes, str]]:
    """What can be wrong with the name of a file in a list."""
    ending = "" if form.kind == PLANES else ".png"
    values = {
        "a name that leads out of the folder": (f"../../etc/passwd{ending}", r"leads out"),
        "a name that leads out and back": (f"x/../../{'y' * 9}{ending}", r"leads out"),
        "an absolute name": (f"/etc/passwd{ending}", r"leads out"),
        "a name of Windows with a drive": (f"C:\\x{ending}", EITHER),
        "a name with a null": (f"a\0b{ending}", REFUSED),
        "a name of 5000 letters": ("x" * 5000 + ending, EITHER),
        "a name of 255 bytes": ("ü" * 125 + ending, EITHER),
        "a name of two lines": (f"two\nlines{ending}", EITHER),
        "a name that is empty": ("", EITHER),
        "a name of a dot": (".", EITHER),
        "a name of Unicode": (f"صورة 👶🏽{ending}", EITHER),
        "a name that is not there": (f"999_HC{ending}", EITHER),
    }
    return {what: (form.with_cell(form.names, value), says) for what, (value, says) in values.items()}


def _reviews(form: Form) -> dict[str, tuple[bytes, str]]:
    """What can be wrong with a review."""
    cells = {
        "a model that is not here": ("model", "../../evil", r"is not installed"),
        "a label that is none": ("label", "KNEE", r"is none of"),
        "a queue that is none": ("queue", "cinema", r"is none of"),
        "an image that is none": ("image_id", "../../etc/passwd", r"is no sample or phantom"),
        "a verdict that is none": ("valid", "maybe", r"write yes, no or nothing"),
        "a verdict of a hundred thousand letters": ("valid", "y" * 100_000, r"write yes, no or nothing"),
        "a cause that is none": ("causes", "boredom", r"is none of"),
        "a cause of a hundred thousand letters": ("causes", "b" * 100_000, r"is none of"),
        "a time without a zone": ("made_at", "2026-11-21T18:00:00", r"time zone"),
        "a time before all times": ("made_at", "0001-01-01T00:00:00+23:59", r"Line 2"),
        "a time after all times": ("made_at", "9999-12-31T23:59:59-23:59", r"Line 2"),
        "a time of a hundred thousand digits": ("made_at", "2" * 100_000, r"The time .* is none"),
        "a comment of three thousand letters": ("comment", "x" * 3000, r"at most 2000"),
        "a comment of half a character": (
            "comment",
            "x\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
            EITHER,
        ),
        "a name of control characters": ("reader", "A\x07da", r"control character"),
        "a name of spaces": ("reader", "   ", r"is missing"),
        "a number that is no number": ("review_id", "not hexadecimal", r"hexadecimal"),
        "a number of a hundred thousand digits": ("review_id", "0" * 100_000, r"hexadecimal"),
        "the number of another review": ("review_id", f"{1:032x}", r"repeats the review_id"),
    }
    made = {what: (form.with_cell(column, value), says) for what, (column, value, says) in cells.items()}
    header, first = form.rows[:2]
    many = [[*first[:-1], "bad"] for _ in range(20_000)]
    made["twenty thousand bad rows"] = (form.written([header, *many]), r"more lines")
    made["21 MB"] = (form.sound + b"\r\n" * (11 * 2**20), r"larger than 20 MB")
    return made


@cache
def table_cases() -> tuple[Case, ...]:
    """All hostile and broken tables."""
    found: list[Case] = []
    for form in FORMS.values():
        made = _common(form)
        made |= _reviews(form) if form.kind == REVIEWS else _names(form)
        if form.kind == PHANTOMS:
            made = {what: (data, _if_told(form, data, says)) for what, (data, says) in made.items()}
        found += [Case(form.kind, what, form.file, data, says) for what, (data, says) in made.items()]
        found += cuts(form.kind, form.file, form.sound, EITHER)
    return tuple(found)
