"""Layer-wise relevance propagation: a network's output shared out backwards among its pixels (Bach et al. 2015).

A :class:`Walk` takes the flat graph of a network apart into steps: linear ones, which share relevance out among what
they sum; rectifiers, which let it through; and those that only move values about, which send it back where they came
from. Batch normalisation is folded into the convolution before it: as a step of its own it would share out by a sum
that no unit of the network ever sees (Guillemot et al. 2020, arXiv:2002.11018).

With inputs ``x_i``, weights ``w_ij``, outputs ``z_j`` and their relevance ``R_j`` the rules of :data:`RULES` are

- ``z``: ``R_i = x_i sum_j w_ij R_j / z_j``. What the bias of ``z_j`` takes is lost, all else is conserved.
- ``epsilon``: the same with ``z_j`` moved away from zero by :data:`EPSILON` of the layer's root mean square, so that
  units whose inputs cancel lose their relevance instead of passing it on enlarged.
- ``z_plus``: in proportion to the inputs' contributions of the output's own sign, the bias left out. In networks of
  rectifiers only positive outputs have relevance, and this is the z+ rule that deep Taylor decomposition arrives at
  (Montavon et al. 2017); linear units below zero, as MobileNetV2 has, share out among what made them so. At the
  pixels, which are bounded, it is their rule z^B between black and white. The output's size is what is shared out.

At the pixels the first two count from black: ``x_i`` is how far a pixel's value lies above black's, whatever number
the network is fed for it. So a map says the same for all backbones, as that of input times gradient does.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from core.errors import ParameterError
from core.zoo.runtime import tensorflow

if TYPE_CHECKING:
    import keras

RULES = ("z", "epsilon", "z_plus")
EPSILON = 0.1

Ends = tuple[Any, Any]
"""What black and white have become where nothing but moving and rescaling has happened to the image."""


def check_rule(rule: str) -> None:
    """ParameterError if there is no such rule."""
    if rule not in RULES:
        raise ParameterError(f"There is no rule of relevance {rule!r}; choose one of {', '.join(RULES)}.")


class Walk:
    """A network's steps from its input to its logits.

    Parameters
    ----------
    model : keras.Model
        A flat functional graph; its weights are read anew whenever relevance is asked for.

    Raises
    ------
    ParameterError
        If there is no rule for one of its layers; the sentence names it.
    """

    def __init__(self, model: keras.Model) -> None:
        import keras

        operations = [one for one in model.operations if not isinstance(one, keras.layers.InputLayer)]
        uses = Counter(id(tensor) for operation in operations for tensor in _inputs(operation))
        self._input, self._output = id(model.input), id(model.output)
        self._steps: list[_Step] = []
        for operation in operations:
            if isinstance(operation, keras.layers.BatchNormalization):
                self._normalise(operation, uses)
            else:
                self._steps += _steps_of(operation)

    def relevance(self, inputs: Any, black: Any, white: Any, targets: Any, rule: str) -> tuple[Any, Any]:
        """Logits (N, K) and the relevance (N, S, S, 3) of the network's inputs for the target logits.

        ``inputs``, ``black`` and ``white`` are (N, S, S, 3), ``targets`` (N,); tensors of TensorFlow, as what returns.
        """
        tf = tensorflow()
        values: dict[Hashable, Any] = {self._input: inputs}
        ends: dict[Hashable, Ends] = {self._input: (black, white)}
        for step in self._steps:
            values[step.output] = step.forward([values[source] for source in step.inputs])
            first = step.inputs[0]
            if step.keeps_ends and len(step.inputs) == 1 and first in ends:
                ends[step.output] = (step.forward([ends[first][0]]), step.forward([ends[first][1]]))
        logits = values[self._output]
        shared = tf.abs(logits) if rule == "z_plus" else logits
        found = {self._output: shared * tf.one_hot(targets, logits.shape[-1])}
        for step in reversed(self._steps):
            relevance = found.pop(step.output)
            sources = [values[source] for source in step.inputs]
            back = step.backward(sources, values[step.output], relevance, rule, ends.get(step.inputs[0]))
            for source, part in zip(step.inputs, back, strict=True):
                found[source] = found[source] + part if source in found else part
        return logits, found[self._input]

    def _normalise(self, layer: Any, uses: Counter[int]) -> None:
        """A batch normalisation, folded into the weights before it where nothing else sees what they give."""
        (tensor,) = _inputs(layer)
        if layer.axis not in (-1, len(tensor.shape) - 1):
            raise _without_a_rule(layer, "BatchNormalization of another axis than the channels")
        before = next((step for step in self._steps if step.output == id(tensor)), None)
        if isinstance(before, _Weighted) and uses[id(tensor)] == 1:
            before.normalisation, before.output = layer, id(layer.output)
        else:
            self._steps.append(_Weighted([id(tensor)], id(layer.output), _scaled, _ones_of(layer), normalisation=layer))


@dataclass
class _Step(ABC):
    """Something that is done to values on the way, and what it does to relevance on the way back.

    Attributes
    ----------
    inputs : list
        Names of the values it takes.
    output : hashable
        Name of the one it gives.
    keeps_ends : bool
        True if black and white stay what they are behind it: relevance then still counts from there.
    """

    inputs: list[Hashable]
    output: Hashable

    keeps_ends: ClassVar[bool] = False

    @abstractmethod
    def forward(self, values: list[Any]) -> Any:
        """The step's output."""

    @abstractmethod
    def backward(self, values: list[Any], output: Any, relevance: Any, rule: str, ends: Ends | None) -> list[Any]:
        """The inputs' relevance from the output's; ``ends`` are black and white of the first input, where known."""


@dataclass
class _Weighted(_Step):
    """A layer with weights, and the normalisation behind it if there is one.

    Attributes
    ----------
    apply : function
        Of values and weights: what the layer gives without its bias.
    kernel, bias : function
        Read the weights and the bias as they are now.
    normalisation : keras.layers.BatchNormalization or None
    """

    apply: Callable[[Any, Any], Any]
    kernel: Callable[[], Any]
    bias: Callable[[], Any] | None = None
    normalisation: Any = None

    def forward(self, values: list[Any]) -> Any:
        weights, bias = self._folded()
        return self.apply(values[0], weights) + bias

    def backward(self, values: list[Any], output: Any, relevance: Any, rule: str, ends: Ends | None) -> list[Any]:
        tf = tensorflow()
        weights, _ = self._folded()
        (value,) = values
        if rule != "z_plus":
            counted = value - ends[0] if ends else value
            above = output if rule == "z" else _away_from_zero(output)
            return _in_proportion([counted], lambda one: self.apply(one, weights), relevance, above)
        raising, lowering = tf.nn.relu(weights), -tf.nn.relu(-weights)
        if ends:

            def between(one: Any, black: Any, white: Any) -> Any:
                return self.apply(one, weights) - self.apply(black, raising) - self.apply(white, lowering)

            parts = _in_proportion([value, *ends], between, relevance, between(value, *ends))
            return [tf.add_n(parts)]

        def positive(above: list[Any], below: list[Any]) -> Any:
            return self.apply(above[0], raising) + self.apply(below[0], lowering)

        def negative(above: list[Any], below: list[Any]) -> Any:
            return self.apply(above[0], lowering) + self.apply(below[0], raising)

        return _by_sign(values, output, relevance, positive, negative)

    def _folded(self) -> tuple[Any, Any]:
        """Weights and bias, the normalisation's taken in."""
        tf = tensorflow()
        weights = tf.convert_to_tensor(self.kernel())
        bias = tf.convert_to_tensor(self.bias()) if self.bias else 0.0
        layer = self.normalisation
        if layer is None:
            return weights, bias
        scale = tf.math.rsqrt(layer.moving_variance + layer.epsilon)
        if layer.scale:
            scale = scale * layer.gamma
        bias = (bias - layer.moving_mean) * scale
        if layer.center:
            bias = bias + layer.beta
        # Weights of a depthwise convolution end in the channels and their multiples, all others in the outputs.
        ending = weights.shape[-2:] if weights.shape[-1] != scale.shape[0] else weights.shape[-1:]
        return weights * tf.reshape(scale, ending), bias


@dataclass
class _Summed(_Step):
    """A layer that sums or averages what it takes."""

    layer: Any

    def forward(self, values: list[Any]) -> Any:
        return _called(self.layer, values)

    def backward(self, values: list[Any], output: Any, relevance: Any, rule: str, ends: Ends | None) -> list[Any]:
        if rule != "z_plus":
            return _in_proportion(values, lambda *parts: _called(self.layer, parts), relevance, output)
        return _by_sign(
            values,
            output,
            relevance,
            lambda above, below: _called(self.layer, above),
            lambda above, below: _called(self.layer, below),
        )


@dataclass
class _Moved(_Step):
    """A layer that moves values, copies them or picks some: relevance goes back where they came from."""

    layer: Any
    keeps_ends = True

    def forward(self, values: list[Any]) -> Any:
        return _called(self.layer, values)

    def backward(self, values: list[Any], output: Any, relevance: Any, rule: str, ends: Ends | None) -> list[Any]:
        with tensorflow().GradientTape() as tape:
            tape.watch(values)
            moved = _called(self.layer, values)
        return tape.gradient(moved, values, relevance)


@dataclass
class _Rectified(_Step):
    """A rectifier: each unit keeps its relevance."""

    rectify: Callable[[Any], Any]

    def forward(self, values: list[Any]) -> Any:
        return self.rectify(values[0])

    def backward(self, values: list[Any], output: Any, relevance: Any, rule: str, ends: Ends | None) -> list[Any]:
        return [relevance]


@dataclass
class _Rescaled(_Step):
    """The image in another range of numbers, black and white with it: a pixel keeps its relevance."""

    layer: Any
    keeps_ends = True

    def forward(self, values: list[Any]) -> Any:
        return self.layer(values[0])

    def backward(self, values: list[Any], output: Any, relevance: Any, rule: str, ends: Ends | None) -> list[Any]:
        if ends:
            return [relevance]
        return _in_proportion(values, lambda value: value * self.layer.scale, relevance, output)


def _steps_of(operation: Any) -> list[_Step]:
    """The steps of one operation other than a batch normalisation."""
    import keras

    layers, ops = keras.layers, keras.ops
    sources, output = [id(tensor) for tensor in _inputs(operation)], id(operation.output)

    def depthwise(values: Any, kernel: Any) -> Any:
        return ops.depthwise_conv(
            values, kernel, operation.strides, operation.padding, operation.data_format, operation.dilation_rate
        )

    def pointwise(values: Any, kernel: Any) -> Any:
        return ops.conv(values, kernel, data_format=operation.data_format)

    if isinstance(operation, layers.Conv2D):
        return _weighted(operation, sources, operation.convolution_op, lambda: operation.kernel)
    if isinstance(operation, layers.DepthwiseConv2D):
        return _weighted(operation, sources, depthwise, lambda: operation.kernel)
    if isinstance(operation, layers.SeparableConv2D):
        between = (output, "between")
        first = _Weighted(sources, between, depthwise, lambda: operation.depthwise_kernel)
        return [first, *_weighted(operation, [between], pointwise, lambda: operation.pointwise_kernel)]
    if isinstance(operation, layers.Dense):
        return _weighted(operation, sources, ops.matmul, lambda: operation.kernel)
    if isinstance(operation, (layers.Add, layers.AveragePooling2D, layers.GlobalAveragePooling2D)):
        return [_Summed(sources, output, operation)]
    if isinstance(operation, layers.Rescaling):
        return [_Rescaled(sources, output, operation)]
    if isinstance(operation, layers.ReLU):
        return [_Rectified(sources, output, operation)]
    if isinstance(operation, layers.Activation):
        return _activated(operation, sources[0])
    moving = (layers.Concatenate, layers.Dropout, layers.Flatten, layers.MaxPooling2D, layers.Reshape)
    if isinstance(operation, (*moving, layers.ZeroPadding2D)):
        return [_Moved(sources, output, operation)]
    raise _without_a_rule(operation, type(operation).__name__)


def _weighted(layer: Any, sources: list[Hashable], apply: Callable, kernel: Callable[[], Any]) -> list[_Step]:
    """A layer with weights and what its activation does."""
    import keras

    bias = (lambda: layer.bias) if layer.use_bias else None
    if layer.activation is keras.activations.linear:
        return [_Weighted(sources, id(layer.output), apply, kernel, bias)]
    summed = (id(layer.output), "summed")
    return [_Weighted(sources, summed, apply, kernel, bias), *_activated(layer, summed)]


def _activated(layer: Any, source: Hashable) -> list[_Step]:
    import keras

    if layer.activation not in (keras.activations.relu, keras.activations.linear):
        raise _without_a_rule(layer, f"activation {getattr(layer.activation, '__name__', layer.activation)}")
    return [_Rectified([source], id(layer.output), layer.activation)]


def _without_a_rule(operation: Any, kind: str) -> ParameterError:
    return ParameterError(
        f"Layer-wise relevance propagation has no rule for this network's layer {operation.name} ({kind}); "
        "use integrated gradients."
    )


def _inputs(operation: Any) -> list[Any]:
    """What an operation takes, as a list also where it is one."""
    return list(operation.input) if isinstance(operation.input, (list, tuple)) else [operation.input]


def _called(layer: Any, values: Sequence[Any]) -> Any:
    return layer(list(values) if len(values) > 1 else values[0])


def _ones_of(layer: Any) -> Callable[[], Any]:
    return lambda: tensorflow().ones_like(layer.moving_mean)


def _scaled(values: Any, weights: Any) -> Any:
    return values * weights


def _away_from_zero(outputs: Any) -> Any:
    """Outputs (N, ...) moved away from zero by :data:`EPSILON` of each image's root mean square."""
    tf = tensorflow()
    size = tf.sqrt(tf.reduce_mean(outputs**2, axis=range(1, len(outputs.shape)), keepdims=True))
    return outputs + EPSILON * tf.where(outputs < 0, -size, size)


def _in_proportion(values: list[Any], linear: Callable[..., Any], relevance: Any, outputs: Any) -> list[Any]:
    """Relevance shared out by what each value contributes to the outputs of a linear function; none of a 0."""
    tf = tensorflow()
    with tf.GradientTape() as tape:
        tape.watch(values)
        found = linear(*values)
    slopes = tape.gradient(found, values, tf.math.divide_no_nan(relevance, outputs))
    return [value * slope for value, slope in zip(values, slopes, strict=True)]


def _by_sign(values: list[Any], output: Any, relevance: Any, positive: Callable, negative: Callable) -> list[Any]:
    """Relevance shared out by contributions of the output's own sign.

    ``positive`` and ``negative`` say what all contributions of a sign sum to, from the values' positive parts and their
    negative ones, both lists.
    """
    tf = tensorflow()
    above, below = [tf.nn.relu(value) for value in values], [-tf.nn.relu(-value) for value in values]
    with tf.GradientTape() as tape:
        tape.watch([above, below])
        sums = [positive(above, below), negative(above, below)]
    sides = [tf.where(output > 0, relevance, 0.0), tf.where(output < 0, relevance, 0.0)]
    shares = [tf.math.divide_no_nan(side, total) for side, total in zip(sides, sums, strict=True)]
    slopes = tape.gradient(sums, [*above, *below], shares, unconnected_gradients="zero")
    parts = [part * slope for part, slope in zip([*above, *below], slopes, strict=True)]
    return [parts[index] + parts[index + len(values)] for index in range(len(values))]
