"""What an ensemble across backbones brings: each model alone beside the mean of all, on the same images.

    python -m benchmarks.ensemble > docs/ensemble.md

Nothing is predicted again: the calibrated probabilities stand in every model's evaluation. Data sets that not
all models were evaluated on, and images without a label, are left out.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd

from core.evaluation import Share, brier_score, expected_calibration_error, share_by_patient
from core.zoo import list_cards, read_card
from core.zoo.assessment import read_evaluation
from core.zoo.uncertainty import DEFAULT_THRESHOLD, Uncertainty

KEY = ["data", "image", "label"]
TASK = "plane"


def members(names: list[str]) -> tuple[pd.DataFrame, Uncertainty]:
    """Rows of the images all models were asked about, and what each said of them."""
    classes = read_card(names[0]).classes
    probabilities = [f"p_{name}" for name in classes]
    tables = []
    for name in names:
        rows = read_evaluation(name, classes=classes)
        tables.append(rows[rows["label"] != ""].set_index(KEY))
    common = tables[0].index
    for table in tables[1:]:
        common = common[common.isin(table.index)]
    if common.empty:
        raise SystemExit(
            "There is no image that all of these models were evaluated on; evaluate them on the same data."
        )
    answers = np.stack([table.loc[common, probabilities].to_numpy(float) for table in tables])
    return tables[0].loc[common].reset_index(), Uncertainty(classes, answers)


def figures(uncertainty: Uncertainty, truth: np.ndarray, patients: np.ndarray) -> dict[str, object]:
    """Accuracy, calibration error, Brier score, and accuracy and share of those at or above the default threshold."""
    indices = np.array([uncertainty.classes.index(label) for label in truth])
    right = uncertainty.mean.argmax(axis=1) == indices
    kept = uncertainty.confidence >= DEFAULT_THRESHOLD
    return {
        "accuracy": share_by_patient(right, patients),
        "calibration": expected_calibration_error(uncertainty.mean, indices),
        "brier": brier_score(uncertainty.mean, indices),
        "kept": share_by_patient(kept, patients),
        "right_of_kept": share_by_patient(right[kept], patients[kept]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = [card.name for card in list_cards(with_weights=True) if card.task == TASK]
    parser.add_argument("--models", nargs="+", default=known, metavar="NAME")
    options = parser.parse_args()
    rows, together = members(options.models)
    print("# An ensemble across backbones\n")
    print(
        f"Printed by `python -m benchmarks.ensemble`: {', '.join(options.models)} alone and their mean, on images "
        f"none was trained on. Kept are those with at least {DEFAULT_THRESHOLD:.0%} confidence; simulated and real "
        "data stand apart.\n"
    )
    print("| data | who answers | accuracy | calibration error | Brier score | kept | accuracy of those kept |")
    print("|---|---|---|---|---|---|---|")
    for data, group in rows.groupby("data", sort=False):
        kind = "simulated" if group["simulated"].iloc[0] else "real"
        chosen = group.index.to_numpy()
        answers = {name: together.members[[position]][:, chosen] for position, name in enumerate(options.models)} | {
            "mean of all": together.members[:, chosen]
        }
        for name, each in answers.items():
            found = figures(Uncertainty(together.classes, each), group["label"].to_numpy(), group["patient"].to_numpy())
            print(
                f"| {data} ({kind}, n = {len(group)}) | {name} | {_text(found['accuracy'])} "
                f"| {found['calibration']:.3f} | {found['brier']:.3f} | {_text(found['kept'])} "
                f"| {_text(found['right_of_kept'])} |"
            )


def _text(share: Share) -> str:
    return f"{share.value:.1%} [{share.low:.1%}, {share.high:.1%}]"


if __name__ == "__main__":
    main()
