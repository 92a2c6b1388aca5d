"""The growth of a series of a soak, per time, as an interval: `stats.growth` for what a soak has seen. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from loadgen.soak.store import Points
from loadgen.stats.difference import Side, difference
from loadgen.stats.growth import Growth, growth, reached
from loadgen.units import NS_PER_S


@dataclass(frozen=True, slots=True)
class Grown:
    """How fast a series grew, in base units per nanosecond."""

    low: float | None
    """The lower end of the interval; None where the growth cannot be told."""
    high: float | None
    slope: float | None
    """The likeliest growth; None where it cannot be told."""
    why: str = ""
    """Why it cannot be told, in words after "cannot tell: "."""
    samples: int = 0
    effective: float = 0.0
    """How many independent samples they count as."""
    segments: int = 1
    """The segments between restarts and steps that were judged."""


def grown_by(points: Points, counter: Points, *, counts_intervals: bool) -> Grown:
    """Return the growth of a series per unit of another one's total, where both have a sample at the same time.

    `counts_intervals` says that the values of `counter` are counts of intervals, and not a total that only grows.
    """
    totals = [*accumulate(counter.values)] if counts_intervals else reached(counter.values)
    by_time = dict(zip(counter.times_s, totals, strict=True))
    pairs = [(by_time[t], value) for t, value in zip(points.times_s, points.values, strict=True) if t in by_time]
    found = growth([x for x, _ in pairs], [value for _, value in pairs])
    if found.why_not:
        return Grown(None, None, None, found.why_not, found.samples, found.effective, found.segments)
    return Grown(found.low, found.high, found.slope, "", found.samples, found.effective, found.segments)


def grown(points: Points, restarts: Iterable[float]) -> Grown:
    """Return the growth of a series, which began anew at these times."""
    return _per_ns(growth(points.times_s, points.values, _begins(points, restarts)))


@dataclass(frozen=True, slots=True)
class Beside:
    """A series of one soak, to be held against that of another."""

    points: Points
    restarts: Sequence[float]
    """The times at which the series began anew."""
    load_per_s: float | None
    """The load of the soak; None where it is not known."""


def grown_beyond(ours: Beside, theirs: Beside) -> Grown:
    """Return how much faster our series grew than theirs, under the same load."""
    return _per_ns(difference(_side(ours), _side(theirs)))


def _side(of: Beside) -> Side:
    return Side(of.points.times_s, of.points.values, _begins(of.points, of.restarts), of.load_per_s)


def _begins(points: Points, restarts: Iterable[float]) -> list[int]:
    return [bisect_right(points.times_s, t_s) for t_s in restarts]


def _per_ns(found: Growth) -> Grown:
    if found.why_not:
        return Grown(None, None, None, found.why_not, found.samples, found.effective, found.segments)
    each = found.per(1 / NS_PER_S)
    return Grown(each.low, each.high, each.slope, "", found.samples, found.effective, found.segments)
