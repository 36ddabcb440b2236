"""Methods side by side, for any class; the costly one waits to be asked."""

import ast
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from core import cache
from core.explain import METHODS
from core.explain.base import DRAWING_OBSTACLE
from core.explain.coverage import coverage
from core.zoo import Card


@pytest.fixture(scope="module")
def small_models(tmp_path_factory, write_tiny_model):
    """Two tiny models of the planes: for what looks alike whatever the network, but takes one that ships long."""
    folder = tmp_path_factory.mktemp("models")
    write_tiny_model(folder / "tiny_planes", "plane", ["BPD", "CRL", "NT"], "plane")
    write_tiny_model(folder / "tiny_profiles", "plane", ["CRL", "NT"], "plane")
    return folder


@pytest.fixture
def small_model(small_models, use_models):
    """The first of them, which the page then chooses; both are loaded."""
    use_models(small_models)
    first, _ = (cache.start_loading(card).result() for card in cache.cards())
    return first


def keys(app, kind):
    """Keys of all elements of a kind; those of maps end in what tells one view from another."""
    return [element.key for element in app.get(kind)]


def starting(app, kind, start):
    return [key for key in keys(app, kind) if (key or "").startswith(start)]


def test_cheap_methods_at_once_and_occlusion_on_demand(open_page, texts, small_model):
    app = open_page("interpretability", methods=",".join(METHODS))
    assert not app.exception
    text = texts(app)
    for method in METHODS.values():
        assert f"**{method.title}**" in text
    cheap = [name for name, method in METHODS.items() if not method.costly]
    for name in cheap:
        for kind in ("npy", "png"):
            assert starting(app, "download_button", f"{kind}_{name}_")
    assert starting(app, "button", "compute_occlusion_")


def test_occlusion_appears_when_asked(open_page, texts, small_model):
    app = open_page("interpretability", methods="occlusion")
    app.button(key=starting(app, "button", "compute_occlusion_")[0]).click().run()
    assert not app.exception
    assert not starting(app, "button", "compute_occlusion_")
    assert len(app.get("image")) == 2


def test_another_class_gives_another_sentence_and_link(open_page, texts):
    app = open_page("interpretability", target="NT", methods="cam")
    assert "evidence for **NT**" in texts(app)
    app.segmented_control(key="target").set_value("CRL").run()
    assert "evidence for **CRL**" in texts(app)
    assert app.query_params["target"] in ("CRL", ["CRL"])


def test_no_method_is_a_sentence(open_page, texts):
    app = open_page("interpretability", methods="")
    assert not app.exception
    assert "at least one method" in texts(app)


def test_the_runner_up_stands_beside_the_class(open_page, texts, small_model):
    app = open_page("interpretability", methods="saliency,cam", beside="runner_up")
    assert not app.exception
    labels = {key.rsplit("_", 1)[1] for key in starting(app, "download_button", "npy_cam_")}
    assert len(labels) == 2
    assert labels <= set(small_model.classes)
    assert len(app.get("image")) == 6
    assert "Saliency** · " in texts(app)


def test_another_image_and_another_model_stand_beside_it(open_page, small_model):
    for beside, picker in (("image", "other_image"), ("model", "other_model")):
        app = open_page("interpretability", methods="saliency", beside=beside)
        assert not app.exception
        assert not app.error
        assert app.selectbox(key=picker).options
        assert len(starting(app, "download_button", "npy_saliency_")) == 2


def test_a_link_keeps_the_share_shown_and_bad_ones_are_default(open_page):
    app = open_page("interpretability", methods="cam", top="10")
    assert app.slider(key="top").value == 10
    assert not app.exception
    assert open_page("interpretability", methods="cam", top="700").slider(key="top").value == 100


@pytest.mark.parametrize("beside", ["everything", ""])
def test_an_unknown_neighbour_is_none(open_page, beside):
    app = open_page("interpretability", methods="cam", beside=beside)
    assert not app.exception
    assert len(app.get("image")) == 2


def test_a_map_is_put_to_the_test_when_asked(open_page, loaded_model):
    app = open_page("interpretability", methods="cam,saliency", order="morf", hidden="50")
    app.button(key="show_truth").click().run()
    assert not app.exception
    scores = next(frame.value for frame in app.dataframe if "measure" in frame.value)
    assert {"Saliency", "Class activation mapping"} <= set(scores)
    followed = next(frame.value for frame in app.dataframe if "share" in frame.value)
    followed = followed.astype(float)
    assert followed["share"].iloc[0] == 0
    assert followed["share"].iloc[-1] == 1
    # What is shown is what the curve says at that share.
    caption = next(
        caption.value for caption in app.caption if caption.value.endswith("%.") and "CRL at" in caption.value
    )
    stated = float(caption.rsplit("at ", 1)[1].removesuffix(" %."))
    row = followed.iloc[(followed["share"] - 0.5).abs().argmin()]
    assert stated == pytest.approx(100 * row["Saliency"], abs=0.06)


def test_without_any_map_there_is_nothing_to_test(open_page, texts):
    app = open_page("interpretability", methods="occlusion")
    assert "No map is there yet" in texts(app)


def test_superpixels_are_drawn_as_the_thesis_does(open_page, texts, small_model):
    app = open_page("interpretability", methods="lime", superpixels="thesis", segmentation="felzenszwalb")
    assert app.selectbox(key="segmentation").value == "felzenszwalb"
    assert "Local fit" not in texts(app)
    app.button(key=starting(app, "button", "compute_lime_")[0]).click().run()
    assert not app.exception
    assert "Local fit R²" in texts(app)
    assert "segmentation" not in {box.key for box in open_page("interpretability", methods="cam").selectbox}


def test_the_residual_of_integrated_gradients_stands_under_its_map(open_page, texts, anatomy_model):
    told = re.compile(r"its residual is [+-]\d+\.\d\d, \d+\.\d % of it, after \d+ steps")
    app = open_page("interpretability", model=anatomy_model.card.name, methods="integrated_gradients")
    assert not told.search(texts(app))
    app.button(key=starting(app, "button", "compute_integrated_gradients_")[0]).click().run()
    assert not app.exception
    assert told.search(texts(app))


def test_a_table_says_which_method_works_on_which_model(open_page, texts, loaded_model):
    app = open_page("interpretability", methods="cam")
    found = coverage(cache.cards())
    shown = next(frame.value for frame in app.dataframe if loaded_model.card.name in frame.value)
    assert shown.to_dict("records") == found.table().to_dict("records")
    assert found.reasons
    for reason in found.numbered_reasons():
        assert reason in texts(app)


def test_a_class_gets_its_picture_when_asked(open_page, small_model):
    app = open_page("interpretability", methods="cam", target="NT", maximised="thesis_text")
    app.button(key="show_maximisation").click().run()
    assert not app.exception
    assert "png_maximised" in keys(app, "download_button")
    assert "What NT looks like to the network" in [heading.value for heading in app.header]


@pytest.fixture
def head_models(regressor_folder, use_models, models_with_anatomy, tmp_path):
    """The models that ship, one that measures heads and one that draws them; the former loaded."""
    folder = tmp_path / "models"
    folder.mkdir()
    for path in models_with_anatomy.iterdir():
        (folder / path.name).symlink_to(path)
    (folder / regressor_folder.name).symlink_to(regressor_folder)
    shutil.copytree(regressor_folder, folder / "tiny_outline")
    card = Card.read(regressor_folder)
    replace(card, name="tiny_outline", title="outline", measurement={"output": "ellipse"}).write(
        folder / "tiny_outline"
    )
    use_models(folder)
    return cache.start_loading(card).result()


def test_a_measurement_has_maps_and_no_classes(open_page, texts, head_models):
    app = open_page("interpretability", model=head_models.card.name, methods="cam,grad_cam,saliency")
    assert not app.exception
    assert not app.error
    text = texts(app)
    told = re.search(r"circumference (\d+) pixels of the frame\*\* \((\d+\.\d) of its input", text)
    assert told
    assert float(told[1]) > float(told[2])
    assert "nothing is cut off, so that blue is what makes the circumference shrink" in text
    assert "the class" not in text.replace("against the class", "")
    assert starting(app, "download_button", "npy_grad_cam_")
    assert "target" not in keys(app, "segmented_control")
    assert "runner_up" not in app.segmented_control(key="beside").options
    assert "show_truth" not in keys(app, "button")
    assert "show_maximisation" not in keys(app, "button")
    assert open_page("interpretability", model="tiny_outline").info[0].value == DRAWING_OBSTACLE


@pytest.mark.parametrize("name", ["prediction", "results", "confusion_matrix", "corruption", "laboratory", "reviews"])
def test_pages_about_classes_do_not_ask_for_models_that_measure(name):
    """The picker offers what a page asks for: classes by default, or a list of tasks that it names."""
    tree = ast.parse(Path(f"pages/{name}.py").read_text(encoding="utf-8"))
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert not names & {"TASKS", "MEASUREMENT"}


@pytest.mark.parametrize("name", ["results", "reviews"])
def test_pages_about_classes_do_not_offer_it(open_page, head_models, name):
    app = open_page(name, model=head_models.card.name)
    assert not app.exception
    offered = app.selectbox(key="model")
    assert offered.value != head_models.card.name
    assert head_models.card.title not in offered.options
