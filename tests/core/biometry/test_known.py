"""Simulated heads: the ellipse runs through the skull's outer border, and the samples' shipped ellipses are these."""

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from core.biometry.ellipse import Ellipse
from core.biometry.known import HEADS_NAME, known_head, skull_ellipse
from core.errors import ImageError, MeasurementError
from core.library import SAMPLES_FOLDER, sample_ids
from core.phantom import LABELS, generate
from core.phantom.folder import read_manifest


def drawn(ellipse: Ellipse, shape=(300, 400)) -> np.ndarray:
    """Labels of an elliptic head: scalp around the skull, brain inside, tissue outside."""
    labels = np.full(shape, LABELS["maternal tissue"], np.uint8)
    for name, grow in (("scalp", 6), ("skull", 0), ("brain", -5)):
        one = Ellipse(ellipse.x, ellipse.y, ellipse.major + grow, ellipse.minor + grow, ellipse.angle)
        labels[one.coverage(shape) > 0.5] = LABELS[name]
    return labels


def test_the_skulls_outer_border_is_found_not_the_scalps():
    head = Ellipse(190.3, 150.8, 110.0, 85.0, 0.6)
    found = skull_ellipse(drawn(head))
    assert (found.x, found.y, found.angle) == pytest.approx((head.x, head.y, head.angle), abs=0.1)
    assert (found.major, found.minor) == pytest.approx((head.major, head.minor), abs=0.1)


@pytest.mark.parametrize("cut", [np.s_[:, 260:], np.s_[200:, :], np.s_[:120, :150]], ids=["side", "below", "black box"])
def test_where_the_sector_ends_the_border_does_not_count(cut):
    head = Ellipse(190.3, 150.8, 110.0, 85.0, 0.6)
    labels = drawn(head)
    labels[cut] = 0
    assert skull_ellipse(labels).circumference == pytest.approx(head.circumference, rel=0.01)


def test_without_a_skull_there_is_no_ellipse():
    with pytest.raises(MeasurementError):
        skull_ellipse(np.full((50, 50), LABELS["maternal tissue"], np.uint8))


def test_a_phantoms_short_axis_is_the_biparietal_diameter_it_was_made_with():
    head = known_head("phantom-BPD-unseen-5")
    made = generate("BPD", 5, size=None, settings="unseen")
    assert head.pixel_size_mm == made.pixel_size_mm
    assert 2 * head.ellipse.minor * head.pixel_size_mm == pytest.approx(made.parameters["head.bpd"], rel=0.06)
    assert head.mm == head.ellipse.circumference * head.pixel_size_mm


def test_planes_that_cut_no_head_across_and_strangers_have_none():
    assert known_head("phantom-CRL-train-1") is None
    assert known_head("sample-crl_000005") is None
    assert known_head("upload-0123456789abcdef") is None


def test_every_sample_of_a_head_has_its_ellipse_at_the_size_of_its_file():
    heads = {name for name, row in read_manifest(SAMPLES_FOLDER).items() if row["plane"] in ("BPD", "brain")}
    known = {name for name in sample_ids() if known_head(name)}
    assert known == {f"sample-{Path(name).stem}" for name in heads}
    for name, row in read_manifest(SAMPLES_FOLDER).items():
        head = known_head(f"sample-{Path(name).stem}")
        if head:
            assert head.pixel_size_mm == pytest.approx(float(row["pixel_size_mm"]), rel=1e-3)
            assert 0 < head.ellipse.x < int(row["columns"]) and 0 < head.ellipse.y < int(row["rows"])
            assert 50 < head.mm < 400


def test_a_samples_outline_lies_on_its_bone():
    """Along the shipped ellipses the screens are brighter than well outside: they belong to these files."""
    lifts = []
    for name in sorted(path.name for path in SAMPLES_FOLDER.glob("bpd_*.png")):
        gray = cv2.imread(str(SAMPLES_FOLDER / name), cv2.IMREAD_GRAYSCALE).astype(float)
        head = known_head(f"sample-{Path(name).stem}").ellipse
        distance = head.distance(np.arange(gray.shape[1])[None], np.arange(gray.shape[0])[:, None])
        bone, inside = (distance > -8) & (distance < 2), (distance > -40) & (distance < -20)
        lifts.append(gray[bone].mean() - gray[inside].mean())
    assert min(lifts) > 5


def test_a_damaged_table_is_named(tmp_path):
    (tmp_path / HEADS_NAME).write_text("file,x,y\na.png,1\n", encoding="utf-8")
    with pytest.raises(ImageError, match=HEADS_NAME):
        known_head("sample-a", tmp_path)
    rows = list(csv.DictReader((SAMPLES_FOLDER / HEADS_NAME).open(encoding="utf-8")))
    assert len(rows) == 12
