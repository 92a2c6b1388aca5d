"""How numbers are printed: three significant digits for people, whole microseconds in log lines. Pure functions."""

from __future__ import annotations

from collections.abc import Callable

from loadgen.snapshot import Histogram
from loadgen.units import NS_PER_US

PERCENTILES = (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("p99.99", 0.9999), ("max", 1.0))
"""The columns of every latency, as (label, quantile)."""

NOTHING = "-"
"""What stands where there is no number: a percentile of no request, a hit rate without a GET."""

_TIMES = ((" ns", 1.0), (" µs", 1e3), (" ms", 1e6), (" s", 1e9))
_COUNTS = (("", 1.0), ("K", 1e3), ("M", 1e6), ("G", 1e9), ("T", 1e12))
_BYTES = ((" B", 1.0), (" KB", 1e3), (" MB", 1e6), (" GB", 1e9), (" TB", 1e12))


def latency(ns: float) -> str:
    """42500 is "42.5 µs"."""
    return _scaled(ns, _TIMES)


def latency_us(ns: float) -> str:
    """In whole microseconds: 42700 is "43"."""
    return f"{ns / NS_PER_US:.0f}"


def latency_word(ns: float) -> str:
    """42500 is "42.5us": `latency` without a blank, so that a line can be split at them."""
    return latency(ns).replace(" ", "").replace("µ", "u")


def quantile(histogram: Histogram, q: float, spell: Callable[[float], str] = latency) -> str:
    """A quantile in words, with "≥" before one that rests on requests which had not been answered."""
    if not histogram.count:
        return NOTHING
    return ("≥" if histogram.is_lower_bound(q) else "") + spell(histogram.quantile(q))


def quantiles(histogram: Histogram, spell: Callable[[float], str] = latency) -> list[str]:
    """Every one of PERCENTILES in words."""
    return [quantile(histogram, q, spell) for _, q in PERCENTILES]


def rate(value: float) -> str:
    """246913 is "247K"."""
    return _scaled(value, _COUNTS)


def size(value: float) -> str:
    """Bytes in powers of 1000: 12345678 is "12.3 MB"."""
    return _scaled(value, _BYTES)


def share(part: float | None, digits: int = 1) -> str:
    """A fraction as a percentage without its sign: 0.9987 is "99.9". Only all is 100 and only none is 0."""
    if part is None:
        return NOTHING
    shown, step = f"{100 * part:.{digits}f}", 10.0**-digits
    if 0 < part < 1 and float(shown) == 0:
        return f"<{step:.{digits}f}"
    if 0 < part < 1 and float(shown) == 100:
        return f"{100 - step:.{digits}f}"
    return shown


def grouped(count: int) -> str:
    """1234567 is "1,234,567"; log lines, which programs read too, use `str` instead."""
    return f"{count:,}"


def plural(count: int, noun: str, spell: Callable[[int], str] = str) -> str:
    """2 and "worker" is "2 workers"."""
    return f"{spell(count)} {noun}{'' if count == 1 else 's'}"


def _scaled(value: float, units: tuple[tuple[str, float], ...]) -> str:
    for unit, scale in units:
        number = value / scale
        # 999.5 would round to 1000: that is the next unit's 1.00.
        if number < 999.5 or unit == units[-1][0]:
            break
    if number == int(number) and scale == 1.0:
        return f"{int(number)}{unit}"
    digits = 2 if number < 9.995 else 1 if number < 99.95 else 0
    return f"{number:.{digits}f}{unit}"
