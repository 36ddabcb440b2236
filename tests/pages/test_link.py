"""The address bar and the page around a widget."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest


def test_a_page_that_was_run_without_the_app_around_it_begins_again():
    """So it is with the first links that visitors of a server follow which has just started."""

    def script():
        import streamlit as st

        from pages.components import link

        st.session_state["runs"] = st.session_state.get("runs", 0) + 1
        if st.session_state["runs"] > 1:
            link.enter_page("corruption")
        link.begin_with_app()
        link.linked(st.slider, "Share", 0, 9, key="share", default=3, parse=link.number_in(0, 9))

    app = AppTest.from_function(script).run()
    assert not app.exception
    assert app.session_state["runs"] == 2
    assert app.slider(key="share").value == 3
