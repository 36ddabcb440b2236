"""A model whose weights are gone or damaged: its sentence, the others, and the model itself once they are back."""

from __future__ import annotations

import re
import time

import pytest

PATIENCE = 60
PLANES = ["BPD", "CRL", "NT"]


@pytest.fixture
def models(tmp_path, write_tiny_model, use_models):
    """Two tiny models of the planes."""
    for name in ("tiny_kept", "tiny_lost"):
        write_tiny_model(tmp_path / name, "plane", PLANES, "plane")
    use_models(tmp_path)
    return tmp_path


@pytest.fixture
def wait(texts):
    """``wait(app)``: have the page drawn anew, as its timer would, until its models are loaded or have failed to be."""

    def until_loaded(app):
        started = time.monotonic()
        while re.search("(is|are) loading", texts(app)) and time.monotonic() - started < PATIENCE:
            time.sleep(0.2)
            app.run()
        assert not app.exception
        return app

    return until_loaded


def test_damaged_weights_are_a_sentence_and_work_again_once_they_are_back(models, open_page, wait, texts):
    path = models / "tiny_lost" / "weights.npz"
    content = path.read_bytes()
    path.write_bytes(content[:100])

    app = wait(open_page("prediction", model="tiny_lost"))
    (sentence,) = [one.value for one in app.error]
    assert "The weights of model 'tiny_lost' are not" in sentence
    assert "restore" in sentence
    # The picker is still there: another model can be chosen.
    assert len(app.selectbox(key="model").options) == 2

    # The others predict; the ensemble, which would have to ask the damaged one, says why it cannot.
    app = wait(open_page("prediction", model="tiny_kept"))
    assert not app.error
    assert "Probability" in {metric.label for metric in app.metric}
    assert "The ensemble cannot be asked. The weights of model 'tiny_lost' are not" in texts(app)

    path.write_bytes(content)
    app = wait(open_page("prediction", model="tiny_lost"))
    assert not app.error
    assert "is loading" not in texts(app)


def test_a_damaged_card_is_one_warning_where_models_are_chosen_until_it_is_back(models, open_page, wait, texts):
    from core import cache

    path = models / "tiny_lost" / "card.json"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    for page in ("prediction", "sweeps", "head_circumference"):
        app = wait(open_page(page, model="tiny_lost"))
        (sentence,) = [one.value for one in app.warning if "card" in one.value]
        assert "The card of model 'tiny_lost' cannot be read" in sentence, page
        assert "restore models/tiny_lost/card.json" in sentence, page
        if page == "prediction":
            # The other one is shown, and nothing else is wrong.
            assert not app.error
            assert app.selectbox(key="model").value == "tiny_kept"
            assert len(app.selectbox(key="model").options) == 1
    path.write_bytes(content)
    for cached in (cache.cards, cache.described_cards, cache.damaged_cards):
        cached.clear()
    app = wait(open_page("prediction", model="tiny_lost"))
    assert "cannot be read" not in texts(app)
    assert app.selectbox(key="model").value == "tiny_lost"


def test_models_of_one_title_are_told_apart(models, open_page, wait):
    app = wait(open_page("prediction", model="tiny_kept"))
    assert len(set(app.selectbox(key="model").options)) == 2
    assert app.selectbox(key="model").value == "tiny_kept"


def test_a_link_to_a_model_whose_weights_are_gone_says_so_and_shows_another(models, open_page, wait, texts):
    from core import cache

    path = models / "tiny_lost" / "weights.npz"
    content = path.read_bytes()
    path.unlink()
    app = wait(open_page("prediction", model="tiny_lost"))
    assert "The weights of model 'tiny_lost' are not installed" in texts(app)
    assert "run: python -m core train" in texts(app)
    assert app.selectbox(key="model").value == "tiny_kept"
    # It stays while the page is drawn anew, until another model is chosen or the weights are back.
    app.run()
    assert "are not installed" in texts(app)

    path.write_bytes(content)
    cache.cards.clear()
    app = wait(open_page("prediction", model="tiny_lost"))
    assert "are not installed" not in texts(app)
    assert app.selectbox(key="model").value == "tiny_lost"
