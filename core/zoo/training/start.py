"""Layers that start from random values after layers that start from trained ones.

Trained features may be large: those of VGG's third block reach hundreds. A step of Adam moves every weight by the
learning rate whatever the size of what it multiplies, so behind such features the first steps wreck what follows them.
Here the trained layers are scaled until their last features are of unit size, which convolution, ReLU and maximum allow
without any other change, and then each random layer until its own are (layer-sequential unit variance: Mishkin and
Matas 2016, arXiv 1511.06422; without its orthogonal start).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from core.zoo.architectures import POOLED_LAYER

if TYPE_CHECKING:
    import keras

IMAGES = 32
"""So many are looked at; a layer's size is a mean over all their positions and channels."""


def scale_to_unit(model: keras.Model, last_started: str, batch: np.ndarray) -> list[str]:
    """Scale the convolutions before the pooling so that features are of unit size from ``last_started`` on.

    The root mean square over the batch becomes 1 at ``last_started``, whose features keep their proportions, and at
    every convolution after it. Nothing is done in a network with batch normalisation: it scales by itself.

    Parameters
    ----------
    batch : ndarray (N, S, S, 3)
        In the network's input range.

    Returns
    -------
    The names of the random layers that were scaled.
    """
    import keras

    names = [layer.name for layer in model.layers]
    if any(isinstance(layer, keras.layers.BatchNormalization) for layer in model.layers):
        return []
    border = names.index(last_started) + 1
    started, random = (
        [layer for layer in part if isinstance(layer, keras.layers.Conv2D)]
        for part in (model.layers[:border], model.layers[border : names.index(POOLED_LAYER)])
    )
    # Spread over all of them: half precision could not hold what one layer's weights would become.
    factor = _size(model, last_started, batch) ** (-1 / len(started))
    for depth, layer in enumerate(started, start=1):
        kernel, bias = layer.get_weights()
        layer.set_weights([kernel * factor, bias * factor**depth])
    for layer in random:
        kernel, bias = layer.get_weights()
        # One step is exact while the bias is 0, as at the start.
        layer.set_weights([kernel / _size(model, layer.name, batch), bias])
    return [layer.name for layer in random]


def _size(model: keras.Model, layer: str, batch: np.ndarray) -> float:
    """Root mean square of a layer's output."""
    import keras

    values = keras.Model(model.input, model.get_layer(layer).output).predict(batch[:IMAGES], verbose=0)
    return float(np.sqrt(np.square(values, dtype=np.float64).mean()))
