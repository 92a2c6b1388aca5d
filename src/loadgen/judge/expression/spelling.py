"""Values of checks for people: "4.2 ms", "0.12 %", "7.2/min", "3.9 to 4.2/min"."""

from __future__ import annotations

import re
from fractions import Fraction

from loadgen.judge.expression.dimension import UNITS, Dimension, Kind
from loadgen.judge.expression.value import AtLeast, Between
from loadgen.units import percent, span

_LARGE = 1000
"""From here on a number is spelled without decimals."""

_EXACT = 10**15
"""Below this a float shows every whole number in digits."""


_SPELLED = re.compile(r"(-?[0-9.,e+]+)(.*)")
"""A number and its unit."""


def spell(value: Fraction | AtLeast | Between, dimension: Dimension, per: str = "s", *, as_share: bool = False) -> str:
    """Return a value with a unit. `per` is the unit of time of rates; `as_share` writes a plain number in percent."""
    if isinstance(value, AtLeast):
        return "above any limit" if value.least is None else f"at least {spell(value.least, dimension, per)}"
    if isinstance(value, Between):
        return _interval(*(spell(bound, dimension, per, as_share=as_share) for bound in (value.low, value.high)))
    number = _float(value * UNITS[per].factor if dimension.time == -1 else value)
    sign, number = ("-" if number < 0 else ""), abs(number)
    match dimension.time, dimension.size:
        case 0, 0:
            said = percent(number) if as_share or dimension.kind is Kind.SHARE else _number(number)
        case 1, 0:
            said = span(number)
        case -1, 0:
            said = f"{_number(number)}/{per}"
        case 0, 1:
            said = _size(number)
        case -1, 1:
            said = f"{_size(number)}/{per}"
        case time, size:
            said = f"{number:.4g} ns^{time} B^{size}"
    return sign + said


def _interval(low: str, high: str) -> str:
    """Return two spelled values as one interval, with their unit once where it is the same: "3.9 to 4.2/min"."""
    if low == high:
        return low
    first, last = _SPELLED.fullmatch(low), _SPELLED.fullmatch(high)
    return f"{first[1]} to {high}" if first and last and first[2] == last[2] else f"{low} to {high}"


def _float(value: Fraction) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def _number(number: float) -> str:
    if number < _EXACT and (number == int(number) or number >= _LARGE):
        return f"{number:,.0f}"
    return f"{number:.3g}"


def _size(number: float) -> str:
    for unit, factor in (("GB", 1000**3), ("MB", 1000**2), ("KB", 1000)):
        if number >= factor:
            return f"{number / factor:.3g} {unit}"
    return f"{number:.3g} B"
