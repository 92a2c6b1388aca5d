"""Pearson's chi-square test of counts against equal shares. Pure functions.

The probability is the regularised upper incomplete gamma function Q(k/2, x/2): by its series below a + 1, and by its
continued fraction from there on (Abramowitz and Stegun, Handbook of Mathematical Functions, 6.5.29 and 6.5.31).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

_TERMS = 10_000
_PRECISION = 1e-15
_TINY = 1e-300


def even(counts: Sequence[int]) -> tuple[float, float]:
    """Return chi-square of counts that are expected to be equal, and the p-value: how often chance differs as much.

    Raises ValueError for fewer than two counts, and where all are 0.
    """
    if len(counts) < 2 or not sum(counts):
        raise ValueError("takes at least two counts, which are not all 0")
    mean = sum(counts) / len(counts)
    statistic = math.fsum((count - mean) ** 2 for count in counts) / mean
    return statistic, p_value(statistic, len(counts) - 1)


def p_value(statistic: float, degrees: int) -> float:
    """Return the probability that chi-square with so many degrees of freedom is at least `statistic`."""
    a, x = degrees / 2, statistic / 2
    if x <= 0.0:
        return 1.0
    scale = math.exp(a * math.log(x) - x - math.lgamma(a))
    return max(0.0, 1.0 - scale * _series(a, x)) if x < a + 1 else scale * _fraction(a, x)


def _series(a: float, x: float) -> float:
    """Return the sum of x^n / (a (a + 1) … (a + n))."""
    term = total = 1 / a
    for n in range(1, _TERMS):
        term *= x / (a + n)
        total += term
        if term < total * _PRECISION:
            break
    return total


def _fraction(a: float, x: float) -> float:
    """Return the continued fraction 1/(x + 1 - a - 1 (1 - a)/(x + 3 - a - …)), from its front (Lentz, 1976)."""
    b = x + 1 - a
    c, d = 1 / _TINY, 1 / b
    value = d
    for n in range(1, _TERMS):
        factor = -n * (n - a)
        b += 2
        d = 1 / (factor * d + b or _TINY)
        c = b + factor / c or _TINY
        value *= c * d
        if abs(c * d - 1) < _PRECISION:
            break
    return value
