"""Bars and plots of block characters, as lines. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from loadgen.output.tui.line import Line, Span

_EIGHTHS = "▁▂▃▄▅▆▇█"
_NOTHING = "▁"
"""A column whose value is 0: the ground line."""


def bar(share: float, width: int, style: str = "accent") -> tuple[Span, ...]:
    """Return a horizontal bar of `width` columns that is filled to a share, in steps of half a column."""
    halves = round(max(0.0, min(1.0, share)) * width * 2)
    full, half = divmod(halves, 2)
    return ("━" * full + "╸" * half, style), ("─" * (width - full - half), "dim")


def plot(values: Sequence[tuple[float | None, str]], top: float, width: int, height: int) -> list[Line]:
    """Return columns of eighths of a line, `height` lines high. Each value has its style; None is left empty."""
    levels = [
        (None if value is None else min(height * 8, max(value > 0, round(value / top * height * 8))), style)
        for value, style in values[-width:]
    ]
    return [_row(levels, 8 * (height - 1 - row)) for row in range(height)]


def _row(levels: Sequence[tuple[int | None, str]], below: int) -> Line:
    """Return the line of a plot that lies above `below` eighths."""
    signs = [_sign(level, below, style) for level, style in levels]
    return tuple(("".join(sign for sign, _ in group), style) for style, group in groupby(signs, lambda each: each[1]))


def _sign(level: int | None, below: int, style: str) -> Span:
    if level is None or level <= below:
        return (_NOTHING, "dim") if level == 0 and not below else (" ", "")
    return _EIGHTHS[min(8, level - below) - 1], style
