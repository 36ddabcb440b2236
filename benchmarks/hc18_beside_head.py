"""Real echo without a head: the largest rectangle of every HC18 frame that the annotated ellipse does not touch.

    python -m benchmarks.hc18_beside_head --data ../shared/data/hc18 --out /tmp/beside_head

The plane model is then asked what it calls them:

    python -m core evaluate --model mobilenet_v2_plane --data /tmp/beside_head --record "HC18 crops beside the head"

A network that calls everything BPD would do well on HC18 and badly here. The crops are real texture, but smaller than a
frame and never a standard plane, so they are reported apart from whole frames.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from core.datasets import load
from core.images import read_image
from core.preprocessing import find_sector

LEAST_SIDE = 120
LEAST_ECHO = 0.8
MARGIN = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="HC18 as published, with its annotations")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    shutil.rmtree(options.out, ignore_errors=True)
    options.out.mkdir(parents=True)
    written = []
    for path in load(options.data).paths:
        crop = beside_head(path)
        if crop is not None:
            cv2.imwrite(str(options.out / path.name), crop)
            written.append(path.name)
    pd.Series(written).to_csv(options.out / "frames.txt", index=False, header=False)
    print(f"{len(written)} crops in {options.out}")


def beside_head(path: Path) -> np.ndarray | None:
    """The largest of the four rectangles above, below, left and right of the head, if large and bright enough."""
    frame = read_image(path)
    outline = read_image(path.with_name(path.stem + "_Annotation.png")).gray()
    rows, columns = np.nonzero(outline)
    sector = find_sector(frame.pixels)
    box = sector.box
    top, bottom = max(rows.min() - MARGIN, box.top), min(rows.max() + MARGIN, box.bottom)
    left, right = max(columns.min() - MARGIN, box.left), min(columns.max() + MARGIN, box.right)
    around = [
        (slice(box.top, top), slice(box.left, box.right)),
        (slice(bottom, box.bottom), slice(box.left, box.right)),
        (slice(box.top, box.bottom), slice(box.left, left)),
        (slice(box.top, box.bottom), slice(right, box.right)),
    ]
    usable = [
        window
        for window in around
        if min(side.stop - side.start for side in window) >= LEAST_SIDE and sector.mask[window].mean() >= LEAST_ECHO
    ]
    if not usable:
        return None
    return frame.gray()[max(usable, key=lambda window: sector.mask[window].size)]


if __name__ == "__main__":
    main()
