"""How each kind of file becomes pixels: PNG, JPEG, TIFF and BMP, one reader class each.

A reader first tells the size a file claims (:meth:`Reader.size`, nothing is decoded), then proves from the file's
own structure that the picture is all there, and only then decodes. Pillow and OpenCV both hand back half a picture
for some damaged files and say nothing, so that proof is ours: chunks and checksums of a PNG, the markers of a JPEG
and a second decoding that would differ if the data ran dry, the strips of a TIFF, the rows of a BMP.

DICOM, which holds names as well as pictures, has a module of its own; here it is only told from the others.
"""

import hashlib
import re
import struct
import warnings
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import ClassVar

import cv2
import numpy as np
from PIL import BmpImagePlugin, Image, ImageFile, JpegImagePlugin, TiffImagePlugin

from core.errors import ImageError

# Pillow warns about odd metadata. We judge files ourselves, and a warning would be a second line on the terminal.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")

# A progressive JPEG may hold any number of passes over the whole picture in a few bytes each; real ones hold ten.
MAX_JPEG_PASSES = 100
# Real ones have a few hundred, for profiles and thumbnails; five million would fit into what an upload may hold.
MAX_JPEG_SEGMENTS = 10_000
# Deflate cannot expand by more than this, so a PNG whose data are shorter cannot be complete.
MAX_DEFLATE_RATIO = 1032
# A list of numbers in a TIFF becomes objects of Python's; the longest that pictures need says where 16 x 16 tiles lie.
MAX_TIFF_NUMBERS = 200_000
# Bytes put behind a JPEG's data to see whether its decoder still wants some: unlike the zeros that it makes up itself.
JPEG_PADDING = b"\x55\xaa\xb6\x6d" * 128
# Forty megapixels of 8-bit colour. Only 16-bit colour can ask for more, in a small file.
MAX_DECODED_BYTES = 160_000_000
ROWS_AT_A_TIME = 512


DICOM_EXTENSIONS = (".dcm", ".dicom", ".ima")


def is_dicom(data: bytes) -> bool:
    """Whether the bytes begin like a DICOM file: a preamble of any 128 bytes and four letters."""
    return data[128:132] == b"DICM"


def dicom_name(data: bytes) -> str:
    """What a DICOM file is called on pages, in exports and messages: its own name often is the patient's."""
    return f"DICOM {hashlib.sha256(data).hexdigest()[:8]}"


@dataclass(frozen=True)
class Picture:
    """What a reader found: pixels (H, W) or (H, W, 3) RGB uint8, sentences about them, pixel size in mm if known."""

    pixels: np.ndarray
    notes: tuple[str, ...] = ()
    pixel_size_mm: float | None = None


class Reader(ABC):
    """One kind of image file. ``extensions`` are lower case, the usual one first."""

    name: ClassVar[str]
    extensions: ClassVar[tuple[str, ...]]

    @classmethod
    @abstractmethod
    def recognises(cls, data: bytes) -> bool:
        """Whether the bytes begin like a file of this kind."""

    @classmethod
    @abstractmethod
    def size(cls, data: bytes, file: str) -> tuple[int, int]:
        """Width and height that the header claims. Raises ImageError (naming ``file``) where there is no header."""

    @classmethod
    @abstractmethod
    def decode(cls, data: bytes, file: str) -> Picture:
        """The whole picture, or ImageError (naming ``file``); never a part of it."""


def cut_short(file: str) -> ImageError:
    """The error for a file that ends before its picture does."""
    return ImageError(f"{file} is cut short, the file ends before the picture does: copy or export it again.")


def damaged(file: str, kind: str) -> ImageError:
    """The error for a file whose content contradicts itself."""
    return ImageError(f"{file} is a damaged {kind} file: copy or export it again.")


def unsupported(file: str, what: str) -> ImageError:
    """The error for a sound file of a variant we do not read."""
    return ImageError(f"{file} {what}, which PlaneLab does not read: save it as an ordinary 8-bit PNG.")


def check_room(bits: int, width: int, height: int, file: str) -> None:
    """Raises for a picture whose stored values, of so many bits a pixel, would take up too much memory."""
    if width * height * bits > 8 * MAX_DECODED_BYTES:
        raise ImageError(
            f"{file} would take up {width * height * bits // 8_000_000} MB of memory, more than the "
            f"{MAX_DECODED_BYTES // 1_000_000} MB that PlaneLab allows a picture: save a smaller copy."
        )


# ---------------------------------------------------------------------------------------------------------------------
# From stored values to 8 bits


def to_eight_bits(values: np.ndarray, file: str, notes: list[str]) -> np.ndarray:
    """Values of any depth as uint8, and a note that says how.

    Whole numbers are divided by the ceiling of the smallest usual depth that holds the largest of them (8, 10, 12, 14
    or 16 bits): scanners store 12-bit data in 16-bit files, where dividing by 65535 would leave them black, while
    stretching to the largest value would change every frame's brightness. Floating-point values within 0-1 or 0-255
    are taken for what they are; anything else is stretched from its smallest to its largest value.
    """
    if values.dtype == np.uint8:
        return values
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise ImageError(f"{file} holds values that are no numbers (NaN or infinity): export it again without them.")
    low, high = values.min(), values.max()
    if values.dtype.kind == "f":
        if low >= 0 and high <= 255:
            ceiling = 1 if high <= 1 else 255
            notes.append(f"Floating-point values were scaled from 0-{ceiling} to 8 bits.")
            return _scaled(values, 0, ceiling)
    elif low >= 0 and high < 2**16:
        ceiling = next(2**depth - 1 for depth in (8, 10, 12, 14, 16) if high < 2**depth)
        notes.append(f"16-bit values were scaled from 0-{ceiling} to 8 bits.")
        table = _scaled(np.arange(2**16), 0, ceiling)
        return _by_rows(lambda rows: table[rows], values)
    notes.append(f"Values from {low:g} to {high:g} were stretched to 8 bits.")
    return _scaled(values, float(low), float(high))


def _scaled(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Values as uint8 with ``low`` at 0 and ``high`` at 255."""
    factor = 255 / (high - low) if high > low else 0.0
    return _by_rows(lambda rows: np.clip(np.rint((rows.astype(np.float64) - low) * factor), 0, 255), values)


def _by_rows(function: Callable[..., np.ndarray], *arrays: np.ndarray) -> np.ndarray:
    """``function`` of arrays as uint8, a block of rows at a time: what it needs in between stays small."""
    result = np.empty(arrays[0].shape, np.uint8)
    for start in range(0, len(result), ROWS_AT_A_TIME):
        rows = slice(start, start + ROWS_AT_A_TIME)
        result[rows] = function(*(array[rows] for array in arrays))
    return result


def over_black(pixels: np.ndarray, alpha: np.ndarray, notes: list[str]) -> np.ndarray:
    """Pixels (H, W) or (H, W, 3) uint8 laid over black by their opacity (H, W) uint8, with a note if any is clear."""
    if alpha.min() == 255:
        return pixels
    notes.append("Transparent parts were laid over black.")
    opacity = alpha if pixels.ndim == 2 else alpha[..., None]
    return _by_rows(lambda rows, part: (rows * part.astype(np.uint16) + 127) // 255, pixels, opacity)


def upright(pixels: np.ndarray, orientation: int, notes: list[str]) -> np.ndarray:
    """Pixels turned as EXIF's orientation (1-8) asks, with a note; 1 and unknown values leave them alone."""
    turns = {
        2: lambda p: p[:, ::-1],
        3: lambda p: p[::-1, ::-1],
        4: lambda p: p[::-1],
        5: lambda p: p.swapaxes(0, 1),
        6: lambda p: p.swapaxes(0, 1)[:, ::-1],
        7: lambda p: p[::-1, ::-1].swapaxes(0, 1),
        8: lambda p: p.swapaxes(0, 1)[::-1],
    }
    if orientation not in turns:
        return pixels
    notes.append("The picture was turned upright, as its EXIF orientation asks.")
    return turns[orientation](pixels)


def frames_note(count: int) -> list[str]:
    """The note for a file that holds more than one frame."""
    return [f"This file holds {count} frames; the first is shown."] if count > 1 else []


# ---------------------------------------------------------------------------------------------------------------------
# Pillow


def _load(image_class: type[ImageFile.ImageFile], data: bytes, file: str, kind: str) -> ImageFile.ImageFile:
    """A picture decoded by one of Pillow's classes, called directly: ``Image.open`` would guess the kind again."""
    try:
        image = image_class(BytesIO(data))
        image.load()
    except Exception as error:  # hostile bytes make decoders raise nearly anything
        if "truncated" in str(error):
            raise cut_short(file) from error
        raise ImageError(
            f"{file} could not be decoded: it is a damaged {kind} file or one of a rare variant; "
            "export it again as an ordinary 8-bit PNG."
        ) from error
    return image


def _values(image: Image.Image, file: str, notes: list[str]) -> tuple[np.ndarray, np.ndarray | None]:
    """Stored values of a loaded picture, gray or RGB, and its opacity if it has one."""
    if image.mode.startswith("I;16"):
        return np.asarray(image).astype(np.uint16, copy=False), None
    if image.mode in ("L", "I", "F"):
        return np.asarray(image), None
    if image.mode == "1":
        return np.asarray(image.convert("L")), None
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        rgba = _array(image, "RGBA")
        return rgba[..., :3], rgba[..., 3]
    if image.mode == "CMYK":
        notes.append("CMYK colours were converted to RGB without a colour profile.")
    if image.mode in ("CMYK", "P", "RGB", "RGBX", "YCbCr"):
        return _array(image, "RGB"), None
    raise unsupported(file, f"holds {image.mode} colours")


def _array(image: Image.Image, mode: str) -> np.ndarray:
    """The picture in another mode as (H, W, C), by blocks of rows: Pillow needs twice its size to hand it over."""
    result = np.empty((image.height, image.width, len(mode)), np.uint8)
    for start, block in _blocks(image):
        result[start : start + block.height] = np.asarray(block if block.mode == mode else block.convert(mode))
    return result


def _blocks(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """Blocks of rows from the top, each with the number of its first row."""
    for start in range(0, image.height, ROWS_AT_A_TIME):
        yield start, image.crop((0, start, image.width, min(start + ROWS_AT_A_TIME, image.height)))


def _fingerprint(image: Image.Image) -> int:
    """A checksum of all pixels."""
    checksum = 0
    for _, block in _blocks(image):
        checksum = zlib.crc32(block.tobytes(), checksum)
    return checksum


# ---------------------------------------------------------------------------------------------------------------------
# OpenCV


def _colours(values: np.ndarray) -> np.ndarray:
    """OpenCV's BGR or BGRA values (H, W, 3 or 4) as RGB; of 16-bit values a view, for they are large."""
    if values.dtype == np.uint8:
        return cv2.cvtColor(values, cv2.COLOR_BGRA2RGB if values.shape[2] == 4 else cv2.COLOR_BGR2RGB)
    return values[..., 2::-1]


def _opacity(values: np.ndarray) -> np.ndarray:
    """The opacity in OpenCV's BGRA values as uint8, which uses the whole range whatever the colours do."""
    opacity = values[..., 3]
    return np.ascontiguousarray(opacity) if opacity.dtype == np.uint8 else _scaled(opacity, 0, 65535)


# ---------------------------------------------------------------------------------------------------------------------
# TIFF directories, which EXIF blocks and JPEG's list of several pictures use as well


class TiffDirectories:
    """The directories of a TIFF structure (also BigTIFF), read without decoding anything.

    Raises ValueError where the bytes are none; a tag that points outside the file reads as absent, and
    ``is_complete`` is False.
    """

    _NUMBERS: ClassVar[dict[int, str]] = {1: "u1", 3: "u2", 4: "u4", 6: "i1", 8: "i2", 9: "i4", 13: "u4", 16: "u8"}
    # Bytes of a value of the other types: text, fractions, floating-point numbers, bytes of no set meaning
    _OTHER_SIZES: ClassVar[dict[int, int]] = {2: 1, 5: 8, 7: 1, 10: 8, 11: 4, 12: 8, 17: 8, 18: 8}
    _MOST_ENTRIES = 65535  # a plain TIFF counts them in 16 bits; a hostile BigTIFF could claim any number

    def __init__(self, data: bytes):
        if data[:2] not in (b"II", b"MM"):
            raise ValueError("no TIFF structure")
        self._data = data
        self._order = "<" if data[:2] == b"II" else ">"
        version = self._number(2, 2)
        if version not in (42, 43):
            raise ValueError("no TIFF structure")
        self._offset_size, self._count_size, self._entry_size = (8, 8, 20) if version == 43 else (4, 2, 12)
        self._first = self._number(self._offset_size, self._offset_size)
        self._tags = self._read_tags(self._first)

    def _number(self, position: int, size: int) -> int:
        field = self._data[position : position + size]
        if len(field) != size:
            raise ValueError("the structure leaves the file")
        return int.from_bytes(field, "little" if self._order == "<" else "big")

    def _read_tags(self, position: int) -> dict[int, tuple[int, int, int]]:
        """tag -> (type, count, where its values are)"""
        tags = {}
        entries = self._number(position, self._count_size)
        if entries > self._MOST_ENTRIES:
            raise ValueError("no real directory has so many entries")
        for index in range(entries):
            start = position + self._count_size + index * self._entry_size
            kind = self._number(start + 2, 2)
            count = self._number(start + 4, self._offset_size)
            where = start + 4 + self._offset_size
            if count * self._size_of(kind) > self._offset_size:
                where = self._number(where, self._offset_size)
            tags[self._number(start, 2)] = (kind, count, where)
        return tags

    def _size_of(self, kind: int) -> int:
        return np.dtype(self._NUMBERS[kind]).itemsize if kind in self._NUMBERS else self._OTHER_SIZES.get(kind, 0)

    def is_complete(self) -> bool:
        """Whether the first directory, its link to the next one and all its tags' values lie within the file."""
        entries = self._number(self._first, self._count_size)
        end = self._first + self._count_size + entries * self._entry_size + self._offset_size
        ends = [where + count * self._size_of(kind) for kind, count, where in self._tags.values()]
        return max([end, *ends]) <= len(self._data)

    def longest(self) -> int:
        """How many values the longest tag of the first directory has, text and plain bytes aside."""
        return max((count for kind, count, _ in self._tags.values() if self._size_of(kind) > 1), default=0)

    def total(self) -> int:
        """Bytes of all tags of the first directory together, those that share a place counted as often as they do."""
        return sum(count * self._size_of(kind) for kind, count, _ in self._tags.values())

    def numbers(self, tag: int) -> np.ndarray | None:
        """All whole numbers of a tag of the first directory as int64, or None if it has none within the file."""
        kind, count, where = self._tags.get(tag, (0, 0, 0))
        if kind not in self._NUMBERS or count == 0:
            return None
        dtype = np.dtype(self._order + self._NUMBERS[kind])
        if where + count * dtype.itemsize > len(self._data):
            return None
        return np.frombuffer(self._data, dtype, count, where).astype(np.int64)

    def number(self, tag: int, default: int | None = None) -> int | None:
        """The first number of a tag, or ``default``."""
        numbers = self.numbers(tag)
        return default if numbers is None else int(numbers[0])

    def count(self) -> int:
        """How many directories (pages) hang together, each counted once and no more than a directory has entries."""
        seen: set[int] = set()
        position = self._first
        while position and position not in seen and position < len(self._data) and len(seen) < self._MOST_ENTRIES:
            try:
                entries = self._number(position, self._count_size)
                following = self._number(position + self._count_size + entries * self._entry_size, self._offset_size)
            except ValueError:
                break
            seen.add(position)
            position = following
        return len(seen)


def orientation_of(exif: bytes) -> int:
    """EXIF's orientation, 1 (as it is) where the block has none or cannot be read."""
    try:
        return TiffDirectories(exif).number(0x0112, 1)
    except ValueError:
        return 1


# ---------------------------------------------------------------------------------------------------------------------
# The readers


class PngReader(Reader):
    """PNG in all its depths, palettes, interlacing and transparency, decoded by OpenCV; animations by first frame."""

    name = "PNG"
    extensions = (".png", ".apng")
    _SIGNATURE = b"\x89PNG\r\n\x1a\n"
    _GRAY, _RGB, _PALETTE, _GRAY_ALPHA, _RGB_ALPHA = 0, 2, 3, 4, 6
    _CHANNELS: ClassVar[dict[int, int]] = {_GRAY: 1, _RGB: 3, _PALETTE: 1, _GRAY_ALPHA: 2, _RGB_ALPHA: 4}
    _DEPTHS: ClassVar[dict[int, tuple[int, ...]]] = {_GRAY: (1, 2, 4, 8, 16), _PALETTE: (1, 2, 4, 8)}

    @classmethod
    def recognises(cls, data: bytes) -> bool:
        return data.startswith(cls._SIGNATURE)

    @classmethod
    def size(cls, data: bytes, file: str) -> tuple[int, int]:
        if len(data) < 33:
            raise cut_short(file)
        if data[12:16] != b"IHDR":
            raise damaged(file, cls.name)
        return struct.unpack(">II", data[16:24])

    @classmethod
    def decode(cls, data: bytes, file: str) -> Picture:
        chunks: dict[bytes, list[memoryview]] = {}
        for kind, body in cls._chunks(data, file):
            chunks.setdefault(kind, []).append(body)
        if b"IHDR" not in chunks or len(chunks[b"IHDR"][0]) != 13 or b"IDAT" not in chunks:
            raise damaged(file, cls.name)
        width, height, depth, colour = struct.unpack(">IIBB", chunks[b"IHDR"][0][:10])
        if colour not in cls._CHANNELS or depth not in cls._DEPTHS.get(colour, (8, 16)):
            raise damaged(file, cls.name)
        if colour == cls._PALETTE and b"PLTE" not in chunks:
            raise damaged(file, cls.name)
        bits = depth * cls._CHANNELS[colour]
        check_room(bits, width, height, file)
        row_bytes = (width * bits + 7) // 8
        if row_bytes * height > MAX_DEFLATE_RATIO * sum(map(len, chunks[b"IDAT"])):
            raise cut_short(file)
        values, alpha = cls._pixels(chunks, colour, depth, file)
        notes = frames_note(int.from_bytes(chunks[b"acTL"][0][:4], "big") if b"acTL" in chunks else 1)
        pixels = to_eight_bits(values, file, notes)
        if alpha is not None:
            pixels = over_black(pixels, alpha, notes)
        exif = bytes(chunks[b"eXIf"][0]) if b"eXIf" in chunks else b""
        return Picture(upright(pixels, orientation_of(exif), notes), tuple(notes))

    @classmethod
    def _chunks(cls, data: bytes, file: str) -> Iterator[tuple[bytes, memoryview]]:
        """Kind and body of all chunks, up to the closing one, their checksums verified."""
        view = memoryview(data)
        position = len(cls._SIGNATURE)
        while True:
            if position + 12 > len(data):
                raise cut_short(file)
            length = int.from_bytes(view[position : position + 4], "big")
            end = position + 8 + length
            if end + 4 > len(data):
                raise cut_short(file)
            if zlib.crc32(view[position + 4 : end]) != int.from_bytes(view[end : end + 4], "big"):
                raise damaged(file, cls.name)
            kind = bytes(view[position + 4 : position + 8])
            yield kind, view[position + 8 : end]
            if kind == b"IEND":
                return
            position = end + 4

    @classmethod
    def _pixels(
        cls, chunks: dict[bytes, list[memoryview]], colour: int, depth: int, file: str
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Stored values, gray or RGB, and opacity as uint8.

        OpenCV gets a bare file: no colour profile, gamma, orientation or animation that it might act on or complain of.
        A gray or RGB file's one transparent value is left out too, since OpenCV heeds it in some depths only.
        """
        kinds = (b"IHDR", b"PLTE", b"tRNS", b"IDAT") if colour == cls._PALETTE else (b"IHDR", b"PLTE", b"IDAT")
        bodies = [(kind, body) for kind in (*kinds, b"IEND") for body in chunks.get(kind, [])]
        bare = b"".join([cls._SIGNATURE, *(_png_chunk(kind, body) for kind, body in bodies)])
        try:
            values = cv2.imdecode(np.frombuffer(bare, np.uint8), cv2.IMREAD_UNCHANGED)
        except cv2.error as error:
            raise damaged(file, cls.name) from error
        if values is None:
            raise damaged(file, cls.name)
        if values.ndim == 3 and values.shape[2] == 4:
            return _colours(values), _opacity(values)
        values = values if values.ndim == 2 else _colours(values)
        return values, cls._opacity_by_value(values, chunks, colour, depth)

    @classmethod
    def _opacity_by_value(
        cls, values: np.ndarray, chunks: dict[bytes, list[memoryview]], colour: int, depth: int
    ) -> np.ndarray | None:
        """Opacity of a gray or RGB file in which one value stands for *transparent*."""
        channels = {cls._GRAY: 1, cls._RGB: 3}.get(colour)
        if channels is None or b"tRNS" not in chunks or len(chunks[b"tRNS"][0]) != 2 * channels:
            return None
        clear = np.array(struct.unpack(f">{channels}H", chunks[b"tRNS"][0]))
        if depth < 8:  # OpenCV has spread these values over 0-255
            clear = clear * (255 // (2**depth - 1))
        is_clear = values == clear[0] if channels == 1 else (values == clear).all(axis=-1)
        return np.where(is_clear, np.uint8(0), np.uint8(255))


def _png_chunk(kind: bytes, body: bytes | memoryview) -> bytes:
    return b"".join([struct.pack(">I", len(body)), kind, body, struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))])


class JpegReader(Reader):
    """JPEG, baseline and progressive, gray, YCbCr, RGB and CMYK, decoded by Pillow; the first picture of several."""

    name = "JPEG"
    extensions = (".jpg", ".jpeg", ".jpe", ".jfif")
    _FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
    _SCAN, _END, _EXIF, _PICTURES = 0xDA, 0xD9, 0xE1, 0xE2
    # Colour profiles, thumbnails and comments. Pillow would read them, and hostile ones can be made to fill the memory.
    _METADATA = (frozenset(range(0xE1, 0xF0)) - {0xEE}) | {0xFE}
    _HUFFMAN_FRAMES, _PROGRESSIVE_FRAMES = (0xC0, 0xC1, 0xC2), (0xC2, 0xCA)
    # In a scan, 0xFF is followed by 0 (a value of 255) or by a restart marker until the scan is over. A run of 0xFF is
    # looked at from its beginning only, or a long one would take its length squared.
    _SCAN_END = re.compile(rb"(?<!\xff)\xff+[^\x00\xff\xd0-\xd7]")

    @classmethod
    def recognises(cls, data: bytes) -> bool:
        return data.startswith(b"\xff\xd8\xff")

    @classmethod
    def size(cls, data: bytes, file: str) -> tuple[int, int]:
        for marker, _, body in cls._segments(data, file):
            if marker in cls._FRAME_MARKERS:
                if len(body) < 6:
                    raise damaged(file, cls.name)
                height, width = struct.unpack(">HH", body[1:5])
                return width, height
        raise damaged(file, cls.name)

    @classmethod
    def decode(cls, data: bytes, file: str) -> Picture:
        end, first_scan, passes, orientation, count = 0, 0, 0, 1, 1
        frames: list[tuple[int, bytes]] = []
        head = [data[:2]]
        for marker, position, body in cls._segments(data, file):
            end = position
            if marker == cls._SCAN:
                first_scan = first_scan or position
                passes += 1
            elif marker == cls._EXIF and body.startswith(b"Exif\0\0"):
                orientation = orientation_of(body[6:])
            elif marker == cls._PICTURES and body.startswith(b"MPF\0"):
                count = cls._pictures(body[4:])
            if marker in cls._FRAME_MARKERS:
                frames.append((marker, body))
            if not passes and marker not in cls._METADATA:
                head.append(struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body)
        if passes == 0 or passes > MAX_JPEG_PASSES or len(frames) != 1:
            raise damaged(file, cls.name)
        cls._check_data(*frames[0], passes, end - first_scan, file)
        notes = frames_note(count)
        values, _ = cls._complete_pixels(b"".join(head) + data[first_scan:end], file, notes)
        return Picture(upright(values, orientation, notes), tuple(notes))

    @classmethod
    def _check_data(cls, marker: int, frame: bytes, passes: int, length: int, file: str) -> None:
        """Raises unless so many bytes can be all of the picture, and its decoder's coefficients have room."""
        height, width, components = struct.unpack(">HHB", frame[1:6])
        samplings = [divmod(value, 16) for value in frame[7 : 6 + 3 * components : 3]]
        if not samplings or len(samplings) != components or not all(across and down for across, down in samplings):
            raise damaged(file, cls.name)
        most_across, most_down = (max(one) for one in zip(*samplings, strict=True))
        blocks = sum(
            -(-width * across // (8 * most_across)) * -(-height * down // (8 * most_down)) for across, down in samplings
        )
        # No Huffman code is shorter than a bit: one for a block's mean, and outside of progressive files one to end it.
        bits = 1 if marker in cls._PROGRESSIVE_FRAMES else 2
        if marker in cls._HUFFMAN_FRAMES and blocks * bits > 8 * length:
            raise cut_short(file)
        if passes > 1 or marker in cls._PROGRESSIVE_FRAMES:
            check_room(16 * 64, blocks, 1, file)

    @classmethod
    def _segments(cls, data: bytes, file: str) -> Iterator[tuple[int, int, bytes]]:
        """(marker, where it begins, body) of every segment up to the end marker; raises if that is missing."""
        position = 2
        for _ in range(MAX_JPEG_SEGMENTS):
            start = position
            if data[position : position + 1] not in (b"\xff", b""):
                raise damaged(file, cls.name)
            while data[position : position + 1] == b"\xff":
                position += 1
            if position + 3 > len(data) and data[position : position + 1] != b"\xd9":
                raise cut_short(file)
            marker = data[position]
            if marker == cls._END:
                yield marker, start, b""
                return
            length = int.from_bytes(data[position + 1 : position + 3], "big")
            body_end = position + 1 + length
            if length < 2:
                raise damaged(file, cls.name)
            if body_end > len(data):
                raise cut_short(file)
            yield marker, start, data[position + 3 : body_end]
            position = body_end
            if marker == cls._SCAN:
                scan_end = cls._SCAN_END.search(data, position)
                if scan_end is None:
                    raise cut_short(file)
                position = scan_end.start()
        raise damaged(file, cls.name)

    @staticmethod
    def _pictures(directory: bytes) -> int:
        try:
            return TiffDirectories(directory).number(0xB001, 1)
        except ValueError:
            return 1

    @classmethod
    def _complete_pixels(cls, bare: bytes, file: str, notes: list[str]) -> tuple[np.ndarray, np.ndarray | None]:
        """Pixels of a file without its end marker, after a proof that the last scan is whole.

        A JPEG decoder whose data run dry before the end marker paints the rest gray and says nothing. So the picture
        is decoded once more with bytes added at the end of the data: a complete scan never looks at them, a decoder
        that has run dry paints something else.
        """
        image = _load(JpegImagePlugin.JpegImageFile, bare + b"\xff\xd9", file, cls.name)
        fingerprint = _fingerprint(image)
        values = _values(image, file, notes)
        del image  # of the same size as the next one
        padded = _load(JpegImagePlugin.JpegImageFile, bare + JPEG_PADDING + b"\xff\xd9", file, cls.name)
        if _fingerprint(padded) != fingerprint:
            raise cut_short(file)
        return values


class TiffReader(Reader):
    """TIFF and BigTIFF by Pillow, 16-bit colour by OpenCV (Pillow keeps 8 bits of it); the first of several pages."""

    name = "TIFF"
    extensions = (".tif", ".tiff")
    _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
    _STRIPS, _ORIENTATION, _SAMPLES, _ROWS_PER_STRIP, _STRIP_BYTES, _PLANAR = 273, 274, 277, 278, 279, 284
    _TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_BYTES, _EXTRA_SAMPLES, _SAMPLE_FORMAT = 322, 323, 324, 325, 338, 339
    _UNSIGNED, _SIGNED = 1, 2

    @classmethod
    def recognises(cls, data: bytes) -> bool:
        return data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

    @classmethod
    def size(cls, data: bytes, file: str) -> tuple[int, int]:
        directories = cls._directories(data, file)
        width, height = directories.number(cls._WIDTH), directories.number(cls._HEIGHT)
        if width is None or height is None:
            raise damaged(file, cls.name)
        return width, height

    @classmethod
    def decode(cls, data: bytes, file: str) -> Picture:
        directories = cls._directories(data, file)
        cls._check_complete(data, directories, file)
        cls._check_layout(directories, file)
        notes = frames_note(directories.count())
        # Pillow first, even where OpenCV's values are used: it refuses damaged files without writing to the terminal.
        image = _load(TiffImagePlugin.TiffImageFile, data, file, cls.name)
        bits = directories.number(cls._BITS, 1)
        mode = image.mode
        if mode in ("RGB", "RGBA") and bits == 16:
            values, alpha = cls._deep_colour(data, directories, file)
        else:
            values, alpha = _values(image, file, notes)
        del image  # it may be large
        pixels = to_eight_bits(values, file, notes)
        if mode.startswith("I;16") and directories.number(cls._PHOTOMETRIC) == 0:
            pixels = 255 - pixels  # white is stored as 0, which Pillow heeds up to 8 bits only
        if alpha is not None:
            pixels = over_black(pixels, alpha, notes)
        if directories.number(cls._ORIENTATION, 1) in range(2, 9):
            notes.append("The picture was turned upright, as its EXIF orientation asks.")  # Pillow and OpenCV did
        return Picture(pixels, tuple(notes))

    @classmethod
    def _directories(cls, data: bytes, file: str) -> TiffDirectories:
        try:
            return TiffDirectories(data)
        except ValueError as error:
            raise cut_short(file) from error

    @classmethod
    def _check_layout(cls, directories: TiffDirectories, file: str) -> None:
        """Raises for what Pillow and OpenCV would misread without a word; the rest they refuse themselves."""
        bits = directories.number(cls._BITS, 1)
        sample_format = directories.number(cls._SAMPLE_FORMAT, cls._UNSIGNED)
        if directories.number(cls._PLANAR, 1) == 2 and bits > 8 and directories.number(cls._SAMPLES, 1) > 1:
            raise unsupported(file, "holds its 16-bit colours in separate planes")
        if (bits, sample_format) in ((8, cls._SIGNED), (32, cls._UNSIGNED)):
            raise unsupported(file, f"holds {bits}-bit {'signed' if bits == 8 else 'unsigned'} values")

    @classmethod
    def _check_complete(cls, data: bytes, directories: TiffDirectories, file: str) -> None:
        """Raises unless the first page's directory and all its strips or tiles are there, within the file."""
        if not directories.is_complete():
            raise cut_short(file)
        # Pillow keeps a copy of each tag's bytes, and tags may all point at the same ones.
        if directories.total() > len(data):
            raise damaged(file, cls.name)
        if directories.longest() > MAX_TIFF_NUMBERS:
            raise unsupported(file, f"lists more than {MAX_TIFF_NUMBERS} numbers in one tag")
        get = directories.number
        width, height = get(cls._WIDTH), get(cls._HEIGHT)
        samples = get(cls._SAMPLES, 1)
        planes = samples if get(cls._PLANAR, 1) == 2 else 1
        if directories.numbers(cls._TILES) is not None:
            offsets, counts = directories.numbers(cls._TILES), directories.numbers(cls._TILE_BYTES)
            tile_width, tile_height = max(get(cls._TILE_WIDTH, width), 1), max(get(cls._TILE_HEIGHT, height), 1)
            needed = -(-width // tile_width) * -(-height // tile_height) * planes
            # A tile is decoded as a whole, and may be larger than the picture.
            check_room(get(cls._BITS, 1) * samples, tile_width, tile_height, file)
        else:
            offsets, counts = directories.numbers(cls._STRIPS), directories.numbers(cls._STRIP_BYTES)
            needed = -(-height // max(get(cls._ROWS_PER_STRIP, height), 1)) * planes
        if offsets is None:
            raise cut_short(file)
        if counts is None:  # some old writers leave them out where nothing is compressed
            counts = np.zeros_like(offsets)
        if len(offsets) < needed or len(counts) != len(offsets) or (offsets < 0).any() or (counts < 0).any():
            raise damaged(file, cls.name)
        if (np.maximum(counts, 1) > len(data) - offsets).any():
            raise cut_short(file)
        bits = get(cls._BITS, 1) * samples
        check_room(bits, width, height, file)
        is_plain = get(cls._COMPRESSION, 1) == 1
        row_bytes = (width * bits + 7) // 8
        if is_plain and counts.any() and counts.sum() < row_bytes * height:
            raise cut_short(file)

    @classmethod
    def _deep_colour(cls, data: bytes, directories: TiffDirectories, file: str) -> tuple[np.ndarray, np.ndarray | None]:
        """16-bit RGB values, and opacity where the file has one that the colours were not multiplied by already."""
        try:
            values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        except cv2.error as error:
            raise damaged(file, cls.name) from error
        if values is None or values.ndim != 3 or values.dtype != np.uint16:
            raise unsupported(file, "holds 16-bit colours in a rare layout")
        has_opacity = values.shape[2] == 4 and directories.number(cls._EXTRA_SAMPLES, 0) == 2
        return _colours(values), _opacity(values) if has_opacity else None


class BmpReader(Reader):
    """BMP of 1 to 32 bits, plain or run-length coded, decoded by Pillow."""

    name = "BMP"
    extensions = (".bmp", ".dib")
    _OLD_HEADER = 12
    _HEADERS = (_OLD_HEADER, 40, 52, 56, 64, 108, 124)
    _RUN_LENGTHS = (1, 2)

    @classmethod
    def recognises(cls, data: bytes) -> bool:
        # "BM" alone begins many a text
        return data.startswith(b"BM") and int.from_bytes(data[14:18], "little") in cls._HEADERS

    @classmethod
    def size(cls, data: bytes, file: str) -> tuple[int, int]:
        width, height, _, _ = cls._header(data, file)
        return width, height

    @classmethod
    def decode(cls, data: bytes, file: str) -> Picture:
        width, height, bits, compression = cls._header(data, file)
        start = max(int.from_bytes(data[10:14], "little"), 14 + int.from_bytes(data[14:18], "little"))
        row_bytes = (width * bits + 31) // 32 * 4
        if compression not in cls._RUN_LENGTHS and start + row_bytes * height > len(data):
            raise cut_short(file)
        notes: list[str] = []
        values, alpha = _values(_load(BmpImagePlugin.BmpImageFile, data, file, cls.name), file, notes)
        # Many programs leave the fourth byte at 0 and mean nothing by it.
        if alpha is not None and alpha.any():
            values = over_black(values, alpha, notes)
        return Picture(values, tuple(notes))

    @classmethod
    def _header(cls, data: bytes, file: str) -> tuple[int, int, int, int]:
        """Width, height, bits a pixel and the kind of compression."""
        header_size = int.from_bytes(data[14:18], "little")
        if len(data) < 14 + header_size:
            raise cut_short(file)
        if header_size == cls._OLD_HEADER:
            width, height, _, bits = struct.unpack("<HHHH", data[18:26])
            return width, height, bits, 0
        width, height, _, bits, compression = struct.unpack("<iiHHI", data[18:34])
        return width, abs(height), bits, compression  # rows stored from the top have a negative height


READERS: dict[str, type[Reader]] = {reader.name: reader for reader in (PngReader, JpegReader, TiffReader, BmpReader)}
