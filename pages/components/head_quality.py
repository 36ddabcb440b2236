"""How good the models of heads are: figures with intervals, agreement with annotations, and each frame behind it."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from core import cache
from core.biometry.annotation import read_annotation
from core.biometry.assessment import TRIMESTERS
from core.biometry.drawing import annotation, draw_heads, outline
from core.biometry.figures import bland_altman_figure, groups_of, scatter_figure
from core.biometry.frames import FOLDER_VARIABLE, frame_path
from core.biometry.reading import HeadReader
from core.evaluation import Share
from core.images import Frame
from core.published import HEADS
from core.zoo import Card
from pages.components.image_picker import uploads
from pages.components.link import linked, one_of
from pages.components.model_picker import MEASUREMENT, pick_model
from pages.components.pictures import picture
from pages.components.state import DATA, HEAD_FRAME
from pages.components.tables import table
from pages.components.text import plain

CHARTS = ("heads_scatter", "heads_agreement")
WORST_SHOWN = 50
ERRORS = {
    "mae": "mean error (mm)",
    "median": "median error (mm)",
    "relative": "relative error",
    "coverage": "inside the 90 % interval",
    "refused": "refused",
}
AGREEMENT = {
    "bias": "bias (mm)",
    "loa_low": "lower limit of agreement (mm)",
    "loa_high": "upper limit of agreement (mm)",
    "dice": "Dice",
    "hausdorff": "Hausdorff distance (mm)",
}
"""Figure of :func:`core.biometry.assessment.figures_of` -> its column; lengths end with their unit."""


def pick_measured() -> tuple[Card, pd.DataFrame]:
    """The model and its recorded rows of one data set; none where it was never evaluated."""
    with st.container(border=True):
        card = pick_model((MEASUREMENT,), with_weights=False)
        rows = cache.head_evaluation(card)
        if rows.empty:
            return card, rows
        names = list(rows["data"].unique())
        data = linked(st.selectbox, "Data", names, key=DATA, default=names[0], parse=one_of(names))
        data = data if data in names else names[0]
    return card, rows[rows["data"] == data].reset_index(drop=True)


def show_quality(card: Card, rows: pd.DataFrame, reader: HeadReader | None) -> None:
    """The section of the page."""
    known = rows[rows["error_mm"].notna()] if len(rows) else rows
    if known.empty:
        st.info(
            f"The model {card.title} has not been evaluated on heads whose circumference is known. Run python -m core "
            f"evaluate --model {card.name} --data DIR --record NAME and reload this page.",
            icon=":material/straighten:",
        )
        return
    new = known[groups_of(known) != "trained on"]
    if new.empty:
        st.warning("All of these frames were in the training: their errors say nothing of new ones.")
        new = known
    _figures_table(card, rows.loc[new.index])
    worst = known.loc[known["error_mm"].abs().sort_values(ascending=False).index]
    chosen = _pick_frame(worst)
    figures = cache.head_figures(rows.loc[new.index])
    left, right = st.columns(2)
    with left:
        st.markdown("**Measured against annotated**")
        _clickable(CHARTS[0], scatter_figure(known, chosen), "Measured against annotated circumference")
    with right:
        st.markdown("**Difference against mean (Bland and Altman)**")
        limits = (figures["loa_low"], figures["loa_high"])
        _clickable(
            CHARTS[1],
            bland_altman_figure(known, figures["bias"], limits, chosen),
            "Difference of measured and annotated circumference against their mean, with limits of agreement",
        )
    st.caption("Click a point to open its frame below; the list above holds the same frames, worst first.")
    _show_frame(known[known["image"] == chosen].iloc[0].to_dict(), reader)
    with st.expander("All frames as a table, worst first", icon=":material/table:"):
        table(worst.reset_index(drop=True), f"Every head measured by {card.title}", f"{card.name}_heads")


def _figures_table(card: Card, rows: pd.DataFrame) -> None:
    """Errors of all frames and by trimester, beside what others published; the rarer figures behind a click."""
    parts = {"all": rows} | {f"{name} trimester": rows[rows["trimester"] == name] for name in TRIMESTERS}
    figures = {name: cache.head_figures(part) for name, part in parts.items() if part["error_mm"].notna().any()}
    st.markdown("**Errors, with 95 % intervals that draw whole examinations**")
    _show_figures(figures, ERRORS, f"Errors of {card.title} by trimester", f"{card.name}_trimesters")
    with st.expander("Bias, limits of agreement and outlines", icon=":material/table:"):
        _show_figures(figures, AGREEMENT, f"Agreement of {card.title} by trimester", f"{card.name}_agreement")
        st.caption(
            "Limits of agreement are bias ∓ 1.96 standard deviations (Bland and Altman 1986). Dice and Hausdorff "
            "compare outlines, of a model that draws one."
        )
    st.caption(
        "Frames the model was trained on are left out. Trimesters by Hadlock's formula from the annotated "
        "circumference: first below 14 weeks, third from 28. Others published, on other frames than these:  \n"
        + "  \n".join(
            f"{one.title}: {one.mean_mm:g} ± {one.deviation_mm:g} mm mean absolute error on {one.data} ({one.source}). "
            f"{one.remark}"
            for one in HEADS
        )
    )


def _show_figures(figures: dict[str, dict[str, Share]], titles: dict[str, str], alt: str, file_name: str) -> None:
    """One row a group of heads; figures that no group has are left out."""
    titles = {key: title for key, title in titles.items() if any(one[key].n for one in figures.values())}
    heads = pd.DataFrame({"heads": list(figures), "n": [one["mae"].n for one in figures.values()]})
    exact = heads.assign(**{title: [one[key] for one in figures.values()] for key, title in titles.items()})
    shown = exact.assign(**{title: exact[title].map(_mm) for title in titles.values() if title.endswith("(mm)")})
    table(exact, alt, file_name, shown=shown, column_config={"heads": st.column_config.Column(pinned=True)})


def _mm(share: Share) -> str:
    return "" if not share.n else f"{share.value:.2f} ({share.low:.2f} to {share.high:.2f})"


def _pick_frame(worst: pd.DataFrame) -> str:
    """The frame that is opened: clicked, or chosen from the list, the worst of all to begin with."""
    errors = dict(zip(worst["image"], worst["error_mm"], strict=True))
    names = list(errors)
    name = linked(
        st.selectbox,
        "Frame, worst first",
        names,
        key=HEAD_FRAME,
        default=names[0],
        parse=one_of(names),
        format_func=lambda name: f"{name}: {errors[name]:+.1f} mm" if name in errors else name,
        width=420,
    )
    return name if name in errors else names[0]


def _clickable(key: str, figure: Any, alt: str) -> None:
    st.plotly_chart(
        figure,
        key=key,
        on_select=lambda: _take_click(key),
        selection_mode="points",
        config={"displayModeBar": False},
        alt=f"{alt}; the list above chooses a frame by keyboard",
    )


def _take_click(key: str) -> None:
    points = st.session_state[key].selection.points
    if points and "customdata" in points[0]:
        st.session_state[HEAD_FRAME] = points[0]["customdata"][0]


def _show_frame(row: dict[str, Any], reader: HeadReader | None) -> None:
    """The frame's numbers, and its picture where the file is at hand."""
    st.subheader(plain(str(row["image"])))
    left, right = st.columns([3, 2])
    with right:
        st.metric("Measured", f"{row['predicted_mm']:.1f} mm", f"{row['error_mm']:+.1f} mm", delta_color="off")
        st.markdown(
            f"Annotated {row['true_mm']:.1f} mm; 90 % interval {row['low_mm']:.1f} to {row['high_mm']:.1f} mm; "
            f"{plain(str(row['patient']))}."
        )
        if row["refused"]:
            st.warning(f"Refused: {row['refused']}", icon=":material/block:")
    with left:
        frame, truth = _at_hand(str(row["image"]))
        if frame is None:
            st.info(
                "This frame's file is not at hand, so only its numbers are shown. Upload the frame under the same "
                f"name on the view Measure, or start the server with {FOLDER_VARIABLE} naming the frames' folder.",
                icon=":material/image_not_supported:",
            )
            return
        lines = [annotation(truth)] if truth else []
        if reader is not None:
            source = cache.cleaned(frame.sha256, frame.pixels, reader.settings)
            reading = cache.head_reading(reader, frame.sha256, source, row["pixel_size_mm"])
            if reading.ellipse:
                lines.append(outline(reading.ellipse))
        picture(draw_heads(frame.pixels, lines), alt=f"{row['image']} with outline and annotation")


def _at_hand(name: str) -> tuple[Frame | None, Any]:
    """The frame of this name, from the server's folder or this session's uploads, and its annotation where it is."""
    path = frame_path(name)
    if path is not None:
        return cache.frame_at_hand(name), read_annotation(path)
    return next((frame for frame in uploads().values() if frame.source == name), None), None
