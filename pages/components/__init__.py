"""Widgets that several pages share.

Until ``st.navigation`` has run once in a process, Streamlit takes a folder named ``pages`` for its older kind of
multi-page app: of a server that has just started, a page that a link leads to runs alone, without navigation and frame.
Whoever imports this package first, ``app.py`` or a page, settles that; pages that run alone by then, those of everybody
who came meanwhile, begin again (``link.begin_with_app``).
"""

from streamlit.runtime.pages_manager import PagesManager

PagesManager.uses_pages_directory = False
