"""The events of tests of jobs: their beginning, their progress, and their end. Values; no I/O."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from loadgen.events import Ending, Event
from loadgen.faults.report import FaultReport
from loadgen.jobs.load.account import Account
from loadgen.jobs.load.plan import JobsPlan
from loadgen.judge.named import Check
from loadgen.monitors.report import MonitorReport
from loadgen.reason import Reason
from loadgen.severity import Severity
from loadgen.units import NS_PER_S


class Stage(StrEnum):
    """Where a test is."""

    STARTING = "starting"
    """Servers and workers are started."""
    PUBLISHING = "publishing"
    EXECUTING = "executing"
    """All jobs are published, and some have not ended."""
    STOPPING = "stopping"


class Axis(StrEnum):
    """In what the tests of one command differ."""

    TEST = "test"
    ADAPTER = "adapter"
    WORKERS = "workers"


@dataclass(frozen=True, slots=True)
class JobsBegan(Event):
    """The beginning of a test."""

    plan: JobsPlan
    queue: str
    """Library and storage in words, such as "rq 3.0.0 on redis 7.0.15"."""
    version: str
    number: int = 1
    """Of several tests of one command, from 1."""
    of: int = 1
    axis: Axis | None = None
    """In what the tests of the command differ: a JobsCompared follows the last of them. None for a single test."""
    wall_s: float = field(default_factory=time.time)


@dataclass(frozen=True, slots=True)
class JobsProgress(Event):
    """How far a test is, once a second."""

    stage: Stage
    acknowledged: int
    ended: int
    """Jobs that have completed or are dead."""
    expected: int
    """Jobs that are to end; 0 where that is not known beforehand."""
    jobs_per_s: float
    """Jobs that ended in the last interval, per second."""
    left_s: float | None
    """The time that is left at the rate so far; None where it cannot be told."""
    elapsed_s: float
    wall_s: float = field(default_factory=time.time)


@dataclass(frozen=True, slots=True)
class WorkerNoted(Event):
    """Something happened to a worker: a fault, its end, its new start."""

    worker: str
    words: str
    """A clause, such as "killed (SIGKILL) with 6 jobs in flight"."""
    t_s: float
    """From the start of the test."""
    wall_s: float = field(default_factory=time.time)


CONNECTIONS = "most_connections"
CONNECTION_LIMIT = "connection_limit"
"""Among the facts of a cost: the most connections that the server of a queue had, and how many it takes."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a queue cost. None: that is not known."""

    storage_cpu_s: float | None = None
    """CPU time of the server in which the queue is."""
    workers_cpu_s: float | None = None
    workers_rss_bytes: int | None = None
    """The greatest memory of a worker, its children included."""
    pending_bytes_per_job: float | None = None
    """What a job takes in the storage until it ends: memory of Redis, or size of the file and its log."""
    bytes_before: int | None = None
    """What the storage took before the first publish."""
    bytes_most: int | None = None
    bytes_after: int | None = None
    """What it took when all jobs had ended."""
    facts: Mapping[str, int] = field(default_factory=dict)
    """What else the queue says of itself at the end: stream_length, file_bytes, wal_bytes …"""


@dataclass(frozen=True, slots=True)
class Operations:
    """Operations on schedules, of one kind."""

    name: str
    """create, list, pause, resume, update, delete."""
    count: int
    failed: int
    elapsed_ns: int
    """From the beginning of the first to the end of the last."""

    @property
    def per_s(self) -> float | None:
        return self.count * 1e9 / self.elapsed_ns if self.elapsed_ns else None


@dataclass(frozen=True, slots=True)
class JobsEnded(Ending):
    """The end of one test."""

    plan: JobsPlan
    queue: str
    version: str
    account: Account
    checks: tuple[Check, ...] = ()
    """The checks that every test has by name, then those of the file."""
    faults: tuple[FaultReport, ...] = ()
    """In the order of the plan's."""
    cost: Cost = field(default_factory=Cost)
    monitors: tuple[MonitorReport, ...] = ()
    """What each monitor read, from the order to begin to the last end; empty without monitors."""
    operations: tuple[Operations, ...] = ()
    in_flight_at_kills: int = 0
    """Jobs that workers had begun and not ended when they were killed, added up."""
    censored_ns: int | None = None
    """The longest time for which a job of a dead worker was waited for in vain; None where all began again."""
    profile: tuple[str, ...] = ()
    """Files that a profiler has written."""
    said: tuple[str, ...] = ()
    """What the user's own program has printed (`--app`)."""
    reasons: tuple[Reason, ...] = ()
    """Why the test could not be run to its end, or does not hold."""
    notes: tuple[Reason, ...] = ()
    """Remarks, each with its remedy where there is one."""
    host: str = ""
    interrupted: bool = False
    wall_s: float = field(default_factory=time.time)

    @property
    def passed(self) -> bool:
        return self.severity is Severity.GOOD

    @property
    def storage_cpu_ns_per_job(self) -> float | None:
        """The CPU time of the storage's server per completed job; None where it is not known, or no job completed."""
        return self._per_job(self.cost.storage_cpu_s)

    @property
    def workers_cpu_ns_per_job(self) -> float | None:
        return self._per_job(self.cost.workers_cpu_s)

    def _per_job(self, cpu_s: float | None) -> float | None:
        completed = self.account.counts.completed
        return cpu_s * NS_PER_S / completed if cpu_s is not None and completed else None

    @property
    def severity(self) -> Severity:
        said = (reason.severity for reason in self.reasons)
        return Severity.gravest(
            [*[Severity.INTERRUPTED] * self.interrupted, *said, *(check.severity for check in self.checks)]
        )


@dataclass(frozen=True, slots=True)
class JobsCompared(Ending):
    """The end of several tests, for one table."""

    axis: Axis
    ended: tuple[JobsEnded, ...]
    checks: tuple[Check, ...] = ()
    """Checks over all of them, such as the scaling from 1 worker to 10."""
    interrupted: bool = False
    wall_s: float = field(default_factory=time.time)

    def efficiency(self, of: JobsEnded) -> float | None:
        """Return the jobs per second of each of a test's workers, as a share of those of one worker alone.

        None where no test has one worker, or either has no rate.
        """
        alone = next((each.account.jobs_per_s for each in self.ended if each.plan.workers == 1), None)
        per_s = of.account.jobs_per_s
        return per_s / of.plan.workers / alone if alone and per_s is not None and of.plan.workers else None

    @property
    def severity(self) -> Severity:
        """That of the gravest test or check. A comparison of adapters judges none: its tests say what they found."""
        tests = () if self.axis is Axis.ADAPTER else (each.severity for each in self.ended)
        failed = (each.severity for each in self.ended if each.severity is Severity.COULD_NOT_RUN)
        return Severity.gravest(
            [
                *[Severity.INTERRUPTED] * self.interrupted,
                *tests,
                *failed,
                *(check.severity for check in self.checks),
            ]
        )


@dataclass(frozen=True, slots=True)
class QueueInspected(Ending):
    """The answer of `jobs inspect`."""

    queue: str
    """Library and storage in words."""
    counts: Mapping[str, int]
    """By state."""
    oldest_s: float | None
    """The age of the oldest pending job; None without one."""
    facts: Mapping[str, int]
    running: tuple[RunningJob, ...] = ()
    older_than_s: float | None = None
    """The age from which on running jobs are listed; None: they are not."""
    workers: Mapping[str, float] = field(default_factory=dict)
    """By worker, the seconds since it was last heard of."""
    wall_s: float = field(default_factory=time.time)

    @property
    def severity(self) -> Severity:
        return Severity.GOOD


@dataclass(frozen=True, slots=True)
class RunningJob:
    """A running job, as `jobs inspect` lists it."""

    id: str
    name: str
    worker: str
    attempt: int
    age_s: float
