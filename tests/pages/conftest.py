"""The app in process, with its model loaded; and files to upload, good and bad."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from functools import cache as kept
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from streamlit.components.v2 import manifest_scanner
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner.script_cache import ScriptCache
from streamlit.testing.v1 import AppTest, app_test

ROOT = Path(__file__).resolve().parents[2]
RUN_SECONDS = 120


@pytest.fixture(scope="session", autouse=True)
def once_for_all_sessions():
    """Done once here, as by a server, that each AppTest would do for itself.

    It looks through all that is installed for components of others, and compiles the scripts of pages.
    """
    scripts = ScriptCache()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", kept(manifest_scanner.scan_component_manifests))
        patch.setattr(app_test, "ScriptCache", lambda: scripts)
        yield


@pytest.fixture(scope="session", autouse=True)
def loaded_model():
    """Load the default model once: a page would otherwise only say that it is loading."""
    from core import cache
    from core.zoo import read_card
    from core.zoo.registry import default_name

    return cache.start_loading(read_card(default_name())).result()


@pytest.fixture(autouse=True)
def navigation_as_on_a_server(monkeypatch):
    """AppTest forgets before every run what ``pages/components/__init__.py`` has settled for the process."""
    original = PagesManager.__init__

    def initialise(self, *arguments, **options):
        original(self, *arguments, **options)
        PagesManager.uses_pages_directory = False

    monkeypatch.setattr(PagesManager, "__init__", initialise)


@pytest.fixture(autouse=True)
def a_small_sample(monkeypatch):
    """Curves over two phantoms a plane: those over twelve take a minute."""
    from core import cache, library

    monkeypatch.setattr(cache, "curve_sample", partial(library.curve_sample, per_plane=2))


@pytest.fixture(autouse=True)
def few_variations(monkeypatch):
    """Three variations of an image in test-time augmentation: sixteen passes add up over all pages opened here."""
    monkeypatch.setattr("core.zoo.uncertainty.VARIATIONS", 3)


@pytest.fixture(autouse=True)
def background_work_ends(monkeypatch):
    """What a page began in the background ends with the test, or it would take the processor from the next ones."""
    from core import cache

    begun = []

    class Remembered(cache.Job):
        def __init__(self, work):
            super().__init__(work)
            begun.append(self)

    monkeypatch.setattr(cache, "Job", Remembered)
    yield
    for job in begun:
        job.cancel()


@pytest.fixture(autouse=True)
def reviews_database(monkeypatch, tmp_path) -> str:
    """Reviews of each test go to a file of its own, never to the user's."""
    url = f"sqlite:///{tmp_path}/reviews.sqlite"
    monkeypatch.setenv("PLANELAB_DATABASE", url)
    return url


@pytest.fixture
def open_page() -> Callable[..., AppTest]:
    """``open_page("corruption", kind="blur")``: a new session on a page, by its link."""

    def open_by_link(name: str, **query: str) -> AppTest:
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=RUN_SECONDS)
        for key, value in query.items():
            app.query_params[key] = value
        if name != "laboratory":
            app.switch_page(f"pages/{name}.py")
        return app.run()

    return open_by_link


@pytest.fixture
def texts() -> Callable[[AppTest], str]:
    """All that is written on a page, for looking for a sentence."""

    def join(app: AppTest) -> str:
        kinds = (app.title, app.markdown, app.caption, app.info, app.warning, app.error, app.subheader)
        return "\n".join(str(element.value) for kind in kinds for element in kind)

    return join


def png(pixels: np.ndarray) -> bytes:
    return cv2.imencode(".png", pixels)[1].tobytes()


@pytest.fixture(scope="session")
def good_image() -> bytes:
    from core.phantom import generate

    return png(generate("BPD", 123).image)


def huge_png() -> bytes:
    """A header that claims 100,000 x 100,000 pixels, and nothing behind it."""
    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0)
    chunk = b"IHDR" + header
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))


@pytest.fixture(scope="session")
def bad_uploads() -> dict[str, tuple[str, bytes]]:
    """Name and content of files that must each get their sentence."""
    image = png(np.random.default_rng(0).integers(0, 256, (80, 80), np.uint8))
    return {
        "empty": ("empty.png", b""),
        "truncated": ("half.png", image[: len(image) // 2]),
        "text": ("letter.png", b"Dear doctor, this is no image."),
        "wrong extension": ("really_png.jpg", image),
        "too many pixels": ("huge.png", huge_png()),
        "too many bytes": ("heavy.bmp", b"BM" + bytes(21 * 2**20)),
        "a GIF": ("moving.png", b"GIF89a" + bytes(50)),
    }


ANATOMIES = ["brain", "abdomen", "femur", "thorax"]
ANATOMY_MODEL = "tiny_anatomy"
TINY_SIZE = 48


@pytest.fixture(scope="session")
def write_tiny_model() -> Callable[..., None]:
    """``write_tiny_model(folder, task, classes, chain)``: a model of random weights with a small network."""
    from core.preprocessing import PreprocessingSettings
    from core.zoo.architectures import POOLED_LAYER, build_classifier
    from core.zoo.cards import Card
    from core.zoo.novelty import Typicality
    from core.zoo.runtime import CompiledNetwork, tensorflow
    from core.zoo.weights import save_weights, sha256_of

    def write(folder: Path, task: str, classes: list[str], chain: str, **architecture: object) -> None:
        folder.mkdir()
        tensorflow().keras.utils.set_random_seed(3)
        architecture = {"filters": [8, 8]} | architecture
        model = build_classifier("cnn", len(classes), size=TINY_SIZE, **architecture)
        network = CompiledNetwork(model, input_range=(0.0, 1.0), feature_layer="features", pooled_layer=POOLED_LAYER)
        images = np.random.default_rng(0).random((40, TINY_SIZE, TINY_SIZE)).astype(np.float32)
        typicality = Typicality.fit(network.forward(images)[1], np.arange(40) % len(classes))
        save_weights(model, folder / "weights.npz", **typicality.to_arrays())
        Card(
            name=folder.name,
            title=f"tiny ({', '.join(classes)})",
            task=task,
            backbone="cnn",
            classes=classes,
            input={"size": TINY_SIZE, "range": [0, 1], "chain": chain},
            preprocessing=PreprocessingSettings().to_dict(),
            feature_layer="features",
            pooled_layer=POOLED_LAYER,
            temperature=1.0,
            novelty_threshold=-1e9,
            training={
                "simulated": True,
                "start": "random values",
                "images": {"train": dict.fromkeys(classes, 10)},
            },
            split="",
            weights={
                "file": "weights.npz",
                "sha256": sha256_of(folder / "weights.npz"),
                "bytes": (folder / "weights.npz").stat().st_size,
                "dtype": "float16",
            },
            licences=[],
            limitations=[],
            command="python -m core train",
            architecture=architecture,
        ).write(folder)

    return write


@pytest.fixture(scope="session")
def models_with_anatomy(tmp_path_factory, write_tiny_model) -> Path:
    """The models that ship and a tiny one of the four anatomies, with random weights and a hidden layer as 004's."""
    from core.zoo.registry import MODELS_FOLDER

    models = tmp_path_factory.mktemp("models")
    for path in MODELS_FOLDER.iterdir():
        if path.is_dir():
            (models / path.name).symlink_to(path)
    write_tiny_model(models / ANATOMY_MODEL, "anatomy", ANATOMIES, "plane", dense=16)
    return models


@pytest.fixture
def use_models(monkeypatch) -> Callable[[Path], None]:
    """``use_models(folder)``: the app finds its models there, and reads them anew."""
    from core import cache
    from core.biometry import assessment as head_assessment
    from core.explain import stored_study
    from core.sweep import study
    from core.zoo import assessment, history, registry

    def forget() -> None:
        for cached in (
            cache.cards,
            cache.described_cards,
            cache.damaged_cards,
            cache.evaluation_rows,
            cache.assessments,
            cache.head_evaluation,
            cache.history,
            cache.studies,
            cache.study,
            cache.drift_folders,
            cache.drift_study,
            cache.faithfulness_folders,
            cache.faithfulness_study,
            cache.head_study_folders,
            cache.head_study,
        ):
            cached.clear()

    def use(folder: Path) -> None:
        for function in (
            registry.list_cards,
            registry.read_card,
            registry.load_model,
            assessment.read_evaluation,
            head_assessment.read_head_evaluation,
            history.read_history,
            study.stored_studies,
            stored_study.StudyFiles.folders,
        ):
            monkeypatch.setattr(function, "__defaults__", (folder,))
        forget()

    yield use
    forget()


@pytest.fixture
def anatomy_model(models_with_anatomy, use_models):
    """The tiny model of the anatomies, installed and loaded."""
    from core import cache
    from core.zoo import read_card

    use_models(models_with_anatomy)
    return cache.start_loading(read_card(ANATOMY_MODEL)).result()
