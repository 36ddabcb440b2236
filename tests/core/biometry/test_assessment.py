"""Figures of agreement against plain formulas, overlaps against known areas, and the commands that print them."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from core import cli
from core.biometry.assessment import (
    _limit,
    _mean,
    _median,
    bootstrapped,
    dice,
    figures_of,
    hausdorff,
    read_head_evaluation,
)
from core.biometry.cross_validation import as_rows, cross_validate
from core.biometry.ellipse import Ellipse
from core.biometry.settings import HeadSettings
from core.datasets import load
from core.errors import DatasetError
from core.evaluation import bootstrap_by_patient
from core.zoo import registry
from core.zoo.cards import Card


def run(*arguments):
    return cli.main([str(argument) for argument in arguments])


def rows_of(errors, patients):
    return as_rows(
        pd.DataFrame({"patient": patients, "true_mm": 200.0, "predicted_mm": 200.0 + np.asarray(errors, float)})
    )


def test_figures_are_the_plain_formulas():
    errors = np.random.default_rng(0).normal(1, 3, 41)
    figures = figures_of(rows_of(errors, np.arange(41)))
    assert figures["mae"].value == pytest.approx(np.abs(errors).mean())
    assert figures["median"].value == pytest.approx(np.median(np.abs(errors)))
    assert figures["bias"].value == pytest.approx(errors.mean())
    assert figures["loa_low"].value == pytest.approx(errors.mean() - 1.96 * errors.std(ddof=1))
    assert figures["loa_high"].value == pytest.approx(errors.mean() + 1.96 * errors.std(ddof=1))
    assert figures["relative"].value == pytest.approx(np.abs(errors).mean() / 200)
    assert figures["coverage"].n == figures["dice"].n == 0


def test_weighted_statistics_are_those_of_repeated_values():
    values = np.sort(np.random.default_rng(2).normal(size=9))
    counts = np.random.default_rng(3).integers(0, 4, (20, 9)).astype(float)
    for row in counts:
        repeated = np.repeat(values, row.astype(int))
        assert _median(values, row[None])[0] == pytest.approx(np.median(repeated))
        expected = repeated.mean() + 1.96 * repeated.std(ddof=1)
        assert _limit(values, row[None], 1.96)[0] == pytest.approx(expected)


def test_intervals_draw_examinations_as_the_house_does():
    generator = np.random.default_rng(5)
    patients = np.repeat(np.arange(30), 3)
    values = np.repeat(generator.normal(size=30), 3) + generator.normal(0, 0.1, 90)
    ours, other = bootstrapped(values, patients, _mean), bootstrap_by_patient(values, patients)
    assert ours.value == pytest.approx(other.value)
    assert (ours.low, ours.high) == pytest.approx((other.low, other.high), abs=0.05)
    alone = bootstrapped(values, np.arange(90), _mean)
    assert ours.high - ours.low > 1.4 * (alone.high - alone.low)


def test_frames_without_an_outline_count_as_refused_not_as_errors():
    figures = figures_of(rows_of([1.0, np.nan, -1.0, 2.0], np.arange(4)))
    assert figures["mae"].n == 3
    assert figures["refused"].value == 0.25


def test_one_frame_has_an_error_but_no_limits():
    figures = figures_of(rows_of([2.0], [0]))
    assert (figures["mae"].value, figures["mae"].n) == (2, 1)
    assert figures["loa_low"].n == 0


def test_overlaps_of_circles_are_known():
    circle = Ellipse(0, 0, 10, 10, 0)
    assert dice(circle, circle) == 1
    assert hausdorff(circle, circle) == 0
    inner = Ellipse(0, 0, 8, 8, 0)
    assert dice(circle, inner) == pytest.approx(2 * 64 / 164, abs=5e-3)
    assert hausdorff(circle, inner) == pytest.approx(2, abs=1e-6)
    aside = Ellipse(3, 0, 10, 10, 0)
    assert hausdorff(circle, aside) == pytest.approx(3, abs=0.01)
    assert dice(circle, Ellipse(40, 0, 10, 10, 0)) == 0


@pytest.fixture
def copied(trained_heads, tmp_path, monkeypatch):
    """The tiny models alone, without those that ship beside them."""
    folder = tmp_path / "models"
    shutil.copytree(trained_heads, folder)
    monkeypatch.setattr(registry, "MODELS_FOLDER", folder)
    return folder


def test_evaluate_tells_new_frames_from_those_trained_on(heads, copied, capsys):
    assert run("evaluate", "--model", copied / "length", "--data", heads, "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert result["frames"] == 60
    assert result["trained_on"] == len(pd.read_csv(copied / "length" / "seen.csv"))
    assert result["n"] == 60 - result["trained_on"]
    assert result["ci_low"] <= result["mae_mm"] <= result["ci_high"]
    assert result["parts"]["trained on"]["mae"]["n"] == result["trained_on"]


def test_evaluate_records_rows_and_figures_of_other_peoples_frames(write_heads, copied, tmp_path, capsys):
    foreign = write_heads(tmp_path / "foreign", [806, 807, 810, 811])
    (foreign / "807_HC_Annotation.png").unlink()
    arguments = ("--data", foreign, "--split", "test", "--record", "others")
    assert run("evaluate", "--model", copied / "length", *arguments) == 0
    assert "4 real frames" in capsys.readouterr().out
    rows = read_head_evaluation("length", copied)
    assert list(rows["data"].unique()) == ["others"]
    assert rows["true_mm"].notna().all()
    np.testing.assert_allclose(rows["error_mm"], rows["predicted_mm"] - rows["true_mm"], atol=1e-9)
    card = json.loads((copied / "length" / "card.json").read_text())
    (metric,) = [one for one in card["metrics"] if one["name"] == "mean absolute error" and one["data"] == "others"]
    assert metric["unit"] == "mm"
    assert metric["value"] == pytest.approx(rows["error_mm"].abs().mean())
    assert "--record" not in metric["command"]
    assert run("evaluate", "--model", copied / "length", *arguments) == 0
    assert len(read_head_evaluation("length", copied)) == 4


def test_predict_measures_with_and_without_a_pixel_size(heads, copied, capsys):
    path = heads / "005_HC.png"
    assert run("predict", path, "--model", copied / "length", "--pixel-size", 0.5, "--json") == 0
    row = json.loads(capsys.readouterr().out)
    assert row["mm"] == pytest.approx(row["pixels"] * 0.5)
    assert row["pixel_size_source"] == "typed"
    assert row["low_mm"] < row["mm"] < row["high_mm"]
    assert {"regression", "segmentation", "bpd_mm", "ofd_mm", "gestational_age", "refusals"} <= set(row)
    assert run("predict", path, "--model", copied / "length", "--json") == 0
    row = json.loads(capsys.readouterr().out)
    assert row["mm"] is None
    assert row["pixel_size_source"] is None
    assert "--pixel-size" in row["note"]
    assert row["pixels"] > 0
    assert run("predict", path, "--model", copied / "length", "--pixel-size", "7") == 2
    assert "wide, not 7 mm" in capsys.readouterr().err


def test_a_cross_validation_goes_on_where_it_was_and_gathers_every_frame(heads, tmp_path):
    table = load(heads)
    trial = HeadSettings(backbone="cnn", size=32, epochs=1, augmentation="none", folds=2)
    quiet = {"weights": None, "report": lambda line: None}
    cross_validate(table, [trial], tmp_path, fold=0, **quiet)
    written = (tmp_path / "cnn_mae" / "fold_0" / "weights.npz").stat().st_mtime_ns
    comparison = cross_validate(table, [trial], tmp_path, **quiet)
    assert (tmp_path / "cnn_mae" / "fold_0" / "weights.npz").stat().st_mtime_ns == written
    assert comparison["n"].tolist() == [48]
    found = pd.read_csv(tmp_path / "out_of_fold.csv")
    assert found["image"].nunique() == len(found) == 48
    assert comparison["mae_mm"][0] == pytest.approx(found["error_mm"].abs().mean())
    assert pd.read_csv(tmp_path / "comparison.csv")["trial"].tolist() == ["cnn_mae"]
    begun = tmp_path / "begun"
    cross_validate(table, [trial], begun, fold=1, start=tmp_path / "cnn_mae", **quiet)
    card = Card.read(begun / "cnn_mae" / "fold_1")
    assert "layers of cnn_mae/fold_1;" in card.training["start"]
    assert card.title.endswith("MAE loss, fold 2 of 2, 32 pixels")
    with pytest.raises(DatasetError, match="other settings"):
        cross_validate(table, [HeadSettings(**{**trial.__dict__, "epochs": 2})], tmp_path, **quiet)
