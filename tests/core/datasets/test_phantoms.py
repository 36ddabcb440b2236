"""Phantoms without a folder: the same pixels as the folder's, made when they are read."""

import numpy as np
import pytest

from core.datasets import load, phantoms, read_pixels, refuse_test_examinations, split_by_patient
from core.errors import DatasetError, ImageError, ParameterError
from core.phantom import write_folder


def test_they_are_the_frames_a_folder_of_the_same_seed_holds(tmp_path):
    write_folder(tmp_path, "crl", 2, 5, size=None, settings="unseen")
    folder, alive = load(tmp_path), load("phantom:CRL:2:unseen:5")
    assert alive.layout == folder.layout == "phantom"
    assert alive.simulated
    assert alive.frame["image_id"].tolist() == folder.frame["image_id"].tolist()
    assert alive.frame["label"].tolist() == ["CRL", "CRL"]
    for ours, theirs in zip(alive.paths, folder.paths, strict=True):
        assert np.array_equal(read_pixels(ours), read_pixels(theirs))


def test_reading_again_gives_the_same_pixels_and_other_seeds_others():
    first, second = phantoms(["NT"], 2).paths
    assert np.array_equal(read_pixels(first), read_pixels(str(first)))
    assert not np.array_equal(read_pixels(first), read_pixels(second))


def test_a_table_of_thousands_is_made_without_simulating_one():
    table = phantoms(["bpd", "CRL", "nt"], 2000)
    assert len(table) == 6000
    assert table.labels == ["BPD", "CRL", "NT"]
    assert table.frame["path"].is_unique
    split = split_by_patient(table, validation=0.1).frame
    assert split.groupby("label")["split"].value_counts()["NT"].to_dict() == {"train": 1800, "validation": 200}


def test_train_and_unseen_settings_share_no_frame():
    one, other = phantoms(["BPD"], 50), phantoms(["BPD"], 50, settings="unseen")
    assert not set(one.frame["path"]) & set(other.frame["path"])


def test_the_command_lines_form():
    table = load("phantom:BPD, crl:3")
    assert table.frame["label"].value_counts().to_dict() == {"BPD": 3, "CRL": 3}
    assert table.frame["path"].tolist() == phantoms(["BPD", "CRL"], 3, seed=0, settings="train").frame["path"].tolist()
    assert load("phantom:BPD:2::7").frame["path"].tolist() == phantoms(["BPD"], 2, seed=7).frame["path"].tolist()


@pytest.mark.parametrize(
    "text",
    [
        "phantom:",
        "phantom:BPD",
        "phantom:BPD:many",
        "phantom:BPD:0",
        "phantom:BPD:-3",
        "phantom::5",
        "phantom:spleen:5",
        "phantom:BPD,BPD:5",
        "phantom:BPD:5:dreamt",
        "phantom:BPD:5:train:x",
        "phantom:BPD:5:train:1:2",
    ],
)
def test_other_forms_are_refused_in_a_sentence(text):
    with pytest.raises(ParameterError) as caught:
        load(text)
    assert str(caught.value).endswith(".") or "use one of" in str(caught.value)


@pytest.fixture
def among_real(write_image, tmp_path):
    """``among_real(real_files)`` writes class folders of phantoms, each set among the surroundings of a real frame."""

    def write(*real_files):
        for plane in ("BPD", "CRL"):
            names = [f"x_{number:06d}.png" for number in range(len(real_files))]
            for name in names:
                write_image(tmp_path / plane / name)
            rows = [
                f"{name},{plane},{seed},train,native,{'surroundings' if real else ''},{real}"
                for seed, (name, real) in enumerate(zip(names, real_files, strict=True))
            ]
            header = "file,plane,seed,settings,size,adaptation,real_file"
            (tmp_path / plane / "manifest.csv").write_text("\n".join([header, *rows]) + "\n")
        return tmp_path

    return write


def test_phantoms_among_the_same_real_surroundings_stand_on_one_side(among_real):
    """Else a network could know a background by heart."""
    table = load(among_real("001_HC.png", "001_2HC.png", "", "003_HC.png", "", "", "", ""))
    assert table.simulated
    patients = table.frame.groupby("patient")["label"].unique().map(sorted)
    assert patients["examination 001"] == patients["examination 003"] == ["BPD", "CRL"]
    assert len(patients) == 2 + 2 * 5
    for seed in range(5):
        split = split_by_patient(table, validation=0.3, seed=seed).frame
        assert split.groupby("patient")["split"].nunique().max() == 1


def test_adapted_phantoms_have_no_id_that_makes_them_again(among_real):
    ids = load(among_real("001_HC.png", "")).frame["image_id"].tolist()
    assert ids == ["", "phantom-BPD-train-1", "", "phantom-CRL-train-1"]


def test_phantoms_adapted_to_a_test_examination_are_refused(among_real):
    table = load(among_real("001_HC.png", "005_HC.png", "007_HC.png"))
    with pytest.raises(DatasetError, match=r"005_HC\.png"):
        refuse_test_examinations(table)
    with pytest.raises(DatasetError, match=r"005_HC\.png"):
        split_by_patient(table, validation=0.4)


def test_files_are_read_from_disk(write_image, tmp_path):
    path = write_image(tmp_path / "a.png")
    assert read_pixels(path).shape == (20, 30)
    with pytest.raises(ImageError, match=r"none\.png"):
        read_pixels(tmp_path / "none.png")
