"""Screening on the page: uploads judged in the background, limits that need no new pass, what is offered, errors."""

import io
import time
import zipfile

import cv2
import pytest

from core import cache
from core.zoo import read_card

PLANES = ["BPD", "CRL", "NT"]


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory, write_tiny_model):
    models = tmp_path_factory.mktemp("models")
    write_tiny_model(models / "tiny_plane", "plane", PLANES, "plane")
    write_tiny_model(models / "tiny_detector", "corruption", ["original", "blur", "noise"], "detector")
    return models


@pytest.fixture(autouse=True)
def loaded(tiny_models, use_models):
    use_models(tiny_models)
    for name in ("tiny_plane", "tiny_detector"):
        cache.start_loading(read_card(name)).result()


@pytest.fixture
def frames(shape):
    """Names and contents of six shapes, one twice, and a file that is cut short."""
    pictures = [cv2.imencode(".png", shape(PLANES[seed % 3], 200 + seed))[1].tobytes() for seed in range(6)]
    files = {f"{number}.png": data for number, data in enumerate(pictures)}
    return files | {"copy.png": pictures[2], "cut.png": pictures[0][:150]}


# The tiny models answer at random: their limits are off.
QUIET = {"limits_corruption": "0,0", "limits_confidence": "0,0", "limits_typicality": "-100,-100"}


def opened(open_page, files, **query):
    app = open_page("screening", **(QUIET | query))
    for name, data in files.items():
        app.file_uploader(key="screening_files").upload(name, data)
    return app.run()


def screened(app):
    """Press the button and wait for the job."""
    next(button for button in app.button if button.label.startswith(("Screen ", "Go on "))).click().run()
    for job in app.session_state["background_jobs"].values():
        deadline = time.monotonic() + 60
        while not job.done and time.monotonic() < deadline:
            time.sleep(0.05)
    return app.run()


def counts(app):
    return {metric.label: int(metric.value) for metric in app.metric}


def labels(app):
    return [button.label for button in app.button]


def test_uploads_are_judged_and_limits_move_without_a_new_pass(open_page, texts, frames):
    app = opened(open_page, frames)
    assert "Screen 8 files" in labels(app)
    assert not app.metric
    app = screened(app)
    assert not app.exception
    assert not app.error
    assert counts(app) == {"Keep": 6, "Review": 0, "Discard": 2}
    assert "same pixels 1" in texts(app)
    assert "cut short" in texts(app)
    assert "of 8 frames" in texts(app)
    downloads = {button.proto.label for button in app.get("download_button")}
    assert {"Rows (CSV)", "Rows (JSON Lines)", "Report (Markdown)", "Kept files (ZIP)"} <= downloads
    app.slider(key="limits_dark").set_value((8.0, 250.0)).run()
    assert counts(app)["Keep"] == 0
    assert counts(app)["Review"] == 6
    assert not app.session_state["background_jobs"]
    assert app.query_params["limits_dark"] in ("8,250", ["8,250"])
    assert "0.png" not in str(app.query_params)
    table = app.dataframe[0].value
    assert set(table["verdict"]) == {"review"}
    assert table["reason"].str.contains("dark").all()
    app.segmented_control(key="verdict").set_value("keep").run()
    assert "No frame has the verdict keep" in texts(app)


def test_files_added_later_are_the_only_ones_judged(open_page, frames):
    app = screened(opened(open_page, dict(list(frames.items())[:3])))
    assert counts(app)["Keep"] == 3
    # The uploader of AppTest begins anew; what was judged is known by name and content.
    for name in list(frames)[:4]:
        app.file_uploader(key="screening_files").upload(name, frames[name])
    app.run()
    assert "Go on with 1 of 4 files" in labels(app)
    app = screened(app)
    assert counts(app)["Keep"] == 4


def test_a_zip_among_the_uploads_stands_for_its_members(open_page, texts, frames):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in list(frames.items())[:4]:
            archive.writestr(f"set/{name}", data)
    app = opened(open_page, {"set.zip": packed.getvalue(), "more.png": frames["5.png"]})
    assert "Screen 5 files" in labels(app)
    app = screened(app)
    assert counts(app)["Keep"] == 5


def test_two_sessions_share_nothing(open_page, frames):
    screened(opened(open_page, frames))
    other = open_page("screening")
    assert not other.metric
    other = opened(open_page, frames)
    assert not other.metric
    assert "Screen 8 files" in labels(other)


def test_nothing_and_no_image_say_what_to_do(open_page, texts):
    app = open_page("screening")
    assert "nothing to screen yet" in texts(app)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("list.csv", "a,b")
    app.file_uploader(key="screening_files").upload("set.zip", packed.getvalue()).run()
    assert not app.exception
    assert "None of these files is an image" in texts(app)


def test_only_broken_files_are_rows_with_their_sentences(open_page, texts, frames):
    app = screened(opened(open_page, {"cut.png": frames["cut.png"], "none.png": b""}))
    assert not app.exception
    assert counts(app) == {"Keep": 0, "Review": 0, "Discard": 2}
    assert "2 cannot be read" in texts(app)


def test_an_archive_of_the_server_is_offered_by_name_alone(open_page, frames, tmp_path, monkeypatch, texts):
    folder = tmp_path / "scans"
    folder.mkdir()
    for name, data in frames.items():
        (folder / name).write_bytes(data)
    assert not [box for box in open_page("screening").selectbox if box.key == "archive"]
    monkeypatch.setenv("PLANELAB_ARCHIVES", f"{folder}:{tmp_path / 'gone'}")
    app = open_page("screening", archive="scans", **QUIET)
    assert str(tmp_path) not in str(app.selectbox(key="archive").options)
    app = screened(app)
    assert counts(app) == {"Keep": 6, "Review": 0, "Discard": 2}
    assert str(tmp_path) not in texts(app)
    app = open_page("screening", archive="/etc")
    assert app.selectbox(key="archive").value == "uploads"
    app = open_page("screening", archive="gone")
    assert len(app.error) == 1


@pytest.mark.parametrize("limits", ["9,3", "tea", "1,2,3", "nan,1", "-5,400"])
def test_a_forged_limit_is_the_default(open_page, frames, limits):
    app = screened(opened(open_page, frames, limits_dark=limits))
    assert not app.exception
    assert app.slider(key="limits_dark").value == (8.0, 18.0)
