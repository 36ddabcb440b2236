"""Features of layers that do not change, computed once and kept on disk.

A network whose first layers stay as they are gives the same values for the same image in every epoch. They are kept in
half precision in a file that is named by what they follow from, so that a training that was killed, another head or a
search over heads reads them instead of computing them again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.files import array_on_disk
from core.zoo.runtime import tensorflow

if TYPE_CHECKING:
    import keras

BATCH = 32
FEATURES_NAME = "features"
Report = Callable[[float], None]


class FeatureCache:
    """Arrays on disk by what they were computed from.

    Parameters
    ----------
    folder : Path
        Made where it is missing. A file is whole or not there: it is written under another name first.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(
        self,
        trunk: keras.Model,
        batches: Callable[[], Iterable[np.ndarray]],
        count: int,
        identity: dict[str, Any],
        progress: Report = lambda share: None,
    ) -> np.ndarray:
        """Outputs (count, ...) float16 of ``trunk``, read-only and left on disk until they are asked for.

        Parameters
        ----------
        batches : callable
            Gives the inputs, a batch at a time; called only if the features are not there yet.
        identity : dict
            All that the inputs and the trunk's weights follow from; JSON-able.
        """
        shape = (count, *trunk.output_shape[1:])
        key = hashlib.sha256(json.dumps([identity, shape], sort_keys=True).encode()).hexdigest()[:24]
        path = self.folder / f"{key}.npy"
        if not path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_suffix(".part")
            stored = array_on_disk(unfinished, np.float16, shape)
            function = tensorflow().function(
                lambda batch: trunk(batch, training=False), autograph=False, reduce_retracing=True
            )
            start = 0
            for batch in batches():
                stored[start : start + len(batch)] = function(batch).numpy()
                start += len(batch)
                progress(start / count)
            stored.flush()
            del stored
            unfinished.rename(path)
        return np.load(path, mmap_mode="r")


def fingerprint(images: np.ndarray) -> str:
    """SHA-256 of prepared images (N, S, S) uint8."""
    return hashlib.sha256(np.ascontiguousarray(images)).hexdigest()


def weights_fingerprint(trunk: keras.Model) -> str:
    """SHA-256 of a trunk's weights, whatever file or seed they came from."""
    digest = hashlib.sha256()
    for weight in trunk.weights:
        digest.update(np.ascontiguousarray(np.asarray(weight.value)))
    return digest.hexdigest()
