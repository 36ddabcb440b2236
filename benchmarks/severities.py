"""Calibrates the five severities of every corruption: ``python -m benchmarks.severities --hc18 DIR``.

SSIM (Wang's, inside the sector) is measured on real frames of HC18's training examinations, the recall of the default
plane model on phantoms of the training settings (other seeds than it was trained on): neither is a test set. The five
are equal steps of SSIM from 1 to what is left at the slider's end. Where SSIM misleads they are equal steps of the
recall that is lost from the clean frames to the slider's end: it misleads where the first tenth of the range takes more
than half of all the similarity, though the model has lost less than a tenth of its recall by then. A measured curve is
first made to fall everywhere (isotonic regression), so that chance does not put severities in the wrong order.

Writes ``core/corruption/severities.json`` and prints it as a table.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from core.corruption import CORRUPTIONS
from core.corruption.severity import FILE, LEVELS
from core.datasets import Table, load, read_pixels
from core.parallel import in_threads
from core.preprocessing import Cleaned, PreprocessingSettings, clean, finish, reduced
from core.similarity import Reference
from core.zoo import default_name, load_model

POINTS = 31
EARLY_POINT = 3
WORKING_SIDE = 348
"""Frames are reduced to twice the thesis's side: intensities mean the same and it takes a fifth of the time."""
MISLED, STILL_KEPT = 0.5, 0.9
LEAST_LOSS = 0.1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hc18", type=Path, required=True)
    parser.add_argument("--phantoms", default="phantom:BPD,CRL,NT:30:train")
    parser.add_argument("--frames", type=int, default=40, help="of HC18")
    parser.add_argument("--per-class", type=int, default=30, help="most phantoms")
    parser.add_argument("--kind", action="append", help="only this one; the others stay as they are")
    options = parser.parse_args()
    model = load_model(default_name())
    real = _frames(load(options.hc18).where(split="train"), options.frames, model.settings)
    table = load(options.phantoms, classes=model.classes)
    phantoms, targets = [], []
    for name in model.classes:
        frames = _frames(table.where(label=name), options.per_class, model.settings)
        phantoms += frames
        targets += [model.classes.index(name)] * len(frames)
    known = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    print(f"| corruption | basis | 1 | 2 | 3 | 4 | 5 | unit |\n|{'---|' * 8}")
    for kind, corruption in CORRUPTIONS.items():
        if options.kind and kind not in options.kind:
            continue
        grid = np.linspace(0, corruption.slider_maximum, POINTS)
        similarity = _similarity(real, kind, grid)
        basis, curve = "ssim", similarity
        if _falls_early(similarity):
            recall = _recall(model, phantoms, np.array(targets), kind, grid)
            if _is_kept(recall):
                basis, curve = "recall", recall
        intensities, values = _equal_steps(grid, curve)
        known[kind] = {"basis": basis, "intensities": intensities, "values": values}
        FILE.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
        steps = " | ".join(f"{one:g} ({value:.2f})" for one, value in zip(intensities, values, strict=True))
        print(f"| {kind} | {basis} | {steps} | {corruption.unit} |", flush=True)
    print(f"\nSSIM: n = {len(real)} frames of HC18 (real). Recall: n = {len(phantoms)} phantoms (simulated).")


def _frames(table: Table, count: int, settings: PreprocessingSettings) -> list[Cleaned]:
    """Frames spread over the table, cleaned and at the working side."""
    chosen = np.linspace(0, len(table) - 1, min(count, len(table))).round().astype(int)
    return list(
        in_threads(
            lambda path: reduced(clean(read_pixels(path), settings), WORKING_SIDE), [table.paths[i] for i in chosen]
        )
    )


def _similarity(frames: list[Cleaned], kind: str, grid: np.ndarray) -> np.ndarray:
    """Mean SSIM (M,) at every intensity."""

    def of(item: tuple[int, Cleaned]) -> list[float]:
        seed, frame = item
        reference = Reference(frame.gray)
        corrupted = (CORRUPTIONS[kind].apply(frame.gray, one, seed, frame.sector) for one in grid)
        return [reference.ssim(image, frame.sector) for image in corrupted]

    return np.mean(list(in_threads(of, enumerate(frames))), axis=0)


def _recall(model, frames: list[Cleaned], targets: np.ndarray, kind: str, grid: np.ndarray) -> np.ndarray:
    """Mean recall over the classes (M,) at every intensity."""
    recalls = []
    for intensity in grid:

        def prepared(item: tuple[int, Cleaned], intensity: float = intensity) -> np.ndarray:
            seed, frame = item
            gray = CORRUPTIONS[kind].apply(frame.gray, intensity, seed, frame.sector)
            return finish(replace(frame, gray=gray), model.settings, model.card.input["chain"], model.card.size)

        images = np.stack(list(in_threads(prepared, enumerate(frames))))
        right = model.probabilities(images).argmax(axis=1) == targets
        recalls.append(np.mean([right[targets == one].mean() for one in np.unique(targets)]))
    return np.array(recalls)


def _falls_early(similarity: np.ndarray) -> bool:
    lost = (similarity[0] - similarity[EARLY_POINT]) / (similarity[0] - similarity.min())
    return bool(lost > MISLED)


def _is_kept(recall: np.ndarray) -> bool:
    return bool(recall[EARLY_POINT] > STILL_KEPT * recall[0] and recall[0] - recall.min() > LEAST_LOSS)


def _equal_steps(grid: np.ndarray, values: np.ndarray) -> tuple[list[float], list[float]]:
    """Five intensities at which the falling curve has lost a fifth, two fifths ... of what it loses in all."""
    from sklearn.isotonic import IsotonicRegression

    falling = IsotonicRegression(increasing=False).fit_transform(grid, values)
    targets = np.linspace(falling[0], falling[-1], LEVELS + 1)[1:]
    # Of a flat stretch its beginning: np.interp needs rising values, so the curve is read backwards.
    first = np.r_[True, np.diff(falling) < -1e-9]
    intensities = np.interp(-targets, -falling[first], grid[first])
    return [float(f"{one:.3g}") for one in intensities], [round(float(one), 3) for one in targets]


if __name__ == "__main__":
    main()
