"""Bands: the growth of a series graded, from bonus to red. Values and pure functions.

A grade is of what is known: a growth between 4 and 6 per minute, with a target of 5, may be of two grades.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from loadgen.judge.expression.dimension import Dimension


class Grade(IntEnum):
    """The grades, from the best."""

    BONUS = 0
    TARGET = 1
    OVER = 2
    """Over the target, and no reason to warn."""
    WARN = 3
    RED = 4


@dataclass(frozen=True, slots=True)
class Band:
    """The limits of one series, in base units per nanosecond, of which each is at least as high as the one before."""

    series: str
    """The name of the series: of every monitor that has it, but for loadgen's own."""
    bonus: float
    target: float
    warn: float
    red: float
    dimension: Dimension
    """Of the limits: a count or a size, per time."""
    texts: tuple[str, str, str, str]
    """The limits as they were written, from bonus to red."""
    monitor: str = ""
    """The only monitor that the band is for; empty: all."""
    best: str = "bonus"
    """What the best grade is called."""

    @property
    def limits(self) -> tuple[float, float, float, float]:
        return self.bonus, self.target, self.warn, self.red

    def grade(self, growth: float) -> Grade:
        """Return the grade of a growth that is known. On a limit below warn is over it; on warn or red is not."""
        if growth < self.bonus:
            return Grade.BONUS
        if growth < self.target:
            return Grade.TARGET
        if growth <= self.warn:
            return Grade.OVER
        return Grade.WARN if growth <= self.red else Grade.RED

    def word(self, grade: Grade) -> str:
        """Return what a grade is called in this band."""
        return self.best if grade is Grade.BONUS else WORDS[grade]


WORDS = {
    Grade.BONUS: "bonus",
    Grade.TARGET: "target",
    Grade.OVER: "over target",
    Grade.WARN: "warn",
    Grade.RED: "red",
}


def chosen(bands: tuple[Band, ...], monitor: str, series: str) -> Band | None:
    """Return the band of a monitor's series: one for the monitor before one for all, a later one before an earlier."""
    of = [band for band in bands if band.series == series and band.monitor in ("", monitor)]
    return next((band for band in reversed(of) if band.monitor), of[-1] if of else None)
