"""The messages between a worker and its crew: frozen values, pickled. No I/O.

The crew sends a Hello, then orders. The worker sends a Greeting, then reports, and a Failed when it cannot go on.
Neither imports the other. The times in messages are of the worker's own monotonic clock; the crew converts them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from loadgen.phase import Phase
from loadgen.plan import Load, Plan, Topology
from loadgen.signs import HostSigns, WorkerSigns
from loadgen.snapshot import HistoryCounts, NodeCounts, Snapshot

VERSION = 8
"""The version of these messages. Each side sends its version first, and refuses another one."""

OTHER_FILES = 32
"""Descriptors that a worker needs beside one for each connection."""

OPENED_AT_A_TIME = 256
"""Connections that a worker opens at once, each of which may take the whole connect timeout."""


# ── Messages to a worker ────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Hello:
    """The first message: the plan, and the indexes of the member's workers in it; a Greeting follows."""

    plan: Plan
    workers: tuple[int, ...]
    """One for a worker process, one or more for a machine."""
    lease_ns: int = 0
    """The time after which a worker that has received nothing more ends by itself; 0: never."""
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class Connect:
    """Open the connections that are down; a Connected follows, with a Progressed now and then until it comes."""

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
        """Monotonic time at which the measure window ends, unless its requests end it before."""
        return self.measure_ns + self.load.window_ns


@dataclass(frozen=True, slots=True)
class Reroute:
    """Take over the nodes of a cluster as they are now, also in answer to a Stale."""

    topology: Topology


@dataclass(frozen=True, slots=True)
class EndLoad:
    """End the load's window now, and drain. A worker that has drained by itself has said so, and says nothing more."""


@dataclass(frozen=True, slots=True)
class EndDrain:
    """End the drain now: the server has ended, so no reply follows but those that have arrived."""


@dataclass(frozen=True, slots=True)
class TellTime:
    """Report the time of the monotonic clock; a ClockReading follows at once."""


@dataclass(frozen=True, slots=True)
class Beat:
    """The leader is there: the worker's lease begins anew. Nothing follows."""


@dataclass(frozen=True, slots=True)
class Goodbye:
    """The last message: close all connections and end."""


Order = Connect | WriteKeys | PutOn | Reroute | EndLoad | EndDrain | TellTime | Beat | Goodbye


# ── Messages from a worker ──────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Greeting:
    """The first message: the worker has its plan, and waits for orders."""

    clock_ns: int
    """The time of the worker's monotonic clock."""
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class ClockReading:
    """The time of the worker's monotonic clock when it received TellTime."""

    clock_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The fields of every report."""

    phase: Phase
    snapshot: Snapshot
    """The whole phase so far, not only the interval."""
    down: tuple[int, ...] = ()
    """Connections to each endpoint that are not ready."""
    examples: Mapping[str, str] = field(default_factory=dict)
    """The first failure of each reason, and the first error reply of each class, in the server's words."""
    max_rss_bytes: int = 0


class Connected(Report):
    """Each connection was opened, or could not be."""


class Progressed(Report):
    """The progress of opening connections, or of a prefill."""


class Written(Report):
    """Every key is written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IntervalEnded(Report):
    """An interval of a load's phase is over."""

    number: int
    """The number of the interval in its phase, from 1."""
    length_ns: int
    """The last interval of a phase may be short."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What became of each server in a moment of the measure window."""

    number: int
    """From 1; a request that ends after the window is in the moment after the last."""
    nodes: Mapping[str, NodeCounts]
    """By name; a server that joined later is in later moments only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained(Report):
    """A load is over."""

    finals: Mapping[Phase, Snapshot]
    """The counts of every phase."""
    signs: tuple[WorkerSigns, ...]
    """The machine's effects on each of the member's workers in the measure window."""
    host: HostSigns | None = None
    """The member's machine over the load; None for a worker of the leader's machine, which looks itself."""
    moment: Moment | None = None
    """The moment after the window's last one, where the load has moments."""
    history: HistoryCounts | None = None
    """The history of all loads so far; None where none is kept."""
    window_end_ns: int
    """Monotonic time at which the measure window ended; with a number of requests, that of the last reply."""


@dataclass(frozen=True, slots=True)
class Stale:
    """A node named another one that is not known, or serves nothing now: a Reroute is wanted."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The last message of a worker that cannot go on."""

    words: str
    traceback: str = ""
    """The traceback of a bug in loadgen; empty when the system ran out of something."""


Message = Greeting | ClockReading | Report | Moment | Stale | Failed
"""Every message from a worker."""
