"""The detectors beside the thesis's tables 5 to 8, by intensity and by SSIM: ``python -m benchmarks.detectors``.

Nothing is predicted again: everything stands in the models' ``evaluation.csv.gz``, written by the commands in
models/README.md. Printed as Markdown for docs/detectors.md.
"""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd

from core.evaluation import Share, class_measures, share_by_patient
from core.published import PublishedModel, published_models
from core.zoo import list_cards
from core.zoo.assessment import matrix_of, read_evaluation
from core.zoo.cards import Card
from core.zoo.detection import ORIGINAL

BASIC, FULL, LIMITS, SEVERITIES = (
    f"HC18 held out, {name}" for name in ("basic", "full range", "limits", "every severity")
)
SSIM_EDGES = (0.0, 0.2, 0.4, 0.6, 0.8, 0.9, 1.0)


def main() -> None:
    cards = [card for card in list_cards() if card.task == "corruption"]
    rows = {card.name: read_evaluation(card.name, classes=card.classes) for card in cards}
    print("# Detectors of corruption\n")
    print(
        "Printed by `python -m benchmarks.detectors` from the models' evaluations. Real frames of HC18's held-out "
        "examinations and of GE screens, corrupted by simulation; 95 % intervals by examination. The likeliest class "
        "is the answer; a detector of severities also knows *unknown*, which stands in the second table. *Full range*: "
        "steps from the thesis's limit to the end of the range, clean frames counted as often; *limits*: the same, and "
        "for originals copies corrupted less than the limit, as the thesis labelled them.\n"
    )
    _overview(cards, rows)
    _alarms(cards, rows)
    full_range = "full range of intensities"
    for data, published in ((BASIC, "basic test"), (FULL, full_range), (LIMITS, full_range)):
        _beside_published(cards, rows, data, published)
    _by_intensity(cards, rows)
    _by_ssim(cards, rows)
    _by_severity(cards, rows)


def _of(rows: pd.DataFrame, data: str) -> pd.DataFrame:
    return rows[rows["data"] == data] if len(rows) else rows


def _right(rows: pd.DataFrame) -> Share:
    return share_by_patient(rows["label"] == rows["predicted"], rows["patient"])


def _overview(cards: list[Card], rows: dict[str, pd.DataFrame]) -> None:
    names = list(dict.fromkeys(name for each in rows.values() if len(each) for name in each["data"]))
    print("## Accuracy\n")
    print(f"| data | {' | '.join(card.name for card in cards)} |\n|{'---|' * (1 + len(cards))}")
    for data in names:
        chosen = [_of(rows[card.name], data) for card in cards]
        print(f"| {data} | {' | '.join(str(_right(one)) if len(one) else 'not run' for one in chosen)} |")


def _alarms(cards: list[Card], rows: dict[str, pd.DataFrame]) -> None:
    print("\n## Clean frames: called corrupted, called unknown\n")
    print("| detector | data | called corrupted (false alarms) | called unknown |\n|---|---|---|---|")
    for card in cards:
        for data, group in rows[card.name].groupby("data", sort=False) if len(rows[card.name]) else ():
            clean = group[(group["label"] == ORIGINAL) & (group["kind"] == ORIGINAL)]
            if not len(clean):
                continue
            unknown = clean["verdict"] == "unknown"
            alarms = ~unknown & (clean["verdict"] != ORIGINAL)
            shares = " | ".join(str(share_by_patient(hits, clean["patient"])) for hits in (alarms, unknown))
            print(f"| {card.name} | {data} | {shares} |")


def _beside_published(cards: list[Card], rows: dict[str, pd.DataFrame], data: str, title: str) -> None:
    print(f"\n## {data}, beside the thesis's {title}\n")
    for card in cards:
        ours = _of(rows[card.name], data)
        if not len(ours):
            continue
        there = [one for one in published_models("corruption", card.backbone) if title in one.title]
        print(f"**{card.name}**" + (f", beside {there[0].title} ({there[0].source})" if there else ""), end="\n\n")
        print("| class | precision | recall | F1 | n | published precision, recall, F1, n |\n|---|---|---|---|---|---|")
        measured = class_measures(matrix_of(ours, card.classes), card.classes)
        for measures in (one for one in measured if one.support):
            print(
                f"| {measures.name} | {measures.precision.value:.3f} | {measures.sensitivity.value:.3f} "
                f"| {measures.f1:.3f} | {measures.support} | {_printed(there, measures.name)} |"
            )
        print()


def _printed(there: list[PublishedModel], name: str) -> str:
    if not there or name not in there[0].per_class:
        return "none"
    figures = there[0].per_class[name]
    return ", ".join(f"{figures[key]:g}" for key in ("precision", "sensitivity", "f1", "support"))


def _by_intensity(cards: list[Card], rows: dict[str, pd.DataFrame]) -> None:
    print("\n## By intensity: called the right kind, and with copies below the limit called original\n")
    print("| kind | intensity | " + " | ".join(card.name for card in cards) + f" |\n|{'---|' * (2 + len(cards))}")
    shown = {card.name: _of(rows[card.name], LIMITS) for card in cards}
    first = next((one for one in shown.values() if len(one)), pd.DataFrame())
    if first.empty:
        return
    for (kind, intensity), _ in first.groupby(["kind", "intensity"]):
        cells = []
        for each in shown.values():
            group = each[(each["kind"] == kind) & np.isclose(each["intensity"], intensity)] if len(each) else each
            if not len(group):
                cells.append("not run")
                continue
            named, right = (group["predicted"] == kind).mean(), (group["predicted"] == group["label"]).mean()
            cells.append(f"{named:.1%}; {right:.1%}")
        print(f"| {kind} | {intensity:g} | {' | '.join(cells)} |")


def _by_ssim(cards: list[Card], rows: dict[str, pd.DataFrame]) -> None:
    print("\n## By SSIM (Wang's, in the sector), corrupted copies of the full range called the right kind\n")
    print("| SSIM | " + " | ".join(card.name for card in cards) + f" |\n|{'---|' * (1 + len(cards))}")
    for low, high in itertools.pairwise(SSIM_EDGES):
        cells = []
        for card in cards:
            each = _of(rows[card.name], FULL)
            group = (
                each[(each["kind"] != ORIGINAL) & (each["ssim"] > low) & (each["ssim"] <= high)] if len(each) else each
            )
            cells.append(str(_right(group)) if len(group) else "no image")
        print(f"| {low:g} to {high:g} | {' | '.join(cells)} |")


def _by_severity(cards: list[Card], rows: dict[str, pd.DataFrame]) -> None:
    for card in cards:
        each = _of(rows[card.name], SEVERITIES)
        if not len(each):
            continue
        print(f"\n## {card.name}, every kind at each severity: named in the verdict\n")
        print("| kind | 1 | 2 | 3 | 4 | 5 |\n|---|---|---|---|---|---|")
        for kind, group in each[each["kind"] != ORIGINAL].groupby("kind", sort=False):
            levels = sorted(group["intensity"].unique())
            named = [kind in label.split(" + ") for label in group["verdict"]]
            shares = [np.mean([hit for hit, one in zip(named, group["intensity"], strict=True) if one == level])
                      for level in levels]  # fmt: skip
            print(f"| {kind} | {' | '.join(f'{share:.0%}' for share in shares)} |")
        print(f"\nn = {each['patient'].nunique()} examinations, {len(each)} images.")


if __name__ == "__main__":
    main()
