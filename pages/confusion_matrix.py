"""What a model gets wrong, cell by cell, down to each image."""

import streamlit as st

from core import cache
from core.figures import confusion_figure, share_text
from core.results import class_table
from core.zoo.cards import CLASS_TASKS
from pages.components import link
from pages.components.link import linked, linked_choice, one_of
from pages.components.misclassified import show_misclassified
from pages.components.model_picker import CLASSIFICATION, pick_model
from pages.components.pictures import picture
from pages.components.state import DATA, PREDICTED_CLASS, SHARES, TRUE_CLASS, open_image
from pages.components.tables import table

PAGE_SIZE = 12
MATRIX_VIEWS = {"counts": "Counts", "shares": "Shares of the row"}
COLUMNS = 4
LISTED = 4  # most probable classes named under an image
OPENS_ON = {
    "Prediction": "pages/prediction.py",
    "Interpretability": "pages/interpretability.py",
    "Corruption": "pages/corruption.py",
    "Preprocessing": "pages/preprocessing.py",
}


def choose_cell() -> None:
    """A click on a square chooses its cell, as the two boxes beside it do."""
    points = st.session_state["matrix"].selection.points
    if points:
        st.session_state[TRUE_CLASS], st.session_state[PREDICTED_CLASS] = points[0]["customdata"][:2]
        st.session_state["cell_page"] = 1


def choose_class(title: str, key: str, default: str) -> str:
    """One of the model's classes; what was chosen for a model of other classes does not count."""
    chosen = linked(st.selectbox, title, card.classes, key=key, default=default, parse=one_of(card.classes))
    return chosen if chosen in card.classes else default


link.begin_with_app()
st.title("Confusion matrix")
st.markdown("Click a cell to see its images, and an image to open it on the other pages.")
with st.container(border=True):
    card = pick_model(CLASS_TASKS, with_weights=False)
    assessments = {one.layout: one for one in cache.assessments(card) if len(one.labelled)}
    data_sets = list(assessments)
    if data_sets:
        data = linked(st.selectbox, "Data", data_sets, key=DATA, default=data_sets[0], parse=one_of(data_sets))
        data = data if data in data_sets else data_sets[0]

if not data_sets:
    st.info(
        f"The model {card.title} has not been evaluated yet. Run python -m core evaluate --model {card.name} "
        "--data DIR --record NAME and reload this page.",
        icon=":material/grid_on:",
    )
else:
    assessed = assessments[data]
    shown, matrix, classes = assessed.labelled, assessed.matrix, card.classes
    kind = "simulated" if assessed.simulated else "real"
    left, right = st.columns([3, 4])
    with right:
        st.metric(
            f"Accuracy, {kind} images",
            share_text(assessed.accuracy),
            border=True,
            help=f"n = {len(shown)}; 95 % interval by patient in brackets.",
        )
        table(class_table(assessed), "Measures of each class with 95 % intervals", f"{card.name}_classes")
        st.caption(
            f"{kind.capitalize()} images, n = {len(shown)}. 95 % intervals in brackets; those of the accuracy respect "
            "patients, those of the classes take images as independent. Rows of the matrix are true classes, columns "
            "predicted ones."
        )
        worst = max(
            ((i, j) for i in range(len(classes)) for j in range(len(classes)) if i != j), key=lambda cell: matrix[cell]
        )
        with st.container(horizontal=True):
            true, predicted = (
                choose_class(title, key, classes[cell])
                for title, key, cell in zip(
                    ("True class", "Predicted class"), (TRUE_CLASS, PREDICTED_CLASS), worst, strict=True
                )
            )
    with left:
        view = linked_choice("Show", MATRIX_VIEWS, key=SHARES, default="counts")
        st.plotly_chart(
            confusion_figure(matrix, classes, shares=view == "shares", selected=(true, predicted)),
            key="matrix",
            on_select=choose_cell,
            selection_mode="points",
            width="content",
            config={"displayModeBar": False},
            alt="Confusion matrix; the boxes beside it choose a cell by keyboard",
        )

    cell = shown[(shown["label"] == true) & (shown["predicted"] == predicted)]
    st.subheader(f"True {true}, predicted {predicted}: {len(cell)} of {int((shown['label'] == true).sum())}")
    if cell.empty:
        st.info("No image falls into this cell.", icon=":material/check_circle:")
    else:
        order = st.segmented_control(
            "Sort by", ["Most confident first", "Least confident first"], default="Most confident first", required=True
        )
        confidence = cell[f"p_{predicted}"].astype(float)
        cell = cell.loc[confidence.sort_values(ascending=order == "Least confident first").index]
        pages = -(-len(cell) // PAGE_SIZE)
        number = 1
        if pages > 1:
            number = st.number_input(f"Page of {pages}", 1, pages, key="cell_page", width=160)
        visible = cell.iloc[(min(number, pages) - 1) * PAGE_SIZE :][:PAGE_SIZE]
        grid = st.grid(COLUMNS, min_column_width=200, border=True)
        for row in visible.to_dict("records"):
            with grid.cell():
                image_id = row.get("image_id", "")
                found = sorted(((float(row[f"p_{name}"]), name) for name in classes), reverse=True)
                shares = " · ".join(f"{name} {value:.3f}" for value, name in found[:LISTED])
                if image_id:
                    picture(
                        cache.named_image(image_id).frame.pixels,
                        alt=f"{true} taken for {predicted}: open its prediction",
                        max_side=299,
                        link=f"/prediction?image={image_id}",
                    )
                st.caption(f"{row['image']}  \n{shares}")
                if image_id:
                    with st.popover("Open on", icon=":material/open_in_new:"):
                        for title, path in OPENS_ON.items():
                            if st.button(title, key=f"{title} {image_id}", type="tertiary"):
                                open_image(image_id)
                                st.switch_page(path)
        if "image_id" not in cell or not cell["image_id"].astype(bool).any():
            st.caption("These images are not part of PlaneLab (their licence or size); upload one to open it here.")
        st.download_button(
            "Download this cell as CSV",
            cell.to_csv(index=False),
            file_name=f"{card.name}_{true}_as_{predicted}.csv",
            mime="text/csv",
            icon=":material/download:",
        )
    if card.task in CLASSIFICATION:
        show_misclassified(card, assessed)
