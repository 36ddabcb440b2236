"""Hostile and broken files through every uploader: a sentence each, nothing else on the page is lost, no trace."""

from __future__ import annotations

import time

import cv2
import pytest

from core import cache
from core.reviews.exchange import from_csv
from core.screening.networks import BATCH
from core.zoo import read_card

from ..hostile.answers import wrong_with
from ..hostile.archives import GOOD, archive, archive_cases
from ..hostile.case import READ, Case
from ..hostile.channels import NAMES, PICTURES, cases_for, refused
from ..hostile.memory import bounded_memory
from ..hostile.pictures import SECRET, good_picture, noise, picture_cases
from ..hostile.tables import CLASSES, FORMS, MODEL, REVIEWS, table_cases

# Pillow's and pydicom's remarks on broken metadata, which core silences outside pytest
pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning:PIL"),
    pytest.mark.filterwarnings("ignore::UserWarning:pydicom"),
]
DOOR = "uploads"


def unlike_sentences(app) -> list[str]:
    """What is wrong with the errors on a page."""
    case = Case("upload", "", "", b"")
    return [problem for error in app.error for problem in wrong_with(case, error.value)]


def test_the_picker_refuses_hundreds_at_once(open_page, wait_for_loads):
    cases = cases_for(DOOR, picture_cases(), *PICTURES, NAMES)
    app = open_page("preprocessing")
    wait_for_loads()
    before = app.selectbox(key="image").value
    with bounded_memory():
        for case in cases:
            if refused(case):
                app.file_uploader(key="uploader").upload(case.file, case.data)
        app.run()
    assert not app.exception
    assert len(app.error) == sum(map(refused, cases)) > 250
    assert unlike_sentences(app) == []
    assert app.selectbox(key="image").value == before
    app.file_uploader(key="uploader").upload("good.png", good_picture()).run()
    assert not app.exception
    assert app.selectbox(key="image").value.startswith("upload-")


def test_the_picker_shows_what_can_be_read_and_names_nobody(open_page, texts):
    cases = [case for case in cases_for(DOOR, picture_cases(), *PICTURES, NAMES) if not refused(case)]
    app = open_page("preprocessing")
    for case in cases:
        app.file_uploader(key="uploader").upload(case.file, case.data)
    app.run()
    assert not app.exception
    assert unlike_sentences(app) == []
    options = app.selectbox(key="image").options
    assert sum("(uploaded)" in option for option in options) == 30
    everything = texts(app) + str(options) + str(app.query_params)
    assert SECRET not in everything
    assert all(option.isprintable() for option in options)


@pytest.fixture(scope="module")
def tiny_models(tmp_path_factory, write_tiny_model):
    models = tmp_path_factory.mktemp("models")
    write_tiny_model(models / "tiny_plane", "plane", list(CLASSES), "plane")
    write_tiny_model(models / "tiny_detector", "corruption", ["original", "blur", "noise"], "detector")
    return models


def test_screening_judges_all_archives_and_pictures(open_page, tiny_models, use_models, wait_for_loads):
    """The archives that open bring their members, each refused one of which is a row that says why.

    A good archive goes first, and networks that the pages before began to load are waited for, so that what networks
    take is not counted as the files'.
    """
    wait_for_loads()
    use_models(tiny_models)
    for name in ("tiny_plane", "tiny_detector"):
        cache.start_loading(read_card(name)).result()
    archives = cases_for("screening", archive_cases(), "ZIP")
    pictures = cases_for("screening", picture_cases(), *PICTURES)
    app = open_page("screening", limits_corruption="0,0", limits_confidence="0,0", limits_typicality="-100,-100")
    app.file_uploader(key="screening_files").upload("warm.zip", warm()).run()
    screened(app)
    app.file_uploader(key="screening_files").clear().run()
    with bounded_memory():
        for number, case in enumerate([*archives, *pictures]):
            app.file_uploader(key="screening_files").upload(f"{number}_{case.file}", case.data)
        app.file_uploader(key="screening_files").upload(GOOD, good_picture())
        app.run()
        unopened = [error.value for error in app.error]
        screened(app)
    assert [error.value for error in app.error] == unopened
    assert len(unopened) >= 5
    assert unlike_sentences(app) == []
    counts = {metric.label: int(metric.value) for metric in app.metric}
    assert counts["Discard"] >= len(pictures) + 10
    app.segmented_control(key="verdict").set_value("discard").run()
    reasons = app.dataframe[0].value["reason"]
    assert len(reasons) >= 20
    case = Case("row", "", "", b"", r"\.$")
    assert [problem for reason in reasons for problem in wrong_with(case, reason)] == []


def warm() -> bytes:
    """Sound frames, enough of them for the networks' largest batch."""
    return archive(*((f"{number}.png", good_picture()) for number in range(BATCH)))


def screened(app) -> None:
    """Press the button and wait for the job."""
    assert not app.exception
    next(button for button in app.button if button.label.startswith(("Screen ", "Go on "))).click().run()
    for job in app.session_state["background_jobs"].values():
        deadline = time.monotonic() + 120
        while not job.done and time.monotonic() < deadline:
            time.sleep(0.05)
    app.run()
    assert not app.exception


def test_reviews_are_refused_and_nothing_is_kept(open_page, reviews_database):
    from core.reviews import ReviewStore

    app = open_page("reviews", model=MODEL)
    store = ReviewStore(reviews_database)
    for case in cases_for(DOOR, table_cases(), REVIEWS):
        app.file_uploader(key="reviews_file").upload(case.file, case.data, "text/csv").run()
        next(button for button in app.button if button.label == "Import").click().run()
        assert not app.exception, case
        assert bool(app.error) == (case.says != READ and bool(app.error)), case
        if refused(case):
            assert len(app.error) == 1, case
            assert store.all() == []
        assert unlike_sentences(app) == [], case
        app.file_uploader(key="reviews_file").clear().run()
    sound = FORMS[REVIEWS].sound
    app.file_uploader(key="reviews_file").upload("good.csv", sound, "text/csv").run()
    next(button for button in app.button if button.label == "Import").click().run()
    assert not app.error
    assert {one.review_id for one in store.all()} >= {one.review_id for one in from_csv(sound, {MODEL: CLASSES})}
    store.close()


ANNOTATIONS = (
    ("PNG", "6000 x 6000 claimed and no data"),
    ("PNG", "a wrong checksum"),
    ("TIFF", "NaN among the values"),
    ("TIFF", "tiles of 1.7 gigabytes in a picture of one pixel"),
    ("BMP", "rows that begin beyond the file"),
    ("other kind", "a programme"),
)


def test_annotations_of_heads(open_page):
    app = open_page("head_circumference")
    frame = cv2.imencode(".png", noise(shape=(300, 300)))[1].tobytes()
    app.file_uploader(key="uploader").upload("frame.png", frame).run()
    by_name = {(case.kind, case.what): case for case in picture_cases()}
    for name in ANNOTATIONS:
        case = by_name[name]
        key = next(one.key for one in app.file_uploader if one.key.startswith("annotation_file"))
        app.file_uploader(key=key).upload(case.file, case.data).run()
        assert not app.exception, name
        assert len(app.error) == 1, name
        assert wrong_with(case, app.error[0].value) == [], name
        app.file_uploader(key=key).clear().run()
    assert not app.error
