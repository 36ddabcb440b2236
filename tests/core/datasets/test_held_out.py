"""HC18's test examinations are told by their names wherever they lie, and nothing else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.datasets import load, refuse_test_examinations
from core.datasets.held_out import examination, is_annotation, is_held_out
from core.errors import DatasetError


@given(st.integers(0, 805), st.sampled_from(["", "2", "3", "4"]), st.sampled_from([".png", ".PNG", ".jpg"]))
def test_every_name_of_hc18_gives_its_examination(number, frame, ending):
    name = f"/data/brain/{number:03d}_{frame}HC{ending}"
    assert examination(name) == number
    assert is_held_out(name) == (number % 5 == 0)
    assert not is_annotation(name)
    assert is_annotation(name.replace("HC", "HC_Annotation"))


@pytest.mark.parametrize(
    "name", ["005_HC (1).png", "005_HC(2).png", "005_HC - Copy.png", "005_HC copy.png", "005_hc.png"]
)
def test_copies_as_file_managers_name_them_are_recognised(name):
    assert is_held_out(name)


@pytest.mark.parametrize(
    "name",
    [
        "bpd_000005.png",
        "Patient00005_Plane3_1_of_2.png",
        "5_HC.png",
        "0005_HC.png",
        "810_HC.png",
        "005_HCG.png",
        "005_CH.png",
        "patient_120_HC_3.png",
        "005_HC_left.png",
        "phantom-BPD-train-005",
        "005.png",
    ],
)
def test_other_peoples_names_are_left_alone(name):
    assert not is_held_out(name)
    assert examination(name) is None


def test_training_refuses_copies_in_a_class_folder_by_name(tmp_path, write_image):
    for name in ("brain/004_HC.png", "brain/005_HC.png", "brain/010_2HC.png", "femur/1.png"):
        write_image(tmp_path / name)
    table = load(tmp_path)
    with pytest.raises(DatasetError, match=r"2 frame.*005_HC\.png, 010_2HC\.png.*rename") as caught:
        refuse_test_examinations(table)
    assert "004_HC" not in str(caught.value)
    refuse_test_examinations(load(tmp_path, exclude=("005_HC.png", "010_*")))


def test_hc18_as_published_may_be_given_to_training(tmp_path, write_image):
    """Its layout puts them on the test side, where training does not look."""
    for name in ("004_HC.png", "005_HC.png"):
        write_image(tmp_path / name)
    (tmp_path / "training_set_pixel_size_and_HC.csv").write_text(
        "filename,pixel size(mm),head circumference (mm)\n004_HC.png,0.1,50\n005_HC.png,0.1,60\n"
    )
    table = load(tmp_path)
    refuse_test_examinations(table)
    assert table.where(split="train").frame["patient"].tolist() == ["examination 004"]
