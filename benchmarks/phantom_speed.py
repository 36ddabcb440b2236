"""How fast phantoms are made: frames a second with two processes, beside one forward pass of InceptionV3.

    python -m benchmarks.phantom_speed --planes BPD femur --frames 24

Each process draws half of the frames, and the clock runs from the first frame's start to the last one's end; starting
the processes is left out. The network has random weights, which cost the same time as trained ones.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from concurrent.futures import ProcessPoolExecutor

import cv2
import numpy as np

from core.phantom import PLANES, generate
from core.zoo.runtime import tensorflow

SIDE = 299
PROCESSES = 2


def warm(_: int) -> None:
    """Import everything and draw one small frame, so that no clock sees it; OpenCV keeps to one thread."""
    cv2.setNumThreads(1)
    generate("BPD", 0, size=64)
    time.sleep(0.3)  # long enough that the other process takes the other call


def draw(plane: str, seeds: range) -> tuple[float, float]:
    """When the first of some frames was begun and when the last was done, by the machine's monotonic clock."""
    start = time.monotonic()
    for seed in seeds:
        generate(plane, seed, size=SIDE)
    return start, time.monotonic()


def frames_a_second(pool: ProcessPoolExecutor, plane: str, frames: int) -> float:
    """Frames of one plane that two processes together make in a second."""
    parts = [range(first, frames, PROCESSES) for first in range(PROCESSES)]
    spans = list(pool.map(draw, [plane] * PROCESSES, parts))
    return frames / (max(stop for _, stop in spans) - min(start for start, _ in spans))


def forward_seconds(repeats: int) -> float:
    """Median seconds of one compiled forward pass of InceptionV3 on one image."""
    tf = tensorflow()
    network = tf.keras.applications.InceptionV3(weights=None)
    passed = tf.function(lambda image: network(image, training=False))
    image = tf.constant(np.random.default_rng(0).random((1, SIDE, SIDE, 3), np.float32))
    passed(image).numpy()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        passed(image).numpy()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--planes", nargs="+", default=list(PLANES), metavar="PLANE")
    parser.add_argument("--frames", type=int, default=40, help="frames of each plane")
    parser.add_argument("--repeats", type=int, default=21, help="forward passes")
    arguments = parser.parse_args()
    with ProcessPoolExecutor(PROCESSES) as pool:  # before TensorFlow starts threads, which no fork survives
        list(pool.map(warm, range(PROCESSES)))
        rates = {plane: frames_a_second(pool, plane, arguments.frames) for plane in arguments.planes}
    forward = forward_seconds(arguments.repeats)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {SIDE} x {SIDE} pixels, {PROCESSES} processes")
    print(f"InceptionV3, one forward pass: {1e3 * forward:.0f} ms (median of {arguments.repeats})")
    for plane, rate in rates.items():
        print(
            f"{plane:8s} {rate:5.2f} frames/s   {1e3 / rate:4.0f} ms a frame   "
            f"{1 / rate / forward:4.2f} forward passes   (n = {arguments.frames})"
        )


if __name__ == "__main__":
    main()
