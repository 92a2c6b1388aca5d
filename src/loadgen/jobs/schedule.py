"""Schedules: jobs that are published by a cron expression, in a time zone. Values; the time is an argument."""

from __future__ import annotations

from dataclasses import dataclass, field

from loadgen.jobs.job import Terms


@dataclass(frozen=True, slots=True)
class Schedule:
    """A job that is published again and again."""

    name: str
    cron: str
    """Five fields of cron, or six with seconds first."""
    zone: str
    """A time zone of the IANA database, such as Europe/Berlin."""
    job: str
    """Which function executes it."""
    payload: bytes
    """The argument of each of its jobs, in JSON."""
    next_ms: int
    """The Unix time in ms of the next firing."""
    terms: Terms = field(default_factory=Terms)
    is_paused: bool = False
