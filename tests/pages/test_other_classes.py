"""A plane model before an anatomy, an anatomy model before a plane: no page takes the image's plane for a class."""

import pytest

from core import cache
from core.explain import METHODS
from core.phantom import PLANES

MODEL_PAGES = [
    "laboratory",
    "augmentation",
    "corruption",
    "prediction",
    "interpretability",
    "confusion_matrix",
    "results",
]
HEAD = "phantom-BPD-train-5"


@pytest.mark.parametrize("name", MODEL_PAGES)
def test_an_anatomy_model_before_a_plane(open_page, anatomy_model, name):
    app = open_page(name, model=anatomy_model.card.name, image=HEAD)
    assert not app.exception
    assert not app.error
    assert app.selectbox(key="model").value == anatomy_model.card.name


@pytest.mark.parametrize("name", ["laboratory", "corruption", "interpretability"])
def test_an_image_of_no_class_is_said_to_be_one(open_page, texts, anatomy_model, name):
    assert "simulated as BPD, none of this model's classes" in texts(
        open_page(name, model=anatomy_model.card.name, image=HEAD)
    )
    assert "none of this model's classes" not in texts(open_page(name, image=HEAD))


@pytest.mark.skipif("femur" not in PLANES, reason="the femur cannot be simulated yet")
@pytest.mark.parametrize("name", ["laboratory", "augmentation", "corruption", "prediction", "interpretability"])
def test_a_plane_model_before_an_anatomy(open_page, texts, name):
    app = open_page(name, image="phantom-femur-train-1")
    assert not app.exception
    assert not app.error
    assert "answer is wrong" not in texts(app)
    if name != "augmentation":
        assert "simulated as femur, none of this model's classes" in texts(app)


def test_curves_are_of_phantoms_of_the_models_classes_alone(open_page, texts, anatomy_model, monkeypatch):
    asked = []
    monkeypatch.setattr(cache, "curve_sample", lambda planes: asked.append(list(planes)) or [])
    monkeypatch.setattr("core.library.can_be_simulated", lambda planes: [])
    app = open_page("corruption", model=anatomy_model.card.name)
    assert not app.exception
    assert "can be simulated" in texts(app)
    assert asked == []


def test_samples_of_curves_leave_out_what_cannot_be_simulated():
    from core.library import curve_sample

    sample = curve_sample(["NT", "original", "BPD"], per_plane=1)
    assert [image.plane for image in sample] == ["NT", "BPD"]


def test_changing_the_model_drops_what_was_chosen_among_its_classes(open_page, texts, loaded_model, anatomy_model):
    app = open_page("interpretability", target="CRL", methods="grad_cam")
    assert "evidence for **CRL**" in texts(app)
    app.selectbox(key="model").set_value(anatomy_model.card.name).run()
    assert not app.exception
    assert "evidence for **CRL**" not in texts(app)
    assert "evidence for **" in texts(app)
    app.switch_page("pages/confusion_matrix.py").run()
    assert not app.exception
    assert "has not been evaluated yet" in texts(app)


def test_class_activation_mapping_is_not_offered_where_a_hidden_layer_forbids_it(open_page, texts, anatomy_model):
    app = open_page("interpretability", model=anatomy_model.card.name)
    assert not app.exception
    text = texts(app)
    assert "needs a network without a hidden layer" in text
    downloads = {button.key for button in app.get("download_button")}
    assert "png_grad_cam" in downloads
    assert "png_cam" not in downloads
    assert METHODS["cam"].obstacle(anatomy_model.card)
