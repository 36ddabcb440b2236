"""The first prediction of a new process, as ratios: ``python -m benchmarks.start [--models NAME ...]``.

a  where the converted network is kept from an earlier process, and where it is not: TensorFlow is imported, the network
   built in Keras and converted. Medians over rounds; each round runs both once, with an empty cache folder for the
   second.
b  the same in memory: the greatest resident size of the process.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

from core.zoo import list_cards
from core.zoo.kept import CACHE_VARIABLE

DEFAULT = ("mobilenet_v2_plane", "mobilenet_v2_corruption", "mobilenet_v2_head_outline", "inception_v3_plane")
CODE = """
import resource, sys
import numpy as np
from core.zoo import load_model
model = load_model(sys.argv[1])
images = np.zeros((1, model.card.size, model.card.size), np.float32)
model.masks(images) if hasattr(model, "masks") else model.scores(images)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def first_prediction(name: str, folder: str) -> tuple[float, float]:
    """Seconds and megabytes of a process that predicts one image."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", CODE, name],
        env=os.environ | {CACHE_VARIABLE: folder},
        capture_output=True,
        text=True,
        check=True,
    )
    return time.perf_counter() - start, int(done.stdout) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = [card.name for card in list_cards(with_weights=True)]
    parser.add_argument("--models", nargs="+", choices=known, default=list(DEFAULT), metavar="NAME")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; {arguments.rounds} rounds")
    for name in arguments.models:
        spent: dict[str, list[tuple[float, float]]] = {"kept": [], "anew": []}
        with tempfile.TemporaryDirectory() as folder:
            first_prediction(name, folder)
            for _ in range(arguments.rounds):
                spent["kept"].append(first_prediction(name, folder))
                with tempfile.TemporaryDirectory() as empty:
                    spent["anew"].append(first_prediction(name, empty))
        (kept, kept_size), (anew, anew_size) = (
            [statistics.median(values) for values in zip(*spent[way], strict=True)] for way in ("kept", "anew")
        )
        print(f"a  {name}: kept {kept:.1f} s, anew {anew:.1f} s: {kept / anew:.2f} of the time")
        print(f"b  {name}: {kept_size:.0f} MB, anew {anew_size:.0f} MB: {kept_size / anew_size:.2f} of the memory")


if __name__ == "__main__":
    main()
