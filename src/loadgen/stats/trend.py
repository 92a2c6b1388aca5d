"""Mann and Kendall's test: do values that came one after the other rise or fall, more than chance would have them do?

It asks for no distribution, only that the values do not depend on each other. Mann, Econometrica 13 (1945); Kendall,
Rank Correlation Methods (1975), for ties.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

# Up to here p is counted out; beyond, the normal distribution is as close as anybody needs (Mann's own advice).
_MOST_EXACT = 10


@dataclass(frozen=True, slots=True)
class Trend:
    """How much values rise: `s` is the pairs of which the later value is larger, less those of which it is smaller."""

    s: int
    p: float
    """How often values without a trend would have an s at least as far from 0, on either side."""

    @property
    def direction(self) -> int:
        """1: they rise, -1: they fall, 0: neither."""
        return (self.s > 0) - (self.s < 0)


def trend(values: Sequence[float]) -> Trend:
    """The test, two-sided: exact for up to 10 values that all differ, else with corrections for ties and continuity."""
    s, seen = 0, list[float]()
    for value in values:
        s += bisect_left(seen, value) - (len(seen) - bisect_right(seen, value))
        insort(seen, value)
    n, ties = len(values), Counter(values)
    if n <= _MOST_EXACT and len(ties) == n:
        return Trend(s, _exact_p(n, s))
    variance = (_spread(n) - sum(_spread(t) for t in ties.values())) / 18
    # s moves in steps of two: of the step at which it stands, half belongs to the tail.
    return Trend(s, math.erfc((abs(s) - 1) / math.sqrt(2 * variance)) if s else 1.0)


def _spread(n: int) -> int:
    return n * (n - 1) * (2 * n + 5)


def _exact_p(n: int, s: int) -> float:
    """The part of all orders of n different values whose s is as far from 0."""
    # orders[k] is how many orders have k falling pairs; the m-th value, put in, adds from 0 to m - 1 of them.
    orders = [1]
    for m in range(2, n + 1):
        wider = [0] * (len(orders) + m - 1)
        for falling, count in enumerate(orders):
            for added in range(m):
                wider[falling + added] += count
        orders = wider
    # s is all pairs less twice the falling ones, and as often s as -s.
    fewest = (n * (n - 1) // 2 - abs(s)) // 2
    return min(1.0, 2 * sum(orders[: fewest + 1]) / math.factorial(n))
