"""What a perturbation study of a regression found: errors over steps, gaps to chance, the contour, and three answers.

:mod:`core.explain.head_run` makes it. Zhang et al. 2020 (10.1007/978-3-030-61166-8_8) claim that maps show the head's
contour, that their quality depends on the backbone, and that it depends on whether the error is low or high. Each claim
is answered by figures with their n and 95 % intervals that respect examinations, and by sentences made of these.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from core.evaluation import CURVE_RESAMPLES, Share, bootstrap_by_patient
from core.explain.base import METHODS
from core.explain.contour import CONTOUR_MEASURES, WIDTH_MM
from core.explain.faithfulness.study import FEW, NUMBERS, number
from core.explain.regression_perturbation import ORDERS, STEPS, Protocol, aopc
from core.explain.stored_study import StoredStudy, StudyFiles, listed
from core.files import whole
from core.tables import read_table

if TYPE_CHECKING:
    from core.biometry.data import HeadSet

FILES = StudyFiles("perturbation", "perturbation study")
BASELINES = {"edges": "Edges of the image"}
"""Maps that know no network."""
EDGES = next(iter(BASELINES))
CHANCE = "chance"
"""What the lengths under random orders are kept by."""


@dataclass(frozen=True)
class Quality:
    """One figure of how well a map names what a regression needs.

    Attributes
    ----------
    title, explanation : str
    higher : bool
        True if more is better.
    """

    title: str
    explanation: str
    higher: bool = True


QUALITIES = {
    "gap_mm": Quality(
        "Gap to random order (mm)",
        "How much larger the error is, over steps 0 to 15, than when regions are hidden in random order.",
    ),
    "shift_gap_mm": Quality(
        "Gap of the shift (mm)",
        "The same of how far the prediction moves from that of the whole image, whatever the truth.",
    ),
    "order_gap_mm": Quality(
        "Gap to least relevant first (mm)",
        "How much larger the error is than when the least relevant regions are hidden first.",
    ),
    "sign_gap_mm": Quality(
        "Gap of the signs (mm)",
        "How much shorter the prediction is when what raises it is hidden first than when what lowers it is; only of "
        "maps ranked by sign.",
    ),
    "aopc_mm": Quality(
        "AOPC (mm)",
        "The paper's: the error of the whole image less the mean error over steps 0 to 15; far below 0 is better.",
        higher=False,
    ),
    "aopc_pixels": Quality("AOPC (pixels)", "The same in pixels of the frame, as the paper has it.", higher=False),
}
HEADLINE = next(iter(QUALITIES))
SIGNS = "sign_gap_mm"
FOLLOWS = "enrichment_in_view"
CASE_QUALITIES = (HEADLINE, "shift_gap_mm", FOLLOWS)
"""What is kept of each image, to set easy ones against hard ones and one backbone against another."""
CASE_TITLES = {FOLLOWS: "Enrichment in view"} | {
    name: QUALITIES[name].title for name in CASE_QUALITIES if name in QUALITIES
}
BEYOND_EDGES = "beyond_edges"
PLACES = {name: title[0].upper() + title[1:] for name, title in CONTOUR_MEASURES.items()} | {
    BEYOND_EDGES: "Enrichment in view, less that of the image's edges"
}
PERMUTATIONS = 5000
LEVEL = 0.05
SETTING = ["grid", "fill"]
LOW, HIGH = ([f"{half}_{name}" for name in NUMBERS] for half in ("low", "high"))
TABLES = {
    "images": ("images.csv", ["image", "patient", "half", "true_mm", "predicted_mm", "error_mm"]),
    "scores": ("scores.csv", ["method", *SETTING, "ranking", "measure", *NUMBERS]),
    "curves": ("curves.csv.gz", ["method", *SETTING, "ranking", "order", "step", "pixels", *NUMBERS]),
    "contour": ("contour.csv", ["method", "measure", *NUMBERS]),
    "halves": ("halves.csv", ["method", "measure", *LOW, *HIGH, "difference", "p", "p_holm"]),
    "cases": ("cases.csv", ["method", "image", "patient", *CASE_QUALITIES]),
}
"""A study's tables: the file of each and its columns."""
WORDS = {"method", "fill", "ranking", "order", "measure", "image", "patient", "half"}
ABOUT_KEYS = {
    "model", "backbone", "data", "simulated", "n", "methods", "signed", "protocol", "seconds", "command", "problems",
}  # fmt: skip


@dataclass(frozen=True)
class MethodResult:
    """What a method gave for n images of a sample.

    Attributes
    ----------
    positions : (n,) int
        Which images: methods of many passes explain fewer.
    lengths : dict
        ``grid/fill/ranking/order`` -> (n, STEPS + 1) circumferences in pixels of the input as regions are hidden. Of
        :data:`CHANCE`: ``grid/fill`` -> (n, chances, STEPS + 1).
    contour : dict
        Name of :data:`core.explain.contour.CONTOUR_MEASURES` -> (n,) float; empty for :data:`CHANCE`.
    seconds : float
        One map takes.
    """

    positions: np.ndarray
    lengths: dict[str, np.ndarray]
    contour: dict[str, np.ndarray]
    seconds: float


@dataclass(frozen=True)
class HeadStudy(StoredStudy):
    """What a study found.

    Attributes
    ----------
    images : pandas.DataFrame
        One row an image; ``half`` is ``low`` or ``high``, by the mean error of its examination.
    scores : pandas.DataFrame
        One row a method (and :data:`BASELINES`), grid, fill, ranking and name of :data:`QUALITIES`.
    curves : pandas.DataFrame
        One row a method, grid, fill, ranking, order and step: the mean error in mm, and in ``pixels`` of the frame.
    contour : pandas.DataFrame
        One row a method and name of :data:`PLACES`.
    halves : pandas.DataFrame
        One row a method and name of :data:`CASE_QUALITIES`: images of low and of high error, the difference (high less
        low) and its p by permutation, alone and by Holm's correction over the methods.
    cases : pandas.DataFrame
        One row a method and image: :data:`CASE_QUALITIES` under the main setting, by size.
    about : dict
        Settings, model, data, n.
    """

    images: pd.DataFrame
    scores: pd.DataFrame
    curves: pd.DataFrame
    contour: pd.DataFrame
    halves: pd.DataFrame
    cases: pd.DataFrame
    about: dict[str, Any]

    @property
    def protocol(self) -> Protocol:
        given = self.about["protocol"]
        return Protocol(**given | {name: tuple(given[name]) for name in ("grids", "fills")})

    def rankings(self, method: str) -> list[str]:
        """How a method's regions were ranked: by size, and by sign where its maps have one."""
        return ["size", "sign"] if method in self.about["signed"] else ["size"]

    def score(
        self, method: str, measure: str, *, ranking: str = "size", setting: tuple[int, str] | None = None
    ) -> Share:
        """A figure of a method, under the main setting unless another is named; ``n`` is 0 where there is none."""
        grid, fill = setting or self.protocol.settings[0]
        return _found(self.scores, method=method, measure=measure, ranking=ranking, grid=grid, fill=fill)

    def place(self, method: str, measure: str) -> Share:
        """What a method says of the contour, by a name of :data:`PLACES`."""
        return _found(self.contour, method=method, measure=measure)

    def verdict(self, method: str) -> str:
        """Does the map order regions better than chance? ``better``, ``worse`` or ``unclear``, by the interval."""
        return verdict_of(self.score(method, HEADLINE), 0)

    def conclusions(self) -> list[str]:
        """Plain sentences computed from the figures: which maps are true, and the claims on contour and error."""
        return [
            self._errors(),
            *self._true(),
            *self._robust(),
            *self._signs(),
            *self._contours(),
            *self._easy_or_hard(),
        ]

    def write(self, folder: Path) -> None:
        """Write the tables and the settings, with the conclusions, into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, (file, columns) in TABLES.items():
            # The same study gives the same bytes.
            compression = {"method": "gzip", "mtime": 0} if file.endswith(".gz") else None
            with whole(folder / file) as path:
                getattr(self, name)[columns].to_csv(path, index=False, float_format="%.5g", compression=compression)
        FILES.write_about(folder, self.about | {"conclusions": self.conclusions()})

    def _errors(self) -> str:
        error = bootstrap_by_patient(self.images["error_mm"], self.images["patient"])
        return (
            f"{self.about['model']} ({self.about['backbone']}) measures these {len(self.images)} heads with a mean "
            f"absolute error of {number(error)}, in mm."
        )

    def _true(self) -> Iterable[str]:
        (grid, fill), *_ = self.protocol.settings
        words = {
            "better": "name what the network needs better than a random order",
            "unclear": "cannot be told apart from a random order",
            "worse": "name it worse than a random order",
        }
        for verdict, sentence in words.items():
            chosen = [method for method in (*self.methods, *BASELINES) if self.verdict(method) == verdict]
            chosen.sort(key=lambda method: -self.score(method, HEADLINE).value)
            if chosen:
                cases = [f"{title_of(method)} {number(self.score(method, HEADLINE))}" for method in chosen]
                yield (
                    f"Maps that {sentence}, by the gap in mm ({grid} by {grid} regions, {fill}): {listed(cases, '; ')}."
                )

    def _robust(self) -> Iterable[str]:
        """Does the order of the methods hold under other grids and fills?"""
        main, *others = self.protocol.settings
        if not others or len(self.methods) < 3:
            return
        values = {
            setting: pd.Series([self.score(method, HEADLINE, setting=setting).value for method in self.methods])
            for setting in (main, *others)
        }
        cases = [
            f"{grid} by {grid} and {fill} {values[main].corr(values[grid, fill], method='spearman'):.2f}"
            for grid, fill in others
        ]
        yield (
            f"Rank correlation over {len(self.methods)} methods of their gaps with those under the main setting "
            f"({main[0]} by {main[0]}, {main[1]}): {listed(cases, '; ')}."
        )

    def _signs(self) -> Iterable[str]:
        right = {
            method: self.score(method, SIGNS, ranking="sign")
            for method in self.methods
            if method in self.about["signed"]
        }
        for verdict, words in (
            ("better", "Signs that hold (hiding what raises the circumference first leaves it shorter)"),
            ("unclear", "Signs that show no clear effect"),
            ("worse", "Signs that are the wrong way round"),
        ):
            cases = [f"{title_of(name)} {number(one)}" for name, one in right.items() if verdict_of(one, 0) == verdict]
            if cases:
                yield f"{words}, by the gap of the signs in mm: {listed(cases, '; ')}."

    def _contours(self) -> Iterable[str]:
        known = [method for method in self.methods if self.place(method, FOLLOWS).n]
        parts = []
        for verdict, words in (
            ("better", "more than its share of the part in view with"),
            ("worse", "less with"),
            ("unclear", "no clear answer with"),
        ):
            cases = [
                f"{title_of(method)} {number(self.place(method, FOLLOWS))}"
                for method in known
                if verdict_of(self.place(method, FOLLOWS), 1) == verdict
            ]
            if cases:
                parts.append(f"{words} {listed(cases, ', ')}")
        edges, area = self.place(EDGES, FOLLOWS), self.place(EDGES, "area")
        if parts:
            yield (
                f"Claim 1, maps follow the head's contour. Relevance within {WIDTH_MM:g} mm of the annotated ellipse, "
                f"which is {area.value:.1%} of the image, as enrichment: {'; '.join(parts)}. The edges of the image, "
                f"which know no network, have {number(edges)}."
            )
        beyond = [method for method in known if verdict_of(self.place(method, BEYOND_EDGES), 0) == "better"]
        if beyond:
            cases = [f"{title_of(method)} by {number(self.place(method, BEYOND_EDGES))}" for method in beyond]
            yield f"More of the contour than the image's edges alone, on the same images: {listed(cases, '; ')}."
        elif known:
            yield "No map is shown to follow the contour more than the image's edges alone do."

    def _easy_or_hard(self) -> Iterable[str]:
        yield (
            "Claim 3, map quality differs between cases of low and of high error: examinations are halved by their "
            f"mean error, and the halves compared by {PERMUTATIONS} permutations of examinations."
        )
        for measure in CASE_QUALITIES:
            rows = self.halves[(self.halves["measure"] == measure) & self.halves["method"].isin(self.methods)]
            rows = rows[rows["p"].notna()]
            told = rows[rows["p_holm"] < LEVEL].to_dict("records")
            alone = int((rows["p"] < LEVEL).sum())
            counted = f"{alone} of {len(rows)} methods have p below {LEVEL:g}"
            if not len(rows):
                continue
            if told:
                cases = [
                    f"{title_of(row['method'])} ({row['low_value']:.3g} low, {row['high_value']:.3g} high, n = "
                    f"{row['low_n']:.0f} and {row['high_n']:.0f}, p = {row['p_holm']:.2g})"
                    for row in told
                ]
                yield f"{CASE_TITLES[measure]}: {counted}; with Holm's correction {listed(cases, '; ')}."
            else:
                yield f"{CASE_TITLES[measure]}: {counted}, with Holm's correction none: no difference is shown."


def summarise(heads: HeadSet, results: Mapping[str, MethodResult], about: dict[str, Any]) -> HeadStudy:
    """Figures over a sample from those of its images.

    Parameters
    ----------
    results
        Of :data:`CHANCE`, the baselines and the methods.
    """
    protocol = HeadStudy(*[pd.DataFrame()] * len(TABLES), about).protocol
    summary = _Summary(heads, results, protocol)
    images = summary.images()
    cases = _table("cases", summary.cases())
    return HeadStudy(
        images,
        _table("scores", summary.scores()),
        _table("curves", summary.curves()),
        _table("contour", summary.contour()),
        _table("halves", halved(cases, images)),
        cases,
        about,
    )


class _Summary:
    """Takes circumferences in pixels of the input apart into figures in mm."""

    def __init__(self, heads: HeadSet, results: Mapping[str, MethodResult], protocol: Protocol) -> None:
        self.heads = heads
        self.results = {method: result for method, result in results.items() if method != CHANCE}
        self.chance = results[CHANCE]
        self.main = "{}/{}".format(*protocol.settings[0])
        self.millimetres = heads.millimetres / heads.images.shape[-1]

    def images(self) -> pd.DataFrame:
        predicted = self.chance.lengths[self.main][:, 0, 0] * self.millimetres
        errors = np.abs(predicted - self.heads.circumferences)
        rows = pd.DataFrame(
            {
                "image": [path.name for path in self.heads.paths],
                "patient": self.heads.patients,
                "true_mm": self.heads.circumferences,
                "predicted_mm": predicted,
                "error_mm": errors,
            }
        )
        by_examination = rows.groupby("patient")["error_mm"].mean().sort_values(kind="stable")
        low = set(by_examination.index[: len(by_examination) // 2])
        rows["half"] = ["low" if patient in low else "high" for patient in rows["patient"]]
        return rows[TABLES["images"][1]]

    def scores(self) -> Iterable[dict[str, Any]]:
        for method, result in self.results.items():
            patients = self.heads.patients[result.positions]
            for key in self._rankings(result):
                grid, fill, ranking = key.split("/")
                row = {"method": method, "grid": int(grid), "fill": fill, "ranking": ranking}
                for measure, values in self._qualities(result, key).items():
                    yield row | {"measure": measure} | _numbers(_mean(values, patients))

    def curves(self) -> Iterable[dict[str, Any]]:
        for method, result in self.results.items():
            patients = self.heads.patients[result.positions]
            pixel_sizes = self.heads.pixel_sizes[result.positions]
            for key in self._rankings(result):
                grid, fill, ranking = key.split("/")
                row = {"method": method, "grid": int(grid), "fill": fill, "ranking": ranking}
                for order, errors in self._errors(result, key).items():
                    for step, values in enumerate(errors.T):
                        mean = bootstrap_by_patient(values, patients, resamples=CURVE_RESAMPLES)
                        pixels = float((values / pixel_sizes).mean())
                        yield row | {"order": order, "step": step, "pixels": pixels} | _numbers(mean)

    def contour(self) -> Iterable[dict[str, Any]]:
        edges = self.results[EDGES].contour[FOLLOWS]
        for method, result in self.results.items():
            patients = self.heads.patients[result.positions]
            values = dict(result.contour)
            if method != EDGES:
                values[BEYOND_EDGES] = values[FOLLOWS] - edges[result.positions]
            for measure, found in values.items():
                yield {"method": method, "measure": measure} | _numbers(_mean(found, patients))

    def cases(self) -> Iterable[dict[str, Any]]:
        for method, result in self.results.items():
            values = self._qualities(result, f"{self.main}/size") | result.contour
            for index, position in enumerate(result.positions):
                row = {"method": method, "image": self.heads.paths[position].name}
                row["patient"] = self.heads.patients[position]
                yield row | {name: float(values[name][index]) for name in CASE_QUALITIES}

    def _rankings(self, result: MethodResult) -> list[str]:
        """``grid/fill/ranking`` of all that was followed."""
        return list(dict.fromkeys(key.rpartition("/")[0] for key in result.lengths))

    def _lengths(self, result: MethodResult, key: str) -> dict[str, np.ndarray]:
        """Order -> (n, STEPS + 1) in mm; the random orders are (n, chances, STEPS + 1)."""
        setting = key.rpartition("/")[0]
        found = {order: result.lengths[f"{key}/{order}"] for order in ("most", "least")}
        found["random"] = self.chance.lengths[setting][result.positions]
        return {order: (lengths.T * self.millimetres[result.positions]).T for order, lengths in found.items()}

    def _errors(self, result: MethodResult, key: str) -> dict[str, np.ndarray]:
        """Order -> (n, STEPS + 1): the error in mm, the mean over the random orders."""
        return self._away(self._lengths(result, key), self.heads.circumferences[result.positions])

    def _away(self, lengths: Mapping[str, np.ndarray], from_what: np.ndarray) -> dict[str, np.ndarray]:
        away = {order: np.abs(values.T - from_what).T for order, values in lengths.items()}
        return away | {"random": away["random"].mean(axis=1)}

    def _qualities(self, result: MethodResult, key: str) -> dict[str, np.ndarray]:
        """Name of :data:`QUALITIES` -> (n,)."""
        lengths = self._lengths(result, key)
        errors = {order: aopc(values) for order, values in self._errors(result, key).items()}
        shifts = {order: aopc(values) for order, values in self._away(lengths, lengths["most"][:, 0]).items()}
        found = {
            "gap_mm": errors["random"] - errors["most"],
            "shift_gap_mm": shifts["random"] - shifts["most"],
            "order_gap_mm": errors["least"] - errors["most"],
        }
        if key.endswith("/sign"):
            found[SIGNS] = (lengths["least"] - lengths["most"])[:, :STEPS].mean(axis=1)
        pixels = errors["most"] / self.heads.pixel_sizes[result.positions]
        return found | {"aopc_mm": errors["most"], "aopc_pixels": pixels}


def halved(cases: pd.DataFrame, images: pd.DataFrame, *, seed: int = 0) -> Iterable[dict[str, Any]]:
    """Map quality where the error is low and where it is high: rows of :attr:`HeadStudy.halves`."""
    half_of = dict(zip(images["patient"], images["half"], strict=True))
    for measure in CASE_QUALITIES:
        rows = []
        for method, group in cases.groupby("method", sort=False):
            known = group[group[measure].notna()]
            values, patients = known[measure].to_numpy(), known["patient"].to_numpy()
            is_high = np.array([half_of[patient] == "high" for patient in patients], bool)
            low, high = _mean(values[~is_high], patients[~is_high]), _mean(values[is_high], patients[is_high])
            row = {"method": method, "measure": measure, "difference": high.value - low.value}
            row |= dict(zip(LOW, _numbers(low).values(), strict=True)) | dict(
                zip(HIGH, _numbers(high).values(), strict=True)
            )
            rows.append(row | {"p": permutation_test(values, patients, is_high, seed=seed)})
        for row, corrected in zip(rows, holm(np.array([row["p"] for row in rows])), strict=True):
            yield row | {"p_holm": corrected}


def permutation_test(
    values: np.ndarray, patients: np.ndarray, is_high: np.ndarray, *, seed: int = 0, permutations: int = PERMUTATIONS
) -> float:
    """Two-sided p that two groups of whole examinations have one mean, by permuting which examination is in which.

    Parameters
    ----------
    values : (N,) float
    patients : (N,) any hashable
        Whose they are.
    is_high : (N,) bool
        The group, one for all of an examination.

    Returns
    -------
    float
        NaN where a group has fewer than two examinations.
    """
    names, first, index = np.unique(patients, return_index=True, return_inverse=True)
    groups = is_high[first] if len(names) else np.zeros(0, bool)
    if min(groups.sum(), (~groups).sum()) < 2:
        return np.nan
    sums, counts = np.bincount(index, weights=values), np.bincount(index)
    generator = np.random.default_rng(seed)
    drawn = np.stack([groups, *(generator.permutation(groups) for _ in range(permutations))])
    inside, n_inside = drawn @ sums, drawn @ counts
    differences = np.abs(inside / n_inside - (sums.sum() - inside) / (counts.sum() - n_inside))
    # The groups as they are count as one of the permutations, so that no p is 0.
    return float(np.mean(differences >= differences[0] * (1 - 1e-12)))


def holm(p: np.ndarray) -> np.ndarray:
    """Holm's correction (1979) of p values (M,); NaN stays and is not counted."""
    corrected = np.full(len(p), np.nan)
    known = np.flatnonzero(np.isfinite(p))
    rising = known[np.argsort(p[known], kind="stable")]
    factors = len(rising) - np.arange(len(rising))
    corrected[rising] = np.minimum(np.maximum.accumulate(p[rising] * factors), 1) if len(rising) else []
    return corrected


def compare_backbones(studies: Sequence[HeadStudy]) -> pd.DataFrame:
    """Every two studies on the images they share, by their common methods and main setting.

    Returns
    -------
    pandas.DataFrame
        One row a pair of models, method and name of :data:`CASE_QUALITIES`: ``difference``, first less second, image by
        image, with ``low``, ``high`` and ``n``. Empty where no two studies can be compared.
    """
    rows = []
    for first, second in combinations(studies, 2):
        if first.about["model"] == second.about["model"] or first.protocol.settings[0] != second.protocol.settings[0]:
            continue
        both = first.cases.merge(second.cases, on=["method", "image", "patient"], suffixes=("", "_other"))
        for method, group in both.groupby("method", sort=False):
            for measure in CASE_QUALITIES:
                mean = _mean((group[measure] - group[f"{measure}_other"]).to_numpy(), group["patient"].to_numpy())
                models = {"first": first.about["model"], "second": second.about["model"]}
                rows.append(models | {"method": method, "measure": measure} | _numbers(mean))
    return pd.DataFrame(rows, columns=["first", "second", "method", "measure", *NUMBERS])


def backbone_conclusions(studies: Sequence[HeadStudy]) -> list[str]:
    """Claim 2 in sentences: does map quality depend on the backbone?"""
    compared = compare_backbones(studies)
    compared = compared[~compared["method"].isin(BASELINES)]
    if compared.empty:
        return [
            "Claim 2, map quality depends on the backbone: not answered here, for it takes studies of two models on "
            "the same images."
        ]
    backbones = {study.about["model"]: study.about["backbone"] for study in studies}
    sentences = []
    for (first, second, measure), rows in compared.groupby(["first", "second", "measure"], sort=False):
        counts = dict.fromkeys(("better", "worse", "unclear"), 0)
        for row in rows.to_dict("records"):
            counts[verdict_of(Share(*(row[name] for name in NUMBERS)), 0)] += 1
        largest = rows.loc[rows["value"].abs().idxmax()] if rows["value"].notna().any() else None
        if largest is None:
            continue
        example = number(Share(*(largest[name] for name in NUMBERS)))
        sentences.append(
            f"Claim 2, map quality depends on the backbone, by {CASE_TITLES[measure].lower()}: {first} "
            f"({backbones[first]}) is better than {second} ({backbones[second]}) with {counts['better']} of "
            f"{len(rows)} methods, worse with {counts['worse']}, and not told apart with {counts['unclear']}; the "
            f"largest difference is that of {title_of(largest['method'])}, {example}."
        )
    return sentences


def read_study(folder: Path) -> HeadStudy:
    """A study that :meth:`HeadStudy.write` wrote.

    Raises
    ------
    DatasetError
        If a file is missing, damaged, or not of such a study.
    """
    with FILES.reading(folder):
        about = FILES.read_about(folder)
        tables = {
            name: read_table(folder / file, dtype=dict.fromkeys(WORDS, str)) for name, (file, _) in TABLES.items()
        }
    complete = isinstance(about, dict) and set(about) >= ABOUT_KEYS and FILES.is_listed(about, "methods")
    complete = complete and all(set(columns) <= set(tables[name]) for name, (_, columns) in TABLES.items())
    if not complete or set(tables["scores"]["method"]) != {*BASELINES, *about["methods"]}:
        raise FILES.damage(folder, "lacks figures")
    if not set(about["methods"]) <= set(METHODS) or not set(tables["curves"]["order"]) <= set(ORDERS):
        raise FILES.damage(folder, "names unknown methods")
    return HeadStudy(**{name: tables[name][columns] for name, (_, columns) in TABLES.items()}, about=about)


def title_of(method: str) -> str:
    """What people call a method or a map that knows no network."""
    return BASELINES.get(method) or METHODS[method].title


def _table(name: str, rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
    columns = TABLES[name][1]
    table = pd.DataFrame(list(rows), columns=columns)
    whole = {column: int for column in columns if column in ("n", "low_n", "high_n", "grid", "step")}
    return table.astype({column: float for column in columns if column not in WORDS} | whole)


def _mean(values: np.ndarray, patients: np.ndarray) -> Share:
    known = np.isfinite(values)
    return bootstrap_by_patient(values[known], patients[known])


def _numbers(share: Share) -> dict[str, Any]:
    return dict(zip(NUMBERS, (share.value, share.low, share.high, share.n), strict=True))


def verdict_of(share: Share, chance: float) -> str:
    """``better`` or ``worse`` than chance where the whole interval is; ``unclear`` else, and on few images."""
    if share.n < FEW:
        return "unclear"
    return "better" if share.low > chance else "worse" if share.high < chance else "unclear"


def _found(table: pd.DataFrame, **conditions: object) -> Share:
    keep = np.ones(len(table), bool)
    for column, value in conditions.items():
        keep &= (table[column] == value).to_numpy()
    if not keep.any():
        return Share(np.nan, np.nan, np.nan, 0)
    row = table[keep].iloc[0]
    return Share(*(row[name] for name in NUMBERS[:3]), int(row["n"]))
