"""From frames to probabilities: the card's preprocessing, one compiled forward pass, temperature, typicality."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from core.evaluation import entropy
from core.preprocessing import PreprocessingSettings, prepare
from core.zoo.cards import Card
from core.zoo.novelty import Typicality

if TYPE_CHECKING:
    from core.zoo.forward import ForwardNetwork
    from core.zoo.runtime import CompiledNetwork


TEMPERATURE_BOUNDS = (0.5, 10.0)
"""All validation images being right, likelihood alone would drive the temperature to 0 and all answers to certainty."""


@dataclass(frozen=True)
class Prediction:
    """What a model says about N images.

    Attributes
    ----------
    classes : list of str
    probabilities : (N, K) float64
        Softmax of the logits over the card's temperature.
    typicality : (N,) float64
        Higher is more like the training data.
    unlike_training : (N,) bool
        True where the typicality lies below the card's threshold.
    """

    classes: list[str]
    probabilities: np.ndarray
    typicality: np.ndarray
    unlike_training: np.ndarray

    @property
    def labels(self) -> list[str]:
        return [self.classes[index] for index in self.probabilities.argmax(axis=1)]

    @property
    def confidence(self) -> np.ndarray:
        """Top probability (N,)."""
        return self.probabilities.max(axis=1)

    @property
    def entropy(self) -> np.ndarray:
        """Entropy in bits (N,)."""
        return entropy(self.probabilities)


class Classifier:
    """A loaded model: its card and its compiled network, or the forward passes of that alone."""

    def __init__(self, card: Card, network: CompiledNetwork | ForwardNetwork, typicality: Typicality) -> None:
        self.card = card
        self.network = network
        self.typicality = typicality
        self.settings = PreprocessingSettings.from_dict(card.preprocessing)

    @property
    def classes(self) -> list[str]:
        return self.card.classes

    def for_threads(self, count: int) -> Self:
        """This model with a network for threads at work on batches of their own."""
        twin = copy(self)
        twin.network = self.network.for_threads(count)
        return twin

    def forward_only(self) -> Self:
        """This model as other processes are sent it: it predicts, without TensorFlow, and has no gradients."""
        twin = copy(self)
        twin.network = self.network.forward_only()
        return twin

    def prepare(self, pixels: np.ndarray) -> np.ndarray:
        """Pixels of a raw or cleaned frame -> the (S, S) uint8 image the network sees."""
        return prepare(pixels, self.settings, chain=self.card.input["chain"], size=self.card.size)

    def predict(self, frames: Sequence[np.ndarray]) -> Prediction:
        """Predict raw frames, (H, W) or (H, W, 3) uint8 each."""
        return self.predict_prepared(np.stack([self.prepare(pixels) for pixels in frames]))

    def predict_prepared(self, images: np.ndarray) -> Prediction:
        """Predict images (N, S, S) that :meth:`prepare` made, uint8 or float32 in [0, 1]."""
        return self.read(*self.network.forward(to_unit(images)))

    def read(self, logits: np.ndarray, pooled: np.ndarray) -> Prediction:
        """The prediction that logits (N, K) and pooled features (N, F) of N images make."""
        typicality = self.typicality.score(pooled)
        return Prediction(self.classes, self.softmax(logits), typicality, typicality < self.card.novelty_threshold)

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Probabilities (N, K) alone, for sweeps and perturbations."""
        return self.softmax(self.network.forward(to_unit(images))[0])

    def scores(self, images: np.ndarray) -> np.ndarray:
        """What methods that hide parts of an image watch, (N, K): here the probabilities."""
        return self.probabilities(images)

    def softmax(self, logits: np.ndarray) -> np.ndarray:
        """Calibrated probabilities of logits (N, K)."""
        return softmax(logits / self.card.temperature)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Softmax over the last axis in float64."""
    shifted = np.asarray(logits, dtype=np.float64)
    shifted = np.exp(shifted - shifted.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


def to_unit(images: np.ndarray) -> np.ndarray:
    """uint8 -> float32 in [0, 1]; floats are taken to be there already."""
    if images.dtype == np.uint8:
        return images.astype(np.float32) / np.float32(255)
    return np.asarray(images, dtype=np.float32)


def fit_temperature(logits: np.ndarray, true: np.ndarray) -> float:
    """The temperature that minimises the negative log-likelihood on validation data (Guo et al. 2017).

    Parameters
    ----------
    logits : (N, K) float
    true : (N,) int
    """
    from scipy.optimize import minimize_scalar

    def loss(log_temperature: float) -> float:
        probabilities = softmax(logits / np.exp(log_temperature))
        return float(-np.log(np.maximum(probabilities[np.arange(len(true)), true], 1e-12)).mean())

    result = minimize_scalar(loss, bounds=np.log(TEMPERATURE_BOUNDS), method="bounded")
    return float(np.exp(result.x))
