"""Plotly figures of studies of faithfulness and of perturbed regressions: curves, scoreboards, agreement. No Streamlit.

A method keeps one colour (Okabe-Ito) and one dash in all curves; bands and bars are 95 % intervals by patient.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.explain.faithfulness import BASELINES, GROUPS, MEASURES
from core.explain.regression_perturbation import ORDERS
from core.figures import BLUE, CLASS_COLOURS, MARGIN, NEUTRAL, ORANGE, add_band

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
    # Left of the line an order by chance names what the network needs better.
    chance = 0.0 if group == "faithful" else None
    figure = dots_figure(scores[scores["measure"] == name], titles, measure.title, chance)
    figure.update_xaxes(
        title=f"{group}: {measure.title}",
        autorange=None if measure.higher else "reversed",
        type="log" if name == "seconds" else "linear",
    )
    return figure


def dots_figure(rows: pd.DataFrame, titles: Mapping[str, str], measure: str, chance: float | None = None) -> go.Figure:
    """One figure of every method: a row a method, a dot with its interval, and a dotted line at what chance has.

    Parameters
    ----------
    rows : pandas.DataFrame
        method, value, low, high, n; one row a method.
    titles : mapping
        Method -> what people call it, top first.
    measure : str
        What people call the figure.
    """
    figure = go.Figure(_dots(rows.set_index("method").reindex(list(titles)), list(titles.values()), measure, BLUE))
    figure.update_layout(
        height=100 + ROW_HEIGHT * len(titles),
        margin=MARGIN,
        xaxis={"title": measure},
        yaxis={"autorange": "reversed"},
    )
    if chance is not None:
        figure.add_vline(x=chance, line={"color": NEUTRAL, "dash": "dot"})
    return figure


def _dots(rows: pd.DataFrame, labels: list[str], measure: str, colour: str) -> go.Scatter:
    """Dots of value, low, high and n (M rows) with their intervals."""
    return go.Scatter(
        x=rows["value"],
        y=labels,
        mode="markers",
        marker={"color": colour, "size": 9},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": rows["high"] - rows["value"],
            "arrayminus": rows["value"] - rows["low"],
        },
        customdata=rows[["low", "high", "n"]],
        hovertemplate=f"%{{y}}, {measure}: %{{x:.3g}} (%{{customdata[0]:.3g}} to %{{customdata[1]:.3g}}), "
        "n = %{customdata[2]}<extra></extra>",
    )


def error_figure(curves: pd.DataFrame, title: str, *, height: int = 380) -> go.Figure:
    """The error of a measured circumference as an image is hidden region by region, in every order.

    Parameters
    ----------
    curves : pandas.DataFrame
        Of :class:`core.explain.head_study.HeadStudy`: one method, grid, fill and ranking.
    title : str
        What people call the method.
    """
    figure = go.Figure()
    looks = {"most": (BLUE, "solid"), "least": (ORANGE, "dash"), "random": (NEUTRAL, "longdash")}
    for order, words in ORDERS.items():
        rows = curves[curves["order"] == order]
        colour, dash = looks[order]
        add_band(figure, rows["step"], rows["low"], rows["high"], colour)
        figure.add_scatter(
            x=rows["step"],
            y=rows["value"],
            mode="lines",
            name=f"{words} (n = {rows['n'].max()})",
            line={"color": colour, "dash": dash},
            customdata=rows[["low", "high", "pixels"]],
            hovertemplate=f"{title}, {words}: %{{y:.2f}} mm (%{{customdata[0]:.2f}} to %{{customdata[1]:.2f}}), "
            "%{customdata[2]:.0f} pixels of the frame, after step %{x}<extra></extra>",
        )
    figure.update_layout(
        height=height,
        margin={**MARGIN, "t": 24},
        legend={"orientation": "h", "y": -0.25, "x": 0},
        xaxis={"title": "steps, of which the last hides all"},
        yaxis={"title": "mean absolute error (mm)", "rangemode": "tozero"},
    )
    return figure


def halves_figure(halves: pd.DataFrame, titles: Mapping[str, str], measure: str) -> go.Figure:
    """A figure of every method on images of low and of high error: two dots a method, with their intervals.

    Parameters
    ----------
    halves : pandas.DataFrame
        Of :class:`core.explain.head_study.HeadStudy`: one measure.
    titles : mapping
        Method -> what people call it, top first.
    measure : str
        What people call the figure.
    """
    rows = halves.set_index("method").reindex(list(titles))
    figure = go.Figure()
    places = np.arange(len(titles))
    for half, colour, shift in (("low", BLUE, -0.12), ("high", ORANGE, 0.12)):
        found = rows[[f"{half}_{name}" for name in ("value", "low", "high", "n")]]
        found.columns = ["value", "low", "high", "n"]
        dots = _dots(found, list(places + shift), f"{measure}, {half} error", colour)
        dots.update(name=f"{half} error", text=list(titles.values()))
        figure.add_trace(dots.update(hovertemplate=dots.hovertemplate.replace("%{y}", "%{text}")))
    figure.update_layout(
        height=130 + ROW_HEIGHT * len(titles),
        margin={**MARGIN, "t": 24},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        xaxis={"title": measure},
        yaxis={"autorange": "reversed", "tickvals": places, "ticktext": list(titles.values())},
    )
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
