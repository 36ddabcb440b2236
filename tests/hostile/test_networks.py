"""Cards and weight files that only loading the network can judge."""

from __future__ import annotations

import numpy as np

from core.preprocessing import PreprocessingSettings
from core.zoo import load_model
from core.zoo.weights import read_arrays

from .answers import wrong_answers
from .case import Case
from .channels import cases_for
from .memory import bounded_memory
from .models import CARD, NAME, SOUND, WEIGHTS, WEIGHTS_NAME, model_cases, write_model


def test_cards_and_weights(tmp_path):
    cases = cases_for("loaders", model_cases(), CARD, WEIGHTS)
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


def test_a_shape_that_is_only_claimed_takes_no_memory(tmp_path):
    """Told apart from the networks, whose own memory would hide it."""
    cases = [case for case in model_cases() if case.kind == WEIGHTS and ("shape" in case.what or "MB" in case.what)]
    assert len(cases) >= 8
    path = tmp_path / WEIGHTS_NAME

    def read(case: Case) -> None:
        path.write_bytes(case.data)
        read_arrays(path)

    shapes_fit_no_network = [case for case in cases if case.says != "another model"]
    with bounded_memory():
        assert wrong_answers(shapes_fit_no_network, read) == {}
