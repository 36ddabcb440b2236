"""The only place that caches for the app, and the only module of core that imports Streamlit.

What ships (samples, models, curves over a fixed sample) is shared by all sessions. What derives from an upload stays in
its session. Everything is keyed by the SHA-256 of the file and by every setting that matters; every store is bounded.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import streamlit as st

from core.biometry.assessment import figures_of, read_head_evaluation
from core.biometry.distortion import distorted as distorted_head
from core.biometry.distortion import follow_head
from core.biometry.ellipse import Ellipse
from core.biometry.frames import frame_in_folder
from core.biometry.known import KnownHead, known_head
from core.biometry.reading import HeadReader, HeadReading
from core.corruption import corrupt
from core.corruption import get as get_corruption
from core.corruption.chain import Chain
from core.datasets import CLASSES
from core.errors import Cancelled
from core.evaluation import Share
from core.explain import Method
from core.explain.activation_maximization import Maximisation, activation_maximization
from core.explain.activation_maximization import preset as maximisation_preset
from core.explain.base import Progress, no_progress
from core.explain.detector_gallery import PER_PLANE, GalleryRow
from core.explain.detector_gallery import detector_gallery as gallery_of
from core.explain.drift_study import FILES as DRIFT_FILES
from core.explain.drift_study import DriftStudy
from core.explain.drift_study import read_study as read_drift_study
from core.explain.faithfulness import FaithfulnessStudy, Scores, Scoring, refer, score_map
from core.explain.faithfulness import read_study as read_faithfulness_study
from core.explain.faithfulness.study import FILES as FAITHFULNESS_FILES
from core.explain.head_study import FILES as HEAD_STUDY_FILES
from core.explain.head_study import HeadStudy
from core.explain.head_study import read_study as read_head_study
from core.explain.localisation import Structures, at_input, structures_of
from core.explain.superpixels import SEGMENTATIONS, SuperpixelExplanation, SuperpixelMethod
from core.images import Frame
from core.library import NamedImage, curve_sample, open_image
from core.live import LiveSubject, Move
from core.misclassifications import ImageFacts, measure
from core.pixel_size import PixelSize, pixel_size_of
from core.preprocessing import Cleaned, Preprocessed, PreprocessingSettings, clean, finish, prepare, run
from core.recording import record
from core.results import Calibration
from core.results import calibration as calibrate
from core.reviews import ReviewStore, database_url
from core.screening import Networks, Screening
from core.screening.report import thumbnail
from core.similarity import Reference
from core.sweep import ImageSweep, SampleSweep, sweep_image, sweep_sample
from core.sweep.study import Study, stored_studies
from core.sweep.study import read_study as read_sweep_study
from core.zoo import Card, Classifier, Prediction, list_cards, load_model
from core.zoo.assessment import Assessment, assessments_of, read_evaluation
from core.zoo.heads import HeadRegressor, HeadSegmenter
from core.zoo.history import read_history
from core.zoo.prediction import to_unit
from core.zoo.runtime import tensorflow
from core.zoo.uncertainty import ThresholdCheck, Uncertainty, UncertaintyMethod, check_threshold

Result = TypeVar("Result")
RESULT_ENTRIES = 256
PICTURE_ENTRIES = 24
SUBJECT_ENTRIES = 3
MOVE_ENTRIES = 6
RECORDING_ENTRIES = 4
SCREENING_ENTRIES = 2
SHARED_ENTRIES = 64
NAMED_ENTRIES = 64
NAMED_FRAMES = 256
HEAD_STEPS = 13
LOADED_MODELS = 10
"""Each task's default and an ensemble: fewer, and models waiting for each other would push each other out."""
NO_CHAIN = Chain(())
DEFAULT_SEGMENTATION = next(iter(SEGMENTATIONS))


class Store:
    """A bounded store of results that forgets the one unused for longest."""

    def __init__(self, max_entries: int) -> None:
        self.max_entries = max_entries
        self._entries: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = threading.Lock()

    def __contains__(self, key: Hashable) -> bool:
        with self._lock:
            return key in self._entries

    def get(self, key: Hashable, compute: Callable[[], Result]) -> Result:
        """The result under ``key``, computed now if it is not there.

        Not ``st.cache_data``: that one may not report progress to a bar made outside it, and what is computed here
        does. Nothing is stored if ``compute`` raises, so a cancelled job starts anew.
        """
        with self._lock:
            if key in self._entries:
                self._entries.move_to_end(key)
                return self._entries[key]
        result = compute()
        with self._lock:
            self._entries[key] = result
            while len(self._entries) > self.max_entries:
                self._entries.popitem(last=False)
        return result


@st.cache_resource(max_entries=1)
def shared_store() -> Store:
    """Results that hold for everybody: they derive from what ships."""
    return Store(SHARED_ENTRIES)


def result_store() -> Store:
    """Small results of this session (probabilities, maps, curves); they may derive from uploads and go with it."""
    return _session_store("result_store", RESULT_ENTRIES)


def picture_store() -> Store:
    """Arrays as large as a frame, in a store of their own: a moving slider must not push out what took long."""
    return _session_store("picture_store", PICTURE_ENTRIES)


def _session_store(name: str, max_entries: int) -> Store:
    if name not in st.session_state:
        st.session_state[name] = Store(max_entries)
    return st.session_state[name]


@st.cache_resource(max_entries=1, show_spinner=False)
def _named_stores() -> tuple[Store, Store]:
    """The hashes of the samples and phantoms opened last, and what was computed of them, which anybody may see."""
    return Store(NAMED_FRAMES), Store(NAMED_ENTRIES)


def _store_of(sha256: str, otherwise: Callable[[], Store]) -> Store:
    """Where to keep what derives from a frame: with all sessions if it has a name, else in the store of this one."""
    hashes, results = _named_stores()
    return results if sha256 in hashes else otherwise()


@st.cache_resource(max_entries=64, show_spinner=False)
def named_image(image_id: str) -> NamedImage:
    """A sample or phantom; its arrays are read-only, so sessions may share it."""
    image = open_image(image_id)
    hashes, _ = _named_stores()
    hashes.get(image.frame.sha256, lambda: True)
    return image


@st.cache_resource(max_entries=24, show_spinner=False)
def named_structures(image_id: str) -> Structures | None:
    """The anatomy of a sample or phantom, at its full size, where it is known; read-only as the image is."""
    return structures_of({"path": image_id})


@st.cache_resource(max_entries=64, show_spinner=False)
def named_head(image_id: str) -> KnownHead | None:
    """The head that a sample or phantom shows, where that is known."""
    return known_head(image_id)


def pixel_size(frame: Frame, typed: float | None = None) -> PixelSize | None:
    """The size of a frame's pixels; looking for depth ticks takes a moment, so what was found is kept."""
    return result_store().get(("pixel size", frame.sha256, typed), lambda: pixel_size_of(frame, typed))


def loop_length(sha256: str, data: bytes) -> int:
    """How many frames an uploaded DICOM file holds."""
    from core.dicom import n_frames

    return result_store().get(("loop length", sha256), lambda: n_frames(data))


def loop_frame(sha256: str, frame: int, data: bytes) -> Frame:
    """One frame, from 0, of an uploaded cine loop."""
    from core.dicom import read_dicom

    return picture_store().get(("loop frame", sha256, frame), lambda: read_dicom(data, frame=frame))


@st.cache_data(max_entries=8, scope="session", show_spinner=False)
def preprocessed(sha256: str, settings: str, chain: str, _pixels: np.ndarray, _settings: Any) -> Preprocessed:
    """All stages of a frame. ``settings`` is the JSON of ``_settings``, the key that Streamlit hashes."""
    return run(_pixels, _settings, chain=chain)


def cleaned(sha256: str, pixels: np.ndarray, settings: PreprocessingSettings) -> Cleaned:
    """The cropped frame without annotations."""
    return _store_of(sha256, picture_store).get(("cleaned", sha256, settings), lambda: clean(pixels, settings))


def prepared(sha256: str, pixels: np.ndarray, card: Card) -> np.ndarray:
    """What the model of ``card`` sees of a frame: (S, S) uint8. Needs no TensorFlow."""
    settings = PreprocessingSettings.from_dict(card.preprocessing)
    key = ("prepared", sha256, settings, card.input["chain"], card.size)
    compute = partial(prepare, pixels, settings, chain=card.input["chain"], size=card.size)
    return _store_of(sha256, result_store).get(key, compute)


@st.cache_data(ttl="10s", max_entries=16, show_spinner=False)
def evaluation_rows(card: Card) -> pd.DataFrame:
    """The rows of a model's ``evaluation.csv.gz``, one an image; empty where it was never evaluated."""
    return read_evaluation(card.name, classes=card.classes)


@st.cache_resource(ttl="10s", max_entries=16, show_spinner=False)
def assessments(card: Card) -> list[Assessment]:
    """What a model did on each data set of its ``evaluation.csv.gz``; shared, so not to be changed."""
    return assessments_of(evaluation_rows(card), card.classes)


def calibration(assessment: Assessment) -> Calibration:
    """Calibration on a data set: its curve resamples patients many times, so it is kept."""
    content = pd.util.hash_pandas_object(assessment.labelled.astype(str)).to_numpy().tobytes()
    return shared_store().get(("calibration", content), lambda: calibrate(assessment))


def review_store() -> ReviewStore:
    """The database of reviews, its connections shared by all sessions; what it holds is read anew each time."""
    return _opened_reviews(database_url())


@st.cache_resource(max_entries=1, show_spinner=False)
def _opened_reviews(url: str) -> ReviewStore:
    return ReviewStore(url)


@st.cache_data(ttl="10s", max_entries=8, show_spinner=False)
def head_evaluation(card: Card) -> pd.DataFrame:
    """The rows of the ``evaluation.csv.gz`` of a model of heads; empty where it was never evaluated."""
    return read_head_evaluation(card.name)


def head_figures(rows: pd.DataFrame) -> dict[str, Share]:
    """Errors of measured heads; their intervals resample examinations many times, so they are kept."""
    content = pd.util.hash_pandas_object(rows.astype(str)).to_numpy().tobytes()
    return shared_store().get(("heads", hashlib.sha256(content).digest()), lambda: figures_of(rows))


@st.cache_data(ttl="1m", max_entries=32, show_spinner=False)
def frame_at_hand(name: str) -> Frame | None:
    """A frame of the folder that the person who runs the server has named, by its file name; None where it is not."""
    return frame_in_folder(name)


@st.cache_data(ttl="10s", max_entries=16, show_spinner=False)
def drift_folders(card: Card) -> list[Path]:
    """Where the drift studies of a model are kept."""
    return DRIFT_FILES.folders(card.name)


@st.cache_resource(ttl="1m", max_entries=16, show_spinner=False)
def drift_study(folder: Path) -> DriftStudy:
    """A drift study; shared, so not to be changed."""
    return read_drift_study(folder)


@st.cache_data(ttl="10s", max_entries=16, show_spinner=False)
def faithfulness_folders(card: Card) -> list[Path]:
    """Where the studies of faithfulness of a model are kept."""
    return FAITHFULNESS_FILES.folders(card.name)


@st.cache_resource(ttl="1m", max_entries=16, show_spinner=False)
def faithfulness_study(folder: Path) -> FaithfulnessStudy:
    """A study of faithfulness; shared, so not to be changed."""
    return read_faithfulness_study(folder)


@st.cache_data(ttl="10s", max_entries=16, show_spinner=False)
def head_study_folders(card: Card) -> list[Path]:
    """Where the perturbation studies of a model of heads are kept."""
    return HEAD_STUDY_FILES.folders(card.name)


@st.cache_resource(ttl="1m", max_entries=16, show_spinner=False)
def head_study(folder: Path) -> HeadStudy:
    """A perturbation study; shared, so not to be changed."""
    return read_head_study(folder)


@dataclass(frozen=True)
class DriftTables:
    """What a page shows of a drift study: see the methods of :class:`DriftStudy` of these names."""

    curves: pd.DataFrame
    flips: pd.DataFrame
    order: pd.DataFrame
    conclusion: str


def drift_tables(study: DriftStudy, measure: str, fall: float) -> DriftTables:
    """The figures of a drift study: their intervals resample patients many times, so they are kept."""
    content = pd.util.hash_pandas_object(study.rows).to_numpy().tobytes() + json.dumps(study.about).encode()
    key = ("drift", hashlib.sha256(content).digest(), measure, fall)

    def compute() -> DriftTables:
        return DriftTables(
            study.curves(measure), study.flips(), study.order(measure, fall), study.conclusion(measure, fall)
        )

    return shared_store().get(key, compute)


@st.cache_data(ttl="10s", max_entries=16, show_spinner=False)
def history(card: Card) -> pd.DataFrame:
    """The epochs of a model's training; empty where it has no record of them."""
    return read_history(card.name)


@dataclass(frozen=True)
class Distortion:
    """One corruption as the pages choose it: kind, intensity in the kind's unit, seed."""

    kind: str
    intensity: float
    seed: int = 0


@dataclass(frozen=True)
class Distorted:
    """A cleaned frame under a distortion: the frame (H, W) uint8, its SSIM to the cleaned one, and what a network sees.

    ``ssim`` is keyed by (definition, region): ``wang`` or ``skimage``, ``sector`` or ``frame``.
    """

    image: np.ndarray
    ssim: dict[tuple[str, str], float]
    network_image: np.ndarray


def distorted(sha256: str, source: Cleaned, card: Card, distortion: Distortion) -> Distorted:
    """Corrupt a cleaned frame, compare it and finish it for the model of ``card``. Needs no TensorFlow."""

    def compute() -> Distorted:
        image = corrupt(source.gray, distortion.kind, distortion.intensity, distortion.seed, source.sector)
        scores = {}
        for definition in ("wang", "skimage"):
            key = ("reference", sha256, definition)
            reference = picture_store().get(key, lambda name=definition: Reference(source.gray, name))
            scores[definition, "frame"], scores[definition, "sector"] = reference.ssim_of_both(image, source.sector)
        settings = PreprocessingSettings.from_dict(card.preprocessing)
        network_image = finish(replace(source, gray=image), settings, chain=card.input["chain"], size=card.size)
        return Distorted(image, scores, network_image)

    return picture_store().get(("distorted", sha256, card.name, distortion), compute)


def prediction(model: Classifier, sha256: str, image: np.ndarray, distortion: Distortion | None = None) -> Prediction:
    """Prediction of one prepared image (S, S)."""
    key = ("prediction", model.card.weights["sha256"], sha256, distortion)
    return result_store().get(key, lambda: model.predict_prepared(image[None]))


def circumference(model: HeadRegressor, sha256: str, image: np.ndarray, distortion: Distortion | None = None) -> float:
    """The circumference in one prepared image (S, S), in its pixels."""
    key = ("circumference", model.card.weights["sha256"], sha256, distortion)
    return result_store().get(key, lambda: float(model.scores(image[None])[0, 0]))


@dataclass(frozen=True)
class Estimate:
    """A method's uncertainty of one image and the seconds it took when it was computed."""

    result: Uncertainty
    seconds: float


def uncertainty(
    model: Classifier,
    sha256: str,
    pixels: np.ndarray,
    method: UncertaintyMethod,
    partners: Sequence[Classifier] = (),
    progress: Progress = no_progress,
) -> Estimate:
    """What a method says of one frame; ``partners`` are asked by an ensemble alone."""

    def compute() -> Estimate:
        image = prepared(sha256, pixels, model.card)[None]
        others = [(other, prepared(sha256, pixels, other.card)[None]) for other in partners]
        started = time.perf_counter()
        result = method.estimate(model, image, partners=others, progress=progress)
        return Estimate(result, time.perf_counter() - started)

    key = _uncertainty_key(model.card, sha256, method, [other.card for other in partners])
    return result_store().get(key, compute)


def has_uncertainty(card: Card, sha256: str, method: UncertaintyMethod, partners: Sequence[Card] = ()) -> bool:
    """True if :func:`uncertainty` would answer at once."""
    return _uncertainty_key(card, sha256, method, partners) in result_store()


def _uncertainty_key(
    card: Card, sha256: str, method: UncertaintyMethod, partners: Sequence[Card]
) -> tuple[Hashable, ...]:
    asked = tuple(other.weights["sha256"] for other in partners)
    return ("uncertainty", card.weights["sha256"], sha256, method.name, asked)


@st.cache_data(ttl="1m", max_entries=SHARED_ENTRIES, show_spinner=False)
def threshold_checks(card: Card, threshold: float) -> list[ThresholdCheck]:
    """What sending away all below ``threshold`` did on the images the model was evaluated on."""
    return [check_threshold(assessment, threshold) for assessment in assessments(card)]


@dataclass(frozen=True)
class Explanation:
    """A map (S, S) float32, what its method tells of it, the seconds it took, and the superpixels where it has any."""

    values: np.ndarray
    note: str
    seconds: float
    superpixels: SuperpixelExplanation | None = None


def explanation(
    model: Classifier,
    sha256: str,
    image: np.ndarray,
    method: Method,
    target: int,
    distortion: Distortion | None = None,
    progress: Progress = no_progress,
    segmentation: str = DEFAULT_SEGMENTATION,
) -> Explanation:
    """A method's map of one prepared image (S, S) uint8 for a target class.

    ``segmentation`` is that of methods that hide superpixels; others have none.
    """

    def compute() -> Explanation:
        started, superpixels = time.perf_counter(), None
        if isinstance(method, SuperpixelMethod):
            superpixels = method.explain_superpixels(model, to_unit(image), target, progress, segmentation=segmentation)
            explained = superpixels.explained
        else:
            explained = method.explain_and_tell(model, to_unit(image), target, progress)
        return Explanation(explained.map, explained.note, time.perf_counter() - started, superpixels)

    return result_store().get(_explanation_key(model.card, sha256, method, target, distortion, segmentation), compute)


def has_explanation(
    card: Card,
    sha256: str,
    method: Method,
    target: int,
    distortion: Distortion | None = None,
    segmentation: str = DEFAULT_SEGMENTATION,
) -> bool:
    """True if :func:`explanation` would answer at once."""
    return _explanation_key(card, sha256, method, target, distortion, segmentation) in result_store()


def _explanation_key(
    card: Card, sha256: str, method: Method, target: int, distortion: Distortion | None, segmentation: str
) -> tuple[Hashable, ...]:
    made_by = (method.name, segmentation) if isinstance(method, SuperpixelMethod) else (method.name,)
    return ("explanation", card.weights["sha256"], sha256, made_by, target, distortion)


def map_scores(
    model: Classifier,
    sha256: str,
    image: np.ndarray,
    method: Method,
    target: int,
    distortion: Distortion | None,
    scoring: Scoring,
    segmentation: str = DEFAULT_SEGMENTATION,
) -> Scores:
    """How faithful a method's map of one prepared image (S, S) uint8 is; see :func:`explanation`."""
    values = explanation(model, sha256, image, method, target, distortion, segmentation=segmentation).values
    shown = ("map reference", model.card.weights["sha256"], sha256, target, distortion, scoring)
    reference = result_store().get(shown, lambda: refer(model, to_unit(image), 0, target, scoring))
    key = _scores_key(model.card, sha256, method, target, distortion, scoring, segmentation)
    return result_store().get(key, lambda: score_map(model, reference, values, scoring))


def has_map_scores(
    card: Card,
    sha256: str,
    method: Method,
    target: int,
    distortion: Distortion | None,
    scoring: Scoring,
    segmentation: str = DEFAULT_SEGMENTATION,
) -> bool:
    """True if :func:`map_scores` would answer at once."""
    return _scores_key(card, sha256, method, target, distortion, scoring, segmentation) in result_store()


def _scores_key(
    card: Card,
    sha256: str,
    method: Method,
    target: int,
    distortion: Distortion | None,
    scoring: Scoring,
    segmentation: str,
) -> tuple[Hashable, ...]:
    return ("map scores", *_explanation_key(card, sha256, method, target, distortion, segmentation), scoring)


def maximisation(model: Classifier, target: int, preset: str, progress: Progress = no_progress) -> Maximisation:
    """A picture that raises a class's score; it derives from what ships, so all sessions share it."""
    key = _maximisation_key(model.card, target, preset)
    settings = maximisation_preset(preset)
    return shared_store().get(key, lambda: activation_maximization(model, target, settings, progress))


def has_maximisation(card: Card, target: int, preset: str) -> bool:
    """True if :func:`maximisation` would answer at once."""
    return _maximisation_key(card, target, preset) in shared_store()


def _maximisation_key(card: Card, target: int, preset: str) -> tuple[Hashable, ...]:
    return ("maximisation", card.weights["sha256"], target, preset)


def image_facts(
    model: Classifier, image_id: str, method: Method, target: int
) -> tuple[ImageFacts, np.ndarray, np.ndarray]:
    """What is measured of a named image and its map, with the prepared image (S, S) uint8 and the map (S, S)."""
    frame = named_image(image_id).frame
    image = prepared(frame.sha256, frame.pixels, model.card)
    values = explanation(model, frame.sha256, image, method, target).values

    def compute() -> ImageFacts:
        source = clean(frame.pixels, model.settings)
        found = named_structures(image_id)
        anatomy = None if found is None else at_input(found, source, model.settings, model.card.size)
        return measure(source, image, values, anatomy)

    key = ("facts", _explanation_key(model.card, frame.sha256, method, target, None, DEFAULT_SEGMENTATION))
    return result_store().get(key, compute), image, values


class Job:
    """Work in a thread of its own: the page goes on answering while it runs.

    Attributes
    ----------
    share : float
        Done so far, from 0 to 1.
    """

    def __init__(self, work: Callable[[Progress], object]) -> None:
        self.share = 0.0
        self._stopped = threading.Event()
        executor = ThreadPoolExecutor(1, thread_name_prefix="job")
        self._future = executor.submit(work, self._report)
        executor.shutdown(wait=False)

    def _report(self, share: float) -> None:
        if self._stopped.is_set():
            raise Cancelled("This was cancelled; start it again when you want it.")
        self.share = share

    @property
    def done(self) -> bool:
        return self._future.done()

    @property
    def is_cancelled(self) -> bool:
        return self._stopped.is_set()

    def cancel(self) -> None:
        """Stop at the next report of progress; what was finished is dropped."""
        self._stopped.set()

    def wait(self) -> None:
        """Return when the work has ended; raises what it raised."""
        self._future.result()


@st.cache_resource(max_entries=1)
def _shared_jobs() -> dict[Hashable, Job]:
    return {}


def _session_jobs() -> dict[Hashable, Job]:
    return st.session_state.setdefault("background_jobs", {})


def _job(jobs: dict[Hashable, Job], store: Store, key: Hashable, compute: Callable[[Progress], object]) -> Job | None:
    """The job that fills ``key`` of a store, begun now if need be; None once it is filled.

    A job that failed raises that once and is then forgotten; one that was cancelled begins anew.
    """
    if key in store:
        jobs.pop(key, None)
        return None
    if key not in jobs or jobs[key].is_cancelled:
        jobs[key] = Job(lambda progress: store.get(key, lambda: compute(progress)))
    job = jobs[key]
    if job.done:
        jobs.pop(key).wait()
    return job


def live_subject(sha256: str, source: Cleaned, model: Classifier | None, detector: Classifier | None) -> LiveSubject:
    """A cleaned frame ready for the moves of a slider."""
    key = _subject_key(sha256, model, detector)
    return _session_store("subject_store", SUBJECT_ENTRIES).get(key, lambda: LiveSubject(source, model, detector))


def live_move(sha256: str, subject: LiveSubject, distortion: Distortion, earlier: Chain = NO_CHAIN) -> Move:
    """A move of the slider, kept for the rerun that follows when it comes to rest."""
    key = (_subject_key(sha256, subject.model, subject.detector), distortion, earlier)
    compute = partial(subject.move, distortion.kind, distortion.intensity, distortion.seed, earlier)
    return _session_store("move_store", MOVE_ENTRIES).get(key, compute)


def _subject_key(sha256: str, model: Classifier | None, detector: Classifier | None) -> tuple[Hashable, ...]:
    return (sha256, *(each and each.card.weights["sha256"] for each in (model, detector)))


def head_reading(reader: HeadReader, sha256: str, source: Cleaned, pixel_size_mm: float | None) -> HeadReading:
    """A head measured in a frame that was cleaned with the reader's settings."""
    key = ("head", *_reader_key(reader), sha256, pixel_size_mm)
    return result_store().get(key, lambda: reader.read_cleaned([source], [pixel_size_mm])[0])


def head_move(
    reader: HeadReader, sha256: str, source: Cleaned, pixel_size_mm: float | None, distortion: Distortion
) -> tuple[np.ndarray, HeadReading]:
    """The distorted frame (H, W) uint8, cleaned and cropped, and what is measured in it."""

    def compute() -> tuple[np.ndarray, HeadReading]:
        changed = distorted_head(source, distortion.kind, distortion.intensity, distortion.seed)
        return changed.gray, reader.read_cleaned([changed], [pixel_size_mm])[0]

    key = ("head", *_reader_key(reader), sha256, pixel_size_mm, distortion)
    return _session_store("move_store", MOVE_ENTRIES).get(key, compute)


def head_sweep_job(
    reader: HeadReader,
    sha256: str,
    source: Cleaned,
    pixel_size_mm: float | None,
    truth: Ellipse | None,
    kind: str,
    seed: int,
) -> Job | None:
    """The job that measures a head from no corruption to the kind's usual maximum; None once :func:`head_sweep` has it.

    ``truth`` is the head as annotated or simulated, in pixels of the frame.
    """
    intensities = np.linspace(0, get_corruption(kind).slider_maximum, HEAD_STEPS).tolist()
    return _job(
        _session_jobs(),
        result_store(),
        _head_sweep_key(reader, sha256, pixel_size_mm, truth, kind, seed),
        lambda progress: follow_head(
            reader, source, kind, intensities, pixel_size_mm=pixel_size_mm, truth=truth, seed=seed, progress=progress
        ),
    )


def head_sweep(
    reader: HeadReader, sha256: str, pixel_size_mm: float | None, truth: Ellipse | None, kind: str, seed: int
) -> pd.DataFrame | None:
    """The rows that the job of a sweep has made, else None; not to be changed."""
    key, store = _head_sweep_key(reader, sha256, pixel_size_mm, truth, kind, seed), result_store()
    return store.get(key, lambda: None) if key in store else None


def _head_sweep_key(
    reader: HeadReader, sha256: str, pixel_size_mm: float | None, truth: Ellipse | None, kind: str, seed: int
) -> tuple[Hashable, ...]:
    return ("head sweep", *_reader_key(reader), sha256, pixel_size_mm, truth, kind, seed)


def _reader_key(reader: HeadReader) -> tuple[Hashable, ...]:
    models = (reader.regressor, reader.segmenter, reader.detector, reader.anatomy)
    return tuple(model and model.card.weights["sha256"] for model in models)


def recording_job(sha256: str, subject: LiveSubject, kind: str, seed: int, earlier: Chain = NO_CHAIN) -> Job | None:
    """The job that records a corruption running up; None once :func:`recording` has it."""
    key = _recording_key(sha256, subject, kind, seed, earlier)
    return _job(
        _session_jobs(),
        _recordings(),
        key,
        lambda progress: record(subject, kind, seed=seed, earlier=earlier, progress=progress),
    )


def recording(sha256: str, subject: LiveSubject, kind: str, seed: int, earlier: Chain = NO_CHAIN) -> bytes | None:
    """The GIF of a recording that was made, else None."""
    key, store = _recording_key(sha256, subject, kind, seed, earlier), _recordings()
    return store.get(key, lambda: None) if key in store else None


def _recordings() -> Store:
    return _session_store("recording_store", RECORDING_ENTRIES)


def _recording_key(sha256: str, subject: LiveSubject, kind: str, seed: int, earlier: Chain) -> tuple[Hashable, ...]:
    return (_subject_key(sha256, subject.model, subject.detector), kind, seed, earlier)


def screening(title: str, model: Card, detector: Card) -> Screening:
    """What this session has screened under a title with two models; of several the last few are kept."""
    key = ("screening", title, model.weights["sha256"], detector.weights["sha256"])
    store = _session_store("screening_store", SCREENING_ENTRIES)
    return store.get(key, lambda: Screening(title, model, detector))


def screening_job(run: Screening, model: Classifier, detector: Classifier) -> Job:
    """Start judging the files that a screening lacks."""
    job = Job(lambda progress: run.run(Networks(model, detector), progress))
    _session_jobs()["screening", run.key] = job
    return job


def running_screening(run: Screening) -> Job | None:
    """The job of a screening that is under way; one that has ended is forgotten, and raises what it failed with."""
    jobs, key = _session_jobs(), ("screening", run.key)
    job = jobs.get(key)
    if job is None or not job.done:
        return job
    del jobs[key]
    try:
        job.wait()
    except Cancelled:
        # What was finished is shown, with a way to go on.
        return None
    return None


def screened(run: Screening) -> pd.DataFrame:
    """The rows of a screening so far; not to be changed."""
    files = hashlib.sha256(repr([(entry.name, entry.stamp) for entry in run.entries]).encode()).hexdigest()
    key = ("screened", run.key, files, len(run.missing))
    return _session_store("screened_store", SCREENING_ENTRIES).get(key, run.rows)


def screening_thumbnail(run: Screening, name: str, frame: int, settings: PreprocessingSettings) -> np.ndarray | None:
    """A screened frame, cleaned and small."""
    stamp = next((entry.stamp for entry in run.entries if entry.name == name), "")
    key = ("thumbnail", run.key, name, stamp, frame)
    return result_store().get(key, lambda: thumbnail(run.source, name, frame, settings))


def detector_gallery(model: Classifier, method: Method, progress: Progress = no_progress) -> list[GalleryRow]:
    """What a detector looks at, over the fixed sample of phantoms; the same for everybody."""

    def compute() -> list[GalleryRow]:
        sample = curve_sample(CLASSES["plane"], per_plane=PER_PLANE)
        # One plane after another, so that the first images of a row show them all.
        sources = [image for place in range(PER_PLANE) for image in sample[place::PER_PLANE]]
        return gallery_of(model, sources, method, progress=progress)

    return shared_store().get(_gallery_key(model.card, method), compute)


def has_detector_gallery(card: Card, method: Method) -> bool:
    """True if :func:`detector_gallery` would answer at once."""
    return _gallery_key(card, method) in shared_store()


def _gallery_key(card: Card, method: Method) -> tuple[Hashable, ...]:
    return ("detector gallery", card.weights["sha256"], method.name)


def image_sweep(
    model: Classifier, sha256: str, source: Cleaned, kind: str, seed: int, progress: Progress = no_progress
) -> ImageSweep:
    """One image under growing corruption, and where its class flips."""
    key = _image_sweep_key(model.card, sha256, kind, seed)
    compute = partial(sweep_image, model, source, kind, seed=seed, progress=progress)
    return _store_of(sha256, result_store).get(key, compute)


def image_sweep_job(model: Classifier, sha256: str, source: Cleaned, kind: str, seed: int) -> Job | None:
    """The job behind :func:`image_sweep`; None once that answers at once."""
    return _job(
        _session_jobs(),
        _store_of(sha256, result_store),
        _image_sweep_key(model.card, sha256, kind, seed),
        lambda progress: sweep_image(model, source, kind, seed=seed, progress=progress),
    )


def has_image_sweep(card: Card, sha256: str, kind: str, seed: int) -> bool:
    return _image_sweep_key(card, sha256, kind, seed) in _store_of(sha256, result_store)


def _image_sweep_key(card: Card, sha256: str, kind: str, seed: int) -> tuple[Hashable, ...]:
    return ("image sweep", card.weights["sha256"], sha256, kind, seed)


def sample_sweep(model: Classifier, kind: str) -> SampleSweep:
    """Accuracy and SSIM over the fixed sample of phantoms; the same for everybody, so it is computed once."""
    return shared_store().get(_sample_sweep_key(model.card, kind), lambda: _sweep_the_sample(model, kind, no_progress))


def sample_sweep_job(model: Classifier, kind: str) -> Job | None:
    """The job behind :func:`sample_sweep`, one for everybody; None once that answers at once."""
    return _job(
        _shared_jobs(),
        shared_store(),
        _sample_sweep_key(model.card, kind),
        lambda progress: _sweep_the_sample(model, kind, progress),
    )


def has_sample_sweep(card: Card, kind: str) -> bool:
    return _sample_sweep_key(card, kind) in shared_store()


def _sample_sweep_key(card: Card, kind: str) -> tuple[Hashable, ...]:
    return ("sample sweep", card.weights["sha256"], kind)


def _sweep_the_sample(model: Classifier, kind: str, progress: Progress) -> SampleSweep:
    images = curve_sample(model.classes)
    sources = []
    for index, image in enumerate(images):
        sources.append(clean(image.frame.pixels, model.settings))
        progress(0.2 * (index + 1) / len(images))
    planes = [image.plane or "" for image in images]
    return sweep_sample(model, sources, planes, kind, progress=lambda share: progress(0.2 + 0.8 * share))


@st.cache_data(ttl="10s", max_entries=1, show_spinner=False)
def studies() -> dict[str, list[Path]]:
    """Folders of the sweeps recorded with the models, by task and data."""
    return stored_studies(described_cards())


@st.cache_resource(ttl="10s", max_entries=SHARED_ENTRIES, show_spinner=False)
def study(folder: Path) -> Study:
    """A recorded sweep; shared, so not to be changed."""
    return read_sweep_study(folder)


@st.cache_data(ttl="10s", max_entries=1, show_spinner=False)
def cards() -> list[Card]:
    """Cards of all models that can predict; read again after ten seconds, so that a newly trained model appears."""
    return list_cards(with_weights=True)


@st.cache_data(ttl="10s", max_entries=1, show_spinner=False)
def described_cards() -> list[Card]:
    """Cards of all models, those without weights too."""
    return list_cards()


@st.cache_data(ttl="10s", max_entries=1, show_spinner=False)
def damaged_cards() -> list[str]:
    """The sentence of each model whose card cannot be read."""
    damaged: list[str] = []
    list_cards(report=damaged.append)
    return damaged


@st.cache_resource(max_entries=LOADED_MODELS, show_spinner=False)
def _loading(name: str, weights_sha256: str) -> Future[Classifier]:
    executor = ThreadPoolExecutor(1, thread_name_prefix=f"load-{name}")
    future = executor.submit(_load_and_warm, name)
    # A prediction may need no TensorFlow, but the first gradients should not wait for it.
    executor.submit(tensorflow)
    executor.shutdown(wait=False)
    return future


def start_loading(card: Card) -> Future[Classifier]:
    """Load a model in the background, once for all sessions, and return its future.

    A failure is forgotten once it has been told, so that restoring the file and asking again works.
    """
    future = _loading(card.name, card.weights["sha256"])
    if future.done() and future.exception() is not None:
        _loading.clear(card.name, card.weights["sha256"])
    return future


def _load_and_warm(name: str) -> Classifier:
    """Load a model and prepare its forward pass, so that the first prediction is quick."""
    model = load_model(name)
    blank = np.zeros((1, model.card.size, model.card.size), np.float32)
    model.masks(blank) if isinstance(model, HeadSegmenter) else model.scores(blank)
    return model
