"""Blocks of work by spawned processes: all done, whatever dies."""

import os

import pytest

from core.cluster import in_workers, local_cluster, scheduler_at
from core.errors import ClusterError


@pytest.fixture(scope="module")
def client():
    with local_cluster(2) as client:
        yield client


def test_every_block_is_done_once(client):
    # Functions of their own, not of the module: workers do not know the tests.
    found = sorted(in_workers(client, lambda number: number**2, range(30)))
    assert found == [(number, number**2) for number in range(30)]
    assert list(in_workers(client, lambda number: number, [])) == []


def test_a_worker_that_dies_loses_nothing(client, tmp_path):
    marker = tmp_path / "died"

    def die_once(number):
        if number == 3 and not marker.exists():
            marker.touch()
            os._exit(1)
        return number**2

    found = sorted(in_workers(client, die_once, range(12)))
    assert found == [(number, number**2) for number in range(12)]
    assert marker.exists()


def test_a_block_that_kills_every_worker_is_a_sentence(client):
    with pytest.raises(ClusterError, match="3 workers died"):
        list(in_workers(client, lambda number: os._exit(1), [1]))


def test_no_scheduler_is_a_sentence(monkeypatch):
    monkeypatch.setattr("core.cluster.CONNECT_SECONDS", 0.5)
    for address in ("tcp://127.0.0.1:1", "carrier pigeon"):
        with pytest.raises(ClusterError, match="no scheduler"), scheduler_at(address):
            pass
