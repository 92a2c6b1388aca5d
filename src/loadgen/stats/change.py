"""Did values that came one after the other step from one level to another, and after which of them?

One step at most, whatever the distribution. Whether there is one is asked of the split at which the ranks on either
side differ most, held against the same search over shuffled values (Pettitt, Applied Statistics 28, 1979, with each
split weighted by its own variance; the permutation test as in Matteson and James's E-divisive, JASA 109, 2014). Where
it is, is where the values lie closest to a median on either side: ranks know no distances, and place a clear step too
near the middle. A slow drift is a step to it too.
"""

from __future__ import annotations

import math
import random
import statistics
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

# On fewer values a level does not rest.
_LEAST_ON_A_SIDE = 4
_SHUFFLES = 1999
# With so many shuffles that differ as much, p is beyond any level that a step would be believed at.
_ENOUGH = 40


@dataclass(frozen=True, slots=True)
class Change:
    """Where the values most seem to step."""

    index: int
    """Of the first value on the new level."""
    p: float
    """How often values without an order would differ as much at any split; at least 0.0005, for so many are tried."""


def change(values: Sequence[float], seed: int = 1) -> Change | None:
    """The likeliest step; None of fewer than 8 values, and of values that are all the same."""
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
    """Ranks less their mean; equal values share one."""
    order = sorted(values)
    middle = len(order) / 2
    return [(bisect_left(order, value) + bisect_right(order, value)) / 2 - middle for value in values]


def _widest(ranks: Sequence[float]) -> float:
    """How much ranks differ at the split where they do most."""
    n, total, most = len(ranks), 0.0, 0.0
    for index, rank in enumerate(ranks[: n - _LEAST_ON_A_SIDE], 1):
        total += rank
        if index >= _LEAST_ON_A_SIDE:
            most = max(most, abs(total) / math.sqrt(index * (n - index)))
    return most


def _place(values: Sequence[float]) -> int:
    """How many values are before the split at which two levels fit best."""
    splits = range(_LEAST_ON_A_SIDE, len(values) - _LEAST_ON_A_SIDE + 1)
    return min(splits, key=lambda index: _distance(values[:index]) + _distance(values[index:]))


def _distance(values: Sequence[float]) -> float:
    middle = statistics.median(values)
    return sum(abs(value - middle) for value in values)
