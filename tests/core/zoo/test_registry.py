"""A model folder loads only as its card describes it."""

import json
import shutil

import numpy as np
import pytest

from core.errors import ModelError
from core.zoo import Card, default_name, list_cards, load_model, read_card
from core.zoo.registry import network_of
from core.zoo.weights import WEIGHTS_NAME, read_arrays, sha256_of


@pytest.fixture
def models(trained_folder, tmp_path):
    """A models folder with one model that a test may break."""
    shutil.copytree(trained_folder, tmp_path / "models" / "shapes")
    return tmp_path / "models"


def change_card(models, **changes):
    path = models / "shapes" / "card.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_trained_folder_loads_and_predicts_its_own_images(models, shape_folder):
    from core.images import read_image

    model = load_model("shapes", models)
    frames = [read_image(shape_folder / plane / "000.png").pixels for plane in model.classes]
    assert model.predict(frames).labels == model.classes


def test_a_model_is_built_once_whatever_folder_holds_it_and_anew_when_its_card_changes(models, tmp_path):
    first = load_model("shapes", models)
    shutil.copytree(models, tmp_path / "copies")
    assert load_model("shapes", tmp_path / "copies") is first
    (tmp_path / "copies" / "shapes" / WEIGHTS_NAME).write_bytes(b"other")
    with pytest.raises(ModelError, match="SHA-256"):
        load_model("shapes", tmp_path / "copies")
    change_card(models, temperature=9.0)
    changed = load_model("shapes", models)
    assert changed is not first
    assert changed.card.temperature == 9.0


def test_the_last_four_models_are_kept_and_one_that_is_asked_for_again_counts_as_new(models):
    def loaded(temperature):
        change_card(models, temperature=temperature)
        return load_model("shapes", models)

    first, second, *_ = [loaded(20.0 + number) for number in range(4)]
    assert loaded(20.0) is first
    loaded(24.0)
    assert loaded(20.0) is first
    assert loaded(21.0) is not second


def test_weights_are_half_precision_and_the_card_knows_their_hash(models):
    card = read_card("shapes", models)
    path = models / "shapes" / WEIGHTS_NAME
    assert card.weights["sha256"] == sha256_of(path)
    with np.load(path) as file:
        assert {file[name].dtype for name in file.files} == {np.dtype(np.float16)}


def test_a_changed_weight_file_is_refused(models):
    path = models / "shapes" / WEIGHTS_NAME
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelError, match="SHA-256"):
        load_model("shapes", models)


def test_missing_weights_name_the_command_that_makes_them(models):
    (models / "shapes" / WEIGHTS_NAME).unlink()
    with pytest.raises(ModelError, match="core train"):
        load_model("shapes", models)


def test_weights_of_another_network_are_refused(models):
    change_card(models, classes=["BPD", "CRL"])
    with pytest.raises(ModelError, match="another model"):
        load_model("shapes", models)


def test_a_truncated_weight_file_is_a_sentence(models):
    path = models / "shapes" / WEIGHTS_NAME
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ModelError, match="damaged"):
        read_arrays(path)


@pytest.mark.parametrize(
    "content", ["", "[]", "{", '{"name": "x"}', '{"task": "plane", "surprise": 1}', "\x00\xff", "null"]
)
def test_a_broken_card_is_a_sentence(models, content):
    (models / "shapes" / "card.json").write_text(content, encoding="latin-1")
    with pytest.raises(ModelError) as caught:
        read_card("shapes", models)
    assert "shapes" in str(caught.value)


def test_unknown_model_lists_the_known(models):
    with pytest.raises(ModelError, match="shapes"):
        load_model("nothing", models)
    with pytest.raises(ModelError, match="shapes"):
        load_model("../models/shapes", models)


def test_default_comes_first(models):
    shutil.copytree(models / "shapes", models / "a_first_by_name")
    path = models / "a_first_by_name" / "card.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"name": "a_first_by_name"}))
    change_card(models, default=True)
    assert [card.name for card in list_cards(models)] == ["shapes", "a_first_by_name"]
    assert default_name("plane", models) == "shapes"
    with pytest.raises(ModelError, match="anatomy"):
        default_name("anatomy", models)


def test_a_damaged_card_costs_only_its_own_model(models, caplog):
    shutil.copytree(models / "shapes", models / "damaged")
    (models / "damaged" / "card.json").write_text("{")
    said = []
    for with_weights in (False, True):
        cards = list_cards(models, with_weights=with_weights, report=said.append)
        assert [card.name for card in cards] == ["shapes"]
    (sentence,) = set(said)
    assert "The card of model 'damaged' cannot be read" in sentence
    assert "restore models/damaged/card.json" in sentence
    assert caplog.messages == []
    assert default_name("plane", models) == "shapes"
    # Who has no use for the sentence leaves it to the log.
    assert caplog.messages == [sentence]
    with pytest.raises(ModelError) as caught:
        load_model("damaged", models)
    assert str(caught.value) == sentence


def test_card_survives_writing_and_reading(models):
    card = read_card("shapes", models)
    card.write(models / "shapes")
    assert Card.read(models / "shapes") == card


def test_listing_needs_no_tensorflow(models):
    import subprocess
    import sys

    code = "import sys; from core.zoo import list_cards; list_cards(); print('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_models_that_ship_have_the_parameters_their_cards_count():
    cards = list_cards(with_weights=True)
    assert {card.name for card in cards} >= {"mobilenet_v2_plane", "inception_v3_plane", "mobilenet_v2_anatomy"}
    counted = {}
    for card in cards:
        kinds, output = card.detection.get("kinds"), card.measurement.get("output")
        network = (card.backbone, card.size, len(card.classes), str(card.architecture), str(kinds), output)
        if network not in counted:
            counted[network] = network_of(card).count_params()
        assert counted[network] == card.parameters, card.name
