"""Detectors of corruption on the pages: offered where they make sense, explained class by class, galleries in rows."""

import pytest

from core import cache
from core.library import curve_sample
from core.zoo.detection import ORIGINAL

CLASSES = [ORIGINAL, "scale_up", "blur", "noise"]
NAME = "tiny_detector"


@pytest.fixture(scope="session")
def models_with_detector(tmp_path_factory, write_tiny_model):
    from core.zoo.registry import MODELS_FOLDER, default_name

    models = tmp_path_factory.mktemp("models")
    (models / default_name()).symlink_to(MODELS_FOLDER / default_name())
    write_tiny_model(models / NAME, "corruption", CLASSES, "detector")
    return models


@pytest.fixture
def detector(models_with_detector, use_models):
    """The tiny detector, installed and loaded."""
    from core.zoo import read_card

    use_models(models_with_detector)
    return cache.start_loading(read_card(NAME)).result()


@pytest.fixture(autouse=True)
def few_phantoms(monkeypatch):
    monkeypatch.setattr(cache, "curve_sample", lambda planes, per_plane=1: curve_sample(planes, per_plane=1))


@pytest.mark.parametrize("name", ["interpretability", "prediction", "confusion_matrix", "results"])
def test_pages_that_take_a_detector(open_page, texts, detector, name):
    app = open_page(name, model=NAME)
    assert not app.exception
    assert not app.error
    assert app.selectbox(key="model").value == NAME
    assert "none of this model's classes" not in texts(app)


@pytest.mark.parametrize("name", ["laboratory", "corruption", "augmentation"])
def test_pages_of_planes_offer_no_detector_and_go_on_with_their_default(open_page, detector, name):
    app = open_page(name, model=NAME)
    assert not app.exception
    assert not app.error
    for box in app.selectbox:
        if box.key == "model":
            assert "tiny (original" not in " ".join(box.options)


def test_a_detector_chosen_before_does_not_break_the_pages_of_planes(open_page, detector):
    app = open_page("interpretability", model=NAME, methods="cam")
    for name in ("laboratory", "corruption", "prediction"):
        app.switch_page(f"pages/{name}.py").run()
        assert not app.exception
        assert not app.error


def test_any_class_is_explained_on_an_image_distorted_first(open_page, texts, detector):
    app = open_page("interpretability", model=NAME, methods="cam", target="noise")
    assert "evidence for **noise**" in texts(app)
    plain = texts(app)
    app.toggle(key="distorted").set_value(True).run()
    assert not app.exception
    assert app.query_params["distorted"] in ("True", ["True"])
    assert "after distortion and preprocessing" in texts(app)
    assert "evidence for **noise**" in texts(app)
    assert texts(app) != plain
    app.segmented_control(key="target").set_value("scale_up").run()
    assert "evidence for **scale_up**" in texts(app)


def test_a_distorted_plane_image_changes_prediction_and_link(open_page, texts):
    query = {"methods": "cam", "kind": "noise", "intensity_noise": "0.5"}
    plain = open_page("interpretability", **query)
    distorted = open_page("interpretability", distorted="True", **query)
    assert not distorted.exception
    assert distorted.toggle(key="distorted").value
    says = [
        next(line for line in texts(app).splitlines() if line.startswith("The network says"))
        for app in (plain, distorted)
    ]
    assert says[0] != says[1]


def test_the_gallery_waits_to_be_asked_and_quotes_the_annex(open_page, texts, detector):
    app = open_page("interpretability", model=NAME, methods="cam")
    assert "(simulated images)" in " ".join(header.value for header in app.header)
    before = len(app.get("image"))
    app.button(key="show_gallery").click().run()
    assert not app.exception
    assert not app.error
    text = texts(app)
    for title in ("Original", "Scale up", "Blur", "Noise"):
        assert f"{title}: " in text
    assert text.count("simulated images recognised") == len(CLASSES)
    assert text.count("**Annex** (002 A.1.") == len(CLASSES)
    assert text.count("**Here**") + text.count("**Here** (") >= len(CLASSES)
    recognised = sum(
        len(row.images) for row in cache.shared_store().get(cache._gallery_key(detector.card, method_of(app)), list)
    )
    assert len(app.get("image")) - before == recognised > 0
    assert f"csv_{NAME}_saliency_relevance" in {button.key for button in app.get("download_button")}


def method_of(app):
    from core.explain import get_method

    return get_method(app.segmented_control(key="gallery_method").value)


def test_planes_have_no_gallery(open_page):
    app = open_page("interpretability", methods="cam")
    assert "show_gallery" not in {button.key for button in app.button}


@pytest.mark.parametrize(
    ("model", "page"),
    [
        *(
            ("mobilenet_v2_corruption", page)
            for page in ("prediction", "interpretability", "results", "confusion_matrix")
        ),
        ("vgg16_corruption", "prediction"),
    ],
)
def test_pages_show_the_detectors_that_ship(open_page, model, page):
    from core import cache
    from core.zoo import read_card

    cache.start_loading(read_card(model)).result()
    app = open_page(page, model=model)
    assert not app.exception
    assert not app.error
    assert read_card(model).title in str(app.selectbox(key="model").options) or page in ("results", "confusion_matrix")


def test_the_prediction_of_a_detector_is_its_verdict(open_page):
    from core import cache
    from core.library import open_sample, sample_ids
    from core.zoo import read_card
    from core.zoo.detection import judge

    detector = cache.start_loading(read_card("mobilenet_v2_corruption")).result()
    name = next(iter(sample_ids()))
    pixels = open_sample(name).frame.pixels
    verdict = judge(detector, detector.predict([pixels]))[0]
    app = open_page("prediction", model="mobilenet_v2_corruption", image=name)
    shown = {metric.label: metric.value for metric in app.metric}
    assert shown["Distortion"] == verdict.label
    assert shown["Probability of original"] == f"{100 * verdict.probability:.1f} %"
    assert verdict.reason in [caption.value for caption in app.caption]


def test_uploads_get_the_verdict_of_a_detector(open_page, good_image):
    app = open_page("prediction", model="mobilenet_v2_corruption")
    app.file_uploader(key="uploader").upload("one.png", good_image).run()
    assert not app.exception
    table = next(frame.value for frame in app.dataframe if "why" in frame.value)
    assert list(table["image"]) == ["one.png"]
    assert table["distortion"].notna().all()
    assert table["p(original)"].between(0, 1).all()
    assert "How sure is it?" not in [heading.value for heading in app.subheader]
