"""Checkpoints: at set times of a soak, where each series is, and what it has grown by since the baseline. Pure.

The rate of a checkpoint is what it says: (now - baseline) / minutes. It judges nothing; `growths` does.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loadgen.soak.store import Store

LATE = 1.5
"""A checkpoint that comes after so many intervals, of whole samples, is late: for that time nothing was watched."""

_LAST_PART = 1 / 3
"""The part of settling whose median is the baseline."""
AFTER_S = 1e-6
"""The least time of a sample that is of the soak, and not of settling."""
_SLACK_S = AFTER_S


@dataclass(frozen=True, slots=True)
class Schedule:
    """The times of a soak, in seconds. Its clock is 0 at its beginning, negative while it settles, and stands still
    while it pauses."""

    settle_s: float
    duration_s: float
    checkpoint_s: float
    """The time between two checkpoints."""
    every_s: float
    """The time between two samples."""
    at_most_s: float = 0.0
    """A soak that cannot be told is extended up to this; 0: not at all."""
    since_s: float = 0.0
    """Of a soak that was extended, where the newest extension began."""
    earlier: int = 0
    """The checkpoints until then."""

    def extended(self, duration_s: float) -> Schedule:
        """Return the times of this soak when it goes on to `duration_s`: checkpoints count on from its end."""
        return replace(self, duration_s=duration_s, since_s=self.duration_s, earlier=self.checkpoints)

    @property
    def checkpoints(self) -> int:
        """How many checkpoints there are; the last is at the end."""
        return max(1, self.earlier + math.ceil((self.duration_s - self.since_s) / self.checkpoint_s - _SLACK_S))

    @property
    def rows(self) -> int:
        """How many samples are planned, extensions included."""
        return math.ceil((self.settle_s + max(self.duration_s, self.at_most_s)) / self.every_s)

    def time_of(self, number: int) -> float:
        """Return the time of a checkpoint, from 1; before an extension, that of a soak without one."""
        if number <= self.earlier:
            return min(number * self.checkpoint_s, self.since_s)
        return min(self.since_s + (number - self.earlier) * self.checkpoint_s, self.duration_s)

    def due(self, reached: int, t_s: float) -> int:
        """Return the number of the newest checkpoint that is due at a time, when `reached` have been."""
        if t_s >= self.duration_s - _SLACK_S:
            return self.checkpoints
        return max(reached, self.earlier + math.floor((t_s - self.since_s) / self.checkpoint_s + _SLACK_S))

    @property
    def late_s(self) -> float:
        """The time after a checkpoint at which the next one is late. Checkpoints come with samples."""
        return LATE * self.every_s * math.ceil(self.checkpoint_s / self.every_s - _SLACK_S)


@dataclass(frozen=True, slots=True)
class Base:
    """The value of a series that its growth is counted from, and its time."""

    value: float
    t_s: float


@dataclass(frozen=True, slots=True)
class Reached:
    """Where a series is at a checkpoint."""

    value: float | None
    """The newest value since the checkpoint before; None: there was none."""
    growth: float | None = None
    """Since the baseline; None without one."""
    per_min: float | None = None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """All series at a checkpoint."""

    number: int
    of: int
    t_s: float
    reached: Mapping[str, Reached]


def baseline(store: Store, schedule: Schedule, names: Iterable[str]) -> dict[str, Base]:
    """Return the median of each series over the last part of settling; without settling, its first value so far."""
    found = {}
    for name in names:
        values = store.points(name, -schedule.settle_s * _LAST_PART, _SLACK_S).values
        if values:
            found[name] = Base(statistics.median(values), 0.0)
    return found


def checkpoint(
    store: Store,
    schedule: Schedule,
    bases: Mapping[str, Base],
    number: int,
    t_s: float,
    names: Iterable[str],
    counted: Container[str] = (),
) -> Checkpoint:
    """Return where the series are at the checkpoint of this number, `t_s` in the soak.

    Of the series in `counted`, whose values are counts of intervals, the value is the sum since the beginning.
    """
    since_s = schedule.time_of(number - 1) + _SLACK_S if number > 1 else -math.inf
    reached = {}
    for name in names:
        value, base = store.newest(name, since_s), bases.get(name)
        if name in counted:
            value, base = math.fsum(store.points(name, _SLACK_S, t_s).values), Base(0.0, 0.0)
        if value is None or base is None or t_s - base.t_s <= _SLACK_S:
            reached[name] = Reached(value)
        else:
            growth = value - base.value
            reached[name] = Reached(value, growth, growth / ((t_s - base.t_s) / 60))
    return Checkpoint(number, schedule.checkpoints, t_s, reached)


def late(schedule: Schedule, times_s: Iterable[float]) -> Iterator[tuple[int, float]]:
    """Yield the place among checkpoints, from 0, of each that was late, and the seconds since the one before.

    `times_s` are the seconds by the clock on the wall, without pauses, of the beginning and of each checkpoint.
    """
    for place, (before_s, at_s) in enumerate(itertools.pairwise(times_s)):
        if at_s - before_s > schedule.late_s:
            yield place, at_s - before_s
