"""A plot of intervals in a terminal: a row for each metric, on one scale in percent, as wide as a line.

    throughput       ├──●──┤   ┊         │

A vertical line marks no change, a dotted one the threshold, an arrow an interval that continues beyond the scale.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby

from loadgen.compare.answers import Row
from loadgen.output.paper.color import Paint
from loadgen.output.paper.layout import width
from loadgen.output.pictures.scale import Scale
from loadgen.output.words import comparison, figures
from loadgen.stats.sequential import Shift

ANSWER_STYLES = {Shift.WORSE: "bold red", Shift.BETTER: "bold green", Shift.SAME: "green", Shift.UNCLEAR: "yellow"}

_LABEL = 17
_TICKS = 7

Cells = list[tuple[str, str]]
"""For each column, a sign and its style."""


def lines(rows: Sequence[Row], one_sided: bool, paint: Paint) -> list[str]:
    """Return the scale, then the rows that have an estimate; nothing without such rows."""
    drawn = [row for row in rows if row.effect is not None]
    if not drawn:
        return []
    scale = Scale.of(drawn, one_sided)
    return [
        paint(f"{'':<{_LABEL}}{_axis(scale)}".rstrip(), "dim"),
        *(f"{comparison.label(row.metric):<{_LABEL}}{_painted(_row(row, scale, one_sided), paint)}" for row in drawn),
    ]


def _room() -> int:
    """Return the columns of a row's drawing."""
    return width() - _LABEL - 1


def _axis(scale: Scale) -> str:
    """Return the labels of ticks, each centred on its column; a label that would touch another is left out."""
    room = _room()
    cells = [" "] * (room + 1)
    free = 0
    for tick in scale.ticks(_TICKS):
        words = figures.tick(tick)
        start = max(0, min(room + 1 - len(words), _column(scale, tick) - len(words) // 2))
        if start >= free:
            cells[start : start + len(words)] = words
            free = start + len(words) + 1
    return "".join(cells)


def _row(row: Row, scale: Scale, one_sided: bool) -> Cells:
    cells: Cells = [(" ", "")] * _room()
    for edge in comparison.band(row, one_sided):
        if math.isfinite(edge):
            cells[_column(scale, edge)] = ("┊", "dim")
    cells[_column(scale, 0.0)] = ("│", "dim")
    style = ANSWER_STYLES[row.answer]
    # An open end is drawn to the end of the scale.
    low = -math.inf if row.ci_low is None else row.ci_low
    high = math.inf if row.ci_high is None else row.ci_high
    first, last = _column(scale, low), _column(scale, high)
    cells[first : last + 1] = [("─" if sign == " " else "┼", style) for sign, _ in cells[first : last + 1]]
    cells[first] = ("├" if scale.holds(low) else "◄", style)
    cells[last] = ("┤" if scale.holds(high) else "►", style)
    if row.effect is not None:
        cells[_column(scale, row.effect)] = ("●", style)
    return cells


def _column(scale: Scale, change: float) -> int:
    return round(scale.at(change) * (_room() - 1))


def _painted(cells: Cells, paint: Paint) -> str:
    runs = ((style, "".join(sign for sign, _ in run)) for style, run in groupby(cells, key=lambda cell: cell[1]))
    return "".join(paint(signs, style) if style else signs for style, signs in runs).rstrip()
