"""Wilcoxon's rank-sum test, which is Mann and Whitney's, exact: the shift of the values of B against those of A.

The test is for samples that were not taken in pairs. A change between the two samples enters the answer, so the answer
is weaker than that of `signed_rank` where pairs are available. Mann and Whitney, Ann. Math. Statist. 18 (1947); Moses
for the interval (Hollander and Wolfe, Nonparametric Statistical Methods, chapter 4).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from loadgen.stats.noise import noise
from loadgen.stats.ranks import Null, RankTest, doubled_ranks, width_for


@dataclass(frozen=True)
class RankSum(RankTest):
    """The test on two samples, each of at least one value, all of them finite, or ValueError.

    A shift above 0 means that B lies above A. Ties have their mean rank, and p counts all ways to deal out the ranks,
    ties included.
    """

    a: Sequence[float]
    b: Sequence[float]

    def __post_init__(self) -> None:
        for name, sample in (("a", self.a), ("b", self.b)):
            object.__setattr__(self, name, tuple(sample))
            if not sample or not all(map(math.isfinite, sample)):
                raise ValueError(f"a rank-sum test needs finite values, and one at least, in {name}: {sample}")

    @property
    def rounds(self) -> int:
        return min(len(self.a), len(self.b))

    @property
    def spread(self) -> float:
        return math.hypot(noise(self.a), noise(self.b))

    @cached_property
    def _ranks(self) -> list[int]:
        return doubled_ranks([*self.a, *self.b])

    @cached_property
    def _statistic(self) -> int:
        return sum(self._ranks[len(self.a) :])

    @cached_property
    def _null(self) -> Null:
        return _sums_of_hands(tuple(sorted(self._ranks)), len(self.b))

    @cached_property
    def _untied(self) -> Null:
        # A rank less its place in the hand is the number of A's values below it: the sum counts pairs, from 0.
        n, m = len(self.a), len(self.b)
        null = _sums_of_hands(tuple(range(1, n + m + 1)), m)
        least = m * (m + 1) // 2
        return Null(null.counts >> least * null.width, null.width, null.arrangements, n * m)

    @cached_property
    def _shifts(self) -> Sequence[float]:
        return sorted(after - before for before in self.a for after in self.b)


@lru_cache(maxsize=256)
def _sums_of_hands(ranks: tuple[int, ...], hand: int) -> Null:
    """Return the distribution of the sum of a hand of ranks, over all ways to take so many."""
    arrangements = math.comb(len(ranks), hand)
    width = width_for(arrangements)
    counts = [1] + [0] * hand
    for rank in ranks:
        for held in range(hand, 0, -1):
            counts[held] += counts[held - 1] << rank * width
    return Null(counts[hand], width, arrangements, sum(sorted(ranks)[len(ranks) - hand :]))
