"""Counts over time as a bounded series, gathered into the columns of a plot. No clock: times are the samples' own."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

KEPT = 2_000
"""The most samples that are kept: 400 s at 200 ms."""

STEPS_S = (0.2, 0.5, 1.0, 2.0)
"""The lengths of a column. The longest keeps a column from averaging a short outage away."""


@dataclass(frozen=True, slots=True)
class Point:
    """The counts of one sample."""

    end_s: float
    length_s: float
    counted: int
    """The operations whose rate is shown."""
    ended: int
    """Operations that ended, well or not."""
    failed: int
    """The part of `ended` that ended by an error or with a wrong answer."""
    faulted: bool
    """True when a fault was on at the sample's end."""


@dataclass(frozen=True, slots=True)
class Column:
    """The counts of all samples whose middle lies in one stretch of time."""

    rate_per_s: float
    failed: float | None
    """The share of operations that failed; None where none ended."""
    faulted: bool


class Series:
    """The newest samples, in order."""

    def __init__(self) -> None:
        self._points: deque[Point] = deque(maxlen=KEPT)

    def add(self, point: Point) -> None:
        if point.length_s > 0:
            self._points.append(point)

    def clear(self) -> None:
        self._points.clear()

    def columns(self, count: int, column_s: float) -> list[Column | None]:
        """Return the newest columns, `count` at most, the oldest first; None for a column without a sample."""
        if not self._points or count < 1:
            return []
        newest = _number(self._points[-1], column_s)
        first = max(_number(self._points[0], column_s), newest - count + 1)
        gathered: dict[int, list[Point]] = {}
        for point in reversed(self._points):
            number = _number(point, column_s)
            if number < first:
                break
            gathered.setdefault(number, []).append(point)
        return [_column(gathered.get(number)) for number in range(first, newest + 1)]


def step_s(whole_s: float, count: int, least_s: float = 0.0) -> float:
    """Return the length of a column with which `count` columns show the whole, as far as STEPS_S go."""
    steps = [each for each in STEPS_S if each >= least_s] or [least_s]
    return next((each for each in steps if each * count >= whole_s), steps[-1]) if whole_s > 0 else max(1.0, least_s)


def round_top(value: float) -> float:
    """Return the least of 1, 2 and 5 times a power of ten that is not below the value; 1 for 0."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= value * (1 - 1e-9))


def _number(point: Point, column_s: float) -> int:
    return math.floor((point.end_s - point.length_s / 2) / column_s)


def _column(points: list[Point] | None) -> Column | None:
    if not points:
        return None
    ended = sum(point.ended for point in points)
    failed = sum(point.failed for point in points) / ended if ended else None
    rate_per_s = sum(point.counted for point in points) / sum(point.length_s for point in points)
    return Column(rate_per_s, failed, any(point.faulted for point in points))
