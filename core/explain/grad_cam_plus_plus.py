"""Grad-CAM++ (Chattopadhay et al. 2018)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from core.explain.cam import weigh
from core.explain.grad_cam import GradCAM

if TYPE_CHECKING:
    from core.zoo.cards import Card


class GradCAMPlusPlus(GradCAM):
    """Feature maps weighed by their positive gradients, each place in proportion to how much it matters.

    The paper derives the proportions for the exponential of the score and its published code scales them to sum to 1
    over each map. The exponential then only multiplies the whole map, so it is left out: it would overflow. Where a
    global average pooling comes next, as in all our classifiers, a map's gradient is the same everywhere, its
    proportions sum to 1, and what is left is class activation mapping without the maps that speak against the class.

    Of a measurement, what lowers it is found in the same way from the negative gradients and taken off, so that nothing
    is left out; behind a global average pooling that is class activation mapping up to a factor.
    """

    name = "grad_cam_plus_plus"
    title = "Grad-CAM++"
    explanation = "Weighs the network's last feature maps by their support for the class, leaving out those against it."
    trust = "Finds several structures of one kind where Grad-CAM shows one; what speaks against the class is not in it."
    measurement_explanation = (
        "Weighs the network's last feature maps by how far they make the circumference grow, less how far they make it "
        "shrink."
    )
    measurement_trust = (
        "Finds several structures of one kind where Grad-CAM shows one; with this network's pooling it is Grad-CAM "
        "itself."
    )
    paper = "Chattopadhay et al. 2018, arXiv:1710.11063"
    order = 9

    def coarse(self, maps: np.ndarray, gradient: np.ndarray, card: Card) -> np.ndarray:
        weights = support(maps, gradient)
        if self.is_signed(card):
            weights = weights - support(maps, -gradient)
        return weigh(maps, weights)


def support(maps: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """What each of the feature maps (N, h, w, F) counts by its positive gradients, (N, F); none counts less than 0.

    Feature maps of a swish dip below zero all the same: Grad-CAM's cut matters here too.
    """
    return (proportions(maps, gradient) * np.maximum(gradient, 0)).sum(axis=(1, 2))


def proportions(maps: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """How much each place of feature maps (N, h, w, F) counts; over the places of positive gradient they sum to 1."""
    total = maps.sum(axis=(1, 2), keepdims=True)
    positive = gradient > 0
    # The second derivative over twice itself plus the third times the map's sum, a squared gradient cancelled.
    denominator = 2 + gradient * total
    alphas = np.divide(1, denominator, out=np.zeros_like(gradient), where=positive & (denominator != 0))
    sums = alphas.sum(axis=(1, 2), keepdims=True)
    return np.divide(alphas, sums, out=np.zeros_like(gradient), where=sums != 0)
