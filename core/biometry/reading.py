"""A head measured: both networks' circumference with its interval, the ellipse, and whether to believe any of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.biometry.ellipse import Ellipse
from core.biometry.growth import GestationalAge, gestational_age, why_no_age
from core.biometry.interval import around, relative_of
from core.biometry.refusal import (
    NO_OUTLINE,
    Evidence,
    doubt_of_anatomy,
    doubt_of_corruption,
    doubt_of_disagreement,
    doubt_of_typicality,
    doubts_about,
    evidence_of,
)
from core.errors import MeasurementError, ModelError
from core.preprocessing import Cleaned, clean, finish
from core.zoo.cards import Card
from core.zoo.detection import Verdict, judge
from core.zoo.heads import (
    CIRCUMFERENCE,
    ELLIPSE,
    HeadModel,
    HeadRegressor,
    HeadSegmenter,
    ellipses_in,
    filled_window,
    frame_ellipse,
)
from core.zoo.registry import MODELS_FOLDER, default_name, list_cards, load_model

if TYPE_CHECKING:
    from core.zoo.prediction import Classifier

TASK = "head_circumference"
LEAST_PIXEL_MM, GREATEST_PIXEL_MM = 0.01, 1.0
"""Sides of a pixel that a frame of a fetal head can have; HC18's lie between 0.05 and 0.33 mm."""
CHUNK = 32
NO_LENGTH = "The regression found no circumference in this frame; measure a frame that shows a whole head."


@dataclass(frozen=True)
class Estimate:
    """A circumference as one network measures it.

    Attributes
    ----------
    pixels : float
        In pixels of the frame.
    pixel_size_mm : float or None
        Without it there are no millimetres.
    relative : float or None
        Half the width of the 90 % prediction interval over the value; None where the model's card has none.
    """

    pixels: float
    pixel_size_mm: float | None
    relative: float | None

    @property
    def mm(self) -> float | None:
        return self._scaled(self.pixels)

    @property
    def low_pixels(self) -> float | None:
        return around(self.pixels, self.relative)[0]

    @property
    def high_pixels(self) -> float | None:
        return around(self.pixels, self.relative)[1]

    @property
    def low_mm(self) -> float | None:
        return self._scaled(self.low_pixels)

    @property
    def high_mm(self) -> float | None:
        return self._scaled(self.high_pixels)

    def __str__(self) -> str:
        return f"{self.pixels:.0f} pixels" if self.mm is None else f"{self.mm:.1f} mm"

    def to_dict(self) -> dict[str, float | None]:
        names = ("pixels", "low_pixels", "high_pixels", "mm", "low_mm", "high_mm")
        return {name: getattr(self, name) for name in names}

    def _scaled(self, pixels: float | None) -> float | None:
        return None if pixels is None or self.pixel_size_mm is None else pixels * self.pixel_size_mm


@dataclass(frozen=True)
class HeadReading:
    """What is measured in one frame.

    Attributes
    ----------
    regression : Estimate or None
        None without a regression, or where it found no length.
    segmentation : Estimate or None
        None without a segmentation, or where no outline was found.
    ellipse : Ellipse or None
        The outline in pixels of the frame, along the skull's outer border as HC18's annotations.
    disagreement : float or None
        Difference of the two circumferences over their mean; None unless both are there.
    disagrees : bool
        Whether the two intervals do not even touch.
    refusals : tuple of str
        Why the frame is not to be measured, one sentence each; empty for an accepted frame.
    pixel_size_mm : float or None
    evidence : Evidence or None
        Of the outline.
    verdict : Verdict or None
        The detector's; None where it was not asked.
    """

    regression: Estimate | None
    segmentation: Estimate | None
    ellipse: Ellipse | None
    disagreement: float | None
    disagrees: bool
    refusals: tuple[str, ...]
    pixel_size_mm: float | None
    evidence: Evidence | None = None
    verdict: Verdict | None = None

    @property
    def accepted(self) -> bool:
        return not self.refusals

    @property
    def estimate(self) -> Estimate | None:
        """The circumference to report: the outline's, which can be checked by eye, or else the regression's."""
        return self.segmentation or self.regression

    @property
    def bpd_pixels(self) -> float | None:
        """Biparietal diameter, outer to outer: the ellipse's shorter axis."""
        return 2 * self.ellipse.minor if self.ellipse else None

    @property
    def ofd_pixels(self) -> float | None:
        """Occipitofrontal diameter, outer to outer: the ellipse's longer axis."""
        return 2 * self.ellipse.major if self.ellipse else None

    @property
    def bpd_mm(self) -> float | None:
        return self._scaled(self.bpd_pixels)

    @property
    def ofd_mm(self) -> float | None:
        return self._scaled(self.ofd_pixels)

    @property
    def age(self) -> GestationalAge | None:
        """By the formula of Hadlock et al. 1984; None without millimetres or outside its range."""
        estimate = self.estimate
        return None if estimate is None or estimate.mm is None else gestational_age(estimate.mm)

    @property
    def why_no_age(self) -> str | None:
        """One sentence where there is no age; None where there is one, or nothing was measured."""
        estimate = self.estimate
        if estimate is None:
            return None
        if estimate.mm is None:
            return "Gestational age needs millimetres; give the size of a pixel."
        return why_no_age(estimate.mm)

    def to_dict(self) -> dict[str, Any]:
        """The whole reading as values that JSON can hold."""
        ellipse = self.ellipse
        age = self.age
        return {
            "pixel_size_mm": self.pixel_size_mm,
            "regression": self.regression.to_dict() if self.regression else None,
            "segmentation": self.segmentation.to_dict() if self.segmentation else None,
            "ellipse": {name: getattr(ellipse, name) for name in ("x", "y", "major", "minor", "angle")}
            if ellipse
            else None,
            "bpd_pixels": self.bpd_pixels,
            "ofd_pixels": self.ofd_pixels,
            "bpd_mm": self.bpd_mm,
            "ofd_mm": self.ofd_mm,
            "gestational_age": {"weeks": age.weeks, "low": age.low, "high": age.high, "text": str(age)}
            if age
            else None,
            "disagreement": self.disagreement,
            "disagrees": self.disagrees,
            "refusals": list(self.refusals),
        }

    def _scaled(self, pixels: float | None) -> float | None:
        return None if pixels is None or self.pixel_size_mm is None else pixels * self.pixel_size_mm


class HeadReader:
    """Measures heads with a regression, a segmentation, or both.

    Parameters
    ----------
    regressor, segmenter : optional
        At least one of them.
    detector : Classifier, optional
        Of corruptions; left out, corrupted frames are only refused for what the outline shows.
    anatomy : Classifier, optional
        Of anatomies; left out, other anatomies are only refused for what the outline shows.

    Raises
    ------
    ModelError
        If there is neither, or the two prepare frames differently.
    """

    def __init__(
        self,
        regressor: HeadRegressor | None = None,
        segmenter: HeadSegmenter | None = None,
        detector: Classifier | None = None,
        anatomy: Classifier | None = None,
    ) -> None:
        self.regressor = regressor
        self.segmenter = segmenter
        self.detector = detector
        self.anatomy = anatomy
        models: list[HeadModel] = [model for model in (regressor, segmenter) if model is not None]
        if not models:
            raise ModelError("No model measures heads here; train one with python -m core train.")
        if len({model.settings for model in models}) > 1:
            names = " and ".join(model.card.name for model in models)
            raise ModelError(f"The models {names} clean frames differently; use two that were trained alike.")
        self.settings = models[0].settings

    def read(self, pixels: np.ndarray, pixel_size_mm: float | None = None) -> HeadReading:
        """Measure a raw or cleaned frame, (H, W) or (H, W, 3) uint8.

        Raises
        ------
        ImageError
            If the pixels are no such frame.
        MeasurementError
            If the pixel size cannot be a fetal head's.
        """
        return self.read_all([pixels], [pixel_size_mm])[0]

    def read_all(
        self, frames: Sequence[np.ndarray], pixel_sizes: Sequence[float | None] | None = None
    ) -> list[HeadReading]:
        """Measure several frames; as :meth:`read`."""
        sizes = self._checked(len(frames), pixel_sizes)
        readings: list[HeadReading] = []
        for start in range(0, len(frames), CHUNK):
            cleaned = [clean(pixels, self.settings) for pixels in frames[start : start + CHUNK]]
            readings += self._read(cleaned, sizes[start : start + CHUNK])
        return readings

    def read_cleaned(
        self, cleaned: Sequence[Cleaned], pixel_sizes: Sequence[float | None] | None = None
    ) -> list[HeadReading]:
        """Measure frames that were cleaned with :attr:`settings`, and perhaps corrupted since; as :meth:`read`."""
        sizes = self._checked(len(cleaned), pixel_sizes)
        readings: list[HeadReading] = []
        for start in range(0, len(cleaned), CHUNK):
            readings += self._read(cleaned[start : start + CHUNK], sizes[start : start + CHUNK])
        return readings

    def _checked(self, count: int, pixel_sizes: Sequence[float | None] | None) -> list[float | None]:
        sizes = [None] * count if pixel_sizes is None else list(pixel_sizes)
        if len(sizes) != count:
            raise MeasurementError(f"There are {len(sizes)} pixel sizes for {count} frames; give one a frame.")
        return [check_pixel_size(size) for size in sizes]

    def _read(self, cleaned: Sequence[Cleaned], sizes: Sequence[float | None]) -> list[HeadReading]:
        count = len(cleaned)
        regressions = self._regressions(cleaned, sizes) if self.regressor else [(None, [])] * count
        outlines = self._outlines(cleaned, sizes) if self.segmenter else [(None, None, None, [])] * count
        verdicts, others = self._verdicts(cleaned), self._other_anatomies(cleaned)
        return [_combined(*parts) for parts in zip(regressions, outlines, others, verdicts, sizes, strict=True)]

    def _regressions(
        self, cleaned: Sequence[Cleaned], sizes: Sequence[float | None]
    ) -> list[tuple[Estimate | None, list[str]]]:
        images, matrices = zip(*(self.regressor.prepare_cleaned(one) for one in cleaned), strict=True)
        lengths, typicality = self.regressor.circumferences(np.stack(images))
        card = self.regressor.card
        found: list[tuple[Estimate | None, list[str]]] = []
        for length, score, matrix, size in zip(lengths, typicality, matrices, sizes, strict=True):
            doubts = doubt_of_typicality(score, card)
            if length > 0:
                relative = relative_of(card, length / card.size)
                found.append((Estimate(float(length / matrix[0, 0]), size, relative), doubts))
            else:
                found.append((None, [NO_LENGTH, *doubts]))
        return found

    def _outlines(
        self, cleaned: Sequence[Cleaned], sizes: Sequence[float | None]
    ) -> list[tuple[Estimate | None, Ellipse | None, Evidence | None, list[str]]]:
        card = self.segmenter.card
        images, matrices = zip(*(self.segmenter.prepare_cleaned(one) for one in cleaned), strict=True)
        masks = self.segmenter.masks(np.stack(images))
        bounds = card.measurement.get("refusal", {})
        found: list[tuple[Estimate | None, Ellipse | None, Evidence | None, list[str]]] = []
        answers = zip(cleaned, masks, ellipses_in(masks, card.size), matrices, sizes, strict=True)
        for one, mask, ellipse, matrix, size in answers:
            if ellipse is None:
                found.append((None, None, None, [NO_OUTLINE]))
                continue
            evidence = evidence_of(mask, ellipse, card.size, filled_window(one, matrix))
            outline = frame_ellipse(ellipse, matrix)
            relative = relative_of(card, ellipse.circumference / card.size)
            estimate = Estimate(outline.circumference, size, relative)
            found.append((estimate, outline, evidence, doubts_about(evidence, bounds)))
        return found

    def _verdicts(self, cleaned: Sequence[Cleaned]) -> list[Verdict | None]:
        detector = self.detector
        if detector is None:
            return [None] * len(cleaned)
        return list(judge(detector, detector.predict_prepared(_finished(cleaned, detector))))

    def _other_anatomies(self, cleaned: Sequence[Cleaned]) -> list[list[str]]:
        if self.anatomy is None:
            return [[]] * len(cleaned)
        prediction = self.anatomy.predict_prepared(_finished(cleaned, self.anatomy))
        answers = zip(prediction.labels, prediction.confidence, strict=True)
        return [doubt_of_anatomy(label, float(confidence)) for label, confidence in answers]


def _finished(cleaned: Sequence[Cleaned], model: Classifier) -> np.ndarray:
    card = model.card
    return np.stack([finish(one, model.settings, chain=card.input["chain"], size=card.size) for one in cleaned])


def check_pixel_size(pixel_size_mm: float | None) -> float | None:
    """The size of a pixel, if a frame of a fetal head can have it; None stays None.

    Raises
    ------
    MeasurementError
        Otherwise.
    """
    if pixel_size_mm is None or LEAST_PIXEL_MM <= pixel_size_mm <= GREATEST_PIXEL_MM:
        return pixel_size_mm
    raise MeasurementError(
        f"A pixel of a fetal head's frame is {LEAST_PIXEL_MM:g} to {GREATEST_PIXEL_MM:g} mm wide, not "
        f"{pixel_size_mm:g} mm; give its side in millimetres, such as 0.15."
    )


def default_cards(folder: Path = MODELS_FOLDER) -> tuple[Card | None, Card | None]:
    """The installed regression and the installed segmentation to read heads with; None where there is none.

    Only models whose weights are there count, a default before others.
    """
    cards = [card for card in list_cards(folder, with_weights=True) if card.task == TASK]
    regression = next((card for card in cards if card.measurement["output"] == CIRCUMFERENCE), None)
    return regression, next((card for card in cards if card.measurement["output"] == ELLIPSE), None)


def open_reader(
    name: str, folder: Path = MODELS_FOLDER, *, report: Callable[[str], None] = lambda sentence: None
) -> HeadReader:
    """A reader with a model of heads, the default of the other output beside it, the detector and the anatomy model.

    Parameters
    ----------
    name : str
        A regression or a segmentation in ``folder``. Detector and anatomy model are the installed defaults.
    report : callable
        Gets a sentence for each check that has no model; frames are then read without it.

    Raises
    ------
    ModelError
        If the model cannot be loaded, or the other output's default cannot.
    """
    model = load_model(name, folder)
    is_regression = model.card.measurement["output"] == CIRCUMFERENCE
    partner = default_cards(folder)[is_regression]
    other = None if partner is None else load_model(partner.name, folder)
    checks: dict[str, Any] = {}
    for task in ("corruption", "anatomy"):
        try:
            checks[task] = load_model(default_name(task))
        except ModelError as error:
            report(f"Frames are not checked for {task}: {error}")
    regressor, segmenter = (model, other) if is_regression else (other, model)
    return HeadReader(regressor, segmenter, checks.get("corruption"), checks.get("anatomy"))


def _combined(
    regression: tuple[Estimate | None, list[str]],
    outline: tuple[Estimate | None, Ellipse | None, Evidence | None, list[str]],
    other_anatomy: list[str],
    verdict: Verdict | None,
    size: float | None,
) -> HeadReading:
    direct, direct_doubts = regression
    traced, ellipse, evidence, traced_doubts = outline
    disagreement, disagrees = None, False
    if direct and traced:
        disagreement = abs(direct.pixels - traced.pixels) / ((direct.pixels + traced.pixels) / 2)
        disagrees = _apart(direct, traced)
    contradiction = [doubt_of_disagreement(str(direct), str(traced))] if disagrees else []
    refusals = (*other_anatomy, *traced_doubts, *direct_doubts, *contradiction, *doubt_of_corruption(verdict))
    return HeadReading(direct, traced, ellipse, disagreement, disagrees, refusals, size, evidence, verdict)


def _apart(one: Estimate, other: Estimate) -> bool:
    """Whether two intervals have nothing in common; without intervals there is nothing to tell it by."""
    if one.relative is None or other.relative is None:
        return False
    return one.low_pixels > other.high_pixels or other.low_pixels > one.high_pixels
