"""A network that an earlier process has converted answers as the one it was made of, and nothing depends on it."""

import errno
import logging
import os
import shutil
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from core.zoo import kept, load_model, read_card, registry, runtime
from core.zoo.kept import CACHE_VARIABLE, Converted, Keeping, cache_folder
from core.zoo.runtime import Late

PREDICT = """
import sys
import numpy as np
from core.zoo import load_model
model = load_model(sys.argv[1], __import__("pathlib").Path(sys.argv[2]))
images = np.random.default_rng(1).random((3, model.card.size, model.card.size)).astype(np.float32)
prediction = model.predict_prepared(images)
maps = model.network.feature_maps(images)[1]
print("tensorflow" in sys.modules, prediction.probabilities.tobytes().hex(), prediction.typicality.tobytes().hex(),
      model.network.logits_kernel.tobytes().hex(), maps.shape)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A cache folder of the test's own."""
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache" / "networks"


@pytest.fixture(scope="module")
def model_folder(classifier, write_model, tmp_path_factory):
    return write_model(classifier, tmp_path_factory.mktemp("models"))


@pytest.fixture
def load(model_folder, monkeypatch):
    """``load()``: the model, as a process loads it that has not done so before."""

    def loaded():
        monkeypatch.setattr(registry, "_kept", type(registry._kept)())
        return load_model(model_folder.name, model_folder.parent)

    return loaded


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(1).random((3, 48, 48)).astype(np.float32)


def test_the_next_process_gives_the_same_answers_without_tensorflow(folder, load, images, model_folder):
    model = load()
    expected = model.predict_prepared(images)
    kernel = model.network.model.get_layer("logits").kernel.numpy()
    maps = model.network.feature_maps(images)[1]
    command = [sys.executable, "-c", PREDICT, model_folder.name, str(model_folder.parent)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    answers = expected.probabilities, expected.typicality, kernel
    assert done.stdout.strip() == " ".join(["False", *(values.tobytes().hex() for values in answers), str(maps.shape)])


def test_gradients_build_the_network_then(folder, load, images):
    targets = np.array([0, 1, 2])
    first = load()
    logits, expected = first.network.image_gradient(images, targets)
    first.predict_prepared(images)
    second = load()
    assert second is not first
    found = second.network.image_gradient(images, targets)
    assert np.array_equal(found[0], logits)
    assert np.array_equal(found[1], expected)
    assert second.network.model is not first.network.model


def test_weights_lost_after_loading_are_missed_by_nobody(folder, load, images, model_folder, tmp_path, monkeypatch):
    load().predict_prepared(images)
    shutil.copytree(model_folder, tmp_path / "models" / model_folder.name)
    monkeypatch.setattr(registry, "_kept", type(registry._kept)())
    model = load_model(model_folder.name, tmp_path / "models")
    shutil.rmtree(tmp_path / "models")
    gradient = model.network.image_gradient(images, np.zeros(3, int))[1]
    assert np.isfinite(gradient).all()
    assert np.abs(gradient).max() > 0


def test_outlines_are_kept_too(folder, head_models, monkeypatch):
    images = np.random.default_rng(2).random((2, 64, 64)).astype(np.float32)
    masks = []
    for _ in range(2):
        monkeypatch.setattr(registry, "_kept", type(registry._kept)())
        model = load_model("tiny_outline", head_models)
        masks.append(model.masks(images))
    assert np.array_equal(*masks)
    assert 0 < masks[0].mean() < 1
    assert len(list(folder.iterdir())) == 1
    # Built late, with the weights of its file.
    assert np.array_equal(model.model.get_layer("logits").bias, [-16.0])


@pytest.mark.parametrize("harm", ["flipped", "cut", "emptied", "of another kind"])
def test_a_damaged_file_is_made_again(folder, load, images, harm):
    expected = load().predict_prepared(images).probabilities
    (path,) = folder.iterdir()
    whole = path.read_bytes()
    middle = len(whole) // 2
    path.write_bytes(
        {
            "flipped": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
            "cut": whole[:middle],
            "emptied": b"",
            "of another kind": b"PK\x05\x06" + bytes(18),
        }[harm]
    )
    assert np.array_equal(load().predict_prepared(images).probabilities, expected)
    with zipfile.ZipFile(path) as file:
        assert file.testzip() is None


def test_another_card_or_version_has_a_place_of_its_own(folder, model_folder, monkeypatch):
    card = read_card(model_folder.name, model_folder.parent)
    places = {Keeping(card).path, Keeping(card).path}
    assert len(places) == 1
    places.add(Keeping(replace(card, weights=card.weights | {"sha256": "0" * 64})).path)
    places.add(Keeping(replace(card, feature_layer="another")).path)
    kept._maker.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(kept, "version", lambda name: "99.0")
        places.add(Keeping(card).path)
    kept._maker.cache_clear()
    assert len(places) == 4
    assert {path.parent for path in places} == {folder}


def test_without_a_place_to_keep_it_the_answers_are_the_same(
    folder, load, images, model_folder, read_only, monkeypatch, caplog
):
    expected = load().predict_prepared(images).probabilities
    closed = read_only(lambda path: shutil.copytree(model_folder, path / model_folder.name))
    monkeypatch.setenv(CACHE_VARIABLE, str(closed))
    monkeypatch.setattr(registry, "_kept", type(registry._kept)())
    with caplog.at_level(logging.INFO, "core.zoo.kept"):
        found = load_model(model_folder.name, closed).predict_prepared(images).probabilities
    assert np.array_equal(found, expected)
    assert "may not be written" in caplog.text


def test_what_lies_where_nobody_may_write_is_used(folder, load, images, model_folder, read_only, monkeypatch):
    expected = load().predict_prepared(images).probabilities

    def fill(path):
        shutil.copytree(model_folder, path / model_folder.name)
        shutil.copytree(folder, path / "networks")
        (path / "networks").chmod(0o555)

    closed = read_only(fill)
    monkeypatch.setenv(CACHE_VARIABLE, str(closed))
    monkeypatch.setattr(registry, "_kept", type(registry._kept)())
    monkeypatch.setattr(runtime, "convert", lambda graph: pytest.fail("it is kept"))
    model = load_model(model_folder.name, closed)
    assert np.array_equal(model.predict_prepared(images).probabilities, expected)


def test_where_nothing_can_be_locked_it_is_kept_all_the_same(folder, load, images, monkeypatch):
    def refuse(file, *, wait):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(kept, "lock", refuse)
    load().predict_prepared(images)
    assert [path.suffix for path in folder.iterdir()] == [kept.SUFFIX]


def test_what_was_unused_for_longest_goes(folder, model_folder, monkeypatch):
    card = read_card(model_folder.name, model_folder.parent)
    monkeypatch.setattr(kept, "LARGEST_BYTES", 4500)
    places = [Keeping(replace(card, temperature=1.0 + number)) for number in range(4)]
    for number, place in enumerate(places):
        place(lambda: Converted(bytes(1000)))
        os.utime(place.path, (number, number))
        if number == 1:
            # Asked for again, it is the one used last.
            places[0](lambda: pytest.fail("it is kept"))
    assert [place.is_there for place in places] == [True, False, True, True]


def test_where_it_is_kept(tmp_path):
    assert cache_folder({CACHE_VARIABLE: str(tmp_path)}) == tmp_path / "networks"
    assert cache_folder({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "planelab" / "networks"
    assert cache_folder({CACHE_VARIABLE: " "}).parts[-3:] == (".cache", "planelab", "networks")


def test_what_is_late_is_made_once_for_all_threads_and_a_failure_is_not_kept():
    made = []

    def make():
        made.append(1)
        if len(made) == 1:
            raise OSError("the disk is away")
        return object()

    late = Late(make)
    with pytest.raises(OSError, match="away"):
        late()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: late(), range(64)))
    assert len(set(map(id, found))) == 1
    assert len(made) == 2
