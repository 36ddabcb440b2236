"""The command line's contract, in process; and a few commands as real processes."""

import json
import re
import shutil
import subprocess
import sys

import cv2
import numpy as np
import pandas as pd
import pytest

from core import cli
from core.cli.shared import Progress
from core.explain import METHODS
from core.zoo import registry


@pytest.fixture
def models(trained_folder, tmp_path, monkeypatch):
    """A models folder that holds the tiny trained model, in place of the one that ships."""
    folder = tmp_path / "models"
    shutil.copytree(trained_folder, folder / "shapes")
    for function in (registry.list_cards, registry.read_card, registry.load_model):
        monkeypatch.setattr(function, "__defaults__", (folder,))
    monkeypatch.setattr(registry.default_name, "__defaults__", ("plane", folder))
    monkeypatch.setattr(registry, "MODELS_FOLDER", folder)
    return folder


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "frame.png"
    picture = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (120, 160), np.uint8), (0, 0), 2)
    cv2.imwrite(str(path), picture)
    return path


def run(*arguments):
    return cli.main([str(argument) for argument in arguments])


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def test_models_lists_name_task_and_figure(models, capsys):
    assert run("models", "--json") == 0
    (row,) = lines(capsys.readouterr().out)
    assert set(row) == {"name", "task", "backbone", "classes", "metric", "value", "unit", "n"}
    assert row["name"] == "shapes"
    assert row["n"] == 12


def test_a_damaged_card_is_a_line_and_two_and_the_other_models_are_listed(models, capsys):
    (models / "damaged").mkdir()
    (models / "damaged" / "card.json").write_text("{")
    for command, shown in (
        (["models", "--json"], '"name": "shapes"'),
        (["models", "--figures"], "**shapes**"),
        (["models"], "shapes  "),
        (["methods"], "shapes  "),
    ):
        assert run(*command) == 2, command
        out, error = capsys.readouterr()
        assert shown in out, command
        (line,) = error.splitlines()
        assert "'damaged' cannot be read" in line
        assert "restore models/damaged/card.json" in line


def test_dicom_is_preprocessed_and_predicted(models, dicom_loop, tmp_path, capsys):
    path = tmp_path / "loop.dcm"
    path.write_bytes(dicom_loop)
    assert run("preprocess", path, "--out", tmp_path / "stages") == 0
    assert cv2.imread(str(tmp_path / "stages" / "01_input.png"), 0).shape == (60, 80)
    assert "3 frames; number 1 is shown" in capsys.readouterr().err
    assert run("predict", path, "--model", "shapes", "--json") == 0
    (row,) = lines(capsys.readouterr().out)
    assert sum(row["probabilities"].values()) == pytest.approx(1)
    assert "Mustermann" not in str(row)


def test_every_command_on_an_image_takes_a_frame_of_a_loop(models, dicom_loop, image, tmp_path, capsys):
    path, out = tmp_path / "loop.dcm", tmp_path / "out"
    path.write_bytes(dicom_loop)
    shades = {1: 60, 2: 120, 3: 180}
    for frame, shade in shades.items():
        assert run("preprocess", path, "--frame", frame, "--out", out) == 0
        assert np.unique(cv2.imread(str(out / "01_input.png"), 0)).tolist() == [shade]
        corrupted = out / "corrupted.png"
        assert run("corrupt", path, "--frame", frame, "--kind", "blur", "--intensity", 1, "--out", corrupted) == 0
        assert np.unique(cv2.imread(str(corrupted), 0)).tolist() == [shade]
    capsys.readouterr()

    def answers(*arguments):
        assert run(*arguments, "--json") == 0
        return lines(capsys.readouterr().out)[0]

    predicted = [answers("predict", path, "--frame", frame)["probabilities"] for frame in shades]
    assert predicted[0] != predicted[2]
    assert answers("predict", path)["probabilities"] == predicted[0]
    sure = answers("predict", path, "--frame", 3, "--uncertainty", "test_time_augmentation")
    assert sure["probabilities"] != predicted[0]
    explained = answers("explain", path, "--frame", 3, "--method", "cam", "--target", "BPD", "--out", out)
    assert explained["probability"] == pytest.approx(predicted[2]["BPD"], abs=1e-6)


def test_a_frame_that_is_not_there_is_a_line_and_two(models, dicom_loop, image, tmp_path, capsys):
    path = tmp_path / "loop.dcm"
    path.write_bytes(dicom_loop)
    for command in (["predict", path], ["preprocess", path, "--out", tmp_path / "out"]):
        assert run(*command, "--frame", 4) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.endswith("has no frame 4: choose one from 1 to 3.")
    assert run("predict", image, "--frame", 2) == 2
    assert "frame.png is no DICOM loop and has no frame 2: ask for frame 1." in capsys.readouterr().err
    assert run("predict", path, "--frame", 0) == 2
    assert "0 is not at least 1" in capsys.readouterr().err


def test_predict_prints_an_object_per_image_in_order(models, shape_folder, capsys):
    paths = [shape_folder / plane / f"{number:03d}.png" for plane in ("NT", "BPD") for number in range(3)]
    assert run("predict", *paths, "--model", "shapes", "--json") == 0
    rows = lines(capsys.readouterr().out)
    assert [row["path"] for row in rows] == [str(path) for path in paths]
    for row in rows:
        assert set(row["probabilities"]) == {"BPD", "CRL", "NT"}
        assert sum(row["probabilities"].values()) == pytest.approx(1)
        assert row["label"] == max(row["probabilities"], key=row["probabilities"].get)


def test_predict_goes_on_past_bad_images_and_says_one_line_each(models, image, tmp_path, capsys):
    broken = tmp_path / "broken.png"
    broken.write_bytes(image.read_bytes()[:300])
    assert run("predict", broken, image, tmp_path / "none.png", "--json") == 2
    captured = capsys.readouterr()
    assert [row["path"] for row in lines(captured.out)] == [str(image)]
    complaints = [line for line in captured.err.splitlines() if ".png" in line]
    assert len(complaints) == 2
    assert "Traceback" not in captured.err


def test_predict_adds_spread_and_expert_and_keeps_its_fields(models, image, capsys):
    assert run("predict", image, "--json") == 0
    (plain,) = lines(capsys.readouterr().out)
    assert run("predict", image, "--json", "--uncertainty", "single", "--expert-below", "0") == 0
    (single,) = lines(capsys.readouterr().out)
    assert plain.items() <= single.items()
    assert set(single) - set(plain) == {"uncertainty", "spread", "mutual_information_bits", "expert"}
    assert single["spread"] == {"BPD": 0, "CRL": 0, "NT": 0}
    assert single["expert"] == plain["unlike_training"]
    assert run("predict", image, "--json", "--uncertainty", "monte_carlo_dropout", "--expert-below", "1") == 0
    (dropout,) = lines(capsys.readouterr().out)
    assert all(value > 0 for value in dropout["spread"].values())
    assert sum(dropout["probabilities"].values()) == pytest.approx(1)
    assert dropout["expert"]
    assert run("predict", image, "--uncertainty", "monte_carlo_dropout", "--expert-below", "1") == 0
    assert "send to an expert" in capsys.readouterr().out


def test_predict_asks_an_ensemble_where_there_is_one(models, image, capsys):
    assert run("predict", image, "--json", "--uncertainty", "ensemble") == 2
    assert "second model" in capsys.readouterr().err
    twin = models / "twin"
    shutil.copytree(models / "shapes", twin)
    card = json.loads((twin / "card.json").read_text())
    (twin / "card.json").write_text(json.dumps(card | {"name": "twin", "temperature": 20 * card["temperature"]}))
    answers = []
    for arguments in (["--model", "shapes"], ["--model", "twin"], ["--model", "twin", "--uncertainty", "ensemble"]):
        assert run("predict", image, "--json", *arguments) == 0
        answers += lines(capsys.readouterr().out)
    for name in ("BPD", "CRL", "NT"):
        one, other, both = (answer["probabilities"][name] for answer in answers)
        assert both == pytest.approx((one + other) / 2)
        assert answers[2]["spread"][name] == pytest.approx(abs(one - other) / 2)


@pytest.mark.parametrize(
    "arguments",
    [
        ["predict", "IMAGE", "--model", "nothing"],
        ["predict", "IMAGE", "--uncertainty", "crystal_ball"],
        ["predict", "IMAGE", "--uncertainty", "single", "--expert-below", "90"],
        ["predict", "IMAGE", "--expert-below", "0.9"],
        ["corrupt", "IMAGE", "--kind", "blur", "--intensity", "-1", "--out", "OUT/x.png"],
        ["corrupt", "IMAGE", "--kind", "melt", "--intensity", "1", "--out", "OUT/x.png"],
        ["corrupt", "IMAGE", "--kind", "blur", "--intensity", "nan", "--out", "OUT/x.png"],
        ["corrupt", "IMAGE", "--kind", "blur", "--intensity", "3", "--out", "OUT/x.jpg"],
        ["explain", "IMAGE", "--method", "tarot", "--out", "OUT"],
        ["explain", "IMAGE", "--method", "cam", "--target", "femur", "--out", "OUT"],
        ["maximise", "--target", "femur", "--out", "OUT"],
        ["maximise", "--target", "BPD", "--preset", "dreamy", "--out", "OUT"],
        ["maximise", "--out", "OUT"],
        ["evaluate", "--data", "OUT/nowhere"],
        ["drift", "--data", "OUT/nowhere", "--out", "OUT/study"],
        ["drift", "--data", "OUT", "--out", "OUT/study", "--kind", "melt"],
        ["drift", "--data", "OUT", "--out", "OUT/study", "--method", "tarot"],
        ["drift", "--data", "OUT", "--out", "OUT/study", "--steps", "2"],
        ["drift", "--data", "OUT", "--out", "OUT/study", "--limit", "1"],
        ["drift", "--data", "phantom:BPD:3", "--split", "test", "--out", "OUT/study"],
        ["drift", "--data", "OUT"],
        ["faithfulness", "--data", "OUT/nowhere", "--out", "OUT/study"],
        ["faithfulness", "--data", "OUT", "--out", "OUT/study", "--method", "tarot"],
        ["faithfulness", "--data", "OUT", "--out", "OUT/study", "--fill", "pink"],
        ["faithfulness", "--data", "OUT", "--out", "OUT/study", "--limit", "1"],
        ["faithfulness", "--data", "SHAPES", "--out", "OUT/study", "--record", "../elsewhere"],
        ["faithfulness", "--data", "phantom:BPD:3:unseen", "--split", "test", "--out", "OUT/study"],
        ["perturbation", "--data", "SHAPES", "--out", "OUT/study"],
        ["perturbation", "--model", "nothing", "--data", "SHAPES", "--out", "OUT/study"],
        ["perturbation", "--model", "shapes", "--data", "SHAPES", "--out", "OUT/study"],
        ["sweep", "--data", "OUT/nowhere", "--out", "OUT/s"],
        ["sweep", "--data", "SHAPES", "--out", "OUT/s", "--kind", "melt"],
        ["sweep", "--data", "SHAPES", "--out", "OUT/s", "--grid", "monthly"],
        ["sweep", "--data", "SHAPES", "--out", "OUT/s", "--side", "4"],
        ["sweep", "--data", "SHAPES", "--out", "OUT/s", "--level", "90"],
        ["sweep", "--data", "SHAPES", "--out", "OUT/s", "--loss", "nan"],
        ["sweep", "--data", "SHAPES", "--out", "OUT/s", "--model", "nothing"],
        ["sweep", "--data", "SHAPES", "--out", "OUT/s", "--model", "shapes", "--model", "shapes"],
        ["sweep", "--data", "SHAPES", "--out", "OUT/s", "--baseline", "nothing"],
        ["sweep", "--data", "SHAPES", "--out", "OUT/s", "--beside", "SHAPES"],
        ["sweep", "--data", "SHAPES/BPD", "--out", "OUT/s"],
        ["sweep", "--data", "SHAPES", "--out", "OUT/s", "--limit", "0"],
        ["sweep", "--data", "SHAPES"],
        ["train", "--data", "OUT/nowhere", "--out", "OUT/model", "--weights", "none"],
        ["train", "--data", "OUT", "--out", "OUT/model", "--weights", "OUT/none.h5"],
        ["phantom", "--plane", "spleen", "--out", "OUT"],
        ["phantom", "--plane", "crl", "--raw", "toshiba", "--out", "OUT"],
        ["preprocess", "OUT/none.png", "--out", "OUT"],
        ["preprocess", "IMAGE", "--out", "OUT", "--mask", "carnival"],
        ["phantom", "--plane", "crl", "--n", "-3", "--out", "OUT"],
        ["predict"],
        ["dance"],
        [],
    ],
    ids=" ".join,
)
def test_unusable_arguments_give_one_line_and_two(models, image, shape_folder, tmp_path, capsys, arguments):
    (tmp_path / "OUT").mkdir()
    places = {"IMAGE": str(image), "OUT": str(tmp_path / "OUT"), "SHAPES": str(shape_folder)}
    given = [re.sub("|".join(places), lambda found: places[found[0]], text, count=1) for text in arguments]
    assert run(*given) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.strip().splitlines()) == 1
    assert "Traceback" not in captured.err


def test_preprocess_writes_numbered_stages(image, tmp_path):
    assert run("preprocess", image, "--out", tmp_path / "stages") == 0
    names = sorted(path.name for path in (tmp_path / "stages").iterdir())
    assert [int(name[:2]) for name in names] == list(range(1, len(names) + 1))
    assert len(names) == 8
    resized = next(name for name in names if "resize" in name)
    assert cv2.imread(str(tmp_path / "stages" / resized), cv2.IMREAD_UNCHANGED).shape == (299, 299)


def test_preprocess_thesis_preset_does_not_crop_unknown_sizes(image, tmp_path):
    assert run("preprocess", image, "--thesis", "--out", tmp_path / "stages") == 0
    assert any("crop" in path.name for path in (tmp_path / "stages").iterdir())


def test_corrupt_keeps_the_size_and_reports_both_similarities(image, tmp_path, capsys):
    out = tmp_path / "new" / "noisy.png"
    arguments = ("corrupt", image, "--kind", "noise", "--intensity", "0.2", "--seed", "4", "--out", out, "--json")
    assert run(*arguments) == 0
    (row,) = lines(capsys.readouterr().out)
    first = cv2.imread(str(out), cv2.IMREAD_UNCHANGED)
    assert first.shape == (120, 160)
    assert first.dtype == np.uint8
    assert row["kind"] == "noise"
    assert -1 <= row["ssim"] < 0.9
    assert {"intensity", "unit", "ssim_sector"} <= set(row)
    assert run(*arguments) == 0
    assert np.array_equal(first, cv2.imread(str(out), cv2.IMREAD_UNCHANGED))


def test_corrupt_of_nothing_is_the_frame(image, tmp_path, capsys):
    out = tmp_path / "same.png"
    assert run("corrupt", image, "--kind", "blur", "--intensity", "0", "--out", out, "--json") == 0
    assert lines(capsys.readouterr().out)[0]["ssim"] == pytest.approx(1)
    assert np.array_equal(cv2.imread(str(out), 0), cv2.imread(str(image), 0))


def test_evaluate_prints_one_object_with_interval_and_matrix(models, shape_folder, capsys):
    assert run("evaluate", "--model", "shapes", "--data", shape_folder, "--json") == 0
    (row,) = lines(capsys.readouterr().out)
    assert row["ci_low"] <= row["accuracy"] <= row["ci_high"]
    assert row["n"] == 72
    assert np.sum(row["confusion_matrix"]) == 72
    assert set(row["per_class"]) == {"BPD", "CRL", "NT"}


def test_evaluate_record_writes_card_and_rows(models, shape_folder, capsys):
    assert run("evaluate", "--model", "shapes", "--data", shape_folder, "--record", "drawn shapes") == 0
    assert "accuracy" in capsys.readouterr().out
    card = registry.read_card("shapes", models)
    recorded = [metric for metric in card.metrics if metric.data == "drawn shapes"]
    assert recorded
    assert "--record" not in recorded[0].command
    assert len(pd.read_csv(models / "shapes" / "evaluation.csv.gz")) == 72


def test_evaluate_of_heads_alone_gives_shares_and_the_small_ones_apart(models, tmp_path, capsys):
    for seed, name in enumerate(("000_HC.png", "001_HC.png", "002_HC.png")):
        cv2.imwrite(str(tmp_path / name), np.random.default_rng(seed).integers(0, 256, (60, 80), np.uint8))
    pd.DataFrame(
        {
            "filename": ["000_HC.png", "001_HC.png", "002_HC.png"],
            "pixel size(mm)": 0.1,
            "head circumference (mm)": [44.3, 170.0, 180.0],
        }
    ).to_csv(tmp_path / "training_set_pixel_size_and_HC.csv", index=False)
    assert run("evaluate", "--model", "shapes", "--data", tmp_path, "--json") == 0
    (row,) = lines(capsys.readouterr().out)
    assert row["share_called"]["BPD"]["n"] == 3
    assert {title: part["n"] for title, part in row["parts"].items()} == {
        "circumference under 100 mm": 1,
        "examinations held out": 1,
        "examinations held out, circumference under 100 mm": 1,
    }
    assert row["accuracy"] == row["share_called"]["BPD"]["value"]
    assert row["simulated"] is False


SWEPT = ["--kind", "noise", "--grid", "severities", "--limit", "3"]


def test_sweep_writes_curves_thresholds_and_rows(models, shape_folder, tmp_path, capsys):
    out = tmp_path / "swept"
    given = ["sweep", "--model", "shapes", "--data", shape_folder, "--out", out, *SWEPT, "--baseline", "shapes"]
    assert run(*given, "--json") == 0
    (summary,) = lines(capsys.readouterr().out)
    curves = pd.read_csv(out / "sweep.csv")
    assert list(curves.columns[:7]) == ["kind", "intensity", "n", "accuracy", "ci_low", "ci_high", "ssim"]
    assert len(curves) == 6
    assert set(curves["n"]) == {9}
    assert curves["ssim"].iloc[0] == 1
    assert curves["ssim"].is_monotonic_decreasing
    rows = pd.read_csv(out / "rows.csv.gz", keep_default_na=False)
    assert len(rows) == 6 * 9
    right = rows[["p_BPD", "p_CRL", "p_NT"]].idxmax(axis=1).str.removeprefix("p_") == rows["label"]
    assert right.groupby(rows["intensity"]).mean().tolist() == pytest.approx(curves["accuracy"].tolist(), abs=1e-5)
    limits = json.loads((out / "thresholds.json").read_text())
    noise = limits["models"]["shapes"]["noise"]
    assert noise["published_limit"] == 0.18
    assert {"value", "low", "high", "status", "n"} <= set(noise["level"]) & set(noise["loss"])
    assert summary["thresholds"] == limits
    assert summary["simulated"] is False
    assert summary["command"].startswith("python -m core sweep --model shapes")
    assert summary["corruption_errors"]["baseline"] == "shapes"
    assert summary["answers_computed"] == summary["answers"] == 54
    # Once more: all is found; with one more image a class, only these are computed.
    assert run(*given, "--json") == 0
    assert lines(capsys.readouterr().out)[0]["answers_computed"] == 0
    given[given.index("--limit") + 1] = "4"
    assert run(*given, "--json") == 0
    assert lines(capsys.readouterr().out)[0]["answers_computed"] == 18


def test_sweep_of_one_class_is_a_share_called_and_is_recorded(models, shape_folder, tmp_path, capsys):
    out = tmp_path / "swept"
    given = ["sweep", "--data", shape_folder / "BPD", "--label", "*.png=BPD", "--out", out, *SWEPT]
    assert run(*given, "--beside", shape_folder / "NT", "--record", "rings and half disks") == 0
    printed = capsys.readouterr().out
    assert "share called BPD" in printed
    assert "the thesis's limit: 0.18" in printed
    kept = models / "shapes" / "sweep" / "rings_and_half_disks"
    assert sorted(path.name for path in kept.iterdir()) == ["sweep.csv", "sweep.json", "thresholds.json"]
    curves = pd.read_csv(kept / "sweep.csv")
    assert set(curves["beside_n"]) == {3}
    assert json.loads((kept / "sweep.json").read_text())["data"] == "rings and half disks"


def test_a_stopped_sweep_says_how_to_go_on(models, shape_folder, tmp_path, capsys, monkeypatch):
    def stop(self, share):
        if share > 0.3:
            raise KeyboardInterrupt

    given = ["sweep", "--data", shape_folder, "--out", tmp_path / "swept", *SWEPT]
    with monkeypatch.context() as patch:
        patch.setattr(Progress, "__call__", stop)
        patch.setattr("core.sweep.engine.BATCH", 4)
        assert run(*given) == 130
    assert "goes on from there" in capsys.readouterr().err
    assert run(*given, "--json") == 0
    assert 0 < lines(capsys.readouterr().out)[0]["answers_computed"] < 54


def test_explain_writes_map_and_overlay(models, shape_folder, tmp_path, capsys):
    picture = shape_folder / "NT" / "000.png"
    out = tmp_path / "map"
    assert run("explain", picture, "--method", "grad_cam", "--target", "BPD", "--out", out, "--json") == 0
    (row,) = lines(capsys.readouterr().out)
    values = np.load(out / "map.npy")
    assert values.dtype == np.float32
    assert list(values.shape) == row["shape"]
    assert row["target"] == "BPD"
    assert cv2.imread(str(out / "overlay.png")).shape[:2] == values.shape


def test_explain_of_a_measurement_tells_the_circumference_and_keeps_the_sign(regressor_folder, image, tmp_path, capsys):
    arguments = ("explain", image, "--method", "grad_cam", "--model", regressor_folder, "--out", tmp_path / "map")
    assert run(*arguments, "--json") == 0
    (row,) = lines(capsys.readouterr().out)
    model = registry.load_model(regressor_folder.name, regressor_folder.parent)
    frame = cv2.imread(str(image), cv2.IMREAD_GRAYSCALE)
    # The tiny model stretches the whole frame of 160 x 120 to 32 x 32: its pixels are 5 of the frame's across.
    assert row["pixels"] == pytest.approx(5 * model.scores(model.prepare(frame)[None])[0, 0], rel=1e-5)
    assert (row["target"], "probability" in row) == ("head circumference", False)
    assert np.load(tmp_path / "map" / "map.npy").min() < 0
    assert run(*arguments) == 0
    assert f"({row['pixels']:.0f} pixels of the frame)" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["maximise", "drift", "faithfulness"])
def test_what_asks_about_classes_refuses_a_model_that_measures(command, regressor_folder, tmp_path, capsys):
    given = ("--target", "head circumference") if command == "maximise" else ("--data", tmp_path)
    assert run(command, "--model", regressor_folder, *given, "--out", tmp_path / "out") == 2
    assert "choose a model that has classes" in capsys.readouterr().err


def test_methods_says_which_fit_each_model_and_why_not(models, capsys):
    card = registry.read_card("shapes")
    assert run("methods", "--json") == 0
    rows = {row["name"]: row for row in lines(capsys.readouterr().out)}
    assert {name: row["models"]["shapes"] for name, row in rows.items()} == {
        name: method.obstacle(card) for name, method in METHODS.items()
    }
    assert (rows["lime"]["signed"], rows["saliency"]["costly"], rows["cam"]["family"]) == (True, False, "activation")
    assert run("methods") == 0
    text = capsys.readouterr().out
    for name, row in rows.items():
        assert re.search(rf"^{name} .*{re.escape(row['title'])}", text, flags=re.MULTILINE)
        assert (row["models"]["shapes"] or "✓") in text


def test_explain_tells_how_complete_integrated_gradients_are(models, shape_folder, tmp_path, capsys):
    arguments = ("explain", shape_folder / "NT" / "000.png", "--method", "integrated_gradients", "--out", tmp_path)
    assert run(*arguments, "--json") == 0
    (row,) = lines(capsys.readouterr().out)
    facts = row["facts"]
    assert np.load(tmp_path / "map.npy").sum() == pytest.approx(facts["difference"] + facts["residual"], rel=1e-3)
    assert run(*arguments) == 0
    assert f"residual is {facts['residual']:+.2f}" in capsys.readouterr().out


def test_maximise_writes_a_picture_and_a_rising_score(models, tmp_path, capsys):
    out = tmp_path / "class"
    arguments = ("maximise", "--target", "CRL", "--preset", "thesis_text", "--seed", "3", "--steps", "7", "--out", out)
    assert run(*arguments, "--json") == 0
    (row,) = lines(capsys.readouterr().out)
    assert (row["target"], row["preset"], row["seed"], row["steps"]) == ("CRL", "thesis_text", 3, 7)
    scores = pd.read_csv(out / "score.csv")
    assert scores["step"].tolist() == list(range(row["steps"] + 1))
    assert scores["score"].iloc[[0, -1]].tolist() == pytest.approx([row["first_score"], row["last_score"]], rel=1e-4)
    assert row["last_score"] > row["first_score"]
    picture = cv2.imread(str(out / "picture.png"), cv2.IMREAD_UNCHANGED)
    assert picture.ndim == 2
    assert picture.mean() == pytest.approx(127.5, abs=5)


def test_drift_writes_rows_and_an_answer(models, shape_folder, tmp_path, capsys):
    out = tmp_path / "study"
    arguments = ("drift", "--data", shape_folder, "--out", out, "--limit", "6", "--steps", "4", "--kind", "noise")
    assert run(*arguments, "--method", "cam", "--method", "cam", "--name", "drawn shapes", "--json") == 0
    rows = lines(capsys.readouterr().out)
    assert [(row["measure"], row["kind"]) for row in rows] == [
        (measure, kind) for measure in ("rank_correlation", "top_overlap") for kind in ("noise", "all")
    ]
    assert {row["method"] for row in rows} == {"cam"}
    for row in rows:
        assert row["explanation"] + row["together"] + row["prediction"] == row["either"]
        assert row["either"] + row["neither"] == row["n"] == 6 - row["unanswered"]
        assert row["simulated"] is False
    assert len(pd.read_csv(out / "drift.csv.gz")) == 6 * 4
    about = json.loads((out / "drift.json").read_text())
    assert about["data"] == "drawn shapes"
    assert about["command"].startswith("python -m core drift --data")
    assert "--json" not in about["command"]
    assert run(*arguments, "--method", "cam") == 0
    assert "6 real images" in capsys.readouterr().out


def test_drift_takes_the_theses_kinds_and_all_quick_methods_that_fit(models, shape_folder, tmp_path):
    assert run("drift", "--data", shape_folder, "--out", tmp_path, "--limit", "2", "--steps", "3") == 0
    rows = pd.read_csv(tmp_path / "drift.csv.gz")
    assert list(rows["kind"].unique()) == ["scale_up", "blur", "noise"]
    assert {"saliency", "cam", "grad_cam"} <= set(rows["method"])
    assert not {"occlusion", "lime", "rise"} & set(rows["method"])


def test_faithfulness_writes_tables_and_records_them_with_the_model(models, shape_folder, tmp_path, capsys):
    out = tmp_path / "study"
    arguments = ("faithfulness", "--data", shape_folder, "--out", out, "--limit", "4", "--fill", "mean")
    assert run(*arguments, "--method", "cam", "--method", "saliency", "--record", "drawn", "--json") == 0
    rows = lines(capsys.readouterr().out)
    assert {row["method"] for row in rows} == {"cam", "saliency", "random_regions", "random_pixels"}
    deletion = next(row for row in rows if (row["method"], row["measure"]) == ("cam", "deletion"))
    assert deletion["n"] == 4
    assert deletion["low"] <= deletion["value"] <= deletion["high"]
    recorded = models / "shapes" / "faithfulness" / "drawn"
    names = {"faithfulness.csv", "curves.csv", "localisation.csv", "agreement.csv", "faithfulness.json"}
    assert {path.name for path in recorded.iterdir()} == names
    about = json.loads((recorded / "faithfulness.json").read_text())
    assert (about["data"], about["scoring"]["fill"], about["simulated"]) == ("drawn", "mean", False)
    assert about["command"].startswith("python -m core faithfulness --data")
    assert run(*arguments, "--method", "cam") == 0
    assert "AOPC gap" in capsys.readouterr().out


def test_train_writes_a_model_that_evaluates(shape_folder, tmp_path, capsys):
    out = tmp_path / "mine"
    given = ["train", "--backbone", "cnn", "--data", shape_folder, "--out", out, "--weights", "none"]
    assert run(*given, "--epochs", "1", "--size", "32") == 0
    assert (out / "card.json").is_file()
    assert "epoch 1/1" in capsys.readouterr().out


def test_phantom_is_a_pure_function_of_plane_seed_and_number(tmp_path, capsys):
    assert run("phantom", "--plane", "crl", "--n", "2", "--seed", "3", "--size", "96", "--out", tmp_path / "a") == 0
    assert run("phantom", "--plane", "crl", "--n", "1", "--seed", "3", "--size", "96", "--out", tmp_path / "b") == 0
    first = (tmp_path / "a" / "crl_000000.png").read_bytes()
    assert first == (tmp_path / "b" / "crl_000000.png").read_bytes()
    assert first != (tmp_path / "a" / "crl_000001.png").read_bytes()
    assert list(pd.read_csv(tmp_path / "a" / "manifest.csv")["plane"]) == ["CRL", "CRL"]
    assert run("phantom", "--plane", "crl", "--n", "1", "--seed", "9", "--size", "96", "--out", tmp_path / "b") == 2
    assert (tmp_path / "b" / "crl_000000.png").read_bytes() == first


def test_phantom_raw_writes_screen_clean_twin_and_mask(tmp_path):
    assert run("phantom", "--plane", "bpd", "--n", "1", "--raw", "siemens", "--masks", "--out", tmp_path) == 0
    shapes = {path.name: cv2.imread(str(path)).shape for path in tmp_path.glob("*.png")}
    assert shapes["bpd_000000.png"] == shapes["bpd_000000_clean.png"] == (768, 1024, 3)
    assert "bpd_000000_mask.png" in shapes


def test_help_names_every_command(capsys):
    assert run("--help") == 0
    text = capsys.readouterr().out
    for command in (
        "models", "phantom", "preprocess", "predict", "corrupt", "evaluate", "sweep", "methods", "explain", "maximise",
        "drift", "faithfulness", "perturbation", "reviews", "train",
    ):  # fmt: skip
        assert command in text


def test_a_full_disk_is_a_sentence(image, tmp_path, capsys, monkeypatch):
    arguments = ("corrupt", image, "--kind", "blur", "--intensity", "1", "--out", "/dev/full.png")
    assert run(*arguments) == 2 or not (tmp_path / "x").exists()
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["models", "--json"],
        ["predict", "nowhere.png", "--json"],
        ["drift", "--data", "nowhere", "--out", "nowhere"],
        ["faithfulness", "--data", "nowhere", "--out", "nowhere"],
        ["perturbation", "--model", "nowhere", "--data", "nowhere", "--out", "nowhere"],
        ["methods", "--json"],
        ["reviews", "summary", "--database", "nowhere"],
        ["sweep", "--data", "x", "--out", "y"],
        ["frobnicate"],
    ],
)
def test_as_a_real_process_arguments_are_checked_without_tensorflow(arguments):
    """Half of a second, not the several that importing TensorFlow takes: its name must not be among the imports."""
    code = (
        "import sys; from core.cli import main; status = main(sys.argv[1:]); "
        "sys.stderr.write(f'TF {\"tensorflow\" in sys.modules}'); sys.exit(status)"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == (0 if arguments[0] in ("models", "methods") else 2)
    assert done.stderr.endswith("TF False")
    assert "Traceback" not in done.stderr
