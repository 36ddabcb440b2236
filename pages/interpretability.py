"""Where did the network look? Methods side by side, for any class; two classes, models or images beside each other."""

from dataclasses import replace

import numpy as np
import streamlit as st

from core import cache
from core.explain import METHODS, get_method, methods_for
from core.explain.base import DRAWING_OBSTACLE, draws, measures
from core.explain.coverage import coverage
from core.explain.superpixels import SuperpixelMethod
from core.preprocessing import PreprocessingSettings, placement
from core.zoo import Card, Classifier
from core.zoo.heads import HeadRegressor, frame_pixels
from pages.components import link
from pages.components.detector_gallery import show_gallery
from pages.components.distortion import pick_distortion
from pages.components.header import note_on_classes, pick_image_and_model
from pages.components.image_picker import Picked, pick_other_image
from pages.components.link import linked, linked_choice, some_of
from pages.components.map_gallery import View, pick_style, pick_superpixels, show_maps
from pages.components.map_truth import show_truth
from pages.components.maximisation import show_maximisation
from pages.components.model_picker import CLASSIFICATION, DETECTION, MEASUREMENT, model_when_ready, pick_other_model
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


def view_of(model: Classifier | HeadRegressor, picked: Picked, label: str, title: str) -> View:
    """An undistorted image explained for a class; for the predicted one where the model knows no such class."""
    prepared = cache.prepared(picked.frame.sha256, picked.frame.pixels, model.card)
    if measures(model.card):
        named = model.classes[0]
    else:
        named = label if label in model.classes else cache.prediction(model, picked.frame.sha256, prepared).labels[0]
    target = model.classes.index(named)
    return View(f"{title}: {named}", model, picked.frame.sha256, prepared, target, segmentation=segmentation)


def second_view(beside: str, view: View, asked: str) -> View | None:
    """What stands beside the first view; None where it is nothing, is missing or still loads."""
    if beside == RUNNER_UP:
        probabilities = cache.prediction(view.model, view.sha256, view.prepared, view.distortion).probabilities[0]
        others = [index for index in np.argsort(-probabilities) if index != view.target]
        label = view.model.classes[others[0]]
        title = f"{label} ({100 * probabilities[others[0]]:.1f} %)"
        return replace(view, title=title, target=int(others[0]))
    if beside == MODEL:
        card = view.model.card
        other = pick_other_model(card, (MEASUREMENT,) if measures(card) else (*CLASSIFICATION, DETECTION))
        model = model_when_ready(other) if other else None
        return view_of(model, picked, asked, other.title) if model else None
    if beside == IMAGE:
        image = pick_other_image(picked.image_id)
        return view_of(view.model, image, asked, image.title) if image else None
    return None


def pick_class(card: Card) -> str:
    """The class that is asked about, or :data:`PREDICTED`; a model that measures has none to choose from."""
    if measures(card):
        return PREDICTED
    titles = {PREDICTED: "predicted class"} | {name: name for name in card.classes}
    return linked_choice("Evidence for", titles, key=TARGET, default=PREDICTED)


def answer_of_classes(
    model: Classifier, picked: Picked, prepared: np.ndarray, distortion: cache.Distortion | None, asked: str
) -> tuple[int, str]:
    """Say what the network predicts; the class that is explained, and its title with the probability."""
    prediction = cache.prediction(model, picked.frame.sha256, prepared, distortion)
    label = asked if asked in model.classes else prediction.labels[0]
    target = model.classes.index(label)
    probability = 100 * prediction.probabilities[0, target]
    st.markdown(
        f"The network says **{prediction.labels[0]}** ({100 * prediction.confidence[0]:.1f} %). "
        f"The maps show the evidence for **{label}** (probability {probability:.1f} %)."
    )
    return target, f"{label} ({probability:.1f} %)"


def answer_of_measurement(
    model: HeadRegressor, picked: Picked, prepared: np.ndarray, distortion: cache.Distortion | None
) -> tuple[int, str]:
    """Say what the network measures; its one output, and its title with the length."""
    found = cache.circumference(model, picked.frame.sha256, prepared, distortion)
    source = cache.cleaned(picked.frame.sha256, picked.frame.pixels, model.settings)
    pixels = frame_pixels([found], [placement(source.box, model.settings, model.card.size)])[0]
    st.markdown(
        f"The network says: **circumference {pixels:.0f} pixels of the frame** ({found:.1f} of its input). The maps "
        "show what makes it grow and what makes it shrink; those without a sign show only where it is decided."
    )
    return 0, f"circumference {pixels:.0f} pixels"


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


link.begin_with_app()
st.title("Interpretability")
st.markdown("Choose what to explain and compare where different methods say the network found its evidence.")
picked, card = pick_image_and_model((*CLASSIFICATION, DETECTION, MEASUREMENT))
note_on_classes(picked, card)

if draws(card):
    st.info(DRAWING_OBSTACLE, icon=":material/info:")
    show_coverage()
elif picked:
    obstacles = {name: get_method(name).obstacle(card) for name in METHODS}
    ordered = methods_for(card)
    target_name = pick_class(card)
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
    neighbours = {name: title for name, title in BESIDE_TITLES.items() if name != RUNNER_UP or not measures(card)}
    beside = linked_choice("Beside it", neighbours, key=BESIDE, default=NOTHING)
    for obstacle in dict.fromkeys(filter(None, obstacles.values())):
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
        if measures(card):
            target, title = answer_of_measurement(model, picked, prepared, distortion)
        else:
            target, title = answer_of_classes(model, picked, prepared, distortion, target_name)
        label = model.classes[target]
        view_titles = {NOTHING: "", MODEL: f"{card.title}: {label}", IMAGE: f"{picked.title}: {label}"}
        view = View(
            view_titles.get(beside, title), model, picked.frame.sha256, prepared, target, distortion, segmentation
        )
        other = second_view(beside, view, target_name)
        show_maps([view, other] if other else [view], [name for name in ordered if name in chosen], style)
        if not measures(card):
            show_truth(view, [name for name in ordered if name in chosen])
        with st.expander("When to trust which method"):
            for name in ordered:
                method = get_method(name)
                said = f"{method.explanation_for(card)} {method.trust_for(card)}"
                st.markdown(f"**{method.title}**: {said} *{method.paper}*")
        show_coverage()
        if not measures(card):
            show_maximisation(model, target)
        if card.task == DETECTION:
            show_gallery(model, ordered, style.colour_map, style.opacity)
