"""How sure is the network? Every method side by side, and the rule that sends an image to an expert."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from core import cache
from core.errors import PlaneLabError
from core.figures import share_text, spread_bars
from core.images import Frame
from core.zoo import Card, Classifier
from core.zoo.uncertainty import (
    DEFAULT_THRESHOLD,
    METHODS,
    Progress,
    Uncertainty,
    UncertaintyMethod,
    no_progress,
    partners_of,
    send_to_expert,
)
from pages.components.jobs import progress_bar
from pages.components.link import linked, linked_choice, number_in
from pages.components.model_picker import models_when_ready
from pages.components.state import EXPERT_BELOW, UNCERTAINTY

DEFAULT_METHOD = "single"


@dataclass(frozen=True)
class ExpertRule:
    """Who is sent to an expert: the method asked, the lowest confidence kept in [0, 1], an ensemble's other models."""

    method: UncertaintyMethod
    threshold: float
    partners: tuple[Classifier, ...] = ()

    def sends(self, result: Uncertainty, unlike_training: bool) -> bool:
        """Whether a frame with this answer goes to an expert."""
        return bool(send_to_expert(result.confidence, [unlike_training], self.threshold)[0])


def how_sure(model: Classifier, frame: Frame, unlike_training: bool) -> ExpertRule | None:
    """Show the section for one frame and return the rule chosen, or None while the models it needs are loading."""
    partner_cards = partners_of(model.card, cache.cards())
    obstacles = {name: method.obstacle(model.card, partner_cards) for name, method in METHODS.items()}
    usable = {name: method.title for name, method in METHODS.items() if obstacles[name] is None}
    with st.container(border=True):
        method_column, threshold_column = st.columns(2)
        with method_column:
            chosen = linked_choice("Decide by", usable, key=UNCERTAINTY, default=DEFAULT_METHOD)
        with threshold_column:
            percent = linked(
                st.slider,
                "Send to an expert below a probability of",
                0,
                100,
                key=EXPERT_BELOW,
                default=round(100 * DEFAULT_THRESHOLD),
                parse=number_in(0, 100),
                format="%d %%",
                help="An image is flagged when the chosen method's answer has a lower probability, or when the image "
                "is unlike the training data.",
            )
        verdict_slot = st.container()
    # Only the browser enforces a slider's ends.
    threshold = min(max(int(percent), 0), 100) / 100
    rules = {}
    estimates = {}
    table_slot = st.container()
    for name in usable:
        partners = _partners(partner_cards) if METHODS[name].asks_partners else []
        if partners is not None:
            rules[name] = ExpertRule(METHODS[name], threshold, tuple(partners))
            estimates[name] = _ask(model, frame, rules[name])
    with table_slot:
        _side_by_side(model, estimates, rules, unlike_training)
    for obstacle in filter(None, obstacles.values()):
        st.caption(f":material/info: {obstacle}")
    with st.expander("What each method does"):
        for name in usable:
            st.markdown(f"**{METHODS[name].title}**: {METHODS[name].explanation} *{METHODS[name].paper}*")
    _threshold_checks(model.card, threshold)
    with verdict_slot:
        if chosen not in rules:
            st.info("The ensemble is not ready; choose another method until it is.", icon=":material/hourglass_top:")
            return None
        _show_verdict(estimates[chosen].result, rules[chosen], unlike_training)
    return rules[chosen]


def ask_about_all(model: Classifier, frames: Mapping[str, Frame], rule: ExpertRule) -> dict[str, Uncertainty]:
    """What the rule's method says of each frame by its id, with a bar that can be cancelled where it takes long."""
    waiting = [frame for frame in frames.values() if not _is_answered(model.card, frame, rule)]
    if waiting and rule.method.costly:
        with progress_bar(f"{rule.method.title} of all uploads", _decide_by_default) as show:
            for done, frame in enumerate(waiting):
                _answer(model, frame, rule, lambda share, done=done: show((done + share) / len(waiting)))
    return {image_id: _answer(model, frame, rule).result for image_id, frame in frames.items()}


def _decide_by_default() -> None:
    """Go back to the quick method: a long one was cancelled."""
    st.session_state[UNCERTAINTY] = DEFAULT_METHOD


def _partners(cards: list[Card]) -> list[Classifier] | None:
    """The loaded other models, or None while they load; one that cannot be loaded says why."""
    try:
        partners = models_when_ready(cards)
    except PlaneLabError as error:
        st.caption(f":material/error: The ensemble cannot be asked. {error}")
        return None
    if partners is None:
        st.caption(":material/hourglass_top: The ensemble's other models are loading.")
    return partners


def _answer(model: Classifier, frame: Frame, rule: ExpertRule, progress: Progress = no_progress) -> cache.Estimate:
    return cache.uncertainty(model, frame.sha256, frame.pixels, rule.method, rule.partners, progress)


def _is_answered(card: Card, frame: Frame, rule: ExpertRule) -> bool:
    return cache.has_uncertainty(card, frame.sha256, rule.method, [partner.card for partner in rule.partners])


def _ask(model: Classifier, frame: Frame, rule: ExpertRule) -> cache.Estimate:
    if not rule.method.costly or _is_answered(model.card, frame, rule):
        return _answer(model, frame, rule)
    with progress_bar(rule.method.title) as show:
        return _answer(model, frame, rule, show)


def _side_by_side(
    model: Classifier, estimates: dict[str, cache.Estimate], rules: dict[str, ExpertRule], unlike_training: bool
) -> None:
    rows = []
    for name, estimate in estimates.items():
        result = estimate.result
        several = len(result.members) > 1
        rows.append(
            {
                "method": METHODS[name].title,
                "answer": result.labels[0],
                "probability": 100 * float(result.confidence[0]),
                "spread": 100 * float(result.spread_of_answer[0]) if several else None,
                "seconds": estimate.seconds,
                "expert": rules[name].sends(result, unlike_training),
                "entropy": float(result.predictive_entropy[0]),
                "disagreement": float(result.mutual_information[0]) if several else None,
                "members": len(result.members),
            }
        )
    table, bars = st.columns([3, 2])
    with table:
        st.dataframe(
            pd.DataFrame(rows),
            hide_index=True,
            placeholder="–",
            column_config={
                "probability": st.column_config.NumberColumn(format="%.1f %%"),
                "spread": st.column_config.NumberColumn(
                    format="± %.1f %%", help="Standard deviation of the answer's probability over the members."
                ),
                "entropy": st.column_config.NumberColumn(
                    format="%.2f bit", help="Of the mean probabilities: all that is uncertain."
                ),
                "disagreement": st.column_config.NumberColumn(
                    format="%.3f bit", help="Mutual information: the part of the entropy on which members disagree."
                ),
                "members": st.column_config.NumberColumn(help="How many answers the mean is taken over."),
                "expert": st.column_config.CheckboxColumn(help="Send to an expert, were this the method to decide by."),
                "seconds": st.column_config.NumberColumn(
                    format="%.2f", help="For this image; the first use after the server's start takes longer."
                ),
            },
            alt="What each method answers, how sure it is, and its seconds",
        )
    with bars:
        st.plotly_chart(
            spread_bars(
                model.classes,
                {
                    METHODS[name].title: (estimate.result.mean[0], estimate.result.spread[0])
                    for name, estimate in estimates.items()
                },
            ),
            key="spread_bars",
            config={"displayModeBar": False},
            alt="Mean probability of each class by each method, with the spread of its members",
        )


def _show_verdict(result: Uncertainty, rule: ExpertRule, unlike_training: bool) -> None:
    confidence = float(result.confidence[0])
    answer = f"{rule.method.title} says {result.labels[0]} with {100 * confidence:.1f} %"
    limit = f"{100 * rule.threshold:.0f} %"
    if rule.sends(result, unlike_training):
        reasons = []
        if confidence < rule.threshold:
            reasons.append(f"{answer}, less than {limit}")
        if unlike_training:
            reasons.append("the image is unlike the images the model was trained on")
        st.warning(f"**Send to an expert**: {', and '.join(reasons)}.", icon=":material/stethoscope:")
    else:
        st.success(
            f"Not flagged: {answer}, at least {limit}, and the image is like those the model was trained on.",
            icon=":material/check_circle:",
        )


def _threshold_checks(card: Card, threshold: float) -> None:
    checks = cache.threshold_checks(card, threshold)
    origin = "simulated images" if card.training.get("simulated") else "validation images of its training data"
    real = [check.data for check in checks if not check.simulated and check.right.n]
    checked = f"checked on real ones: {', '.join(real)}" if real else "not checked on labelled real ones yet"
    st.caption(f"Probabilities are calibrated on {origin} and {checked}.")
    if not checks:
        return
    with st.expander("What this threshold did on images the model was evaluated on"):
        st.dataframe(
            pd.DataFrame(
                {
                    "data": [check.data for check in checks],
                    "images": ["simulated" if check.simulated else "real" for check in checks],
                    "n": [check.sent.n for check in checks],
                    "sent to an expert": [share_text(check.sent) for check in checks],
                    "kept": [check.right.n or None for check in checks],
                    "right among the kept": [share_text(check.right) if check.right.n else None for check in checks],
                }
            ),
            hide_index=True,
            placeholder="–",
            alt="Shares sent to an expert and right among the others, for each data set",
        )
        st.caption("Of the single pass, with 95 % intervals by patient. Frames without a label have no right or wrong.")
