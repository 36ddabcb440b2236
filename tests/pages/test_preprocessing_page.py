"""Every stage is on show, and every parameter can be changed, linked and reset."""

import pytest

STAGES = ["Input", "Crop", "mask", "filled", "stretch", "Median", "Resize", "Three channels"]


def stage_titles(app):
    return [
        element.value for element in app.markdown if element.value[:3].strip("*").isdigit() or ". " in element.value[:6]
    ]


def test_shows_the_eight_stages_with_histograms_and_counts(open_page, texts):
    app = open_page("preprocessing")
    titles = stage_titles(app)
    assert len(titles) == 8
    for word, title in zip(STAGES, titles, strict=True):
        assert word in title
    assert len(app.get("plotly_chart")) == 8
    assert sum("pixels." in caption.value for caption in app.caption) == 8


def test_detector_chain_has_no_stretch_and_no_median(open_page):
    app = open_page("preprocessing", chain="detector")
    titles = " ".join(stage_titles(app))
    assert "Median" not in titles
    assert "stretch" not in titles
    assert "Resize" in titles


def test_thesis_preset_sets_every_parameter_and_ours_sets_them_back(open_page):
    app = open_page("preprocessing")
    app.button(key="preset_Thesis").click().run()
    assert not app.exception
    assert app.selectbox(key="pre_mask").value == "annex"
    assert app.selectbox(key="pre_order").value == "crop_last"
    assert app.query_params["pre_fill"] in ("average", ["average"])
    app.button(key="preset_PlaneLab").click().run()
    assert app.selectbox(key="pre_mask").value == "tint"
    assert not [key for key in app.query_params if key.startswith("pre_")]


def test_an_even_window_is_a_sentence(open_page):
    app = open_page("preprocessing")
    app.number_input(key="pre_median_kernel").set_value(4).run()
    assert not app.exception
    assert len(app.error) == 1
    assert "odd" in app.error[0].value


def test_mask_count_depends_on_the_method(open_page):
    app = open_page("preprocessing")
    ours = next(metric.value for metric in app.metric if "Annotation" in metric.label)
    app.selectbox(key="pre_mask").set_value("none").run()
    assert next(metric.value for metric in app.metric if "Annotation" in metric.label) == "0"
    assert ours != "0"


@pytest.mark.parametrize("mask", ["annex", "table"])
def test_colour_boxes_are_on_show_for_box_methods(open_page, mask):
    app = open_page("preprocessing", pre_mask=mask)
    table = app.data_editor[0].value
    assert list(table.columns) == ["R from", "R to", "G from", "G to", "B from", "B to"]
    assert "blue" in table.index
