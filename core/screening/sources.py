"""What is screened: a folder, a ZIP archive or uploads, listed once and then read one file at a time.

Only names and sizes are held in memory, so that an archive may have any size. What must not be read (a member of a ZIP
whose name leads out of it, a link that leaves the folder) is listed with the sentence that says so: it becomes a row
like any other broken file.
"""

from __future__ import annotations

import hmac
import lzma
import os
import re
import secrets
import stat
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from core.datasets.items import is_dicom_by_name, may_be_frame
from core.errors import DatasetError, ImageError
from core.images import check_length, display_name, shown_name, with_rest

MAX_ENTRIES = 1_000_000
MAX_RATIO = 200
"""Times its own size that a ZIP may claim to hold: images hardly shrink, bombs do by a thousand and more."""
FREE_BYTES = 100 * 2**20
"""What any ZIP may hold whatever the ratio: a few blank bitmaps are no bomb."""
_BEGINNING = 132
_ZIP_BEGINNINGS = (b"PK\x03\x04", b"PK\x05\x06")
_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    RuntimeError,
    OSError,
    ValueError,  # a member that begins before the file does
)


@dataclass(frozen=True)
class Entry:
    """One file of a source.

    Attributes
    ----------
    name : str
        Its path within the source, with ``/`` between folders.
    stamp : str
        Tells that it has changed: size with the time of change, or the checksum of a ZIP.
    size : int
        In bytes.
    problem : str
        Why it must not be read; empty where it may.
    """

    name: str
    stamp: str
    size: int
    problem: str = ""


class Source(ABC):
    """Files to be screened.

    Attributes
    ----------
    title : str
        What it is called in reports and checked by when a run goes on.
    left_out : int
        Files that are no images by their names, known once they were listed.
    problems : sequence of str
        Sentences on archives that could not be opened.
    """

    title: str
    left_out: int = 0
    problems: Sequence[str] = ()

    @abstractmethod
    def entries(self) -> list[Entry]:
        """All files that may be frames, by name."""

    @abstractmethod
    def read(self, name: str) -> bytes:
        """The content of one file.

        Raises
        ------
        ImageError
            If it is gone, cannot be read, or is larger than an image may be.
        """


class FolderSource(Source):
    """A folder and its subfolders, without hidden ones. Links are followed to files inside it and nowhere else.

    Raises
    ------
    DatasetError
        If there is no such folder.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_dir():
            raise DatasetError(f"There is no folder {str(path)!r}; give the folder or the ZIP that holds the frames.")
        self.path = path
        self.title = str(path.resolve())

    def entries(self) -> list[Entry]:
        found, self.left_out = [], 0
        for folder, folders, files in os.walk(self.path, followlinks=False, onerror=_cannot_list):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for name in files:
                path = Path(folder, name)
                if may_be_frame(name, path):
                    found.append(self._entry(path))
                else:
                    self.left_out += 1
        return _listed(found)

    def read(self, name: str) -> bytes:
        try:
            with (self.path / name).open("rb") as file:
                return _bounded(file, os.fstat(file.fileno()).st_size, name)
        except OSError as error:
            raise ImageError(
                f"{display_name(name)} cannot be opened ({error.strerror}): check it and run again."
            ) from error

    def path_of(self, name: str) -> Path:
        """Where a file lies."""
        return self.path / name

    def _entry(self, path: Path) -> Entry:
        name = path.relative_to(self.path).as_posix()
        shown = name.encode(errors="backslashreplace").decode()
        if shown != name:
            # Bytes that are no UTF-8: no table could hold such a name.
            return Entry(shown, "name", 0, f"{display_name(shown)} has a name that is no text: rename the file.")
        try:
            status = path.stat()
        except OSError as error:
            return Entry(name, "gone", 0, f"{display_name(name)} cannot be opened ({error.strerror}): check the file.")
        # Only now: a link to itself leads nowhere that could be compared.
        if path.is_symlink() and not path.resolve().is_relative_to(self.path.resolve()):
            return Entry(name, "link", 0, f"{display_name(name)} is a link that leaves the folder: copy the file here.")
        if not stat.S_ISREG(status.st_mode):
            return Entry(name, "special", 0, f"{display_name(name)} is no ordinary file: choose an image file.")
        return Entry(name, f"{status.st_size}:{status.st_mtime_ns}", status.st_size)


class ZipSource(Source):
    """A ZIP archive, read member by member and never unpacked to disk.

    Parameters
    ----------
    file : Path or binary file
    name : str, optional
        What a file without a path is called.

    Raises
    ------
    DatasetError
        If it is no ZIP, or claims to hold more than frames could.
    """

    def __init__(self, file: Path | BinaryIO, name: str | None = None) -> None:
        self.path = file if isinstance(file, Path) else None
        self.title = str(file.resolve()) if isinstance(file, Path) else str(name)
        shown = display_name(self.title)
        try:
            self._archive = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, OSError, ValueError) as error:
            raise DatasetError(f"{shown} cannot be read as a ZIP archive: make it again.") from error
        members = self._archive.infolist()
        if len(members) > MAX_ENTRIES:
            raise DatasetError(f"{shown} holds {len(members)} files, more than {MAX_ENTRIES}: split the archive.")
        claimed = sum(member.file_size for member in members)
        held = sum(member.compress_size for member in members)
        size = _size_of(self._archive)
        if claimed > FREE_BYTES and claimed > MAX_RATIO * max(1, min(held, size)):
            raise DatasetError(
                f"{shown} claims to hold {claimed // 2**20} MB, more than {MAX_RATIO} times its own size, as no "
                "archive of images does: make it again, or unpack it and screen the folder."
            )

    def entries(self) -> list[Entry]:
        found, seen, self.left_out = [], set(), 0
        for member in self._archive.infolist():
            if member.filename.endswith("/"):
                continue
            name = PurePosixPath(member.filename).name
            if not name or not may_be_frame(name) or "__MACOSX" in PurePosixPath(member.filename).parts:
                self.left_out += 1
                continue
            stamp = f"{member.file_size}:{member.CRC:08x}"
            found.append(Entry(member.filename, stamp, member.file_size, _problem_of(member, seen)))
            seen.add(member.filename)
        return _listed(found)

    def read(self, name: str) -> bytes:
        try:
            with self._archive.open(name) as file:
                return _bounded(file, self._archive.getinfo(name).file_size, name)
        except _UNREADABLE as error:
            raise ImageError(f"{display_name(name)} is damaged within the ZIP: make the archive again.") from error


class Nameless(Source):
    """Another source, its DICOM files under made-up names: their own and their folders' often are a patient's.

    The made-up names stay the same for the life of this process.

    Parameters
    ----------
    source : Source

    Attributes
    ----------
    hides_any : bool
        Whether any file is named anew.
    """

    _SALT = secrets.token_bytes(16)

    def __init__(self, source: Source) -> None:
        self._source = source
        self.title = source.title
        self._names: dict[str, str] = {}
        self._entries = [self._renamed(one) for one in source.entries()]
        self.left_out, self.problems = source.left_out, source.problems
        self.hides_any = bool(self._names)

    def entries(self) -> list[Entry]:
        return sorted(self._entries, key=lambda entry: entry.name)

    def read(self, name: str) -> bytes:
        if name not in self._names:
            return self._source.read(name)
        try:
            return self._source.read(self._names[name])
        except ImageError:
            # Without the cause, which names the file.
            raise _hidden(name) from None

    def _renamed(self, entry: Entry) -> Entry:
        if not is_dicom_by_name(Path(entry.name)):
            return entry
        made_up = hmac.new(self._SALT, entry.name.encode(), "sha256").hexdigest()[:16]
        name = f"DICOM file {made_up}"
        self._names[name] = entry.name
        return replace(entry, name=name, problem=entry.problem and str(_hidden(name)))


def _hidden(name: str) -> ImageError:
    return ImageError(f"{name} cannot be read from its folder or ZIP: look for links, passwords and damage there.")


class Uploads(Source):
    """Files at hand as bytes; a ZIP among them stands for its members. Of equal names the later ones get a number.

    A DICOM file is called after its fingerprint, for its name often is the patient's; those within a ZIP have made-up
    names, and so has their ZIP.

    Parameters
    ----------
    files : sequence of (str, bytes)
    """

    def __init__(self, files: Sequence[tuple[str, bytes]]) -> None:
        self.title = "uploads"
        self._single: dict[str, bytes] = {}
        self._archives: dict[str, Nameless] = {}
        problems = []
        for name, data in files:
            if data.startswith(_ZIP_BEGINNINGS):
                try:
                    archive = Nameless(ZipSource(BytesIO(data), display_name(name)))
                except DatasetError as error:
                    problems.append(str(error))
                    continue
                self._archives[self._unused("archive.zip" if archive.hides_any else display_name(name))] = archive
            else:
                self._single[self._unused(shown_name(data, name))] = data
        self.problems = problems

    def entries(self) -> list[Entry]:
        found = [Entry(name, f"{len(data)}:{zlib.crc32(data):08x}", len(data)) for name, data in self._single.items()]
        for archive, source in self._archives.items():
            found += [Entry(f"{archive}/{one.name}", one.stamp, one.size, one.problem) for one in source.entries()]
        self.left_out = sum(source.left_out for source in self._archives.values())
        return _listed(found)

    def read(self, name: str) -> bytes:
        if name in self._single:
            check_length(self._single[name][:_BEGINNING], len(self._single[name]), display_name(name))
            return self._single[name]
        archive, _, member = name.partition("/")
        return self._archives[archive].read(member)

    def _unused(self, name: str) -> str:
        taken = {*self._single, *self._archives}
        if name not in taken:
            return name
        path = PurePosixPath(name)
        numbered = (f"{path.stem} ({number}){path.suffix}" for number in range(2, len(taken) + 3))
        return next(one for one in numbered if one not in taken)


def open_source(path: Path) -> FolderSource | ZipSource:
    """The folder or ZIP archive at a path.

    Raises
    ------
    DatasetError
        If there is neither.
    """
    if path.is_file():
        return ZipSource(path)
    return FolderSource(path)


def _bounded(file: BinaryIO, size: int, name: str) -> bytes:
    """All of a file, and no more than an image may have, whatever it claims."""
    beginning = file.read(_BEGINNING)
    check_length(beginning, size, display_name(name))
    data = with_rest(beginning, file)
    check_length(beginning, len(data), display_name(name))
    return data


def _problem_of(member: zipfile.ZipInfo, seen: set[str]) -> str:
    name, shown = member.filename, display_name(member.filename)
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if name.startswith(("/", "\\")) or ".." in parts or re.match(r"[A-Za-z]:", name):
        return f"{shown} has a path within the ZIP that leads out of it: make the archive again."
    if name in seen:
        return f"{shown} stands in the ZIP more than once under one name: make the archive again."
    if stat.S_ISLNK(member.external_attr >> 16):
        return f"{shown} is a link within the ZIP: put the file itself into the archive."
    if member.flag_bits & 1:
        return f"{shown} is encrypted within the ZIP: make the archive without a password."
    return ""


def _listed(found: list[Entry]) -> list[Entry]:
    """By name, which is the order in which the first of several like frames is kept."""
    if len(found) > MAX_ENTRIES:
        raise DatasetError(f"There are {len(found)} files, more than {MAX_ENTRIES}: screen the folders one by one.")
    return sorted(found, key=lambda entry: entry.name)


def _size_of(archive: zipfile.ZipFile) -> int:
    assert archive.fp is not None
    position = archive.fp.tell()
    size = archive.fp.seek(0, os.SEEK_END)
    archive.fp.seek(position)
    return size


def _cannot_list(error: OSError) -> None:
    raise DatasetError(
        f"The folder {error.filename!r} cannot be listed ({error.strerror}): check its permissions."
    ) from error
