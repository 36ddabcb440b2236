"""Activation maximization: the score rises, the thesis's steps are its own, the picture is for the eye."""

from dataclasses import replace

import numpy as np
import pytest

from core.errors import Cancelled, ParameterError
from core.explain.activation_maximization import (
    PRESETS,
    MaximisationSettings,
    activation_maximization,
    deprocess,
    preset,
)


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("target", [0, 1, 2])
def test_the_score_rises_and_the_picture_is_for_the_eye(classifier, name, target):
    shares = []
    result = activation_maximization(classifier, target, replace(preset(name), steps=20), shares.append)
    assert result.scores.shape == (21,)
    # The annex's scaling to unit length throws the start away, so its ascent is read from the first step on.
    assert result.scores[-1] > result.scores[int(preset(name).unit_image)]
    assert shares == pytest.approx(np.arange(1, 21) / 20)
    seen = classifier.network.forward(result.image[None])[0][0, target]
    assert seen == pytest.approx(result.scores[-1], rel=1e-4, abs=1e-4)
    assert result.picture.shape == (48, 48)
    assert result.picture.dtype == np.float32
    assert 0 <= result.picture.min() < result.picture.max() <= 1


def test_without_jitter_every_small_step_raises_the_score(classifier):
    settings = MaximisationSettings(steps=15, learning_rate=0.002, smoothing=1.0)
    assert (np.diff(activation_maximization(classifier, 1, settings).scores) > 0).all()


def test_a_step_on_a_shifted_view_changes_what_the_network_saw_there(keras, classifier_of):
    """A network that sees a spot alone: what lies under the spot after the shift must change, and nothing else."""
    spot = np.zeros((24, 24, 3, 1), np.float32)
    spot[4:8, 10:12] = 1
    inputs = keras.Input((24, 24, 3))
    value = keras.layers.Activation("linear", name="features")(inputs)
    value = keras.layers.Flatten(name="pooled")(value)
    model = keras.Model(inputs, keras.layers.Dense(1, name="logits")(value))
    model.get_layer("logits").kernel.assign(spot.reshape(-1, 1))
    settings = MaximisationSettings(steps=1, jitter=0.2, seed=5)
    result = activation_maximization(classifier_of(model), 0, settings)

    generator = np.random.default_rng(5)
    start = generator.uniform(-0.125, 0.125, (24, 24))
    shift = generator.integers(-5, 6, 2)
    assert shift.all()
    changed = np.abs(result.image - (start + 1) / 2) > 1e-4
    assert np.array_equal(np.roll(changed, shift, (0, 1)), spot[..., 0, 0] == 1)


@pytest.mark.parametrize("name", ["thesis_text", "thesis_annex"])
def test_the_thesis_presets_are_its_steps_on_gray_images(classifier, gradient_of, name):
    """Its loop over one tape, in its own units of [-1, 1], the three channels moved by their mean."""
    rate, unit = {"thesis_text": (0.05, False), "thesis_annex": (0.005, True)}[name]
    assert (PRESETS[name].learning_rate, PRESETS[name].unit_image, PRESETS[name].steps) == (rate, unit, 60)
    values = np.random.default_rng(3).uniform(-0.125, 0.125, (48, 48)).astype(np.float32)
    values = np.repeat(values[None, ..., None], 3, axis=-1)
    scores = []
    for _ in range(6):
        # The tiny network takes [0, 1]: the chain rule's factor to the thesis's units is 1/2.
        logits, gradient = gradient_of(classifier.network.model, (values + 1) / 2, 2)
        scores.append(logits[0, 2])
        values = values + rate * (gradient / 2).mean(axis=-1, keepdims=True)
        if unit:
            values /= np.sqrt((values**2).sum())
    result = activation_maximization(classifier, 2, replace(PRESETS[name], steps=6, seed=3))
    assert np.allclose(result.scores[:6], scores, rtol=1e-4, atol=1e-4)
    assert np.allclose(result.image, (values[0, ..., 0] + 1) / 2, atol=1e-5)
    assert np.allclose(result.picture, deprocess(values[0, ..., 0]), atol=1e-3)


def test_the_readable_preset_has_broader_shapes_than_the_thesis(classifier):
    """Share of the picture's variance in waves longer than an eighth of the side."""

    def broad(picture):
        power = np.abs(np.fft.fft2(picture - picture.mean())) ** 2
        frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(48), np.fft.fftfreq(48)))
        return power[frequency < 8 / 48].sum() / power.sum()

    readable, thesis = (
        broad(activation_maximization(classifier, 0, replace(preset(name), steps=20)).picture)
        for name in ("readable", "thesis_text")
    )
    assert readable > 0.5 > thesis + 0.2


def test_the_seed_decides_the_picture(classifier):
    first, again, other = (
        activation_maximization(classifier, 0, replace(PRESETS["readable"], steps=3, seed=seed)).picture
        for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.allclose(first, other)


def test_deprocessing_sets_mean_and_deviation():
    values = deprocess(np.random.default_rng(0).normal(40, 7, (64, 64)))
    assert values.mean() == pytest.approx(0.5, abs=0.01)
    assert values.std() == pytest.approx(0.15, abs=0.01)


def test_it_can_be_cancelled(classifier):
    def stop(share):
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        activation_maximization(classifier, 0, progress=stop)


@pytest.mark.parametrize(
    "bad",
    [
        {"steps": 0}, {"learning_rate": 0}, {"learning_rate": np.nan}, {"learning_rate": np.inf}, {"smoothing": -1},
        {"jitter": 0.5},
    ],
)  # fmt: skip
def test_impossible_settings_are_refused(bad):
    with pytest.raises(ParameterError):
        MaximisationSettings(**bad)


def test_an_unknown_preset_is_refused_by_name():
    with pytest.raises(ParameterError, match="thesis_annex"):
        preset("dreamy")
