"""Models that measure fetal heads: one that says the circumference at once, and one that finds the outline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from core.biometry.ellipse import Ellipse
from core.biometry.outline import ellipse_in
from core.errors import MeasurementError
from core.preprocessing import Cleaned, PreprocessingSettings, clean, finish, placement
from core.zoo.cards import Card
from core.zoo.forward import ForwardPass, convert
from core.zoo.kept import Converted, Keep, anew
from core.zoo.prediction import to_unit
from core.zoo.runtime import Late, tensorflow

if TYPE_CHECKING:
    import keras

    from core.zoo.novelty import Typicality
    from core.zoo.runtime import CompiledNetwork

CIRCUMFERENCE, ELLIPSE = "circumference", "ellipse"
OUTPUTS = (CIRCUMFERENCE, ELLIPSE)
CLASSES = ["head circumference"]
"""What the one output of a regression stands for, where explanations name what they explain."""


class HeadModel:
    """What both sorts have in common: a card, and the way from a frame to the network's input.

    Attributes
    ----------
    card : Card
    settings : PreprocessingSettings
    """

    def __init__(self, card: Card) -> None:
        self.card = card
        self.settings = PreprocessingSettings.from_dict(card.preprocessing)

    @property
    def classes(self) -> list[str]:
        return self.card.classes

    def prepare(self, pixels: np.ndarray) -> np.ndarray:
        """Pixels of a raw or cleaned frame -> the (S, S) uint8 image the network sees."""
        return self.prepare_cleaned(clean(pixels, self.settings))[0]

    def prepare_cleaned(self, cleaned: Cleaned) -> tuple[np.ndarray, np.ndarray]:
        """The (S, S) uint8 image of a cleaned frame, and the affine map (2, 3) from the frame's (x, y) to its own."""
        image = finish(cleaned, self.settings, chain=self.card.input["chain"], size=self.card.size)
        return image, placement(cleaned.box, self.settings, self.card.size)


class HeadRegressor(HeadModel):
    """A network that predicts the circumference directly (regression paper, 003).

    Its one logit is the circumference as a share of the input's side.
    """

    def __init__(self, card: Card, network: CompiledNetwork, typicality: Typicality) -> None:
        super().__init__(card)
        self.network = network
        self.typicality = typicality

    @property
    def model(self) -> keras.Model:
        return self.network.model

    def scores(self, images: np.ndarray) -> np.ndarray:
        """Circumferences (N, 1) float64 in pixels of prepared images (N, S, S), uint8 or float32 in [0, 1]."""
        return self.network.forward(to_unit(images))[0].astype(np.float64) * self.card.size

    def circumferences(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Circumferences (N,) in pixels of prepared images, and how typical each is of the training data (N,)."""
        logits, pooled = self.network.forward(to_unit(images))
        return logits[:, 0].astype(np.float64) * self.card.size, self.typicality.score(pooled)


class HeadSegmenter(HeadModel):
    """A U-Net that says of each pixel whether it lies inside the head; an ellipse is laid through its border."""

    def __init__(self, card: Card, model: keras.Model | Late[keras.Model], keep: Keep = anew) -> None:
        super().__init__(card)
        self._model = model if isinstance(model, Late) else Late(lambda: model)
        self.network = MaskPass(self._model, card.size, tuple(card.input["range"]), keep)

    @property
    def model(self) -> keras.Model:
        return self._model()

    def masks(self, images: np.ndarray) -> np.ndarray:
        """Probabilities (N, S/2, S/2) float32 of lying inside, of prepared images (N, S, S)."""
        return self.network(images)

    def ellipses(self, images: np.ndarray) -> list[Ellipse | None]:
        """The ellipse of each prepared image in its pixels; None where no outline is found."""
        return ellipses_in(self.masks(images), self.card.size)


class MaskPass:
    """Forward passes of a segmenting network (:func:`core.zoo.architectures.build_segmenter`) for (N, size, size).

    They are prepared at the first and keep the weights of that moment; ``keep`` is where they are kept for other
    processes.
    """

    def __init__(
        self,
        model: Callable[[], keras.Model],
        size: int,
        input_range: tuple[float, float],
        keep: Keep = anew,
    ) -> None:
        self._model, self._size = model, size
        self._low, self._high = input_range
        self._forward = Late(lambda: ForwardPass(keep(self._convert).content))

    def ready(self) -> None:
        """As :meth:`core.zoo.runtime.CompiledNetwork.ready`."""
        self._forward()

    def __call__(self, images: np.ndarray) -> np.ndarray:
        return self._forward()(np.ascontiguousarray(to_unit(images)), (0,))[0]

    def _convert(self) -> Converted:
        tf = tensorflow()
        network = self._model()

        def passed(images: Any) -> Any:
            scaled = tf.repeat((images * (self._high - self._low) + self._low)[..., None], 3, axis=-1)
            return [tf.sigmoid(network(scaled, training=False)[..., 0])]

        free = tf.TensorSpec((None, self._size, self._size), tf.float32)
        return Converted(convert(tf.function(passed, input_signature=[free], autograph=False).get_concrete_function()))


def ellipses_in(masks: np.ndarray, size: int) -> list[Ellipse | None]:
    """Ellipses in pixels of images of this side, through the borders of masks (N, h, h); None where there is none."""
    found: list[Ellipse | None] = []
    for mask in masks:
        try:
            found.append(ellipse_in(mask, size / mask.shape[0]))
        except MeasurementError:
            # No head in sight is an answer here; whoever asks says it in his own words.
            found.append(None)
    return found


def filled_window(cleaned: Cleaned, matrix: np.ndarray) -> np.ndarray:
    """What a frame fills of the network's input, (2, 2): first and last x, first and last y; the rest is padding."""
    box = cleaned.box
    edges = np.array([[box.left - 0.5, box.right - 0.5], [box.top - 0.5, box.bottom - 0.5]])
    return edges * np.diag(matrix[:, :2])[:, None] + matrix[:, 2:]


def frame_ellipse(ellipse: Ellipse, matrix: np.ndarray) -> Ellipse:
    """An ellipse of the network's input in pixels of the frame; ``matrix`` (2, 3) is :func:`placement`'s."""
    inverse = np.linalg.inv(matrix[:, :2])
    return ellipse.moved(np.column_stack([inverse, -inverse @ matrix[:, 2]]))


def frame_pixels(lengths: np.ndarray | Sequence[float], matrices: Sequence[np.ndarray]) -> np.ndarray:
    """Lengths (N,) in pixels of the networks' inputs -> in pixels of the frames."""
    return np.asarray(lengths, dtype=np.float64) / np.array([matrix[0, 0] for matrix in matrices])
