"""Which plane is it, and how sure is the network? One image or all uploaded ones."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import streamlit as st

from core import cache
from core.figures import probability_bars
from core.images import Frame
from core.zoo import Classifier
from core.zoo.detection import Detection, judge
from pages.components import link
from pages.components.header import note_on_classes, pick_image_and_model
from pages.components.image_picker import uploads
from pages.components.model_picker import CLASSIFICATION, DETECTION, model_when_ready
from pages.components.pictures import picture, to_display
from pages.components.state import open_image
from pages.components.uncertainty import ExpertRule, ask_about_all, how_sure

ANSWERS = {"plane": "Plane", "anatomy": "Anatomy", DETECTION: "Distortion"}
BAR_PIXELS = 24  # height a class takes in the chart, so that every name can be read


def table_of_answers(model: Classifier, frames: Mapping[str, Frame], rule: ExpertRule) -> pd.DataFrame:
    """What a classifier says of every frame by the rule's method, and who goes to an expert."""
    answers = ask_about_all(model, frames, rule)
    rows = []
    for image_id, frame in frames.items():
        seen = cache.prediction(model, frame.sha256, cache.prepared(frame.sha256, frame.pixels, model.card))
        answer = answers[image_id]
        unlike = bool(seen.unlike_training[0])
        rows.append(
            {
                "image": frame.source,
                ANSWERS[model.card.task].lower(): answer.labels[0],
                **{f"p({name})": value for name, value in zip(answer.classes, answer.mean[0], strict=True)},
                "entropy (bit)": float(answer.predictive_entropy[0]),
                "unlike training": unlike,
                "expert": rule.sends(answer, unlike),
            }
        )
    return pd.DataFrame(rows)


def table_of_verdicts(model: Classifier, frames: Mapping[str, Frame]) -> pd.DataFrame:
    """What a detector says of every frame."""
    rows = []
    for frame in frames.values():
        seen = cache.prediction(model, frame.sha256, cache.prepared(frame.sha256, frame.pixels, model.card))
        verdict = judge(model, seen)[0]
        rows.append(
            {
                "image": frame.source,
                ANSWERS[DETECTION].lower(): verdict.label,
                "p(original)": verdict.probability,
                "why": verdict.reason,
                "unlike training": bool(seen.unlike_training[0]),
            }
        )
    return pd.DataFrame(rows)


def show_table(table: pd.DataFrame, shown: list[str] | None = None) -> None:
    """The table of all uploads, its download, and a way to each image."""
    st.dataframe(
        table,
        hide_index=True,
        column_order=shown,
        column_config={name: st.column_config.NumberColumn(format="%.3f") for name in table if name.startswith("p(")}
        | {
            "entropy (bit)": st.column_config.NumberColumn(format="%.2f"),
            "expert": st.column_config.CheckboxColumn(help="Send to an expert, by the rule set above."),
        },
        alt="Predictions of all uploaded images",
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.download_button(
            "Download as CSV",
            table.to_csv(index=False),
            file_name="predictions.csv",
            mime="text/csv",
            icon=":material/download:",
        )
        chosen = st.selectbox("Open", list(frames), format_func=lambda name: frames[name].source, key="open_upload")
        st.button("Show this image above", on_click=open_image, args=(chosen,), icon=":material/open_in_full:")


link.begin_with_app()
st.title("Prediction")
st.markdown("Pick or upload an image and read what the network takes it for, and how sure it is.")
picked, card = pick_image_and_model((*CLASSIFICATION, DETECTION))
model = rule = None

if picked:
    sha256 = picked.frame.sha256
    prepared = cache.prepared(sha256, picked.frame.pixels, card)
    frame_column, seen_column, answer_column = st.columns([4, 3, 4])
    with frame_column:
        picture(picked.frame.pixels, alt=picked.title, caption=f"{picked.title}, as it came")
    with seen_column:
        picture(
            to_display(prepared),
            alt="The preprocessed input",
            caption=f"What the network sees: {card.size} × {card.size} pixels after preprocessing",
        )
    with answer_column:
        model = model_when_ready(card)
        if model:
            prediction = cache.prediction(model, sha256, prepared)
            verdict = judge(model, prediction)[0] if card.task == DETECTION else None
            each_alone = isinstance(prediction, Detection)
            bars = prediction.presence[0] if each_alone else prediction.probabilities[0]
            with st.container(horizontal=True):
                if verdict:
                    st.metric(ANSWERS[card.task], verdict.label, border=True)
                    st.metric("Probability of original", f"{100 * verdict.probability:.1f} %", border=True)
                else:
                    st.metric(ANSWERS[card.task], prediction.labels[0], border=True)
                    st.metric("Probability", f"{100 * prediction.confidence[0]:.1f} %", border=True)
                if not each_alone:
                    st.metric(
                        "Entropy",
                        f"{prediction.entropy[0]:.2f} bit",
                        border=True,
                        help=f"0 is certain; {np.log2(len(model.classes)):.2f} bit is a blind guess.",
                    )
            st.plotly_chart(
                probability_bars(model.classes, bars, height=max(240, BAR_PIXELS * len(model.classes))),
                key="bars",
                config={"displayModeBar": False},
                alt="Probability of each class",
            )
            if prediction.unlike_training[0]:
                origin = "simulated images" if card.training.get("simulated") else "images"
                st.warning(
                    "This image is unlike the images the model was trained on, so its answer is a guess beyond what it "
                    f"knows. The model was trained on {origin} of {', '.join(card.classes)}.",
                    icon=":material/warning:",
                )
            if picked.plane in model.classes:
                right_or_wrong = "right" if picked.plane == prediction.labels[0] else "wrong"
                st.caption(f"This image was simulated as {picked.plane}: the answer is {right_or_wrong}.")
            if verdict:
                st.caption(verdict.reason)
            note_on_classes(picked, card)
    if model and card.detection:
        st.caption(
            "Each kind has a probability of its own, as several can be there at once. By thresholds found on "
            "validation frames, a frame is called original from a probability of "
            f"{100 * card.detection['original']:.0f} %, corrupted below {100 * card.detection['corrupted']:.0f} %, "
            "and unknown in between."
        )
    elif model:
        st.subheader("How sure is it?")
        st.markdown("Compare what different ways of asking say, and set how sure an answer must be to do without you.")
        rule = how_sure(model, picked.frame, bool(prediction.unlike_training[0]))

frames = uploads()
st.subheader("All uploaded images")
if not frames:
    st.caption("Upload several images at once above and their predictions appear here as a table.")
elif model and card.detection:
    show_table(table_of_verdicts(model, frames))
elif rule:
    table = table_of_answers(model, frames, rule)
    show_table(table.assign(method=rule.method.name, expert_below=rule.threshold), shown=list(table))
    st.caption(
        f"{int(table['expert'].sum())} of {len(table)} are flagged *send to an expert*: {rule.method.title} below "
        f"{100 * rule.threshold:.0f} %, or unlike the training data."
    )
else:
    st.caption("The table appears when the models are loaded.")
