"""The messages between a caller process and its leader: frozen values, pickled. No I/O.

The leader sends a Hello, then orders. The caller sends a Greeting, then a Prepared, Reports and at last an Ended, and a
Failed instead when it cannot go on. Times are of the monotonic clock, which all processes of one host share.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from loadgen.trial.observed import NodeState, Observed
from loadgen.trial.plan import CallerPlan

VERSION = 1
"""The version of these messages. The caller refuses another one."""


# ── Messages to a caller ────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Hello:
    """The first message: the plan; a Greeting follows."""

    plan: CallerPlan
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class Prepare:
    """Make the client and write the shared keys; a Prepared follows."""

    patience_ns: int
    """The time after which the caller gives up."""


@dataclass(frozen=True, slots=True)
class Begin:
    """Begin to call at a monotonic time; Reports follow."""

    start_ns: int
    phase: str
    """The phase of the first reports."""


@dataclass(frozen=True, slots=True)
class EnterPhase:
    """Report what has been observed until now, and go on in another phase."""

    phase: str
    part: int
    """The number of the phase, from 0 for the first: a phase's name may come again."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Begin no more operations, wait for those under way, close the client, and report the end."""


Order = Prepare | Begin | EnterPhase | Stop


# ── Messages from a caller ──────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Greeting:
    """The first message: the caller has its plan."""

    version: int = VERSION


@dataclass(frozen=True, slots=True)
class Prepared:
    """The client is made and the shared keys are written."""

    client_version: str
    """The library and its version, such as "pymemcache 4.0.0"."""
    written: int
    """The number of keys that were written."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a caller observed in an interval."""

    phase: str
    part: int
    """The number of the phase."""
    tick: int
    """The number of the interval, from 0, by the same count in every caller. A phase may begin in an interval, which
    then has a report in each phase."""
    observed: Observed


@dataclass(frozen=True, slots=True)
class Ended:
    """The last message of a caller: its client is closed, or would not be closed."""

    rest: Report
    """What was observed after the last Report, until the drain's end."""
    states: dict[int, NodeState] = field(default_factory=dict)
    """What the client said of each node between the drain and the close, with the sockets of that time."""
    unfinished: int = 0
    """Operations that had not ended when the drain ended."""
    close_ns: int | None = 0
    """The time that closing the client took; None: it had not closed in time."""
    close_error: str = ""
    """The exception that closing the client raised."""
    leaked_sockets: int | None = 0
    """Sockets of the process to the nodes that were still open after the close; None where the kernel does not say."""
    leaked_tasks: int = 0
    """Tasks or threads of the client that were still running after the close."""
    leaked: str = ""
    """The first of them, by name."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The last message of a caller that cannot go on."""

    words: str
    """One or more whole sentences."""
    traceback: str = ""
    """The traceback of an exception that nobody expected."""
    is_usage: bool = False
    """True when the client that the user named is the cause: no such module, no such method."""


Message = Greeting | Prepared | Report | Ended | Failed
"""Every message from a caller."""
