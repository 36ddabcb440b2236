"""Everything measured of a model, simulated and real apart, beside what the seeds published."""

import re

import streamlit as st

from core import cache
from core.evaluation import accuracy
from core.figures import FEW_CLASSES, abstain_curve, confusion_figure, history_figure, reliability_diagram, share_text
from core.published import published_models, published_tables
from core.results import (
    beside_published,
    card_figures,
    class_table,
    comparison,
    difference,
    matrix_table,
    published_classes,
    published_frame,
    shares_called,
)
from core.zoo.assessment import Assessment
from core.zoo.cards import CLASS_TASKS
from pages.components import link
from pages.components.frame import errors_as_sentences
from pages.components.link import linked, linked_choice, one_of
from pages.components.model_picker import pick_model
from pages.components.state import PUBLISHED, SHARES
from pages.components.tables import table

MATRIX_VIEWS = {"counts": "Counts", "shares": "Shares of the row"}
MATRIX_HEIGHT = 296
STATIC = {"displayModeBar": False}
WHERE = {True: "simulated", False: "real"}


def slug(text: str) -> str:
    return re.sub(r"\W+", "_", text).strip("_").lower()


def show_data_set(one: Assessment) -> None:
    """Matrix, classes and calibration of a labelled data set; what an unlabelled one is taken for."""
    name = f"{card.name}_{slug(one.layout)}"
    kind = WHERE[one.simulated]
    st.subheader(one.layout)
    if not len(one.labelled):
        st.caption(
            f"{kind.capitalize()} images without a label this model knows, n = {len(one.rows)}: what it calls them."
        )
        table(shares_called(one), f"What {one.layout} are called", f"{name}_called")
        return
    st.caption(
        f"{kind.capitalize()} images, n = {len(one.labelled)}: {share_text(one.accuracy)} right. 95 % intervals in "
        "brackets; those of the accuracy respect patients, those of the classes take images as independent."
    )
    left, right = st.columns([3, 4] if len(card.classes) <= FEW_CLASSES else [1, 1])
    with left:
        st.plotly_chart(
            confusion_figure(one.matrix, card.classes, shares=view == "shares", height=MATRIX_HEIGHT),
            key=f"matrix_{name}",
            width="content",
            config=STATIC,
            alt=f"Confusion matrix on {one.layout}; the table below the calibration holds the same counts",
        )
    with right:
        table(class_table(one), f"Measures of each class on {one.layout}", f"{name}_classes")
        st.page_link(
            "pages/confusion_matrix.py",
            label="Look at the images of each cell",
            icon=":material/grid_on:",
            query_params={"model": card.name, "data": one.layout},
        )
    result = cache.calibration(one)
    left, right = st.columns(2)
    with left:
        st.markdown(
            f"**Calibration**: expected error {result.error:.3f}",
            help="Mean distance of confidence and accuracy over 15 bins of confidence (Guo et al. 2017); 0 is perfect. "
            "The temperature was fitted on the training data's validation images.",
        )
        st.plotly_chart(
            reliability_diagram(result.bins),
            key=f"reliability_{name}",
            config=STATIC,
            alt=f"Accuracy against confidence on {one.layout}",
        )
    with right:
        st.markdown(
            f"**Sending the least sure to an expert**: mean accuracy {100 * result.kept.area:.2f} %",
            help="Accuracy of the images kept, averaged over all shares kept.",
        )
        st.plotly_chart(
            abstain_curve(result.kept),
            key=f"kept_{name}",
            config=STATIC,
            alt=f"Accuracy against the share of images kept on {one.layout}",
        )
    with st.expander("These figures as tables", icon=":material/table:"):
        table(matrix_table(one.matrix, card.classes), f"Confusion matrix on {one.layout}", f"{name}_matrix")
        table(result.reliability_table(), f"Reliability on {one.layout}", f"{name}_reliability")
        table(result.kept_table(), f"Accuracy by share kept on {one.layout}", f"{name}_kept")


def show_kind(simulated: bool) -> None:
    """All that was measured on simulated, or on real images."""
    kind = WHERE[simulated]
    st.header(f"On {kind} images")
    figures = card_figures(card, simulated)
    shown = [one for one in assessments if one.simulated == simulated]
    if figures.empty and not shown:
        st.info(
            f"The model {card.title} has not been evaluated on {kind} images yet. Run python -m core evaluate "
            f"--model {card.name} --data DIR --record NAME and reload this page.",
            icon=":material/grid_on:",
        )
    for one in shown:
        show_data_set(one)
    if not figures.empty:
        with st.expander(f"All figures of the card on {kind} images ({len(figures)})", icon=":material/badge:"):
            table(figures, f"Figures of the card on {kind} images", f"{card.name}_{kind}_card")


def show_published() -> None:
    """The published classifier chosen, side by side with this model."""
    st.header("Beside the seed's figures")
    augmented = card.training.get("augmentation") != "none"
    published = {one.title: one for one in published_models(card.task, card.backbone, augmented=augmented)}
    if not published:
        st.info(f"The seeds print no table of figures for the task {card.task}.", icon=":material/menu_book:")
        return
    first = next(iter(published))
    title = linked(
        st.selectbox, "Published model", list(published), key=PUBLISHED, default=first, parse=one_of(list(published))
    )
    there = published.get(title, published[first])
    st.markdown(difference(card, there, assessments))
    # Several classes: a set of one class has no confusion to compare.
    ours = next((one for one in assessments if one.simulated and one.labelled["label"].nunique() > 1), None)
    left, right = st.columns(2)
    with left:
        st.markdown(f"**Published: {there.title}**")
        printed = ", ".join(f"{name} {100 * value:.4g} %" for name, value in there.figures.items())
        st.markdown(f"{printed or 'No accuracy printed'}; n {f'= {there.n}' if there.n else 'not stated'}.")
        if there.matrix:
            st.plotly_chart(
                confusion_figure(there.shares(), there.classes, shares=True, height=MATRIX_HEIGHT),
                key="matrix_published",
                width="content",
                config=STATIC,
                alt=f"Published confusion matrix of {there.title}",
            )
    with right:
        if ours is None:
            st.info(
                "This model has no confusion matrix on simulated images to set beside it.", icon=":material/grid_on:"
            )
        else:
            st.markdown(f"**Here: {card.title}**")
            st.markdown(f"accuracy {share_text(accuracy(ours.matrix))} on simulated images; n = {len(ours.labelled)}.")
            st.plotly_chart(
                confusion_figure(ours.matrix, card.classes, shares=True, height=MATRIX_HEIGHT),
                key="matrix_ours",
                width="content",
                config=STATIC,
                alt=f"Confusion matrix of {card.title} on {ours.layout}",
            )
    if ours is not None and there.per_class:
        table(
            beside_published(ours, there),
            f"Classes of {there.title} beside {card.title}",
            f"{card.name}_beside_{slug(there.title)}",
        )
    elif there.matrix is None and there.per_class:
        st.caption("Only measures of the classes are printed, no matrix.")
    st.caption(
        "  \n".join(
            [f"Source: {there.source}.", *([f"n: {there.n_source}."] if there.n_source else []), *there.remarks]
        )
    )
    with st.expander("All published models and tables of this task", icon=":material/menu_book:"):
        for other in published.values():
            st.markdown(f"**{other.title}** ({other.source})")
            if other.matrix:
                table(
                    matrix_table(other.shares(), other.classes),
                    f"Published confusion matrix, {other.title}",
                    f"published_{slug(other.title)}_matrix",
                )
            if other.per_class:
                table(
                    published_classes(other),
                    f"Published measures of each class, {other.title}",
                    f"published_{slug(other.title)}",
                )
            st.caption(" ".join(other.remarks))
        for one in published_tables(card.task):
            st.markdown(f"**{one.title}** ({one.source})")
            table(published_frame(one), one.title, f"published_{slug(one.title)}")
            st.caption(" ".join(one.remarks))


link.begin_with_app()
st.title("Results")
st.markdown("Choose a model and review what was measured of it, simulated and real images apart.")
with st.container(border=True):
    card = pick_model(CLASS_TASKS, with_weights=False)
    view = linked_choice("Confusion matrices show", MATRIX_VIEWS, key=SHARES, default="counts")

st.header(f"All models of the task {card.task}")
rivals = [one for one in cache.described_cards() if one.task == card.task]
known = {}
for one in rivals:
    with errors_as_sentences():
        known[one.name] = cache.assessments(one)
tables = comparison(rivals, known, [one.name for one in cache.cards()])
for simulated, title in ((True, "Simulated images called right"), (False, "Real images called right")):
    if simulated not in tables:
        continue
    st.markdown(f"**{title}**")
    table(
        tables[simulated],
        f"All models of the task {card.task}, {WHERE[simulated]} images",
        f"{card.task}_{WHERE[simulated]}",
    )

st.header(card.title)
with errors_as_sentences():
    history = cache.history(card)
    if history.empty:
        st.info("This model has no record of its training (history.csv).", icon=":material/show_chart:")
    else:
        recorded = [measure for measure in ("loss", "accuracy") if measure in history]
        for column, measure in zip(st.columns(2), recorded, strict=False):
            with column:
                st.plotly_chart(
                    history_figure(history, measure),
                    key=f"history_{measure}",
                    config=STATIC,
                    alt=f"{measure.capitalize()} of training and validation images against epochs",
                )
        with st.expander(f"The {len(history)} epochs as a table", icon=":material/table:"):
            table(history, "Epochs of the training", f"{card.name}_history")

if card.name in known:
    assessments = known[card.name]
    for simulated in WHERE:
        show_kind(simulated)
    show_published()
