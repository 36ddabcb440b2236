"""The deconvolutional network (Zeiler and Fergus 2014; head circumference paper 003)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from core.explain.guided_backpropagation import RectifierMethod

if TYPE_CHECKING:
    from core.zoo.runtime import CompiledNetwork


class Deconvnet(RectifierMethod):
    """Saliency of what a network gives back when its rectifiers rectify backwards as they do forwards.

    What flows back is cut where it is negative, whether or not the rectifier was open when the image passed, which the
    plain gradient asks and nothing else; guided backpropagation asks both. Max pooling sends back to where its maximum
    was. A map is a size, for the same reason as saliency's.
    """

    name = "deconvnet"
    title = "Deconvnet"
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

    def flow_back(self, network: CompiledNetwork, images: np.ndarray, targets: np.ndarray) -> np.ndarray:
        return network.deconvolved(images, targets)[1]
