"""A study as it is written is read again; damaged ones are sentences; what it says is what its curves show."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from core.datasets import Table
from core.errors import DatasetError, ParameterError
from core.sweep.describe import (
    error_table,
    flat_from,
    mean_by_similarity,
    sentence,
    similarity_at_fall,
    threshold_lines,
    threshold_table,
)
from core.sweep.study import Settings, frames_of, merged, read_study, run_study, slug, stored_studies
from core.sweep_figures import FIGURES, model_colours, study_figure

SETTINGS = Settings(kinds=("scale_up", "noise"), grid="severities")


@pytest.fixture(scope="module")
def planes(classifier, shape, tmp_path_factory):
    """A study of one model of planes over six shapes."""
    return studied([classifier], shape, tmp_path_factory.mktemp("shapes"), replace(SETTINGS, baseline="tiny"))


@pytest.fixture(scope="module")
def detection(classifier, shape, tmp_path_factory):
    """A study of a detector over the same."""
    from core.zoo.prediction import Classifier

    card = replace(classifier.card, name="detector", task="corruption", classes=["original", "scale_up", "noise"])
    model = Classifier(card, classifier.network, classifier.typicality)
    return studied([model], shape, tmp_path_factory.mktemp("shapes"), SETTINGS)


def studied(models, shape, folder, settings):
    import cv2

    rows = []
    for plane in ("BPD", "CRL", "NT"):
        for seed in (50, 51):
            cv2.imwrite(str(folder / f"{plane}_{seed}.png"), shape(plane, seed))
            rows.append((str(folder / f"{plane}_{seed}.png"), plane, f"{plane} {seed}", ""))
    table = Table(pd.DataFrame(rows, columns=["path", "label", "patient", "split"]), "folders", simulated=False)
    frames = frames_of(table, models[0].card)
    return run_study(models, frames, settings, name="drawn shapes", simulated=False, command="python -m core sweep")


def table_of(labels):
    rows = [(f"{number}.png", label, str(number), "") for number, label in enumerate(labels)]
    return Table(pd.DataFrame(rows, columns=["path", "label", "patient", "split"]), "folders", simulated=False)


def test_what_is_written_is_read_again(planes, tmp_path):
    planes.write(tmp_path)
    again = read_study(tmp_path)
    pd.testing.assert_frame_equal(again.curves, planes.curves, rtol=1e-4, check_dtype=False)
    assert again.thresholds == json.loads(json.dumps(planes.thresholds))
    assert again.summary == json.loads(json.dumps(planes.summary))
    assert (again.title, again.measure, again.simulated, again.is_detection) == (
        "drawn shapes",
        "accuracy",
        False,
        False,
    )
    assert again.rows.empty
    assert len(pd.read_csv(tmp_path / "rows.csv.gz")) == len(planes.rows)


def test_a_recorded_study_is_small_and_found(planes, classifier, tmp_path):
    planes.record("Drawn shapes, 50 %", "tiny", tmp_path)
    (folder,) = stored_studies([classifier.card], tmp_path)["plane_drawn_shapes_50"]
    assert folder.name == slug("Drawn shapes, 50 %") == "drawn_shapes_50"
    assert {path.name for path in folder.iterdir()} == {"sweep.csv", "thresholds.json", "sweep.json"}
    assert sum(path.stat().st_size for path in folder.iterdir()) < 1_000_000
    assert read_study(folder).title == "Drawn shapes, 50 %"


SPOILT = {
    "no curves": lambda folder: (folder / "sweep.csv").unlink(),
    "no thresholds": lambda folder: (folder / "thresholds.json").unlink(),
    "empty curves": lambda folder: (folder / "sweep.csv").write_text(""),
    "no lines": lambda folder: spoil(folder, lambda table: table.iloc[:0]),
    "a column less": lambda folder: spoil(folder, lambda table: table.drop(columns="ci_low")),
    "words": lambda folder: spoil(folder, lambda table: table.assign(accuracy="tea")),
    "an impossible share": lambda folder: spoil(folder, lambda table: table.assign(accuracy=1.5)),
    "another model": lambda folder: spoil(folder, lambda table: table.assign(model="another")),
    "no JSON": lambda folder: (folder / "sweep.json").write_text("{"),
    "a list": lambda folder: (folder / "sweep.json").write_text("[]"),
    "thresholds of nothing": lambda folder: (folder / "thresholds.json").write_text("{}"),
}


def spoil(folder, change):
    change(pd.read_csv(folder / "sweep.csv")).to_csv(folder / "sweep.csv", index=False)


@pytest.mark.parametrize("how", SPOILT)
def test_a_damaged_study_is_a_sentence(planes, tmp_path, how):
    planes.write(tmp_path)
    SPOILT[how](tmp_path)
    with pytest.raises(DatasetError, match=r"core sweep\.$"):
        read_study(tmp_path)


def test_frames_are_drawn_by_class_and_a_smaller_draw_comes_first(classifier):
    table = table_of(["BPD"] * 10 + ["NT"] * 6)
    drawn = frames_of(table, classifier.card, limit=4, seed=2)
    assert drawn["label"].value_counts().to_dict() == {"BPD": 4, "NT": 4}
    more = frames_of(table, classifier.card, limit=8, seed=2)
    assert more["label"].value_counts().to_dict() == {"BPD": 8, "NT": 6}
    assert more["path"][:8].tolist() == drawn["path"].tolist()
    assert set(frames_of(table, classifier.card, limit=4, seed=3)["path"]) != set(drawn["path"])


def test_frames_need_a_class_but_for_a_detector(classifier):
    table = table_of(["BPD", "", "BPD"])
    with pytest.raises(DatasetError, match="1 of 3"):
        frames_of(table, classifier.card)
    detector = replace(classifier.card, task="corruption", classes=["original", "blur", "noise"])
    assert set(frames_of(table, detector)["label"]) == {"original"}
    heads = frames_of(table_of(["BPD"] * 3), classifier.card, beside=table_of(["", "NT"]))
    assert heads["group"].tolist() == ["data"] * 3 + ["beside"] * 2
    with pytest.raises(DatasetError, match="one class"):
        frames_of(table_of(["BPD", "NT"]), classifier.card, beside=table_of([""]))


@pytest.mark.parametrize(
    "change", [{"kinds": ("melt",)}, {"grid": "x"}, {"side": 8}, {"side": 9999}, {"level": 0.0}, {"loss": float("nan")}]
)
def test_impossible_settings_are_refused(change):
    with pytest.raises(ParameterError):
        replace(SETTINGS, **change)


def test_tables_say_thresholds_and_errors(planes):
    table = threshold_table(planes)
    assert list(table["corruption"]) == ["Scale up", "Noise"]
    assert table["limit in the thesis"][1] == "0.18 of full brightness"
    assert set(table["n"]) == {6}
    assert len(threshold_lines(planes)) == 2
    errors = error_table(planes)
    assert [text.split()[0].rstrip(":") for text in errors["CE"]] == ["1.000", "1.000"]
    assert list(error_table(planes.only(["tiny"], ["noise"]))["corruption"]) == ["Noise"]


def test_several_models_share_figures_and_others_do_not(planes, detection):
    def named(name):
        change = {"tiny": name}
        limits = planes.thresholds | {"models": {name: planes.thresholds["models"]["tiny"]}}
        summary = planes.summary | {"models": {name: planes.summary["models"]["tiny"]}}
        return replace(planes, curves=planes.curves.replace({"model": change}), thresholds=limits, summary=summary)

    both = merged([planes, named("twin")])
    assert both.models == ["tiny", "twin"]
    figure = study_figure(both, 20)
    colours = {trace.name: trace.line.color for trace in figure.data if trace.name}
    assert len(set(colours.values())) == 2
    assert "tiny: accuracy" in sentence(both, 20)
    assert "twin: accuracy" in sentence(both, 20)
    assert len(threshold_table(both)) == 4
    with pytest.raises(DatasetError, match="differ in classes"):
        merged([planes, detection])


def test_figures_show_the_curves_their_bands_and_the_limits(planes):
    curves = planes.curves
    figure = study_figure(planes, 20)
    lines = [trace for trace in figure.data if trace.mode == "lines+markers"]
    for kind, trace in zip(planes.kinds, lines, strict=True):
        curve = curves[curves["kind"] == kind]
        assert np.allclose(trace.x, curve["intensity"])
        assert np.allclose(trace.y, curve["accuracy"])
        assert np.allclose(np.asarray(trace.customdata)[:, 3], curve["ci_low"])
    assert {note.text for note in figure.layout.annotations} >= {"Scale up", "Noise", "thesis 1.5", "thesis 0.18"}
    figure = study_figure(planes, 21, ssim="ssim_skimage_frame")
    assert np.allclose(figure.data[0].x, curves.loc[curves["kind"] == "scale_up", "ssim_skimage_frame"])
    assert figure.layout.xaxis.title.text == "SSIM (skimage, frame)"
    lines = [trace for trace in study_figure(planes, 22).data if trace.mode == "lines+markers"]
    assert np.allclose(lines[1].y, curves.loc[curves["kind"] == "noise", "ssim"])


def test_figures_of_a_detector_show_both_readings(detection):
    curves = detection.curves
    noise = curves[curves["kind"] == "noise"]
    with_limits = [trace for trace in study_figure(detection, 34).data if trace.mode == "lines+markers"][1]
    assert np.allclose(with_limits.y, noise["with_limits"])
    without = [trace for trace in study_figure(detection, 39).data if trace.mode == "lines+markers"][1]
    assert np.allclose(without.y, noise["without_limits"])
    assert np.allclose(study_figure(detection, 33).data[1].x, noise["ssim"])
    mean = study_figure(detection, 40).data[0]
    assert np.all(np.diff(mean.x) < 0)
    table = mean_by_similarity(detection, "detector")
    assert table["kinds"].sum() == len(curves.assign(bin=np.ceil(curves["ssim"] * 20)).groupby(["bin", "kind"]))


@pytest.mark.parametrize("number", FIGURES)
def test_each_figure_has_its_sentence_and_its_kind_of_model(planes, detection, number):
    mine, other = (detection, planes) if number >= 33 else (planes, detection)
    assert study_figure(mine, number).data
    assert sentence(mine, number).endswith(".")
    with pytest.raises(ParameterError):
        study_figure(other, number)


def test_an_unknown_figure_is_refused(planes):
    with pytest.raises(ParameterError, match="23"):
        study_figure(planes, 23)


def test_sentences_hold_the_numbers_of_the_curve():
    curve = pd.DataFrame({"intensity": [0.0, 1, 2, 3], "accuracy": [1, 1, 0.6, 0.2], "ssim": [1, 0.8, 0.6, 0.4]})
    fall, where = similarity_at_fall(curve)
    assert fall == pytest.approx(0.8)
    assert where == pytest.approx(0.6)
    assert similarity_at_fall(curve.assign(accuracy=1.0)) is None
    assert flat_from(np.array([0.0, 1, 2, 3]), np.array([1, 0.2, 0.05, 0])) == 2


def test_models_keep_their_colours():
    colours = model_colours([str(number) for number in range(6)])
    assert len(set(colours.values())) == 6
