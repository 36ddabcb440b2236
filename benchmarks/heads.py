"""Head circumference: error, agreement and interval of the models, beside what is published.

    python -m benchmarks.heads [COMPARISON.csv ...] > docs/head_circumference.md

Nothing is measured again: everything stands in the models' ``evaluation.csv``, written by the commands in
models/README.md, and in the ``comparison.csv`` of cross-validations.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from core.biometry.assessment import TRIMESTERS, figures_of, read_head_evaluation
from core.biometry.reading import TASK
from core.evaluation import Share
from core.published import HEADS
from core.zoo import list_cards
from core.zoo.cards import Card


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("comparisons", type=Path, nargs="*", metavar="COMPARISON.csv")
    options = parser.parse_args()
    cards = [card for card in list_cards() if card.task == TASK]
    print("# Head circumference\n")
    print(
        "Printed by `python -m benchmarks.heads` from the models' evaluation.csv. Errors in mm against the published "
        "circumference, of frames that the model was not trained on; 95 % bootstrap intervals that draw whole "
        "examinations. Limits of agreement are bias -+ 1.96 standard deviations (Bland and Altman 1986). Trimesters are "
        "told by the circumference under the formula of Hadlock et al. 1984, below 14 and below 28 weeks.\n"
    )
    for card in cards:
        _model(card)
    _intervals(cards)
    for path in options.comparisons:
        _comparison(path)
    print("## Published\n\n| what | data | mean absolute error | source | remark |\n|---|---|---|---|---|")
    for one in HEADS:
        error = f"{one.mean_mm:.2f} ± {one.deviation_mm:.2f} mm"
        print(f"| {one.title} | {one.data} | {error} | {one.source} | {one.remark} |")


def _model(card: Card) -> None:
    rows = read_head_evaluation(card.name)
    print(f"## {card.name}: {card.title}\n")
    if rows.empty:
        print(f"Not evaluated: `python -m core evaluate --model {card.name} --data DIR --record NAME`.\n")
        return
    heads = ("data", "frames", "mean error", "median", "bias", "limits of agreement", "relative", "in 90 % interval")
    print(f"| {' | '.join(heads)} | refused | Dice | Hausdorff |\n|{'---|' * (len(heads) + 3)}")
    for data, group in rows.groupby("data", sort=False):
        new = group[~group["trained_on"].astype(bool)]
        _line(data, new)
        for name in TRIMESTERS:
            part = new[new["trimester"] == name]
            if len(part):
                _line(f"{data}, {name} trimester", part)
        accepted = new[new["refused"] == ""]
        if len(accepted) < len(new):
            _line(f"{data}, accepted", accepted)
    print()


def _line(name: str, rows: pd.DataFrame) -> None:
    figures = figures_of(rows)
    limits = f"{_mm(figures['loa_low'])} to {_mm(figures['loa_high'])}"
    cells = [name, str(figures["mae"].n), _mm(figures["mae"]), _mm(figures["median"]), _mm(figures["bias"]), limits]
    cells += [_percent(figures[key]) for key in ("relative", "coverage", "refused", "dice")]
    print(f"| {' | '.join(cells)} | {_mm(figures['hausdorff'])} |")


def _intervals(cards: list[Card]) -> None:
    print("## Prediction intervals\n")
    print("Split conformal on the validation frames, each examination counted once; relative to the value.\n")
    print("| model | 90 % interval | frames | examinations |\n|---|---|---|---|")
    for card in cards:
        interval = card.measurement.get("interval", {})
        half = interval.get("relative")
        width = "none" if half is None else f"± {100 * half:.1f} %"
        print(f"| {card.name} | {width} | {interval.get('n', 0)} | {interval.get('n_examinations', 0)} |")
    print()


def _comparison(path: Path) -> None:
    print(f"## Compared out of fold ({path.name})\n")
    print(
        "| backbone | output | loss | folds | frames | mean error | median | bias |\n|---|---|---|---|---|---|---|---|"
    )
    for row in pd.read_csv(path).to_dict("records"):
        errors = " | ".join(
            f"{row[f'{key}_mm']:.2f} [{row[f'{key}_low']:.2f}, {row[f'{key}_high']:.2f}]"
            for key in ("mae", "median", "bias")
        )
        print(f"| {row['backbone']} | {row['output']} | {row['loss']} | {row['folds']} | {row['n']} | {errors} |")
    print()


def _mm(share: Share) -> str:
    return f"{share.value:.2f} [{share.low:.2f}, {share.high:.2f}]" if share.n else ""


def _percent(share: Share) -> str:
    return f"{100 * share.value:.1f} % [{100 * share.low:.1f}, {100 * share.high:.1f}]" if share.n else ""


if __name__ == "__main__":
    main()
