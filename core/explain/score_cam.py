"""Score-CAM (Wang et al. 2020)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from core.errors import ParameterError
from core.explain.base import Method, Progress, no_progress, resize_maps
from core.explain.cam import obstacle_of_depth, weigh
from core.explain.perturbation import filling, masked_scores, portion

if TYPE_CHECKING:
    from core.zoo.cards import Card
    from core.zoo.prediction import Classifier

MOST_MAPS = 64


class ScoreCAM(Method):
    """Feature maps weighed by the target's score when the image shows only where each is active.

    Each of the last feature maps, scaled to [0, 1] and to the image's size, is a mask. A network has 1,280 or 2,048 of
    them, most nearly flat; by default only the 64 that vary most over the image are tried. On a phantom of the default
    model these rank places as all 1,280 do with a correlation of 0.94 (256: 0.995); ``n_maps=None`` tries all.

    A class's score is its probability, near 0 where it sees nothing; a measurement's is its shift from the image wholly
    hidden, which may be negative, and nothing is cut at zero.
    """

    name = "score_cam"
    title = "Score-CAM"
    family = "activation"
    explanation = (
        "Shows the network only where one of its feature maps is active, one map after another, and adds them up by "
        "the probability that each earns the class."
    )
    trust = "Needs no gradient, so nothing saturates; as coarse as class activation mapping, and masks make odd images."
    measurement_explanation = (
        "Shows the network only where one of its feature maps is active, one map after another, and adds them up by "
        "how much the circumference grows or shrinks against a hidden image."
    )
    measurement_trust = (
        "Needs no gradient, so nothing saturates; as coarse as class activation mapping, and what the network says of "
        "a hidden image, from which it counts, is a guess."
    )
    signs_measurements = True
    paper = "Wang et al. 2020, arXiv:1910.01279"
    costly = True
    order = 10

    def own_obstacle(self, card: Card) -> str | None:
        return obstacle_of_depth(self.title, card)

    def explain(
        self,
        model: Classifier,
        images: np.ndarray,
        targets: np.ndarray,
        progress: Progress = no_progress,
        *,
        n_maps: int | None = MOST_MAPS,
        fill: str = "black",
    ) -> np.ndarray:
        """Maps from the ``n_maps`` feature maps of largest standard deviation over the image; None takes all.

        ``fill`` is what masked pixels fade to, one of :data:`core.explain.perturbation.FILLS`.
        """
        self.check(model.card)
        if n_maps is not None and n_maps < 1:
            raise ParameterError(f"Score-CAM needs at least one feature map, not {n_maps}.")
        size = images.shape[-1]
        maps = []
        for index, (image, target) in enumerate(zip(images, targets, strict=True)):
            _, features = model.network.feature_maps(image[None])
            chosen = _most_varied(features[0], n_maps)
            masked = masked_scores(
                model,
                image,
                _masks(chosen, size),
                chosen.shape[-1],
                fill=fill,
                progress=portion(progress, index, len(images)),
            )
            weights = np.concatenate([scores[:, target] for _, scores in masked])
            if self.is_signed(model.card):
                hidden = filling(image, fill)
                maps.append(weigh(chosen[None], weights[None] - model.scores(hidden[None])[0, target])[0])
            else:
                maps.append(np.maximum(weigh(chosen[None], weights[None]), 0)[0])
        return resize_maps(np.stack(maps), size)


def _most_varied(features: np.ndarray, count: int | None) -> np.ndarray:
    """The ``count`` feature maps of (h, w, F) that vary most, in their order."""
    order = np.argsort(-features.std(axis=(0, 1)), kind="stable")
    return features[..., np.sort(order[:count])]


def _masks(features: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Each map of (h, w, F) enlarged to (size, size) and scaled to [0, 1]; one that is flat shows nothing."""
    for one in np.moveaxis(features, -1, 0):
        enlarged = resize_maps(one[None], size)[0]
        low, high = enlarged.min(), enlarged.max()
        yield (enlarged - low) / (high - low) if high > low else np.zeros_like(enlarged)
