"""The same rows by several processes, though one of them is killed half-way."""

import os
import signal
import sys

import pytest

from core.cluster import Sent, everywhere, local_cluster, scheduler_at, sent_to_all
from core.errors import ClusterError
from core.screening import Journal, about, open_source, screen
from core.screening.distributed import screen_by_workers


def journal_in(folder, source, networks):
    return Journal(folder / "journal.jsonl", about(source.title, networks.model.card, networks.detector.card))


def test_rows_are_those_of_one_process_though_a_worker_is_killed(archive, networks, tmp_path, monkeypatch):
    monkeypatch.setattr("core.screening.distributed.BLOCK", 4)
    source = open_source(archive)
    entries = source.entries()
    with journal_in(tmp_path / "one", source, networks) as journal:
        screen(source, entries, networks, journal)
        expected = journal.rows(entries, ["BPD", "CRL", "NT"])
    shares = []
    with (
        local_cluster(2) as client,
        sent_to_all(client, networks) as sent,
        journal_in(tmp_path / "two", source, networks) as journal,
    ):
        processes = everywhere(client, os.getpid)

        def kill_one(share):
            if not shares:
                os.kill(next(iter(processes.values())), signal.SIGKILL)
            shares.append(share)

        assert screen_by_workers(client, archive, entries, sent, journal, kill_one) == 26
        rows = journal.rows(entries, ["BPD", "CRL", "NT"])
        assert len(journal.path.read_text().splitlines()) == 27
        with scheduler_at(client.scheduler_info()["address"]) as other:
            assert screen_by_workers(other, archive, entries, sent, journal) == 0
        # A second of each process, and most of its memory.
        assert not any(everywhere(client, lambda: "tensorflow" in sys.modules).values())
    assert rows.equals(expected)
    assert shares[-1] == 1


def test_a_worker_that_sees_other_files_is_refused(archive, networks, tmp_path, monkeypatch):
    source = open_source(archive)
    with (
        journal_in(tmp_path / "out", source, networks) as journal,
        pytest.raises(ClusterError, match=r"worker tcp://b .*nowhere"),
    ):
        monkeypatch.setattr(
            "core.screening.distributed.everywhere",
            lambda client, function, *arguments: {"tcp://a": function(*arguments), "tcp://b": "nowhere"},
        )
        screen_by_workers(None, archive, source.entries(), Sent("nothing"), journal)
