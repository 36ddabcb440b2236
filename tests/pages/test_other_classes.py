"""A plane model before an anatomy, an anatomy model before a plane: no page takes the image's plane for a class."""

import pytest

from core import cache
from core.explain import METHODS
from core.library import curve_sample

HEAD = "phantom-BPD-train-5"
SAYS_SO = ["laboratory", "corruption", "prediction", "interpretability"]


@pytest.fixture(autouse=True)
def one_phantom_a_class(monkeypatch):
    monkeypatch.setattr(cache, "curve_sample", lambda planes: curve_sample(planes, per_plane=1))


@pytest.mark.parametrize("name", [*SAYS_SO, "augmentation", "confusion_matrix", "results"])
def test_an_anatomy_model_before_a_plane(open_page, texts, anatomy_model, name):
    app = open_page(name, model=anatomy_model.card.name, image=HEAD)
    assert not app.exception
    assert not app.error
    assert app.selectbox(key="model").value == anatomy_model.card.name
    assert ("simulated as BPD, none of this model's classes" in texts(app)) == (name in SAYS_SO)


@pytest.mark.parametrize("name", ["laboratory", "interpretability"])
def test_a_plane_model_before_an_anatomy(open_page, texts, name):
    app = open_page(name, image="phantom-femur-train-1", methods="grad_cam")
    assert not app.exception
    assert not app.error
    assert "simulated as femur, none of this model's classes" in texts(app)
    app.selectbox(key="image").set_value(HEAD if HEAD in app.selectbox(key="image").options else "sample-nt_000000")
    assert "none of this model's classes" not in texts(app.run())


def test_without_a_class_that_can_be_simulated_there_is_no_sample(open_page, texts, anatomy_model, monkeypatch):
    monkeypatch.setattr("core.library.can_be_simulated", lambda planes: [])
    app = open_page("corruption", model=anatomy_model.card.name, kind="scale_up")
    assert not app.exception
    assert "None of this model's classes can be simulated" in texts(app)
    assert not cache.has_sample_sweep(anatomy_model.card, "scale_up")


def test_samples_of_curves_are_of_the_classes_that_can_be_simulated():
    assert [image.plane for image in curve_sample(["NT", "original", "BPD"], per_plane=1)] == ["NT", "BPD"]


def test_changing_the_model_drops_what_was_chosen_among_its_classes(open_page, texts, anatomy_model):
    app = open_page("interpretability", target="CRL", methods="grad_cam")
    assert "evidence for **CRL**" in texts(app)
    app.selectbox(key="model").set_value(anatomy_model.card.name).run()
    assert not app.exception
    assert "evidence for **CRL**" not in texts(app)
    assert "evidence for **" in texts(app)
    assert "target" not in app.query_params


def test_class_activation_mapping_is_not_offered_where_a_hidden_layer_forbids_it(open_page, texts, anatomy_model):
    app = open_page("interpretability", model=anatomy_model.card.name, methods="cam,grad_cam")
    assert not app.exception
    assert METHODS["cam"].obstacle(anatomy_model.card) in texts(app)
    downloads = [button.key for button in app.get("download_button")]
    assert any(key.startswith("png_grad_cam_") for key in downloads)
    assert not any(key.startswith("png_cam_") for key in downloads)
