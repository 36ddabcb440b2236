"""What every explanation method is: a name, plain sentences about it, and a map of relevance.

``(images (N, S, S) float32 in [0, 1], targets (N,)) -> maps (N, S, S) float32``, unnormalised; high means that the
place speaks for the target. Rendering is apart (:mod:`core.explain.rendering`).

A network that measures has one output, target 0, and nothing to decide between: a map says what raises that number and
what lowers it. So where a class's map is cut at zero, because evidence against one class is evidence for another, a
measurement's keeps its sign. Methods that watch the model's scores are then in pixels of the network's input, those
that look at gradients or share out the output in its own unit, the circumference over the side of the input.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from core.errors import ParameterError
from core.zoo.heads import ELLIPSE

if TYPE_CHECKING:
    from core.zoo.cards import Card
    from core.zoo.prediction import Classifier

Progress = Callable[[float], None]
"""Called with the share done in [0, 1]; it may raise :class:`core.errors.Cancelled` to stop the work."""


def no_progress(share: float) -> None:
    """Report to nobody."""


@dataclass(frozen=True)
class Explained:
    """A map with what its method can tell of it.

    Attributes
    ----------
    map : (S, S) float32
    facts : dict
        Figures that say how far this map can be trusted, by name; None where one is not finite. Empty where the method
        measures nothing of the kind.
    note : str
        The same as a sentence.
    """

    map: np.ndarray
    facts: dict[str, float | None] = field(default_factory=dict)
    note: str = ""


class Method(ABC):
    """Base of all methods.

    Attributes
    ----------
    name, title : str
        Registry key and what people call it.
    family : str
        ``gradient``, ``activation`` or ``perturbation``.
    explanation : str
        What the method does, in one plain sentence.
    trust : str
        When to trust it, in one plain sentence.
    paper : str
        Its source.
    signed : bool
        True if negative values mean evidence against the target, whatever the network answers.
    signs_measurements : bool
        True if the map of a class has no sign, but that of a measurement has: below zero is what lowers it.
    measurement_explanation, measurement_trust : str
        ``explanation`` and ``trust`` where the network measures; empty where the same words hold.
    costly : bool
        True if it takes many forward passes, or seconds to prepare: the page then waits to be asked.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    family: ClassVar[str]
    explanation: ClassVar[str]
    trust: ClassVar[str]
    paper: ClassVar[str]
    measurement_explanation: ClassVar[str] = ""
    measurement_trust: ClassVar[str] = ""
    signed: ClassVar[bool] = False
    signs_measurements: ClassVar[bool] = False
    costly: ClassVar[bool] = False
    order: ClassVar[int] = 100

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        if "name" in cls.__dict__:
            METHODS[cls.name] = cls()

    def obstacle(self, card: Card) -> str | None:
        """Why the method cannot explain this model, as a sentence; None where it can."""
        if draws(card):
            return DRAWING_OBSTACLE
        return self.own_obstacle(card)

    def own_obstacle(self, card: Card) -> str | None:
        """What stands in the way of this method alone; methods that have such override this."""
        return None

    def is_signed(self, card: Card) -> bool:
        """Whether values below zero mean something: evidence against the class, or what lowers the measurement."""
        return self.signed or (self.signs_measurements and measures(card))

    def explanation_for(self, card: Card) -> str:
        """What the method does, in one plain sentence, for the model of ``card``."""
        return (self.measurement_explanation if measures(card) else "") or self.explanation

    def trust_for(self, card: Card) -> str:
        """When to trust it, in one plain sentence, for the model of ``card``."""
        return (self.measurement_trust if measures(card) else "") or self.trust

    def check(self, card: Card) -> None:
        """ParameterError with the obstacle, if there is one."""
        if obstacle := self.obstacle(card):
            raise ParameterError(obstacle)

    @abstractmethod
    def explain(
        self, model: Classifier, images: np.ndarray, targets: np.ndarray, progress: Progress = no_progress
    ) -> np.ndarray:
        """Maps (N, S, S) float32 for images (N, S, S) float32 in [0, 1] and target class indices (N,)."""

    def explain_one(
        self, model: Classifier, image: np.ndarray, target: int, progress: Progress = no_progress
    ) -> np.ndarray:
        """The map (S, S) of one image (S, S)."""
        return self.explain(model, image[None], np.array([target]), progress)[0]

    def explain_and_tell(
        self, model: Classifier, image: np.ndarray, target: int, progress: Progress = no_progress
    ) -> Explained:
        """The map of one image (S, S) with what the method can tell of it; methods that can override this."""
        return Explained(self.explain_one(model, image, target, progress))


METHODS: dict[str, Method] = {}
DRAWING_OBSTACLE = (
    "Methods of explanation ask what raises or lowers an answer; this network draws an outline, which shows by itself "
    "where it looked: choose a model that answers with a number or a class."
)


def measures(card: Card) -> bool:
    """Whether the model of ``card`` answers with a measurement: it has no classes to choose between."""
    return bool(card.measurement)


def draws(card: Card) -> bool:
    """Whether it answers with an outline, from which the measurement is then taken."""
    return card.measurement.get("output") == ELLIPSE


def check_classes(card: Card, study: str) -> None:
    """ParameterError if the model of ``card`` measures: ``study``, which begins the sentence, needs classes."""
    if measures(card):
        raise ParameterError(f"{study} asks about classes, and {card.name} measures; choose a model that has classes.")


def get_method(name: str) -> Method:
    if name not in METHODS:
        raise ParameterError(f"There is no method {name!r}; choose one of {', '.join(METHODS)}.")
    return METHODS[name]


def ordered_methods() -> list[Method]:
    """All methods, in the order people know them by."""
    return sorted(METHODS.values(), key=lambda method: method.order)


def methods_for(card: Card) -> list[str]:
    """The methods that can explain the model of ``card``, in the order people know them by."""
    return [method.name for method in ordered_methods() if method.obstacle(card) is None]


def check_methods(card: Card, names: Iterable[str]) -> None:
    """ParameterError if one of the methods cannot explain the model of ``card``."""
    for name in names:
        get_method(name).check(card)


def resize_maps(maps: np.ndarray, size: int) -> np.ndarray:
    """Coarse maps (N, h, w) -> (N, size, size), bilinear."""
    import cv2

    return np.stack([cv2.resize(one, (size, size), interpolation=cv2.INTER_LINEAR) for one in maps])
