"""The anatomy report's hypotheses rerun on our data: what does each change to its network bring?

The report (004 §7) tried dropout, batch normalisation, a falling learning rate, more filters, 2x2 kernels, more layers,
transfer learning and stronger augmentation, each against one test split. Here every variant is trained on the same
phantoms with the same seed and judged on phantoms of unseen settings and on real HC18 heads (right only as brain). 64
pixels, 500 images a class and 20 epochs keep it short; `--size 256` is the report's.

    python -m benchmarks.anatomy_hypotheses --train out/anatomy --unseen out/anatomy_unseen --hc18 ../shared/data/hc18 \
        --weights ../shared/weights/mobilenet_v2_1.0_224_notop.weights.h5 --out models/cnn_anatomy/hypotheses.csv
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import pandas as pd

from core.datasets import Table, load
from core.zoo.assessment import assess
from core.zoo.registry import load_model
from core.zoo.training import preset, train

BASE = "the report's network"


def variants(size: int, epochs: int, per_class: int) -> dict[str, tuple[str, dict, str]]:
    """Hypothesis -> (backbone, changes to the settings, what the report says)."""
    common = {"size": size, "epochs": epochs, "per_class": per_class, "patience": epochs, "dropout": 0.0}

    def network(**options: object) -> dict:
        return common | {"architecture": {"dense": 64, **options}}

    return {
        BASE: ("cnn", network(), "92.5 % on validation images"),
        "dropout 0.2": ("cnn", network() | {"dropout": 0.2}, "about +2 %"),
        "dropout 0.5": ("cnn", network() | {"dropout": 0.5}, "not tried"),
        "batch normalisation": ("cnn", network(normalisation=True), "slight overfitting"),
        "learning rate falls on a plateau": ("cnn", network() | {"schedule": "plateau"}, "no gain over plain Adam"),
        "more filters": ("cnn", network(filters=[32, 64, 128, 128]), "prone to overfitting"),
        "2 x 2 kernels": ("cnn", network(kernel=2), "no gain in accuracy"),
        "more layers": ("cnn", network(filters=[16, 32, 64, 64, 64]), "slower and unwieldy"),
        "stronger augmentation": ("cnn", network() | {"augmentation": "wide"}, "no significant gain"),
        "transfer (MobileNetV2, the report: VGG16)": (
            "mobilenet_v2",
            common
            | {"architecture": {}, "head_epochs": 10, "learning_rate": 3e-4}
            | {"fine_tune": "block_12_add", "variations": 3},
            "takes longer to fine-tune",
        ),
    }


def _heads(folder: Path, count: int) -> Table:
    """Real heads of examinations that are not kept for testing."""
    table = load(folder).where(split="train")
    return Table(table.frame.sample(count, random_state=0).reset_index(drop=True), table.layout, table.simulated)


def _as_table(rows: list[dict]) -> str:
    """Markdown of what was measured beside what the report says."""
    lines = [
        "| hypothesis | parameters | validation (simulated) | unseen phantoms (simulated) "
        "| HC18 called brain (real) | the report |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        shares = [
            f"{row[name]:.1%} [{row[low]:.1%}, {row[high]:.1%}]"
            for name, low, high in (
                ("unseen_phantoms", "unseen_low", "unseen_high"),
                ("hc18_called_brain", "hc18_low", "hc18_high"),
            )
        ]
        lines.append(
            f"| {row['hypothesis']} | {row['parameters']:,} | {row['validation']:.1%} | {shares[0]} | {shares[1]} "
            f"| {row['report_004']} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--unseen", type=Path, required=True)
    parser.add_argument("--hc18", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--per-class", type=int, default=500)
    options = parser.parse_args()
    rows: list[dict] = pd.read_csv(options.out).to_dict("records") if options.out.exists() else []
    unseen, heads = load(options.unseen), _heads(options.hc18, 200)
    for name, (backbone, changes, report) in variants(options.size, options.epochs, options.per_class).items():
        if name in {row["hypothesis"] for row in rows}:
            continue
        settings = replace(preset("report", "anatomy", backbone), **changes)
        with tempfile.TemporaryDirectory() as folder:
            weights = options.weights if backbone == "mobilenet_v2" else None
            card = train(load(options.train), settings, Path(folder) / "variant", weights=weights, report=print)
            model = load_model("variant", Path(folder))
            seen, real = assess(model, unseen), assess(model, heads)
        accuracy, brain = seen.accuracy, real.share_called("brain")
        rows.append(
            {
                "hypothesis": name,
                "parameters": card.parameters,
                "validation": card.metrics[0].value,
                "unseen_phantoms": accuracy.value,
                "unseen_low": accuracy.low,
                "unseen_high": accuracy.high,
                "unseen_n": accuracy.n,
                "hc18_called_brain": brain.value,
                "hc18_low": brain.low,
                "hc18_high": brain.high,
                "hc18_n": brain.n,
                "report_004": report,
            }
        )
        options.out.parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame(rows).to_csv(options.out, index=False)
        print(f"{name}: unseen phantoms {accuracy}; HC18 called brain {brain}", flush=True)
    print(_as_table(rows))


if __name__ == "__main__":
    main()
