"""Methods side by side, for any class; the costly one waits to be asked."""

from core.explain import METHODS


def buttons(app):
    return {button.key: button for button in app.button}


def test_cheap_methods_at_once_and_occlusion_on_demand(open_page, texts):
    app = open_page("interpretability")
    assert not app.exception
    text = texts(app)
    for method in METHODS.values():
        assert f"**{method.title}**" in text
    cheap = [name for name, method in METHODS.items() if not method.costly]
    downloads = {button.key for button in app.get("download_button")}
    assert {f"{kind}_{name}" for name in cheap for kind in ("npy", "png")} <= downloads
    assert "compute_occlusion" in buttons(app)


def test_occlusion_appears_when_asked(open_page, texts):
    app = open_page("interpretability", methods="occlusion")
    app.button(key="compute_occlusion").click().run()
    assert not app.exception
    assert "compute_occlusion" not in buttons(app)
    assert len(app.get("image")) == 2


def test_another_class_gives_another_sentence_and_link(open_page, texts):
    app = open_page("interpretability", target="NT", methods="cam")
    assert "evidence for **NT**" in texts(app)
    app.segmented_control(key="target").set_value("CRL").run()
    assert "evidence for **CRL**" in texts(app)
    assert app.query_params["target"] in ("CRL", ["CRL"])


def test_no_method_is_a_sentence(open_page, texts):
    app = open_page("interpretability", methods="")
    assert not app.exception
    assert "at least one method" in texts(app)
