"""The one door through which TensorFlow enters: import, threads, compiled functions.

``import tensorflow`` takes several seconds, so it happens inside the functions that need it and never at module level.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from copy import copy
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from core.parallel import calm_matrix_products
from core.zoo.forward import BATCH_SIZES, ForwardNetwork, ForwardPass, checked, convert
from core.zoo.kept import Converted, Keep, anew

if TYPE_CHECKING:
    import keras

    from core.zoo.relevance import Walk

Made = TypeVar("Made")
RELEVANCE = "relevance_"
"""Begins the names of compiled functions of relevance; the rule's name ends them."""
_import_lock = threading.Lock()


def tensorflow() -> Any:
    """TensorFlow, quiet and imported once whatever the number of threads that ask."""
    with _import_lock:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        # oneDNN's kernels: off by default on processors without AVX-512, but quicker there too, by a factor of two for
        # the gradients of MobileNetV2 (benchmarks.model_speed with this set to 0 and to 1).
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
        import keras
        import tensorflow

        calm_matrix_products()
        # Our networks are built once for all sessions, while Streamlit has Keras forget everything after every run of a
        # page: at each move of a slider, and under the hands of a thread that is just building a network.
        keras.backend.clear_session = lambda free_memory=True: None
        return tensorflow


def computes_bfloat16() -> bool:
    """Whether this processor multiplies matrices in bfloat16 itself (AMX or AVX-512 BF16); elsewhere it is slower."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="ignore")
    except OSError:
        return False
    return any(flag in flags for flag in ("amx_bf16", "avx512_bf16"))


class Late(Generic[Made]):
    """What is made when it is first asked for, once for all threads and copies that share it."""

    def __init__(self, make: Callable[[], Made]) -> None:
        self._make: Callable[[], Made] | None = make
        self._lock = threading.Lock()

    def __call__(self) -> Made:
        with self._lock:
            if self._make is not None:
                self._made = self._make()
                # What it is made of is needed no more.
                self._make = None
            return self._made


class CompiledNetwork:
    """A flat Keras model whose forward passes LiteRT runs, with one compiled function of TensorFlow for each gradient.

    Input of every function is ``(N, S, S)`` float32 in [0, 1]; scaling and the three equal channels are part of the
    graph, so that a batch crosses into it once and small. The forward passes are prepared at the first and keep the
    weights of that moment; where they are kept from an earlier process, only gradients need the model itself.

    Parameters
    ----------
    model : keras.Model, or Late that makes one
        From an input ``(S, S, 3)`` in the range of ``input_range`` to logits; no softmax.
    input_range : (float, float)
        What the backbone expects, such as (-1, 1).
    feature_layer : str
        The layer whose output feeds the global average pooling: the feature maps of class activation mapping.
    pooled_layer : str
        The global average pooling layer.
    size : int
        S; needed for a model that is made late.
    keep : Keep
        Where the forward passes are kept for other processes.
    """

    def __init__(
        self,
        model: keras.Model | Late[keras.Model],
        *,
        input_range: tuple[float, float],
        feature_layer: str,
        pooled_layer: str,
        size: int | None = None,
        keep: Keep = anew,
    ) -> None:
        self._model = model if isinstance(model, Late) else Late(lambda: model)
        self.size: int = size or self.model.input_shape[1]
        self._low, self._high = input_range
        self._feature_layer, self._pooled_layer = feature_layer, pooled_layer
        self._full_model = Late(self._build_full)
        self._converted = Late(lambda: keep(self._convert))
        self._forward_pass = Late(lambda: ForwardPass(self._converted().content))
        self._functions: dict[tuple[str, int], Callable[..., Any]] = {}
        self._lock = threading.Lock()
        if not isinstance(model, Late):
            # A layer that is not there is told now.
            self._full_model()

    def forward(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Logits (N, K) and pooled features (N, F) of images (N, S, S) float32 in [0, 1]."""
        return self._passed(images, (0, 1))

    def feature_maps(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Logits (N, K) and feature maps (N, h, w, F)."""
        return self._passed(images, (0, 2))

    def input_gradient(self, images: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Logits (N, K) and the gradient (N, S, S, 3) of each image's target logit by the network's input channels."""
        return self._in_batches("input_gradient", images, targets)

    def image_gradient(self, images: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Logits (N, K) and the gradient (N, S, S) of each image's target logit by its gray values in [0, 1]."""
        logits, gradient = self.input_gradient(images, targets)
        return logits, gradient.sum(axis=-1) * np.float32(self._high - self._low)

    def guided_gradient(self, images: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As :meth:`input_gradient`, but what flows back through a rectifier (ReLU) is cut where it is negative.

        Springenberg et al. 2015, arXiv:1412.6806. A rectifier with a maximum keeps that: nothing flows back above it.
        """
        return self._in_batches("guided_gradient", images, targets)

    def deconvolved(self, images: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As :meth:`input_gradient`, but rectifiers (ReLU) pass back what is positive, whatever came in forwards.

        Zeiler and Fergus 2014, arXiv:1311.2901. The maximum of a rectifier that has one counts forwards alone.
        """
        return self._in_batches("deconvolved", images, targets)

    def relevance(self, images: np.ndarray, targets: np.ndarray, rule: str) -> tuple[np.ndarray, np.ndarray]:
        """Logits (N, K) and the relevance (N, S, S) of each pixel's brightness for the image's target logit.

        ``rule`` is one of :data:`core.zoo.relevance.RULES`.

        Raises
        ------
        ParameterError
            If there is no such rule, or none for a layer of this network.
        """
        from core.zoo.relevance import check_rule

        check_rule(rule)
        return self._in_batches(f"{RELEVANCE}{rule}", images, targets)

    def feature_gradient(self, images: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Logits (N, K), feature maps (N, h, w, F) and the gradient of the target logit by them."""
        return self._in_batches("feature_gradient", images, targets)

    def ready(self) -> None:
        """Prepare the forward passes now, and keep them for other processes."""
        self._forward_pass()

    @property
    def model(self) -> keras.Model:
        return self._model()

    @property
    def logits_kernel(self) -> np.ndarray:
        """The weights (F, K) from the pooled features to the logits, of a network without a layer in between."""
        kernel = self._converted().kernel
        if kernel is None:
            raise ValueError("the logits of this network do not come from its pooled features alone")
        return kernel

    def graph(self) -> Any:
        """TensorFlow's concrete function from images (N, S, S) to logits, pooled features and feature maps."""
        tf = tensorflow()
        self._full_model()
        free = tf.TensorSpec((None, self.size, self.size), tf.float32)
        return tf.function(self._forward, input_signature=[free], autograph=False).get_concrete_function()

    def to_input(self, images: Any) -> Any:
        """(N, S, S) in [0, 1] -> the network's (N, S, S, 3) in its own range; a TensorFlow operation."""
        scaled = images * (self._high - self._low) + self._low
        return tensorflow().repeat(scaled[..., None], 3, axis=-1)

    def for_threads(self, count: int) -> CompiledNetwork:
        """This network with forward passes for threads at work on batches of their own; all else is shared."""
        twin = copy(self)
        forward_pass = self._forward_pass().for_threads(count)
        twin._forward_pass = Late(lambda: forward_pass)
        return twin

    def forward_only(self) -> ForwardNetwork:
        """Its forward passes, with the weights of now, for a process without TensorFlow."""
        return ForwardNetwork(self.size, self._forward_pass())

    def _convert(self) -> Converted:
        from core.zoo.architectures import LOGITS_LAYER

        pooled = self.model.get_layer(self._pooled_layer).output.shape[-1]
        kernel = getattr(self.model.get_layer(LOGITS_LAYER), "kernel", None)
        if kernel is not None and kernel.shape[0] != pooled:
            kernel = None
        return Converted(convert(self.graph()), None if kernel is None else np.asarray(kernel))

    def _build_full(self) -> keras.Model:
        """The model with its pooled features and its feature maps as outputs too."""
        tensorflow()
        import keras

        model = self.model
        layers = [model.get_layer(name) for name in (self._pooled_layer, self._feature_layer)]
        return keras.Model(model.input, [model.output, *(layer.output for layer in layers)])

    def _passed(self, images: np.ndarray, outputs: Sequence[int]) -> tuple[np.ndarray, ...]:
        return self._forward_pass()(checked(images), outputs)

    def _in_batches(self, name: str, images: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, ...]:
        images = checked(images)
        targets = np.asarray(targets, dtype=np.int32)
        collected: list[tuple[np.ndarray, ...]] = []
        start = 0
        for batch, used in _batch_plan(len(images)):
            chosen = slice(start, start + used)
            outputs = self._compiled(name, batch)(_padded(images[chosen], batch), _padded(targets[chosen], batch))
            collected.append(tuple(output.numpy()[:used] for output in outputs))
            start += used
        return tuple(np.concatenate(parts) for parts in zip(*collected, strict=True))

    def _compiled(self, name: str, batch: int) -> Callable[..., Any]:
        with self._lock:
            if (name, batch) not in self._functions:
                tf = tensorflow()
                signature = [
                    tf.TensorSpec((batch, self.size, self.size), tf.float32),
                    tf.TensorSpec((batch,), tf.int32),
                ]
                body = self._body(name)
                # get_concrete_function traces inside the lock: two threads would otherwise trace the same graph twice.
                self._functions[name, batch] = tf.function(
                    body, input_signature=signature, autograph=False
                ).get_concrete_function()
            return self._functions[name, batch]

    def _body(self, name: str) -> Callable[..., Any]:
        """What is compiled. Models are made here, before tracing, within which no layer may make weights."""
        self._full_model()
        if name.startswith(RELEVANCE):
            from core.zoo.relevance import Walk

            return partial(self._relevance, Walk(self.model), name.removeprefix(RELEVANCE))
        if name == "guided_gradient":
            return partial(self._copied_gradient, _guided_copy(self.model))
        if name == "deconvolved":
            return partial(self._copied_gradient, _deconvolving_copy(self.model))
        return {"input_gradient": self._input_gradient, "feature_gradient": self._feature_gradient}[name]

    def _forward(self, images: Any) -> list[Any]:
        return self._full_model()(self.to_input(images), training=False)

    def _input_gradient(self, images: Any, targets: Any) -> tuple[Any, ...]:
        return self._gradient_by_input(lambda inputs: self._full_model()(inputs, training=False)[0], images, targets)

    def _copied_gradient(self, copy: keras.Model, images: Any, targets: Any) -> tuple[Any, ...]:
        # The copy computes with the weights of the original, so its own go with it once the graph is traced.
        weights = self.model.trainable_variables, self.model.non_trainable_variables
        return self._gradient_by_input(
            lambda inputs: copy.stateless_call(*weights, inputs, training=False)[0], images, targets
        )

    def _relevance(self, walk: Walk, rule: str, images: Any, targets: Any) -> tuple[Any, Any]:
        ends = [self.to_input(tensorflow().fill(tensorflow().shape(images), end)) for end in (0.0, 1.0)]
        logits, relevance = walk.relevance(self.to_input(images), *ends, targets, rule)
        return logits, tensorflow().reduce_sum(relevance, axis=-1)

    def _gradient_by_input(self, logits_of: Callable[[Any], Any], images: Any, targets: Any) -> tuple[Any, ...]:
        tf = tensorflow()
        inputs = self.to_input(images)
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            logits = logits_of(inputs)
            score = tf.gather(logits, targets, batch_dims=1)
        return logits, tape.gradient(score, inputs)

    def _feature_gradient(self, images: Any, targets: Any) -> tuple[Any, ...]:
        tf = tensorflow()
        with tf.GradientTape() as tape:
            # Watching the maps, not the input, keeps the backward pass to the head alone.
            logits, _, maps = self._full_model()(self.to_input(images), training=False)
            del logits
            tape.watch(maps)
            head_logits = self._head(maps)
            score = tf.gather(head_logits, targets, batch_dims=1)
        return head_logits, maps, tape.gradient(score, maps)

    def _head(self, maps: Any) -> Any:
        """The layers after the feature layer, applied to feature maps."""
        layers = self.model.layers
        position = next(index for index, layer in enumerate(layers) if layer.name == self._feature_layer)
        value = maps
        for layer in layers[position + 1 :]:
            value = layer(value, training=False) if _takes_training(layer) else layer(value)
        return value


def _guided_copy(model: keras.Model) -> keras.Model:
    """A copy of a network with a gate behind each rectifier that lets only positive gradients back through.

    The gate stands behind the layer, not in it: so it holds for layers that rectify, for those with a rectifier as
    their activation, and whatever the rectifier's maximum, whose own slope comes before it on the way back.
    """
    import keras

    tf = tensorflow()

    @tf.custom_gradient
    def gate(values: Any) -> tuple[Any, Callable[[Any], Any]]:
        return tf.identity(values), tf.nn.relu

    def gated(layer: Any, *arguments: Any, **options: Any) -> Any:
        values = layer(*arguments, **options)
        return keras.layers.Activation(gate, name=f"{layer.name}_gate")(values) if _rectifies(layer) else values

    return keras.models.clone_model(model, call_function=gated)


def _deconvolving_copy(model: keras.Model) -> keras.Model:
    """A copy of a network whose rectifiers send back what is positive of what reaches them, whatever they let in.

    Here the rectifier itself is replaced, in a layer as its activation, for its own slope must not come in between.
    """
    import keras

    tf = tensorflow()

    def without_a_gate(rectify: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return tf.custom_gradient(lambda values: (rectify(values), tf.nn.relu))

    def replaced(layer: Any, *arguments: Any, **options: Any) -> Any:
        if isinstance(layer, keras.layers.ReLU):
            layer = keras.layers.Activation(without_a_gate(layer.call), name=f"{layer.name}_deconvolving")
        elif _rectifies(layer):
            layer.activation = without_a_gate(layer.activation)
        return layer(*arguments, **options)

    return keras.models.clone_model(model, call_function=replaced)


def _rectifies(layer: Any) -> bool:
    import keras

    return isinstance(layer, keras.layers.ReLU) or getattr(layer, "activation", None) is keras.activations.relu


def _takes_training(layer: Any) -> bool:
    return bool(getattr(layer, "_call_has_training_arg", False))


def _batch_plan(n: int) -> list[tuple[int, int]]:
    """(batch shape, images used) for ``n`` images: full batches first, then the smallest shape that holds the rest."""
    largest = BATCH_SIZES[-1]
    plan = [(largest, largest)] * (n // largest)
    rest = n % largest
    while rest:
        # A shape may be padded up to a third: beyond that the smaller shape in pieces is cheaper.
        fitting = [size for size in BATCH_SIZES if size >= rest and rest > size * 2 // 3]
        size = fitting[0] if fitting else max(size for size in BATCH_SIZES if size <= rest)
        used = min(size, rest)
        plan.append((size, used))
        rest -= used
    return plan


def _padded(values: np.ndarray, length: int) -> np.ndarray:
    missing = length - len(values)
    if not missing:
        return values
    return np.concatenate([values, np.repeat(values[-1:], missing, axis=0)])
