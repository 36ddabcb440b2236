"""Curves against scikit-learn and against counting by hand; readings of a detector; corruption errors."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, recall_score

from core.corruption.severity import severities
from core.errors import DatasetError, ParameterError
from core.sweep.corruption_error import corruption_errors
from core.sweep.curves import CONTRACT, curves, hit_matrix, hits, measure_of, predictions
from core.sweep.engine import SIMILARITIES
from core.sweep.thresholds import thresholds

PLANES = ["BPD", "CRL", "NT"]
KINDS = ["original", "blur", "noise"]


def make_rows(classes, kinds, n=30, seed=0, model="one", labels=None, patients=None):
    """Rows of a sweep with random answers."""
    generator = np.random.default_rng(seed)
    parts = []
    for image in range(n):
        for kind, intensities in kinds.items():
            for intensity in intensities:
                row = {
                    "model": model,
                    "image": f"{image}.png",
                    "fingerprint": str(image),
                    "patient": image if patients is None else patients[image],
                    "label": (labels or classes)[image % len(labels or classes)],
                    "group": "data",
                    "kind": kind,
                    "intensity": intensity,
                }
                row |= dict(zip(SIMILARITIES, generator.random(6), strict=True))
                row |= dict(zip((f"p_{name}" for name in classes), generator.dirichlet([1] * 3), strict=True))
                parts.append(row)
    return pd.DataFrame(parts)


def test_accuracy_recalls_and_similarity_are_scikit_learns():
    rows = make_rows(PLANES, {"noise": (0.0, 0.1), "blur": (0.0, 2.0)})
    table = curves(rows, measure_of(rows, "plane", PLANES))
    assert tuple(table.columns[:7]) == CONTRACT
    assert len(table) == 4
    for line in table.to_dict("records"):
        cell = rows[(rows["kind"] == line["kind"]) & (rows["intensity"] == line["intensity"])]
        predicted = predictions(cell, PLANES)
        assert line["accuracy"] == pytest.approx(accuracy_score(cell["label"], predicted))
        recalls = recall_score(cell["label"], predicted, average=None, labels=PLANES)
        assert [line[f"recall_{name}"] for name in PLANES] == pytest.approx(recalls.tolist())
        assert line["n"] == 30
        assert line["ci_low"] <= line["accuracy"] <= line["ci_high"]
        truth = [row[f"p_{row['label']}"] for row in cell.to_dict("records")]
        assert line["p_true"] == pytest.approx(np.mean(truth))
        assert line["ssim"] == pytest.approx(cell["ssim_wang_sector"].mean())
        assert line["ssim_annex_frame_p95"] == pytest.approx(np.percentile(cell["ssim_annex_frame"], 95))
        assert 0 <= line["calibration_error"] <= 1


def test_one_class_is_a_share_called_beside_those_that_are_none():
    rows = make_rows(PLANES, {"noise": (0.0, 0.1)}, labels=["BPD"])
    beside = make_rows(PLANES, {"noise": (0.0, 0.1)}, n=12, seed=1).assign(group="beside", label="")
    measure = measure_of(rows, "plane", PLANES)
    assert measure.name == "share called BPD"
    table = curves(pd.concat([rows, beside], ignore_index=True), measure)
    assert "recall_BPD" not in table
    for line in table.to_dict("records"):
        cell = beside[beside["intensity"] == line["intensity"]]
        assert line["beside"] == pytest.approx((predictions(cell, PLANES) == "BPD").mean())
        assert line["beside_n"] == 12
        assert line["n"] == 30
    several = make_rows(PLANES, {"noise": (0.0, 0.1)})
    with pytest.raises(DatasetError, match="one class"):
        measure_of(pd.concat([several, beside]), "plane", PLANES)


def test_the_three_readings_of_a_detector():
    rows = make_rows(KINDS, {"blur": (0.0, 2.0, 4.0, 8.0), "scale_up": (0.0, 1.0, 10.0)}, labels=["original"])
    measure = measure_of(rows, "corruption", KINDS)
    called = predictions(rows, KINDS)
    limits = {"blur": 4.0, "scale_up": 1.5}
    for reading in ("accuracy", "with_limits", "without_limits"):
        answers = hits(rows, measure, reading)
        for row, label, right in zip(rows.to_dict("records"), called, answers, strict=True):
            found = label == "blur" if row["kind"] == "blur" else label != "original"
            start = {"accuracy": 0.0, "with_limits": limits[row["kind"]], "without_limits": -1.0}[reading]
            is_original = row["intensity"] < start or (reading == "accuracy" and row["intensity"] == 0)
            assert right == (label == "original" if is_original else found)
    table = curves(rows, measure)
    line = table[(table["kind"] == "blur") & (table["intensity"] == 8.0)].iloc[0]
    cell = (rows["kind"] == "blur") & (rows["intensity"] == 8.0)
    assert line["accuracy"] == line["with_limits"] == pytest.approx((called[cell] == "blur").mean())
    found = thresholds(rows, measure, level=0.3)["models"]["one"]["blur"]
    assert set(found) == {"parameter", "unit", "published_limit", "searched_to", "detected"}
    assert found["published_limit"] == 4


def test_images_keep_their_curve_and_patient():
    rows = make_rows(PLANES, {"noise": (0.0, 0.1, 0.2)}, patients=[index // 3 for index in range(30)])
    shuffled = rows.sample(frac=1, random_state=1)
    measure = measure_of(rows, "plane", PLANES)
    intensities, matrix, patients = hit_matrix(shuffled, measure, "one", "noise")
    assert intensities.tolist() == [0, 0.1, 0.2]
    right = predictions(rows, PLANES) == rows["label"]
    for image in range(30):
        position = sorted(map(str, range(30))).index(str(image))
        assert matrix[position].tolist() == right[rows["fingerprint"] == str(image)].tolist()
        assert patients[position] == image // 3


def with_accuracy(rows, wrong):
    """The rows with answers such that at each intensity the first ``wrong[intensity]`` images err."""
    number = rows["fingerprint"].astype(int).to_numpy()
    errs = number < rows["intensity"].map(wrong).to_numpy()
    for name in PLANES:
        rows[f"p_{name}"] = np.where((rows["label"] == name) ^ errs, 0.8, 0.1)
    return rows


def two_models(ours, theirs):
    levels = (0.0, *severities("noise").intensities)
    return pd.concat(
        [
            with_accuracy(make_rows(PLANES, {"noise": levels}, model=name), dict(zip(levels, wrong, strict=True)))
            for name, wrong in (("one", ours), ("base", theirs))
        ],
        ignore_index=True,
    )


def test_corruption_errors_by_hand():
    rows = two_models((3, 6, 9, 12, 15, 18), (0, 10, 10, 20, 20, 20))
    measure = measure_of(rows, "plane", PLANES)
    found = corruption_errors(rows, measure, "base")["models"]
    one = found["one"]["kinds"]["noise"]
    assert one["ce"]["value"] == pytest.approx(60 / 80)
    assert one["relative_ce"]["value"] == pytest.approx((60 - 15) / 80)
    assert one["ce"]["ci_low"] < 60 / 80 < one["ce"]["ci_high"]
    assert one["n"] == 30
    assert found["one"]["mean_ce"]["value"] == pytest.approx(60 / 80)
    for name in ("ce", "relative_ce"):
        assert found["base"]["kinds"]["noise"][name]["value"] == 1
        assert found["base"]["kinds"]["noise"][name]["ci_low"] == pytest.approx(1)


@pytest.mark.parametrize(("theirs", "absent"), [((0,) * 6, ["ce", "relative_ce"]), ((5,) * 6, ["relative_ce"])])
def test_a_divisor_of_zero_is_said_and_null(theirs, absent):
    rows = two_models((3, 6, 9, 12, 15, 18), theirs)
    measure = measure_of(rows, "plane", PLANES)
    one = corruption_errors(rows, measure, "base")["models"]["one"]
    for name in ("ce", "relative_ce"):
        assert (one["kinds"]["noise"][name]["value"] is None) == (name in absent)
        assert bool(one["kinds"]["noise"][name]["reason"]) == (name in absent)
        assert (one[f"mean_{name}"]["value"] is None) == (name in absent)


def test_a_grid_that_ends_too_early_has_no_corruption_error():
    rows = make_rows(PLANES, {"noise": (0.0, 0.01)})
    measure = measure_of(rows, "plane", PLANES)
    one = corruption_errors(rows, measure, "one")["models"]["one"]["kinds"]["noise"]
    assert one["ce"]["value"] is None
    assert "severity 5" in one["ce"]["reason"]
    with pytest.raises(ParameterError, match="swept"):
        corruption_errors(rows, measure, "nobody")
