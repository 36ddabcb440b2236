"""Fetch published data sets from Zenodo: resumed where they broke off, checked against the checksum, unpacked.

Zenodo's record says each file's size and MD5. Files come from the record's page and not from the programming
interface, because only the page's addresses answer requests for a part of a file (zenodo/zenodo issue 2593). Pooch, the
usual library for this, verifies but starts over after a cut, hence these few lines on ``requests``.

Nothing half-done looks finished: bytes gather in ``NAME.CHECKSUM.part``, archives are unpacked into a hidden folder
whose files are then moved, the list of images last. Whatever stops a download, the same command goes on from there.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import stat
import time
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path, PurePosixPath

import requests
import urllib3

from core.errors import DatasetError, ParameterError
from core.files import NO_SPACE

SERVER = "https://zenodo.org"
RECORD_NAME = ".downloaded.json"
TRIES = 5
"""In a row without a single new byte."""
DAMAGED_TRIES = 2
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
CONNECT_SECONDS, READ_SECONDS = 15, 60
CHUNK = 1 << 18
TEMPORARY = frozenset({408, 425, 429, 500, 502, 503, 504})

Progress = Callable[[str, float], None]
"""Told what is going on and the share of it that is done."""


@dataclass(frozen=True)
class Source:
    """A data set's record on Zenodo and the files of it that we need, lists of images last."""

    title: str
    record: str
    files: tuple[str, ...]


SOURCES = {
    "hc18": Source("HC18", "1327317", ("training_set.zip", "training_set_pixel_size_and_HC.csv")),
    "fetal-planes": Source("FETAL_PLANES_DB", "3904280", ("FETAL_PLANES_ZENODO.zip",)),
}


@dataclass(frozen=True)
class PublishedFile:
    """A file as Zenodo lists it; ``size`` in bytes."""

    name: str
    size: int
    md5: str
    address: str


class _Temporary(Exception):
    """Something that may go away by itself; the message says what."""

    def __init__(self, message: str, pause: float = 0.0) -> None:
        super().__init__(message)
        self.pause = pause


def download(
    name: str,
    out: str | Path,
    *,
    server: str = SERVER,
    progress: Progress = lambda what, share: None,
    pause: Callable[[float], None] = time.sleep,
) -> Path:
    """Fetch a data set into a folder that :func:`core.datasets.load` reads.

    Parameters
    ----------
    name : str
        One of :data:`SOURCES`.
    out : str or Path
        Made if missing. What was downloaded before is kept.
    server : str
        Where Zenodo, or a mirror of it, is.
    progress : callable
        It may raise :class:`core.errors.Cancelled`; the same call then goes on where it stopped.
    pause : callable
        Waits the given seconds between tries.

    Returns
    -------
    The folder.

    Raises
    ------
    ParameterError
        For an unknown name.
    DatasetError
        In one sentence: no network, a record or file that is not there, a file that arrives damaged, a full disk, an
        archive that is damaged or would write outside the folder.
    """
    if name not in SOURCES:
        raise ParameterError(f"There is no data set {name!r} to download; choose one of {', '.join(SOURCES)}.")
    source, folder = SOURCES[name], Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    with requests.Session() as session:
        session.headers.update({"User-Agent": "PlaneLab", "Accept-Encoding": "identity"})
        for file in _published(session, source, server.rstrip("/"), pause):
            if _is_unpacked(file, folder):
                continue
            path = folder / file.name
            if not (path.is_file() and path.stat().st_size == file.size and _md5(path) == file.md5):
                _fetch(session, file, folder, progress, pause).replace(path)
            if path.suffix == ".zip":
                _remember(file, unpack(path, folder, progress), folder)
                path.unlink()
    return folder


def _published(session: requests.Session, source: Source, server: str, pause: Callable) -> list[PublishedFile]:
    """What Zenodo says about the files of a record."""
    host = server.split("://")[-1]

    def ask() -> dict:
        try:
            response = session.get(f"{server}/api/records/{source.record}", timeout=(CONNECT_SECONDS, READ_SECONDS))
            _check_status(response, f"the record of {source.title}")
            return response.json()
        except requests.JSONDecodeError as error:
            raise _Temporary(f"{host} answers, but not with a record (is there a sign-in page in between?)") from error
        except requests.RequestException as error:
            raise _Temporary(f"{host} cannot be reached") from error

    answer = _persistently(ask, lambda: 0, pause, "check the internet connection and give the same command again")
    try:
        listed = {
            file["key"]: PublishedFile(
                file["key"],
                int(file["size"]),
                _published_md5(file["checksum"]),
                f"{server}/records/{source.record}/files/{file['key']}?download=1",
            )
            for file in answer["files"]
        }
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DatasetError(
            f"The record of {source.title} on {host} has a form that is not known here; download it by hand from "
            f"{server}/records/{source.record} and report this."
        ) from error
    missing = [name for name in source.files if name not in listed]
    if missing:
        raise DatasetError(
            f"The record of {source.title} on {host} no longer holds {missing[0]}; look at "
            f"{server}/records/{source.record}."
        )
    return [listed[name] for name in source.files]


def _published_md5(checksum: str) -> str:
    algorithm, _, value = checksum.partition(":")
    if algorithm != "md5" or not re.fullmatch("[0-9a-f]{32}", value):
        raise ValueError(checksum)
    return value


def _fetch(session: requests.Session, file: PublishedFile, folder: Path, progress: Progress, pause: Callable) -> Path:
    """The whole and verified file, still under its ``.part`` name."""
    # The checksum in the name: bytes of an older version of the file are never continued.
    part = folder / f"{file.name}.{file.md5[:8]}.part"

    def length() -> int:
        return part.stat().st_size if part.exists() else 0

    def report() -> None:
        progress(f"downloading {file.name}", length() / max(file.size, 1))

    advice = "check the internet connection and give the same command again; what has arrived is kept"
    for _ in range(DAMAGED_TRIES):
        if length() > file.size:
            part.unlink()
        _check_space(folder, file.size - length(), file.name)
        if not part.exists():
            part.touch()
        _persistently(lambda: _continue(session, file, part, report), length, pause, advice)
        if _md5(part) == file.md5:
            return part
        part.unlink()
    raise DatasetError(
        f"{file.name} arrived damaged {DAMAGED_TRIES} times (its checksum is not the published one); "
        "try again later or from another network."
    )


def _continue(session: requests.Session, file: PublishedFile, part: Path, report: Callable[[], None]) -> None:
    """Append what is missing of a file."""
    have = part.stat().st_size
    if have == file.size:
        return
    try:
        response, passed = _open(session, file, have)
        with response, part.open("ab", buffering=0) as target:
            # As they come in: of a larger block that breaks off nothing would be left.
            for chunk in iter(lambda: response.raw.read1(CHUNK), b""):
                fresh = chunk[min(passed, len(chunk)) :]
                passed -= len(chunk) - len(fresh)
                _write(target, fresh[: file.size - have], file.name)
                have += len(fresh)
                report()
                if have >= file.size:
                    return
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise _Temporary(f"the connection broke off while downloading {file.name}") from error
    raise _Temporary(f"the connection ended early while downloading {file.name}")


def _open(session: requests.Session, file: PublishedFile, have: int) -> tuple[requests.Response, int]:
    """An answer that brings what comes after the first ``have`` bytes, and how many bytes of it are to be passed over.

    A server that ignores the wish for a part, or has another part or none, sends the file from its beginning.
    """
    for wish in ({"Range": f"bytes={have}-"}, {}) if have else ({},):
        response = session.get(file.address, headers=wish, stream=True, timeout=(CONNECT_SECONDS, READ_SECONDS))
        if response.status_code == 206:
            part = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
            if part and int(part[1]) == have and part[2] in ("*", str(file.size)):
                return response, 0
        elif response.status_code != 416:
            break
        response.close()
    _check_status(response, file.name)
    if response.headers.get("Content-Length", str(file.size)) != str(file.size):
        response.close()
        raise _Temporary(f"the server sends something else than {file.name}")
    return response, have


def _check_status(response: requests.Response, what: str) -> None:
    """Raises _Temporary for what may pass and DatasetError for what will not."""
    status = response.status_code
    if status in TEMPORARY:
        raise _Temporary(f"the server is busy (it answers {status} for {what})", _retry_after(response))
    if status != 200:
        raise DatasetError(
            f"The server refuses {what} (it answers {status}); see whether {response.url} opens in a browser."
        )


def _retry_after(response: requests.Response) -> float:
    """Seconds the server asks to wait; 0 where it does not say."""
    text = response.headers.get("Retry-After", "")
    if text.isdecimal():
        return float(text)
    try:
        return parsedate_to_datetime(text).timestamp() - time.time()
    except ValueError:
        return 0.0


def _persistently(action: Callable, reached: Callable[[], int], pause: Callable[[float], None], advice: str):
    """Try until it works. Only tries in a row that gained nothing count, so that a poor line ends in a whole file."""
    failures, furthest = 0, reached()
    while True:
        try:
            return action()
        except _Temporary as problem:
            failures = failures + 1 if reached() <= furthest else 0
            furthest = max(furthest, reached())
            if failures >= TRIES:
                sentence = f"{problem}; {advice}."
                raise DatasetError(sentence[0].upper() + sentence[1:]) from problem
            pause(min(max(problem.pause, FIRST_PAUSE * 2 ** max(failures - 1, 0)), LONGEST_PAUSE))


def _write(target, data: bytes, name: str) -> None:
    try:
        while data:
            data = data[target.write(data) :]
    except OSError as error:
        if error.errno in NO_SPACE:
            raise _full(Path(target.name).parent, name) from error
        raise


def _check_space(folder: Path, needed: int, name: str) -> None:
    if shutil.disk_usage(folder).free < needed:
        raise _full(folder, name, needed)


def _full(folder: Path, name: str, needed: int = 0) -> DatasetError:
    room = f" of {needed / 1e6:.0f} MB" if needed else ""
    return DatasetError(
        f"The disk of {str(folder)!r} has no room{room} for {name}; free some space and give the same command again."
    )


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def unpack(archive: Path, folder: Path, progress: Progress = lambda what, share: None) -> list[str]:
    """Unpack a ZIP archive into a folder, whole or not at all as far as the archive goes.

    Everything is unpacked and its checksums are verified aside before the first file appears in ``folder``.

    Returns
    -------
    Names of the files and folders that now lie directly in ``folder``.

    Raises
    ------
    DatasetError
        If the archive is damaged, an entry would leave the folder, or the disk is full.
    """
    aside = folder / f".{archive.name}.unpacking"
    shutil.rmtree(aside, ignore_errors=True)
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [entry for entry in opened.infolist() if not entry.is_dir() and _is_content(entry.filename)]
            for entry in members:
                _check_entry(entry, archive.name)
            _check_space(folder, sum(entry.file_size for entry in members), archive.name)
            for number, entry in enumerate(members, start=1):
                opened.extract(entry, aside)
                progress(f"unpacking {archive.name}", number / len(members))
        files = [path for path in aside.rglob("*") if path.is_file()]
        # Lists last: a folder that is recognised as the data set is complete.
        for path in sorted(files, key=lambda path: (path.suffix.lower() == ".csv", path)):
            target = folder / path.relative_to(aside)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)
        return sorted({path.relative_to(aside).parts[0] for path in files})
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise DatasetError(
            f"{archive.name} is damaged and cannot be unpacked; delete it and download it again."
        ) from error
    except OSError as error:
        if error.errno in NO_SPACE:
            raise _full(folder, archive.name) from error
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _is_content(name: str) -> bool:
    """False for what macOS adds to archives."""
    return not name.startswith("__MACOSX/") and PurePosixPath(name).name not in (".DS_Store", "Thumbs.db")


def _check_entry(entry: zipfile.ZipInfo, archive: str) -> None:
    path = PurePosixPath(entry.filename.replace("\\", "/"))
    leaves = path.is_absolute() or ".." in path.parts or ":" in entry.filename
    if leaves or stat.S_ISLNK(entry.external_attr >> 16):
        raise DatasetError(
            f"{archive} holds {entry.filename!r}, which would be written outside the folder; nothing was unpacked. "
            "Do not use this archive."
        )


def _is_unpacked(archive: PublishedFile, folder: Path) -> bool:
    """True if this version of an archive was unpacked here and nobody has deleted it since."""
    done = _record(folder).get(archive.name)
    return bool(done) and done["md5"] == archive.md5 and all((folder / name).exists() for name in done["unpacked"])


def _remember(archive: PublishedFile, unpacked: list[str], folder: Path) -> None:
    record = _record(folder) | {archive.name: {"md5": archive.md5, "unpacked": unpacked}}
    draft = folder / f"{RECORD_NAME}.part"
    draft.write_text(json.dumps(record, indent=1), encoding="utf-8")
    draft.replace(folder / RECORD_NAME)


def _record(folder: Path) -> dict[str, dict]:
    """What was unpacked here: an archive's name -> its MD5 and what came out of it."""
    try:
        return json.loads((folder / RECORD_NAME).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        # Without a readable record everything is fetched again, which is safe.
        return {}
