"""Plotly figures of a study of faithfulness: curves, scoreboard, agreement. No Streamlit here.

A method keeps one colour (Okabe-Ito) and one dash in all curves; bands and bars are 95 % intervals by patient.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.explain.faithfulness import BASELINES, GROUPS, MEASURES
from core.figures import BLUE, CLASS_COLOURS, MARGIN, NEUTRAL, add_band

DASHES = ("solid", "dash", "dot")
BASELINE_DASHES = ("longdash", "longdashdot")
ROW_HEIGHT = 28
CELL = 34


def hiding_figure(curves: pd.DataFrame, curve: str, titles: Mapping[str, str], *, height: int = 380) -> go.Figure:
    """Probability of the class as more and more is hidden, or shown, in each method's order.

    Parameters
    ----------
    curves : pandas.DataFrame
        Of :class:`core.explain.faithfulness.FaithfulnessStudy`.
    curve : str
        One of :data:`core.explain.faithfulness.CURVES`.
    titles : mapping
        Method or order by chance -> what people call it; the latter are gray.
    """
    figure = go.Figure()
    methods = [method for method in titles if method not in BASELINES]
    looks = {
        method: (CLASS_COLOURS[index % len(CLASS_COLOURS)], DASHES[index // len(CLASS_COLOURS) % len(DASHES)])
        for index, method in enumerate(methods)
    }
    looks |= {baseline: (NEUTRAL, dash) for baseline, dash in zip(BASELINES, BASELINE_DASHES, strict=True)}
    for method, title in titles.items():
        rows = curves[(curves["method"] == method) & (curves["curve"] == curve)]
        colour, dash = looks[method]
        add_band(figure, rows["share"], rows["low"], rows["high"], colour)
        figure.add_scatter(
            x=rows["share"],
            y=rows["value"],
            mode="lines",
            name=f"{title} (n = {rows['n'].max()})",
            line={"color": colour, "dash": dash},
            customdata=rows[["low", "high", "n"]],
            hovertemplate=f"{title}: %{{y:.3f}} (%{{customdata[0]:.3f}} to %{{customdata[1]:.3f}}), "
            "n = %{customdata[2]}, at %{x:.0%}<extra></extra>",
        )
    shown = "shown" if curve == "insertion" else "hidden"
    figure.update_layout(
        height=height,
        margin={**MARGIN, "t": 24},
        legend={"orientation": "h", "y": -0.25, "x": 0},
        xaxis={"title": f"share of the image {shown}", "tickformat": ".0%", "range": [-0.02, 1.02]},
        yaxis={"title": "probability of the class", "range": [-0.02, 1.02]},
    )
    return figure


def one_image_figure(
    shares: np.ndarray, curves: Mapping[str, np.ndarray], curve: str, *, height: int = 380
) -> go.Figure:
    """As :func:`hiding_figure`, of one image: probabilities (T,) by a method's title, against ``shares`` (T,)."""
    rows = [
        pd.DataFrame({"method": title, "curve": curve, "share": shares, "value": values, "low": values, "high": values})
        for title, values in curves.items()
    ]
    figure = hiding_figure(pd.concat(rows).assign(n=1), curve, {title: title for title in curves}, height=height)
    for trace in figure.data:
        if trace.name:
            trace.name = trace.name.removesuffix(" (n = 1)")
    return figure


def score_figure(scores: np.ndarray, label: str, *, height: int = 320) -> go.Figure:
    """A class's logit (T,) at every step of activation maximization."""
    figure = go.Figure(
        go.Scatter(
            x=np.arange(len(scores)),
            y=scores,
            mode="lines",
            line={"color": BLUE},
            hovertemplate="step %{x}: %{y:.2f}<extra></extra>",
        )
    )
    figure.update_layout(
        height=height, margin={**MARGIN, "t": 24}, xaxis={"title": "step"}, yaxis={"title": f"score of {label} (logit)"}
    )
    return figure


def scoreboard_figure(scores: pd.DataFrame, titles: Mapping[str, str], group: str) -> go.Figure:
    """One question of the scoreboard: a row a method, a dot with its interval; better is to the right.

    Parameters
    ----------
    scores : pandas.DataFrame
        Of :class:`core.explain.faithfulness.FaithfulnessStudy`; seconds are drawn on a logarithmic axis.
    titles : mapping
        Method -> what people call it, top first.
    group : str
        One of :data:`core.explain.faithfulness.GROUPS`.
    """
    name = GROUPS[group]
    measure = MEASURES[name]
    rows = scores[scores["measure"] == name].set_index("method").reindex(list(titles))
    figure = go.Figure(
        go.Scatter(
            x=rows["value"],
            y=list(titles.values()),
            mode="markers",
            marker={"color": BLUE, "size": 9},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": rows["high"] - rows["value"],
                "arrayminus": rows["value"] - rows["low"],
            },
            customdata=rows[["low", "high", "n"]],
            hovertemplate=f"%{{y}}, {measure.title}: %{{x:.3g}} (%{{customdata[0]:.3g}} to %{{customdata[1]:.3g}}), "
            "n = %{customdata[2]}<extra></extra>",
        )
    )
    figure.update_layout(
        height=100 + ROW_HEIGHT * len(titles),
        margin=MARGIN,
        xaxis={
            "title": f"{group}: {measure.title}",
            "autorange": None if measure.higher else "reversed",
            "type": "log" if name == "seconds" else "linear",
        },
        yaxis={"autorange": "reversed"},
    )
    if group == "faithful":  # left of the line an order by chance names what the network needs better
        figure.add_vline(x=0, line={"color": NEUTRAL, "dash": "dot"})
    return figure


def agreement_figure(matrix: pd.DataFrame, titles: Mapping[str, str], measure: str) -> go.Figure:
    """How far every two methods say the same, as squares with their number; empty where there is no answer.

    Parameters
    ----------
    matrix : pandas.DataFrame
        (M, M), of :meth:`core.explain.faithfulness.FaithfulnessStudy.matrix`.
    measure : str
        What people call it.
    """
    names = [titles[method] for method in matrix.index]
    values = matrix.to_numpy(float)
    figure = go.Figure(
        go.Heatmap(
            z=values,
            x=names,
            y=names,
            text=[["" if np.isnan(value) else f"{value:.2f}" for value in row] for row in values],
            texttemplate="%{text}",
            colorscale="Cividis",
            zmin=min(0.0, float(np.nanmin(values))),
            zmax=1,
            colorbar={"title": measure},
            hovertemplate=f"%{{y}} and %{{x}}, {measure}: %{{z:.3f}}<extra></extra>",
        )
    )
    figure.update_layout(
        height=140 + CELL * len(names), margin=MARGIN, xaxis={"tickangle": -45}, yaxis={"autorange": "reversed"}
    )
    return figure
