"""Shapley values of superpixels by weighted regression (Lundberg and Lee 2017)."""

from __future__ import annotations

from math import comb

import numpy as np

from core.explain.superpixels import SuperpixelMethod


class KernelShap(SuperpixelMethod):
    """What each superpixel adds to the score, averaged over all orders in which they could be revealed.

    The values are the solution of a regression over coalitions in which a coalition of s of M superpixels weighs
    ``(M - 1) / (C(M, s) s (M - s))``, bound to sum to the score of the image minus that of the hidden one. Where
    all coalitions are no more than the samples asked for, all are taken and the values exact; otherwise coalitions are
    drawn as often as they weigh, each with its complement, which lowers the variance (Covert and Lee 2021,
    arXiv:2012.01536), and weigh alike.
    """

    name = "kernel_shap"
    title = "Kernel SHAP"
    explanation = "Shares the class's probability out among superpixels by what each adds, whichever were there before."
    trust = (
        "Its values sum exactly to what the whole image gains over a hidden one; they depend on what hides the "
        "superpixels and need many samples where these are many."
    )
    measurement_explanation = (
        "Shares the circumference out among superpixels by what each adds, whichever were there before."
    )
    paper = "Lundberg, Lee 2017, arXiv:1705.07874"
    order = 12

    def coalitions(self, n_superpixels: int, samples: int, generator: np.random.Generator) -> np.ndarray:
        """The whole image, the hidden one, then the others."""
        ends = np.array([np.ones(n_superpixels, bool), np.zeros(n_superpixels, bool)])
        if 2**n_superpixels <= samples:
            numbers = np.arange(1, 2**n_superpixels - 1)
            return np.concatenate([ends, (numbers[:, None] >> np.arange(n_superpixels)) % 2 == 1])
        return np.concatenate([ends, _drawn(n_superpixels, max(samples - 2, 2), generator)])

    def fit(self, coalitions: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, float, float]:
        """``coalitions`` begin with the whole image and the hidden one."""
        from sklearn.metrics import r2_score

        whole, hidden = values[:2]
        shown, gained = coalitions[2:].astype(np.float64), values[2:] - hidden
        n_superpixels = shown.shape[1]
        if not len(shown):
            return np.array([whole - hidden]), float(hidden), 1.0
        weights = _weights(shown)
        # Values that sum to what there is to share: an equal share each, plus any vector that sums to nothing.
        equal = (whole - hidden) / n_superpixels
        unequal = np.linalg.svd(np.ones((1, n_superpixels)))[2][1:]
        root = np.sqrt(weights)[:, None]
        rest = root[:, 0] * (gained - equal * shown.sum(axis=1))
        shapley = equal + np.linalg.lstsq(root * (shown @ unequal.T), rest)[0] @ unequal
        return shapley, float(hidden), float(r2_score(gained, shown @ shapley, sample_weight=weights))


def size_weights(n_superpixels: int) -> np.ndarray:
    """Weight in the Shapley kernel of all coalitions of 1 to M - 1 superpixels together, (M - 1,), summing to 1."""
    sizes = np.arange(1, n_superpixels)
    weights = 1 / (sizes * (n_superpixels - sizes))
    return weights / weights.sum()


def _drawn(n_superpixels: int, samples: int, generator: np.random.Generator) -> np.ndarray:
    """Coalitions drawn as often as the kernel weighs them, each followed by its complement."""
    pairs = (samples + 1) // 2
    sizes = generator.choice(np.arange(1, n_superpixels), size=pairs, p=size_weights(n_superpixels))
    ranks = generator.random((pairs, n_superpixels)).argsort(axis=1).argsort(axis=1)
    drawn = ranks < sizes[:, None]
    return np.stack([drawn, ~drawn], axis=1).reshape(-1, n_superpixels)[:samples]


def _weights(shown: np.ndarray) -> np.ndarray:
    """Weights (N,) in the regression: the kernel's where all coalitions are there, alike where it drew them."""
    n_superpixels = shown.shape[1]
    if len(shown) != 2**n_superpixels - 2:
        return np.ones(len(shown))
    together = size_weights(n_superpixels)
    return np.array([together[size - 1] / comb(n_superpixels, size) for size in shown.sum(axis=1).astype(int)])
