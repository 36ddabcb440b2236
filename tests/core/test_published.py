"""The published figures agree with each other where the seeds do, and their contradictions are said."""

import numpy as np
import pytest

from core.corruption import CORRUPTIONS
from core.published import (
    CORRUPTION_CLASSES,
    MODELS,
    SHAPES,
    TABLES,
    published_models,
    published_shapes,
    published_tables,
)
from core.zoo.architectures import BACKBONES
from core.zoo.cards import TASKS

WITH_MATRIX = [model for model in MODELS if model.matrix]
WITH_SUPPORT = [model for model in MODELS if any("support" in row for row in model.per_class.values())]


def titles(models):
    return [model.title for model in models]


def table(title):
    return next(table for table in TABLES if table.title == title)


@pytest.mark.parametrize("model", WITH_MATRIX, ids=titles(WITH_MATRIX))
def test_rows_of_a_matrix_sum_to_one(model):
    assert model.shares().shape == (len(model.classes),) * 2
    assert model.shares().sum(axis=1) == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("model", WITH_MATRIX, ids=titles(WITH_MATRIX))
def test_printed_rates_follow_from_the_matrix(model):
    """Classes of equal size: sensitivity is the diagonal, a false alarm's share the mean of the column's rest."""
    shares = model.shares()
    others = len(model.classes) - 1
    for index, name in enumerate(model.classes):
        rates = model.per_class[name]
        assert rates["sensitivity"] == shares[index, index]
        false_alarms = (shares[:, index].sum() - shares[index, index]) / others
        assert rates["specificity"] == pytest.approx(1 - false_alarms, abs=0.0051)
    if "accuracy" in model.figures:
        assert model.figures["accuracy"] == pytest.approx(np.trace(shares) / len(shares), abs=0.005)


@pytest.mark.parametrize("model", WITH_SUPPORT, ids=titles(WITH_SUPPORT))
def test_reports_of_the_detector_add_up(model):
    rows = model.per_class
    assert tuple(rows) == CORRUPTION_CLASSES == model.classes
    support = np.array([row["support"] for row in rows.values()])
    assert support.sum() == model.n
    recall = np.array([row["sensitivity"] for row in rows.values()])
    assert (support * recall).sum() / support.sum() == pytest.approx(model.figures["accuracy"], abs=0.0051)
    for row in rows.values():
        harmonic = 2 * row["precision"] * row["sensitivity"] / (row["precision"] + row["sensitivity"])
        assert row["f1"] == pytest.approx(harmonic, abs=0.0101)


def test_the_two_basic_tables_of_the_detector_are_identical_and_that_is_said():
    vgg, xception = (next(m for m in MODELS if m.title == f"{name}, basic test") for name in ("VGG16", "Xception"))
    assert vgg.per_class == xception.per_class
    assert all(any("identical" in remark for remark in model.remarks) for model in (vgg, xception))


def test_composition_sums_to_the_images_of_the_thesis():
    rows = table("Composition of the data set").rows
    assert [original + synthetic for _, original, synthetic, _ in rows] == [600, 600, 600]
    assert [original + test for _, original, _, test in rows] == [506, 513, 508]
    assert sum(test for *_, test in rows) == published_models("plane")[0].n


def test_split_of_the_detector_sums_to_its_images():
    created = dict(table("Images a class after corrupting").rows)
    split = table("Split into training and test").rows
    assert {name: training + test for name, training, test in split} == created
    assert sum(test for *_, test in split) == 434


def test_limits_are_those_of_the_distortions():
    limits = {row[0]: row[2] for row in table("Limits from which a frame counts as corrupted").rows}
    assert limits == {"scale_up": 1.5, "blur": 4.0, "noise": 0.18}
    assert set(limits) == set(CORRUPTIONS) & set(CORRUPTION_CLASSES)


def test_the_model_of_the_same_backbone_comes_first():
    assert published_models("plane", "vgg19")[0].backbone == "vgg19"
    assert published_models("plane")[0].title == "InceptionV3, with augmentation"
    plain = published_models("plane", "inception_v3", augmented=False)[0]
    assert plain.title == "InceptionV3, without augmentation"
    assert published_models("plane", "vgg16")[0].backbone == "vgg19"
    assert published_tables("anatomy")[0].title == "Hypotheses tried"
    assert published_models("head_circumference") == []


def test_spelled_as_in_the_cards_and_each_with_a_source():
    for one in (*MODELS, *TABLES):
        assert one.task in TASKS
        assert one.source[:3] in ("000", "001", "004")
    assert {model.backbone for model in MODELS} <= set(BACKBONES)
    assert all(len(row) == len(table.columns) for table in TABLES for row in table.rows)


def test_the_seven_figures_are_told_with_their_source():
    assert [shape.figure for shape in published_shapes(is_detection=False)] == [20, 21, 22]
    assert [shape.figure for shape in published_shapes(is_detection=True)] == [33, 34, 39, 40]
    for shape in SHAPES:
        assert shape.source.startswith(("001", "002"))
        assert shape.shape.endswith(".")
    limits = {kind: CORRUPTIONS[kind].published_limit for kind in ("scale_up", "noise", "blur")}
    assert all(f"{limit:g}" in SHAPES[0].shape for limit in limits.values())
