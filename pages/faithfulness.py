"""Which explanation tells the truth? The studies of faithfulness kept with a model."""

from pathlib import Path

import streamlit as st

from core import cache
from core.explain import measures
from core.explain.base import DRAWING_OBSTACLE, draws
from core.explain.faithfulness import CURVES, GROUPS, MEASURES, FaithfulnessStudy
from core.explain.faithfulness.study import AGREEMENTS, BASELINES, FILES, title_of
from core.explain.faithfulness.tables import (
    agreement_table,
    finding_table,
    measure_table,
    scoreboard_table,
    structure_table,
)
from core.explain.head_study import FILES as HEAD_FILES
from core.explanation_figures import agreement_figure, hiding_figure, scoreboard_figure
from core.zoo.cards import TASKS, Card
from pages.components import link
from pages.components.head_study_view import show_head_study
from pages.components.link import linked_choice
from pages.components.model_picker import pick_model
from pages.components.state import AGREEMENT, TRUTH_CURVE
from pages.components.study_picker import about_download, pick_study, show_sources
from pages.components.tables import table

STATIC = {"displayModeBar": False}
CURVE_TITLES = {name: words[0].upper() + words[1:] for name, words in CURVES.items()}


def show_scoreboard(study: FaithfulnessStudy, name: str) -> None:
    """Sentences, dots and table: faithful, stable, sharp, fast."""
    st.header(f"Which tells the truth? {study.label}")
    st.markdown("\n".join(f"- {sentence}" for sentence in study.conclusions()))
    board = scoreboard_table(study)
    by_title = {title_of(method): method for method in study.methods}
    ordered = [title for title in board["method"] if title in by_title]
    grid = st.grid(2, min_column_width=300)
    for group in GROUPS:
        with grid.cell():
            st.plotly_chart(
                scoreboard_figure(study.scores, {by_title[title]: title for title in ordered}, group),
                key=f"scoreboard_{group}",
                config=STATIC,
                alt=f"How {group} every method is; the table below holds the same figures",
            )
    table(board, "Scoreboard of the methods", f"{name}_scoreboard", height="content")
    st.caption(
        f"{study.origin.capitalize()} images. Means with 95 % intervals that respect patients. Signed maps are ordered "
        "by value, so that evidence against the class comes last; an unsigned map cannot tell such evidence from what "
        "speaks for the class. Left of the dotted line, an order by chance does better."
    )
    with st.expander("What each measure says, and every figure", icon=":material/table:"):
        for group in GROUPS:
            for measure in MEASURES.values():
                if measure.group == group:
                    paper = f" *{measure.paper}*" if measure.paper else ""
                    st.markdown(f"**{measure.title}** ({group}): {measure.explanation}{paper}")
        table(measure_table(study), "Every measure of every method", f"{name}_measures")


def show_curves(study: FaithfulnessStudy, name: str) -> None:
    """What the network says as the image is hidden in the order of each method."""
    st.header("As the image is hidden")
    curve = linked_choice("Order", CURVE_TITLES, key=TRUTH_CURVE, default="deletion")
    titles = {method: title_of(method) for method in (*study.methods, *BASELINES)}
    st.plotly_chart(
        hiding_figure(study.curves, curve, titles),
        key="curves",
        config=STATIC,
        alt=f"Probability of the class, {CURVES[curve]}; the table below holds the same figures",
    )
    st.caption(
        "Bands are 95 % intervals by patient. Hiding scattered pixels destroys texture whatever they show, so fine "
        "maps are to be held against random pixels, coarse ones against random regions."
    )
    with st.expander("These curves as a table", icon=":material/table:"):
        rows = study.curves[study.curves["curve"] == curve]
        table(rows, f"Probability of the class, {CURVES[curve]}", f"{name}_{curve}")


def show_anatomy(study: FaithfulnessStudy, name: str) -> None:
    """Where the relevance lies: the thesis's findings and every structure."""
    findings = finding_table(study)
    if findings.empty:
        return
    st.header("What a phantom-trained network looks at")
    st.markdown(
        "The interpretability thesis saw the skull in BPD, trunk and legs in CRL, face and neck in NT, and measured "
        "nothing. Enrichment is the share of a map's highest tenth that lies in a structure over the share of the "
        "image the structure fills: 1 is chance. Only images whose class was recognised count."
    )
    table(findings, "The thesis's findings, measured", f"{name}_findings")
    for class_name in dict.fromkeys(study.localisation["class"]):
        with st.expander(f"Every structure of {class_name}", icon=":material/table:"):
            table(structure_table(study, class_name), f"Enrichment by structure, {class_name}", f"{name}_{class_name}")


def show_agreement(study: FaithfulnessStudy, name: str) -> None:
    """Do the methods say the same?"""
    st.header("Do the methods say the same?")
    measure = linked_choice("Maps compared by", AGREEMENTS, key=AGREEMENT, default=next(iter(AGREEMENTS)))
    titles = {method: title_of(method) for method in study.methods}
    st.plotly_chart(
        agreement_figure(study.matrix(measure), titles, AGREEMENTS[measure]),
        key="agreement_matrix",
        config=STATIC,
        alt=f"{AGREEMENTS[measure]} of every two methods; the table below holds the same figures",
    )
    with st.expander("This matrix as a table", icon=":material/table:"):
        table(agreement_table(study, measure), f"{AGREEMENTS[measure]} between methods", f"{name}_{measure}")


def sources_of(study: FaithfulnessStudy) -> str:
    """How the study was measured."""
    scoring = study.about["scoring"]
    return (
        f"Images explained: {study.about['n']}. Hidden pixels become {scoring['fill']}; regions are "
        f"{scoring['grid']} by {scoring['grid']}, {scoring['regions']} a step; {scoring['steps']} steps of "
        f"deletion and insertion; {scoring['subsets']} random sets of {scoring['subset_share']:.0%} of the "
        f"regions; noise of {scoring['noise']:g} of the gray range in {scoring['copies']} copies of each image."
    )


def show_study(folder: Path, study: FaithfulnessStudy, name: str) -> None:
    """All of a study of a classifier."""
    show_scoreboard(study, name)
    show_curves(study, name)
    show_anatomy(study, name)
    show_agreement(study, name)
    about_download(folder, FILES, name)
    show_sources(study, sources_of(study))


def say_how_to_make_one(card: Card) -> None:
    """What to run where a model has no study."""
    if draws(card):
        st.info(DRAWING_OBSTACLE, icon=":material/fact_check:")
        return
    files = HEAD_FILES if measures(card) else FILES
    st.info(
        f"The model {card.title} has no {files.title} yet. Run python -m core {files.name} --model {card.name} "
        "--data DIR --out DIR --record NAME and reload this page.",
        icon=":material/fact_check:",
    )


link.begin_with_app()
st.title("Faithfulness")
st.markdown("Choose a study and read which explanation method tells the truth about the network.")
with st.container(border=True):
    card = pick_model(TASKS, with_weights=False)
    if measures(card):
        picked = pick_study(cache.head_study_folders(card), cache.head_study)
    else:
        picked = pick_study(cache.faithfulness_folders(card), cache.faithfulness_study)

if not picked:
    say_how_to_make_one(card)
elif measures(card):
    show_head_study(card, *picked)
else:
    folder, study = picked
    show_study(folder, study, f"{card.name}_{folder.name}")
