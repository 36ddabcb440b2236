"""Hostile and broken ZIP archives of frames."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from functools import cache

from .case import EITHER, READ, Case, cuts, flips
from .pictures import good_picture

GOOD = "good.png"
"""A sound frame that stands in every archive that opens: what is wrong with the others must not cost it."""
FLIPS = 12
NO_ZIP = r"cannot be read as a ZIP"
BOMB = r"times its own size"
_LOCAL, _CENTRAL, _END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"


def archive(*members: tuple[str | zipfile.ZipInfo, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A ZIP of these members and the good frame."""
    return zip_of(*members, (GOOD, good_picture()), compression=compression)


def zip_of(*members: tuple[str | zipfile.ZipInfo, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A ZIP of these members, dated as none are: the same members give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        for name, data in members:
            info = name if isinstance(name, zipfile.ZipInfo) else zipfile.ZipInfo(name)
            made.writestr(info, data, compression)
    return buffer.getvalue()


Member = tuple[bytes, bytes, int, int]
"""Name, bytes as they are stored, size claimed and checksum."""


def raw_archive(*members: Member, flags: int = 0x800, method: int = 8) -> bytes:
    """A ZIP put together by hand, so that it can hold what no writer would write."""
    local, central = bytearray(), bytearray()
    for name, stored, size, checksum in members:
        common = struct.pack("<HHHHHIIIHH", 20, flags, method, 0, 0, checksum, len(stored), size, len(name), 0)
        central += _CENTRAL + struct.pack("<H", 0x314) + common + struct.pack("<HHHII", 0, 0, 0, 0, len(local)) + name
        local += _LOCAL + common + name + stored
    end = struct.pack("<HHHHIIH", 0, 0, len(members), len(members), len(central), len(local), 0)
    return bytes(local + central + _END + end)


def _empty(name: bytes) -> Member:
    return name, b"\3\0", 0, 0


@cache
def _of_zeros(megabytes: int, start: bytes = b"") -> tuple[bytes, int, int]:
    """``start`` and so many megabytes of zeros as a member stores them, their size and checksum."""
    packer, block = zlib.compressobj(9, zlib.DEFLATED, -15), bytes(2**20)
    parts, checksum = [packer.compress(start)], zlib.crc32(start)
    for _ in range(megabytes):
        parts.append(packer.compress(block))
        checksum = zlib.crc32(block, checksum)
    return b"".join([*parts, packer.flush()]), len(start) + megabytes * 2**20, checksum


def _changed(data: bytes, *changes: tuple[bytes, int, str, int]) -> bytes:
    """An archive with numbers changed: each in the first header of a kind, so many bytes behind its beginning."""
    changed = bytearray(data)
    for signature, offset, form, value in changes:
        struct.pack_into(form, changed, changed.index(signature) + offset, value)
    return bytes(changed)


def _with_bad(local: int, central: int, form: str, value: int, *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """An archive whose first member has another number than it should, in both its headers."""
    made = archive(("bad.png", good_picture()), compression=method)
    return _changed(made, (_LOCAL, local, form, value), (_CENTRAL, central, form, value))


def _link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def _special(name: str, kind: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = (kind | 0o666) << 16
    return info


def _twice(name: str) -> bytes:
    other = "x" * len(name)
    return archive((name, good_picture()), (other, good_picture())).replace(other.encode(), name.encode())


def _shared(members: int, one: bytes) -> bytes:
    """An archive of one member whose directory names it many times: all have the same stored bytes."""
    central = one[one.index(_CENTRAL) : one.index(_END)]
    start = one.index(_CENTRAL)
    end = struct.pack("<HHHHIIH", 0, 0, members, members, members * len(central), start, 0)
    return one[:start] + central * members + _END + end


def _zip64(size: int) -> bytes:
    """A member whose size stands in the extra field of ZIP64."""
    made = raw_archive(_empty(b"x.png"))
    extra = struct.pack("<HHQ", 1, 8, size)
    start, end = made.index(_CENTRAL), made.index(_END)
    central = _changed(made[start:end], (_CENTRAL, 24, "<I", 2**32 - 1), (_CENTRAL, 30, "<H", len(extra))) + extra
    return made[:start] + central + _END + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central), start, 0)


def _zip64_end(place: int) -> bytes:
    """An archive that says where its ZIP64 directory ends, and that is no place."""
    made = archive()
    end = made.index(_END)
    return made[:end] + b"PK\6\7" + struct.pack("<IQI", 0, place, 1) + made[end:]


def _broken_frames() -> bytes:
    """One broken frame of each kind."""
    picture = good_picture()
    members = [("cut.png", picture[:90]), ("text.jpg", b"Dear doctor"), ("zeros.tif", b"II*\0" + bytes(200))]
    return archive(*members, ("head.bmp", b"BM"), ("Mustermann.dcm", bytes(128) + b"DICM" + bytes(90)))


@cache
def archive_cases() -> tuple[Case, ...]:
    """All hostile and broken archives. Those that open hold the good frame, but for those cut, turned over or raw."""
    picture, large = good_picture(), _of_zeros(99, bytes(128) + b"DICM")
    plain = archive(("a.png", picture), ("folder/b.png", picture), compression=zipfile.ZIP_STORED)
    found = [
        *(
            Case("ZIP", one.what, one.file, one.data, NO_ZIP if one.data else "is empty")
            for one in cuts("ZIP", "set.zip", plain)
        ),
        *flips("ZIP", "set.zip", plain, FLIPS),
    ]
    inner = archive(("a.png", picture))
    deep = inner
    for _ in range(30):
        deep = archive(("deeper.zip", deep))
    refused = {
        "a bomb by ratio": (raw_archive(*[(b"%d.dcm" % n, *large) for n in range(3)]), BOMB),
        "a bomb of ten thousand small bombs": (
            raw_archive(*[(b"%05d.png" % n, *_of_zeros(1)) for n in range(10_000)]),
            BOMB,
        ),
        "a bomb whose members share one place": (_shared(2000, raw_archive((b"x.png", *_of_zeros(1)))), BOMB),
        "a bomb whose members are not packed and share one place": (
            _shared(1000, zip_of(("x.png", bytes(200_000)), compression=zipfile.ZIP_STORED)),
            BOMB,
        ),
        "a member that claims sixteen exabytes": (_zip64(2**64 - 1), BOMB),
        "a directory said to lie beyond the file": (
            _changed(plain, (_END, 16, "<I", 2**31)),
            r"is damaged within the ZIP",
        ),
        "a directory said to be larger than the file": (_changed(plain, (_END, 12, "<I", 2**31)), NO_ZIP),
        "a name that is no UTF-8 but is said to be": (raw_archive(_empty(b"caf\xe9.png")), NO_ZIP),
        "an archive of two disks, the first missing": (b"PK\x07\x08" + plain[4:100], r"is not an image"),
        "only the first letters": (_LOCAL, NO_ZIP),
        "only an end, and that cut": (_END, NO_ZIP),
        "letters and noise": (_LOCAL + bytes(range(256)) * 8, NO_ZIP),
        "a ZIP64 end that points nowhere": (_zip64_end(2**62), NO_ZIP),
    }
    opened = {
        "a name that leads out of it": (archive(("../up.png", picture)), r"leads out"),
        "a name that leads out of it on the way": (archive(("a/../../up.png", picture)), r"leads out"),
        "an absolute name": (archive(("/etc/cron.d/x.png", picture)), r"leads out"),
        "a name of Windows with a drive": (archive(("C:\\Windows\\x.png", picture)), r"leads out"),
        "a name of a drive and no folder": (archive(("C:x.png", picture)), r"leads out"),
        "a name of a Windows share": (archive(("\\\\server\\share\\x.png", picture)), r"leads out"),
        "a name of Windows that leads out": (archive(("..\\..\\up.png", picture)), READ),
        "a name of Windows": (archive(("folder\\x.png", picture)), READ),
        "a name that Windows keeps for devices": (archive(("con.png", picture), ("nul.png", picture)), READ),
        "a stream of another file": (archive(("a.txt:x.png", picture)), READ),
        "a link": (archive((_link("link.png"), b"/etc/passwd")), r"is a link"),
        "a link to a folder and a file behind it": (
            archive((_link("link.png"), b"/tmp"), ("link.png/x.png", picture)),
            r"is a link",
        ),
        "a pipe": (archive((_special("pipe.png", stat.S_IFIFO), b"")), EITHER),
        "a device": (archive((_special("device.png", stat.S_IFCHR), b"")), EITHER),
        "one name twice": (_twice("double.png"), r"more than once"),
        "an encrypted member": (_with_bad(6, 8, "<H", 1), r"is encrypted"),
        "an unknown compression": (_with_bad(8, 10, "<H", 77), r"is damaged within the ZIP"),
        "deflated bytes said to be LZMA": (_with_bad(8, 10, "<H", 14), r"is damaged within the ZIP"),
        "deflated bytes said to be bzip2": (_with_bad(8, 10, "<H", 12), r"is damaged within the ZIP"),
        "a wrong checksum": (_with_bad(14, 16, "<I", 4711), r"is damaged within the ZIP"),
        "a member whose own name differs": (
            _with_bad(30, 46, "<B", 90).replace(b"Zad.png", b"bad.png", 1),
            r"is damaged within the ZIP",
        ),
        "a member that claims less than it holds": (_with_bad(22, 24, "<I", 10), r"is damaged within the ZIP"),
        "a member that claims more than it holds": (_with_bad(22, 24, "<I", 10**6), READ),
        "a member that begins beyond the file": (
            _changed(archive(("bad.png", picture)), (_CENTRAL, 42, "<I", 2**31)),
            r"is damaged within the ZIP",
        ),
        "an archive within it": (archive(("inner.zip", inner)), READ),
        "thirty archives, each within the next": (deep, READ),
        "an archive within it that claims to be a frame": (archive(("inner.png", inner)), r"ZIP file"),
        "a frame of 25 MB": (archive(("large.png", picture + bytes(25 * 2**20))), r"larger than 20 MB"),
        "a bitmap of 90 MB of zeros": (archive(("large.bmp", b"BM" + bytes(90 * 2**20))), r"larger than 20 MB"),
        "a cine loop of 210 MB": (
            raw_archive((b"loop.dcm", _of_zeros(1)[0], 201 * 2**20, 0)),
            r"larger than 200 MB|damaged within the ZIP|times its own size",
        ),
        "a cine loop of 99 MB of zeros": (
            raw_archive((b"loop.dcm", *large)),
            r"DICOM .* damaged|DICOM .* cut short",
        ),
        "a name of two lines": (archive(("two\nlines.png", picture)), READ),
        "a name of terminal commands": (archive(("\x1b[31mred.png", picture)), READ),
        "a name of 255 bytes": (archive(("ü" * 125 + ".png", picture)), READ),
        "a name of 60000 letters": (archive(("x" * 60_000 + ".png", picture)), READ),
        "a name of 60000 letters of an empty frame": (archive(("x" * 60_000 + ".png", b"")), r"is empty"),
        "a folder of a thousand folders": (archive(("a/" * 1000 + "x.png", picture)), READ),
        "a name of Unicode": (archive(("صورة 👶🏽.png", picture)), READ),
        "a name composed and the same decomposed": (archive(("é.png", picture), ("e\u0301.png", picture)), READ),
        "a name without letters": (archive((".png", picture), ("..png", picture)), READ),
        "a member without a name": (archive((zipfile.ZipInfo(""), picture)), EITHER),
        "names in the letters of DOS": (raw_archive(_empty(b"caf\x82.png"), flags=0), EITHER),
        "names in upper and lower case": (archive(("A.png", picture), ("a.png", picture)), READ),
        "empty frames": (archive(("0.png", b""), ("1.png", b"")), r"is empty"),
        "no frame at all": (archive(("a.txt", b"words"), ("b.csv", b"a,b")), READ),
        "a comment of 65535 bytes": (plain[:-2] + b"\xff\xff" + b"x" * 65_535, READ),
        "a programme before it": (b"PK\x03\x04" + bytes(500) + plain, EITHER),
        "something behind it": (plain + bytes(500), EITHER),
        "an end that counts too few": (_changed(plain, (_END, 10, "<H", 1)), EITHER),
        "an end that counts too many": (_changed(plain, (_END, 10, "<H", 9999)), EITHER),
        "an extra field that leaves its place": (_changed(plain, (_CENTRAL, 30, "<H", 9999)), EITHER),
        "broken frames of every kind": (_broken_frames(), r"."),
    }
    made = refused | opened
    return (*found, *(Case("ZIP", what, "set.zip", data, says) for what, (data, says) in made.items()))
