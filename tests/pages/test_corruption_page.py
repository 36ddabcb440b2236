"""Similarity, prediction before and after, curves drawn once."""

import numpy as np
import pytest

from core import cache


def metrics(app):
    return {metric.label: float(metric.value) for metric in app.metric}


def test_no_distortion_is_perfect_similarity(open_page, texts):
    app = open_page("corruption", kind="blur", intensity_blur="0")
    assert metrics(app) == {"SSIM (Wang)": pytest.approx(1), "SSIM (scikit-image)": pytest.approx(1)}


def test_region_changes_the_index(open_page):
    link = {"image": "phantom-BPD-train-8", "kind": "blur", "intensity_blur": "3"}
    sector = metrics(open_page("corruption", **link))
    frame = metrics(open_page("corruption", **link, region="frame"))
    # A blur leaves the black background alone, which raises the index of the whole frame.
    assert sector["SSIM (Wang)"] < frame["SSIM (Wang)"]


def test_shown_similarity_is_scikit_images(open_page):
    """The number on the page against an independent implementation on the same pictures."""
    from skimage.metrics import structural_similarity

    from core.corruption import corrupt
    from core.library import open_sample, sample_ids
    from core.preprocessing import PreprocessingSettings, clean

    name = next(iter(sample_ids()))
    source = clean(open_sample(name).frame.pixels, PreprocessingSettings())
    noisy = corrupt(source.gray, "noise", 0.2, seed=0)
    expected = structural_similarity(source.gray, noisy, data_range=255)
    app = open_page("corruption", image=name, intensity_noise="0.2", region="frame")
    assert metrics(app)["SSIM (scikit-image)"] == pytest.approx(expected, abs=6e-4)


def test_curves_are_drawn_once_for_everybody(open_page, loaded_model, texts):
    app = open_page("corruption", kind="scale_up")
    assert not app.exception
    assert cache.has_sample_sweep(loaded_model.card, "scale_up")
    curves = cache.sample_sweep(loaded_model, "scale_up")
    assert len(curves.accuracy) == len(curves.intensities) == len(curves.ssim_mean)
    assert curves.ssim_mean[0] == pytest.approx(1)
    assert (np.diff(curves.ssim_mean) < 0.05).all()
    assert f"n = {curves.accuracy[0].n}" in texts(app)
    assert curves.to_csv().splitlines()[1].startswith("scale_up,0,")


def test_seed_changes_the_noise_and_stands_in_the_url(open_page):
    app = open_page("corruption", intensity_noise="0.3")
    one = metrics(app)["SSIM (Wang)"]
    app.number_input(key="seed").set_value(5).run()
    assert app.query_params["seed"] in ("5", ["5"])
    assert metrics(app)["SSIM (Wang)"] == pytest.approx(one, abs=0.02)


def test_map_view(open_page, texts):
    app = open_page("corruption", view="map")
    assert not app.exception
    assert len(app.get("image")) == 1
