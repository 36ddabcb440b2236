"""Widgets that several pages share.

Until ``st.navigation`` has run once in a process, Streamlit takes a folder named ``pages`` for its older kind of
multi-page app: were the first request after a start a link to a page, that page would run alone, without navigation and
frame. Whoever imports this package first, ``app.py`` or a page, settles that by running ``app.py`` in its place; pages
that others have begun meanwhile begin again (``link.restore``).
"""

import runpy
from pathlib import Path

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

if PagesManager.uses_pages_directory:
    PagesManager.uses_pages_directory = False
    runpy.run_path(str(Path(__file__).resolve().parents[2] / "app.py"), run_name="__main__")
    st.stop()
