"""How text is laid out: a label with its words wrapped beside it, and lines with a hanging indent.

It does not know what is said, nor in which colour. How wide a line is, is what the innermost `at` says: 80 columns
where there is none.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

WIDTH = 80
"""Of a line where there is no terminal."""

NARROWEST, WIDEST = 60, 200
"""A terminal that is narrower or wider is taken for one of these."""

_width: ContextVar[int] = ContextVar("width", default=WIDTH)


def width() -> int:
    """The columns of a line."""
    return _width.get()


@contextmanager
def at(columns: int) -> Iterator[None]:
    """Lays out what is laid out within for lines of so many columns, as far as these are bearable."""
    token = _width.set(max(NARROWEST, min(WIDEST, columns)))
    try:
        yield
    finally:
        _width.reset(token)


def rule() -> str:
    """A line across."""
    return "─" * width()


_LABEL = 14
"""The width of the first column of facts."""


def facts(label: str, sentences: Sequence[str]) -> list[str]:
    """A label and what there is to say, each beginning on a line of its own."""
    return [line for number, words in enumerate(sentences) for line in fact("" if number else label, words)]


def fact(label: str, words: str) -> list[str]:
    """A label and its words, wrapped beside it; nothing without words."""
    return indented(words, _LABEL, label)


def indented(words: str, indent: int, label: str = "") -> list[str]:
    """Words at an indent, beside a label that is shorter; what is longer than a line by itself is not broken."""
    return textwrap.wrap(
        words,
        width(),
        initial_indent=f"{label:<{indent}}",
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def wrapped(line: str, columns: int | None = None) -> list[str]:
    """A line, continued two columns further in; `columns` wide, if not as wide as lines are."""
    columns = width() if columns is None else columns
    return textwrap.wrap(line, columns, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def hung(lines: Sequence[str]) -> list[str]:
    """The lines wrapped, each keeping its own indent."""
    indents = [" " * (len(line) - len(line.lstrip())) for line in lines]
    return [
        indent + part
        for indent, line in zip(indents, lines, strict=True)
        for part in wrapped(line.strip(), width() - len(indent))
    ]
