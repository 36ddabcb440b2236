"""A sweep whose cells other processes have finished is the sweep of one machine."""

import pickle
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pandas as pd

from core.sweep.distributed import cells_of, sweep_by_workers
from core.sweep.engine import sweep, unfinished
from core.sweep.store import CellStore

GRID = {"scale_up": (0.0, 40.0), "noise": (0.0, 0.1, 0.4)}


def sent_copy(models):
    """What a worker makes of models that were sent."""
    return SimpleNamespace(value=pickle.loads(pickle.dumps(models)))


def test_cells_of_workers_make_the_sweep(classifier, frames, tmp_path, monkeypatch):
    calls = []

    # Whether processes get what is sent and do their blocks is tested of core.cluster: here there is one.
    def in_workers(client, function, blocks):
        for block in blocks:
            calls.append(len(block))
            yield block, function(block)

    monkeypatch.setattr("core.sweep.distributed.in_workers", in_workers)
    monkeypatch.setattr("core.sweep.distributed.CELLS", 14)  # of two frames and nearly a third
    monkeypatch.setattr("core.sweep.distributed.sent_to_all", lambda client, models: nullcontext(sent_copy(models)))
    model = classifier
    expected = sweep([model], frames, GRID, seed=3)
    store = CellStore(tmp_path / "cells.sqlite")
    first = frames.iloc[:1]
    sweep([model], first, GRID, seed=3, store=store)
    assert len(unfinished([model], frames, GRID, seed=3, store=store)) == len(frames) - 1
    shares = []
    sweep_by_workers(None, [model], frames, GRID, store, seed=3, progress=shares.append)
    assert calls == [2, 2, 1]
    assert shares[-1] == 1
    swept = sweep([model], frames, GRID, seed=3, store=store)
    assert swept.computed == 0
    numbers = expected.rows.select_dtypes("number").columns
    assert np.allclose(swept.rows[numbers], expected.rows[numbers], atol=1e-6)
    others = expected.rows.columns.difference(numbers)
    pd.testing.assert_frame_equal(swept.rows[others], expected.rows[others])
    assert unfinished([model], frames, GRID, seed=3, store=store).empty


def test_a_frame_that_cannot_be_read_goes_to_no_worker(classifier, frames, tmp_path):
    broken = frames.assign(path=[str(tmp_path / "none.png"), *frames["path"][1:]])
    found = unfinished([classifier], broken, GRID, store=CellStore())
    assert len(found) == len(frames) - 1
    content = cells_of(sent_copy([classifier.forward_only()]), GRID, None, 0, found.iloc[:1])
    assert [len(part) for part in content] == [5, 5]
