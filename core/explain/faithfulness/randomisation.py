"""The same network with weights that have learned nothing (Adebayo et al. 2018, arXiv:1810.03292)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from core.zoo.registry import model_of, network_of

if TYPE_CHECKING:
    from core.zoo.prediction import Classifier

ONES = ("gamma", "moving_variance")
"""Weights of a normalisation that leave values as they are at 1; its others do at 0, as biases do."""


def randomised(model: Classifier, seed: int = 0) -> Classifier:
    """A copy of a model with random weights in every layer; the original is not touched.

    Kernels are normal with the variance 2 / inputs (He et al. 2015), which keeps values at one scale through many
    layers; biases are 0 and normalisations do nothing. The same seed gives the same weights.
    """
    network = network_of(model.card)
    generator = np.random.default_rng(seed)
    for weight in network.weights:
        weight.assign(_drawn(weight, generator))
    return model_of(model.card, network, model.typicality)


def _drawn(weight: Any, generator: np.random.Generator) -> np.ndarray:
    shape = tuple(weight.shape)
    if len(shape) < 2:
        return np.full(shape, float(weight.name in ONES), np.float32)
    # A depthwise kernel (h, w, channels, 1) adds up one channel's pixels alone.
    inputs = np.prod(shape[:2]) if len(shape) == 4 and shape[3] == 1 else np.prod(shape[:-1])
    return generator.normal(0, np.sqrt(2 / inputs), shape).astype(np.float32)
