"""core.dicom against files written here, and against files of pydicom's own test data (those inside its wheel)."""

import logging
import struct
import traceback
import zlib
from io import BytesIO
from pathlib import Path

import cv2
import imagecodecs
import numpy as np
import pytest
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut, pixel_array
from pydicom.uid import (
    HEVCMP51,
    MPEG2MPML,
    MPEG4HP41,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
    SecondaryCaptureImageStorage,
    generate_uid,
)

from core import dicom
from core.dicom import ALLOWED, n_frames, read_dicom
from core.errors import ImageError
from core.images import MAX_BYTES, MAX_DICOM_BYTES, read_image, shown_name

from ..hostile.memory import bounded_memory
from ..hostile.pictures import small_bombs

# pydicom's remarks on broken files, which core.dicom silences outside pytest
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

HEIGHT, WIDTH = 24, 30
BOMB_MB = 50
"""Far less than what the bombs would take, and room for what decoding any file takes."""
SECRETS = {
    "PatientName": "Mustermann^Erika",
    "PatientID": "K4711-0815",
    "PatientBirthDate": "19870305",
    "InstitutionName": "Klinik am Teich",
    "ReferringPhysicianName": "Brinkmann^Klaus",
    "StudyDate": "20240229",
    "StudyDescription": "Zwillinge links",
    "OperatorsName": "Schwester^Agnes",
    "ImageComments": "verdaechtiger Befund",
}


def gray(seed=0, shape=(HEIGHT, WIDTH), dtype=np.uint8, most=256):
    return np.random.default_rng(seed).integers(0, most, shape).astype(dtype)


def dataset(frames, photometric="MONOCHROME2", syntax=ExplicitVRLittleEndian, encoded=None, **tags):
    """A data set of frames (N, H, W) or (N, H, W, 3), stored plainly, or as ``encoded`` bytes a frame."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    made = Dataset()
    made.file_meta = meta
    made.Modality = "US"
    made.Rows, made.Columns = frames.shape[1:3]
    made.SamplesPerPixel = 3 if frames.ndim == 4 else 1
    made.PhotometricInterpretation = photometric
    if frames.ndim == 4:
        made.PlanarConfiguration = 0
    if len(frames) > 1:
        made.NumberOfFrames = len(frames)
    made.BitsAllocated = made.BitsStored = 8 * frames.dtype.itemsize
    made.HighBit = made.BitsStored - 1
    made.PixelRepresentation = int(frames.dtype.kind == "i")
    if encoded is None:
        order = ">" if syntax == ExplicitVRBigEndian else "<"
        values = frames.astype(frames.dtype.newbyteorder(order)).tobytes()
        made.PixelData = values + b"\0" * (len(values) % 2)
    else:
        made.PixelData = encapsulate(encoded)
    made["PixelData"].VR = "OB" if encoded or frames.dtype.itemsize == 1 else "OW"
    for keyword, value in tags.items():
        setattr(made, keyword, value)
    return made


def written(made):
    buffer = BytesIO()
    made.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def file_of(frames, *arguments, **tags):
    return written(dataset(frames, *arguments, **tags))


def shown(data, **options):
    """Pixels as stored: most pictures here are noise, in which a sector may or may not be seen."""
    return read_dicom(data, keep_outside=True, **options).pixels


def region(left=0, top=0, right=WIDTH - 1, bottom=HEIGHT - 1, delta=(0.02, 0.02), units=3, kind=1, spatial=1):
    made = Dataset()
    made.RegionSpatialFormat, made.RegionDataType = spatial, kind
    made.RegionLocationMinX0, made.RegionLocationMinY0 = left, top
    made.RegionLocationMaxX1, made.RegionLocationMaxY1 = right, bottom
    made.PhysicalUnitsXDirection = made.PhysicalUnitsYDirection = units
    made.PhysicalDeltaX, made.PhysicalDeltaY = delta
    return made


# ---------------------------------------------------------------------------------------------------------------------
# Values


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian])
@pytest.mark.parametrize("frame", range(3))
def test_every_frame_of_a_plain_file_comes_back(syntax, frame):
    frames = gray(shape=(3, 5, 7))  # of odd size, so that frames do not begin at even bytes
    made = file_of(frames, syntax=syntax)
    assert n_frames(made) == 3
    assert np.array_equal(shown(made, frame=frame), frames[frame])


@pytest.mark.parametrize("frame", [-1, 3])
def test_a_frame_that_is_not_there(frame):
    with pytest.raises(ImageError, match=f"has no frame {frame + 1}: choose one from 1 to 3"):
        read_dicom(file_of(gray(shape=(3, 5, 7))), frame=frame)


def test_monochrome1_is_turned_over():
    picture = gray()
    assert np.array_equal(shown(file_of(picture[None], "MONOCHROME1")), 255 - picture)


def test_rgb_in_either_plane_order():
    picture = gray(shape=(HEIGHT, WIDTH, 3))
    assert np.array_equal(shown(file_of(picture[None], "RGB")), picture)
    by_plane = dataset(picture[None], "RGB", PlanarConfiguration=1)
    by_plane.PixelData = picture.transpose(2, 0, 1).tobytes()
    assert np.array_equal(shown(written(by_plane)), picture)


def test_colour_with_equal_channels_becomes_gray():
    picture = gray()
    assert np.array_equal(shown(file_of(np.stack([picture] * 3, -1)[None], "RGB")), picture)


def ybr_to_rgb(ybr):
    """PS3.3 C.7.6.3.1.2, from its definition."""
    luma, blue, red = np.moveaxis(ybr.astype(float), -1, 0)
    r, b = luma + 1.402 * (red - 128), luma + 1.772 * (blue - 128)
    return np.clip(np.stack([r, (luma - 0.299 * r - 0.114 * b) / 0.587, b], -1), 0, 255)


def test_ybr_full_and_422():
    ybr = cv2.GaussianBlur(gray(1, (HEIGHT, WIDTH, 3)), (0, 0), 4)
    ybr[:, 1::2, 1:] = ybr[:, ::2, 1:]  # pairs of pixels share their colour, as 4:2:2 stores them
    expected = ybr_to_rgb(ybr)
    assert np.abs(shown(file_of(ybr[None], "YBR_FULL")) - expected).max() <= 1
    made = dataset(ybr[None], "YBR_FULL_422")
    pairs = np.stack([ybr[:, ::2, 0], ybr[:, 1::2, 0], ybr[:, ::2, 1], ybr[:, ::2, 2]], -1)
    made.PixelData = pairs.tobytes()
    assert np.abs(shown(written(made)) - expected).max() <= 1


def test_palette():
    picture = gray(most=4)
    tables = np.array([[0, 0x4000, 0x8000, 0xFFFF], [0xFFFF, 0, 0x2000, 0x1000], [0, 0, 0xC000, 0xFFFF]], "<u2")
    tags = {}
    for colour, table in zip(("Red", "Green", "Blue"), tables, strict=True):
        tags[f"{colour}PaletteColorLookupTableDescriptor"] = [4, 0, 16]
        tags[f"{colour}PaletteColorLookupTableData"] = table.tobytes()
    expected = np.rint(tables.T[picture] / 65535 * 255)
    assert np.array_equal(shown(file_of(picture[None], "PALETTE COLOR", **tags)), expected)


def ramp():
    return np.arange(4096, dtype=np.uint16).reshape(1, 64, 64)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("LINEAR", lambda x: ((x - 999.5) / 399 + 0.5) * 255),
        ("LINEAR_EXACT", lambda x: ((x - 1000) / 400 + 0.5) * 255),
        ("SIGMOID", lambda x: 255 / (1 + np.exp(-4 * (x - 1000) / 400))),
    ],
)
@pytest.mark.parametrize("photometric", ["MONOCHROME2", "MONOCHROME1"])
def test_windows(function, expected, photometric):
    tags = {"BitsStored": 12, "HighBit": 11, "WindowCenter": [1000, 5], "WindowWidth": [400, 5]}
    frame = read_dicom(file_of(ramp(), photometric, VOILUTFunction=function, **tags), keep_outside=True)
    values = np.clip(expected(np.arange(4096.0)), 0, 255)
    values = 255 - values if photometric == "MONOCHROME1" else values
    assert np.abs(frame.pixels.ravel() - values).max() <= 0.51
    assert "centre 1000, width 400" in frame.notes[0]


def test_a_window_acts_on_rescaled_values():
    made = file_of(ramp(), RescaleSlope=2, RescaleIntercept=-1000, WindowCenter=500.5, WindowWidth=1001)
    values = 2.0 * np.arange(4096) - 1000
    assert np.abs(shown(made).ravel() - np.clip(values / 1000 * 255, 0, 255)).max() <= 0.51


def test_a_window_of_one_value_is_a_threshold():
    assert np.array_equal(
        shown(file_of(ramp(), WindowCenter=1000.5, WindowWidth=1)).ravel(), np.where(np.arange(4096) > 1000, 255, 0)
    )


def test_a_table_of_values_comes_before_the_window():
    table = Dataset()
    table.LUTDescriptor = [4096, 0, 12]
    table.LUTData = np.arange(4095, -1, -1, dtype="<u2").tobytes()
    table["LUTData"].VR = "OW"
    frame = read_dicom(file_of(ramp(), VOILUTSequence=[table], WindowCenter=7, WindowWidth=7), keep_outside=True)
    assert np.abs(frame.pixels.ravel() - np.arange(4095, -1, -1) / 4095 * 255).max() <= 0.51
    assert "own table" in frame.notes[0]


def test_without_a_window_deep_values_are_scaled_as_those_of_any_file():
    frame = read_dicom(file_of(ramp()), keep_outside=True)
    assert np.array_equal(frame.pixels.ravel(), np.rint(np.arange(4096) / 4095 * 255))
    assert frame.notes == ("16-bit values were scaled from 0-4095 to 8 bits.",)


def test_few_stored_bits_fill_the_range():
    picture = gray(most=16)
    assert np.array_equal(shown(file_of(picture[None], BitsStored=4, HighBit=3)), picture * 17)


# ---------------------------------------------------------------------------------------------------------------------
# Compressed frames


def encoded(picture, kind, **options):
    buffer = BytesIO()
    Image.fromarray(picture).save(buffer, kind, **options)
    return buffer.getvalue()


def test_jpeg_loop():
    frames = np.stack([cv2.GaussianBlur(gray(seed), (0, 0), 3) for seed in range(3)])
    made = file_of(frames, syntax=JPEGBaseline8Bit, encoded=[encoded(one, "JPEG", quality=95) for one in frames])
    assert n_frames(made) == 3
    for index, one in enumerate(frames):
        assert np.abs(shown(made, frame=index).astype(int) - one).max() <= 6


def smooth(seed=0, shape=(HEIGHT, WIDTH), most=4096):
    """A picture (H, W) or (H, W, 3) uint16 without sharp edges, from 0 to below ``most``."""
    blurred = cv2.GaussianBlur(np.random.default_rng(seed).random(shape).astype(np.float32), (0, 0), 3)
    return ((blurred - blurred.min()) / np.ptp(blurred) * (most - 1)).astype(np.uint16)


WHOLE = {"WindowCenter": 2048, "WindowWidth": 4096}  # of 12 bits: values over 16 are gray levels


def in_window(values):
    return np.rint(np.clip((values - 2047.5) / 4095 + 0.5, 0, 1) * 255)


def test_jpeg_of_12_bits():
    picture = smooth()
    code = imagecodecs.jpeg8_encode(picture, level=98, bitspersample=12)
    made = file_of(picture[None], "MONOCHROME2", JPEGExtended12Bit, [code], BitsStored=12, HighBit=11, **WHOLE)
    assert np.abs(shown(made) - in_window(picture)).max() <= 2
    colours = np.stack([smooth(1), smooth(2), smooth(3)], -1)
    code = imagecodecs.jpeg8_encode(
        colours, level=98, bitspersample=12, colorspace="rgb", outcolorspace="rgb", subsampling="444"
    )
    made = file_of(colours[None], "RGB", JPEGExtended12Bit, [code], BitsStored=12, HighBit=11)
    assert np.abs(shown(made) - colours / 4095 * 255).max() <= 4


@pytest.mark.parametrize("syntax", [JPEGLossless, JPEGLosslessSV1])
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_lossless_jpeg(syntax, bits):
    picture = gray(most=2**bits, dtype=np.uint8 if bits == 8 else np.uint16)
    code = imagecodecs.jpeg8_encode(picture, lossless=True, bitspersample=bits, predictor=4)
    tags = {"BitsStored": bits, "HighBit": bits - 1} | ({} if bits == 8 else WHOLE)
    made = file_of(picture[None], "MONOCHROME2", syntax, [code], **tags)
    assert np.array_equal(shown(made), picture if bits == 8 else in_window(picture))


def test_signed_values_of_every_lossless_coder():
    picture = gray(most=4096, dtype=np.int16) - 2048
    tags = {"BitsStored": 12, "HighBit": 11, "WindowCenter": 0, "WindowWidth": 4096}
    expected = in_window(picture + 2048)
    assert np.array_equal(shown(file_of(picture[None], **tags)), expected)
    jpeg = imagecodecs.jpeg8_encode((picture & 0x0FFF).astype(np.uint16), lossless=True, bitspersample=12)
    assert np.array_equal(shown(file_of(picture[None], "MONOCHROME2", JPEGLossless, [jpeg], **tags)), expected)
    jpeg_ls = imagecodecs.jpegls_encode(picture.view(np.uint16))  # coders know no sign
    assert np.array_equal(shown(file_of(picture[None], "MONOCHROME2", JPEGLSLossless, [jpeg_ls], **tags)), expected)


def by_component(picture):
    """A JPEG-LS of an RGB picture whose components follow each other, put together of three gray ones."""
    gray_ones = [imagecodecs.jpegls_encode(np.ascontiguousarray(picture[..., k])) for k in range(3)]
    height, width = (side.to_bytes(2, "big") for side in picture.shape[:2])
    made = b"\xff\xd8\xff\xf7\x00\x11\x08" + height + width + b"\x03\x01\x11\x00\x02\x11\x00\x03\x11\x00"
    for k, one in enumerate(gray_ones, start=1):
        scan = one[one.index(b"\xff\xda") + 10 : one.rindex(b"\xff\xd9")]
        made += b"\xff\xda\x00\x08\x01" + bytes([k]) + b"\x00\x00\x00\x00" + scan
    return made + b"\xff\xd9"


def test_jpeg_ls():
    frames = gray(shape=(3, HEIGHT, WIDTH))
    made = file_of(frames, "MONOCHROME2", JPEGLSLossless, [imagecodecs.jpegls_encode(one) for one in frames])
    assert [np.array_equal(shown(made, frame=k), frames[k]) for k in range(3)] == [True] * 3
    near = file_of(frames[:1], "MONOCHROME2", JPEGLSNearLossless, [imagecodecs.jpegls_encode(frames[0], level=3)])
    difference = np.abs(shown(near).astype(int) - frames[0])
    assert 0 < difference.max() <= 3
    colours = gray(shape=(HEIGHT, WIDTH, 3))
    for code in (imagecodecs.jpegls_encode(colours), by_component(colours)):
        assert np.array_equal(shown(file_of(colours[None], "RGB", JPEGLSLossless, [code])), colours)


def test_a_jpeg_ls_that_runs_dry_is_a_sentence():
    code = imagecodecs.jpegls_encode(gray())
    for length in range(100, len(code) - 10, 46):  # at every other one its decoder would wait for more for ever
        with pytest.raises(ImageError, match="damaged"):
            read_dicom(file_of(gray()[None], "MONOCHROME2", JPEGLSLossless, [code[:length]]))


def deflated(made):
    """A file of plain values, its data set deflated."""
    made.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    return written(made)


def test_deflated():
    frames = gray(shape=(3, HEIGHT, WIDTH))
    data = deflated(dataset(frames, **SECRETS))
    assert b"Mustermann" not in data  # it is deflated indeed
    assert n_frames(data) == 3
    assert np.array_equal(shown(data, frame=2), frames[2])
    with pytest.raises(ImageError, match="cut short"):
        read_dicom(data[:-100])


def test_a_deflated_bomb():
    small = dataset(gray()[None])
    beginning = deflated(small)
    start = len(beginning) - len(zlib_part(beginning))
    coder = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    megabyte = coder.compress(bytes(2**20)) + coder.flush(zlib.Z_FULL_FLUSH)
    bomb = beginning[:start] + megabyte * 1000
    assert len(bomb) < 2**21
    with bounded_memory(BOMB_MB), pytest.raises(ImageError, match="inflates to more than 200 MB"):
        read_dicom(bomb)


def test_headers_of_some_kilobytes_that_would_take_gigabytes():
    """Cut off before pydicom makes an object of each part, whichever way it would go about that."""
    for what, data in small_bombs().items():
        assert len(data) < 250_000, what
        # pydicom makes an error of its own of one that is raised while it looks for an item.
        says = "damaged" if "a sequence" in what else "larger header than any ultrasound picture"
        with bounded_memory(BOMB_MB + 60 * ("40 MB" in what)), pytest.raises(ImageError, match=says):
            read_dicom(data)


def test_more_fragments_and_offsets_than_any_loop_has():
    code = encoded(gray(), "JPEG", quality=90)
    sound = file_of(gray()[None], "MONOCHROME2", JPEGBaseline8Bit, [code])
    place = sound.index(b"\xe0\x7f\x10\0") + 12
    table, rest = sound[place : place + 12], sound[place + 12 :]
    assert table[:8] == b"\xfe\xff\0\xe0\4\0\0\0"
    for items in (table + (table[:4] + bytes(4)) * 1_000_000, table[:4] + struct.pack("<I", 2**25) + bytes(2**25)):
        data = sound[:place] + items + rest
        with bounded_memory(BOMB_MB), pytest.raises(ImageError, match="damaged"):
            read_dicom(data)


def zlib_part(data):
    """What follows the meta information of a file, whose length stands at its beginning."""
    return data[144 + int.from_bytes(data[140:144], "little") :]


def test_jpeg_2000_and_run_lengths():
    picture = gray(shape=(HEIGHT, WIDTH, 3))
    made = dataset(picture[None], "RGB")
    made.compress(RLELossless, generate_instance_uid=False)
    assert np.array_equal(shown(written(made)), picture)
    code = encoded(picture, "JPEG2000", irreversible=False, no_jp2=True)
    assert np.array_equal(shown(file_of(picture[None], "YBR_RCT", JPEG2000Lossless, [code])), picture)


# Of 74 DICOM files in pydicom's wheel those with a picture that pydicom's own decoders can read: photometric
# interpretation, transfer syntax, what else is special.
WHEEL = [
    "examples_palette.dcm",  # PALETTE COLOR
    "examples_rgb_color.dcm",  # RGB by pixel
    "examples_ybr_color.dcm",  # YBR_FULL_422, JPEG baseline, 30 frames
    "examples_jpeg2k.dcm",  # YBR_RCT, lossless JPEG 2000
    "image_dfl.dcm",  # MONOCHROME2, deflated
    "SC_rgb_rle.dcm",
    "SC_rgb_rle_2frame.dcm",
    "SC_ybr_full_422_uncompressed.dcm",
    "SC_rgb_gdcm_KY.dcm",  # JPEG 2000, lossy
    "SC_rgb_dcmtk_+eb+cr.dcm",  # RGB in a JPEG
    "SC_rgb_dcmtk_+eb+cy+n1.dcm",  # YBR_FULL in a JPEG, its colours sampled in all ways
    "SC_rgb_dcmtk_+eb+cy+n2.dcm",
    "SC_rgb_dcmtk_+eb+cy+np.dcm",
    "SC_rgb_dcmtk_+eb+cy+s2.dcm",
    "SC_rgb_dcmtk_+eb+cy+s4.dcm",
    "SC_rgb_jpeg_dcmtk.dcm",
    "SC_rgb_jpeg_dcmd.dcm",  # implicit VR
    "SC_rgb_jpeg_lossy_gdcm.dcm",
    "SC_rgb_jpeg_app14_dcmd.dcm",  # an Adobe marker that contradicts the header
    "SC_jpeg_no_color_transform.dcm",
    "SC_jpeg_no_color_transform_2.dcm",
    "SC_rgb_small_odd.dcm",
    "SC_rgb_small_odd_jpeg.dcm",
    "SC_rgb_small_odd_big_endian.dcm",
    "ExplVR_BigEnd.dcm",  # RGB by plane, words of big endian
]
WHEEL_WINDOWED = [
    "693_J2KI.dcm",  # 14 bits signed, rescaled, two windows
    "J2K_pixelrep_mismatch.dcm",  # signs that the code stream denies
    "MR_small.dcm",
    "MR_small_RLE.dcm",
    "MR_small_bigendian.dcm",
    "MR_small_expb.dcm",
    "MR_small_implicit.dcm",
    "MR_small_jp2klossless.dcm",
    "MR_small_padded.dcm",  # zeros follow the pixels
    "examples_overlay.dcm",  # 12 bits
]


def of_the_wheel(name):
    path = Path(get_testdata_file(name, download=False))
    return path, path.read_bytes()


@pytest.mark.parametrize("name", WHEEL)
def test_files_of_other_writers_as_pydicom_reads_them(name):
    path, data = of_the_wheel(name)
    head = dcmread(path)
    expected = pixel_array(head, index=0)
    if head.PhotometricInterpretation == "PALETTE COLOR":
        expected = np.rint(apply_color_lut(expected, head) / 65535 * 255)
    assert np.array_equal(shown(data), expected)


@pytest.mark.parametrize("name", WHEEL_WINDOWED)
def test_windows_of_other_writers_as_pydicom_applies_them(name):
    path, data = of_the_wheel(name)
    head = dcmread(path)
    windowed = apply_voi_lut(apply_modality_lut(pixel_array(path), head), head)
    low, high = apply_voi_lut(apply_modality_lut(np.array([-(2**15), 2**15 - 1], np.int16), head), head)
    assert np.abs(shown(data) - (windowed - low) / (high - low) * 255).max() <= 0.51


def test_coders_that_pydicom_lacks_as_the_same_pictures_stored_plainly():
    rgb = shown(of_the_wheel("SC_rgb_rle.dcm")[1]).astype(int)
    assert np.array_equal(shown(of_the_wheel("SC_rgb_jpeg_gdcm.dcm")[1]), rgb)  # lossless JPEG
    for name in ("SC_rgb_jls_lossy_line.dcm", "SC_rgb_jls_lossy_sample.dcm"):
        assert np.abs(shown(of_the_wheel(name)[1]) - rgb).max() <= 10  # which is what its coder was allowed
    lossless = shown(of_the_wheel("MR_small_jpeg_ls_lossless.dcm")[1])
    assert np.array_equal(lossless, shown(of_the_wheel("MR_small.dcm")[1]))
    frame = read_dicom(of_the_wheel("JPEGLSNearLossless_16.dcm")[1])
    assert frame.pixels.shape == (50, 10)
    twelve = shown(of_the_wheel("JPGExtended.dcm")[1]) * (1023 / 255)
    other = pixel_array(of_the_wheel("JPEG2000.dcm")[0])  # the same scan, by another lossy coder
    assert np.corrcoef(twelve.ravel(), other.ravel())[0, 1] > 0.95


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("liver_1frame.dcm", "in 1 bit"),
        ("test-SR.dcm", "holds no picture"),
        ("MR_truncated.dcm", "cut short"),
        ("badVR.dcm", "damaged"),
        ("no_meta.dcm", "not an image"),
    ],
)
def test_what_cannot_be_read_gets_a_sentence(name, words):
    with pytest.raises(ImageError, match=words) as caught:
        read_image(of_the_wheel(name)[0])
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    ("syntax", "words"),
    [
        (MPEG2MPML, r"holds a video \(MPEG2 Main Profile / Main Level\), .*: export its frames"),
        (MPEG4HP41, r"holds a video \(MPEG-4 AVC/H.264 High Profile / Level 4.1\)"),
        (HEVCMP51, r"holds a video \(HEVC/H.265 Main Profile / Level 5.1\)"),
        (HTJ2KLossless, "is compressed by High-Throughput JPEG 2000"),
        ("1.2.3.4.5", "an unknown way"),
    ],
)
def test_unread_encodings(syntax, words):
    data = file_of(gray()[None], syntax=JPEGBaseline8Bit, encoded=[encoded(gray(), "JPEG")])
    made = data.replace(b"1.2.840.10008.1.2.4.50", str(syntax).encode().ljust(22, b"\0"))
    if len(str(syntax)) > 22:
        made = data.replace(b"\x16\x001.2.840.10008.1.2.4.50", b"\x18\x00" + str(syntax).encode().ljust(24, b"\0"))
    with pytest.raises(ImageError, match=words):
        read_dicom(made)


# ---------------------------------------------------------------------------------------------------------------------
# Sizes


def tiled(side, tile):
    """The beginning of a JPEG 2000 code stream of one gray picture in tiles."""
    sides = [side, side, 0, 0, tile, tile, 0, 0]
    return b"\xff\x4f\xff\x51\x00\x29\x00\x00" + b"".join(n.to_bytes(4, "big") for n in sides) + b"\0\1\7\1\1"


def test_size_is_judged_before_decoding(monkeypatch):
    for name in ("get_decoder", "decoder_of"):
        monkeypatch.setattr(dicom, name, lambda *_: pytest.fail("a decoder was asked"))
    jpeg = encoded(gray(), "JPEG")
    with pytest.raises(ImageError, match="claims 60000 x 60000 pixels, more than the 40 megapixels"):
        read_dicom(file_of(gray()[None], syntax=JPEGBaseline8Bit, encoded=[jpeg], Rows=60000, Columns=60000))
    with pytest.raises(ImageError, match="MB of memory"):
        read_dicom(file_of(gray(shape=(1, 2, 2, 3), dtype=np.uint32), "RGB", Rows=6000, Columns=6000))
    lossless, jpeg_ls = imagecodecs.jpeg8_encode(gray(), lossless=True), imagecodecs.jpegls_encode(gray())
    coded = {JPEGBaseline8Bit: jpeg, JPEGLossless: lossless, JPEGLSLossless: jpeg_ls}
    coded[JPEG2000Lossless] = encoded(gray(), "JPEG2000", no_jp2=True)
    for syntax, code in coded.items():
        with pytest.raises(ImageError, match="damaged"):  # the frame itself is of another size
            read_dicom(file_of(gray()[None], syntax=syntax, encoded=[code], Rows=HEIGHT - 1))
        with pytest.raises(ImageError, match="damaged"):  # or of more colours
            read_dicom(file_of(gray(shape=(1, HEIGHT, WIDTH, 3)), "RGB", syntax, [code]))
    with pytest.raises(ImageError, match="damaged"):  # or of another kind
        read_dicom(file_of(gray()[None], syntax=JPEGLossless, encoded=[jpeg]))
    with pytest.raises(ImageError, match="damaged"):
        read_dicom(file_of(gray()[None], syntax=JPEGBaseline8Bit, encoded=[jpeg + b"\xff\xda" * 101]))
    with pytest.raises(ImageError, match="more than 4096 tiles"):
        many = file_of(np.zeros((1, 128, 128), np.uint8), syntax=JPEG2000Lossless, encoded=[tiled(128, 1)])
        read_dicom(many)
    with pytest.raises(ImageError, match="MB of memory"):
        read_dicom(file_of(gray(shape=(1, 8, 8, 3)), "RGB", JPEG2000Lossless, [b"none"], Rows=6000, Columns=6000))
    with pytest.raises(ImageError, match="damaged"):
        read_dicom(file_of(gray()[None], Rows=HEIGHT + 1))
    with pytest.raises(ImageError, match="shows nothing"):
        read_dicom(file_of(gray()[None], Rows=0))


def test_loops_may_be_larger_than_stills(tmp_path):
    path = tmp_path / "loop.dcm"
    data = file_of(np.zeros((100, 500, 500), np.uint8))
    assert len(data) > MAX_BYTES
    path.write_bytes(data)
    assert read_image(path).pixels.shape == (500, 500)
    with path.open("r+b") as file:
        file.truncate(MAX_DICOM_BYTES + 1)
    with pytest.raises(ImageError, match="larger than 200 MB"):
        read_image(path)


# ---------------------------------------------------------------------------------------------------------------------
# Damage


def tenths():
    loop = np.stack([cv2.GaussianBlur(gray(seed), (0, 0), 3) for seed in range(3)])
    jpegs = [encoded(one, "JPEG", quality=95) for one in loop]
    deep, rgb = smooth(), gray(shape=(HEIGHT, WIDTH, 3))
    twelve = {"BitsStored": 12, "HighBit": 11, **WHOLE}
    coded = {
        "jpeg of 12 bits": (JPEGExtended12Bit, imagecodecs.jpeg8_encode(deep, bitspersample=12), deep),
        "lossless jpeg": (JPEGLosslessSV1, imagecodecs.jpeg8_encode(deep, lossless=True, bitspersample=16), deep),
        "jpeg-ls": (JPEGLSLossless, imagecodecs.jpegls_encode(rgb), rgb),
        "jpeg 2000": (JPEG2000Lossless, encoded(rgb, "JPEG2000", no_jp2=True), rgb),
    }
    made = {
        kind: file_of(one[None], "RGB", syntax, [code], **SECRETS)
        if one is rgb
        else file_of(one[None], "MONOCHROME2", syntax, [code], **twelve, **SECRETS)
        for kind, (syntax, code, one) in coded.items()
    }
    return made | {
        "deflated": deflated(dataset(loop, **SECRETS)),
        "plain": file_of(loop, **SECRETS),
        "implicit": file_of(loop, syntax=ImplicitVRLittleEndian, **SECRETS),
        "jpeg": file_of(loop, syntax=JPEGBaseline8Bit, encoded=jpegs, **SECRETS),
        "regions": file_of(loop, SequenceOfUltrasoundRegions=[region()], **SECRETS),
    }


def test_a_cut_file_is_a_sentence():
    for data in tenths().values():
        for tenth in range(10):
            with pytest.raises(ImageError) as caught:
                read_image(data[: len(data) * tenth // 10], "scan.dcm")
            assert str(caught.value).endswith(".")
        assert read_image(data).pixels.shape[:2] == (HEIGHT, WIDTH)


def test_flipped_bytes_give_a_frame_or_a_sentence():
    generator = np.random.default_rng(0)
    for data in tenths().values():
        for _ in range(40):
            broken = np.frombuffer(data, np.uint8).copy()
            where = generator.integers(132, len(data), 3)
            broken[where] ^= generator.integers(1, 256, 3).astype(np.uint8)
            try:
                assert read_dicom(broken.tobytes()).pixels.dtype == np.uint8
            except ImageError as error:
                assert str(error).endswith(".")
                assert secrets_in(str(error)) == []


# ---------------------------------------------------------------------------------------------------------------------
# Identity


def secrets_in(text):
    parts = {part for secret in SECRETS.values() for part in (secret, *secret.split("^"))}
    return [part for part in parts if part in text]


def test_only_tags_of_the_picture_are_allowed():
    tags = {keyword: tag_for_keyword(keyword) for keyword in ALLOWED}
    assert all(tags.values())
    # Acquisition geometry, image structure, offsets: groups that hold no person, place or date ...
    assert {tag >> 16 for tag in tags.values()} == {0x0018, 0x0028, 0x7FE0}
    # ... and of the first, which holds device names and protocols too, these alone.
    geometry = {keyword for keyword, tag in tags.items() if tag >> 16 == 0x0018}
    assert geometry == {"SequenceOfUltrasoundRegions", "ImagerPixelSpacing", "NominalScannedPixelSpacing"}


def test_nothing_that_identifies_leaves_the_file(caplog, capfd, recwarn, tmp_path):
    caplog.set_level(logging.DEBUG)
    path = tmp_path / "Mustermann Erika 19870305.dcm"
    odd = {"WindowCenter": "1", "WindowWidth": "400"}
    path.write_bytes(file_of(ramp(), SequenceOfUltrasoundRegions=[region()], **odd, **SECRETS))
    frame = read_image(path)
    assert secrets_in(f"{frame.source} {frame.notes} {vars(frame)}") == []
    assert frame.source == f"DICOM {frame.sha256[:8]}"
    for data in (path.read_bytes()[:-100], path.read_bytes().replace(b"MONOCHROME2", b"MUSTERMANN1")):
        path.write_bytes(data)
        with pytest.raises(ImageError) as caught:
            read_image(path)
        # Logs keep the trace, with its causes.
        assert secrets_in("".join(traceback.format_exception_only(caught.value))) == []
        assert caught.value.__cause__ is None
        assert "Mustermann" not in str(caught.value)
    assert secrets_in(caplog.text + "".join(capfd.readouterr())) == []
    assert secrets_in(" ".join(str(warning.message) for warning in recwarn)) == []


def test_names_of_what_claims_to_be_dicom_are_not_shown():
    assert "Erika" not in shown_name(b"no DICOM at all", "Erika.dcm")
    assert "Erika" not in shown_name(file_of(gray()[None]), "Erika.png")
    assert shown_name(b"", "scan.png") == "scan.png"
    with pytest.raises(ImageError, match=r"DICOM \w{8} has the extension of another type"):
        read_image(file_of(gray()[None]), "Erika.png")


@pytest.mark.parametrize("name", ["a.dcm", "a.DCM", "a.ima", "a.dicom", "a", "1.2.840.113", None])
def test_usual_extensions(name):
    assert read_image(file_of(gray()[None]), name).pixels.shape == (HEIGHT, WIDTH)


def test_frames_of_a_loop_are_told_apart():
    made = file_of(np.stack([gray(), gray()]))
    frames = [read_dicom(made), read_dicom(made, frame=1), read_dicom(made, keep_outside=True)]
    assert len({frame.sha256 for frame in frames}) == 3
    assert frames[1].source.endswith("frame 2")
    assert "2 frames; number 2 is shown" in frames[1].notes[0]


def screen():
    """A screen (H, W) with a fan of echo and a name above it; and where the name is."""
    image = np.zeros((300, 400), np.uint8)
    fan = np.zeros_like(image)
    cv2.ellipse(fan, (200, 60), (220, 220), 0, 50, 130, 1, -1)
    noise = cv2.GaussianBlur(np.random.default_rng(3).normal(0, 60, image.shape), (0, 0), 1.5)
    image[fan > 0] = np.clip(110 + noise, 40, 230)[fan > 0]
    cv2.putText(image, "MUSTERMANN ERIKA", (20, 25), cv2.FONT_HERSHEY_SIMPLEX, 0.7, 255, 2)
    return image, np.s_[5:35, 15:300]


def test_a_printed_name_is_blanked_and_the_echo_stays():
    image, name = screen()
    frame = read_dicom(file_of(image[None], **SECRETS))
    assert image[name].any()
    assert not frame.pixels[name].any()
    assert np.array_equal(frame.pixels[100:260, 150:250], image[100:260, 150:250])
    assert "blanked" in frame.notes[0]
    assert np.array_equal(shown(file_of(image[None])), image)


def test_where_no_sector_is_seen_the_regions_say_what_to_blank():
    image = np.full((300, 400), 90, np.uint8)
    made = file_of(image[None], SequenceOfUltrasoundRegions=[region(50, 60, 349, 279)])
    expected = np.zeros_like(image)
    expected[60:280, 50:350] = 90
    assert np.array_equal(read_dicom(made).pixels, expected)


def test_where_nothing_is_known_a_note_says_so():
    image = np.zeros((300, 400), np.uint8)
    frame = read_dicom(file_of(image[None]))
    assert "No sector was found, so nothing was blanked" in frame.notes[0]


# ---------------------------------------------------------------------------------------------------------------------
# Pixel size


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({}, None),
        ({"PixelSpacing": [0.25, 0.25]}, 0.25),
        ({"PixelSpacing": [0.2, 0.2], "ImagerPixelSpacing": [0.3, 0.3]}, 0.2),
        ({"PixelSpacing": [0.2, 0.203]}, (0.2 * 0.203) ** 0.5),
        ({"SequenceOfUltrasoundRegions": [region()]}, 0.2),
        ({"SequenceOfUltrasoundRegions": [region(delta=(0.03, -0.03))], "PixelSpacing": [1, 1]}, 0.3),
        ({"SequenceOfUltrasoundRegions": [region(right=9, delta=(0.05, 0.05)), region()]}, 0.2),
        ({"SequenceOfUltrasoundRegions": [region(units=4)], "PixelSpacing": [0.7, 0.7]}, 0.7),
        ({"SequenceOfUltrasoundRegions": [region(spatial=3)]}, None),
        ({"SequenceOfUltrasoundRegions": [region(kind=10)]}, None),
    ],
)
def test_pixel_size(tags, expected):
    frame = read_dicom(file_of(gray()[None], **tags))
    assert frame.pixel_size_mm == pytest.approx(expected)
    assert not any("pixel size" in note for note in frame.notes)


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({"PixelSpacing": [0.2, 0.21]}, "not square"),
        ({"SequenceOfUltrasoundRegions": [region(delta=(0.02, 0.03))]}, "not square"),
        ({"PixelSpacing": [0.0, 0.0]}, "makes no sense"),
        ({"PixelSpacing": [0.2]}, "makes no sense"),
        ({"ImagerPixelSpacing": [0.3, 0.3]}, "not in the body"),
        ({"NominalScannedPixelSpacing": [0.4, 0.4]}, "not in the body"),
    ],
)
def test_a_pixel_size_that_cannot_be_used_is_a_note(tags, words):
    frame = read_dicom(file_of(gray()[None], **tags))
    assert frame.pixel_size_mm is None
    assert any(words in note for note in frame.notes)


def test_pixel_size_of_another_writer():
    assert read_dicom(of_the_wheel("examples_ybr_color.dcm")[1]).pixel_size_mm == pytest.approx(0.5104970559)
