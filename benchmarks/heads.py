"""Head circumference: error, agreement and interval of the models, beside what is published.

    python -m benchmarks.heads > docs/head_circumference.md

Nothing is measured again: everything stands in the models' ``evaluation.csv.gz``, ``validation.csv`` and
``out_of_fold.csv``, written by the commands in models/README.md.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from core.biometry.assessment import TRIMESTERS, figures_of, read_head_evaluation
from core.biometry.calibration import HEADS_NAME, OTHERS_NAME
from core.biometry.cross_validation import as_rows
from core.biometry.interval import SHARES, relative_of
from core.biometry.reading import TASK
from core.evaluation import Share
from core.published import HEADS
from core.zoo import list_cards
from core.zoo.cards import Card
from core.zoo.registry import MODELS_FOLDER


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    cards = [card for card in list_cards() if card.task == TASK]
    print("# Head circumference\n")
    print(
        "Printed by `python -m benchmarks.heads` from the models' evaluations. Errors in mm against the published "
        "circumference, of frames that the model was not trained on; 95 % bootstrap intervals that draw whole "
        "examinations. Limits of agreement are bias -+ 1.96 standard deviations (Bland and Altman 1986). Trimesters "
        "are told by the circumference under the formula of Hadlock et al. 1984, below 14 and below 28 weeks.\n"
    )
    final = [card for card in cards if card.training["fold"] is None]
    for card in final:
        _model(card)
    _intervals(final)
    _folds(final)
    _comparison([card for card in cards if card not in final])
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
    print(
        "Split conformal on the validation frames, each examination counted once; half the width over the value, by "
        "the predicted circumference over the side of the network's input. How the width goes with size is told by the "
        "predictions out of fold below.\n"
    )
    print(f"| model | {' | '.join(f'at {share:g}' for share in SHARES)} | frames | examinations |")
    print(f"|---|{'---|' * len(SHARES)}---|---|")
    for card in cards:
        interval = card.measurement.get("interval", {})
        halves = [relative_of(card, share) for share in SHARES]
        cells = ["none" if half is None else f"± {half:.1%}".replace("%", " %") for half in halves]
        print(f"| {card.name} | {' | '.join(cells)} | {interval.get('n', 0)} | {interval.get('n_examinations', 0)} |")
    print()


def _folds(cards: list[Card]) -> None:
    print("## Out of fold\n")
    print(
        "Five folds by examination over all frames that are no test data: each frame is measured by the one network of "
        "five that has not seen it. The networks are smaller and trained for less long than those above "
        "(`python -m core cross-validate` in models/README.md), so their errors are larger.\n"
    )
    _errors([(f"like {card.name}", MODELS_FOLDER / card.name / OTHERS_NAME) for card in cards], trimesters=True)


def _comparison(cards: list[Card]) -> None:
    print("## Backbones and losses\n")
    print(
        "Trained alike on four folds and measured on the fifth; cards, histories and predictions ship, weights do not. "
        "What each backbone starts from stands in its card: MobileNetV2 from all of its ImageNet weights, VGG16 from "
        "those of its first three blocks, which stay as they are, and ResNet50 from random values, because no weights "
        "of it are at hand. So this compares starts as well as backbones.\n"
    )
    _errors([(card.title, MODELS_FOLDER / card.name / HEADS_NAME) for card in cards], trimesters=False)


def _errors(tables: list[tuple[str, Path]], *, trimesters: bool) -> None:
    heads = ("model", "frames", "mean error", "median", "bias", "limits of agreement", "relative")
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for title, path in tables:
        if not path.is_file():
            continue
        rows = as_rows(pd.read_csv(path))
        parts = {title: rows}
        if trimesters:
            parts |= {f"{title}, {name} trimester": rows[rows["trimester"] == name] for name in TRIMESTERS}
        for name, part in parts.items():
            figures = figures_of(part)
            limits = f"{_mm(figures['loa_low'])} to {_mm(figures['loa_high'])}"
            cells = [*(_mm(figures[key]) for key in ("mae", "median", "bias")), limits, _percent(figures["relative"])]
            print(f"| {name} | {figures['mae'].n} | {' | '.join(cells)} |")
    print()


def _mm(share: Share) -> str:
    return f"{share.value:.2f} [{share.low:.2f}, {share.high:.2f}]" if share.n else ""


def _percent(share: Share) -> str:
    return f"{100 * share.value:.1f} % [{100 * share.low:.1f}, {100 * share.high:.1f}]" if share.n else ""


if __name__ == "__main__":
    main()
