"""The README may not drift from the repository: its commands, paths and figures are checked."""

import re
from pathlib import Path

import pytest

from core.zoo import list_cards
from core.zoo.cards import figures_table

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
WITHOUT_OUTPUTS = re.sub(r"--out \S+", "", README)


def test_has_the_two_commands_and_ci_finds_the_second():
    commands = [line for line in README.splitlines() if line.startswith("python3 -m venv .venv")]
    assert len(commands) == 2
    assert commands[0].endswith("streamlit run app.py")
    assert commands[1].endswith("python -m pytest")


@pytest.mark.parametrize(
    "path", sorted(set(re.findall(r"(?:core|pages|docs|benchmarks|models|tests)/[\w./]*", WITHOUT_OUTPUTS)))
)
def test_every_path_exists(path):
    assert (ROOT / path).exists()


def test_every_command_is_one_of_ours():
    from core.cli import main

    for command in set(re.findall(r"python -m core (\w+)", README)):
        assert main([command, "--help"]) == 0


def test_figures_are_those_of_the_cards():
    """``docs/figures.md`` is what the command prints, and every figure in the README stands in it."""
    printed = "\n\n".join(figures_table(card) for card in list_cards())
    figures = (ROOT / "docs" / "figures.md").read_text(encoding="utf-8")
    assert printed in figures
    quoted = re.findall(r"^\| (?:simulated|real) \|.*$", README, flags=re.MULTILINE)
    assert quoted
    assert [line for line in quoted if line not in figures] == []
