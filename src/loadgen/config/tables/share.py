"""A share of a whole as text: a number from 0 to 1, or a percentage in quotes, such as `"0.1%"`."""

from __future__ import annotations

import re
from contextlib import suppress
from decimal import Decimal

from loadgen.units import parse_count

_BELOW_100 = r"[0-9]{1,2}(?:\.[0-9]+)?"

PERCENT = rf"\s*(100(?:\.0+)?|{_BELOW_100})\s*%\s*"
"""A percentage, as a regular expression."""

PERCENT_BELOW_100 = rf"\s*{_BELOW_100}\s*%\s*"

_PERCENT = re.compile(PERCENT, re.ASCII)


def parse_share(value: object) -> float:
    """Return the share as a number from 0 to 1. Raises ValueError for anything else."""
    if isinstance(value, str) and (match := _PERCENT.fullmatch(value)):
        # In decimal, so that "0.1%" is the same number as 0.001.
        return float(Decimal(match[1]) / 100)
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
        return float(value)
    raise ValueError('is not a share; write a number from 0 to 1, such as 0.1, or a percentage, such as "10%"')


def format_share(share: float) -> str:
    """Return a share as a percentage, without losing a digit: the shortest text of a double has at most 17."""
    return f"{(Decimal(repr(share)) * 100).normalize():f}%"


def parse_tolerance(value: object) -> int | float:
    """Return a tolerance: a count as an int, or a share of all, below 1, as a float. Raises ValueError."""
    share: float | None = None
    with suppress(ValueError):
        value = parse_count(value) if isinstance(value, str) else value
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53:
        return value
    with suppress(ValueError):
        share = None if isinstance(value, int) else parse_share(value)
    if share is None or share == 1:
        raise ValueError('is neither a count, such as 0 or 10, nor a share below 1, such as 0.001 or "0.1%"')
    return share


def format_tolerance(tolerance: int | float) -> int | str:
    """Return what `parse_tolerance` reads back. A share becomes a percentage, as 0.0 could be taken for a count."""
    if isinstance(tolerance, int):
        return tolerance
    return format_share(tolerance)
