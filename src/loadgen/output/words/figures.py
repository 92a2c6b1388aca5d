"""The spelling of numbers: three significant digits for people, whole microseconds in log lines. Pure functions."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from loadgen.percentiles import IN_ROWS
from loadgen.snapshot import Histogram, has_few_samples
from loadgen.units import NS_PER_S, NS_PER_US, format_duration
from loadgen.usage import Usage

NOTHING = "-"
"""The sign for a number that does not exist: a percentile of no request, a hit rate without a GET."""

AT_LEAST = "≥"
"""The sign before a percentile that is a lower bound, as requests in it were not answered in time."""

FEW_SAMPLES = "~"
"""The sign before a percentile that few samples lie beyond."""

_MINUS = "−"

_TIMES = ((" ns", 1.0), (" µs", 1e3), (" ms", 1e6), (" s", 1e9))
_UNITS_FOR_PEOPLE = {"us": "µs", "m": "min"}
_COUNTS = (("", 1.0), ("K", 1e3), ("M", 1e6), ("G", 1e9), ("T", 1e12))
_BYTES = ((" B", 1.0), (" KB", 1e3), (" MB", 1e6), (" GB", 1e9), (" TB", 1e12))


def latency(ns: float) -> str:
    """Return a time for people: 42500 is "42.5 µs"."""
    return _scaled(ns, _TIMES)


def latency_us(ns: float) -> str:
    """Return whole microseconds: 42700 is "43"."""
    return f"{ns / NS_PER_US:.0f}"


def latency_word(ns: float) -> str:
    """Return `latency` as one word, so that a line can be split at its blanks: 42500 is "42.5us"."""
    return word(latency(ns))


def latency_beside(ns: float) -> str:
    """Return a time with one more digit, to differ from the limit that it is printed beside: 1002000 is "1.002ms"."""
    return word(_scaled(ns, _TIMES, 1))


def limit(ns: int) -> str:
    """Return a limit as it was configured, such as "1ms"; a limit that was measured, as `latency_beside`."""
    return format_duration(ns) if ns % NS_PER_US == 0 else latency_beside(ns)


def mark(histogram: Histogram, q: float) -> str:
    """Return the sign of a quantile: AT_LEAST, else FEW_SAMPLES, or empty."""
    return mark_of_interval(histogram, q) or (FEW_SAMPLES if has_few_samples(histogram, q) else "")


def mark_of_interval(histogram: Histogram, q: float) -> str:
    """Return `mark` of an interval, without FEW_SAMPLES: nearly every tail of a single second has few samples."""
    return AT_LEAST if histogram.is_lower_bound(q) else ""


def marked(sign: str, words: str) -> str:
    """Return the words after their sign. The blank before the unit is dropped to keep the width: "~42.5µs"."""
    return sign + words.replace(" ", "") if sign else words


def quantile(
    histogram: Histogram,
    q: float,
    spell: Callable[[float], str] = latency,
    mark: Callable[[Histogram, float], str] = mark,
) -> str:
    """Return a quantile in words, with its sign; NOTHING for an empty histogram."""
    return marked(mark(histogram, q), spell(histogram.quantile(q))) if histogram.count else NOTHING


def quantiles(
    histogram: Histogram, spell: Callable[[float], str] = latency, mark: Callable[[Histogram, float], str] = mark
) -> list[str]:
    """Return every quantile of IN_ROWS in words."""
    return [quantile(histogram, q, spell, mark) for _, _, q in IN_ROWS]


def rate(value: float) -> str:
    """Return a rate scaled to three digits: 246913 is "247K"."""
    return _scaled(value, _COUNTS)


def size(value: float) -> str:
    """Return bytes in powers of 1000: 12345678 is "12.3 MB"."""
    return _scaled(value, _BYTES)


def share(part: float | None, digits: int = 1) -> str:
    """Return a fraction in percent, without the sign: 0.9987 is "99.9". Only exactly 1 is "100", and only 0 is "0"."""
    if part is None:
        return NOTHING
    shown, step = f"{100 * part:.{digits}f}", 10.0**-digits
    if 0 < part < 1 and float(shown) == 0:
        return f"<{step:.{digits}f}"
    if 0 < part < 1 and float(shown) == 100:
        return f"{100 - step:.{digits}f}"
    return shown


def cpu(used: Usage) -> str:
    """Return the CPU time used, in percent of one CPU: "87%", or "1590%" on sixteen CPUs."""
    return f"{100 * used.cpu_share:.0f}%"


def change(part: float | None, unit: str = " %") -> str:
    """Return a change in percent with its sign: -0.051 is "−5.1 %". A change that rounds to 0 has no sign."""
    if part is None:
        return NOTHING
    size = 100 * abs(part)
    shown = f"{size:.{2 if size < 0.995 else 1 if size < 9.95 else 0}f}"
    sign = "" if float(shown) == 0 else _MINUS if part < 0 else "+"
    return f"{sign}{shown}{unit}"


def tick(part: float) -> str:
    """Return the label of a tick on a scale of changes, a round number: "+2.5 %"."""
    percent = round(100 * part, 9)
    sign = "" if not percent else _MINUS if percent < 0 else "+"
    return f"{sign}{abs(percent):.3g}{' %' if percent else ''}"


def amount(value: float | None, unit: str) -> str:
    """Return the value of a metric in its unit: per_s, per_min, ns, bytes or bytes_per_min."""
    if value is None:
        return NOTHING
    return {
        "per_s": f"{rate(value)}/s",
        "per_min": f"{value:.3g}/min",
        "ns": latency(value),
        "bytes": size(value),
        "bytes_per_min": f"{size(value)}/min",
    }[unit]


def left(ns: float) -> str:
    """Return a time to wait in its two largest units, rounded up: 99.2 s is "1 min 40 s"."""
    seconds = math.ceil(ns / NS_PER_S)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min" + (f" {seconds % 60} s" if seconds % 60 else "")
    minutes = math.ceil(seconds / 60)
    return f"{minutes // 60} h" + (f" {minutes % 60} min" if minutes % 60 else "")


def count(number: int, noun: str, took_s: float) -> str:
    """Return how much was done and how long that took: "8 rounds in 1 min 40 s"."""
    return f"{plural(number, noun, grouped)} in {left(took_s * NS_PER_S)}"


def grouped(count: int) -> str:
    """Return 1234567 as "1,234,567". Log lines use `str` instead, since programs read them too."""
    return f"{count:,}"


def whole_rate(value: float, spell: Callable[[int], str] = str) -> str:
    """Return a rate cut off, not scaled, so that similar rates differ: 152340.9 is "152340", 12.345 is "12.3"."""
    return spell(int(value)) if value >= 100 else f"{value:.3g}"


def percent(words: str, spell: Callable[[int], str]) -> str:
    """Return "80 %" for people, where `spell` groups counts; "80%" for log lines, as scripts parse it."""
    return f"{words}%" if spell is str else f"{words} %"


def time(ns: float, spell: Callable[[int], str]) -> str:
    """Return "42.5 µs" for people, "42.5us" for log lines."""
    return latency_word(ns) if spell is str else latency(ns)


def spaced(words: str, spell: Callable[[int], str]) -> str:
    """Return a time such as "1ms" or "5m" for people, "1 ms" and "5 min"; unchanged for log lines."""
    if spell is str:
        return words
    return re.sub(r"(?<=\d)[a-zµ]+", lambda unit: f" {_UNITS_FOR_PEOPLE.get(unit[0], unit[0])}", words)


def plural(count: int, noun: str, spell: Callable[[int], str] = str, many: str = "") -> str:
    """Return a count with its noun: 2 and "worker" is "2 workers". `many` is a plural that is not formed by an s."""
    return f"{spell(count)} {noun if count == 1 else many or f'{noun}s'}"


def word(words: str) -> str:
    """Return the words without blanks and with "u" for "µ", so that a line can be split at its blanks."""
    return words.replace(" ", "").replace("µ", "u")


def _scaled(value: float, units: tuple[tuple[str, float], ...], more_digits: int = 0) -> str:
    for unit, scale in units:
        number = value / scale
        # 999.5 would round to 1000, which is 1.00 of the next unit.
        if number < 999.5 or unit == units[-1][0]:
            break
    if number == int(number) and scale == 1.0:
        return f"{int(number)}{unit}"
    digits = 2 if number < 9.995 else 1 if number < 99.95 else 0
    return f"{number:.{digits + more_digits}f}{unit}"
