"""The perturbation study of a model that measures heads: three claims, each by a figure and its sentences."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from core import cache
from core.explain import measures
from core.explain.contour import WIDTH_MM
from core.explain.head_study import (
    BASELINES,
    CASE_TITLES,
    FILES,
    FOLLOWS,
    HEADLINE,
    QUALITIES,
    HeadStudy,
    backbone_conclusions,
    compare_backbones,
    title_of,
)
from core.explain.head_tables import (
    backbone_table,
    contour_table,
    gap_table,
    halves_table,
    quality_table,
    sorted_methods,
)
from core.explain.regression_perturbation import RANKINGS, STEPS
from core.explanation_figures import dots_figure, error_figure, halves_figure
from core.zoo import Card
from pages.components.frame import errors_as_sentences
from pages.components.link import linked, linked_choice, one_of
from pages.components.state import HEAD_METHOD, HEAD_QUALITY, HEAD_RANKING, HEAD_SETTING
from pages.components.study_picker import about_download, show_sources
from pages.components.tables import table

STATIC = {"displayModeBar": False}


def show_head_study(card: Card, folder: Path, study: HeadStudy) -> None:
    """All of a study of one model."""
    name = f"{card.name}_{folder.name}"
    st.header(f"What explains the circumference? {study.label}")
    st.markdown("\n".join(f"- {sentence}" for sentence in study.conclusions()))
    setting = _pick_setting(study)
    _show_gaps(study, setting, name)
    _show_errors(study, setting)
    _show_contour(study, name)
    _show_backbones(study, name)
    _show_halves(study, name)
    about_download(folder, FILES, name)
    show_sources(study, _sources_of(study))


def _pick_setting(study: HeadStudy) -> tuple[int, str]:
    """A grid and a fill of the study."""
    settings = {f"{grid}-{fill}": (grid, fill) for grid, fill in study.protocol.settings}
    titles = {name: f"{grid} by {grid} regions, {fill}" for name, (grid, fill) in settings.items()}
    return settings[linked_choice("Hidden as", titles, key=HEAD_SETTING, default=next(iter(titles)))]


def _show_gaps(study: HeadStudy, setting: tuple[int, str], name: str) -> None:
    st.subheader("Do maps name what the network needs?")
    grid, fill = setting
    chosen = (study.scores["grid"] == grid) & (study.scores["fill"] == fill) & (study.scores["ranking"] == "size")
    rows = study.scores[chosen & (study.scores["measure"] == HEADLINE)]
    titles = {method: title_of(method) for method in sorted_methods(study)}
    st.plotly_chart(
        dots_figure(rows, titles, QUALITIES[HEADLINE].title, 0.0),
        key="head_gaps",
        config=STATIC,
        alt="Gap of every method to a random order; the table below holds the same figures",
    )
    table(gap_table(study), "Gap to a random order in mm", f"{name}_gaps", height="content")
    st.caption(
        "Means with 95 % intervals that respect examinations. Left of the dotted line a random order does better. The "
        "edges of the image are a map that knows no network."
    )
    with st.expander("What each figure says, and all of them", icon=":material/table:"):
        for quality in QUALITIES.values():
            better = "higher" if quality.higher else "lower"
            st.markdown(f"**{quality.title}** ({better} is better): {quality.explanation}")
        table(quality_table(study, setting), "Every figure of every method", f"{name}_{grid}_{fill}")


def _show_errors(study: HeadStudy, setting: tuple[int, str]) -> None:
    st.subheader("The error as the image is hidden")
    titles = {method: title_of(method) for method in sorted_methods(study)}
    method = linked(
        st.selectbox,
        "Method",
        list(titles),
        key=HEAD_METHOD,
        default=next(iter(titles)),
        parse=one_of(list(titles)),
        format_func=lambda name: titles.get(name, name),
    )
    method = method if method in titles else next(iter(titles))
    rankings = {name: RANKINGS[name] for name in study.rankings(method)}
    ranking = linked_choice("Regions ranked", rankings, key=HEAD_RANKING, default="size")
    curves = study.curves
    keep = (curves["method"] == method) & (curves["ranking"] == ranking)
    keep &= (curves["grid"] == setting[0]) & (curves["fill"] == setting[1])
    st.plotly_chart(
        error_figure(curves[keep], titles[method]),
        key="head_errors",
        config=STATIC,
        alt=f"Error of the circumference as the image is hidden in the order of {titles[method]}",
    )
    st.caption("Bands are 95 % intervals by examination. All orders begin at the whole image and end with none of it.")


def _show_contour(study: HeadStudy, name: str) -> None:
    st.subheader("Do maps follow the head's contour?")
    rows = study.contour[study.contour["measure"] == FOLLOWS]
    ordered = sorted((*study.methods, *BASELINES), key=lambda method: -study.place(method, FOLLOWS).value)
    st.plotly_chart(
        dots_figure(rows, {method: title_of(method) for method in ordered}, CASE_TITLES[FOLLOWS], 1.0),
        key="head_contour",
        config=STATIC,
        alt="Enrichment of relevance near the annotated ellipse; the table below holds the same figures",
    )
    table(contour_table(study), "Relevance near the annotated ellipse", f"{name}_contour", height="content")
    st.caption(
        f"Enrichment is the share of a map's relevance within {WIDTH_MM:g} mm of the annotated ellipse over the share "
        "of the area there; in view, both of what is not black around the sector. The dotted line is chance."
    )


def _show_backbones(study: HeadStudy, name: str) -> None:
    st.subheader("Does map quality depend on the backbone?")
    studies = _studies_like(study)
    st.markdown("\n".join(f"- {sentence}" for sentence in backbone_conclusions(studies)))
    compared = compare_backbones(studies)
    if compared.empty:
        return
    for (first, second), rows in compared.groupby(["first", "second"], sort=False):
        chosen = rows[rows["measure"] == FOLLOWS]
        titles = {method: title_of(method) for method in chosen["method"]}
        st.plotly_chart(
            dots_figure(chosen, titles, f"{CASE_TITLES[FOLLOWS]}, {first} less {second}", 0.0),
            key=f"head_backbones_{first}_{second}",
            config=STATIC,
            alt=f"Enrichment with {first} less that with {second}; the table below holds the same figures",
        )
    table(backbone_table(studies), "Map quality by model, on the images they share", f"{name}_backbones")


def _show_halves(study: HeadStudy, name: str) -> None:
    st.subheader("Does it depend on the error?")
    measure = linked_choice("Map quality by", CASE_TITLES, key=HEAD_QUALITY, default=HEADLINE)
    titles = {method: title_of(method) for method in sorted_methods(study)}
    st.plotly_chart(
        halves_figure(study.halves[study.halves["measure"] == measure], titles, CASE_TITLES[measure]),
        key="head_halves",
        config=STATIC,
        alt=f"{CASE_TITLES[measure]} on heads of low and of high error; the table below holds the same figures",
    )
    table(halves_table(study), "Map quality on heads of low and of high error", f"{name}_halves")
    st.caption(
        "Examinations are halved by their mean error. Where the error is high already, hiding regions can make it "
        "smaller by luck, which lowers the gap; the gap of the shift looks at how far the prediction moves instead."
    )


def _studies_like(study: HeadStudy) -> list[HeadStudy]:
    """The studies of all models on the same data."""
    found = []
    for card in filter(measures, cache.described_cards()):
        for folder in cache.head_study_folders(card):
            with errors_as_sentences():
                other = cache.head_study(folder)
                if other.about["data"] == study.about["data"]:
                    found.append(other)
    return found


def _sources_of(study: HeadStudy) -> str:
    protocol = study.protocol
    grids = ", ".join(f"{grid} by {grid}" for grid in protocol.grids)
    return (
        f"Heads: {study.about['n']}. After Zhang et al. 2020 (10.1007/978-3-030-61166-8_8): regions ({grids}) are "
        f"replaced ({', '.join(protocol.fills)}) in {STEPS} steps, most relevant first, least relevant first and in "
        f"{protocol.chances} random orders of each image. Noise is normal, of the image's own mean and standard "
        "deviation. A region's relevance is the sum over its pixels, of sizes or, of signed maps, also as they are."
    )
