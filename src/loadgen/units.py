"""Durations, sizes, counts and rates, from the spelling of people to numbers and back. No I/O.

Inside the program a duration is int nanoseconds, and a size is int bytes.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

NS_PER_US = 1_000
NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000
NS_PER_MIN = 60 * NS_PER_S
NS_PER_HOUR = 60 * NS_PER_MIN

MAX_DURATION_NS = 100 * 365 * 24 * NS_PER_HOUR
"""A hundred years: twice this, added to a monotonic clock, still fits in a signed 64-bit integer."""

_DURATION_UNITS = {
    "ns": 1,
    "us": NS_PER_US,
    "ms": NS_PER_MS,
    **dict.fromkeys(("", "s", "sec", "secs"), NS_PER_S),
    **dict.fromkeys(("m", "min", "mins"), NS_PER_MIN),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), NS_PER_HOUR),
}

# The units in which a duration is written, the largest first.
_WRITTEN_UNITS = (("h", NS_PER_HOUR), ("m", NS_PER_MIN), ("s", NS_PER_S), ("ms", NS_PER_MS), ("us", NS_PER_US))

_SIZE_UNITS = {
    "": 1,
    "B": 1,
    **{f"{letter}B": 1000**power for power, letter in enumerate("KMG", start=1)},
    **{f"{letter}iB": 1024**power for power, letter in enumerate("KMG", start=1)},
    "kB": 1000,
}

# The lower-case units of redis.conf: 64kb is 65,536 bytes, and 64KB above is 64,000.
_SIZE_UNITS |= {f"{letter}b": 1024**power for power, letter in enumerate("kmg", start=1)}
_SIZE_UNITS |= {letter: 1000**power for power, letter in enumerate("kmg", start=1)}

_COUNT_UNITS = {"": 1} | {
    spelling: 1000**power for power, letter in enumerate("kmg", start=1) for spelling in (letter, letter.upper())
}

_QUANTITY = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*", re.ASCII)

COUNT = r"\s*[0-9]+(\.[0-9]+)?\s*[kmgKMG]?\s*"
"""The texts that `parse_count` accepts, as a regular expression, which does not check that the number is whole."""

RATE = r"\s*([0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]{1,3})?)\s*([kmgKMG]?)\s*(?:/s)?\s*"
"""The texts that `parse_rate` accepts, as a regular expression."""

_RATE = re.compile(RATE, re.ASCII)

# No count of nanoseconds or bytes in range needs this many digits. The limit bounds the work on a hostile number.
_MAX_DIGITS = 40


def parse_duration(text: str | int | float) -> int:
    """Return the nanoseconds of a duration.

    Text is a decimal number and a unit: ns, us, ms, s/sec/secs, m/min/mins or h/hr/hrs/hour/hours; no unit means
    seconds. A number that is not text is seconds as well.

    Raises ValueError when `text` is no duration, negative, longer than a hundred years, or no whole number of
    nanoseconds.
    """
    hint = 'write a number and a unit (ns us ms s m h), such as "10s" or "500ms"'
    ns = _count(text, _DURATION_UNITS, f"is not a duration; {hint}", default_unit=NS_PER_S)
    if ns is None:
        raise ValueError(f"{shown(text)} is not a whole number of nanoseconds; {hint}")
    if ns > MAX_DURATION_NS:
        raise ValueError(f"{shown(text)} is longer than 100 years; {hint}")
    return ns


def parse_size(text: str | int | float) -> int:
    """Return the bytes of a size: a decimal number and B, KB, MB, GB (powers of 1000) or KiB, MiB, GiB (of 1024).

    As in redis.conf, kb, mb and gb are powers of 1024, and k, m and g of 1000. No unit, or a number that is not text,
    means bytes. Raises ValueError when `text` is no size, negative, or no whole number of bytes.
    """
    hint = 'write a number and a unit, such as "64B", "64KB" (64000) or "64KiB" (65536)'
    size = _count(text, _SIZE_UNITS, f"is not a size; {hint}", default_unit=1)
    if size is None:
        raise ValueError(f"{shown(text)} is not a whole number of bytes; {hint}")
    return size


def parse_count(text: str | int | float) -> int:
    """Return a count: a whole number, or a decimal number and k, m or g (powers of 1000): "10k" is 10000.

    Raises ValueError when `text` is no count, negative, or no whole number.
    """
    hint = 'write a whole number, such as "10000" or "10k"'
    count = _count(text, _COUNT_UNITS, f"is not a count; {hint}", default_unit=1)
    if count is None:
        raise ValueError(f"{shown(text)} is not a whole number; {hint}")
    return count


def parse_rate(text: str | int | float) -> float:
    """Return requests per second: a decimal number, with an optional k, m or g (powers of 1000) and "/s": "2.5k/s".

    Raises ValueError when `text` is no rate, or negative.
    """
    refusal = f'{shown(text)} is not a rate; write requests per second, such as "5000" or "5k"'
    number = text if isinstance(text, str) else _text(text)
    match = _RATE.fullmatch(number) if len(number) <= _MAX_DIGITS else None
    if match is None:
        raise ValueError(refusal)
    return float(Decimal(match[1]) * _COUNT_UNITS[match[2]])


def percent(share: float) -> str:
    """Return a share in percent: 0.0033 is "0.33 %"."""
    value = 100 * share
    return f"{value:.0f} %" if value >= 10 else f"{value:.2g} %"


def span(ns: float) -> str:
    """Return a length of time in three digits: 101_023_743 is "101 ms"."""
    for unit, scale in (("s", NS_PER_S), ("ms", NS_PER_MS), ("µs", NS_PER_US)):
        if ns >= 0.9995 * scale:
            return f"{ns / scale:.3g} {unit}" if ns < 999.5 * scale else f"{ns / scale:.0f} {unit}"
    return f"{ns:.0f} ns"


def percent_beside(share: float, limit: float) -> tuple[str, str]:
    """Return a share and its limit in percent: "4.98 %" and "5 %".

    The limit is exact. The share has up to two decimals, as in the line that counts errors, or as many as show on which
    side of the limit the share is.
    """
    bound = Decimal(f"{100 * limit:.12g}")
    for decimals in range(2, 16):
        shown = Decimal(f"{100 * share:.{decimals}f}")
        same_side = (shown > bound, shown < bound) == (share > limit, share < limit)
        if same_side and (shown or not share):
            break
    return f"{_plain(shown)} %", f"{_plain(bound)} %"


def format_duration(ns: int) -> str:
    """Return the shortest exact spelling of a duration that `parse_duration` reads back: 1500000000 is "1500ms"."""
    if ns == 0:
        return "0s"
    for unit, scale in _WRITTEN_UNITS:
        if ns % scale == 0:
            return f"{ns // scale}{unit}"
    return f"{ns}ns"


def _plain(number: Decimal) -> str:
    """Return a number without trailing zeros in its fraction, and without an exponent."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _count(value: str | int | float, units: dict[str, int], refusal: str, default_unit: int) -> int | None:
    """Return `value` in the smallest unit, or None when that would be no whole number."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)) or len(_text(value)) > _MAX_DIGITS:
        raise ValueError(f"{shown(value)} {refusal}")
    if isinstance(value, str):
        match = _QUANTITY.fullmatch(value)
        if match is None or match[2] not in units:
            raise ValueError(f"{shown(value)} {refusal}")
        number, scale = Decimal(match[1]), units[match[2]]
    else:
        # By its shortest text, so that 0.1 means a tenth and not the nearest binary fraction.
        try:
            number, scale = Decimal(_text(value)), default_unit
        except InvalidOperation:
            raise ValueError(f"{shown(value)} {refusal}") from None
        if not number.is_finite() or number < 0:
            raise ValueError(f"{shown(value)} {refusal}")
    total = number * scale
    return int(total) if total == total.to_integral_value() else None


def _text(value: object) -> str:
    """Return decimal text. A huge int is not spelled out, because CPython refuses more than 4300 digits."""
    if isinstance(value, int) and value.bit_length() > 256:
        return "a number of too many digits to spell out"
    return str(value)


def shown(value: object) -> str:
    """Return a value as messages repeat it: text in quotes, cut when it is long."""
    text = f'"{value}"' if isinstance(value, str) else _text(value)
    return text if len(text) <= _MAX_DIGITS + 2 else text[:_MAX_DIGITS] + "…"
