"""What the monitors of a load have read, in a few numbers for each series. Values; no I/O.

Values are in base units: bytes, nanoseconds, plain numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

from loadgen.judge.expression.dimension import Dimension


@dataclass(frozen=True, slots=True)
class SeriesReport:
    """One series of a monitor over the time in which it counts."""

    name: str
    dimension: Dimension
    readings: int
    """The readings that had a value of the series: one at least."""
    first: float
    least: float
    greatest: float
    last: float
    growth_per_min: float | None
    """The slope of the line of least squares, per minute; None where fewer than three readings had a value."""


@dataclass(frozen=True, slots=True)
class MonitorReport:
    """One monitor over a load: its readings within the time that counts, and what it could not read in that time."""

    name: str
    kind: str
    readings: int = 0
    gaps: int = 0
    """How often it had no reading at its time."""
    why: str = ""
    """Why it had none the last time, of the whole load; empty when it always had one."""
    restarts: int = 0
    """How often a reading was of another process than the one before."""
    series: tuple[SeriesReport, ...] = ()
    """The series that had a value, in the monitor's order."""
