"""Time of measuring one head, and its ratio to the floor: ``python -m benchmarks.head_reading [--real DIR]``.

*Whole* is what the page and ``predict`` do with a frame: cleaning, both networks, ellipse, the detector of corruptions
and the model of anatomies. *Live* is what the slider of the page repeats at each move: both networks and the ellipse on
a cleaned frame. The floor is the bare forward passes of the same networks, one image at a time and nothing else. Way
and floor alternate, so that a busy machine slows both alike; the figures are medians.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from core.biometry.reading import HeadReader, default_cards, open_reader
from core.images import read_image
from core.library import open_phantom, phantom_id
from core.preprocessing import clean


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", type=Path, metavar="DIR", help="real frames to measure beside a phantom")
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    whole = open_reader(default_cards()[1].name)
    live = HeadReader(whole.regressor, whole.segmenter)
    frames = {"phantom": open_phantom(phantom_id("BPD", "unseen", 1)).frame.pixels}
    if options.real:
        frames |= {path.name: read_image(path).pixels for path in sorted(options.real.glob("*.png"))[:2]}
    print("| frame | pixels | whole, ms | bare passes, ms | ratio | live, ms | bare passes, ms | ratio |")
    print("|---|---|---|---|---|---|---|---|")
    for name, pixels in frames.items():
        cleaned = clean(pixels, whole.settings)
        times = medians(
            {
                "whole": lambda pixels=pixels: whole.read(pixels),
                "whole floor": lambda: bare_passes(whole),
                "live": lambda cleaned=cleaned: live.read_cleaned([cleaned]),
                "live floor": lambda: bare_passes(live),
            },
            options.repeats,
        )
        cells = [f"{name} | {pixels.shape[1]} x {pixels.shape[0]}"]
        for way in ("whole", "live"):
            floor = times[f"{way} floor"]
            cells.append(f"{times[way]:.0f} | {floor:.0f} | {times[way] / floor:.2f}")
        print(f"| {' | '.join(cells)} |")


def medians(ways: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median milliseconds of each way, after one call of each that does not count."""
    for run in ways.values():
        run()
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, run in ways.items():
            start = time.perf_counter()
            run()
            times[name].append(1e3 * (time.perf_counter() - start))
    return {name: statistics.median(values) for name, values in times.items()}


def bare_passes(reader: HeadReader) -> None:
    """One forward pass of each network of a reader, on nothing."""
    for model in (reader.regressor, reader.detector, reader.anatomy):
        if model is not None:
            model.network.forward(np.zeros((1, model.card.size, model.card.size), np.float32))
    reader.segmenter.masks(np.zeros((1, reader.segmenter.card.size, reader.segmenter.card.size), np.uint8))


if __name__ == "__main__":
    main()
