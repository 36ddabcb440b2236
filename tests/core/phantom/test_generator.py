import json
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import ParameterError
from core.phantom import PLANES, SETTINGS, disjoint_parameters, generate
from core.phantom.settings import SPLIT_RANGES, Draw, declare_ranges


def same(first, second):
    return (
        np.array_equal(first.image, second.image)
        and np.array_equal(first.labels, second.labels)
        and first.parameters == second.parameters
        and first.pixel_size_mm == second.pixel_size_mm
    )


@cache
def small(plane: str, seed: int, settings: str = "train"):
    """A small phantom, simulated once for all tests that only look at it."""
    return generate(plane, seed, size=64, settings=settings)


class TestDeterminism:
    @pytest.mark.parametrize("plane", PLANES)
    def test_same_seed_same_bytes_whatever_came_before(self, plane):
        first = generate(plane, 7, size=160)
        for other in PLANES:
            generate(other, 11, size=100)
        np.random.seed(3)  # noqa: NPY002 - global state must not matter
        assert same(first, generate(plane, 7, size=160))

    def test_other_seeds_planes_and_settings_give_other_pictures(self):
        pictures = [
            small(plane, seed, settings).image.tobytes() for plane in PLANES for seed in (0, 1) for settings in SETTINGS
        ]
        assert len(set(pictures)) == len(pictures)

    def test_a_seed_keeps_its_anatomy_at_any_size(self):
        small, large = generate("CRL", 5, size=150), generate("CRL", 5, size=(300, 420))
        own = [name for name in small.parameters if name.startswith("fetus.")]
        assert len(own) > 30
        assert all(small.parameters[name] == large.parameters[name] for name in own)


class TestPictures:
    @pytest.mark.parametrize("plane", PLANES)
    @pytest.mark.parametrize(("size", "shape"), [(299, (299, 299)), ((200, 310), (200, 310)), (64, (64, 64))])
    def test_size_and_types(self, plane, size, shape):
        phantom = generate(plane, 1, size=size)
        assert (phantom.image.shape, phantom.labels.shape, phantom.sector.shape) == (shape, shape, shape)
        assert (phantom.image.dtype, phantom.labels.dtype, phantom.sector.dtype) == (np.uint8, np.uint8, bool)
        assert 0.02 < phantom.pixel_size_mm * shape[0] / 100 < 3

    def test_without_a_size_the_aspect_of_a_screens_crop_is_drawn(self):
        shapes = {generate("NT", seed, size=None).image.shape for seed in range(5)}
        assert len(shapes) > 2
        assert all(rows == 400 and 400 <= columns <= 620 for rows, columns in shapes)

    @pytest.mark.parametrize("plane", PLANES)
    def test_the_sector_is_what_is_not_black(self, plane):
        for phantom in (*(small(plane, seed) for seed in range(5)), generate(plane, 5, size=200)):
            assert np.array_equal(phantom.sector, phantom.image > 0)
            assert np.array_equal(phantom.sector, phantom.labels > 0)
            assert phantom.sector.mean() > 0.2

    def test_pictures_are_neither_empty_nor_burnt_out(self):
        for plane in PLANES:
            for seed in range(6):
                phantom = small(plane, seed)
                inside = phantom.image[phantom.sector]
                assert inside.std() > 12
                assert 10 < inside.mean() < 140
                assert (inside == 255).mean() < 0.15

    def test_scanner_and_surroundings_give_no_plane_away(self):
        # The fan's shape, the brightness and the speckle are drawn alike: their means may differ by chance only.
        names = ("scanner.axial_share", "scanner.half_angle", "scanner.gain_gray", "scene.gap", "processing.gamma")
        drawn = {}
        for plane in PLANES:
            parameters = [small(plane, seed).parameters for seed in range(14)]
            drawn[plane] = np.array([[one.get(name, np.nan) for name in names] for one in parameters])
        for column in range(len(names)):
            groups = [values[:, column][~np.isnan(values[:, column])] for values in drawn.values()]
            spread = np.concatenate(groups).std()
            means = [group.mean() for group in groups]
            assert max(means) - min(means) < 1.3 * spread


class TestParameters:
    @pytest.mark.parametrize("plane", PLANES)
    def test_every_number_is_kept_and_goes_through_json(self, plane):
        phantom = generate(plane, 2, size=100)
        assert json.loads(json.dumps(phantom.parameters)) == phantom.parameters
        assert len(phantom.parameters) > 120

    @pytest.mark.parametrize("name", SETTINGS)
    def test_draws_stay_in_the_ranges_of_their_settings(self, name):
        for plane in PLANES:
            for seed in range(5):
                parameters = small(plane, seed, name).parameters
                for parameter, ranges in SPLIT_RANGES.items():
                    if parameter in parameters:
                        low, high = ranges[name]
                        assert low <= parameters[parameter] <= high

    def test_unseen_settings_have_no_value_in_common_with_train(self):
        disjoint = disjoint_parameters()
        assert len(disjoint) >= 8
        assert {name.split(".")[0] for name in disjoint} >= {"scanner", "processing", "head", "fetus"}
        for name in disjoint:
            (low, high), (other_low, other_high) = SPLIT_RANGES[name]["train"], SPLIT_RANGES[name]["unseen"]
            assert high < other_low or other_high < low


class TestRefusals:
    @pytest.mark.parametrize("seed", [-1, 1.5, True])
    def test_seeds(self, seed):
        with pytest.raises(ParameterError, match="whole number"):
            generate("BPD", seed)

    @pytest.mark.parametrize("size", [10, 5000, (299, 3), (100, 100, 3)])
    def test_sizes(self, size):
        with pytest.raises(ParameterError, match="size"):
            generate("BPD", 0, size=size)

    def test_settings(self):
        with pytest.raises(ParameterError, match=r"'test'.*train, unseen"):
            generate("BPD", 0, settings="test")

    def test_a_range_cannot_be_declared_twice_with_other_numbers(self):
        ranges = {"train": (0.0, 1.0), "unseen": (2.0, 3.0)}
        known = {name: SPLIT_RANGES[name] for name in list(SPLIT_RANGES)[:1]}
        declare_ranges(known)
        with pytest.raises(ParameterError, match="already declared"):
            declare_ranges(dict.fromkeys(known, ranges))
        with pytest.raises(ParameterError, match="one range for each"):
            declare_ranges({"half.given": {"train": (0, 1)}})


class TestDraw:
    @given(st.integers(0, 1000), st.floats(-5, 5), st.floats(0.1, 5))
    @settings(max_examples=20, deadline=None)
    def test_draws_stay_within_bounds_and_are_kept(self, seed, low, width):
        draw = Draw(np.random.default_rng(seed))
        values = [draw.uniform("a", low, low + width), draw.normal("b", low, width, low, low + width)]
        values.append(draw.log_uniform("c", 1 + abs(low), 2 + abs(low) + width) - 1 - abs(low) + low)
        assert all(low <= value <= low + width + 1 for value in values)
        assert {"a", "b", "c"} <= set(draw.parameters)

    def test_chances_and_choices_follow_their_weights(self):
        draw = Draw(np.random.default_rng(0))
        assert np.mean([draw.chance("x", 0.2) for _ in range(2000)]) == pytest.approx(0.2, abs=0.03)
        picks = [draw.choice("y", ["a", "b"], [3, 1]) for _ in range(2000)]
        assert picks.count("a") / 2000 == pytest.approx(0.75, abs=0.04)
