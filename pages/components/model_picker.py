"""The model picker with its card one click away, and the wait for a model that is still loading."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

import pandas as pd
import streamlit as st

from core import cache
from core.errors import ModelError
from core.zoo import Card, Classifier
from core.zoo.registry import missing_weights
from pages.components.link import linked, one_of
from pages.components.state import MODEL, OTHER_MODEL
from pages.components.timer import call_every

CLASSIFICATION = ("plane", "anatomy")
DETECTION = "corruption"
MEASUREMENT = "head_circumference"
POLL_SECONDS = 1.0
LOST_MODEL = "lost_model"


def pick_model(tasks: tuple[str, ...] = CLASSIFICATION, *, with_weights: bool = True) -> Card:
    """Show the picker of the models of some tasks and the button to the card.

    Models that ship as card and figures alone are left out unless ``with_weights`` is False.

    Raises
    ------
    ModelError
        If no model of these tasks is installed.
    """
    notice_of_damaged()
    known = cache.cards() if with_weights else cache.described_cards()
    cards = {card.name: card for card in known if card.task in tasks}
    if not cards:
        raise ModelError(
            f"No model for the task {' or '.join(tasks)} is installed; train one with python -m core train --help."
        )
    _notice_of_lost(cards)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = linked(
            st.selectbox,
            "Model",
            list(cards),
            key=MODEL,
            default=next(iter(cards)),
            parse=one_of(list(cards)),
            format_func=told_apart(cards),
            on_change=_forget_lost,
        )
        card = cards.get(name) or next(iter(cards.values()))
        if st.button("Model card", icon=":material/badge:"):
            show_card(card)
    return card


def notice_of_damaged() -> None:
    """Say so where a model is missing because its card cannot be read."""
    damaged = cache.damaged_cards()
    if damaged:
        st.warning("  \n".join([*damaged, "The other models work."]), icon=":material/link_off:")


def told_apart(cards: Mapping[str, Card]) -> Callable[[str], str]:
    """What a picker calls models: by their titles, with the name behind it where two have the same.

    Streamlit tells the options of a picker apart by what it shows: of two alike one could not be chosen.
    """
    counts = Counter(card.title for card in cards.values())

    def title(name: str) -> str:
        card = cards.get(name)
        if card is None:
            return name
        return f"{card.title} ({name})" if counts[card.title] > 1 else card.title

    return title


def _notice_of_lost(cards: dict[str, Card]) -> None:
    """Say so where the model of a link, or that chosen before, is known and has no weights: another one is shown."""
    asked = st.query_params.get(MODEL) or st.session_state.get(MODEL)
    described = {card.name: card for card in cache.described_cards()}
    if asked in described and asked not in cards:
        st.session_state[LOST_MODEL] = asked
    lost = st.session_state.get(LOST_MODEL)
    if lost in described and lost not in cards:
        st.warning(f"{missing_weights(described[lost])} Another model is shown.", icon=":material/link_off:")


def _forget_lost() -> None:
    st.session_state.pop(LOST_MODEL, None)


def pick_other_model(card: Card, tasks: tuple[str, ...]) -> Card | None:
    """Show the picker of a second model, those of the first one's task first; None where there is no other."""
    others = [other for other in cache.cards() if other.task in tasks and other.name != card.name]
    cards = {other.name: other for other in sorted(others, key=lambda other: other.task != card.task)}
    if not cards:
        st.caption("No other model is installed; train one with python -m core train --help.")
        return None
    name = linked(
        st.selectbox,
        "The other model",
        list(cards),
        key=OTHER_MODEL,
        default=next(iter(cards)),
        parse=one_of(list(cards)),
        format_func=told_apart(cards),
    )
    return cards.get(name) or next(iter(cards.values()))


def model_when_ready(card: Card) -> Classifier | None:
    """The loaded model, or None while it loads; the page then reruns by itself when it is there."""
    future = cache.start_loading(card)
    if future.done():
        return future.result()
    st.info(
        f"The model {card.title} is loading; this takes some seconds after the server starts. "
        "What needs no model works already.",
        icon=":material/hourglass_top:",
    )
    call_every(POLL_SECONDS, _rerun_when_loaded, card)
    return None


def models_when_ready(cards: list[Card]) -> list[Classifier] | None:
    """Several loaded models, or None while one of them loads; the page then reruns as each is there."""
    futures = {card.name: cache.start_loading(card) for card in cards}
    waiting = [card for card in cards if not futures[card.name].done()]
    for card in waiting:
        call_every(POLL_SECONDS, _rerun_when_loaded, card)
    return None if waiting else [future.result() for future in futures.values()]


def _rerun_when_loaded(card: Card) -> None:
    if cache.start_loading(card).done():
        st.rerun()


@st.dialog("Model card", width="large")
def show_card(card: Card) -> None:
    """All of a card: what the model is, what it was trained on, what was measured."""
    st.subheader(card.title)
    st.markdown(
        f"**Task** {card.task} ({', '.join(card.classes)}) · **Backbone** {card.backbone} · "
        f"**Input** {card.size} × {card.size} pixels, {card.input['chain']} chain · "
        f"**Temperature** {card.temperature:.2f} · **Feature layer** {card.feature_layer}"
    )
    for simulated, title in ((True, "On simulated images"), (False, "On real images")):
        rows = [metric for metric in card.metrics if metric.simulated == simulated]
        if rows:
            st.markdown(f"**{title}**")
            st.dataframe(
                pd.DataFrame(
                    {
                        "figure": [metric.name for metric in rows],
                        "data": [metric.data for metric in rows],
                        "value": [metric.value_text for metric in rows],
                        "95 % interval": [metric.interval_text for metric in rows],
                        "n": [metric.n for metric in rows],
                        "note": [metric.note for metric in rows],
                        "measured by": [metric.command for metric in rows],
                    }
                ),
                hide_index=True,
                alt=f"Measured figures {title.lower()}",
            )
    st.markdown("**Trained on**")
    st.json(card.training, expanded=False)
    st.markdown(f"**Split** {card.split}")
    st.markdown("**Limitations**\n" + "\n".join(f"- {line}" for line in card.limitations))
    st.markdown("**Licences**\n" + "\n".join(f"- {line}" for line in card.licences))
    st.code(card.command, language="bash", wrap_lines=True)
    st.caption(f"Weights {card.weights['bytes'] / 1e6:.1f} MB, SHA-256 {card.weights['sha256']}")
    st.download_button(
        "Download the card", card.to_json(), file_name=f"{card.name}.json", mime="application/json", key="card_download"
    )
