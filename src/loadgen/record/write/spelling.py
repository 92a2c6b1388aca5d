"""The JSON forms of single values, the same in every record. No I/O."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from loadgen.escape import json_text
from loadgen.reason import Reason
from loadgen.record.schema.shape import MAX_INTEGER
from loadgen.units import NS_PER_S


def percent(part: float | None) -> float | None:
    """Return a fraction in percent with at most four decimals: 33.3333, not 33.33333333333333."""
    return None if part is None else round(100.0 * part, 4)


def number(value: float) -> int | float:
    """Return a whole number as an integer when every reader holds it exactly; any other number as a double."""
    return int(value) if abs(value) <= MAX_INTEGER and value == int(value) else float(value)


def share(part_ns: int | None, whole_ns: int) -> float | None:
    """Return a share of a length of time; None when either length is unknown."""
    return round(part_ns / whole_ns, 6) if part_ns is not None and whole_ns > 0 else None


def cpu_us(per_request: float | None) -> float | None:
    """Return a server's CPU time per request, to the nanosecond; None when no request was sent."""
    return None if per_request is None else round(per_request, 3)


def finite(value: float | None, digits: int) -> int | float | None:
    """Return a rounded number; None for a number that JSON lacks, such as the open end of an interval."""
    return number(round(value, digits)) if value is not None and math.isfinite(value) else None


def secs(ns: int) -> int | float:
    return number(ns / NS_PER_S)


def timestamp(wall_s: float) -> str:
    return datetime.fromtimestamp(wall_s, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def texts(sentences: Iterable[str]) -> list[str]:
    return [text(sentence) for sentence in sentences]


def words(reasons: Iterable[Reason]) -> list[str]:
    return [text(reason.words) for reason in reasons]


def codes(reasons: Iterable[Reason]) -> list[str]:
    """Return the codes of reasons, in the order of their `words`."""
    return [str(reason.code) for reason in reasons]


def text(words: str) -> str:
    """Return words from a server, the kernel or a file name, cut to a length and with lone surrogates escaped."""
    return json_text(words)


def tallied(counts: Mapping[str, int]) -> dict[str, int]:
    return {text(name): count for name, count in counts.items()}
