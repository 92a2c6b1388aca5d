"""What the machine did to the generator while it measured: frozen values that a verdict is made from. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from loadgen.algebra import Addable, counted, state


def _later(earlier: Any, later: Any) -> Any:
    return later


def _both_known(a: int | None, b: int | None) -> int | None:
    return None if a is None or b is None else a + b


@dataclass(frozen=True, slots=True)
class PauseAccount(Addable):
    """How late one worker's event loop woke, over as long as its signs are of, by where the time had gone.

    Only wake-ups more than a millisecond late count. The three parts add up to the whole.
    """

    count: int = counted(0)
    longest_ns: int = state(0, max)
    busy_ns: int = counted(0)
    """The worker was running: it had too much to do."""
    queued_ns: int = counted(0)
    """It was ready to run, and others had its CPU."""
    stopped_ns: int = counted(0)
    """It was not even ready to run: stopped by a signal, a debugger, a suspended machine, a page fault."""

    @property
    def total_ns(self) -> int:
        return self.busy_ns + self.queued_ns + self.stopped_ns


@dataclass(frozen=True, slots=True)
class WorkerSigns(Addable):
    """One worker over its measure window, and for as long after it as requests of the window were still being sent.

    The sum of two is the same worker over two windows.
    """

    index: int = state(0, _later)
    wall_ns: int = counted(0)
    cpu_ns: int = counted(0)
    """User and system time of the process."""
    queued_ns: int | None = state(0, _both_known)
    """Ready to run, without a CPU (`run_delay` of Linux's schedstat); None where the system does not say."""
    pauses: PauseAccount = counted(PauseAccount())
    overdue: int = counted(0)
    """Requests of the window that were sent more than 10 ms after it closed, or never, for no reason but our own."""
    throttled: int | None = state(None, _both_known)
    """Periods of the load in which a CPU quota of its control groups was used up; None where nobody says."""
    throttled_ns: int = counted(0)
    """How long something in those groups then waited for the next period."""
    quota_cpus: float | None = state(None, _later)
    """The least of those quotas, in CPUs; None where there is none."""


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
