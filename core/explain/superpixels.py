"""Superpixels and what LIME and Kernel SHAP share on them: coalitions of shown superpixels, their scores, the result.

A *coalition* says of each superpixel whether it is shown; the others are hidden behind a replacement. Both methods fit
a linear function of coalitions to the network's scores, each with weights of its own.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import ParameterError
from core.explain.base import Explained, Method, Progress, no_progress
from core.explain.perturbation import masked_scores, portion

if TYPE_CHECKING:
    from core.zoo.prediction import Classifier

SAMPLES = 500
MOST_IMPORTANT = 5
"""Superpixels that the thesis shows (000 §3.4.5)."""


@dataclass(frozen=True)
class Segmentation:
    """A way to cut an image into superpixels.

    Attributes
    ----------
    title : str
    cut : function
        Of an image (S, S, 3) float in [0, 1], to labels (S, S) int.
    hide_gray : float or None
        What hidden superpixels become, in [0, 1]; None takes each one's mean.
    """

    title: str
    cut: Callable[[np.ndarray], np.ndarray]
    hide_gray: float | None = None


def _slic(image: np.ndarray) -> np.ndarray:
    from skimage.segmentation import slic

    return slic(image, n_segments=30, compactness=50, sigma=1)


def _quickshift(image: np.ndarray) -> np.ndarray:
    from skimage.segmentation import quickshift

    return quickshift(image, ratio=0.2, kernel_size=6, max_dist=200)


def _felzenszwalb(image: np.ndarray) -> np.ndarray:
    from skimage.segmentation import felzenszwalb

    return felzenszwalb(image, scale=200, sigma=1, min_size=200)


SEGMENTATIONS = {
    "slic": Segmentation("SLIC, 30 superpixels (fast)", _slic),
    "quickshift": Segmentation("quickshift (thesis)", _quickshift),
    "felzenszwalb": Segmentation("felzenszwalb, hidden behind gray 167 (annex)", _felzenszwalb, 167 / 255),
}
"""By name, the default first. Sizes are the published ones, in pixels of the input: the thesis's has 299 a side."""


@dataclass(frozen=True)
class SuperpixelExplanation:
    """What a superpixel method found in one image.

    Attributes
    ----------
    segments : (S, S) int
        Superpixel of each pixel, from 0.
    weights : (M,) float64
        Score that each superpixel adds to the target's, negative if it speaks against it.
    intercept : float
        The fitted function where everything is hidden.
    fit_score : float
        R2 of the fitted function over the coalitions in the method's weights: 1 is a perfect fit, and a low value says
        that the weights describe the network badly around this image.
    """

    segments: np.ndarray
    weights: np.ndarray
    intercept: float
    fit_score: float

    @property
    def map(self) -> np.ndarray:
        """The weights laid on their superpixels, (S, S) float32."""
        return self.weights.astype(np.float32)[self.segments]

    @property
    def explained(self) -> Explained:
        """The map with how well the weights fit."""
        fit = float(self.fit_score)
        note = f"Local fit R² {fit:.2f} over {len(self.weights)} superpixels; 1 is perfect."
        return Explained(self.map, {"fit_score": fit, "superpixels": len(self.weights)}, note)

    @property
    def borders(self) -> np.ndarray:
        """True on the borders between superpixels, (S, S) bool."""
        from skimage.segmentation import find_boundaries

        return find_boundaries(self.segments, mode="thick")

    def most_important(self, number: int = MOST_IMPORTANT, *, positive_only: bool = True) -> np.ndarray:
        """1 on the superpixels that speak most for the target and -1 on those against it, (S, S) int8; 0 elsewhere.

        The thesis draws the five highest in yellow; with ``positive_only`` False, as in its annex, the largest count
        whatever their sign.
        """
        strength = self.weights if positive_only else np.abs(self.weights)
        # Those of weight 0 say nothing, however few the others are.
        chosen = [index for index in np.argsort(-strength, kind="stable")[:number] if strength[index] > 0]
        signs = np.zeros(len(self.weights), np.int8)
        signs[chosen] = np.sign(self.weights[chosen])
        return signs[self.segments]


class SuperpixelMethod(Method):
    """A linear function of coalitions of superpixels, fitted to the network's scores."""

    family = "perturbation"
    signed = True
    costly = True

    @abstractmethod
    def coalitions(self, n_superpixels: int, samples: int, generator: np.random.Generator) -> np.ndarray:
        """The coalitions (N, M) bool to ask the network about; the first shows everything."""

    @abstractmethod
    def fit(self, coalitions: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, float, float]:
        """Weights (M,), intercept and R2 from coalitions (N, M) and their scores (N,)."""

    def explain(
        self,
        model: Classifier,
        images: np.ndarray,
        targets: np.ndarray,
        progress: Progress = no_progress,
        **options: Any,
    ) -> np.ndarray:
        """Maps of :meth:`explain_superpixels`, whose options these are, (N, S, S) float32; all have the same seed."""
        maps = []
        for done, (image, target) in enumerate(zip(images, targets, strict=True)):
            report = portion(progress, done, len(images))
            maps.append(self.explain_superpixels(model, image, int(target), report, **options).map)
        return np.stack(maps)

    def explain_and_tell(
        self, model: Classifier, image: np.ndarray, target: int, progress: Progress = no_progress
    ) -> Explained:
        return self.explain_superpixels(model, image, target, progress).explained

    def explain_superpixels(
        self,
        model: Classifier,
        image: np.ndarray,
        target: int,
        progress: Progress = no_progress,
        *,
        segmentation: str | np.ndarray = "slic",
        samples: int = SAMPLES,
        seed: int = 0,
    ) -> SuperpixelExplanation:
        """Explain one image (S, S) float32 in [0, 1].

        Parameters
        ----------
        segmentation : str or (S, S) int
            A name in :data:`SEGMENTATIONS`, or the superpixel of each pixel.
        samples : int
            Coalitions asked about, and so forward passes.
        seed : int
            Of the coalitions.

        Raises
        ------
        ParameterError
            For a segmentation that is unknown or of another shape, or fewer than 2 samples.
        """
        if samples < 2:
            raise ParameterError(f"{self.title} needs at least 2 samples, not {samples}.")
        segments = cut(image, segmentation)
        coalitions = self.coalitions(int(segments.max()) + 1, samples, np.random.default_rng(seed))
        replacement = hidden_superpixels(image, segments, hide_gray_of(segmentation))
        return self.explain_coalitions(model, image, target, segments, coalitions, replacement, progress)

    def explain_coalitions(
        self,
        model: Classifier,
        image: np.ndarray,
        target: int,
        segments: np.ndarray,
        coalitions: np.ndarray,
        replacement: np.ndarray,
        progress: Progress = no_progress,
    ) -> SuperpixelExplanation:
        """The explanation that given coalitions (N, M) bool make, hidden pixels taken from ``replacement`` (S, S)."""
        masks = (coalition[segments] for coalition in coalitions.astype(np.float32))
        asked = masked_scores(model, image, masks, len(coalitions), fill=replacement, progress=progress)
        values = np.concatenate([scores[:, target] for _, scores in asked])
        return SuperpixelExplanation(segments, *self.fit(coalitions, values))


def cut(image: np.ndarray, segmentation: str | np.ndarray) -> np.ndarray:
    """Superpixel of each pixel of an image (S, S) in [0, 1]: (S, S) int, numbered from 0 without gaps."""
    if isinstance(segmentation, str):
        if segmentation not in SEGMENTATIONS:
            raise ParameterError(
                f"There is no segmentation {segmentation!r}; choose one of {', '.join(SEGMENTATIONS)}."
            )
        # Presets are published for colour images, whose lightness skimage takes in its own scale.
        segmentation = SEGMENTATIONS[segmentation].cut(np.repeat(image[..., None], 3, axis=-1).astype(np.float64))
    if segmentation.shape != image.shape:
        raise ParameterError(f"Superpixels of shape {segmentation.shape} do not fit an image of {image.shape}.")
    return np.unique(segmentation, return_inverse=True)[1].reshape(image.shape)


def hide_gray_of(segmentation: str | np.ndarray) -> float | None:
    """What a preset hides superpixels behind; a segmentation of one's own hides each behind its mean."""
    return SEGMENTATIONS[segmentation].hide_gray if isinstance(segmentation, str) else None


def hidden_superpixels(image: np.ndarray, segments: np.ndarray, gray: float | None = None) -> np.ndarray:
    """An image (S, S) with every superpixel hidden: behind one gray, or each behind its mean."""
    if gray is not None:
        return np.full_like(image, gray)
    means = np.bincount(segments.ravel(), weights=image.ravel()) / np.bincount(segments.ravel())
    return means.astype(image.dtype)[segments]
