"""How sure is a model? Several ways to ask, each with its members' answers, their mean and their spread.

A method is one class in :data:`METHODS`. All answer from calibrated probabilities: softmax over the card's temperature.
An image's answer depends on the image, the models and the seed alone, never on the other images it is asked with.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from core.augmentation import PRESETS
from core.errors import ParameterError
from core.evaluation import Share, entropy, share_by_patient
from core.zoo.architectures import DROPOUT, DROPOUT_LAYER, HIDDEN_LAYER, LOGITS_LAYER
from core.zoo.cards import Card
from core.zoo.prediction import Classifier, to_unit

if TYPE_CHECKING:
    from core.zoo.assessment import Assessment

Progress = Callable[[float], None]
"""Called with the share done in [0, 1]."""
Partner = tuple[Classifier, np.ndarray]
"""Another model and the same images as it sees them: (N, S, S) uint8 of its own :meth:`Classifier.prepare`."""

VARIATIONS = 16
DROPOUT_SAMPLES = 100
IMAGES_A_CALL = 8
"""Images to a forward call, a compiled shape, so that progress is told between calls."""
DEFAULT_THRESHOLD = 0.9


def no_progress(share: float) -> None:
    """Report to nobody."""


@dataclass(frozen=True)
class Uncertainty:
    """The answers of T members about N images.

    Attributes
    ----------
    classes : list of str
    members : (T, N, K) float64
        Calibrated probabilities of each member.
    """

    classes: list[str]
    members: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """Mean probabilities (N, K); exactly the members' answer where they agree."""
        return self.members[0] + self._offsets.mean(axis=0)

    @property
    def spread(self) -> np.ndarray:
        """Standard deviation over members (N, K), exactly 0 where they agree or there is but one."""
        return self._offsets.std(axis=0)

    @property
    def labels(self) -> list[str]:
        return [self.classes[index] for index in self.mean.argmax(axis=1)]

    @property
    def confidence(self) -> np.ndarray:
        """Top mean probability (N,)."""
        return self.mean.max(axis=1)

    @property
    def spread_of_answer(self) -> np.ndarray:
        """Standard deviation (N,) of the answered class's probability."""
        return np.take_along_axis(self.spread, self.mean.argmax(axis=1)[:, None], axis=1)[:, 0]

    @property
    def predictive_entropy(self) -> np.ndarray:
        """Entropy (N,) of the mean in bits: all that is uncertain."""
        return entropy(self.mean)

    @property
    def mutual_information(self) -> np.ndarray:
        """Bits (N,) that are uncertain because members disagree (Gal 2016): predictive entropy less their mean one."""
        return np.maximum(self.predictive_entropy - entropy(self.members).mean(axis=0), 0.0)

    @property
    def _offsets(self) -> np.ndarray:
        # From the first member: a plain mean of equal numbers is off by a rounding.
        return self.members - self.members[0]


class UncertaintyMethod(ABC):
    """Base of all methods.

    Attributes
    ----------
    name, title : str
        Registry key and what people call it.
    explanation : str
        What the method does, in one plain sentence.
    paper : str
        Its source.
    costly : bool
        True if it takes many forward passes: the page then shows progress.
    asks_partners : bool
        True if it needs other models.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    explanation: ClassVar[str]
    paper: ClassVar[str]
    costly: ClassVar[bool] = False
    asks_partners: ClassVar[bool] = False

    def obstacle(self, card: Card, partners: Sequence[Card]) -> str | None:
        """A sentence on why the method cannot be used with a card's model, or None where it can."""
        return None

    def estimate(
        self,
        model: Classifier,
        images: np.ndarray,
        *,
        partners: Sequence[Partner] = (),
        seed: int = 0,
        progress: Progress = no_progress,
    ) -> Uncertainty:
        """Ask the members about images (N, S, S) uint8 that ``model.prepare`` made.

        Raises
        ------
        ParameterError
            If the method cannot be used with this model; the message is that of :meth:`obstacle`.
        """
        obstacle = self.obstacle(model.card, [partner.card for partner, _ in partners])
        if obstacle is not None:
            raise ParameterError(obstacle)
        return Uncertainty(model.classes, self._members(model, images, partners, seed, progress))

    @abstractmethod
    def _members(
        self, model: Classifier, images: np.ndarray, partners: Sequence[Partner], seed: int, progress: Progress
    ) -> np.ndarray:
        """Probabilities (T, N, K)."""


METHODS: dict[str, UncertaintyMethod] = {}


def register(method: type[UncertaintyMethod]) -> type[UncertaintyMethod]:
    METHODS[method.name] = method()
    return method


def get_method(name: str) -> UncertaintyMethod:
    if name not in METHODS:
        raise ParameterError(f"There is no uncertainty method {name!r}; choose one of {', '.join(METHODS)}.")
    return METHODS[name]


@register
class Single(UncertaintyMethod):
    name = "single"
    title = "Single pass"
    explanation = "One look at the image; the probability is corrected by a temperature fitted on validation images."
    paper = "Guo et al. 2017, On calibration of modern neural networks"

    def _members(
        self, model: Classifier, images: np.ndarray, partners: Sequence[Partner], seed: int, progress: Progress
    ) -> np.ndarray:
        return model.probabilities(images)[None]


@register
class TestTimeAugmentation(UncertaintyMethod):
    """The image as it is and seeded variations of it, those the model was trained with.

    A model trained without any gets the ``default`` ones. Every image gets the same variations. Those that come out
    alike are computed once, so that a preset that changes nothing gives exactly the single answer.

    Parameters
    ----------
    preset : str, optional
        A name of :data:`core.augmentation.PRESETS` instead of the model's own.
    """

    __test__ = False  # its name looks like a test's to pytest
    name = "test_time_augmentation"
    title = "Test-time augmentation"
    explanation = (
        f"The image is shown {VARIATIONS} times, turned, shifted and varied a little as in training: "
        "an answer that hangs on such details spreads."
    )
    paper = "Wang et al. 2019, Aleatoric uncertainty estimation with test-time augmentation"
    costly = True

    def __init__(self, preset: str | None = None) -> None:
        if preset is not None and preset not in PRESETS:
            raise ParameterError(f"There is no augmentation {preset!r}; choose one of {', '.join(PRESETS)}.")
        self.preset = preset

    def _members(
        self, model: Classifier, images: np.ndarray, partners: Sequence[Partner], seed: int, progress: Progress
    ) -> np.ndarray:
        augmentation = PRESETS[self.preset or _own_preset(model.card)]
        answers = []
        for position, image in enumerate(images):
            drawn = [augmentation.draw(image, np.random.default_rng([seed, i])) for i in range(1, VARIATIONS)]
            distinct, index = np.unique(np.stack([image, *drawn]), axis=0, return_inverse=True)
            parts = []
            for start in range(0, len(distinct), IMAGES_A_CALL):
                parts.append(model.probabilities(distinct[start : start + IMAGES_A_CALL]))
                progress((position + min(start + IMAGES_A_CALL, len(distinct)) / len(distinct)) / len(images))
            answers.append(np.concatenate(parts)[index.ravel()])
        return np.stack(answers, axis=1)


@register
class MonteCarloDropout(UncertaintyMethod):
    """Dropout stays on while predicting; each of many masks is one member (Gal and Ghahramani 2016).

    Our networks have dropout only in the head, after the pooled features and, where there is one, the hidden layer.
    All before it gives the same values whatever the mask, so one forward pass for the features, then the last layer
    under every mask, is exactly what as many passes through the whole network would give, at the price of one.

    The masks are shared by all images: a member is one thinned head. Kept features are divided by the share kept, as
    Keras does in training. The rate is the one of the model's own layer.
    """

    name = "monte_carlo_dropout"
    title = "Monte Carlo dropout"
    explanation = (
        f"{DROPOUT_SAMPLES} times a random part of the features is left out before the last layer: "
        "an answer that hangs on few features spreads."
    )
    paper = "Gal and Ghahramani 2016, Dropout as a Bayesian approximation"

    def __init__(self, samples: int = DROPOUT_SAMPLES) -> None:
        self.samples = samples

    def obstacle(self, card: Card, partners: Sequence[Card]) -> str | None:
        if card.detection:
            return "Monte Carlo dropout varies one hidden layer and this network has two branches; use another method."
        if card.architecture.get("dropout", DROPOUT) > 0:
            return None
        return "This model was trained without dropout, so Monte Carlo dropout has nothing to vary; use another method."

    def _members(
        self, model: Classifier, images: np.ndarray, partners: Sequence[Partner], seed: int, progress: Progress
    ) -> np.ndarray:
        head = model.network.model
        _, features = model.network.forward(to_unit(images))
        features = np.asarray(features, dtype=np.float64)
        if any(layer.name == HIDDEN_LAYER for layer in head.layers):
            kernel, bias = _weights(head, HIDDEN_LAYER)
            features = np.maximum(features @ kernel + bias, 0)
        kernel, bias = _weights(head, LOGITS_LAYER)
        kept = 1 - head.get_layer(DROPOUT_LAYER).rate
        masks = np.random.default_rng(seed).random((self.samples, len(kernel))) < kept
        thinned = masks[:, :, None] * (kernel / kept)
        return model.softmax(np.tensordot(features, thinned, axes=(1, 1)).swapaxes(0, 1) + bias)


@register
class Ensemble(UncertaintyMethod):
    """The mean of the calibrated probabilities of several models that tell the same classes apart."""

    name = "ensemble"
    title = "Ensemble"
    explanation = (
        "Other networks that tell the same classes apart are asked too: where they disagree, the mean spreads."
    )
    paper = "Lakshminarayanan et al. 2017, Simple and scalable predictive uncertainty estimation"
    costly = True
    asks_partners = True

    def obstacle(self, card: Card, partners: Sequence[Card]) -> str | None:
        if not partners:
            return (
                f"An ensemble needs a second model of the classes {', '.join(card.classes)}, and none is installed; "
                "python -m core train --help tells how to train one."
            )
        for partner in partners:
            if set(partner.classes) != set(card.classes):
                return f"The model {partner.name} knows other classes, so it cannot join the ensemble; leave it out."
        return None

    def _members(
        self, model: Classifier, images: np.ndarray, partners: Sequence[Partner], seed: int, progress: Progress
    ) -> np.ndarray:
        asked = [(model, images), *partners]
        answers = []
        for number, (one, seen) in enumerate(asked, start=1):
            order = [one.classes.index(name) for name in model.classes]
            answers.append(one.probabilities(seen)[:, order])
            progress(number / len(asked))
        return np.stack(answers)


def partners_of(card: Card, cards: Sequence[Card]) -> list[Card]:
    """The other models of the same task and classes, in whatever order they name them."""
    return [
        other
        for other in cards
        if other.name != card.name and other.task == card.task and set(other.classes) == set(card.classes)
    ]


def send_to_expert(confidence: np.ndarray, unlike_training: np.ndarray, threshold: float) -> np.ndarray:
    """Which images (N,) a person should look at: confidence below ``threshold``, or unlike the training data."""
    return (np.asarray(confidence) < threshold) | np.asarray(unlike_training, dtype=bool)


@dataclass(frozen=True)
class ThresholdCheck:
    """What a threshold did on one data set: the share ``sent`` to an expert and the share ``right`` of those kept.

    ``right`` has n = 0 where the images have no label of the model's classes. Intervals respect patients.
    """

    data: str
    simulated: bool
    sent: Share
    right: Share


def check_threshold(assessment: Assessment, threshold: float) -> ThresholdCheck:
    """Apply the rule of :func:`send_to_expert` to a data set that a model was evaluated on.

    The rows hold the single pass's probabilities; other methods keep other images.
    """
    rows = assessment.rows
    confidence = rows[[f"p_{name}" for name in assessment.classes]].to_numpy(float).max(axis=1)
    sent = send_to_expert(confidence, rows["unlike_training"].to_numpy(bool), threshold)
    kept = rows[~sent & (rows["label"] != "").to_numpy()]
    right = share_by_patient((kept["label"] == kept["predicted"]).to_numpy(), kept["patient"].to_numpy())
    sent_away = share_by_patient(sent, rows["patient"].to_numpy())
    return ThresholdCheck(assessment.layout, assessment.simulated, sent_away, right)


def _own_preset(card: Card) -> str:
    own = card.training.get("augmentation")
    return own if own in PRESETS and own != "none" else "default"


def _weights(model: Any, layer: str) -> tuple[np.ndarray, np.ndarray]:
    kernel, bias = model.get_layer(layer).get_weights()
    return kernel.astype(np.float64), bias.astype(np.float64)
