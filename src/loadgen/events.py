"""The events of a running verb, as frozen values. No I/O.

Everything above a worker is a fold over Events.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from loadgen.errors import ExitCode
from loadgen.faults.fault import Fault
from loadgen.faults.report import FaultReport, Outage
from loadgen.hosts import AgentHost, HostPart
from loadgen.judge.check import Checked
from loadgen.judge.judging import Judging
from loadgen.monitors.reading import Gap, Reading
from loadgen.monitors.report import MonitorReport
from loadgen.overload import Overload
from loadgen.phase import Phase
from loadgen.plan import KeptHistory, LoadPhase, Plan
from loadgen.reason import Code, Reason, words_of
from loadgen.severity import Severity
from loadgen.signs import Signs
from loadgen.slo import Attainment, Evaluation
from loadgen.snapshot import HistoryCounts, Snapshot
from loadgen.stats.search import Outcome, SearchAnswer, SearchSettings, Step
from loadgen.stats.trial import Limit
from loadgen.units import NS_PER_S, NS_PER_US
from loadgen.usage import ServerReport, Usage

NOTHING_MEASURED = Reason(Code.NOTHING_MEASURED, "no requests were measured", Severity.INVALID)
NOT_FOUND = Reason(Code.UNFINISHED, "the search ended before it had an answer", Severity.COULD_NOT_RUN)

_NO_ANSWER = {
    Outcome.NEVER_PASSED: Reason(Code.NO_RATE_PASSED, "no rate passed", Severity.BREACHED),
    Outcome.GENERATOR_LIMITED: Reason(
        Code.GENERATOR_LIMITED, "the generator reached its limit before the server", Severity.UNKNOWN
    ),
    Outcome.UNCONFIRMED: Reason(
        Code.UNCONFIRMED, "rates that had passed failed again on new connections", Severity.UNKNOWN
    ),
}

_ATTAINED = {
    Attainment.MET: Severity.GOOD,
    Attainment.UNKNOWN: Severity.UNKNOWN,
    Attainment.BREACHED: Severity.BREACHED,
}


@dataclass(frozen=True, slots=True)
class Event:
    """An event of a running verb. Every output receives all events of every verb."""


@dataclass(frozen=True, slots=True)
class Ending(Event, ABC):
    """The end of a verb, or of one of the loads, tests or comparisons that a command consists of."""

    @property
    @abstractmethod
    def severity(self) -> Severity:
        """The gravest severity of all that this ending reports."""

    @property
    def exit_code(self) -> ExitCode:
        """The exit status of a command with this ending."""
        return self.severity.code


@dataclass(frozen=True, slots=True)
class Configured(Event):
    """The run is about to start."""

    plan: Plan
    version: str
    warnings: tuple[Reason, ...] = ()
    """Remarks on the configuration."""
    embedded: bool = False
    """True when the target is loadgen's built-in server: the figures then describe that server."""
    server: str = ""
    """Name and version in the server's own words; empty when the server does not report them."""
    search: SearchSettings | None = None
    """The settings of the search that follows; None when a run of the plan's own load follows."""
    host: str = ""
    """The fingerprint of this machine."""
    judging: Judging = field(default_factory=Judging)
    """The objectives and limits that the result will be judged by."""
    faults: tuple[Fault, ...] = ()
    """The faults that will come over the servers."""
    agents: tuple[AgentHost, ...] = ()
    """The machines that send the load; empty where this one does."""
    dry_run: bool = False
    """True when nothing follows: what the machines would do is all that was asked for."""
    wall_s: float = field(default_factory=time.time)
    """Unix time."""


@dataclass(frozen=True, slots=True)
class ServerAwaited(Event):
    """The server of a load is being started, which may take long. A Configured follows when the server answers.

    This event is not part of a result: the Configured has all of its facts.
    """

    name: str
    """The server's name in outputs."""
    load: Configured
    """The facts known so far: all but the server's port and identity."""


@dataclass(frozen=True, slots=True)
class PhaseBegan(Event):
    """A phase began: connect, precheck, prefill, warmup, measure or drain; search, where rates are tried."""

    phase: str
    wall_s: float
    """Unix time."""


@dataclass(frozen=True, slots=True)
class Part:
    """One of a series of steps of a verb, such as round 3 of 8."""

    name: str
    """A noun: round, slice, server, rate."""
    number: int
    """From 1."""
    total: int
    """The highest number that there may be."""

    def __str__(self) -> str:
        """Return the name and the numbers: "round 3/8"."""
        return f"{self.name} {self.number}/{self.total}"


@dataclass(frozen=True, slots=True)
class Overall:
    """The progress of a verb that puts on several loads."""

    parts: tuple[Part, ...]
    """The outermost first: rounds, then slices."""
    left_ns: int | None = None
    """The most time that the rest takes; None where that is unknown."""


@dataclass(frozen=True, slots=True)
class Progress(Event):
    """The progress of a long phase; for standard error only, not part of a result."""

    phase: str
    done: int
    total: int
    """In `unit` or, when that is empty, in keys (prefill), connections (connect) or nanoseconds (ready, warmup,
    measure, drain)."""
    elapsed_ns: int
    note: str = ""
    """The diagnosis of a stall, in words."""
    overall: Overall | None = None
    """The progress of the verb that the phase is part of; None when the verb puts on one load."""
    target: str = ""
    """The name of the phase's server, where there are several servers."""
    unit: str = ""
    """`requests` for a measure window that a number of requests ends; else empty."""
    left_ns: int | None = None
    """The time left at the present rate; None where the rate so far says it."""
    per_s: Mapping[str, float] = field(default_factory=dict)
    """By machine, what it does per second of late; empty where one machine does all."""


MOST_SAMPLED = 16
"""The most machines whose part of each interval is told: of more, that would be most of what a leader does."""


@dataclass(frozen=True, slots=True)
class Sample(Event):
    """One interval of warmup or measure, all workers merged."""

    phase: str
    wall_s: float
    """Unix time of the interval's end."""
    interval_ns: int
    interval: Snapshot
    server: Usage | None = None
    """The resource use of a watched server in the interval, whose requests are those sent in `interval`."""
    offered: int = 0
    """Requests that fell due in the interval, with a schedule."""
    growing: bool = False
    """True when the backlog at the interval's end (`interval.backlog`) is older than that at its start."""
    hosts: Mapping[str, Snapshot] = field(default_factory=dict)
    """By name, the part of each machine, where at most MOST_SAMPLED agents send the load; else empty."""


@dataclass(frozen=True, slots=True)
class FaultBegan(Event):
    """A fault began on one node."""

    fault: Fault
    node: int
    """From 1."""
    at_ns: int
    """The monotonic time at which the fault had begun."""
    wall_s: float
    """Unix time."""


@dataclass(frozen=True, slots=True)
class FaultEnded(Event):
    """A fault ended on one node."""

    fault: Fault
    node: int
    at_ns: int
    """The monotonic time at which the fault had ended: a killed server answers again."""
    wall_s: float
    """Unix time."""
    effects: int
    """How often the fault took effect in this spell; `kinds.Kind.counts` says of what."""
    failure: str = ""
    """Why the fault could not be begun or ended, in a sentence; empty when it was."""


@dataclass(frozen=True, slots=True)
class TopologyChanged(Event):
    """Nodes of a cluster have come, gone or changed what they serve, or sentinels have named another master."""

    at_ns: int
    """The monotonic time at which it was seen."""
    wall_s: float
    """Unix time."""
    words: tuple[str, ...]
    """What changed, one sentence for each change, without its full stop."""


@dataclass(frozen=True, slots=True)
class Monitored(Event):
    """A monitor has read its series."""

    reading: Reading
    target: str = ""
    """The name of the candidate beside whose load it was read, in a comparison; else empty."""

    @property
    def at_ns(self) -> int:
        """The monotonic time of the reading."""
        return self.reading.at_ns


@dataclass(frozen=True, slots=True)
class MonitorGap(Event):
    """A monitor has no reading of one of its times."""

    gap: Gap
    target: str = ""
    """As in Monitored."""

    @property
    def at_ns(self) -> int:
        """The monotonic time at which the reading was due."""
        return self.gap.at_ns


@dataclass(frozen=True, slots=True)
class PhaseCounted:
    """The counts of the intervals that lie within one phase of the load, by the time of each event.

    An interval that two phases share is in neither, so all phases together may have less than the whole window.
    """

    phase: LoadPhase
    counted_ns: int
    """The length of these intervals together."""
    counted: Snapshot

    @property
    def achieved_per_s(self) -> float:
        """Replies before the timeout, error replies included, per second."""
        return per_s(self.counted.total.answered, self.counted_ns)


@dataclass(frozen=True, slots=True)
class HistoryKept:
    """The history that was kept of a load."""

    file: KeptHistory
    counts: HistoryCounts
    whole: bool
    """False when a worker ended before its time: its last records are missing."""


@dataclass(frozen=True, slots=True)
class LoadEnded(Ending):
    """The end of load on a server: the fields that a run and a search have in common."""

    plan: Plan
    phases: Mapping[str, Snapshot] = field(default_factory=dict, kw_only=True)
    """The counts of precheck, prefill, warmup and measure, which `totals` sums; of a search, over all rates."""
    embedded: bool = field(default=False, kw_only=True)
    interrupted: bool = field(default=False, kw_only=True)
    reasons: tuple[Reason, ...] = field(default=(), kw_only=True)
    """The reasons why the result does not hold, except those that follow from the counts."""
    notes: tuple[Reason, ...] = field(default=(), kw_only=True)
    """Remarks on a result that holds."""
    examples: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    """The first error reply of each class, and the first failure of each reason, in the server's or kernel's words."""
    history: HistoryKept | None = field(default=None, kw_only=True)
    """None when no history was kept."""
    monitors: tuple[MonitorReport, ...] = field(default=(), kw_only=True)
    """What each monitor read in the measure window, or while rates were tried; empty without monitors."""
    wall_s: float = field(default_factory=time.time, kw_only=True)
    """Unix time."""

    if TYPE_CHECKING:

        @property
        def measured(self) -> Snapshot:
            """The requests of the measure window, or of all rates' windows, by intended time."""

    @property
    @abstractmethod
    def lacks(self) -> tuple[Reason, ...]:
        """A reason for each thing that the result lacks and must have."""

    @property
    @abstractmethod
    def answers(self) -> Iterable[Severity]:
        """The severity of the answer to each question that was asked, where the result holds."""

    @property
    def overall(self) -> Snapshot:
        """The sum of all phases. Of `connections`, only events add up: `active` has no meaning here."""
        return sum(self.phases.values(), Snapshot())

    @property
    def unaccounted(self) -> int:
        """The number of planned requests, of any phase, that ended nowhere or twice; above 0 is a bug in loadgen."""
        others = (snapshot for phase, snapshot in self.phases.items() if phase != Phase.MEASURE)
        return sum(abs(tally.balance) for s in (self.measured, *others) for tally in s.tallies.values())

    @property
    def failure(self) -> str:
        """The reason why the load did not reach its end, in a sentence; empty when it did."""
        return words_of(self.reasons, Severity.COULD_NOT_RUN)

    @property
    def failed_because(self) -> tuple[Reason, ...]:
        """The reasons that more requests or connections failed than is allowed."""
        return self.of(Severity.FAILED)

    @property
    def invalid_because(self) -> tuple[Reason, ...]:
        """The reasons why the result is invalid: from `reasons`, a failure, `lacks`, accounts that do not add up."""
        said = (*self.of(Severity.INVALID), *self.of(Severity.COULD_NOT_RUN))
        return (*said, *self.lacks, *_accounts(self.unaccounted))

    def of(self, severity: Severity) -> tuple[Reason, ...]:
        """Return the reasons of one severity."""
        return tuple(reason for reason in self.reasons if reason.severity is severity)

    @property
    def valid(self) -> bool:
        """True when nothing failed beyond its limit, and the numbers are the server's."""
        return not self.failed_because and not self.invalid_because

    @property
    def severity(self) -> Severity:
        said = (reason.severity for reason in (*self.failed_because, *self.invalid_because))
        return Severity.gravest([*[Severity.INTERRUPTED] * self.interrupted, *said, *self.answers])


@dataclass(frozen=True, slots=True)
class Result(LoadEnded):
    """The end of a run, which outputs print for a run that was cut short too."""

    measured: Snapshot
    """The requests of the measure window, by intended time."""
    duration_ns: int
    """The actual length of the window: shorter than planned when interrupted."""
    max_rss_bytes: int = 0
    """The resident memory of the largest worker."""
    signs: Signs = field(default_factory=Signs)
    """The machine's effects on the generator over the measure window."""
    overload: Overload | None = None
    """The requests offered, served and waiting in the window; None in a closed loop, which offers no rate."""
    checks: tuple[Evaluation, ...] = ()
    """The plan's objectives, each compared with what was measured."""
    checked: tuple[Checked, ...] = ()
    """The answers to the checks of `[[check]]`."""
    server: ServerReport | None = None
    """The report of a watched server; None without one."""
    began_ns: int = 0
    """The monotonic time at which the measure window began, from which outputs count the times of faults."""
    faults: tuple[FaultReport, ...] = ()
    """What each planned fault did; empty without faults."""
    outages: tuple[Outage, ...] = ()
    """What the faults came to on each node, and what failed on one of several nodes without a fault, by node and
    time."""
    changes: tuple[TopologyChanged, ...] = ()
    """The changes of a cluster's nodes in the run, in order of time."""
    hosts: tuple[HostPart, ...] = ()
    """The part of each machine, where agents sent the load."""
    by_phase: tuple[PhaseCounted, ...] = ()
    """The counts of each of the plan's phases that was reached; empty where there is one rate."""

    @property
    def lacks(self) -> tuple[Reason, ...]:
        return () if self.measured.total.planned else (NOTHING_MEASURED,)

    @property
    def answers(self) -> Iterable[Severity]:
        return (*(_ATTAINED[check.answer] for check in self.checks), *(each.severity for each in self.checked))

    @property
    def throughput_per_s(self) -> float:
        """Replies that came within the window, error replies included, per second.

        Replies that came in the drain do not count: with them, an overloaded server would seem to keep up.
        """
        return per_s(self.measured.answered_in_time, self.duration_ns)

    @property
    def ok_per_s(self) -> float:
        """Good replies that came within the window, per second. Objectives and searches use this rate."""
        return per_s(self.measured.ok_in_time, self.duration_ns)

    @property
    def cpu_us_per_request(self) -> float | None:
        """The workers' CPU time per request sent, backfills included; None when none was sent."""
        sent = self.measured.sent
        return self.measured.cpu_ns / NS_PER_US / sent if sent else None

    @property
    def share_of_ceiling(self) -> float | None:
        """The throughput as a share of the ceiling of the host's self-test; None without a self-test."""
        ceiling = self.signs.ceiling
        return self.throughput_per_s / ceiling.throughput_per_s if ceiling and ceiling.throughput_per_s else None


@dataclass(frozen=True, slots=True)
class StepTaken(Event):
    """A saturation search has judged a rate."""

    number: int
    """From 1."""
    step: Step
    wall_s: float = field(default_factory=time.time)
    """Unix time."""


@dataclass(frozen=True, slots=True)
class SearchEnded(LoadEnded):
    """The end of a saturation search, which outputs print for one that was cut short too: `answer` is then None."""

    limits: tuple[Limit, ...]
    """The limits that a rate had to meet; empty for a knee."""
    answer: SearchAnswer | None

    @property
    def measured(self) -> Snapshot:
        return self.phases.get(Phase.MEASURE, Snapshot())

    @property
    def lacks(self) -> tuple[Reason, ...]:
        """NOT_FOUND when there is no answer and no failure that explains its absence."""
        return () if self.answer is not None or self.failure else (NOT_FOUND,)

    @property
    def answers(self) -> Iterable[Severity]:
        wide = self.answer is not None and self.answer.outcome is Outcome.WIDE
        return (*[Severity.UNKNOWN] * wide, *(why.severity for why in self.no_answer))

    @property
    def no_answer(self) -> tuple[Reason, ...]:
        """The reason why a search that reached its end has no answer; empty otherwise."""
        why = _NO_ANSWER.get(self.answer.outcome) if self.answer is not None else None
        return (why,) if why is not None else ()

    @property
    def valid(self) -> bool:
        """True when the search has an answer, and no reason against it."""
        return not (self.failed_because or self.invalid_because or self.no_answer)


def _accounts(unaccounted: int) -> tuple[Reason, ...]:
    sentence = f"{unaccounted} planned requests are not accounted for, which is a bug in loadgen"
    return (Reason(Code.UNACCOUNTED, sentence, Severity.INVALID),) * bool(unaccounted)


def per_s(count: int, window_ns: int) -> float:
    """Return a count as a rate; 0.0 over an empty window."""
    return count * NS_PER_S / window_ns if window_ns > 0 else 0.0
