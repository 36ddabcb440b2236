"""What a split made after the corrupted copies would have claimed: ``python -m benchmarks.leaky_split --hc18 DIR``.

The corruption thesis corrupted every image first and split afterwards, so copies of one image stand on both sides, and
it enlarged crops of frames already reduced, so that a network may learn the resampler (reference §5). Here both are
done on HC18's training examinations, each on its own and together, with one and the same classifier: a linear one on
the textures that the detector of severities sees (ImageNet weights, nothing trained but the last layer). Each is asked
three times: on the quarter that its own split held back (what would have been published), on examinations never seen
and corrupted alike, and on the same corrupted by code that is not ours.

Printed as a table for docs/leaky_split.md.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from core.corruption import CORRUPTIONS, REFERENCE_SIDE
from core.datasets import Table, load, read_pixels
from core.evaluation import share_by_patient
from core.parallel import in_threads
from core.preprocessing import Cleaned, PreprocessingSettings, clean, finish
from core.similarity import Reference
from core.zoo.architectures import DESCRIPTION_LAYER, build_detector, get_backbone
from core.zoo.detection import ORIGINAL
from core.zoo.detector_tests import Case, foreign_image
from core.zoo.prediction import to_unit
from core.zoo.runtime import tensorflow
from core.zoo.training.corrupted import thesis_classes, varied_clean
from core.zoo.training.frozen import BATCH

BACKBONE = "mobilenet_v2"
SIZE = 224
HELD_BACK = 0.25
"""scikit-learn's default quarter, which the thesis's 542 images come from."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hc18", type=Path, required=True)
    parser.add_argument("--weights", type=Path, default=Path("../shared/weights/mobilenet_v2_1.0_224_notop.weights.h5"))
    parser.add_argument("--limit", type=int, help="most frames of either side, for a quick look")
    options = parser.parse_args()
    describe = describer(options.weights)
    table = load(options.hc18)
    train, test = (limited(table.where(split=side), options.limit) for side in ("train", "test"))
    foreign = describe(images(test, made_by_others))
    targets, test_targets = (np.tile(np.arange(len(thesis_classes())), len(side)) for side in (train, test))
    patients, test_patients = (np.repeat(side.frame["patient"], len(thesis_classes())) for side in (train, test))
    print("# What a split after corrupting claims\n")
    print(
        "Printed by `python -m benchmarks.leaky_split`. HC18 (real frames, corrupted by simulation), four classes, a "
        "linear classifier on ImageNet textures; accuracy with 95 % intervals by examination. The thesis corrupted "
        "first and split afterwards, so copies of one frame lie on both sides, and it enlarged crops of frames already "
        "reduced. Each row is one way to make and to split the training examinations' images; the columns ask the same "
        "classifier on what its own split held back, on examinations never seen and corrupted alike, and on the same "
        "corrupted by code that is not ours.\n"
    )
    print("| corrupted | split | held back by the split | examinations never seen | the same, others' code |")
    print("|---|---|---|---|---|")
    for maker, made in (("as the thesis did", made_as_in_the_thesis), ("resampling matched", made_matched)):
        features, unseen = describe(images(train, made)), describe(images(test, made))
        for name, held in (
            ("after corrupting", split_images(len(targets))),
            ("by examination", split_patients(patients)),
        ):
            classifier = fitted(features[~held], targets[~held])
            answers = [
                (classifier.predict(features[held]) == targets[held], patients[held]),
                (classifier.predict(unseen) == test_targets, test_patients),
                (classifier.predict(foreign) == test_targets, test_patients),
            ]
            shares = " | ".join(str(share_by_patient(hits, whose.to_numpy())) for hits, whose in answers)
            print(f"| {maker} | {name} | {shares} |", flush=True)


def limited(table: Table, count: int | None) -> Table:
    return table if count is None else table.chosen(np.arange(len(table)) < count)


def images(table: Table, made) -> np.ndarray:
    """Images (4 N, S, S) uint8: every frame once in each class."""
    settings = PreprocessingSettings()

    def one(item: tuple[int, str]) -> list[np.ndarray]:
        index, path = item
        cleaned = clean(read_pixels(path), settings)
        generator = np.random.default_rng([11, index])
        return [made(cleaned, kind, generator) for kind in thesis_classes()]

    return np.stack([image for group in in_threads(one, enumerate(table.frame["path"])) for image in group])


def drawn(kind: str, generator: np.random.Generator) -> float:
    return float(generator.uniform(*CORRUPTIONS[kind].training_range))


def made_as_in_the_thesis(cleaned: Cleaned, kind: str, generator: np.random.Generator) -> np.ndarray:
    """Reduced to 174 x 174 first, then corrupted: a crop is enlarged, all else is not."""
    small = cv2.resize(cleaned.gray, (REFERENCE_SIDE, REFERENCE_SIDE))
    if kind != ORIGINAL:
        small = CORRUPTIONS[kind].apply(small, drawn(kind, generator), generator)
    return cv2.resize(small, (SIZE, SIZE))


def made_matched(cleaned: Cleaned, kind: str, generator: np.random.Generator) -> np.ndarray:
    """Clean frames of varied zoom and resolution, corrupted as they are, all through one resizing."""
    frame = varied_clean(cleaned, generator)
    if kind != ORIGINAL:
        gray = CORRUPTIONS[kind].apply(frame.gray, drawn(kind, generator), generator, frame.sector)
        frame = replace(frame, gray=gray)
    return finish(frame, PreprocessingSettings(), chain="detector", size=SIZE)


def made_by_others(cleaned: Cleaned, kind: str, generator: np.random.Generator) -> np.ndarray:
    intensity = 0.0 if kind == ORIGINAL else drawn(kind, generator)
    case = Case(kind, intensity, (int(generator.integers(2**31)),))
    return foreign_image(cleaned, case, SIZE, Reference(cleaned.gray))[0]


def describer(weights: Path):
    """A function from images (N, S, S) uint8 to their textures (N, F)."""
    tensorflow()
    import keras

    model = build_detector(BACKBONE, 1, size=SIZE, weights=weights)
    trunk = keras.Model(model.input, model.get_layer(DESCRIPTION_LAYER).output)
    low, high = get_backbone(BACKBONE).input_range

    def describe(pictures: np.ndarray) -> np.ndarray:
        parts = []
        for start in range(0, len(pictures), BATCH):
            batch = to_unit(pictures[start : start + BATCH]) * (high - low) + low
            parts.append(trunk(np.repeat(batch[..., None], 3, axis=-1), training=False).numpy())
        return np.concatenate(parts)

    return describe


def split_images(count: int) -> np.ndarray:
    """Which images are held back, whatever frame they were made of."""
    return np.random.default_rng(0).permutation(count) < HELD_BACK * count


def split_patients(patients) -> np.ndarray:
    names = np.unique(patients)
    held = np.random.default_rng(0).permutation(names)[: round(HELD_BACK * len(names))]
    return np.isin(patients, held)


def fitted(features: np.ndarray, targets: np.ndarray):
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=300)).fit(features, targets)


if __name__ == "__main__":
    main()
