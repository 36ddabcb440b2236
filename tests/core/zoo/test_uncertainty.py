"""Members, their mean and spread: against analytic cases, the single pass, and the whole network with dropout on."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax
from scipy.stats import entropy as scipy_entropy

from core.augmentation import Augmentation
from core.errors import ParameterError
from core.evaluation import share_by_patient, wilson
from core.zoo.architectures import POOLED_LAYER, build_classifier
from core.zoo.assessment import Assessment
from core.zoo.prediction import Classifier
from core.zoo.runtime import CompiledNetwork, tensorflow
from core.zoo.uncertainty import (
    METHODS,
    MonteCarloDropout,
    TestTimeAugmentation,
    Uncertainty,
    check_threshold,
    get_method,
    partners_of,
    send_to_expert,
)

SIZE = 48
CLASSES = ["BPD", "CRL", "NT"]


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(8).integers(0, 256, (4, SIZE, SIZE), np.uint8)


@pytest.fixture(scope="module")
def make_classifier(classifier):
    """``make_classifier(seed, dropout=0.3, **card)``: another tiny model around its own network."""

    def make(seed: int, *, dropout: float = 0.3, dense: int = 0, **card) -> Classifier:
        tensorflow().keras.utils.set_random_seed(seed)
        model = build_classifier("cnn", 3, size=SIZE, dropout=dropout, dense=dense)
        last = model.get_layer("logits")
        last.kernel.assign(np.random.default_rng(seed).normal(0, 4, last.kernel.shape))
        last.bias.assign(np.random.default_rng(seed + 1).normal(0, 1, last.bias.shape))
        network = CompiledNetwork(model, input_range=(0.0, 1.0), feature_layer="features", pooled_layer=POOLED_LAYER)
        return Classifier(
            replace(classifier.card, name=f"tiny{seed}", architecture={"dropout": dropout}, **card),
            network,
            classifier.typicality,
        )

    return make


@pytest.mark.parametrize("name", ["single", "test_time_augmentation", "monte_carlo_dropout"])
def test_members_are_distributions_and_the_seed_repeats_them(classifier, images, name):
    told = []
    first, again = (get_method(name).estimate(classifier, images, seed=5, progress=told.append) for _ in range(2))
    assert first.members.shape[1:] == (4, 3)
    assert np.allclose(first.members.sum(axis=-1), 1)
    assert np.array_equal(first.members, again.members)
    assert all(0 < share <= 1 for share in told)
    if name != "single":
        other = get_method(name).estimate(classifier, images, seed=6)
        assert not np.array_equal(first.members, other.members)
        assert (first.spread > 0).all()


@pytest.mark.parametrize("name", ["test_time_augmentation", "monte_carlo_dropout"])
def test_an_image_answers_alike_alone_and_among_others(classifier, images, name):
    together = get_method(name).estimate(classifier, images).members[:, 2:3]
    assert np.allclose(get_method(name).estimate(classifier, images[2:3]).members, together, atol=1e-6)


def test_single_is_the_prediction_without_spread(classifier, images):
    result = get_method("single").estimate(classifier, images)
    prediction = classifier.predict_prepared(images)
    assert np.array_equal(result.mean, prediction.probabilities)
    assert result.labels == prediction.labels
    assert np.array_equal(result.confidence, prediction.confidence)
    assert not result.spread.any()
    assert not result.mutual_information.any()


def test_variations_that_change_nothing_give_exactly_the_single_answer(classifier, images):
    for image in images[:, None]:
        single = get_method("single").estimate(classifier, image)
        varied = TestTimeAugmentation("none").estimate(classifier, image)
        assert len(varied.members) > 1
        assert np.array_equal(varied.mean, single.mean)
        assert not varied.spread.any()


def test_the_first_variation_is_the_image_itself_and_the_others_are_drawn(classifier, images, monkeypatch):
    seen = []
    original = Augmentation.draw

    def draw(self, image, generator):
        seen.append(original(self, image, generator))
        return seen[-1]

    monkeypatch.setattr(Augmentation, "draw", draw)
    result = TestTimeAugmentation("scanner").estimate(classifier, images[:1])
    assert np.allclose(result.members[0], classifier.probabilities(images[:1]), atol=1e-6)
    assert np.allclose(result.members[1:, 0], classifier.probabilities(np.stack(seen)), atol=1e-5)


def test_variations_are_those_of_the_models_training(classifier, images):
    wide = Classifier(
        replace(classifier.card, training={"augmentation": "wide"}), classifier.network, classifier.typicality
    )
    untaught = Classifier(
        replace(classifier.card, training={"augmentation": "none"}), classifier.network, classifier.typicality
    )
    for model, preset in ((wide, "wide"), (untaught, "default"), (classifier, "default")):
        own = get_method("test_time_augmentation").estimate(model, images[:1])
        assert np.array_equal(own.members, TestTimeAugmentation(preset).estimate(model, images[:1]).members), preset


def test_dropout_of_a_linear_head_averages_to_its_logits(make_classifier, images):
    """The mean over masks of kept features divided by the share kept is the features themselves."""
    model = make_classifier(1, dropout=0.4)
    # So high a temperature that the softmax is linear: its mean is that of the logits.
    hot = Classifier(replace(model.card, temperature=1e5), model.network, model.typicality)
    result = MonteCarloDropout(samples=40_000).estimate(hot, images)
    logits, features = hot.network.forward(images.astype(np.float32) / 255)
    answers = 3e5 * (result.members - 1 / 3)
    centred = logits - logits.mean(axis=1, keepdims=True)
    kernel = model.network.model.get_layer("logits").kernel.numpy()
    kernel = kernel - kernel.mean(axis=1, keepdims=True)
    deviation = np.sqrt((features**2 @ kernel**2) * 0.4 / 0.6)
    assert np.all(np.abs(answers.mean(axis=0) - centred) < 4.5 * deviation / 200)
    assert answers.std(axis=0) == pytest.approx(deviation, rel=0.03)


@pytest.mark.parametrize("dense", [0, 7])
def test_dropout_in_numpy_is_the_whole_network_with_dropout_on(make_classifier, images, dense):
    """Mean and spread of many passes of Keras through everything, dropout on, within their own noise."""
    model = make_classifier(2, dropout=0.5, dense=dense)
    keras_input = np.repeat(images[:2, ..., None].astype(np.float32) / 255, 3, axis=-1)
    passes = 3000
    keras_model = model.network.model
    inner = tensorflow().keras.Model(keras_model.input, keras_model.get_layer(POOLED_LAYER).output)
    pooled = np.repeat(np.asarray(inner(keras_input, training=True)), passes, axis=0)
    value = pooled
    for layer in keras_model.layers[keras_model.layers.index(keras_model.get_layer(POOLED_LAYER)) + 1 :]:
        value = layer(value, training=True) if layer.name == "dropout" else layer(value)
    expected = softmax(np.asarray(value) / 1.3, axis=-1).reshape(2, passes, 3).swapaxes(0, 1)
    result = MonteCarloDropout(samples=passes).estimate(model, images[:2])
    noise = 5 * np.sqrt(expected.var(axis=0) * 2 / passes) + 1e-6
    assert np.all(np.abs(result.mean - expected.mean(axis=0)) < noise)
    assert result.spread == pytest.approx(expected.std(axis=0), rel=0.1, abs=1e-3)


def test_without_dropout_its_method_says_so(make_classifier, images):
    model = make_classifier(3, dropout=0.0)
    assert "without dropout" in get_method("monte_carlo_dropout").obstacle(model.card, [])
    with pytest.raises(ParameterError, match="without dropout"):
        get_method("monte_carlo_dropout").estimate(model, images)


def test_an_ensemble_of_the_same_model_is_the_single_answer_and_one_alone_is_none(classifier, images):
    single = get_method("single").estimate(classifier, images)
    twice = get_method("ensemble").estimate(classifier, images, partners=[(classifier, images)] * 2)
    assert np.array_equal(twice.mean, single.mean)
    assert not twice.spread.any()
    with pytest.raises(ParameterError, match="second model"):
        get_method("ensemble").estimate(classifier, images)


def test_an_ensemble_averages_calibrated_probabilities_class_by_class(classifier, make_classifier, images):
    other = make_classifier(4, classes=["NT", "BPD", "CRL"], temperature=2.0)
    smaller = images[:, ::-1].copy()
    told = []
    result = get_method("ensemble").estimate(classifier, images, partners=[(other, smaller)], progress=told.append)
    expected = np.stack([classifier.probabilities(images), other.probabilities(smaller)[:, [1, 2, 0]]])
    assert np.allclose(result.members, expected)
    assert np.allclose(result.mean, expected.mean(axis=0))
    assert np.allclose(result.spread, expected.std(axis=0))
    assert told == [0.5, 1.0]


def test_partners_share_task_and_classes(classifier):
    card = classifier.card
    reordered = replace(card, name="reordered", classes=CLASSES[::-1])
    cards = [card, reordered, replace(card, name="two", classes=CLASSES[:2]), replace(card, name="a", task="anatomy")]
    assert partners_of(card, cards) == [reordered]


def test_a_partner_of_other_classes_is_refused(classifier, make_classifier, images):
    stranger = make_classifier(5, classes=["brain", "femur", "thorax"])
    with pytest.raises(ParameterError, match="other classes"):
        get_method("ensemble").estimate(classifier, images, partners=[(stranger, images)])


def test_entropy_and_disagreement_of_known_members():
    certain, guess = [1.0, 0.0, 0.0], [0.0, 0.5, 0.5]
    disagree = Uncertainty(CLASSES, np.array([[[1.0, 0, 0]], [[0, 1.0, 0]]]))
    assert disagree.predictive_entropy == pytest.approx([1])
    assert disagree.mutual_information == pytest.approx([1])
    agree = Uncertainty(CLASSES, np.array([[guess], [guess], [guess]]))
    assert agree.predictive_entropy == pytest.approx([1])
    assert agree.mutual_information == pytest.approx([0])
    assert not agree.spread.any()
    mixed = Uncertainty(CLASSES, np.array([[certain], [guess]]))
    assert mixed.predictive_entropy == pytest.approx([1.5])
    assert mixed.mutual_information == pytest.approx([1.0])
    assert mixed.spread_of_answer == pytest.approx([0.5])
    assert mixed.labels == ["BPD"]


def test_disagreement_is_the_mean_divergence_of_members_from_their_mean():
    members = np.random.default_rng(0).dirichlet([1, 1, 1], (6, 5))
    result = Uncertainty(CLASSES, members)
    divergence = scipy_entropy(members, np.broadcast_to(members.mean(axis=0), members.shape), axis=-1, base=2)
    assert result.mutual_information == pytest.approx(divergence.mean(axis=0))
    assert result.mean == pytest.approx(members.mean(axis=0))
    assert result.spread == pytest.approx(members.std(axis=0))


def test_spread_is_exactly_zero_for_members_that_agree_however_many():
    members = np.tile(np.random.default_rng(3).dirichlet([1, 1, 1], (1, 5)), (17, 1, 1))
    result = Uncertainty(CLASSES, members)
    assert np.array_equal(result.mean, members[0])
    assert not result.spread.any()


def test_unknown_names_are_told_with_the_known_ones():
    with pytest.raises(ParameterError, match="monte_carlo_dropout"):
        get_method("crystal_ball")
    with pytest.raises(ParameterError, match="default"):
        TestTimeAugmentation("wild")
    assert list(METHODS) == ["single", "test_time_augmentation", "monte_carlo_dropout", "ensemble"]


def test_an_expert_sees_the_unsure_and_the_unusual():
    sent = send_to_expert(np.array([0.95, 0.9, 0.89, 0.99]), np.array([False, False, False, True]), 0.9)
    assert list(sent) == [False, False, True, True]


@pytest.fixture
def assessment() -> Assessment:
    rows = pd.DataFrame(
        {
            "patient": ["a", "b", "c", "d", "e"],
            "label": ["BPD", "BPD", "CRL", "", "NT"],
            "predicted": ["BPD", "CRL", "CRL", "NT", "NT"],
            "p_BPD": [0.95, 0.45, 0.05, 0.2, 0.0],
            "p_CRL": [0.03, 0.55, 0.93, 0.2, 0.03],
            "p_NT": [0.02, 0.0, 0.02, 0.6, 0.97],
            "unlike_training": [False, False, False, False, True],
        }
    )
    return Assessment(rows, CLASSES, "heads", simulated=False, problems=())


@pytest.mark.parametrize(
    ("threshold", "sent", "kept", "right"), [(0.9, 3, 2, 2), (0.0, 1, 3, 2), (0.94, 4, 1, 1), (1.01, 5, 0, 0)]
)
def test_a_threshold_is_checked_against_labels(assessment, threshold, sent, kept, right):
    check = check_threshold(assessment, threshold)
    assert (check.data, check.simulated) == ("heads", False)
    assert check.sent == wilson(sent, 5)
    assert check.right.n == kept
    if kept:
        assert check.right == wilson(right, kept)


def test_a_threshold_respects_patients(assessment):
    several = replace(assessment, rows=assessment.rows.assign(patient=list("aaabb")))
    assert check_threshold(several, 0.9).sent == share_by_patient([0, 1, 0, 1, 1], list("aaabb"))
