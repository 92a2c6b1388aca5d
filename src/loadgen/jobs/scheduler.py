"""Which schedules fire, and how often one was missed: decisions of whoever is told the time and the stored schedules.

Any number of workers may decide at once. Each asks the storage to `fire`, which takes one firing of a time only, and
the firing's job has the time in its id. A schedule only goes ahead: where the clock is set back, it fires again when
the clock has come to the time that was next. What was missed while nobody ran is fired once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice

from loadgen.jobs import cron
from loadgen.jobs.job import NewJob, Terms
from loadgen.jobs.schedule import Schedule

MOST_COUNTED = 1000
"""Missed firings are counted up to this number."""


@dataclass(frozen=True, slots=True)
class Firing:
    """A firing that is due: the arguments of `Storage.fire`."""

    schedule: Schedule
    """As it is stored."""
    intended_ms: int
    """The time that is fired: the latest that has come."""
    next_ms: int
    """The firing after it."""
    missed: int = 0
    """Earlier firings that nobody carried out and nobody will; 1,000 for that many or more."""

    @property
    def job(self) -> NewJob:
        """The job of the firing. Its id has the intended time, so that there is one job for each time."""
        fired = self.schedule
        return NewJob(f"{fired.name}@{self.intended_ms}", fired.job, fired.payload, fired.terms)


def new(
    name: str, expression: str, zone: str, job: str, payload: bytes, now_ms: int, terms: Terms | None = None
) -> Schedule:
    """Return a schedule that fires from now on. Raises UsageError for what is no cron expression or no time zone."""
    return Schedule(
        name, expression, zone, job, payload, cron.next_ms(expression, zone, now_ms), terms if terms else Terms()
    )


def paused(schedule: Schedule) -> Schedule:
    """Return a schedule that does not fire until it is resumed."""
    return replace(schedule, is_paused=True)


def resumed(schedule: Schedule, now_ms: int) -> Schedule:
    """Return a schedule that fires from now on; what would have been fired meanwhile is not."""
    if not schedule.is_paused:
        return schedule
    return replace(schedule, is_paused=False, next_ms=cron.next_ms(schedule.cron, schedule.zone, now_ms))


def changed(schedule: Schedule, expression: str, zone: str, now_ms: int) -> Schedule:
    """Return a schedule with other times, from now on. Raises UsageError as `new` does."""
    return replace(schedule, cron=expression, zone=zone, next_ms=cron.next_ms(expression, zone, now_ms))


def due(schedules: Mapping[str, Schedule], now_ms: int) -> list[Firing]:
    """Return the firings that are to be carried out at a time, the one with the earliest `next_ms` first."""
    ready = [schedule for schedule in schedules.values() if not schedule.is_paused and schedule.next_ms <= now_ms]
    return [_firing(schedule, now_ms) for schedule in sorted(ready, key=lambda each: (each.next_ms, each.name))]


def wait_ms(schedules: Mapping[str, Schedule], now_ms: int) -> int | None:
    """Return the time until the next firing, 0 for one that is due; None when there will be none."""
    times = [schedule.next_ms for schedule in schedules.values() if not schedule.is_paused]
    return max(0, min(times) - now_ms) if times else None


def _firing(schedule: Schedule, now_ms: int) -> Firing:
    intended_ms, missed = schedule.next_ms, 0
    # One more than is counted: the last of them is the next firing, or there are too many to go through.
    for time_ms in islice(cron.times_ms(schedule.cron, schedule.zone, schedule.next_ms), MOST_COUNTED + 1):
        if time_ms > now_ms:
            return Firing(schedule, intended_ms, time_ms, missed)
        intended_ms, missed = time_ms, missed + 1
    latest_ms = cron.latest_ms(schedule.cron, schedule.zone, now_ms)
    return Firing(schedule, latest_ms, cron.next_ms(schedule.cron, schedule.zone, now_ms), MOST_COUNTED)
