"""One of the studies kept with a model, by the data it was made on, and where its figures come from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import streamlit as st

from core.explain.stored_study import StoredStudy, StudyFiles
from pages.components.frame import errors_as_sentences
from pages.components.link import linked, one_of
from pages.components.state import STUDY

Study = TypeVar("Study", bound=StoredStudy)


def pick_study(folders: Sequence[Path], read: Callable[[Path], Study]) -> tuple[Path, Study] | None:
    """The folder of the study chosen and the study; None where none can be read.

    A damaged study gets its sentence and hides no other.
    """
    studies = {}
    for folder in folders:
        with errors_as_sentences():
            studies[folder.name] = folder, read(folder)
    if not studies:
        return None
    first = next(iter(studies))
    chosen = linked(
        st.selectbox,
        "Data",
        list(studies),
        key=STUDY,
        default=first,
        parse=one_of(list(studies)),
        format_func=lambda name: studies[name][1].label if name in studies else name,
    )
    return studies.get(chosen, studies[first])


def about_download(folder: Path, files: StudyFiles, name: str) -> None:
    """A button that gives the settings and conclusions of a study."""
    st.download_button(
        "Settings and conclusions (JSON)",
        (folder / files.about_name).read_bytes(),
        file_name=f"{name}_{files.about_name}",
        mime="application/json",
        icon=":material/download:",
    )


def show_sources(study: StoredStudy, explanation: str) -> None:
    """How a study was made, what was left out of it, and the command that makes it again."""
    with st.expander("How it was measured, and the command that makes it again", icon=":material/terminal:"):
        st.markdown(explanation)
        for problem in study.about["problems"]:
            st.caption(f":material/info: {problem}")
        st.code(study.about["command"], language="bash", wrap_lines=True)
