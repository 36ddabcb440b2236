"""Tables with their CSV one click away."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from core.results import to_csv, to_text


def table(frame: pd.DataFrame, alt: str, file_name: str, *, shown: pd.DataFrame | None = None, **options: Any) -> None:
    """Show a table of :mod:`core.results`, shares with their intervals, and offer it as CSV with every digit.

    ``file_name``, without ending, tells the table's button from others of the page. ``shown`` stands on the page in its
    place where its figures are no shares.
    """
    st.dataframe(to_text(frame if shown is None else shown), hide_index=True, alt=alt, **options)
    st.download_button(
        "CSV",
        to_csv(frame),
        file_name=f"{file_name}.csv",
        mime="text/csv",
        icon=":material/download:",
        type="tertiary",
        key=f"csv_{file_name}",
        help=f"{alt}, unrounded.",
    )
