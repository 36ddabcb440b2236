"""The corruption thesis's figures 20, 21, 22, 33, 34, 39 and 40 from a study, as interactive Plotly figures.

A model keeps one colour (Okabe-Ito) and one marker in all of them; bands are 95 % intervals, or the 5th to 95th
percentile of SSIM; dotted lines are the limits published in the thesis.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from core.corruption import get
from core.errors import ParameterError
from core.figures import CLASS_COLOURS, MARGIN, NEUTRAL, VERMILION
from core.sweep.curves import WITH_LIMITS, WITHOUT_LIMITS
from core.sweep.describe import mean_by_similarity
from core.sweep.study import Study

COLUMNS = 3
PANEL_HEIGHT = 300
SYMBOLS = ("circle", "square", "diamond", "cross", "triangle-up", "x")
KIND_SYMBOLS = ("circle", "square", "diamond", "cross", "triangle-up", "x", "star", "hexagon", "pentagon", "bowtie")
SHARE_RANGE = [-0.03, 1.05]
SSIM_TITLE = "SSIM (Wang, sector)"
FIGURES = (20, 21, 22, 33, 34, 39, 40)


def study_figure(study: Study, number: int, *, ssim: str = "ssim_wang_sector") -> go.Figure:
    """One of the thesis's figures.

    Parameters
    ----------
    study : Study
        Of one or several models; several share the panels.
    number : int
        20 to 22 for planes, 33, 34, 39 and 40 for detectors.
    ssim : str
        The column of SSIM shown, such as ``ssim_skimage_frame``.

    Raises
    ------
    ParameterError
        If there is no such figure, or the study holds no detectors (or only such).
    """
    if number not in FIGURES:
        raise ParameterError(f"There is no figure {number}; choose one of {', '.join(map(str, FIGURES))}.")
    if (number >= 33) != study.is_detection:
        raise ParameterError(f"Figure {number} is not of this kind of model; choose another figure.")
    return _DRAWN[number](study, ssim)


def model_colours(models: Sequence[str]) -> dict[str, str]:
    """One colour a model, in their order; the seventh begins again."""
    return {model: CLASS_COLOURS[index % len(CLASS_COLOURS)] for index, model in enumerate(models)}


def ssim_title(column: str) -> str:
    """``ssim_skimage_frame`` -> ``SSIM (skimage, frame)``."""
    _, definition, region = column.split("_")
    return f"SSIM ({definition}, {region})"


def _accuracy_by_intensity(study: Study, ssim: str) -> go.Figure:
    figure = _panels(study.kinds)
    for place, model, curve in _curves(study):
        _add_curve(figure, place, study, model, curve, "intensity", "accuracy", band=("ci_low", "ci_high"))
        if "beside" in curve and curve["beside"].notna().any():
            _add_beside(figure, place, study, model, curve)
    return _finished(figure, study, x=lambda kind: get(kind).axis_title(), y=study.measure, limits=True, level=True)


def _accuracy_by_similarity(study: Study, ssim: str) -> go.Figure:
    figure = _panels(study.kinds)
    for place, model, curve in _curves(study):
        _add_curve(figure, place, study, model, curve, ssim, "accuracy", bars=("ci_low", "ci_high"))
    return _finished(figure, study, x=lambda kind: ssim_title(ssim), y=study.measure, falling=True, level=True)


def _similarity_by_intensity(study: Study, ssim: str) -> go.Figure:
    figure = _panels(study.kinds)
    for place, model, curve in _curves(study):
        _add_curve(figure, place, study, model, curve, "intensity", ssim, band=(f"{ssim}_p5", f"{ssim}_p95"))
    return _finished(figure, study, x=lambda kind: get(kind).axis_title(), y=ssim_title(ssim), limits=True)


def _detection_by_similarity(study: Study, ssim: str) -> go.Figure:
    figure = go.Figure()
    colours = model_colours(study.models)
    for _, model, curve in _curves(study):
        kind = str(curve["kind"].iloc[0])
        symbol = KIND_SYMBOLS[study.kinds.index(kind) % len(KIND_SYMBOLS)]
        figure.add_scatter(
            x=curve[ssim],
            y=curve[WITHOUT_LIMITS],
            mode="markers",
            name=f"{model}, {get(kind).title.lower()}",
            marker={"color": colours[model], "symbol": symbol, "size": 7},
            customdata=_hover(curve, WITHOUT_LIMITS, (f"{WITHOUT_LIMITS}_low", f"{WITHOUT_LIMITS}_high")),
            hovertemplate=_template(model, kind),
        )
    return _single(figure, ssim)


def _detection_with_limits(study: Study, ssim: str) -> go.Figure:
    figure = _panels(study.kinds)
    band = (f"{WITH_LIMITS}_low", f"{WITH_LIMITS}_high")
    for place, model, curve in _curves(study):
        if WITH_LIMITS in curve and curve[WITH_LIMITS].notna().any():
            _add_curve(figure, place, study, model, curve, "intensity", WITH_LIMITS, band=band)
    return _finished(figure, study, x=lambda kind: get(kind).axis_title(), y="accuracy, with limits", limits=True)


def _detection_by_intensity(study: Study, ssim: str) -> go.Figure:
    figure = _panels(study.kinds)
    band = (f"{WITHOUT_LIMITS}_low", f"{WITHOUT_LIMITS}_high")
    for place, model, curve in _curves(study):
        _add_curve(figure, place, study, model, curve, "intensity", WITHOUT_LIMITS, band=band)
    return _finished(
        figure, study, x=lambda kind: get(kind).axis_title(), y="called corrupted", limits=True, level=True
    )


def _mean_detection(study: Study, ssim: str) -> go.Figure:
    figure = go.Figure()
    for model, colour in model_colours(study.models).items():
        curve = mean_by_similarity(study, model)
        figure.add_scatter(
            x=curve["ssim"],
            y=curve["accuracy"],
            mode="lines+markers",
            name=model,
            line={"color": colour},
            marker={"symbol": _symbol(study, model), "size": 7},
            customdata=curve["kinds"],
            hovertemplate=f"{model}: %{{y:.3f}} at SSIM %{{x:.3f}}, mean of %{{customdata}} kinds<extra></extra>",
        )
    return _single(figure, "ssim_wang_sector")


_DRAWN: dict[int, Callable[[Study, str], go.Figure]] = {
    20: _accuracy_by_intensity,
    21: _accuracy_by_similarity,
    22: _similarity_by_intensity,
    33: _detection_by_similarity,
    34: _detection_with_limits,
    39: _detection_by_intensity,
    40: _mean_detection,
}


def _panels(kinds: Sequence[str]) -> go.Figure:
    columns = min(COLUMNS, len(kinds))
    rows = -(-len(kinds) // columns)
    figure = make_subplots(
        rows=rows,
        cols=columns,
        subplot_titles=[get(kind).title for kind in kinds],
        horizontal_spacing=0.07,
        vertical_spacing=0.32 / rows,
    )
    return figure.update_layout(height=PANEL_HEIGHT * rows + 60)


def _curves(study: Study) -> list[tuple[tuple[int, int], str, pd.DataFrame]]:
    """Row and column of the panel, model and the curve of one kind."""
    columns = min(COLUMNS, len(study.kinds))
    found = []
    for index, kind in enumerate(study.kinds):
        place = (index // columns + 1, index % columns + 1)
        of_kind = study.curves[study.curves["kind"] == kind]
        for model in study.models:
            curve = of_kind[of_kind["model"] == model].sort_values("intensity")
            if len(curve):
                found.append((place, model, curve))
    return found


def _add_curve(
    figure: go.Figure,
    place: tuple[int, int],
    study: Study,
    model: str,
    curve: pd.DataFrame,
    x: str,
    y: str,
    *,
    band: tuple[str, str] | None = None,
    bars: tuple[str, str] | None = None,
) -> None:
    colour = model_colours(study.models)[model]
    where = {"row": place[0], "col": place[1]}
    if band is not None:
        figure.add_scatter(
            x=[*curve[x], *curve[x][::-1]],
            y=[*curve[band[1]], *curve[band[0]][::-1]],
            mode="lines",
            line={"width": 0},
            fill="toself",
            fillcolor=_faint(colour),
            legendgroup=model,
            showlegend=False,
            hoverinfo="skip",
            **where,
        )
    figure.add_scatter(
        x=curve[x],
        y=curve[y],
        error_y=None if bars is None else _bars(curve, y, bars, colour),
        mode="lines+markers",
        name=model,
        legendgroup=model,
        showlegend=place == (1, 1),
        line={"color": colour, "width": 2},
        marker={"symbol": _symbol(study, model), "size": 5},
        customdata=_hover(curve, y, band or bars),
        hovertemplate=_template(model, str(curve["kind"].iloc[0])),
        **where,
    )


def _add_beside(figure: go.Figure, place: tuple[int, int], study: Study, model: str, curve: pd.DataFrame) -> None:
    colour = model_colours(study.models)[model]
    what = study.measure.removeprefix("share called ")
    figure.add_scatter(
        x=curve["intensity"],
        y=curve["beside"],
        mode="lines",
        name=f"{model}, frames without a head called {what}",
        legendgroup=f"{model} beside",
        showlegend=place == (1, 1),
        line={"color": colour, "dash": "dash"},
        error_y=_bars(curve, "beside", ("beside_low", "beside_high"), _faint(colour)),
        customdata=curve["beside_n"],
        hovertemplate="beside: %{y:.3f} at %{x:.3g}, n = %{customdata}<extra></extra>",
        row=place[0],
        col=place[1],
    )


def _hover(curve: pd.DataFrame, y: str, ends: tuple[str, str] | None) -> np.ndarray:
    low, high = (curve[y], curve[y]) if ends is None else (curve[ends[0]], curve[ends[1]])
    return np.stack([curve["intensity"], curve["ssim"], curve[y], low, high, curve["n"]], axis=1)


def _template(model: str, kind: str) -> str:
    return (
        f"{model}, {get(kind).title.lower()} %{{customdata[0]:.3g}} {get(kind).unit}: %{{customdata[2]:.3f}} "
        "(%{customdata[3]:.3f} to %{customdata[4]:.3f}), SSIM %{customdata[1]:.3f}, n = %{customdata[5]}<extra></extra>"
    )


def _bars(curve: pd.DataFrame, y: str, ends: tuple[str, str], colour: str) -> dict[str, object]:
    return {
        "type": "data",
        "symmetric": False,
        "array": (curve[ends[1]] - curve[y]).clip(lower=0),
        "arrayminus": (curve[y] - curve[ends[0]]).clip(lower=0),
        "color": _faint(colour) if colour.startswith("#") else colour,
        "width": 0,
    }


def _symbol(study: Study, model: str) -> str:
    return SYMBOLS[study.models.index(model) % len(SYMBOLS)]


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[index : index + 2], 16) for index in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.22)"


def _finished(
    figure: go.Figure,
    study: Study,
    *,
    x: Callable[[str], str],
    y: str,
    limits: bool = False,
    falling: bool = False,
    level: bool = False,
) -> go.Figure:
    """Titles, ranges, the published limits and the level of the thresholds."""
    columns = min(COLUMNS, len(study.kinds))
    for index, kind in enumerate(study.kinds):
        where = {"row": index // columns + 1, "col": index % columns + 1}
        figure.update_xaxes(title_text=x(kind), **where)
        if falling:
            figure.update_xaxes(range=[1.03, -0.03], **where)
        limit = get(kind).published_limit
        if limits and limit is not None:
            figure.add_vline(
                x=limit,
                line={"color": VERMILION, "dash": "dot"},
                annotation_text=f"thesis {limit:g}",
                annotation_position="top right",
                annotation_font_color=VERMILION,
                **where,
            )
        if level:
            figure.add_hline(y=study.thresholds["rules"]["level"], line={"color": NEUTRAL, "dash": "dash"}, **where)
    figure.update_yaxes(range=SHARE_RANGE)
    figure.update_yaxes(title_text=y, col=1)
    return figure.update_layout(
        margin={**MARGIN, "t": 60}, legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "yref": "container"}
    )


def _single(figure: go.Figure, ssim: str) -> go.Figure:
    return figure.update_layout(
        height=420,
        margin={**MARGIN, "t": 24},
        showlegend=True,
        legend={"orientation": "h", "y": -0.25, "x": 0},
        xaxis={"title": ssim_title(ssim), "range": [1.03, -0.03]},
        yaxis={"title": "called corrupted", "range": SHARE_RANGE},
    )
