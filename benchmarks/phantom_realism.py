"""How near phantoms come to real frames, in the features of the ImageNet MobileNetV2.

    python -m benchmarks.phantom_realism --real ../shared/data/hc18 --halves /tmp/halves
    python -m core phantom --plane brain --n 340 --native --real /tmp/halves/first --out /tmp/adapted
    python -m benchmarks.phantom_realism --real ../shared/data/hc18 --phantoms /tmp/adapted \\
        --weights ../shared/weights/mobilenet_v2_1.0_224_notop.weights.h5 --cache /tmp/features

HC18's training examinations are halved at random, by examination. Everything is measured against the second half; the
first half serves as the phantoms' rival, and as the only source of surroundings and statistics for adapted ones
(``--halves`` writes it as a folder), so that no real pixel stands on both sides. Test examinations are not touched.

Frames are prepared as for the networks (224 pixels). The Frechet distance is of the first 64 principal components of
all sets of a run together, for a covariance of 1280 features cannot be had from some 340 images; every row has equally
many images, because it is biased by their number. The kernel distance (KID) is of all 1280 features, is unbiased, and
comes with the range of 200 subsets of 100 a side. The probe is a logistic regression, cross-validated by examination.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
from pathlib import Path

import numpy as np
import pandas as pd

from core.datasets import Table, load, read_pixels
from core.preprocessing import PreprocessingSettings, prepare
from core.realism import Distance, frechet_distance, kernel_distance, principal_components, probe_accuracy
from core.zoo import runtime
from core.zoo.architectures import get_backbone

SIZE = 224
DIMENSIONS = 64
BATCH = 32
TABLE_NAME = "training_set_pixel_size_and_HC.csv"


def main() -> None:
    """Halve HC18, or measure."""
    options = parse()
    halves = halved(load(options.real).where(split="train"))
    if options.halves:
        for name, half in zip(("first", "second"), halves, strict=True):
            write_half(options.real, half, options.halves / name)
        return
    sets = {"HC18, first half": halves[0]}
    for folder in options.phantoms:
        table = load(folder)
        for adaptation, part in parts(folder, table, options.separately):
            sets[f"{folder.name}{adaptation}"] = part
    count = min(options.most, *(len(table) for table in sets.values()), len(halves[1]))
    features = Features(options.weights, options.cache)
    drawn = {name: sample(table, count) for name, table in {**sets, "second": halves[1]}.items()}
    values = {name: features.of(table) for name, table in drawn.items()}
    report(values, {name: table.frame["patient"].to_numpy() for name, table in drawn.items()})


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", type=Path, required=True, help="HC18 as published")
    parser.add_argument("--halves", type=Path, metavar="DIR", help="write DIR/first and DIR/second and stop")
    parser.add_argument("--phantoms", type=Path, action="append", default=[], metavar="DIR", help="may be repeated")
    parser.add_argument("--separately", action="store_true", help="a row for each way of adapting in a folder")
    parser.add_argument("--weights", type=Path, help="MobileNetV2 without its top")
    parser.add_argument("--cache", type=Path, help="keep features here")
    parser.add_argument("--most", type=int, default=400, help="images of a set at most")
    options = parser.parse_args()
    if not options.halves and not (options.weights and options.phantoms):
        parser.error("give --weights and --phantoms, or --halves")
    return options


def halved(table: Table) -> tuple[Table, Table]:
    """Two halves of a table without a common examination."""
    patients = np.array(sorted(table.frame["patient"].unique()))
    first = set(np.random.default_rng(0).permutation(patients)[: len(patients) // 2])
    side = table.frame["patient"].isin(first)
    rows = (table.frame[side], table.frame[~side])
    return tuple(Table(part.reset_index(drop=True), table.layout, table.simulated) for part in rows)


def write_half(real: Path, half: Table, out: Path) -> None:
    """A folder of HC18 with links to the frames of one half, and their annotations."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    for path in half.paths:
        for file in (path, path.with_name(f"{path.stem}_Annotation.png")):
            (out / file.name).symlink_to(file.resolve())
    published = pd.read_csv(real / TABLE_NAME)
    published[published["filename"].isin([path.name for path in half.paths])].to_csv(out / TABLE_NAME, index=False)
    print(f"{len(half)} frames in {out}")


def parts(folder: Path, table: Table, separately: bool) -> list[tuple[str, Table]]:
    """A folder as a whole, or apart by what its manifest calls adaptation."""
    if not separately:
        return [("", table)]
    manifest = pd.read_csv(folder / "manifest.csv", dtype=str, keep_default_na=False).set_index("file")["adaptation"]
    way = manifest.loc[[path.name for path in table.paths]].to_numpy()
    return [
        (f" ({name or 'plain'})", Table(table.frame[way == name].reset_index(drop=True), table.layout, table.simulated))
        for name in sorted(set(way))
    ]


def sample(table: Table, count: int) -> Table:
    """`count` random rows."""
    rows = table.frame.sample(count, random_state=0).reset_index(drop=True)
    return Table(rows, table.layout, table.simulated)


class Features:
    """Pooled features (N, 1280) of tables of images, kept on disk by what they follow from if there is a folder."""

    def __init__(self, weights: Path, cache: Path | None) -> None:
        self.weights, self.cache = weights, cache
        self.settings = PreprocessingSettings()
        about = f"{hashlib.sha256(weights.read_bytes()).hexdigest()} {self.settings.to_dict()} {SIZE}"
        self.identity = about.encode()
        self.model = None

    def of(self, table: Table) -> np.ndarray:
        """Features of every row, in order."""
        values: list[np.ndarray | None] = [self._kept(path) for path in table.paths]
        missing = [index for index, value in enumerate(values) if value is None]
        for start in range(0, len(missing), BATCH):
            chosen = missing[start : start + BATCH]
            images = [prepare(read_pixels(table.paths[k]), self.settings, size=SIZE) for k in chosen]
            for index, value in zip(chosen, self._forward(np.stack(images)), strict=True):
                values[index] = value
                self._keep(table.paths[index], value)
        return np.stack(values)

    def _forward(self, images: np.ndarray) -> np.ndarray:
        if self.model is None:
            tensorflow = runtime.tensorflow()
            trunk = get_backbone("mobilenet_v2").build(SIZE, self.weights)
            self.model = tensorflow.function(lambda batch: tensorflow.reduce_mean(trunk(batch, training=False), (1, 2)))
        batch = np.repeat(images[..., None].astype(np.float32) / 127.5 - 1, 3, axis=-1)
        padded = np.zeros((BATCH, *batch.shape[1:]), np.float32)
        padded[: len(batch)] = batch
        return self.model(padded).numpy()[: len(batch)]

    def _path(self, image: Path) -> Path:
        key = hashlib.sha256(self.identity + hashlib.sha256(image.read_bytes()).digest()).hexdigest()
        return self.cache / f"{key[:32]}.npy"

    def _kept(self, image: Path) -> np.ndarray | None:
        if self.cache is None or not (path := self._path(image)).is_file():
            return None
        return np.load(path)

    def _keep(self, image: Path, value: np.ndarray) -> None:
        if self.cache is not None:
            self.cache.mkdir(parents=True, exist_ok=True)
            np.save(self._path(image), value)


def report(values: dict[str, np.ndarray], patients: dict[str, np.ndarray]) -> None:
    """A Markdown table: every set against the second half of HC18."""
    real, owners = values.pop("second"), patients.pop("second")
    mean, directions = principal_components(np.concatenate([real, *values.values()]), DIMENSIONS)
    reduced = (real - mean) @ directions
    print(f"Against the second half of HC18's training examinations, n = {len(real)} a side\n")
    print(f"| set | Frechet distance ({DIMENSIONS} components) | kernel distance x 1000 [95 % of subsets] | probe |")
    print("|---|---|---|---|")
    for name, features in values.items():
        frechet = frechet_distance((features - mean) @ directions, reduced)
        probe = probe_accuracy(features, real, (patients[name], owners))
        print(f"| {name} | {frechet:.1f} | {shown(kernel_distance(features, real))} | {probe} |", flush=True)


def shown(distance: Distance) -> str:
    """A kernel distance as people quote it, times 1000."""
    return f"{1000 * distance.value:.1f} [{1000 * distance.low:.1f}, {1000 * distance.high:.1f}]"


if __name__ == "__main__":
    main()
