"""The variations on show are those of the settings, told with their numbers, and can be linked and exported."""

import numpy as np
import pytest

from core.augmentation import PRESETS, drawn_text
from core.library import open_sample
from core.preprocessing import PreprocessingSettings, prepare

IMAGE = "sample-nt_000002"


@pytest.fixture
def prepared(loaded_model):
    card = loaded_model.card
    settings = PreprocessingSettings.from_dict(card.preprocessing)
    return prepare(open_sample(IMAGE).frame.pixels, settings, chain=card.input["chain"], size=card.size)


def image_captions(app):
    """What stands below the pictures, in order."""
    return [image.caption for block in app.get("image") for image in block.proto.imgs]


@pytest.mark.parametrize("preset", PRESETS)
def test_eight_variations_with_the_numbers_that_were_drawn(open_page, prepared, preset):
    app = open_page("augmentation", image=IMAGE, augmentation=preset, variation_seed="5")
    assert not app.exception
    assert not app.error
    variations = PRESETS[preset].variations(prepared, 5, 8)
    expected = [f"{number}: {drawn_text(one)}" for number, one in enumerate(variations, start=1)]
    assert image_captions(app) == ["As the network sees it, not varied", *expected]


def test_sliders_change_the_variations_and_the_url(open_page, prepared):
    app = open_page("augmentation", image=IMAGE, augmentation="none")
    assert all(text.endswith("unchanged") for text in image_captions(app)[1:])
    app.slider(key="augmentation_none_rotation").set_value(30.0).run()
    assert app.query_params["augmentation_none_rotation"] in ("30", ["30"])
    assert all("rotation" in text for text in image_captions(app)[1:])
    app.segmented_control(key="augmentation_none_horizontal_flip").set_value("on").run()
    assert any("mirrored" in text for text in image_captions(app))


def test_each_preset_keeps_its_own_changes(open_page):
    app = open_page("augmentation", augmentation_default_gain="2")
    assert app.slider(key="augmentation_default_gain").value == 2
    app.selectbox(key="augmentation").set_value("thesis").run()
    assert app.slider(key="augmentation_thesis_gain").value == 1
    assert app.slider(key="augmentation_thesis_shear").value == pytest.approx(0.2)


def test_says_that_it_is_for_training_only_and_why_zoom_is_left_out(open_page, texts):
    text = texts(open_page("augmentation"))
    assert "Only training images are varied" in text
    assert "Zoom is left out" in text


def test_exports_have_a_sheet_and_the_numbers(open_page):
    labels = {button.label for button in open_page("augmentation").get("download_button")}
    assert {"Contact sheet (.png)", "Settings and drawn numbers (.json)"} <= labels


def test_a_tiny_upload_is_varied_too(open_page):
    import cv2

    app = open_page("augmentation")
    dot = cv2.imencode(".png", np.full((20, 30), 90, np.uint8))[1].tobytes()
    app.file_uploader(key="uploader").upload("dot.png", dot).run()
    assert not app.exception
    assert len(image_captions(app)) == 9
