"""Head circumference: what is measured is what core measures; sizes, refusals, annotations, distortion, agreement."""

import base64
import json
import re
from dataclasses import replace
from io import BytesIO

import cv2
import numpy as np
import pandas as pd
import pydicom
import pytest

from core.biometry.assessment import figures_of
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


def outline_png(ellipse: Ellipse) -> bytes:
    """An annotation as HC18 has it: a thin line on black."""
    line = np.zeros(SHAPE, np.uint8)
    cv2.polylines(line, [np.round(ellipse.points(300)).astype(np.int32)], True, 255)
    return png(line)


def annotate(app, content: bytes, name: str = "head_Annotation.png"):
    key = next(one.key for one in app.file_uploader if one.key.startswith("annotation_file"))
    return app.file_uploader(key=key).upload(name, content).run()


def signed(length: float, unit: str, minus: str) -> str:
    return f"{minus if length < 0 else '+'}{abs(length):.1f} {unit}"


def picture_of(app) -> str:
    """The address of the page's last picture, which is made of its content."""
    return app.get("image")[-1].proto.imgs[0].url


def numbers(values) -> np.ndarray:
    """An array of a chart as Plotly sends it."""
    if isinstance(values, dict):
        found = np.frombuffer(base64.b64decode(values["bdata"]), values["dtype"])
        return found.reshape([int(side) for side in values["shape"].split(",")]) if "shape" in values else found
    return np.array(values, float)


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
    """``reading(size, content)``: what core measures in the drawn head, or in another file."""
    from core.biometry.reading import HeadReader
    from core.images import read_image

    return lambda size, content=head_png: HeadReader(*only_heads).read(read_image(content).pixels, size)


def upload(app, content: bytes, name: str = "head.png"):
    return app.file_uploader(key="uploader").upload(name, content).run()


def test_without_a_pixel_size_lengths_are_in_pixels_and_that_is_said(open_page, texts, reading, head_png):
    app = upload(open_page(PAGE), head_png)
    assert not app.exception and not app.error
    expected = reading(None)
    shown = metrics(app)
    assert shown["HC (regression)"] == f"{expected.regression.pixels:.1f} pixels"
    assert shown["HC (outline)"] == f"{expected.segmentation.pixels:.1f} pixels"
    assert "pixels only until you type it" in texts(app)
    assert "Gestational age by HC" not in shown


def test_a_typed_pixel_size_gives_millimetres_intervals_diameters_and_age(open_page, texts, reading, head_png):
    app = upload(open_page(PAGE), head_png)
    app.number_input(key="pixel_size").set_value(SIZE_MM).run()
    assert not app.exception and not app.error
    expected = reading(SIZE_MM)
    shown, text = metrics(app), texts(app)
    assert shown["HC (regression)"] == f"{expected.regression.mm:.1f} mm"
    assert shown["HC (outline)"] == f"{expected.segmentation.mm:.1f} mm"
    assert shown["BPD"] == f"{expected.bpd_mm:.1f} mm"
    assert shown["OFD"] == f"{expected.ofd_mm:.1f} mm"
    assert f"{expected.segmentation.low_mm:.1f} to {expected.segmentation.high_mm:.1f} mm" in text
    assert "outer to outer" in text and "Hadlock" in text
    assert shown["Gestational age by HC"] == str(expected.age)
    assert app.query_params["pixel_size"] in ("0.25", ["0.25"])


def test_a_size_typed_for_one_frame_does_not_measure_another(open_page, only_heads, head_png):
    app = upload(open_page(PAGE), head_png)
    app.number_input(key="pixel_size").set_value(SIZE_MM).run()
    assert metrics(app)["HC (outline)"].endswith(" mm")
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
    app.number_input(key="pixel_size").set_value(2 * head.pixel_size_mm).run()
    assert f"HC of the simulated outline: {2 * head.mm:.1f} mm" in texts(app)


def test_a_frame_without_a_head_is_refused_with_its_reason_and_offers_one(open_page, texts, only_heads):
    app = open_page(PAGE, image="sample-crl_000005", pixel_size="0.2")
    assert ["Not to be used" in warning.value for warning in app.warning] == [True]
    assert not app.metric
    assert "not to be used" in texts(app)
    next(button for button in app.button if button.label == "Show a head instead").click().run()
    assert app.selectbox(key="image").value == "sample-bpd_000004"


def test_networks_that_contradict_each_other_are_refused_with_their_numbers_aside(
    open_page, texts, reading, bright_head
):
    small = png(bright_head(SHAPE, Ellipse(150.0, 110.0, 24.0, 19.0, 0.4)))
    app = upload(open_page(PAGE), small)
    assert not app.exception and not app.error
    said = [warning.value for warning in app.warning]
    assert any("Not to be used" in one for one in said) and any("do not touch: measure by hand" in one for one in said)
    assert not app.metric
    found = reading(None, small)
    assert f"differ by {100 * found.disagreement:.1f} % of their mean" in "".join(said)
    aside = texts(app)
    assert "not to be used:" in aside
    low, high = found.regression.low_pixels, found.regression.high_pixels
    assert f"HC (regression): {found.regression.pixels:.1f} pixels, {low:.1f} to {high:.1f} pixels (90 %)" in aside
    assert f"BPD {found.bpd_pixels:.1f} pixels, OFD {found.ofd_pixels:.1f} pixels" in aside


def test_an_annotation_gives_the_distance_and_bad_ones_their_sentence(open_page, texts, reading, head_png):
    from core.biometry.annotation import annotated_ellipse
    from core.images import read_image

    app = upload(open_page(PAGE, pixel_size=str(SIZE_MM)), head_png)
    app.number_input(key="pixel_size").set_value(SIZE_MM).run()
    plain = picture_of(app)
    # Smaller than what is found: the networks are too long.
    line = outline_png(replace(HEAD, major=50.0, minor=40.0))
    annotate(app, line)
    assert not app.exception and not app.error
    assert picture_of(app) != plain
    true = annotated_ellipse(read_image(line)).circumference * SIZE_MM
    found = reading(SIZE_MM)
    said = texts(app)
    assert f"HC of the annotation: {true:.1f} mm" in said
    for title, estimate in (("HC (regression)", found.regression), ("HC (outline)", found.segmentation)):
        off = estimate.mm - true
        assert f"{title} differs by {signed(off, 'mm', '−')} ({100 * off / true:+.1f} %)" in said
    assert re.search(r"Hausdorff\), Dice 0\.\d{3}", said)
    empty, drawn = np.zeros(SHAPE, np.uint8), cv2.imdecode(np.frombuffer(line, np.uint8), cv2.IMREAD_GRAYSCALE)
    for bad, word in ((empty, "no ellipse"), (drawn[:100], "300 x 100"), (drawn + 200, "thin line")):
        key = next(one.key for one in app.file_uploader if one.key.startswith("annotation_file"))
        app.file_uploader(key=key).clear()
        annotate(app, png(bad), "bad.png")
        assert [word in error.value for error in app.error] == [True]
        assert "HC of the annotation" not in texts(app)


def test_every_frame_of_a_loop_is_measured_by_itself_and_has_its_own_annotation(
    open_page, texts, reading, bright_head, dicom_loop
):
    from core.dicom import read_dicom

    heads = (HEAD, replace(HEAD, major=64.0, minor=51.0))
    loop = pydicom.dcmread(BytesIO(dicom_loop))
    loop.Rows, loop.Columns, loop.NumberOfFrames = *SHAPE, len(heads)
    loop.PixelData = b"".join(bright_head(SHAPE, head).tobytes() for head in heads)
    content = BytesIO()
    loop.save_as(content, enforce_file_format=True)
    expected = [reading(None, png(read_dicom(content.getvalue(), frame=number).pixels)) for number in range(2)]
    app = upload(open_page(PAGE), content.getvalue(), "loop.dcm")
    assert not app.exception and not app.error
    annotate(app, outline_png(HEAD))
    assert "HC of the annotation" in texts(app)
    for number in (1, 2, 1):
        app.slider(key="frame").set_value(number).run()
        assert not app.exception and not app.error
        found = expected[number - 1]
        assert metrics(app)["HC (outline)"] == f"{found.segmentation.pixels:.1f} pixels"
        assert metrics(app)["HC (regression)"] == f"{found.regression.pixels:.1f} pixels"
        assert ("HC of the annotation" in texts(app)) == (number == 1)


def test_the_network_chosen_of_two_measures(open_page, texts, head_models, use_models, reading, tmp_path, head_png):
    from core import cache
    from core.zoo import Card, read_card

    for name in ("tiny_head", "tiny_outline"):
        (tmp_path / name).symlink_to(head_models / name)
    wide = tmp_path / "wide_head"
    wide.mkdir()
    (wide / "weights.npz").symlink_to(head_models / "tiny_head" / "weights.npz")
    card = Card.read(head_models / "tiny_head")
    interval = card.measurement["interval"] | {"relative": 0.2}
    replace(card, name="wide_head", title="wide", measurement=card.measurement | {"interval": interval}).write(wide)
    use_models(tmp_path)
    for name in ("tiny_head", "tiny_outline", "wide_head"):
        cache.start_loading(read_card(name)).result()
    length = reading(None).regression.pixels
    app = upload(open_page(PAGE, head_model="wide_head"), head_png)
    assert not app.exception and not app.error
    assert f"{0.8 * length:.1f} to {1.2 * length:.1f} pixels" in texts(app)


def test_the_record_to_take_away_holds_what_was_measured_and_by_what(only_heads, reading, head_png):
    from core.biometry.reading import HeadReader
    from core.images import read_image
    from pages.components.head_frame import HeadFrame
    from pages.components.head_result import record_of
    from pages.components.image_picker import Picked

    frame = read_image(head_png, name="head.png")
    picked = Picked("upload-1", "head.png", frame, None, simulated=False, uploaded=True)
    head = HeadFrame(picked, SIZE_MM, "typed", HEAD, "annotation")
    measured = reading(SIZE_MM)
    record = json.loads(json.dumps(record_of(head, HeadReader(*only_heads), measured)))
    assert record.items() >= json.loads(json.dumps(measured.to_dict())).items()
    assert (record["sha256"], record["pixel_size_from"]) == (frame.sha256, "typed")
    assert [model["name"] for model in record["models"]] == ["tiny_head", "tiny_outline"]
    assert (record["truth"]["major"], record["truth"]["called"]) == (HEAD.major, "annotation")
    assert record_of(replace(head, truth=None), HeadReader(*only_heads), measured)["truth"] is None


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
    assert ("HC (outline)" in metrics(app)) == (kept == "tiny_outline")


def test_distortion_measures_both_networks_and_draws_their_error(
    open_page, texts, only_heads, reading, head_png, monkeypatch
):
    from core import cache
    from core.biometry.distortion import distorted
    from core.biometry.reading import HeadReader
    from core.images import read_image
    from core.preprocessing import clean

    monkeypatch.setattr(cache, "HEAD_STEPS", 3)
    intensity, growth = 20.0, 1 / 0.8
    app = upload(open_page(PAGE, kind="scale_up", intensity_scale_up=str(intensity)), head_png)
    app.number_input(key="pixel_size").set_value(SIZE_MM).run()
    annotate(app, outline_png(HEAD))
    app.segmented_control(key="heads").set_value("distort").run()
    assert not app.exception and not app.error
    still = reading(SIZE_MM)
    source = clean(read_image(head_png).pixels, only_heads[0].settings)
    now = HeadReader(*only_heads).read_cleaned([distorted(source, "scale_up", intensity)], [SIZE_MM])[0]
    assert now.segmentation.mm == pytest.approx(growth * still.segmentation.mm, rel=0.05)
    for name, title in (("regression", "HC (regression)"), ("segmentation", "HC (outline)")):
        metric = next(one for one in app.metric if one.label == title)
        after, before = getattr(now, name), getattr(still, name)
        assert metric.value == f"{after.mm:.1f} mm"
        assert metric.delta == signed(after.mm - before.mm, "mm", "-")
        assert f"90 % interval: {after.low_mm:.1f} to {after.high_mm:.1f} mm" in texts(app)
    for job in list(app.session_state["background_jobs"].values()):
        job.wait()
    app.run()
    assert not app.exception and not app.error
    assert "HC error against" in texts(app) and "Error against the annotation" in texts(app)
    figure = json.loads(app.get("plotly_chart")[0].proto.spec)
    traces = {trace.get("name", ""): trace for trace in figure["data"]}
    outline = traces["outline (90 % interval)"]
    assert "regression (90 % interval)" in traces
    value, expected = numbers(outline["customdata"]).T
    assert numbers(outline["x"])[0] == 0 and len(value) == 3
    assert value[0] == pytest.approx(still.segmentation.mm, rel=1e-3)
    assert expected[0] == pytest.approx(HEAD.circumference * SIZE_MM, rel=0.02)
    assert expected[-1] == pytest.approx(expected[0] / (1 - numbers(outline["x"])[-1] / 100), rel=1e-3)
    assert numbers(outline["y"]) == pytest.approx(value - expected, abs=1e-6)
    moved = picture_of(app)
    app.session_state["intensity_scale_up"] = 4.0
    app.run()
    assert picture_of(app) != moved
    assert metrics(app)["HC (outline)"] != f"{now.segmentation.mm:.1f} mm"


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
    others = rows.iloc[:6].assign(data="other heads")
    pd.concat([rows, others]).to_csv(folder / "evaluation.csv.gz", index=False)
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
    assert "median error (mm)" in table and "bias (mm)" not in table
    figures = figures_of(evaluated[~evaluated["trained_on"]])
    more = next(frame.value for frame in app.dataframe if "bias (mm)" in frame.value)
    for shown, column, key in (
        (table, "mean error (mm)", "mae"),
        (table, "median error (mm)", "median"),
        (more, "bias (mm)", "bias"),
        (more, "lower limit of agreement (mm)", "loa_low"),
        (more, "upper limit of agreement (mm)", "loa_high"),
        (more, "Hausdorff distance (mm)", "hausdorff"),
    ):
        one = figures[key]
        assert shown[column][0] == f"{one.value:.2f} ({one.low:.2f} to {one.high:.2f})"
    assert table["refused"][0].startswith(f"{100 * figures['refused'].value:.1f} %")
    worst = evaluated.loc[7]
    (metric,) = app.metric
    assert metric.delta == f"{worst['error_mm']:+.1f} mm"
    assert f"Annotated {worst['true_mm']:.1f} mm; 90 % interval {worst['low_mm']:.1f} to {worst['high_mm']:.1f} mm" in (
        texts(app)
    )
    app.selectbox(key="head").set_value("011_HC.png").run()
    assert not app.exception and not app.error
    assert "not at hand" not in texts(app)
    assert metrics(app)["Measured"] == f"{evaluated['predicted_mm'][11]:.1f} mm"
    app.selectbox(key="head").set_value("005_HC.png").run()
    assert any("looks corrupted" in warning.value for warning in app.warning)
    app.selectbox(key="data").set_value("other heads").run()
    assert not app.exception and not app.error
    table = next(frame.value for frame in app.dataframe if "heads" in frame.value)
    assert int(table["n"][0]) == 5


def test_a_frame_uploaded_under_its_name_is_shown_among_the_figures(open_page, texts, evaluated, head_png):
    app = upload(open_page(PAGE), head_png, "007_HC.png")
    app.segmented_control(key="heads").set_value("quality").run()
    assert not app.exception and not app.error
    assert app.selectbox(key="head").value == "007_HC.png"
    assert "not at hand" not in texts(app)


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
