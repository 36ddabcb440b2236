"""DICOM: one frame of an ultrasound file or cine loop -> a :class:`core.images.Frame` that names nobody.

Only the tags of ``ALLOWED`` are ever read; everything else of the header, names and dates above all, is skipped where
it lies. A frame is called after its file's fingerprint, never after the file, and what surrounds the ultrasound picture
is blanked, for scanners print names there. No message repeats a value of the file but its sizes, counts and window.

Structure and sizes are judged before anything is decoded, and only the frame that is asked for is decoded. pydicom
reads plain and run-length coded frames and hands JPEG of 8 bits and JPEG 2000 to Pillow; JPEG of 12 bits, lossless JPEG
and JPEG-LS are for ``dicom_codecs``. Not read: video (MPEG-2, H.264, H.265), which would have to lie on a disk to be
decoded; JPEG XL, High-Throughput JPEG 2000, values of one bit.

Source: DICOM PS3.3 2024 (C.7.6.3 pixels, C.8.5.5 ultrasound regions, C.10.7 spacing, C.11.2 windows), PS3.5 annex A.
"""

import hashlib
import logging
import math
import re
import warnings
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import wraps
from io import BytesIO
from pathlib import Path
from traceback import extract_tb
from typing import Any

import numpy as np
from pydicom import Dataset
from pydicom.dataelem import RawDataElement
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.filereader import read_dataset
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi, get_decoder
from pydicom.tag import Tag
from pydicom.uid import UID

from core.dicom_codecs import (
    JPEG,
    JPEG_LS,
    LOSSLESS_JPEG,
    decoder_of,
    jpeg_2000_claim,
    jpeg_2000_stream,
    jpeg_claim,
)
from core.errors import ImageError
from core.image_formats import (
    DICOM_EXTENSIONS,
    check_room,
    cut_short,
    damaged,
    dicom_name,
    is_dicom,
    to_eight_bits,
    unsupported,
)
from core.images import MAX_DICOM_BYTES, Frame, check_length, check_size, without_needless_colour
from core.preprocessing import find_sector

__all__ = ["ALLOWED", "MOST_FRAMES", "is_dicom", "loop_length", "n_frames", "read_dicom"]

_log = logging.getLogger(__name__)
# pydicom's remarks on odd files quote their values, which might name somebody. We judge files ourselves.
logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)
warnings.filterwarnings("ignore", module=r"pydicom(\.|$)")

# How the picture is stored, and how large what it shows is: all that is ever read of a header.
_STRUCTURE = (
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "PlanarConfiguration",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
)
_TABLES = (
    "ModalityLUTSequence",
    "RescaleSlope",
    "RescaleIntercept",
    "VOILUTSequence",
    "VOILUTFunction",
    "WindowCenter",
    "WindowWidth",
    *(
        f"{colour}PaletteColorLookupTable{part}"
        for colour in ("Red", "Green", "Blue")
        for part in ("Descriptor", "Data")
    ),
    *(f"Segmented{colour}PaletteColorLookupTableData" for colour in ("Red", "Green", "Blue")),
)
# Of these the first is a distance in the body; the others are on the detector and on the film that was scanned.
_SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")
_SEQUENCES = ("ModalityLUTSequence", "VOILUTSequence", "SequenceOfUltrasoundRegions")
_OFFSETS = ("ExtendedOffsetTable", "ExtendedOffsetTableLengths")
ALLOWED = (*_STRUCTURE, "NumberOfFrames", *_TABLES, "SequenceOfUltrasoundRegions", *_SPACINGS, *_OFFSETS)

_TRANSFER_SYNTAX = 0x00020010
_PIXELS = 0x7FE00010
_OTHER_PIXELS = (0x7FE00008, 0x7FE00009)  # floating-point ones
_UNDEFINED = 0xFFFFFFFF
_ITEM, _DELIMITER = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"

_EXPLICIT = "1.2.840.10008.1.2.1"
_PLAIN = ("1.2.840.10008.1.2", _EXPLICIT, "1.2.840.10008.1.2.2")
_JPEG_2000 = ("1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91")
_RUN_LENGTHS = "1.2.840.10008.1.2.5"
_DEFLATED = "1.2.840.10008.1.2.1.99"
_VIDEO = re.compile(r"1\.2\.840\.10008\.1\.2\.4\.10\d(\.1)?")

_GRAY = ("MONOCHROME1", "MONOCHROME2")
_COLOURS = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
# Two bytes of run lengths may stand for 128 values, so a larger frame could ask for gigabytes.
_MAX_RUN_LENGTH_BYTES = 16 * 1024 * 1024
MOST_FRAMES = 10_000
# A few kilobytes, deflated, may claim a header of gigabytes, and pydicom makes hundreds of bytes of each of its parts:
# what it may ask for altogether, what each time it asks counts as at least, and the longest value.
_MAX_HEADER_BYTES = 32 * 2**20
_LEAST_BYTES = 320
_MAX_VALUE_BYTES = 2**20
_MOST_ITEMS = 1000  # of a sequence that is looked at: regions, tables
_MOST_FRAGMENTS = 10 * MOST_FRAMES
_INFLATED_AT_ONCE = 2**20
_SQUARE_WITHIN = 0.02  # of each other, the spacings of a pixel that passes for square


@dataclass(frozen=True)
class _Header:
    """What is known before decoding: the allowed tags, how the frames are stored and where."""

    tags: Dataset
    syntax: str  # of a deflated file that of what it was before
    file: str
    data: bytes  # the file, or what inflating it gave
    start: int  # in there, of the frames' bytes or of the first item
    length: int  # _UNDEFINED where the frames are items
    is_big_endian_words: bool  # the bytes of 8-bit values have changed places in pairs then

    def number(self, keyword: str, default: int | None = None) -> int:
        """A whole number that decoding rests upon; raises where it is missing or none."""
        values = _numbers(self.tags, keyword)
        if not values and default is not None and self.tags.get(keyword) is None:
            return default
        if not values or values[0] != int(values[0]):
            raise damaged(self.file, "DICOM")
        return int(values[0])

    @property
    def colour(self) -> str:
        return str(self.tags.get("PhotometricInterpretation", "")).strip()

    @property
    def frame_bytes(self) -> int:
        """Of a plain frame. 4:2:2 stores four bytes for two pixels."""
        pixels = self.number("Rows") * self.number("Columns")
        samples = 2 if self.colour == "YBR_FULL_422" else self.number("SamplesPerPixel")
        return pixels * samples * self.number("BitsAllocated") // 8


class _HeaderStream(BytesIO):
    """A file whose header is read, as far as a header may go."""

    def __init__(self, data: bytes, file: str) -> None:
        super().__init__(data)
        self._file = file
        self._left = _MAX_HEADER_BYTES

    def read(self, size: int | None = -1) -> bytes:
        longest = min(self._left, _MAX_VALUE_BYTES) + 1
        piece = super().read(longest if size is None or size < 0 else min(size, longest))
        self._left -= max(len(piece), _LEAST_BYTES)
        if len(piece) == longest or self._left < 0:
            raise _too_large_a_header(self._file)
        return piece


def _too_large_a_header(file: str) -> ImageError:
    return ImageError(f"{file} has a larger header than any ultrasound picture: export the picture as JPEG or PNG.")


def _one_sentence(function: Callable[..., Any]) -> Callable[..., Any]:
    """Whatever hostile bytes make pydicom and Pillow raise becomes the sentence of a damaged file.

    Without the cause: its message may quote the file, and logs keep causes.
    """

    @wraps(function)
    def judged(data: bytes, *arguments: Any, **options: Any) -> Any:
        try:
            return function(data, *arguments, **options)
        except ImageError:
            raise
        except Exception as error:
            # Kind and place are all that a log may keep, and enough to tell a defect of ours from hostile bytes.
            place = extract_tb(error.__traceback__)[-1]
            where = f"{Path(place.filename).name}:{place.lineno}"
            _log.warning("%s at %s while reading a DICOM file", type(error).__name__, where)
            raise damaged(dicom_name(data), "DICOM") from None

    return judged


@_one_sentence
def n_frames(data: bytes) -> int:
    """How many frames a DICOM file holds, from its header alone. Raises ImageError as :func:`read_dicom` does."""
    return _frame_count(_read_header(data, dicom_name(data)))


def loop_length(data: bytes) -> int:
    """How many frames may be read one by one, of which the first is there.

    Raises
    ------
    ImageError
        As :func:`read_dicom` does: a loop that is cut short has none. Also for more frames than anybody reads singly,
        for a few bytes can claim any number.
    """
    frames = n_frames(data)
    if frames > MOST_FRAMES:
        raise ImageError(
            f"{dicom_name(data)} claims {frames} frames, more than the {MOST_FRAMES} that are read of one file: split "
            "the loop."
        )
    if frames > 1:
        read_dicom(data)
    return frames


@_one_sentence
def read_dicom(data: bytes, name: str | None = None, frame: int = 0, keep_outside: bool = False) -> Frame:
    """Decode one frame of a DICOM file.

    Gray values of more than 8 bits are brought to 8 by the file's own window (of several the first) or table of
    values; without one, as those of any other file are (:func:`core.image_formats.to_eight_bits`). MONOCHROME1 is
    turned over, palettes and YBR become RGB. The pixel size comes from the largest ultrasound region of tissue, else
    from PixelSpacing. The frame's notes say which of these happened.

    Parameters
    ----------
    data : bytes
        The file's content.
    name : str, optional
        File name, for checking the extension only: it is neither kept nor shown.
    frame : int
        Which frame, from 0.
    keep_outside : bool
        Leave what surrounds the sector, where scanners print names, as it is; blanked by default. Where no sector is
        found, what lies outside the file's ultrasound regions is blanked, and without these nothing, with a note.

    Returns
    -------
    Frame
        Called ``DICOM`` and the first 8 digits of the file's SHA-256. Its own ``sha256`` is the file's for the first
        frame as shown by default, and one of its own for any other frame.

    Raises
    ------
    ImageError
        One sentence each: over 200 MB, over 40 megapixels, with another type's extension, cut short, damaged, without
        a picture, of a variant that cannot be read, or without the frame asked for.
    """
    file = dicom_name(data)
    check_length(data, len(data), file)
    _check_extension(name, file)
    header = _read_header(data, file)
    count = _frame_count(header)
    if not 0 <= frame < count:
        raise ImageError(f"{file} has no frame {frame + 1}: choose one from 1 to {count}.")
    notes = [f"This file holds {count} frames; number {frame + 1} is shown."] if count > 1 else []
    values, colour = _decoded(header, _frame_bytes(header, frame, count))
    pixels = without_needless_colour(_to_pixels(values, colour, header, notes))
    regions = _tissue_regions(header.tags)
    if not keep_outside:
        pixels = _without_surroundings(pixels, regions, notes)
    digest = hashlib.sha256(data).hexdigest()
    if frame or keep_outside:
        digest = hashlib.sha256(f"{digest} frame {frame}, outside {keep_outside}".encode()).hexdigest()
    return Frame(
        pixels=pixels,
        source=file if count == 1 else f"{file}, frame {frame + 1}",
        sha256=digest,
        pixel_size_mm=_pixel_size(header.tags, regions, notes),
        notes=tuple(notes),
    )


def _check_extension(name: str | None, file: str) -> None:
    """Raises for the extension of another type. Numbers, which many DICOM names end in, are none."""
    extension = Path(name or "").suffix.lower()
    if extension not in DICOM_EXTENSIONS and re.fullmatch(r"\.[a-z][a-z0-9]{1,4}", extension):
        # Which one is not told: what follows a dot may be a part of a name.
        raise ImageError(f"{file} has the extension of another type: rename the file to end in .dcm.")


# ---------------------------------------------------------------------------------------------------------------------
# Structure


def _read_header(data: bytes, file: str) -> _Header:
    """The allowed tags and the place of the frames, all judged but for the frames' own bytes."""
    stream = _HeaderStream(data, file)
    stream.seek(132)
    meta = read_dataset(stream, False, True, stop_when=lambda tag, *_: tag.group != 2, specific_tags=[_TRANSFER_SYNTAX])
    syntax = str(meta.get("TransferSyntaxUID", "")).strip("\0 ")
    _check_syntax(syntax, file)
    if syntax == _DEFLATED:
        syntax, data = _EXPLICIT, _inflated(data[stream.tell() :], file)
        stream = _HeaderStream(data, file)
    uid = UID(syntax)
    tags = read_dataset(
        stream,
        uid.is_implicit_VR,
        uid.is_little_endian,
        stop_when=lambda tag, *_: tag >= min(_OTHER_PIXELS),
        specific_tags=[Tag(keyword) for keyword in ALLOWED],
    )
    if stream.tell() > len(data):
        raise cut_short(file)
    _check_sequences(tags, uid, file)
    start, length, are_words = _find_pixels(stream, uid, "Rows" in tags, file)
    header = _Header(tags, syntax, file, data, start, length, are_words and not uid.is_little_endian)
    _check_structure(header)
    return header


def _check_syntax(syntax: str, file: str) -> None:
    if syntax in (*_PLAIN, _DEFLATED, _RUN_LENGTHS, *JPEG, *LOSSLESS_JPEG, *JPEG_LS, *_JPEG_2000):
        return
    if not syntax:
        raise damaged(file, "DICOM")
    if _VIDEO.fullmatch(syntax):
        raise ImageError(
            f"{file} holds a video ({UID(syntax).name}), which PlaneLab does not read: export its frames as JPEG or "
            "PNG."
        )
    known = UID(syntax).name  # of an unknown one the text itself, which may be anything
    raise unsupported(file, "is compressed in an unknown way" if known == syntax else f"is compressed by {known}")


def _inflated(deflated: bytes, file: str) -> bytes:
    """The data set of a deflated file, which may be no larger than one that is not."""
    # Twice, so that what is too large is refused before any of it is kept.
    if sum(map(len, _inflated_pieces(deflated, file))) > MAX_DICOM_BYTES:
        raise ImageError(f"{file} inflates to more than {MAX_DICOM_BYTES // 2**20} MB: save it without deflating it.")
    inflated = BytesIO()
    inflated.writelines(_inflated_pieces(deflated, file))
    return inflated.getvalue()


def _inflated_pieces(deflated: bytes, file: str) -> Iterator[bytes]:
    """What inflating gives, little by little, and of what is too large no more than shows that it is."""
    inflator = zlib.decompressobj(-zlib.MAX_WBITS)
    total = 0
    while not inflator.eof and total <= MAX_DICOM_BYTES:
        piece = inflator.decompress(deflated, _INFLATED_AT_ONCE)
        if not piece and not inflator.eof:
            raise cut_short(file)
        deflated = inflator.unconsumed_tail
        total += len(piece)
        yield piece


def _check_sequences(tags: Dataset, uid: UID, file: str) -> None:
    """Raises where a sequence that will be looked at has too many items; pydicom makes them when it is."""
    item = _ITEM if uid.is_little_endian else b"\xff\xfe\xe0\x00"
    for keyword in _SEQUENCES:
        stored = tags.get_item(keyword) if keyword in tags else None
        if isinstance(stored, RawDataElement) and (stored.value or b"").count(item) > _MOST_ITEMS:
            raise _too_large_a_header(file)


def _find_pixels(stream: BytesIO, uid: UID, is_image: bool, file: str) -> tuple[int, int, bool]:
    """Where the frames begin, how many bytes they claim, and whether as words; the stream stands at their tag."""
    order = "little" if uid.is_little_endian else "big"
    beginning = stream.read(8)
    tag = int.from_bytes(beginning[:2], order) << 16 | int.from_bytes(beginning[2:4], order)
    if tag in _OTHER_PIXELS:
        raise unsupported(file, "holds floating-point values")
    size = beginning[4:] if uid.is_implicit_VR else stream.read(4)
    if tag == _PIXELS and len(size) == 4:
        are_words = uid.is_implicit_VR or beginning[4:6] == b"OW"
        return stream.tell(), int.from_bytes(size, order), are_words
    if is_image:
        raise cut_short(file)
    raise ImageError(
        f"{file} holds no picture: choose a DICOM image, not a report or a list of files, or copy it again."
    )


def _check_structure(header: _Header) -> None:
    file = header.file
    width, height = header.number("Columns"), header.number("Rows")
    samples, bits = header.number("SamplesPerPixel", 1), header.number("BitsAllocated")
    check_size(width, height, file)
    if header.colour not in (*_GRAY, *_COLOURS, "PALETTE COLOR"):
        raise unsupported(file, "holds colours of a rare kind")
    if samples != (3 if header.colour in _COLOURS else 1):
        raise damaged(file, "DICOM")
    if bits not in (8, 16, 32):
        raise unsupported(file, f"stores its values in {bits} {'bit' if bits == 1 else 'bits'}")
    if not 1 <= header.number("BitsStored", bits) <= bits:
        raise damaged(file, "DICOM")
    check_room(bits * samples, width, height, file)


def _frame_count(header: _Header) -> int:
    count = header.number("NumberOfFrames", 1)
    if count < 1:
        raise damaged(header.file, "DICOM")
    return count


def _frame_bytes(header: _Header, frame: int, count: int) -> bytes:
    """One frame as it is stored. Raises where the file lacks any part of any frame."""
    file, data = header.file, header.data
    is_plain = header.syntax in _PLAIN
    if is_plain != (header.length != _UNDEFINED):
        raise damaged(file, "DICOM")
    if is_plain:
        if header.start + header.length > len(data):
            raise cut_short(file)
        size = header.frame_bytes
        if count * size > header.length:
            raise damaged(file, "DICOM")
        frames = memoryview(data)[header.start : header.start + header.length]
        if header.is_big_endian_words and header.number("BitsAllocated") == 8:
            frames = np.frombuffer(frames, ">u2", len(frames) // 2).astype("<u2").tobytes()
        return bytes(frames[frame * size : (frame + 1) * size])
    _check_items(data, header.start, file)
    stream = BytesIO(data)
    stream.seek(header.start)
    offsets = [header.tags.get(keyword) for keyword in _OFFSETS]
    return get_frame(
        stream, frame, number_of_frames=count, extended_offsets=None if None in offsets else tuple(offsets)
    )


def _check_items(data: bytes, position: int, file: str) -> None:
    """Raises unless items follow each other up to the delimiter that ends them: a table of offsets, then fragments.

    As many of these, or as large a table, as no file of frames has would be lists of gigabytes.
    """
    for number in range(_MOST_FRAGMENTS):
        tag, length = data[position : position + 4], int.from_bytes(data[position + 4 : position + 8], "little")
        if len(data) < position + 8:
            raise cut_short(file)
        if tag == _DELIMITER:
            return
        if tag != _ITEM or (number == 0 and length > _MAX_VALUE_BYTES):
            raise damaged(file, "DICOM")
        position += 8 + length
    raise damaged(file, "DICOM")


# ---------------------------------------------------------------------------------------------------------------------
# From stored bytes to pixels


def _decoded(header: _Header, stored: bytes) -> tuple[np.ndarray, str]:
    """Values (H, W) or (H, W, 3) of one frame, and what colours they are; YBR has become RGB."""
    alone = Dataset()
    for keyword in _STRUCTURE:
        if keyword in header.tags:
            setattr(alone, keyword, header.tags[keyword].value)
    alone.SamplesPerPixel = header.number("SamplesPerPixel", 1)
    syntax, is_deep = header.syntax, header.number("BitsAllocated") > 8
    if syntax not in _PLAIN:
        stored = encapsulate([_checked(header, stored)])
    decodes_itself = syntax in (*LOSSLESS_JPEG, *JPEG_LS) or (syntax in JPEG and is_deep)
    decoder = decoder_of(syntax) if decodes_itself else get_decoder(UID(syntax))
    alone.file_meta = FileMetaDataset()
    alone.file_meta.TransferSyntaxUID = UID(syntax)
    alone.PixelData = stored
    alone["PixelData"].VR = "OW" if syntax in _PLAIN and is_deep else "OB"
    values, described = decoder.as_array(alone)
    colour = str(described["photometric_interpretation"])
    if colour not in ("RGB", "PALETTE COLOR", *_GRAY):
        raise damaged(header.file, "DICOM")
    return values, colour


def _checked(header: _Header, stored: bytes) -> bytes:
    """A compressed frame as its decoder gets it. Raises unless it claims the size and depth that the header does.

    Decoders go by the frame's own claim: a small file could ask them for gigabytes.
    """
    file = header.file
    width, height = header.number("Columns"), header.number("Rows")
    samples = header.number("SamplesPerPixel", 1)
    if header.syntax == _RUN_LENGTHS:
        if len(stored) > 2 * header.frame_bytes + 1024:  # no coder makes a frame twice as large
            raise damaged(file, "DICOM")
        if len(stored) > _MAX_RUN_LENGTH_BYTES:
            raise unsupported(file, f"holds a run-length coded frame of more than {_MAX_RUN_LENGTH_BYTES // 2**20} MB")
        return stored
    if header.syntax in _JPEG_2000:
        check_room(32 * samples, width, height, file)  # which its decoder makes of every value
        stored = jpeg_2000_stream(stored, file)
        claim = jpeg_2000_claim(stored, file)
    else:
        claim = jpeg_claim(stored, header.syntax, file)
    if (claim.width, claim.height, claim.samples) != (width, height, samples):
        raise damaged(file, "DICOM")
    if claim.bits > header.number("BitsAllocated"):
        raise damaged(file, "DICOM")
    return stored


def _to_pixels(values: np.ndarray, colour: str, header: _Header, notes: list[str]) -> np.ndarray:
    """Decoded values as uint8, gray or RGB."""
    file, tags = header.file, header.tags
    if colour == "PALETTE COLOR":
        return to_eight_bits(apply_color_lut(values, tags), file, notes)
    if colour not in _GRAY:
        return to_eight_bits(values, file, notes)
    bits = header.number("BitsStored", header.number("BitsAllocated"))
    if bits > 8:
        pixels = _windowed(apply_modality_lut(values, tags), tags, file, notes)
    elif bits < 8 and values.dtype == np.uint8:
        pixels = np.rint(np.minimum(values, 2**bits - 1) * (255 / (2**bits - 1))).astype(np.uint8)
    else:
        pixels = to_eight_bits(values, file, notes)
    return 255 - pixels if colour == "MONOCHROME1" else pixels


def _windowed(values: np.ndarray, tags: Dataset, file: str, notes: list[str]) -> np.ndarray:
    """Gray values of more than 8 bits as uint8, by the file's own table or window where it has one (PS3.3 C.11.2)."""
    if tags.get("VOILUTSequence"):
        depth = int(tags.VOILUTSequence[0].LUTDescriptor[2])
        notes.append("Values were brought to 8 bits by the file's own table.")
        return _rounded(apply_voi(values, tags) * (255 / (2**depth - 1)))
    window = [_numbers(tags, keyword)[:1] for keyword in ("WindowCenter", "WindowWidth")]
    function = str(tags.get("VOILUTFunction") or "LINEAR").strip()
    if not all(window) or window[1][0] < (1 if function == "LINEAR" else 1e-6):
        return to_eight_bits(values, file, notes)
    (centre,), (width,) = window
    values = values.astype(np.float32)
    if function == "SIGMOID":
        with np.errstate(over="ignore"):  # far below the window, where the sigmoid is 0
            shown = 255 / (1 + np.exp(-4 * (values - centre) / width))
    elif function == "LINEAR_EXACT":
        shown = ((values - centre) / width + 0.5) * 255
    elif width == 1:
        shown = np.where(values > centre - 0.5, 255, 0)
    else:
        shown = ((values - (centre - 0.5)) / (width - 1) + 0.5) * 255
    notes.append(f"Values were brought to 8 bits by the file's own window (centre {centre:g}, width {width:g}).")
    return _rounded(shown)


def _rounded(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _without_surroundings(pixels: np.ndarray, regions: list[Dataset], notes: list[str]) -> np.ndarray:
    """The frame, black outside its sector; coordinates stay."""
    sector = find_sector(pixels)
    mask = sector.mask
    if sector.shape == "frame" and regions:
        mask = np.zeros(mask.shape, bool)
        for region in regions:
            left, top, right, bottom = _corners(region)
            mask[top : bottom + 1, left : right + 1] = True
    elif sector.note:
        notes.append(
            "No sector was found, so nothing was blanked: look for a printed name before you share the picture."
        )
    if mask.all():
        return pixels
    notes.append("What the scanner prints around the ultrasound picture was blanked, so that no name is shown.")
    return np.where(mask if pixels.ndim == 2 else mask[..., None], pixels, np.uint8(0))


# ---------------------------------------------------------------------------------------------------------------------
# Pixel size


def _tissue_regions(tags: Dataset) -> list[Dataset]:
    """Two-dimensional ultrasound regions of tissue with an area, the largest first (PS3.3 C.8.5.5)."""
    regions = [
        region
        for region in tags.get("SequenceOfUltrasoundRegions") or []
        if _numbers(region, "RegionSpatialFormat") == [1]
        and _numbers(region, "RegionDataType") == [1]
        and _area(region) > 0
    ]
    return sorted(regions, key=_area, reverse=True)


def _corners(region: Dataset) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of a region; the ends are included."""
    keywords = ("RegionLocationMinX0", "RegionLocationMinY0", "RegionLocationMaxX1", "RegionLocationMaxY1")
    corners = [_numbers(region, keyword)[:1] for keyword in keywords]
    return tuple(int(corner[0]) for corner in corners) if all(corners) else (0, 0, 0, 0)


def _area(region: Dataset) -> int:
    left, top, right, bottom = _corners(region)
    return max(0, right - left) * max(0, bottom - top)


def _pixel_size(tags: Dataset, regions: list[Dataset], notes: list[str]) -> float | None:
    """Side of a pixel in mm, or None; with a note where the file knows sizes that cannot be used."""
    across_and_down = None
    in_cm = [r for r in regions if all(_numbers(r, f"PhysicalUnits{axis}Direction") == [3] for axis in "XY")]
    if in_cm:
        deltas = [_numbers(in_cm[0], f"PhysicalDelta{axis}")[:1] for axis in "XY"]
        across_and_down = [10 * abs(delta[0]) for delta in deltas if delta]
    elif _SPACINGS[0] in tags:
        across_and_down = _numbers(tags, _SPACINGS[0])
    if across_and_down is None:
        if any(keyword in tags for keyword in _SPACINGS[1:]):
            notes.append(
                "The file tells how large a pixel is on a detector or a film, not in the body, so that was left aside; "
                "lengths are in pixels."
            )
        return None
    if len(across_and_down) != 2 or not min(across_and_down) > 0:
        notes.append("The file's pixel size makes no sense and was left aside; lengths are in pixels.")
        return None
    low, high = sorted(across_and_down)
    if high > low * (1 + _SQUARE_WITHIN):
        notes.append("The file's pixels are not square, so its pixel size was left aside; lengths are in pixels.")
        return None
    return math.sqrt(low * high)


def _numbers(tags: Dataset, keyword: str) -> list[float]:
    """Finite numbers of a tag; none where it is missing or holds anything else."""
    try:
        value = tags.get(keyword)
        values = [] if value is None or value == "" else value if hasattr(value, "__iter__") else [value]
        numbers = [float(number) for number in values]
    except Exception:  # pydicom converts values when they are looked at, and raises nearly anything
        return []
    return numbers if all(map(math.isfinite, numbers)) else []
