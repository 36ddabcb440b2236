"""Score-CAM against tf-keras-vis."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from core.errors import Cancelled, ParameterError
from core.explain import get_method

METHOD = get_method("score_cam")


@pytest.fixture(scope="module")
def image():
    return cv2.GaussianBlur(np.random.default_rng(15).random((48, 48)).astype(np.float32), (0, 0), 2)


@pytest.fixture(scope="module")
def model(keras, classifier_of):
    keras.utils.set_random_seed(16)
    inputs = keras.Input((48, 48, 3))
    value = keras.layers.Conv2D(24, 5, strides=4, activation="relu", name="features")(inputs)
    value = keras.layers.GlobalAveragePooling2D(name="pooled")(value)
    strong = keras.initializers.RandomNormal(0, 4)
    return classifier_of(keras.Model(inputs, keras.layers.Dense(3, kernel_initializer=strong, name="logits")(value)))


@pytest.mark.parametrize("n_maps", [5, None])
def test_it_is_tf_keras_vis(model, image, monkeypatch, n_maps):
    """Theirs enlarges maps corner to corner, ours as images are enlarged: here both do as ours."""
    from tf_keras_vis import scorecam
    from tf_keras_vis.utils.scores import CategoricalScore

    def enlarge(maps, factor, **options):
        channels_last = np.moveaxis(np.asarray(maps), -1, 1)[0]
        enlarged = [cv2.resize(one, (48, 48), interpolation=cv2.INTER_LINEAR) for one in channels_last]
        return np.stack(enlarged, axis=-1)[None]

    monkeypatch.setattr(scorecam, "zoom", enlarge)
    expected = scorecam.Scorecam(model.network.model, clone=False)(
        CategoricalScore([1]),
        np.repeat(image[None, ..., None], 3, axis=-1),
        penultimate_layer="features",
        seek_penultimate_conv_layer=False,
        max_N=n_maps,
        expand_cam=False,
        normalize_cam=False,
    )
    expected = cv2.resize(np.asarray(expected)[0], (48, 48), interpolation=cv2.INTER_LINEAR)
    ours = METHOD.explain(model, image[None], np.array([1]), n_maps=n_maps)[0]
    assert expected.max() > 0
    assert np.allclose(ours, expected, atol=1e-3 * expected.max())


def test_more_maps_than_there_are_is_all_of_them(model, image):
    few, many, every = (METHOD.explain(model, image[None], np.array([0]), n_maps=n_maps) for n_maps in (3, 24, None))
    assert np.array_equal(many, every)
    assert not np.allclose(few, every)


def test_a_flat_feature_map_hides_all(model, image):
    """A black image has maps that are the same everywhere but at no border: nothing divides by their range of 0."""
    values = METHOD.explain(model, np.zeros((1, 48, 48), np.float32), np.array([0]))
    assert np.isfinite(values).all()


def test_a_detector_of_severities_is_refused(model, image):
    """Its answer rests on layers of every depth, of which the last feature maps are one."""
    card = replace(model.card, detection={"kinds": ["noise"]})
    with pytest.raises(ParameterError, match="every depth"):
        METHOD.explain(type(model)(card, model.network, model.typicality), image[None], np.array([0]))


@pytest.mark.parametrize("bad", [{"n_maps": 0}, {"fill": "pink"}])
def test_impossible_settings_are_refused(model, image, bad):
    with pytest.raises(ParameterError):
        METHOD.explain(model, image[None], np.array([0]), **bad)


def test_it_can_be_cancelled(model, image):
    def stop(share):
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        METHOD.explain(model, image[None], np.array([0]), stop)
