"""The tests of a detector of corruption: clean frames and corrupted copies of them, made while they are read.

Frames are cleaned first, then corrupted, then resized like any other, as in the thesis (001 §7); the frames come split
by examination, so no copy of a frame can stand on both sides. Protocols:

``basic``
    Every frame once as it is and once in each of the thesis's kinds, intensities drawn from its training ranges
    (tables 5 and 6).
``full``
    From the published limit to the end of the range: 7 steps of scale up, 5 of blur, 7 of noise (tables 7 and 8); every
    clean frame counts as often as all steps together, 19 times.
``limits``
    The same steps, but for originals as many copies from 0 to just below the limit: the thesis's reading, in which a
    slightly corrupted copy counts as original.
``foreign``
    Like ``basic``, but corrupted by code that is not ours: Pillow crops and resizes with a Lanczos kernel, SciPy takes
    the median, NumPy adds the noise; everything goes through JPEG of quality 80 and is resized by Pillow.
``clean``
    Clean frames alone, six harmless variations of each (mirrored, a little nearer, another resolution, JPEG).
``severities``
    Every frame in every kind at each of its five severities, and as it is.

The protocols of many steps reduce frames to twice the thesis's side first: intensities mean the same there, and a
median over the largest disk takes a tenth of a second instead of one.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from core.corruption import CORRUPTIONS, REFERENCE_SIDE, scale
from core.corruption.severity import LEVELS, intensity_of
from core.datasets import Table, read_pixels
from core.datasets.items import item_name
from core.errors import DatasetError, ImageError, ParameterError
from core.parallel import in_threads
from core.preprocessing import Cleaned, clean, finish, reduced
from core.similarity import Reference
from core.zoo.assessment import Assessment, rows_of
from core.zoo.detection import ORIGINAL, judge
from core.zoo.prediction import Classifier

THESIS_STEPS = {"scale_up": 7, "blur": 5, "noise": 7}
VARIATIONS = 6
FOREIGN_QUALITY = 80
CHUNK = 16
REDUCED = ("full", "limits", "severities")
WORKING_SIDE = 2 * REFERENCE_SIDE


@dataclass(frozen=True)
class Case:
    """One image of a test: which corruption, how much, how often it counts, whose code makes it, and the right answer.

    Without a ``label`` the kind is right.
    """

    kind: str
    intensity: float
    seed: tuple[int, ...]
    weight: int = 1
    maker: str = "core"
    label: str = ""


Protocol = Callable[[int, list[str]], list[Case]]
"""Index of a frame and the kinds that a detector knows -> the cases made of that frame."""


def _basic(index: int, kinds: list[str], maker: str = "core") -> list[Case]:
    generator = np.random.default_rng([5, index])
    cases = [Case(ORIGINAL, 0.0, (index,), maker=maker)]
    for kind in THESIS_STEPS:
        intensity = float(generator.uniform(*CORRUPTIONS[kind].training_range))
        cases.append(Case(kind, intensity, (index,), maker=maker))
    return cases


def _full(index: int, kinds: list[str]) -> list[Case]:
    cases = [Case(ORIGINAL, 0.0, (index,), weight=sum(THESIS_STEPS.values()))]
    for kind, steps in THESIS_STEPS.items():
        corruption = CORRUPTIONS[kind]
        for intensity in np.linspace(corruption.published_limit, corruption.slider_maximum, steps):
            cases.append(Case(kind, float(intensity), (index,)))
    return cases


def _limits(index: int, kinds: list[str]) -> list[Case]:
    cases = [case for case in _full(index, kinds) if case.kind != ORIGINAL]
    for kind, steps in THESIS_STEPS.items():
        for intensity in np.linspace(0, CORRUPTIONS[kind].published_limit, steps, endpoint=False):
            cases.append(Case(kind, float(intensity), (index,), label=ORIGINAL))
    return cases


def _foreign(index: int, kinds: list[str]) -> list[Case]:
    return _basic(index, kinds, "foreign")


def _clean(index: int, kinds: list[str]) -> list[Case]:
    return [Case(ORIGINAL, 0.0, (index, number), maker="varied") for number in range(VARIATIONS)]


def _severities(index: int, kinds: list[str]) -> list[Case]:
    cases = [Case(ORIGINAL, 0.0, (index,))]
    for kind in kinds:
        cases += [Case(kind, intensity_of(kind, level), (index,)) for level in range(1, LEVELS + 1)]
    return cases


PROTOCOLS: dict[str, Protocol] = {
    "basic": _basic,
    "full": _full,
    "limits": _limits,
    "foreign": _foreign,
    "clean": _clean,
    "severities": _severities,
}


def assess_detector(
    model: Classifier, table: Table, protocol: str, *, progress: Callable[[float], None] = lambda share: None
) -> Assessment:
    """Test a detector on the frames of ``table``, whose labels do not matter.

    Rows have, beside those of :func:`core.zoo.assessment.assess`, ``kind``, ``intensity``, ``ssim`` (Wang's, inside the
    sector) and ``verdict`` (:func:`core.zoo.detection.judge`). ``predicted`` is the likeliest class.

    Raises
    ------
    ParameterError
        If there is no such protocol.
    DatasetError
        If no frame can be read.
    """
    if protocol not in PROTOCOLS:
        raise ParameterError(f"There is no protocol {protocol!r}; choose one of {', '.join(PROTOCOLS)}.")
    kinds = [name for name in model.classes if name != ORIGINAL]
    problems = list(table.problems)
    collected = []

    def made(item: tuple[int, str]) -> tuple[int, list[tuple[Case, np.ndarray, float]] | str]:
        index, path = item
        try:
            cleaned = clean(read_pixels(path), model.settings)
        except ImageError as error:
            return index, f"{item_name(path)}: {error}"
        if protocol in REDUCED:
            cleaned = reduced(cleaned, WORKING_SIDE)
        return index, list(_images(model, cleaned, PROTOCOLS[protocol](index, kinds)))

    for start in range(0, len(table), CHUNK):
        chunk = list(enumerate(table.frame["path"]))[start : start + CHUNK]
        for index, result in in_threads(made, chunk):
            if isinstance(result, str):
                problems.append(result)
            else:
                collected.append(_rows(model, table.frame.iloc[[index] * len(result)], result))
        progress(min((start + CHUNK) / len(table), 1.0))
    if not collected:
        raise DatasetError("None of the images could be read; the first reason: " + problems[0])
    rows = pd.concat(collected, ignore_index=True)
    return Assessment(rows, model.classes, table.layout, table.simulated, tuple(problems))


def _images(model: Classifier, cleaned: Cleaned, cases: list[Case]) -> Iterator[tuple[Case, np.ndarray, float]]:
    reference = Reference(cleaned.gray)
    for case in cases:
        if case.maker == "foreign":
            yield case, *foreign_image(cleaned, case, model.card.size, reference)
            continue
        if case.maker == "varied":
            from core.zoo.training.corrupted import perhaps_jpeg, varied_clean

            generator = np.random.default_rng([7, *case.seed])
            varied = varied_clean(cleaned, generator)
            frame, similarity = replace(varied, gray=perhaps_jpeg(varied.gray, generator)), 1.0
        elif case.kind == ORIGINAL:
            frame, similarity = cleaned, 1.0
        else:
            gray = CORRUPTIONS[case.kind].apply(cleaned.gray, case.intensity, case.seed, cleaned.sector)
            frame, similarity = replace(cleaned, gray=gray), reference.ssim(gray, cleaned.sector)
        yield case, finish(frame, model.settings, model.card.input["chain"], model.card.size), similarity


def foreign_image(cleaned: Cleaned, case: Case, size: int, reference: Reference) -> tuple[np.ndarray, float]:
    """The network's image (S, S) made without a line of core.corruption or OpenCV, and the SSIM before resizing."""
    from PIL import Image
    from scipy.ndimage import median_filter

    picture = Image.fromarray(cleaned.gray)
    width, height = picture.size
    factor = scale(cleaned.gray.shape)
    if case.kind == "scale_up":
        share = case.intensity / 200
        box = (width * share, height * share, width * (1 - share), height * (1 - share))
        picture = picture.resize((width, height), Image.Resampling.LANCZOS, box=box)
    elif case.kind == "blur":
        # At the thesis's size, where the radius is defined; on the whole frame SciPy would take minutes.
        small = np.asarray(picture.resize((round(width / factor), round(height / factor)), Image.Resampling.BOX))
        radius = max(1, round(case.intensity))
        across = np.arange(-radius, radius + 1)
        disk = across[:, None] ** 2 + across**2 <= radius**2
        picture = Image.fromarray(median_filter(small, footprint=disk, mode="nearest"))
        picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    elif case.kind == "noise":
        generator = np.random.Generator(np.random.MT19937(case.seed[0]))
        small = generator.normal(0, case.intensity, (round(height / factor), round(width / factor))).astype(np.float32)
        noise = np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.NEAREST))
        noisy = np.clip(np.asarray(picture) / 255 + noise, 0, 1)
        picture = Image.fromarray((255 * noisy).astype(np.uint8))
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=FOREIGN_QUALITY)
    picture = Image.open(file)
    similarity = reference.ssim(np.asarray(picture), cleaned.sector)
    return np.asarray(picture.resize((size, size), Image.Resampling.BICUBIC)), similarity


def _rows(model: Classifier, source: pd.DataFrame, made: list[tuple[Case, np.ndarray, float]]) -> pd.DataFrame:
    cases, images, similarities = zip(*made, strict=True)
    labels = pd.Series([case.label or case.kind for case in cases])
    prediction = model.predict_prepared(np.stack(images))
    rows = rows_of(prediction, source, labels)
    rows["kind"] = [case.kind for case in cases]
    rows["intensity"] = [round(case.intensity, 4) for case in cases]
    rows["ssim"] = np.round(similarities, 4)
    rows["verdict"] = [verdict.label for verdict in judge(model, prediction)]
    return rows.loc[np.repeat(np.arange(len(rows)), [case.weight for case in cases])]
