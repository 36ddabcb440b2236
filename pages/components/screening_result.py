"""What a screening came to: counts, class balance, frames by verdict, downloads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from core import cache
from core.figures import VERDICT_COLOURS, verdict_bars
from core.preprocessing import PreprocessingSettings
from core.screening import VERDICTS, Screening
from core.screening.report import json_lines, report_text, table_of, to_csv, zip_of_kept
from core.screening.rules import RULES, SAME, UNREADABLE
from pages.components.link import linked_choice
from pages.components.pictures import picture
from pages.components.state import SCREENED
from pages.components.text import plain

ROWS_SHOWN = 1000
PICTURES = 24
COLUMNS = 6
SENTENCES = 5
TITLES = {"keep": "Keep", "review": "Review", "discard": "Discard"}
_NAMES = {UNREADABLE: "cannot be read", SAME: "same pixels"} | {name: name for name in RULES}


def show_counts(summary: Mapping[str, Any]) -> None:
    """Verdicts and reasons, and the balance of classes."""
    columns = st.columns(len(VERDICTS))
    for column, (verdict, share) in zip(columns, summary["verdicts"].items(), strict=True):
        interval = f"{100 * share['ci_low']:.0f} to {100 * share['ci_high']:.0f} %" if share["n"] else ""
        column.metric(TITLES[verdict], share["count"], border=True)
        column.caption(f"of {share['n']} frames, 95 % interval {interval}")
    told = [f"{_NAMES[name]} {one['review'] + one['discard']}" for name, one in summary["reasons"].items()]
    st.caption("Reasons, of which a frame may have several: " + (", ".join(told) if told else "none") + ".")
    st.subheader("Class balance")
    st.plotly_chart(
        verdict_bars(summary["classes"]),
        key="screening_balance",
        config={"displayModeBar": False},
        alt="Frames of every class by verdict; the report holds the same counts",
    )
    st.caption("Classes as the model calls them, which is no label by an expert.")


def show_unreadable(rows: pd.DataFrame) -> None:
    """The first sentences on files that cannot be read; the table has all."""
    sentences = rows.loc[rows["error"] != "", "error"]
    if len(sentences):
        shown = "\n".join(f"- {plain(text)}" for text in sentences.head(SENTENCES))
        more = f"\n- and {len(sentences) - SENTENCES} more, in the table" if len(sentences) > SENTENCES else ""
        st.warning(f"{len(sentences)} cannot be read:\n{shown}{more}", icon=":material/broken_image:")


def show_frames(run: Screening, rows: pd.DataFrame) -> None:
    """A verdict's frames as pictures and as a table."""
    st.subheader("Frames")
    verdict = linked_choice("Show", TITLES, key=SCREENED, default="review", label_visibility="collapsed")
    found = rows[rows["verdict"] == verdict].reset_index(drop=True)
    if found.empty:
        st.info(f"No frame has the verdict {verdict}.", icon=":material/check:")
        return
    _show_pictures(run, found[found["error"] == ""], verdict)
    # Whole numbers are floats where a broken file has none of them.
    table = table_of(found.head(ROWS_SHOWN)).drop(columns=["rules", "sha256", "hash"]).convert_dtypes()
    colour = f"background-color: {VERDICT_COLOURS[verdict]}; color: #000000"
    st.dataframe(
        table.style.map(lambda _: colour, subset=["verdict"]).format(precision=3, na_rep=""),
        hide_index=True,
        alt=f"Frames with the verdict {verdict}, their measurements and reasons",
    )
    if len(found) > ROWS_SHOWN:
        st.caption(f"The first {ROWS_SHOWN} of {len(found)}; the CSV file holds all.")


def _show_pictures(run: Screening, found: pd.DataFrame, verdict: str) -> None:
    """A page of small pictures, cleaned as the networks see them."""
    if found.empty:
        return
    pages = -(-len(found) // PICTURES)
    page = 1
    if pages > 1:
        page = st.number_input(f"Page of {pages}", 1, pages, 1, key=f"page_{verdict}_{pages}", width=160)
    # Only the browser enforces the ends.
    start = (min(max(int(page), 1), pages) - 1) * PICTURES
    settings = PreprocessingSettings()
    chosen = found.iloc[start : start + PICTURES].to_dict("records")
    for first in range(0, len(chosen), COLUMNS):
        for column, row in zip(st.columns(COLUMNS), chosen[first : first + COLUMNS], strict=False):
            small = cache.screening_thumbnail(run, row["path"], row["frame"], settings)
            if small is not None:
                with column:
                    picture(small, alt=f"{row['path']}: {verdict}", caption=_caption(row))


def _caption(row: Mapping[str, Any]) -> str:
    name = row["path"].rpartition("/")[2] + (f" frame {row['frame'] + 1}" if row["frames"] > 1 else "")
    return plain(f"{name} {row['label']} {row['confidence']:.2f}" + (f" ({row['rules']})" if row["rules"] else ""))


def show_downloads(run: Screening, rows: pd.DataFrame, summary: Mapping[str, Any]) -> None:
    """Tables, report and kept files; made when they are asked for."""
    files = {
        "Rows (CSV)": (lambda: to_csv(rows), "screening.csv", "text/csv"),
        "Rows (JSON Lines)": (lambda: "".join(json_lines(rows)), "screening.jsonl", "application/jsonl"),
        "Report (Markdown)": (lambda: report_text(summary), "screening.md", "text/markdown"),
        "Report (JSON)": (lambda: json.dumps(summary, indent=1), "screening.json", "application/json"),
        "Kept files (ZIP)": (lambda: zip_of_kept(run.source, rows), "kept.zip", "application/zip"),
    }
    with st.container(horizontal=True):
        for label, (content, name, mime) in files.items():
            st.download_button(
                label, content, file_name=name, mime=mime, icon=":material/download:", key=f"download_{name}"
            )
