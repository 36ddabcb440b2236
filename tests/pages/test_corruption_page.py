"""The live page: numbers of the board, links, forged moves, presets, work in the background."""

import io
import json
import math
import time
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from core import cache
from core.corruption import CORRUPTIONS, corrupt
from core.corruption.severity import severities
from core.library import open_sample, sample_ids
from core.preprocessing import PreprocessingSettings, clean, finish

SAMPLE = next(iter(sample_ids()))


@pytest.fixture(autouse=True)
def loaded_detector(loaded_model):
    """The default detector, so that no page opened here is drawn anew because it has just been loaded."""
    card = next(card for card in cache.cards() if card.task == "corruption")
    return cache.start_loading(card).result()


def component(app, key):
    """What the page sends to one of its components."""
    element = next(each for each in app.get("bidi_component") if each.key == key)
    return json.loads(element.proto.mixed.json or element.proto.json)


def board(app):
    return component(app, "board")


def gauges(app):
    return {gauge["label"]: gauge["value"] for gauge in board(app)["gauges"]}


def says(app):
    return {line["title"]: line for line in board(app)["says"]}


def finish_background(app):
    """Wait for what the page computes in the background, and draw it."""
    # AppTest's session state has no get.
    own = app.session_state["background_jobs"] if "background_jobs" in app.session_state else {}  # noqa: SIM401
    jobs = {**own, **cache._shared_jobs()}
    deadline = time.monotonic() + 120
    while not all(job.done for job in jobs.values()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return app.run()


def button(app, label):
    return next(each for each in app.button if each.label == label)


def test_no_distortion_is_perfect_similarity(open_page):
    app = open_page("corruption", kind="blur", intensity_blur="0")
    assert gauges(app) == {"SSIM (Wang)": pytest.approx(1), "SSIM (scikit-image)": pytest.approx(1)}
    assert not says(app)["Prediction:"]["alarm"]


def test_region_changes_the_index(open_page):
    link = {"image": "phantom-BPD-train-8", "kind": "blur", "intensity_blur": "3"}
    sector = gauges(open_page("corruption", **link))
    frame = gauges(open_page("corruption", **link, region="frame"))
    # A blur leaves the black background alone, which raises the index of the whole frame.
    assert sector["SSIM (Wang)"] < frame["SSIM (Wang)"]


def test_shown_similarity_is_scikit_images(open_page):
    """The number on the page against an independent implementation on the same pictures."""
    from skimage.metrics import structural_similarity

    source = clean(open_sample(SAMPLE).frame.pixels, PreprocessingSettings())
    noisy = corrupt(source.gray, "noise", 0.2, seed=0)
    expected = structural_similarity(source.gray, noisy, data_range=255)
    app = open_page("corruption", image=SAMPLE, intensity_noise="0.2", region="frame")
    assert gauges(app)["SSIM (scikit-image)"] == pytest.approx(expected, abs=6e-4)


def test_shown_probabilities_are_the_models(open_page, loaded_model):
    source = clean(open_sample(SAMPLE).frame.pixels, loaded_model.settings)
    noisy = corrupt(source.gray, "noise", 0.2, seed=0)
    app = open_page("corruption", image=SAMPLE, intensity_noise="0.2")
    prepared = finish(replace(source, gray=noisy), loaded_model.settings, size=loaded_model.card.size)
    expected = loaded_model.predict_prepared(prepared[None])
    bars = board(app)["bars"]
    assert [bar["label"] for bar in bars] == loaded_model.classes
    assert [bar["after"] for bar in bars] == pytest.approx(expected.probabilities[0].tolist(), abs=1e-5)
    assert [bar["now"] for bar in bars] == [name == expected.labels[0] for name in loaded_model.classes]
    assert expected.labels[0] in says(app)["Prediction:"]["text"]
    assert set(board(app)["pictures"]) == {"before", "after", "difference", "ssim", "cam_before", "cam_after"}


def test_without_a_detector_the_board_says_how_to_get_one(open_page, loaded_model, monkeypatch):
    planes = [card for card in cache.cards() if card.task != "corruption"]
    monkeypatch.setattr(cache, "cards", lambda: planes)
    app = open_page("corruption")
    assert not app.error
    assert "core train --task corruption" in says(app)["Detector:"]["text"]


def test_while_the_model_loads_image_and_similarity_are_there(open_page, monkeypatch):
    from concurrent.futures import Future

    monkeypatch.setattr(cache, "start_loading", lambda card: Future())
    app = open_page("corruption", intensity_noise="0.2")
    assert not app.exception
    assert any("is loading" in info.value for info in app.info)
    assert 0 < gauges(app)["SSIM (Wang)"] < 1
    assert board(app)["bars"] == []
    assert "cam_after" not in board(app)["pictures"]


@pytest.mark.parametrize("text", ["7", "-1", "nan", "much", ""])
def test_a_bad_intensity_in_a_link_opens_the_default(open_page, text):
    app = open_page("corruption", intensity_noise=text)
    assert not app.exception
    assert not app.error
    assert board(app)["intensity"] == CORRUPTIONS["noise"].published_limit


@pytest.mark.parametrize("link", [{"kind": "fog"}, {"seed": "-4"}, {"region": "moon"}, {"seed": "many"}])
def test_other_bad_links_open_the_default(open_page, link):
    app = open_page("corruption", **link)
    assert not app.exception
    assert not app.error
    assert board(app)["kind"] == "noise"


def test_a_link_carries_chain_kind_and_seed(open_page):
    link = {"kind": "speckle", "intensity_speckle": "0.4", "earlier": "jpeg:60", "seed": "7"}
    app = open_page("corruption", **link)
    assert not app.error
    shown = board(app)
    assert (shown["kind"], shown["intensity"]) == ("speckle", 0.4)
    alone = board(open_page("corruption", **{**link, "earlier": ""}))
    other_seed = board(open_page("corruption", **{**link, "seed": "8"}))
    assert len({each["digests"]["image"] for each in (shown, alone, other_seed)}) == 3


@pytest.mark.parametrize(
    "text", ["fog:1", "blur", "blur:x", "noise:9", "blur:1,blur:1,blur:1,blur:1,blur:1,blur:1,blur:1"]
)
def test_a_bad_chain_gets_a_sentence_and_the_page_goes_on(open_page, text):
    app = open_page("corruption", earlier=text)
    assert not app.exception
    assert len(app.error) == 1
    assert gauges(app)["SSIM (Wang)"] < 1


@pytest.mark.parametrize(
    "move",
    [
        {"value": 1e9, "settled": True, "serial": 3},
        {"value": -5, "settled": True, "serial": 3},
        {"value": math.nan, "settled": True, "serial": 3},
        {"value": "0.3; DROP TABLE", "serial": 3},
        {"value": None, "serial": []},
        {"value": True, "serial": True},
        [1, 2],
        "0.2",
        None,
    ],
)
def test_forged_moves_stay_within_the_range(move, monkeypatch):
    """The slider's message comes from a browser: anything may be in it."""
    from pages.components import live_slider

    monkeypatch.setattr(live_slider.st, "session_state", {"live_noise": {"move": move}})
    taken = live_slider.moved("live_noise", 0.0, 0.5)
    assert taken.value is None or 0 <= taken.value <= 0.5
    assert isinstance(taken.serial, int)
    # What is no number is not taken for one; what lies outside is brought to the nearer end.
    if isinstance(move, dict) and move["value"] in (1e9, -5):
        assert taken.value == (0.5 if move["value"] > 0 else 0.0)
        assert taken.serial == 3
    else:
        assert taken.value is None


def test_a_forged_intensity_in_the_session_is_brought_back(open_page):
    app = open_page("corruption")
    app.session_state["intensity_noise"] = 40.0
    app.run()
    assert not app.exception
    assert board(app)["intensity"] == CORRUPTIONS["noise"].slider_maximum


def test_a_moved_slider_changes_the_board_and_the_link(open_page):
    app = open_page("corruption", intensity_noise="0.1")
    before = board(app)
    app.session_state["intensity_noise"] = 0.4
    app.run()
    after = board(app)
    assert after["intensity"] == component(app, "live_noise")["value"] == 0.4
    for name in ("image", "ssim", "map"):
        assert before["digests"][name] != after["digests"][name]
    assert app.query_params["intensity_noise"] in ("0.4", ["0.4"])


def test_the_plain_slider_shares_value_and_link(open_page):
    app = open_page("corruption", intensity_noise="0.3")
    app.toggle(key="plain_slider").set_value(True).run()
    assert app.slider(key="intensity_noise").value == 0.3
    app.slider(key="intensity_noise").set_value(0.1).run()
    assert board(app)["intensity"] == 0.1
    assert app.query_params["intensity_noise"] in ("0.1", ["0.1"])
    app.toggle(key="plain_slider").set_value(False).run()
    assert component(app, "live_noise")["value"] == 0.1


@pytest.mark.parametrize(("kind", "middle"), [("noise", "Limit of the thesis"), ("speckle", "Middle")])
def test_presets(open_page, kind, middle):
    app = open_page("corruption", kind=kind)
    steps = severities(kind).intensities
    expected = {"Mild": steps[0], middle: CORRUPTIONS[kind].published_limit or steps[2], "Severe": steps[4]}
    for label, intensity in expected.items():
        button(app, label).click().run()
        assert board(app)["intensity"] == pytest.approx(intensity)
    marks = component(app, f"live_{kind}")["marks"]
    assert [mark["value"] for mark in marks if mark["side"] == "below"] == pytest.approx(list(steps))
    assert any("limit" in mark["text"] for mark in marks) == (kind == "noise")


def test_every_kind_can_be_picked_with_the_thesis_three_first(open_page):
    app = open_page("corruption")
    assert app.selectbox(key="kind").options[:3] == ["Scale up", "Blur", "Noise"]
    assert len(app.selectbox(key="kind").options) == len(CORRUPTIONS)


def test_the_flip_is_found_in_the_background_and_marked(open_page, loaded_model):
    # A seed of its own: what was found of a sample is there for everybody.
    app = finish_background(open_page("corruption", seed="77"))
    assert not app.exception
    curve = component(app, "curves")["curves"][0]
    assert curve["flip"] is not None
    assert any(
        mark["text"] == "▾ flips" and mark["value"] == curve["flip"] for mark in component(app, "live_noise")["marks"]
    )
    # On the far side of the flip the class is another, on the near side it is not.
    for factor, changed in ((0.98, False), (1.02, True)):
        app.session_state["intensity_noise"] = curve["flip"] * factor
        app.run()
        assert says(app)["Prediction:"]["alarm"] == changed
    assert component(app, "curves")["current"] == board(app)["intensity"]


def test_the_samples_curves_are_drawn_when_asked_for_and_once_for_everybody(open_page, loaded_model):
    app = open_page("corruption", kind="scale_up", intensity_scale_up="5")
    if not cache.has_sample_sweep(loaded_model.card, "scale_up"):
        button(app, "Draw the sample's curves").click().run()
        app = finish_background(app)
    assert not app.exception
    sweep = cache.sample_sweep(loaded_model, "scale_up")
    assert sweep.ssim_mean[0] == pytest.approx(1)
    assert (np.diff(sweep.ssim_mean) < 0.05).all()
    curve = next(each for each in component(app, "curves")["curves"] if "sample" in each["title"])
    assert f"n = {sweep.accuracy[0].n} phantoms" in curve["note"]
    assert "Simulated" in curve["note"]
    assert curve["series"][0]["values"] == pytest.approx([share.value for share in sweep.accuracy], abs=1e-4)
    another = open_page("corruption", kind="scale_up")
    assert any("sample" in each["title"] for each in component(another, "curves")["curves"])


def test_what_runs_in_the_background_can_be_cancelled_and_asked_for_again(open_page):
    app = open_page("corruption", kind="contrast", seed="123")
    if not (cancel := [each for each in app.button if each.label == "Cancel"]):
        pytest.skip("the curve was there before it could be cancelled")
    cancel[0].click().run()
    assert not app.exception
    assert not app.error
    button(app, "Follow this image").click().run()
    app = finish_background(app)
    assert component(app, "curves")["curves"][0]["title"] == "This image"


def test_a_recording_is_made_in_the_background(open_page, monkeypatch):
    monkeypatch.setattr(
        "core.recording.record.__kwdefaults__", {"seed": 0, "earlier": None, "steps": 3, "progress": print}
    )
    app = open_page("corruption", kind="contrast")
    button(app, "Record a GIF").click().run()
    app = finish_background(app)
    assert not app.exception
    assert any(each.proto.label == "Download the GIF" for each in app.get("download_button"))
    recorded = app.session_state["recording_store"]
    (gif,) = recorded._entries.values()
    with Image.open(io.BytesIO(gif)) as image:
        assert image.n_frames == 3
