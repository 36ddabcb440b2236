"""What stands at the top of the pages that need an image and a model."""

from __future__ import annotations

import streamlit as st

from core.zoo import Card
from pages.components.image_picker import Picked, pick_image
from pages.components.model_picker import CLASSIFICATION, DETECTION, MEASUREMENT, pick_model

HEAD_PLANES = ("BPD", "brain")


def pick_image_and_model(tasks: tuple[str, ...] = CLASSIFICATION) -> tuple[Picked | None, Card]:
    """Both pickers in one frame, side by side where there is room; the models are those of some tasks."""
    with st.container(border=True):
        left, right = st.columns(2)
        with left:
            picked = pick_image()
        with right:
            card = pick_model(tasks)
    return picked, card


def note_on_classes(picked: Picked | None, card: Card) -> None:
    """Say so where the image is known to show none of what the model tells apart."""
    if card.task == DETECTION:
        return
    if card.task == MEASUREMENT:
        if picked and picked.plane is not None and picked.plane not in HEAD_PLANES:
            st.caption(
                f":material/info: This image was simulated as {picked.plane}, no section across a head: the model "
                "answers with a circumference all the same."
            )
        return
    if picked and picked.plane is not None and picked.plane not in card.classes:
        st.caption(
            f":material/info: This image was simulated as {picked.plane}, none of this model's classes "
            f"({', '.join(card.classes)}): it answers with one of them all the same."
        )
