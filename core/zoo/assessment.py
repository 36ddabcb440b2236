"""Run a model over a data set and say how good it is, with n and intervals; keep the rows and record the figures.

Simulated and real images are never mixed: a data set is one or the other.
"""

from __future__ import annotations

import shlex
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from core.datasets import Table, read_pixels
from core.datasets.items import item_name
from core.errors import DatasetError, ImageError, ModelError
from core.evaluation import ClassMeasures, Share, class_measures, confusion_matrix, mean_recall, share_by_patient
from core.files import whole
from core.tables import read_table
from core.zoo.cards import Card, Metric
from core.zoo.detection import ORIGINAL, UNKNOWN
from core.zoo.prediction import Classifier, Prediction
from core.zoo.registry import MODELS_FOLDER

EVALUATION_NAME = "evaluation.csv.gz"
UNREADABLE = (OSError, EOFError, zlib.error, ValueError)
"""What reading a table can raise when its file is broken."""
READ_AHEAD = 64
FIRST_TRIMESTER_LIMIT_MM = 100.0
"""Head circumferences below it are first-trimester-like (BPD planes are taken at 11 to 14 weeks)."""
SMALL_HEADS = "circumference under 100 mm"
HELD_OUT = "examinations held out"
"""HC18's examinations whose number is a multiple of 5: nobody looked at them while phantoms and models were made."""


@dataclass(frozen=True)
class Assessment:
    """What a model did on a data set.

    Attributes
    ----------
    rows : pandas.DataFrame
        One row an image: image, patient, label, predicted, one ``p_<class>`` a class, typicality, unlike_training.
    classes : list of str
    simulated : bool
    problems : tuple of str
        Images that could not be read or labels left out, one sentence each.
    """

    rows: pd.DataFrame
    classes: list[str]
    layout: str
    simulated: bool
    problems: tuple[str, ...]

    @property
    def labelled(self) -> pd.DataFrame:
        return self.rows[self.rows["label"] != ""]

    @cached_property
    def matrix(self) -> np.ndarray:
        """Confusion matrix (K, K) of the labelled images."""
        return matrix_of(self.labelled, self.classes)

    @cached_property
    def accuracy(self) -> Share:
        """Share of labelled images that are right, with an interval by patient."""
        return share_by_patient(self.labelled["label"] == self.labelled["predicted"], self.labelled["patient"])

    @property
    def mean_recall(self) -> Share:
        """Mean over the classes that occur of the share of their images that are right."""
        rows = self.labelled
        return mean_recall(rows["label"], rows["label"] == rows["predicted"], rows["patient"])

    @property
    def unlike_training(self) -> Share:
        return share_by_patient(self.rows["unlike_training"], self.rows["patient"])

    def share_called(self, name: str) -> Share:
        """Share of all images that are called ``name``."""
        return share_by_patient(self.rows["predicted"] == name, self.rows["patient"])

    @property
    def detection(self) -> dict[str, Share]:
        """What a detector's verdicts on clean frames are; other models have none."""
        if "verdict" not in self.rows:
            return {}
        # By the thesis's limits a slightly corrupted copy counts as original; an alarm at one is not false.
        rows = self.rows[self.rows["intensity"] == 0]
        unknown = rows["verdict"] == UNKNOWN
        alarms = ~unknown & (rows["verdict"] != ORIGINAL)
        return {
            "false alarms on clean frames": share_by_patient(alarms, rows["patient"]),
            "clean frames called unknown": share_by_patient(unknown, rows["patient"]),
        }

    @property
    def parts(self) -> dict[str, Assessment]:
        """Parts of HC18 that get figures of their own; other data have none, and neither have answers of detectors."""
        if self.detection or "circumference_mm" not in self.rows:
            return {}
        # Read back from a file, the column holds text where other data of the file have none.
        small = pd.to_numeric(self.rows["circumference_mm"], errors="coerce") < FIRST_TRIMESTER_LIMIT_MM
        held_out = self.rows["split"] == "test"
        chosen = {SMALL_HEADS: small, HELD_OUT: held_out, f"{HELD_OUT}, {SMALL_HEADS}": small & held_out}
        return {name: replace(self, rows=self.rows[rows].reset_index(drop=True)) for name, rows in chosen.items()}

    def to_dict(self) -> dict[str, Any]:
        """The object ``evaluate --json`` prints; without labels accuracy and matrix are None."""
        labelled = len(self.labelled) > 0
        accuracy = self.accuracy
        result: dict[str, Any] = {
            "data": self.layout,
            "simulated": self.simulated,
            "n": len(self.rows),
            "accuracy": accuracy.value if labelled else None,
            "ci_low": accuracy.low if labelled else None,
            "ci_high": accuracy.high if labelled else None,
            "mean_recall": _share(self.mean_recall),
            "per_class": {m.name: _measures(m) for m in class_measures(self.matrix, self.classes)}
            if labelled
            else None,
            "classes": self.classes,
            "confusion_matrix": self.matrix.tolist() if labelled else None,
            "share_called": {name: _share(self.share_called(name)) for name in self.classes},
            "unlike_training": _share(self.unlike_training),
            **{name.replace(" ", "_"): _share(share) for name, share in self.detection.items()},
        }
        if self.parts:
            result["parts"] = {
                title: {
                    "n": len(part.rows),
                    "share_called": {name: _share(part.share_called(name)) for name in self.classes},
                }
                for title, part in self.parts.items()
            }
        return result


def matrix_of(rows: pd.DataFrame, classes: list[str]) -> np.ndarray:
    """Confusion matrix of rows with the columns label and predicted."""
    index = {name: position for position, name in enumerate(classes)}
    return confusion_matrix(
        rows["label"].map(index).to_numpy(int), rows["predicted"].map(index).to_numpy(int), len(classes)
    )


def confidence_in_answer(rows: pd.DataFrame) -> pd.Series:
    """The probability (N,) that each row gives to the class it predicts, under the rows' own index."""
    values = [row[f"p_{row['predicted']}"] for row in rows.to_dict("records")]
    return pd.Series(values, index=rows.index, dtype=np.float64)


def assess(model: Classifier, table: Table, *, progress: Callable[[float], None] = lambda share: None) -> Assessment:
    """Predict every image of ``table``.

    Images are read a few at a time, so memory stays bounded. One that cannot be read is left out and listed.

    Raises
    ------
    DatasetError
        If a label is none of the model's classes, or no image can be read.
    """
    labels = _as_classes(table.frame["label"], model.classes)
    rows = []
    problems = list(table.problems)
    for start in range(0, len(table), READ_AHEAD):
        chunk = table.frame.iloc[start : start + READ_AHEAD]
        prepared, kept = [], []
        for position, path in zip(chunk.index, chunk["path"], strict=True):
            try:
                prepared.append(model.prepare(read_pixels(path)))
                kept.append(position)
            except ImageError as error:
                problems.append(f"{item_name(path)}: {error}")
        if kept:
            prediction = model.predict_prepared(np.stack(prepared))
            rows.append(rows_of(prediction, table.frame.loc[kept], labels.loc[kept]))
        progress(min((start + READ_AHEAD) / len(table), 1.0))
    if not rows:
        raise DatasetError("None of the images could be read; the first reason: " + problems[0])
    return Assessment(pd.concat(rows, ignore_index=True), model.classes, table.layout, table.simulated, tuple(problems))


def rows_of(prediction: Prediction, source: pd.DataFrame, labels: pd.Series) -> pd.DataFrame:
    """One row an image from what was predicted, the images' rows of a table and their true classes."""
    rows = pd.DataFrame(
        {
            "image": [item_name(path) for path in source["path"]],
            "patient": source["patient"].to_numpy(),
            "label": labels.to_numpy(),
            "predicted": prediction.labels,
        }
    )
    for index, name in enumerate(prediction.classes):
        rows[f"p_{name}"] = np.round(prediction.probabilities[:, index], 5)
    rows["typicality"] = np.round(prediction.typicality, 4)
    rows["unlike_training"] = prediction.unlike_training
    for extra in ("split", "circumference_mm", "image_id"):
        if extra in source:
            rows[extra] = source[extra].to_numpy()
    return rows


def _as_classes(labels: pd.Series, classes: list[str]) -> pd.Series:
    """Labels spelled as the model does, whatever the case; unknown ones are refused by name."""
    spelling = {name.lower(): name for name in classes} | {"": ""}
    unknown = sorted({label for label in labels.unique() if label.lower() not in spelling})
    if unknown:
        raise DatasetError(
            f"The data hold the class(es) {', '.join(unknown)}, which this model does not know; "
            f"it tells {', '.join(classes)} apart."
        )
    return labels.map(lambda label: spelling[label.lower()])


def record(assessment: Assessment, card: Card, folder: Path, name: str, arguments: list[str]) -> Card:
    """Write an assessment into card and ``evaluation.csv.gz`` under a data set's name, replacing an older one.

    Parameters
    ----------
    name : str
        What the data are, such as ``phantoms of unseen settings``.
    arguments : list of str
        The command line that measures it again.
    """
    command = "python -m core " + shlex.join(arguments)
    metrics = [_metric(figure, share, name, assessment.simulated, command) for figure, share in _figures(assessment)]
    kept = [metric for metric in card.metrics if metric.data.split(" (")[0] != name]
    card = replace(card, metrics=sorted([*kept, *metrics], key=_shown_first))
    rows = assessment.rows.assign(data=name, simulated=assessment.simulated)
    path = folder / EVALUATION_NAME
    if path.exists():
        try:
            older = read_table(path, keep_default_na=False, low_memory=False)
        except UNREADABLE as error:
            raise ModelError(f"{path} cannot be read; restore or remove it, and run the same again.") from error
        rows = pd.concat([older[older["data"] != name], rows], ignore_index=True)
    write_evaluation(rows, folder)
    card.write(folder)
    return card


def write_evaluation(rows: pd.DataFrame, folder: Path) -> None:
    """Write the rows of a model's evaluation; the same rows give the same bytes."""
    with whole(folder / EVALUATION_NAME) as path:
        rows.to_csv(path, index=False, compression={"method": "gzip", "mtime": 0})


def read_evaluation(name: str, folder: Path = MODELS_FOLDER, *, classes: Sequence[str] = ()) -> pd.DataFrame:
    """The rows of ``models/<name>/evaluation.csv.gz``; empty where the model was never evaluated.

    Parameters
    ----------
    classes : sequence of str
        The model's; where given, labels, predictions and probabilities are checked against them.

    Raises
    ------
    ModelError
        If the file cannot be read, lacks a column, mixes simulated and real images under one name, or does not fit the
        classes.
    """
    path = folder / name / EVALUATION_NAME
    if not path.is_file():
        return pd.DataFrame()
    advice = f"write it again with python -m core evaluate --model {name} --data DIR --record NAME."
    try:
        rows = read_table(path, keep_default_na=False, low_memory=False)
    except UNREADABLE as error:
        raise ModelError(f"{EVALUATION_NAME} of model {name!r} cannot be read; {advice}") from error
    probabilities = [f"p_{one}" for one in classes]
    for column in ("image", "patient", "label", "predicted", "data", "simulated", *probabilities):
        if column not in rows:
            raise ModelError(f"{EVALUATION_NAME} of model {name!r} lacks the column {column!r}; {advice}")
    if len(rows) and (rows["simulated"].dtype != bool or rows.groupby("data")["simulated"].nunique().max() > 1):
        raise ModelError(
            f"{EVALUATION_NAME} of model {name!r} does not say of each data set whether it is simulated; {advice}"
        )
    if classes:
        unknown = sorted((set(rows["label"]) - {*classes, ""}) | (set(rows["predicted"]) - {*classes}))
        if unknown:
            raise ModelError(
                f"{EVALUATION_NAME} of model {name!r} names {unknown[0]!r}, which is none of its classes; {advice}"
            )
        rows[probabilities] = rows[probabilities].apply(pd.to_numeric, errors="coerce")
        if not ((rows[probabilities] >= 0) & (rows[probabilities] <= 1)).to_numpy().all():
            raise ModelError(f"{EVALUATION_NAME} of model {name!r} holds a probability outside 0 to 1; {advice}")
    return rows


def assessments_of(rows: pd.DataFrame, classes: list[str]) -> list[Assessment]:
    """One assessment a data set from the rows of an evaluation, in their order; ``layout`` is the set's name."""
    if rows.empty:
        return []
    return [
        Assessment(group.reset_index(drop=True), classes, data, bool(group["simulated"].iloc[0]), ())
        for data, group in rows.groupby("data", sort=False)
    ]


def _figures(assessment: Assessment) -> list[tuple[str, Share]]:
    """What a card says of a data set."""
    one_class = assessment.labelled["label"].nunique() <= 1
    figures = []
    if len(assessment.labelled) and (assessment.detection or not one_class):
        figures.append(("accuracy", assessment.accuracy))
    if not one_class:
        figures.append(("mean recall", assessment.mean_recall))
    elif not assessment.detection:  # a detector's answers to clean frames are told by its verdicts
        figures += [(f"share called {name}", assessment.share_called(name)) for name in assessment.classes]
        figures += [
            (f"share called {name}, {title}", part.share_called(name))
            for title, part in assessment.parts.items()
            for name in assessment.classes
        ]
    figures.append(("share flagged as unlike the training data", assessment.unlike_training))
    return figures + list(assessment.detection.items())


def _metric(figure: str, share: Share, data: str, simulated: bool, command: str) -> Metric:
    return Metric(figure, data, simulated, share.value, share.low, share.high, share.n, command)


def _shown_first(metric: Metric) -> tuple[bool, bool]:
    """Accuracy on data never trained on comes first: it is what ``models`` prints."""
    return (metric.name != "accuracy", "validation" in metric.data)


def _share(share: Share) -> dict[str, float | int | None]:
    """JSON knows no NaN: a share of no image is null."""
    values = (share.value, share.low, share.high) if share.n else (None, None, None)
    return {"value": values[0], "ci_low": values[1], "ci_high": values[2], "n": share.n}


def _measures(measures: ClassMeasures) -> dict[str, Any]:
    return {
        "support": measures.support,
        "sensitivity": _share(measures.sensitivity),
        "specificity": _share(measures.specificity),
        "precision": _share(measures.precision),
        "f1": None if np.isnan(measures.f1) else measures.f1,
    }
