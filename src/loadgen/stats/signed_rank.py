"""Wilcoxon's signed-rank test, exact: the shift of differences of pairs above or below 0.

The test assumes that the differences are distributed alike on both sides of their centre and do not depend on each
other, and nothing else. Wilcoxon, Biometrics Bulletin 1 (1945); Tukey for the interval (Hollander and Wolfe,
Nonparametric Statistical Methods, chapter 3).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from loadgen.stats.noise import noise
from loadgen.stats.ranks import Null, RankTest, doubled_ranks, width_for


@dataclass(frozen=True)
class SignedRank(RankTest):
    """The test on differences, one from each round: at least one, all of them finite, or ValueError.

    Ties have their mean rank, and p counts all ways to sign the ranks, ties included. Differences of 0 are left out of
    p, as in Wilcoxon's paper. The estimate and the bounds include them, as a row of zeros does show that nothing
    differs.
    """

    differences: Sequence[float]

    def __post_init__(self) -> None:
        object.__setattr__(self, "differences", tuple(self.differences))
        if not self.differences or not all(map(math.isfinite, self.differences)):
            raise ValueError(f"a signed-rank test needs finite differences, and one at least: {self.differences}")

    @property
    def rounds(self) -> int:
        return len(self.differences)

    @property
    def spread(self) -> float:
        return noise(self.differences)

    @cached_property
    def _ranked(self) -> tuple[list[float], list[int]]:
        signed = [difference for difference in self.differences if difference]
        return signed, doubled_ranks([abs(difference) for difference in signed])

    @cached_property
    def _statistic(self) -> int:
        return sum(rank for difference, rank in zip(*self._ranked, strict=True) if difference > 0)

    @cached_property
    def _null(self) -> Null:
        return _sums_of_subsets(tuple(sorted(self._ranked[1])))

    @cached_property
    def _untied(self) -> Null:
        return _sums_of_subsets(tuple(range(1, len(self.differences) + 1)))

    @cached_property
    def _shifts(self) -> Sequence[float]:
        """Walsh's averages: the mean of each difference with itself and with every other difference."""
        row = self.differences
        return sorted((one + other) / 2 for place, one in enumerate(row) for other in row[place:])


@lru_cache(maxsize=256)
def _sums_of_subsets(ranks: tuple[int, ...]) -> Null:
    """Return the distribution of the sum of positive differences' ranks, over all 2^n ways to sign them."""
    width = width_for(1 << len(ranks))
    counts = 1
    for rank in ranks:
        counts += counts << rank * width
    return Null(counts, width, 1 << len(ranks), sum(ranks))
