"""Sound files changed at random, for fuzzing: in tests by hypothesis, in a campaign by a seed."""

from __future__ import annotations

import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from pydicom import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from core.datasets import load
from core.errors import PlaneLabError
from core.images import read_image
from core.reviews.exchange import from_csv
from core.screening.sources import Uploads
from core.zoo.cards import Card
from core.zoo.weights import read_arrays

from .archives import archive
from .case import Case, faults_of
from .models import CARD_NAME, SOUND, WEIGHTS_NAME
from .pictures import dicom, good_picture, noise, sound_dicoms, sound_pictures
from .tables import CLASSES, FORMS, HC18, MODEL, PHANTOMS, PLANES, REVIEWS, write_data

Change = tuple[str, int, int, bytes]
"""What is done, where, how far, and with which bytes."""
WAYS = ("flip", "cut", "drop", "insert", "repeat", "number", "splice")
NUMBERS = tuple(
    value.to_bytes(size, order)
    for size in (1, 2, 4, 8)
    for value in (0, 1, 2 ** (8 * size - 1) - 1, 2 ** (8 * size - 1), 2 ** (8 * size) - 1)
    for order in ("little", "big")
)
KINDS = ("pictures", "DICOM", "archives", "reviews", HC18, PLANES, PHANTOMS, "cards", "weights")
LONGEST = 200_000
MOST_CHANGES = 5


def mutated(data: bytes, changes: Sequence[Change], other: bytes = b"") -> bytes:
    """``data`` with changes made one after the other; ``other`` is what it is spliced with."""
    made = bytearray(data)
    for way, place, length, value in changes:
        start = place % (len(made) + 1)
        end = min(len(made), start + length % 64 + 1)
        if way == "flip" and start < len(made):
            made[start] ^= 1 << length % 8
        elif way == "cut":
            del made[start:]
        elif way == "drop":
            del made[start:end]
        elif way == "insert":
            made[start:start] = value
        elif way == "repeat":
            made[start:start] = made[start:end] * (length % 50)
        elif way == "number":
            made[start : start + len(value)] = value
        elif way == "splice":
            made[start:] = other[length % (len(other) + 1) :]
    return bytes(made[:LONGEST])


def read_picture(data: bytes) -> None:
    read_image(data, "scan")


def read_archive(data: bytes) -> None:
    """Every member is read: what one raises must be one of ours, and none ends the reading of the others."""
    source = Uploads([("set.zip", data)])
    for entry in source.entries():
        try:
            read_image(source.read(entry.name), entry.name)
        except PlaneLabError as error:
            assert not faults_of(str(error)), error


def read_reviews(data: bytes) -> None:
    from_csv(data, {MODEL: CLASSES})


def read_list_of(kind: str) -> Callable[[bytes], None]:
    def read(data: bytes) -> None:
        with TemporaryDirectory() as folder:
            write_data(Path(folder), Case(kind, "mutated", FORMS[kind].file, data))
            load(folder)

    return read


def read_card_of(data: bytes) -> None:
    with TemporaryDirectory() as folder:
        (Path(folder) / CARD_NAME).write_bytes(data)
        Card.read(Path(folder))


def read_weights(data: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / WEIGHTS_NAME
        path.write_bytes(data)
        read_arrays(path)


@cache
def sound_files() -> dict[str, tuple[Callable[[bytes], None], tuple[bytes, ...]]]:
    """What reads each kind of file, and sound ones of it."""
    picture = good_picture()
    return {
        "pictures": (read_picture, tuple(sound_pictures().values())),
        "DICOM": (read_picture, _loops()),
        "archives": (read_archive, (archive(("a.png", picture)), archive(("b.png", picture), compression=0))),
        "reviews": (read_reviews, (FORMS[REVIEWS].sound,)),
        **{kind: (read_list_of(kind), (FORMS[kind].sound,)) for kind in (HC18, PLANES, PHANTOMS)},
        "cards": (read_card_of, ((SOUND / CARD_NAME).read_bytes(),)),
        "weights": (read_weights, (_few_weights(),)),
    }


def _loops() -> tuple[bytes, ...]:
    """DICOM files of all that is read of a header, stored in several ways."""
    region = Dataset()
    region.RegionSpatialFormat = region.RegionDataType = 1
    region.RegionLocationMinX0, region.RegionLocationMinY0 = 2, 3
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = 40, 30
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.PhysicalDeltaX = region.PhysicalDeltaY = 0.01
    tags = {"SequenceOfUltrasoundRegions": [region], "PixelSpacing": [0.1, 0.1]}
    deep = {"BitsAllocated": 16, "BitsStored": 12, "HighBit": 11, "WindowCenter": 120, "WindowWidth": 200}
    frame = noise()[None]
    return (
        *sound_dicoms().values(),
        dicom(frame, DeflatedExplicitVRLittleEndian, **tags),
        dicom(frame, ImplicitVRLittleEndian, **tags),
        dicom(frame, ExplicitVRLittleEndian, PixelData=frame.astype("<u2").tobytes(), **deep, **tags),
    )


def _few_weights() -> bytes:
    buffer = BytesIO()
    np.savez(buffer, weight_0000=np.ones((3, 4), np.float16), weight_0001=np.zeros(4, np.float16))
    return buffer.getvalue()


def changes_by(generator: np.random.Generator) -> list[Change]:
    """Changes drawn by a generator."""
    found: list[Change] = []
    for _ in range(int(generator.integers(1, MOST_CHANGES + 1))):
        way = WAYS[int(generator.integers(len(WAYS)))]
        value = NUMBERS[int(generator.integers(len(NUMBERS)))]
        value = value if way == "number" else generator.bytes(int(generator.integers(1, 20)))
        found.append((way, int(generator.integers(2**31)), int(generator.integers(2**31)), value))
    return found


def campaign(count: int, seed: int, only: str | None = None) -> None:
    """Read so many mutations, of one kind of file or of all, and print those that raised what is no sentence.

    Then how they were answered, and which took longest.
    """
    answers: Counter[tuple[str, str]] = Counter()
    slowest = (0.0, "")
    files = sound_files()
    kinds = [only] if only else [*["pictures"] * 5, *files]
    for number in range(count):
        generator = np.random.default_rng([seed, number])
        kind = kinds[int(generator.integers(len(kinds)))]
        read, sound = files[kind]
        data, other = (sound[int(generator.integers(len(sound)))] for _ in range(2))
        changes = changes_by(generator)
        started = time.perf_counter()
        try:
            read(mutated(data, changes, other))
            answer = "read"
        except PlaneLabError as error:
            faults = [fault for line in str(error).splitlines() for fault in faults_of(line)]
            answer = "sentence that is none" if faults else "sentence"
            if faults:
                print(f"{kind} {seed} {number}: {faults}: {error}", flush=True)
        except Exception:
            answer = "trace"
            print(f"{kind} {seed} {number}: {changes}\n{traceback.format_exc()}", flush=True)
        answers[kind, answer] += 1
        slowest = max(slowest, (time.perf_counter() - started, f"{kind} {seed} {number}"))
    for (kind, answer), n in sorted(answers.items()):
        print(f"{kind:24}{answer:24}{n:8}")
    print(f"slowest: {slowest[0]:.2f} s, {slowest[1]}")
