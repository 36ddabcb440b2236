"""Speed of core.similarity against scikit-image, as ratios: ``python -m benchmarks.ssim [--side 299]``.

Every repeat times each contender once, in turn, so that a busy machine slows all alike; the figures are medians.
"""

import argparse
import statistics
import time

import cv2
import numpy as np
from skimage.metrics import structural_similarity

from core.similarity import Reference, ssim

OPTIONS = {
    "wang": {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False},
    "skimage": {},
}


def pictures(side: int) -> tuple[np.ndarray, np.ndarray]:
    """A smooth picture and the same with noise, uint8."""
    generator = np.random.default_rng(0)
    picture = cv2.GaussianBlur(generator.standard_normal((side, side)), (0, 0), side / 40)
    picture = cv2.normalize(picture, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    noisy = np.clip(picture + generator.normal(0, 30, picture.shape), 0, 255).astype(np.uint8)
    return picture, noisy


def seconds(function) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def compare(side: int, definition: str, repeats: int) -> str:
    """One line: medians in milliseconds, ratios and the largest difference."""
    reference, image = pictures(side)
    cached = Reference(reference, definition)
    options = {"data_range": 255, **OPTIONS[definition]}
    contenders = {
        "scikit-image": lambda: structural_similarity(reference, image, **options),
        "ours": lambda: ssim(reference, image, definition),
        "ours, cached reference": lambda: cached.ssim(image),
    }
    results = {name: contender() for name, contender in contenders.items()}
    times = {name: [] for name in contenders}
    for _ in range(repeats):
        for name, contender in contenders.items():
            times[name].append(seconds(contender))
    median = {name: 1e3 * statistics.median(values) for name, values in times.items()}
    error = max(abs(result - results["scikit-image"]) for result in results.values())
    return (
        f"{side:4d} px  {definition:8s} scikit-image {median['scikit-image']:6.2f} ms   "
        f"ours {median['ours']:5.2f} ms ({median['scikit-image'] / median['ours']:4.1f} x)   "
        f"cached {median['ours, cached reference']:5.2f} ms "
        f"({median['scikit-image'] / median['ours, cached reference']:4.1f} x)   difference {error:.0e}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, nargs="+", default=[174, 299])
    parser.add_argument("--repeats", type=int, default=61)
    arguments = parser.parse_args()
    print(f"OpenCV threads: {cv2.getNumThreads()}")
    for side in arguments.side:
        for definition in OPTIONS:
            print(compare(side, definition, arguments.repeats))


if __name__ == "__main__":
    main()
