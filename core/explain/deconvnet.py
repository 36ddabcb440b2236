"""The deconvolutional network (Zeiler and Fergus 2014; head circumference paper 003)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from core.explain.base import Method, Progress, no_progress
from core.explain.guided_backpropagation import obstacle_of_rectifiers

if TYPE_CHECKING:
    from core.zoo.cards import Card
    from core.zoo.prediction import Classifier


class Deconvnet(Method):
    """Saliency of what a network gives back when its rectifiers rectify backwards as they do forwards.

    What flows back is cut where it is negative, whether or not the rectifier was open when the image passed, which the
    plain gradient asks and nothing else; guided backpropagation asks both. Max pooling sends back to where its maximum
    was. A map is a size, for the same reason as saliency's.
    """

    name = "deconvnet"
    title = "Deconvnet"
    family = "gradient"
    explanation = "Runs the network backwards from the score to the pixels, keeping at each step only what adds to it."
    trust = (
        "Shows which edges could feed the score at all; blind to which of the network's units the image woke, it "
        "changes little with the class or with the image, and is here to be compared with."
    )
    measurement_explanation = (
        "Runs the network backwards from the circumference to the pixels, keeping at each step only what adds to it."
    )
    measurement_trust = (
        "Shows which edges could make the circumference grow at all; blind to which of the network's units the image "
        "woke, and here to be compared with."
    )
    paper = "Zeiler, Fergus 2014, arXiv:1311.2901"
    order = 14

    def own_obstacle(self, card: Card) -> str | None:
        return obstacle_of_rectifiers(self.title, card)

    def explain(
        self, model: Classifier, images: np.ndarray, targets: np.ndarray, progress: Progress = no_progress
    ) -> np.ndarray:
        self.check(model.card)
        _, gradient = model.network.deconvolved(images, targets)
        progress(1.0)
        return np.abs(gradient).max(axis=-1)
