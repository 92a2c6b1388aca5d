"""What a test of jobs came to, as values: counts, latencies, and what each worker did. The words are those of Jepsen's
total-queue. `book` counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from loadgen.engine._histogram import Histogram
from loadgen.units import NS_PER_S

LATENCIES: Mapping[str, str] = {
    "publish": "from the beginning of a publish to its acknowledgement",
    "queueing": "from the intended publish to the first begin",
    "execution": "from a begin to its end",
    "ack": "from the end of an execution to the acknowledgement of that",
    "handling": "from the begin of an execution to the acknowledgement of its end",
    "end_to_end": "from the intended publish to the end of the job, or to the acknowledgement of that",
    "reclaim": "from the death of a worker to the next begin of a job that it had begun",
    "firing": "from the intended time of a schedule's firing to the publish of its job",
    "retry": "from the time at which a failed job was to be tried again to its next begin",
}
"""The latencies of jobs, by name, with their meanings."""


@dataclass(frozen=True, slots=True)
class Counts:
    """The jobs of a test by what became of them."""

    attempted: int = 0
    """Jobs whose publish was begun; submissions that were deduplicated are not among them."""
    acknowledged: int = 0
    publish_failed: int = 0
    """Jobs whose publish failed, and which may be there all the same."""
    deduplicated: int = 0
    """Submissions that were answered with an earlier job."""
    executed: int = 0
    """Jobs that began at least once."""
    executions: int = 0
    """All begins."""
    completed: int = 0
    """Jobs that ended well, with an acknowledged end where the queue is ours."""
    presumed: int = 0
    """Completed jobs whose worker died between the end and the news that the queue had it, and that did not begin again
    when the lease was over: the queue must have had it."""
    dead: int = 0
    """Jobs that are dead letters, or have failed in each of their attempts."""
    failures: int = 0
    """Executions that failed."""
    lost: int = 0
    """Acknowledged, and never executed."""
    held: int = 0
    """Acknowledged, not executed, and by the queue's own account with a worker: waited for in vain, and not lost."""
    recovered: int = 0
    """Executed, though the publish was not acknowledged."""
    unexpected: int = 0
    """Executed, and never published."""
    duplicate_executions: int = 0
    """Executions beyond the first, and beyond one after each failure."""
    duplicate_effects: int = 0
    """Ends beyond the first that had an effect: that were acknowledged, or in queues without fences all."""
    stuck: int = 0
    """Executed, and neither completed nor dead."""
    refused: int = 0
    """Ends and renewals that the queue refused, as the job was another's."""
    reclaimed: int = 0
    """Leases that had expired and were found by a sweep."""
    retries_early: int = 0
    """Retries that began before their time."""
    waits_outside: int = 0
    """Waits before a retry that were outside the backoff and its jitter."""
    fired: int = 0
    """Firings of schedules."""
    double_fired: int = 0
    """Firings of the same schedule for the same time, beyond the first."""
    missed_firings: int = 0
    """Firings that came due while no worker ran, and that were not made up for."""
    storage_errors: int = 0
    locks: int = 0
    """Times at which the storage was locked for too long."""

    @property
    def duplicates(self) -> int:
        return self.duplicate_executions + self.duplicate_effects

    @property
    def attempts_per_job(self) -> float:
        """Executions per executed job; 0 for none."""
        return self.executions / self.executed if self.executed else 0.0


@dataclass(frozen=True, slots=True)
class Share:
    """What one worker did."""

    worker: str
    completed: int
    executions: int
    busy_ns: int
    """The time in which executions ran, added up."""
    polls: int
    """How often the worker asked for jobs; 0 where the queue does not tell."""


@dataclass(frozen=True, slots=True)
class Second:
    """One second of a test."""

    t_s: float
    """From the start; the second's end."""
    published: int
    completed: int
    queueing_ns: float | None
    """The median of the jobs that began in it; None for none."""


@dataclass(frozen=True, slots=True)
class Account:
    """What a test came to."""

    counts: Counts = field(default_factory=Counts)
    latencies: Mapping[str, Histogram] = field(default_factory=dict)
    """By a name of LATENCIES; those of which there was none are missing."""
    of_kinds: Mapping[str, Histogram] = field(default_factory=dict)
    """By the kind of job, from "1", the handling."""
    unreclaimed_ns: tuple[int, ...] = ()
    """For each job that a dead worker had begun and that never began again, the time for which that was waited for."""
    shares: tuple[Share, ...] = ()
    seconds: tuple[Second, ...] = ()
    first_ns: int = 0
    """When the first publish began, or the first job; by the monotonic clock."""
    published_ns: int = 0
    """When the last publish was acknowledged; 0: none was."""
    last_ns: int = 0
    """When the last job ended."""
    errors: Mapping[str, int] = field(default_factory=dict)
    """Storage errors and failed publishes by their words, 20 at most."""

    @property
    def elapsed_ns(self) -> int:
        return max(0, self.last_ns - self.first_ns)

    @property
    def reclaim(self) -> Histogram:
        """The reclaim latencies, with the times that were waited for in vain as censored samples."""
        found = Histogram() + self.latencies.get("reclaim", Histogram())
        for waited_ns in self.unreclaimed_ns:
            found.record(waited_ns, censored=True)
        return found

    @property
    def jobs_per_s(self) -> float | None:
        """Completed jobs per second, from the first publish to the last end; None when nothing ended."""
        return self.counts.completed * NS_PER_S / self.elapsed_ns if self.elapsed_ns else None
