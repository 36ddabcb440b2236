"""Which frames are not to be measured: no head in sight, a head that is cut off, or a frame that is corrupted.

A network answers whatever it is shown. What betrays the wrong frame is that the mask is unsure of its border or no
ellipse, that the ellipse has a shape no head has or leaves the frame, that the two networks contradict each other, that
the frame is unlike all that was learned from, or that the detector of corruptions finds one. The bounds are set on
validation frames, never on test frames, and stand in the cards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from core.biometry.ellipse import Ellipse
from core.zoo.cards import Card
from core.zoo.detection import Verdict

NO_OUTLINE = "No outline of a head is found in this frame; measure a frame that shows a whole head."
QUANTILE = 0.01
"""Of the validation heads that each bound costs; trunks come so near to heads that there is no room for a margin."""
SHAPE_MARGIN = 1.5
"""How much farther from the median than that quantile the bounds of the axis ratio lie: heads differ."""
USUAL_INSIDE = 0.95
"""A head whose outline leaves the frame by less is measured, however whole the validation heads are."""
OUTLINE_POINTS = 360
TOLERATED = {"blur": 3.0}
"""Severities below which a kind leaves the error as it is: up to severity 3 of blur the outline is off by 1.5 to 1.7,
where clean frames have 1.4, and by 3.4 mm under severity 4 (``python -m benchmarks.head_refusals --split validation
--frames 24``). Other kinds are refused as soon as they are seen, also where the outline would bear more of them."""
BRAIN = "brain"
SURE_OF_ANATOMY = 0.9
"""What the model of anatomies must reach for another one than the brain before a frame is refused for it."""


@dataclass(frozen=True)
class Evidence:
    """What an outline itself tells of how far it can be believed.

    Attributes
    ----------
    certainty : float
        How far the mask has decided inside the ellipse, from 0 (one half everywhere) to 1: the mean of |2p - 1|.
    agreement : float
        Intersection of mask and ellipse over their union.
    axis_ratio : float
        Shorter over longer axis (the cephalic index).
    inside : float
        Share of the outline that lies in the frame's sector box.
    """

    certainty: float
    agreement: float
    axis_ratio: float
    inside: float


def evidence_of(mask: np.ndarray, ellipse: Ellipse, size: int, window: np.ndarray) -> Evidence:
    """What a mask (h, w) of probabilities and the ellipse through its border come to.

    Parameters
    ----------
    ellipse : Ellipse
        In pixels of the network's input.
    size : int
        The input's side.
    window : (2, 2) float
        First and last x, and first and last y, of the input that the frame fills; the rest is padding.
    """
    inside = ellipse.coverage(mask.shape, size / mask.shape[0])
    decided = np.abs(2 * mask - 1)
    x, y = ellipse.points(OUTLINE_POINTS).T
    (left, right), (top, bottom) = window
    within = (x >= left) & (x <= right) & (y >= top) & (y <= bottom)
    return Evidence(
        certainty=float((decided * inside).sum() / max(inside.sum(), 1e-9)),
        agreement=float(np.minimum(mask, inside).sum() / np.maximum(mask, inside).sum()),
        axis_ratio=ellipse.minor / ellipse.major,
        inside=float(within.mean()),
    )


def bounds_of(evidence: Sequence[Evidence], axis_ratios: Sequence[float]) -> dict[str, Any]:
    """What a card keeps: the least certainty, agreement and share inside, and the least and greatest axis ratio.

    Parameters
    ----------
    evidence : sequence of Evidence
        Of validation heads in which an outline was found.
    axis_ratios : sequence of float
        As annotated, of training heads.
    """
    least = {
        name: float(np.quantile([getattr(one, name) for one in evidence], QUANTILE))
        for name in ("certainty", "agreement", "inside")
    }
    least["inside"] = min(least["inside"], USUAL_INSIDE)
    low, middle, high = np.quantile(axis_ratios, [QUANTILE, 0.5, 1 - QUANTILE])
    ratio = [float(middle - SHAPE_MARGIN * (middle - low)), float(min(1.0, middle + SHAPE_MARGIN * (high - middle)))]
    return {**least, "axis_ratio": ratio}


def doubts_about(evidence: Evidence, bounds: dict[str, Any]) -> list[str]:
    """Sentences on what speaks against an outline; none where the card has no bounds."""
    if not bounds:
        return []
    found = asdict(evidence)
    doubts = []
    if found["certainty"] < bounds["certainty"]:
        doubts.append("The network is unsure where the head's outline runs; choose a clearer frame of a whole head.")
    if found["agreement"] < bounds["agreement"]:
        doubts.append("What was found is no ellipse, so it is hardly a whole head; choose a frame that shows one.")
    low, high = bounds["axis_ratio"]
    if not low <= found["axis_ratio"] <= high:
        doubts.append(
            f"The outline's axes have the ratio {found['axis_ratio']:.2f}, where heads have {low:.2f} to {high:.2f}; "
            "choose a frame of a whole head in the standard plane."
        )
    if found["inside"] < bounds["inside"]:
        doubts.append(
            f"{1 - found['inside']:.0%} of the outline lies outside the frame; choose a frame of the whole head."
        )
    return doubts


def doubt_of_typicality(score: float, card: Card) -> list[str]:
    """A sentence where a frame is unlike those that a regression learned from."""
    if score >= card.novelty_threshold:
        return []
    return ["The frame is unlike the heads that the network has learned from; choose a standard plane of the head."]


def doubt_of_anatomy(label: str, probability: float) -> list[str]:
    """A sentence where the model of anatomies is sure that a frame shows no brain."""
    if label == BRAIN or probability < SURE_OF_ANATOMY:
        return []
    return [f"The frame looks like {label} ({probability:.0%}), not like a head; choose a standard plane of the head."]


def doubt_of_disagreement(regression_mm: str, segmentation_mm: str) -> str:
    """The sentence where the two networks contradict each other."""
    return (
        f"The two networks contradict each other ({regression_mm} against {segmentation_mm}); "
        "measure by hand or choose another frame."
    )


def doubt_of_corruption(verdict: Verdict | None) -> list[str]:
    """A sentence where the detector of corruptions found one that a measurement does not bear."""
    if verdict is None:
        return []
    harmful = [one for one in verdict.findings if one.severity is None or one.severity >= TOLERATED.get(one.kind, 0)]
    if not harmful:
        return []
    return [f"The frame looks corrupted ({'; '.join(one.text for one in harmful)}); choose a better one."]
