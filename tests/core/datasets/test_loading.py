"""Layouts on disk become one table."""

import pandas as pd
import pytest

from core.datasets import LAYOUTS, load, split_by_patient
from core.datasets.hc18 import hc18_split
from core.errors import DatasetError


@pytest.fixture
def class_folders(tmp_path, write_image):
    for plane in ("BPD", "CRL"):
        for number in range(4):
            write_image(tmp_path / plane / f"{number}.png")
    write_image(tmp_path / "CRL" / "patient_9" / "a.png")
    write_image(tmp_path / "CRL" / "patient_9" / "b.jpg")
    (tmp_path / "NT").mkdir()
    return tmp_path


@pytest.fixture
def hc18_in(write_image):
    """``hc18_in(folder)`` writes a small HC18: five frames with outlines, a sixth that is listed but missing."""

    def write(folder):
        names = ["000_HC.png", "001_HC.png", "001_2HC.png", "005_HC.png", "007_HC.png"]
        for name in names:
            write_image(folder / name)
            write_image(folder / name.replace("HC.png", "HC_Annotation.png"))
        pd.DataFrame(
            {
                "filename": [*names, "008_HC.png"],
                "pixel size(mm)": 0.1,
                "head circumference (mm)": [44.3, 56.8, 57.0, 170.0, 180.0, 190.0],
            }
        ).to_csv(folder / "training_set_pixel_size_and_HC.csv", index=False)

    return write


@pytest.fixture
def hc18(tmp_path, hc18_in):
    hc18_in(tmp_path)
    return tmp_path


def test_folder_per_class(class_folders):
    table = load(class_folders)
    assert table.layout == "folders"
    assert table.frame["label"].value_counts().to_dict() == {"CRL": 6, "BPD": 4}
    assert not table.simulated
    (problem,) = table.problems
    assert problem.kind == "empty class"
    assert problem.names == ("NT",)


def test_images_of_a_patients_folder_share_the_patient(class_folders):
    patients = load(class_folders).frame["patient"]
    assert (patients == "patient_9").sum() == 2


def test_one_patient_in_two_class_folders_is_one_patient(class_folders, write_image):
    """Else the same woman could stand on both sides of a split."""
    write_image(class_folders / "BPD" / "patient_9" / "c.png")
    patients = load(class_folders).frame.set_index("label")["patient"]
    assert "patient_9" in set(patients["BPD"]) & set(patients["CRL"])
    assert len(set(patients["BPD"]) & set(patients["CRL"])) == 1, "files of the same name are not"


def test_hidden_files_and_folders_are_no_images(class_folders, write_image):
    write_image(class_folders / ".cache" / "1.png")
    write_image(class_folders / "BPD" / "._0.png")
    table = load(class_folders)
    assert len(table) == 10
    assert table.labels == ["BPD", "CRL"]


def test_real_and_simulated_class_folders_side_by_side_are_told(class_folders, write_image):
    write_image(class_folders / "NT" / "nt_000000.png")
    (class_folders / "NT" / "manifest.csv").write_text("file,plane,seed\nnt_000000.png,NT,0\n")
    table = load(class_folders)
    assert not table.simulated
    assert any("(NT) stand beside real" in problem for problem in table.problems)


def test_hc18_inside_a_class_folder_keeps_its_examinations_and_test_side(tmp_path, hc18_in, write_image):
    hc18_in(tmp_path / "brain")
    for number in range(8):
        write_image(tmp_path / "femur" / f"{number}.png")
    table = load(tmp_path)
    assert table.layout == "folders"
    heads = table.frame[table.frame["label"] == "brain"]
    assert len(heads) == 5
    assert set(heads["split"][heads["patient"].isin(["examination 000", "examination 005"])]) == {"test"}
    parts = split_by_patient(table, validation=0.3).frame
    assert set(parts["split"][parts["patient"].isin(["examination 000", "examination 005"])]) == {"test"}


def test_hc18_copied_without_its_list_shares_examinations_and_leaves_outlines_out(tmp_path, write_image):
    for name in ("001_HC.png", "001_2HC.png", "001_HC_Annotation.png", "002_HC.png"):
        write_image(tmp_path / "brain" / name)
    table = load(tmp_path)
    assert sorted(table.frame["patient"]) == ["examination 001", "examination 001", "examination 002"]
    assert table.problems[0].names == ("001_HC_Annotation.png",)


@pytest.mark.parametrize("inside", ["", "training_set"])
def test_hc18_as_the_download_leaves_it(tmp_path, hc18_in, inside):
    """The archive holds a folder training_set, the list lies beside it; some unpack the list into the folder."""
    hc18_in(tmp_path / "training_set")
    name = "training_set_pixel_size_and_HC.csv"
    (tmp_path / "training_set" / name).rename(tmp_path / inside / name)
    table = load(tmp_path)
    assert table.layout == "hc18"
    assert len(table) == 5


def test_hc18_as_published(hc18):
    table = load(hc18, head_label="BPD")
    assert table.layout == "hc18"
    assert len(table) == 5
    assert table.labels == ["BPD"]
    assert table.frame.set_index(table.frame["path"].str[-10:])["circumference_mm"]["000_HC.png"] == 44.3
    assert "008_HC.png" in table.problems[0]
    assert table.problems[0].names == ("008_HC.png",)
    assert (table.frame["patient"] == "examination 001").sum() == 2


def test_hc18_test_split_is_every_fifth_examination(hc18):
    sides = load(hc18).frame.groupby("patient")["split"].unique()
    assert list(sides["examination 000"]) == ["test"]
    assert list(sides["examination 005"]) == ["test"]
    assert list(sides["examination 001"]) == ["train"]
    assert hc18_split("010_2HC.png") == "test"
    assert hc18_split("011_4HC.png") == "train"


def test_hc18_without_a_column_says_which(hc18):
    path = hc18 / "training_set_pixel_size_and_HC.csv"
    pd.read_csv(path).drop(columns="pixel size(mm)").to_csv(path, index=False)
    with pytest.raises(DatasetError, match="pixel size"):
        load(hc18)


def test_phantoms_with_a_broken_list_are_never_read_as_frames_of_patients(tmp_path, write_image):
    write_image(tmp_path / "crl_000000.png")
    for broken in ("", "file\ncrl_000000.png\n", "\0\0\0"):
        (tmp_path / "manifest.csv").write_text(broken)
        with pytest.raises(DatasetError, match=r"python -m core phantom, or rename"):
            load(tmp_path)


def test_phantom_folder_reads_the_manifest_and_nothing_else(tmp_path, write_image):
    for name in ("crl_000000.png", "crl_000000_clean.png", "crl_000000_mask.png"):
        write_image(tmp_path / name)
    (tmp_path / "manifest.csv").write_text("file,plane,seed\ncrl_000000.png,CRL,0\n")
    table = load(tmp_path)
    assert table.layout == "phantom"
    assert table.simulated
    assert [path.name for path in table.paths] == ["crl_000000.png"]


def test_phantom_folders_per_class_are_simulated(tmp_path, write_image):
    for plane in ("BPD", "NT"):
        write_image(tmp_path / plane / "x_000000.png")
        write_image(tmp_path / plane / "x_000000_clean.png")
        (tmp_path / plane / "manifest.csv").write_text(f"file,plane,seed\nx_000000.png,{plane},0\n")
    table = load(tmp_path)
    assert table.simulated
    assert len(table) == 2


def test_plain_images_have_no_label_and_patterns_leave_some_out(tmp_path, write_image):
    for name in ("brain_tv.png", "femur.png"):
        write_image(tmp_path / name)
    assert load(tmp_path).layout == "unlabelled"
    assert [path.name for path in load(tmp_path, exclude=("brain_*",)).paths] == ["femur.png"]
    with pytest.raises(DatasetError, match="No image is left"):
        load(tmp_path, exclude=("*",))


def test_hc18_with_a_word_for_a_number_says_where(hc18):
    path = hc18 / "training_set_pixel_size_and_HC.csv"
    path.write_text(path.read_text().replace("57.0", "unknown"))
    with pytest.raises(DatasetError, match=r"'unknown'.*line 4"):
        load(hc18)


def test_labels_of_no_class_asked_for_are_counted_by_name(class_folders, write_image):
    for number in range(3):
        write_image(class_folders / "spleen" / f"{number}.png")
    (class_folders / "CRL").rename(class_folders / "crl")
    table = load(class_folders, classes=("BPD", "CRL", "NT"))
    assert table.frame["label"].value_counts().to_dict() == {"CRL": 6, "BPD": 4}, "spelled as the task does"
    unknown = next(problem for problem in table.problems if problem.kind == "unknown label")
    assert unknown.names == ("spleen",)
    assert "3 spleen" in unknown
    with pytest.raises(DatasetError, match=r"femur.*: 4 BPD, 6 crl, 3 spleen"):
        load(class_folders, classes=("brain", "femur"))


def test_every_layout_is_named_when_none_is_recognised(tmp_path):
    with pytest.raises(DatasetError) as caught:
        load(tmp_path)
    assert all(layout.description in str(caught.value) for layout in LAYOUTS.values())
    assert "phantom:PLANES:N" in str(caught.value)


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
