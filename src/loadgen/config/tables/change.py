"""A change of a metric as text: `"5%"` where both directions matter, `"-5%"` or `"+10%"` where one does.

A change is a share of the value before, 0.05 for 5 %. None is written as `false`: the metric is not judged.
"""

from __future__ import annotations

import re
from decimal import Decimal

from loadgen.config.tables.refused import ProblemCode, Refused
from loadgen.config.tables.share import format_share

MAX_CHANGE = 10.0
"""1000 %: a metric that may grow to more than eleven times its value is better left out."""

CHANGE = r"[0-9]{1,4}(?:\.[0-9]+)?\s*%"

_SIGNED = re.compile(rf"\s*([+-]?)\s*({CHANGE})\s*", re.ASCII)

_OR_FALSE = "or false to leave the metric out"


def parse_change(value: object) -> float | None:
    """Return a change in either direction: a percentage, or a number below 1. Raises ValueError for anything else."""
    if value is False:
        return None
    if isinstance(value, str) and (match := _SIGNED.fullmatch(value)):
        if match[1]:
            raise ValueError(f'has a sign, and a change either way matters here; write "{match[2]}"')
        return _within_bounds(match[2])
    if isinstance(value, float) and 0 < value < 1:
        return value
    raise ValueError(f'is not a change that matters; write a percentage, such as "5%", {_OR_FALSE}')


def parse_fall(value: object) -> float | None:
    """Return the fall to allow a metric that gets worse by falling: `"-5%"` is 0.05. Raises ValueError."""
    change = _parse_signed(value, "-", "5%", "a throughput gets worse by falling")
    if change is not None and change >= 1:
        raise Refused(
            ProblemCode.TOO_LARGE, 'can never be judged, as nothing falls by more than 100%; write less, such as "-5%"'
        )
    return change


def parse_rise(value: object) -> float | None:
    """Return the rise to allow a metric that gets worse by rising: `"+10%"` is 0.1. Raises ValueError."""
    return _parse_signed(value, "+", "10%", "it gets worse by rising")


def format_change(change: float | None) -> str | bool:
    """Return the value that `parse_change` reads back."""
    return False if change is None else format_share(change)


def format_fall(change: float | None) -> str | bool:
    """Return the value that `parse_fall` reads back."""
    return False if change is None else f"-{format_share(change)}"


def format_rise(change: float | None) -> str | bool:
    """Return the value that `parse_rise` reads back."""
    return False if change is None else f"+{format_share(change)}"


def _parse_signed(value: object, sign: str, usual: str, why: str) -> float | None:
    if value is False:
        return None
    match = _SIGNED.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f'is not a change with its sign; {why}: write "{sign}{usual}", {_OR_FALSE}')
    if match[1] != sign:
        wrong = "has the wrong sign" if match[1] else "has no sign"
        raise ValueError(f'{wrong}; {why}: write "{sign}{match[2]}"')
    return _within_bounds(match[2])


def _within_bounds(percentage: str) -> float:
    # In decimal, so that "5%" is the same number as 0.05.
    change = float(Decimal(percentage.removesuffix("%").rstrip()) / 100)
    if not 0 < change <= MAX_CHANGE:
        raise ValueError(f"must be more than 0% and at most {MAX_CHANGE:.0%}, or false to leave the metric out")
    return change
