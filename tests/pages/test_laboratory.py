"""The first screen tells the story, and its doors lead where they say."""

import pytest


def test_tells_prediction_similarity_flip_and_training_data(open_page, texts):
    app = open_page("laboratory")
    text = texts(app)
    assert {metric.label for metric in app.metric} >= {"SSIM in the sector (Wang)", "The network says"}
    # Already beyond the flip, so that the example tells the story by itself.
    assert "the answer flips from **CRL** to **BPD**" in text
    says = next(metric.value for metric in app.metric if metric.label == "The network says")
    assert says.startswith("BPD")
    assert "was trained on" in text
    assert "simulated" in text


def test_moving_the_slider_changes_similarity_and_url(open_page):
    app = open_page("laboratory")
    slider = app.slider(key="intensity_noise")
    before = float(app.metric[0].value)
    slider.set_value(0.45).run()
    assert float(app.metric[0].value) < before
    assert app.query_params["intensity_noise"] in ("0.45", ["0.45"])
    app.slider(key="intensity_noise").set_value(0.0).run()
    assert float(app.metric[0].value) == pytest.approx(1.0)


def test_each_kind_remembers_its_own_intensity(open_page):
    app = open_page("laboratory", kind="blur", intensity_blur="7")
    assert app.slider(key="intensity_blur").value == 7
    app.selectbox(key="kind").set_value("noise").run()
    app.slider(key="intensity_noise").set_value(0.3).run()
    app.selectbox(key="kind").set_value("blur").run()
    assert app.slider(key="intensity_blur").value == 7


def test_reset_goes_back_to_the_example_and_keeps_uploads(open_page, good_image):
    app = open_page("laboratory", kind="blur")
    app.file_uploader(key="uploader").upload("mine.png", good_image).run()
    assert app.selectbox(key="image").value.startswith("upload-")
    next(button for button in app.button if button.label == "Reset").click().run()
    assert not app.exception
    assert app.selectbox(key="image").value.startswith("sample-")
    assert any("uploaded" in option for option in app.selectbox(key="image").options)
    assert dict(app.query_params) == {}


def test_demo_starts_at_nothing_and_can_be_stopped(open_page):
    app = open_page("laboratory")
    next(button for button in app.button if button.label == "Show a demo").click().run()
    assert not app.exception
    assert app.slider(key="intensity_noise").value == 0
    next(button for button in app.button if button.label == "Stop the demo").click().run()
    assert any(button.label == "Show a demo" for button in app.button)


@pytest.mark.parametrize(
    ("label", "title"), [("Try a distortion", "Corruption"), ("Review results", "Confusion matrix")]
)
def test_doors(open_page, label, title):
    app = open_page("laboratory")
    next(button for button in app.button if button.label == label).click().run()
    assert app.title[0].value == title
