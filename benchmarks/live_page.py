"""Time of one move of the live page on the server, and its ratio to the floor: ``python -m benchmarks.live_page``.

A move is :meth:`core.live.LiveSubject.move`: everything the page then shows, PNG files included. The floor is what
cannot be left out, one after the other and nothing else: the corruption, SSIM in both definitions, two bare forward
passes (plane model and detector; the plane model twice where there is no detector), the weighted sum of the class
activation map, and the PNG encoding of the pictures. Move and floor alternate, so that a busy machine slows both alike.

Frames are phantoms of the sizes of scanners; folders of real frames are added with ``--real``.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import chain
from pathlib import Path

import cv2
import numpy as np

from core.corruption import CORRUPTIONS, corrupt
from core.errors import PlaneLabError
from core.explain.base import resize_maps
from core.explain.cam import weigh
from core.images import encode_png, read_image
from core.library import open_phantom, phantom_id
from core.live import LiveSubject, Move
from core.preprocessing import Cleaned, clean
from core.similarity import Reference
from core.zoo import list_cards, load_model
from core.zoo.architectures import LOGITS_LAYER
from core.zoo.detection import ORIGINAL
from core.zoo.prediction import Classifier, to_unit

PHANTOMS = ("BPD", "CRL", "NT")
STEPS = 12


def floor_of(subject: LiveSubject, move: Move) -> Callable[[str, float], None]:
    """What a move cannot do without, for the frame of a subject; ``move`` lends its sizes and pictures."""
    cleaned, model, detector = subject.cleaned, subject.model, subject.detector
    references = [Reference(cleaned.gray, definition) for definition in ("wang", "skimage")]
    plane_input = to_unit(move.look.image[None])
    detector_input = np.zeros((1, detector.card.size, detector.card.size), np.float32)
    _, maps = model.network.feature_maps(plane_input)
    weights = np.asarray(model.network.model.get_layer(LOGITS_LAYER).kernel)[:, :1].T
    pictures = [_pixels(move.pictures[name]) for name in ("after", "difference", "ssim", "cam_after")]

    def compute(kind: str, intensity: float) -> None:
        image = corrupt(cleaned.gray, kind, intensity, 0, cleaned.sector)
        for reference in references:
            reference.ssim_of_both(image, cleaned.sector)
        model.network.forward(plane_input)
        detector.network.forward(detector_input)
        resize_maps(weigh(maps, weights), plane_input.shape[-1])
        for pixels in pictures:
            encode_png(pixels)

    return compute


def _pixels(picture: bytes) -> np.ndarray:
    pixels = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_UNCHANGED)
    return pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def seconds_of(subject: LiveSubject, kind: str, steps: int) -> tuple[list[float], list[float]]:
    """Seconds of moves over the slider's whole range and of the floor at the same intensities, in turn."""
    intensities = np.linspace(0, CORRUPTIONS[kind].slider_maximum, steps + 1)[1:].tolist()
    floor = floor_of(subject, subject.move(kind, intensities[0]))
    floor(kind, intensities[0])
    moves, floors = [], []
    for intensity in intensities:
        for compute, kept in ((subject.move, moves), (floor, floors)):
            started = time.perf_counter()
            compute(kind, intensity)
            kept.append(time.perf_counter() - started)
    return moves, floors


def report(name: str, moves: list[float], floors: list[float]) -> str:
    """One line: milliseconds of moves and of the floor, median and 95th percentile, and the ratio of each."""
    columns = []
    for share in (50, 95):
        move, floor = (1e3 * float(np.percentile(values, share)) for values in (moves, floors))
        columns.append(f"p{share} {move:6.0f} ms, floor {floor:6.0f} ms, ratio {move / floor:4.2f}")
    return f"  {name:16s} n = {len(moves):3d}  " + "  |  ".join(columns)


def models() -> tuple[Classifier, Classifier]:
    """The default models of planes and of corruptions."""
    cards = list_cards(with_weights=True)
    model = load_model(next(card.name for card in cards if card.task == "plane"))
    detectors = [card.name for card in cards if card.task == "corruption"]
    print(f"plane model {model.card.name}, detector {detectors[0] if detectors else 'none: the plane model twice'}")
    return model, load_model(detectors[0]) if detectors else _stand_in(model)


def _stand_in(model: Classifier) -> Classifier:
    """The plane model in the place of a detector: as much work, and answers that mean nothing."""
    names = [ORIGINAL, *CORRUPTIONS][: len(model.classes)]
    card = replace(model.card, task="corruption", classes=names, input={**model.card.input, "chain": "detector"})
    return Classifier(card, model.network, model.typicality)


def groups(model: Classifier, real: list[Path], images: int) -> dict[str, list[Cleaned]]:
    """Cleaned frames by where they come from."""
    pixels = {"phantoms": [open_phantom(phantom_id(plane, "unseen", 1)).frame.pixels for plane in PHANTOMS][:images]}
    for folder in real:
        paths = [path for path in sorted(folder.glob("*.png")) if "Annotation" not in path.stem]
        pixels[f"real: {folder.name}"] = [read_image(path).pixels for path in paths[:images]]
    return {name: [clean(each, model.settings) for each in group] for name, group in pixels.items() if group}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", nargs="*", type=Path, default=[], metavar="DIR", help="folders of real frames")
    parser.add_argument("--kinds", nargs="+", choices=list(CORRUPTIONS), default=list(CORRUPTIONS))
    parser.add_argument("--images", type=int, default=2, help="of each group")
    parser.add_argument("--steps", type=int, default=STEPS, help="moves of each image and kind")
    options = parser.parse_args()
    model, detector = models()
    for name, frames in groups(model, options.real, options.images).items():
        sizes = ", ".join(f"{frame.gray.shape[1]}x{frame.gray.shape[0]}" for frame in frames)
        print(f"{name}: {len(frames)} frames of {sizes} pixels, {options.steps} moves each")
        subjects = [LiveSubject(frame, model, detector) for frame in frames]
        all_moves, all_floors, medians = [], [], []
        for kind in options.kinds:
            timed = [seconds_of(subject, kind, options.steps) for subject in subjects]
            moves, floors = ([*chain.from_iterable(values)] for values in zip(*timed, strict=True))
            print(report(kind, moves, floors), flush=True)
            all_moves += moves
            all_floors += floors
            medians.append(statistics.median(moves) / statistics.median(floors))
        print(report("all kinds", all_moves, all_floors))
        print(f"  largest ratio of medians {max(medians):.2f}")


if __name__ == "__main__":
    try:
        main()
    except PlaneLabError as error:
        raise SystemExit(str(error)) from error
