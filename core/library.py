"""Images that have a name: the samples that ship and phantoms made from their recipe.

An image id is what a link carries: ``sample-bpd_000003`` or ``phantom-CRL-unseen-41``. Uploads go by the start of
their hash and never leave their session, so they are not here.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import ImageError
from core.images import Frame, encode_png, read_image

SAMPLES_FOLDER = Path(__file__).resolve().parents[1] / "sample_images"
EXAMPLE = "sample-crl_000005"
"""The first screen's: a little more noise, and the network takes this fetus for a head."""
CURVE_SAMPLE_PER_PLANE = 12
SCANNER_TITLES = {"ge": "GE", "siemens": "Siemens"}
PHANTOM_ID = re.compile(r"phantom-(?P<plane>[A-Za-z]+)-(?P<settings>[a-z]+)-(?P<seed>\d{1,19})")


@dataclass(frozen=True)
class NamedImage:
    """A frame with its id, what people call it, and what is known of it.

    ``plane`` is the true class where known (all ours are simulated), else None.
    """

    image_id: str
    title: str
    frame: Frame
    plane: str | None
    simulated: bool


def sample_ids(folder: Path = SAMPLES_FOLDER) -> dict[str, str]:
    """Ids of the samples with their titles, in the manifest's order."""
    return {f"sample-{Path(row['file']).stem}": _sample_title(row) for row in _manifest(folder)}


def open_sample(image_id: str, folder: Path = SAMPLES_FOLDER) -> NamedImage:
    """Open a sample by id.

    Raises
    ------
    ImageError
        If there is no such sample.
    """
    for row in _manifest(folder):
        if f"sample-{Path(row['file']).stem}" == image_id:
            return NamedImage(
                image_id, _sample_title(row), read_image(folder / row["file"]), row["plane"], simulated=True
            )
    raise ImageError(f"There is no sample image {image_id!r}; choose one of the list.")


def is_phantom_id(image_id: str) -> bool:
    return PHANTOM_ID.fullmatch(image_id) is not None


def phantom_id(plane: str, settings: str, seed: int) -> str:
    return f"phantom-{plane}-{settings}-{seed}"


def open_phantom(image_id: str) -> NamedImage:
    """Simulate the phantom an id describes; the same id always gives the same pixels.

    Raises
    ------
    ImageError
        If the id is none of a phantom's.
    """
    match = PHANTOM_ID.fullmatch(image_id)
    if match is None:
        raise ImageError(f"{image_id!r} names no simulated image; choose one of the list.")
    from core.phantom import generate

    phantom = generate(match["plane"], int(match["seed"]), size=None, settings=match["settings"])
    title = f"{phantom.plane} phantom {match['seed']} ({match['settings']} settings)"
    # Through PNG, so that the frame and its hash are those of the file a download gives.
    frame = read_image(encode_png(phantom.image), name=f"{image_id}.png")
    return NamedImage(image_id, title, frame, phantom.plane, simulated=True)


def open_image(image_id: str) -> NamedImage:
    """Open a sample or phantom by id."""
    return open_phantom(image_id) if is_phantom_id(image_id) else open_sample(image_id)


def curve_sample(planes: Sequence[str], per_plane: int = CURVE_SAMPLE_PER_PLANE) -> list[NamedImage]:
    """The fixed sample curves are drawn over: phantoms of settings no model was trained on, the first seeds of each.

    Of ``planes``, a model's classes, those that cannot be simulated have no sample.
    """
    return [
        open_phantom(phantom_id(plane, "unseen", seed))
        for plane in can_be_simulated(planes)
        for seed in range(per_plane)
    ]


def can_be_simulated(planes: Sequence[str]) -> list[str]:
    """Those of the classes of a model of which there are phantoms."""
    from core.phantom import PLANES

    return [plane for plane in planes if plane in PLANES]


def _manifest(folder: Path) -> list[dict[str, str]]:
    path = folder / "manifest.csv"
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _sample_title(row: dict[str, str]) -> str:
    number = int(Path(row["file"]).stem.split("_")[-1]) + 1
    scanner = SCANNER_TITLES.get(row.get("scanner", ""), row.get("scanner", ""))
    return f"{row['plane']} phantom {number}" + (f" · {scanner} screen" if scanner else "")
