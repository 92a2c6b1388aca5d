"""What is said between a worker and its crew: frozen values, pickled. No I/O.

The crew says Hello, then orders; the worker says a Greeting, then reports, and Failed when it cannot go on. Neither
imports the other. A time in a message is one of the worker's own monotonic clock; the crew translates it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from loadgen.phase import Phase
from loadgen.plan import Load, Plan
from loadgen.signs import WorkerSigns
from loadgen.snapshot import Snapshot

VERSION = 3
"""Of these messages. Each side says its version first, and refuses another one."""

OTHER_FILES = 32
"""Descriptors that a worker needs beside one for each connection."""

OPENED_AT_A_TIME = 256
"""Connections that a worker opens at once, each of which may take the whole connect timeout."""


# ── What a worker is told ───────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Hello:
    """The first message: the plan, and which of its workers this one is; a Greeting follows."""

    plan: Plan
    index: int
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class Connect:
    """Open the connections that are down; a Connected follows."""

    fresh: bool = False
    """Replace those that are up as well."""


@dataclass(frozen=True, slots=True)
class WriteKeys:
    """Write every key of the worker's share once; a Written follows."""


@dataclass(frozen=True, slots=True)
class PutOn:
    """Put a load on the servers; a Drained follows."""

    load: Load
    start_ns: int
    """Monotonic time at which the warm-up begins."""

    @property
    def measure_ns(self) -> int:
        """Monotonic time at which the measure window begins."""
        return self.start_ns + self.load.warmup_ns

    @property
    def end_ns(self) -> int:
        """And at which it ends, unless its requests end it before."""
        return self.measure_ns + self.load.window_ns


@dataclass(frozen=True, slots=True)
class EndLoad:
    """End the load's window now, and drain."""


@dataclass(frozen=True, slots=True)
class TellTime:
    """Say what the monotonic clock shows; a ClockReading follows at once."""


@dataclass(frozen=True, slots=True)
class Goodbye:
    """The last message: close all connections and end."""


Order = Connect | WriteKeys | PutOn | EndLoad | TellTime | Goodbye


# ── What a worker says ──────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Greeting:
    """The first message: the worker has its plan, and waits for orders."""

    clock_ns: int
    """What its monotonic clock showed."""
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class ClockReading:
    """What the worker's monotonic clock showed when it was asked."""

    clock_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What every report has."""

    phase: Phase
    snapshot: Snapshot
    """The phase so far, not only the interval."""
    down: tuple[int, ...] = ()
    """Connections to each endpoint that are not ready."""
    examples: Mapping[str, str] = field(default_factory=dict)
    """The first failure of each reason, and the first error reply of each class, in the server's words."""
    max_rss_bytes: int = 0


class Connected(Report):
    """Each connection was opened, or could not be."""


class Progressed(Report):
    """How far a prefill has come."""


class Written(Report):
    """Every key is written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IntervalEnded(Report):
    """An interval of a load's phase is over."""

    number: int
    """Which one of the phase, from 1."""
    length_ns: int
    """The last one of a phase may be short."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained(Report):
    """A load is over."""

    finals: Mapping[Phase, Snapshot]
    """Every phase."""
    signs: WorkerSigns
    """What the machine did to the worker in the measure window."""
    window_end_ns: int
    """When the measure window ended, monotonic; with a number of requests, the last reply's time."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The last thing that a worker says when it cannot go on."""

    words: str
    traceback: str = ""
    """Where an error of ours arose; empty when the system had too little of something."""


Message = Greeting | ClockReading | Report | Failed
"""All that a worker says."""
