"""What a screening leaves behind: tables, counts with their intervals, and contact sheets by verdict."""

from __future__ import annotations

import contextlib
import json
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFont

from core.errors import DatasetError, PlaneLabError
from core.evaluation import Share, wilson
from core.figures import share_text
from core.files import whole
from core.image_formats import is_dicom
from core.images import encode_png
from core.preprocessing import PreprocessingSettings, clean
from core.screening.engine import read_frame
from core.screening.rules import KEEP, RULES, SAME, UNREADABLE, VERDICTS, Thresholds
from core.screening.sources import Source

CSV_NAME, JSONL_NAME = "rows.csv", "rows.jsonl"
SUMMARY_NAME, REPORT_NAME = "report.json", "report.md"
SHEET_FRAMES = 48
MOST_ZIPPED = 500 * 2**20
TILE = 160
_COLUMNS, _CAPTION, _GAP = 8, 30, 4
_CHUNK = 5000
_FIRST = ("path", "frame", "frames", "verdict", "reason", "rules", "copy_of")
_RULE_TITLES = {UNREADABLE: "cannot be read", SAME: "same pixels as another frame"} | {
    rule.name: rule.title for rule in RULES.values()
}


def table_of(rows: pd.DataFrame) -> pd.DataFrame:
    """Judged rows in the order in which they are written, without what only a journal needs."""
    others = [name for name in rows if name not in (*_FIRST, "stamp")]
    return rows[[*_FIRST, *others]]


def to_csv(rows: pd.DataFrame) -> bytes:
    """The table, UTF-8."""
    return table_of(rows).to_csv(index=False).encode()


def json_lines(rows: pd.DataFrame) -> Iterable[str]:
    """One JSON object a frame; what was not measured is null."""
    table = table_of(rows)
    for start in range(0, len(table), _CHUNK):
        for row in table.iloc[start : start + _CHUNK].to_dict("records"):
            yield json.dumps({name: None if value != value else value for name, value in row.items()}) + "\n"


def summary_of(
    rows: pd.DataFrame, thresholds: Thresholds, classes: Sequence[str], about: Mapping[str, Any], left_out: int = 0
) -> dict[str, Any]:
    """Counts of verdicts, reasons and classes, with everything that they hang on.

    Parameters
    ----------
    rows : pandas.DataFrame
        Judged.
    about : dict
        Source and models, as in the journal.
    left_out : int
        Files that are no images by their names.
    """
    readable = rows[rows["error"] == ""]
    labels = readable.loc[readable["verdict"] == KEEP, "label"].tolist()
    return {
        **about,
        "files": int(rows["path"].nunique()),
        "frames": len(rows),
        "left_out": left_out,
        "verdicts": {name: _share(int((rows["verdict"] == name).sum()), len(rows)) for name in VERDICTS},
        "reasons": _reasons(rows),
        "classes": {
            name: _class_counts(readable[readable["label"] == name])
            | {"of_kept": _share(labels.count(name), len(labels))}
            for name in classes
        },
        "thresholds": thresholds.to_dict(),
    }


def _class_counts(rows: pd.DataFrame) -> dict[str, int]:
    return {verdict: int((rows["verdict"] == verdict).sum()) for verdict in VERDICTS}


def _reasons(rows: pd.DataFrame) -> dict[str, dict[str, int]]:
    """How many frames broke each rule, by verdict; a frame may have broken several."""
    told = rows[["verdict", "rules"]].assign(rule=rows["rules"].str.split(", ")).explode("rule")
    counts = pd.crosstab(told["rule"], told["verdict"])
    return {
        name: {verdict: int(counts.loc[name].get(verdict, 0)) for verdict in VERDICTS[1:]}
        for name in _RULE_TITLES
        if name in counts.index
    }


def _share(count: int, n: int) -> dict[str, Any]:
    share = wilson(count, n) if n else None
    return {
        "count": count,
        "n": n,
        "share": share and share.value,
        "ci_low": share and share.low,
        "ci_high": share and share.high,
    }


def report_text(summary: Mapping[str, Any]) -> str:
    """The summary as Markdown, for people."""
    lines = [
        "# Screening",
        "",
        f"{summary['frames']} frames of {summary['files']} files in {summary['source']}; "
        f"{summary['left_out']} other files are no images by their names and were left out. Planes by "
        f"{summary['model']['name']}, corruption by {summary['detector']['name']}. No medical device.",
        "",
        "| verdict | frames | share, 95 % interval |",
        "|---|---|---|",
        *(f"| {name} | {one['count']} | {_share_text(one)} |" for name, one in summary["verdicts"].items()),
        "",
        "## Reasons",
        "",
        "| reason | frames to review | frames to discard |",
        "|---|---|---|",
        *(
            f"| {_rule_text(name, summary)} | {one['review']} | {one['discard']} |"
            for name, one in summary["reasons"].items()
        ),
        "",
        "A frame counts under each of its reasons, in the column of its verdict.",
        "",
        "## Class balance",
        "",
        "As the model calls them, which is no label by an expert.",
        "",
        "| class | keep | review | discard | share of the kept, 95 % interval |",
        "|---|---|---|---|---|",
        *(
            f"| {name} | {one['keep']} | {one['review']} | {one['discard']} | {_share_text(one['of_kept'])} |"
            for name, one in summary["classes"].items()
        ),
    ]
    return "\n".join(lines) + "\n"


def _share_text(share: Mapping[str, Any]) -> str:
    if not share["n"]:
        return "-"
    return share_text(Share(share["share"], share["ci_low"], share["ci_high"], share["n"]))


def _rule_text(name: str, summary: Mapping[str, Any]) -> str:
    """What a rule watches, with its limits."""
    limits = summary["thresholds"].get(name)
    if limits is None:
        return _RULE_TITLES[name]
    shown = ", ".join(f"{limit:.4g} to {verdict}" for verdict, limit in limits.items() if limit is not None)
    return f"{_RULE_TITLES[name]} {shown}"


def write_report(
    folder: Path,
    rows: pd.DataFrame,
    summary: Mapping[str, Any],
    source: Source,
    settings: PreprocessingSettings,
    report: Callable[[str], None] = lambda line: None,
) -> None:
    """Write tables, report and a contact sheet a verdict into a folder; sheets of verdicts that no frame has go.

    Parameters
    ----------
    settings : PreprocessingSettings
        By which the pictures are cleaned: a raw screen may bear a name.
    report : callable
        Told the name of each file.
    """
    _write(folder / CSV_NAME, [to_csv(rows)], report)
    _write(folder / JSONL_NAME, (line.encode() for line in json_lines(rows)), report)
    _write(folder / SUMMARY_NAME, [json.dumps(summary, indent=1).encode() + b"\n"], report)
    _write(folder / REPORT_NAME, [report_text(summary).encode()], report)
    for verdict in VERDICTS:
        path = folder / f"{verdict}.png"
        sheet = contact_sheet(source, rows, verdict, settings)
        if sheet is None:
            path.unlink(missing_ok=True)
        else:
            _write(path, [encode_png(sheet)], report)


def _write(path: Path, parts: Iterable[bytes], report: Callable[[str], None]) -> None:
    """Whole or not at all."""
    with whole(path) as draft, draft.open("wb") as file:
        file.writelines(parts)
    report(path.name)


def chosen_for_sheet(rows: pd.DataFrame, verdict: str, n: int = SHEET_FRAMES) -> pd.DataFrame:
    """At most ``n`` readable frames of a verdict: spread over all kept ones, by reason of the others."""
    found = rows[(rows["verdict"] == verdict) & (rows["error"] == "")]
    if verdict != KEEP:
        found = found.sort_values("rules", kind="stable")
    places = np.unique(np.linspace(0, max(0, len(found) - 1), min(n, len(found))).round().astype(int))
    return found.iloc[places]


def thumbnail(
    source: Source, name: str, frame: int, settings: PreprocessingSettings, side: int = TILE
) -> np.ndarray | None:
    """A cleaned frame as a square (side, side) uint8 with black around it; None where it can no longer be read."""
    try:
        gray = clean(read_frame(source.read(name), name, frame), settings).gray
    except PlaneLabError:
        # It has a row that tells why, or has gone since.
        return None
    factor = side / max(gray.shape)
    size = tuple(max(1, round(length * factor)) for length in gray.shape[::-1])
    small = cv2.resize(gray, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)
    square = np.zeros((side, side), np.uint8)
    top, left = (side - small.shape[0]) // 2, (side - small.shape[1]) // 2
    square[top : top + small.shape[0], left : left + small.shape[1]] = small
    return square


def contact_sheet(
    source: Source, rows: pd.DataFrame, verdict: str, settings: PreprocessingSettings, n: int = SHEET_FRAMES
) -> np.ndarray | None:
    """Small pictures of a verdict's frames with name, class and reasons, (H, W) uint8; None where there are none."""
    chosen = chosen_for_sheet(rows, verdict, n).to_dict("records")
    if not chosen:
        return None
    n_rows = -(-len(chosen) // _COLUMNS)
    columns = min(_COLUMNS, len(chosen))
    canvas = Image.new("L", (columns * (TILE + _GAP) + _GAP, n_rows * (TILE + _CAPTION + _GAP) + _GAP), 24)
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(11)
    for place, row in enumerate(chosen):
        left = _GAP + place % _COLUMNS * (TILE + _GAP)
        top = _GAP + place // _COLUMNS * (TILE + _CAPTION + _GAP)
        picture = thumbnail(source, row["path"], row["frame"], settings)
        if picture is not None:
            canvas.paste(Image.fromarray(picture), (left, top))
        second = f"{row['label']} {row['confidence']:.2f}" if verdict == KEEP else row["rules"]
        for line, text in enumerate((_name_text(row), second)):
            draw.text((left + 2, top + TILE + 2 + 13 * line), _fitting(draw, text, font), fill=220, font=font)
    return np.array(canvas)


def _name_text(row: Mapping[str, Any]) -> str:
    frame = f" #{row['frame'] + 1}" if row["frames"] > 1 else ""
    return row["path"].rpartition("/")[2] + frame


def _fitting(draw: ImageDraw.ImageDraw, text: str, font: Any) -> str:
    """As much of the end of a text as a tile holds: names differ there."""
    text = text.encode("ascii", "replace").decode()
    while draw.textlength(text, font=font) > TILE - 4:
        text = text[1:]
    return text


def zip_of_kept(source: Source, rows: pd.DataFrame) -> bytes:
    """The kept files as a ZIP that adds nothing to their size; one that can no longer be read is left out.

    DICOM files hold names: in their place are their kept frames as PNG, without what surrounds the sector.

    Raises
    ------
    DatasetError
        If they are too large for memory.
    """
    kept = rows[rows["verdict"] == KEEP]
    files = kept.drop_duplicates("path")
    if files["bytes"].sum() > MOST_ZIPPED:
        raise DatasetError(
            f"The kept files have more than {MOST_ZIPPED // 2**20} MB; copy them on the server with "
            "python -m core screen."
        )
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in files["path"]:
            with contextlib.suppress(PlaneLabError):
                data = source.read(name)
                if not is_dicom(data):
                    archive.writestr(name, data)
                    continue
                for frame in kept["frame"][kept["path"] == name]:
                    archive.writestr(f"{name} frame {frame + 1}.png", encode_png(read_frame(data, name, frame)))
    return packed.getvalue()
