"""The noise of values from round to round, without the few rounds that something else disturbed."""

from __future__ import annotations

import statistics
from collections.abc import Iterable

# The median distance of normal values from their centre is 0.6745 σ.
_MEDIAN_DISTANCES_PER_SIGMA = 1.4826


def noise(values: Iterable[float]) -> float:
    """Return σ of the values by their middle half: 1.4826 times the median distance from their median.

    For normal values that is σ. A standard deviation would mostly measure a few disturbed rounds; a test by ranks
    tolerates those, and no host should be refused for them. For fewer than ten values the result is low by a tenth or
    so (Croux and Rousseeuw, COMPSTAT 1992).

    Raises:
        statistics.StatisticsError: there are no values.
    """
    known = list(values)
    middle = statistics.median(known)
    return _MEDIAN_DISTANCES_PER_SIGMA * statistics.median(abs(value - middle) for value in known)
