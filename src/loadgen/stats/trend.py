"""Mann and Kendall's test for a trend: a series of values rises or falls more than by chance.

The test assumes no distribution, only that the values do not depend on each other. Mann, Econometrica 13 (1945);
Kendall, Rank Correlation Methods (1975), for ties.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

# Up to this many values p is counted exactly; beyond, the normal distribution is close enough (Mann's own advice).
_MOST_EXACT = 10


@dataclass(frozen=True, slots=True)
class Trend:
    """The rise of values: `s` is the pairs whose later value is larger, less the pairs whose later value is smaller."""

    s: int
    p: float
    """The probability that values without a trend have an s at least as far from 0, on either side."""

    @property
    def direction(self) -> int:
        """1: the values rise, -1: they fall, 0: neither."""
        return (self.s > 0) - (self.s < 0)


def trend(values: Sequence[float]) -> Trend:
    """Test for a trend, two-sided: exact for up to 10 values that all differ, else corrected for ties, continuity."""
    s, seen = 0, list[float]()
    for value in values:
        s += bisect_left(seen, value) - (len(seen) - bisect_right(seen, value))
        insort(seen, value)
    n, ties = len(values), Counter(values)
    if n <= _MOST_EXACT and len(ties) == n:
        return Trend(s, _exact_p(n, s))
    variance = (_spread(n) - sum(_spread(t) for t in ties.values())) / 18
    # s moves in steps of two, and half of the step at s belongs to the tail.
    return Trend(s, math.erfc((abs(s) - 1) / math.sqrt(2 * variance)) if s else 1.0)


def _spread(n: int) -> int:
    return n * (n - 1) * (2 * n + 5)


def _exact_p(n: int, s: int) -> float:
    """Return the share of all orders of n different values whose s is at least as far from 0."""
    # orders[k] is the number of orders with k falling pairs; inserting the m-th value adds from 0 to m - 1 of these.
    orders = [1]
    for m in range(2, n + 1):
        wider = [0] * (len(orders) + m - 1)
        for falling, count in enumerate(orders):
            for added in range(m):
                wider[falling + added] += count
        orders = wider
    # s is the number of pairs less twice the falling ones; s and -s are equally frequent.
    fewest = (n * (n - 1) // 2 - abs(s)) // 2
    return min(1.0, 2 * sum(orders[: fewest + 1]) / math.factorial(n))
