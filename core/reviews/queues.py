"""Which images a reader is given, and in which order."""

from __future__ import annotations

import numpy as np
import pandas as pd

from core.errors import ReviewError
from core.reviews.review import MISCLASSIFIED, QUEUES, RANDOM
from core.zoo.assessment import Assessment, confidence_in_answer


def reviewable(assessment: Assessment) -> pd.DataFrame:
    """The rows whose image PlaneLab holds and whose class is known; their order is that of the image ids."""
    if "image_id" not in assessment.rows:
        return assessment.rows.iloc[:0].assign(image_id="")
    rows = assessment.labelled
    return rows[rows["image_id"].astype(bool)].sort_values("image_id").reset_index(drop=True)


def queue_of(assessment: Assessment, queue: str, *, seed: int = 0, n: int | None = None) -> pd.DataFrame:
    """The images of a queue in the order in which they are read; the same for every reader.

    Parameters
    ----------
    queue : str
        ``misclassified``: all errors, the most confident first. ``random``: images drawn without regard to the answer,
        right ones included.
    seed, n : int
        Of the random sample. A larger sample goes on where a smaller one of the same seed ends.

    Raises
    ------
    ReviewError
        If there is no such queue.
    """
    rows = reviewable(assessment)
    if queue == MISCLASSIFIED:
        wrong = rows[rows["label"] != rows["predicted"]]
        return wrong.loc[confidence_in_answer(wrong).sort_values(ascending=False, kind="stable").index].reset_index(
            drop=True
        )
    if queue == RANDOM:
        order = np.random.default_rng(seed).permutation(len(rows))
        return rows.iloc[order[:n]].reset_index(drop=True)
    raise ReviewError(f"There is no queue {queue!r}; choose one of {', '.join(QUEUES)}.")
