"""Widgets whose value the address bar carries, so that a link shows a colleague the same view.

Streamlit's own ``bind="query-params"`` writes the *label* of an option: a file's name would end up in the URL, and a
renamed label would break old links. Here the URL carries values: names, numbers, hashes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

_WRITTEN = "link_written"
_PAGE = "link_page"
_MOVED = "link_moved"


def enter_page(path: str) -> None:
    """To be called once a run, before any widget: tells a change of page, which drops the URL, from a changed URL."""
    st.session_state[_MOVED] = st.session_state.get(_PAGE) not in (None, path)
    st.session_state[_PAGE] = path
    st.session_state.setdefault(_WRITTEN, {})


def begin_with_app() -> None:
    """To be called by a page before it draws: one that runs without ``app.py`` around it begins again.

    So Streamlit runs what a link leads to on a server that has just started (``pages/components/__init__.py``).
    """
    if _PAGE not in st.session_state:
        st.rerun()


def forget() -> None:
    """Clean the address bar, when everything is reset."""
    st.session_state[_WRITTEN] = {}
    st.query_params.clear()


def linked(
    widget: Callable[..., Any], *arguments: Any, key: str, default: Any, parse: Callable[[str], Any], **options: Any
) -> Any:
    """Show ``widget`` and keep its value in the session and in the URL under ``key``.

    Parameters
    ----------
    widget : such as ``st.slider``
    arguments, options
        What the widget takes besides its default and key.
    default : any
        The value without a link; it is left out of the URL.
    parse : callable
        Text of the URL -> value, or None where it is not usable: the default is taken then.
    """
    restore(key, default, parse)
    widget(*arguments, key=key, persist_state="session", **options)
    value = st.session_state[key]
    store(key, value, default)
    return value


def linked_choice(label: str, titles: Mapping[str, str], *, key: str, default: str, **options: Any) -> str:
    """A segmented control of a few named options, always one of them chosen; ``titles`` maps names to what is shown."""
    value = linked(
        st.segmented_control,
        label,
        list(titles),
        key=key,
        default=default,
        parse=one_of(list(titles)),
        format_func=lambda name: titles.get(name, name),
        required=True,
        **options,
    )
    # Only the browser keeps to the options.
    return value if value in titles else default


def restore(key: str, default: Any, parse: Callable[[str], Any]) -> None:
    """Before a widget: take the URL's value where the URL has changed from outside (a link, back, forward)."""
    text = st.query_params.get(key)
    written = st.session_state.get(_WRITTEN, {}).get(key)
    left_behind = text is None and st.session_state.get(_MOVED, False)
    if text != written and not left_behind:
        value = None if text is None else parse(text)
        st.session_state[key] = default if value is None else value
    elif key not in st.session_state:
        st.session_state[key] = default
    elif st.session_state.get(_MOVED, False):
        # Streamlit keeps the value for the new page's widget, but during this run it answers with the first option.
        st.session_state[key] = st.session_state[key]


def store(key: str, value: Any, default: Any) -> None:
    """After a widget: put its value into the URL, or take it out where it is the default.

    None is the value of a widget whose options changed under its choice; it counts as the default.
    """
    text = None if value is None or value == default else to_text(value)
    if text is None:
        if key in st.query_params:
            del st.query_params[key]
    elif st.query_params.get(key) != text:
        st.query_params[key] = text
    st.session_state.setdefault(_WRITTEN, {})[key] = text


def to_text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ",".join(map(to_text, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def one_of(options: Sequence[str]) -> Callable[[str], str | None]:
    """Parser of one option."""
    return lambda text: text if text in options else None


def some_of(options: Sequence[str]) -> Callable[[str], list[str] | None]:
    """Parser of several options; unknown ones are left out. An empty text means none of them."""
    return lambda text: [name for name in text.split(",") if name in options]


def pair_in(low: float, high: float) -> Callable[[str], tuple[float, float] | None]:
    """Parser of two rising numbers between two ends, as a slider with two handles has them."""

    def parse(text: str) -> tuple[float, float] | None:
        values = [number_in(float(low), float(high))(part) for part in text.split(",")]
        if len(values) != 2 or None in values or values[0] > values[1]:
            return None
        return values[0], values[1]

    return parse


def number_in(low: float, high: float) -> Callable[[str], float | int | None]:
    """Parser of a number between two ends (whole where both ends are)."""

    def parse(text: str) -> float | int | None:
        try:
            value = type(low)(text)
        except ValueError:
            return None
        return value if low <= value <= high else None

    return parse
