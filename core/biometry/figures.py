"""Plotly figures of head measurements: error against distortion, and agreement with the annotated circumference."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.evaluation import Share
from core.figures import BLUE, GREEN, MARGIN, NEUTRAL, ORANGE, VERMILION, add_band

NETWORK_COLOURS = {"regression": BLUE, "outline": ORANGE}
NETWORK_SYMBOLS = {"regression": "circle", "outline": "diamond"}
GROUPS = {
    "held out": (BLUE, "circle"),
    "refused": (VERMILION, "x"),
    "trained on": (NEUTRAL, "circle-open"),
}
"""What is known of a frame that was measured -> colour and marker; a shape for each, so that colour is never alone."""
LARGE_MARKER = 16


def error_figure(rows: pd.DataFrame, axis: str, current: float | None = None, *, height: int = 340) -> go.Figure:
    """Error of each network against intensity, its 90 % interval as a band, crosses where the frame is refused.

    Parameters
    ----------
    rows : pandas.DataFrame
        Of :func:`core.biometry.distortion.follow_head`.
    axis : str
        What the intensity is called.
    current : float, optional
        The intensity to mark.
    """
    figure = go.Figure()
    unit = rows["unit"].iloc[0]
    for network, one in rows.groupby("network", sort=False):
        colour = NETWORK_COLOURS[network]
        if one["low"].notna().any():
            add_band(figure, one["intensity"], one["low"] - one["expected"], one["high"] - one["expected"], colour)
        figure.add_scatter(
            x=one["intensity"],
            y=one["error"],
            mode="lines+markers",
            name=f"{network} (90 % interval)" if one["low"].notna().any() else network,
            line={"color": colour},
            marker={"size": 6, "symbol": NETWORK_SYMBOLS[network]},
            customdata=one[["value", "expected"]],
            hovertemplate=f"{network} at %{{x:.3g}}: %{{y:+.1f}} {unit} (%{{customdata[0]:.1f}} for "
            f"%{{customdata[1]:.1f}} {unit})<extra></extra>",
        )
    # One mark an intensity: the frame is refused, not one network's answer.
    refused = rows[rows["refused"] != ""].drop_duplicates("intensity")
    if len(refused):
        figure.add_scatter(
            x=refused["intensity"],
            y=np.zeros(len(refused)),
            mode="markers",
            name="refused",
            marker={"symbol": "x", "size": 10, "color": VERMILION},
            customdata=refused[["refused"]],
            hovertemplate="refused at %{x:.3g}: %{customdata[0]}<extra></extra>",
        )
    figure.add_hline(y=0, line={"color": NEUTRAL, "dash": "dot"})
    if current is not None:
        figure.add_vline(x=current, line={"color": GREEN, "width": 2}, annotation_text="now")
    figure.update_layout(
        height=height,
        margin={**MARGIN, "t": 36},
        showlegend=True,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        xaxis={"title": axis},
        yaxis={"title": f"error ({unit})"},
    )
    return figure


def groups_of(rows: pd.DataFrame) -> pd.Series:
    """Which of :data:`GROUPS` each measured frame belongs to; what the model was trained on comes first."""
    refused = rows["refused"].fillna("").astype(str) != "" if "refused" in rows else False
    trained = rows["trained_on"].astype(str).str.lower().isin(["true", "1"]) if "trained_on" in rows else False
    groups = np.select([trained, refused], ["trained on", "refused"], "held out")
    return pd.Series(groups, index=rows.index)


def scatter_figure(rows: pd.DataFrame, selected: str | None = None, *, height: int = 420) -> go.Figure:
    """Measured against annotated circumference in mm, one marker a frame; ``customdata`` begins with its name.

    Parameters
    ----------
    rows : pandas.DataFrame
        With the columns image, true_mm and predicted_mm, and where known refused and trained_on.
    selected : str, optional
        The frame to ring.
    """
    figure = go.Figure()
    low, high = _range([rows["true_mm"], rows["predicted_mm"]])
    figure.add_scatter(
        x=[low, high], y=[low, high], mode="lines", name="equal", line={"color": NEUTRAL}, hoverinfo="skip"
    )
    _markers(figure, rows, rows["true_mm"], rows["predicted_mm"], selected)
    figure.update_layout(
        height=height,
        margin={**MARGIN, "t": 36},
        clickmode="event+select",
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        xaxis={"title": "annotated circumference (mm)", "range": [low, high]},
        yaxis={"title": "measured circumference (mm)", "range": [low, high]},
    )
    return figure


def bland_altman_figure(
    rows: pd.DataFrame,
    bias: Share,
    limits: tuple[Share, Share],
    selected: str | None = None,
    *,
    height: int = 420,
) -> go.Figure:
    """Measured less annotated circumference against their mean (Bland and Altman 1986), one marker a frame.

    Parameters
    ----------
    rows, selected
        As for :func:`scatter_figure`.
    bias, limits : Share
        Mean difference, and the lower and the upper 95 % limit of agreement, in mm, each with its own interval.
    """
    figure = go.Figure()
    mean, difference = (rows["true_mm"] + rows["predicted_mm"]) / 2, rows["predicted_mm"] - rows["true_mm"]
    ends = _range([mean])
    for share, name, colour, dash in (
        (limits[0], "lower limit", VERMILION, "dash"),
        (bias, "bias", GREEN, "solid"),
        (limits[1], "upper limit", VERMILION, "dash"),
    ):
        add_band(figure, ends, [share.low] * 2, [share.high] * 2, colour)
        figure.add_scatter(
            x=ends,
            y=[share.value] * 2,
            mode="lines",
            name=name,
            showlegend=False,
            line={"color": colour, "dash": dash},
            hoverinfo="skip",
        )
        figure.add_annotation(
            x=ends[1],
            y=share.value,
            text=f"{name} {share.value:+.1f} mm",
            showarrow=False,
            xanchor="right",
            yanchor="bottom",
        )
    _markers(figure, rows, mean, difference, selected)
    figure.update_layout(
        height=height,
        margin={**MARGIN, "t": 36},
        clickmode="event+select",
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        xaxis={"title": "mean of measured and annotated (mm)", "range": list(ends)},
        yaxis={"title": "measured − annotated (mm)"},
    )
    return figure


def _markers(figure: go.Figure, rows: pd.DataFrame, x: pd.Series, y: pd.Series, selected: str | None) -> None:
    groups = groups_of(rows)
    difference = rows["predicted_mm"] - rows["true_mm"]
    for group, (colour, symbol) in GROUPS.items():
        chosen = groups == group
        if not chosen.any():
            continue
        figure.add_scatter(
            x=x[chosen],
            y=y[chosen],
            mode="markers",
            name=f"{group} (n = {int(chosen.sum())})",
            marker={"color": colour, "symbol": symbol, "size": 7, "opacity": 0.75},
            customdata=np.column_stack(
                [rows.loc[chosen, ["image", "true_mm", "predicted_mm"]].to_numpy(object), difference[chosen]]
            ),
            hovertemplate="%{customdata[0]}: %{customdata[2]:.1f} mm for %{customdata[1]:.1f} mm "
            "(%{customdata[3]:+.1f} mm)<extra></extra>",
        )
    ringed = rows["image"] == selected
    if ringed.any():
        figure.add_scatter(
            x=x[ringed],
            y=y[ringed],
            mode="markers",
            name="chosen",
            showlegend=False,
            marker={
                "symbol": "circle-open",
                "size": LARGE_MARKER,
                "color": GREEN,
                "line": {"width": 3, "color": GREEN},
            },
            hoverinfo="skip",
        )


def _range(values: Sequence[pd.Series]) -> tuple[float, float]:
    """Ends of an axis that holds all values, with room beside them."""
    low, high = min(float(one.min()) for one in values), max(float(one.max()) for one in values)
    room = 0.05 * (high - low) or 1.0
    return low - room, high + room
