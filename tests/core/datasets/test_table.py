"""Patients never stand on both sides of a split, labels keep their share, HC18's test examinations stay test."""

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.datasets import Table, load, split_by_patient
from core.errors import DatasetError


def make_table(n_patients=20, images_each=3):
    rows = [
        (f"{label}{patient}_{image}.png", label, f"{label} {patient}", "")
        for label in ("BPD", "NT")
        for patient in range(n_patients)
        for image in range(images_each)
    ]
    return Table(pd.DataFrame(rows, columns=["path", "label", "patient", "split"]), "folders", False)


def test_split_keeps_patients_together_and_classes_balanced():
    table = split_by_patient(make_table(), validation=0.2, test=0.1, seed=4)
    assert table.frame.groupby("patient")["split"].nunique().max() == 1
    per_class = table.frame.groupby(["label", "split"])["patient"].nunique()
    for label in ("BPD", "NT"):
        assert per_class[label].to_dict() == {"test": 2, "train": 14, "validation": 4}


def test_split_depends_on_the_seed_and_not_on_the_order_of_rows():
    table = make_table()
    shuffled = Table(table.frame.sample(frac=1, random_state=1), table.layout, False)
    one = split_by_patient(table, seed=1).frame.set_index("path")["split"]
    same = split_by_patient(shuffled, seed=1).frame.set_index("path")["split"]
    other = split_by_patient(table, seed=2).frame.set_index("path")["split"]
    assert one.equals(same.loc[one.index])
    assert not one.equals(other)


def test_a_patient_on_both_sides_is_refused():
    frame = make_table(2, 2).frame
    frame.loc[0, "split"] = "train"
    frame.loc[1, "split"] = "test"
    with pytest.raises(DatasetError, match="BPD 0"):
        Table(frame, "folders", False)


def test_too_few_patients_to_split_are_refused():
    with pytest.raises(DatasetError, match="too few"):
        split_by_patient(make_table(1))


@st.composite
def tables(draw):
    """Tables of patients with several images of several labels, as FETAL_PLANES_DB has them."""
    n_patients = draw(st.integers(40, 90))
    generator = np.random.default_rng(draw(st.integers(0, 10_000)))
    labels = np.array(["abdomen", "brain", "femur", "thorax"])[: draw(st.integers(2, 4))]
    rows = []
    for patient in range(n_patients):
        own = generator.permutation(labels)[: generator.integers(1, len(labels) + 1)]
        rows += [
            (f"{patient}_{label}_{image}.png", label, f"patient {patient}", "")
            for label in own
            for image in range(generator.integers(1, 4))
        ]
    return Table(pd.DataFrame(rows, columns=["path", "label", "patient", "split"]), "folders", False)


@settings(max_examples=25, deadline=None)
@given(tables(), st.sampled_from([0.1, 0.2, 0.3]), st.sampled_from([0.0, 0.15]), st.integers(0, 100))
def test_any_split_is_by_patient_stratified_and_seeded(table, validation, test, seed):
    split = split_by_patient(table, validation=validation, test=test, seed=seed).frame
    assert (split.groupby("patient")["split"].nunique() == 1).all()
    assert list(split["path"]) == list(table.frame["path"]), "no row is lost or moved"
    for _, rows in split.groupby("label"):
        patients = rows.drop_duplicates("patient")
        for side, share in (("validation", validation), ("test", test)):
            count = (patients["split"] == side).sum()
            assert (count > 0) == (share > 0)
            # Patients of several labels are shared: a label may get a few more or less than its share of them.
            assert abs(count / len(patients) - share) < 0.15
        assert (patients["split"] == "train").any()
    shuffled = Table(table.frame.sample(frac=1, random_state=seed), table.layout, False)
    again = split_by_patient(shuffled, validation=validation, test=test, seed=seed).frame
    assert split.set_index("path")["split"].equals(again.set_index("path")["split"].loc[split["path"]])


def test_a_common_label_of_few_own_patients_can_be_split():
    """All patients of the rare label also have the common one; taking the rarer first must not starve the other."""
    rows = [(f"{p}b.png", "brain", f"patient {p}", "") for p in range(10)]
    rows += [(f"{p}f.png", "femur", f"patient {p}", "") for p in range(6)]
    table = Table(pd.DataFrame(rows, columns=["path", "label", "patient", "split"]), "folders", False)
    for seed in range(20):
        split = split_by_patient(table, validation=0.2, test=0.2, seed=seed).frame.groupby("label")["split"].unique()
        assert all(set(sides) == {"train", "validation", "test"} for sides in split)


def test_what_is_published_as_test_stays_test():
    frame = make_table(10, 2).frame
    frame.loc[frame["patient"].isin(["BPD 3", "NT 4"]), "split"] = "test"
    split = split_by_patient(Table(frame, "folders", False), validation=0.2, seed=1).frame
    assert set(split["patient"][split["split"] == "test"]) == {"BPD 3", "NT 4"}
    assert split.groupby(["label", "split"])["patient"].nunique()["BPD"].to_dict() == {
        "test": 1,
        "train": 7,
        "validation": 2,
    }


@pytest.mark.parametrize("side", ["train", "validation"])
def test_held_out_frames_are_refused_on_any_side_but_test(side):
    frame = make_table(3, 1).frame
    frame.loc[1, "path"] = "/somewhere/brain/015_2HC.png"
    frame["split"] = "test"
    Table(frame, "folders", False)
    frame.loc[1, "split"] = side
    with pytest.raises(DatasetError, match=r"015_2HC\.png"):
        Table(frame, "folders", False)


def test_splitting_never_trains_on_held_out_frames():
    frame = make_table().frame
    frame.loc[1, "path"] = "brain/015_2HC.png"
    with pytest.raises(DatasetError, match=r"015_2HC\.png"):
        split_by_patient(Table(frame, "folders", False))


def test_a_side_nobody_knows_is_refused():
    frame = make_table(2, 1).frame
    frame.loc[0, "split"] = "Train"
    with pytest.raises(DatasetError, match="'Train'"):
        Table(frame, "folders", False)


def test_files_are_labelled_by_name(tmp_path):
    for gray, name in enumerate(("brain_1.png", "brain_2.png", "lips.png")):
        cv2.imwrite(str(tmp_path / name), np.full((20, 20), gray, np.uint8))
    table = load(tmp_path).labelled({"brain_*": "brain"})
    assert dict(zip((path.name for path in table.paths), table.frame["label"], strict=True)) == {
        "brain_1.png": "brain",
        "brain_2.png": "brain",
        "lips.png": "",
    }
    with pytest.raises(DatasetError, match="femur_"):
        table.labelled({"femur_*": "femur"})
