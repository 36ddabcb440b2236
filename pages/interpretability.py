"""Where did the network look? Methods side by side on the same image, for any class."""

import io

import numpy as np
import streamlit as st

from core import cache
from core.explain import METHODS, get_method
from core.explain.rendering import COLOUR_MAPS, overlay
from core.images import encode_png
from core.preprocessing import PreprocessingSettings
from core.zoo import Card
from pages.components.detector_gallery import show_gallery
from pages.components.distortion import pick_distortion
from pages.components.header import note_on_classes, pick_image_and_model
from pages.components.image_picker import Picked
from pages.components.jobs import progress_bar
from pages.components.link import linked, linked_choice, number_in, one_of, some_of
from pages.components.model_picker import CLASSIFICATION, DETECTION, model_when_ready
from pages.components.pictures import picture, to_display
from pages.components.state import COLOUR_MAP, DISTORTED, OPACITY, TARGET
from pages.components.state import METHODS as METHODS_KEY

PREDICTED = "predicted"
COLUMNS = 3


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


def ask_for(name: str) -> None:
    st.session_state.setdefault("asked", set()).add(name)


def cancel(name: str) -> None:
    st.session_state.setdefault("asked", set()).discard(name)


st.title("Interpretability")
st.markdown("Choose a class and compare where different methods say the network found its evidence.")
picked, card = pick_image_and_model((*CLASSIFICATION, DETECTION))
note_on_classes(picked, card)

if picked:
    obstacles = {name: get_method(name).obstacle(card) for name in METHODS}
    ordered = [name for name in sorted(METHODS, key=lambda name: METHODS[name].order) if obstacles[name] is None]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        titles = {PREDICTED: "predicted class"} | {name: name for name in card.classes}
        target_name = linked_choice("Evidence for", titles, key=TARGET, default=PREDICTED)
        chosen = linked(
            st.pills,
            "Methods",
            ordered,
            key=METHODS_KEY,
            default=ordered,
            parse=some_of(ordered),
            format_func=lambda name: get_method(name).title,
            selection_mode="multi",
        )
    for obstacle in filter(None, obstacles.values()):
        st.caption(f":material/info: {obstacle}")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        opacity = linked(
            st.slider,
            "Opacity of the map",
            0.0,
            1.0,
            key=OPACITY,
            default=0.5,
            parse=number_in(0.0, 1.0),
            step=0.05,
        )
        colour_map = linked(
            st.selectbox,
            "Colours",
            list(COLOUR_MAPS),
            key=COLOUR_MAP,
            default=next(iter(COLOUR_MAPS)),
            parse=one_of(list(COLOUR_MAPS)),
            help="Maps that have a sign are drawn in blue (against) and red (for) instead.",
        )
    colour_map = colour_map if colour_map in COLOUR_MAPS else next(iter(COLOUR_MAPS))
    sha256 = picked.frame.sha256
    distortion, prepared = distort(picked, card)
    model = model_when_ready(card)
    if not model:
        picture(to_display(prepared), alt="The preprocessed input", caption="What the network sees")
    elif not chosen:
        st.info("Choose at least one method above.", icon=":material/visibility:")
    else:
        prediction = cache.prediction(model, sha256, prepared, distortion)
        label = prediction.labels[0] if target_name not in model.classes else target_name
        target = model.classes.index(label)
        st.markdown(
            f"The network says **{prediction.labels[0]}** ({100 * prediction.confidence[0]:.1f} %). "
            f"The maps show the evidence for **{label}** "
            f"(probability {100 * prediction.probabilities[0, target]:.1f} %)."
        )
        grid = st.grid(COLUMNS, min_column_width=260, border=True)
        with grid.cell():
            st.markdown("**Input**")
            picture(to_display(prepared), alt="The preprocessed input")
            st.caption("What the network sees, after " + ("distortion and " if distortion else "") + "preprocessing.")
        for name in (name for name in ordered if name in chosen):
            method = get_method(name)
            with grid.cell():
                st.markdown(f"**{method.title}**", help=f"{method.explanation} {method.trust} Source: {method.paper}.")
                ready = cache.has_explanation(card, sha256, method, target, distortion)
                if method.costly and not ready and name not in st.session_state.get("asked", set()):
                    st.caption(f"{method.explanation} It takes many passes through the network.")
                    st.button(
                        "Compute", key=f"compute_{name}", on_click=ask_for, args=(name,), icon=":material/play_arrow:"
                    )
                    continue
                if ready or not method.costly:
                    explained = cache.explanation(model, sha256, prepared, method, target, distortion)
                else:
                    with progress_bar(method.title, lambda name=name: cancel(name)) as show:
                        explained = cache.explanation(
                            model, sha256, prepared, method, target, distortion, progress=show
                        )
                drawn = overlay(
                    to_display(prepared),
                    explained.values,
                    opacity=float(np.clip(opacity, 0, 1)),
                    colour_map=colour_map,
                    symmetric=method.signed,
                )
                picture(drawn, alt=f"{method.title} for {label}")
                st.caption(f"{method.explanation} {explained.seconds:.2f} s.")
                with st.container(horizontal=True):
                    raw = io.BytesIO()
                    np.save(raw, explained.values)
                    st.download_button(
                        "Map (.npy)",
                        raw.getvalue(),
                        file_name=f"{name}_{label}.npy",
                        key=f"npy_{name}",
                        type="tertiary",
                    )
                    st.download_button(
                        "Picture (.png)",
                        encode_png(drawn),
                        file_name=f"{name}_{label}.png",
                        key=f"png_{name}",
                        type="tertiary",
                    )
        with st.expander("When to trust which method"):
            for name in ordered:
                method = get_method(name)
                st.markdown(f"**{method.title}**: {method.explanation} {method.trust} *{method.paper}*")
        if card.task == DETECTION:
            show_gallery(model, ordered, colour_map, opacity)
