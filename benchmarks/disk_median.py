"""Speed of core.corruption's disk median against scikit-image's: ``python -m benchmarks.disk_median [--side 299]``.

Both filter the same picture in turn and must agree in every pixel; the figures are medians of the repeats.
"""

import argparse
import statistics
import time

import cv2
import numpy as np
from skimage.filters import median
from skimage.morphology import disk

from core.corruption import disk_median


def picture(side: int) -> np.ndarray:
    """Speckle of uneven brightness, uint8."""
    generator = np.random.default_rng(0)
    speckle = generator.rayleigh(1, (side, side))
    brightness = cv2.GaussianBlur(generator.standard_normal((side, side)), (0, 0), side / 20)
    return cv2.normalize(speckle * (brightness - brightness.min()), None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)


def seconds(function) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def compare(side: int, radius: int, repeats: int) -> str:
    """One line: medians in milliseconds, their ratio and whether every pixel agrees."""
    image, footprint = picture(side), disk(radius)
    agree = np.array_equal(median(image, footprint), disk_median(image, radius))
    theirs, ours = [], []
    for _ in range(repeats):
        theirs.append(seconds(lambda: median(image, footprint)))
        ours.append(seconds(lambda: disk_median(image, radius)))
    their_median, our_median = 1e3 * statistics.median(theirs), 1e3 * statistics.median(ours)
    return (
        f"{side:4d} px  radius {radius:3d}  scikit-image {their_median:8.1f} ms   ours {our_median:6.1f} ms   "
        f"{their_median / our_median:5.1f} x   {'equal' if agree else 'DIFFERENT'}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, nargs="+", default=[174, 299])
    parser.add_argument("--radius", type=int, nargs="+", default=[3, 10, 20])
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    for side in arguments.side:
        for radius in arguments.radius:
            print(compare(side, radius, arguments.repeats))


if __name__ == "__main__":
    main()
