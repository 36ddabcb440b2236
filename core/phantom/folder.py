"""Folders of phantoms: pictures, raw screens, masks and the manifest that says what each one is."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from core.errors import DatasetError, ParameterError
from core.phantom.adaptation import RealBank, adapt
from core.phantom.generator import Phantom, generate
from core.phantom.overlay import RawScreen, raw_screen
from core.phantom.planes import find_plane

MANIFEST = "manifest.csv"
NATIVE = "native"
"""What the manifest calls frames in the shape of a scanner's crop (size None)."""
COLUMNS = (
    "file",
    "plane",
    "seed",
    "settings",
    "scanner",
    "size",
    "drawn",
    "overlay",
    "tint",
    "pixel_size_mm",
    "rows",
    "columns",
    "adaptation",
    "real_file",
)
OLD_COLUMNS = COLUMNS[:-2]
"""Manifests written before phantoms could be adapted to real frames."""


SAMPLES: dict[str, tuple[tuple[str, int], ...]] = {
    "BPD": (
        ("ge", 203),
        ("ge", 206),
        ("ge", 211),
        ("ge", 214),
        ("ge", 202),
        ("siemens", 201),
        ("siemens", 204),
        ("siemens", 207),
    ),
    "CRL": (
        ("ge", 203),
        ("ge", 200),
        ("ge", 211),
        ("ge", 214),
        ("ge", 205),
        ("siemens", 201),
        ("siemens", 204),
        ("siemens", 210),
    ),
    "NT": (
        ("ge", 208),
        ("ge", 202),
        ("ge", 206),
        ("ge", 209),
        ("ge", 212),
        ("siemens", 201),
        ("siemens", 204),
        ("siemens", 210),
    ),
    "brain": (("ge", 201), ("ge", 203), ("ge", 211), ("siemens", 204)),
    "abdomen": (("ge", 201), ("ge", 211), ("ge", 209), ("siemens", 206)),
    "femur": (("ge", 219), ("ge", 207), ("ge", 216), ("siemens", 204)),
    "thorax": (("ge", 209), ("ge", 203), ("ge", 207), ("siemens", 204)),
}
"""Plane -> (scanner, seed) of the screens in `sample_images/`, chosen by eye."""


def frame_seed(seed: int, index: int) -> int:
    """Seed of frame `index` in a folder made with `seed`: a function of the two alone (numpy's SeedSequence)."""
    return int(np.random.SeedSequence((int(seed), int(index))).generate_state(1, np.uint32)[0])


def write_folder(
    out: Path | str,
    plane: str,
    n: int,
    seed: int,
    size: int | tuple[int, int] | None = 299,
    raw: str | None = None,
    masks: bool = False,
    settings: str = "train",
    progress: Callable[[float], None] | None = None,
    *,
    overwrite: bool = False,
    real: RealBank | None = None,
    real_share: float = 0.5,
) -> list[Path]:
    """Write `n` phantoms of a plane as `crl_000000.png` ... and add them to the folder's manifest.

    Frame i is ``generate(plane, frame_seed(seed, i))``, whatever `n` is; the manifest's column *seed* holds that
    seed, so that any row can be made again by itself. A second plane, or settings, may be added to the same folder.

    Parameters
    ----------
    out: the folder, made if missing.
    raw: None for pictures of `size`; "siemens" or "ge" for whole screens, with the clean twin `*_clean.png` beside.
    masks: also write `*_mask.png`, the label image (values as in `LABELS`).
    progress: called with the share done after each frame; it may raise `core.errors.Cancelled`, and the manifest then
        holds what was written.
    overwrite: replace frames that are already there.
    real: real frames to adapt the phantoms to; of frames in the shape of a scanner's crop (size None) only. The
        manifest's columns *adaptation* and *real_file* then say how each frame was adapted, and to which.
    real_share: share of the frames that are set among real surroundings; the others are matched in statistics.

    Returns
    -------
    Paths of the frames (without twins and masks).

    Raises
    ------
    DatasetError: if a frame is already there and `overwrite` is false, or the folder's manifest is not one of ours.
    ParameterError: for arguments that make no phantom.
    """
    if n < 1:
        raise ParameterError(f"{n} frames cannot be written; ask for 1 or more.")
    folder = Path(out)
    if real is not None and (raw is not None or size is not None):
        raise ParameterError("Only frames in the shape of a scanner's crop can be adapted to real ones; ask for those.")
    if not 0 <= real_share <= 1:
        raise ParameterError(f"The share of frames with real surroundings must lie between 0 and 1, not {real_share}.")
    name = find_plane(plane).name
    files = [f"{name.lower()}_{index:06d}.png" for index in range(n)]
    taken = [file for file in files if (folder / file).exists()]
    if taken and not overwrite:
        raise DatasetError(f"{folder / taken[0]} is already there; choose another folder or allow overwriting.")
    if folder.exists() and not folder.is_dir():
        raise DatasetError(f"{folder} is a file; choose a folder to write phantoms to.")
    rows = read_manifest(folder)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        for index, file in enumerate(files):
            row = _write_frame(
                folder, file, name, frame_seed(seed, index), size, raw, masks, settings, real, real_share
            )
            rows[file] = row
            if progress is not None:
                progress((index + 1) / n)
    finally:
        _write_manifest(folder, rows)
    return [folder / file for file in files]


def read_manifest(folder: Path) -> dict[str, dict[str, str]]:
    """Rows of a folder's manifest by file name; empty if there is none.

    Raises
    ------
    DatasetError: if the manifest has other columns than ours.
    """
    path = Path(folder) / MANIFEST
    if not path.exists():
        return {}
    no_manifest = DatasetError(f"{path} is no manifest of phantoms; choose another folder.")
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            reader = csv.DictReader(stream, strict=True)
            if tuple(reader.fieldnames or ()) not in (COLUMNS, OLD_COLUMNS):
                raise no_manifest
            rows = list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise no_manifest from error
    # A row too long has a key None, one too short a value.
    if any(None in row or None in row.values() for row in rows):
        raise no_manifest
    return {row["file"]: dict.fromkeys(COLUMNS, "") | row for row in rows}


def _write_manifest(folder: Path, rows: dict[str, dict[str, str]]) -> None:
    draft = folder / f".{MANIFEST}.part"
    with draft.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        writer.writerows(rows.values())
    draft.replace(folder / MANIFEST)


def _write_frame(
    folder: Path,
    file: str,
    plane: str,
    seed: int,
    size,
    raw: str | None,
    masks: bool,
    settings: str,
    real: RealBank | None,
    real_share: float,
) -> dict[str, str]:
    stem = file.removesuffix(".png")
    if raw is None:
        screen, phantom = None, generate(plane, seed, size=size, settings=settings)
        if real is not None:
            phantom = _adapted(phantom, real, real_share)
        pixels, labels = phantom.image, phantom.labels
    else:
        screen = raw_screen(plane, seed, scanner=raw, settings=settings)
        phantom, pixels, labels = screen.phantom, screen.pixels, screen.labels
        _save(folder / f"{stem}_clean.png", screen.clean)
    _save(folder / file, pixels)
    if masks:
        _save(folder / f"{stem}_mask.png", labels)
    return _row(file, phantom, screen, _size_name(size) if screen is None else "")


def _adapted(phantom: Phantom, real: RealBank, real_share: float) -> Phantom:
    """The phantom adapted in the way that its seed and the share ask for."""
    among_real = np.random.default_rng((phantom.seed, 1)).random() < real_share
    return adapt(phantom, real, phantom.seed, "surroundings" if among_real else "statistics")


def _size_name(size: int | tuple[int, int] | None) -> str:
    """How a manifest names the size that frames were asked for."""
    if size is None:
        return NATIVE
    return "x".join(map(str, size)) if isinstance(size, tuple) else str(size)


def _row(file: str, phantom: Phantom, screen: RawScreen | None, size: str = "") -> dict[str, str]:
    """A manifest's row; screens have no size of their own choice."""
    pixels = phantom.image if screen is None else screen.pixels
    return {
        "file": file,
        "plane": phantom.plane,
        "seed": str(phantom.seed),
        "settings": phantom.settings,
        "scanner": "" if screen is None else screen.scanner,
        "size": size,
        "drawn": ";".join(phantom.structures),
        "overlay": "" if screen is None else ";".join(screen.drawn),
        "tint": "" if screen is None else str(screen.parameters["screen.tint"]),
        "pixel_size_mm": f"{phantom.pixel_size_mm:.5f}",
        "rows": str(pixels.shape[0]),
        "columns": str(pixels.shape[1]),
        "adaptation": str(phantom.parameters.get("adaptation.mode", "")),
        "real_file": str(phantom.parameters.get("adaptation.real", "")),
    }


def _save(path: Path, pixels: np.ndarray) -> None:
    pixels = pixels[..., ::-1] if pixels.ndim == 3 else pixels
    written, code = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 6])
    if not written:
        raise DatasetError(f"{path} could not be encoded as PNG; report this.")
    path.write_bytes(code.tobytes())


def write_samples(out: Path | str = "sample_images") -> list[Path]:
    """Write the raw screens that ship with the project, and their manifest.

    Made by ``python -c "from core.phantom import write_samples; write_samples('sample_images')"``, which replaces
    what is there.

    Returns
    -------
    Paths of the screens, `bpd_000000.png` ...
    """
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    rows: dict[str, dict[str, str]] = {}
    paths = []
    for plane, screens in SAMPLES.items():
        for index, (scanner, seed) in enumerate(screens):
            screen = raw_screen(plane, seed, scanner=scanner)
            paths.append(folder / f"{plane.lower()}_{index:06d}.png")
            _save(paths[-1], screen.pixels)
            rows[paths[-1].name] = _row(paths[-1].name, screen.phantom, screen)
    _write_manifest(folder, rows)
    return paths
