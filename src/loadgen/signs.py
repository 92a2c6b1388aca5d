"""The signs of what slowed the generator while it measured: frozen values that a verdict is made from. No I/O."""

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
    """The lateness of one worker's event loop in waking, over the time of its signs, in three parts by cause.

    Only wake-ups more than a millisecond late count. The three parts add up to the whole.
    """

    count: int = counted(0)
    longest_ns: int = state(0, max)
    busy_ns: int = counted(0)
    """The worker was running: it had too much to do."""
    queued_ns: int = counted(0)
    """The worker was ready to run, and others had its CPU."""
    stopped_ns: int = counted(0)
    """The worker was not ready to run: stopped by a signal, a debugger, a suspended machine, a page fault."""

    @property
    def total_ns(self) -> int:
        return self.busy_ns + self.queued_ns + self.stopped_ns


@dataclass(frozen=True, slots=True)
class WorkerSigns(Addable):
    """The signs of one worker over its measure window, and until the last request of the window was sent.

    The sum of two is the same worker over two windows.
    """

    index: int = state(0, _later)
    wall_ns: int = counted(0)
    cpu_ns: int = counted(0)
    """User and system time of the process."""
    queued_ns: int | None = state(0, _both_known)
    """The time ready to run without a CPU (`run_delay` of Linux's schedstat); None where unknown."""
    pauses: PauseAccount = counted(PauseAccount())
    overdue: int = counted(0)
    """Requests of the window sent more than 10 ms after it closed, or never, for a reason of the generator's alone."""
    throttled: int | None = state(None, _both_known)
    """Periods of the load in which a CPU quota of the worker's control groups was used up; None where unknown."""
    throttled_ns: int = counted(0)
    """The time for which something in those groups then waited for the next period."""
    quota_cpus: float | None = state(None, _later)
    """The least of those quotas, in CPUs; None where there is none."""
    host: str = state("", _later)
    """The name of the worker's machine; empty for the leader's."""


@dataclass(frozen=True, slots=True)
class HostSigns:
    """The signs of the machine over the measure window."""

    steal_share: float | None = None
    """The share of all CPUs' time that a hypervisor gave to others; None where unknown."""
    clock_source: str = ""
    """The kernel's clock source, such as `tsc`; empty where unknown."""


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The result of this host's self-test (`loadgen selftest`) at a depth like the run's, for as many workers."""

    throughput_per_s: float
    """The throughput of all the run's workers together, in the run's kind of loop."""
    floor_p50_ns: int
    floor_p99_ns: int
    """Response time at a low rate against a server that does nothing."""
    taken: str
    """The date of the self-test, in ISO 8601."""


@dataclass(frozen=True, slots=True)
class Signs:
    """All signs of one load."""

    workers: tuple[WorkerSigns, ...] = ()
    host: HostSigns = HostSigns()
    interval_p99_ns: tuple[int, ...] = ()
    """The p99 of response time of each whole interval of the window, in order, all workers merged."""
    ceiling: Ceiling | None = None
    """None: no self-test of this host is known."""
