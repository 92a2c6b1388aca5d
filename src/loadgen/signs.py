"""What the machine did to the generator while it measured: frozen values that a verdict is made from. No I/O."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pauses:
    """How late one worker's event loop woke, over as long as its signs are of, by where the time had gone.

    Only wake-ups more than a millisecond late count. The three parts add up to the whole.
    """

    count: int = 0
    longest_ns: int = 0
    busy_ns: int = 0
    """The worker was running: it had too much to do."""
    queued_ns: int = 0
    """It was ready to run, and others had its CPU."""
    stopped_ns: int = 0
    """It was not even ready to run: stopped by a signal, a debugger, a suspended machine, a page fault."""

    @property
    def total_ns(self) -> int:
        return self.busy_ns + self.queued_ns + self.stopped_ns

    def __add__(self, later: Pauses) -> Pauses:
        return Pauses(
            self.count + later.count,
            max(self.longest_ns, later.longest_ns),
            self.busy_ns + later.busy_ns,
            self.queued_ns + later.queued_ns,
            self.stopped_ns + later.stopped_ns,
        )


@dataclass(frozen=True, slots=True)
class WorkerSigns:
    """One worker over its measure window, and for as long after it as requests of the window were still being sent."""

    index: int
    wall_ns: int
    cpu_ns: int
    """User and system time of the process."""
    queued_ns: int | None
    """Ready to run, without a CPU (`run_delay` of Linux's schedstat); None where the system does not say."""
    pauses: Pauses
    overdue: int
    """Requests of the window that were sent more than 10 ms after it closed, or never, for no reason but our own."""
    throttled: int | None = None
    """Periods of the load in which a CPU quota of its control groups was used up; None where nobody says."""
    throttled_ns: int = 0
    """How long something in those groups then waited for the next period."""
    quota_cpus: float | None = None
    """The least of those quotas, in CPUs; None where there is none."""

    def __add__(self, later: WorkerSigns) -> WorkerSigns:
        """The same worker over two windows."""
        unknown = self.queued_ns is None or later.queued_ns is None
        return WorkerSigns(
            self.index,
            self.wall_ns + later.wall_ns,
            self.cpu_ns + later.cpu_ns,
            None if unknown else (self.queued_ns or 0) + (later.queued_ns or 0),
            self.pauses + later.pauses,
            self.overdue + later.overdue,
            None if self.throttled is None or later.throttled is None else self.throttled + later.throttled,
            self.throttled_ns + later.throttled_ns,
            later.quota_cpus,
        )


@dataclass(frozen=True, slots=True)
class HostSigns:
    """The machine over the measure window."""

    steal_share: float | None = None
    """The part of all CPUs' time that a hypervisor gave to others; None where the system does not say."""
    clock_source: str = ""
    """What the kernel tells the time by, such as `tsc`; empty where it does not say."""


@dataclass(frozen=True, slots=True)
class Ceiling:
    """What this host's self-test (`loadgen selftest`) reached at a depth like the run's, for as many workers."""

    throughput_per_s: float
    """Of all the run's workers together, in the run's kind of loop."""
    floor_p50_ns: int
    floor_p99_ns: int
    """Response time at a low rate against a server that does nothing."""
    taken: str
    """When, as an ISO 8601 date."""


@dataclass(frozen=True, slots=True)
class Signs:
    """Everything that the machine said."""

    workers: tuple[WorkerSigns, ...] = ()
    host: HostSigns = HostSigns()
    interval_p99_ns: tuple[int, ...] = ()
    """The p99 of response time of each whole interval of the window, in order, all workers merged."""
    ceiling: Ceiling | None = None
    """None: no self-test of this host is known."""
