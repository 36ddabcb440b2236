"""Tables for reviewing a model: its figures on each data set, its calibration, and what the seeds published.

Cells that are shares stay :class:`core.evaluation.Share` until the end; :func:`to_text` writes them for people and
:func:`to_csv` for programs. Simulated and real images never share a column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from core.corruption import CORRUPTIONS
from core.evaluation import (
    AccuracyKept,
    ReliabilityBin,
    Share,
    accuracy_kept,
    class_measures,
    expected_calibration_error,
    reliability,
)
from core.explain import get_method
from core.explain.drift_study import OUTCOMES
from core.figures import share_text
from core.published import PublishedModel, PublishedTable
from core.zoo.assessment import Assessment
from core.zoo.cards import Card, Metric

MEGABYTE = 1e6
WHOLE_START = "the whole backbone"
"""How a card's start ends where every layer of the backbone began with pretrained weights."""
FROM_SCRATCH = "cnn"
"""The one network that the seeds trained from random values, too."""


def to_text(frame: pd.DataFrame) -> pd.DataFrame:
    """The table as shown: shares with their interval, what is missing as nothing."""
    return frame.map(_cell_text)


def flat(frame: pd.DataFrame) -> pd.DataFrame:
    """The table for programs: a column of shares becomes value, ``_low``, ``_high`` and ``_n``, unrounded."""
    columns: dict[str, list[object]] = {}
    for name in frame:
        values = list(frame[name])
        if not any(isinstance(value, Share) for value in values):
            columns[name] = values
            continue
        columns[name] = [value.value if isinstance(value, Share) else value for value in values]
        for part in ("low", "high", "n"):
            columns[f"{name}_{part}"] = [getattr(value, part) if isinstance(value, Share) else None for value in values]
    return pd.DataFrame(columns)


def to_csv(frame: pd.DataFrame) -> str:
    """What :func:`flat` gives, as CSV."""
    return flat(frame).to_csv(index=False)


def _cell_text(value: object) -> object:
    if isinstance(value, Share):
        return share_text(value)
    if isinstance(value, float):
        return "" if np.isnan(value) else f"{value:.4g}"
    return "" if value is None else str(value)


def comparison(
    cards: Sequence[Card], assessments: Mapping[str, Sequence[Assessment]], with_weights: Sequence[str]
) -> dict[bool, pd.DataFrame]:
    """All models of a task, one row each: what they are, and their share of right answers on each labelled data set.

    Parameters
    ----------
    assessments : mapping
        Of each model's name, those read from its ``evaluation.csv.gz``.
    with_weights : sequence of str
        Names of the models whose weights are there.

    Returns
    -------
    dict
        A table of simulated (True) and one of real images (False), with the same rows; none where no model of the
        task was measured on such images.
    """
    tables = {}
    for simulated in (True, False):
        rows = []
        has_figures = False
        for card in cards:
            row: dict[str, object] = {
                "model": card.name,
                "backbone": card.backbone,
                "size (MB)": round(card.weights["bytes"] / MEGABYTE, 1),
                "parameters": f"{card.parameters:,}" if card.parameters else "not counted",
                "weights": "here" if card.name in with_weights else "to be trained",
            }
            figures: dict[str, object] = {
                one.layout: one.accuracy
                for one in assessments.get(card.name, ())
                if one.simulated == simulated and len(one.labelled)
            }
            if simulated:
                figures |= {metric.data: _share_of(metric) for metric in card.metrics if _is_validation(metric)}
            has_figures = has_figures or bool(figures)
            rows.append(row | figures)
        if has_figures:
            frame = pd.DataFrame(rows)
            tables[simulated] = frame.astype(object).where(frame.notna(), None)
    return tables


def card_figures(card: Card, simulated: bool) -> pd.DataFrame:
    """All measured figures of a card on simulated or on real images."""
    metrics = [metric for metric in card.metrics if metric.simulated == simulated]
    return pd.DataFrame(
        {
            "data": [metric.data for metric in metrics],
            "figure": [metric.name for metric in metrics],
            "value": [_share_of(metric) for metric in metrics],
            "n": [metric.n for metric in metrics],
            "note": [metric.note for metric in metrics],
            "measured by": [metric.command for metric in metrics],
        }
    )


def class_table(assessment: Assessment) -> pd.DataFrame:
    """Sensitivity, specificity, precision and F1 of every class that the data set holds.

    Of a set of one class only the sensitivity: with nothing to confuse it with, its precision would always be 1.
    """
    measures = [one for one in class_measures(assessment.matrix, assessment.classes) if one.support]
    frame = pd.DataFrame(
        {
            "class": [one.name for one in measures],
            "n": [one.support for one in measures],
            "sensitivity": [one.sensitivity for one in measures],
        }
    )
    if len(measures) > 1:
        frame["specificity"] = [one.specificity for one in measures]
        frame["precision"] = [one.precision for one in measures]
        frame["F1"] = [one.f1 for one in measures]
    return frame


def matrix_table(matrix: np.ndarray, classes: Sequence[str]) -> pd.DataFrame:
    """A confusion matrix with its class names: one row a true class, one column a predicted one."""
    frame = pd.DataFrame(matrix, columns=[f"predicted {name}" for name in classes])
    frame.insert(0, "true", list(classes))
    return frame


def shares_called(assessment: Assessment) -> pd.DataFrame:
    """What images without a label are taken for, and how many of them are flagged."""
    rows = {f"called {name}": assessment.share_called(name) for name in assessment.classes}
    if "unlike_training" in assessment.rows:
        rows["flagged as unlike the training data"] = assessment.unlike_training
    return pd.DataFrame({"images": list(rows), "share": list(rows.values()), "n": [share.n for share in rows.values()]})


@dataclass(frozen=True)
class Calibration:
    """Whether a model's confidence can be believed, on one data set."""

    n: int
    error: float
    bins: list[ReliabilityBin]
    kept: AccuracyKept

    def reliability_table(self) -> pd.DataFrame:
        """One row a bin of confidence that holds an image."""
        filled = [one for one in self.bins if one.n]
        return pd.DataFrame(
            {
                "confidence above": [one.low for one in filled],
                "up to": [one.high for one in filled],
                "mean confidence": [one.confidence for one in filled],
                "accuracy": [one.accuracy for one in filled],
            }
        )

    def kept_table(self) -> pd.DataFrame:
        """One row a point of the abstain curve."""
        return pd.DataFrame(
            {
                "confidence at least": self.kept.threshold,
                "share kept": self.kept.share,
                "accuracy of those kept": self.kept.accuracy,
            }
        )


def calibration(assessment: Assessment) -> Calibration:
    """Calibration over the labelled images; intervals respect patients."""
    labelled = assessment.labelled
    probabilities = labelled[[f"p_{name}" for name in assessment.classes]].to_numpy(np.float64)
    true = labelled["label"].map(assessment.classes.index).to_numpy(int)
    patients = labelled["patient"].to_numpy()
    return Calibration(
        len(labelled),
        expected_calibration_error(probabilities, true),
        reliability(probabilities, true, patients=patients),
        accuracy_kept(probabilities, true, patients=patients),
    )


def beside_published(assessment: Assessment, published: PublishedModel) -> pd.DataFrame:
    """Each class's measures here and as published, side by side."""
    measures = {one.name: one for one in class_measures(assessment.matrix, assessment.classes)}
    kind = "simulated" if assessment.simulated else "real"
    rows = []
    for name in published.classes:
        row: dict[str, object] = {"class": name}
        for measure in ("sensitivity", "specificity", "precision", "f1"):
            printed = published.per_class.get(name, {}).get(measure)
            if printed is not None:
                row[f"{measure}, published"] = printed
                row[f"{measure} here, {kind}"] = getattr(measures[name], measure) if name in measures else None
        support = published.per_class.get(name, {}).get("support")
        if support is not None:
            row["n, published"] = int(support)
        rows.append(row)
    return pd.DataFrame(rows)


def published_classes(published: PublishedModel) -> pd.DataFrame:
    """The measures of each class as printed."""
    return pd.DataFrame([{"class": name, **measures} for name, measures in published.per_class.items()])


def published_frame(table: PublishedTable) -> pd.DataFrame:
    """A published table as one of ours."""
    return pd.DataFrame(list(table.rows), columns=list(table.columns))


def difference(card: Card, published: PublishedModel, assessments: Sequence[Assessment]) -> str:
    """One sentence: why a model's figures and the published ones do not compare like with like."""
    trained = "simulated" if card.training.get("simulated") else "other real"
    parts = [f"The published figures come from {published.data}, while this model was trained on {trained} images"]
    simulated = [one for one in assessments if one.simulated and len(one.labelled)]
    if simulated:
        parts.append(f"and tested on {len(simulated[0].labelled)} simulated ones of its own")
    real = [one for one in assessments if not one.simulated and len(one.labelled)]
    parts.append(
        "; on real images we could check " + ", ".join(f"{one.layout} ({one.accuracy})" for one in real)
        if real
        else "; it has not been checked on real images with a label"
    )
    if published.backbone != card.backbone:
        parts.append(f"; the backbones differ too ({card.backbone} here, {published.backbone} there)")
    start = str(card.training.get("start", ""))
    if start and card.backbone != FROM_SCRATCH and not start.endswith(WHOLE_START):
        parts.append(f"; starting weights of all layers were not at hand, training started from {start}")
    return "".join(part if part.startswith(";") else f" {part}" for part in parts).strip() + "."


def _share_of(metric: Metric) -> Share:
    return Share(metric.value, metric.low, metric.high, metric.n)


def _is_validation(metric: Metric) -> bool:
    return metric.name == "accuracy" and metric.simulated and "validation" in metric.data


def order_table(order: pd.DataFrame) -> pd.DataFrame:
    """:meth:`core.explain.drift_study.DriftStudy.order` for people: titles for names, the share with its interval."""
    kinds = [CORRUPTIONS[kind].title if kind in CORRUPTIONS else "all together" for kind in order["kind"]]
    shares = [Share(row.share, row.low, row.high, row.either) for row in order.itertuples()]
    return pd.DataFrame(
        {
            "distortion": kinds,
            "method": [get_method(name).title for name in order["method"]],
            "n": order["n"].to_numpy(),
            **{title: order[outcome].to_numpy() for outcome, title in OUTCOMES.items()},
            "without a baseline": order["unanswered"].to_numpy(),
            "explanation first, of those in which either happens": shares,
            "median SSIM where it breaks": order["ssim_broken"].to_numpy(),
            "median SSIM where it flips": order["ssim_flipped"].to_numpy(),
        }
    )
