"""Hostile and broken pictures: PNG, JPEG, TIFF, BMP and DICOM, built here byte by byte or by their usual writers."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Mapping
from functools import cache

import numpy as np
from PIL import Image
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels import get_encoder
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    JPEGBaseline8Bit,
    RLELossless,
    UltrasoundMultiFrameImageStorage,
)

from .case import EITHER, READ, Case, cuts, flips

HEIGHT, WIDTH = 40, 52
ROWS = 8
FLIPS_EACH = 4
HUGE = 100_000
SECRET = "Mustermann"
LONGEST_NAME = 255

CUT = r"is cut short"
DAMAGED = r"is a damaged|is damaged|could not be decoded|is cut short"
NOTHING = r"shows nothing"
TOO_LARGE = r"megapixels|MB of memory"
NO_IMAGE = r"is not an image"


def noise(channels: int = 1, shape: tuple[int, int] = (HEIGHT, WIDTH)) -> np.ndarray:
    """A picture (H, W) or (H, W, C) uint8 that no compression makes small, so that every tenth holds some of it."""
    values = np.random.default_rng(3).integers(0, 256, (*shape, channels)).astype(np.uint8)
    return values[..., 0] if channels == 1 else values


def saved(pixels: np.ndarray | Image.Image, form: str, **options: object) -> bytes:
    """A picture written by Pillow."""
    buffer = io.BytesIO()
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(buffer, form, **options)
    return buffer.getvalue()


@cache
def zeros_deflated(megabytes: int) -> bytes:
    """So many megabytes of zeros as a deflate stream, about a thousandth of them long."""
    packer = zlib.compressobj(9)
    return b"".join([*(packer.compress(bytes(2**20)) for _ in range(megabytes)), packer.flush()])


# ---------------------------------------------------------------------------------------------------------------------
# PNG


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(
    width: int = WIDTH,
    height: int = HEIGHT,
    depth: int = 8,
    colour: int = 0,
    *,
    data: bytes | None = None,
    between: bytes = b"",
    methods: tuple[int, int, int] = (0, 0, 0),
) -> bytes:
    """A PNG with any header, its rows of zeros where no other data are given."""
    rows = zlib.compress(b"\0" * (1 + WIDTH) * HEIGHT) if data is None else data
    header = struct.pack(">IIBBBBB", width, height, depth, colour, *methods)
    chunks = chunk(b"IHDR", header) + between + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def sound_pngs() -> dict[str, bytes]:
    deep = noise().astype(np.uint16) * 257
    return {f"{name}.png": saved(one, "PNG") for name, one in (("gray", noise()), ("colour", noise(3)), ("deep", deep))}


def _pngs() -> list[Case]:
    sound = sound_pngs()
    found = [case for name, data in sound.items() for case in cuts("PNG", name, data)]
    found += [case for name, data in sound.items() for case in flips("PNG", name, data, FLIPS_EACH)]
    gray = sound["gray.png"]
    palette = chunk(b"PLTE", bytes(range(12)))
    bomb = zeros_deflated(40)
    made = {
        "a header that claims ten gigapixels": (png(HUGE, HUGE), TOO_LARGE),
        "a header that claims two milliards of pixels each way": (png(2**31 - 1, 2**31 - 1), TOO_LARGE),
        "width 0": (png(width=0), NOTHING),
        "height 0": (png(height=0), NOTHING),
        "16-bit colour of 6000 x 6000 and a kilobyte of data": (png(6000, 6000, 16, 6), TOO_LARGE),
        "6000 x 6000 claimed and no data": (png(6000, 6000), CUT),
        "deflated zeros a thousand times their size": (png(data=bomb), EITHER),
        "deflated zeros of 6300 x 6300, told by the header": (png(6300, 6300, data=bomb), EITHER),
        "depth 3": (png(depth=3), DAMAGED),
        "colour type 5": (png(colour=5), DAMAGED),
        "compression method 9": (png(methods=(9, 0, 0)), DAMAGED),
        "interlacing method 7": (png(methods=(0, 0, 7)), DAMAGED),
        "a palette picture without a palette": (png(colour=3), DAMAGED),
        "a palette of four and values beyond": (
            png(colour=3, between=palette, data=zlib.compress((b"\0" + b"\xff" * WIDTH) * HEIGHT)),
            EITHER,
        ),
        "data that are no deflate stream": (png(data=bytes(range(200)) * 10), DAMAGED),
        "rows that stop half way": (png(data=zlib.compress(b"\0" * (1 + WIDTH) * (HEIGHT // 2))), DAMAGED),
        "a filter that does not exist": (png(data=zlib.compress((b"\x09" + b"\1" * WIDTH) * HEIGHT)), DAMAGED),
        "a wrong checksum": (gray[:-20] + bytes([gray[-20] ^ 1]) + gray[-19:], DAMAGED),
        "a chunk that claims four gigabytes": (gray[:33] + b"\xff\xff\xff\xff" + gray[37:], CUT),
        "no data chunk": (gray[:33] + chunk(b"IEND", b""), DAMAGED),
        "no header chunk": (gray[:8] + gray[33:], DAMAGED),
        "two headers that differ": (
            gray[:33] + chunk(b"IHDR", struct.pack(">IIBBBBB", 9, 9, 8, 0, 0, 0, 0)) + gray[33:],
            EITHER,
        ),
        "a hundred megabytes of text, deflated": (
            png(between=chunk(b"zTXt", b"x\0\0" + zeros_deflated(100))),
            READ,
        ),
        "a colour profile that is a bomb": (
            png(between=chunk(b"iCCP", b"x\0\0" + zeros_deflated(100))),
            READ,
        ),
        "an orientation that leaves its block": (
            png(between=chunk(b"eXIf", b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\xff\xff\xff\xff\0\6\0\0")),
            READ,
        ),
        "an animation of four milliards of frames": (
            png(between=chunk(b"acTL", b"\xff\xff\xff\xff\0\0\0\0")),
            READ,
        ),
        "an animation whose chunk is empty": (png(between=chunk(b"acTL", b"")), READ),
        "ten thousand empty chunks": (png(between=chunk(b"tEXt", b"") * 10_000), READ),
        "only the signature": (gray[:8], CUT),
        "the signature of a file that went through a text filter": (gray.replace(b"\r\n", b"\n", 1), NO_IMAGE),
        "a picture and a ZIP behind it": (gray + b"PK\x03\x04" + bytes(100), READ),
    }
    return found + [Case("PNG", what, "scan.png", data, says) for what, (data, says) in made.items()]


# ---------------------------------------------------------------------------------------------------------------------
# JPEG


def jpeg_header(width: int, height: int, frame: int = 0xC0, components: int = 1, sampling: int = 0x11) -> bytes:
    """A start and a frame header, with tables of ones."""
    body = struct.pack(">BHHB", 8, height, width, components)
    body += b"".join(bytes([1 + number, sampling, 0]) for number in range(components))
    quantisation = b"\xff\xdb" + struct.pack(">H", 67) + b"\0" + b"\1" * 64
    return b"\xff\xd8" + quantisation + b"\xff" + bytes([frame]) + struct.pack(">H", len(body) + 2) + body


def _frame_of(width: int, height: int) -> bytes:
    """A frame header alone, of three components."""
    return jpeg_header(width, height, components=3)[71:]


def _exif(body: bytes) -> bytes:
    """A segment of EXIF; Pillow strings several together."""
    return b"\xff\xe1" + struct.pack(">H", len(body) + 8) + b"Exif\0\0" + body


def _sharing_tags(tags: int = 400, length: int = 2_000_000) -> list[bytes]:
    """An EXIF block in which every tag has all of the rest as its value, cut into segments."""
    start = 8 + 2 + 12 * tags + 4
    entries = [struct.pack("<HHII", 1000 + number, 7, length, start) for number in range(tags)]
    block = b"II*\0" + struct.pack("<IH", 8, tags) + b"".join(entries) + bytes(4 + length)
    return [block[place : place + 65_000] for place in range(0, len(block), 65_000)]


def jpeg_scan(data: bytes, components: int = 1, last: int = 63) -> bytes:
    """Huffman tables of one code and a scan with these data."""
    table = b"\1" + bytes(15) + b"\0"
    tables = b"".join(
        b"\xff\xc4" + struct.pack(">H", 3 + len(table)) + bytes([place]) + table for place in (0x00, 0x10)
    )
    head = bytes([components]) + b"".join(bytes([1 + number, 0]) for number in range(components)) + bytes([0, last, 0])
    return tables + b"\xff\xda" + struct.pack(">H", len(head) + 2) + head + data


def sound_jpegs() -> dict[str, bytes]:
    return {
        "baseline.jpg": saved(noise(3), "JPEG", quality=90),
        "progressive.jpg": saved(noise(3), "JPEG", quality=90, progressive=True),
        "gray.jpg": saved(noise(), "JPEG", quality=90),
    }


def _jpegs() -> list[Case]:
    sound = sound_jpegs()
    found = [case for name, data in sound.items() for case in cuts("JPEG", name, data)]
    found += [case for name, data in sound.items() for case in flips("JPEG", name, data, FLIPS_EACH)]
    base, progressive = sound["baseline.jpg"], sound["progressive.jpg"]
    scan = progressive[progressive.rindex(b"\xff\xda") : -2]
    end = b"\xff\xd9"
    made = {
        "a frame header that claims four gigapixels": (jpeg_header(65535, 65535) + jpeg_scan(b"\0") + end, TOO_LARGE),
        "width 0": (jpeg_header(0, 9) + jpeg_scan(b"\0") + end, NOTHING),
        "height 0, to be told later": (jpeg_header(9, 0) + jpeg_scan(b"\0") + end, NOTHING),
        "6300 x 6300 in colour claimed and no data": (
            jpeg_header(6300, 6300, components=3) + jpeg_scan(b"\0", 3) + end,
            DAMAGED,
        ),
        "6300 x 6300 in progressive colour claimed and no data": (
            jpeg_header(6300, 6300, frame=0xC2, components=3) + jpeg_scan(b"\0", 3, 0) + end,
            DAMAGED,
        ),
        "6300 x 6300 in arithmetic coding claimed and no data": (
            jpeg_header(6300, 6300, frame=0xCA, components=3) + jpeg_scan(b"\0", 3, 0) + end,
            TOO_LARGE,
        ),
        "lossless frame": (jpeg_header(9, 9, frame=0xC3) + jpeg_scan(b"\0") + end, DAMAGED),
        "no component": (jpeg_header(9, 9, components=0) + jpeg_scan(b"\0") + end, DAMAGED),
        "two hundred components": (jpeg_header(9, 9, components=200) + jpeg_scan(b"\0") + end, DAMAGED),
        "sampling of 15 x 15": (jpeg_header(9, 9, sampling=0xFF) + jpeg_scan(b"\0") + end, DAMAGED),
        "a frame header of two bytes": (b"\xff\xd8\xff\xc0\0\2" + end, DAMAGED),
        "a segment of length 0": (b"\xff\xd8\xff\xe0\0\0" + base[20:], DAMAGED),
        "a segment that leaves the file": (b"\xff\xd8\xff\xe0\xff\xff" + base[20:200], CUT),
        "no scan": (jpeg_header(9, 9) + end, DAMAGED),
        "no tables": (b"\xff\xd8" + base[base.index(b"\xff\xc0") :], DAMAGED),
        "no end marker": (base[:-2], CUT),
        "an end marker half way": (base[: len(base) // 2].rstrip(b"\xff") + end, CUT),
        "an end marker half way of a progressive file": (
            progressive[: len(progressive) * 9 // 10].rstrip(b"\xff") + end,
            DAMAGED,
        ),
        "two hundred passes": (progressive[:-2] + scan * 200 + end, DAMAGED),
        "a second frame header behind the right one": (
            base.replace(b"\xff\xda", _frame_of(60000, 60000) + b"\xff\xda", 1),
            DAMAGED,
        ),
        "a scan of a megabyte of 0xFF": (base[:-2] + b"\xff" * 2**20 + b"\0" + end, EITHER),
        "a hundred thousand segments": (base[:2] + b"\xff\xfe\0\2" * 100_000 + base[2:], DAMAGED),
        "an EXIF block of tags that share two megabytes": (
            base[:2] + b"".join(_exif(part) for part in _sharing_tags()) + base[2:],
            READ,
        ),
        "only the start": (b"\xff\xd8\xff", CUT),
        "a thousand fill bytes": (b"\xff\xd8" + b"\xff" * 1000 + base[2:], EITHER),
        "an EXIF block that points to itself": (
            base[:2] + b"\xff\xe1\0\x22Exif\0\0II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\x08\0\0\0" + base[2:],
            EITHER,
        ),
        "an EXIF block cut short": (base[:2] + b"\xff\xe1\0\x0cExif\0\0II*\0" + base[2:], READ),
        "a list of four milliards of pictures": (
            base[:2]
            + b"\xff\xe2\0\x22MPF\0II*\0\x08\0\0\0\1\0\1\xb0\4\0\1\0\0\0\xff\xff\xff\xff\0\0\0\0\0\0"
            + base[2:],
            EITHER,
        ),
        "another picture behind the end": (base + base, READ),
        "text behind the start": (b"\xff\xd8\xff\xe0" + b"Dear doctor, " * 20, CUT),
        "a lossless JPEG 2000 stream": (saved(noise(), "JPEG2000"), "JPEG 2000"),
    }
    return found + [Case("JPEG", what, "scan.jpg", data, says) for what, (data, says) in made.items()]


# ---------------------------------------------------------------------------------------------------------------------
# TIFF

SHORT, LONG, SIGNED, FLOAT, LONG8 = 3, 4, 9, 11, 16
_LETTERS = {SHORT: "H", LONG: "I", SIGNED: "i", FLOAT: "f", LONG8: "Q"}
Tags = Mapping[int, tuple[int, list[int]] | None]
NO_TAGS: Tags = {}


def tiff(
    values: np.ndarray, order: str = "<", *, big: bool = False, tile: int = 0, packed: bool = False,
    tags: Tags = NO_TAGS, after: int = 0,
) -> bytes:  # fmt: skip
    """A TIFF of one page (H, W) or (H, W, C) in strips or tiles, any of its tags changed or (None) left out.

    ``after`` is where the next page is said to lie.
    """
    height, width = values.shape[:2]
    samples = values.shape[2] if values.ndim == 3 else 1
    stored = values.astype(values.dtype.newbyteorder(order))
    if tile:
        stored = np.pad(stored, [(0, -height % tile), (0, -width % tile)] + [(0, 0)] * (values.ndim - 2))
        spots = [(y, x) for y in range(0, height, tile) for x in range(0, width, tile)]
        parts = [stored[y : y + tile, x : x + tile].tobytes() for y, x in spots]
        layout: dict[int, tuple[int, list[int]]] = {322: (LONG, [tile]), 323: (LONG, [tile])}
    else:
        parts = [stored[y : y + ROWS].tobytes() for y in range(0, height, ROWS)]
        layout = {278: (LONG, [ROWS])}
    described = {
        256: (LONG, [width]),
        257: (LONG, [height]),
        258: (SHORT, [8 * values.dtype.itemsize] * samples),
        259: (SHORT, [8 if packed else 1]),
        262: (SHORT, [1 if samples == 1 else 2]),
        277: (SHORT, [samples]),
        339: (SHORT, [3 if values.dtype.kind == "f" else 1] * samples),
    }
    parts = [zlib.compress(part) for part in parts] if packed else parts
    return tiff_of(parts, {**described, **layout, **tags}, order, big, after)


def tiff_of(parts: list[bytes], tags: Tags, order: str = "<", big: bool = False, after: int = 0) -> bytes:
    """A TIFF of these strips (or tiles, where the tags have tiles) and tags; where they lie is added if not told."""
    room, letter = (8, "Q") if big else (4, "I")
    data = bytearray((b"II" if order == "<" else b"MM") + struct.pack(order + "H", 43 if big else 42))
    data += struct.pack(order + "HHQ", 8, 0, 0) if big else bytes(4)
    places = []
    for part in parts:
        places.append(len(data))
        data += part + bytes(-len(part) % 8)
    where, lengths = (324, 325) if 322 in tags else (273, 279)
    tags = {where: (LONG, places), lengths: (LONG, [len(part) for part in parts]), **tags}
    entries = []
    for tag, one in sorted(tags.items()):
        if one is None:
            continue
        kind, numbers = one
        body = struct.pack(f"{order}{len(numbers)}{_LETTERS[kind]}", *numbers)
        if len(body) > room:
            data += bytes(-len(data) % 8)
            body, values = struct.pack(order + letter, len(data)), body
            data += values
        entries.append(struct.pack(f"{order}HH{letter}", tag, kind, len(numbers)) + body.ljust(room, b"\0"))
    data[room : 2 * room] = struct.pack(order + letter, len(data))
    data += struct.pack(order + ("Q" if big else "H"), len(entries)) + b"".join(entries)
    return bytes(data + struct.pack(order + letter, after))


def with_one(values: np.ndarray, value: float) -> np.ndarray:
    """Floating-point values with one of them changed."""
    changed = values.astype(np.float32)
    changed[HEIGHT // 2, WIDTH // 2] = value
    return changed


def sound_tiffs() -> dict[str, bytes]:
    gray, colour = noise(), noise(3)
    return {
        "strips.tif": tiff(colour),
        "strips_big_endian.tif": tiff(colour, ">"),
        "tiles.tif": tiff(colour, tile=16, packed=True),
        "big.tif": tiff(gray, big=True),
        "float.tif": tiff(gray.astype(np.float32)),
        "jpeg.tif": saved(colour, "TIFF", compression="jpeg"),
        "fax.tif": saved(Image.fromarray(gray).convert("1"), "TIFF", compression="group4"),
    }


def _tiffs() -> list[Case]:
    gray, colour, sound = noise(), noise(3), sound_tiffs()
    found = [case for name, data in sound.items() for case in cuts("TIFF", name, data)]
    found += [case for name, data in sound.items() for case in flips("TIFF", name, data, FLIPS_EACH)]
    plain = tiff(gray)
    bomb = zeros_deflated(100)
    made = {
        "NaN among the values": (tiff(with_one(gray, np.nan)), "no numbers"),
        "infinity among the values": (tiff(with_one(gray, np.inf)), "no numbers"),
        "minus infinity among the values": (tiff(with_one(gray, -np.inf)), "no numbers"),
        "values of 10 to the 38th": (tiff(with_one(gray, 3e38)), READ),
        "values from minus to plus 10 to the 38th": (tiff(with_one(with_one(gray, 3e38), -3e38)), READ),
        "values too small to be told apart": (tiff(with_one(gray * 0, 1e-45)), READ),
        "64-bit values": (tiff(gray.astype(np.float64)), EITHER),
        "64-bit NaN": (tiff(np.full((HEIGHT, WIDTH), np.nan)), "could not be decoded|no numbers|does not read"),
        "little-endian values under a big-endian mark": (b"MM" + plain[2:], NO_IMAGE),
        "big-endian head, little-endian directory": (b"MM\0*" + plain[7:3:-1] + plain[8:], EITHER),
        "ten gigapixels claimed": (tiff(gray, tags={256: (LONG, [HUGE]), 257: (LONG, [HUGE])}), TOO_LARGE),
        "width 0": (tiff(gray, tags={256: (LONG, [0])}), NOTHING),
        "a negative height": (tiff(gray, tags={257: (SIGNED, [-5])}), NOTHING),
        "no width": (tiff(gray, tags={256: None}), DAMAGED),
        "a width of two milliards in 64 bits": (
            tiff(gray, big=True, tags={256: (LONG8, [2**63 + 5])}),
            r"shows nothing|megapixels",
        ),
        "no strips": (tiff(gray, tags={273: None}), CUT),
        "strips beyond the file": (tiff(gray, tags={273: (LONG, [10**9] * 5)}), CUT),
        "strips so far away that adding overflows": (
            tiff(gray, big=True, tags={273: (LONG8, [2**63 - 1] * 5)}),
            CUT,
        ),
        "strips of lengths that overflow": (tiff(gray, big=True, tags={279: (LONG8, [2**63 - 1] * 5)}), CUT),
        "fewer strips than rows need": (tiff(gray, tags={273: (LONG, [8]), 279: (LONG, [8 * WIDTH])}), DAMAGED),
        "a strip of no bytes": (tiff(gray, tags={279: (LONG, [0] * 5)}), EITHER),
        "no row in a strip": (tiff(gray, tags={278: (LONG, [0])}), DAMAGED),
        "no samples": (tiff(gray, tags={277: (SHORT, [0])}), EITHER),
        "minus one sample": (tiff(gray, tags={277: (SIGNED, [-1])}), EITHER),
        "a thousand samples": (tiff(gray, tags={277: (SHORT, [1000])}), r"MB of memory|damaged|cut short|decoded"),
        "values of 7 bits": (tiff(gray, tags={258: (SHORT, [7])}), EITHER),
        "values of 0 bits": (tiff(gray, tags={258: (SHORT, [0])}), EITHER),
        "values of 65535 bits": (tiff(gray, tags={258: (SHORT, [65535])}), r"MB of memory|cut short|damaged"),
        "an unknown compression": (tiff(gray, tags={259: (SHORT, [4242])}), DAMAGED),
        "LZW said of plain data": (tiff(gray, tags={259: (SHORT, [5])}), EITHER),
        "JPEG said of plain data": (tiff(gray, tags={259: (SHORT, [7])}), DAMAGED),
        "fax said of plain data": (tiff(gray, tags={259: (SHORT, [4]), 258: (SHORT, [1])}), EITHER),
        "an unknown kind of colour": (tiff(gray, tags={262: (SHORT, [999])}), EITHER),
        "a colour map that is not there": (tiff(gray, tags={262: (SHORT, [3])}), EITHER),
        "tiles of 1.7 gigabytes in a picture of one pixel": (
            tiff_of([bomb], ONE_PIXEL | {322: (LONG, [41_000]), 323: (LONG, [41_000])}),
            TOO_LARGE,
        ),
        "tiles of 300 megabytes in a picture of one pixel": (
            tiff_of([bomb], ONE_PIXEL | {322: (LONG, [17_000]), 323: (LONG, [17_000])}),
            TOO_LARGE,
        ),
        "a strip of deflated zeros, a thousand times too long": (
            tiff_of([bomb], ONE_PIXEL | {278: (LONG, [1])}),
            EITHER,
        ),
        "strips of four milliards of rows": (tiff(gray, tags={278: (LONG, [2**32 - 1])}), EITHER),
        "tags that share two megabytes": (_sharing_tiff(gray), DAMAGED),
        "a resolution of half a million fractions": (_of_many(gray, 282, 5, 500_000, 8), r"lists more than"),
        "two million strips of a pixel": (
            tiff_of(
                [bytes(8)],
                ONE_PIXEL
                | {
                    257: (LONG, [2_000_000]),
                    259: (SHORT, [1]),
                    278: (LONG, [1]),
                    273: (LONG, [8] * 2_000_000),
                    279: None,
                },
            ),
            r"lists more than",
        ),
        "two widths, the second of ten gigapixels": (_doubled(gray, 256, HUGE), EITHER),
        "a JPEG strip that claims four gigapixels": (_jpeg_inside(sound["jpeg.tif"], 65535), DAMAGED),
        "half a million pages": (_chained(gray, 500_000), READ),
        "tiles of no size": (tiff(gray, tile=16, tags={322: (LONG, [0]), 323: (LONG, [0])}), DAMAGED),
        "tiles of 17 pixels": (tiff(gray, tile=17), EITHER),
        "pages that go in a circle": (tiff(gray, after=8), EITHER),
        "a next page beyond the file": (tiff(gray, after=2**31), EITHER),
        "a directory beyond the file": (plain[:4] + struct.pack("<I", 2**31) + plain[8:], CUT),
        "a directory within the head": (plain[:4] + struct.pack("<I", 2) + plain[8:], EITHER),
        "a directory of 65535 entries": (plain[:4] + struct.pack("<I", len(plain)) + plain[8:] + b"\xff\xff", CUT),
        "a BigTIFF directory of 2 to the 60th entries": (
            b"II" + struct.pack("<HHHQQ", 43, 8, 0, 16, 2**60),
            CUT,
        ),
        "BigTIFF offsets of 3 bytes": (b"II" + struct.pack("<H", 43) + b"\3\0" + tiff(gray, big=True)[6:], EITHER),
        "the head alone": (b"II*\0", CUT),
        "an orientation of 99": (tiff(gray, tags={274: (SHORT, [99])}), READ),
        "an orientation stored as a fraction": (tiff(gray, tags={274: (FLOAT, [6])}), EITHER),
        "16-bit colours in planes": (
            tiff(colour.astype(np.uint16), tags={284: (SHORT, [2])}),
            r"separate planes|cut short|damaged",
        ),
    }
    return found + [Case("TIFF", what, "scan.tif", data, says) for what, (data, says) in made.items()]


def _sharing_tiff(values: np.ndarray, number: int = 400, length: int = 2_000_000) -> bytes:
    """A TIFF with so many private tags that all have the same bytes as their value."""
    plain = tiff(values, tags={60_000 + tag: (LONG, [0, 0]) for tag in range(number)})
    changed = bytearray(plain + bytes(length))
    for tag in range(number):
        place = plain.index(struct.pack("<HHI", 60_000 + tag, LONG, 2))
        changed[place : place + 12] = struct.pack("<HHII", 60_000 + tag, 7, length, len(plain))
    return bytes(changed)


def _of_many(values: np.ndarray, tag: int, kind: int, count: int, size: int) -> bytes:
    """A TIFF with a tag of so many values, all zeros."""
    plain = tiff(values, tags={tag: (LONG, [0])})
    place = plain.index(struct.pack("<HHI", tag, LONG, 1))
    return (
        plain[:place] + struct.pack("<HHII", tag, kind, count, len(plain)) + plain[place + 12 :] + bytes(count * size)
    )


def _doubled(values: np.ndarray, tag: int, value: int) -> bytes:
    """A TIFF whose tag of the image's description is the second of this tag, with another value."""
    plain = tiff(values, tags={tag + 1: (LONG, [value])})
    place = plain.index(struct.pack("<HHI", tag + 1, LONG, 1))
    return plain[:place] + struct.pack("<H", tag) + plain[place + 2 :]


def _jpeg_inside(data: bytes, side: int) -> bytes:
    """A TIFF of JPEG strips, of which the first claims another size."""
    place = data.index(b"\xff\xc0") + 5
    return data[:place] + struct.pack(">HH", side, side) + data[place + 4 :]


def _chained(values: np.ndarray, pages: int) -> bytes:
    """A TIFF with so many empty pages behind the first."""
    plain = tiff(values, after=1)
    plain = plain[:-4] + struct.pack("<I", len(plain))
    return plain + b"".join(struct.pack("<HI", 0, len(plain) + 6 * (page + 1)) for page in range(pages - 1)) + bytes(6)


ONE_PIXEL: Tags = {
    256: (LONG, [1]),
    257: (LONG, [1]),
    258: (SHORT, [8]),
    259: (SHORT, [8]),
    262: (SHORT, [1]),
    277: (SHORT, [1]),
}
"""What a page of one deflated gray pixel says of itself."""


# ---------------------------------------------------------------------------------------------------------------------
# BMP


def bmp(
    width: int, height: int, bits: int, compression: int, data: bytes, *, start: int = 54, header: int = 40
) -> bytes:
    """A BMP of any header. ``start`` is where its rows are said to begin."""
    size = 14 + header + len(data)
    head = b"BM" + struct.pack("<IHHI", size, 0, 0, start)
    return head + struct.pack("<IiiHHIIiiII", header, width, height, 1, bits, compression, 0, 0, 0, 0, 0) + data


def sound_bmps() -> dict[str, bytes]:
    return {"gray.bmp": saved(noise(), "BMP"), "colour.bmp": saved(noise(3), "BMP")}


def _bmps() -> list[Case]:
    sound = sound_bmps()
    found = [case for name, data in sound.items() for case in cuts("BMP", name, data)]
    found += [case for name, data in sound.items() for case in flips("BMP", name, data, FLIPS_EACH)]
    rows = bytes(3 * WIDTH * HEIGHT)
    made = {
        "ten gigapixels claimed": (bmp(HUGE, HUGE, 24, 0, rows), TOO_LARGE),
        "6000 x 6000 claimed and no data": (bmp(6000, 6000, 24, 0, b""), CUT),
        "6000 x 6000 of one bit claimed in run lengths": (bmp(6000, 6000, 8, 1, b"\0\1"), DAMAGED),
        "width 0": (bmp(0, HEIGHT, 24, 0, rows), NOTHING),
        "a negative width": (bmp(-WIDTH, HEIGHT, 24, 0, rows), NOTHING),
        "the most negative height": (bmp(WIDTH, -(2**31), 24, 0, rows), TOO_LARGE),
        "3 bits a pixel": (bmp(WIDTH, HEIGHT, 3, 0, rows), DAMAGED),
        "65535 bits a pixel": (bmp(WIDTH, HEIGHT, 65535, 0, rows), DAMAGED),
        "an unknown compression": (bmp(WIDTH, HEIGHT, 24, 77, rows), DAMAGED),
        "a PNG inside": (bmp(WIDTH, HEIGHT, 0, 5, saved(noise(), "PNG")), DAMAGED),
        "run lengths that leave the picture": (bmp(WIDTH, HEIGHT, 8, 1, bytes(1024) + b"\xff\1" * 5000), EITHER),
        "run lengths that jump out of the picture": (
            bmp(WIDTH, HEIGHT, 8, 1, bytes(1024) + b"\0\2\xff\xff" * 50),
            EITHER,
        ),
        "rows that begin beyond the file": (bmp(WIDTH, HEIGHT, 24, 0, rows, start=2**31), CUT),
        "rows that begin within the header": (bmp(WIDTH, HEIGHT, 24, 0, rows, start=3), READ),
        "a header of 41 bytes": (bmp(WIDTH, HEIGHT, 24, 0, rows, header=41), NO_IMAGE),
        "the first two letters alone": (b"BM", NO_IMAGE),
        "a letter that begins like one": (b"BMI of the mother, see page 2. " * 9, NO_IMAGE),
    }
    return found + [Case("BMP", what, "scan.bmp", data, says) for what, (data, says) in made.items()]


# ---------------------------------------------------------------------------------------------------------------------
# DICOM


_CHARACTERS, _PRIVATE, _REGIONS, _SPACING = (0x0008, 0x0005), (0x0009, 0x1010), (0x0018, 0x6011), (0x0028, 0x0030)


def dicom(
    frames: np.ndarray, syntax: str = ExplicitVRLittleEndian, encoded: list[bytes] | None = None, **tags: object
) -> bytes:
    """A DICOM file of gray frames (N, H, W) uint8 with somebody's name in it, its tags changed or (None) left out."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = UltrasoundMultiFrameImageStorage, "1.2.3"
    made = Dataset()
    made.file_meta = meta
    made.PatientName = f"{SECRET}^Erika"
    made.NumberOfFrames, made.Rows, made.Columns = frames.shape
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 8, 8, 7, 0
    made.PixelData = frames.tobytes() if encoded is None else encapsulate(encoded)
    made["PixelData"].VR = "OB"
    for keyword, value in tags.items():
        if value is None:
            delattr(made, keyword)
        else:
            setattr(made, keyword, value)
    buffer = io.BytesIO()
    made.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _loop() -> tuple[np.ndarray, list[bytes]]:
    """Three frames, and each as JPEG."""
    loop = np.stack([noise(), noise()[::-1], noise()[:, ::-1]])
    return loop, [saved(frame, "JPEG", quality=90) for frame in loop]


def sound_dicoms() -> dict[str, bytes]:
    loop, jpegs = _loop()
    return {
        f"{SECRET} single.dcm": dicom(loop[:1]),
        f"{SECRET} loop.dcm": dicom(loop),
        f"{SECRET} jpeg.dcm": dicom(loop, JPEGBaseline8Bit, jpegs),
        f"{SECRET} runs.dcm": dicom(loop, RLELossless, _run_lengths(loop)),
    }


def _dicoms() -> list[Case]:
    (loop, jpegs), sound = _loop(), sound_dicoms()
    one = loop[:1]
    # A header that is cut off before its letters is of no known kind; so are bytes that only end in .dcm.
    found = [case for name, data in sound.items() for case in cuts("DICOM", name, data, EITHER)]
    found += [case for name, data in sound.items() for case in flips("DICOM", name, data, FLIPS_EACH)]
    bad = r"damaged|cut short|does not read|no picture|shows nothing|megapixels|MB of memory"
    made = {
        "four milliards of frames claimed": (dicom(one, NumberOfFrames=2**31 - 1), bad),
        "no frame": (dicom(one, NumberOfFrames=0), EITHER),
        "minus one frame": (dicom(one, NumberOfFrames=-1), EITHER),
        "65535 x 65535 claimed": (dicom(one, Rows=65535, Columns=65535), bad),
        "no rows": (dicom(one, Rows=0), bad),
        "no tag of rows": (dicom(one, Rows=None), bad),
        "no picture": (dicom(one, PixelData=None), bad),
        "a picture of one byte": (dicom(one, PixelData=b"\0\0"), bad),
        "an unknown syntax": (_renamed(dicom(one), "1.2.840.10008.1.2.9"), bad),
        "a syntax of big-endian bytes over little-endian ones": (
            _renamed(dicom(one), ExplicitVRBigEndian),
            bad,
        ),
        "frames said to be JPEG and plain": (dicom(one, JPEGBaseline8Bit, [one.tobytes()]), bad),
        "frames said to be run lengths and JPEG": (dicom(loop, RLELossless, jpegs), bad),
        "run lengths that stand for a thousand times as much": (
            dicom(one, RLELossless, [struct.pack("<II", 1, 64) + bytes(56) + b"\x81\0" * 100_000]),
            EITHER,
        ),
        "JPEG frames of another size": (
            dicom(loop, JPEGBaseline8Bit, [saved(noise(shape=(8, 8)), "JPEG")] * 3),
            bad,
        ),
        "JPEG frames that claim four gigapixels": (
            dicom(one, JPEGBaseline8Bit, [jpeg_header(65535, 65535) + jpeg_scan(b"\0") + b"\xff\xd9"]),
            bad,
        ),
        "a frame without an end": (dicom(loop, JPEGBaseline8Bit, jpegs)[:-200], bad),
        "values of 7 bits": (dicom(one, BitsAllocated=7, BitsStored=7), bad),
        "more bits stored than there are": (dicom(one, BitsStored=99), EITHER),
        "two hundred samples": (dicom(one, SamplesPerPixel=200), bad),
        "colours of no known kind": (dicom(one, PhotometricInterpretation="MAUVE"), bad),
        "colours that are missing": (dicom(one, PhotometricInterpretation=None), EITHER),
        "a window of width 0": (dicom(one, WindowCenter=1, WindowWidth=0), EITHER),
        "a slope that is no number": (dicom(one).replace(b"MONOCHROME2 ", b"MONOCHROME2\0"), EITHER),
        "a spacing of 0": (dicom(one, PixelSpacing=[0, 0]), EITHER),
        "a spacing of 10 to the 300th": (dicom(one, PixelSpacing=[1e300, 1e300]), EITHER),
        **{what: (data, r"larger header") for what, data in small_bombs().items() if "end" not in what},
        "the letters alone": (bytes(128) + b"DICM", bad),
        "letters and noise": (bytes(128) + b"DICM" + noise().tobytes(), bad),
        "letters and a hundred kilobytes of one letter": (bytes(128) + b"DICM" + b"A" * 100_000, bad),
        "a letter under its name": (b"Patient: Mustermann, Erika. " * 9, NO_IMAGE),
        "nothing under its name": (b"", "is empty"),
    }
    return found + [Case("DICOM", what, f"{SECRET} Erika.dcm", data, says) for what, (data, says) in made.items()]


def deflated_dicom(tag: tuple[int, int], kind: bytes, value: bytes, size: int | None = None) -> bytes:
    """A deflated DICOM file of a sound picture, with a tag before it; its length is not told where ``size`` is -1."""
    small = dicom(noise()[None], DeflatedExplicitVRLittleEndian)
    start = 144 + int.from_bytes(small[140:144], "little")
    length = (len(value) if size is None else size) % 2**32
    tags = struct.pack("<HH2sHI", *tag, kind, 0, length) + value + zlib.decompress(small[start:], -15)
    packer = zlib.compressobj(1, zlib.DEFLATED, -15)
    return small[:start] + packer.compress(tags) + packer.flush()


def small_bombs() -> dict[str, bytes]:
    """Deflated DICOM files of some kilobytes, of whose headers a reader would make hundreds of megabytes."""
    items = b"\xfe\xff\0\xe0\0\0\0\0" * 150_000
    return {
        "deflated, a hundred and twenty thousand regions": deflated_dicom(_REGIONS, b"SQ", items[: 8 * 120_000]),
        "deflated, a sequence that nobody asks for, without an end": deflated_dicom(_PRIVATE, b"SQ", items, -1),
        "deflated, three million sets of characters": deflated_dicom(_CHARACTERS, b"UT", b"\\" * 3_000_000),
        "deflated, a private value of 40 MB without an end": deflated_dicom(_PRIVATE, b"OB", bytes(40 * 2**20), -1),
        "deflated, a million and a half of spacings": deflated_dicom(_SPACING, b"UN", b"1\\" * 1_500_000),
    }


def _renamed(data: bytes, syntax: str) -> bytes:
    """A file that says it were written in another transfer syntax of as many letters."""
    return data.replace(ExplicitVRLittleEndian.encode(), syntax.encode())


def _run_lengths(frames: np.ndarray) -> list[bytes]:
    encoder = get_encoder(RLELossless)
    form = {"rows": HEIGHT, "columns": WIDTH, "samples_per_pixel": 1, "bits_allocated": 8, "bits_stored": 8}
    form |= {"pixel_representation": 0, "photometric_interpretation": "MONOCHROME2", "number_of_frames": 1}
    return [encoder.encode(frame, encoding_plugin="pydicom", **form) for frame in frames]


# ---------------------------------------------------------------------------------------------------------------------
# Other kinds, other names, and sizes


def _others() -> list[Case]:
    picture, jpeg = saved(noise(), "PNG"), saved(noise(), "JPEG")
    large = 21 * 2**20
    beginnings = {
        "a GIF": (b"GIF89a" + bytes(50), "GIF"),
        "a WebP": (b"RIFF\x20\0\0\0WEBPVP8 " + bytes(40), "WebP"),
        "an AVI": (b"RIFF\x20\0\0\0AVI LIST" + bytes(40), "AVI"),
        "an MP4": (b"\0\0\0\x20ftypisom" + bytes(40), "MP4"),
        "a HEIC": (b"\0\0\0\x20ftypheic" + bytes(40), "HEIC"),
        "a PDF": (b"%PDF-1.7\n" + bytes(40), "PDF"),
        "a ZIP": (b"PK\3\4" + bytes(40), "ZIP"),
        "a gzip": (b"\x1f\x8b\x08" + bytes(40), "gzip"),
        "a Photoshop file": (b"8BPS" + bytes(40), "Photoshop"),
        "a programme": (b"\x7fELF" + bytes(200), NO_IMAGE),
        "a page of the web": (b"<!DOCTYPE html><html>404</html>", NO_IMAGE),
        "an SVG with a script": (b"<svg><script>alert(1)</script></svg>", NO_IMAGE),
        "a kilobyte of zeros": (bytes(1024), NO_IMAGE),
        "one byte": (b"\x89", NO_IMAGE),
        "nothing": (b"", "is empty"),
        "21 megabytes": (picture + bytes(large), "larger than 20 MB"),
        "21 megabytes of zeros": (bytes(large), "larger than 20 MB"),
    }
    found = [Case("other kind", what, "scan.png", data, says) for what, (data, says) in beginnings.items()]
    names = {
        "a PNG called JPEG": ("scan.jpg", picture, "is really a PNG file"),
        "a JPEG called TIFF": ("scan.tiff", jpeg, "is really a JPEG file"),
        "a PNG called DICOM": ("scan.dcm", picture, "is really a PNG file"),
        "a PNG called a table": ("scan.csv", picture, "is really a PNG file"),
        "a name of two lines": ("two\nlines.png", picture, READ),
        "a name with a null": ("nu\0ll.png", picture, READ),
        "a name of terminal commands": ("\x1b[31mred\x1b]0;title\x07.png", picture, READ),
        "a name that turns its reader round": ("scan\u202egpj.png", picture, READ),
        "a name with half a character": ("half\udcff.png", picture, READ),
        "a name of 255 bytes": ("ü" * 125 + ".png", picture, READ),
        "a name of 255 letters, refused": ("x" * 251 + ".png", jpeg, "is really a JPEG file"),
        "a name of 5000 letters": ("x" * 5000 + ".png", picture, READ),
        "a name of dots": ("..", picture, READ),
        "a name that is only an extension": (".png", picture, READ),
        "a name of folders that lead away": ("../../../etc/passwd.png", picture, READ),
        "an absolute name": ("/etc/passwd.png", picture, READ),
        "a name of another system": ("C:\\Windows\\system32\\x.png", picture, READ),
        "a name in Markdown": ("**[x](http://evil.example)**.png", jpeg, "is really a JPEG file"),
        "a name in HTML": ("<img src=x onerror=alert(1)>.png", jpeg, "is really a JPEG file"),
        "a name of a formula": ("=cmd|' /C calc'!A0.png", jpeg, "is really a JPEG file"),
        "a name of marks that join": ("e\u0301" * 60 + ".png", picture, READ),
        "a name of pictures": ("👶🏽🩻.png", picture, READ),
        "a name right to left": ("صورة.png", picture, READ),
    }
    return found + [Case("name", what, name, data, says) for what, (name, data, says) in names.items()]


def good_picture() -> bytes:
    """A sound PNG."""
    return saved(noise(), "PNG")


def sound_pictures() -> dict[str, bytes]:
    """Sound files of every kind and layout."""
    return sound_pngs() | sound_jpegs() | sound_tiffs() | sound_bmps() | sound_dicoms()


@cache
def picture_cases() -> tuple[Case, ...]:
    """All hostile and broken pictures."""
    return tuple([*_pngs(), *_jpegs(), *_tiffs(), *_bmps(), *_dicoms(), *_others()])
