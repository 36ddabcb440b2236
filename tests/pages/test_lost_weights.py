"""A model whose weights are gone or damaged: its sentence, the others, and the model itself once they are back."""

from __future__ import annotations

import pytest

PLANES = ["BPD", "CRL", "NT"]


@pytest.fixture
def models(tmp_path, write_tiny_model, use_models):
    """Two tiny models of the planes."""
    for name in ("tiny_kept", "tiny_lost"):
        write_tiny_model(tmp_path / name, "plane", PLANES, "plane")
    use_models(tmp_path)
    return tmp_path


@pytest.fixture
def open_with(open_page):
    """``open_with(NAME)``: the prediction page with a model, once that is loaded or has failed to be."""
    from core import cache
    from core.zoo import read_card

    def open_loaded(name: str):
        cache.start_loading(read_card(name)).exception(timeout=60)
        app = open_page("prediction", model=name)
        assert not app.exception
        return app

    return open_loaded


def test_damaged_weights_are_a_sentence_and_harm_no_other_model(models, open_with, texts):
    from core import cache
    from core.zoo import read_card

    path = models / "tiny_lost" / "weights.npz"
    content = path.read_bytes()
    path.write_bytes(content[:100])
    app = open_with("tiny_lost")
    (sentence,) = [one.value for one in app.error]
    assert "The weights of model 'tiny_lost' are not" in sentence
    assert "restore" in sentence
    # The picker is still there, and the other model answers.
    cache.start_loading(read_card("tiny_kept")).exception(timeout=60)
    app.selectbox(key="model").select("tiny_kept").run()
    assert not app.error
    assert "tiny_lost" not in texts(app)

    path.write_bytes(content)
    # What was begun before, for the other model's ensemble, may still have to fail.
    while cache.start_loading(read_card("tiny_lost")).exception(timeout=60):
        pass
    app = open_with("tiny_lost")
    assert not app.error
    assert "is loading" not in texts(app)


def test_a_link_to_a_model_whose_weights_are_gone_says_so_and_shows_another(models, open_with, open_page, texts):
    from core import cache
    from core.zoo import read_card

    path = models / "tiny_lost" / "weights.npz"
    content = path.read_bytes()
    path.unlink()
    cache.start_loading(read_card("tiny_kept")).exception(timeout=60)
    app = open_page("prediction", model="tiny_lost")
    assert "The weights of model 'tiny_lost' are not installed" in texts(app)
    assert "run: python -m core train" in texts(app)
    assert app.selectbox(key="model").value == "tiny_kept"
    # It stays while the page is drawn anew, until another model is chosen or the weights are back.
    app.run()
    assert "are not installed" in texts(app)

    path.write_bytes(content)
    cache.cards.clear()
    app = open_with("tiny_lost")
    assert "are not installed" not in texts(app)
    assert app.selectbox(key="model").value == "tiny_lost"
