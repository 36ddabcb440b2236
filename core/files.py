"""Files that are there whole or not at all, and sentences for what keeps them from being written."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

import numpy as np

from core.errors import StorageError

NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""A full disk, a used-up quota, a limit of the process."""
NO_RIGHT = (errno.EROFS, errno.EACCES, errno.EPERM)
NO_FOLDER = (errno.ENOTDIR, errno.EEXIST)


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A name beside ``path`` to write to, which takes its place in one step when the block ends.

    Whatever ends it before, a full disk or a kill, ``path`` is what it was. The name is the file's own, in a folder of
    its own: formats are told by it, and gzip writes it into the file.

    Raises
    ------
    StorageError
        If there is no room or no right to write.
    """
    aside = path.with_name(f".part.{path.name}")
    try:
        with storing(path):
            aside.mkdir(exist_ok=True)
            yield aside / path.name
            (aside / path.name).replace(path)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def write_whole(path: Path, content: bytes | str) -> None:
    """Write a file whole or not at all; text as UTF-8. Raises StorageError as :func:`whole` does."""
    with whole(path) as draft:
        draft.write_bytes(content if isinstance(content, bytes) else content.encode())


def append_whole(file: FileIO, content: bytes) -> None:
    """Write to the end of a file that has no buffer, all or nothing; on the disk when this returns.

    A buffer would keep what could not be written and write it later, into whatever has been written since.

    Raises
    ------
    StorageError
        If there is no room; the file is then as it was.
    """
    before, left = os.fstat(file.fileno()).st_size, memoryview(content)
    try:
        with storing(Path(file.name)):
            while left:
                left = left[file.write(left) :]
            os.fsync(file.fileno())
    except BaseException:
        file.truncate(before)
        raise


def array_on_disk(path: Path, dtype: type, shape: tuple[int, ...]) -> np.ndarray:
    """A new ``.npy`` file to fill as an array; the disk sets its whole length aside at once.

    A disk that filled up under a file mapped into memory would kill the process.

    Raises
    ------
    StorageError
        If there is no room for it; there is no file then.
    """
    try:
        with storing(path):
            array = np.lib.format.open_memmap(path, "w+", dtype, shape)
            if hasattr(os, "posix_fallocate"):
                with path.open("r+b") as file:
                    os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
            return array
    except BaseException:
        path.unlink(missing_ok=True)
        raise


@contextmanager
def storing(path: Path) -> Iterator[None]:
    """Write to ``path`` inside; no room and no right become a :class:`~core.errors.StorageError`."""
    try:
        yield
    except OSError as error:
        sentence = storage_sentence(error, path)
        if sentence is None:
            raise
        raise StorageError(sentence) from error


def storage_sentence(error: OSError, path: Path | str) -> str | None:
    """What keeps ``path`` from being written and what to do; None where the error is of another kind."""
    if error.errno in NO_SPACE:
        return (
            f"There is no room for {path}: its disk or quota is full; free some space and run the same again. What was "
            "finished before is kept."
        )
    if error.errno in NO_RIGHT:
        return f"{path} may not be written: it is read-only or somebody else's; change its rights or choose another."
    if error.errno in NO_FOLDER:
        return f"{path} cannot be made: there is a file where a folder should be; choose another place."
    return None


def check_writable(path: Path) -> None:
    """Refuse a place that cannot be written to, before the work whose results are to go there.

    Parameters
    ----------
    path : Path
        A folder or a file, there or still to be made.

    Raises
    ------
    StorageError
    """
    with storing(path):
        folder = path
        while not folder.is_dir():
            if os.path.lexists(folder) and folder != path:
                raise StorageError(f"{path} cannot be made: {folder} is no folder; choose another place.")
            folder = folder.parent
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"0")
            probe.flush()
