"""Layer-wise relevance propagation (Bach et al. 2015; head circumference paper 003): three rules, three methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from core.explain.base import Method, Progress, no_progress
from core.zoo.architectures import get_backbone

if TYPE_CHECKING:
    from core.zoo.cards import Card
    from core.zoo.prediction import Classifier


class RelevancePropagation(Method):
    """The logit shared out backwards, layer by layer, among what each layer summed (:mod:`core.zoo.relevance`).

    Attributes
    ----------
    rule : str
        One of :data:`core.zoo.relevance.RULES`.
    """

    family = "gradient"
    # Its way back is a graph of its own for every layer, which takes TensorFlow seconds to build for a deep network.
    costly = True
    rule: ClassVar[str]

    def own_obstacle(self, card: Card) -> str | None:
        unruled = get_backbone(card.backbone).unruled_layers
        if card.detection:
            unruled = "that take deviations over feature maps"
        if not unruled:
            return None
        return (
            f"Layer-wise relevance propagation has no rule for layers {unruled}, which this network has; "
            "use integrated gradients."
        )

    def explain(
        self, model: Classifier, images: np.ndarray, targets: np.ndarray, progress: Progress = no_progress
    ) -> np.ndarray:
        self.check(model.card)
        _, relevance = model.network.relevance(images, targets, self.rule)
        progress(1.0)
        return relevance


class LrpZ(RelevancePropagation):
    """Each layer shares out by contribution, positive and negative.

    In a network of rectifiers without a maximum this is input × gradient, exactly: it is here because the head
    circumference paper has it, and because a rectifier with a maximum (MobileNetV2) tells the two apart: there a unit
    at its maximum has no gradient, but all its relevance.
    """

    name = "lrp_z"
    title = "LRP-z"
    rule = "z"
    explanation = "Shares the class's score out backwards, layer by layer, by what each unit contributed."
    trust = (
        "Tells for from against and loses only what biases take; as speckled as input × gradient, which it is where no "
        "rectifier has a maximum."
    )
    measurement_explanation = "Shares the circumference out backwards, layer by layer, by what each unit contributed."
    measurement_trust = (
        "Tells what makes the circumference grow (red) from what makes it shrink (blue), and loses only what biases "
        "take; as speckled as input × gradient, which it is where no rectifier has a maximum."
    )
    paper = "Bach et al. 2015, 10.1371/journal.pone.0130140"
    signed = True
    order = 15


class LrpEpsilon(RelevancePropagation):
    """As LRP-z, but units whose inputs nearly cancel lose their relevance instead of passing it on enlarged."""

    name = "lrp_epsilon"
    title = "LRP-ε"
    rule = "epsilon"
    explanation = (
        "Shares the class's score out backwards, layer by layer, leaving out what units contribute whose inputs cancel."
    )
    trust = "Tells for from against with less speckle than LRP-z; what it leaves out is lost from the sum as well."
    measurement_explanation = (
        "Shares the circumference out backwards, layer by layer, leaving out what units contribute whose inputs cancel."
    )
    measurement_trust = (
        "Tells what makes the circumference grow (red) from what makes it shrink (blue), with less speckle than LRP-z; "
        "what it leaves out is lost from the sum as well."
    )
    paper = "Bach et al. 2015, 10.1371/journal.pone.0130140"
    signed = True
    order = 16


class LrpZPlus(RelevancePropagation):
    """The z+ rule, and at the pixels z^B: what deep Taylor decomposition becomes in a network of rectifiers.

    Nothing is taken off, so that the map has no sign; it sums to the size of the logit, but for units that only their
    bias woke.
    """

    name = "lrp_z_plus"
    title = "LRP z+ (deep Taylor)"
    rule = "z_plus"
    explanation = "Shares the class's score out backwards, layer by layer, among what added to each unit."
    trust = (
        "Smooth, and it loses next to nothing of the score; silent about what speaks against the class, and alike for "
        "all classes because most units serve all of them."
    )
    measurement_explanation = "Shares the circumference out backwards, layer by layer, among what added to each unit."
    measurement_trust = (
        "Smooth, and it loses next to nothing of the circumference; silent about what makes it shrink, and it hardly "
        "changes with the last layers' weights."
    )
    paper = "Montavon et al. 2017, arXiv:1512.02479"
    order = 17
