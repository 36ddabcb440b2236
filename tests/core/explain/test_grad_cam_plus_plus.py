"""Grad-CAM++ against tf-keras-vis, with and without global average pooling."""

import cv2
import numpy as np
import pytest

from core.explain import get_method
from core.explain.cam import weigh

METHOD = get_method("grad_cam_plus_plus")


@pytest.fixture(scope="module")
def images():
    generator = np.random.default_rng(13)
    return np.stack([cv2.GaussianBlur(one, (0, 0), 2) for one in generator.random((3, 48, 48)).astype(np.float32)])


@pytest.fixture(scope="module")
def flat_head(keras, classifier_of):
    """A head that weighs places differently, so that the proportions matter; its weights are positive, as
    tf-keras-vis scales the proportions of all places and the authors' code, as ours, those of positive gradient."""
    keras.utils.set_random_seed(14)
    inputs = keras.Input((48, 48, 3))
    value = keras.layers.Conv2D(6, 5, strides=4, activation="relu", name="features")(inputs)
    value = keras.layers.Flatten(name="pooled")(value)
    positive = keras.initializers.RandomUniform(0.0, 0.02)
    return classifier_of(keras.Model(inputs, keras.layers.Dense(3, kernel_initializer=positive, name="logits")(value)))


@pytest.mark.parametrize("head", ["classifier", "flat_head"])
def test_it_is_tf_keras_vis_up_to_the_scale(request, images, head):
    """Theirs is multiplied by the exponential of the score."""
    from tf_keras_vis.gradcam_plus_plus import GradcamPlusPlus
    from tf_keras_vis.utils.scores import CategoricalScore

    model = request.getfixturevalue(head)
    targets = np.array([0, 1, 2])
    expected = np.asarray(
        GradcamPlusPlus(model.network.model, clone=False)(
            CategoricalScore(targets.tolist()),
            np.repeat(images[..., None], 3, axis=-1),
            penultimate_layer="features",
            seek_penultimate_conv_layer=False,
            expand_cam=False,
            normalize_cam=False,
        )
    )
    enlarged = np.stack([cv2.resize(one, (48, 48), interpolation=cv2.INTER_LINEAR) for one in expected])
    ours = METHOD.explain(model, images, targets)
    for one, other in zip(ours, enlarged, strict=True):
        assert other.max() > 0
        assert np.allclose(one / one.max(), other / other.max(), atol=1e-4)


def test_with_pooling_it_is_class_activation_mapping_without_negative_weights(classifier, images):
    targets = np.array([0, 1, 2])
    _, maps = classifier.network.feature_maps(images)
    cells = maps.shape[1] * maps.shape[2]
    kernel = np.asarray(classifier.network.model.get_layer("logits").kernel)
    coarse = weigh(maps, np.maximum(kernel[:, targets].T, 0) / cells)
    expected = np.stack([cv2.resize(one, (48, 48), interpolation=cv2.INTER_LINEAR) for one in coarse])
    assert np.allclose(METHOD.explain(classifier, images, targets), expected, rtol=1e-3, atol=1e-5)


def test_a_large_score_does_not_overflow(keras, classifier_of, images):
    """The exponential of a logit of some thousands has no number."""
    inputs = keras.Input((48, 48, 3))
    value = keras.layers.Conv2D(6, 5, strides=4, activation="relu", name="features")(inputs)
    value = keras.layers.GlobalAveragePooling2D(name="pooled")(value)
    strong = keras.layers.Dense(3, kernel_initializer=keras.initializers.RandomUniform(1e4, 2e4), name="logits")
    model = classifier_of(keras.Model(inputs, strong(value)))
    assert model.network.forward(images)[0].min() > 1000
    maps = METHOD.explain(model, images, np.array([0, 1, 2]))
    assert np.isfinite(maps).all()
    assert maps.max() > 0
