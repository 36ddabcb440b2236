"""Order, errors and stopping of work in threads."""

import threading
import time

import pytest

from core.parallel import ahead_in_threads, in_threads


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


def test_never_more_is_begun_than_asked_for():
    begun, taken = [], []

    def asked():
        for number in range(30):
            begun.append(number)
            assert len(begun) - len(taken) <= 4
            yield number

    for result in ahead_in_threads(lambda number: number * number, asked(), ahead=4, threads=3):
        taken.append(result)
    assert taken == [number * number for number in range(30)]


def test_whoever_stops_asking_stops_what_waits():
    begun = []

    def slow(number):
        begun.append(number)
        time.sleep(0.02)
        return number

    for _ in ahead_in_threads(slow, range(100), ahead=3, threads=1):
        break
    assert len(begun) <= 3
