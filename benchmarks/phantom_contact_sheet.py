"""Write a contact sheet of phantoms, beside real frames of a folder if one is given, to judge them by eye.

    python -m benchmarks.phantom_contact_sheet --planes BPD CRL NT --seeds 0 12 --out sheet.png
    python -m benchmarks.phantom_contact_sheet --planes BPD --real ../shared/data/hc18 --shuffle --out sheet.png

Real frames are read, never kept: write sheets that hold any outside the repository.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from core.phantom import PLANES, SETTINGS, generate


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--planes", nargs="+", default=list(PLANES), metavar="PLANE")
    parser.add_argument("--seeds", nargs=2, type=int, default=(0, 12), metavar=("FIRST", "STOP"))
    parser.add_argument("--settings", choices=list(SETTINGS), default="train")
    parser.add_argument("--real", type=Path, action="append", default=[], help="folder of real frames; may be repeated")
    parser.add_argument("--only", default="", help="real frames whose name holds this text")
    parser.add_argument("--shuffle", action="store_true", help="mix phantoms and real frames, without captions")
    parser.add_argument("--tile", nargs=2, type=int, default=(240, 340), metavar=("ROWS", "COLUMNS"))
    parser.add_argument("--columns", type=int, default=6, help="pictures in a row")
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args()


def real_frames(folder: Path, only: str, tile: tuple[int, int], count: int) -> list[tuple[str, np.ndarray]]:
    """`count` frames of a folder, evenly spread over its names, gray, as large as a tile.

    Of HC18 the examinations whose number is a multiple of 5 are left out: they are the project's test data.
    """
    paths = [path for path in sorted(folder.glob("*.png")) if only in path.name and "Annotation" not in path.name]
    number = [path.name.split("_")[0] for path in paths]
    paths = [path for path, n in zip(paths, number, strict=True) if not n.isdigit() or int(n) % 5]
    chosen = [paths[k] for k in np.linspace(0, len(paths) - 1, min(count, len(paths))).astype(int)]
    frames = []
    for path in chosen:
        pixels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        frames.append((path.stem, cv2.resize(pixels, tile[::-1], interpolation=cv2.INTER_AREA)))
    return frames


def captioned(name: str, pixels: np.ndarray) -> np.ndarray:
    """The picture with its name in the corner."""
    picture = pixels.copy()
    cv2.putText(picture, name, (4, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.4, 255, 1, cv2.LINE_AA)
    return picture


def sheet(groups: list[list[np.ndarray]], columns: int) -> np.ndarray:
    """Groups of pictures one below the other, filled up with black."""
    rows = []
    for group in groups:
        padded = group + [np.zeros_like(group[0])] * (-len(group) % columns)
        rows += [np.hstack(padded[k : k + columns]) for k in range(0, len(padded), columns)]
    return np.vstack(rows)


def main() -> None:
    """Draw, arrange and write the sheet."""
    options = parse()
    tile = tuple(options.tile)
    groups = []
    for plane in options.planes:
        frames = [
            (f"{plane} {seed}", generate(plane, seed, size=tile, settings=options.settings).image)
            for seed in range(*options.seeds)
        ]
        groups.append(frames)
    count = options.seeds[1] - options.seeds[0]
    groups += [frames for folder in options.real if (frames := real_frames(folder, options.only, tile, count))]
    if options.shuffle:
        mixed = [picture for group in groups for _, picture in group]
        order = np.random.default_rng(0).permutation(len(mixed))
        pictures = [[mixed[k] for k in order]]
    else:
        pictures = [[captioned(name, picture) for name, picture in group] for group in groups]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(options.out), sheet(pictures, options.columns))
    print(f"{options.out}: {sum(len(group) for group in pictures)} pictures")


if __name__ == "__main__":
    main()
