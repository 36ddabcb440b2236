"""Explanation methods against tf-keras-vis, hand-made loops and identities that must hold."""

import json

import cv2
import numpy as np
import pytest

from core.errors import ParameterError
from core.explain import METHODS, get_method
from core.explain.occlusion import Occlusion
from core.explain.perturbation import filling
from core.zoo.architectures import LOGITS_LAYER


@pytest.fixture(scope="module")
def images():
    generator = np.random.default_rng(1)
    rough = generator.random((5, 48, 48)).astype(np.float32)
    return np.stack([cv2.GaussianBlur(one, (0, 0), 1.5) for one in rough])


@pytest.fixture(scope="module")
def targets():
    return np.array([0, 1, 2, 1, 0])


@pytest.mark.parametrize("name", sorted(METHODS))
def test_every_method_gives_finite_maps_of_the_images_shape_and_says_what_it_is(name, classifier, images, targets):
    method = get_method(name)
    shares = []
    maps = method.explain(classifier, images, targets, shares.append)
    assert maps.shape == images.shape
    assert maps.dtype == np.float32
    assert np.isfinite(maps).all()
    assert maps.std() > 0
    assert shares[-1] == pytest.approx(1)
    assert shares == sorted(shares)
    for sentence in (method.explanation, method.trust):
        assert sentence.endswith(".")
    assert method.paper
    if not method.signed:
        assert maps.min() >= 0


@pytest.mark.parametrize("name", sorted(METHODS))
def test_a_map_does_not_depend_on_the_batch_it_came_in(name, classifier, images, targets):
    method = get_method(name)
    together = method.explain(classifier, images, targets)
    alone = method.explain_one(classifier, images[3], int(targets[3]))
    assert np.allclose(together[3], alone, atol=1e-4 * np.abs(alone).max())


@pytest.mark.parametrize("name", ["integrated_gradients", "kernel_shap", "lime", "saliency"])
def test_what_a_method_tells_comes_with_the_same_map_in_figures_and_words(name, classifier, images, targets):
    """Methods that measure how far a map can be trusted tell it; one that does not stays silent."""
    method = get_method(name)
    explained = method.explain_and_tell(classifier, images[3], int(targets[3]))
    alone = method.explain_one(classifier, images[3], int(targets[3]))
    assert np.allclose(explained.map, alone, atol=1e-4 * np.abs(alone).max())
    assert json.loads(json.dumps(explained.facts, allow_nan=False)) == explained.facts
    told = {"integrated_gradients": ["residual", "steps"], "saliency": []}.get(name, ["Local fit"])
    assert bool(explained.facts) == bool(explained.note) == bool(told)
    assert all(word in explained.note for word in told)


@pytest.mark.parametrize("name", sorted(METHODS))
def test_maps_differ_between_classes(name, classifier, images):
    method = get_method(name)
    one, other = (method.explain_one(classifier, images[0], target) for target in (0, 1))
    assert not np.allclose(one, other)


def test_unknown_method_is_refused_by_name():
    with pytest.raises(ParameterError, match="saliency"):
        get_method("tea_leaves")


def to_network_input(classifier, images):
    return np.repeat(images[..., None], 3, axis=-1)


def test_saliency_is_tf_keras_vis(classifier, images, targets):
    from tf_keras_vis.saliency import Saliency
    from tf_keras_vis.utils.scores import CategoricalScore

    oracle = Saliency(classifier.network.model, clone=False)
    expected = oracle(
        CategoricalScore(targets.tolist()),
        to_network_input(classifier, images),
        smooth_samples=0,
        keepdims=False,
        normalize_map=False,
    )
    assert np.allclose(get_method("saliency").explain(classifier, images, targets), expected, atol=1e-4)


def test_grad_cam_is_tf_keras_vis(classifier, images, targets):
    from tf_keras_vis.gradcam import Gradcam
    from tf_keras_vis.utils.scores import CategoricalScore

    oracle = Gradcam(classifier.network.model, clone=False)
    expected = np.asarray(
        oracle(
            CategoricalScore(targets.tolist()),
            to_network_input(classifier, images),
            penultimate_layer="features",
            # Otherwise it walks back to the convolution before the ReLU.
            seek_penultimate_conv_layer=False,
            expand_cam=False,
            normalize_cam=False,
        )
    )
    _, maps, gradient = classifier.network.feature_gradient(images, targets)
    coarse = np.maximum(np.einsum("nhwf,nf->nhw", maps, gradient.mean(axis=(1, 2))), 0)
    assert np.allclose(coarse, expected, atol=1e-4 * np.abs(expected).max())
    enlarged = np.stack([cv2.resize(one, (48, 48), interpolation=cv2.INTER_LINEAR) for one in expected])
    ours = get_method("grad_cam").explain(classifier, images, targets)
    assert np.allclose(ours, enlarged, atol=1e-4 * np.abs(expected).max())


def test_class_activation_map_sums_to_the_logit(classifier, images, targets):
    """The mean of the coarse map plus the bias is the score: nothing is left out."""
    from core.explain.cam import weigh

    logits, maps = classifier.network.feature_maps(images)
    layer = classifier.network.model.get_layer(LOGITS_LAYER)
    kernel, bias = np.asarray(layer.kernel), np.asarray(layer.bias)
    coarse = weigh(maps, kernel[:, targets].T)
    scores = coarse.mean(axis=(1, 2)) + bias[targets]
    assert np.allclose(scores, logits[np.arange(5), targets], rtol=1e-3, atol=1e-3)


def test_grad_cam_is_the_positive_part_of_cam_here(classifier, images, targets):
    """With global average pooling and one dense layer they agree up to the number of grid cells."""
    _, maps, gradient = classifier.network.feature_gradient(images, targets)
    kernel = np.asarray(classifier.network.model.get_layer(LOGITS_LAYER).kernel)
    cells = maps.shape[1] * maps.shape[2]
    assert np.allclose(gradient.mean(axis=(1, 2)) * cells, kernel[:, targets].T, atol=1e-4)


@pytest.mark.parametrize(("patch", "stride", "fill"), [(16, 16, "black"), (10, 10, "mean"), (12, 7, "blur")])
def test_occlusion_is_the_plain_loop(classifier, images, patch, stride, fill):
    """48 is no multiple of 10: the last patches are partial; with stride 7 pixels are covered several times."""
    image, target = images[2], 2
    base = classifier.probabilities(image[None])[0, target]
    lost, covered = np.zeros((48, 48)), np.zeros((48, 48))
    for row in range(0, 48, stride):
        for column in range(0, 48, stride):
            hidden = image.copy()
            place = (slice(row, row + patch), slice(column, column + patch))
            hidden[place] = filling(image, fill)[place]
            lost[place] += base - classifier.probabilities(hidden[None])[0, target]
            covered[place] += 1
    ours = Occlusion().explain(classifier, image[None], np.array([target]), patch=patch, stride=stride, fill=fill)[0]
    assert np.allclose(ours, lost / covered, atol=1e-4)


def test_occlusion_finds_the_only_place_that_matters():
    """A model that reads the mean of one corner: only patches on that corner may cost anything."""

    class Corner:
        def scores(self, images):
            share = images[:, :10, :10].mean(axis=(1, 2))
            return np.stack([share, 1 - share], axis=1)

    values = Occlusion().explain(Corner(), np.ones((1, 40, 40), np.float32), np.array([0]), patch=10)[0]
    assert values[:10, :10] == pytest.approx(1)
    assert np.abs(values[10:]).max() == 0
    assert np.abs(values[:, 10:]).max() == 0


@pytest.mark.parametrize("bad", [{"patch": 0}, {"patch": 49}, {"patch": 8, "stride": 9}, {"patch": 8, "fill": "pink"}])
def test_occlusion_refuses_impossible_settings(classifier, images, bad):
    with pytest.raises(ParameterError):
        Occlusion().explain(classifier, images[:1], np.array([0]), **bad)


def test_cancelling_stops_the_work(classifier, images):
    from core.errors import Cancelled

    def stop(share):
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        get_method("occlusion").explain_one(classifier, images[0], 0, stop)
