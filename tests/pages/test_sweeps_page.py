"""Recorded sweeps on the page: figures with their sentences, choices by link, nothing recorded, damaged files."""

import shutil

import numpy as np
import pandas as pd
import pytest

from core.sweep.curves import curves, measure_of
from core.sweep.engine import SIMILARITIES
from core.sweep.study import Study, read_study
from core.sweep.thresholds import thresholds

PLANES = ["BPD", "CRL", "NT"]
GRID = {"scale_up": (0.0, 10.0, 30.0), "noise": (0.0, 0.1, 0.3)}


@pytest.fixture
def copied(tmp_path, use_models):
    """Two models, copies of the one that ships but for weights and sweeps; the app looks there."""
    from core.zoo.registry import MODELS_FOLDER

    folder = tmp_path / "models"
    for name in ("mobilenet_v2_plane", "inception_v3_plane"):
        (folder / name).mkdir(parents=True)
        shutil.copy(MODELS_FOLDER / name / "card.json", folder / name)
    use_models(folder)
    return folder


def make_study(model: str, data: str, *, simulated: bool, seed: int = 0, label: str | None = None) -> Study:
    """A study of random answers."""
    generator = np.random.default_rng(seed)
    rows = pd.DataFrame(
        [
            {"model": model, "image": f"{image}.png", "fingerprint": str(image), "patient": str(image)}
            | {"label": label or PLANES[image % 3], "group": "data", "kind": kind, "intensity": intensity}
            | dict(zip(SIMILARITIES, generator.random(6), strict=True))
            | dict(zip((f"p_{name}" for name in PLANES), generator.dirichlet([1] * 3), strict=True))
            for image in range(12)
            for kind, intensities in GRID.items()
            for intensity in intensities
        ]
    )
    measure = measure_of(rows, "plane", PLANES)
    summary = {
        "data": data,
        "simulated": simulated,
        "task": "plane",
        "measure": measure.name,
        "classes": PLANES,
        "n": 12,
        "patients": 12,
        "n_beside": 0,
        "models": {model: {}},
        "settings": {"grid": "reference", "side": None},
        "command": f"python -m core sweep --model {model} --record '{data}'",
        "corruption_errors": None,
    }
    return Study(curves(rows, measure), thresholds(rows, measure), summary, pd.DataFrame())


@pytest.fixture
def recorded(copied):
    """Both models swept over phantoms, one over heads too."""
    for seed, model in enumerate(("mobilenet_v2_plane", "inception_v3_plane")):
        make_study(model, "phantoms", simulated=True, seed=seed).record("phantoms", model, copied)
    heads = make_study("mobilenet_v2_plane", "heads", simulated=False, label="BPD")
    heads.record("heads", "mobilenet_v2_plane", copied)
    return copied


def charts(app):
    return app.get("plotly_chart")


def test_figures_stand_beside_the_published_shapes(open_page, texts, recorded):
    app = open_page("sweeps", sweep="plane_phantoms")
    assert not app.exception
    assert not app.error
    assert len(charts(app)) == 3
    text = texts(app)
    for figure in (20, 21, 22):
        assert f"figure {figure} of the thesis" in text
    assert "Here, on simulated images." in text
    assert "Here, on real images." not in text
    assert "radius 4" in text
    assert "n = 12" in text
    study = read_study(recorded / "mobilenet_v2_plane" / "sweep" / "phantoms")
    last = study.curves[study.curves["kind"] == "noise"].iloc[-1]
    assert f"ends at {100 * last['accuracy']:.0f} % (0.3)" in text
    table = next(frame.value for frame in app.dataframe if "limit in the thesis" in frame.value)
    assert sorted(set(table["model"])) == ["inception_v3_plane", "mobilenet_v2_plane"]
    assert len(table) == 4
    assert "--baseline" in text
    assert {code.value.split("--model ")[1].split()[0] for code in app.code} == set(table["model"])
    labels = {button.proto.label for button in app.get("download_button")}
    assert {"Curves (CSV)", "Thresholds (JSON)", "Sweep (JSON)"} <= labels


def test_choices_come_by_link_and_one_class_is_a_share_called(open_page, texts, recorded):
    app = open_page("sweeps", sweep="plane_heads", sweep_kinds="noise", sweep_ssim="ssim_annex_frame")
    assert not app.exception
    text = texts(app)
    assert "share called BPD under noise" in text
    assert "under scale up" not in text
    assert app.selectbox(key="sweep_ssim").value == "ssim_annex_frame"
    app = open_page("sweeps", sweep="plane_phantoms", sweep_models="inception_v3_plane")
    table = next(frame.value for frame in app.dataframe if "limit in the thesis" in frame.value)
    assert set(table["model"]) == {"inception_v3_plane"}
    assert app.query_params["sweep_models"] in ("inception_v3_plane", ["inception_v3_plane"])


def test_nothing_chosen_asks_for_a_choice(open_page, texts, recorded):
    for query in ({"sweep_kinds": ""}, {"sweep_models": ""}):
        app = open_page("sweeps", **query)
        assert not app.exception
        assert "Choose at least one model" in texts(app)
        assert not charts(app)


def test_nothing_recorded_shows_the_command(open_page, texts, copied):
    app = open_page("sweeps")
    assert not app.exception
    assert not app.error
    assert "No sweep has been recorded" in texts(app)
    assert "core sweep" in app.code[0].value


@pytest.mark.parametrize("name", ["sweep.csv", "thresholds.json", "sweep.json"])
def test_a_damaged_sweep_is_one_sentence_and_the_rest_stays(open_page, recorded, name):
    (recorded / "inception_v3_plane" / "sweep" / "phantoms" / name).write_text("tea")
    app = open_page("sweeps", sweep="plane_phantoms")
    assert not app.exception
    (error,) = app.error
    assert "core sweep" in error.value
    assert len(charts(app)) == 3


def test_sweeps_that_differ_cannot_share_a_figure(open_page, recorded):
    other = make_study("inception_v3_plane", "phantoms", simulated=False)
    other.record("phantoms", "inception_v3_plane", recorded)
    app = open_page("sweeps", sweep="plane_phantoms")
    assert not app.exception
    (error,) = app.error
    assert "differ in simulated" in error.value
    app = open_page("sweeps", sweep="plane_phantoms", sweep_models="inception_v3_plane")
    assert not app.error


def test_errors_against_a_baseline_have_a_table(open_page, copied):
    study = make_study("mobilenet_v2_plane", "phantoms", simulated=True)
    found = {"value": 0.5, "ci_low": 0.4, "ci_high": 0.6, "reason": ""}
    nothing = {"value": None, "ci_low": None, "ci_high": None, "reason": "the baseline makes no error at any severity"}
    kinds = {"noise": {"ce": found, "relative_ce": nothing, "n": 12}}
    study.summary["corruption_errors"] = {"baseline": "b", "models": {"mobilenet_v2_plane": {"kinds": kinds}}}
    study.record("phantoms", "mobilenet_v2_plane", copied)
    app = open_page("sweeps")
    table = next(frame.value for frame in app.dataframe if "CE" in frame.value)
    assert list(table["CE"]) == ["0.500 (0.400 to 0.600)"]
    assert list(table["relative CE"]) == ["none: the baseline makes no error at any severity"]
