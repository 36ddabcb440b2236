"""Which frames the head circumference page refuses, and how far off it is where it does not.

    python -m benchmarks.head_refusals --hc18 DIR --raw DIR > docs/head_refusals.md

Frames that show no head: raw screens of other planes and phantoms. Heads: frames of HC18, raw screens and phantoms, all
of them wrongly refused. Corrupted heads: frames of HC18 under each corruption at its five severities. With ``--split
validation`` the frames of HC18 are those that the bounds were set on, and the table decides what is tolerated
(``core.biometry.refusal.TOLERATED``); the default are test frames, which decided nothing.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from core.biometry.calibration import settings_of
from core.biometry.distortion import distorted, movement
from core.biometry.reading import HeadReader, HeadReading, default_cards, open_reader
from core.biometry.training import sides
from core.corruption import CORRUPTIONS
from core.corruption.severity import LEVELS, intensity_of
from core.datasets import Table, load, read_pixels
from core.evaluation import Share, bootstrap_by_patient, share_by_patient, wilson
from core.preprocessing import clean

HEAD_PLANES, OTHER_PLANES = ("BPD", "brain"), ("CRL", "NT", "abdomen", "femur", "thorax")
RAW_HEADS = ("brain_cb.png", "brain_tv.png")
COLUMNS = ("kind", "severity", "patient", "error_mm", "inside", "refused")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hc18", type=Path, required=True)
    parser.add_argument("--raw", type=Path, required=True, help="raw screens; those of heads are named brain_*")
    parser.add_argument("--split", default="test", choices=("test", "validation"), help="of HC18")
    parser.add_argument("--frames", type=int, default=40, help="of HC18 under each corruption")
    parser.add_argument("--phantoms", type=int, default=20, help="of each plane")
    parser.add_argument("--kind", action="append", help="only this corruption")
    options = parser.parse_args()
    card = default_cards()[1]
    reader = open_reader(card.name)
    table = load(options.hc18)
    chosen = table.where(split="test") if options.split == "test" else sides(table, settings_of(card))[1]
    print("# Frames that are not measured\n")
    print(
        f"Printed by `python -m benchmarks.head_refusals`: {reader.regressor.card.name} and {card.name} with the "
        "detector of corruptions and the model of anatomies, as on the page *Head circumference*. 95 % intervals, "
        f"by examination where the frames are HC18's. HC18: {options.split} frames"
        + (", which decided nothing.\n" if options.split == "test" else ", on which the bounds were set.\n")
    )
    _planes(reader, options.raw, options.phantoms, chosen, options.split)
    _corrupted(reader, chosen, options.frames, options.kind or list(CORRUPTIONS))


def _planes(reader: HeadReader, raw: Path, phantoms: int, heads: Table, split: str) -> None:
    screens = sorted(raw.glob("*.png"))
    print("## Planes\n\n| frames | real | shows a head | n | refused |\n|---|---|---|---|---|")
    rows = []
    for shows, title in ((False, "raw screens without a head's plane"), (True, "raw screens of heads")):
        paths = [path for path in screens if (path.name in RAW_HEADS) == shows]
        rows.append((title, "real", shows, _refused(reader, paths)))
    for plane in (*OTHER_PLANES, *HEAD_PLANES):
        paths = list(load(f"phantom:{plane}:{phantoms}:unseen").paths)
        rows.append((f"phantoms, {plane}", "simulated", plane in HEAD_PLANES, _refused(reader, paths)))
    for title, sort, shows, refused in rows:
        found = wilson(int(np.sum(refused)), len(refused))
        print(f"| {title} | {sort} | {'yes' if shows else 'no'} | {found.n} | {_percent(found)} |", flush=True)
    refused = share_by_patient(_refused(reader, heads.paths), heads.frame["patient"].to_numpy())
    print(f"| HC18, {split} | real | yes | {refused.n} | {_percent(refused)} |\n", flush=True)


def _refused(reader: HeadReader, paths: Sequence[str | Path]) -> np.ndarray:
    return np.array([bool(reader.read(read_pixels(path)).refusals) for path in paths])


def _corrupted(reader: HeadReader, heads: Table, count: int, kinds: list[str]) -> None:
    chosen = np.linspace(0, len(heads) - 1, min(count, len(heads))).round().astype(int)
    rows = heads.frame.iloc[chosen].to_dict("records")
    print(
        "## Corrupted heads\n\nThe outline's absolute error against the published circumference (times the "
        "magnification, under scale up), of all frames in which one was found and of those that were accepted; "
        f"n = {len(rows)} frames at each severity.\n"
    )
    print("| corruption | severity | mean error, mm | refused | mean error of accepted, mm | in 90 % interval |")
    print("|---|---|---|---|---|---|")
    cleaned = [clean(read_pixels(row["path"]), reader.settings) for row in rows]
    sizes = [row["pixel_size_mm"] for row in rows]
    for kind, severity in [("none", 0), *((kind, severity) for kind in kinds for severity in range(1, LEVELS + 1))]:
        frames, growth = cleaned, [1.0] * len(rows)
        if severity:
            intensity = intensity_of(kind, severity)
            frames = [distorted(one, kind, intensity, seed) for seed, one in enumerate(cleaned)]
            growth = [np.sqrt(abs(np.linalg.det(movement(kind, intensity, one.gray.shape)[:, :2]))) for one in cleaned]
        answers = zip(rows, growth, reader.read_cleaned(frames, sizes), strict=True)
        found = pd.DataFrame([_row(kind, severity, *answer) for answer in answers], columns=list(COLUMNS))
        accepted = found[~found["refused"]]
        cells = [_error(found), _percent(share_by_patient(found["refused"], found["patient"])), _error(accepted)]
        inside = share_by_patient(accepted["inside"], accepted["patient"])
        print(f"| {kind} | {severity} | {' | '.join(cells)} | {_percent(inside)} |", flush=True)


def _row(kind: str, severity: int, row: dict, growth: float, reading: HeadReading) -> tuple:
    truth, outline = row["circumference_mm"] * growth, reading.segmentation
    error = np.nan if outline is None else abs(outline.mm - truth)
    inside = outline is not None and outline.low_mm is not None and outline.low_mm <= truth <= outline.high_mm
    return kind, severity, row["patient"], error, inside, bool(reading.refusals)


def _error(rows: pd.DataFrame) -> str:
    known = rows.dropna(subset="error_mm")
    if known.empty:
        return ""
    found = bootstrap_by_patient(known["error_mm"].to_numpy(), known["patient"].to_numpy())
    return f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}]"


def _percent(share: Share) -> str:
    return f"{share.value:.0%} [{share.low:.0%}, {share.high:.0%}]" if share.n else ""


if __name__ == "__main__":
    main()
