"""Work spread over the processor's cores by threads: OpenCV, NumPy and decoders let each other run."""

from __future__ import annotations

import ctypes
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from typing import TypeVar

import cv2
from threadpoolctl import threadpool_limits

Item = TypeVar("Item")
Result = TypeVar("Result")
CORES_VARIABLE = "PLANELAB_CORES"
"""How many cores this process may use, where several share a machine."""
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Numbers of glibc's mallopt, and the sizes that it comes to by itself in a process that handles images."""
_KEPT_BYTES, _MAPPED_BYTES = 2**26, 2**25


def cores() -> int:
    """Cores that this process may use: all of the machine's by default."""
    return int(os.environ.get(CORES_VARIABLE) or os.cpu_count() or 1)


@lru_cache(maxsize=1)
def calm_matrix_products() -> None:
    """NumPy's matrix products run in one thread each from now on.

    Ours are small and already spread over threads by image or batch. Cut in two they wait for each other's halves, on a
    busy machine far longer than they compute.
    """
    threadpool_limits(1, user_api="blas")


@lru_cache(maxsize=1)
def settle_among_others() -> None:
    """Keep this process to its :func:`cores` and to the memory it has: for workers that share a machine.

    Dask has its workers' allocator hand all memory back at once; every image is then laid out on pages that the system
    has to clear first. Elsewhere than in glibc there is no such setting.
    """
    calm_matrix_products()
    cv2.setNumThreads(cores())
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    if hasattr(library, "mallopt"):
        library.mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)
        library.mallopt(_MMAP_THRESHOLD, _MAPPED_BYTES)


def in_threads(
    function: Callable[[Item], Result], items: Iterable[Item], threads: int | None = None
) -> Iterator[Result]:
    """``function`` of each item, in the items' order, as soon as each is there.

    Whoever stops asking, for instance because the user has cancelled, stops what has not begun.

    Parameters
    ----------
    threads : int, optional
        As many as there are cores by default; with 1 everything runs in the caller's thread.
    """
    threads = threads or cores()
    if threads == 1:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(threads) as pool:
        # Closed half-way, map cancels what it has not begun.
        yield from pool.map(function, items)


def ahead_in_threads(
    function: Callable[[Item], Result], items: Iterable[Item], ahead: int, threads: int | None = None
) -> Iterator[Result]:
    """As :func:`in_threads`, but never more than ``ahead`` results are begun and not yet taken: memory stays bounded.

    ``items`` is asked for the next one only when there is room, in the caller's thread.
    """
    items = iter(items)
    with ThreadPoolExecutor(threads or cores()) as pool:
        waiting: deque[Future[Result]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) >= ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
