"""Frames that are there more than once: the same pixels, or pictures that hardly differ.

In the order given, a frame is a copy of the nearest earlier one that is kept. So the answer depends on the order alone,
not on how or when frames were read, and a chain of ever less alike frames does not become one. Every frame is compared
with all kept ones in blocks: 256 bits are too many, and too much may differ in them, for an index to leave any out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.screening.measuring import HASH_BITS

BLOCK = 128
_WORDS = HASH_BITS // 64
NONE = -1


@dataclass(frozen=True)
class Copies:
    """Of N frames in their order, which earlier frame each is a copy of, (N,) int, -1 for none, and in how many bits.

    ``distance`` (N,) is 0 where there is none.
    """

    of: np.ndarray
    distance: np.ndarray


def same(digests: Sequence[str]) -> np.ndarray:
    """The first frame with the same digest, (N,) int; -1 for that frame itself."""
    first: dict[str, int] = {}
    found = np.full(len(digests), NONE)
    for place, digest in enumerate(digests):
        earlier = first.setdefault(digest, place)
        if earlier != place:
            found[place] = earlier
    return found


def near(hashes: Sequence[str], told: float, dropped: float) -> Copies:
    """The nearest earlier frame nearer than ``told`` bits, of those that have none nearer than ``dropped`` bits.

    Parameters
    ----------
    hashes : sequence of str
        As :func:`core.screening.measuring.perceptual_hash` writes them.
    told, dropped : float
        Bits; 0 or less for none. A frame nearer than ``dropped`` to an earlier one is no original to later ones.
    """
    words = np.array([np.frombuffer(bytes.fromhex(text), np.uint64) for text in hashes]).reshape(-1, _WORDS)
    reach = max(told, dropped)
    of = np.full(len(words), NONE)
    distance = np.zeros(len(words), int)
    if reach <= 0:
        return Copies(of, distance)
    kept = np.empty(len(words), int)
    n_kept = 0
    for start in range(0, len(words), BLOCK):
        block = words[start : start + BLOCK]
        _nearest(block, words[kept[:n_kept]], kept[:n_kept], reach, of[start:], distance[start:])
        among = _distances(block, block)
        for row in range(len(block)):
            place = start + row
            here = kept[:n_kept][np.searchsorted(kept[:n_kept], start) :]
            if len(here):
                apart = among[row, here - start]
                best = int(apart.argmin())
                if apart[best] < reach and (of[place] == NONE or apart[best] < distance[place]):
                    of[place], distance[place] = here[best], apart[best]
            if of[place] == NONE or distance[place] >= dropped:
                kept[n_kept] = place
                n_kept += 1
    return Copies(of, distance)


def _nearest(
    block: np.ndarray, others: np.ndarray, places: np.ndarray, reach: float, of: np.ndarray, distance: np.ndarray
) -> None:
    """Fill in the nearest of ``others`` (M, 4) for each of a block (B, 4), the earliest of equally near ones."""
    if not len(others):
        return
    # Half of the bits decide for nearly all pairs that they lie too far apart.
    half = _distances(block[:, : _WORDS // 2], others[:, : _WORDS // 2])
    rows, columns = np.nonzero(half < reach)
    apart = np.bitwise_count(block[rows] ^ others[columns]).sum(axis=1)
    order = np.lexsort((columns, apart, rows))
    rows, columns, apart = rows[order], columns[order], apart[order]
    first = np.unique(rows, return_index=True)[1]
    first = first[apart[first] < reach]
    of[rows[first]] = places[columns[first]]
    distance[rows[first]] = apart[first]


def _distances(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Bits that differ, (A, B) uint16, of words (A, W) and (B, W)."""
    total = np.zeros((len(left), len(right)), np.uint16)
    for word in range(left.shape[1]):
        total += np.bitwise_count(left[:, None, word] ^ right[None, :, word])
    return total
