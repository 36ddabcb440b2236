"""Widgets that several pages share.

Until ``st.navigation`` has run once in a process, Streamlit takes a folder named ``pages`` for its older kind of
multi-page app: were the first request after a start a link to a page, that page would run alone, without navigation and
frame. Whoever imports this package first, ``app.py`` or a page, settles that and starts over.
"""

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

if PagesManager.uses_pages_directory:
    PagesManager.uses_pages_directory = False
    st.rerun()
