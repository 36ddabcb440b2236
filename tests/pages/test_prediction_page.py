"""One image or many: probabilities, how sure each method is, who is sent to an expert, the card."""

import io

import cv2
import numpy as np
import pandas as pd
import pytest

from core.zoo.uncertainty import get_method

SAMPLE = "sample-crl_000005"
EXPERT = "Send to an expert"


def methods_table(app) -> pd.DataFrame:
    return next(table.value for table in app.dataframe if "method" in table.value).set_index("method")


def uploads_table(app) -> pd.DataFrame:
    return next(table.value for table in app.dataframe if "unlike training" in table.value).set_index("image")


def verdict(app) -> str:
    """The one sentence of the rule."""
    said = [box.value for kind in (app.warning, app.success) for box in kind]
    (sentence,) = (text for text in said if EXPERT in text or text.startswith("Not flagged"))
    return sentence


def noise_png(seed: int = 0) -> bytes:
    return cv2.imencode(".png", np.random.default_rng(seed).integers(0, 256, (300, 300), np.uint8))[1].tobytes()


@pytest.fixture
def only_model(monkeypatch, loaded_model):
    """No other model that could make an ensemble, whatever ships."""
    from core import cache

    monkeypatch.setattr(cache, "cards", lambda: [loaded_model.card])
    return loaded_model


@pytest.fixture
def partner(classifier, write_model, loaded_model, tmp_path, use_models):
    """A tiny model of the same classes in another order, installed beside the default one."""
    from core import cache
    from core.zoo import read_card
    from core.zoo.registry import MODELS_FOLDER

    (tmp_path / loaded_model.card.name).symlink_to(MODELS_FOLDER / loaded_model.card.name)
    write_model(classifier, tmp_path, classes=loaded_model.classes[::-1])
    use_models(tmp_path)
    return cache.start_loading(read_card("tiny")).result()


def test_shows_plane_probability_and_entropy_of_the_model(open_page, loaded_model):
    from core.library import open_sample, sample_ids

    name = list(sample_ids())[3]
    expected = loaded_model.predict([open_sample(name).frame.pixels])
    app = open_page("prediction", image=name)
    shown = {metric.label: metric.value for metric in app.metric}
    assert shown["Plane"] == expected.labels[0]
    assert shown["Probability"] == f"{100 * expected.confidence[0]:.1f} %"
    assert shown["Entropy"] == f"{expected.entropy[0]:.2f} bit"


def test_noise_is_flagged_as_unlike_the_training_data_and_sent_to_an_expert(open_page):
    app = open_page("prediction", expert_below="0")
    app.file_uploader(key="uploader").upload("noise.png", noise_png()).run()
    assert any("trained on simulated images of BPD, CRL, NT" in warning.value for warning in app.warning)
    assert EXPERT in verdict(app)
    assert "unlike" in verdict(app)
    assert uploads_table(app)["expert"].all()


def test_every_method_answers_beside_the_others(open_page, texts, only_model):
    from core.library import open_sample

    app = open_page("prediction", image=SAMPLE)
    assert not app.exception
    table = methods_table(app)
    assert list(table.index) == ["Single pass", "Test-time augmentation", "Monte Carlo dropout"]
    prepared = only_model.prepare(open_sample(SAMPLE).frame.pixels)[None]
    for name in ("single", "test_time_augmentation", "monte_carlo_dropout"):
        method = get_method(name)
        expected, row = method.estimate(only_model, prepared), table.loc[method.title]
        assert row["answer"] == expected.labels[0]
        assert row["probability"] == pytest.approx(100 * expected.confidence[0], abs=1e-3)
        assert row["members"] == len(expected.members)
        assert row["seconds"] > 0
        if name != "single":
            assert row["spread"] == pytest.approx(100 * expected.spread_of_answer[0], abs=1e-3)
    assert pd.isna(table.loc["Single pass", "spread"])
    text = texts(app)
    assert "An ensemble needs a second model" in text
    assert "calibrated on simulated images and checked on real ones: HC18" in text


def test_an_ensemble_is_asked_where_another_model_of_the_classes_is_installed(open_page, texts, loaded_model, partner):
    from core.library import open_sample

    app = open_page("prediction", image=SAMPLE, uncertainty="ensemble", model=loaded_model.card.name)
    assert not app.exception
    pixels = open_sample(SAMPLE).frame.pixels
    own, other = (model.predict([pixels]).probabilities[0] for model in (loaded_model, partner))
    mean = (own + other[::-1]) / 2
    row = methods_table(app).loc["Ensemble"]
    assert row["answer"] == loaded_model.classes[mean.argmax()]
    assert row["probability"] == pytest.approx(100 * mean.max(), abs=1e-3)
    assert verdict(app).startswith(("Not flagged: Ensemble", f"**{EXPERT}**: Ensemble"))
    assert "needs a second model" not in texts(app)


def test_the_threshold_comes_from_the_link_and_moving_it_flips_the_flag(open_page):
    app = open_page("prediction", image=SAMPLE, expert_below="0")
    assert app.slider(key="expert_below").value == 0
    assert verdict(app).startswith("Not flagged: Single pass says CRL")
    app.slider(key="expert_below").set_value(100).run()
    assert EXPERT in verdict(app)
    assert "less than 100 %" in verdict(app)
    assert app.query_params["expert_below"] in ("100", ["100"])
    assert methods_table(app)["expert"].all()
    app.slider(key="expert_below").set_value(1).run()
    assert verdict(app).startswith("Not flagged")


def test_the_method_comes_from_the_link(open_page):
    app = open_page("prediction", image=SAMPLE, uncertainty="monte_carlo_dropout")
    assert "Monte Carlo dropout says" in verdict(app)
    app.segmented_control(key="uncertainty").set_value("single").run()
    assert "Single pass says" in verdict(app)
    assert "uncertainty" not in app.query_params


@pytest.mark.parametrize(
    "query", [{"expert_below": "500"}, {"expert_below": "much"}, {"uncertainty": "crystal_ball", "expert_below": "-1"}]
)
def test_a_link_with_nonsense_falls_back(open_page, query):
    app = open_page("prediction", image=SAMPLE, **query)
    assert not app.exception
    assert app.slider(key="expert_below").value == 90
    assert "Single pass says" in verdict(app)


def test_what_a_threshold_did_is_told_for_simulated_and_real_images_apart(open_page, loaded_model):
    from core import cache
    from core.zoo.uncertainty import check_threshold

    app = open_page("prediction", image=SAMPLE, expert_below="95")
    table = next(table.value for table in app.dataframe if "right among the kept" in table.value).set_index("data")
    assert set(table["images"]) == {"simulated", "real"}
    for assessment in cache.assessments(loaded_model.card):
        check, row = check_threshold(assessment, 0.95), table.loc[assessment.layout]
        assert row["n"] == check.sent.n == len(assessment.rows)
        assert row["sent to an expert"].startswith(f"{100 * check.sent.value:.1f} %")


def test_an_image_of_none_of_the_classes_is_neither_right_nor_wrong(open_page, texts, anatomy_model):
    app = open_page("prediction", image=SAMPLE, model=anatomy_model.card.name)
    assert not app.exception
    text = texts(app)
    assert "simulated as CRL, none of this model's classes" in text
    assert "the answer is" not in text
    assert "not checked on labelled real ones yet" in text
    assert "right" in texts(open_page("prediction", image=SAMPLE))


def test_several_uploads_become_a_table_with_the_flag(open_page, good_image, bad_uploads):
    app = open_page("prediction", expert_below="0")
    uploader = app.file_uploader(key="uploader")
    uploader.upload("one.png", good_image)
    uploader.upload("two.png", noise_png(1))
    uploader.upload(*bad_uploads["text"]).run()
    assert len(app.error) == 1
    table = uploads_table(app)
    assert list(table.index) == ["one.png", "two.png"]
    shares = table[[column for column in table if column.startswith("p(")]]
    assert shares.sum(axis=1).to_numpy() == pytest.approx([1, 1])
    assert list(table["expert"]) == list(table["unlike training"]) == [False, True]
    app.slider(key="expert_below").set_value(100).run()
    assert uploads_table(app)["expert"].all()


def test_the_table_and_its_file_follow_the_method_chosen(open_page, only_model, good_image, monkeypatch):
    import streamlit as st

    saved = {}
    monkeypatch.setattr(st, "download_button", lambda label, data, file_name, **_: saved.update({file_name: data}))
    app = open_page("prediction", uncertainty="test_time_augmentation", expert_below="100")
    uploader = app.file_uploader(key="uploader")
    uploader.upload("one.png", good_image)
    uploader.upload("two.png", noise_png(2)).run()
    assert not app.exception
    pixels = cv2.imdecode(np.frombuffer(good_image, np.uint8), cv2.IMREAD_GRAYSCALE)
    expected = get_method("test_time_augmentation").estimate(only_model, only_model.prepare(pixels)[None])
    table = uploads_table(app)
    for index, name in enumerate(only_model.classes):
        assert table.loc["one.png", f"p({name})"] == pytest.approx(expected.mean[0, index], abs=1e-5)
    assert table.loc["one.png", "plane"] == expected.labels[0]
    written = pd.read_csv(io.StringIO(saved["predictions.csv"]))
    assert list(written["expert"]) == [True, True]
    assert set(written["method"]) == {"test_time_augmentation"}
    assert set(written["expert_below"]) == {1.0}


def test_the_card_is_one_click_away(open_page, loaded_model, texts):
    app = open_page("prediction")
    next(button for button in app.button if button.label == "Model card").click().run()
    assert not app.exception
    text = texts(app)
    assert loaded_model.card.weights["sha256"] in text
    assert "On simulated images" in text
    assert "On real images" in text
