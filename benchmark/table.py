"""Figures of several rounds as text: medians with their least and most, in tables that fit 100 columns."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH = 100


@dataclass(frozen=True, slots=True)
class Goal:
    """One figure, a value from each round, and what it should be at most. Without a limit it is only to be known."""

    what: str
    values: tuple[float, ...]
    limit: float | None = None
    unit: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def met(self) -> bool | None:
        return None if self.limit is None else self.median <= self.limit


def spread(values: Sequence[float]) -> str:
    """`median (least–most)`, with three figures that count."""
    middle = statistics.median(values)
    if len(values) == 1:
        return number(middle)
    return f"{number(middle)} ({number(min(values))}–{number(max(values))})"


def number(value: float) -> str:
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 0.1 else f"{value:.{2 if abs(value) < 10 else 1}f}"


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The first column is words, to the left; all others are figures, to the right."""
    columns = list(zip(head, *rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    lines = [
        "  ".join(
            cell.ljust(width) if at == 0 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in (head, *rows)
    ]
    return "\n".join([title, lines[0], "─" * min(WIDTH, len(lines[0])), *(line.rstrip() for line in lines[1:])])


def goals_table(goals: Sequence[Goal]) -> str:
    rows = [
        (
            goal.what,
            spread(goal.values) + goal.unit,
            "" if goal.limit is None else f"≤ {goal.limit:g}{goal.unit}",
            {None: "", True: "met", False: "MISSED"}[goal.met],
        )
        for goal in goals
    ]
    return table("Goals", ("median of rounds (least–most)", "measured", "goal", ""), rows)
