"""How far two sets of images lie apart in a network's features: Fréchet and kernel distance, and a linear probe.

A distance means little by itself; beside the distance of two halves of the real images it says how much is missing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.errors import ParameterError
from core.evaluation import Share, share_by_patient

SUBSETS, SUBSET_SIZE = 200, 100
PROBE_FOLDS = 5


@dataclass(frozen=True)
class Distance:
    """A distance with the range of 95 % of its values over random subsets, and how many images each side has."""

    value: float
    low: float
    high: float
    n: tuple[int, int]


def frechet_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Squared Fréchet distance between the Gaussians fitted to two sets of features (Heusel et al. 2017).

    It is biased upwards, the more so the fewer images there are: compare only figures of equally many images, and of
    features reduced to far fewer dimensions than images (:func:`principal_components`).

    Parameters
    ----------
    first, second : (N, D), (M, D) float

    Raises
    ------
    ParameterError
        If the dimensions differ or a set has fewer than two images.
    """
    first, second = _checked(first, second)
    means = first.mean(axis=0) - second.mean(axis=0)
    covariances = [np.atleast_2d(np.cov(features, rowvar=False)) for features in (first, second)]
    values, vectors = np.linalg.eigh(covariances[0])
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    between = np.linalg.eigvalsh(root @ covariances[1] @ root)
    spread = sum(np.trace(one) for one in covariances) - 2 * np.sqrt(np.maximum(between, 0)).sum()
    return float(max(means @ means + spread, 0.0))


def principal_components(features: np.ndarray, dimensions: int) -> tuple[np.ndarray, np.ndarray]:
    """The mean (D,) and the directions (D, dimensions) in which features (N, D) vary most.

    Raises
    ------
    ParameterError
        If there are more dimensions than images or features.
    """
    features = np.asarray(features, np.float64)
    if not 1 <= dimensions <= min(features.shape):
        raise ParameterError(
            f"{len(features)} images with {features.shape[1]} features cannot be reduced to {dimensions} dimensions; "
            "ask for fewer or give more images."
        )
    mean = features.mean(axis=0)
    _, _, directions = np.linalg.svd(features - mean, full_matrices=False)
    return mean, directions[:dimensions].T


def kernel_distance(
    first: np.ndarray, second: np.ndarray, *, subsets: int = SUBSETS, size: int = SUBSET_SIZE, seed: int = 0
) -> Distance:
    """Squared maximum mean discrepancy with the kernel (x.y / D + 1)^3, unbiased (Binkowski et al. 2018).

    Its mean is 0 where both sets have one distribution, at any number of images; single values may be negative.

    Parameters
    ----------
    first, second : (N, D), (M, D) float
    subsets, size : int
        How many subsets of how many images a side the range comes from; the value is that of all images. A subset
        varies more than the whole, so the range is wider than a confidence interval.

    Raises
    ------
    ParameterError
        If the dimensions differ or a set has fewer than two images.
    """
    first, second = _checked(first, second)
    kernels = [_kernel(one, other) for one, other in ((first, first), (second, second), (first, second))]
    generator = np.random.default_rng(seed)
    drawn = []
    for _ in range(subsets):
        a, b = (generator.choice(len(one), min(size, len(one)), replace=False) for one in (first, second))
        parts = (kernels[0][np.ix_(a, a)], kernels[1][np.ix_(b, b)], kernels[2][np.ix_(a, b)])
        drawn.append(_unbiased(*parts))
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Distance(_unbiased(*kernels), float(low), float(high), (len(first), len(second)))


def probe_accuracy(
    first: np.ndarray, second: np.ndarray, patients: tuple[np.ndarray, np.ndarray], *, seed: int = 0
) -> Share:
    """Accuracy of a linear probe that tells two sets apart, cross-validated by patient; 0.5 where nothing tells them.

    Logistic regression on standardised features, as many of either set.

    Parameters
    ----------
    first, second : (N, D), (M, D) float
    patients : pair of (N,) and (M,) arrays
        Whose images they are, different in the two sets: none is learnt from and asked about.

    Raises
    ------
    ParameterError
        If the dimensions differ or a set has fewer than two images.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    first, second = _checked(first, second)
    count = min(len(first), len(second))
    generator = np.random.default_rng(seed)
    features, sides, groups = [], [], []
    for side, (part, owners) in enumerate(zip((first, second), patients, strict=True)):
        chosen = np.sort(generator.permutation(len(part))[:count])
        features.append(part[chosen])
        sides.append(np.full(count, side))
        groups += [f"{side} {owner}" for owner in np.asarray(owners)[chosen]]
    sides = np.concatenate(sides)
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2000))
    folds = StratifiedGroupKFold(PROBE_FOLDS, shuffle=True, random_state=seed)
    called = cross_val_predict(probe, np.concatenate(features), sides, groups=groups, cv=folds)
    return share_by_patient(called == sides, np.array(groups))


def _checked(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1] or min(len(first), len(second)) < 2:
        raise ParameterError(
            f"Features of shapes {first.shape} and {second.shape} cannot be compared; each side needs at least two "
            "images and the same number of features."
        )
    return first, second


def _kernel(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return (first @ second.T / first.shape[1] + 1) ** 3


def _unbiased(within_first: np.ndarray, within_second: np.ndarray, between: np.ndarray) -> float:
    """The estimate from kernel matrices, leaving out each image's likeness to itself."""
    inside = 0.0
    for kernel in (within_first, within_second):
        n = len(kernel)
        inside += (kernel.sum() - np.trace(kernel)) / (n * (n - 1))
    return float(inside - 2 * between.mean())
