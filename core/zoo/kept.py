"""Networks that were converted once, kept in the user's cache folder: what is there predicts without TensorFlow.

To import TensorFlow, build a network in Keras and convert it takes seconds in every process that is to predict, the
command line's and the app's; with the result of an earlier one it predicts in a tenth of that
(``python -m benchmarks.start``). Nothing depends on the folder, ``$XDG_CACHE_HOME/planelab`` or ``~/.cache/planelab``
or what ``PLANELAB_CACHE`` says: what is missing or damaged is made again, and it may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np

from core.files import storage_sentence
from core.locks import lock
from core.zoo.cards import Card

CACHE_VARIABLE = "PLANELAB_CACHE"
LARGEST_BYTES = 2**30
"""Of all that is kept, some twenty networks; the one unused for longest goes first."""
SUFFIX = ".npz"
_MAKERS = ("tensorflow", "keras", "ai-edge-litert")
_MODULES = ("architectures.py", "forward.py", "heads.py", "runtime.py")
"""What decides how a card and weights become a graph, besides the versions of the makers."""
_UNREADABLE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True)
class Converted:
    """A network as LiteRT takes it, and the weights (F, K) from its pooled features to its outputs, if it has such."""

    content: bytes
    kernel: np.ndarray | None = None


Keep = Callable[[Callable[[], Converted]], Converted]
"""Gives what is kept, or what it is given to convert with makes."""


def anew(convert: Callable[[], Converted]) -> Converted:
    """For a network that is in training or of nobody's card: nothing of it is kept."""
    return convert()


class Keeping:
    """The place of one network: that of this card, whose weights are those that it describes."""

    def __init__(self, card: Card, folder: Path | None = None) -> None:
        described = json.dumps(asdict(card), sort_keys=True)
        key = hashlib.sha256(f"{_maker()} {described}".encode()).hexdigest()
        self.path = (folder or cache_folder()) / f"{key}{SUFFIX}"

    @property
    def is_there(self) -> bool:
        return self.path.is_file()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep others from this network, threads and processes: while one converts it they wait for what it makes."""
        path = self.path.with_suffix(".lock")
        with ExitStack() as stack:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                stack.callback(_forget, path)
                lock(stack.enter_context(path.open("wb")), wait=True)
            except OSError as error:
                _note(error, path)
            yield

    def __call__(self, convert: Callable[[], Converted]) -> Converted:
        """What is kept, or what ``convert`` makes, which is then kept for the next process."""
        found = self._read()
        if found is None:
            found = convert()
            self._write(found)
        return found

    def _read(self) -> Converted | None:
        try:
            with np.load(self.path, allow_pickle=False) as file:
                # Reading compares the checksums of the file: a damaged network would crash LiteRT.
                found = Converted(file["content"].tobytes(), file["kernel"] if "kernel" in file.files else None)
        except _UNREADABLE:
            return None
        # Of use now, for whoever looks what has not been for longest; where nobody may write nobody looks.
        with suppress(OSError):
            os.utime(self.path)
        return found

    def _write(self, converted: Converted) -> None:
        arrays = {"content": np.frombuffer(converted.content, np.uint8)}
        if converted.kernel is not None:
            arrays["kernel"] = converted.kernel
        # A name of this thread's own, for others may be at the same network.
        draft = self.path.with_name(f"{self.path.stem}.{threading.get_native_id()}")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with draft.open("wb") as file:
                np.savez(file, **arrays)
            draft.replace(self.path)
            _tidy(self.path.parent)
        except OSError as error:
            _note(error, self.path)
            _forget(draft)


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where networks are kept: what the environment says, or the user's cache folder."""
    given = environment.get(CACHE_VARIABLE, "").strip()
    if given:
        return Path(given).absolute() / "networks"
    caches = environment.get("XDG_CACHE_HOME", "").strip() or Path.home() / ".cache"
    return Path(caches).absolute() / "planelab" / "networks"


def _note(error: OSError, path: Path) -> None:
    """No place to keep anything is nothing to bother anybody with: the answers are the same, only later."""
    sentence = storage_sentence(error, path) or f"{path} cannot be written: {error}."
    logging.getLogger(__name__).info("%s Networks are converted anew by each process until then.", sentence)


def _forget(path: Path) -> None:
    """Delete a file that is of no use any more, unless somebody else still has it or it may not be."""
    with suppress(OSError):
        path.unlink()


def _tidy(folder: Path) -> None:
    """Delete what has been unused for longest until the rest is small enough, and what a kill left half written."""
    facts = []
    for path in folder.iterdir():
        # Another process may be at the same.
        with suppress(FileNotFoundError):
            about = path.stat()
            facts.append((about.st_mtime, about.st_size, path))
    total = 0
    for _, size, path in sorted(facts, reverse=True):
        total += size
        if total > LARGEST_BYTES:
            path.unlink(missing_ok=True)


@cache
def _maker() -> str:
    """Names what converts: another version of a library or of our own code makes its own."""
    digest = hashlib.sha256()
    for name in _MODULES:
        digest.update((Path(__file__).with_name(name)).read_bytes())
    return " ".join([digest.hexdigest(), *(version(maker) for maker in _MAKERS)])
