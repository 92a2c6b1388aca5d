"""A smoke test's criteria and what it found: values and pure functions, from a run's Result to PASS or FAIL.

It starts no server and puts no load on one; the verb does. A criterion that was not reached is not passed. Where the
log is looked through, and what the bytes of an answer have to be, is not known here.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from loadgen.escape import printable
from loadgen.events import Ending, Event, Result
from loadgen.judge.causes import span
from loadgen.judge.diagnosis import because
from loadgen.phase import Phase
from loadgen.plan import Plan
from loadgen.reason import Reason
from loadgen.severity import Severity
from loadgen.snapshot import Snapshot
from loadgen.units import percent_beside

CRITERIA = (
    "server up",
    "sanity",
    "still up",
    "log",
    "completed",
    "connection errors",
    "timeouts",
    "error replies",
    "p99.9",
    "hit rate",
    "requests measured",
)
"""The names of a smoke test's checks, in their order."""

_OF_THE_LOAD = CRITERIA[4:]


@dataclass(frozen=True, slots=True)
class SmokeLimits:
    """`[smoke]`: what a freshly built server must meet. Each is the most, or the least, that passes."""

    connection_errors: int = 0
    timeouts: int = 0
    error_replies: int = 0
    p999_ns: int = 100_000_000
    hit_rate: float | None = 0.0
    """The share of GETs that must hit, where sets precede gets; 0 asks for any hit at all, None for nothing."""
    requests: int = 1000
    """The least that must be measured."""
    log: bool = True
    """Whether a line in its log that tells of an error fails the test."""
    sanity: bool = True
    """Whether PING, SET and GET of a key of our own must be answered right before the load."""


@dataclass(frozen=True, slots=True)
class Check:
    """One criterion, held against what was found."""

    name: str
    """One of CRITERIA."""
    passed: bool | None
    """None: it does not apply here (`found` says why), or the test ended before it could be judged."""
    found: str
    """What was found, such as "1.92 ms" or "killed by SIGSEGV 2.1 s into the load"."""
    limit: str = ""
    """What would pass, such as "< 100 ms"; empty where that goes without saying."""


@dataclass(frozen=True, slots=True)
class SmokeBegan(Event):
    """Servers are going to be tested, one after the other."""

    matrix: bool
    """Of each server a row is wanted, and nothing of its load."""
    wall_s: float = field(default_factory=time.time)
    """Unix time."""


@dataclass(frozen=True, slots=True)
class SmokeEnded(Ending):
    """How one smoke test ended."""

    server: str
    """The server file's stem, the program's name, or the endpoint."""
    identity: str
    """Name and version in the server's own words; empty when it did not come so far."""
    checks: tuple[Check, ...]
    """One for each of CRITERIA, in their order."""
    result: Result | None = None
    """Of the load; None when it did not come so far."""
    last_words: tuple[str, ...] = ()
    """The end of the server's log, where the test failed and there is one."""
    interrupted: bool = False
    wall_s: float = field(default_factory=time.time)
    """Unix time."""

    @property
    def failed(self) -> tuple[Check, ...]:
        """The criteria that were not met."""
        return tuple(check for check in self.checks if check.passed is False)

    @property
    def doubts(self) -> tuple[Reason, ...]:
        """Why the numbers cannot be told from the generator's own; empty when they can."""
        return self.result.invalid_because if self.result is not None else ()

    @property
    def passed(self) -> bool:
        return not self.failed and not self.doubts and not self.interrupted

    @property
    def severity(self) -> Severity:
        holds = {
            Severity.INTERRUPTED: self.interrupted,
            Severity.FAILED: self.failed,
            Severity.INVALID: self.doubts,
        }
        return Severity.gravest(severity for severity, why in holds.items() if why)


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of a step that is not the load."""

    good: bool
    words: str


@dataclass(frozen=True, slots=True)
class Observed:
    """How far a smoke test came, and what was seen apart from the load's counts. None: it did not come so far."""

    up: Finding | None = None
    sanity: Finding | None = None
    failure: str = ""
    """Why the load could not begin, in a sentence; empty when it did, or was not tried."""
    still_up: Finding | None = None
    complaints: tuple[str, ...] | None = None
    """Lines of the server's log that tell of an error; None where there is no log to be seen."""
    interrupted: bool = False

    @property
    def obstacle(self) -> str:
        """Why what follows was not reached."""
        if self.up is not None and not self.up.good:
            return "not reached: the server did not come up"
        if self.sanity is not None and not self.sanity.good:
            return "not reached: it answered wrong before the load"
        if self.failure:
            return "not reached: the load could not begin"
        return "not reached: interrupted" if self.interrupted else "not reached"


def judge(limits: SmokeLimits, course: Observed, result: Result | None = None) -> tuple[Check, ...]:
    """Every one of CRITERIA, in their order, held against a test's course and, if it came so far, its load's result."""
    return (*_steps(limits, course), *(_no_load(course) if result is None else _load(limits, result, course)))


def _steps(limits: SmokeLimits, course: Observed) -> Iterator[Check]:
    yield _step("server up", course.up, course.obstacle)
    yield _step("sanity", course.sanity, course.obstacle if limits.sanity else "switched off (smoke.sanity)")
    yield _step("still up", course.still_up, course.obstacle)
    yield _log(limits, course)


def _step(name: str, finding: Finding | None, otherwise: str) -> Check:
    return Check(name, finding.good, finding.words) if finding is not None else Check(name, None, otherwise)


def _log(limits: SmokeLimits, course: Observed) -> Check:
    if not limits.log:
        return Check("log", None, "switched off (smoke.log)")
    if course.complaints is None:
        reached = course.still_up is not None
        return Check("log", None, "loadgen did not start it, so its log is not seen" if reached else course.obstacle)
    if not course.complaints:
        return Check("log", True, "no error")
    others = f", and {len(course.complaints) - 1:,} more" if len(course.complaints) > 1 else ""
    return Check("log", False, f'"{printable(course.complaints[0])}"{others}')


def _no_load(course: Observed) -> Iterator[Check]:
    for name in _OF_THE_LOAD:
        failed = name == "completed" and course.failure
        yield Check(name, False, course.failure) if failed else Check(name, None, course.obstacle)


def _load(limits: SmokeLimits, result: Result, course: Observed) -> Iterator[Check]:
    # The precheck, prefill and warm-up are load on the server too: what goes wrong in them counts.
    everything = sum((s for phase, s in result.phases.items() if phase != Phase.MEASURE), result.measured)
    checks = (
        _completed(limits, everything, result, course),
        _connection_errors(limits, everything, result),
        _most("timeouts", sum(tally.timeouts for tally in everything.tallies.values()), limits.timeouts),
        _error_replies(limits, everything, result),
        _p999(limits, result.measured),
        _hit_rate(limits, result.plan, result.measured),
        _requests(limits, result.measured),
    )
    for check in checks:
        if result.interrupted and check.passed is not None:
            yield replace(check, passed=None, found=f"{check.found} until it was interrupted")
        else:
            yield check


def _most(name: str, count: int, limit: int, why: str = "") -> Check:
    return Check(name, count <= limit, f"{count:,}{why}", f"≤ {limit:,}" if limit else "0")


def _completed(limits: SmokeLimits, everything: Snapshot, result: Result, course: Observed) -> Check:
    """Timeouts that are allowed, and error replies, are for criteria of their own."""
    alive = course.still_up is not None and course.still_up.good
    if alive and result.failure and len(result.signs.workers) < len(result.plan.workers):
        # What was in flight in a worker of ours that died is nothing that the server left undone.
        return Check("completed", None, result.failure)
    tallies = everything.tallies.values()
    timeouts = sum(tally.timeouts for tally in tallies)
    open_ends = {
        "timeouts": timeouts if timeouts > limits.timeouts else 0,
        "lost": sum(tally.lost for tally in tallies),
        "corrupt": sum(tally.corrupt for tally in tallies),
        "unfinished": sum(tally.unfinished for tally in tallies),
        "unaccounted": result.unaccounted,
    }
    listed = ", ".join(f"{name} {count:,}" for name, count in open_ends.items() if count)
    planned = sum(tally.planned for tally in tallies)
    return Check("completed", not listed, f"of {planned:,} requests: {listed}" if listed else f"all {planned:,}")


def _connection_errors(limits: SmokeLimits, everything: Snapshot, result: Result) -> Check:
    counts = everything.connections
    why = because(everything.failures, result.examples)
    return _most("connection errors", counts.failed + counts.closed, limits.connection_errors, why)


def _error_replies(limits: SmokeLimits, everything: Snapshot, result: Result) -> Check:
    count = sum(tally.errors for tally in everything.tallies.values())
    return _most("error replies", count, limits.error_replies, because(everything.errors, result.examples))


def _p999(limits: SmokeLimits, measured: Snapshot) -> Check:
    """Of the good replies: requests that failed have criteria of their own, which may allow them."""
    limit = f"< {span(limits.p999_ns)}"
    good = measured.good_latency("all")
    if not good.count:
        failed = measured.tally("all").failed
        return Check("p99.9", None, "no request was answered well" if failed else "no request was measured", limit)
    value, is_lower_bound = good.quantile(0.999), good.is_lower_bound(0.999)
    found = f"{'≥ ' * is_lower_bound}{span(value)}"
    if is_lower_bound and value <= limits.p999_ns:
        found += ", and requests without an answer could raise it"
    return Check("p99.9", value <= limits.p999_ns and not is_lower_bound, found, limit)


def _hit_rate(limits: SmokeLimits, plan: Plan, measured: Snapshot) -> Check:
    why_not = _no_hits_asked(limits, plan)
    get = measured.tallies.get("get")
    if not why_not and (get is None or not get.hits + get.misses):
        why_not = "no GET was answered well"
    if why_not or limits.hit_rate is None or get is None:
        return Check("hit rate", None, why_not)
    answered = get.hits + get.misses
    share = get.hits / answered
    shown, limit = percent_beside(share, limits.hit_rate)
    found = f"{shown} ({get.hits:,} of {answered:,} GETs)"
    if not limits.hit_rate:
        return Check("hit rate", share > 0, found, "> 0")
    return Check("hit rate", share >= limits.hit_rate, found, f"≥ {limit}")


def _no_hits_asked(limits: SmokeLimits, plan: Plan) -> str:
    """Why no GET needs to hit; empty where one does."""
    if limits.hit_rate is None:
        return "switched off (smoke.hit_rate)"
    if not plan.target.speaks.has_keys:
        return "there are no GETs in this protocol"
    if not plan.workload.weights.get:
        return "there are no GETs in this load"
    if not (plan.workload.weights.set or plan.workload.prefill or plan.workload.backfill_on_miss):
        return "no key is written in this load before it is read"
    return ""


def _requests(limits: SmokeLimits, measured: Snapshot) -> Check:
    ok = measured.total.ok
    return Check("requests measured", ok >= limits.requests, f"{ok:,}", f"≥ {limits.requests:,}")
