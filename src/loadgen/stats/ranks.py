"""The base of tests by ranks: an exact null distribution, and a shift that is estimated by inverting the test.

This file knows counts of equally likely arrangements and a row of possible shifts. `signed_rank` and `rank_sum` define
the arrangements, and the values that a shift is between.
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
    """The number of equally likely arrangements by value of a statistic, as one integer: a polynomial at 2^width.

    Multiplying by 1 + x^r is then a shift and a sum. The sum of a range of coefficients is that range modulo
    2^width - 1, as the sum of a decimal number's digits is the number modulo 9; `width` leaves room for all
    arrangements.
    """

    counts: int
    width: int
    arrangements: int
    top: int
    """The largest value that the statistic can have."""

    def at_least(self, value: int) -> float:
        """Return the share of arrangements in which the statistic is `value` or more."""
        return self._share(self.counts >> max(0, value) * self.width)

    def at_most(self, value: int) -> float:
        """Return the share of arrangements in which the statistic is `value` or less."""
        return self._share(self.counts & ((1 << max(0, value + 1) * self.width) - 1))

    def _share(self, counts: int) -> float:
        return counts % ((1 << self.width) - 1) / self.arrangements


def width_for(arrangements: int) -> int:
    """Return the bits of a coefficient, so that the sum of all coefficients, too, is less than 2^width - 1."""
    return arrangements.bit_length() + 1


@lru_cache(maxsize=1024)
def critical(null: Null, alpha: float) -> int:
    """Return the largest value that the statistic is at or below with a probability of at most alpha; -1 for none."""
    low, high = -1, null.top
    while low < high:
        middle = (low + high + 1) // 2
        if null.at_most(middle) <= alpha * _ROUNDING:
            low = middle
        else:
            high = middle - 1
    return low


class RankTest(ABC):
    """A test of the hypothesis that there is no shift, and an estimate of the shift."""

    @property
    @abstractmethod
    def rounds(self) -> int:
        """The number of rounds that the test rests on."""

    @cached_property
    @abstractmethod
    def _statistic(self) -> int:
        """The value of `_null`'s statistic; larger for a larger shift."""

    @cached_property
    @abstractmethod
    def _null(self) -> Null:
        """The distribution of the statistic without a shift, given which values are tied."""

    @cached_property
    @abstractmethod
    def _untied(self) -> Null:
        """The distribution of the number of `_shifts` above the true shift, for as many values that all differ."""

    @cached_property
    @abstractmethod
    def _shifts(self) -> Sequence[float]:
        """The shifts at which the statistic of the values, moved back by the shift, changes; ascending."""

    @property
    @abstractmethod
    def spread(self) -> float:
        """σ of one round's shift."""

    @cached_property
    def p_greater(self) -> float:
        """The exact one-sided p: the probability of as much evidence for a shift above 0 when there is no shift."""
        return self._null.at_least(self._statistic)

    @cached_property
    def p_less(self) -> float:
        """The exact one-sided p for a shift below 0."""
        return self._null.at_most(self._statistic)

    @cached_property
    def p(self) -> float:
        """The two-sided p: twice the smaller one-sided p, and at most 1."""
        return min(1.0, 2 * min(self.p_greater, self.p_less))

    @cached_property
    def estimate(self) -> float:
        """The shift: the median of all possible shifts (Hodges and Lehmann, Ann. Math. Statist. 34, 1963)."""
        return statistics.median(self._shifts)

    def lower(self, confidence: float) -> float:
        """Return the shift's lower bound with this confidence; minus infinity when the values are too few for it.

        The bound is a possible shift, counted in from the end by the null distribution of values that all differ, and
        belongs to the interval. So the bound has at least this confidence, with ties too (Hollander and Wolfe,
        Nonparametric Statistical Methods, 3.3 and 4.3).
        """
        outside = self._outside(confidence)
        return self._shifts[outside] if outside >= 0 else -inf

    def upper(self, confidence: float) -> float:
        """Return the shift's upper bound with this confidence; infinity when the values are too few for it."""
        outside = self._outside(confidence)
        return self._shifts[-1 - outside] if outside >= 0 else inf

    def interval(self, confidence: float) -> tuple[float, float]:
        """Return both bounds, with half of the rest of the confidence outside each: 0.9 is 95 % for each bound."""
        one_side = (1 + confidence) / 2
        return self.lower(one_side), self.upper(one_side)

    def _outside(self, confidence: float) -> int:
        if not 0 < confidence < 1:
            raise ValueError(f"a confidence lies between 0 and 1, both excluded: {confidence}")
        return critical(self._untied, 1 - confidence)


def doubled_ranks(values: Sequence[float]) -> list[int]:
    """Return each value's rank, from 1, times two: tied values share their mean rank, whose double is whole."""
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks, start = [0] * len(values), 0
    for end in range(1, len(order) + 1):
        if end == len(order) or values[order[end]] != values[order[start]]:
            for place in order[start:end]:
                ranks[place] = start + 1 + end
            start = end
    return ranks
