"""Backbones by name, each a flat functional graph: explanation methods need every layer within reach.

A backbone is one class in :data:`BACKBONES`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from core.errors import ModelError, ParameterError
from core.zoo.runtime import tensorflow

if TYPE_CHECKING:
    import keras

POOLED_LAYER = "pooled"
LOGITS_LAYER = "logits"
BATCH_NORMALISATION_MOMENTUM = 0.9
"""Keras keeps 0.99 to 0.999: with a few hundred steps the inference statistics would lag behind (reference §9)."""


class Backbone(ABC):
    """A convolutional network without its top.

    Attributes
    ----------
    default_size : int
        Side of the square input in pixels.
    input_range : (float, float)
        Values the network expects for black and white.
    feature_layer : str
        The last feature maps, which class activation mapping weighs.
    start_coverage : str
        What a local weight file covers, for the card.
    """

    name: ClassVar[str]
    default_size: ClassVar[int]
    input_range: ClassVar[tuple[float, float]]
    feature_layer: ClassVar[str]
    start_coverage: ClassVar[str] = "the whole backbone"

    @abstractmethod
    def build(self, size: int, weights: str | Path | None) -> keras.Model:
        """The backbone from its input (size, size, 3) to its feature layer.

        ``weights`` is ``"imagenet"`` (downloads), the path of a local ``.weights.h5`` or None for random values.
        """


BACKBONES: dict[str, Backbone] = {}


def register(backbone: type[Backbone]) -> type[Backbone]:
    BACKBONES[backbone.name] = backbone()
    return backbone


def get_backbone(name: str) -> Backbone:
    if name not in BACKBONES:
        raise ParameterError(f"There is no backbone {name!r}; choose one of {', '.join(BACKBONES)}.")
    return BACKBONES[name]


def build_classifier(
    backbone: str, n_classes: int, *, size: int | None = None, weights: str | Path | None = None, dropout: float = 0.3
) -> keras.Model:
    """Backbone, global average pooling, dropout, one dense layer of logits (interpretability thesis 000 §3.3).

    The softmax is left to prediction, which divides the logits by the card's temperature first; gradients are taken of
    logits (000 §3.4).
    """
    tensorflow()
    import keras

    chosen = get_backbone(backbone)
    base = chosen.build(size or chosen.default_size, weights)
    for layer in base.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = BATCH_NORMALISATION_MOMENTUM
    value = keras.layers.GlobalAveragePooling2D(name=POOLED_LAYER)(base.output)
    value = keras.layers.Dropout(dropout, name="dropout")(value)
    value = keras.layers.Dense(n_classes, name=LOGITS_LAYER)(value)
    return keras.Model(base.input, value, name=f"{backbone}_classifier")


@register
class MobileNetV2(Backbone):
    """Sandler et al. 2018, alpha 1.0."""

    name = "mobilenet_v2"
    default_size = 224
    input_range = (-1.0, 1.0)
    feature_layer = "out_relu"

    def build(self, size: int, weights: str | Path | None) -> keras.Model:
        import keras

        return _with_weights(
            lambda start: keras.applications.MobileNetV2(input_shape=(size, size, 3), include_top=False, weights=start),
            weights,
        )


@register
class InceptionV3(Backbone):
    """Szegedy et al. 2016, the interpretability thesis's network (000 §3.3)."""

    name = "inception_v3"
    default_size = 299
    input_range = (-1.0, 1.0)
    feature_layer = "mixed10"
    start_coverage = "input to mixed8; mixed9 and mixed10 start from random values"
    last_started_layer: ClassVar[str] = "mixed8"

    def build(self, size: int, weights: str | Path | None) -> keras.Model:
        import keras

        if weights is None or weights == "imagenet":
            return _with_weights(
                lambda start: keras.applications.InceptionV3(
                    input_shape=(size, size, 3), include_top=False, weights=start
                ),
                weights,
            )
        base = keras.applications.InceptionV3(input_shape=(size, size, 3), include_top=False, weights=None)
        _load_local(keras.Model(base.input, base.get_layer(self.last_started_layer).output), Path(weights))
        return base


@register
class AnatomyCNN(Backbone):
    """The anatomy report's convolutional blocks (004): convolution and max pooling, doubling the filters."""

    name = "cnn"
    default_size = 256
    input_range = (0.0, 1.0)
    feature_layer = "block4_relu"
    start_coverage = "nothing: it starts from random values"
    filters: ClassVar[tuple[int, ...]] = (16, 32, 64, 64)

    def build(self, size: int, weights: str | Path | None) -> keras.Model:
        import keras

        if isinstance(weights, Path):
            raise ModelError("The backbone cnn has no published weights; train it without --weights.")
        inputs = keras.Input((size, size, 3))
        value: Any = inputs
        for block, filters in enumerate(self.filters, start=1):
            if block > 1:
                value = keras.layers.MaxPooling2D(name=f"block{block - 1}_pool")(value)
            value = keras.layers.Conv2D(filters, 3, padding="same", name=f"block{block}_convolution")(value)
            value = keras.layers.ReLU(name=f"block{block}_relu")(value)
        return keras.Model(inputs, value, name="cnn")


def _with_weights(construct: Any, weights: str | Path | None) -> keras.Model:
    """Construct with random values, ImageNet weights from the network, or a local file."""
    if isinstance(weights, Path):
        model = construct(None)
        _load_local(model, weights)
        return model
    try:
        return construct(weights)
    except Exception as error:
        if weights is None:
            raise
        raise ModelError(
            "ImageNet weights could not be downloaded; connect this machine to the internet "
            "or give a local file with --weights PATH."
        ) from error


def _load_local(model: keras.Model, path: Path) -> None:
    if not path.is_file():
        raise ModelError(f"There is no weight file {str(path)!r}; check the path given with --weights.")
    try:
        model.load_weights(path)
    except (ValueError, OSError, KeyError) as error:
        raise ModelError(
            f"{path.name} does not hold weights of this backbone; give the .weights.h5 file that belongs to it."
        ) from error
