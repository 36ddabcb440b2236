"""Local interpretable model-agnostic explanations (Ribeiro et al. 2016; thesis 000 §3.4.5)."""

from __future__ import annotations

import numpy as np

from core.explain.superpixels import SuperpixelMethod

KERNEL_WIDTH = 0.25
RIDGE = 1.0


class Lime(SuperpixelMethod):
    """A linear function fitted to coalitions of superpixels, the more alike to the whole image the heavier.

    Sampling, kernel and ridge are those of the authors' ``lime`` package: each superpixel is shown with probability
    1/2, the kernel is ``sqrt(exp(-d^2 / 0.25^2))`` of the cosine distance to the whole image.
    """

    name = "lime"
    title = "LIME"
    explanation = "Hides random sets of superpixels and fits a weight to each from how the class's probability changes."
    trust = (
        "Says which parts carry the decision together, for and against; distrust it where the local fit is low, and "
        "its borders are the segmentation's, not the network's."
    )
    measurement_explanation = "Hides random sets of superpixels and fits to each how much it adds to the circumference."
    measurement_trust = (
        "Says which parts make the circumference grow or shrink together; distrust it where the local fit is low, and "
        "its borders are the segmentation's, not the network's."
    )
    paper = "Ribeiro, Singh, Guestrin 2016, arXiv:1602.04938"
    order = 11

    def coalitions(self, n_superpixels: int, samples: int, generator: np.random.Generator) -> np.ndarray:
        drawn = generator.random((samples, n_superpixels)) < 0.5
        drawn[0] = True
        return drawn

    def fit(self, coalitions: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, float, float]:
        from sklearn.linear_model import Ridge

        shown = coalitions.astype(np.float64)
        nearness = kernel(shown.mean(axis=1))
        fitted = Ridge(alpha=RIDGE).fit(shown, values, sample_weight=nearness)
        return fitted.coef_, float(fitted.intercept_), float(fitted.score(shown, values, sample_weight=nearness))


def kernel(shown_share: np.ndarray) -> np.ndarray:
    """Weight of coalitions that show a share of the superpixels: the cosine with the whole image is its root."""
    distance = 1 - np.sqrt(shown_share)
    return np.sqrt(np.exp(-(distance**2) / KERNEL_WIDTH**2))
