"""Speed of a sweep as ratios: ``python -m benchmarks.sweep --data out/unseen [--images 100] [--model NAME ...]``.

In one run, on the thesis's grid (50 intensities of scale up, 50 of noise, 21 of blur) and frames of 174 x 174 pixels:

a  corruption and SSIM here (six readings of SSIM) against the annex's loop, written as printed in 002: per image
   ``skimage.util.crop`` and ``cv2.resize``, ``skimage.filters.median`` with a disk, ``random_noise``, and
   ``structural_similarity`` of three channels. The annex's side is timed on a few images and multiplied;
b  a whole sweep, from files to stored answers, against the bare forward passes of as many images in the best batch size
   of those probed (float32; bfloat16 only where the processor multiplies in it);
c  the whole sweep against the annex's whole loop, with one ``model.predict`` a step.

Times are of the clock, and of the processor (all threads) in brackets: on a machine that others use, the first say how
busy it was and only the second can be compared.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import cv2
import numpy as np
from skimage.filters import median
from skimage.metrics import structural_similarity
from skimage.morphology import disk
from skimage.util import crop, random_noise

from core.corruption import REFERENCE_SIDE, corrupt
from core.datasets import load, read_pixels
from core.parallel import ahead_in_threads
from core.preprocessing import Cleaned, PreprocessingSettings, clean
from core.similarity import AllReadings
from core.sweep.engine import Swept, sweep, working_frame
from core.sweep.grid import make_grid
from core.sweep.study import frames_of
from core.zoo import load_model
from core.zoo.forward import ForwardPass, convert
from core.zoo.prediction import Classifier
from core.zoo.runtime import computes_bfloat16

GRID = make_grid()
STEPS = sum(map(len, GRID.values()))
BATCHES = (4, 8, 16, 32)
FORWARD_IMAGES = 64
ROUNDS = 2


@dataclass(frozen=True)
class Spent:
    """Seconds of the clock and of the processor."""

    clock: float
    processor: float

    def __mul__(self, factor: float) -> Spent:
        return Spent(self.clock * factor, self.processor * factor)

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.clock + other.clock, self.processor + other.processor)

    def over(self, other: Spent) -> str:
        """How many times the other's."""
        return f"{self.clock / other.clock:.2f} ({self.processor / other.processor:.2f})"

    def __str__(self) -> str:
        return f"{self.clock:.1f} s ({self.processor:.1f} s)"


def seconds(function: Callable[[], object]) -> Spent:
    clock, processor = time.perf_counter(), time.process_time()
    function()
    return Spent(time.perf_counter() - clock, time.process_time() - processor)


def annex_step(image: np.ndarray, kind: str, intensity: float) -> np.ndarray:
    """One image (174, 174) float64 as the annex corrupts it: (174, 174, 3)."""
    if kind == "scale_up":
        margin = int(REFERENCE_SIDE * intensity / 200)
        cropped = crop(image, ((margin, margin), (margin, margin)))
        changed = cv2.resize(cropped, (REFERENCE_SIDE, REFERENCE_SIDE))
    elif kind == "blur":
        changed = median(image, disk(int(intensity)))
    else:
        changed = random_noise(image, var=intensity**2)
    return cv2.merge((changed, changed, changed))


def annex_loop(images: list[np.ndarray]) -> None:
    """Corruption and similarity as in 002; a range of 2 is what it passed to by leaving it out."""
    for kind, intensities in GRID.items():
        for intensity in intensities:
            for image in images:
                changed = annex_step(image, kind, intensity)
                structural_similarity(cv2.merge((image, image, image)), changed, channel_axis=-1, data_range=2)


def our_loop(sources: list[Cleaned]) -> None:
    """Corruption and all readings of similarity, a frame a thread."""

    def follow(job: tuple[int, Cleaned, str]) -> None:
        seed, source, kind = job
        readings = AllReadings(source.gray, source.sector)
        for intensity in GRID[kind]:
            readings.compare(corrupt(source.gray, kind, intensity, seed=seed, sector=source.sector))

    jobs = ((seed, source, kind) for seed, source in enumerate(sources) for kind in GRID)
    for _ in ahead_in_threads(follow, jobs, ahead=2 * (os.cpu_count() or 1)):
        pass


def forward_passes(
    model: Classifier, batches: Sequence[int] = BATCHES, images: int = FORWARD_IMAGES
) -> dict[int, Spent]:
    """What an image costs in each batch size: bare passes of so many without softmax, the better of rounds."""
    network = model.network
    content = convert(network.graph())
    found = {}
    for batch in batches:
        forward = ForwardPass(content, sorted({1, batch}))
        pixels = np.random.default_rng(0).random((batch, network.size, network.size), np.float32)
        forward(pixels, [0])
        rounds = max(1, images // batch)

        def passes(forward=forward, pixels=pixels, rounds=rounds) -> None:
            for _ in range(rounds):
                forward(pixels, [0])

        found[batch] = min((seconds(passes) for _ in range(ROUNDS)), key=lambda spent: spent.clock) * (
            1 / rounds / batch
        )
    return found


def predict_step(model: Classifier, count: int) -> Spent:
    """One ``model.predict`` of as many images, as the annex calls it at every step."""
    size = model.card.size
    images = np.random.default_rng(0).random((count, size, size, 3), np.float32)
    model.network.model.predict(images[:32], verbose=0)
    return seconds(lambda: model.network.model.predict(images, verbose=0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="phantom:BPD,CRL,NT:40:unseen")
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--annex-images", type=int, default=3, help="timed of the annex's loop, then multiplied")
    parser.add_argument("--model", nargs="+", default=["mobilenet_v2_plane=100", "inception_v3_plane=8"])
    options = parser.parse_args()
    table = load(options.data, classes=["BPD", "CRL", "NT"])
    settings = PreprocessingSettings()
    paths = table.frame["path"].sample(options.images, random_state=0)
    sources = [working_frame(clean(read_pixels(path), settings), REFERENCE_SIDE) for path in paths]
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; {STEPS} intensities")

    ours = seconds(lambda: our_loop(sources))
    sample = [source.gray / 255 for source in sources[: options.annex_images]]
    annex = seconds(lambda: annex_loop(sample)) * (1 / len(sample))
    print(
        f"a  corruption and SSIM of {len(sources)} images: annex {annex * len(sources)} (from {len(sample)} images), "
        f"ours {ours}: ratio {(annex * len(sources)).over(ours)}"
    )
    precision = "bfloat16 not probed here" if computes_bfloat16() else "no bfloat16 on this processor"
    for named in options.model:
        name, _, count = named.partition("=")
        model = load_model(name)
        images = min(int(count or options.images), len(table))
        frames = frames_of(table, model.card, seed=0).head(images)
        cells = images * STEPS
        by_batch = forward_passes(model)
        batch = min(by_batch, key=lambda size: by_batch[size].clock)
        before = by_batch[batch]
        print(f"   {name}: " + ", ".join(f"{1e3 * cost.clock:.1f} ms in {size}s" for size, cost in by_batch.items()))
        done: list[Swept] = []
        whole = seconds(lambda: done.append(sweep([model], frames, GRID, side=REFERENCE_SIDE)))  # noqa: B023
        after = forward_passes(model, [batch])[batch]
        floor = (before + after) * (cells / 2)
        print(
            f"b  {name}, {images} images, {cells} cells: whole {whole}, bare passes {floor} (batch {batch}, float32, "
            f"{precision}; {1e3 * before.clock:.1f} ms an image before, {1e3 * after.clock:.1f} after): "
            f"ratio {whole.over(floor)}"
        )
        spent = ", ".join(f"{key} {value:.1f}" for key, value in asdict(done[0].seconds).items())
        print(f"   seconds of the clock, of two threads but for predict and store: {spent}")
        loop = annex * images + predict_step(model, images) * STEPS
        print(f"c  {name}: the annex's whole loop {loop}, ours {whole}: ratio {loop.over(whole)}")


if __name__ == "__main__":
    main()
