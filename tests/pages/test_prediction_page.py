"""One image or many: probabilities, entropy, what the network saw, the card."""

import cv2
import numpy as np
import pytest


def test_shows_plane_probability_and_entropy_of_the_model(open_page, loaded_model):
    from core.library import open_sample, sample_ids

    name = list(sample_ids())[3]
    expected = loaded_model.predict([open_sample(name).frame.pixels])
    app = open_page("prediction", image=name)
    shown = {metric.label: metric.value for metric in app.metric}
    assert shown["Plane"] == expected.labels[0]
    assert shown["Probability"] == f"{100 * expected.confidence[0]:.1f} %"
    assert shown["Entropy"] == f"{expected.entropy[0]:.2f} bit"


def test_noise_is_flagged_as_unlike_the_training_data(open_page):
    noise = np.random.default_rng(0).integers(0, 256, (300, 300), np.uint8)
    app = open_page("prediction")
    app.file_uploader(key="uploader").upload("noise.png", cv2.imencode(".png", noise)[1].tobytes()).run()
    assert any("unlike" in warning.value for warning in app.warning)


def test_several_uploads_become_a_table(open_page, good_image, bad_uploads):
    app = open_page("prediction")
    uploader = app.file_uploader(key="uploader")
    uploader.upload("one.png", good_image)
    other = cv2.imencode(".png", np.random.default_rng(1).integers(0, 256, (90, 90), np.uint8))[1].tobytes()
    uploader.upload("two.png", other)
    uploader.upload(*bad_uploads["text"]).run()
    assert len(app.error) == 1
    table = app.dataframe[0].value
    assert list(table["image"]) == ["one.png", "two.png"]
    shares = table[[column for column in table if column.startswith("p(")]].sum(axis=1)
    assert shares.to_numpy() == pytest.approx([1, 1])


def test_the_card_is_one_click_away(open_page, loaded_model, texts):
    app = open_page("prediction")
    next(button for button in app.button if button.label == "Model card").click().run()
    assert not app.exception
    text = texts(app)
    assert loaded_model.card.weights["sha256"] in text
    assert "On simulated images" in text
    assert "On real images" in text
