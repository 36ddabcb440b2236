"""Order, errors and stopping of work in threads."""

import threading
import time

import pytest

from core.parallel import in_threads


@pytest.mark.parametrize("threads", [None, 1, 3])
def test_results_come_in_order(threads):
    def slow_first(number):
        time.sleep(0.02 if number == 0 else 0)
        return number * number

    assert list(in_threads(slow_first, range(20), threads)) == [number * number for number in range(20)]


def test_several_run_at_once():
    meeting = threading.Barrier(2, timeout=10)
    assert sorted(in_threads(lambda _: meeting.wait(), range(2), threads=2)) == [0, 1]


@pytest.mark.parametrize("threads", [1, 2])
def test_an_error_reaches_the_caller(threads):
    def fail(number):
        if number == 3:
            raise ValueError("three")
        return number

    with pytest.raises(ValueError, match="three"):
        list(in_threads(fail, range(10), threads))


@pytest.mark.parametrize("threads", [1, 2])
def test_who_stops_asking_stops_the_rest(threads):
    begun = []

    def work(number):
        begun.append(number)
        time.sleep(0.01)

    results = in_threads(work, range(1000), threads)
    next(results)
    results.close()
    assert len(begun) < 100
