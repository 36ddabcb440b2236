"""Is an image like what the model was trained on? A density model of the pooled features.

Probabilistic principal component analysis (Tipping and Bishop 1999): a Gaussian with ``k`` directions of their own
variance and one variance for all the others. Its log-likelihood per feature is the *typicality*; the threshold is the
value that 1 % of validation images fall below. It says that an image looks unlike the training data to this network,
not that the prediction is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

COMPONENTS = 64
FALSE_ALARM_SHARE = 0.01


@dataclass(frozen=True)
class Typicality:
    """The fitted Gaussian: mean (F,), components (k, F), their variances (k,) and the variance of the rest."""

    mean: np.ndarray
    components: np.ndarray
    variances: np.ndarray
    rest_variance: float

    @classmethod
    def fit(cls, features: np.ndarray, n_components: int = COMPONENTS) -> Typicality:
        """Fit on pooled features (N, F) of training images; ``n_components`` shrinks to fit few images."""
        n_components = min(n_components, len(features) - 1, features.shape[1] - 1)
        mean = features.mean(axis=0)
        _, singular, directions = np.linalg.svd(features - mean, full_matrices=False)
        variances = singular**2 / (len(features) - 1)
        total = (features - mean).var(axis=0, ddof=1).sum()
        rest = (total - variances[:n_components].sum()) / (features.shape[1] - n_components)
        # A floor keeps the inverse finite when few images leave nothing to the other directions.
        return cls(mean, directions[:n_components], variances[:n_components], max(float(rest), 1e-6))

    def score(self, features: np.ndarray) -> np.ndarray:
        """Log-likelihood per feature (N,) of pooled features (N, F); higher is more like the training data."""
        centred = np.asarray(features, dtype=np.float64) - self.mean
        along = centred @ self.components.T.astype(np.float64)
        rest = (centred**2).sum(axis=1) - (along**2).sum(axis=1)
        variances = self.variances.astype(np.float64)
        n_features = len(self.mean)
        log_determinant = np.log(variances).sum() + (n_features - len(variances)) * np.log(self.rest_variance)
        distance = (along**2 / variances).sum(axis=1) + np.maximum(rest, 0) / self.rest_variance
        return -0.5 * (distance + log_determinant + n_features * np.log(2 * np.pi)) / n_features

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Arrays for the weight file, logarithms of the variances because half precision starts at 6e-8."""
        return {
            "typicality_mean": self.mean,
            "typicality_components": self.components,
            "typicality_log_variances": np.log(np.append(self.variances, self.rest_variance)),
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> Typicality:
        variances = np.exp(arrays["typicality_log_variances"].astype(np.float64))
        return cls(arrays["typicality_mean"], arrays["typicality_components"], variances[:-1], float(variances[-1]))


def threshold(scores: np.ndarray, false_alarms: float = FALSE_ALARM_SHARE) -> float:
    """The typicality that the given share of validation images falls below."""
    return float(np.quantile(scores, false_alarms))
