"""A study of faithfulness as tables for people: every cell with its interval and n."""

from __future__ import annotations

import numpy as np
import pandas as pd

from core.explain.faithfulness.measures import GROUPS, MEASURES
from core.explain.faithfulness.study import BASELINES, FaithfulnessStudy, number, title_of
from core.published import PLANE_FINDINGS

VERDICTS = {"better": "better than chance", "worse": "worse than chance", "unclear": "not told from chance"}
COMMON_SHARE = 0.5
"""A structure is listed if at least this share of a class's images shows it."""


def scoreboard_table(study: FaithfulnessStudy) -> pd.DataFrame:
    """Faithful, stable, sharp, fast: one row a method, the most faithful first, and the orders by chance below."""
    faithful = GROUPS["faithful"]
    methods = sorted(study.methods, key=lambda method: -np.nan_to_num(study.score(method, faithful).value, nan=-np.inf))
    rows = []
    for method in (*methods, *BASELINES):
        row = {"method": title_of(method), "values": _values(study, method)}
        row |= {f"{group}: {MEASURES[name].title}": number(study.score(method, name)) for group, name in GROUPS.items()}
        rows.append(row | {"order": "chance" if method in BASELINES else VERDICTS[study.verdict(method)]})
    return pd.DataFrame(rows)


def measure_table(study: FaithfulnessStudy) -> pd.DataFrame:
    """Every measure of every method: one row a measure, with which way is better; one column a method."""
    rows = []
    for name, measure in MEASURES.items():
        row = {"measure": measure.title, "better": "higher" if measure.higher else "lower"}
        rows.append(row | {title_of(one): number(study.score(one, name)) for one in (*study.methods, *BASELINES)})
    return pd.DataFrame(rows)


def finding_table(study: FaithfulnessStudy) -> pd.DataFrame:
    """The thesis's findings, measured: one row a class and method; empty where no structure is known."""
    rows = []
    for name, finding in PLANE_FINDINGS.items():
        for method in study.methods:
            share = {
                measure: study.place(method, name, finding.place, measure)
                for measure in ("relevance", "area", "enrichment", "pointing", "chance")
            }
            if share["enrichment"].n:
                rows.append(
                    {
                        "class": name,
                        "place (the thesis)": f"{finding.place} ({finding.source})",
                        "method": title_of(method),
                        "highest 10 % that lies there": number(share["relevance"]),
                        "its share of the area": f"{share['area'].value:.3g}",
                        "enrichment": number(share["enrichment"]),
                        "pointing game": number(share["pointing"]),
                        "by chance": f"{share['chance'].value:.3g}",
                    }
                )
    return pd.DataFrame(rows)


def structure_table(study: FaithfulnessStudy, class_name: str) -> pd.DataFrame:
    """Enrichment of every structure that half of a class's images show, or more; one row a structure."""
    table = study.localisation
    rows = table[(table["class"] == class_name) & (table["measure"] == "enrichment")]
    if rows.empty:
        return pd.DataFrame()
    most = rows.groupby("method")["n"].transform("max")
    rows = rows[rows["n"] >= COMMON_SHARE * most]
    wide = rows.pivot_table("value", "structure", "method", sort=False).reindex(columns=study.methods)
    wide = wide.loc[wide.mean(axis=1).sort_values(ascending=False).index]
    return wide.rename(columns=title_of).map(lambda value: f"{value:.2f}").reset_index()


def agreement_table(study: FaithfulnessStudy, measure: str) -> pd.DataFrame:
    """Agreement of every two methods, mean over the images that both explained."""
    matrix = study.matrix(measure)
    shown = matrix.map(lambda value: "" if np.isnan(value) else f"{value:.2f}")
    return shown.rename(index=title_of, columns=title_of).rename_axis("").reset_index()


def _values(study: FaithfulnessStudy, method: str) -> str:
    if method in BASELINES:
        return ""
    return "signed" if method in study.about["signed"] else "unsigned"
