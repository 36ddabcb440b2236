"""Do two readers agree, is a reader better than the model, and what would the model score on valid planes alone?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from core.errors import ParameterError
from core.evaluation import BOOTSTRAP_RESAMPLES, Share, share_by_patient, wilson
from core.reviews.review import CAUSES, RANDOM, Review, newest
from core.zoo.assessment import Assessment

QUESTIONS = {"reading": "Label, read blind", "right_label": "Right label", "valid": "Valid for measurement"}
"""What two readers can agree on: fields of a review."""


@dataclass(frozen=True)
class Kappa:
    """Cohen's kappa: 1 is full agreement, 0 what chance gives; NaN where both gave everything the same answer.

    ``low`` and ``high`` are the ends of a 95 % interval, ``n`` counts the images, ``agreement`` is the plain share of
    equal answers.
    """

    value: float
    low: float
    high: float
    n: int
    agreement: Share


def cohen_kappa(
    first: Sequence[object],
    second: Sequence[object],
    patients: Sequence[object] | None = None,
    *,
    seed: int = 0,
    resamples: int = BOOTSTRAP_RESAMPLES,
) -> Kappa:
    """Agreement of two readers beyond chance (Cohen 1960), unweighted.

    The interval is a bootstrap that draws whole patients. Where the readers agree on every image such draws have no
    width; the lower end is then that of Wilson's interval of the agreement over patients, beyond the same chance.

    Parameters
    ----------
    first, second : (N,) any hashable
        Answers of the two, image by image.
    patients : (N,), optional
        Whose image each is; without it every image counts as a patient of its own.

    Raises
    ------
    ParameterError
        If the answers do not pair up.
    """
    n = len(first)
    patients = np.arange(n) if patients is None else np.asarray(patients)
    if len(second) != n or len(patients) != n:
        raise ParameterError(f"There are {n} and {len(second)} answers; two readers' answers must pair up.")
    if n == 0:
        nothing = float("nan")
        return Kappa(nothing, nothing, nothing, 0, wilson(0, 0))
    equal = np.array([one == other for one, other in zip(first, second, strict=True)])
    tables = _tables_by_patient(first, second, patients)
    value = float(_kappa(tables.sum(axis=0)))
    low, high = _interval(value, equal, tables, seed, resamples)
    return Kappa(value, low, high, n, share_by_patient(equal, patients))


def _tables_by_patient(first: Sequence[object], second: Sequence[object], patients: np.ndarray) -> np.ndarray:
    """Counts (P, K, K) of each patient's pairs of answers."""
    codes, answers = pd.factorize(pd.Series([*first, *second], dtype=object))
    index = np.unique(patients, return_inverse=True)[1]
    tables = np.zeros((index.max() + 1, len(answers), len(answers)))
    np.add.at(tables, (index, codes[: len(first)], codes[len(first) :]), 1)
    return tables


def _kappa(tables: np.ndarray) -> np.ndarray:
    """Kappa of each table of counts (..., K, K); NaN where chance alone agrees fully."""
    total = tables.sum(axis=(-2, -1))
    observed = np.trace(tables, axis1=-2, axis2=-1) / total
    expected = (tables.sum(axis=-1) * tables.sum(axis=-2)).sum(axis=-1) / total**2
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(np.isclose(expected, 1.0), np.nan, (observed - expected) / (1 - expected))


def _interval(value: float, equal: np.ndarray, tables: np.ndarray, seed: int, resamples: int) -> tuple[float, float]:
    n_patients, n_answers = tables.shape[:2]
    if np.isnan(value):
        return float("nan"), float("nan")
    if equal.all():
        counts = tables.sum(axis=(0, 2))
        chance = float((counts**2).sum() / counts.sum() ** 2)
        return (wilson(n_patients, n_patients).low - chance) / (1 - chance), 1.0
    shares = np.full(n_patients, 1 / n_patients)
    drawn = np.random.default_rng(seed).multinomial(n_patients, shares, size=resamples)
    sums = drawn @ tables.reshape(n_patients, -1)
    low, high = np.nanpercentile(_kappa(sums.reshape(-1, n_answers, n_answers)), [2.5, 97.5])
    return float(low), float(high)


def agreement_table(reviews: Sequence[Review], first: str, second: str, assessment: Assessment) -> pd.DataFrame:
    """What two readers agree on, over the images of a data set that both have answered: one row a question.

    The newest review of each counts. Intervals respect patients.
    """
    answers = {name: _of_reader(reviews, name, assessment) for name in (first, second)}
    patients = _patients(assessment)
    rows = []
    for question, title in QUESTIONS.items():
        mine, theirs = (_answers(answers[name], question) for name in (first, second))
        both = [image_id for image_id in mine if image_id in theirs]
        kappa = cohen_kappa(
            [mine[image_id] for image_id in both],
            [theirs[image_id] for image_id in both],
            [patients[image_id] for image_id in both],
        )
        row = {"question": title, "answered by both": kappa.n, "same answer": kappa.agreement}
        rows.append(row | {"kappa": kappa.value, "kappa from": kappa.low, "kappa to": kappa.high})
    return pd.DataFrame(rows)


def _answers(reviews: dict[str, Review], question: str) -> dict[str, object]:
    """Answers to a question by image; a reading alone answers only the first."""
    return {
        image_id: getattr(one, question)
        for image_id, one in reviews.items()
        if question == "reading" or one.is_complete
    }


def beside_model(reviews: Sequence[Review], assessment: Assessment) -> pd.DataFrame:
    """Each reader's blind labels beside the model's answers, on the same images: one row a reader and queue.

    Parameters
    ----------
    reviews : sequence of Review
    assessment : Assessment
        The model's answers to the data set that was read; reviews of other data are left out.
    """
    rows = []
    for reader in readers_of(reviews):
        drawn = _drawn(reviews, reader)
        own = _of_reader(reviews, reader, assessment)
        for is_random in (True, False):
            read = {image_id: one for image_id, one in own.items() if (image_id in drawn) == is_random}
            if not read:
                continue
            shown = _rows_of(assessment, read)
            readings = [read[image_id].reading for image_id in shown["image_id"]]
            rows.append(
                {
                    "reader": reader,
                    "images": "random sample" if is_random else "misclassified only",
                    "n": len(shown),
                    "reader right": share_by_patient(shown["label"].to_numpy() == readings, shown["patient"]),
                    "model right": share_by_patient(shown["label"] == shown["predicted"], shown["patient"]),
                }
            )
    return pd.DataFrame(rows)


def without_invalid(reviews: Sequence[Review], assessment: Assessment) -> pd.DataFrame:
    """The model's accuracy with and without the images a reader calls not valid for measurement: one row a reader.

    Only images the reader met in the random sample count. The queue of errors holds no right answer, so leaving images
    of it out could only raise the accuracy, whatever the reader says.
    """
    rows = []
    for reader in readers_of(reviews):
        drawn = _drawn(reviews, reader)
        judged = {
            image_id: one
            for image_id, one in _of_reader(reviews, reader, assessment).items()
            if image_id in drawn and one.is_complete
        }
        if not judged:
            continue
        valid = {image_id: one for image_id, one in judged.items() if one.valid}
        everything, kept = (replace(assessment, rows=_rows_of(assessment, chosen)) for chosen in (judged, valid))
        rows.append(
            {
                "reader": reader,
                "judged": len(judged),
                "not valid": share_by_patient(
                    [not judged[image_id].valid for image_id in everything.rows["image_id"]], everything.rows["patient"]
                ),
                "accuracy": everything.accuracy,
                "accuracy without those not valid": kept.accuracy,
            }
        )
    return pd.DataFrame(rows)


def cause_table(reviews: Sequence[Review]) -> pd.DataFrame:
    """How often each cause was marked in each kind of error, of the reviews that count."""
    marked = [
        {"true": one.label, "predicted": one.predicted, "cause": CAUSES[cause]}
        for one in newest(reviews)
        for cause in one.causes
    ]
    columns = ["true", "predicted", "cause"]
    counted = pd.DataFrame(marked, columns=columns).groupby(columns).size().rename("reviews").reset_index()
    return counted.sort_values(["true", "predicted", "reviews"], ascending=[True, True, False], ignore_index=True)


def readers_of(reviews: Sequence[Review]) -> list[str]:
    """Names of all readers, in alphabetical order."""
    return sorted({review.reader for review in reviews})


def random_only(reviews: Sequence[Review]) -> list[Review]:
    """The reviews of images that their reader met in the random sample, in whichever queue they stand."""
    drawn = {reader: _drawn(reviews, reader) for reader in readers_of(reviews)}
    return [one for one in reviews if one.image_id in drawn[one.reader]]


def _drawn(reviews: Sequence[Review], reader: str) -> set[str]:
    """Images that a reader met in the random sample, whatever they said of them since."""
    return {one.image_id for one in reviews if one.reader == reader and one.queue == RANDOM}


def _of_reader(reviews: Sequence[Review], reader: str, assessment: Assessment) -> dict[str, Review]:
    """A reader's reviews that count, by image, of images the data set holds."""
    held = set(assessment.labelled["image_id"])
    return {one.image_id: one for one in newest(reviews) if one.reader == reader and one.image_id in held}


def _rows_of(assessment: Assessment, chosen: dict[str, Review]) -> pd.DataFrame:
    rows = assessment.labelled
    return rows[rows["image_id"].isin(list(chosen))]


def _patients(assessment: Assessment) -> dict[str, str]:
    rows = assessment.labelled
    return dict(zip(rows["image_id"], rows["patient"], strict=True))
