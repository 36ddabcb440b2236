"""The kinds of JPEG that occur in DICOM: what a frame claims to be, and those that Pillow cannot decode.

Pillow decodes JPEG of 8 bits and JPEG 2000. JPEG of 12 bits, lossless JPEG and JPEG-LS go to imagecodecs, whose
libjpeg-turbo and CharLS are maintained and fuzzed; GDCM has unmended writes past its buffers, pylibjpeg-libjpeg's GPL
is not our licence. It is a plugin of pydicom's decoders, which see to signs, unused bits and colours.

Source: ITU-T T.81 B.2 (JPEG), T.87 C.2 (JPEG-LS), T.800 A.5.1 (JPEG 2000).
"""

import struct
from dataclasses import dataclass

import imagecodecs
import numpy as np
from pydicom.pixels.decoders.base import Decoder, DecodeRunner
from pydicom.uid import (
    UID,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
)

from core.image_formats import MAX_JPEG_PASSES, damaged, unsupported

JPEG = (JPEGBaseline8Bit, JPEGExtended12Bit)
LOSSLESS_JPEG = (JPEGLossless, JPEGLosslessSV1)
JPEG_LS = (JPEGLSLossless, JPEGLSNearLossless)

_BASELINE, _EXTENDED, _PROGRESSIVE, _LOSSLESS, _LS = 0xC0, 0xC1, 0xC2, 0xC3, 0xF7
_KINDS = {
    **dict.fromkeys(JPEG, (_BASELINE, _EXTENDED, _PROGRESSIVE)),
    **dict.fromkeys(LOSSLESS_JPEG, (_LOSSLESS,)),
    **dict.fromkeys(JPEG_LS, (_LS,)),
}
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {_LS}
_SCAN = 0xDA
_END = b"\xff\xd9"
# A decoder keeps several kilobytes a tile, which a small file may make as small as a pixel.
_MAX_TILES = 4096


@dataclass(frozen=True)
class Claim:
    """What a coded frame says of itself: decoders go by it, not by the file's header."""

    width: int
    height: int
    samples: int
    bits: int  # of a sample


def jpeg_claim(stored: bytes, syntax: str, file: str) -> Claim:
    """The claim of a JPEG or JPEG-LS frame.

    Raises
    ------
    ImageError
        If it has none, is of a kind that does not belong to its transfer syntax, or is drawn in endless passes.
    """
    kinds = _KINDS[UID(syntax)]
    kind, body = _first_segment(stored, _FRAMES, file)
    if kind not in kinds or len(body) < 6 or stored.count(bytes([0xFF, _SCAN])) > MAX_JPEG_PASSES:
        raise damaged(file, "DICOM")
    bits, height, width, samples = struct.unpack(">BHHB", body[:6])
    return Claim(width, height, samples, bits)


def jpeg_2000_stream(stored: bytes, file: str) -> bytes:
    """The code stream of a JPEG 2000 frame, which some files wrap into boxes; these might claim another size."""
    start = stored.find(b"\xff\x4f\xff\x51")
    if start < 0:
        raise damaged(file, "DICOM")
    return stored[start:]


def jpeg_2000_claim(stream: bytes, file: str) -> Claim:
    """The claim of a JPEG 2000 code stream, from its SIZ segment; its samples' depth is the largest.

    Raises
    ------
    ImageError
        If it is cut short, or in tiles by the thousand.
    """
    fields = stream[8:42]
    if len(fields) < 34:
        raise damaged(file, "DICOM")
    right, bottom, left, top, wide, high, _, _, samples = struct.unpack(">8IH", fields)
    depths = stream[42 : 42 + 3 * samples : 3]
    if not samples or len(depths) < samples:
        raise damaged(file, "DICOM")
    if (right - left) * (bottom - top) > _MAX_TILES * wide * high:
        raise unsupported(file, f"holds a JPEG 2000 picture of more than {_MAX_TILES} tiles")
    return Claim(right - left, bottom - top, samples, max(depth & 0x7F for depth in depths) + 1)


def decoder_of(syntax: str) -> Decoder:
    """pydicom's decoder of a transfer syntax, with imagecodecs behind it."""
    decoder = Decoder(UID(syntax))
    decoder.add_plugin("imagecodecs", (__name__, "decode_frame"))
    return decoder


# What pydicom asks of a plugin.
DECODER_DEPENDENCIES = {UID(uid): ("imagecodecs",) for uid in (*JPEG, *LOSSLESS_JPEG, *JPEG_LS)}


def is_available(uid: str) -> bool:
    """Whether this plugin decodes a transfer syntax."""
    return uid in DECODER_DEPENDENCIES


def decode_frame(stored: bytes, runner: DecodeRunner) -> bytearray:
    """One frame's values as bytes, colours by pixel."""
    if runner.transfer_syntax in JPEG_LS:
        # Without an end marker CharLS waits for more of a stream that ran dry, for ever.
        values = imagecodecs.jpegls_decode(stored + _END)
    else:
        # The same colours in and out: pydicom converts them, going by the file's header.
        colours = imagecodecs.JPEG8.CS.GRAYSCALE if runner.samples_per_pixel == 1 else imagecodecs.JPEG8.CS.RGB
        values = imagecodecs.jpeg8_decode(stored, colorspace=colours, outcolorspace=colours)
    runner.set_option("planar_configuration", 0)
    runner.set_option("bits_allocated", 8 * values.dtype.itemsize)
    return bytearray(np.ascontiguousarray(values))


def _first_segment(stored: bytes, kinds: frozenset[int], file: str) -> tuple[int, bytes]:
    """Marker and body of a code stream's first segment of some kinds.

    Nothing is skipped between segments as a decoder might, so that both see the same one.
    """
    position = 2
    while stored.startswith(b"\xff\xd8"):
        while stored[position : position + 2] == b"\xff\xff":
            position += 1
        marker, length = stored[position : position + 2], int.from_bytes(stored[position + 2 : position + 4], "big")
        body = stored[position + 4 : position + 2 + length]
        if len(marker) < 2 or marker[0] != 0xFF or length < 2 or len(body) != length - 2:
            break
        if marker[1] in kinds:
            return marker[1], body
        position += 2 + length
    raise damaged(file, "DICOM")
