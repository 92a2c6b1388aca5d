"""What has been found of a soak: baseline, checkpoints, gaps, restarts, totals, and how it ended. Values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from loadgen.judge.expression.value import Scalar
from loadgen.slo import Attainment
from loadgen.soak.checkpoints import Base, Checkpoint


class How(StrEnum):
    """How a soak ended."""

    COMPLETE = "complete"
    INTERRUPTED = "interrupted"
    """By Ctrl-C or a signal."""
    STOPPED = "stopped"
    """By a no-go signal."""
    CRASHED = "crashed"
    """The server ended, or accepts no connection any more."""
    FAILED = "failed"
    """loadgen could not go on: a worker died, the run folder could not be written."""
    KILLED = "killed"
    """The run folder has no end: loadgen was killed, or the soak still runs."""


@dataclass(frozen=True, slots=True)
class End:
    """The end of a soak."""

    how: How
    t_s: float
    """In seconds of the soak."""
    why: str = ""
    """In a sentence; empty for a soak that is complete."""


@dataclass(frozen=True, slots=True)
class GapSeen:
    """A monitor could not be read once."""

    monitor: str
    t_s: float
    why: str
    ours: bool = False
    """True when loadgen was too busy to read it, or was stopped: that says nothing about what is read."""


@dataclass(frozen=True, slots=True)
class RestartSeen:
    """Another process than before was read."""

    monitor: str
    t_s: float
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class ObjectiveSeen:
    """An objective of `[slo]`, as far as it was met."""

    name: str
    answer: Attainment
    found: str


@dataclass(frozen=True, slots=True)
class Totals:
    """What the load came to so far, settling left out: the value of each name of a run that has one for all of it."""

    t_s: float = 0.0
    values: Mapping[str, Scalar] = field(default_factory=dict)
    """By name, or `name[command]`, in base units."""
    objectives: tuple[ObjectiveSeen, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """All of it."""

    bases: Mapping[str, Base] = field(default_factory=dict)
    checkpoints: tuple[Checkpoint, ...] = ()
    checkpoints_s: tuple[float, ...] = ()
    """When the soak began and when each checkpoint came, by the clock on the wall, without pauses."""
    gaps: tuple[GapSeen, ...] = ()
    restarts: tuple[RestartSeen, ...] = ()
    totals: Totals = field(default_factory=Totals)
    paused_s: float = 0.0
    named: Mapping[str, str] = field(default_factory=dict)
    """By column, who leaks, from the evidence of a breach: "sockets to 10.0.0.7:443 +40"."""
