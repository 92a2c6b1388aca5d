"""Lines of a page as values: texts with names of styles. They know neither colours nor the terminal."""

from __future__ import annotations

from collections.abc import Iterable

Span = tuple[str, str]
"""A text and the name of its style, one of STYLES."""

Line = tuple[Span, ...]

STYLES = {
    "": ("", ""),
    "bold": ("bold", "bold"),
    "dim": ("dim", "dim"),
    "accent": ("cyan", ""),
    "good": ("green", ""),
    "warn": ("yellow", "bold"),
    "bad": ("red", "bold"),
    "alarm": ("bold black on yellow", "bold reverse"),
    "now": ("bold black on cyan", "bold reverse"),
}
"""The styles by name, each in rich's words: with colours, and without."""

CUT = "…"

Column = tuple[str, int]
"""The heading and the width of a column; a negative width aligns to the left."""


def text(line: Line) -> str:
    """Return the line's text without styles."""
    return "".join(words for words, _ in line)


def length(line: Iterable[Span]) -> int:
    return sum(len(words) for words, _ in line)


def cut(line: Iterable[Span], width: int) -> Line:
    """Return the line in `width` columns at most, with CUT in place of what does not fit."""
    found: list[Span] = []
    left = width
    line = tuple(line)
    if length(line) <= width:
        return line
    for words, style in line:
        if len(words) >= left:
            found.append((words[: max(0, left - 1)] + CUT * (left > 0), style))
            break
        found.append((words, style))
        left -= len(words)
    return tuple(found)


def apart(left: Iterable[Span], right: Iterable[Span], width: int) -> Line:
    """Return a line with one part at its left end and one at its right; the left part is cut where both do not fit."""
    right = cut(right, width)
    left = cut(left, max(0, width - length(right) - 1))
    return (*left, (" " * (width - length(left) - length(right)), ""), *right)


def heading(title: str, width: int, right: str = "", style: str = "bold") -> Line:
    """Return the line above a section: a rule with the section's title, and words at the right end."""
    return headed(((title, style),), width, ((right, "dim"),) * bool(right))


def headed(title: Iterable[Span], width: int, right: Iterable[Span] = ()) -> Line:
    """Return a rule with a title, and words at its right end."""
    right = tuple(right)
    end: Line = ((" ", ""), *right, (" ──", "dim")) if right else ()
    title = cut(title, max(0, width - length(end) - 5))
    rest = max(1, width - length(title) - length(end) - 4)
    return cut((("── ", "dim"), *title, (" ", ""), ("─" * rest, "dim"), *end), width)


def headings(columns: Iterable[Column]) -> Line:
    """Return the headings of a table."""
    return ((cells((name for name, _ in columns), columns), "dim"),)


def cells(words: Iterable[str], columns: Iterable[Column]) -> str:
    """Return words in their columns."""
    return "".join(cell(each, width) for each, (_, width) in zip(words, columns, strict=True))


def cell(words: str, width: int) -> str:
    """Return words in a column: at its right end, or at its left end where the width is negative."""
    return f"{words:<{-width}}" if width < 0 else f"{words:>{width}}"
