"""The drift study against methods whose maps are known, independent computations and rows made by hand."""

import gzip
import json
from dataclasses import replace as replaced

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from core.corruption import corrupt
from core.datasets import load
from core.errors import Cancelled, DatasetError, ParameterError
from core.evaluation import wilson
from core.explain.base import METHODS, Method, methods_for
from core.explain.drift import DriftSettings, check_model, run_study, spread, spread_positions
from core.explain.drift_study import (
    ABOUT_NAME,
    ALL_KINDS,
    COLUMNS,
    FILES,
    MEASURES,
    OUTCOMES,
    ROWS_NAME,
    DriftStudy,
    read_study,
)
from core.images import read_image
from core.preprocessing import clean, finish
from core.similarity import ssim


class Itself(Method):
    """The image is its own map: where it is laid back rightly, it agrees with itself."""

    title = "Itself"
    family = "oracle"
    explanation = trust = paper = ""

    def explain(self, model, images, targets, progress=lambda share: None):
        progress(1.0)
        return images.copy()


class Ramp(Itself):
    """The same map whatever the image."""

    def explain(self, model, images, targets, progress=lambda share: None):
        side = images.shape[-1]
        return np.tile(np.arange(side * side, dtype=np.float32).reshape(side, side), (len(images), 1, 1))


class Empty(Itself):
    """A constant map for all but perfectly clean images: the sum of the first image tells."""

    def explain(self, model, images, targets, progress=lambda share: None):
        return np.zeros_like(images)


class CostlyItself(Itself):
    costly = True


@pytest.fixture(autouse=True)
def oracles(monkeypatch):
    for cls, name in ((Itself, "itself"), (Ramp, "ramp"), (Empty, "empty"), (CostlyItself, "costly_itself")):
        cls.name = name
        monkeypatch.setitem(METHODS, name, cls())


@pytest.fixture(scope="module")
def table(shape_folder):
    return spread(load(shape_folder), 6)


def small(*methods, kinds=("noise",), **options):
    return DriftSettings(tuple(kinds), methods, **({"steps": 4} | options))


def test_uncorrupted_maps_agree_fully_and_stay_with_their_baseline(classifier, table):
    study = run_study(classifier, table, small("saliency", "cam", "itself", kinds=("scale_up", "blur", "noise")))
    assert len(study.rows) == 6 * 3 * 3 * 4
    clean_rows = study.rows[study.rows["intensity"] == 0]
    for measure in MEASURES:
        assert clean_rows[measure].to_numpy() == pytest.approx(1)
    assert clean_rows["ssim"].to_numpy() == pytest.approx(1)
    assert (clean_rows["predicted"] == clean_rows["target"]).all()
    corrupted = study.rows[(study.rows["intensity"] > 0) & (study.rows["kind"] == "noise")]
    assert (corrupted["rank_correlation"] < 0.999).all()


def test_under_scale_up_maps_are_laid_back_before_they_are_compared(classifier, table, monkeypatch):
    settings = small("itself", kinds=("scale_up",))
    laid_back = run_study(classifier, table, settings).rows["rank_correlation"]
    monkeypatch.setattr(
        "core.corruption.thesis.ScaleUp.warp_back",
        classmethod(lambda cls, values, _: (values, np.ones_like(values, bool))),
    )
    as_they_are = run_study(classifier, table, settings).rows["rank_correlation"]
    assert laid_back.min() > 0.8
    assert as_they_are.min() < 0.4


def test_a_row_is_what_its_definition_says(classifier, table):
    """Image 4 of the sample at the third level of noise, computed anew."""
    study = run_study(classifier, table, small("itself", seed=3))
    level = DriftSettings(("noise",), ("itself",), steps=4).levels("noise")[2]
    assert level == pytest.approx(0.5 * (2 / 3) ** 2)
    row = study.rows[(study.rows["number"] == 4) & np.isclose(study.rows["intensity"], level)].iloc[0]

    def inputs(position, intensity):
        cleaned = clean(read_image(table.paths[position]).pixels, classifier.settings)
        gray = corrupt(cleaned.gray, "noise", intensity, seed=(3, position), sector=cleaned.sector)
        image = finish(replaced(cleaned, gray=gray), classifier.settings, size=classifier.card.size)
        return image, ssim(cleaned.gray, gray, region=cleaned.sector)

    originals = [inputs(position, 0)[0] for position in range(6)]
    image, similarity = inputs(4, level)
    probabilities = classifier.probabilities(image[None])[0]
    clean_classes = classifier.probabilities(np.stack(originals)).argmax(axis=1)
    target = clean_classes[4]
    assert row["image"] == table.paths[4].name
    assert row["label"] == table.frame["label"][4]
    assert row["target"] == classifier.classes[target]
    assert row["predicted"] == classifier.classes[probabilities.argmax()]
    assert row["probability"] == pytest.approx(probabilities[target], abs=1e-4)
    assert row["ssim"] == pytest.approx(similarity)
    assert row["rank_correlation"] == pytest.approx(spearmanr(originals[4].ravel(), image.ravel())[0])
    others = [position for position in range(6) if position != 4 and clean_classes[position] == target]
    expected = np.mean([spearmanr(originals[4].ravel(), originals[other].ravel())[0] for other in others])
    assert row["baseline_rank_correlation"] == pytest.approx(expected)


def test_a_map_that_never_looks_at_the_image_is_never_broken(classifier, table):
    study = run_study(classifier, table, small("ramp"))
    assert study.rows["rank_correlation"].to_numpy() == pytest.approx(1)
    assert set(study.outcomes("rank_correlation")["outcome"]) <= {"prediction", "neither", ""}


def test_constant_maps_have_no_answer(classifier, table):
    study = run_study(classifier, table, small("empty"))
    assert study.rows["rank_correlation"].isna().all()
    (row, together) = study.order("rank_correlation").to_dict("records")
    assert (row["n"], row["unanswered"], row["either"]) == (0, 6, 0)
    assert together["kind"] == ALL_KINDS
    assert "none" in study.conclusion("rank_correlation") or "any of the 0" in study.conclusion("rank_correlation")


def test_costly_methods_see_fewer_images_and_say_so(classifier, table):
    study = run_study(classifier, table, small("itself", "costly_itself", costly_limit=3))
    assert study.about["n_of_method"] == {"itself": 6, "costly_itself": 3}
    numbers = study.rows[study.rows["method"] == "costly_itself"]["number"].unique()
    labels = study.rows.drop_duplicates("number").set_index("number")["label"]
    assert sorted(labels[numbers]) == ["BPD", "CRL", "NT"]


def test_progress_rises_to_one_and_cancelling_stops(classifier, table):
    shares = []
    run_study(classifier, table, small("itself", "costly_itself", costly_limit=3), progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)

    def stop(share):
        if share > 0.5:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        run_study(classifier, table, small("itself"), progress=stop)


def test_an_image_that_cannot_be_read_is_named_and_left_out(classifier, shape_folder, tmp_path):
    (tmp_path / "BPD").mkdir()
    for seed in range(3):
        (tmp_path / "BPD" / f"{seed}.png").write_bytes((shape_folder / "BPD" / f"{seed:03d}.png").read_bytes())
    (tmp_path / "BPD" / "1.png").write_bytes(b"no image")
    study = run_study(classifier, load(tmp_path), small("itself"))
    assert study.about["n"] == 2
    assert len(study.about["problems"]) == 1
    assert "1.png" in study.about["problems"][0]
    (tmp_path / "BPD" / "0.png").write_bytes(b"no image either")
    with pytest.raises(DatasetError, match="at least two"):
        run_study(classifier, load(tmp_path), small("itself"))


@pytest.mark.parametrize(
    "bad",
    [
        {"kinds": ()},
        {"methods": ()},
        {"kinds": ("melt",)},
        {"methods": ("tea",)},
        {"steps": 2},
        {"limit": 1},
        {"costly_limit": 0},
    ],
)
def test_impossible_settings_are_refused(bad):
    with pytest.raises(ParameterError):
        DriftSettings(**({"kinds": ("blur",), "methods": ("cam",)} | bad))


def test_methods_that_do_not_fit_the_model_are_refused(classifier):
    card = replaced(classifier.card, architecture={"dense": 16})
    assert "cam" not in methods_for(card)
    with pytest.raises(ParameterError, match="Grad-CAM"):
        check_model(card, ["saliency", "cam"])
    padded = replaced(classifier.card, preprocessing=classifier.card.preprocessing | {"aspect": "pad"})
    with pytest.raises(ParameterError, match="padded"):
        check_model(padded, ["saliency"])


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=40), st.integers(1, 45))
def test_a_spread_sample_is_as_large_as_asked_and_balanced(labels, limit):
    chosen = spread_positions(np.array(labels), limit)
    assert chosen == sorted(set(chosen))
    assert len(chosen) == min(limit, len(labels))
    counts = {label: sum(labels[position] == label for position in chosen) for label in set(labels)}
    for label, count in counts.items():
        # A label with fewer than another has given all it has, but for what does not divide.
        if count < max(counts.values()) - 1:
            assert count == labels.count(label)


def study_of(images, measure="rank_correlation"):
    """A study by hand: per image (patient, target, agreement per level, predicted per level), baseline 0.2."""
    rows = []
    for number, (patient, target, agreement, predicted) in enumerate(images):
        for level, (value, label) in enumerate(zip(agreement, predicted, strict=True)):
            row = dict.fromkeys(COLUMNS, 0.0) | {
                "number": number, "image": f"{number}.png", "patient": patient, "label": target, "target": target,
                "kind": "noise", "method": "cam", "intensity": 0.1 * level, "ssim": 1 - 0.2 * level,
                "predicted": label, "probability": 0.9, "baseline_rank_correlation": 0.2, "baseline_top_overlap": 0.2,
                measure: np.nan if value is None else value,
            }  # fmt: skip
            rows.append(row)
    about = {
        "model": "tiny", "data": "by hand", "simulated": True, "n": len(images), "n_of_method": {"cam": len(images)},
        "kinds": ["noise"], "methods": ["cam"], "steps": 4, "seed": 0, "command": "", "problems": [],
    }  # fmt: skip
    return DriftStudy(pd.DataFrame(rows, columns=list(COLUMNS)), about)


BY_HAND = [
    ("a", "BPD", (1, 0.7, 0.59, 0.3), ("BPD", "BPD", "BPD", "NT")),  # broken at 0.2 (half-way is 0.6), flipped at 0.3
    ("a", "BPD", (1, 0.9, 0.8, 0.7), ("BPD", "NT", "BPD", "BPD")),  # never broken, flipped at 0.1
    ("b", "NT", (1, 0.5, 0.9, 0.9), ("NT", "CRL", "NT", "NT")),  # both at 0.1
    ("c", "NT", (1, 0.9, 0.8, 0.61), ("NT",) * 4),  # neither
    ("d", "NT", (1, 0.9, None, None), ("NT",) * 4),  # becomes constant at 0.2
]
MORE = {"explanation": 2, "together": 1, "prediction": 1, "neither": 1}


def test_outcomes_by_hand():
    outcomes = study_of(BY_HAND).outcomes("rank_correlation")
    assert outcomes["outcome"].tolist() == ["explanation", "prediction", "together", "neither", "explanation"]
    assert outcomes["broken"].to_numpy() == pytest.approx([0.2, np.nan, 0.1, np.nan, 0.2], nan_ok=True)
    assert outcomes["flipped"].to_numpy() == pytest.approx([0.3, 0.1, 0.1, np.nan, np.nan], nan_ok=True)
    assert outcomes["ssim_broken"].to_numpy() == pytest.approx([0.6, np.nan, 0.8, np.nan, 0.6], nan_ok=True)


def test_all_of_the_way_is_stricter_than_half():
    images = [("a", "NT", (1, 0.5, 0.19, 0.1), ("NT", "NT", "CRL", "CRL"))]
    assert study_of(images).outcomes("rank_correlation")["broken"][0] == pytest.approx(0.1)
    strict = study_of(images).outcomes("rank_correlation", fall=1.0)
    assert strict["broken"][0] == pytest.approx(0.2)
    assert strict["outcome"][0] == "together"


def test_order_by_hand_counts_and_divides_by_the_cases_in_which_something_happens():
    row = study_of(BY_HAND).order("rank_correlation").iloc[0]
    assert {outcome: row[outcome] for outcome in OUTCOMES} == MORE
    assert (row["n"], row["either"], row["share"]) == (5, 4, 0.5)
    assert row["low"] < 0.5 < row["high"]
    assert row["verdict"] == "unclear"
    assert row["ssim_broken"] == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("image", "verdict", "words"),
    [(BY_HAND[0], "explanation", "breaks before"), (BY_HAND[1], "prediction", "flips before")],
)
def test_many_alike_give_a_verdict_and_a_sentence(image, verdict, words):
    study = study_of([(str(number), *image[1:]) for number in range(20)])
    row = study.order("rank_correlation").iloc[0]
    assert row["verdict"] == verdict
    expected = wilson(20 if verdict == "explanation" else 0, 20)
    assert (row["low"], row["high"]) == pytest.approx((expected.low, expected.high))
    sentence = study.conclusion("rank_correlation")
    assert words in sentence
    assert "20 simulated images" in sentence
    assert f"{100 * expected.low:.1f} to {100 * expected.high:.1f}" in sentence


def test_images_of_one_patient_widen_the_interval():
    images = [BY_HAND[0], BY_HAND[1]] * 10
    alone = study_of([(str(number), *image[1:]) for number, image in enumerate(images)])
    shared = study_of([(str(number // 10), *image[1:]) for number, image in enumerate(sorted(images, key=str))])
    widths = [
        row["high"] - row["low"]
        for study in (alone, shared)
        for _, row in study.order("rank_correlation")[:1].iterrows()
    ]
    assert widths[1] > widths[0]


def test_curves_and_flips_by_hand():
    study = study_of(BY_HAND)
    curve = study.curves("rank_correlation")
    assert curve["n"].tolist() == [5, 5, 4, 4]
    assert curve["mean"].tolist() == pytest.approx([1, np.mean([0.7, 0.9, 0.5, 0.9, 0.9]), 0.7725, 0.6275])
    assert (curve["low"] <= curve["mean"]).all()
    assert (curve["mean"] <= curve["high"]).all()
    flips = study.flips()
    assert flips["flipped"].tolist() == pytest.approx([0, 0.4, 0, 0.2])
    assert flips["accuracy"].tolist() == pytest.approx([1, 0.6, 1, 0.8])


def test_a_study_is_read_as_it_was_written(classifier, table, tmp_path):
    study = run_study(classifier, table, small("itself", "empty"), name="shapes", command="python -m core drift")
    folder = tmp_path / "tiny" / "drift" / "shapes"
    study.write(folder)
    assert FILES.folders("tiny", tmp_path) == [folder]
    assert FILES.folders("none", tmp_path) == []
    again = read_study(folder)
    pd.testing.assert_frame_equal(again.rows, study.rows, rtol=1e-4, check_dtype=False)
    assert again.about["data"] == "shapes"
    assert again.about["simulated"] is False
    assert set(again.about["conclusion"]) == set(MEASURES)
    for measure in MEASURES:
        pd.testing.assert_frame_equal(again.order(measure), study.order(measure), rtol=1e-3)
        assert again.about["order"][measure][0]["n"] == study.order(measure)["n"][0]
    first = (folder / ROWS_NAME).read_bytes()
    study.write(folder)
    assert (folder / ROWS_NAME).read_bytes() == first


def spoil_rows(folder, change):
    rows = pd.read_csv(folder / ROWS_NAME)
    change(rows).to_csv(folder / ROWS_NAME, index=False)


SPOILED = {
    "no rows file": lambda folder: (folder / ROWS_NAME).unlink(),
    "half a file": lambda folder: (folder / ROWS_NAME).write_bytes((folder / ROWS_NAME).read_bytes()[:200]),
    "no archive": lambda folder: (folder / ROWS_NAME).write_bytes(b"a,b\n1,2\n"),
    "no JSON": lambda folder: (folder / ABOUT_NAME).write_text("{"),
    "a list": lambda folder: (folder / ABOUT_NAME).write_text("[]"),
    "no settings": lambda folder: (folder / ABOUT_NAME).write_text(json.dumps({"model": "x"})),
    "not text": lambda folder: (folder / ABOUT_NAME).write_bytes(b"\xff\xfe\x00"),
    "a column missing": lambda folder: spoil_rows(folder, lambda rows: rows.drop(columns="ssim")),
    "no row": lambda folder: spoil_rows(folder, lambda rows: rows[:0]),
    "words for numbers": lambda folder: spoil_rows(folder, lambda rows: rows.assign(ssim="high")),
    "an unknown kind": lambda folder: spoil_rows(folder, lambda rows: rows.assign(kind="melt")),
    "binary rows": lambda folder: (folder / ROWS_NAME).write_bytes(gzip.compress(bytes(range(256)) * 9)),
}


@pytest.mark.parametrize("how", SPOILED)
def test_a_damaged_study_gets_its_sentence(tmp_path, how):
    folder = tmp_path / "hands"
    study_of(BY_HAND).write(folder)
    read_study(folder)
    SPOILED[how](folder)
    with pytest.raises(DatasetError, match=r"hands.*python -m core drift"):
        read_study(folder)
