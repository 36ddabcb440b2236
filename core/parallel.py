"""Work spread over the processor's cores by threads: OpenCV, NumPy and decoders let each other run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


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
    threads = threads or os.cpu_count() or 1
    if threads == 1:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(threads) as pool:
        # Closed half-way, map cancels what it has not begun.
        yield from pool.map(function, items)
