"""Head circumference: what is measured is what core measures; sizes, refusals, annotations, distortion, agreement."""

import json
import re

import cv2
import numpy as np
import pandas as pd
import pytest

from core.biometry.ellipse import Ellipse

PAGE = "head_circumference"
HEAD = Ellipse(150.0, 110.0, 62.0, 49.0, 0.4)
SHAPE = (220, 300)
SIZE_MM = 0.25
PHANTOM = "phantom-BPD-unseen-5"


def png(pixels: np.ndarray) -> bytes:
    return cv2.imencode(".png", pixels)[1].tobytes()


def metrics(app) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.metric}


@pytest.fixture(scope="module")
def head_png(bright_head) -> bytes:
    return png(bright_head(SHAPE, HEAD))


@pytest.fixture
def only_heads(head_models, use_models):
    """The tiny networks alone, loaded; no detector and no anatomy network can refuse anything."""
    from core import cache
    from core.zoo import read_card

    use_models(head_models)
    return [cache.start_loading(read_card(name)).result() for name in ("tiny_head", "tiny_outline")]


@pytest.fixture
def reading(only_heads, head_png):
    """``reading(size)``: what core measures in the drawn head."""
    from core.biometry.reading import HeadReader
    from core.images import read_image

    return lambda size: HeadReader(*only_heads).read(read_image(head_png).pixels, size)


def upload(app, content: bytes, name: str = "head.png"):
    return app.file_uploader(key="uploader").upload(name, content).run()


def test_without_a_pixel_size_lengths_are_in_pixels_and_that_is_said(open_page, texts, reading, head_png):
    app = upload(open_page(PAGE), head_png)
    assert not app.exception and not app.error
    expected = reading(None)
    shown = metrics(app)
    assert shown["HC (regression)"] == f"{expected.regression.pixels:.1f} pixels"
    assert shown["HC (ellipse)"] == f"{expected.segmentation.pixels:.1f} pixels"
    assert "pixels only until you type it" in texts(app)
    assert "Gestational age by HC" not in shown


def test_a_typed_pixel_size_gives_millimetres_intervals_diameters_and_age(open_page, texts, reading, head_png):
    app = upload(open_page(PAGE), head_png)
    app.number_input(key="pixel_size").set_value(SIZE_MM).run()
    assert not app.exception and not app.error
    expected = reading(SIZE_MM)
    shown, text = metrics(app), texts(app)
    assert shown["HC (regression)"] == f"{expected.regression.mm:.1f} mm"
    assert shown["HC (ellipse)"] == f"{expected.segmentation.mm:.1f} mm"
    assert shown["BPD"] == f"{expected.bpd_mm:.1f} mm"
    assert shown["OFD"] == f"{expected.ofd_mm:.1f} mm"
    assert f"{expected.segmentation.low_mm:.1f} to {expected.segmentation.high_mm:.1f} mm" in text
    assert "outer to outer" in text and "Hadlock" in text
    assert shown["Gestational age by HC"] == str(expected.age)
    assert app.query_params["pixel_size"] in ("0.25", ["0.25"])


def test_a_size_typed_for_one_frame_does_not_measure_another(open_page, only_heads, head_png):
    app = upload(open_page(PAGE), head_png)
    app.number_input(key="pixel_size").set_value(SIZE_MM).run()
    assert metrics(app)["HC (ellipse)"].endswith(" mm")
    upload(app, png(np.full((200, 200), 90, np.uint8)), "other.png")
    assert app.number_input(key="pixel_size").value is None
    assert "pixel_size" not in app.query_params


@pytest.mark.parametrize("size", ["7", "-1", "nan", "wide"])
def test_a_forged_pixel_size_is_ignored(open_page, only_heads, size):
    app = open_page(PAGE, image=PHANTOM, pixel_size=size)
    assert not app.exception and not app.error
    assert app.number_input(key="pixel_size").value is None


def test_a_phantom_knows_its_pixels_and_its_head(open_page, texts, only_heads):
    from core.biometry.known import known_head

    app = open_page(PAGE, image=PHANTOM)
    head = known_head(PHANTOM)
    assert f"{head.pixel_size_mm:.4g} mm wide, as simulated" in texts(app)
    assert f"HC of the simulated outline: {head.mm:.1f} mm" in texts(app)


def test_a_frame_without_a_head_is_refused_with_its_reason_and_offers_one(open_page, texts, only_heads):
    app = open_page(PAGE, image="sample-crl_000005", pixel_size="0.2")
    assert any("Not to be used" in warning.value and "No outline" in warning.value for warning in app.warning) or any(
        "Not to be used" in warning.value for warning in app.warning
    )
    assert not app.metric
    assert "not to be used" in texts(app)
    next(button for button in app.button if button.label == "Show a head instead").click().run()
    assert app.selectbox(key="image").value == "sample-bpd_000004"


def test_an_annotation_gives_the_distance_and_bad_ones_their_sentence(open_page, texts, only_heads, head_png):
    from core.biometry.annotation import annotated_ellipse
    from core.images import read_image

    line = np.zeros(SHAPE, np.uint8)
    cv2.polylines(line, [np.round(HEAD.points(300)).astype(np.int32)], True, 255)
    app = upload(open_page(PAGE, pixel_size=str(SIZE_MM)), head_png)
    app.number_input(key="pixel_size").set_value(SIZE_MM).run()
    key = next(one.key for one in app.file_uploader if one.key.startswith("annotation_file"))
    app.file_uploader(key=key).upload("head_Annotation.png", png(line)).run()
    assert not app.exception and not app.error
    true = annotated_ellipse(read_image(png(line))).circumference * SIZE_MM
    assert f"HC of the annotation: {true:.1f} mm" in texts(app)
    assert re.search(r"Hausdorff\), Dice 0\.\d{3}", texts(app))
    for bad, word in ((np.zeros(SHAPE, np.uint8), "no ellipse"), (line[:100], "300 x 100"), (line + 200, "thin line")):
        app.file_uploader(key=key).clear().upload("bad.png", png(bad)).run()
        assert [word in error.value for error in app.error] == [True]
        assert "HC of the annotation" not in texts(app)


@pytest.mark.parametrize("missing", ["tiny_head", "tiny_outline"])
def test_one_network_measures_alone_and_says_so(open_page, texts, head_models, use_models, tmp_path, head_png, missing):
    from core import cache
    from core.zoo import read_card

    (kept,) = {"tiny_head", "tiny_outline"} - {missing}
    (tmp_path / kept).symlink_to(head_models / kept)
    use_models(tmp_path)
    cache.start_loading(read_card(kept)).result()
    app = upload(open_page(PAGE), head_png)
    assert not app.exception and not app.error
    assert "measures alone" in texts(app) and "core train" in texts(app)
    assert ("HC (regression)" in metrics(app)) == (kept == "tiny_head")
    assert ("HC (ellipse)" in metrics(app)) == (kept == "tiny_outline")


def test_distortion_measures_both_networks_and_draws_their_error(open_page, texts, reading, head_png, monkeypatch):
    from core import cache

    monkeypatch.setattr(cache, "HEAD_STEPS", 3)
    app = upload(open_page(PAGE, heads="distort", kind="blur", intensity_blur="0"), head_png)
    assert not app.exception and not app.error
    expected = reading(None)
    assert metrics(app)["HC (outline)"] == f"{expected.segmentation.pixels:.1f} pixels"
    for job in list(app.session_state["background_jobs"].values()):
        job.wait()
    app.run()
    assert not app.exception and not app.error
    assert "HC error against" in texts(app)
    figure = json.loads(app.get("plotly_chart")[0].proto.spec)
    names = {trace.get("name", "") for trace in figure["data"]}
    assert {"regression (90 % interval)", "outline (90 % interval)"} <= names


def rows_of_evaluation() -> pd.DataFrame:
    """Twenty heads measured well, one badly, one refused and one that was trained on."""
    generator = np.random.default_rng(0)
    true = np.linspace(80, 320, 23)
    predicted = true + generator.normal(0, 2, 23)
    predicted[7] += 30
    rows = pd.DataFrame(
        {
            "image": [f"{number:03d}_HC.png" for number in range(23)],
            "patient": [f"examination {number}" for number in range(23)],
            "pixel_size_mm": 0.2,
            "true_mm": true,
            "predicted_mm": predicted,
            "error_mm": predicted - true,
            "relative_error": (predicted - true) / true,
            "low_mm": predicted - 6,
            "high_mm": predicted + 6,
            "dice": 0.97,
            "hausdorff_mm": 2.0,
            "trimester": np.where(true < 97, "first", np.where(true < 260, "second", "third")),
            "trained_on": [number == 3 for number in range(23)],
            "refused": ["The frame looks corrupted." if number == 5 else "" for number in range(23)],
            "data": "drawn heads",
        }
    )
    return rows


@pytest.fixture
def evaluated(head_models, use_models, tmp_path):
    folder = tmp_path / "tiny_outline"
    folder.mkdir()
    for file in (head_models / "tiny_outline").iterdir():
        (folder / file.name).symlink_to(file)
    rows = rows_of_evaluation()
    rows.to_csv(folder / "evaluation.csv.gz", index=False)
    use_models(tmp_path)
    return rows


def test_agreement_begins_with_the_worst_frame_and_opens_what_is_chosen(
    open_page, texts, evaluated, head_png, tmp_path, monkeypatch
):
    frames = tmp_path / "frames"
    frames.mkdir()
    (frames / "011_HC.png").write_bytes(head_png)
    monkeypatch.setenv("PLANELAB_HEADS", str(frames))
    app = open_page(PAGE, heads="quality")
    assert not app.exception and not app.error
    assert app.selectbox(key="head").value == "007_HC.png"
    assert "not at hand" in texts(app)
    table = next(frame.value for frame in app.dataframe if "heads" in frame.value)
    assert list(table["heads"]) == ["all", "first trimester", "second trimester", "third trimester"]
    assert list(table["n"].astype(int)) == [22, *(evaluated[~evaluated["trained_on"]]["trimester"].value_counts())[
        ["first", "second", "third"]
    ]]  # fmt: skip
    app.selectbox(key="head").set_value("011_HC.png").run()
    assert not app.exception and not app.error
    assert "not at hand" not in texts(app)
    assert metrics(app)["Measured"] == f"{evaluated['predicted_mm'][11]:.1f} mm"
    app.selectbox(key="head").set_value("005_HC.png").run()
    assert any("looks corrupted" in warning.value for warning in app.warning)


def test_a_model_without_evaluation_says_how_to_get_one(open_page, texts, only_heads):
    app = open_page(PAGE, heads="quality")
    assert not app.exception and not app.error
    assert "core evaluate" in texts(app).replace("\n", " ")


def test_a_link_to_a_frame_that_is_not_there_falls_back(open_page, evaluated):
    app = open_page(PAGE, heads="quality", head="../../etc/passwd")
    assert not app.exception and not app.error
    assert app.selectbox(key="head").value == "007_HC.png"


def test_without_a_model_of_heads_says_how_to_get_one(open_page, monkeypatch):
    from core import cache

    monkeypatch.setattr(cache, "cards", list)
    monkeypatch.setattr(cache, "described_cards", list)
    for view in ("measure", "quality"):
        app = open_page(PAGE, heads=view)
        assert not app.exception
        assert [("core train" in error.value) for error in app.error] == [True]


def test_without_any_image_asks_for_one(open_page, texts, only_heads, monkeypatch, tmp_path):
    from core.library import sample_ids

    monkeypatch.setattr(sample_ids, "__defaults__", (tmp_path,))
    app = open_page(PAGE)
    assert not app.exception and not app.error
    assert "There is no image yet" in texts(app)


def test_bad_uploads_get_their_sentences_and_a_forged_link_falls_back(open_page, only_heads, bad_uploads):
    app = open_page(PAGE, heads="palace", tick="much", head_model="../x", outline_model="?")
    assert not app.exception and not app.error
    before = app.selectbox(key="image").value
    for name, content in bad_uploads.values():
        app.file_uploader(key="uploader").upload(name, content)
    app.run()
    assert not app.exception
    assert len({error.value for error in app.error}) == len(bad_uploads)
    assert app.selectbox(key="image").value == before
