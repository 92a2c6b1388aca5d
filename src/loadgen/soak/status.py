"""The state of a soak as its run folder shows it to another process: how far it is, and what is wrong. Pure.

It is told the time, and whether the soak's process is there. A soak that is stopped, hangs or was killed writes nothing
more: its silence is what is seen.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from loadgen.soak.checkpoints import LATE
from loadgen.units import NS_PER_S, format_duration

BEAT_S = 10.0
"""The age of a heartbeat, which comes each second, beyond which the soak does nothing."""

START_S = 60.0
"""The longest from a soak's first file to its first sign of life: servers are brought up, keys are written."""


class Life(StrEnum):
    """What the system says of the soak's process."""

    RUNS = "runs"
    STOPPED = "stopped"
    """By SIGSTOP, or a debugger."""
    GONE = "gone"
    UNKNOWN = "unknown"
    """It is on another machine."""


class Phase(StrEnum):
    """How far a soak is."""

    SETTLING = "settling"
    SOAKING = "soaking"
    PAUSED = "paused"
    ENDED = "ended"


class Trouble(StrEnum):
    """What is wrong."""

    GONE = "gone"
    """The process has ended without a result."""
    OVERDUE = "overdue"
    """The next checkpoint, or the baseline, has not come for one and a half intervals."""
    STOPPED = "stopped"
    SILENT = "silent"
    """The heartbeat is old."""
    RESTART = "restart"
    """What is soaked was started anew."""
    BREACH = "breach"
    """A growth is red."""


FINAL = (Trouble.GONE, Trouble.OVERDUE)
"""After these there is nothing to wait for."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, in a sentence without a full stop."""

    trouble: Trouble
    words: str


@dataclass(frozen=True, slots=True)
class Times:
    """The planned times of a soak, in seconds."""

    began_wall_s: float
    """Unix time of the first file."""
    settle_s: float
    duration_s: float
    checkpoint_s: float
    checkpoints: int

    @classmethod
    def of(cls, run: Mapping[str, Any]) -> Times:
        """Return the times in `run.json`. Raises KeyError, TypeError or ValueError when they are not in there."""
        return cls(
            float(run["started_s"]),
            float(run["settle_s"]),
            float(run["duration_s"]),
            float(run["checkpoint_s"]),
            int(run["checkpoints"]),
        )


@dataclass(frozen=True, slots=True)
class Status:
    """A soak at a time."""

    now_s: float
    """Unix time, as all times here."""
    phase: Phase
    number: int
    """The newest checkpoint; 0 before the first."""
    of: int
    checkpoint_s: float
    """The time of the newest checkpoint; of the baseline before the first, of the begin before that."""
    due_s: float | None
    """When the next checkpoint is due; None when none is: the soak is paused, or at its end."""
    expected_end_s: float
    restarts: int
    gaps: int
    pauses: int
    problems: tuple[Problem, ...]
    """What is wrong, the gravest first; empty for a soak that is healthy and in time."""

    @property
    def left_s(self) -> float:
        """The time until the expected end, at least 0."""
        return max(0.0, self.expected_end_s - self.now_s)

    @property
    def is_healthy(self) -> bool:
        return not self.problems


def status(
    times: Times,
    events: Sequence[Mapping[str, Any]],
    heartbeat: Mapping[str, Any] | None,
    result: Mapping[str, Any] | None,
    now_s: float,
    life: Life = Life.UNKNOWN,
) -> Status:
    """Return the status. `events`, `heartbeat` and `result` are as they are in the run folder."""
    course = _Course(times, events)
    phase = Phase.ENDED if result is not None or course.ended else course.phase
    problems = (
        *(_missing(course, phase, heartbeat, now_s, life) if result is None else ()),
        *_silence(times, phase, heartbeat, now_s, life),
        *course.wrong(),
    )
    # An end is at its time; what is left of a soak under way is moved by pauses and by what is late.
    expected_s = course.expected_end_s(now_s) if phase is not Phase.ENDED else course.last_s
    return Status(
        now_s=now_s,
        phase=phase,
        number=course.number,
        of=course.of,
        checkpoint_s=course.last_s,
        due_s=course.due_s if phase in (Phase.SETTLING, Phase.SOAKING) else None,
        expected_end_s=expected_s,
        restarts=course.count("restart"),
        gaps=course.count("gap"),
        pauses=course.count("pause"),
        problems=problems,
    )


class _Course:
    """What the events say of the course of a soak."""

    def __init__(self, times: Times, events: Sequence[Mapping[str, Any]]) -> None:
        self.times = times
        self._events = events
        self.phase = Phase.SETTLING
        self.number = 0
        self.of = times.checkpoints
        self.last_s = times.began_wall_s
        self.ended = False
        self.duration_s = times.duration_s
        self._paused_at_s: float | None = None
        self._reached_s = 0.0
        """The time of the soak at the newest checkpoint."""
        self._last_pause_s = 0.0
        """How long the load was paused since the newest checkpoint."""
        for event in events:
            self._take(str(event.get("type")), event, float(event.get("wall_s", times.began_wall_s)))

    def _take(self, kind: str, event: Mapping[str, Any], wall_s: float) -> None:
        match kind:
            case "baseline":
                self.phase, self.last_s = Phase.SOAKING, wall_s
            case "checkpoint":
                self.phase, self.last_s, self._last_pause_s = Phase.SOAKING, wall_s, 0.0
                self.number, self.of = int(event.get("number", self.number)), int(event.get("of", self.of))
                self._reached_s = float(event.get("t_s", self._reached_s))
            case "pause":
                self.phase, self._paused_at_s = Phase.PAUSED, wall_s
            case "resume":
                if self._paused_at_s is not None:
                    self._last_pause_s += wall_s - self._paused_at_s
                self.phase, self._paused_at_s = Phase.SOAKING, None
            case "extended":
                before_s, self.duration_s = self.duration_s, float(event.get("duration_s", self.duration_s))
                self.of += math.ceil((self.duration_s - before_s) / self.times.checkpoint_s - 1e-6)
            case "end":
                self.ended, self.last_s = True, wall_s

    def count(self, kind: str) -> int:
        return sum(event.get("type") == kind for event in self._events)

    @property
    def due_s(self) -> float:
        """When the next checkpoint is due, or the baseline while the soak settles."""
        if self.phase is Phase.SETTLING:
            return self.times.began_wall_s + self.times.settle_s
        step_s = min(self.times.checkpoint_s, max(0.0, self.duration_s - self._reached_s))
        return self.last_s + self._last_pause_s + step_s

    def expected_end_s(self, now_s: float) -> float:
        if self.phase is Phase.SETTLING:
            return self.times.began_wall_s + self.times.settle_s + self.duration_s
        paused_s = now_s - self._paused_at_s if self._paused_at_s is not None else 0.0
        return self.last_s + self._last_pause_s + paused_s + max(0.0, self.duration_s - self._reached_s)

    def wrong(self) -> Iterator[Problem]:
        """Yield what the soak itself has found wrong: restarts and breaches."""
        for trouble in (Trouble.RESTART, Trouble.BREACH):
            found = [event for event in self._events if event.get("type") == trouble]
            if found:
                more = f" (the last of {len(found)})" if len(found) > 1 else ""
                yield Problem(trouble, f"{trouble}{more}: {found[-1].get('words', '')}")


def _missing(
    course: _Course, phase: Phase, heartbeat: Mapping[str, Any] | None, now_s: float, life: Life
) -> Iterator[Problem]:
    """Yield that the process is gone, or that the next checkpoint is overdue."""
    if life is Life.GONE:
        yield Problem(Trouble.GONE, "the soak's process is gone, and there is no result: it was killed, or crashed")
        return
    if phase in (Phase.PAUSED, Phase.ENDED):
        return
    grace_s = (LATE - 1) * course.times.checkpoint_s + (START_S if heartbeat is None else 0.0)
    if now_s > course.due_s + grace_s:
        waited, every = _words(now_s - course.last_s), _words(course.times.checkpoint_s)
        since = (
            "the beginning"
            if phase is Phase.SETTLING
            else f"checkpoint {course.number}"
            if course.number
            else "the baseline"
        )
        what = "no baseline" if phase is Phase.SETTLING else "no checkpoint"
        yield Problem(Trouble.OVERDUE, f"{what} for {waited}, since {since}; the interval is {every}")


def _silence(
    times: Times, phase: Phase, heartbeat: Mapping[str, Any] | None, now_s: float, life: Life
) -> Iterator[Problem]:
    """Yield that the soak's process does nothing."""
    if phase is Phase.ENDED or life is Life.GONE:
        return
    beat_s = float(heartbeat["wall_s"]) if heartbeat is not None else times.began_wall_s
    if life is Life.STOPPED:
        words = "the soak's process is stopped, by SIGSTOP or a debugger: `kill -CONT` lets it go on"
        yield Problem(Trouble.STOPPED, words)
    age_s = now_s - beat_s
    if age_s > (BEAT_S if heartbeat is not None else START_S):
        words = f"its heartbeat is {_words(age_s)} old, and should be no older than a second"
        yield Problem(Trouble.SILENT, words)


def _words(time_s: float) -> str:
    """Return a length of time in whole seconds, "3m 10s"."""
    whole = round(time_s)
    if whole < 60 or whole % 60 == 0:
        return format_duration(whole * NS_PER_S)
    minutes, seconds = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return " ".join(f"{count}{unit}" for count, unit in ((hours, "h"), (minutes, "m"), (seconds, "s")) if count)
