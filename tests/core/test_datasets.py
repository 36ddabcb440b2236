"""Layouts on disk become one table; patients never stand on both sides of a split."""

import cv2
import numpy as np
import pandas as pd
import pytest

from core.datasets import Table, load, split_by_patient
from core.datasets.loading import hc18_split
from core.errors import DatasetError


def write_image(path, value=100):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((20, 30), value, np.uint8))


@pytest.fixture
def class_folders(tmp_path):
    for plane in ("BPD", "CRL"):
        for number in range(4):
            write_image(tmp_path / plane / f"{number}.png")
    write_image(tmp_path / "CRL" / "patient_9" / "a.png")
    write_image(tmp_path / "CRL" / "patient_9" / "b.jpg")
    (tmp_path / "NT").mkdir()
    return tmp_path


@pytest.fixture
def hc18(tmp_path):
    names = ["000_HC.png", "001_HC.png", "001_2HC.png", "005_HC.png", "007_HC.png"]
    for name in names:
        write_image(tmp_path / name)
        write_image(tmp_path / name.replace("HC.png", "HC_Annotation.png"))
    pd.DataFrame(
        {
            "filename": [*names, "008_HC.png"],
            "pixel size(mm)": 0.1,
            "head circumference (mm)": [44.3, 56.8, 57.0, 170.0, 180.0, 190.0],
        }
    ).to_csv(tmp_path / "training_set_pixel_size_and_HC.csv", index=False)
    return tmp_path


def test_folder_per_class(class_folders):
    table = load(class_folders)
    assert table.layout == "folders"
    assert table.frame["label"].value_counts().to_dict() == {"CRL": 6, "BPD": 4}
    assert not table.simulated
    assert any("NT" in problem for problem in table.problems)


def test_images_of_a_patients_folder_share_the_patient(class_folders):
    patients = load(class_folders).frame["patient"]
    assert (patients == "CRL patient_9").sum() == 2


def test_hc18_as_published(hc18):
    table = load(hc18, head_label="BPD")
    assert table.layout == "hc18"
    assert len(table) == 5
    assert table.labels == ["BPD"]
    assert table.frame.set_index(table.frame["path"].str[-10:])["circumference_mm"]["000_HC.png"] == 44.3
    assert "008_HC.png" in table.problems[0]
    assert (table.frame["patient"] == "examination 001").sum() == 2


def test_hc18_test_split_is_every_fifth_examination(hc18):
    sides = load(hc18).frame.groupby("patient")["split"].unique()
    assert list(sides["examination 000"]) == ["test"]
    assert list(sides["examination 005"]) == ["test"]
    assert list(sides["examination 001"]) == ["train"]
    assert hc18_split("010_2HC.png") == "test"


def test_hc18_without_a_column_says_which(hc18):
    path = hc18 / "training_set_pixel_size_and_HC.csv"
    pd.read_csv(path).drop(columns="pixel size(mm)").to_csv(path, index=False)
    with pytest.raises(DatasetError, match="pixel size"):
        load(hc18)


def test_phantom_folder_reads_the_manifest_and_nothing_else(tmp_path):
    for name in ("crl_000000.png", "crl_000000_clean.png", "crl_000000_mask.png"):
        write_image(tmp_path / name)
    (tmp_path / "manifest.csv").write_text("file,plane,seed\ncrl_000000.png,CRL,0\n")
    table = load(tmp_path)
    assert table.layout == "phantom"
    assert table.simulated
    assert [path.name for path in table.paths] == ["crl_000000.png"]


def test_phantom_folders_per_class_are_simulated(tmp_path):
    for plane in ("BPD", "NT"):
        write_image(tmp_path / plane / "x_000000.png")
        write_image(tmp_path / plane / "x_000000_clean.png")
        (tmp_path / plane / "manifest.csv").write_text(f"file,plane,seed\nx_000000.png,{plane},0\n")
    table = load(tmp_path)
    assert table.simulated
    assert len(table) == 2


def test_plain_images_have_no_label_and_patterns_leave_some_out(tmp_path):
    for name in ("brain_tv.png", "femur.png"):
        write_image(tmp_path / name)
    assert load(tmp_path).layout == "unlabelled"
    assert [path.name for path in load(tmp_path, exclude=("brain_*",)).paths] == ["femur.png"]
    with pytest.raises(DatasetError, match="No image is left"):
        load(tmp_path, exclude=("*",))


@pytest.mark.parametrize("kind", ["missing", "empty", "text"])
def test_a_folder_without_images_is_refused_with_a_sentence(tmp_path, kind):
    folder = tmp_path / "data"
    if kind != "missing":
        folder.mkdir()
    if kind == "text":
        (folder / "notes.txt").write_text("no image")
    with pytest.raises(DatasetError) as caught:
        load(folder)
    assert str(caught.value).endswith(".")


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
