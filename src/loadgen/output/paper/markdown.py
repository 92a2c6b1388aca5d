"""Markdown as lines: tables and lists of words from outside, escaped. It knows no event.

Words are escaped, so that they cannot break a table or become links or images.
"""

from __future__ import annotations

from collections.abc import Sequence

from loadgen import escape

_LONGEST = 1000
"""Characters of one cell or sentence."""


def listed(title: str, said: Sequence[str]) -> list[str]:
    """Return a title and a list of sentences; nothing without a sentence."""
    return [f"{title}:", "", *(f"- {escaped(words)}" for words in said), ""] if said else []


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a table. Headings are taken as they are, and cells are escaped."""
    lines = [headings, ["---"] * len(headings), *([escaped(cell) for cell in row] for row in rows)]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def escaped(words: str) -> str:
    """Return words that Markdown shows as they are."""
    return escape.markdown(words, _LONGEST)
