"""The perturbation study of a model that measures heads: three claims answered, and the figures behind them."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from core import cache
from core.explain import measures
from core.explain.contour import WIDTH_MM
from core.explain.head_answers import short_answers
from core.explain.head_study import (
    CASE_TITLES,
    FILES,
    FOLLOWS,
    HEADLINE,
    PLACES,
    QUALITIES,
    SIGNS,
    HeadStudy,
    backbone_conclusions,
    compare_backbones,
    title_of,
)
from core.explain.head_tables import (
    backbone_table,
    board_table,
    contour_table,
    error_table,
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
PINNED = {"method": st.column_config.Column(pinned=True)}


def show_head_study(card: Card, folder: Path, study: HeadStudy) -> None:
    """All of a study of one model: answers first, then the scoreboard, then curves and what the answers rest on."""
    name = f"{card.name}_{folder.name}"
    studies = _studies_like(study)
    st.header("What explains the circumference?")
    st.caption(f"{study.label[0].upper()}{study.label[1:]}; claims of Zhang et al. 2020.")
    _show_answers(study, studies)
    setting = _pick_setting(study)
    _show_scoreboard(study, setting, name)
    _show_errors(study, setting, name)
    _show_quality(study, studies, name)
    about_download(folder, FILES, name)
    show_sources(study, _sources_of(study))


def _show_answers(study: HeadStudy, studies: list[HeadStudy]) -> None:
    """A card a claim, and every sentence of the study for who asks."""
    grid = st.grid(3, min_column_width=300, border=True)
    for answer in short_answers(study, studies):
        with grid.cell():
            st.metric(answer.question, answer.figure, help=answer.caveat)
            st.markdown(answer.sentence)
    with st.expander("Every sentence of this study, with its figures", icon=":material/article:"):
        sentences = [*study.conclusions(), *backbone_conclusions(studies)]
        st.markdown("\n".join(f"- {sentence}" for sentence in sentences))


def _pick_setting(study: HeadStudy) -> tuple[int, str]:
    """A grid and a fill of the study."""
    settings = {f"{grid}-{fill}": (grid, fill) for grid, fill in study.protocol.settings}
    titles = {name: f"{grid} by {grid} regions, {fill}" for name, (grid, fill) in settings.items()}
    return settings[linked_choice("Hidden as", titles, key=HEAD_SETTING, default=next(iter(titles)))]


def _show_scoreboard(study: HeadStudy, setting: tuple[int, str], name: str) -> None:
    """Dots of what is needed and of where it lies, and one table of all that tells the methods apart."""
    st.header("Which maps name what the network needs?")
    grid, fill = setting
    titles = {method: title_of(method) for method in sorted_methods(study)}
    chosen = (study.scores["grid"] == grid) & (study.scores["fill"] == fill) & (study.scores["ranking"] == "size")
    gaps = study.scores[chosen & (study.scores["measure"] == HEADLINE)]
    follows = study.contour[study.contour["measure"] == FOLLOWS]
    cells = st.grid(2, min_column_width=300)
    for key, rows, measure, chance in (
        ("head_gaps", gaps, QUALITIES[HEADLINE].title, 0.0),
        ("head_contour", follows, PLACES[FOLLOWS], 1.0),
    ):
        with cells.cell():
            st.plotly_chart(
                dots_figure(rows, titles, measure, chance),
                key=key,
                config=STATIC,
                alt=f"{measure} of every method; the table below holds the same figures",
            )
    st.caption(
        "Dots are means with 95 % intervals that respect examinations, dotted lines chance. The edges of the image are "
        "a map that knows no network: what follows the contour no better has shown the image, not what was learned."
    )
    table(
        board_table(study, setting),
        "Scoreboard of the methods",
        f"{name}_scoreboard_{grid}_{fill}",
        height="content",
        column_config=PINNED | {QUALITIES[SIGNS].title: st.column_config.Column(width="medium")},
    )
    with st.expander("What each measure says, and every figure", icon=":material/table:"):
        for quality in QUALITIES.values():
            better = "higher" if quality.higher else "lower"
            st.markdown(f"**{quality.title}** ({better} is better): {quality.explanation}")
        st.markdown(
            f"**Enrichment** (1 is chance): the share of a map's relevance within {WIDTH_MM:g} mm of the annotated "
            "ellipse over the share of the area there; in view, both of what is not black around the sector."
        )
        table(quality_table(study, setting), "Every figure of every method", f"{name}_{grid}_{fill}")
        st.markdown("**Gap to a random order in mm under every grid and fill**")
        table(gap_table(study), "Gap to a random order in mm", f"{name}_gaps", column_config=PINNED)
        st.markdown("**Relevance near the annotated ellipse**")
        table(contour_table(study), "Relevance near the annotated ellipse", f"{name}_contour", column_config=PINNED)


def _show_errors(study: HeadStudy, setting: tuple[int, str], name: str) -> None:
    st.header("The error as the image is hidden")
    titles = {method: title_of(method) for method in sorted_methods(study)}
    method = linked(
        st.selectbox,
        "Method",
        list(titles),
        key=HEAD_METHOD,
        default=next(iter(titles)),
        parse=one_of(list(titles)),
        format_func=lambda name: titles.get(name, name),
        width=420,
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
        alt=f"Error of the circumference as the image is hidden in the order of {titles[method]}; the table below "
        "holds the same figures",
    )
    st.caption("Bands are 95 % intervals by examination. All orders begin at the whole image and end with none of it.")
    with st.expander("The curves of all methods as a table", icon=":material/table:"):
        grid, fill = setting
        table(
            error_table(study, setting),
            "Error of the circumference in mm, and in pixels of the frame, as the image is hidden",
            f"{name}_curves_{grid}_{fill}",
            column_config=PINNED,
        )


def _show_quality(study: HeadStudy, studies: list[HeadStudy], name: str) -> None:
    """What map quality depends on: the error, and the backbone where another model was studied."""
    st.header("Does map quality depend on error or backbone?")
    measure = linked_choice("Map quality by", CASE_TITLES, key=HEAD_QUALITY, default=HEADLINE)
    titles = {method: title_of(method) for method in sorted_methods(study)}
    st.plotly_chart(
        halves_figure(study.halves[study.halves["measure"] == measure], titles, CASE_TITLES[measure]),
        key="head_halves",
        config=STATIC,
        alt=f"{CASE_TITLES[measure]} on heads of low and of high error; the table below holds the same figures",
    )
    st.caption(
        "Examinations are halved by their mean error. Where the error is high already, hiding regions can make it "
        "smaller by luck, which lowers the gap; the gap of the shift looks at how far the prediction moves instead."
    )
    compared = compare_backbones(studies)
    for (first, second), rows in compared.groupby(["first", "second"], sort=False):
        chosen = rows[rows["measure"] == measure]
        st.plotly_chart(
            dots_figure(
                chosen,
                {method: title_of(method) for method in chosen["method"]},
                f"{CASE_TITLES[measure]}, {first} less {second}",
                0.0,
            ),
            key=f"head_backbones_{first}_{second}",
            config=STATIC,
            alt=f"{CASE_TITLES[measure]} with {first} less that with {second}; the table below holds the same figures",
        )
    with st.expander("These comparisons as tables", icon=":material/table:"):
        st.markdown("**Heads of low and of high error**")
        table(halves_table(study), "Map quality on heads of low and of high error", f"{name}_halves")
        if len(compared):
            st.markdown("**Models, on the images they share**")
            table(backbone_table(studies), "Map quality by model, on the images they share", f"{name}_backbones")


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
