"""Text that others wrote, shown as it is."""

from __future__ import annotations


def plain(text: str) -> str:
    """Text without Markdown of its own: a file's name, a cell of somebody's table."""
    return "".join("\\" + letter if letter in "\\`*_{}[]<>()#+-.!|$:~" else letter for letter in text)
