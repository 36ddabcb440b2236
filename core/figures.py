"""Plotly figures from results. No Streamlit here: pages show these, notebooks and scripts can too.

Colours are left to the page's theme where a series has no meaning of its own; where it has (the clean and the corrupted
state, the current position) it comes from the Okabe-Ito palette, which all kinds of colour vision tell apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from core.evaluation import AccuracyKept, ReliabilityBin, Share
from core.sweep import ImageSweep

BLUE = "#0072B2"
ORANGE = "#E69F00"
GREEN = "#009E73"
VERMILION = "#D55E00"
SKY = "#56B4E9"
PURPLE = "#CC79A7"
CLASS_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION)
NEUTRAL = "#888888"
VERDICT_COLOURS = {"keep": BLUE, "review": ORANGE, "discard": VERMILION}
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
        line={"color": NEUTRAL, "dash": "dash"},
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


FEW_CLASSES = 8
SMALLEST_CELL = 34
"""Pixels of a confusion matrix's square, so that a number of three digits can be read in it."""


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
    is (true, predicted). Colour follows the share of the row; ``shares`` prints it instead of the count. Of many
    classes, those that neither occur nor are predicted are left out, and the figure grows beyond ``height``.
    """
    matrix = np.asarray(matrix)
    if len(classes) > FEW_CLASSES:
        occurring = np.flatnonzero(matrix.sum(axis=0) + matrix.sum(axis=1))
        matrix, classes = matrix[np.ix_(occurring, occurring)], [classes[index] for index in occurring]
        height = max(height, 90 + SMALLEST_CELL * len(classes))
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
            textfont={
                "size": min(18, side / 3),
                "color": ["black" if share[i, j] > 0.55 else "white" for i, j in cells],
            },
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
        xaxis={"title": "predicted", "side": "top", "range": edge, "showgrid": False, "zeroline": False, "dtick": 1},
        yaxis={"title": "true", "range": edge[::-1], "showgrid": False, "zeroline": False, "dtick": 1},
        clickmode="event+select",
        dragmode=False,
    )
    return figure


def reliability_diagram(bins: Sequence[ReliabilityBin], *, height: int = 360) -> go.Figure:
    """Accuracy against confidence with 95 % intervals, the diagonal of perfect calibration, and below the counts.

    ``bins`` come from :func:`core.evaluation.reliability`; empty ones are left out.
    """
    filled = [one for one in bins if one.n]
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.78, 0.22], vertical_spacing=0.06)
    figure.add_scatter(
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        name="calibrated",
        line={"color": NEUTRAL, "dash": "dash"},
        hoverinfo="skip",
        row=1,
        col=1,
    )
    figure.add_scatter(
        x=[one.confidence for one in filled],
        y=[one.accuracy.value for one in filled],
        error_y=_reach([one.accuracy for one in filled]),
        mode="lines+markers",
        name="this model (95 % interval)",
        line={"color": BLUE},
        marker={"size": 8},
        customdata=[(one.low, one.high, one.n, share_text(one.accuracy)) for one in filled],
        hovertemplate="confidence %{customdata[0]:.2f} to %{customdata[1]:.2f}, n = %{customdata[2]}: "
        "says %{x:.3f}, right %{customdata[3]}<extra></extra>",
        row=1,
        col=1,
    )
    figure.add_bar(
        x=[(one.low + one.high) / 2 for one in filled],
        y=[one.n for one in filled],
        width=[(one.high - one.low) * 0.9 for one in filled],
        marker_color=SKY,
        showlegend=False,
        hovertemplate="n = %{y}<extra></extra>",
        row=2,
        col=1,
    )
    figure.update_layout(
        height=height,
        margin={**MARGIN, "t": 36},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        xaxis={"range": [0, 1.02]},
        xaxis2={"range": [0, 1.02], "title": "confidence (top probability)"},
        yaxis={"range": [-0.02, 1.05], "title": "accuracy"},
        yaxis2={"title": "images", "nticks": 3},
    )
    return figure


def abstain_curve(curve: AccuracyKept, current: float | None = None, *, height: int = 300) -> go.Figure:
    """Accuracy of the images kept with its 95 % interval against the share kept, the ``current`` share marked."""
    figure = go.Figure()
    low = [share.low for share in curve.accuracy]
    add_band(figure, curve.share, low, [share.high for share in curve.accuracy], BLUE)
    figure.add_scatter(
        x=curve.share,
        y=[share.value for share in curve.accuracy],
        mode="lines+markers",
        name="accuracy of those kept (95 % interval)",
        line={"color": BLUE},
        marker={"size": 5},
        customdata=list(zip(curve.threshold, map(share_text, curve.accuracy), strict=True)),
        hovertemplate="%{x:.1%} kept (confidence from %{customdata[0]:.3f}): right %{customdata[1]}<extra></extra>",
    )
    _mark_current(figure, current)
    # The first few images have intervals of half the range: they must not set the scale.
    floor = min((share.low for share in curve.accuracy if share.n >= 20), default=0.0)
    figure.update_layout(
        height=height,
        margin={**MARGIN, "t": 36},
        showlegend=True,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        xaxis={"range": [0, 1.02], "title": "share of images kept", "tickformat": ".0%"},
        yaxis={"range": [max(0.0, floor - 0.03), 1.01], "title": "accuracy"},
    )
    return figure


def spread_bars(
    classes: Sequence[str], answers: Mapping[str, tuple[np.ndarray, np.ndarray]], *, height: int = 320
) -> go.Figure:
    """Probabilities of several methods side by side, each with the spread of its members as an error bar.

    ``answers`` maps a method's title to its mean probabilities (K,) and their standard deviation over members (K,).
    """
    figure = go.Figure()
    for (title, (mean, spread)), colour in zip(answers.items(), CLASS_COLOURS, strict=False):
        mean, spread = np.asarray(mean), np.asarray(spread)
        figure.add_bar(
            y=list(classes),
            x=mean,
            orientation="h",
            name=title,
            marker_color=colour,
            error_x={
                "type": "data",
                "symmetric": False,
                "array": np.minimum(spread, 1 - mean),
                "arrayminus": np.minimum(spread, mean),
                "color": NEUTRAL,
            },
            customdata=spread,
            hovertemplate=f"%{{y}}, {title}: %{{x:.4f}} ± %{{customdata:.4f}}<extra></extra>",
        )
    figure.update_layout(
        height=height,
        margin={**MARGIN, "t": 36},
        barmode="group",
        showlegend=True,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        xaxis={"range": [0, 1.02], "title": "probability"},
        yaxis={"autorange": "reversed"},
    )
    return figure


def history_figure(history: pd.DataFrame, measure: str, *, height: int = 280) -> go.Figure:
    """``loss`` or ``accuracy`` of training and validation images against epochs, the start of each stage marked.

    ``history`` comes from :func:`core.zoo.history.read_history`.
    """
    figure = go.Figure()
    for column, name, colour in ((measure, "training", BLUE), (f"val_{measure}", "validation", ORANGE)):
        if column in history:
            figure.add_scatter(
                x=history["number"],
                y=history[column],
                mode="lines+markers",
                name=name,
                line={"color": colour},
                marker={"size": 5},
                hovertemplate=f"{name} {measure} %{{y:.4f}}, epoch %{{x}}<extra></extra>",
            )
    starts = history.loc[history["stage"] != history["stage"].shift(), ["number", "stage"]]
    if len(starts) > 1:
        for number, stage in starts.itertuples(index=False):
            figure.add_vline(
                x=number - 0.5,
                line={"color": NEUTRAL, "dash": "dot"},
                annotation_text=str(stage),
                annotation_position="top right",
            )
    figure.update_layout(
        height=height,
        margin={**MARGIN, "t": 48},
        showlegend=True,
        legend={"orientation": "h", "y": -0.3, "x": 0},
        xaxis={"title": "epoch", "range": [0.4, len(history) + 0.6]},
        yaxis={"title": measure},
    )
    return figure


def drift_figure(
    curves: pd.DataFrame, flips: pd.DataFrame, measure: str, titles: Mapping[str, str], axis: str, *, x: str
) -> go.Figure:
    """Agreement of maps with the clean map above, share of flipped predictions below, as one corruption grows.

    Parameters
    ----------
    curves, flips : pandas.DataFrame
        Rows of one kind, of :meth:`core.explain.drift_study.DriftStudy.curves` and ``flips``.
    measure, axis : str
        What the maps are compared by, and what the horizontal axis is called.
    titles : mapping
        Method -> what people call it; each gets its line with its band and, dashed, its baseline.
    x : {"intensity", "ssim"}
        Column of the horizontal axis; SSIM falls from left to right, so that the corruption grows.
    """
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.7, 0.3], vertical_spacing=0.06)
    for (method, title), colour in zip(titles.items(), CLASS_COLOURS, strict=False):
        rows = curves[curves["method"] == method]
        add_band(figure, rows[x], rows["low"], rows["high"], colour)
        figure.add_scatter(
            x=rows[x],
            y=rows["mean"],
            mode="lines+markers",
            name=f"{title} (n = {rows['n'].max()})",
            legendgroup=method,
            line={"color": colour},
            marker={"size": 5},
            customdata=rows[["low", "high", "n", "intensity", "ssim"]],
            hovertemplate=f"{title}: %{{y:.3f}} (%{{customdata[0]:.3f}} to %{{customdata[1]:.3f}}), "
            "n = %{customdata[2]}, intensity %{customdata[3]:.3g}, SSIM %{customdata[4]:.3f}<extra></extra>",
        )
        figure.add_scatter(
            x=rows[x],
            y=rows["baseline"],
            mode="lines",
            legendgroup=method,
            showlegend=False,
            line={"color": colour, "dash": "dot"},
            hovertemplate=f"{title}, another image's map: %{{y:.3f}}<extra></extra>",
        )
    add_band(figure, flips[x], flips["low"], flips["high"], NEUTRAL, row=2, col=1)
    figure.add_scatter(
        x=flips[x],
        y=flips["flipped"],
        mode="lines+markers",
        name="predictions flipped",
        line={"color": NEUTRAL},
        marker={"size": 5},
        customdata=flips[["low", "high", "n"]],
        hovertemplate="flipped: %{y:.1%} (%{customdata[0]:.1%} to %{customdata[1]:.1%}), n = %{customdata[2]}"
        "<extra></extra>",
        row=2,
        col=1,
    )
    figure.update_layout(
        height=480,
        margin={**MARGIN, "t": 24},
        legend={"orientation": "h", "y": -0.2, "x": 0},
        xaxis2={"title": axis},
        yaxis={"title": measure},
        yaxis2={"title": "flipped", "range": [-0.03, 1.03], "tickformat": ".0%"},
    )
    if x == "ssim":
        figure.update_xaxes(autorange="reversed")
    return figure


def order_figure(order: pd.DataFrame, labels: Sequence[str], outcomes: Mapping[str, str]) -> go.Figure:
    """What happened first, one bar of counts a row of ``order`` (:meth:`core.explain.drift_study.DriftStudy.order`).

    Parameters
    ----------
    labels : sequence of str
        One a row, top first.
    outcomes : mapping
        Column of counts -> what people call it.
    """
    figure = go.Figure()
    for (outcome, title), colour in zip(outcomes.items(), (ORANGE, SKY, BLUE, NEUTRAL), strict=True):
        figure.add_bar(
            y=list(labels),
            x=order[outcome] / order["n"],
            orientation="h",
            name=title,
            marker_color=colour,
            customdata=order[[outcome, "n"]],
            hovertemplate=f"%{{y}}, {title}: %{{customdata[0]}} of %{{customdata[1]}}<extra></extra>",
        )
    figure.update_layout(
        height=120 + 34 * len(order),
        margin={**MARGIN, "t": 60},
        barmode="stack",
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "traceorder": "normal"},
        xaxis={"range": [0, 1], "tickformat": ".0%"},
        yaxis={"autorange": "reversed"},
    )
    return figure


def verdict_bars(counts: Mapping[str, Mapping[str, int]], *, height: int = 240) -> go.Figure:
    """Frames of every class by verdict, as horizontal bars; ``counts`` is keyed by class, then by verdict."""
    figure = go.Figure()
    for verdict, colour in VERDICT_COLOURS.items():
        figure.add_bar(
            y=list(counts),
            x=[one[verdict] for one in counts.values()],
            orientation="h",
            name=verdict,
            marker_color=colour,
            hovertemplate=f"%{{y}}, {verdict}: %{{x}}<extra></extra>",
        )
    figure.update_layout(
        height=height,
        margin={**MARGIN, "t": 36},
        barmode="stack",
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "traceorder": "normal"},
        xaxis={"title": "frames"},
        yaxis={"autorange": "reversed"},
    )
    return figure


def share_text(share: Share) -> str:
    """``91.7 % (89.2 to 93.6)`` for tables."""
    if not share.n:
        return "no image"
    return f"{100 * share.value:.1f} % ({100 * share.low:.1f} to {100 * share.high:.1f})"


def _reach(shares: Sequence[Share]) -> dict[str, object]:
    """Error bars of shares with their intervals."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [share.high - share.value for share in shares],
        "arrayminus": [share.value - share.low for share in shares],
    }


def _mark_current(figure: go.Figure, current: float | None) -> None:
    if current is not None:
        figure.add_vline(
            x=current, line={"color": GREEN, "width": 2}, annotation_text="now", annotation_position="bottom right"
        )


def add_band(
    figure: go.Figure, x: Sequence[float], low: Sequence[float], high: Sequence[float], colour: str, **place: int
) -> None:
    """``place``: ``row`` and ``col`` of a figure that has several panels."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    figure.add_scatter(x=x, y=high, mode="lines", line={"width": 0}, showlegend=False, hoverinfo="skip", **place)
    figure.add_scatter(
        x=x,
        y=low,
        mode="lines",
        line={"width": 0},
        fill="tonexty",
        fillcolor=f"rgba({red},{green},{blue},0.18)",
        showlegend=False,
        hoverinfo="skip",
        **place,
    )
