"""Blocks of work by spawned processes: all done, whatever dies."""

import os
from functools import partial
from pathlib import Path

import pytest

from core.cluster import in_workers, local_cluster, scheduler_at
from core.errors import ClusterError


def square(number: int) -> int:
    return number**2


def die_once(marker: str, number: int) -> int:
    """Kills its process the first time that it is asked for three."""
    if number == 3 and not Path(marker).exists():
        Path(marker).touch()
        os._exit(1)
    return number**2


def die(number: int) -> int:
    os._exit(1)


@pytest.fixture(scope="module")
def client():
    with local_cluster(2) as client:
        yield client


def test_every_block_is_done_once(client):
    assert sorted(in_workers(client, square, range(30))) == [(number, number**2) for number in range(30)]
    assert list(in_workers(client, square, [])) == []


def test_a_worker_that_dies_loses_nothing(client, tmp_path):
    found = sorted(in_workers(client, partial(die_once, str(tmp_path / "died")), range(12)))
    assert found == [(number, number**2) for number in range(12)]
    assert (tmp_path / "died").exists()


def test_a_block_that_kills_every_worker_is_a_sentence(client):
    with pytest.raises(ClusterError, match="3 workers died"):
        list(in_workers(client, die, [1]))


def test_no_scheduler_is_a_sentence(monkeypatch):
    monkeypatch.setattr("core.cluster.CONNECT_SECONDS", 0.5)
    for address in ("tcp://127.0.0.1:1", "carrier pigeon"):
        with pytest.raises(ClusterError, match="no scheduler"), scheduler_at(address):
            pass
