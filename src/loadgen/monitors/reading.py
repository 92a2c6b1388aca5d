"""What comes of a monitor at each of its times: a reading, a gap, or both where a part of a reading is missing. Values.

Readings have values in the base units of checks (`judge.expression.dimension`): times in nanoseconds, sizes in bytes,
and plain numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reading:
    """The values that a monitor found at one time."""

    monitor: str
    """The monitor's name."""
    at_ns: int
    """The monotonic time at which the values had been read."""
    wall_s: float
    """Unix time."""
    values: Mapping[str, float]
    """By series, in base units; finite. A series without a value at this time is not there."""
    identity: str = ""
    """What was read, such as "pid 123, started 456": another identity is a restart. Empty where that is not known."""


@dataclass(frozen=True, slots=True)
class Gap:
    """One time at which a monitor has not found what it looks for."""

    monitor: str
    at_ns: int
    """The monotonic time that was missed, or at which the failure was known."""
    wall_s: float
    """Unix time."""
    why: str
    """The reason, in a sentence without a full stop, fit to be shown."""
