"""A perturbation study of a regression as tables for people: every cell with its interval and n."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from core.evaluation import Share
from core.explain.faithfulness.study import NUMBERS, number
from core.explain.faithfulness.tables import VERDICTS
from core.explain.head_study import (
    BASELINES,
    BEYOND_EDGES,
    CASE_TITLES,
    FOLLOWS,
    HEADLINE,
    HIGH,
    LOW,
    PLACES,
    QUALITIES,
    SIGNS,
    HeadStudy,
    compare_backbones,
    title_of,
    verdict_of,
)
from core.explain.regression_perturbation import ORDERS


def board_table(study: HeadStudy, setting: tuple[int, str]) -> pd.DataFrame:
    """What tells the methods apart, under one grid and fill: one row a method, the largest gap to a random order first.

    The verdict is that of this grid and fill; ``more than the edges`` is enrichment less that of the image's edges.
    """
    rows = []
    for method in sorted_methods(study):
        gap = study.score(method, HEADLINE, setting=setting)
        shares = {
            QUALITIES[HEADLINE].title: gap,
            PLACES[FOLLOWS]: study.place(method, FOLLOWS),
            "more than the edges": study.place(method, BEYOND_EDGES),
            QUALITIES[SIGNS].title: study.score(method, SIGNS, ranking="sign", setting=setting),
        }
        cells = {title: number(share) if share.n else "" for title, share in shares.items()}
        row = {"method": title_of(method)} | cells | {"order": VERDICTS[verdict_of(gap, 0)]}
        seconds = study.about["seconds"].get(method)
        rows.append(row | {"seconds a map": "" if seconds is None else f"{seconds:.3g}"})
    return pd.DataFrame(rows)


def gap_table(study: HeadStudy) -> pd.DataFrame:
    """Gap to a random order in mm under every grid and fill: one row a method, the best first."""
    rows = []
    for method in sorted_methods(study):
        row = {"method": title_of(method), "values": _values(study, method), "order": VERDICTS[study.verdict(method)]}
        for grid, fill in study.protocol.settings:
            row[f"{grid} by {grid}, {fill}"] = number(study.score(method, HEADLINE, setting=(grid, fill)))
        rows.append(row)
    return pd.DataFrame(rows)


def quality_table(study: HeadStudy, setting: tuple[int, str]) -> pd.DataFrame:
    """Every figure under one grid and fill: one row a figure and ranking, one column a method."""
    rows = []
    for name, quality in QUALITIES.items():
        for ranking in ("size", "sign"):
            found = {
                title_of(method): study.score(method, name, ranking=ranking, setting=setting)
                for method in sorted_methods(study)
            }
            if any(share.n for share in found.values()):
                row = {
                    "measure": quality.title,
                    "ranked by": ranking,
                    "better": "higher" if quality.higher else "lower",
                }
                rows.append(row | {title: number(share) if share.n else "" for title, share in found.items()})
    return pd.DataFrame(rows)


def contour_table(study: HeadStudy) -> pd.DataFrame:
    """How far maps follow the contour: one row a method, the nearest first."""
    methods = sorted((*study.methods, *BASELINES), key=lambda method: _descending(study.place(method, FOLLOWS)))
    rows = []
    for method in methods:
        shares = {title: study.place(method, measure) for measure, title in PLACES.items()}
        cells = {title: number(share) if share.n else "" for title, share in shares.items()}
        rows.append({"method": title_of(method), "values": _values(study, method)} | cells)
    return pd.DataFrame(rows)


def halves_table(study: HeadStudy) -> pd.DataFrame:
    """Map quality on heads measured well and badly: one row a figure and method."""
    rows = []
    for row in study.halves.to_dict("records"):
        low, high = (number(_share(row, names)) for names in (LOW, HIGH))
        rows.append(
            {
                "measure": CASE_TITLES[row["measure"]],
                "method": title_of(row["method"]),
                "low error": low,
                "high error": high,
                "p": _p(row["p"]),
                "p (Holm)": _p(row["p_holm"]),
            }
        )
    return pd.DataFrame(rows)


def error_table(study: HeadStudy, setting: tuple[int, str]) -> pd.DataFrame:
    """The curves under one grid and fill: one row a method, ranking, order and step; errors in mm."""
    curves = study.curves[(study.curves["grid"] == setting[0]) & (study.curves["fill"] == setting[1])]
    rows = curves.drop(columns=["grid", "fill"])
    return rows.assign(method=rows["method"].map(title_of), order=rows["order"].map(ORDERS)).reset_index(drop=True)


def backbone_table(studies: Sequence[HeadStudy]) -> pd.DataFrame:
    """Every two models on the images they share: one row a figure and method."""
    rows = [
        {
            "measure": CASE_TITLES[row["measure"]],
            "method": title_of(row["method"]),
            "models": f"{row['first']} less {row['second']}",
            "difference": number(_share(row, NUMBERS)),
        }
        for row in compare_backbones(studies).to_dict("records")
    ]
    return pd.DataFrame(rows, columns=["measure", "method", "models", "difference"])


def sorted_methods(study: HeadStudy) -> list[str]:
    """Methods and maps that know no network, the largest gap to a random order first."""
    return sorted((*study.methods, *BASELINES), key=lambda method: _descending(study.score(method, HEADLINE)))


def _descending(share: Share) -> float:
    return -np.nan_to_num(share.value, nan=-np.inf)


def _share(row: dict[str, float], names: Sequence[str]) -> Share:
    return Share(*(row[name] for name in names[:3]), int(row[names[3]]))


def _values(study: HeadStudy, method: str) -> str:
    return "signed" if method in study.about["signed"] else "unsigned"


def _p(value: float) -> str:
    return "no answer" if np.isnan(value) else f"{value:.2g}"
