"""How well the annotation masks and fills do their job, on simulated screens whose clean twin is known.

    python -m benchmarks.preprocessing_masks [--n 100] [--seed 90000] [--json FILE]

For each mask preset: precision and recall of the marked pixels, and for both fills the mean absolute error, in gray
levels, inside the true annotation pixels against the clean twin. All are means over frames with bootstrap 95 %
intervals, inside the part of the true sector that the automatic crop keeps; the crop itself and the time a frame takes
are reported too. All frames are simulated.
"""

import argparse
import json
import time
from pathlib import Path

import cv2
import numpy as np

from core.phantom import PLANES, SCANNERS, RawScreen, raw_screen
from core.preprocessing import (
    FILLS,
    PreprocessingSettings,
    annotation_mask,
    fill_annotations,
    find_sector,
    prepare,
)

PRESETS = ("annex", "table", "tint")
TIMED_SHAPE = (735, 975)  # the real Voluson screens
ECHO = 12  # gray level from which a lost pixel counts as lost echo


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=100, help="number of simulated screens")
    parser.add_argument("--seed", type=int, default=90_000, help="seed of the first screen")
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    arguments = parser.parse_args()

    frames = [measure(screen) for screen in screens(arguments.n, arguments.seed)]
    groups = {"all": frames, "tinted": [frame for frame in frames if frame["tint"] != "none"]}
    report = {
        "n": arguments.n,
        "first_seed": arguments.seed,
        "groups": {name: summary(members) for name, members in groups.items()},
        "milliseconds": timing(arguments.seed),
    }
    print_report(report)
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1))


def screens(count: int, seed: int):
    """Screens of all planes and scanners in turn, each with its own seed."""
    planes = list(PLANES)
    for index in range(count):
        plane = planes[index % len(planes)]
        yield raw_screen(plane, seed + index, scanner=SCANNERS[index // len(planes) % len(SCANNERS)])


def measure(screen: RawScreen) -> dict[str, object]:
    """All figures of one screen; NaN where it has no annotation in the part that is kept."""
    sector = find_sector(screen.pixels)
    kept = screen.sector & sector.mask
    truth = screen.annotation_mask & kept
    gray, clean = (cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY) for pixels in (screen.pixels, screen.clean))
    echo = screen.sector & ~screen.annotation_mask & (clean > ECHO)
    figures: dict[str, object] = {
        "tint": screen.parameters["screen.tint"],
        "sector IoU": ratio(kept, screen.sector | sector.mask),
        "echo lost by the crop": ratio(echo & ~sector.mask, echo),
        "annotations cut off by the crop": ratio(screen.annotation_mask & ~sector.mask, screen.annotation_mask),
        "error unfilled": error(gray, clean, truth),
    }
    for preset in PRESETS:
        mask = annotation_mask(screen.pixels, PreprocessingSettings(mask=preset), sector.mask) & kept
        figures[f"{preset} precision"] = ratio(mask & truth, mask)
        figures[f"{preset} recall"] = ratio(mask & truth, truth)
        for fill in FILLS:
            filled = fill_annotations(gray, mask, PreprocessingSettings(mask=preset, fill=fill))
            figures[f"{preset} error {fill}"] = error(filled, clean, truth)
            figures[f"{preset} error elsewhere {fill}"] = error(filled, clean, kept & ~truth)
    return figures


def ratio(part: np.ndarray, whole: np.ndarray) -> float:
    count = np.count_nonzero(whole)
    return np.count_nonzero(part) / count if count else float("nan")


def error(image: np.ndarray, clean: np.ndarray, where: np.ndarray) -> float:
    return float(cv2.absdiff(image, clean)[where].mean()) if where.any() else float("nan")


def summary(frames: list[dict[str, object]]) -> dict[str, dict[str, float]]:
    names = [name for name in frames[0] if name != "tint"] if frames else []
    return {name: mean_with_interval([float(frame[name]) for frame in frames]) for name in names}


def mean_with_interval(values: list[float], draws: int = 2000) -> dict[str, float]:
    """Mean over frames with a bootstrap 95 % interval; frames without a figure are left out and not counted."""
    known = np.array([value for value in values if not np.isnan(value)])
    if known.size == 0:
        return {"mean": float("nan"), "ci_low": float("nan"), "ci_high": float("nan"), "n": 0}
    means = np.random.default_rng(0).choice(known, (draws, known.size)).mean(axis=1)
    low, high = np.percentile(means, (2.5, 97.5))
    return {"mean": float(known.mean()), "ci_low": float(low), "ci_high": float(high), "n": int(known.size)}


def timing(seed: int, repeats: int = 15) -> dict[str, float]:
    """Milliseconds of ``prepare`` on a screen of the real screens' size: the least and the median of several runs."""
    pixels = raw_screen(next(iter(PLANES)), seed, scanner="ge").pixels
    height, width = TIMED_SHAPE
    frame = np.zeros((height, width, 3), np.uint8)
    rows, columns = min(height, pixels.shape[0]), min(width, pixels.shape[1])
    frame[:rows, :columns] = pixels[:rows, :columns]
    found = {}
    for chain in ("plane", "detector"):
        taken = []
        for _ in range(repeats):
            start = time.perf_counter()
            prepare(frame, PreprocessingSettings(), chain)
            taken.append(1000 * (time.perf_counter() - start))
        found[f"{chain} least"], found[f"{chain} median"] = min(taken), float(np.median(taken))
    return found


def print_report(report: dict) -> None:
    print(f"{report['n']} simulated screens, seeds from {report['first_seed']}")
    for group, figures in report["groups"].items():
        print(f"\n{group}")
        for name, value in figures.items():
            interval = f"[{value['ci_low']:.3f}, {value['ci_high']:.3f}]"
            print(f"  {name:34} {value['mean']:8.3f}  {interval:20} n = {value['n']}")
    print(f"\nprepare() on {TIMED_SHAPE[1]}x{TIMED_SHAPE[0]}, milliseconds")
    for name, value in report["milliseconds"].items():
        print(f"  {name:34} {value:8.1f}")


if __name__ == "__main__":
    main()
