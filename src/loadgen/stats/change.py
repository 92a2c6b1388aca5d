"""A test for a step from one level to another in a series of values, and the place of the step.

The test finds one step at most, whatever the distribution. The evidence of a step is the largest difference of ranks
between the two sides of a split, compared with the same search over shuffled values (Pettitt, Applied Statistics 28,
1979, with each split weighted by its own variance; the permutation test as in Matteson and James's E-divisive, JASA
109, 2014). The place of the step is the split at which the values lie closest to a median on either side: ranks have no
distances, and place a clear step too near the middle. The test takes a slow drift for a step too.
"""

from __future__ import annotations

import math
import random
import statistics
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

# Fewer values do not make a level.
_LEAST_ON_A_SIDE = 4
_SHUFFLES = 1999
# With so many shuffles that differ as much, p is above any level at which a step would be accepted.
_ENOUGH = 40


@dataclass(frozen=True, slots=True)
class Change:
    """The likeliest step in a series of values."""

    index: int
    """The index of the first value on the new level."""
    p: float
    """The share of random orders that differ as much at any split; at least 0.0005, by the number of shuffles."""


def change(values: Sequence[float], seed: int = 1) -> Change | None:
    """Return the likeliest step; None for fewer than 8 values, and for values that are all the same."""
    if len(values) < 2 * _LEAST_ON_A_SIDE or len(set(values)) == 1:
        return None
    ranks = _centred_ranks(values)
    most = _widest(ranks)
    chance = random.Random(seed)
    as_wide = tried = 0
    while tried < _SHUFFLES and as_wide < _ENOUGH:
        chance.shuffle(ranks)
        tried += 1
        # Sums of ranks in another order may differ in their last bits.
        as_wide += _widest(ranks) >= most - 1e-9
    return Change(_place(values), (1 + as_wide) / (1 + tried))


def _centred_ranks(values: Sequence[float]) -> list[float]:
    """Return the ranks less their mean; equal values share a rank."""
    order = sorted(values)
    middle = len(order) / 2
    return [(bisect_left(order, value) + bisect_right(order, value)) / 2 - middle for value in values]


def _widest(ranks: Sequence[float]) -> float:
    """Return the difference of ranks at the split where they differ most."""
    n, total, most = len(ranks), 0.0, 0.0
    for index, rank in enumerate(ranks[: n - _LEAST_ON_A_SIDE], 1):
        total += rank
        if index >= _LEAST_ON_A_SIDE:
            most = max(most, abs(total) / math.sqrt(index * (n - index)))
    return most


def _place(values: Sequence[float]) -> int:
    """Return the number of values before the split at which two levels fit best."""
    splits = range(_LEAST_ON_A_SIDE, len(values) - _LEAST_ON_A_SIDE + 1)
    return min(splits, key=lambda index: _distance(values[:index]) + _distance(values[index:]))


def _distance(values: Sequence[float]) -> float:
    middle = statistics.median(values)
    return sum(abs(value - middle) for value in values)
