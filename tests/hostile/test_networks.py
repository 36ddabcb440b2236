"""Cards and weight files that only loading the network can judge."""

from __future__ import annotations

import numpy as np

from core.preprocessing import PreprocessingSettings
from core.zoo import load_model
from core.zoo.weights import read_arrays

from .answers import wrong_answers
from .case import READ, Case
from .channels import cases_for
from .memory import bounded_memory
from .models import CARD, NAME, SOUND, WEIGHTS, WEIGHTS_NAME, model_cases, write_model


def test_cards_and_weights(tmp_path):
    cases = [case for case in cases_for("loaders", model_cases(), CARD, WEIGHTS) if needs_network(case)]
    folders = {case: tmp_path / str(number) for number, case in enumerate(cases)}
    picture = np.zeros((60, 80), np.uint8)
    good = load_model(SOUND.name)
    before = good.predict([picture]).probabilities

    def read(case: Case) -> None:
        write_model(folders[case], case)
        model = load_model(NAME, folders[case])
        PreprocessingSettings.from_dict(model.card.preprocessing)
        assert np.isfinite(model.predict([picture]).probabilities).all()

    with bounded_memory():
        assert wrong_answers(cases, read) == {}
        np.testing.assert_array_equal(load_model(SOUND.name).predict([picture]).probabilities, before)


def needs_network(case: Case) -> bool:
    """Whether only the network can tell that it does not fit, or that it does."""
    return case.kind == CARD or case.says in (READ, "another model", "do not fit")


def test_damaged_weights_and_shapes_that_are_only_claimed_take_no_memory(tmp_path):
    """Told apart from the networks, whose own memory would hide it."""
    cases = [case for case in model_cases() if case.kind == WEIGHTS and not needs_network(case)]
    assert len(cases) >= 30
    path = tmp_path / WEIGHTS_NAME

    def read(case: Case) -> None:
        path.write_bytes(case.data)
        read_arrays(path)

    with bounded_memory():
        assert wrong_answers(cases, read) == {}
