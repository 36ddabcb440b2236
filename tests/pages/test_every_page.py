"""What every page must do: open, survive bad uploads, keep the image, tell its errors in sentences."""

import ast
from pathlib import Path

import pytest

WITHOUT_MODEL = ["preprocessing"]
WITH_PICKER = [
    "laboratory",
    "preprocessing",
    "augmentation",
    "corruption",
    "prediction",
    "head_circumference",
    "interpretability",
]
PAGES = [
    *WITH_PICKER,
    "screening",
    "faithfulness",
    "explanation_drift",
    "confusion_matrix",
    "reviews",
    "results",
    "sweeps",
]


@pytest.mark.parametrize("path", sorted(Path("pages").glob("*.py")), ids=lambda path: path.stem)
def test_no_page_shows_a_string_by_accident(path):
    """Streamlit writes a bare string to the page, be it meant as a docstring of a constant."""
    _docstring, *rest = ast.parse(path.read_text(encoding="utf-8")).body
    bare = [node.value.value for node in rest if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)]
    assert bare == []


@pytest.mark.parametrize("name", PAGES)
def test_opens_with_an_example_says_what_to_do_and_that_it_is_no_device(open_page, texts, name):
    app = open_page(name)
    assert not app.exception
    assert not app.error
    assert len(app.title) == 1
    assert "no medical device" in texts(app)


@pytest.mark.parametrize("name", WITH_PICKER)
def test_without_any_image_asks_for_one(open_page, texts, name, monkeypatch, tmp_path):
    from core.library import sample_ids

    monkeypatch.setattr(sample_ids, "__defaults__", (tmp_path,))
    app = open_page(name)
    assert not app.exception
    assert not app.error
    assert "There is no image yet" in texts(app)
    assert app.file_uploader(key="uploader")


@pytest.mark.parametrize("name", sorted(set(PAGES) - set(WITHOUT_MODEL)))
def test_without_a_model_says_how_to_get_one(open_page, name, monkeypatch):
    from core import cache

    monkeypatch.setattr(cache, "cards", list)
    monkeypatch.setattr(cache, "described_cards", list)
    app = open_page(name)
    assert not app.exception
    assert len(app.error) == 1
    assert "core train" in app.error[0].value


@pytest.mark.parametrize("name", WITH_PICKER)
def test_a_good_upload_is_chosen_and_goes_into_the_url_by_hash(open_page, name, good_image):
    app = open_page(name)
    app.file_uploader(key="uploader").upload("Jane Doe 1987.png", good_image).run()
    assert not app.exception
    assert not app.error
    chosen = app.selectbox(key="image").value
    assert chosen.startswith("upload-")
    assert app.query_params["image"] in (chosen, [chosen])
    assert "Jane" not in str(app.query_params)


@pytest.mark.parametrize("name", WITH_PICKER)
def test_each_bad_upload_gets_its_own_sentence_and_loses_nothing(open_page, name, bad_uploads):
    app = open_page(name)
    before = app.selectbox(key="image").value
    for file_name, content in bad_uploads.values():
        app.file_uploader(key="uploader").upload(file_name, content)
    app.run()
    assert not app.exception
    sentences = [error.value for error in app.error]
    assert len(sentences) == len(bad_uploads)
    assert len(set(sentences)) == len(sentences)
    for sentence in sentences:
        assert sentence.rstrip().endswith(".")
        assert "Traceback" not in sentence
    assert app.selectbox(key="image").value == before


def test_good_files_among_bad_ones_are_kept(open_page, good_image, bad_uploads):
    app = open_page("prediction")
    uploader = app.file_uploader(key="uploader")
    uploader.upload(*bad_uploads["text"])
    uploader.upload("good.png", good_image)
    uploader.upload(*bad_uploads["empty"]).run()
    assert len(app.error) == 2
    assert app.selectbox(key="image").value.startswith("upload-")


def test_the_image_stays_when_the_page_changes(open_page):
    app = open_page("prediction")
    options = app.selectbox(key="image").options
    assert len(options) >= 24
    app.selectbox(key="image").select_index(5).run()
    chosen = app.selectbox(key="image").value
    for name in WITH_PICKER:
        app.switch_page(f"pages/{name}.py").run()
        assert app.selectbox(key="image").value == chosen
        # The run itself has to see it too, not only the widget: it writes the link.
        assert app.query_params["image"] in (chosen, [chosen])


def test_a_dicom_loop_is_shown_frame_by_frame_and_names_nobody(open_page, texts, dicom_loop):
    app = open_page("preprocessing")
    uploader = app.file_uploader(key="uploader")
    uploader.upload("Mustermann Erika.dcm", dicom_loop)
    uploader.upload("Erika cut.dcm", dicom_loop[:-9]).run()
    assert not app.exception
    assert len(app.error) == 1
    assert "is cut short" in app.error[0].value
    assert app.slider(key="frame").value == 1
    assert "number 1 is shown" in texts(app)
    app.slider(key="frame").set_value(3).run()
    assert "number 3 is shown" in texts(app)
    assert app.query_params["frame"] in ("3", ["3"])
    everything = texts(app) + str(app.query_params) + str(app.selectbox(key="image").options) + app.error[0].value
    assert "Erika" not in everything
    assert "Mustermann" not in everything
    app.switch_page("pages/preprocessing.py").run()
    assert "number 3 is shown" in texts(app)


def test_a_link_to_somebodys_upload_asks_for_the_file_and_finds_it(open_page, texts, good_image):
    import hashlib

    fingerprint = hashlib.sha256(good_image).hexdigest()[:16]
    app = open_page("prediction", image=f"upload-{fingerprint}")
    assert fingerprint in texts(app)
    assert "same file" in texts(app)
    app.file_uploader(key="uploader").upload("mine.png", good_image).run()
    assert app.selectbox(key="image").value == f"upload-{fingerprint}"
    assert "Upload the same file" not in texts(app)


@pytest.mark.parametrize(
    "image", ["phantom-KNEE-train-1", "phantom-BPD-dream-1", "../../etc/passwd", "<script>", "x" * 500]
)
def test_a_link_to_nothing_shows_the_example_and_says_so(open_page, texts, image):
    app = open_page("prediction", image=image)
    assert not app.exception
    assert not app.error
    assert "does not exist here" in texts(app)


def test_a_link_to_a_phantom_simulates_it(open_page):
    app = open_page("prediction", image="phantom-NT-unseen-77")
    assert app.selectbox(key="image").value == "phantom-NT-unseen-77"


@pytest.mark.parametrize(
    "query",
    [
        {"kind": "melt", "intensity_noise": "9999", "model": "../../evil", "methods": "tea,leaves", "target": "femur"}
        | {"augmentation": "origami", "augmentation_default_rotation": "400", "variation_seed": "-3", "published": "x"}
        | {
            "study": "../..",
            "measure": "tape",
            "axis": "evil",
            "fall": "1",
            "distorted": "maybe",
            "gallery_method": "x",
            "queue": "cinema",
            "position": "99999",
        }
        | {"opacity": "7", "seed": "1e400", "pre_mask": "carnival", "pre_median_kernel": "4000", "data": "nothing"},
        {"intensity_noise": "nan", "region": "moon", "view": "x", "chain": "?", "true": "X", "predicted": "Y"}
        | {"queue": "random", "queue_seed": "-1", "queue_n": "1e9", "position": "0"}
        | {"seed": "-1", "pre_size": "299.5", "opacity": "half", "image": ""},
    ],
    ids=["too much", "nonsense"],
)
@pytest.mark.parametrize("name", PAGES)
def test_a_forged_link_falls_back_to_defaults(open_page, name, query):
    app = open_page(name, **query)
    assert not app.exception
    assert not app.error


def test_a_run_leaves_keras_alone(open_page):
    """Streamlit clears the Keras session after each run, which made a loading model wait for minutes."""
    import keras

    def number_of_the_next_layer() -> int:
        return int(keras.layers.Rescaling(1.0).name.rpartition("_")[2])

    keras.layers.Rescaling(1.0)
    before = number_of_the_next_layer()
    open_page("preprocessing")
    assert number_of_the_next_layer() == before + 1
