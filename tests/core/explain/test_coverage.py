"""The table of methods and models says what each method says of each card, and what it then does."""

from dataclasses import replace

import numpy as np
import pytest

from core.errors import ParameterError
from core.explain import METHODS
from core.explain.coverage import WORKS, coverage


@pytest.fixture
def cards(classifier):
    """The tiny model, one with a hidden layer, and a detector, which looks at layers of every depth."""
    plain = replace(classifier.card, name="plain")
    hidden = replace(plain, name="hidden", architecture={"dense": 16})
    return [plain, hidden, replace(plain, name="detector", detection={"kinds": []})]


def test_each_cell_is_the_methods_own_answer(cards):
    found = coverage(cards)
    table = found.table().set_index("method")
    assert list(table.columns) == ["plain", "hidden", "detector"]
    assert len(table) == len(METHODS)
    reasons = dict(line.split(" ", 1) for line in found.numbered_reasons())
    for name, method in METHODS.items():
        for card in cards:
            cell = table.loc[method.title, card.name]
            said = None if cell == WORKS else reasons[cell]
            assert said == method.obstacle(card) == found.obstacles[name][card.name]
    assert set(table["plain"]) == {WORKS}
    assert WORKS not in set(table.loc[["Grad-CAM", "Class activation mapping"], "detector"])
    assert table.loc["Class activation mapping", "hidden"] != table.loc["Class activation mapping", "detector"]


@pytest.mark.parametrize("name", sorted(METHODS))
def test_a_method_refuses_exactly_what_the_table_says(name, classifier, cards):
    """With the sentence of the table; the tiny network itself can be explained by all."""
    images = np.random.default_rng(1).random((1, 48, 48)).astype(np.float32)
    for card in cards[1:]:
        reason = coverage([card]).obstacles[name][card.name]
        if reason is None:
            METHODS[name].check(card)
            continue
        other = type(classifier)(card, classifier.network, classifier.typicality)
        with pytest.raises(ParameterError) as refused:
            METHODS[name].explain(other, images, np.array([0]))
        assert str(refused.value) == reason


def test_without_models_there_are_no_columns_and_no_reasons():
    found = coverage([])
    assert list(found.table()) == ["method"]
    assert found.reasons == []
