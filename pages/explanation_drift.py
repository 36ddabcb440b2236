"""Does the explanation break before the prediction does? The drift studies kept with a model."""

from pathlib import Path

import pandas as pd
import streamlit as st

from core import cache
from core.corruption import get as get_corruption
from core.datasets import CLASSES
from core.explain import get_method
from core.explain.drift_study import ALL_KINDS, FALLS, FILES, HALF, MEASURES, OUTCOMES, DriftStudy
from core.figures import drift_figure, order_figure
from core.library import can_be_simulated
from core.results import order_table
from core.zoo.cards import CLASS_TASKS
from pages.components import link
from pages.components.link import linked_choice
from pages.components.model_picker import pick_model
from pages.components.state import AXIS, FALL, KIND, MEASURE
from pages.components.study_picker import about_download, pick_study, show_sources
from pages.components.tables import table

STATIC = {"displayModeBar": False}
AXES = {"intensity": "Intensity", "ssim": "SSIM"}
FALL_TITLES = {"half" if fall == HALF else "whole": words.capitalize() for fall, words in FALLS.items()}
FALL_VALUES = dict(zip(FALL_TITLES, FALLS, strict=True))


def show_order(order: pd.DataFrame, kind: str, title: str) -> None:
    """What comes first under one kind or all: a bar a method."""
    rows = order[order["kind"] == kind]
    st.markdown(f"**{title}**")
    st.plotly_chart(
        order_figure(rows, [get_method(name).title for name in rows["method"]], OUTCOMES),
        key=f"order_{kind}",
        config=STATIC,
        alt=f"What comes first: {title}; the table at the end of the page holds the same counts",
    )


def show_study(folder: Path, study: DriftStudy, kind: str, measure: str, axis: str, fall: str) -> None:
    """Answer, figures, tables and files of one study."""
    tables = cache.drift_tables(study, measure, FALL_VALUES[fall])
    corruption = get_corruption(kind)
    name = f"{study.about['model']}_{folder.name}"
    st.subheader(f"Which breaks first? {study.label}")
    st.markdown(tables.conclusion)
    left, right = st.columns(2)
    with left:
        show_order(tables.order, ALL_KINDS, "All kinds together")
    with right:
        show_order(tables.order, kind, corruption.title)
    st.subheader(f"{corruption.title}: {MEASURES[measure].lower()} with the clean image's map")
    curves, flips = (rows[rows["kind"] == kind] for rows in (tables.curves, tables.flips))
    st.plotly_chart(
        drift_figure(
            curves,
            flips,
            MEASURES[measure],
            {method: get_method(method).title for method in study.methods},
            corruption.axis_title() if axis == "intensity" else "SSIM in the sector, mean of the images",
            x=axis,
        ),
        key="curves",
        config=STATIC,
        alt=f"{MEASURES[measure]} of maps with the clean one, share of flipped predictions, {corruption.title}; the "
        "tables below hold the same figures",
    )
    st.caption(
        f"{study.origin.capitalize()} images. Lines are means, bands 95 % intervals by patient; dotted is how far the "
        "clean map agrees with those of other images of the same predicted class: agreement that means nothing. "
        "Below, the share of predictions that are no longer the clean image's."
    )
    with st.expander("These figures as tables", icon=":material/table:"):
        table(order_table(tables.order), "What comes first", f"{name}_order_{measure}_{fall}")
        table(curves, f"Agreement under {corruption.title}", f"{name}_{kind}_{measure}")
        table(flips, f"Predictions under {corruption.title}", f"{name}_{kind}_predictions")
    with st.container(horizontal=True):
        st.download_button(
            "All rows (CSV)",
            study.rows.to_csv(index=False),
            file_name=f"{name}_drift.csv",
            mime="text/csv",
            icon=":material/download:",
        )
        about_download(folder, FILES, name)
    counts = ", ".join(f"{get_method(method).title} {n}" for method, n in study.about["n_of_method"].items())
    show_sources(
        study,
        f"Each image is corrupted in {study.about['steps']} growing steps. At each, a method explains the class "
        "predicted for the *clean* image, and its map is compared with that of the clean image; under scale up it is "
        "laid back first and compared inside the crop only. A map counts as broken where the agreement has fallen "
        f"{FALLS[FALL_VALUES[fall]]}, or where it has become constant; a prediction has flipped where the class is "
        f"no longer the clean one. Images explained: {counts}.",
    )


link.begin_with_app()
st.title("Explanation drift")
st.markdown("Choose a study and read whether maps of where the network looked break before its answer does.")
with st.container(border=True):
    card = pick_model(CLASS_TASKS, with_weights=False)
    picked = pick_study(cache.drift_folders(card), cache.drift_study)
    if picked:
        folder, study = picked
        kinds = {kind: get_corruption(kind).title for kind in study.kinds}
        with st.container(horizontal=True):
            kind = linked_choice("Distortion", kinds, key=KIND, default=study.kinds[0])
            measure = linked_choice("Maps compared by", MEASURES, key=MEASURE, default=next(iter(MEASURES)))
            axis = linked_choice("Against", AXES, key=AXIS, default="intensity")
            fall = linked_choice("A map is broken where it has fallen", FALL_TITLES, key=FALL, default="half")

if picked:
    show_study(folder, study, kind, measure, axis, fall)
else:
    st.info(
        f"There is no drift study of the model {card.title} yet. This command makes one from simulated images:",
        icon=":material/timeline:",
    )
    planes = ",".join(can_be_simulated(card.classes) or can_be_simulated(CLASSES["plane"]))
    st.code(
        f"python -m core drift --model {card.name} --data phantom:{planes}:20:unseen "
        f"--out models/{card.name}/drift/phantoms",
        language="bash",
        wrap_lines=True,
    )
