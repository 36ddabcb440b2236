"""What a drift study found: its rows, curves, the order of events, and the answer as a sentence.

:mod:`core.explain.drift` makes it and says what *broken* and *flipped* mean.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from core.corruption import CORRUPTIONS
from core.corruption import get as get_corruption
from core.evaluation import CURVE_RESAMPLES, Share, bootstrap_by_patient, share_by_patient
from core.explain.agreement import TOP_SHARE
from core.explain.base import METHODS, get_method
from core.explain.stored_study import StoredStudy, StudyFiles, listed
from core.files import whole
from core.tables import read_table

MEASURES = {"rank_correlation": "Rank correlation", "top_overlap": f"Overlap of the highest {100 * TOP_SHARE:.0f} %"}
"""What maps are compared by; columns of the rows, with what people call them."""
OUTCOMES = {
    "explanation": "explanation breaks first",
    "together": "both within one step",
    "prediction": "prediction flips first",
    "neither": "neither happens",
}
"""What can happen to an image as a corruption grows."""
FALLS = {0.5: "half of the way to the baseline", 1.0: "all of the way to the baseline"}
"""How far agreement has to fall for a map to count as broken, and how to say it; the first is the study's definition,
the second a stricter one to see how much hangs on it."""
HALF = next(iter(FALLS))
ROUNDING = 1e-6
ALL_KINDS = "all"
FILES = StudyFiles("drift", "drift study")
ROWS_NAME, ABOUT_NAME = "drift.csv.gz", FILES.about_name
NUMBERS = ("intensity", "ssim", "probability", *MEASURES, *(f"baseline_{measure}" for measure in MEASURES))
COLUMNS = ("number", "image", "patient", "label", "target", "kind", "predicted", "method", *NUMBERS)
ABOUT_KEYS = {
    "model",
    "data",
    "simulated",
    "n",
    "n_of_method",
    "kinds",
    "methods",
    "steps",
    "seed",
    "command",
    "problems",
}


@dataclass(frozen=True)
class DriftStudy(StoredStudy):
    """What a study found.

    Attributes
    ----------
    rows : pandas.DataFrame
        One row an image, kind, method and level, with the columns :data:`COLUMNS`: ``number`` is the image's place in
        the sample, ``target`` the class explained, ``probability`` that class's, ``ssim`` Wang's inside the sector.
        The measures are NaN where a map is constant, the baselines also where no other image was taken for the class.
    about : dict
        Settings, model, data, simulated or real, n.
    """

    rows: pd.DataFrame
    about: dict[str, Any]

    @property
    def kinds(self) -> list[str]:
        return list(self.about["kinds"])

    def curves(self, measure: str) -> pd.DataFrame:
        """Agreement by level: kind, method, intensity, ssim, n, mean, low, high, baseline.

        Means over the images whose map is not constant (``n``) with 95 % bootstrap intervals by patient; ``ssim`` and
        ``baseline`` are means too.
        """
        rows = []
        for (kind, method, intensity), group in self.rows.groupby(["kind", "method", "intensity"], sort=False):
            known = group[group[measure].notna()]
            mean = bootstrap_by_patient(known[measure], known["patient"], resamples=CURVE_RESAMPLES)
            rows.append(
                {
                    "kind": kind,
                    "method": method,
                    "intensity": intensity,
                    "ssim": group["ssim"].mean(),
                    "n": mean.n,
                    "mean": mean.value,
                    "low": mean.low,
                    "high": mean.high,
                    "baseline": group[f"baseline_{measure}"].mean(),
                }
            )
        return pd.DataFrame(rows)

    def flips(self) -> pd.DataFrame:
        """Predictions by level: kind, intensity, ssim, n, flipped, low, high, accuracy.

        ``flipped`` is the share of images no longer taken for their clean class, with its 95 % interval by patient;
        ``accuracy`` is of the labelled images, NaN where there is none.
        """
        rows = []
        images = self.rows.drop_duplicates(["number", "kind", "intensity"])
        for (kind, intensity), group in images.groupby(["kind", "intensity"], sort=False):
            share = share_by_patient(group["predicted"] != group["target"], group["patient"])
            labelled = group[group["label"] != ""]
            rows.append(
                {
                    "kind": kind,
                    "intensity": intensity,
                    "ssim": group["ssim"].mean(),
                    "n": share.n,
                    "flipped": share.value,
                    "low": share.low,
                    "high": share.high,
                    "accuracy": (labelled["predicted"] == labelled["label"]).mean(),
                }
            )
        return pd.DataFrame(rows)

    def outcomes(self, measure: str, fall: float = HALF) -> pd.DataFrame:
        """What happened to each image: number, image, patient, kind, method, broken, ssim_broken, flipped,
        ssim_flipped, outcome.

        ``broken`` and ``flipped`` are the first intensities of either, NaN where it never happens; ``outcome`` is one
        of :data:`OUTCOMES`, or empty where the clean map has no baseline: it is constant, or no other image of the
        sample is taken for the class. ``fall`` is the share of the way from 1 to the baseline that breaks a map.
        """
        keys = ["kind", "method", "number", "image", "patient"]
        rows = self.rows.sort_values("intensity", kind="stable")
        baseline = rows[f"baseline_{measure}"]
        # Not below: a method whose maps are all alike agrees fully with another image's and is not broken by that.
        is_broken = baseline.notna() & ~(rows[measure] >= 1 - fall * (1 - baseline) - ROUNDING)
        is_flipped = rows["predicted"] != rows["target"]
        found = rows.groupby(keys, sort=False).agg(first=(f"baseline_{measure}", lambda values: values.iloc[0]))
        for name, happened in (("broken", is_broken), ("flipped", is_flipped)):
            first = rows[happened].groupby(keys, sort=False)[["intensity", "ssim"]].first()
            found = found.join(first.rename(columns={"intensity": name, "ssim": f"ssim_{name}"}))
        broken, flipped = (found[name].fillna(np.inf) for name in ("broken", "flipped"))
        found["outcome"] = np.select(
            [found["first"].isna(), broken < flipped, broken > flipped, np.isfinite(broken)],
            ["", "explanation", "prediction", "together"],
            "neither",
        )
        return found.drop(columns="first").reset_index()

    def order(self, measure: str, fall: float = HALF) -> pd.DataFrame:
        """Which comes first: one row a kind and method, and one a method over all kinds (kind :data:`ALL_KINDS`).

        Columns: kind, method, n (images and kinds that have an answer), unanswered, one count for each of
        :data:`OUTCOMES`; either (where one of the two happens), share (of these, where the explanation breaks first)
        with its 95 % interval low, high by patient; ssim_broken and ssim_flipped, the medians at which it happens; and
        verdict: ``explanation`` or ``prediction`` where that comes first in more than half of these cases, with the
        whole interval, else ``unclear``.
        """
        outcomes = self.outcomes(measure, fall)
        together = outcomes.assign(kind=ALL_KINDS)
        groups = pd.concat([outcomes, together]).groupby(["kind", "method"], sort=False)
        return pd.DataFrame([{"kind": kind, "method": method} | _order_of(group) for (kind, method), group in groups])

    def conclusion(self, measure: str, fall: float = HALF) -> str:
        """The answer in a few sentences, with n and intervals: does the explanation break before the prediction?"""
        order = self.order(measure, fall)
        order = order[order["kind"] == ALL_KINDS]
        kinds = listed([get_corruption(kind).title.lower() for kind in self.kinds])
        sentences = []
        for verdict, words in VERDICTS.items():
            rows = order[order["verdict"] == verdict]
            if len(rows):
                sentences.append(f"{words} {listed([_case(row) for row in rows.to_dict('records')])}.")
        return (
            f"On {self.about['n']} {self.origin} images ({self.about['data']}) under {kinds}, a map being broken once "
            f"its {MEASURES[measure].lower()} has fallen {FALLS[fall]}: " + " ".join(sentences)
        )

    def write(self, folder: Path) -> None:
        """Write rows and settings, with the order of events and the conclusions, into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        compression = {"method": "gzip", "mtime": 0}  # the same study gives the same bytes
        with whole(folder / ROWS_NAME) as path:
            self.rows.to_csv(path, index=False, float_format="%.5g", compression=compression)
        about = self.about | {
            "order": {measure: json.loads(self.order(measure).to_json(orient="records")) for measure in MEASURES},
            "conclusion": {measure: self.conclusion(measure) for measure in MEASURES},
        }
        FILES.write_about(folder, about)


VERDICTS = {
    "explanation": "The explanation breaks before the prediction flips with",
    "prediction": "The prediction flips before the explanation breaks with",
    "unclear": "There is no clear order with",
}


def _order_of(outcomes: pd.DataFrame) -> dict[str, Any]:
    """The figures of :meth:`DriftStudy.order` for some images."""
    answered = outcomes[outcomes["outcome"] != ""]
    either = answered[answered["outcome"] != "neither"]
    share, other = (
        share_by_patient(either["outcome"] == outcome, either["patient"]) for outcome in ("explanation", "prediction")
    )
    verdict = "explanation" if share.low > 0.5 else "prediction" if other.low > 0.5 else "unclear"
    return {
        "n": len(answered),
        "unanswered": len(outcomes) - len(answered),
        **{outcome: int((answered["outcome"] == outcome).sum()) for outcome in OUTCOMES},
        "either": share.n,
        "share": share.value,
        "low": share.low,
        "high": share.high,
        "ssim_broken": answered["ssim_broken"].median(),
        "ssim_flipped": answered["ssim_flipped"].median(),
        "verdict": verdict,
    }


def _case(row: dict[str, Any]) -> str:
    """A method with its figures, for a sentence."""
    title = get_method(row["method"]).title
    if not row["either"]:
        return f"{title} (neither happens in any of the {row['n']} cases)"
    share = Share(row["share"], row["low"], row["high"], row["either"])
    unanswered = f", {row['unanswered']} have no baseline" if row["unanswered"] else ""
    return (
        f"{title} (explanation first in {100 * share.value:.1f} % ({100 * share.low:.1f} to {100 * share.high:.1f}) "
        f"of the {share.n} cases in which either happens; neither does in {row['neither']} more{unanswered})"
    )


def read_study(folder: Path) -> DriftStudy:
    """A study that :meth:`DriftStudy.write` wrote.

    Raises
    ------
    DatasetError
        If a file is missing, damaged, or not of such a study.
    """
    with FILES.reading(folder):
        about = FILES.read_about(folder)
        rows = read_table(folder / ROWS_NAME, keep_default_na=False, na_values={name: [""] for name in NUMBERS})
    complete = isinstance(about, dict) and set(about) >= ABOUT_KEYS and FILES.is_listed(about, "kinds", "methods")
    if not complete or not set(COLUMNS) <= set(rows):
        raise FILES.damage(folder, "lacks figures")
    is_numbers = all(pd.api.types.is_numeric_dtype(rows[name]) for name in NUMBERS)
    is_known = set(about["kinds"]) <= set(CORRUPTIONS) and set(about["methods"]) <= set(METHODS)
    is_told = set(rows["kind"]) == set(about["kinds"]) and set(rows["method"]) == set(about["methods"])
    if rows.empty or not (is_numbers and is_known and is_told):
        raise FILES.damage(folder, "holds rows that are none of a study's")
    return DriftStudy(rows[list(COLUMNS)], about)
