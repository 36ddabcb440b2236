"""Perturbation studies of a regression: what is run, kept and gone on with, and what their figures say."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from benchmarks import head_explanations
from core import cli
from core.biometry.data import read_heads
from core.datasets import load
from core.errors import Cancelled, DatasetError, ParameterError
from core.evaluation import bootstrap_by_patient
from core.explain import METHODS
from core.explain.contour import contour_shares, ring_around
from core.explain.head_run import HeadStudySettings, run_head_study
from core.explain.head_study import (
    BASELINES,
    CASE_QUALITIES,
    FILES,
    HIGH,
    LOW,
    NUMBERS,
    QUALITIES,
    TABLES,
    backbone_conclusions,
    compare_backbones,
    halved,
    holm,
    permutation_test,
    read_study,
)
from core.explain.head_tables import backbone_table, contour_table, gap_table, halves_table, quality_table
from core.explain.regression_perturbation import STEPS, Protocol, aopc, follow
from core.zoo.prediction import to_unit

QUICK = Protocol(grids=(4, 8), fills=("noise", "black"), chances=2)
NAMES = ["000_HC.png", "005_HC.png", "005_2HC.png", "010_HC.png", "015_HC.png", "020_HC.png"]
COSTLY = 3


pytestmark = pytest.mark.usefixtures("oracles")


@pytest.fixture(scope="module")
def table(tmp_path_factory, write_heads):
    folder = tmp_path_factory.mktemp("heads")
    write_heads(folder, NAMES)
    return load(folder)


def small(*methods, **options):
    return HeadStudySettings(methods, **{"protocol": QUICK, "costly_limit": COSTLY} | options)


@pytest.fixture(scope="module")
def study(regressor, table, oracles, tmp_path_factory):
    out = tmp_path_factory.mktemp("study")
    return run_head_study(regressor, table, small("bright", "dim"), out, name="drawn", command="made so")


def test_a_study_holds_what_its_definition_says(study, regressor, table):
    """Gap, AOPC in mm and in pixels, contour and curve of one method, computed anew head by head."""
    heads = read_heads(table, regressor.settings, 32)
    images = to_unit(heads.images)
    gaps, pixels, follows, errors = [], [], [], []
    for number, image in enumerate(images):
        millimetres = heads.pixel_sizes[number] / heads.scales[number]
        hidden = QUICK.fill_of(image, number, "noise")
        order = QUICK.map_places(image, 4, number, ("size",))["size/most"]
        lengths = follow(regressor, image, hidden, np.stack([order, *QUICK.chance_places(4, number)]))
        away = np.abs(lengths * millimetres - heads.circumferences[number])
        errors.append(away[0])
        gaps.append(aopc(away[1:]).mean() - aopc(away[0]))
        pixels.append(aopc(away[0]) / heads.pixel_sizes[number])
        ring = ring_around(heads.ellipses[number], image, millimetres)
        follows.append(contour_shares(image, ring)["enrichment_in_view"])
    gap = study.score("bright", "gap_mm")
    expected = bootstrap_by_patient(np.array(gaps), table.frame["patient"])
    assert [gap.value, gap.low, gap.high, gap.n] == pytest.approx([expected.value, expected.low, expected.high, 6])
    assert study.score("bright", "aopc_pixels").value == pytest.approx(np.mean(pixels))
    assert study.place("bright", "enrichment_in_view").value == pytest.approx(np.mean(follows))
    curve = study.curves[
        (study.curves["method"] == "bright") & (study.curves["grid"] == 4) & (study.curves["fill"] == "noise")
        & (study.curves["order"] == "most")
    ]  # fmt: skip
    assert curve["value"].to_numpy() == pytest.approx(np.mean(errors, axis=0))
    assert curve["step"].tolist() == list(range(STEPS + 1))
    assert study.images["error_mm"].to_numpy() == pytest.approx([one[0] for one in errors])
    assert study.cases.loc[study.cases["method"] == "bright", "gap_mm"].to_numpy() == pytest.approx(gaps)


def test_costly_methods_explain_fewer_and_signed_maps_are_ranked_twice(study):
    assert {method: study.score(method, "gap_mm").n for method in ("bright", "dim")} == {"bright": 6, "dim": COSTLY}
    assert study.rankings("bright") == ["size"]
    assert study.rankings("dim") == ["size", "sign"]
    assert study.score("bright", "sign_gap_mm", ranking="sign").n == 0
    assert study.score("dim", "sign_gap_mm", ranking="sign").n == COSTLY
    assert set(study.scores["method"]) == {"bright", "dim", *BASELINES}
    assert len(study.scores[["grid", "fill"]].drop_duplicates()) == 4
    random = study.curves[study.curves["order"] == "random"]
    assert set(random.loc[random["method"] == "dim", "n"]) == {COSTLY}


def test_all_orders_begin_and_end_alike(study):
    for step in (0, STEPS):
        rows = study.curves[(study.curves["step"] == step) & (study.curves["method"] == "bright")]
        for _, group in rows.groupby(["grid", "fill"]):
            assert group["value"].to_numpy() == pytest.approx(np.full(len(group), group["value"].iloc[0]))


def test_a_map_of_what_the_network_needs_has_a_gap_and_its_reverse_a_negative_one(regressor, table, oracles, tmp_path):
    """A model that measures the brightness of one corner; one map that knows it, and one that knows the opposite."""

    class Corner:
        card, settings = regressor.card, regressor.settings

        def scores(self, images):
            return 100 + 3 * to_unit(images)[:, 8:16, 8:16].sum(axis=(1, 2), dtype=float)[:, None]

    class Right(oracles["bright"]):
        title = "Right"
        signed = True

        def explain(self, model, images, targets, progress=lambda share: None):
            maps = np.zeros(images.shape, np.float32)
            maps[:, 8:16, 8:16] = images[:, 8:16, 8:16]
            return maps + 1e-6

    class Wrong(Right):
        title = "Wrong"

        def explain(self, model, images, targets, progress=lambda share: None):
            return 1 - super().explain(model, images, targets, progress) / 100

    heads = read_heads(table, regressor.settings, 32)
    exact = Corner().scores(heads.images)[:, 0] * heads.pixel_sizes / heads.scales
    true = table.frame.assign(circumference_mm=exact)
    with pytest.MonkeyPatch.context() as patch:
        for cls, name in ((Right, "right"), (Wrong, "wrong")):
            cls.name = name
            patch.setitem(METHODS, name, cls())
        settings = HeadStudySettings(("right", "wrong"), protocol=Protocol(grids=(4,), fills=("black",), chances=3))
        found = run_head_study(Corner(), replace(table, frame=true), settings, tmp_path)
    assert found.images["error_mm"].max() == pytest.approx(0, abs=1e-3)
    assert found.score("right", "gap_mm").low > 0
    assert found.score("wrong", "gap_mm").high < 0
    assert found.score("right", "shift_gap_mm").value == pytest.approx(found.score("right", "gap_mm").value, abs=1e-3)
    # Least relevant first leaves the corner to the last step: its AOPC is 0.
    assert found.score("right", "order_gap_mm").value == pytest.approx(-found.score("right", "aopc_mm").value, abs=1e-3)
    assert found.score("right", "sign_gap_mm", ranking="sign").low > 0
    assert found.score("wrong", "sign_gap_mm", ranking="sign").high < 0


def test_a_stopped_run_goes_on_where_it_was_and_ends_the_same(regressor, table, tmp_path, study, oracles):
    def stop(share):
        if (tmp_path / "work" / "bright.npz").is_file():
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        run_head_study(regressor, table, small("bright", "dim"), tmp_path, progress=stop)
    for method in oracles.values():
        method.calls = 0
    shares = []
    again = run_head_study(regressor, table, small("bright", "dim"), tmp_path, progress=shares.append)
    assert oracles["bright"].calls == 0
    assert oracles["dim"].calls == 1
    assert shares == sorted(shares)
    assert shares[-1] == 1
    for name in TABLES:
        pd.testing.assert_frame_equal(getattr(again, name), getattr(study, name))
    other = small("bright", protocol=replace(QUICK, seed=9))
    with pytest.raises(ParameterError, match="another --out"):
        run_head_study(regressor, table, other, tmp_path)


def test_models_that_measure_nothing_or_draw_are_refused(classifier, regressor, table, tmp_path):
    with pytest.raises(ParameterError, match="core faithfulness"):
        run_head_study(classifier, table, small("bright"), tmp_path)
    drawing = type("Drawing", (), {"card": replace(regressor.card, measurement={"output": "ellipse"})})
    with pytest.raises(ParameterError, match="outline"):
        run_head_study(drawing, table, small("bright"), tmp_path)
    with pytest.raises(DatasetError, match="at least two heads"):
        run_head_study(regressor, table.chosen(np.arange(6) == 0), small("bright"), tmp_path)
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize("bad", [{"limit": 1}, {"costly_limit": 1}], ids=str)
def test_too_few_images_are_refused(bad):
    with pytest.raises(ParameterError, match="at least 2 images"):
        small("bright", **bad)
    with pytest.raises(ParameterError, match="at least one method"):
        HeadStudySettings(())


def test_halves_are_whole_examinations_by_their_mean_error(study):
    means = study.images.groupby("patient")["error_mm"].mean()
    halves = study.images.groupby("patient")["half"].unique()
    assert all(len(half) == 1 for half in halves)
    low = [patient for patient in means.index if halves[patient][0] == "low"]
    assert len(low) == len(means) // 2
    assert means[low].max() <= means.drop(low).min()


def cases_of(difference, n=24):
    """Two images of each examination; those of high error have another quality by ``difference``."""
    rows = []
    for number in range(n):
        for copy in range(2):
            high = number % 2
            value = np.sin(7 * number + copy) + difference * high
            rows.append({"method": "cam", "image": f"{number}_{copy}", "patient": str(number)})
            rows[-1] |= dict.fromkeys(CASE_QUALITIES, value) | {"half": "high" if high else "low"}
    return pd.DataFrame(rows)


@pytest.mark.parametrize(("difference", "told"), [(0.0, False), (2.0, True), (-2.0, True)])
def test_a_difference_between_easy_and_hard_heads_is_told_where_there_is_one(difference, told):
    cases = cases_of(difference)
    row = next(iter(halved(cases, cases)))
    expected = cases[cases["half"] == "high"]["gap_mm"].mean() - cases[cases["half"] == "low"]["gap_mm"].mean()
    assert row["difference"] == pytest.approx(expected)
    assert (row["p"] < 0.01) is told
    assert [row[name] for name in (LOW[3], HIGH[3])] == [24, 24]


def test_permutations_move_examinations_not_images():
    """All images of an examination alike: 40 images of 4 examinations can be halved in 6 ways, so p is 1/3 at least."""
    values = np.repeat([0.0, 0.1, 5.0, 5.1], 10)
    p = permutation_test(values, np.repeat(list("abcd"), 10), values > 1)
    assert p == pytest.approx(1 / 3, abs=0.03)
    assert np.isnan(permutation_test(np.ones(3), np.array(list("abc")), np.array([True, False, False])))
    assert np.isnan(permutation_test(np.zeros(0), np.zeros(0, str), np.zeros(0, bool)))


def test_holms_correction_is_that_of_a_worked_example():
    corrected = holm(np.array([0.01, np.nan, 0.04, 0.03, 0.005]))
    assert corrected == pytest.approx([0.03, np.nan, 0.06, 0.06, 0.02], nan_ok=True)
    assert np.isnan(holm(np.full(2, np.nan))).all()


def made(study, method, measure, value, **where):
    """The study with one figure put in."""
    name = "contour" if measure in set(study.contour["measure"]) else "scores"
    found = getattr(study, name).copy()
    keep = (found["method"] == method) & (found["measure"] == measure)
    for column, wanted in where.items():
        keep &= found[column] == wanted
    assert keep.any()
    found.loc[keep, NUMBERS] = [value, value - 0.1, value + 0.1, 50]
    return replace(study, **{name: found})


def test_sentences_say_what_the_figures_say(study):
    assert all("better than a random order" not in sentence for sentence in study.conclusions())
    told = made(made(study, "bright", "gap_mm", 2.5), "dim", "gap_mm", -1.5)
    said = "\n".join(told.conclusions())
    assert (
        "better than a random order, by the gap in mm (4 by 4 regions, noise): Bright 2.5 (2.4 to 2.6), n = 50." in said
    )
    assert (
        "worse than a random order, by the gap in mm (4 by 4 regions, noise): Dim -1.5 (-1.6 to -1.4), n = 50." in said
    )
    told = made(made(told, "bright", "enrichment_in_view", 1.8), "dim", "enrichment_in_view", 0.6)
    said = "\n".join(told.conclusions())
    assert "more than its share of the part in view with Bright 1.8 (1.7 to 1.9), n = 50" in said
    assert "less with Dim 0.6 (0.5 to 0.7), n = 50" in said
    assert "No map is shown to follow the contour more than the image's edges" in said
    said = "\n".join(made(told, "bright", "beyond_edges", 0.4).conclusions())
    assert "More of the contour than the image's edges alone, on the same images: Bright by 0.4" in said
    said = "\n".join(made(told, "dim", "sign_gap_mm", 3.0, ranking="sign").conclusions())
    assert "Signs that hold" in said
    assert "no difference is shown" in said
    halves = study.halves.copy()  # dim explained too few heads for a test of its own
    halves.loc[halves["method"] == "bright", ["low_value", "high_value", "p", "p_holm"]] = [1.0, 2.0, 0.001, 0.002]
    said = "\n".join(replace(study, halves=halves).conclusions())
    assert "1 of 1 methods have p below 0.05; with Holm's correction Bright (1 low, 2 high" in said


def test_few_images_settle_nothing(study):
    assert {study.verdict(method) for method in ("bright", "dim")} == {"unclear"}


def test_backbones_are_compared_image_by_image(study):
    assert compare_backbones([study]).empty
    assert "not answered" in backbone_conclusions([study])[0]
    better = study.cases.copy()
    better["gap_mm"] += 2.0
    other = replace(study, cases=better[better["image"] != NAMES[0]], about=study.about | {"model": "other"})
    compared = compare_backbones([study, other])
    row = compared[(compared["method"] == "bright") & (compared["measure"] == "gap_mm")].iloc[0]
    assert row[NUMBERS].tolist() == pytest.approx([-2, -2, -2, 5])
    said = backbone_conclusions([study, other])
    assert len(said) == len(CASE_QUALITIES)
    assert "tiny_heads (cnn) is better than other (cnn) with 0 of 2 methods" in said[0]
    assert len(backbone_table([study, other])) == len(compared)
    apart = replace(other, about=other.about | {"protocol": other.about["protocol"] | {"fills": ["black"]}})
    assert compare_backbones([study, apart]).empty


def test_tables_hold_the_figures(study):
    gaps = gap_table(study)
    assert set(gaps["method"]) == {"Bright", "Dim", *BASELINES.values()}
    values = dict(zip(gaps["method"], gaps["values"], strict=True))
    assert (values["Bright"], values["Dim"]) == ("unsigned", "signed")
    assert f"{study.score('bright', 'gap_mm').value:.3g}" in gaps.set_index("method").loc["Bright", "4 by 4, noise"]
    assert len(gaps.columns) == 3 + 4
    follows = contour_table(study).set_index("method")
    assert f"n = {COSTLY}" in follows.loc["Dim", "Enrichment in view"]
    assert set(halves_table(study)["method"]) == {"Bright", "Dim", *BASELINES.values()}
    every = quality_table(study, (8, "black"))
    assert set(every["measure"]) == {quality.title for quality in QUALITIES.values()}


def test_a_study_is_read_as_it_was_written_and_printed(study, tmp_path):
    folder = tmp_path / "models" / "tiny_heads" / FILES.name / "drawn"
    study.write(folder)
    again = read_study(folder)
    for name, (_, columns) in TABLES.items():
        pd.testing.assert_frame_equal(
            getattr(again, name), getattr(study, name)[columns], rtol=1e-3, atol=1e-4, check_dtype=False
        )
    about = json.loads((folder / "perturbation.json").read_text())
    assert about["conclusions"] == study.conclusions()
    assert again.protocol == QUICK
    page = "\n\n".join(head_explanations.chapter(again))
    for sentence in again.conclusions():
        assert sentence in page
    assert "made so" in page
    written = {path.name: path.read_bytes() for path in folder.iterdir()}
    study.write(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == written


@pytest.mark.parametrize("how", ["no table", "no key", "not JSON", "other methods"])
def test_a_damaged_study_gets_its_sentence(study, tmp_path, how):
    study.write(tmp_path)
    path = tmp_path / FILES.about_name
    about = json.loads(path.read_text())
    if how == "no table":
        (tmp_path / "curves.csv.gz").unlink()
    elif how == "no key":
        path.write_text(json.dumps({"model": "x"}))
    elif how == "not JSON":
        path.write_text("{")
    else:
        path.write_text(json.dumps(about | {"methods": ["bright"]}))
    with pytest.raises(DatasetError, match="make it again with python -m core perturbation"):
        read_study(tmp_path)


def test_the_command_leaves_training_heads_out_and_records_with_the_model(
    regressor_folder, write_heads, tmp_path, capsys
):
    model = tmp_path / "models" / "tiny_heads"
    shutil.copytree(regressor_folder, model)
    write_heads(tmp_path / "hc18", [*NAMES[:3], "001_HC.png", "007_HC.png"])
    given = ["perturbation", "--model", model, "--data", tmp_path / "hc18", "--out", tmp_path / "out"]
    given += ["--method", "bright", "--grid", "4", "--fill", "black", "--record", "drawn heads"]
    assert cli.main([str(one) for one in (*given, "--json")]) == 0
    out, err = capsys.readouterr()
    rows = [json.loads(line) for line in out.splitlines()]
    gap = next(row for row in rows if (row["method"], row["measure"]) == ("bright", "gap_mm"))
    assert gap["n"] == 3
    assert "2 frames of HC18 examinations not kept for testing" in err
    recorded = read_study(model / FILES.name / "drawn_heads")
    assert recorded.about["data"] == "drawn heads"
    assert recorded.about["command"].startswith("python -m core perturbation --model")
    assert set(recorded.images["image"]) == set(NAMES[:3])
    assert cli.main([str(one) for one in given]) == 0
    assert "Claim 1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--grid", "3"], "4 regions a side"),
        (["--fill", "pink"], "noise"),
        (["--method", "tarot"], "tarot"),
        (["--record", "../elsewhere"], "no name for a folder"),
        (["--limit", "1"], "at least 2 images"),
        (["--split", "train"], "No image is left"),
    ],
)
def test_what_a_command_cannot_do_is_one_sentence(regressor_folder, write_heads, tmp_path, capsys, more, words):
    write_heads(tmp_path / "hc18", ["001_HC.png", "005_HC.png"])
    given = ["perturbation", "--model", regressor_folder, "--data", tmp_path / "hc18", "--out", tmp_path / "out"]
    assert cli.main([str(one) for one in (*given, *more)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line
