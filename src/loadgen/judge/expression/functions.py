"""The functions of series, a row each: what they need, and how they are computed. Pure functions."""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from loadgen.judge.expression.dimension import COUNT, SHARE, TIME, Dimension
from loadgen.judge.expression.value import Series, Unknown, exact
from loadgen.judge.expression.vocabulary import Known, Over


@dataclass(frozen=True, slots=True)
class Function:
    """A function of a series, which may have a further argument."""

    meaning: str
    """For docs/CHECKS.md."""
    compute: Callable[..., float | Fraction | Unknown]
    """Of a Series, and a further argument: a Fraction or another Series."""
    least: int = 1
    """The fewest points that it needs."""
    dimension: Callable[[Known, Known | None], Dimension] = lambda known, by: known.dimension
    further: str = ""
    """What the further argument is: `share` must be given, `series` may be; empty where there is none."""
    of: tuple[Over, ...] = tuple(Over)
    """The kinds of series that it can be applied to."""
    takes_scalar: bool = False
    """True when the value of a count is taken instead of its series."""


def total(series: Series) -> float:
    """Return the increase of a counted series: the sum of counts of intervals, or of the steps of a total.

    Where a total falls, its counter began anew, from 0.
    """
    values = [value for _, value in series.points]
    if series.from_ns is not None:
        return math.fsum(values)
    steps = (after - before if after >= before else after for before, after in itertools.pairwise(values))
    return math.fsum(steps)


def _length_ns(series: Series) -> int:
    since_ns = series.points[0][0] if series.from_ns is None else series.from_ns
    return series.points[-1][0] - since_ns


def _values(series: Series) -> list[float]:
    return [value for _, value in series.points]


def _mean(series: Series) -> float:
    return math.fsum(_values(series)) / len(series.points)


def _quantile(series: Series, share: Fraction = Fraction(1, 2)) -> float:
    """Return the least value that at least this share of the points do not exceed; of half of them, the median."""
    ordered = sorted(_values(series))
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def _median(series: Series) -> float:
    ordered = sorted(_values(series))
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def _spread(series: Series) -> float:
    return max(_values(series)) - min(_values(series))


def _variation(series: Series) -> float | Unknown:
    mean = _mean(series)
    if not mean:
        return Unknown("the mean is 0")
    squares = math.fsum((value - mean) ** 2 for value in _values(series))
    return math.sqrt(squares / (len(series.points) - 1)) / abs(mean)


def _rate(series: Series) -> Fraction | Unknown:
    length_ns = _length_ns(series)
    return exact(total(series)) / length_ns if length_ns else Unknown("the series has no length of time")


def _growth(series: Series, by: Series | None = None) -> float | Unknown:
    """Return the slope of the straight line with the least squares: over time, or over the total of another series."""
    if by is None:
        pairs = [(float(at_ns - series.points[0][0]), value) for at_ns, value in series.points]
    else:
        reached = _running(by)
        pairs = [(at, value) for at_ns, value in series.points if (at := _at(at_ns, reached)) is not None]
        if len(pairs) < _LEAST_TO_GROW:
            return Unknown("the two series have too few times in common")
    return _slope(pairs)


def _running(series: Series) -> list[tuple[int, float]]:
    """Return the total reached at each time, from the beginning of the first interval."""
    if series.from_ns is None:
        return list(series.points)
    reached, sums = 0.0, [(series.from_ns, 0.0)]
    for at_ns, value in series.points:
        reached += value
        sums.append((at_ns, reached))
    return sums


def _at(at_ns: int, reached: Sequence[tuple[int, float]]) -> float | None:
    """Return the total at a time, on the line between the times around it; None before the first and after the last."""
    place = bisect_left(reached, at_ns, key=lambda point: point[0])
    if place == len(reached):
        return None
    to_ns, after = reached[place]
    if to_ns == at_ns:
        return after
    if not place:
        return None
    from_ns, before = reached[place - 1]
    return before + (after - before) * (at_ns - from_ns) / (to_ns - from_ns)


def _slope(pairs: Sequence[tuple[float, float]]) -> float | Unknown:
    mid_x = math.fsum(x for x, _ in pairs) / len(pairs)
    mid_y = math.fsum(y for _, y in pairs) / len(pairs)
    across = math.fsum((x - mid_x) ** 2 for x, _ in pairs)
    if not across:
        return Unknown("the points are all at one place")
    return math.fsum((x - mid_x) * (y - mid_y) for x, y in pairs) / across


_LEAST_TO_GROW = 3
_COUNTED = (Over.INTERVALS, Over.TOTAL)

FUNCTIONS = {
    "min": Function("the least value", lambda series: min(_values(series))),
    "max": Function("the greatest value", lambda series: max(_values(series))),
    "mean": Function("the mean of all values", _mean),
    "median": Function("the value in the middle; of an even number, the mean of the two there", _median),
    "quantile": Function(
        "the least value that a share of all values does not exceed: quantile(p99, 90 %)", _quantile, further="share"
    ),
    "first": Function("the first value", lambda series: series.points[0][1]),
    "last": Function("the last value", lambda series: series.points[-1][1]),
    "spread": Function("the greatest value minus the least", _spread),
    "delta": Function(
        "the last value minus the first", lambda series: series.points[-1][1] - series.points[0][1], least=2
    ),
    "cv": Function(
        "the coefficient of variation: the standard deviation as a share of the mean",
        _variation,
        least=2,
        dimension=lambda known, by: SHARE,
    ),
    "growth": Function(
        "how fast the value rises, per time, by the line of least squares; growth(rss, requests) is per request",
        _growth,
        least=_LEAST_TO_GROW,
        dimension=lambda known, by: known.dimension.times(TIME if by is None else by.dimension, -1),
        further="series",
    ),
    "rate": Function(
        "how many per time, of a count; where a total falls, it is taken to have begun anew",
        _rate,
        dimension=lambda known, by: known.dimension.times(TIME, -1),
        of=_COUNTED,
    ),
    "count": Function(
        "of a count, the count itself; of anything else, how many points its series has",
        lambda series: Fraction(len(series.points)),
        least=0,
        dimension=lambda known, by: COUNT,
        takes_scalar=True,
    ),
}
"""By name."""
