"""Backbones by name, each a flat functional graph: explanation methods need every layer within reach.

A backbone is one class in :data:`BACKBONES`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from core.errors import ModelError, ParameterError
from core.zoo.runtime import tensorflow

if TYPE_CHECKING:
    import keras

POOLED_LAYER = "pooled"
HIDDEN_LAYER = "hidden"
DROPOUT_LAYER = "dropout"
LOGITS_LAYER = "logits"
DESCRIPTION_LAYER = "description"
PLACES_DROPPED = 0.8
FEATURE_NOISE = 0.3
"""Deviation of the noise added to normalised features while a detector of severities is trained."""
SMALLEST_VARIANCE = 1e-12
DROPOUT = 0.3
SEGMENTER_FILTERS = (96, 64, 32, 16)
IMAGENET_MEAN = (103.939, 116.779, 123.68)
BATCH_NORMALISATION_MOMENTUM = 0.9
"""Keras keeps 0.99 to 0.999: with a few hundred steps the inference statistics would lag behind (reference §9)."""


class Backbone(ABC):
    """A convolutional network without its top.

    Attributes
    ----------
    default_size : int
        Side of the square input in pixels.
    input_range : (float, float)
        Values the network expects for black and white; what else it wants done to them is a layer of its graph.
    feature_layer : str
        The last feature maps, which class activation mapping weighs.
    last_started_layer : str or None
        The last layer that the project's local weight file covers; None where it covers all. Fine-tuning from such a
        file leaves the layers up to here as they are.
    texture_layers : tuple of str
        Layers of several depths whose statistics tell textures apart, for :func:`build_detector`.
    layout_layer : str or None
        The layer that still knows where in the frame something is, for the same.
    scale_layers : tuple of str
        The last layer at each halving of the input's side, from one half on, for :func:`build_segmenter`.
    rectifies : bool
        Whether its activations are rectifiers (ReLU), with a maximum or without.
    unruled_layers : str
        Which of its layers relevance cannot be propagated through (:mod:`core.zoo.relevance`), after the word *layers*;
        empty where it can through all.
    """

    name: ClassVar[str]
    default_size: ClassVar[int]
    input_range: ClassVar[tuple[float, float]]
    feature_layer: ClassVar[str]
    last_started_layer: ClassVar[str | None] = None
    texture_layers: ClassVar[tuple[str, ...]] = ()
    layout_layer: ClassVar[str | None] = None
    scale_layers: ClassVar[tuple[str, ...]] = ()
    rectifies: ClassVar[bool] = True
    unruled_layers: ClassVar[str] = ""

    @abstractmethod
    def build(self, size: int, weights: str | Path | None, **options: Any) -> keras.Model:
        """The backbone from its input (size, size, 3) to its feature layer.

        ``weights`` is ``"imagenet"`` (downloads), the path of a local ``.weights.h5`` or None for random values;
        ``options`` are a backbone's own.
        """

    def start(self, weights: str | Path | None) -> str:
        """Where training starts, for the card."""
        if weights is None:
            return "random values"
        if weights == "imagenet":
            return "ImageNet weights of Keras Applications: the whole backbone"
        coverage = "the whole backbone"
        if self.last_started_layer:
            coverage = (
                f"input to {self.last_started_layer}; the layers after it start from random values, "
                "in a network without normalisation of unit size"
            )
        return f"ImageNet weights from {Path(weights).name}: {coverage}"


BACKBONES: dict[str, Backbone] = {}


def register(backbone: type[Backbone]) -> type[Backbone]:
    BACKBONES[backbone.name] = backbone()
    return backbone


def get_backbone(name: str) -> Backbone:
    if name not in BACKBONES:
        raise ParameterError(f"There is no backbone {name!r}; choose one of {', '.join(BACKBONES)}.")
    return BACKBONES[name]


def build_classifier(
    backbone: str,
    n_classes: int,
    *,
    size: int | None = None,
    weights: str | Path | None = None,
    dropout: float = DROPOUT,
    dense: int = 0,
    **options: Any,
) -> keras.Model:
    """Backbone, global average pooling, dropout, one dense layer of logits (interpretability thesis 000 §3.3).

    With ``dense`` a hidden layer of so many units stands before the dropout (anatomy report 004). The softmax is left
    to prediction, which divides the logits by the card's temperature first; gradients are taken of logits (000 §3.4).

    Parameters
    ----------
    options
        Of the backbone, such as the filters of ``cnn``.
    """
    tensorflow()
    import keras

    chosen = get_backbone(backbone)
    base = chosen.build(size or chosen.default_size, weights, **options)
    for layer in base.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = BATCH_NORMALISATION_MOMENTUM
    value = keras.layers.GlobalAveragePooling2D(name=POOLED_LAYER)(base.output)
    if dense:
        value = keras.layers.Dense(dense, activation="relu", name=HIDDEN_LAYER)(value)
    value = keras.layers.Dropout(dropout, name=DROPOUT_LAYER)(value)
    # Logits stay in single precision whatever the policy of training.
    value = keras.layers.Dense(n_classes, name=LOGITS_LAYER, dtype="float32")(value)
    return keras.Model(base.input, value, name=f"{backbone}_classifier")


def build_detector(
    backbone: str, n_kinds: int, *, size: int | None = None, weights: str | Path | None = None,
    textures: int = 512, places: int = 64, dropout: float = 0.5,
) -> keras.Model:  # fmt: skip
    """A network that says of every kind of corruption whether it is there and how severe it is.

    What noise, blur and speckle do to an image shows in how much the features of every depth vary over it, not in
    which objects there are: ``textures`` hidden units see mean and deviation of the backbone's texture layers and the
    mean of its last. What shadow, lost contact and a crop do shows in where things lie: ``places`` hidden units see the
    layout layer, place by place, most of it dropped while training, for it knows each frame by heart otherwise.

    Outputs (1 + 2 K) logits: *original*, then the presence of each kind, then its severity (0 to 1 through a sigmoid).
    """
    tensorflow()
    import keras

    chosen = get_backbone(backbone)
    if not chosen.texture_layers:
        able = ", ".join(name for name, one in BACKBONES.items() if one.texture_layers)
        raise ParameterError(f"The backbone {backbone} names no texture layers; detectors of severity use {able}.")
    base = chosen.build(size or chosen.default_size, weights)
    parts = [keras.layers.GlobalAveragePooling2D(name=POOLED_LAYER)(base.output)]
    for name in chosen.texture_layers:
        values = base.get_layer(name).output
        # A channel that is the same everywhere has no slope under a bare root: every gradient would be no number.
        deviation = keras.ops.sqrt(keras.ops.var(values, axis=(1, 2)) + SMALLEST_VARIANCE)
        parts += [keras.ops.mean(values, axis=(1, 2)), deviation]
    n_textures = sum(part.shape[-1] for part in parts)
    parts.append(keras.layers.Flatten()(base.get_layer(chosen.layout_layer).output))
    value = keras.layers.Concatenate(name=DESCRIPTION_LAYER)(parts)
    value = keras.layers.BatchNormalization(momentum=BATCH_NORMALISATION_MOMENTUM, name="normalised")(value)
    value = keras.layers.GaussianNoise(FEATURE_NOISE, name="blurred")(value)
    branches = []
    for name, part, units, dropped in (
        ("textures", value[:, :n_textures], textures, dropout),
        ("places", value[:, n_textures:], places, PLACES_DROPPED),
    ):
        part = keras.layers.Dropout(dropped, name=f"{name}_{DROPOUT_LAYER}")(part)
        branches.append(keras.layers.Dense(units, activation="relu", name=name)(part))
    value = keras.layers.Concatenate(name=HIDDEN_LAYER)(branches)
    value = keras.layers.Dropout(dropout, name=DROPOUT_LAYER)(value)
    value = keras.layers.Dense(1 + 2 * n_kinds, name=LOGITS_LAYER, dtype="float32")(value)
    return keras.Model(base.input, value, name=f"{backbone}_detector")


def build_segmenter(
    backbone: str,
    *,
    size: int | None = None,
    weights: str | Path | None = None,
    filters: Sequence[int] = SEGMENTER_FILTERS,
    dropout: float = DROPOUT,
    **options: Any,
) -> keras.Model:
    """A U-Net (Ronneberger et al. 2015) whose way down is a backbone: logits (N, S/2, S/2, 1) of lying inside.

    Each step up doubles the side and convolves what it has with the backbone's layer of that scale, both reduced to as
    many channels first. It ends at half the input's side: an outline is found between pixels anyway.

    Parameters
    ----------
    filters : sequence of int
        Channels of each step up, from the coarsest.

    Raises
    ------
    ParameterError
        If the backbone names no layers by scale.
    """
    tensorflow()
    import keras

    chosen = get_backbone(backbone)
    if not chosen.scale_layers:
        able = ", ".join(name for name, one in BACKBONES.items() if one.scale_layers)
        raise ParameterError(f"The backbone {backbone} names no layers by scale; segmentation uses {able}.")
    base = chosen.build(size or chosen.default_size, weights, **options)
    for layer in base.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = BATCH_NORMALISATION_MOMENTUM
    *finer, coarsest = chosen.scale_layers
    value = keras.layers.SpatialDropout2D(dropout, name=DROPOUT_LAYER)(base.get_layer(coarsest).output)
    for step, (name, channels) in enumerate(zip(reversed(finer), filters, strict=False), start=1):
        skip = keras.layers.Conv2D(channels, 1, name=f"up{step}_skip")(base.get_layer(name).output)
        value = keras.layers.Conv2D(channels, 1, name=f"up{step}_reduced")(value)
        value = keras.layers.UpSampling2D(2, interpolation="bilinear", name=f"up{step}")(value)
        value = keras.layers.Concatenate(name=f"up{step}_joined")([value, skip])
        value = keras.layers.Conv2D(channels, 3, padding="same", use_bias=False, name=f"up{step}_convolution")(value)
        value = keras.layers.BatchNormalization(momentum=BATCH_NORMALISATION_MOMENTUM, name=f"up{step}_normalisation")(
            value
        )
        value = keras.layers.ReLU(name=f"up{step}_relu")(value)
    value = keras.layers.Conv2D(1, 1, name=LOGITS_LAYER, dtype="float32")(value)
    return keras.Model(base.input, value, name=f"{backbone}_segmenter")


class KerasApplication(Backbone):
    """A network of Keras Applications, built flat.

    ``constructor`` is its name there. ``offset`` is subtracted from the three channels where the network was trained on
    such values (VGG and ResNet: the mean of ImageNet, in their order of channels; our three are equal).
    """

    constructor: ClassVar[str]
    offset: ClassVar[tuple[float, float, float] | None] = None

    def build(self, size: int, weights: str | Path | None, **options: Any) -> keras.Model:
        import keras

        _refuse_options(self.name, options)
        construct = getattr(keras.applications, self.constructor)
        inputs = keras.Input((size, size, 3))
        value: Any = inputs
        if self.offset is not None:
            value = keras.layers.Rescaling(1.0, offset=[-shift for shift in self.offset], name="centred")(value)
        local = weights if isinstance(weights, Path) else None
        try:
            base = construct(input_tensor=value, include_top=False, weights=None if local else weights)
        except Exception as error:
            if weights is None:
                raise
            raise ModelError(
                "ImageNet weights could not be downloaded; connect this machine to the internet "
                "or give a local file with --weights PATH."
            ) from error
        base = keras.Model(inputs, base.output)
        if local:
            covered = base
            if self.last_started_layer:
                covered = keras.Model(inputs, base.get_layer(self.last_started_layer).output)
            _load_local(covered, local)
        return base


@register
class MobileNetV2(KerasApplication):
    """Sandler et al. 2018, alpha 1.0."""

    name = "mobilenet_v2"
    constructor = "MobileNetV2"
    default_size = 224
    input_range = (-1.0, 1.0)
    feature_layer = "out_relu"
    texture_layers = ("Conv1_relu", "block_2_add", "block_5_add", "block_9_add", "block_12_add", "block_15_add")
    layout_layer = "block_15_add"
    scale_layers = (
        "block_1_expand_relu",
        "block_3_expand_relu",
        "block_6_expand_relu",
        "block_13_expand_relu",
        "block_16_project_BN",
    )


@register
class InceptionV3(KerasApplication):
    """Szegedy et al. 2016, the interpretability thesis's network (000 §3.3)."""

    name = "inception_v3"
    constructor = "InceptionV3"
    default_size = 299
    input_range = (-1.0, 1.0)
    feature_layer = "mixed10"
    last_started_layer = "mixed8"


@register
class VGG16(KerasApplication):
    """Simonyan and Zisserman 2015, 16 layers: the corruption thesis's first detector (001 §4)."""

    name = "vgg16"
    constructor = "VGG16"
    default_size = 224
    input_range = (0.0, 255.0)
    offset = IMAGENET_MEAN
    feature_layer = "block5_pool"
    last_started_layer = "block3_pool"


@register
class VGG19(KerasApplication):
    """Simonyan and Zisserman 2015, 19 layers: the interpretability thesis's second network (000 A.3)."""

    name = "vgg19"
    constructor = "VGG19"
    default_size = 224
    input_range = (0.0, 255.0)
    offset = IMAGENET_MEAN
    feature_layer = "block5_pool"


@register
class Xception(KerasApplication):
    """Chollet 2017: the corruption thesis swept one (001 §7)."""

    name = "xception"
    constructor = "Xception"
    default_size = 299
    input_range = (-1.0, 1.0)
    feature_layer = "block14_sepconv2_act"


@register
class EfficientNetB0(KerasApplication):
    """Tan and Le 2019: the anatomy report's future work (004). Its graph scales its input itself; swish, no ReLU."""

    name = "efficientnet_b0"
    constructor = "EfficientNetB0"
    default_size = 224
    input_range = (0.0, 255.0)
    feature_layer = "top_activation"
    rectifies = False
    unruled_layers = "that multiply feature maps by one another (squeeze and excitation)"


@register
class ResNet50(KerasApplication):
    """He et al. 2016: one of the head circumference paper's networks (003)."""

    name = "resnet50"
    constructor = "ResNet50"
    default_size = 224
    input_range = (0.0, 255.0)
    offset = IMAGENET_MEAN
    feature_layer = "conv5_block3_out"


@register
class AnatomyCNN(Backbone):
    """The anatomy report's convolutional blocks (004): convolution and max pooling.

    Options: ``filters`` of each block, ``kernel`` size, ``normalisation`` after each convolution, ``convolutions`` a
    block.
    """

    name = "cnn"
    default_size = 256
    input_range = (0.0, 1.0)
    feature_layer = "features"
    scale_layers = ("block2_relu1", "block3_relu1", "features")

    def build(
        self,
        size: int,
        weights: str | Path | None,
        *,
        filters: Sequence[int] = (16, 32, 64, 64),
        kernel: int = 3,
        normalisation: bool = False,
        convolutions: int = 1,
        **options: Any,
    ) -> keras.Model:
        import keras

        _refuse_options(self.name, options)
        if weights is not None:
            raise ModelError("The backbone cnn has no published weights; train it with --weights none.")
        inputs = keras.Input((size, size, 3))
        value: Any = inputs
        for block, count in enumerate(filters, start=1):
            for step in range(1, convolutions + 1):
                name = f"block{block}_convolution{step}"
                value = keras.layers.Conv2D(count, kernel, padding="same", use_bias=not normalisation, name=name)(value)
                if normalisation:
                    value = keras.layers.BatchNormalization(name=f"block{block}_normalisation{step}")(value)
                last = block == len(filters) and step == convolutions
                value = keras.layers.ReLU(name=self.feature_layer if last else f"block{block}_relu{step}")(value)
            if block < len(filters):
                value = keras.layers.MaxPooling2D(name=f"block{block}_pool")(value)
        return keras.Model(inputs, value, name="cnn")


def _refuse_options(name: str, options: dict[str, Any]) -> None:
    if options:
        raise ParameterError(f"The backbone {name} has no option {sorted(options)[0]!r}; leave it out.")


def _load_local(model: keras.Model, path: Path) -> None:
    if not path.is_file():
        raise ModelError(f"There is no weight file {str(path)!r}; check the path given with --weights.")
    try:
        model.load_weights(path)
    except (ValueError, OSError, KeyError) as error:
        raise ModelError(
            f"{path.name} does not hold weights of this backbone; give the .weights.h5 file that belongs to it."
        ) from error
