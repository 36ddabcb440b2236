"""core.images against files built here byte by byte, and against decoders that it does not use for them."""

import hashlib
import io
import os
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from core.errors import ImageError, ParameterError
from core.images import MAX_BYTES, MAX_PIXELS, Frame, display_name, encode_png, read_image

# Pillow's remarks on broken metadata, which core.images silences outside pytest
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")

HEIGHT, WIDTH = 23, 37


def smooth(channels=3, seed=0, shape=(HEIGHT, WIDTH)):
    """A picture that survives JPEG, with no symmetry that would hide a wrong turn."""
    generator = np.random.default_rng(seed)
    picture = generator.integers(0, 256, (*shape, channels)).astype(np.uint8)
    picture = cv2.GaussianBlur(picture, (0, 0), 3).reshape(*shape, channels)
    picture = cv2.normalize(picture, None, 5, 250, cv2.NORM_MINMAX).reshape(*shape, channels)
    return picture[..., 0] if channels == 1 else picture


def saved(pixels, kind, mode=None, **options):
    """Bytes of a picture written by Pillow."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    buffer = io.BytesIO()
    (image.convert(mode) if mode else image).save(buffer, kind, **options)
    return buffer.getvalue()


# ---------------------------------------------------------------------------------------------------------------------
# PNG, built by hand: (values, depth, colour type) in every depth, also interlaced

ADAM7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def packed_rows(values, depth):
    """Rows of samples (H, W, C) as PNG stores them, each after a filter byte of 0."""
    rows = b""
    for row in values.reshape(len(values), -1):
        if depth == 16:
            rows += b"\0" + row.astype(">u2").tobytes()
        else:
            bits = np.unpackbits(row.astype(np.uint8)[:, None], axis=1)[:, 8 - depth :]
            rows += b"\0" + np.packbits(bits.ravel()).tobytes()
    return rows


def png(values, depth, colour, *, interlaced=False, before=b"", data=None):
    values = np.asarray(values)
    values = values[..., None] if values.ndim == 2 else values
    height, width = values.shape[:2]
    if interlaced:
        passes = [values[y::dy, x::dx] for y, x, dy, dx in ADAM7]
        rows = b"".join(packed_rows(part, depth) for part in passes if part.size)
    else:
        rows = packed_rows(values, depth)
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    data = zlib.compress(rows) if data is None else data
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + before + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def samples(depth, channels, seed=1):
    values = np.random.default_rng(seed).integers(0, 2**depth, (HEIGHT, WIDTH, channels))
    values[0, 0] = 2**depth - 1  # the depth of 16-bit values is judged by the largest
    return values


def in_eight_bits(values, depth):
    return np.rint(values * (255 / (2**depth - 1))).astype(np.uint8)


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_png_gray(depth, interlaced):
    values = samples(depth, 1)
    frame = read_image(png(values, depth, 0, interlaced=interlaced), "scan.png")
    np.testing.assert_array_equal(frame.pixels, in_eight_bits(values[..., 0], depth))
    assert frame.notes == (() if depth <= 8 else ("16-bit values were scaled from 0-65535 to 8 bits.",))


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("depth", [8, 16])
def test_png_colour(depth, interlaced):
    values = samples(depth, 3)
    frame = read_image(png(values, depth, 2, interlaced=interlaced))
    np.testing.assert_array_equal(frame.pixels, in_eight_bits(values, depth))


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize(("colour", "channels"), [(4, 1), (6, 3)])
def test_png_transparency_is_laid_over_black(depth, colour, channels):
    values = samples(depth, channels + 1)
    frame = read_image(png(values, depth, colour))
    colours = in_eight_bits(values[..., :channels], depth).astype(float)
    expected = np.rint(colours * in_eight_bits(values[..., channels:], depth) / 255).squeeze()
    np.testing.assert_array_equal(frame.pixels, expected)
    assert "Transparent parts were laid over black." in frame.notes


def test_opaque_transparency_is_not_mentioned():
    values = np.dstack([smooth(), np.full((HEIGHT, WIDTH), 255)])
    frame = read_image(png(values, 8, 6))
    np.testing.assert_array_equal(frame.pixels, values[..., :3])
    assert frame.notes == ()


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_png_palette(depth, interlaced):
    indices = samples(depth, 1)
    palette = np.random.default_rng(2).integers(0, 256, (2**depth, 3)).astype(np.uint8)
    before = chunk(b"PLTE", palette.tobytes())
    np.testing.assert_array_equal(
        read_image(png(indices, depth, 3, interlaced=interlaced, before=before)).pixels, palette[indices[..., 0]]
    )
    before += chunk(b"tRNS", b"\x80")  # the first entry is half transparent
    expected = palette.copy()
    expected[0] = np.rint(palette[0] * (128 / 255))
    np.testing.assert_array_equal(
        read_image(png(indices, depth, 3, interlaced=interlaced, before=before)).pixels, expected[indices[..., 0]]
    )


@pytest.mark.parametrize(("depth", "colour", "channels"), [(4, 0, 1), (8, 0, 1), (16, 0, 1), (8, 2, 3), (16, 2, 3)])
def test_png_one_transparent_value(depth, colour, channels):
    values = samples(depth, channels)
    clear = values[3, 4]
    before = chunk(b"tRNS", struct.pack(f">{channels}H", *clear))
    expected = in_eight_bits(values, depth)
    expected[(values == clear).all(axis=-1)] = 0
    np.testing.assert_array_equal(read_image(png(values, depth, colour, before=before)).pixels, expected.squeeze())


def test_png_metadata_changes_nothing(capfd):
    pixels = smooth()
    before = chunk(b"gAMA", struct.pack(">I", 100000)) + chunk(b"iCCP", b"x\0\0" + zlib.compress(b"no profile"))
    before += chunk(b"bKGD", b"\0\xff\0\0\0\0") + chunk(b"pHYs", struct.pack(">IIB", 3937, 3937, 1))
    frame = read_image(png(pixels, 8, 2, before=before))
    np.testing.assert_array_equal(frame.pixels, pixels)
    assert frame.pixel_size_mm is None  # a print resolution is no pixel size
    assert capfd.readouterr() == ("", "")


def test_first_frame_of_an_animated_png():
    frames = [Image.fromarray(smooth(seed=seed)) for seed in range(3)]
    data = saved(frames[0], "PNG", save_all=True, append_images=frames[1:])
    frame = read_image(data)
    np.testing.assert_array_equal(frame.pixels, smooth(seed=0))
    assert frame.notes == ("This file holds 3 frames; the first is shown.",)


# ---------------------------------------------------------------------------------------------------------------------
# 16-bit and other values that are no 8-bit values


@pytest.mark.parametrize(
    ("largest", "ceiling"), [(200, 255), (900, 1023), (4095, 4095), (9000, 16383), (16384, 65535), (65535, 65535)]
)
def test_sixteen_bits_are_scaled_by_the_depth_that_holds_them(largest, ceiling):
    values = np.random.default_rng(0).integers(0, largest + 1, (HEIGHT, WIDTH)).astype(np.uint16)
    values[5, 5] = largest
    frame = read_image(cv2.imencode(".png", values)[1].tobytes())
    np.testing.assert_array_equal(frame.pixels, np.rint(values / ceiling * 255))
    assert frame.notes == (f"16-bit values were scaled from 0-{ceiling} to 8 bits.",)


@pytest.mark.parametrize(
    ("low", "high", "note"),
    [
        (0.0, 1.0, "Floating-point values were scaled from 0-1 to 8 bits."),
        (0.0, 255.0, "Floating-point values were scaled from 0-255 to 8 bits."),
        (-5.0, 3000.0, "Values from -5 to 3000 were stretched to 8 bits."),
    ],
)
def test_floating_point_tiff(low, high, note):
    values = np.linspace(low, high, HEIGHT * WIDTH, dtype=np.float32).reshape(HEIGHT, WIDTH)
    frame = read_image(tiff(values, sample_format=3))
    np.testing.assert_allclose(frame.pixels, np.linspace(0, 255, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH), atol=0.51)
    assert frame.notes == (note,)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_floating_point_tiff_without_numbers_is_refused(bad):
    values = np.zeros((HEIGHT, WIDTH), np.float32)
    values[4, 4] = bad
    with pytest.raises(ImageError, match="no numbers"):
        read_image(tiff(values, sample_format=3))


def test_signed_values_are_stretched():
    values = np.linspace(-1000, 1000, HEIGHT * WIDTH).astype(np.int16).reshape(HEIGHT, WIDTH)
    frame = read_image(tiff(values, sample_format=2))
    np.testing.assert_allclose(frame.pixels, (values + 1000.0) / 2000 * 255, atol=0.51)


# ---------------------------------------------------------------------------------------------------------------------
# TIFF, built by hand


def tiff(values, order="<", *, photometric=None, planar=1, rows=None, tile=None, compressed=False, big=False, **extra):
    """A TIFF of one page. ``extra``: orientation, extra_samples, sample_format."""
    values = np.asarray(values)
    height, width = values.shape[:2]
    samples = 1 if values.ndim == 2 else values.shape[2]
    stored = values.astype(values.dtype.newbyteorder(order))
    planes = [stored] if planar == 1 else [stored[..., index] for index in range(samples)]
    if tile:
        padding = [(0, -height % tile), (0, -width % tile)]
        planes = [np.pad(plane, padding + [(0, 0)] * (plane.ndim - 2)) for plane in planes]
        parts = [
            plane[y : y + tile, x : x + tile].tobytes()
            for plane in planes
            for y in range(0, plane.shape[0], tile)
            for x in range(0, plane.shape[1], tile)
        ]
    else:
        rows = rows or height
        parts = [plane[y : y + rows].tobytes() for plane in planes for y in range(0, height, rows)]
    if compressed:
        parts = [zlib.compress(part) for part in parts]
    head = struct.pack(order + "HHHQ", 43, 8, 0, 0) if big else struct.pack(order + "HI", 42, 0)
    data = bytearray((b"II" if order == "<" else b"MM") + head)

    def put(block):
        where = len(data)
        data.extend(block + b"\0" * (-len(block) % 8))
        return where

    offsets = [put(part) for part in parts]
    sizes = [len(part) for part in parts]
    tags = {256: [width], 257: [height], 258: [values.dtype.itemsize * 8] * samples, 259: [8 if compressed else 1]}
    tags |= {262: [photometric if photometric is not None else (1 if samples == 1 else 2)], 277: [samples]}
    tags |= {322: [tile], 323: [tile], 324: offsets, 325: sizes} if tile else {273: offsets, 278: [rows], 279: sizes}
    tags[284] = [planar]
    names = {"orientation": 274, "extra_samples": 338, "sample_format": 339}
    tags |= {names[name]: [value] * (samples if name == "sample_format" else 1) for name, value in extra.items()}
    inline = 8 if big else 4
    entries = []
    for tag, numbers in sorted(tags.items()):
        kind, letter = (4, "I") if tag in (256, 257, 273, 278, 279, 324, 325) else (3, "H")
        body = struct.pack(f"{order}{len(numbers)}{letter}", *numbers)
        if len(body) > inline:
            body = struct.pack(order + ("Q" if big else "I"), put(body))
        entries.append(
            struct.pack(order + ("HHQ" if big else "HHI"), tag, kind, len(numbers)) + body.ljust(inline, b"\0")
        )
    count = struct.pack(order + ("Q" if big else "H"), len(entries))
    directory = put(count + b"".join(entries) + b"\0" * inline)
    data[inline : 2 * inline] = struct.pack(order + ("Q" if big else "I"), directory)
    return bytes(data)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("layout", [{}, {"rows": 5}, {"tile": 16}, {"rows": 7, "planar": 2}])
@pytest.mark.parametrize(("depth", "channels"), [(8, 1), (16, 1), (8, 3), (16, 3)])
def test_tiff_layouts(depth, channels, layout, big, compressed, order):
    values = samples(depth, channels).astype(f"u{depth // 8}")
    data = tiff(
        values.squeeze(),
        order,
        compressed=compressed,
        big=big,
        **(layout if channels == 3 else {**layout, "planar": 1}),
    )
    if depth == 16 and channels == 3 and layout.get("planar") == 2:
        with pytest.raises(ImageError, match="separate planes"):  # both libraries scramble these
            read_image(data)
        return
    if big and order == ">":
        with pytest.raises(ImageError, match="rare variant"):  # Pillow does not read these
            read_image(data)
        return
    frame = read_image(data, "scan.tif")
    np.testing.assert_array_equal(frame.pixels, in_eight_bits(values, depth).squeeze())


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_tiff_with_white_as_zero(dtype):
    values = samples(np.dtype(dtype).itemsize * 8, 1)[..., 0].astype(dtype)
    expected = 255 - in_eight_bits(values, np.dtype(dtype).itemsize * 8)
    np.testing.assert_array_equal(read_image(tiff(values, photometric=0)).pixels, expected)


@pytest.mark.parametrize(("dtype", "sample_format"), [(np.int8, 2), (np.uint32, 1)])
def test_tiff_that_pillow_would_misread_is_refused(dtype, sample_format):
    with pytest.raises(ImageError, match="signed"):
        read_image(tiff(np.arange(HEIGHT * WIDTH, dtype=dtype).reshape(HEIGHT, WIDTH), sample_format=sample_format))


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize(("meaning", "applies"), [(1, False), (2, True)])
def test_tiff_transparency(depth, meaning, applies):
    """Colours that were multiplied by their opacity already (1) look over black as they are stored."""
    values = samples(depth, 4)
    if meaning == 1:
        values[..., :3] = values[..., :3] * values[..., 3:] // (2**depth - 1)
    frame = read_image(tiff(values.astype(f"u{depth // 8}"), extra_samples=meaning))
    colours = values[..., :3] / (2**depth - 1) * 255
    expected = colours * values[..., 3:] / (2**depth - 1) if applies else colours
    if meaning == 1 and depth == 16:
        expected = values[..., :3] / 65535 * 255  # scaled by the depth of the largest value, which is 65535 here
    np.testing.assert_allclose(frame.pixels, expected, atol=2)


@pytest.mark.parametrize(
    ("mode", "compression"),
    [(mode, how) for mode in ("L", "RGB", "RGBA", "CMYK", "P", "LA") for how in (None, "tiff_lzw", "packbits", "zstd")]
    + [("1", None), ("1", "group3"), ("1", "group4"), ("RGB", "jpeg"), ("L", "jpeg")],
)
def test_tiff_by_pillow(mode, compression):
    image = Image.fromarray(smooth()).convert(mode)
    frame = read_image(saved(image, "TIFF", **({"compression": compression} if compression else {})))
    expected = np.asarray(image.convert("L" if mode in ("1", "L", "LA") else "RGB"))
    tolerance = 12 if compression == "jpeg" else 0
    np.testing.assert_allclose(frame.pixels.astype(int), expected, atol=tolerance)


def test_first_page_of_a_tiff():
    pages = [Image.fromarray(smooth(seed=seed)) for seed in range(4)]
    frame = read_image(saved(pages[0], "TIFF", save_all=True, append_images=pages[1:]))
    np.testing.assert_array_equal(frame.pixels, smooth(seed=0))
    assert frame.notes == ("This file holds 4 frames; the first is shown.",)


def test_tiff_whose_pages_go_in_a_circle():
    data = bytearray(tiff(smooth(1)))
    directory = struct.unpack("<I", data[4:8])[0]
    entries = struct.unpack("<H", data[directory : directory + 2])[0]
    struct.pack_into("<I", data, directory + 2 + 12 * entries, directory)
    np.testing.assert_array_equal(read_image(bytes(data)).pixels, smooth(1))


# ---------------------------------------------------------------------------------------------------------------------
# JPEG and BMP


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("quality", [40, 95])
@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_as_opencv_reads_it(channels, quality, subsampling, progressive):
    options = {"quality": quality, "progressive": progressive, "restart_marker_blocks": 2 * progressive}
    options |= {"subsampling": subsampling} if channels == 3 else {}
    data = saved(smooth(channels), "JPEG", **options)
    expected = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    frame = read_image(data, "scan.jpeg")
    np.testing.assert_array_equal(frame.pixels, expected if channels == 1 else expected[..., ::-1])


def test_cmyk_jpeg():
    ink = np.zeros((32, 64, 4), np.uint8)
    ink[:, 32:] = (0, 255, 255, 0)  # red
    frame = read_image(saved(Image.fromarray(ink, "CMYK"), "JPEG", quality=100))
    assert np.abs(frame.pixels[:, 40:].astype(int) - (255, 0, 0)).max() <= 4
    assert frame.pixels[:, :24].min() >= 251
    assert frame.notes == ("CMYK colours were converted to RGB without a colour profile.",)


def test_first_picture_of_an_mpo():
    pictures = [Image.fromarray(smooth(seed=seed)) for seed in range(2)]
    data = saved(pictures[0], "MPO", save_all=True, append_images=pictures[1:])
    frame = read_image(data, "stereo.jpg")
    expected = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    np.testing.assert_array_equal(frame.pixels, expected)
    assert frame.notes == ("This file holds 2 frames; the first is shown.",)


def bmp(pixels, bits, *, palette=b"", height=None, compression=0, masks=b"", header=40):
    """A BMP around stored bytes; ``height`` negative for rows from the top."""
    rows, (shape_height, shape_width) = pixels
    height = shape_height if height is None else height
    info = struct.pack("<IiiHHIIiiII", header, shape_width, height, 1, bits, compression, len(rows), 0, 0, 0, 0)
    info += masks.ljust(header - 40, b"\0") if header > 40 else b""
    start = 14 + len(info) + len(palette)
    return b"BM" + struct.pack("<IHHI", start + len(rows), 0, 0, start) + info + palette + rows


def bmp_rows(stored, bottom_up=True):
    """Rows (H, bytes) padded to four bytes, the lowest first."""
    stored = np.pad(stored, [(0, 0), (0, -stored.shape[1] % 4)])
    return (stored[::-1] if bottom_up else stored).tobytes()


GRAYS = b"".join(bytes([level, level, level, 0]) for level in range(256))


def test_bmp_of_8_bits_and_by_run_lengths():
    values = smooth(1)
    expected = values
    plain = bmp((bmp_rows(values), values.shape), 8, palette=GRAYS)
    runs = b""
    for row in values[::-1]:
        runs += b"".join(bytes([1, value]) for value in row) + b"\0\0"
    coded = bmp((runs + b"\0\1", values.shape), 8, palette=GRAYS, compression=1)
    np.testing.assert_array_equal(read_image(plain, "scan.bmp").pixels, expected)
    np.testing.assert_array_equal(read_image(coded).pixels, expected)


def test_bmp_of_1_and_4_bits():
    indices = np.random.default_rng(0).integers(0, 2, (9, 24)).astype(np.uint8)
    rows = bmp_rows(np.packbits(indices, axis=1))
    frame = read_image(bmp((rows, indices.shape), 1, palette=b"\0\0\0\0\xff\xff\xff\0"))
    np.testing.assert_array_equal(frame.pixels, indices * 255)
    indices = np.random.default_rng(0).integers(0, 16, (9, 24)).astype(np.uint8)
    palette = np.random.default_rng(1).integers(0, 256, (16, 4)).astype(np.uint8)
    rows = bmp_rows(indices[:, ::2] << 4 | indices[:, 1::2])
    frame = read_image(bmp((rows, indices.shape), 4, palette=palette.tobytes()))
    np.testing.assert_array_equal(frame.pixels, palette[indices][..., 2::-1])


@pytest.mark.parametrize("from_top", [False, True])
def test_bmp_of_24_bits(from_top):
    values = smooth()
    stored = values[..., ::-1].reshape(HEIGHT, -1)
    data = bmp((bmp_rows(stored, not from_top), values.shape[:2]), 24, height=-HEIGHT if from_top else HEIGHT)
    np.testing.assert_array_equal(read_image(data).pixels, values)


def test_bmp_of_16_bits():
    values = np.random.default_rng(0).integers(0, 32, (6, 8, 3))
    stored = (values[..., 0] << 10 | values[..., 1] << 5 | values[..., 2]).astype("<u2")
    frame = read_image(bmp((bmp_rows(stored.view(np.uint8)), values.shape[:2]), 16))
    np.testing.assert_allclose(frame.pixels, values * (255 / 31), atol=1)


@pytest.mark.parametrize("opacity", [0, 128])
def test_bmp_of_32_bits(opacity):
    """Opacity that is zero everywhere is a byte nobody filled in."""
    values = smooth()
    stored = np.dstack([values[..., ::-1], np.full((HEIGHT, WIDTH), opacity, np.uint8)]).reshape(HEIGHT, -1)
    masks = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    data = bmp((bmp_rows(stored), values.shape[:2]), 32, compression=3, masks=masks, header=56)
    expected = values if opacity == 0 else np.rint(values * (128 / 255))
    np.testing.assert_array_equal(read_image(data).pixels, expected)


# ---------------------------------------------------------------------------------------------------------------------
# What all formats share


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "TIFF 16-bit"])
def test_exif_orientation(kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    if kind.startswith("TIFF"):
        values = smooth().astype(np.uint16) * 257 if kind == "TIFF 16-bit" else smooth()
        data = tiff(values, orientation=orientation)
    else:
        data = saved(smooth(), kind, exif=exif, **({"quality": 95} if kind == "JPEG" else {}))
    stored = Image.fromarray(smooth())
    if kind == "JPEG":
        stored = Image.fromarray(np.asarray(Image.open(io.BytesIO(data))))
    stored.info["exif"] = exif.tobytes()
    frame = read_image(data)
    np.testing.assert_array_equal(frame.pixels, np.asarray(ImageOps.exif_transpose(stored)))
    assert frame.pixels.flags.c_contiguous
    assert any("upright" in note for note in frame.notes) == (orientation != 1)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP"])
def test_equal_channels_become_gray(kind):
    gray = smooth(1)
    frame = read_image(saved(np.dstack([gray] * 3), kind))
    assert not frame.is_colour
    assert frame.pixels.shape == (frame.height, frame.width) == (HEIGHT, WIDTH)
    np.testing.assert_allclose(frame.pixels.astype(int), gray, atol=0 if kind != "JPEG" else 20)


def test_frame_of_a_path(tmp_path):
    path = tmp_path / "folder" / "Fötus 1.PNG"
    path.parent.mkdir()
    data = saved(smooth(), "PNG")
    path.write_bytes(data)
    for source in (path, str(path)):
        frame = read_image(source)
        assert frame.source == "Fötus 1.PNG"
        assert frame.sha256 == hashlib.sha256(data).hexdigest()
        np.testing.assert_array_equal(frame.pixels, smooth())
    assert read_image(path, "other.png").source == "other.png"
    assert read_image(bytearray(data)).source == "image"


def test_frame_is_read_only_and_leaves_its_array_alone():
    pixels = smooth()[:, ::-1]
    frame = Frame(pixels, "x.png", "0")
    assert frame.pixels.flags.c_contiguous
    with pytest.raises(ValueError, match="read-only"):
        frame.pixels[0, 0] = 0
    own = np.zeros((4, 4), np.uint8)
    gray = Frame(own, "x.png", "0")
    own[0, 0] = 1
    with pytest.raises(ValueError, match="read-only"):
        gray.gray()[0, 0] = 0
    for wrong in (np.zeros((4, 4)), np.zeros((4, 4, 4), np.uint8), np.zeros((0, 4), np.uint8), [[1]]):
        with pytest.raises(ParameterError):
            Frame(wrong, "x.png", "0")


def test_gray_of_a_colour_frame():
    frame = Frame(smooth(), "x.png", "0")
    np.testing.assert_allclose(frame.gray(), smooth() @ (0.299, 0.587, 0.114), atol=0.51)


def test_reading_in_threads_gives_the_same():
    files = [saved(smooth(seed=seed), kind) for seed in range(3) for kind in ("PNG", "JPEG", "TIFF", "BMP")] * 5
    alone = [read_image(data).pixels for data in files]
    with ThreadPoolExecutor(4) as pool:
        for expected, frame in zip(alone, pool.map(read_image, files), strict=True):
            np.testing.assert_array_equal(frame.pixels, expected)


# ---------------------------------------------------------------------------------------------------------------------
# What is refused


def examples():
    """One sound file of each kind."""
    noise = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    pages = [Image.fromarray(smooth(seed=seed)) for seed in range(2)]
    return {
        "png": saved(noise, "PNG"),
        "interlaced.png": png(noise, 8, 2, interlaced=True),
        "deep.png": png(samples(16, 4), 16, 6),
        "animated.png": saved(pages[0], "PNG", save_all=True, append_images=pages[1:]),
        "jpg": saved(noise, "JPEG", quality=90),
        "progressive.jpg": saved(noise, "JPEG", quality=90, progressive=True),
        "gray.jpg": saved(noise[..., 0], "JPEG"),
        "cmyk.jpg": saved(noise, "JPEG", mode="CMYK"),
        "tif": saved(noise, "TIFF"),
        "lzw.tif": saved(noise, "TIFF", compression="tiff_lzw"),
        "jpeg.tif": saved(noise, "TIFF", compression="jpeg"),
        "fax.tif": saved(noise, "TIFF", mode="1", compression="group4"),
        "deep.tif": tiff(samples(16, 3).astype(np.uint16)),
        "tiles.tif": tiff(noise, ">", tile=16, compressed=True),
        "big.tif": tiff(noise, big=True),
        "float.tif": tiff(noise[..., 0].astype(np.float32), sample_format=3),
        "bmp": saved(noise, "BMP"),
        "palette.bmp": saved(noise, "BMP", mode="P"),
    }


EXAMPLES = examples()


@pytest.mark.parametrize("kind", EXAMPLES)
def test_sound_files_are_read_and_cut_ones_refused(kind, capfd):
    data = EXAMPLES[kind]
    name = kind if "." in kind else f"scan.{kind}"
    whole = read_image(data, name)
    for length in sorted({len(data) * tenth // 10 for tenth in range(10)} | {len(data) - 20, len(data) - 3}):
        try:
            frame = read_image(data[:length], name)
        except ImageError:
            continue
        # Only what lies behind the picture may be missing: here the padding after a directory.
        np.testing.assert_array_equal(frame.pixels, whole.pixels)
        assert len(data) - length <= 3
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kind", ["jpg", "progressive.jpg", "gray.jpg", "cmyk.jpg"])
@pytest.mark.parametrize("share", [0.5, 0.7, 0.9, 0.99])
def test_jpeg_that_pretends_to_be_complete(kind, share):
    """An end marker behind half of the data: decoders paint the rest gray and say nothing."""
    data = EXAMPLES[kind]
    cut = data[: int(len(data) * share)].rstrip(b"\xff")
    with pytest.raises(ImageError):
        read_image(cut + b"\xff\xd9")


def test_jpeg_with_an_end_marker_and_something_behind_it():
    data = EXAMPLES["jpg"]
    np.testing.assert_array_equal(read_image(data + b"\0" * 500).pixels, read_image(data).pixels)


def test_jpeg_of_endless_passes():
    data = EXAMPLES["progressive.jpg"]
    scan = data[data.rindex(b"\xff\xda") : -2]
    with pytest.raises(ImageError, match="damaged"):
        read_image(data[:-2] + scan * 200 + data[-2:])


def test_png_whose_data_stop_early(capfd):
    half = packed_rows(samples(8, 3)[: HEIGHT // 2], 8)
    with pytest.raises(ImageError):
        read_image(png(samples(8, 3), 8, 2, data=zlib.compress(half)))


def test_every_flipped_byte_of_a_png_is_noticed():
    palette = chunk(b"PLTE", bytes(range(12))) + chunk(b"tRNS", b"\x80\x90")
    data = png(samples(2, 1)[:4, :5], 2, 3, before=palette)
    for position in range(len(data)):
        flipped = bytearray(data)
        flipped[position] ^= 0x10
        with pytest.raises(ImageError):
            read_image(bytes(flipped))


def test_bmp_by_run_lengths_that_stops_early():
    values = smooth(1)
    runs = b"".join(bytes([1, value]) for value in values[-1]) + b"\0\0\0\1"
    with pytest.raises(ImageError):
        read_image(bmp((runs, values.shape), 8, palette=GRAYS, compression=1))


def claims(width, height):
    """Files that claim a size and hold next to nothing."""
    directory = tiff(np.zeros((2, 2), np.uint8))
    for tag, value in ((256, width), (257, height)):
        where = directory.index(struct.pack("<HHI", tag, 4, 1)) + 8
        directory = directory[:where] + struct.pack("<I", value) + directory[where + 4 :]
    frame_header = struct.pack(">HBHHB", 11, 8, min(height, 65535), min(width, 65535), 1) + b"\1\x11\0"
    scan = b"\xff\xda" + struct.pack(">HB", 8, 1) + b"\1\0\0\x3f\0"
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return {
        "PNG": b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"x") + chunk(b"IEND", b""),
        "BMP": bmp((b"", (height, width)), 24),
        "TIFF": directory,
        "JPEG": b"\xff\xd8\xff\xc0" + frame_header + scan + b"\0\xff\xd9",
    }


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "JPEG"])
def test_size_is_judged_before_decoding(kind, capfd):
    with pytest.raises(ImageError, match=r"claims \d+ x 60000 pixels, more than the 40 megapixels"):
        read_image(claims(60_000, 60_000)[kind])
    with pytest.raises(ImageError, match="shows nothing"):
        read_image(claims(0, 100)[kind])
    with pytest.raises(ImageError):  # allowed, but the data cannot be there
        read_image(claims(6000, 6000)[kind])
    assert capfd.readouterr() == ("", "")  # no decoder was asked


def test_largest_size_is_read():
    side = int(MAX_PIXELS**0.5)
    frame = read_image(cv2.imencode(".png", np.zeros((side, side), np.uint8))[1].tobytes())
    assert frame.pixels.shape == (side, side)
    with pytest.raises(ImageError, match="megapixels"):
        read_image(cv2.imencode(".png", np.zeros((side + 2, side), np.uint8))[1].tobytes())


def test_deep_pictures_are_judged_by_the_memory_they_need():
    header = struct.pack(">IIBBBBB", 6000, 6000, 16, 6, 0, 0, 0)
    data = chunk(b"IHDR", header) + chunk(b"IDAT", bytes(300_000)) + chunk(b"IEND", b"")
    with pytest.raises(ImageError, match="288 MB of memory"):
        read_image(b"\x89PNG\r\n\x1a\n" + data)


REFUSED = {
    "empty": (b"", "empty"),
    "too long": (b"\x89PNG\r\n\x1a\n" + bytes(MAX_BYTES), "larger than 20 MB"),
    "text": (b"BMX, a sport\n" * 20, "is not an image"),
    "GIF": (saved(smooth(), "GIF"), "GIF file.*PNG, JPEG, TIFF, BMP or DICOM"),
    "WebP": (saved(smooth(), "WEBP"), "WebP file"),
    "JPEG 2000": (saved(smooth(), "JPEG2000"), "JPEG 2000 file"),
    "AVIF": (saved(smooth(), "AVIF"), "AVIF file"),
    "DICOM": (bytes(128) + b"DICM" + bytes(50), "damaged DICOM"),
    "PDF": (b"%PDF-1.7 ...", "PDF file"),
    "ZIP": (b"PK\x03\x04" + bytes(50), "ZIP file"),
    "damaged": (EXAMPLES["png"][:50] + b"\0" + EXAMPLES["png"][51:], "damaged PNG"),
    "cut": (EXAMPLES["bmp"][:200], "cut short"),
    "colour space": (saved(Image.new("LAB", (4, 4)), "TIFF"), "holds LAB colours"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_each_refusal_has_its_own_sentence(kind):
    data, expected = REFUSED[kind]
    with pytest.raises(ImageError, match=expected) as caught:
        read_image(data)
    sentence = str(caught.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    others = [pattern for other, (_, pattern) in REFUSED.items() if other != kind]
    assert sum(pattern in sentence for pattern in others) == 0


@pytest.mark.parametrize(
    ("name", "kind", "renamed"),
    [("a.jpg", "png", "a.png"), ("a.PNG", "jpg", "a.jpg"), ("a.bmp", "tif", "a.tif"), ("a.txt", "bmp", "a.bmp")],
)
def test_wrong_extension(name, kind, renamed):
    with pytest.raises(ImageError, match=f"{name} is really a .* file: rename it to {renamed}"):
        read_image(EXAMPLES[kind], name)


@pytest.mark.parametrize("name", ["a.png", "a.PNG", "a", "1.2.840.113", "scan of 3.5.2024", None, "folder\\a.png"])
def test_accepted_names(name):
    assert read_image(EXAMPLES["png"], name).is_colour


def test_paths_that_cannot_be_read(tmp_path):
    with pytest.raises(ImageError, match="no file"):
        read_image(tmp_path / "missing.png")
    with pytest.raises(ImageError, match="is a folder"):
        read_image(tmp_path)
    with pytest.raises(ImageError, match="no possible file name"):
        read_image("a\0b.png")
    with pytest.raises(ImageError, match="cannot be opened"):
        read_image("x" * 300 + ".png")
    circle = tmp_path / "circle.png"
    circle.symlink_to(circle)
    with pytest.raises(ImageError, match="cannot be opened"):
        read_image(circle)
    pipe = tmp_path / "pipe.png"
    os.mkfifo(pipe)
    with pytest.raises(ImageError, match="no ordinary file"):  # opening it would wait for ever
        read_image(pipe)
    large = tmp_path / "large.png"
    with large.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(ImageError, match="larger than 20 MB"):
        read_image(large)


def test_names_are_shown_safely():
    assert display_name("/home/anna/Müller.png") == "Müller.png"
    assert display_name("C:\\scans\\a.png") == "a.png"
    assert display_name("a\nb\x1b[31m.png") == "a�b�[31m.png"
    assert display_name("bad\udcff.png") == "bad�.png"
    assert len(display_name("x" * 5000 + ".png")) == 255
    with pytest.raises(ImageError) as caught:
        read_image(b"", "two\nlines.png")
    assert "\n" not in str(caught.value)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(EXAMPLES)), st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 255)), max_size=6))
def test_flipped_bits_give_a_frame_or_a_sentence(kind, flips):
    data = bytearray(EXAMPLES[kind])
    for position, bits in flips:
        data[position % len(data)] ^= bits
    try:
        frame = read_image(bytes(data), "scan")
    except ImageError as error:
        assert str(error)
    else:
        assert frame.pixels.dtype == np.uint8


PNG_PARTS = {
    "IHDR": struct.pack(">IIBBBBB", 5, 4, 2, 3, 0, 0, 0),
    "PLTE": bytes(range(12)),
    "tRNS": b"\x80\x90",
    "acTL": struct.pack(">II", 2, 0),
    "eXIf": b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0",
    "IDAT": zlib.compress(packed_rows(samples(2, 1)[:4, :5], 2)),
}


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(PNG_PARTS)), st.binary(max_size=30), st.integers(0, 30), st.integers(0, 30))
def test_chunks_of_any_content_give_a_frame_or_a_sentence(kind, rest, first, last):
    body = PNG_PARTS[kind][:first] + rest + PNG_PARTS[kind][last:]
    chunks = [chunk(name.encode(), body if name == kind else part) for name, part in PNG_PARTS.items()]
    try:
        frame = read_image(b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + chunk(b"IEND", b""))
    except ImageError as error:
        assert str(error)
    else:
        assert frame.pixels.size


BEGINNINGS = [
    b"",
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff",
    b"II*\0\x08\0\0\0",
    b"MM\0*\0\0\0\x08",
    b"II+\0\x08\0\0\0",
    b"BM",
]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(BEGINNINGS), st.binary(max_size=300))
def test_random_bytes_give_a_sentence(beginning, rest):
    with pytest.raises(ImageError):
        read_image(beginning + rest)


# ---------------------------------------------------------------------------------------------------------------------
# Pictures for the browser


@pytest.mark.parametrize("channels", [1, 3])
def test_png_round_trip(channels):
    pixels = smooth(channels)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(encode_png(pixels)))), pixels)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(encode_png(pixels[:, ::-1])))), pixels[:, ::-1])


def test_png_at_display_size():
    pixels = np.repeat(np.repeat(smooth(shape=(20, 30)), 4, axis=0), 4, axis=1)
    small = np.asarray(Image.open(io.BytesIO(encode_png(pixels, max_side=30))))
    np.testing.assert_array_equal(small, smooth(shape=(20, 30)))  # each block of 4 x 4 is one colour
    same = np.asarray(Image.open(io.BytesIO(encode_png(pixels, max_side=5000))))
    np.testing.assert_array_equal(same, pixels)
    thin = np.asarray(Image.open(io.BytesIO(encode_png(np.zeros((1, 900), np.uint8), max_side=10))))
    assert thin.shape == (1, 10)


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((4, 4), bool), np.zeros((4, 4), np.float32), np.zeros((4, 4, 2), np.uint8), np.zeros(4, np.uint8)],
)
def test_only_pictures_are_encoded(wrong):
    with pytest.raises(ParameterError):
        encode_png(wrong)


def test_display_size_must_be_positive():
    with pytest.raises(ParameterError):
        encode_png(np.zeros((4, 4), np.uint8), max_side=0)


def test_files_of_other_writers():
    """The files that ship with scikit-image, decoded by OpenCV."""
    folder = Path(skimage.__file__).parent / "data"
    files = [path for path in sorted(folder.rglob("*")) if path.suffix in (".png", ".jpg", ".tif", ".tiff", ".bmp")]
    assert len(files) > 5
    for path in files:
        if path.name == "multipage_rgb.tif":
            with pytest.raises(ImageError, match="separate planes"):
                read_image(path)
            continue
        expected = cv2.imread(str(path), cv2.IMREAD_UNCHANGED).astype(float)
        expected = expected if expected.ndim == 2 else expected[..., 2::-1]
        frame = read_image(path)
        if not frame.is_colour and expected.ndim == 3:
            expected = expected[..., 0]
        if expected.max() > 255:
            expected = expected / expected.max() * 255
        if "Transparent parts were laid over black." in frame.notes:  # OpenCV drops the opacity
            expected = np.minimum(expected, frame.pixels)
        np.testing.assert_allclose(frame.pixels.astype(float), expected, atol=1)
