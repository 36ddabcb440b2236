"""Any upload -> a validated :class:`Frame`, and pixels -> a PNG for the browser.

The size that a file claims is read before anything is decoded, so that a small file cannot ask for gigabytes; what is
refused is refused in one sentence each (:class:`core.errors.ImageError`). The readers are in ``image_formats``, that of
DICOM in ``dicom``.
"""

import hashlib
import re
import stat
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np

from core.errors import ImageError, ParameterError
from core.image_formats import DICOM_EXTENSIONS, READERS, Reader, dicom_name, is_dicom

MAX_PIXELS = 40_000_000
MAX_BYTES = 20 * 1024 * 1024
# Cine loops are many frames in one file, of which one at a time is decoded.
MAX_DICOM_BYTES = 200 * 1024 * 1024

_LONGEST_NAME = 255
_BEGINNING = 132  # bytes that tell DICOM from the rest
_BLOCK = 2**20  # bytes read at once
_OTHER_TYPES = {
    "GIF": re.compile(rb"GIF8[79]a"),
    "WebP": re.compile(rb"RIFF.{4}WEBP", re.DOTALL),
    "AVI video": re.compile(rb"RIFF.{4}AVI ", re.DOTALL),
    "HEIC or AVIF": re.compile(rb".{4}ftyp(heic|heix|hevc|mif1|msf1|avif|avis)", re.DOTALL),
    "MP4 video": re.compile(rb".{4}ftyp", re.DOTALL),
    "JPEG 2000": re.compile(rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51"),
    "PDF": re.compile(rb"%PDF-"),
    "ZIP": re.compile(rb"PK(\x03\x04|\x05\x06)"),
    "gzip": re.compile(rb"\x1f\x8b"),
    "Photoshop": re.compile(rb"8BPS"),
}


@dataclass(frozen=True, eq=False)
class Frame:
    """A decoded image.

    Attributes
    ----------
    pixels : numpy.ndarray
        uint8, (H, W) gray or (H, W, 3) RGB; C-contiguous and read-only.
    source : str
        File name for display, without its folder; of a DICOM file the fingerprint instead, for names are names there.
    sha256 : str
        Of the file's bytes, in hexadecimal: the frame's identity in caches and links. Further frames of a DICOM file
        have one of their own.
    pixel_size_mm : float or None
        Side of a pixel, where the file knows it, as DICOM does. The print resolution in PNG, JPEG and TIFF is none.
    notes : tuple of str
        Sentences on what was done to the file's content, for the user.
    """

    pixels: np.ndarray
    source: str
    sha256: str
    pixel_size_mm: float | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_pixels(self.pixels)
        # A view, so that the caller's own array stays writable.
        pixels = np.ascontiguousarray(self.pixels).view()
        pixels.flags.writeable = False
        object.__setattr__(self, "pixels", pixels)

    @property
    def height(self) -> int:
        return self.pixels.shape[0]

    @property
    def width(self) -> int:
        return self.pixels.shape[1]

    @property
    def is_colour(self) -> bool:
        return self.pixels.ndim == 3

    def gray(self) -> np.ndarray:
        """The frame in gray, (H, W) uint8, read-only: luma of a colour frame, the pixels themselves of a gray one."""
        if not self.is_colour:
            return self.pixels
        gray = cv2.cvtColor(self.pixels, cv2.COLOR_RGB2GRAY)
        gray.flags.writeable = False
        return gray


def read_image(source: bytes | str | Path, name: str | None = None, frame: int = 0) -> Frame:
    """Decode a PNG, JPEG, TIFF, BMP or DICOM file.

    Any bit depth, palette, transparency (laid over black), CMYK, EXIF orientation (applied) and interlacing; of
    several frames or pages the first. 16-bit values are brought to 8 bits by the smallest usual bit depth that holds
    them (see :func:`core.image_formats.to_eight_bits`). A colour file whose channels are equal becomes gray. The
    frame's notes say which of these happened. DICOM is read by :func:`core.dicom.read_dicom`, loops frame by frame.

    Parameters
    ----------
    source : bytes, str or pathlib.Path
        The file's content, or where it lies.
    name : str, optional
        File name for display and for checking the extension; a path's own name by default.
    frame : int
        Which frame of a DICOM loop, from 0; other files are read by their first alone.

    Raises
    ------
    ImageError
        One sentence each: missing, a folder, unreadable, empty, over 20 MB (DICOM 200 MB), over 40 megapixels, not
        an image, of another type, with another type's extension, cut short, damaged, of a variant that cannot be
        read, or without the frame asked for.
    """
    if isinstance(source, (str, Path)):
        name = Path(source).name if name is None else name
        data = read_file(source)
    else:
        data = bytes(source)
    if is_dicom(data):
        # Imported here, because it builds on this module; and pydicom is only loaded when it is needed.
        from core.dicom import read_dicom

        return read_dicom(data, name, frame)
    file = shown_name(data, name) if name else "image"
    check_length(data, len(data), file)
    reader = _reader_of(data, file)
    if name:
        _check_extension(file, reader)
    width, height = reader.size(data, file)
    check_size(width, height, file)
    if frame:
        raise ImageError(f"{file} is no DICOM loop and has no frame {frame + 1}: ask for frame 1.")
    picture = reader.decode(data, file)
    return Frame(
        pixels=without_needless_colour(picture.pixels),
        source=file,
        sha256=hashlib.sha256(data).hexdigest(),
        pixel_size_mm=picture.pixel_size_mm,
        notes=picture.notes,
    )


def encode_png(pixels: np.ndarray, max_side: int | None = None) -> bytes:
    """A PNG for the browser, at display size.

    Parameters
    ----------
    pixels : numpy.ndarray
        uint8, (H, W) gray or (H, W, 3) RGB.
    max_side : int, optional
        Larger pictures are reduced (by area) until their longer side has this many pixels; none is ever enlarged.

    Raises
    ------
    ParameterError
        For anything that is no uint8 picture: masks and maps become pictures elsewhere, by rendering.
    """
    _check_pixels(pixels)
    if max_side is not None:
        if max_side < 1:
            raise ParameterError(f"A picture cannot be {max_side} pixels wide: ask for at least 1.")
        pixels = _reduced(pixels, max_side)
    if pixels.ndim == 3:
        pixels = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2BGR)
    # OpenCV's own settings (one filter, run lengths) are its fastest: naming a level, even 1, makes it try all filters.
    written, encoded = cv2.imencode(".png", pixels)
    if not written:
        raise ImageError(f"A picture of {pixels.shape[1]} x {pixels.shape[0]} pixels could not be written as PNG.")
    return encoded.tobytes()


def display_name(name: str) -> str:
    """A file name that is safe to show: without folders, on one line, printable in UTF-8, of bounded length."""
    last = re.split(r"[/\\]", name)[-1]
    printable = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in last)
    return printable[-_LONGEST_NAME:] or "image"


def shown_name(data: bytes, name: str) -> str:
    """What an upload is called in messages: its name, or a fingerprint where it is, or claims to be, a DICOM file."""
    claims = Path(name).suffix.lower() in DICOM_EXTENSIONS and not any(r.recognises(data) for r in READERS.values())
    return dicom_name(data) if is_dicom(data) or claims else display_name(name)


def _check_pixels(pixels: np.ndarray) -> None:
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8:
        kind = pixels.dtype if isinstance(pixels, np.ndarray) else type(pixels).__name__
        raise ParameterError(f"A picture needs 8-bit values (uint8), but these are {kind}: render them first.")
    if pixels.ndim not in (2, 3) or pixels.shape[2:] not in ((), (3,)) or 0 in pixels.shape:
        raise ParameterError(f"A picture has the shape (H, W) or (H, W, 3), not {pixels.shape}: reshape it first.")


def _reduced(pixels: np.ndarray, max_side: int) -> np.ndarray:
    height, width = pixels.shape[:2]
    factor = max_side / max(height, width)
    if factor >= 1:
        return pixels
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)


def read_file(source: str | Path) -> bytes:
    """The content of an image file. Raises ImageError as :func:`read_image` does where it cannot be had."""
    shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(source))
    try:
        path = Path(source)
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise ImageError(f"{shown} is a folder, not an image: choose a file in it.")
        if not stat.S_ISREG(status.st_mode):
            raise ImageError(f"{shown} is no ordinary file: choose an image file.")
        with path.open("rb") as file:
            beginning = file.read(_BEGINNING)
            check_length(beginning, status.st_size, shown_name(beginning, path.name))
            return with_rest(beginning, file)  # the file may be growing
    except FileNotFoundError as error:
        raise ImageError(f"There is no file {shown}: check the path.") from error
    except ValueError as error:  # a null character
        raise ImageError(f"{shown} is no possible file name: check the path.") from error
    except OSError as error:
        raise ImageError(f"{shown} cannot be opened ({error.strerror}): check the path and its permissions.") from error


def with_rest(beginning: bytes, file: BinaryIO) -> bytes:
    """``beginning`` and what follows it, in all a byte more than any file may have at most; held in memory once."""
    held = BytesIO()
    held.write(beginning)
    while block := file.read(min(_BLOCK, MAX_DICOM_BYTES + 1 - held.tell())):
        held.write(block)
    return held.getvalue()


def check_length(beginning: bytes, length: int, file: str) -> None:
    """Raises ImageError for an empty file, and for one longer than its kind, told by its beginning, may be."""
    if length == 0:
        raise ImageError(f"{file} is empty (zero bytes): copy or export it again.")
    most = MAX_DICOM_BYTES if is_dicom(beginning) else MAX_BYTES
    if length > most:
        raise ImageError(
            f"{file} is larger than {most // 2**20} MB, the most that PlaneLab reads: save a smaller copy."
        )


def check_size(width: int, height: int, file: str) -> None:
    """Raises ImageError for a picture of no pixels, and for one of too many."""
    if width < 1 or height < 1:
        raise ImageError(f"{file} claims to be {width} x {height} pixels and so shows nothing: export it again.")
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"{file} claims {width} x {height} pixels, more than the {MAX_PIXELS // 10**6} megapixels that PlaneLab "
            "reads: save a smaller copy."
        )


def _reader_of(data: bytes, file: str) -> type[Reader]:
    for reader in READERS.values():
        if reader.recognises(data):
            return reader
    for other, beginning in _OTHER_TYPES.items():
        if beginning.match(data):
            raise ImageError(f"{file} is a {other} file, which PlaneLab does not read: save it as {_known_types()}.")
    raise ImageError(f"{file} is not an image, or a badly damaged one: choose a file of type {_known_types()}.")


def _known_types() -> str:
    *most, last = *READERS, "DICOM"
    return f"{', '.join(most)} or {last}"


def _check_extension(file: str, reader: type[Reader]) -> None:
    """Raises for the extension of another type. What does not look like an extension (``.2024``) is none."""
    extension = Path(file).suffix
    if extension.lower() in reader.extensions or not re.fullmatch(r"\.[A-Za-z][A-Za-z0-9]{1,4}", extension):
        return
    renamed = Path(file).with_suffix(reader.extensions[0])
    raise ImageError(f"{file} is really a {reader.name} file: rename it to {renamed} and open it again.")


def without_needless_colour(pixels: np.ndarray) -> np.ndarray:
    """One channel where all three are equal everywhere."""
    if pixels.ndim == 2 or any(not np.array_equal(pixels[..., 0], pixels[..., channel]) for channel in (1, 2)):
        return pixels
    return np.ascontiguousarray(pixels[..., 0])
