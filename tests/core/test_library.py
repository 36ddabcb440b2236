"""Images by name: samples as their manifest says, phantoms from their recipe."""

import csv

import cv2
import numpy as np
import pytest

from core.errors import PlaneLabError
from core.images import encode_png, read_image
from core.library import SAMPLES_FOLDER, curve_sample, is_phantom_id, open_image, open_phantom, phantom_id, sample_ids
from core.phantom import PLANES, generate


def test_there_are_screens_of_each_plane_and_all_open():
    titles = sample_ids()
    assert len(set(titles.values())) == len(titles)
    planes = [open_image(image_id).plane for image_id in titles]
    assert {plane for plane in planes if planes.count(plane) >= 8} >= {"BPD", "CRL", "NT"}
    assert {plane for plane in planes if planes.count(plane) >= 4} == set(PLANES)


def test_a_sample_is_its_file_and_the_manifest_s_plane():
    with (SAMPLES_FOLDER / "manifest.csv").open(newline="") as file:
        row = list(csv.DictReader(file))[9]
    named = open_image("sample-" + row["file"].removesuffix(".png"))
    assert np.array_equal(named.frame.pixels, cv2.imread(str(SAMPLES_FOLDER / row["file"]))[..., ::-1])
    assert named.plane == row["plane"]
    assert named.simulated


def test_a_phantom_is_the_generator_s_and_has_its_file_s_hash():
    named = open_phantom(phantom_id("NT", "unseen", 12))
    pixels = generate("NT", 12, size=None, settings="unseen").image
    assert np.array_equal(named.frame.pixels, pixels)
    assert named.frame.sha256 == read_image(encode_png(pixels)).sha256


def test_the_curves_sample_is_of_settings_never_trained_on():
    sample = curve_sample(["BPD", "NT"], per_plane=2)
    assert [image.image_id for image in sample] == [
        f"phantom-{p}-unseen-{seed}" for p in ("BPD", "NT") for seed in (0, 1)
    ]


@pytest.mark.parametrize(
    "image_id",
    ["sample-none", "sample-../../README", "phantom-KNEE-train-1", "phantom-BPD-dream-1", "phantom-BPD-train", ""],
)
def test_a_name_of_nothing_is_a_sentence(image_id):
    with pytest.raises(PlaneLabError, match=r"\.$"):
        open_image(image_id)


@pytest.mark.parametrize("text", ["phantom-BPD-train-1 ", "phantom-BPD-train--1", "xphantom-BPD-train-1", "upload-12"])
def test_only_a_whole_phantom_id_is_one(text):
    assert not is_phantom_id(text)


def test_a_folder_without_manifest_holds_no_samples(tmp_path):
    assert sample_ids(tmp_path) == {}
