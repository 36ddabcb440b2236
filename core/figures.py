"""Plotly figures from results. No Streamlit here: pages show these, notebooks and scripts can too.

Colours are left to the page's theme where a series has no meaning of its own; where it has (the clean and the corrupted
state, the current position) it comes from the Okabe-Ito palette, which all kinds of colour vision tell apart.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from core.evaluation import Share
from core.sweep import ImageSweep, SampleSweep

BLUE = "#0072B2"
ORANGE = "#E69F00"
GREEN = "#009E73"
VERMILION = "#D55E00"
SKY = "#56B4E9"
PURPLE = "#CC79A7"
CLASS_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION)
MARGIN = {"l": 8, "r": 8, "t": 8, "b": 8}


def probability_bars(
    classes: Sequence[str], before: Sequence[float], after: Sequence[float] | None = None, *, height: int = 240
) -> go.Figure:
    """Horizontal bars of class probabilities, of the corrupted image beside the clean one where both are given."""
    figure = go.Figure()
    series = [("clean", before, BLUE)] if after is None else [("corrupted", after, ORANGE), ("clean", before, BLUE)]
    for name, values, colour in series:
        figure.add_bar(
            y=list(classes),
            x=list(values),
            orientation="h",
            name=name,
            marker_color=colour,
            text=[f"{value:.3f}" for value in values],
            textposition="outside",
            cliponaxis=False,
            hovertemplate=f"%{{y}}, {name}: %{{x:.4f}}<extra></extra>",
        )
    figure.update_layout(
        height=height,
        margin=MARGIN if after is None else {**MARGIN, "t": 36},
        barmode="group",
        showlegend=after is not None,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "traceorder": "reversed"},
        xaxis={"range": [0, 1.18], "tickvals": [0, 0.5, 1], "title": "probability"},
        yaxis={"autorange": "reversed"},
    )
    return figure


def image_sweep_figure(
    sweep: ImageSweep, classes: Sequence[str], axis: str, current: float | None = None, *, height: int = 280
) -> go.Figure:
    """Probabilities and SSIM of one image against intensity (titled ``axis``), the flip and the current one marked."""
    figure = go.Figure()
    for name, values, colour in zip(classes, sweep.probabilities.T, CLASS_COLOURS, strict=False):
        figure.add_scatter(
            x=sweep.intensities,
            y=values,
            mode="lines+markers",
            name=name,
            line={"color": colour},
            marker={"size": 5},
            hovertemplate=f"{name}: %{{y:.3f}} at %{{x:.3g}}<extra></extra>",
        )
    figure.add_scatter(
        x=sweep.intensities,
        y=sweep.ssim,
        mode="lines",
        name="SSIM (sector)",
        line={"color": "#888888", "dash": "dash"},
        hovertemplate="SSIM: %{y:.3f} at %{x:.3g}<extra></extra>",
    )
    if sweep.flip is not None:
        figure.add_vline(
            x=sweep.flip, line={"color": VERMILION, "dash": "dot"}, annotation_text="flips", annotation_position="top"
        )
    _mark_current(figure, current)
    figure.update_layout(
        height=height,
        margin={**MARGIN, "t": 24},
        legend={"orientation": "h", "y": -0.3, "x": 0},
        xaxis={"title": axis},
        yaxis={"range": [-0.02, 1.05], "title": "probability, SSIM"},
    )
    return figure


def sample_sweep_figure(sweep: SampleSweep, axis: str, current: float | None = None, *, height: int = 300) -> go.Figure:
    """Accuracy with its interval and SSIM with its spread against intensity, over a sample."""
    figure = go.Figure()
    low = [share.low for share in sweep.accuracy]
    high = [share.high for share in sweep.accuracy]
    _add_band(figure, sweep.intensities, low, high, BLUE)
    figure.add_scatter(
        x=sweep.intensities,
        y=[share.value for share in sweep.accuracy],
        mode="lines+markers",
        name="accuracy (95 % interval)",
        line={"color": BLUE},
        hovertemplate="accuracy %{y:.2f} at %{x:.3g}<extra></extra>",
    )
    _add_band(figure, sweep.intensities, sweep.ssim_low, sweep.ssim_high, ORANGE)
    figure.add_scatter(
        x=sweep.intensities,
        y=sweep.ssim_mean,
        mode="lines+markers",
        name="SSIM (5th to 95th percentile)",
        line={"color": ORANGE},
        hovertemplate="SSIM %{y:.2f} at %{x:.3g}<extra></extra>",
    )
    _mark_current(figure, current)
    figure.update_layout(
        height=height,
        margin=MARGIN,
        legend={"orientation": "h", "y": -0.3, "x": 0},
        xaxis={"title": axis},
        yaxis={"range": [-0.02, 1.05], "title": "accuracy, SSIM"},
    )
    return figure


def histogram_figure(counts: np.ndarray, *, height: int = 110) -> go.Figure:
    """Gray values 0 to 255; the square root keeps the black background from flattening the rest."""
    counts = np.asarray(counts)
    figure = go.Figure(
        go.Scatter(
            x=np.arange(len(counts)),
            y=np.sqrt(counts),
            fill="tozeroy",
            mode="none",
            fillcolor=SKY,
            customdata=counts,
            hovertemplate="gray %{x}: %{customdata} pixels<extra></extra>",
        )
    )
    figure.update_layout(
        height=height,
        margin={"l": 0, "r": 0, "t": 0, "b": 0},
        showlegend=False,
        xaxis={"range": [-6, 261], "tickvals": [0, 128, 255]},
        yaxis={"visible": False},
    )
    return figure


def confusion_figure(
    matrix: np.ndarray,
    classes: Sequence[str],
    *,
    shares: bool = False,
    selected: tuple[str, str] | None = None,
    height: int = 420,
) -> go.Figure:
    """Confusion matrix as clickable squares: rows are true classes, columns predicted ones.

    Squares of a scatter trace, because a heat map sends no selection when clicked in Streamlit; ``customdata`` of each
    is (true, predicted). Colour follows the share of the row; ``shares`` prints it instead of the count.
    """
    matrix = np.asarray(matrix)
    rows = np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    share = matrix / rows
    cells = [(i, j) for i in range(len(classes)) for j in range(len(classes))]
    texts = [f"{100 * share[i, j]:.1f} %" if shares else str(int(matrix[i, j])) for i, j in cells]
    side = (height - 90) / len(classes)
    chosen = [(classes[i], classes[j]) == selected for i, j in cells]
    figure = go.Figure(
        go.Scatter(
            x=[classes[j] for _, j in cells],
            y=[classes[i] for i, _ in cells],
            mode="markers+text",
            text=texts,
            customdata=[(classes[i], classes[j]) for i, j in cells],
            textfont={"size": 18, "color": ["black" if share[i, j] > 0.55 else "white" for i, j in cells]},
            marker={
                "symbol": "square",
                "size": side * 0.94,
                "color": [share[i, j] for i, j in cells],
                "colorscale": "Cividis",
                "cmin": 0,
                "cmax": 1,
                "opacity": 1,
                "line": {"width": [4 if mark else 0 for mark in chosen], "color": VERMILION},
            },
            # A click must not fade the other cells.
            selected={"marker": {"opacity": 1}},
            unselected={"marker": {"opacity": 1}},
            hovertemplate="true %{y}, predicted %{x}: %{text}<extra></extra>",
        )
    )
    edge = [-0.5, len(classes) - 0.5]
    figure.update_layout(
        height=height,
        width=height + 60,
        margin={**MARGIN, "t": 30},
        xaxis={"title": "predicted", "side": "top", "range": edge, "showgrid": False, "zeroline": False},
        yaxis={"title": "true", "range": edge[::-1], "showgrid": False, "zeroline": False},
        clickmode="event+select",
        dragmode=False,
    )
    return figure


def share_text(share: Share) -> str:
    """``91.7 % (89.2 to 93.6)`` for tables."""
    if not share.n:
        return "no image"
    return f"{100 * share.value:.1f} % ({100 * share.low:.1f} to {100 * share.high:.1f})"


def _mark_current(figure: go.Figure, current: float | None) -> None:
    if current is not None:
        figure.add_vline(
            x=current, line={"color": GREEN, "width": 2}, annotation_text="now", annotation_position="bottom right"
        )


def _add_band(figure: go.Figure, x: Sequence[float], low: Sequence[float], high: Sequence[float], colour: str) -> None:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    figure.add_scatter(x=x, y=high, mode="lines", line={"width": 0}, showlegend=False, hoverinfo="skip")
    figure.add_scatter(
        x=x,
        y=low,
        mode="lines",
        line={"width": 0},
        fill="tonexty",
        fillcolor=f"rgba({red},{green},{blue},0.18)",
        showlegend=False,
        hoverinfo="skip",
    )
