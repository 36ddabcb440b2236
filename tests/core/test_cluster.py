"""Blocks of work by spawned processes: all done, whatever dies."""

import os
import resource

import cv2
import numpy as np
import pytest
from distributed import WorkerPlugin

from core.cluster import Sent, everywhere, in_workers, local_cluster, scheduler_at, sent_to_all
from core.errors import ClusterError
from core.parallel import cores


@pytest.fixture(scope="module")
def client():
    with local_cluster(2) as client:
        yield client


def test_every_block_is_done_once(client):
    # Functions of their own, not of the module: workers do not know the tests.
    found = sorted(in_workers(client, lambda number: number**2, range(30)))
    assert found == [(number, number**2) for number in range(30)]
    assert list(in_workers(client, lambda number: number, [])) == []


def test_no_port_is_taken_that_another_command_would_want(client):
    assert "dashboard" in client.scheduler_info()["services"]
    assert client.scheduler_info()["services"]["dashboard"] != 8787


def test_a_worker_that_dies_loses_nothing_and_has_what_was_sent_when_it_is_back(client, tmp_path):
    marker = tmp_path / "died"

    with sent_to_all(client, {"power": 2}) as sent:

        def die_once(number):
            if number == 3 and not marker.exists():
                marker.touch()
                os._exit(1)
            return number ** sent.value["power"]

        found = sorted(in_workers(client, die_once, range(12)))
        client.wait_for_workers(2)
        held = everywhere(client, lambda dask_worker: dask_worker.plugins[sent.name].value)
    assert found == [(number, number**2) for number in range(12)]
    assert marker.exists()
    assert list(held.values()) == [{"power": 2}] * 2


def test_what_was_sent_is_there_as_long_as_it_is_needed(client):
    def kept(dask_worker):
        return [name for name in dask_worker.plugins if name.startswith("planelab")]

    client.wait_for_workers(2)
    with sent_to_all(client, "something") as sent:
        assert list(everywhere(client, kept).values()) == [[sent.name]] * 2
        with scheduler_at(client.scheduler_info()["address"]) as other, sent_to_all(other, "another") as another:
            assert list(everywhere(client, kept).values()) == [[sent.name, another.name]] * 2
            # As if the client were killed before it took back what it had sent.
            client.register_plugin(WorkerPlugin(), name=another.name.replace(other.id, "Client-gone"))
            with sent_to_all(client, "more") as more:
                assert list(everywhere(client, kept).values()) == [[sent.name, another.name, more.name]] * 2
    assert list(everywhere(client, kept).values()) == [[], []]


class Stranger:
    """Of a module that workers do not have."""


def test_workers_of_another_version_are_a_sentence(client):
    client.wait_for_workers(2)
    with (
        pytest.raises(ClusterError, match=r"another version .*No module named.* start the workers anew"),
        sent_to_all(client, Stranger()),
    ):
        pass
    lost = Sent("planelab lost")
    with pytest.raises(ClusterError, match="lacks what it was sent; start the workers anew"):
        list(in_workers(client, lambda number: (number, lost.value), [1]))


def test_workers_share_the_cores_and_keep_the_memory_they_have(client):
    def pages_of_images():
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(100):
            np.ones(2**20, np.uint8)
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    client.wait_for_workers(2)
    with sent_to_all(client, None):
        assert set(everywhere(client, cores).values()) == {max(1, cores() // 2)}
        assert set(everywhere(client, lambda: cv2.getNumThreads()).values()) == {max(1, cores() // 2)}
        # An image has 256 pages; the first may be new.
        assert max(everywhere(client, pages_of_images).values()) < 2000


def test_a_block_that_kills_every_worker_is_a_sentence(client):
    with pytest.raises(ClusterError, match="3 workers died"):
        list(in_workers(client, lambda number: os._exit(1), [1]))


def test_workers_that_join_later_get_blocks_of_their_own(client):
    client.wait_for_workers(2)
    begun, under_way = [], []

    def blocks():
        for number in range(30):
            begun.append(number)
            yield number

    for finished, _ in enumerate(in_workers(client, lambda number: number, blocks())):
        under_way.append(len(begun) - finished)
        if not finished:
            client.cluster.scale(3)
            client.wait_for_workers(3)
    client.cluster.scale(2)
    assert under_way[0] == 2 * 3 + 1
    assert max(under_way) == 3 * 3 + 1


def test_no_scheduler_is_a_sentence(monkeypatch):
    monkeypatch.setattr("core.cluster.CONNECT_SECONDS", 0.5)
    for address in ("tcp://127.0.0.1:1", "carrier pigeon"):
        with pytest.raises(ClusterError, match="no scheduler"), scheduler_at(address):
            pass
