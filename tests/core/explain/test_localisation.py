"""Structures take the frame's way to the network's input, and maps are read against them rightly."""

import cv2
import numpy as np
import pytest

from core.errors import ParameterError
from core.explain.localisation import (
    HEAD_LABELS,
    OUTSIDE,
    SKULL_BAND_SHARE,
    Structures,
    at_input,
    head_structures,
    localise,
    parts_of,
    structures_of,
)
from core.library import phantom_id
from core.phantom import LABELS, generate, raw_screen, write_folder
from core.preprocessing import PreprocessingSettings, clean, finish, follow
from core.published import PLANE_FINDINGS


@pytest.fixture(scope="module")
def phantom():
    return generate("BPD", 41, size=None, settings="unseen")


@pytest.fixture(scope="module")
def screen():
    return raw_screen("BPD", 206, scanner="ge")


def painted(labels, name):
    """A frame in which one structure is bright and the rest of the sector gray."""
    frame = np.where(labels > 0, 60, 0).astype(np.uint8)
    frame[labels == LABELS[name]] = 220
    return frame


def overlap(first, second):
    return (first & second).sum() / (first | second).sum()


@pytest.mark.parametrize("aspect", ["stretch", "pad"])
@pytest.mark.parametrize("size", [224, 299])
def test_a_structure_painted_bright_is_bright_where_its_label_says(phantom, screen, aspect, size):
    """Of a phantom in a scanner's crop, and of one on a screen, which is cropped on the way."""
    settings = PreprocessingSettings(mask="none", aspect=aspect)
    for labels in (phantom.labels, screen.labels):
        frame = clean(painted(labels, "brain"), settings)
        bright = finish(frame, settings, chain="detector", size=size) > 140
        found = follow(labels, frame, settings, size)
        assert found.shape == (size, size)
        assert overlap(found == LABELS["brain"], bright) > 0.97
        assert (found == LABELS["brain"]).mean() == pytest.approx(bright.mean(), rel=0.02)


def test_labels_resized_without_the_crop_would_lie_elsewhere(screen):
    """Otherwise the test above could not fail."""
    settings = PreprocessingSettings(mask="none")
    frame = clean(painted(screen.labels, "brain"), settings)
    bright = finish(frame, settings, chain="detector", size=224) > 140
    naive = cv2.resize(screen.labels, (224, 224), interpolation=cv2.INTER_NEAREST_EXACT)
    assert overlap(naive == LABELS["brain"], bright) < 0.8


def test_labels_of_another_size_are_refused(phantom):
    settings = PreprocessingSettings()
    frame = clean(phantom.image, settings)
    with pytest.raises(ParameterError, match="size"):
        follow(phantom.labels[:100], frame, settings)


def test_nothing_is_known_outside_the_sector(screen):
    settings = PreprocessingSettings()
    frame = clean(screen.pixels, settings)
    found = follow(np.full_like(screen.labels, 7), frame, settings, 224)
    expected = cv2.resize(frame.sector.astype(np.uint8), (224, 224), interpolation=cv2.INTER_NEAREST_EXACT)
    assert np.array_equal(found == 7, expected > 0)
    assert (found == 0).any()


def test_a_phantoms_structures_come_from_its_recipe_its_mask_or_its_id(tmp_path, phantom):
    image_id = phantom_id("BPD", "unseen", 41)
    assert np.array_equal(structures_of({"path": image_id}).labels, phantom.labels)
    path = tmp_path / "bpd_000000.png"
    cv2.imwrite(str(path), phantom.image)
    row = {"path": str(path), "image_id": image_id}
    assert np.array_equal(structures_of(row).labels, phantom.labels)
    cv2.imwrite(str(path), phantom.image[:, ::-1])
    assert structures_of(row) is None
    assert structures_of({"path": str(path), "image_id": ""}) is None
    (written,) = write_folder(tmp_path / "masked", "CRL", 1, 0, size=96, masks=True)
    mask = cv2.imread(str(written.with_name("crl_000000_mask.png")), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(structures_of({"path": str(written)}).labels, mask)


@pytest.mark.parametrize("angle", [0, 35])
def test_the_skull_of_a_head_is_a_band_around_its_annotated_ellipse(angle):
    annotation = np.zeros((540, 800), np.uint8)
    cv2.ellipse(annotation, ((390.0, 260.0), (300.0, 240.0), angle), 255, 1)
    found = head_structures(annotation)
    band = found.labels == HEAD_LABELS["skull"]
    assert band[annotation > 0].all()
    assert found.labels[260, 390] == HEAD_LABELS["inside the head"]
    assert found.labels[5, 5] == HEAD_LABELS["outside the head"]
    circumference = np.pi * (3 * 270 - np.sqrt((3 * 150 + 120) * (150 + 3 * 120)))
    assert band.sum() == pytest.approx(circumference * SKULL_BAND_SHARE * 240, rel=0.05)
    inside = found.labels == HEAD_LABELS["inside the head"]
    assert inside.sum() == pytest.approx(np.pi * (150 - 12) * (120 - 12), rel=0.03)
    assert head_structures(np.zeros((20, 20), np.uint8)) is None


def test_hc18_frames_are_read_with_the_annotation_beside_them(tmp_path):
    frame = np.full((200, 300), 90, np.uint8)
    annotation = np.zeros((200, 300), np.uint8)
    cv2.ellipse(annotation, ((150.0, 100.0), (120.0, 90.0), 10), 255, 1)
    path = tmp_path / "005_HC.png"
    cv2.imwrite(str(path), frame)
    assert structures_of({"path": str(path)}) is None
    cv2.imwrite(str(tmp_path / "005_HC_Annotation.png"), annotation)
    found = structures_of({"path": str(path)})
    assert found.names == HEAD_LABELS
    settings = PreprocessingSettings()
    assert set(np.unique(at_input(found, clean(frame, settings), settings, 64).labels)) == {1, 2, 3}


@pytest.fixture
def found():
    """A sector of 100 x 80 with a square of 20 x 20 and a bar."""
    labels = np.zeros((100, 100), np.uint8)
    labels[:, :80] = 1
    labels[20:40, 20:40] = 5
    labels[70:75, 10:70] = 9
    return Structures(labels, {"ground": 1, "square": 5, "bar": 9, "absent": 12})


def places(values, found, **groups):
    return {place.structure: place for place in localise(values.astype(np.float32), parts_of(found, groups))}


def test_a_map_on_a_structure_has_all_its_relevance_there(found):
    values = np.random.default_rng(0).random((100, 100)) * 0.5
    values[15:55, 15:40] += 1  # 1000 pixels: the highest tenth; 400 of them are the square's
    values[30, 30] = 3
    result = places(values, found, both=("square", "bar", "unknown"), none=("absent",))
    assert set(result) == {OUTSIDE, "ground", "square", "bar", "both"}
    square = result["square"]
    assert (square.relevance, square.area, square.enrichment) == pytest.approx((0.4, 0.04, 10))
    assert (square.pointing, result["bar"].pointing, result["both"].pointing) == (1, 0, 1)
    assert result["both"].relevance == pytest.approx(0.4)
    assert result["both"].area == pytest.approx(0.07)
    assert result[OUTSIDE].relevance == 0
    assert result[OUTSIDE].area == pytest.approx(0.2)


@pytest.mark.parametrize(("column", "hit"), [(44, 1), (45, 0)])
def test_the_pointing_game_tolerates_a_twentieth_of_the_side(found, column, hit):
    """The square's last column is 39, so 44 is five pixels away."""
    values = np.zeros((100, 100))
    values[30, column] = 1
    square = places(values, found)["square"]
    assert square.pointing == hit
    assert 0.04 < square.chance < 0.30 * 0.30 + 1e-9


def test_highest_pixels_that_are_tied_count_in_part(found):
    values = np.zeros((100, 100))
    values[30, 30] = values[90, 90] = 1
    assert places(values, found)["square"].pointing == 0.5


def test_a_map_by_chance_has_an_enrichment_of_1_and_a_constant_one_no_answer(found):
    generator = np.random.default_rng(4)
    ratios = [places(generator.random((100, 100)), found)["square"].enrichment for _ in range(60)]
    assert np.mean(ratios) == pytest.approx(1, abs=3 * np.std(ratios) / np.sqrt(60))
    assert localise(np.ones((100, 100), np.float32), parts_of(found, {})) == []


def test_the_theses_places_are_made_of_structures_that_phantoms_have():
    for finding in PLANE_FINDINGS.values():
        assert set(finding.structures) <= set(LABELS)
