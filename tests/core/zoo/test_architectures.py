"""Every backbone builds flat, takes local weights, and hands its features to the pooling."""

import numpy as np
import pytest

from core.errors import ModelError, ParameterError
from core.zoo.architectures import BACKBONES, POOLED_LAYER, build_classifier, build_detector
from core.zoo.runtime import tensorflow

SIZE = 75
"""The smallest side that InceptionV3 takes."""


@pytest.mark.parametrize("name", sorted(BACKBONES))
def test_pooling_averages_the_feature_layer_and_the_graph_is_flat(name):
    keras = tensorflow().keras
    model = build_classifier(name, 4, size=SIZE)
    assert model.output_shape == (None, 4)
    assert not any(isinstance(layer, keras.Model) for layer in model.layers)
    maps = model.get_layer(BACKBONES[name].feature_layer).output
    assert model.get_layer(POOLED_LAYER).input is maps


@pytest.mark.parametrize(("name", "reference"), [("vgg16", "vgg16"), ("resnet50", "resnet50")])
def test_centred_networks_see_what_keras_applications_gives_them(name, reference):
    """Our gray image in three equal channels, centred in the graph, equals Keras's own preprocess_input."""
    keras = tensorflow().keras
    images = np.repeat(np.random.default_rng(0).uniform(0, 255, (2, SIZE, SIZE, 1)), 3, axis=-1).astype(np.float32)
    model = build_classifier(name, 2, size=SIZE)
    centred = keras.Model(model.input, model.get_layer("centred").output)(images)
    expected = getattr(keras.applications, reference).preprocess_input(images.copy())
    np.testing.assert_allclose(np.asarray(centred), expected, atol=1e-4)


@pytest.mark.parametrize("name", ["vgg16", "mobilenet_v2"])
def test_a_local_file_fills_the_layers_it_covers(name, tmp_path):
    keras = tensorflow().keras
    backbone = BACKBONES[name]
    plain = getattr(keras.applications, backbone.constructor)(
        input_shape=(SIZE, SIZE, 3), include_top=False, weights=None
    )
    covered = plain
    if backbone.last_started_layer:
        covered = keras.Model(plain.input, plain.get_layer(backbone.last_started_layer).output)
    path = tmp_path / "start.weights.h5"
    covered.save_weights(path)
    built = backbone.build(SIZE, path)
    for layer in (layer for layer in covered.layers if layer.weights):
        for expected, found in zip(layer.get_weights(), built.get_layer(layer.name).get_weights(), strict=True):
            np.testing.assert_array_equal(found, expected)


def test_cnn_has_no_published_weights(tmp_path):
    with pytest.raises(ModelError, match="--weights none"):
        BACKBONES["cnn"].build(SIZE, "imagenet")


def test_options_a_backbone_does_not_have_are_named():
    with pytest.raises(ParameterError, match="depth"):
        build_classifier("vgg16", 2, size=SIZE, depth=3)


def test_a_detector_has_a_slope_everywhere():
    """Even on a black frame, over which every channel is the same: the root of no variance has none."""
    tf = tensorflow()
    model = build_detector("mobilenet_v2", 3, size=64)
    model.get_layer("textures").bias.assign(tf.ones(512))  # its units are on, so the slope has to pass the root
    frame = tf.zeros((1, 64, 64, 3))
    with tf.GradientTape() as tape:
        tape.watch(frame)
        score = model(frame, training=False)[0, 0]
    assert np.isfinite(tape.gradient(score, frame)).all()
