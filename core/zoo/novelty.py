"""Is an image like what the model was trained on? A density model of the pooled features, two for each class.

Features are judged twice, as they are and by their direction alone: an image that shows little of anything has short
features near the middle of all classes, which a density of the features takes for ordinary; noise can point where a
class points and yet have parts that no training image has. For each class and either view a probabilistic principal
component analysis (Tipping and Bishop 1999) describes the training images: a Gaussian with ``k`` axes of their own
variance and one variance for all the others. The *typicality* of an image is the sum of its two log-likelihoods, each
in units of its spread over the training images, under the class that suits it best; the threshold is the value that
1 % of validation images fall below. It says that an image looks unlike the training data to this network, not that the
prediction is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

COMPONENTS = 32
FALSE_ALARM_SHARE = 0.01
LEAST_SPREAD = 1e-6
"""Half precision, in which spreads are kept, would make 0 of less; a network that learned nothing has no more."""
VIEWS = ("features", "directions")


@dataclass(frozen=True)
class PrincipalGaussian:
    """The Gaussian of one class: mean (F,), axes (k, F), their variances (k,) and the variance of the rest."""

    mean: np.ndarray
    components: np.ndarray
    variances: np.ndarray
    rest_variance: float

    @classmethod
    def fit(cls, features: np.ndarray, n_components: int = COMPONENTS) -> PrincipalGaussian:
        """Fit on features (N, F), at least two; ``n_components`` shrinks to fit few images."""
        n_components = min(n_components, len(features) - 1, features.shape[1] - 1)
        mean = features.mean(axis=0)
        _, singular, directions = np.linalg.svd(features - mean, full_matrices=False)
        variances = singular**2 / (len(features) - 1)
        total = (features - mean).var(axis=0, ddof=1).sum()
        rest = (total - variances[:n_components].sum()) / (features.shape[1] - n_components)
        # A floor keeps the inverse finite when few images leave nothing to the other directions.
        return cls(mean, directions[:n_components], variances[:n_components], max(float(rest), 1e-6))

    @cached_property
    def _axes(self) -> np.ndarray:
        """The axes (F, k) float64: files keep them in half precision, which is slow to widen."""
        return self.components.T.astype(np.float64)

    def score(self, features: np.ndarray) -> np.ndarray:
        """Log-likelihood per feature (N,) of features (N, F)."""
        centred = np.asarray(features, dtype=np.float64) - self.mean
        along = centred @ self._axes
        rest = (centred**2).sum(axis=1) - (along**2).sum(axis=1)
        variances = self.variances.astype(np.float64)
        n_features = len(self.mean)
        log_determinant = np.log(variances).sum() + (n_features - len(variances)) * np.log(self.rest_variance)
        distance = (along**2 / variances).sum(axis=1) + np.maximum(rest, 0) / self.rest_variance
        return -0.5 * (distance + log_determinant + n_features * np.log(2 * np.pi)) / n_features


@dataclass(frozen=True)
class Typicality:
    """For each view of the features, one Gaussian a class and the spread of the best class's score."""

    gaussians: tuple[tuple[PrincipalGaussian, ...], ...]
    spreads: tuple[float, ...]

    @classmethod
    def fit(cls, features: np.ndarray, targets: np.ndarray, n_components: int = COMPONENTS) -> Typicality:
        """Fit on pooled features (N, F) of training images and their class indices (N,), two images a class or more."""
        classes, counts = np.unique(targets, return_counts=True)
        n_components = min(n_components, counts.min() - 1)
        gaussians, spreads = [], []
        for view in _views(features):
            fitted = tuple(PrincipalGaussian.fit(view[targets == number], n_components) for number in classes)
            gaussians.append(fitted)
            spread = float(np.max([gaussian.score(view) for gaussian in fitted], axis=0).std())
            spreads.append(spread if spread > LEAST_SPREAD else 1.0)
        return cls(tuple(gaussians), tuple(spreads))

    def score(self, features: np.ndarray) -> np.ndarray:
        """Typicality (N,) of pooled features (N, F); higher is more like the training data."""
        by_class = [
            np.stack([gaussian.score(view) for gaussian in gaussians]) / spread
            for view, gaussians, spread in zip(_views(features), self.gaussians, self.spreads, strict=True)
        ]
        return np.sum(by_class, axis=0).max(axis=0)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Arrays for the weight file, logarithms of the variances because half precision starts at 6e-8."""
        arrays = {"typicality_spreads": np.array(self.spreads)}
        for name, gaussians in zip(VIEWS, self.gaussians, strict=True):
            arrays[f"typicality_{name}_mean"] = np.stack([one.mean for one in gaussians])
            arrays[f"typicality_{name}_components"] = np.stack([one.components for one in gaussians])
            variances = np.stack([np.append(one.variances, one.rest_variance) for one in gaussians])
            arrays[f"typicality_{name}_log_variances"] = np.log(variances)
        return arrays

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> Typicality:
        gaussians = []
        for name in VIEWS:
            means, components = arrays[f"typicality_{name}_mean"], arrays[f"typicality_{name}_components"]
            variances = np.exp(arrays[f"typicality_{name}_log_variances"].astype(np.float64))
            gaussians.append(
                tuple(
                    PrincipalGaussian(mean, axes, variance[:-1], float(variance[-1]))
                    for mean, axes, variance in zip(means, components, variances, strict=True)
                )
            )
        return cls(tuple(gaussians), tuple(map(float, arrays["typicality_spreads"])))


def _views(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Features (N, F) as they are, and scaled to a mean square of 1 (zeros stay zeros)."""
    features = np.asarray(features, dtype=np.float64)
    size = np.sqrt(np.mean(features**2, axis=1, keepdims=True))
    return features, features / np.where(size > 0, size, 1)


def threshold(scores: np.ndarray, false_alarms: float = FALSE_ALARM_SHARE) -> float:
    """The typicality that the given share of validation images falls below."""
    return float(np.quantile(scores, false_alarms))
