"""Forward passes of the models, as ratios: ``python -m benchmarks.model_speed [--models NAME ...]``.

Each model gets images of its own input size through the forward pass that prediction uses, in each batch shape it has,
and through the graph of TensorFlow that it was made of; and its gradient by the input. Every repeat times each model
once, in turn, so that a busy machine slows all alike; the figures are medians.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from core.explain.base import draws
from core.zoo import list_cards, load_model
from core.zoo.forward import BATCH_SIZES
from core.zoo.runtime import CompiledNetwork

WAYS = ("ours", "graph", "gradient")


def passes_of(network: CompiledNetwork) -> dict[str, Callable[[np.ndarray], Any]]:
    """The forward pass that prediction uses, TensorFlow's own, and the gradient that explanations use."""
    graph = network.graph()
    return {
        "ours": lambda images: network.forward(images)[0],
        "graph": lambda images: graph(images)[0].numpy(),
        "gradient": lambda images: network.image_gradient(images, np.zeros(len(images), int)),
    }


def milliseconds_an_image(
    networks: dict[str, CompiledNetwork], batch: int, repeats: int
) -> dict[str, dict[str, float]]:
    """Median milliseconds an image of each network's passes at a batch size."""
    generator = np.random.default_rng(0)
    images = {
        name: generator.random((batch, network.size, network.size), np.float32) for name, network in networks.items()
    }
    passes = {(name, way): run for name, network in networks.items() for way, run in passes_of(network).items()}
    for (name, _), run in passes.items():
        run(images[name])
    times: dict[tuple[str, str], list[float]] = {key: [] for key in passes}
    for _ in range(repeats):
        for (name, way), run in passes.items():
            start = time.perf_counter()
            run(images[name])
            times[name, way].append(1e3 * (time.perf_counter() - start) / batch)
    return {name: {way: statistics.median(times[name, way]) for way in WAYS} for name in networks}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = [card.name for card in list_cards(with_weights=True) if not draws(card)]
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
        slowest = max(times, key=lambda name: times[name]["ours"])
        print(f"batches of {batch} (median of {options.repeats})")
        for name, value in sorted(times.items(), key=lambda item: item[1]["ours"]):
            print(
                f"  {name:24s} {networks[name].size:4d} px  {value['ours']:7.1f} ms an image  "
                f"{times[slowest]['ours'] / value['ours']:5.1f} x {slowest}  "
                f"TensorFlow's graph {value['graph'] / value['ours']:5.2f} x that, "
                f"a gradient {value['gradient']:.1f} ms"
            )


if __name__ == "__main__":
    main()
