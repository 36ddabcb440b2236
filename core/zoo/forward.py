"""Forward passes of a fixed network, by LiteRT (the runtime once called TensorFlow Lite).

TensorFlow traces the graph and gives the gradients; but passes without gradients are what sweeps, live sliders and
every method that hides parts of an image consist of, and LiteRT's kernels (XNNPACK), with the normalisation folded into
the convolutions, make them quicker: by a factor of two for MobileNetV2, of three where TensorFlow does without oneDNN
(``python -m benchmarks.model_speed``, the second with ``TF_ENABLE_ONEDNN_OPTS=0``).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from typing import Any

import numpy as np

from core.parallel import cores

BATCH_SIZES = (1, 8)
"""The batch shapes networks are prepared for: a call of any size is cut into those, the largest first.

Larger ones are no quicker on a CPU, as their layers no longer fit its caches (``python -m benchmarks.model_speed``).
"""


class ForwardPass:
    """A traced graph of one input (N, ...) float32, frozen as it is now, that threads may share.

    Parameters
    ----------
    graph : concrete function of TensorFlow
        Of one input whose first dimension is free, with any number of outputs (N, ...).
    sizes : sequence of int
        The batch shapes to prepare, from the smallest, which is 1.

    Raises
    ------
    Exception
        LiteRT's own, if it has no kernel for an operation of the graph.
    """

    def __init__(self, graph: Any, sizes: Sequence[int] = BATCH_SIZES) -> None:
        from ai_edge_litert.interpreter import Interpreter

        content = _converted(graph)
        self._batches = {size: _Batch(Interpreter, content, size) for size in sizes}

    def __call__(self, values: np.ndarray, outputs: Sequence[int]) -> tuple[np.ndarray, ...]:
        """Of what the graph returns the outputs at these places, for values (N, ...) float32."""
        starts = accumulate(sizes := batches(len(values), max(self._batches)), initial=0)
        parts = [
            self._batches[size](values[start : start + size], outputs)
            for start, size in zip(starts, sizes, strict=False)
        ]
        return tuple(np.concatenate(pieces) for pieces in zip(*parts, strict=True))


class _Batch:
    """The interpreter of one batch shape: it holds its tensors, so that one thread at a time may use it."""

    def __init__(self, interpreter: Any, content: bytes, size: int) -> None:
        self._lock = threading.Lock()
        self._interpreter = interpreter(model_content=content, num_threads=cores())
        entry = self._interpreter.get_input_details()[0]
        self._interpreter.resize_tensor_input(entry["index"], (size, *entry["shape_signature"][1:]))
        self._interpreter.allocate_tensors()
        self._input = entry["index"]
        # LiteRT lists outputs as it likes; their names tell their places: Identity, Identity_1, Identity_2 ...
        outputs = sorted(self._interpreter.get_output_details(), key=lambda output: _place(output["name"]))
        self._outputs = [output["index"] for output in outputs]

    def __call__(self, values: np.ndarray, outputs: Sequence[int]) -> list[np.ndarray]:
        with self._lock:
            self._interpreter.set_tensor(self._input, values)
            self._interpreter.invoke()
            return [self._interpreter.get_tensor(self._outputs[place]) for place in outputs]


def batches(n: int, largest: int) -> list[int]:
    """Batch shapes for ``n`` values: full ones, then each value of the rest by itself, as padding would cost more."""
    return [largest] * (n // largest) + [1] * (n % largest)


def _place(name: str) -> int:
    return int(name.partition("_")[2] or 0)


def _converted(graph: Any) -> bytes:
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
