"""The engine against the same steps done one by one; what is finished is never computed again."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from skimage.metrics import structural_similarity

from core.corruption import CORRUPTIONS, corrupt
from core.datasets import read_pixels
from core.errors import DatasetError, ParameterError
from core.preprocessing import PreprocessingSettings, clean, finish
from core.similarity import ssim
from core.sweep import engine
from core.sweep.engine import SIMILARITIES, check_cards, fingerprint, model_key, sweep, working_frame
from core.sweep.store import CellStore
from core.zoo.prediction import Classifier

GRID = {"scale_up": (0.0, 10.0, 40.0), "blur": (0.0, 4.0), "noise": (0.0, 0.1, 0.4)}
CELLS = 8


@pytest.mark.parametrize("side", [None, 60])
def test_rows_are_what_one_step_after_the_other_gives(classifier, other_model, frames, side):
    swept = sweep([classifier, other_model], frames, GRID, side=side, seed=5)
    assert len(swept.rows) == swept.computed == swept.cells == 2 * CELLS * len(frames)
    for row in swept.rows[::7].to_dict("records"):
        path = next(path for path in frames["path"] if Path(path).name == row["image"])
        pixels = read_pixels(path)
        source = working_frame(clean(pixels, PreprocessingSettings()), side)
        seed = (5, int(fingerprint(pixels)[:8], 16))
        image = corrupt(source.gray, row["kind"], row["intensity"], seed=seed, sector=source.sector)
        model = classifier if row["model"] == "tiny" else other_model
        prepared = finish(replace(source, gray=image), model.settings, chain="plane", size=model.card.size)
        expected = model.probabilities(prepared[None])[0]
        assert [row[f"p_{name}"] for name in model.classes] == pytest.approx(expected.tolist(), abs=1e-5)
        for name in SIMILARITIES:
            _, definition, region = name.split("_")
            inside = source.sector if region == "sector" else None
            assert row[name] == pytest.approx(ssim(source.gray, image, definition, inside), abs=1e-9)
        assert row["ssim_skimage_frame"] == pytest.approx(structural_similarity(source.gray, image), abs=1e-6)


def test_a_curve_follows_the_same_noise_whatever_else_is_swept(classifier, frames):
    alone = sweep([classifier], frames.iloc[[3]], {"noise": (0.0, 0.4)}).rows
    among = sweep([classifier], frames.iloc[::-1], GRID).rows
    among = among[(among["image"] == alone["image"][0]) & (among["kind"] == "noise")]
    for intensity in (0.0, 0.4):
        one, other = (rows.loc[rows["intensity"] == intensity, "ssim_wang_frame"].item() for rows in (alone, among))
        assert one == other


def test_each_cell_is_corrupted_once_for_all_models(classifier, other_model, frames, monkeypatch):
    done = []

    def counted(image, kind, intensity, **options):
        done.append((image.tobytes(), kind, intensity))
        return corrupt(image, kind, intensity, **options)

    monkeypatch.setattr(engine, "corrupt", counted)
    sweep([classifier, other_model], frames, GRID)
    assert len(done) == len(set(done)) == CELLS * len(frames)


def test_what_was_stopped_goes_on_and_what_is_finished_is_not_computed_again(
    classifier, other_model, frames, tmp_path, monkeypatch
):
    monkeypatch.setattr(engine, "BATCH", 4)
    path = tmp_path / "cells.sqlite"
    shares = []

    def stop_half_way(share):
        shares.append(share)
        if share > 0.5:
            raise KeyboardInterrupt

    store = CellStore(path)
    with pytest.raises(KeyboardInterrupt):
        sweep([classifier], frames, GRID, store=store, progress=stop_half_way)
    store.close()
    assert shares == sorted(shares)

    store = CellStore(path)
    whole = sweep([classifier], frames, GRID)
    rest = sweep([classifier], frames, GRID, store=store)
    assert 0 < rest.computed < 0.6 * whole.computed
    pd.testing.assert_frame_equal(rest.rows, whole.rows, atol=1e-6)
    assert sweep([classifier], frames, GRID, store=store).computed == 0
    # A further intensity, another image, another model, another seed: only these.
    wider = GRID | {"blur": (0.0, 4.0, 8.0)}
    assert sweep([classifier], frames, wider, store=store).computed == len(frames)
    changed = read_pixels(frames["path"][0]).copy()
    changed[0, 0] ^= 255
    cv2.imwrite(frames["path"][0], changed)
    assert sweep([classifier], frames, GRID, store=store).computed == CELLS
    assert sweep([classifier, other_model], frames, GRID, store=store).computed == CELLS * len(frames)
    assert sweep([classifier], frames, {"noise": (0.0, 0.1)}, seed=1, store=store).computed == 2 * len(frames)
    store.close()


def test_a_corruption_that_does_something_else_is_computed_anew(classifier, frames, monkeypatch):
    store = CellStore()
    sweep([classifier], frames, GRID, store=store)
    engine.behaviour.cache_clear()
    noise = CORRUPTIONS["noise"]._corrupt
    monkeypatch.setattr(CORRUPTIONS["noise"], "_corrupt", lambda *given: np.flip(noise(*given), 0))
    swept = sweep([classifier], frames, GRID, store=store)
    engine.behaviour.cache_clear()
    assert swept.computed == 2 * len(frames)


def test_progress_ends_at_one_and_memory_is_not_all_images(classifier, frames, monkeypatch):
    shares, waiting = [], []
    predict = Classifier.probabilities

    def watched(model, images):
        waiting.append(len(images))
        return predict(model, images)

    monkeypatch.setattr(engine, "BATCH", 5)
    monkeypatch.setattr(Classifier, "probabilities", watched)
    sweep([classifier], frames, GRID, progress=shares.append)
    assert shares[-1] == 1
    assert max(waiting) == 5
    assert sum(waiting) == CELLS * len(frames)


def test_an_unreadable_image_is_told_and_the_others_are_swept(classifier, frames):
    Path(frames["path"][2]).write_bytes(b"no image")
    swept = sweep([classifier], frames, GRID)
    assert swept.rows["image"].nunique() == 5
    (problem,) = swept.problems
    assert problem.startswith(Path(frames["path"][2]).name)
    for path in frames["path"]:
        Path(path).write_bytes(b"no image")
    with pytest.raises(DatasetError, match="None of the images"):
        sweep([classifier], frames, GRID)


def test_the_same_pixels_twice_count_once(classifier, frames):
    twice = pd.concat([frames, frames.iloc[[0]]])
    swept = sweep([classifier], twice, GRID)
    assert len(swept.rows) == CELLS * len(frames)
    assert "same pixels" in swept.problems[0]


def test_models_that_do_not_go_together_are_refused(classifier, other_model, tiny_detector):
    with pytest.raises(ParameterError, match="at least one"):
        check_cards([])
    with pytest.raises(ParameterError, match="twice"):
        check_cards([classifier.card, classifier.card])
    with pytest.raises(ParameterError, match="one task"):
        check_cards([classifier.card, tiny_detector.card])
    other = replace(other_model.card, preprocessing=PreprocessingSettings(grow=3).to_dict())
    with pytest.raises(ParameterError, match="clean"):
        check_cards([classifier.card, other])
    check_cards([classifier.card, replace(other_model.card, preprocessing=PreprocessingSettings(size=64).to_dict())])


def test_a_model_is_known_by_all_that_decides_its_answers(classifier, other_model):
    keys = {model_key(classifier), model_key(other_model)}
    for change in ({"temperature": 2.0}, {"input": {**classifier.card.input, "chain": "detector"}}):
        card = replace(classifier.card, **change)
        keys.add(model_key(Classifier(card, classifier.network, classifier.typicality)))
    assert len(keys) == 4
    renamed = replace(classifier.card, title="another title")
    assert model_key(Classifier(renamed, classifier.network, classifier.typicality)) in keys


def test_a_file_that_is_no_store_is_a_sentence(tmp_path):
    path = tmp_path / "cells.sqlite"
    path.write_text("tea leaves, not a data base" * 100)
    with pytest.raises(DatasetError, match="--out"):
        CellStore(path)


def test_the_thesis_side_reduces_frame_and_sector(frames):
    cleaned = clean(read_pixels(frames["path"][0]), PreprocessingSettings())
    small = working_frame(cleaned, 40)
    assert small.gray.shape == small.sector.shape == (40, 40)
    assert np.array_equal(small.gray, cv2.resize(cleaned.gray, (40, 40)))
    assert working_frame(cleaned, None) is cleaned
