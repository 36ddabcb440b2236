"""Which method works on which model of the zoo, and why not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from core.explain.base import ordered_methods

if TYPE_CHECKING:
    from core.zoo.cards import Card

WORKS = "✓"


@dataclass(frozen=True)
class Coverage:
    """What each method answered when it was asked about each model.

    Attributes
    ----------
    obstacles : dict
        Name of a method -> name of a model -> the sentence that says why it cannot explain it, None where it can.
    """

    obstacles: dict[str, dict[str, str | None]]

    @property
    def reasons(self) -> list[str]:
        """Every sentence once, in the order in which they come up."""
        found = (sentence for row in self.obstacles.values() for sentence in row.values() if sentence)
        return list(dict.fromkeys(found))

    def table(self) -> pd.DataFrame:
        """One row a method, one column a model: :data:`WORKS`, or the number of the reason, counted from 1."""
        numbers = {reason: f"({number})" for number, reason in enumerate(self.reasons, start=1)}
        titles = {method.name: method.title for method in ordered_methods()}
        rows = [
            {"method": titles[name]} | {model: numbers.get(reason, WORKS) for model, reason in row.items()}
            for name, row in self.obstacles.items()
        ]
        return pd.DataFrame(rows)

    def numbered_reasons(self) -> list[str]:
        """The sentences behind the numbers of :meth:`table`."""
        return [f"({number}) {reason}" for number, reason in enumerate(self.reasons, start=1)]


def coverage(cards: Sequence[Card]) -> Coverage:
    """Ask every method about every model; methods in the order people know them by."""
    return Coverage({method.name: {card.name: method.obstacle(card) for card in cards} for method in ordered_methods()})
