"""The matrix of images: what a model got wrong, cell by cell, each image under its map; large, and two cells beside."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from core import cache
from core.explain import METHODS, Method, get_method, methods_for
from core.explain.rendering import beside, overlay
from core.misclassifications import ORDERS, ImageFacts, cells_of, describe, errors_of, filters_of, structure_table
from core.zoo import Card, Classifier
from core.zoo.assessment import Assessment
from pages.components import link
from pages.components.jobs import progress_bar
from pages.components.link import linked, linked_choice, number_in, one_of
from pages.components.model_picker import model_when_ready
from pages.components.pictures import picture, to_display
from pages.components.state import ERROR_CELL, ERROR_METHOD, ERROR_ORDER, MATRIX_OF_IMAGES, OTHER_CELL
from pages.components.tables import table
from pages.components.text import plain

MOST_THUMBNAILS = 12
"""On the whole matrix: each needs its image simulated and explained the first time."""
MOST_OF_A_CELL = 4
ABREAST = 2
DEFAULT_METHOD = "cam"
NO_CELL = "none"
ALL = "all"
LARGEST_PLACE = 1_000_000
Cell = tuple[str, str]


def show_misclassified(card: Card, assessment: Assessment) -> None:
    """The section of the confusion page."""
    st.header("The matrix as images")
    st.markdown("See the misclassified images of each cell under their maps, enlarge one, and compare two cells.")
    everything = errors_of(assessment)
    if "image_id" not in everything or not everything["image_id"].astype(bool).any():
        st.info(
            "None of the misclassified images is part of PlaneLab, so there is nothing to show."
            if len(everything)
            else "No image of this data set is misclassified.",
            icon=":material/image_not_supported:",
        )
        return
    wanted = linked(
        st.toggle,
        "Show the images with their maps",
        key=MATRIX_OF_IMAGES,
        default=False,
        parse={"True": True, "False": False}.get,
        help="They are simulated and explained now, which takes some seconds the first time.",
    )
    if not wanted:
        return
    if card.name not in {one.name for one in cache.cards()}:
        st.info(
            f"The weights of {card.title} are not here, and without them there are no maps; train it with the "
            "command on its card.",
            icon=":material/badge:",
        )
        return
    method, rows = _pick(card, assessment, everything)
    if rows.empty:
        st.info("No misclassified image fits these filters.", icon=":material/filter_alt_off:")
        return
    model = model_when_ready(card)
    if model is not None:
        cells = cells_of(rows)
        measured = _show_matrix(model, method, assessment, cells)
        _show_large(model, method, assessment, cells, measured)


def _pick(card: Card, assessment: Assessment, everything: pd.DataFrame) -> tuple[Method, pd.DataFrame]:
    """The method of the maps, and the errors that are shown, in their order."""
    quick = {name: METHODS[name].title for name in methods_for(card) if not METHODS[name].costly}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        default = DEFAULT_METHOD if DEFAULT_METHOD in quick else next(iter(quick))
        name = linked_choice("Maps by", quick, key=ERROR_METHOD, default=default)
        order = linked_choice("Sort by", ORDERS, key=ERROR_ORDER, default="most")
        chosen = {}
        for column, values in filters_of(everything).items():
            options = [ALL, *values]
            value = linked(
                st.selectbox,
                column.capitalize(),
                options,
                key=f"error_{column}",
                default=ALL,
                parse=one_of(options),
                width=260,
            )
            if value in values:
                chosen[column] = value
    rows = errors_of(assessment, order, chosen)
    return get_method(name), rows[rows["image_id"].astype(bool)]


def _show_matrix(
    model: Classifier, method: Method, assessment: Assessment, cells: dict[Cell, pd.DataFrame]
) -> dict[str, ImageFacts]:
    """One cell a pair of classes; in each off the diagonal its first images. Returns what was measured of these."""
    classes = model.classes
    shown = min(MOST_OF_A_CELL, max(1, MOST_THUMBNAILS // len(cells)))
    first = {cell: rows.head(shown).to_dict("records") for cell, rows in cells.items()}
    seen = {}
    with progress_bar("Explaining the images on show") as show:
        waiting = [row for rows in first.values() for row in rows]
        for done, row in enumerate(waiting):
            seen[row["image_id"]] = _facts(model, method, row)
            show((done + 1) / len(waiting))
    counts = assessment.matrix
    grid = st.grid(len(classes), min_column_width=230, border=True)
    for i, true in enumerate(classes):
        for j, predicted in enumerate(classes):
            with grid.cell():
                if true == predicted:
                    st.markdown(f"**{true}**")
                    st.caption(f"{counts[i, j]} of {counts[i].sum()} are right.")
                    continue
                st.markdown(f"**{true}** taken for **{predicted}**")
                rows = cells.get((true, predicted))
                if rows is None:
                    st.caption("No image.")
                    continue
                columns = st.columns(ABREAST, gap="xsmall", wrap=False)
                for place, row in enumerate(first[true, predicted], start=1):
                    with columns[(place - 1) % ABREAST]:
                        _fact, image, values = seen[row["image_id"]]
                        drawn = overlay(image, values, symmetric=method.is_signed(model.card))
                        picture(drawn, alt=f"{true} taken for {predicted}, {method.title}")
                        st.button(
                            f"{100 * row['confidence']:.0f} %",
                            key=f"enlarge_{true}_{predicted}_{place}",
                            icon=":material/zoom_in:",
                            type="tertiary",
                            help="Enlarge; the number is the probability of the wrong answer.",
                            on_click=_open,
                            args=((true, predicted), place),
                        )
                st.caption(f"{len(rows)} image{'s' if len(rows) > 1 else ''} in this cell.")
    return {image_id: facts for image_id, (facts, _image, _values) in seen.items()}


def _facts(model: Classifier, method: Method, row: dict[str, Any]) -> tuple[ImageFacts, np.ndarray, np.ndarray]:
    """Facts, network's input and map of one error, the map for the class it was taken for."""
    return cache.image_facts(model, row["image_id"], method, model.classes.index(row["predicted"]))


def _open(cell: Cell, place: int) -> None:
    """Enlarge an image. To be used as a callback."""
    st.session_state[ERROR_CELL] = _name(cell)
    st.session_state[_place_key(ERROR_CELL)] = place


def _name(cell: Cell) -> str:
    return ">".join(cell)


def _place_key(key: str) -> str:
    return f"{key}_place"


def _show_large(
    model: Classifier,
    method: Method,
    assessment: Assessment,
    cells: dict[Cell, pd.DataFrame],
    measured: dict[str, ImageFacts],
) -> None:
    """One cell large, image after image, and another one beside it."""
    st.subheader("One image large, two cells beside each other")
    names = {_name(cell): cell for cell in cells}
    titles = {name: f"{cell[0]} taken for {cell[1]} ({len(cells[cell])})" for name, cell in names.items()}
    columns = st.columns(2)
    slots = ((ERROR_CELL, "Cell", [*names], ""), (OTHER_CELL, "Beside it", [NO_CELL, *names], "Shift+"))
    for column, (key, label, options, modifier) in zip(columns, slots, strict=True):
        with column:
            chosen = linked(
                st.selectbox,
                label,
                options,
                key=key,
                default=options[0],
                parse=one_of(options),
                format_func=lambda name: titles.get(name, name),
                on_change=_first_image,
                args=(key,),
            )
            chosen = chosen if chosen in options else options[0]
            if chosen in names:
                _show_cell(model, method, assessment, cells[names[chosen]], measured, key, modifier)


def _first_image(key: str) -> None:
    st.session_state[_place_key(key)] = 1


def _step(key: str, place: int) -> None:
    st.session_state[_place_key(key)] = place


def _show_cell(
    model: Classifier,
    method: Method,
    assessment: Assessment,
    rows: pd.DataFrame,
    measured: dict[str, ImageFacts],
    key: str,
    modifier: str,
) -> None:
    """One image of a cell with the buttons to the others, and what is measured of those on show."""
    link.restore(_place_key(key), 1, number_in(1, LARGEST_PLACE))
    place = min(st.session_state[_place_key(key)], len(rows))
    with st.container(horizontal=True, vertical_alignment="center"):
        for title, icon, arrow, target in (
            ("Previous", ":material/arrow_back:", "Left", place - 1),
            ("Next", ":material/arrow_forward:", "Right", place + 1),
        ):
            st.button(
                title,
                key=f"{key}_{title}",
                icon=icon,
                shortcut=modifier + arrow,
                on_click=_step,
                args=(key, target),
                disabled=not 1 <= target <= len(rows),
            )
        st.markdown(f"{place} of {len(rows)}")
    link.store(_place_key(key), place, 1)
    row = rows.iloc[place - 1].to_dict()
    facts, image, values = _facts(model, method, row)
    drawn = beside(to_display(image), values, symmetric=method.is_signed(model.card))
    picture(drawn, alt=f"{row['label']} taken for {row['predicted']}: input and {method.title}")
    probabilities = " · ".join(f"{name} {float(row[f'p_{name}']):.3f}" for name in model.classes)
    st.caption(f"{plain(str(row['image']))}; {plain(str(row['patient']))}  \n{probabilities}")
    on_show = measured | {row["image_id"]: facts}
    of_cell = [on_show[image_id] for image_id in rows["image_id"] if image_id in on_show]
    st.markdown(" ".join(describe(assessment, (row["label"], row["predicted"]), of_cell, method.title)))
    structures = structure_table(facts)
    if len(structures):
        with st.expander("Where this map's highest 10 % lies, structure by structure", icon=":material/table:"):
            alt = f"Relevance for {row['predicted']} in each structure"
            table(structures, alt, f"{row['image_id']}_{key}", height="content")
