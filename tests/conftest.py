"""Things several tests need: small pictures, a tiny model with known behaviour, a model folder trained on shapes."""

from __future__ import annotations

import gzip
import os
import re
import resource
import sys
import tempfile
import threading
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from pydicom import Dataset
from pydicom.datadict import DicomDictionary, tag_for_keyword
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, UltrasoundMultiFrameImageStorage
from xdist.scheduler import LoadScopeScheduling

from core.locks import lock
from core.zoo.kept import CACHE_VARIABLE

CLASSES = ["BPD", "CRL", "NT"]
SIZE = 48
NOBODY = 65534
LONG_FIRST = (
    "tests/browser/",
    "tests/pages/",
    "tests/hostile/",
    "tests/core/zoo/",
    "tests/core/test_",
    "tests/core/biometry/",
    "tests/core/explain/",
    "tests/core/phantom/",
)
"""Where the tests lie that take longest: begun at the end, one process would still be at them while others idle."""


TOGETHER = ("tests/browser/test_journey.py", "tests/browser/", "tests/core/zoo/", "tests/core/biometry/")
"""What shares something that takes long to make: a server, trained networks. Journeys are in two parts, with a server
each: one after the other they would be the last to end."""


SHARED = pytest.StashKey[Path]()
"""A folder of all processes of one run."""


class ByFileAndServer(LoadScopeScheduling):
    """A file of tests stays in one process, as with ``--dist loadfile``; so do folders that share something costly."""

    def _split_scope(self, nodeid: str) -> str:
        return next((start for start in TOGETHER if nodeid.startswith(start)), nodeid.split("::", 1)[0])


def pytest_configure(config):
    """Networks converted once are there for all processes of this run, and for no other run."""
    if not hasattr(config, "workerinput"):
        folder = tempfile.TemporaryDirectory(prefix="planelab-tests-")
        os.environ[CACHE_VARIABLE] = folder.name
        config.add_cleanup(folder.cleanup)
    config.stash[SHARED] = Path(os.environ[CACHE_VARIABLE])


def _loads_end() -> None:
    """Until all networks are there that pages have begun to load."""
    for thread in threading.enumerate():
        if thread.name.startswith("load-"):
            thread.join()


def pytest_runtest_setup(item):
    """Only other pages begin beside loads: a network that is built draws random weights, from the seed of any test."""
    if "pages" not in item.path.parts:
        _loads_end()


@pytest.fixture(scope="session")
def wait_for_loads():
    """``wait_for_loads()``: until all networks are there that pages have begun to load."""
    return _loads_end


def pytest_xdist_make_scheduler(config, log):
    return ByFileAndServer(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_collection_modifyitems(items):
    """The longest first; the rest stays in the order in which it was collected."""

    def place(item) -> int:
        return next((at for at, start in enumerate(LONG_FIRST) if item.nodeid.startswith(start)), len(LONG_FIRST))

    items.sort(key=place)


def draw_shape(plane: str, seed: int, size: int = 96) -> np.ndarray:
    """A ring, a bar or a half disk on dim speckle: told apart easily, at a random place."""
    generator = np.random.default_rng([seed, CLASSES.index(plane)])
    image = np.clip(generator.normal(40, 12, (size, size)), 0, 255).astype(np.uint8)
    centre = tuple(int(value) for value in generator.integers(size // 3, 2 * size // 3, 2))
    radius = size // 5
    if plane == "BPD":
        cv2.ellipse(image, centre, (radius + 4, radius), 0, 0, 360, 230, 4)
    elif plane == "CRL":
        cv2.rectangle(image, (centre[0] - 2 * radius, centre[1] - 6), (centre[0] + 2 * radius, centre[1] + 6), 160, -1)
    else:
        cv2.ellipse(image, centre, (radius, radius), 0, 0, 180, 200, -1)
    return image


@pytest.fixture(autouse=True)
def own_main_module():
    """AppTest leaves its page behind as the main module, which a process that is spawned later would run again."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


@pytest.fixture(scope="session")
def little_room():
    """``with little_room(n):`` no file of this process may grow beyond n bytes; to write more fails, as a full disk."""

    @contextmanager
    def limit(size: int):
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return limit


@pytest.fixture(scope="session")
def shape():
    """``shape(plane, seed)``: a picture as those of ``shape_folder``, whose seeds are below 24."""
    return draw_shape


@pytest.fixture(scope="session")
def shape_folder(tmp_path_factory) -> Path:
    """A folder per class of drawn shapes."""
    folder = tmp_path_factory.mktemp("shapes")
    for plane in CLASSES:
        (folder / plane).mkdir()
        for seed in range(24):
            cv2.imwrite(str(folder / plane / f"{seed:03d}.png"), draw_shape(plane, seed))
    return folder


@pytest.fixture(scope="session")
def dicom_loop() -> bytes:
    """A DICOM file of three plain gray frames, ever brighter, with a name in it."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = UltrasoundMultiFrameImageStorage, "1.2.3"
    made = Dataset()
    made.file_meta = meta
    made.PatientName = "Mustermann^Erika"
    made.Rows, made.Columns, made.NumberOfFrames = 60, 80, 3
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 8, 8, 7, 0
    made.PixelData = np.repeat(np.array([60, 120, 180], np.uint8), 60 * 80).tobytes()
    buffer = BytesIO()
    made.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


@dataclass(frozen=True)
class Identified:
    """A DICOM loop of two frames that gives somebody away wherever it can: every text tag, private ones, the pixels.

    Attributes
    ----------
    data : bytes
    header : (H, W) uint8
        The name that is burnt into the pixels, above the fan.
    name : str
        What its file and its folder may be called.
    """

    data: bytes
    header: np.ndarray
    name: str = "Mustermann Erika 19870305"

    def found_in(self, content: bytes | str) -> set[str]:
        """What gives somebody away in a text or the bytes of a file; of a PNG also the burnt-in name, at any size."""
        content = content.encode(errors="replace") if isinstance(content, str) else content
        if content.startswith(b"\x1f\x8b"):
            content = gzip.decompress(content)
        found = {match.decode() for match in _GIVEAWAY.findall(content)}
        if content.startswith(b"\x89PNG"):
            picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE)
            found |= {"burnt-in name"} if self.shows_name(picture) else set()
        return found

    def shows_name(self, picture: np.ndarray) -> bool:
        """Whether the burnt-in name stands anywhere in a gray picture (H, W) uint8."""
        for factor in np.geomspace(0.4, 1, 24):
            name = cv2.resize(self.header, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
            if name.shape[0] <= picture.shape[0] and name.shape[1] <= picture.shape[1]:
                match = cv2.matchTemplate(picture, name, cv2.TM_CCOEFF_NORMED)
                if match[np.isfinite(match)].max(initial=0) > 0.55:
                    return True
        return False


_GIVEAWAY = re.compile(rb"(?i)Zq[0-9a-f]{8}|Mustermann|Erika|1?9?870305|887766", re.DOTALL)
_TEXTS = ("PN", "LO", "SH", "ST", "LT", "UT", "UC", "AE", "CS", "UR")
_NUMBERS = {"DA": "19870305", "DT": "19870305070809", "TM": "070809", "IS": "887766", "DS": "887766", "AS": "087Y"}


@pytest.fixture(scope="session")
def identified_dicom() -> Identified:
    """A file in which everything that may identify does."""
    from core.dicom import ALLOWED

    made = Dataset()
    allowed = {tag_for_keyword(keyword) for keyword in ALLOWED}
    for tag, (vr, *_) in DicomDictionary.items():
        group = tag >> 16
        if tag in allowed or group in (0x0000, 0x0002, 0x0004, 0x7FE0, 0xFFFE) or tag == 0x00080005:
            continue
        value = f"Zq{tag:08X}" if vr in _TEXTS else f"1.2.826.0.1.887766.{tag}" if vr == "UI" else _NUMBERS.get(vr)
        if value:
            made.add_new(tag, vr, value)
    inner = Dataset()
    inner.PatientName = "Mustermann^Erika"
    made.RequestAttributesSequence = [inner]
    made.PatientName, made.PatientBirthDate = "Mustermann^Erika", "19870305"
    for tag, value in ((0x00190010, "ZqPRIVAT"), (0x00191001, "Zq00191001"), (0x60000022, "Zq60000022")):
        made.add_new(tag, "LO", value)
    picture = np.zeros((300, 400), np.uint8)
    cv2.ellipse(picture, (200, 60), (220, 220), 0, 50, 130, 1, -1)
    noise = cv2.GaussianBlur(np.random.default_rng(3).normal(0, 60, picture.shape), (0, 0), 1.5)
    picture = np.where(picture > 0, np.clip(110 + noise, 40, 230), 0).astype(np.uint8)
    cv2.putText(picture, "MUSTERMANN ERIKA", (20, 25), cv2.FONT_HERSHEY_SIMPLEX, 0.7, 255, 2)
    made.Rows, made.Columns, made.NumberOfFrames = *picture.shape, 2
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 8, 8, 7, 0
    made.PixelData = picture.tobytes() + np.where(picture > 240, picture, picture // 2).astype(np.uint8).tobytes()
    made["PixelData"].VR = "OB"
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = UltrasoundMultiFrameImageStorage
    made.file_meta.MediaStorageSOPInstanceUID = "1.2.826.0.1.887766.1"
    buffer = BytesIO()
    made.save_as(buffer, enforce_file_format=True)
    return Identified(buffer.getvalue(), picture[6:30, 15:260])


@pytest.fixture(scope="session")
def network():
    """A compiled tiny network with random weights: enough for everything that holds for any weights."""
    from core.zoo.architectures import POOLED_LAYER, build_classifier
    from core.zoo.runtime import CompiledNetwork, tensorflow

    tensorflow().keras.utils.set_random_seed(7)
    model = build_classifier("cnn", 3, size=SIZE)
    # Larger weights than the initialiser's, so that probabilities differ visibly between images.
    model.get_layer("logits").kernel.assign(np.random.default_rng(7).normal(0, 4, (64, 3)))
    return CompiledNetwork(model, input_range=(0.0, 1.0), feature_layer="features", pooled_layer=POOLED_LAYER)


@pytest.fixture(scope="session")
def classifier(network):
    """A classifier around the tiny network."""
    from core.preprocessing import PreprocessingSettings
    from core.zoo.cards import Card
    from core.zoo.novelty import Typicality
    from core.zoo.prediction import Classifier

    images = np.random.default_rng(0).random((40, SIZE, SIZE)).astype(np.float32)
    typicality = Typicality.fit(network.forward(images)[1], np.arange(40) % 3)
    card = Card(
        name="tiny",
        title="tiny",
        task="plane",
        backbone="cnn",
        classes=CLASSES,
        input={"size": SIZE, "range": [0, 1], "chain": "plane"},
        preprocessing=PreprocessingSettings().to_dict(),
        feature_layer="features",
        pooled_layer="pooled",
        temperature=1.3,
        novelty_threshold=-1e9,
        training={},
        split="",
        weights={"file": "weights.npz", "sha256": "0", "bytes": 0, "dtype": ""},
        licences=[],
        limitations=[],
        command="",
    )
    return Classifier(card, network, typicality)


@pytest.fixture(scope="session")
def tiny_detector(classifier):
    """The tiny classifier's network as a detector of two corruptions."""
    from core.zoo.prediction import Classifier

    card = replace(
        classifier.card,
        name="tiny_detector",
        task="corruption",
        classes=["original", "blur", "noise"],
        input=classifier.card.input | {"chain": "detector"},
    )
    return Classifier(card, classifier.network, classifier.typicality)


@pytest.fixture
def read_only():
    """``read_only(fill)``: a folder, filled by ``fill(folder)``, that this process may read and not write for the test.

    As somebody else where we are root, whom no rights stop.
    """
    with tempfile.TemporaryDirectory() as name:

        def close(fill):
            folder = Path(name) / "closed"
            folder.mkdir()
            fill(folder)
            folder.chmod(0o555)
            Path(name).chmod(0o755)
            if os.getuid() == 0:
                os.seteuid(NOBODY)
            return folder

        yield close
        if os.getuid() == 0:
            os.seteuid(0)
        (Path(name) / "closed").chmod(0o755)


@pytest.fixture(scope="session")
def regressor(classifier):
    """A tiny network of random weights that measures heads, with features that raise the number and some that lower it.

    ``[4, 8]`` filters on 32 x 32 pixels; the circumference is 128 pixels of black, 61 of white, above 0 of others too.
    """
    from core.zoo.architectures import POOLED_LAYER, build_classifier
    from core.zoo.heads import CIRCUMFERENCE, HeadRegressor
    from core.zoo.heads import CLASSES as OUTPUTS
    from core.zoo.novelty import Typicality
    from core.zoo.runtime import CompiledNetwork, tensorflow

    tensorflow().keras.utils.set_random_seed(5)
    model = build_classifier("cnn", 1, size=32, filters=[4, 8])
    logits = model.get_layer("logits")
    logits.kernel.assign([[1.0], [-1.0]] * 4)
    logits.bias.assign([4.0])
    network = CompiledNetwork(model, input_range=(0.0, 1.0), feature_layer="features", pooled_layer=POOLED_LAYER)
    card = replace(
        classifier.card,
        name="tiny_heads",
        title="tiny heads",
        task="head_circumference",
        classes=OUTPUTS,
        input={"size": 32, "range": [0, 1], "chain": "plane"},
        measurement={"output": CIRCUMFERENCE},
    )
    images = np.random.default_rng(6).random((40, 32, 32)).astype(np.float32)
    return HeadRegressor(card, network, Typicality.fit(network.forward(images)[1], np.zeros(40, int)))


@pytest.fixture(scope="session")
def write_model():
    """``write_model(model, models, **changed)``: its model folder in ``models``, fields of its card changed."""
    from core.zoo.weights import WEIGHTS_NAME, save_weights, sha256_of

    def write(model, models: Path, **changed) -> Path:
        folder = models / model.card.name
        folder.mkdir(parents=True)
        path = folder / WEIGHTS_NAME
        save_weights(model.network.model, path, **model.typicality.to_arrays())
        weights = {"file": path.name, "sha256": sha256_of(path), "bytes": path.stat().st_size, "dtype": "float16"}
        replace(model.card, weights=weights, **changed).write(folder)
        return folder

    return write


@pytest.fixture(scope="session")
def regressor_folder(regressor, write_model, tmp_path_factory) -> Path:
    """The model folder of the tiny network that measures heads."""
    return write_model(regressor, tmp_path_factory.mktemp("heads"), architecture={"filters": [4, 8]})


@pytest.fixture(scope="session")
def write_heads():
    """``write_heads(folder, names, size=96)``: bright ellipses on speckle with HC18's annotations and list."""
    from core.biometry.ellipse import Ellipse

    def write(folder, names, size=96):
        folder.mkdir(parents=True, exist_ok=True)
        rows = []
        for number, name in enumerate(names):
            generator = np.random.default_rng(number)
            head = Ellipse(size / 2 + number % 3, size / 2, size * 0.33 + number % 5, size * 0.24, 0.3 * number % 1.5)
            frame = np.clip(generator.normal(40, 12, (size, size)), 1, 255)
            outline = np.exp(-((head.distance(np.arange(size)[None], np.arange(size)[:, None]) / 2) ** 2))
            cv2.imwrite(str(folder / name), np.clip(frame + 190 * outline, 0, 255).astype(np.uint8))
            drawn = np.zeros((size, size), np.uint8)
            cv2.polylines(drawn, [np.round(head.points()).astype(np.int32)], True, 255)
            cv2.imwrite(str(folder / name.replace("HC.png", "HC_Annotation.png")), drawn)
            size_mm = 0.8 + 0.02 * number
            rows.append((name, size_mm, head.circumference * size_mm))
        columns = ["filename", "pixel size(mm)", "head circumference (mm)"]
        pd.DataFrame(rows, columns=columns).to_csv(folder / "training_set_pixel_size_and_HC.csv", index=False)

    return write


@pytest.fixture(scope="session")
def trained_folder(shape_folder, pytestconfig) -> Path:
    """A model folder trained for a few epochs on the shapes, as the command line trains; by one process for all."""
    from core.datasets import load
    from core.zoo.training import TrainingSettings, train

    out = pytestconfig.stash[SHARED] / "models" / "shapes"
    settings = TrainingSettings(
        backbone="cnn",
        size=SIZE,
        epochs=13,
        head_epochs=1,
        patience=13,
        batch_size=12,
        learning_rate=5e-3,
        augmentation="none",
    )
    with (pytestconfig.stash[SHARED] / "shapes.lock").open("wb") as file:
        lock(file, wait=True)
        if not out.exists():
            train(
                load(shape_folder), settings, out, weights=None, command="python -m core train", report=lambda _: None
            )
    return out


HEAD_SIZE = 64


@pytest.fixture(scope="session")
def head_models(tmp_path_factory) -> Path:
    """A folder with ``tiny_head`` and ``tiny_outline``, built by hand to answer what is known beforehand.

    The outline network takes what is brighter than 40 % of the range for the head, the regression a number that grows
    with how much of the frame is bright: nothing had to be learned for either.
    """
    from core.zoo.architectures import build_classifier, build_segmenter
    from core.zoo.novelty import Typicality

    folder = tmp_path_factory.mktemp("head_models")
    outline = build_segmenter("cnn", size=HEAD_SIZE, filters=[4, 4])
    _pass_brightness_on(outline)
    skip = outline.get_layer("up2_convolution").kernel.shape[2] // 2
    _set(outline, "up2_skip", (0, 0, 0, 0), 1.0)
    _set(outline, "up2_convolution", (1, 1, skip, 0), 1.0)
    _set(outline, "logits", (0, 0, 0, 0), 40.0, bias=-16.0)
    bounds = {"certainty": 0.5, "agreement": 0.6, "inside": 0.9, "axis_ratio": [0.5, 1.0]}
    _write_head_model(folder / "tiny_outline", outline, {"filters": [4, 4]}, "ellipse", refusal=bounds)
    direct = build_classifier("cnn", 1, size=HEAD_SIZE)
    _pass_brightness_on(direct)
    _set(direct, "logits", (0, 0), 2.5, bias=0.57)
    # Features of its own would have no spread at all, which no typicality can be fitted to.
    typicality = Typicality.fit(np.random.default_rng(0).normal(size=(200, 64)), np.zeros(200, int))
    _write_head_model(folder / "tiny_head", direct, {}, "circumference", **typicality.to_arrays())
    return folder


@pytest.fixture(scope="session")
def bright_head():
    """``bright_head(shape, ellipse)``: a frame (H, W) uint8 of a bright ellipse on dim speckle."""

    def draw(shape: tuple[int, int], ellipse) -> np.ndarray:
        speckle = np.random.default_rng(1).normal(30, 6, shape)
        return np.clip(speckle + 150 * ellipse.coverage(shape), 1, 255).astype(np.uint8)

    return draw


def _pass_brightness_on(model) -> None:
    """Every convolution of the backbone hands its first channel on as it is, and nothing else."""
    for block in range(1, 5):
        _set(model, f"block{block}_convolution1", (1, 1, 0, 0), 1.0)


def _set(model, name: str, place: tuple[int, ...], value: float, bias: float = 0.0) -> None:
    layer = model.get_layer(name)
    kernel = np.zeros(layer.kernel.shape, np.float32)
    kernel[place] = value
    layer.kernel.assign(kernel)
    if layer.use_bias:
        layer.bias.assign(np.full(layer.bias.shape, bias, np.float32))


def _write_head_model(folder: Path, model, architecture: dict, output: str, refusal=None, **arrays) -> None:
    from core.biometry.training import PREPROCESSING
    from core.zoo.architectures import POOLED_LAYER
    from core.zoo.cards import Card
    from core.zoo.weights import save_weights, sha256_of

    folder.mkdir()
    save_weights(model, folder / "weights.npz", **arrays)
    regression = output == "circumference"
    Card(
        name=folder.name,
        title=f"tiny {output}",
        task="head_circumference",
        backbone="cnn",
        classes=["head circumference"],
        input={"size": HEAD_SIZE, "range": [0, 1], "chain": "plane"},
        preprocessing=PREPROCESSING.to_dict(),
        feature_layer="features" if regression else "",
        pooled_layer=POOLED_LAYER if regression else "",
        temperature=1.0,
        novelty_threshold=-1e9,
        training={"simulated": False, "start": "by hand", "images": {"train": 10, "validation": 5}},
        split="",
        weights={"file": "weights.npz", "sha256": sha256_of(folder / "weights.npz"), "bytes": 1, "dtype": "float16"},
        licences=[],
        limitations=[],
        command="python -m core train --task head_circumference",
        architecture=architecture,
        measurement={
            "output": output,
            "interval": {
                "level": 0.9,
                "relative": 0.05,
                "exponent": 0.0,
                "greatest_share": None,
                "n": 10,
                "n_examinations": 10,
            },
            **({"refusal": refusal} if refusal else {}),
        },
    ).write(folder)
