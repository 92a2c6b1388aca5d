"""How much values differ from round to round, not counting the few rounds in which something else was going on."""

from __future__ import annotations

import statistics
from collections.abc import Iterable

# The median distance from the centre of normal values is their 0.6745 σ.
_MEDIAN_DISTANCES_PER_SIGMA = 1.4826


def noise(values: Iterable[float]) -> float:
    """σ of the values as their middle half has it: 1.4826 times the median distance from their median.

    That is σ where they are normal. A standard deviation would mostly be that of a few spoilt rounds, which a test by
    ranks bears well, and for which no host should be refused. Of fewer than ten values it is low by a tenth or so
    (Croux and Rousseeuw, COMPSTAT 1992).

    Raises:
        statistics.StatisticsError: there are no values.
    """
    known = list(values)
    middle = statistics.median(known)
    return _MEDIAN_DISTANCES_PER_SIGMA * statistics.median(abs(value - middle) for value in known)
