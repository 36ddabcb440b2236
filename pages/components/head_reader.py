"""The networks that measure heads: which are installed, which are chosen, and the wait until they are loaded."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from core import cache
from core.biometry.reading import HeadReader
from core.errors import ModelError
from core.zoo import Card
from core.zoo.heads import CIRCUMFERENCE, ELLIPSE
from pages.components.link import linked, one_of
from pages.components.model_picker import (
    DETECTION,
    MEASUREMENT,
    models_when_ready,
    notice_of_damaged,
    show_card,
    told_apart,
)
from pages.components.state import HEAD_MODEL, OUTLINE_MODEL

HOW_TO_TRAIN = "python -m core train --task head_circumference --data DIR"
SORTS = {
    CIRCUMFERENCE: ("Regression", HEAD_MODEL, HOW_TO_TRAIN),
    ELLIPSE: ("Outline", OUTLINE_MODEL, f"{HOW_TO_TRAIN} --output ellipse"),
}


@dataclass(frozen=True)
class HeadCards:
    """The networks chosen, and those that may refuse a frame; None what is not installed."""

    regression: Card | None
    outline: Card | None
    detector: Card | None
    anatomy: Card | None

    @property
    def all(self) -> tuple[Card | None, ...]:
        """In the order of :class:`HeadReader`'s parameters."""
        return self.regression, self.outline, self.detector, self.anatomy


def pick_head_models() -> HeadCards:
    """Show what there is to choose from; where there is one of a sort, it is taken.

    Raises
    ------
    ModelError
        If no model measures heads here.
    """
    notice_of_damaged()
    installed = {
        sort: [card for card in cache.cards() if card.task == MEASUREMENT and card.measurement["output"] == sort]
        for sort in SORTS
    }
    if not any(installed.values()):
        raise ModelError(f"No model that measures heads is installed; train one with {HOW_TO_TRAIN}.")
    chosen = {}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        for sort, cards in installed.items():
            chosen[sort] = _pick(sort, {card.name: card for card in cards})
        for sort, card in chosen.items():
            if card and st.button(f"{SORTS[sort][0]} card", icon=":material/badge:", key=f"card_{sort}"):
                show_card(card)
    for sort, card in chosen.items():
        if card is None:
            title, _key, command = SORTS[sort]
            other = "outline" if sort == CIRCUMFERENCE else "regression"
            st.info(
                f"The {title.lower()} network is not installed, so the {other} measures alone; "
                f"train it with {command}.",
                icon=":material/info:",
            )
    judges = (next((card for card in cache.cards() if card.task == task), None) for task in (DETECTION, "anatomy"))
    return HeadCards(chosen[CIRCUMFERENCE], chosen[ELLIPSE], *judges)


def reader_when_ready(cards: HeadCards) -> HeadReader | None:
    """The loaded networks, or None while one of them loads; the page then reruns by itself."""
    loaded = models_when_ready([card for card in cards.all if card])
    if loaded is None:
        st.info(
            "The networks that measure heads are loading; this takes some seconds after the server starts.",
            icon=":material/hourglass_top:",
        )
        return None
    by_name = {model.card.name: model for model in loaded}
    return HeadReader(*(card and by_name[card.name] for card in cards.all))


def reader_of(card: Card) -> HeadReader | None:
    """One network alone as a reader, or None while it loads or where its weights are not here."""
    if card.name not in {one.name for one in cache.cards()}:
        return None
    regression = card.measurement["output"] == CIRCUMFERENCE
    loaded = models_when_ready([card])
    return loaded and HeadReader(*(loaded if regression else (None, *loaded)))


def _pick(sort: str, cards: dict[str, Card]) -> Card | None:
    if len(cards) < 2:
        return next(iter(cards.values()), None)
    title, key, _command = SORTS[sort]
    name = linked(
        st.selectbox,
        title,
        list(cards),
        key=key,
        default=next(iter(cards)),
        parse=one_of(list(cards)),
        format_func=told_apart(cards),
    )
    return cards.get(name) or next(iter(cards.values()))
