"""The stored drift studies: answer, figures and files; choices in the link; damaged ones and none at all."""

import json

import numpy as np
import pandas as pd
import pytest

from core.explain.drift_study import ABOUT_NAME, COLUMNS, MEASURES, ROWS_NAME, DriftStudy, read_study
from core.zoo.registry import MODELS_FOLDER, default_name

KINDS, METHODS, LEVELS = ("scale_up", "noise"), ("cam", "saliency"), 4


def made_up(simulated, seed=0):
    """Eight images whose saliency breaks at once and whose CAM never does; all predictions flip at the last level."""
    generator = np.random.default_rng(seed)
    rows = []
    for number in range(8):
        for kind in KINDS:
            for method in METHODS:
                for level in range(LEVELS):
                    agreement = (
                        1 - (0.001 if method == "cam" else 0.3) * level - 0.001 * generator.random() * (level > 0)
                    )
                    row = dict.fromkeys(COLUMNS, 0.0) | {
                        "number": number, "image": f"{number}.png", "patient": f"patient {number}", "label": "BPD",
                        "target": "BPD", "predicted": "NT" if level == LEVELS - 1 else "BPD", "kind": kind,
                        "method": method, "intensity": 0.1 * level, "ssim": 1 - 0.2 * level, "probability": 0.9,
                    }  # fmt: skip
                    for measure in MEASURES:
                        row |= {measure: agreement, f"baseline_{measure}": 0.5}
                    rows.append(row)
    about = {
        "model": default_name(), "data": "phantoms made up" if simulated else "heads made up", "simulated": simulated,
        "n": 8, "n_of_method": dict.fromkeys(METHODS, 8), "kinds": KINDS, "methods": METHODS, "steps": LEVELS,
        "seed": 0, "command": "python -m core drift --data somewhere", "problems": ["7.png: it could not be read."],
    }  # fmt: skip
    return DriftStudy(pd.DataFrame(rows, columns=list(COLUMNS)), about)


@pytest.fixture
def studies(tmp_path, use_models):
    """The default model with two studies of its own: simulated and real."""
    model = tmp_path / "models" / default_name()
    model.mkdir(parents=True)
    for path in (MODELS_FOLDER / default_name()).iterdir():
        if path.is_file():
            (model / path.name).symlink_to(path)
    for name, simulated in (("heads", False), ("phantoms", True)):
        made_up(simulated).write(model / "drift" / name)
    use_models(tmp_path / "models")
    return model / "drift"


def downloads(app):
    return [button.label for button in app.get("download_button")]


def plot_alts(app):
    return [chart.proto.alt for chart in app.get("plotly_chart")]


def test_says_what_breaks_first_with_n_interval_and_origin(open_page, texts, studies):
    app = open_page("explanation_drift", study="phantoms")
    assert not app.exception
    assert not app.error
    text = texts(app)
    assert "On 8 simulated images (phantoms made up) under scale up and noise" in text
    sentence = next(line for line in text.splitlines() if line.startswith("On 8 simulated"))
    first, then = (
        sentence.index("breaks before the prediction flips with Saliency"),
        sentence.index("flips before the explanation breaks with Class activation mapping"),
    )
    assert first < then
    assert "of the 16 cases" in sentence
    assert "simulated, n = 8" in text
    assert "7.png" in text
    assert len(app.get("plotly_chart")) == 3
    assert {"All rows (CSV)", "Settings and conclusions (JSON)"} <= set(downloads(app))
    assert "python -m core drift --data somewhere" in [code.value for code in app.code]


def test_real_images_are_said_to_be_real(open_page, texts, studies):
    text = texts(open_page("explanation_drift", study="heads"))
    assert "On 8 real images (heads made up)" in text
    assert "Real images." in text
    assert "simulated" not in text.split("Which breaks first?")[1].split("no medical device")[0]


def test_choices_are_in_the_link_and_come_from_it(open_page, texts, studies):
    app = open_page("explanation_drift")
    app.segmented_control(key="kind").set_value("scale_up").run()
    app.segmented_control(key="measure").set_value("top_overlap").run()
    app.segmented_control(key="axis").set_value("ssim").run()
    app.segmented_control(key="fall").set_value("whole").run()
    app.selectbox(key="study").set_value("phantoms").run()
    assert not app.exception
    query = {key: "".join(value) for key, value in app.query_params.items()}
    expected = {"measure": "top_overlap", "axis": "ssim", "fall": "whole", "study": "phantoms"}
    assert expected.items() <= query.items()
    again = open_page("explanation_drift", **expected, kind="noise")
    text = texts(again)
    assert "Noise: overlap of the highest 10 %" in text
    assert "fallen all of the way to the baseline" in text
    assert "phantoms made up" in text


def test_a_stricter_fall_changes_the_answer(open_page, texts, studies):
    """Saliency reaches half-way at the first level and the baseline at the second, still before the flip."""
    half = read_study(studies / "phantoms").outcomes("rank_correlation", 0.5)
    whole = read_study(studies / "phantoms").outcomes("rank_correlation", 1.0)
    saliency = half["method"] == "saliency"
    assert half[saliency]["broken"].to_numpy() == pytest.approx(0.1)
    assert whole[saliency]["broken"].to_numpy() == pytest.approx(0.2)


def test_one_damaged_study_is_a_sentence_and_hides_no_other(open_page, texts, studies):
    (studies / "heads" / ROWS_NAME).write_bytes(b"nothing of the sort")
    app = open_page("explanation_drift")
    assert not app.exception
    assert len(app.error) == 1
    assert "heads" in app.error[0].value
    assert "python -m core drift" in app.error[0].value
    assert "phantoms made up" in texts(app)


def test_a_study_of_a_kind_that_is_gone_is_a_sentence(open_page, studies):
    for name in ("heads", "phantoms"):
        about = json.loads((studies / name / ABOUT_NAME).read_text())
        (studies / name / ABOUT_NAME).write_text(json.dumps(about | {"kinds": ["melt"]}))
    app = open_page("explanation_drift")
    assert not app.exception
    assert len(app.error) == 2


def test_without_a_study_the_command_is_named(open_page, texts, anatomy_model):
    app = open_page("explanation_drift", model=anatomy_model.card.name)
    assert not app.exception
    assert not app.error
    assert "no drift study" in texts(app)
    (command,) = [code.value for code in app.code]
    assert command.startswith(f"python -m core drift --model {anatomy_model.card.name} --data phantom:brain,")


@pytest.mark.parametrize("query", [{"study": "../../etc", "kind": "melt", "measure": "x", "axis": "y", "fall": "z"}])
def test_a_forged_link_falls_back_to_defaults(open_page, texts, studies, query):
    app = open_page("explanation_drift", **query)
    assert not app.exception
    assert not app.error
    assert "heads made up" in texts(app)
