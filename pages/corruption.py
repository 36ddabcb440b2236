"""Distort an image and watch picture, similarity and prediction; curves over the image and over a sample."""

import streamlit as st

from core import cache
from core.corruption import get as get_corruption
from core.explain.rendering import imgify
from core.figures import image_sweep_figure, probability_bars, sample_sweep_figure
from core.images import encode_png
from core.library import can_be_simulated
from core.preprocessing import PreprocessingSettings
from pages.components.compare import compare
from pages.components.distortion import pick_distortion
from pages.components.header import note_on_classes, pick_image_and_model
from pages.components.jobs import progress_bar
from pages.components.link import linked_choice
from pages.components.model_picker import model_when_ready
from pages.components.pictures import picture
from pages.components.state import REGION, VIEW

VIEWS = {"compare": "Before and after", "map": "Similarity map"}
REGIONS = {"sector": "Sector only", "frame": "Whole frame"}


def stop_curves() -> None:
    st.session_state["curves_stopped"] = True


def draw_curves() -> None:
    st.session_state.pop("curves_stopped", None)


st.title("Corruption")
st.markdown("Choose a distortion, move the intensity, and drag the divider to compare the image before and after.")
picked, card = pick_image_and_model()
note_on_classes(picked, card)

if picked:
    settings = PreprocessingSettings.from_dict(card.preprocessing)
    sha256 = picked.frame.sha256
    source = cache.cleaned(sha256, picked.frame.pixels, settings)
    distortion = pick_distortion(source.gray.shape, with_seed=True)
    corruption = get_corruption(distortion.kind)
    view = cache.distorted(sha256, source, card, distortion)

    pictures, figures = st.columns([3, 2])
    with pictures:
        view_shown = linked_choice("Show", VIEWS, key=VIEW, default="compare")
        if view_shown == "map":
            values = cache.similarity_map(sha256, source, view.image, distortion)
            picture(
                imgify(values, vmin=0.0, vmax=1.0),
                alt="Map of structural similarity",
                caption="Wang's SSIM at each pixel: yellow is unchanged, blue is lost.",
            )
        else:
            compare(source.gray, view.image, "before", "after", key="compare")
        st.download_button(
            "Download the distorted image",
            encode_png(view.image),
            file_name=f"{distortion.kind}_{distortion.intensity:g}.png",
            mime="image/png",
            icon=":material/download:",
        )
    with figures:
        region = linked_choice("Similarity in", REGIONS, key=REGION, default="sector")
        with st.container(horizontal=True):
            st.metric(
                "SSIM (Wang)",
                f"{view.ssim['wang', region]:.3f}",
                border=True,
                help="Gaussian window of 11 x 11 pixels, sigma 1.5, as Wang et al. 2004 defined it.",
            )
            st.metric(
                "SSIM (scikit-image)",
                f"{view.ssim['skimage', region]:.3f}",
                border=True,
                help="scikit-image's default: uniform window of 7 x 7 pixels. The two differ; say which one you mean.",
            )
        st.caption(
            "The black background is alike before and after and raises the index of the whole frame; "
            "the sector alone tells more."
        )
        model = model_when_ready(card)
        if model:
            clean_view = cache.distorted(sha256, source, card, cache.Distortion(distortion.kind, 0.0))
            before = cache.prediction(model, sha256, clean_view.network_image)
            after = cache.prediction(model, sha256, view.network_image, distortion)
            changed = before.labels[0] != after.labels[0]
            st.markdown(
                f"Prediction: **{before.labels[0]}** → **{after.labels[0]}**"
                + (" :material/swap_horiz:" if changed else "")
            )
            st.plotly_chart(
                probability_bars(model.classes, before.probabilities[0], after.probabilities[0]),
                key="bars",
                config={"displayModeBar": False},
                alt="Probabilities before and after the distortion",
            )

    if model:
        st.subheader("Curves")
        this_image, sample = st.columns(2)
        with this_image:
            st.markdown("**This image**")
            image_slot = st.container()
        with sample:
            st.markdown("**A sample of simulated images**")
            sample_slot = st.container()
        with image_slot:
            if not cache.has_image_sweep(card, sha256, distortion.kind, distortion.seed):
                with progress_bar("Following this image") as show:
                    cache.image_sweep(model, sha256, source, distortion.kind, distortion.seed, show)
            sweep = cache.image_sweep(model, sha256, source, distortion.kind, distortion.seed)
            flip = (
                f"flips to **{sweep.after}** at {corruption.amount(sweep.flip)}"
                if sweep.flip is not None
                else f"stays **{sweep.before}** over the whole range"
            )
            st.markdown(f"The prediction {flip}.")
            st.plotly_chart(
                image_sweep_figure(sweep, model.classes, corruption.axis_title(), distortion.intensity),
                key="image_curve",
                config={"displayModeBar": False},
                alt="Probabilities and similarity of this image against intensity",
            )
        with sample_slot:
            if not can_be_simulated(card.classes):
                st.info("None of this model's classes can be simulated, so there is no sample.", icon=":material/info:")
            elif st.session_state.get("curves_stopped") and not cache.has_sample_sweep(card, distortion.kind):
                st.info("The curves were cancelled.", icon=":material/cancel:")
                st.button("Draw the curves", icon=":material/play_arrow:", on_click=draw_curves)
            else:
                if not cache.has_sample_sweep(card, distortion.kind):
                    with progress_bar("Drawing accuracy and similarity over the sample", stop_curves) as show:
                        cache.sample_sweep(model, distortion.kind, show)
                curves = cache.sample_sweep(model, distortion.kind)
                st.markdown(
                    f"n = {curves.accuracy[0].n} phantoms of settings the model was not trained on. "
                    "Simulated: real images may break earlier."
                )
                st.plotly_chart(
                    sample_sweep_figure(curves, corruption.axis_title(), distortion.intensity),
                    key="sample_curve",
                    config={"displayModeBar": False},
                    alt="Accuracy and similarity over a sample of phantoms against intensity",
                )
                st.download_button(
                    "Download the curves",
                    curves.to_csv(),
                    file_name=f"curves_{distortion.kind}_{card.name}.csv",
                    mime="text/csv",
                    icon=":material/download:",
                )
