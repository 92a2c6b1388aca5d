"""The levels, trends and steps of each metric over a row of points. Values and pure functions; no I/O."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass

from loadgen.compare.metric import Metric
from loadgen.history.point import METRICS, Point, Setup
from loadgen.stats.change import Change, change
from loadgen.stats.trend import Trend, trend

TREND_P = 0.01
STEP_P = 0.001
"""A trend or a step is reported below its p. The p of steps is lower: every place is tested, night after night."""


@dataclass(frozen=True, slots=True)
class Series:
    """One metric over the points of a row."""

    metric: Metric
    points: tuple[Point, ...]
    """By time; at least one."""

    @property
    def unit(self) -> str:
        """The metric's unit, or `ratio` for comparisons."""
        return "ratio" if self.points[0].group.loop == "rounds" else self.metric.unit

    @property
    def known(self) -> tuple[Point, ...]:
        """The points that count: valid, and with a value."""
        return tuple(point for point in self.points if point.valid and self.metric.name in point.values)

    @property
    def values(self) -> list[float]:
        """The values of the points that count."""
        return [point.values[self.metric.name] for point in self.known]

    @property
    def median(self) -> float:
        """The median of the values. Raises ValueError when no point counts."""
        return statistics.median(self.values)

    @property
    def change(self) -> float | None:
        """The last value's change from the median of the values before, as a share; None if that is missing or 0."""
        *before, last = self.values or [0.0]
        usual = statistics.median(before) if before else 0.0
        return last / usual - 1 if usual else None

    @property
    def trend(self) -> Trend:
        return trend(self.values)

    @property
    def step(self) -> LevelShift | None:
        """The step between two levels, if there is one with a p below STEP_P."""
        found: Change | None = change(values := self.values)
        if found is None or found.p >= STEP_P:
            return None
        before, after = statistics.median(values[: found.index]), statistics.median(values[found.index :])
        return LevelShift(self.known[found.index], after / before - 1 if before else None, found.p)

    def is_worse(self, direction: float) -> bool:
        """True when values that move in this direction get worse; above 0 is up."""
        return (direction < 0) if self.metric.higher_is_better else (direction > 0)


@dataclass(frozen=True, slots=True)
class LevelShift:
    """A step from one level to another."""

    first: Point
    """The first point on the new level."""
    change: float | None
    """The change of the medians on either side, as a share; None when the earlier median is 0."""
    p: float


@dataclass(frozen=True, slots=True)
class PointRow:
    """The last points of one group."""

    group: Setup
    points: tuple[Point, ...]
    """By time; at least one."""

    def courses(self, metrics: Iterable[str]) -> list[Series]:
        """Return the series of these metrics, in the order of METRICS, that any of the points has a value of."""
        wanted = set(metrics)
        return [
            Series(metric, self.points)
            for name, metric in METRICS.items()
            if name in wanted and any(name in point.values for point in self.points)
        ]


def to_rows(points: Iterable[Point], last: int) -> list[PointRow]:
    """Return the last `last` points of each group, groups in the order in which they first appear."""
    groups: dict[Setup, list[Point]] = {}
    for point in points:
        groups.setdefault(point.group, []).append(point)
    return [PointRow(group, tuple(sorted(own, key=lambda point: point.time)[-last:])) for group, own in groups.items()]
