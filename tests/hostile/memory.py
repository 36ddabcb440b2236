"""How much memory something takes at most, by what Linux tells of this process."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MOST_MB = 300
"""What any hostile input may take beyond what the process had before."""
_PROCESS = Path("/proc/self")
_FORGET_PEAK = "5"


def _megabytes(name: str) -> float:
    found = re.search(rf"^{name}:\s+(\d+) kB", (_PROCESS / "status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) / 1024


@contextmanager
def bounded_memory(most_mb: float = MOST_MB) -> Iterator[None]:
    """Fails if what is done inside takes more than so many megabytes at any time."""
    (_PROCESS / "clear_refs").write_text(_FORGET_PEAK)
    before = _megabytes("VmRSS")
    yield
    taken = _megabytes("VmHWM") - before
    assert taken <= most_mb, f"{taken:.0f} MB were taken"
