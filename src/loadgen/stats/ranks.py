"""What tests by ranks have in common: an exact null distribution, and a shift that is estimated by inverting the test.

It knows counts of equally likely arrangements and a row of possible shifts. Which arrangements those are, and what a
shift is between, is for `signed_rank` and `rank_sum` to say.
"""

from __future__ import annotations

import statistics
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import inf

# 1 - 0.95 is not 0.05 in binary, and 1 in 20 arrangements must count as 5 %.
_ROUNDING = 1 + 1e-9


@dataclass(frozen=True, slots=True)
class Null:
    """How many of equally likely arrangements have each value of a statistic, as one integer: a polynomial at 2^width.

    Multiplying by 1 + x^r is then a shift and a sum. What a stretch of its coefficients sums to is that stretch modulo
    2^width - 1, as a decimal number's digits sum to it modulo 9; `width` leaves room for all arrangements.
    """

    counts: int
    width: int
    arrangements: int
    top: int
    """The largest value that the statistic can have."""

    def at_least(self, value: int) -> float:
        """The share of arrangements in which the statistic is `value` or more."""
        return self._share(self.counts >> max(0, value) * self.width)

    def at_most(self, value: int) -> float:
        """The share of arrangements in which the statistic is `value` or less."""
        return self._share(self.counts & ((1 << max(0, value + 1) * self.width) - 1))

    def _share(self, counts: int) -> float:
        return counts % ((1 << self.width) - 1) / self.arrangements


def width_for(arrangements: int) -> int:
    """The bits that a coefficient needs so that their sum, too, is less than 2^width - 1."""
    return arrangements.bit_length() + 1


@lru_cache(maxsize=1024)
def critical(null: Null, alpha: float) -> int:
    """The largest value that the statistic is at or below with a probability of alpha at most; -1: there is none."""
    low, high = -1, null.top
    while low < high:
        middle = (low + high + 1) // 2
        if null.at_most(middle) <= alpha * _ROUNDING:
            low = middle
        else:
            high = middle - 1
    return low


class RankTest(ABC):
    """The hypothesis that there is no shift, and how large the shift is."""

    @property
    @abstractmethod
    def rounds(self) -> int:
        """From how many rounds it speaks."""

    @cached_property
    @abstractmethod
    def _statistic(self) -> int:
        """Of `_null`; larger where the shift is."""

    @cached_property
    @abstractmethod
    def _null(self) -> Null:
        """Given which values are tied, without a shift."""

    @cached_property
    @abstractmethod
    def _untied(self) -> Null:
        """Of as many values that all differ: how many of `_shifts` lie above the true one."""

    @cached_property
    @abstractmethod
    def _shifts(self) -> Sequence[float]:
        """Every shift at which the statistic of the values, moved back by it, changes; ascending."""

    @property
    @abstractmethod
    def spread(self) -> float:
        """σ of one round's shift."""

    @cached_property
    def p_greater(self) -> float:
        """Exact, one-sided: how often there would be as much for a shift above 0 if there were none."""
        return self._null.at_least(self._statistic)

    @cached_property
    def p_less(self) -> float:
        """The same for a shift below 0."""
        return self._null.at_most(self._statistic)

    @cached_property
    def p(self) -> float:
        """Two-sided: twice the smaller of the two, and at most 1."""
        return min(1.0, 2 * min(self.p_greater, self.p_less))

    @cached_property
    def estimate(self) -> float:
        """The shift: the median of all possible ones (Hodges and Lehmann, Ann. Math. Statist. 34, 1963)."""
        return statistics.median(self._shifts)

    def lower(self, confidence: float) -> float:
        """What the shift is not below, with this confidence; minus infinity where the values are too few for it.

        The bound is a possible shift, counted in from the end by the null distribution of values that all differ, and
        belongs to the interval. So its confidence is no less than was asked for, with ties too (Hollander and Wolfe,
        Nonparametric Statistical Methods, 3.3 and 4.3).
        """
        outside = self._outside(confidence)
        return self._shifts[outside] if outside >= 0 else -inf

    def upper(self, confidence: float) -> float:
        """What the shift is not above, with this confidence; infinity where the values are too few for it."""
        outside = self._outside(confidence)
        return self._shifts[-1 - outside] if outside >= 0 else inf

    def interval(self, confidence: float) -> tuple[float, float]:
        """Both bounds, each with half of what the confidence leaves: 0.9 is 95 % on either side."""
        one_side = (1 + confidence) / 2
        return self.lower(one_side), self.upper(one_side)

    def _outside(self, confidence: float) -> int:
        if not 0 < confidence < 1:
            raise ValueError(f"a confidence lies between 0 and 1, both excluded: {confidence}")
        return critical(self._untied, 1 - confidence)


def doubled_ranks(values: Sequence[float]) -> list[int]:
    """Each value's rank, from 1, times two: tied values share their mean rank, which then is a whole number."""
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks, start = [0] * len(values), 0
    for end in range(1, len(order) + 1):
        if end == len(order) or values[order[end]] != values[order[start]]:
            for place in order[start:end]:
                ranks[place] = start + 1 + end
            start = end
    return ranks
