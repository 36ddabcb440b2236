"""Tables for reviewing models: one data set never lends its numbers to another."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

from core.published import published_models
from core.results import beside_published, calibration, class_table, comparison, difference, shares_called
from core.zoo.assessment import assessments_of
from core.zoo.cards import Metric

CLASSES = ["BPD", "CRL", "NT"]


def rows_of(data, simulated, labels, seed):
    generator = np.random.default_rng(seed)
    probabilities = generator.dirichlet([1, 1, 1], len(labels)).round(5)
    frame = pd.DataFrame(probabilities, columns=[f"p_{name}" for name in CLASSES])
    return frame.assign(
        image=[f"{number}.png" for number in range(len(labels))],
        patient=[f"{data} {number}" for number in range(len(labels))],
        label=labels,
        predicted=[CLASSES[index] for index in probabilities.argmax(axis=1)],
        data=data,
        simulated=simulated,
        unlike_training=False,
    )


@pytest.fixture
def sets():
    rows = [
        rows_of("phantoms", True, CLASSES * 20, 0),
        rows_of("heads", False, ["BPD"] * 30, 1),
        rows_of("screens", False, [""] * 10, 2),
    ]
    return {one.layout: one for one in assessments_of(pd.concat(rows, ignore_index=True), CLASSES)}


@pytest.fixture
def card(classifier):
    simulated = Metric("accuracy", "validation images of the training data", True, 0.5, 0.4, 0.6, 20, "train")
    return replace(
        classifier.card, metrics=[simulated], training={"simulated": True, "start": "random values"}, parameters=1234
    )


def test_each_data_set_becomes_one_assessment(sets):
    assert {name: (one.simulated, len(one.rows), len(one.labelled)) for name, one in sets.items()} == {
        "phantoms": (True, 60, 60),
        "heads": (False, 30, 30),
        "screens": (False, 10, 0),
    }
    assert assessments_of(pd.DataFrame(), CLASSES) == []


def test_classes_against_scikit_learn(sets):
    one = sets["phantoms"]
    expected = f1_score(one.rows["label"], one.rows["predicted"], labels=CLASSES, average=None)
    assert list(class_table(one)["F1"]) == pytest.approx(expected)


def test_a_set_of_one_class_has_no_precision(sets):
    table = class_table(sets["heads"])
    assert list(table.columns) == ["class", "n", "sensitivity"]
    assert table["sensitivity"][0].value == (sets["heads"].rows["predicted"] == "BPD").mean()


def test_unlabelled_images_are_told_by_what_they_are_called(sets):
    table = shares_called(sets["screens"])
    assert sum(share.value for share in table["share"][:3]) == pytest.approx(1)
    assert set(table["n"]) == {10}


def test_calibration_counts_every_labelled_image(sets):
    result = calibration(sets["heads"])
    assert result.n == sum(one.n for one in result.bins) == 30
    confidence = sets["heads"].rows[[f"p_{name}" for name in CLASSES]].max(axis=1)
    right = sets["heads"].rows["predicted"] == "BPD"
    # The mean gap over bins can be no larger than the mean distance image by image.
    assert result.error <= np.abs(confidence - right).mean() + 1e-12
    assert result.kept.accuracy[-1].value == right.mean()
    assert len(result.reliability_table()) == sum(one.n > 0 for one in result.bins)


def test_comparison_keeps_simulated_and_real_apart(sets, card):
    other = replace(card, name="other", metrics=[], parameters=0)
    tables = comparison([card, other], {card.name: list(sets.values())}, [card.name])
    assert set(tables[True].columns) >= {"phantoms", "validation images of the training data"}
    assert not {"heads", "screens"} & set(tables[True].columns)
    assert "heads" in tables[False]
    assert "phantoms" not in tables[False]
    assert tables[True]["phantoms"][0].value == sets["phantoms"].accuracy.value
    assert tables[True]["phantoms"][1] is None
    assert list(tables[True]["weights"]) == ["here", "to be trained"]
    assert list(tables[True]["parameters"]) == ["1,234", "not counted"]
    assert comparison([other], {}, []) == {}


def test_beside_the_published_measures_by_class_name(sets):
    there = published_models("plane", "vgg19")[0]
    table = beside_published(sets["phantoms"], there)
    assert list(table["class"]) == CLASSES
    assert list(table["sensitivity, published"]) == [0.90, 0.90, 0.91]
    assert table["sensitivity here, simulated"][2].n == 20


def test_the_sentence_says_what_differs_and_nothing_else(sets, card):
    there = published_models("plane", "vgg19")[0]
    ours = list(sets.values())
    sentence = difference(replace(card, backbone="vgg19"), there, ours)
    assert "trained on simulated images and tested on 60 simulated ones" in sentence
    assert "on real images we could check heads" in sentence
    assert "backbones differ" not in sentence
    assert "training started from random values" in sentence
    started = {"simulated": True, "start": "ImageNet weights of Keras Applications: the whole backbone"}
    sentence = difference(replace(card, training=started), there, ours[:1])
    assert "the backbones differ too (cnn here, vgg19 there)" in sentence
    assert "training started from" not in sentence
    assert "not been checked on real images" in sentence
    assert sentence.endswith(".")
    assert sentence.count(".") == 1
