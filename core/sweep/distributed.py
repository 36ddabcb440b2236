"""A sweep by many processes: frames go to workers, finished cells come back into one store.

The sweep itself is then made from the store as on one machine: what a worker of another version of the program has
answered has other keys, is not found there, and is computed again. Workers must see the frames under the same paths;
the models are sent to them as forward passes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

from core.cluster import Sent, in_workers, sent_to_all
from core.sweep.engine import Progress, sweep, unfinished
from core.sweep.grid import Grid
from core.sweep.store import CellStore, Content
from core.zoo.prediction import Classifier

if TYPE_CHECKING:
    from distributed import Client

CELLS = 128
"""Cells of as many whole frames as hold no more, but of one at least, are handed to a worker's thread in one go: some
seconds' work, for at the end some wait for the last one."""


def sweep_by_workers(
    client: Client,
    models: Sequence[Classifier],
    frames: pd.DataFrame,
    grid: Grid,
    store: CellStore,
    *,
    side: int | None = None,
    seed: int = 0,
    progress: Progress = lambda share: None,
) -> None:
    """Have the workers finish the cells that a sweep's store lacks; each block is kept as soon as it is there.

    Parameters
    ----------
    models, frames, grid, store, side, seed
        As for :func:`core.sweep.engine.sweep`.

    Raises
    ------
    ClusterError
        If too many workers die; what is finished is kept.
    """
    missing = unfinished(models, frames, grid, side=side, seed=seed, store=store)
    together = max(1, CELLS // (len(models) * sum(map(len, grid.values()))))
    blocks = [missing.iloc[start : start + together] for start in range(0, len(missing), together)]
    with sent_to_all(client, [model.forward_only() for model in models]) as sent:
        contents = in_workers(client, partial(cells_of, sent, grid, side, seed), blocks)
        for number, (_, content) in enumerate(contents):
            store.absorb(content)
            progress((number + 1) / len(blocks))


def cells_of(models: Sent[list[Classifier]], grid: Grid, side: int | None, seed: int, frames: pd.DataFrame) -> Content:
    """In a worker: the cells of some frames."""
    store = CellStore()
    sweep(models.value, frames, grid, side=side, seed=seed, store=store)
    return store.content()
