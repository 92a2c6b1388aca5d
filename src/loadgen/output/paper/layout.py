"""The layout of text: a label with its words wrapped beside it, and lines with a hanging indent.

It does not know what the text says, nor its colour. The innermost `at` sets the width of a line; without one, a line
has 80 columns.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

WIDTH = 80
"""The columns of a line without a terminal."""

NARROWEST, WIDEST = 60, 200
"""The bounds of a line's width, whatever the terminal's width is."""

_width: ContextVar[int] = ContextVar("width", default=WIDTH)


def width() -> int:
    """Return the columns of a line."""
    return _width.get()


@contextmanager
def at(columns: int) -> Iterator[None]:
    """Set the columns of lines within the context, bounded by NARROWEST and WIDEST."""
    token = _width.set(max(NARROWEST, min(WIDEST, columns)))
    try:
        yield
    finally:
        _width.reset(token)


def rule() -> str:
    """Return a horizontal line as wide as a line of text."""
    return "─" * width()


LABEL = 14
"""The width of the first column of facts."""


def facts(label: str, sentences: Sequence[str]) -> list[str]:
    """Return a label and its sentences, each sentence beginning on a line of its own."""
    return [line for number, words in enumerate(sentences) for line in fact("" if number else label, words)]


def fact(label: str, words: str) -> list[str]:
    """Return a label with its words wrapped beside it; nothing without words."""
    return indented(words, LABEL, label)


def indented(words: str, indent: int, label: str = "") -> list[str]:
    """Return words wrapped at an indent, beside a shorter label. A word that is longer than a line is not broken."""
    return textwrap.wrap(
        words,
        width(),
        initial_indent=f"{label:<{indent}}",
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def wrapped(line: str, columns: int | None = None) -> list[str]:
    """Return a line wrapped at `columns`, or at `width()`; its continuations are indented by two columns."""
    columns = width() if columns is None else columns
    return textwrap.wrap(line, columns, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def hung(lines: Sequence[str]) -> list[str]:
    """Return the lines wrapped, each at its own indent."""
    indents = [" " * (len(line) - len(line.lstrip())) for line in lines]
    return [
        indent + part
        for indent, line in zip(indents, lines, strict=True)
        for part in wrapped(line.strip(), width() - len(indent))
    ]
