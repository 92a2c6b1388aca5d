"""How text is laid out on 80 columns: a label with its words wrapped beside it, and lines with a hanging indent.

Pure functions. They do not know what is said, nor in which colour.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

WIDTH = 80

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
        WIDTH,
        initial_indent=f"{label:<{indent}}",
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def wrapped(line: str, width: int = WIDTH) -> list[str]:
    """A line, continued two columns further in."""
    return textwrap.wrap(line, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def hung(lines: Sequence[str]) -> list[str]:
    """The lines wrapped, each keeping its own indent."""
    indents = [" " * (len(line) - len(line.lstrip())) for line in lines]
    return [
        indent + part
        for indent, line in zip(indents, lines, strict=True)
        for part in wrapped(line.strip(), WIDTH - len(indent))
    ]
