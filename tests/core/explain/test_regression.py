"""What all methods say of a network that measures: nothing cut at zero, no word of classes, maps in pixels."""

from dataclasses import replace

import numpy as np
import pytest

from core.errors import ParameterError
from core.explain import METHODS, check_classes, get_method, methods_for
from core.explain.base import DRAWING_OBSTACLE
from core.explain.grad_cam_plus_plus import support

SIZES = {"saliency", "smooth_grad", "guided_backpropagation", "deconvnet", "lrp_z_plus"}
"""Methods whose maps are sizes, for classes and measurements alike."""
TARGETS = np.zeros(3, int)


@pytest.fixture(scope="module")
def maps(regressor, heads):
    """Every method's maps of the three images."""
    quick = {"rise": {"masks": 40}, "lime": {"samples": 40}, "kernel_shap": {"samples": 40}}
    return {name: method.explain(regressor, heads, TARGETS, **quick.get(name, {})) for name, method in METHODS.items()}


@pytest.mark.parametrize("name", sorted(METHODS))
def test_maps_keep_what_lowers_the_number(name, maps, regressor):
    method, found = METHODS[name], maps[name]
    assert found.shape == (3, 32, 32)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    assert found.std() > 0
    assert method.is_signed(regressor.card) == (name not in SIZES)
    assert (found.min() < 0) == method.is_signed(regressor.card)


@pytest.mark.parametrize("name", sorted(METHODS))
def test_words_are_of_the_circumference_and_not_of_a_class(name, regressor, classifier):
    method = METHODS[name]
    said = f"{method.explanation_for(regressor.card)} {method.trust_for(regressor.card)}"
    assert not any(word in said for word in ("class's", "the class", "classes", "probability", "score"))
    assert "circumference" in said
    assert said.endswith(".")
    assert method.explanation_for(classifier.card) == method.explanation
    assert method.trust_for(classifier.card) == method.trust


def test_of_classes_the_cut_at_zero_stays(classifier):
    for name in ("grad_cam", "grad_cam_plus_plus", "score_cam", "rise"):
        assert not METHODS[name].is_signed(classifier.card)
    for name in ("cam", "occlusion", "lime", "input_x_gradient"):
        assert METHODS[name].is_signed(classifier.card)


def test_a_hidden_patch_costs_what_the_circumference_loses(regressor, heads):
    """In pixels of the input."""
    found = get_method("occlusion").explain(regressor, heads[:1], TARGETS[:1], patch=16)[0]
    hidden = heads[:1].copy()
    hidden[0, :16, 16:] = 0
    lost = regressor.scores(heads[:1]) - regressor.scores(hidden)
    assert found[:16, 16:] == pytest.approx(lost[0, 0], abs=1e-3)
    assert abs(lost[0, 0]) > 0.01


def test_shapley_values_sum_to_the_shift_from_the_hidden_image(regressor, heads):
    segments = np.arange(32)[:, None] // 16 * 2 + np.arange(32)[None, :] // 16
    found = get_method("kernel_shap").explain_superpixels(regressor, heads[0], 0, segmentation=segments)
    means = np.array([heads[0][segments == index].mean() for index in range(4)], np.float32)[segments]
    ends = regressor.scores(np.stack([heads[0], means]))[:, 0]
    assert found.weights.sum() == pytest.approx(ends[0] - ends[1], abs=1e-3)


def test_grad_cam_is_class_activation_mapping_where_nothing_is_cut(maps):
    """Up to the number of places; behind a global average pooling Grad-CAM++ is the same up to a factor, sign kept."""
    cam = maps["cam"]
    cells = 16 * 16
    assert np.allclose(cells * maps["grad_cam"], cam, atol=1e-3 * np.abs(cam).max())
    assert np.allclose(cells * maps["grad_cam_plus_plus"], cam, atol=1e-3 * np.abs(cam).max())


def test_what_lowers_is_weighed_as_what_raises():
    """Turning the gradient round turns Grad-CAM++'s weights round."""
    generator = np.random.default_rng(0)
    features, gradient = generator.random((2, 4, 4, 3)), generator.normal(size=(2, 4, 4, 3))
    both = support(features, gradient) - support(features, -gradient)
    assert np.allclose(support(features, -gradient) - support(features, gradient), -both)
    assert (support(features, gradient) >= 0).all()


def test_score_cam_counts_from_the_hidden_image(regressor, heads):
    """A network that answers with its bias whatever it sees has nothing to show, however long its answer."""

    class Deaf(type(regressor)):
        def scores(self, images):
            return np.full((len(images), 1), 64.0)

    deaf = Deaf(regressor.card, regressor.network, regressor.typicality)
    assert np.abs(get_method("score_cam").explain(deaf, heads, TARGETS)).max() == 0


def test_the_residual_is_told_in_pixels(regressor, heads):
    explained = get_method("integrated_gradients").explain_and_tell(regressor, heads[0], 0)
    gained = 32 * explained.facts["difference"]
    ends = regressor.scores(np.stack([heads[0], np.zeros_like(heads[0])]))[:, 0]
    assert gained == pytest.approx(ends[0] - ends[1], abs=1e-3)
    assert f"circumference's gain over the baseline, {gained:.2f} pixels of the input" in explained.note


def test_a_network_that_draws_is_refused_by_all_with_one_sentence(regressor, heads):
    card = replace(regressor.card, measurement={"output": "ellipse"})
    assert {method.obstacle(card) for method in METHODS.values()} == {DRAWING_OBSTACLE}
    assert methods_for(card) == []
    drawing = type(regressor)(card, regressor.network, regressor.typicality)
    with pytest.raises(ParameterError, match="outline"):
        get_method("lrp_z").explain(drawing, heads, TARGETS)


def test_studies_of_classes_refuse_it(regressor, classifier, tmp_path):
    from core.explain.drift import check_model
    from core.explain.faithfulness import FaithfulnessSettings, run_study

    with pytest.raises(ParameterError, match="drift study asks about classes, and tiny_heads measures"):
        check_model(regressor.card, ["saliency"])
    with pytest.raises(ParameterError, match="faithfulness asks about classes, and tiny_heads measures"):
        run_study(regressor, None, FaithfulnessSettings(("saliency",)), tmp_path)
    check_classes(classifier.card, "A study")
