"""The growth of one series beyond that of another one under the same load: another server, or an earlier run.

What both do alike, such as warming up, or growing with their data, is no growth of the difference. A leak-free series
beside the one in question finds leaks better than any test for a trend (Matias et al., ISSRE 2014 and 2016).

The difference is taken time by time, each from the beginning of its own series, before anything is estimated: the noise
that both have in common goes, and the noise of each that is its own is in the interval.
"""

from __future__ import annotations

import statistics
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from loadgen.stats.growth import Growth, growth, unknown

MOST_LOADS_APART = 0.05
"""Loads that differ by a larger share than this are not the same."""

LEAST_IN_COMMON = 3 / 4
"""The share of the longer series that the shorter one must have."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of two series: its xs in ascending order and as many values."""

    xs: Sequence[float]
    values: Sequence[float]
    begins: Sequence[int] = ()
    """The indexes of samples before which it began anew."""
    load: float | None = None
    """Requests per time that were put on it; None where that is not known."""

    @property
    def length(self) -> float:
        return self.xs[-1] - self.xs[0]

    def elapsed(self) -> list[float]:
        """Return the xs since the first of them."""
        return [x - self.xs[0] for x in self.xs]


def difference(ours: Side, theirs: Side, *, seed: int = 1) -> Growth:
    """Return the growth of `ours` less that of `theirs`, per unit of x.

    It cannot be told where the loads differ, where one series is much shorter than the other, and where growth of the
    difference cannot be told.
    """
    if not ours.values or not theirs.values:
        return unknown(0, 0.0, "one of the two series has no samples")
    if why_not := _apart(ours, theirs):
        return unknown(min(len(ours.values), len(theirs.values)), 0.0, why_not)
    # Each sample of the coarser series is held against those of the finer one that are nearest to it.
    our_is_coarse = len(ours.values) / (ours.length or 1) <= len(theirs.values) / (theirs.length or 1)
    coarse, fine = (ours, theirs) if our_is_coarse else (theirs, ours)
    places, others = coarse.elapsed(), fine.elapsed()
    reach = coarse.length / max(len(places) - 1, 1) / 2
    xs, values = [], []
    for x, value in zip(places, coarse.values, strict=True):
        near = fine.values[bisect_left(others, x - reach) : bisect_left(others, x + reach)]
        if near:
            xs.append(x)
            values.append((value - statistics.median(near)) * (1 if our_is_coarse else -1))
    began = [side.xs[at] - side.xs[0] for side in (ours, theirs) for at in side.begins if at < len(side.xs)]
    return growth(xs, values, [bisect_left(xs, x) for x in began], seed=seed)


def _apart(ours: Side, theirs: Side) -> str:
    """Return why two series cannot be compared; empty where they can."""
    if ours.load is not None and theirs.load is not None:
        most = max(ours.load, theirs.load)
        if abs(ours.load - theirs.load) > MOST_LOADS_APART * most:
            by = 1 - min(ours.load, theirs.load) / most
            return f"the loads differ by {by:.0%}, and more than {MOST_LOADS_APART:.0%} makes two series no comparison"
    shorter, longer = sorted((ours.length, theirs.length))
    if shorter < LEAST_IN_COMMON * longer:
        return f"one series has {shorter / longer:.0%} of the other's length, and {LEAST_IN_COMMON:.0%} are needed"
    return ""
