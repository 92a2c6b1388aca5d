"""What a run says as it goes: frozen events. No I/O.

Everything above a worker is a fold over these.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from loadgen.errors import ExitCode
from loadgen.judge.judging import Judging
from loadgen.overload import Overload
from loadgen.phase import Phase
from loadgen.plan import LoadPhase, Plan
from loadgen.reason import Code, Reason, words_of
from loadgen.severity import Severity
from loadgen.signs import Signs
from loadgen.slo import Attainment, Evaluation
from loadgen.snapshot import Snapshot
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
    """Something that a verb says as it goes. Every output is told of all of them, of any verb."""


@dataclass(frozen=True, slots=True)
class Ending(Event, ABC):
    """How a verb ended, or one of the several loads, tests or comparisons that a command consists of."""

    @property
    @abstractmethod
    def severity(self) -> Severity:
        """The gravest of what can be said of it."""

    @property
    def exit_code(self) -> ExitCode:
        """The exit status of a command that ends so."""
        return self.severity.code


@dataclass(frozen=True, slots=True)
class Configured(Event):
    """The run is about to start."""

    plan: Plan
    version: str
    warnings: tuple[str, ...] = ()
    embedded: bool = False
    """The target is loadgen's own built-in server, which the figures describe."""
    server: str = ""
    """Name and version in the server's own words; empty when it does not say."""
    search: SearchSettings | None = None
    """A search follows, and not a run of the plan's own load."""
    host: str = ""
    """The fingerprint of this machine."""
    judging: Judging = field(default_factory=Judging)
    """What the result will be held against."""
    wall_s: float = field(default_factory=time.time)
    """Unix time."""


@dataclass(frozen=True, slots=True)
class ServerAwaited(Event):
    """The server of a load is being started, which may take long; a Configured follows when it answers.

    Not part of a result: the Configured has all of it.
    """

    name: str
    """What outputs call the server."""
    load: Configured
    """What is known before: all but the server's port and identity."""


@dataclass(frozen=True, slots=True)
class PhaseBegan(Event):
    """`phase` is connect, precheck, prefill, warmup, measure or drain; search, where rates are tried."""

    phase: str
    wall_s: float
    """Unix time."""


@dataclass(frozen=True, slots=True)
class Part:
    """One of several that a verb does one after the other, such as round 3 of 8."""

    name: str
    """A noun: round, slice, server, rate."""
    number: int
    """From 1."""
    total: int
    """How many there are at most."""

    def __str__(self) -> str:
        """ "round 3/8"."""
        return f"{self.name} {self.number}/{self.total}"


@dataclass(frozen=True, slots=True)
class Overall:
    """How far a verb has come that puts on several loads."""

    parts: tuple[Part, ...]
    """The outermost first: rounds, then slices."""
    left_ns: int | None = None
    """How long the rest takes at most; None where that is not known."""


@dataclass(frozen=True, slots=True)
class Progress(Event):
    """How far a long phase has come; for standard error only, not part of a result."""

    phase: str
    done: int
    total: int
    """In `unit`s or, without one, in keys (prefill), connections (connect) or nanoseconds (ready, warmup,
    measure, drain)."""
    elapsed_ns: int
    note: str = ""
    """A stall's diagnosis, in words."""
    overall: Overall | None = None
    """Where in a longer whole this phase is; None where the phase is all there is."""
    target: str = ""
    """The name of the server that the phase is about, where there are several."""
    unit: str = ""
    """`requests`, of a measure window that ends with a number of them."""


@dataclass(frozen=True, slots=True)
class Sample(Event):
    """One interval of warmup or measure, all workers merged."""

    phase: str
    wall_s: float
    """Unix time of the interval's end."""
    interval_ns: int
    interval: Snapshot
    server: Usage | None = None
    """What a server that we watch used in it; its requests are those sent in `interval`."""
    offered: int = 0
    """Requests that fell due in it, with a schedule."""
    growing: bool = False
    """What waits at its end (`interval.backlog`) is older than what waited at its begin."""


@dataclass(frozen=True, slots=True)
class PhaseCounted:
    """What the intervals that lie within one phase of the load came to, by the time at which things happened.

    An interval that two phases share is in neither, so over all phases there may be less than in the whole window.
    """

    phase: LoadPhase
    counted_ns: int
    """How much of the phase these intervals are."""
    counted: Snapshot

    @property
    def achieved_per_s(self) -> float:
        """Replies before the timeout, error replies too, per second."""
        return per_s(self.counted.total.answered, self.counted_ns)


@dataclass(frozen=True, slots=True)
class LoadEnded(Ending):
    """How load that was put on a server ended: what a run and a search have in common."""

    plan: Plan
    phases: Mapping[str, Snapshot] = field(default_factory=dict, kw_only=True)
    """precheck, prefill, warmup, measure: what `totals` is summed from; of a search, over all rates."""
    embedded: bool = field(default=False, kw_only=True)
    interrupted: bool = field(default=False, kw_only=True)
    reasons: tuple[Reason, ...] = field(default=(), kw_only=True)
    """Why it does not hold, as far as that does not follow from the counts."""
    notes: tuple[Reason, ...] = field(default=(), kw_only=True)
    """What to know where it holds."""
    examples: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    """The first error reply of each class, and the first failure of each reason, in the server's or kernel's words."""
    wall_s: float = field(default_factory=time.time, kw_only=True)
    """Unix time."""

    if TYPE_CHECKING:

        @property
        def measured(self) -> Snapshot:
            """The requests of the measure window, or of all rates' windows, by intended time."""

    @property
    @abstractmethod
    def lacks(self) -> tuple[Reason, ...]:
        """What it does not have without which it is no result."""

    @property
    @abstractmethod
    def answers(self) -> Iterable[Severity]:
        """What is to be said of each thing that was asked, where it holds."""

    @property
    def overall(self) -> Snapshot:
        """All phases together; of `connections`, only the events add up: `active` means nothing here."""
        return sum(self.phases.values(), Snapshot())

    @property
    def unaccounted(self) -> int:
        """Planned requests, of any phase, that ended nowhere or twice: not 0 is a bug in loadgen."""
        others = (snapshot for phase, snapshot in self.phases.items() if phase != Phase.MEASURE)
        return sum(abs(tally.balance) for s in (self.measured, *others) for tally in s.tallies.values())

    @property
    def failure(self) -> str:
        """Why it did not come to its end, in a sentence; empty when it did."""
        return words_of(self.reasons, Severity.COULD_NOT_RUN)

    @property
    def failed_because(self) -> tuple[Reason, ...]:
        """That more requests or connections failed than is allowed."""
        return self.of(Severity.FAILED)

    @property
    def invalid_because(self) -> tuple[Reason, ...]:
        """What no result is valid with: `reasons`, a failure, what it lacks, accounts that do not add up."""
        said = (*self.of(Severity.INVALID), *self.of(Severity.COULD_NOT_RUN))
        return (*said, *self.lacks, *_accounts(self.unaccounted))

    def of(self, severity: Severity) -> tuple[Reason, ...]:
        """The reasons of one severity."""
        return tuple(reason for reason in self.reasons if reason.severity is severity)

    @property
    def valid(self) -> bool:
        """Whether it can be used as it stands: nothing failed beyond its limit, and the numbers are the server's."""
        return not self.failed_because and not self.invalid_because

    @property
    def severity(self) -> Severity:
        said = (reason.severity for reason in (*self.failed_because, *self.invalid_because))
        return Severity.gravest([*[Severity.INTERRUPTED] * self.interrupted, *said, *self.answers])


@dataclass(frozen=True, slots=True)
class Result(LoadEnded):
    """How a run ended. Printed also when it was cut short."""

    measured: Snapshot
    """The requests of the measure window, by intended time."""
    duration_ns: int
    """The window as it was: shorter than planned when interrupted."""
    max_rss_bytes: int = 0
    """The largest worker's."""
    signs: Signs = field(default_factory=Signs)
    """What the machine did to the generator over the measure window."""
    overload: Overload | None = None
    """What was offered, served and left waiting in the window; None in a closed loop, which is offered nothing."""
    checks: tuple[Evaluation, ...] = ()
    """The plan's objectives, held against what was measured."""
    server: ServerReport | None = None
    """Of a server that we watched."""
    by_phase: tuple[PhaseCounted, ...] = ()
    """For each of the plan's phases that was reached; empty where there is one rate."""

    @property
    def lacks(self) -> tuple[Reason, ...]:
        return () if self.measured.total.planned else (NOTHING_MEASURED,)

    @property
    def answers(self) -> Iterable[Severity]:
        return (_ATTAINED[check.answer] for check in self.checks)

    @property
    def throughput_per_s(self) -> float:
        """Replies that came within the window, error replies too, per second.

        Those that the drain brought do not count: with them, an overloaded server would seem to keep up.
        """
        return per_s(self.measured.answered_in_time, self.duration_ns)

    @property
    def ok_per_s(self) -> float:
        """Good replies that came within the window, per second: what objectives and searches count."""
        return per_s(self.measured.ok_in_time, self.duration_ns)

    @property
    def cpu_us_per_request(self) -> float | None:
        """The workers' CPU time per request that they sent, backfills too; None when they sent none."""
        sent = self.measured.sent
        return self.measured.cpu_ns / NS_PER_US / sent if sent else None

    @property
    def share_of_ceiling(self) -> float | None:
        """The throughput as a part of what the host's self-test reached; None when none is known."""
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
    """How a saturation search ended. Printed also when it was cut short: then `answer` is None."""

    limits: tuple[Limit, ...]
    """What a rate had to meet; empty for a knee."""
    answer: SearchAnswer | None

    @property
    def measured(self) -> Snapshot:
        return self.phases.get(Phase.MEASURE, Snapshot())

    @property
    def lacks(self) -> tuple[Reason, ...]:
        """An answer; where the search failed, that says so."""
        return () if self.answer is not None or self.failure else (NOT_FOUND,)

    @property
    def answers(self) -> Iterable[Severity]:
        wide = self.answer is not None and self.answer.outcome is Outcome.WIDE
        return (*[Severity.UNKNOWN] * wide, *(why.severity for why in self.no_answer))

    @property
    def no_answer(self) -> tuple[Reason, ...]:
        """Why the search has none though it came to its end; empty when it has, or did not come so far."""
        why = _NO_ANSWER.get(self.answer.outcome) if self.answer is not None else None
        return (why,) if why is not None else ()

    @property
    def valid(self) -> bool:
        """Whether it has an answer, and that can be believed."""
        return not (self.failed_because or self.invalid_because or self.no_answer)


def _accounts(unaccounted: int) -> tuple[Reason, ...]:
    sentence = f"{unaccounted} planned requests are not accounted for, which is a bug in loadgen"
    return (Reason(Code.UNACCOUNTED, sentence, Severity.INVALID),) * bool(unaccounted)


def per_s(count: int, window_ns: int) -> float:
    """A count as a rate; 0.0 over an empty window."""
    return count * NS_PER_S / window_ns if window_ns > 0 else 0.0
