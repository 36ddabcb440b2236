"""Write a contact sheet of phantoms, beside real frames of a folder if one is given, to judge them by eye.

    python -m benchmarks.phantom_contact_sheet --planes BPD CRL NT --seeds 0 12 --out sheet.png
    python -m benchmarks.phantom_contact_sheet --planes BPD --real ../shared/data/hc18 --shuffle --out sheet.png
    python -m benchmarks.phantom_contact_sheet --planes BPD brain --seeds 100 106 --real ../shared/data/hc18 --adapt \
        --shuffle --key key.md --tile 150 222 --out docs/images/phantoms_among_real.png

Real frames are read, never kept: write sheets that hold any outside the repository. The one exception is the last of
these, thumbnails in the documentation that name their source. ``--adapt`` brings phantoms nearer to the first folder of
real frames: the first of three stays as it is, the second has its statistics matched, the third real surroundings.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from core.phantom import PLANES, SETTINGS, RealBank, adapt, generate
from core.preprocessing import find_sector


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--planes", nargs="+", default=list(PLANES), metavar="PLANE")
    parser.add_argument("--seeds", nargs=2, type=int, default=(0, 12), metavar=("FIRST", "STOP"))
    parser.add_argument("--settings", choices=list(SETTINGS), default="train")
    parser.add_argument("--real", type=Path, action="append", default=[], help="folder of real frames; may be repeated")
    parser.add_argument("--only", default="", help="real frames whose name holds this text")
    parser.add_argument("--shuffle", action="store_true", help="mix phantoms and real frames, without captions")
    parser.add_argument("--adapt", action="store_true", help="two of three phantoms to the first folder of real frames")
    parser.add_argument("--key", type=Path, help="write which picture is what, as a Markdown table")
    parser.add_argument("--tile", nargs=2, type=int, default=(240, 340), metavar=("ROWS", "COLUMNS"))
    parser.add_argument("--columns", type=int, default=6, help="pictures in a row")
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args()


def real_frames(folder: Path, only: str, tile: tuple[int, int], count: int) -> list[tuple[str, np.ndarray]]:
    """`count` frames of a folder, evenly spread over its names, gray, black beside the sector, as large as a tile.

    Of HC18 the examinations whose number is a multiple of 5 are left out: they are the project's test data.
    """
    paths = [path for path in sorted(folder.glob("*.png")) if only in path.name and "Annotation" not in path.name]
    number = [path.name.split("_")[0] for path in paths]
    paths = [path for path, n in zip(paths, number, strict=True) if not n.isdigit() or int(n) % 5]
    chosen = [paths[k] for k in np.linspace(0, len(paths) - 1, min(count, len(paths))).astype(int)]
    frames = []
    for path in chosen:
        pixels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        pixels[~find_sector(pixels).mask] = 0
        frames.append((path.stem, cv2.resize(pixels, tile[::-1], interpolation=cv2.INTER_AREA)))
    return frames


def phantom(
    plane: str, seed: int, tile: tuple[int, int], settings: str, bank: RealBank | None
) -> tuple[str, np.ndarray]:
    """A phantom's name and picture; with real frames, by its seed plain, matched in statistics or among real echo."""
    if bank is None:
        return f"{plane} {seed}", generate(plane, seed, size=tile, settings=settings).image
    frame, name = generate(plane, seed, size=None, settings=settings), f"phantom {plane} {seed}"
    if seed % 3:
        frame = adapt(frame, bank, seed, ("statistics", "surroundings")[seed % 3 - 1])
        name += f", {frame.parameters['adaptation.mode']} of {frame.parameters['adaptation.real']}"
    return name, cv2.resize(frame.image, tile[::-1], interpolation=cv2.INTER_AREA)


def key(names: list[str], columns: int) -> str:
    """What each numbered picture is, in rows like the sheet's."""
    cells = [f"{number}: {name}" for number, name in enumerate(names, start=1)]
    rows = [cells[k : k + columns] for k in range(0, len(cells), columns)]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(["|" + " |" * columns, "|" + "---|" * columns, *lines]) + "\n"


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
    bank = RealBank.read(options.real[0]) if options.adapt else None
    groups = []
    for plane in options.planes:
        groups.append([phantom(plane, seed, tile, options.settings, bank) for seed in range(*options.seeds)])
    count = (options.seeds[1] - options.seeds[0]) * (len(options.planes) if options.shuffle else 1)
    groups += [frames for folder in options.real if (frames := real_frames(folder, options.only, tile, count))]
    if options.shuffle:
        mixed = [named for group in groups for named in group]
        mixed = [mixed[k] for k in np.random.default_rng(0).permutation(len(mixed))]
        pictures = [[captioned(str(number), picture) for number, (_, picture) in enumerate(mixed, start=1)]]
        if options.key:
            options.key.write_text(key([name for name, _ in mixed], options.columns), encoding="utf-8")
    else:
        pictures = [[captioned(name, picture) for name, picture in group] for group in groups]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(options.out), sheet(pictures, options.columns))
    print(f"{options.out}: {sum(len(group) for group in pictures)} pictures")


if __name__ == "__main__":
    main()
