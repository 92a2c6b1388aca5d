"""Pearson's χ² test, for draws that come from a fixed seed: the verdict is the same in every run."""

from __future__ import annotations

import math
from collections.abc import Sequence

# A bin with fewer expected draws than this would make the statistic other than χ²-distributed.
LEAST_EXPECTED = 10.0


def statistic(counts: Sequence[int], weights: Sequence[float]) -> tuple[float, int]:
    """χ² of these counts beside these weights, which need not sum to 1, and its degrees of freedom.

    Neighbours are merged until each bin has at least LEAST_EXPECTED draws to expect, so order them by weight.
    """
    scale = sum(counts) / math.fsum(weights)
    bins: list[list[float]] = []
    seen = expected = 0.0
    for count, weight in zip(counts, weights, strict=True):
        seen += count
        expected += weight * scale
        if expected >= LEAST_EXPECTED:
            bins.append([seen, expected])
            seen = expected = 0.0
    if bins:
        bins[-1][0] += seen
        bins[-1][1] += expected
    return math.fsum((seen - expected) ** 2 / expected for seen, expected in bins), len(bins) - 1


def limit(degrees: int, sigmas: float = 4.0) -> float:
    """What χ² exceeds as rarely as a normal variable exceeds so many sigmas: at 4, once in 31,574 times.

    Wilson and Hilferty, "The distribution of chi-square", 1931.
    """
    if degrees == 0:
        return 0.0
    part = 2 / (9 * degrees)
    return degrees * (1 - part + sigmas * math.sqrt(part)) ** 3


def fits(counts: Sequence[int], weights: Sequence[float]) -> bool:
    """Whether the counts may come from these weights."""
    value, degrees = statistic(counts, weights)
    return value <= limit(degrees)
