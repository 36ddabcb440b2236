"""Sweeps against the same steps done one by one, and the flip point against a search of its own."""

from dataclasses import replace

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from core.corruption import corrupt
from core.errors import ParameterError
from core.preprocessing import Cleaned, finish
from core.preprocessing.screen import Box
from core.sweep import sweep_image, sweep_sample

PLANES = ["BPD", "CRL", "NT"]


@pytest.fixture(scope="module")
def model(trained_folder):
    from core.zoo.registry import load_model

    return load_model(trained_folder.name, trained_folder.parent)


@pytest.fixture(scope="module")
def cleaned(shape):
    """``cleaned(plane, seed)``: a shape as a cleaned frame with a sector smaller than the frame."""

    def make(plane: str, seed: int) -> Cleaned:
        gray = shape(plane, seed)
        sector = np.zeros(gray.shape, bool)
        sector[10:-10, 10:-10] = True
        return Cleaned(gray, sector, Box(0, gray.shape[0], 0, gray.shape[1]), ())

    return make


def label_at(model, source: Cleaned, kind: str, intensity: float) -> str:
    changed = replace(source, gray=corrupt(source.gray, kind, intensity, seed=0))
    prepared = finish(changed, model.settings, chain="plane", size=model.card.size)
    return model.predict_prepared(prepared[None]).labels[0]


@pytest.fixture(scope="module")
def flipping(model, cleaned):
    """A shape whose class changes under noise, and its sweep."""
    for plane in PLANES:
        for seed in range(5):
            source = cleaned(plane, seed)
            sweep = sweep_image(model, source, "noise")
            if sweep.flip is not None:
                return source, sweep
    pytest.fail("no shape flips under noise: the sweep finds nothing, or the tiny model has learnt too well")


def test_the_flip_is_where_the_label_changes(model, flipping):
    source, sweep = flipping
    assert label_at(model, source, "noise", 0.0) == sweep.before
    assert label_at(model, source, "noise", sweep.flip) == sweep.after != sweep.before
    # Halved five times from the grid's spacing.
    spacing = (sweep.intensities[1] - sweep.intensities[0]) / 2**5
    assert label_at(model, source, "noise", sweep.flip - spacing) == sweep.before


def test_probabilities_and_similarity_of_each_step(model, flipping):
    source, sweep = flipping
    index = 7
    intensity = sweep.intensities[index]
    corrupted = corrupt(source.gray, "noise", float(intensity), seed=0)
    prepared = finish(replace(source, gray=corrupted), model.settings, chain="plane", size=model.card.size)
    assert np.allclose(sweep.probabilities[index], model.probabilities(prepared[None])[0], atol=1e-5)
    reference_map = structural_similarity(
        source.gray, corrupted, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True
    )[1]
    assert sweep.ssim[index] == pytest.approx(reference_map[source.sector].mean(), abs=1e-6)
    assert sweep.ssim[0] == pytest.approx(1)


def test_no_flip_is_said(model):
    flat = Cleaned(np.zeros((96, 96), np.uint8), np.ones((96, 96), bool), Box(0, 96, 0, 96), ())
    sweep = sweep_image(model, flat, "scale_up")
    assert sweep.flip is None
    assert sweep.before == sweep.after


def test_a_sample_counts_what_is_still_right(model, cleaned):
    planes = PLANES * 3
    sources = [cleaned(plane, 40 + index) for index, plane in enumerate(planes)]
    shares = []
    sweep = sweep_sample(model, sources, planes, "scale_up", steps=4, progress=shares.append)
    for step, intensity in enumerate(sweep.intensities):
        right = sum(
            label_at(model, source, "scale_up", float(intensity)) == plane
            for source, plane in zip(sources, planes, strict=True)
        )
        assert sweep.accuracy[step].value == pytest.approx(right / 9)
        assert sweep.accuracy[step].n == 9
    assert np.all(sweep.ssim_low <= sweep.ssim_mean + 1e-12)
    assert np.all(sweep.ssim_mean <= sweep.ssim_high + 1e-12)
    assert shares == sorted(shares)
    assert shares[-1] == 1
    lines = sweep.to_csv().splitlines()
    assert len(lines) == 5
    assert lines[1].startswith("scale_up,0,9,")


def test_cancelling_stops_at_once(model, cleaned):
    class Cancelled(Exception):
        pass

    def stop(share):
        raise Cancelled

    with pytest.raises(Cancelled):
        sweep_sample(model, [cleaned("BPD", seed) for seed in range(4)], ["BPD"] * 4, "blur", progress=stop)


def test_an_unknown_kind_is_refused(model, cleaned):
    with pytest.raises(ParameterError, match="melt"):
        sweep_image(model, cleaned("BPD", 0), "melt")
