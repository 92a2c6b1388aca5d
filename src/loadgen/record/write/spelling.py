"""How single values are spelled in JSON, the same in every record. No I/O."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from loadgen.escape import json_text
from loadgen.reason import Reason
from loadgen.record.schema.shape import MAX_INTEGER
from loadgen.units import NS_PER_S


def percent(part: float | None) -> float | None:
    """A fraction as a percentage of at most four decimals, so that no reader sees 33.33333333333333."""
    return None if part is None else round(100.0 * part, 4)


def number(value: float) -> int | float:
    """Without a fraction where there is none; beyond what every reader takes exactly, as the double that it is."""
    return int(value) if abs(value) <= MAX_INTEGER and value == int(value) else float(value)


def share(part_ns: int | None, whole_ns: int) -> float | None:
    """A part of a length of time; None when either is not known."""
    return round(part_ns / whole_ns, 6) if part_ns is not None and whole_ns > 0 else None


def cpu_us(per_request: float | None) -> float | None:
    """A server's CPU time per request, to the nanosecond; None when nothing was sent."""
    return None if per_request is None else round(per_request, 3)


def finite(value: float | None, digits: int) -> int | float | None:
    """A number rounded; None for one that JSON does not have, such as the end of an interval that is open."""
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
    """The codes of reasons, in the order of their `words`."""
    return [str(reason.code) for reason in reasons]


def text(words: str) -> str:
    """Words from a server, a kernel or a file name."""
    return json_text(words)


def tallied(counts: Mapping[str, int]) -> dict[str, int]:
    return {text(name): count for name, count in counts.items()}
