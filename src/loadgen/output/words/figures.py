"""How numbers are printed: three significant digits for people, whole microseconds in log lines. Pure functions."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from loadgen.percentiles import IN_ROWS
from loadgen.snapshot import Histogram, has_few_samples
from loadgen.units import NS_PER_S, NS_PER_US, format_duration
from loadgen.usage import Usage

NOTHING = "-"
"""What stands where there is no number: a percentile of no request, a hit rate without a GET."""

AT_LEAST = "≥"
"""Before a percentile that rests on requests which had not been answered."""

FEW_SAMPLES = "~"
"""Before a percentile that few samples lie beyond."""

_MINUS = "−"

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
    return word(latency(ns))


def latency_beside(ns: float) -> str:
    """What stands beside its limit, with a digit more, to be told apart from it: 1002000 is "1.002ms"."""
    return word(_scaled(ns, _TIMES, 1))


def limit(ns: int) -> str:
    """A limit as it was written, such as "1ms"; one that was measured, as `latency_beside`."""
    return format_duration(ns) if ns % NS_PER_US == 0 else latency_beside(ns)


def mark(histogram: Histogram, q: float) -> str:
    """What a quantile is to be marked with; AT_LEAST wins where both signs are due."""
    return mark_of_interval(histogram, q) or (FEW_SAMPLES if has_few_samples(histogram, q) else "")


def mark_of_interval(histogram: Histogram, q: float) -> str:
    """The same for one interval, without FEW_SAMPLES: the tail of a single second would nearly always carry it."""
    return AT_LEAST if histogram.is_lower_bound(q) else ""


def marked(sign: str, words: str) -> str:
    """A sign takes the place of the blank before the unit, so that it costs no width: "42.5 µs" is "~42.5µs"."""
    return sign + words.replace(" ", "") if sign else words


def quantile(
    histogram: Histogram,
    q: float,
    spell: Callable[[float], str] = latency,
    mark: Callable[[Histogram, float], str] = mark,
) -> str:
    """A quantile in words, and what it is marked with."""
    return marked(mark(histogram, q), spell(histogram.quantile(q))) if histogram.count else NOTHING


def quantiles(
    histogram: Histogram, spell: Callable[[float], str] = latency, mark: Callable[[Histogram, float], str] = mark
) -> list[str]:
    """Every one of IN_ROWS in words."""
    return [quantile(histogram, q, spell, mark) for _, _, q in IN_ROWS]


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


def cpu(used: Usage) -> str:
    """CPUs kept busy, in percent of one: "87%", or "1590%" on sixteen."""
    return f"{100 * used.cpu_share:.0f}%"


def change(part: float | None, unit: str = " %") -> str:
    """A change as a percentage with its sign: -0.051 is "−5.1 %", and what rounds to nothing has none."""
    if part is None:
        return NOTHING
    size = 100 * abs(part)
    shown = f"{size:.{2 if size < 0.995 else 1 if size < 9.95 else 0}f}"
    sign = "" if float(shown) == 0 else _MINUS if part < 0 else "+"
    return f"{sign}{shown}{unit}"


def tick(part: float) -> str:
    """A mark of a scale of changes, which is a round number: "+2.5 %"."""
    percent = round(100 * part, 9)
    sign = "" if not percent else _MINUS if percent < 0 else "+"
    return f"{sign}{abs(percent):.3g}{' %' if percent else ''}"


def amount(value: float | None, unit: str) -> str:
    """A metric in its unit: per_s, ns or bytes."""
    if value is None:
        return NOTHING
    return {"per_s": f"{rate(value)}/s", "ns": latency(value), "bytes": size(value)}[unit]


def left(ns: float) -> str:
    """A time to wait, in the two largest units and rounded up: 99.2 s is "1 min 40 s"."""
    seconds = math.ceil(ns / NS_PER_S)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min" + (f" {seconds % 60} s" if seconds % 60 else "")
    minutes = math.ceil(seconds / 60)
    return f"{minutes // 60} h" + (f" {minutes % 60} min" if minutes % 60 else "")


def count(number: int, noun: str, took_s: float) -> str:
    """What a verb ends with: "8 rounds in 1 min 40 s"."""
    return f"{plural(number, noun, grouped)} in {left(took_s * NS_PER_S)}"


def grouped(count: int) -> str:
    """1234567 is "1,234,567"; log lines, which programs read too, use `str` instead."""
    return f"{count:,}"


def whole_rate(value: float, spell: Callable[[int], str] = str) -> str:
    """A rate cut off and not scaled, so that near ones are told apart: 152340.9 is "152340", and 12.345 is "12.3"."""
    return spell(int(value)) if value >= 100 else f"{value:.3g}"


def percent(words: str, spell: Callable[[int], str]) -> str:
    """ "80 %" for people, who read grouped counts; "80%" in a log line, as scripts know it."""
    return f"{words}%" if spell is str else f"{words} %"


def time(ns: float, spell: Callable[[int], str]) -> str:
    """ "42.5 µs" for people, "42.5us" in a log line."""
    return latency_word(ns) if spell is str else latency(ns)


def spaced(words: str, spell: Callable[[int], str]) -> str:
    """A time as it was written, "1ms", with the blank that people get: "1 ms"."""
    return words if spell is str else re.sub(r"(?<=\d)(?=[a-zµ])", " ", words).replace(" us", " µs")


def plural(count: int, noun: str, spell: Callable[[int], str] = str) -> str:
    """2 and "worker" is "2 workers"."""
    return f"{spell(count)} {noun}{'' if count == 1 else 's'}"


def word(words: str) -> str:
    """Without a blank and in ASCII, so that a line can be split at its blanks."""
    return words.replace(" ", "").replace("µ", "u")


def _scaled(value: float, units: tuple[tuple[str, float], ...], more_digits: int = 0) -> str:
    for unit, scale in units:
        number = value / scale
        # 999.5 would round to 1000: that is the next unit's 1.00.
        if number < 999.5 or unit == units[-1][0]:
            break
    if number == int(number) and scale == 1.0:
        return f"{int(number)}{unit}"
    digits = 2 if number < 9.995 else 1 if number < 99.95 else 0
    return f"{number:.{digits + more_digits}f}{unit}"
