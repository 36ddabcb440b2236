"""Where did the network look? Methods side by side, for any class; two classes, models or images beside each other."""

from dataclasses import replace

import numpy as np
import streamlit as st

from core import cache
from core.explain import METHODS, get_method, methods_for
from core.explain.coverage import coverage
from core.explain.superpixels import SuperpixelMethod
from core.preprocessing import PreprocessingSettings
from core.zoo import Card, Classifier
from pages.components.detector_gallery import show_gallery
from pages.components.distortion import pick_distortion
from pages.components.header import note_on_classes, pick_image_and_model
from pages.components.image_picker import Picked, pick_other_image
from pages.components.link import linked, linked_choice, some_of
from pages.components.map_gallery import View, pick_style, pick_superpixels, show_maps
from pages.components.map_truth import show_truth
from pages.components.maximisation import show_maximisation
from pages.components.model_picker import CLASSIFICATION, DETECTION, model_when_ready, pick_other_model
from pages.components.pictures import picture, to_display
from pages.components.state import BESIDE, DISTORTED, TARGET
from pages.components.state import METHODS as METHODS_KEY
from pages.components.tables import table

PREDICTED = "predicted"
FIRST_SHOWN = 4  # methods shown without being chosen
NOTHING, RUNNER_UP, MODEL, IMAGE = "nothing", "runner_up", "model", "image"
BESIDE_TITLES = {NOTHING: "nothing", RUNNER_UP: "runner-up class", MODEL: "another model", IMAGE: "another image"}


def distort(picked: Picked, card: Card) -> tuple[cache.Distortion | None, np.ndarray]:
    """The distortion chosen, if any, and what the network sees (S, S) uint8."""
    pixels = picked.frame.pixels
    wanted = linked(
        st.toggle, "Distort the image first", key=DISTORTED, default=False, parse={"True": True, "False": False}.get
    )
    if not wanted:
        return None, cache.prepared(picked.frame.sha256, pixels, card)
    source = cache.cleaned(picked.frame.sha256, pixels, PreprocessingSettings.from_dict(card.preprocessing))
    distortion = pick_distortion(source.gray.shape)
    return distortion, cache.distorted(picked.frame.sha256, source, card, distortion).network_image


def view_of(model: Classifier, picked: Picked, label: str, title: str) -> View:
    """An undistorted image explained for a class; for the predicted one where the model knows no such class."""
    prepared = cache.prepared(picked.frame.sha256, picked.frame.pixels, model.card)
    named = label if label in model.classes else cache.prediction(model, picked.frame.sha256, prepared).labels[0]
    target = model.classes.index(named)
    return View(f"{title}: {named}", model, picked.frame.sha256, prepared, target, segmentation=segmentation)


def second_view(beside: str, view: View, probabilities: np.ndarray, asked: str) -> View | None:
    """What stands beside the first view; None where it is nothing, is missing or still loads."""
    if beside == RUNNER_UP:
        others = [index for index in np.argsort(-probabilities) if index != view.target]
        label = view.model.classes[others[0]]
        title = f"{label} ({100 * probabilities[others[0]]:.1f} %)"
        return replace(view, title=title, target=int(others[0]))
    if beside == MODEL:
        other = pick_other_model(view.model.card, (*CLASSIFICATION, DETECTION))
        model = model_when_ready(other) if other else None
        return view_of(model, picked, asked, other.title) if model else None
    if beside == IMAGE:
        image = pick_other_image(picked.image_id)
        return view_of(view.model, image, asked, image.title) if image else None
    return None


def show_coverage() -> None:
    """Every method against every installed model."""
    with st.expander("Which method works on which model, and why not", icon=":material/grid_on:"):
        found = coverage(cache.cards())
        table(
            found.table(),
            "Methods and the models they can explain",
            "methods_and_models",
            height="content",
            column_config={"method": st.column_config.Column(pinned=True)},
        )
        for reason in found.numbered_reasons():
            st.caption(reason)


st.title("Interpretability")
st.markdown("Choose a class and compare where different methods say the network found its evidence.")
picked, card = pick_image_and_model((*CLASSIFICATION, DETECTION))
note_on_classes(picked, card)

if picked:
    obstacles = {name: get_method(name).obstacle(card) for name in METHODS}
    ordered = methods_for(card)
    titles = {PREDICTED: "predicted class"} | {name: name for name in card.classes}
    target_name = linked_choice("Evidence for", titles, key=TARGET, default=PREDICTED)
    chosen = linked(
        st.pills,
        "Methods",
        ordered,
        key=METHODS_KEY,
        default=ordered[:FIRST_SHOWN],
        parse=some_of(ordered),
        format_func=lambda name: get_method(name).title,
        selection_mode="multi",
    )
    beside = linked_choice("Beside it", BESIDE_TITLES, key=BESIDE, default=NOTHING)
    for obstacle in filter(None, obstacles.values()):
        st.caption(f":material/info: {obstacle}")
    style = pick_style()
    segmentation = cache.DEFAULT_SEGMENTATION
    if any(isinstance(get_method(name), SuperpixelMethod) for name in chosen):
        segmentation, look = pick_superpixels()
        style = replace(style, superpixels=look)
    distortion, prepared = distort(picked, card)
    model = model_when_ready(card)
    if not model:
        picture(to_display(prepared), alt="The preprocessed input", caption="What the network sees")
    elif not chosen:
        st.info("Choose at least one method above.", icon=":material/visibility:")
    else:
        prediction = cache.prediction(model, picked.frame.sha256, prepared, distortion)
        probabilities = prediction.probabilities[0]
        label = prediction.labels[0] if target_name not in model.classes else target_name
        target = model.classes.index(label)
        st.markdown(
            f"The network says **{prediction.labels[0]}** ({100 * prediction.confidence[0]:.1f} %). "
            f"The maps show the evidence for **{label}** (probability {100 * probabilities[target]:.1f} %)."
        )
        class_title = f"{label} ({100 * probabilities[target]:.1f} %)"
        view_titles = {NOTHING: "", MODEL: f"{card.title}: {label}", IMAGE: f"{picked.title}: {label}"}
        view = View(
            view_titles.get(beside, class_title), model, picked.frame.sha256, prepared, target, distortion, segmentation
        )
        other = second_view(beside, view, probabilities, target_name)
        show_maps([view, other] if other else [view], [name for name in ordered if name in chosen], style)
        show_truth(view, [name for name in ordered if name in chosen])
        with st.expander("When to trust which method"):
            for name in ordered:
                method = get_method(name)
                st.markdown(f"**{method.title}**: {method.explanation} {method.trust} *{method.paper}*")
        show_coverage()
        show_maximisation(model, target)
        if card.task == DETECTION:
            show_gallery(model, ordered, style.colour_map, style.opacity)
