"""Methods that hide parts of an image: their speed, as ratios, by ``python -m benchmarks.perturbation``.

In one run, for each model, on a simulated frame of ``sample_images``:

a  the thesis's occlusion (225 black patches) against as many bare forward passes in batches of 8, timed before and
   after; patches that lie in what is black already are not asked about, which is how it can be quicker than those;
b  the annex's loop, one ``model.predict`` a patch, against ours; a few of its calls are timed and multiplied;
c  LIME with 500 samples, segmentation included, against ``lime`` as it comes (quickshift, batches of 10) around
   ``model.predict``; with fewer ``--samples`` both sides are multiplied, their segmentation is not;
x  with ``--xplique PYTHON``: xplique's occlusion, run by the Python of the environment it lives in (see
   ``benchmarks/xplique_occlusion.py``), for as many patches, in its best of several batch sizes, against ours;
d  occlusion with blocks of 3 x 3 patches first and the ``--refine`` share of them patch by patch, against the whole
   map: what it saves and how far it lies from it, over ``--frames`` frames.

Times are of the clock, and of the processor (all threads) in brackets: on a machine that others use, the first say how
busy it was and only the second can be compared. All in float32.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.sweep import Spent, forward_passes, seconds
from core.explain.agreement import TOP_SHARE, rank_correlation, top_overlap
from core.explain.base import get_method
from core.explain.occlusion import THESIS_PATCH_SHARE, patch_starts
from core.explain.perturbation import BATCH
from core.explain.superpixels import SAMPLES, SEGMENTATIONS, cut
from core.images import read_image
from core.zoo import load_model
from core.zoo.prediction import Classifier, to_unit
from core.zoo.runtime import computes_bfloat16

FRAMES = Path("sample_images")
PLANES = ("bpd", "crl", "nt")
THEIR_BATCHES = (4, 8, 16, 32, 64)


def sample_frames(model: Classifier, number: int) -> list[np.ndarray]:
    """Simulated frames as the network sees them, the planes in turn: (S, S) float32 each."""
    by_plane = [sorted(FRAMES.glob(f"{plane}_*.png")) for plane in PLANES]
    paths = [path for group in zip(*by_plane, strict=False) for path in group][:number]
    return [to_unit(model.prepare(read_image(path).pixels)) for path in paths]


def predict_calls(model: Classifier, image: np.ndarray, calls: int) -> Spent:
    """What one ``model.predict`` of one image costs, over so many calls."""
    picture = np.repeat(image[None, ..., None], 3, axis=-1)
    model.network.model.predict(picture, verbose=0)

    def loop() -> None:
        for _ in range(calls):
            model.network.model.predict(picture, verbose=0)

    return seconds(loop) * (1 / calls)


def xplique_occlusion(model: Classifier, patch: int, python: Path) -> tuple[Spent, int]:
    """What a patch costs xplique, in its best batch size, and that."""
    card = model.card
    command = [
        str(python), str(Path(__file__).with_name("xplique_occlusion.py")), "--backbone", card.backbone, "--size",
        str(card.size), "--classes", str(len(card.classes)), "--patch", str(patch), "--batch", *map(str, THEIR_BATCHES),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    runs = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    best = min(runs, key=lambda run: run["clock"])
    return Spent(best["clock"], best["processor"]) * (1 / best["patches"]), best["batch"]


def lime_as_it_comes(model: Classifier, image: np.ndarray, samples: int) -> tuple[Spent, Spent]:
    """Its default segmentation, and its default samples around ``model.predict`` without it, as if there were 500."""
    from lime.lime_image import LimeImageExplainer
    from lime.wrappers.scikit_image import SegmentationAlgorithm

    picture = np.repeat(image[..., None], 3, axis=-1).astype(np.float64)
    quickshift = SegmentationAlgorithm("quickshift", kernel_size=4, max_dist=200, ratio=0.2, random_seed=0)
    found: list[np.ndarray] = []
    segmentation = seconds(lambda: found.append(quickshift(picture)))
    predict = model.network.model.predict
    predict(np.repeat(picture[None], 10, axis=0), verbose=0)

    def explain() -> None:
        LimeImageExplainer(random_state=0).explain_instance(
            picture,
            lambda batch: predict(batch, verbose=0),
            segmentation_fn=lambda _: found[0],
            num_samples=samples,
        )

    return segmentation, seconds(explain) * (SAMPLES / samples)


def our_lime(model: Classifier, image: np.ndarray, target: int, samples: int) -> tuple[Spent, Spent]:
    """Our default segmentation and the rest, as if there were 500 samples."""
    found: list[np.ndarray] = []
    segmentation = seconds(lambda: found.append(cut(image, next(iter(SEGMENTATIONS)))))
    lime: Any = get_method("lime")
    rest = seconds(lambda: lime.explain_superpixels(model, image, target, segmentation=found[0], samples=samples))
    return segmentation, rest * (SAMPLES / samples)


def peak_megabytes() -> float:
    """The most memory this process has held so far; Linux counts in kilobytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(model: Classifier, options: argparse.Namespace) -> None:
    name, size = model.card.name, model.card.size
    image = sample_frames(model, 2)[-1]
    target = int(model.probabilities(image[None])[0].argmax())
    model.probabilities(np.stack([image] * BATCH))
    patch = round(THESIS_PATCH_SHARE * size) if options.side is None else -(-size // options.side)
    patches = len(patch_starts(size, patch)) ** 2
    occlusion: Any = get_method("occlusion")

    before = forward_passes(model, [BATCH], options.bare_images)[BATCH]
    held = peak_megabytes()
    ours = seconds(lambda: occlusion.explain(model, image[None], np.array([target]), patch=patch))
    grown = peak_megabytes() - held
    after = forward_passes(model, [BATCH], options.bare_images)[BATCH]
    bare = (before + after) * (patches / 2)
    print(
        f"a  {name}, {patches} patches of {patch} of {size} pixels: ours {ours}, bare passes {bare} (batch {BATCH}; "
        f"{1e3 * before.clock:.1f} ms an image before, {1e3 * after.clock:.1f} after): "
        f"{bare.over(ours)} of the bare rate; peak memory {held:.0f} MB before, {grown:.0f} MB more during"
    )
    loop = predict_calls(model, image, options.annex_calls) * patches
    print(
        f"b  {name}: the annex's loop {loop} (from {options.annex_calls} calls), ours {ours}: ratio {loop.over(ours)}"
    )

    if options.xplique:
        theirs, batch = xplique_occlusion(model, patch, options.xplique)
        print(
            f"x  {name}: xplique {theirs * patches} (its best batch, {batch}), ours {ours}: ratio "
            f"{(theirs * patches).over(ours)}"
        )
    their_cut, theirs = lime_as_it_comes(model, image, options.samples)
    our_cut, ours = our_lime(model, image, target, options.samples)
    print(
        f"c  {name}, {SAMPLES} samples (from {options.samples}): lime {their_cut + theirs} (segmentation {their_cut}), "
        f"ours {our_cut + ours} (segmentation {our_cut}): ratio {(their_cut + theirs).over(our_cut + ours)}"
    )
    for preset, segmentation in SEGMENTATIONS.items():
        found: list[np.ndarray] = []
        spent = seconds(lambda: found.append(cut(image, preset)))  # noqa: B023
        print(f"   {segmentation.title}: {found[0].max() + 1} superpixels in {1e3 * spent.clock:.0f} ms")
    if options.frames:
        print_refinement(model, patch, options)
    print(f"   peak memory {peak_megabytes():.0f} MB")


def print_refinement(model: Classifier, patch: int, options: argparse.Namespace) -> None:
    """What refining where it matters saves, and how far its maps lie from the whole ones."""
    occlusion: Any = get_method("occlusion")
    spent = {None: Spent(0, 0), options.refine: Spent(0, 0)}
    rows = []
    for image in sample_frames(model, options.frames):
        target = model.probabilities(image[None]).argmax(axis=1)
        maps: list[np.ndarray] = []
        for refine in spent:

            def explain(image=image, target=target, maps=maps, refine=refine) -> None:
                maps.append(occlusion.explain(model, image[None], target, patch=patch, refine=refine)[0])

            spent[refine] += seconds(explain)
        whole, refined = maps
        error = np.abs(refined - whole) / np.abs(whole).max()
        rows.append((error.mean(), error.max(), rank_correlation(whole, refined), top_overlap(whole, refined)))
    errors, largest, correlations, overlaps = np.array(rows, np.float64).T
    print(
        f"d  {model.card.name}, {len(rows)} frames, {100 * options.refine:.0f} % of the blocks refined: "
        f"{spent[options.refine].over(spent[None])} of the time; error {100 * errors.mean():.1f} % of the largest "
        f"value on average and {100 * largest.max():.0f} % at worst; rank correlation {correlations.mean():.2f}; "
        f"top {100 * TOP_SHARE:.0f} % shared {overlaps.mean():.2f}, at worst {overlaps.min():.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", nargs="+", default=["inception_v3_plane", "mobilenet_v2_plane"])
    parser.add_argument("--side", type=int, help="patches a side; the thesis's 15 by default")
    parser.add_argument("--bare-images", type=int, default=64, help="bare passes timed before and after")
    parser.add_argument("--annex-calls", type=int, default=10, help="timed of the annex's loop, then multiplied")
    parser.add_argument("--xplique", type=Path, metavar="PYTHON", help="of an environment with xplique")
    parser.add_argument("--samples", type=int, default=SAMPLES, help="of LIME, then multiplied to 500")
    parser.add_argument("--frames", type=int, default=6, help="for the refined map; 0 leaves it out")
    parser.add_argument("--refine", type=float, default=0.35, help="share of the blocks looked at patch by patch")
    options = parser.parse_args()
    precision = "bfloat16 not tried" if computes_bfloat16() else "no bfloat16 on this processor"
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; float32, {precision}")
    for name in options.model:
        measure(load_model(name), options)


if __name__ == "__main__":
    main()
