"""What a study of faithfulness found: scores, curves, where relevance lies, agreement, and sentences about them.

:mod:`core.explain.faithfulness.run` makes it. Every figure is a mean over images with its n and a 95 % interval that
respects patients.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from core.evaluation import CURVE_RESAMPLES, Share, bootstrap_by_patient, share_by_patient
from core.explain.agreement import rank_correlations, top_overlaps
from core.explain.base import METHODS
from core.explain.faithfulness.measures import GROUPS, MEASURES
from core.explain.faithfulness.scoring import CURVES, Scoring
from core.explain.localisation import Structures, localise, parts_of
from core.explain.sample import Sample
from core.explain.stored_study import StoredStudy, StudyFiles, listed
from core.files import whole
from core.published import PLANE_FINDINGS
from core.tables import read_table

BASELINES = {"random_regions": "Random regions", "random_pixels": "Random pixels"}
"""Orders by chance; the first is what a gain is held against."""
CHANCE = next(iter(BASELINES))
AGREEMENTS = {"rank_correlation": "Rank correlation", "top_overlap": "Overlap of the highest 10 %"}
PLACE_MEASURES = ("relevance", "area", "enrichment", "pointing", "chance")
LITTLE_LEARNED = 0.5
"""A map whose rank correlation with a random network's lies above this shows more of the image than of learning."""
FEW = 10
"""On fewer images than this nothing is called settled, whatever the interval: a bootstrap of few is too narrow."""
FILES = StudyFiles("faithfulness", "study of faithfulness")
ABOUT_NAME = FILES.about_name
NUMBERS = ["value", "low", "high", "n"]
GAINS = ["gain", "gain_low", "gain_high"]
TABLES = {
    "scores": ("faithfulness.csv", ["method", "measure", *NUMBERS, *GAINS]),
    "curves": ("curves.csv", ["method", "curve", "share", *NUMBERS]),
    "localisation": ("localisation.csv", ["method", "class", "structure", "measure", *NUMBERS]),
    "agreement": ("agreement.csv", ["first", "second", "measure", *NUMBERS]),
}
"""A study's tables: the file of each and its columns."""
ABOUT_KEYS = {"model", "data", "simulated", "n", "methods", "signed", "scoring", "command", "problems"}


@dataclass(frozen=True)
class MethodResult:
    """What a method, or an order by chance, scored on the n images of a sample.

    Attributes
    ----------
    measures : dict
        Name of :data:`~core.explain.faithfulness.measures.MEASURES` -> (n,) float, NaN where there is no answer.
    curves : dict
        Name of :data:`~core.explain.faithfulness.scoring.CURVES` -> (n, T) float.
    maps : (n, S, S) float32 or None
        Of a method.
    """

    measures: dict[str, np.ndarray]
    curves: dict[str, np.ndarray]
    maps: np.ndarray | None


@dataclass(frozen=True)
class FaithfulnessStudy(StoredStudy):
    """What a study found.

    Attributes
    ----------
    scores : pandas.DataFrame
        One row a method (and order by chance) and measure: value, low, high, n; and ``gain`` with its interval: how
        much better than random regions on the same images, positive being better; NaN where chance has no value.
    curves : pandas.DataFrame
        One row a method, curve and share hidden or shown: mean probability of the class.
    localisation : pandas.DataFrame
        One row a method, class, structure and measure, over the images whose class was recognised: ``relevance`` and
        ``area`` (shares), ``enrichment`` (their ratio, image by image), ``pointing`` and its ``chance``.
    agreement : pandas.DataFrame
        One row a pair of methods and measure.
    about : dict
        Settings, model, data, simulated or real, n.
    """

    scores: pd.DataFrame
    curves: pd.DataFrame
    localisation: pd.DataFrame
    agreement: pd.DataFrame
    about: dict[str, Any]

    def score(self, method: str, measure: str) -> Share:
        """A method's figure; ``n`` is 0 where there is none."""
        return _found(self.scores, method=method, measure=measure)

    def gain(self, method: str, measure: str) -> Share:
        """How much better than random regions a method is, positive being better."""
        rows = self.scores[(self.scores["method"] == method) & (self.scores["measure"] == measure)]
        if rows.empty or rows["gain"].isna().all():
            return Share(np.nan, np.nan, np.nan, 0)
        row = rows.iloc[0]
        return Share(row["gain"], row["gain_low"], row["gain_high"], int(row["n"]))

    def place(self, method: str, class_name: str, structure: str, measure: str) -> Share:
        """What a method says of a structure."""
        return _found(self.localisation, method=method, structure=structure, measure=measure, **{"class": class_name})

    def matrix(self, measure: str) -> pd.DataFrame:
        """Agreement of every two methods, (M, M) with a diagonal of 1, NaN where there is no answer."""
        matrix = pd.DataFrame(np.eye(len(self.methods)), self.methods, self.methods)
        matrix[matrix == 0] = np.nan
        for row in self.agreement[self.agreement["measure"] == measure].to_dict("records"):
            matrix.loc[row["first"], row["second"]] = matrix.loc[row["second"], row["first"]] = row["value"]
        return matrix

    def verdict(self, method: str) -> str:
        """Is an order by the map better than chance? ``better``, ``worse`` or ``unclear``, by the gain's interval."""
        gain = self.gain(method, GROUPS["faithful"])
        if gain.n < FEW:
            return "unclear"
        return "better" if gain.low > 0 else "worse" if gain.high < 0 else "unclear"

    def conclusions(self) -> list[str]:
        """Plain sentences computed from the figures."""
        return [*self._faithful(), *self._others(), *self._learned(), *self._findings(), *self._alike()]

    def write(self, folder: Path) -> None:
        """Write the tables and the settings, with the conclusions, into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, (file, columns) in TABLES.items():
            with whole(folder / file) as path:
                getattr(self, name)[columns].to_csv(path, index=False, float_format="%.6g")
        about = self.about | {"conclusions": self.conclusions()}
        FILES.write_about(folder, about)

    def _faithful(self) -> Iterable[str]:
        measure = GROUPS["faithful"]
        words = {
            "better": "Better than an order by chance at naming what the network needs:",
            "unclear": "Not told apart from an order by chance:",
            "worse": "Worse than an order by chance:",
        }
        for verdict, sentence in words.items():
            chosen = [method for method in self.methods if self.verdict(method) == verdict]
            chosen.sort(key=lambda method: -self.score(method, measure).value)
            if chosen:
                cases = [f"{title_of(method)} ({number(self.score(method, measure))})" for method in chosen]
                yield f"{sentence} {listed(cases, '; ')}, by the AOPC gap."

    def _others(self) -> Iterable[str]:
        for words, measure in (("Most stable", "stability"), ("Sharpest", "sparseness"), ("Fastest", "seconds")):
            known = [method for method in self.methods if self.score(method, measure).n]
            if known:
                sign = 1 if MEASURES[measure].higher else -1
                best = max(known, key=lambda method: sign * self.score(method, measure).value)
                yield f"{words}: {title_of(best)} ({MEASURES[measure].title} {number(self.score(best, measure))})."

    def _learned(self) -> Iterable[str]:
        stays = [method for method in self.methods if self.score(method, "randomisation").low > LITTLE_LEARNED]
        if stays:
            cases = [f"{title_of(method)} ({number(self.score(method, 'randomisation'))})" for method in stays]
            yield (
                "Maps that stay much the same when all weights are made random, and so show more of the image than of "
                f"what was learned: {listed(cases, '; ')}, by rank correlation."
            )

    def _findings(self) -> Iterable[str]:
        for class_name, finding in PLANE_FINDINGS.items():
            found = {
                method: self.place(method, class_name, finding.place, "enrichment")
                for method in self.methods
                if self.place(method, class_name, finding.place, "enrichment").n
            }
            if not found:
                continue
            more = [
                f"{title_of(method)} {number(one)}" for method, one in found.items() if one.low > 1 and one.n >= FEW
            ]
            less = [
                f"{title_of(method)} {number(one)}" for method, one in found.items() if one.high < 1 and one.n >= FEW
            ]
            said = [
                f"{words} with {listed(cases, '; ')}"
                for words, cases in (("more than its area's share lies there", more), ("less", less))
                if cases
            ]
            rest = len(found) - len(more) - len(less)
            if rest:
                said.append(f"{rest} of {len(found)} methods give no clear answer")
            yield f"{class_name} and the {finding.place} ({finding.source}), enrichment: {'; '.join(said)}."

    def _alike(self) -> Iterable[str]:
        rows = self.agreement[(self.agreement["measure"] == "rank_correlation") & (self.agreement["n"] > 0)]
        ordered = rows.sort_values("value", ascending=False).to_dict("records")
        if len(ordered) < 2:
            return
        for words, row in (("Most alike", ordered[0]), ("Least alike", ordered[-1])):
            share = Share(*(row[name] for name in NUMBERS))
            yield (
                f"{words} of all pairs: {title_of(row['first'])} and {title_of(row['second'])} "
                f"(rank correlation {number(share)})."
            )


def summarise(
    classes: Sequence[str],
    sample: Sample,
    structures: Sequence[Structures | None],
    results: Mapping[str, MethodResult],
    about: dict[str, Any],
) -> FaithfulnessStudy:
    """Figures over a sample from those of its images.

    Parameters
    ----------
    structures
        Of each image at the network's input; None where nobody knows them.
    results
        Of the baselines and the methods.
    """
    patients = np.array(sample.patients)
    return FaithfulnessStudy(
        _table("scores", _scores(results, patients)),
        _table("curves", _curves(results, patients, about["scoring"])),
        _table("localisation", _localisation(classes, sample, structures, results)),
        _table("agreement", _agreement(results, patients)),
        about,
    )


def _table(name: str, rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
    table = pd.DataFrame(list(rows), columns=TABLES[name][1])
    # Of no rows at all, columns would hold objects.
    kinds = dict.fromkeys((*NUMBERS, *GAINS), float) | {"n": int}
    return table.astype({column: kind for column, kind in kinds.items() if column in table})


def _scores(results: Mapping[str, MethodResult], patients: np.ndarray) -> Iterable[dict[str, Any]]:
    chance = results[CHANCE]
    for method, result in results.items():
        for name, measure in MEASURES.items():
            if name not in result.measures:
                continue
            values = result.measures[name]
            row = {"method": method, "measure": name} | _numbers(_mean(values, patients))
            gain = _mean(np.full(len(values), np.nan), patients)
            if name in chance.measures and method != CHANCE:
                better = values - chance.measures[name]
                gain = _mean(better if measure.higher else -better, patients, is_share=False)
            yield row | dict(zip(GAINS, (gain.value, gain.low, gain.high), strict=True))


def _curves(
    results: Mapping[str, MethodResult], patients: np.ndarray, scoring: Mapping[str, Any]
) -> Iterable[dict[str, Any]]:
    for method, result in results.items():
        for curve in CURVES:
            shares = Scoring(**scoring).shares(curve)
            for share, values in zip(shares, result.curves[curve].T, strict=True):
                mean = bootstrap_by_patient(values, patients, resamples=CURVE_RESAMPLES)
                yield {"method": method, "curve": curve, "share": share} | _numbers(mean)


def _localisation(
    classes: Sequence[str],
    sample: Sample,
    structures: Sequence[Structures | None],
    results: Mapping[str, MethodResult],
) -> Iterable[dict[str, Any]]:
    values: dict[tuple[str, ...], list[float]] = defaultdict(list)
    whose: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for position, found in enumerate(structures):
        name = classes[sample.targets[position]]
        if found is None or sample.labels[position] != name:
            continue
        finding = PLANE_FINDINGS.get(name)
        parts = parts_of(found, {finding.place: finding.structures} if finding else {})
        for method, maps in _maps_of(results, position).items():
            for place in localise(maps, parts):
                for measure in PLACE_MEASURES:
                    key = (method, name, place.structure, measure)
                    values[key].append(getattr(place, measure))
                    whose[key].append(sample.patients[position])
    for key in sorted(values, key=lambda key: (list(results).index(key[0]), classes.index(key[1]))):
        names = dict(zip(("method", "class", "structure", "measure"), key, strict=True))
        is_share = names["measure"] == "pointing"
        yield names | _numbers(_mean(np.array(values[key]), np.array(whose[key]), is_share=is_share))


def _agreement(results: Mapping[str, MethodResult], patients: np.ndarray) -> Iterable[dict[str, Any]]:
    methods = [method for method, result in results.items() if result.maps is not None]
    places = list(combinations(range(len(methods)), 2))
    if not places:
        return
    matrices: dict[str, list[np.ndarray]] = {measure: [] for measure in AGREEMENTS}
    for position in range(len(patients)):
        stack = np.stack(list(_maps_of(results, position).values()))
        matrices["rank_correlation"].append(rank_correlations(stack))
        matrices["top_overlap"].append(top_overlaps(stack))
    for measure, found in matrices.items():
        for first, second in places:
            mean = _mean(np.array([matrix[first, second] for matrix in found]), patients, is_share=False)
            yield {"first": methods[first], "second": methods[second], "measure": measure} | _numbers(mean)


def _maps_of(results: Mapping[str, MethodResult], position: int) -> dict[str, np.ndarray]:
    """Method -> its map (S, S) of one image."""
    return {method: np.asarray(result.maps[position]) for method, result in results.items() if result.maps is not None}


def _mean(values: np.ndarray, patients: np.ndarray, *, is_share: bool = True) -> Share:
    """Mean over the images that have an answer, with an interval that respects patients.

    Values of 0 and 1 alone are a share, whose interval does not collapse, unless ``is_share`` says they are none.
    """
    known = np.isfinite(values)
    values, patients = values[known], patients[known]
    if is_share and len(values) and np.isin(values, (0, 1)).all():
        return share_by_patient(values, patients)
    return bootstrap_by_patient(values, patients)


def _numbers(share: Share) -> dict[str, Any]:
    return dict(zip(NUMBERS, (share.value, share.low, share.high, share.n), strict=True))


def _found(table: pd.DataFrame, **conditions: str) -> Share:
    keep = np.ones(len(table), bool)
    for column, value in conditions.items():
        keep &= (table[column] == value).to_numpy()
    if not keep.any():
        return Share(np.nan, np.nan, np.nan, 0)
    row = table[keep].iloc[0]
    return Share(row["value"], row["low"], row["high"], int(row["n"]))


def title_of(method: str) -> str:
    """What people call a method or an order by chance."""
    return BASELINES.get(method) or METHODS[method].title


def number(share: Share) -> str:
    """``0.42 (0.38 to 0.47), n = 100``; ``no answer`` where there is none."""
    if not share.n or np.isnan(share.value):
        return "no answer"
    return f"{share.value:.3g} ({share.low:.3g} to {share.high:.3g}), n = {share.n}"


def read_study(folder: Path) -> FaithfulnessStudy:
    """A study that :meth:`FaithfulnessStudy.write` wrote.

    Raises
    ------
    DatasetError
        If a file is missing, damaged, or not of such a study.
    """
    with FILES.reading(folder):
        about = FILES.read_about(folder)
        tables = {name: read_table(folder / file) for name, (file, _) in TABLES.items()}
    complete = isinstance(about, dict) and set(about) >= ABOUT_KEYS and FILES.is_listed(about, "methods")
    complete = complete and all(set(columns) <= set(tables[name]) for name, (_, columns) in TABLES.items())
    if not complete or set(tables["scores"]["method"]) != {*BASELINES, *about["methods"]}:
        raise FILES.damage(folder, "lacks figures")
    if not set(about["methods"]) <= set(METHODS):
        raise FILES.damage(folder, "names unknown methods")
    return FaithfulnessStudy(**{name: tables[name][columns] for name, (_, columns) in TABLES.items()}, about=about)
