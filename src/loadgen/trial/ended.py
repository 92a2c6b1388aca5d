"""The events of trials: their beginnings, phases, samples and ends. Values; no I/O."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from loadgen.events import Ending, Event
from loadgen.faults.report import FaultReport
from loadgen.judge.named import Check
from loadgen.monitors.report import MonitorReport
from loadgen.reason import Reason
from loadgen.severity import Severity
from loadgen.trial.observed import Observed, Transition, WrongAnswer
from loadgen.trial.plan import TrialPlan

PHASES = ("settle", "baseline", "fault", "recovery")

VERDICTS = {
    Severity.GOOD: "pass",
    Severity.FAILED: "fail",
    Severity.BREACHED: "fail",
    Severity.INVALID: "cannot-tell",
    Severity.UNKNOWN: "cannot-tell",
    Severity.COULD_NOT_RUN: "could-not-run",
    Severity.INTERRUPTED: "interrupted",
}
"""The answer of a trial by its gravest severity."""


@dataclass(frozen=True, slots=True)
class ChaosBegan(Event):
    """The beginning of trials, one after the other."""

    trials: tuple[TrialPlan, ...]
    """Empty where the workload runs without faults until it is stopped."""
    loops: bool = False
    """True when the trials are repeated until somebody stops them."""
    wall_s: float = field(default_factory=time.time)


@dataclass(frozen=True, slots=True)
class TrialBegan(Event):
    """The beginning of one trial."""

    plan: TrialPlan
    number: int
    """From 1."""
    wall_s: float = field(default_factory=time.time)


@dataclass(frozen=True, slots=True)
class TrialPhaseBegan(Event):
    """A phase of a trial began: one of `PHASES`."""

    phase: str
    length_ns: int
    """0: until somebody stops it."""
    wall_s: float = field(default_factory=time.time)


@dataclass(frozen=True, slots=True)
class TrialSample(Event):
    """One interval of a trial, all callers together."""

    phase: str
    observed: Observed
    wall_s: float = field(default_factory=time.time)


@dataclass(frozen=True, slots=True)
class NodeFigures:
    """What became of one node in one trial. Times are ns; None: it did not happen, or cannot be told."""

    node: int
    faulted: bool
    """True when a fault of the scenario was on the node."""
    detected_ns: int | None = None
    """From the beginning of the fault to the first error, or to the breaker's opening where there is one."""
    outage_ns: int | None = None
    """From the first error to the last."""
    recovered_ns: int | None = None
    """From the end of the last fault on the node to the time from which the node's rate of good operations and its p99
    are back inside the baseline's interval."""


@dataclass(frozen=True, slots=True)
class PoolPoint:
    """The pool of one node at one time, over all callers. None: the client does not say."""

    at_ns: int
    """By the monotonic clock."""
    phase: str
    node: int
    total: int | None
    active: int | None
    idle: int | None
    waiting: int | None


@dataclass(frozen=True, slots=True)
class ServerCount:
    """The operations that the server of one node counted itself, from the first operation of the callers to the last.

    They are those of the client, its repetitions included: nothing else sends such operations meanwhile.
    """

    node: int
    operations: Mapping[str, int] | None
    """By the operation's name; a memcached counts each key of a get_many as a get. None where the server was started
    anew, or did not answer."""


@dataclass(frozen=True, slots=True)
class TrialEnded(Ending):
    """The end of one trial."""

    plan: TrialPlan
    checks: tuple[Check, ...]
    phases: Mapping[str, Observed] = field(default_factory=dict)
    """What was observed in each phase, all callers together."""
    figures: tuple[NodeFigures, ...] = ()
    """One for each node."""
    faults: tuple[FaultReport, ...] = ()
    transitions: tuple[Transition, ...] = ()
    wrong: tuple[WrongAnswer, ...] = ()
    """The first wrong answers, 20 at most."""
    pools: tuple[PoolPoint, ...] = ()
    """The pool of each node once a second; empty where the client does not expose its pool."""
    servers: tuple[ServerCount, ...] = ()
    """One for each node."""
    leaked_sockets: int | None = None
    """Connections that the client left open; None where that is not known."""
    backend_served: int | None = None
    """The values that the backend of a stampede was asked for, by its own count; None without a backend."""
    client_version: str = ""
    server: str = ""
    """What the nodes call themselves, with version."""
    began_ns: int = 0
    """The start of the baseline by the monotonic clock, from which outputs count times."""
    reasons: tuple[Reason, ...] = ()
    """Why the trial could not be run to its end, or does not hold."""
    notes: tuple[Reason, ...] = ()
    monitors: tuple[MonitorReport, ...] = ()
    """What each monitor read in the baseline, the fault and the recovery; empty without monitors."""
    interrupted: bool = False
    wall_s: float = field(default_factory=time.time)

    @property
    def verdict(self) -> str:
        """The answer: one of the values of VERDICTS."""
        return VERDICTS[self.severity]

    @property
    def severity(self) -> Severity:
        said = (reason.severity for reason in self.reasons)
        return Severity.gravest(
            [*[Severity.INTERRUPTED] * self.interrupted, *said, *(check.severity for check in self.checks)]
        )


@dataclass(frozen=True, slots=True)
class ChaosEnded(Ending):
    """The end of all trials of a command."""

    trials: tuple[TrialEnded, ...]
    interrupted: bool = False

    @property
    def severity(self) -> Severity:
        return Severity.gravest(
            [*[Severity.INTERRUPTED] * self.interrupted, *(trial.severity for trial in self.trials)]
        )
