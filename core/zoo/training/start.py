"""Layers that start from random values after layers that start from trained ones.

Trained features may be large: those of VGG's third block reach thousands. Random layers pass that size on to the logits,
and the first epochs are spent on shrinking them. Scaling each random layer to values of unit size, seen on images, takes
one forward pass (layer-sequential unit variance: Mishkin and Matas 2016, arXiv 1511.06422; without its orthogonal start).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from core.zoo.architectures import POOLED_LAYER

if TYPE_CHECKING:
    import keras

IMAGES = 32
"""So many are looked at; a layer's size is a mean over all their positions and channels."""


def scale_unstarted(model: keras.Model, last_started: str, batch: np.ndarray) -> list[str]:
    """Scale the convolutions between ``last_started`` and the pooling so that the root mean square of each is 1.

    Nothing is done where batch normalisation follows: it scales by itself.

    Parameters
    ----------
    batch : ndarray (N, S, S, 3)
        In the network's input range.

    Returns
    -------
    The names of the layers that were scaled.
    """
    import keras

    names = [layer.name for layer in model.layers]
    layers = model.layers[names.index(last_started) + 1 : names.index(POOLED_LAYER)]
    if any(isinstance(layer, keras.layers.BatchNormalization) for layer in layers):
        return []
    scaled = []
    for layer in layers:
        if isinstance(layer, keras.layers.Conv2D):
            values = keras.Model(model.input, layer.output).predict(batch[:IMAGES], verbose=0)
            kernel, bias = layer.get_weights()
            # ReLU of a scaled input is the scaled ReLU, so one step is exact while the bias is 0, as at the start.
            layer.set_weights([kernel / np.sqrt(np.square(values, dtype=np.float64).mean()), bias])
            scaled.append(layer.name)
    return scaled
