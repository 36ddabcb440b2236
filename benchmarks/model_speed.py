"""Forward passes of the models, as ratios to the slowest: ``python -m benchmarks.model_speed [--models NAME ...]``.

Each model gets images of its own input size through the compiled function that prediction uses, in each batch
shape it has. Every repeat times each model once, in turn, so that a busy machine slows all alike; the figures are
medians.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import numpy as np

from core.zoo import list_cards, load_model
from core.zoo.forward import BATCH_SIZES


def milliseconds_an_image(networks: dict, batch: int, repeats: int) -> dict[str, float]:
    """Median milliseconds an image of each network at a batch size."""
    generator = np.random.default_rng(0)
    images = {
        name: generator.random((batch, network.size, network.size), np.float32) for name, network in networks.items()
    }
    for name, network in networks.items():
        network.forward(images[name])
    times: dict[str, list[float]] = {name: [] for name in networks}
    for _ in range(repeats):
        for name, network in networks.items():
            start = time.perf_counter()
            network.forward(images[name])
            times[name].append(1e3 * (time.perf_counter() - start) / batch)
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = [card.name for card in list_cards(with_weights=True)]
    parser.add_argument("--models", nargs="+", default=known, metavar="NAME", help="a name, or a model's folder")
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    networks = {}
    for name in options.models:
        path = Path(name)
        model = load_model(path.name, path.parent) if len(path.parts) > 1 else load_model(name)
        networks[path.name] = model.network
    for batch in BATCH_SIZES:
        times = milliseconds_an_image(networks, batch, options.repeats)
        slowest = max(times, key=times.get)
        print(f"batches of {batch} (median of {options.repeats})")
        for name, value in sorted(times.items(), key=lambda item: item[1]):
            ratio = f"{times[slowest] / value:5.1f} x {slowest}"
            print(f"  {name:24s} {networks[name].size:4d} px  {value:7.1f} ms an image  {ratio}")


if __name__ == "__main__":
    main()
