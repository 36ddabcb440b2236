"""What all reviews of a database say, model by model and data set by data set.

Figures come from images that their reader met in the random sample: the queue of errors is no sample of anything, so
neither accuracy nor agreement on it says what either would be elsewhere. Counts are of all reviews.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import pandas as pd

from core.reviews.agreement import agreement_table, beside_model, random_only, readers_of, without_invalid
from core.reviews.review import MISCLASSIFIED, RANDOM, Review, newest
from core.zoo.assessment import Assessment


@dataclass(frozen=True)
class Summary:
    """What is said of one model's answers to one data set.

    Attributes
    ----------
    model, data : str
    n : int
        Reviews, each change of mind counted.
    simulated : bool or None
        None where the model's answers to these data are not recorded here: there are counts alone then.
    counts, beside_model, without_invalid, agreement : pandas.DataFrame
        One row a reader; of the last a pair of readers and a question. Empty where nothing can be said.
    """

    model: str
    data: str
    n: int
    simulated: bool | None
    counts: pd.DataFrame
    beside_model: pd.DataFrame
    without_invalid: pd.DataFrame
    agreement: pd.DataFrame

    @property
    def title(self) -> str:
        """``mobilenet_v2_plane on phantoms (simulated images), 12 reviews``."""
        origin = {True: "simulated images", False: "real images", None: "not recorded here, so counts alone"}
        return f"{self.model} on {self.data} ({origin[self.simulated]}), {self.n} reviews"

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The tables that hold anything, by name."""
        named = {name: getattr(self, name) for name in ("counts", "beside_model", "without_invalid", "agreement")}
        return {name: table for name, table in named.items() if len(table)}


def summarise(reviews: Sequence[Review], assessment_of: Callable[[str, str], Assessment | None]) -> Iterator[Summary]:
    """One summary for each model and data set that was reviewed, by name.

    Parameters
    ----------
    assessment_of : function
        Of a model's name and a data set's: what the model answered there, None where that is not known.
    """
    for model, data in sorted({(one.model, one.data) for one in reviews}):
        own = [one for one in reviews if (one.model, one.data) == (model, data)]
        assessment = assessment_of(model, data)
        nothing = pd.DataFrame()
        if assessment is None:
            yield Summary(model, data, len(own), None, count_table(own), nothing, nothing, nothing)
            continue
        drawn = random_only(own)
        yield Summary(
            model,
            data,
            len(own),
            assessment.simulated,
            count_table(own),
            beside_model(drawn, assessment),
            without_invalid(drawn, assessment),
            _pairs(drawn, assessment),
        )


def count_table(reviews: Sequence[Review]) -> pd.DataFrame:
    """How many images each reader has met and judged: one row a reader, an image counted once."""
    rows = []
    for reader in readers_of(reviews):
        own = [one for one in reviews if one.reader == reader]
        judged = [one for one in newest(own) if one.is_complete]
        met = {queue: len({one.image_id for one in own if one.queue == queue}) for queue in (RANDOM, MISCLASSIFIED)}
        rows.append(
            {
                "reader": reader,
                "met in the random sample": met[RANDOM],
                "met among errors": met[MISCLASSIFIED],
                "judged": len(judged),
                "label wrong": sum(not one.label_is_right for one in judged),
                "not valid": sum(not one.valid for one in judged),
            }
        )
    return pd.DataFrame(rows)


def _pairs(reviews: Sequence[Review], assessment: Assessment) -> pd.DataFrame:
    """Agreement of every two readers on what both answered."""
    tables = []
    for first, second in combinations(readers_of(reviews), 2):
        table = agreement_table(reviews, first, second, assessment)
        table.insert(0, "readers", f"{first}, {second}")
        tables.append(table[table["answered by both"] > 0])
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
