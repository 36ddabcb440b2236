"""Forward passes of a fixed network, by LiteRT (the runtime once called TensorFlow Lite).

TensorFlow traces the graph and gives the gradients; but passes without gradients are what sweeps, live sliders and
every method that hides parts of an image consist of, and LiteRT's kernels (XNNPACK), with the normalisation folded into
the convolutions, make them quicker: by a factor of two for MobileNetV2, of three where TensorFlow does without oneDNN
(``python -m benchmarks.model_speed``, the second with ``TF_ENABLE_ONEDNN_OPTS=0``).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from functools import partial
from itertools import accumulate
from queue import LifoQueue
from typing import Any

import numpy as np

from core.parallel import cores

BATCH_SIZES = (1, 8)
"""The batch shapes networks are prepared for: a call of any size is cut into those, the largest first.

Larger ones are no quicker on a CPU, as their layers no longer fit its caches (``python -m benchmarks.model_speed``).
"""


class ForwardPass:
    """A converted graph (:func:`convert`) of one input (N, ...) float32 that threads may share.

    Parameters
    ----------
    content : bytes
    sizes : sequence of int
        The batch shapes to prepare, from the smallest, which is 1.

    Notes
    -----
    Sent to another process, it is the same pass there, on all of that one's cores and without TensorFlow.

    Raises
    ------
    Exception
        LiteRT's own, if it has no kernel for an operation of the graph.
    """

    def __init__(self, content: bytes, sizes: Sequence[int] = BATCH_SIZES) -> None:
        self._content = content
        self._batches = {size: _Batch(content, size) for size in sizes}
        for batch in self._batches.values():
            batch.prepare()

    def __getstate__(self) -> dict[str, Any]:
        return {"content": self._content, "sizes": tuple(self._batches)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._content = state["content"]
        self._batches = {size: _Batch(self._content, size) for size in state["sizes"]}

    def for_threads(self, count: int) -> ForwardPass:
        """The same pass for ``count`` threads that are at work on batches of their own: each has a core to itself.

        The answers are the same. One batch takes longer, ``count`` of them together less than one after the other on
        all cores, as no core waits for another's part; and what else uses this pass waits for none of them.
        """
        twin = copy(self)
        twin._batches = {size: _Batch(self._content, size, count, cores_each=1) for size in self._batches}
        return twin

    def __call__(self, values: np.ndarray, outputs: Sequence[int]) -> tuple[np.ndarray, ...]:
        """Of what the graph returns the outputs at these places, for values (N, ...) float32."""
        starts = accumulate(sizes := batches(len(values), max(self._batches)), initial=0)
        parts = [
            self._batches[size](values[start : start + size], outputs)
            for start, size in zip(starts, sizes, strict=False)
        ]
        return tuple(np.concatenate(pieces) for pieces in zip(*parts, strict=True))


class ForwardNetwork:
    """The forward passes of a network, which need no TensorFlow, and nothing else of it: other processes are sent it.

    Parameters
    ----------
    size : int
        Side of the images.
    forward_pass : ForwardPass
        From images (N, S, S) to logits, pooled features and feature maps.
    """

    def __init__(self, size: int, forward_pass: ForwardPass) -> None:
        self.size = size
        self._forward_pass = forward_pass

    def forward(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Logits (N, K) and pooled features (N, F) of images (N, S, S) float32 in [0, 1]."""
        return self._forward_pass(checked(images), (0, 1))

    def for_threads(self, count: int) -> ForwardNetwork:
        """The same for threads at work on batches of their own."""
        return ForwardNetwork(self.size, self._forward_pass.for_threads(count))


class _Batch:
    """What computes batches of one shape: ``copies`` interpreters, made when they are first needed."""

    def __init__(self, content: bytes, size: int, copies: int = 1, cores_each: int | None = None) -> None:
        self._make = partial(_Interpreter, content, size, cores_each or cores())
        self._idle: LifoQueue[_Interpreter | None] = LifoQueue()
        for _ in range(copies):
            self._idle.put(None)

    def prepare(self) -> None:
        """Make one of the interpreters now."""
        self._idle.put(self._idle.get() or self._make())

    def __call__(self, values: np.ndarray, outputs: Sequence[int]) -> list[np.ndarray]:
        interpreter = self._idle.get()
        try:
            interpreter = interpreter or self._make()
            return interpreter(values, outputs)
        finally:
            self._idle.put(interpreter)


class _Interpreter:
    """It holds its tensors, so that one thread at a time may use it."""

    def __init__(self, content: bytes, size: int, threads: int) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self._interpreter = Interpreter(model_content=content, num_threads=threads)
        entry = self._interpreter.get_input_details()[0]
        self._interpreter.resize_tensor_input(entry["index"], (size, *entry["shape_signature"][1:]))
        self._interpreter.allocate_tensors()
        self._input = entry["index"]
        # LiteRT lists outputs as it likes; their names tell their places: Identity, Identity_1, Identity_2 ...
        outputs = sorted(self._interpreter.get_output_details(), key=lambda output: _place(output["name"]))
        self._outputs = [output["index"] for output in outputs]

    def __call__(self, values: np.ndarray, outputs: Sequence[int]) -> list[np.ndarray]:
        self._interpreter.set_tensor(self._input, values)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(self._outputs[place]) for place in outputs]


def checked(images: np.ndarray) -> np.ndarray:
    """Images as a network takes them. Raises ValueError if there is none."""
    if not len(images):
        raise ValueError("a network needs at least one image")
    return np.ascontiguousarray(images, dtype=np.float32)


def batches(n: int, largest: int) -> list[int]:
    """Batch shapes for ``n`` values: full ones, then each value of the rest by itself, as padding would cost more."""
    return [largest] * (n // largest) + [1] * (n % largest)


def _place(name: str) -> int:
    return int(name.partition("_")[2] or 0)


def convert(graph: Any) -> bytes:
    """A graph as LiteRT takes it, with the weights that it has now.

    Parameters
    ----------
    graph : concrete function of TensorFlow
        Of one input whose first dimension is free, with any number of outputs (N, ...).
    """
    import tensorflow

    with _without_advice():
        # Without an object that holds its variables they are frozen in memory; with one, by way of a SavedModel on disk
        # in twice the time.
        return tensorflow.lite.TFLiteConverter.from_concrete_functions([graph]).convert()


@contextmanager
def _without_advice() -> Iterator[None]:
    """The converter tells users of its command line what to do next time; here they are none the wiser."""
    log = logging.getLogger("absl")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)
