"""What a detector of corruption looks at, class by class: images it recognised, their maps, and where these lie.

The annex of the corruption thesis shows saliency maps of correctly classified images of each class and says in a
sentence what it sees in them (002 A.1, figures 35 to 38; :data:`core.published.DETECTOR_FINDINGS`). Here the images are
phantoms corrupted by seed within the ranges detectors learn from, and where the relevance lies is measured: its density
in some part of the image over its density in the whole, so that 1 is what a map without any preference would have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from core.corruption import corrupt
from core.corruption import get as get_corruption
from core.corruption.severity import LEVELS, intensity_of
from core.evaluation import Share, bootstrap_by_patient, wilson
from core.explain.base import Method, Progress, no_progress
from core.library import NamedImage
from core.parallel import in_threads
from core.preprocessing import clean, finish
from core.zoo.detection import ORIGINAL
from core.zoo.prediction import to_unit

if TYPE_CHECKING:
    from core.zoo.prediction import Classifier

PER_PLANE = 4
"""Phantoms of each plane that are corrupted in every way."""
BORDER_SHARE = 0.1
STRONGEST_PERCENTILE = 90.0
OUTLINE_SIGMA_SHARE = 0.015
"""Of the side: outlines of structures are looked for where speckle and noise are smoothed away."""
PLACES = {
    "bright": "brightest tenth of the pixels",
    "border": "outer tenth of each side",
    "edges": "tenth with the strongest outlines",
    "contrast": "tenth that stands out most from its neighbours",
}
"""Parts of an image where relevance is measured."""


@dataclass(frozen=True)
class GalleryImage:
    """A corrupted phantom that was recognised: what it is, the network's input (S, S) uint8, and its map (S, S)."""

    image_id: str
    title: str
    intensity: float
    probability: float
    image: np.ndarray
    values: np.ndarray


@dataclass(frozen=True)
class GalleryRow:
    """One class of a detector.

    Attributes
    ----------
    name : str
        The class.
    recognised : Share
        Of the images corrupted in this way, with Wilson's interval.
    images : list of GalleryImage
        All that were recognised.
    density : dict
        Place of :data:`PLACES` -> mean over the images of the relevance's density there over that in the whole image,
        with a 95 % bootstrap interval over images; ``n`` counts images whose map says anything in favour of the class.
    """

    name: str
    recognised: Share
    images: list[GalleryImage]
    density: dict[str, Share]


def detector_gallery(
    model: Classifier, sources: Sequence[NamedImage], method: Method, *, seed: int = 0, progress: Progress = no_progress
) -> list[GalleryRow]:
    """A row for each class of a detector.

    Parameters
    ----------
    model : Classifier
        Of the task ``corruption``: its classes are ``original`` and kinds of corruption.
    sources : sequence of NamedImage
        Clean frames; number ``i`` is corrupted with the seed ``(seed, i)``.
    method
        What makes the maps, each for the class that the image truly has.
    progress
        May raise :class:`core.errors.Cancelled`.
    """
    frames = list(in_threads(lambda source: clean(source.frame.pixels, model.settings), sources))
    rows = []
    for index, name in enumerate(model.classes):
        drawn = [_intensity(name, np.random.default_rng([seed, index, number])) for number in range(len(frames))]

        def see(number: int, name: str = name, drawn: list[float] = drawn) -> np.ndarray:
            frame = frames[number]
            gray = frame.gray
            if name != ORIGINAL:
                gray = corrupt(gray, name, drawn[number], seed=(seed, number), sector=frame.sector)
            return finish(
                replace(frame, gray=gray), model.settings, chain=model.card.input["chain"], size=model.card.size
            )

        inputs = np.stack(list(in_threads(see, range(len(frames)))))
        probabilities = model.probabilities(inputs)
        right = np.flatnonzero(probabilities.argmax(axis=1) == index)

        def report(share: float, done: int = index) -> None:
            progress((done + share) / len(model.classes))

        maps = method.explain(model, to_unit(inputs[right]), np.full(len(right), index), report) if len(right) else []
        images = [
            GalleryImage(
                sources[number].image_id,
                sources[number].title,
                drawn[number],
                float(probabilities[number, index]),
                inputs[number],
                values,
            )
            for number, values in zip(right.tolist(), maps, strict=True)
        ]
        rows.append(GalleryRow(name, wilson(len(right), len(frames)), images, _densities(images)))
        report(1.0)
    return rows


def _intensity(name: str, generator: np.random.Generator) -> float:
    """Within the range detectors learn from: the thesis's, or else severities 1 to 5; 0 for originals."""
    if name == ORIGINAL:
        return 0.0
    if learned := get_corruption(name).training_range:
        return float(generator.uniform(*learned))
    return intensity_of(name, float(generator.uniform(1, LEVELS)))


def places(image: np.ndarray) -> dict[str, np.ndarray]:
    """Masks (S, S) of an image (S, S) uint8, one a place of :data:`PLACES`; pixels tied at a limit are all in."""
    levels = image.astype(np.float32)
    smooth = cv2.GaussianBlur(levels, (0, 0), max(1.0, OUTLINE_SIGMA_SHARE * image.shape[0]))
    outlines = np.hypot(cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1))
    stands_out = np.abs(levels - cv2.blur(levels, (3, 3)))
    margins = [round(BORDER_SHARE * side) for side in image.shape]
    border = np.ones(image.shape, bool)
    border[margins[0] : image.shape[0] - margins[0], margins[1] : image.shape[1] - margins[1]] = False
    return {
        "bright": _strongest(levels),
        "border": border,
        "edges": _strongest(outlines),
        "contrast": _strongest(stands_out),
    }


def density(values: np.ndarray, place: np.ndarray) -> float | None:
    """Relevance in favour of the class per pixel of a place over that per pixel of the image, 1 without preference.

    ``values`` (S, S) float, ``place`` (S, S) bool. None where nothing speaks for the class, or the place is empty.
    """
    relevance = np.maximum(values, 0).astype(np.float64)
    if not place.any() or not relevance.any():
        return None
    return float(relevance[place].mean() / relevance.mean())


def _strongest(values: np.ndarray) -> np.ndarray:
    return values >= np.percentile(values, STRONGEST_PERCENTILE)


def _densities(images: Sequence[GalleryImage]) -> dict[str, Share]:
    measured: dict[str, list[float]] = {place: [] for place in PLACES}
    for one in images:
        for place, mask in places(one.image).items():
            found = density(one.values, mask)
            if found is not None:
                measured[place].append(found)
    return {place: bootstrap_by_patient(np.array(found), np.arange(len(found))) for place, found in measured.items()}
