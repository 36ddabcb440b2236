"""A sweep whose cells other processes have finished is the sweep of one machine."""

import numpy as np
import pandas as pd
import pytest

from core.sweep.distributed import cells_of, sweep_by_workers
from core.sweep.engine import sweep, unfinished
from core.sweep.store import CellStore
from core.zoo import load_model

GRID = {"scale_up": (0.0, 40.0), "noise": (0.0, 0.1, 0.4)}


@pytest.fixture
def folder(classifier, write_model, tmp_path):
    """The tiny network as a model folder."""
    return write_model(classifier, tmp_path / "models")


def test_cells_of_workers_make_the_sweep(folder, frames, tmp_path, monkeypatch):
    calls = []

    # Whether processes do their blocks is tested of core.cluster: here no other one has to load TensorFlow.
    def in_workers(client, function, blocks):
        for block in blocks:
            calls.append(len(block))
            yield block, function(block)

    monkeypatch.setattr("core.sweep.distributed.in_workers", in_workers)
    model = load_model(folder.name, folder.parent)
    expected = sweep([model], frames, GRID, seed=3)
    store = CellStore(tmp_path / "cells.sqlite")
    first = frames.iloc[:1]
    sweep([model], first, GRID, seed=3, store=store)
    assert len(unfinished([model], frames, GRID, seed=3, store=store)) == len(frames) - 1
    shares = []
    sweep_by_workers(None, [model], [folder.parent], frames, GRID, store, seed=3, progress=shares.append)
    assert sum(calls) == len(frames) - 1
    assert shares[-1] == 1
    swept = sweep([model], frames, GRID, seed=3, store=store)
    assert swept.computed == 0
    numbers = expected.rows.select_dtypes("number").columns
    assert np.allclose(swept.rows[numbers], expected.rows[numbers], atol=1e-6)
    others = expected.rows.columns.difference(numbers)
    pd.testing.assert_frame_equal(swept.rows[others], expected.rows[others])
    assert unfinished([model], frames, GRID, seed=3, store=store).empty


def test_a_frame_that_cannot_be_read_goes_to_no_worker(folder, frames, tmp_path):
    model = load_model(folder.name, folder.parent)
    broken = frames.assign(path=[str(tmp_path / "none.png"), *frames["path"][1:]])
    found = unfinished([model], broken, GRID, store=CellStore())
    assert len(found) == len(frames) - 1
    content = cells_of(((folder.name, str(folder.parent)),), GRID, None, 0, found.iloc[:1])
    assert [len(part) for part in content] == [5, 5]
