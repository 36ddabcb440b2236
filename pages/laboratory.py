"""The first screen: one image that already tells the story, and doors to the rest."""

import streamlit as st

from core import cache
from core.corruption import get as get_corruption
from core.explain import quick_method
from core.explain.rendering import overlay
from core.figures import image_sweep_figure, probability_bars
from core.preprocessing import PreprocessingSettings
from pages.components import link
from pages.components.distortion import pick_distortion
from pages.components.header import note_on_classes, pick_image_and_model
from pages.components.jobs import progress_bar
from pages.components.model_picker import model_when_ready
from pages.components.pictures import picture, to_display
from pages.components.state import KIND, intensity_key, reset
from pages.components.timer import call_every

DEMO_STEPS = 16
DEMO_SECONDS = 0.8


def start_demo() -> None:
    """A good example, no distortion, and then step by step more of it."""
    st.session_state["demo_step"] = 0
    st.session_state[intensity_key(st.session_state.get(KIND) or "noise")] = 0.0


def stop_demo() -> None:
    st.session_state.pop("demo_step", None)


def advance_demo(kind: str) -> None:
    """One step more, by a full rerun so that picture, prediction and map follow; the call of that run itself waits."""
    if st.session_state.pop("demo_drawn", False):
        return
    st.session_state["demo_step"] += 1
    st.session_state["demo_next"] = round(
        get_corruption(kind).slider_maximum * st.session_state["demo_step"] / DEMO_STEPS, 3
    )
    st.rerun()


if "demo_next" in st.session_state:
    demo_kind = st.session_state.get(KIND) or "noise"
    st.session_state[intensity_key(demo_kind)] = st.session_state.pop("demo_next")
if st.session_state.get("demo_step", 0) >= DEMO_STEPS:
    stop_demo()
demo_running = "demo_step" in st.session_state

link.begin_with_app()
st.title("What does the network see, when does it break, and why?")
st.markdown(
    "Move the intensity slider and watch the picture, its similarity, the prediction and the network's attention."
)
with st.container(horizontal=True):
    if st.button("Try a distortion", icon=":material/blur_on:", type="primary"):
        st.switch_page("pages/corruption.py")
    if st.button("Review results", icon=":material/grid_on:"):
        st.switch_page("pages/confusion_matrix.py")
    if demo_running:
        st.button("Stop the demo", icon=":material/stop_circle:", on_click=stop_demo)
    else:
        st.button("Show a demo", icon=":material/play_circle:", on_click=start_demo)
    st.button("Reset", icon=":material/restart_alt:", on_click=reset, help="Back to the example; uploads stay.")

picked, card = pick_image_and_model()
note_on_classes(picked, card)

if picked:
    settings = PreprocessingSettings.from_dict(card.preprocessing)
    source = cache.cleaned(picked.frame.sha256, picked.frame.pixels, settings)
    distortion = pick_distortion(source.gray.shape)
    corruption = get_corruption(distortion.kind)
    view = cache.distorted(picked.frame.sha256, source, card, distortion)

    columns = st.columns([5, 4, 5])
    with columns[0]:
        picture(view.image, alt=f"{picked.title}, distorted", caption=f"{picked.title}, cleaned and distorted")
        st.metric(
            "SSIM in the sector (Wang)",
            f"{view.ssim['wang', 'sector']:.3f}",
            help="Structural similarity to the undistorted image: 1 is identical, 0 has nothing in common.",
        )
    model = model_when_ready(card)
    if model:
        clean_view = cache.distorted(picked.frame.sha256, source, card, cache.Distortion(distortion.kind, 0.0))
        before = cache.prediction(model, picked.frame.sha256, clean_view.network_image)
        after = cache.prediction(model, picked.frame.sha256, view.network_image, distortion)
        label = after.labels[0]
        target = model.classes.index(label)
        method = quick_method(card)
        with columns[1]:
            explained = cache.explanation(model, picked.frame.sha256, view.network_image, method, target, distortion)
            shown = overlay(
                to_display(view.network_image), explained.values, opacity=0.45, symmetric=method.is_signed(card)
            )
            picture(
                shown,
                alt=f"{method.title} for {label}",
                caption=f"What speaks for {label} "
                + ("(red) or against (blue)" if method.is_signed(card) else "(bright), by Grad-CAM"),
            )
        with columns[2]:
            st.metric("The network says", f"{label} · {100 * after.confidence[0]:.1f} %")
            st.plotly_chart(
                probability_bars(model.classes, before.probabilities[0], after.probabilities[0]),
                key="bars",
                config={"displayModeBar": False},
                alt="Probabilities of the clean and of the distorted image",
            )
            if after.unlike_training[0]:
                st.caption(":material/warning: This image is unlike the images the model was trained on.")

        slot = st.container()
        if demo_running:
            st.session_state["demo_drawn"] = True
            call_every(DEMO_SECONDS, advance_demo, distortion.kind)
        with slot:
            if not cache.has_image_sweep(card, picked.frame.sha256, distortion.kind, distortion.seed):
                with progress_bar(
                    f"Looking for the point where {corruption.title.lower()} flips the prediction"
                ) as show:
                    cache.image_sweep(model, picked.frame.sha256, source, distortion.kind, distortion.seed, show)
            sweep = cache.image_sweep(model, picked.frame.sha256, source, distortion.kind, distortion.seed)
            if sweep.flip is None:
                st.markdown(
                    f"Up to {corruption.amount(corruption.slider_maximum)} the answer stays **{sweep.before}**."
                )
            else:
                st.markdown(
                    f"At {corruption.amount(sweep.flip)} the answer flips from **{sweep.before}** to **{sweep.after}**."
                )
            st.plotly_chart(
                image_sweep_figure(sweep, model.classes, corruption.axis_title(), distortion.intensity),
                key="flip",
                config={"displayModeBar": False},
                alt="Probabilities and similarity against intensity, with the point where the prediction flips",
            )

counts = card.training["images"]["train"]
st.caption(
    f"The model {card.title} was trained on {sum(counts.values())} "
    f"{'simulated' if card.training['simulated'] else 'real'} images "
    f"({', '.join(f'{count} {name}' for name, count in counts.items())}), starting from "
    f"{card.training['start']}. The model card has all figures, simulated and real apart."
)
