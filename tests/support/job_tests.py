"""Whole tests of jobs for tests: a small plan, carried out, with all its events."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from loadgen.events import Event
from loadgen.faults.fault import Fault, Layer
from loadgen.faults.kinds import KINDS
from loadgen.jobs.leader.test import JobsTest
from loadgen.jobs.load.ended import JobsEnded
from loadgen.jobs.load.plan import JobFault, JobsPlan, Kind, Publishing, QueueSettings
from loadgen.runner.stop import Stop

MS = 1_000_000
S = 1_000 * MS

QUICK = QueueSettings(lease_ns=2 * S, sweep_ns=200 * MS, result_ttl_ns=0)
"""Settings with which a job of a dead worker is another's within little more than two seconds."""

_OF_PUBLISHING = {"producers", "batch", "rate_per_s", "submissions", "bursts", "pause_ns", "before_workers"}


def plan(jobs: int | tuple[Kind, ...], adapter: str = "sqlite", **more: Any) -> JobsPlan:
    """Return a plan with so many jobs, or with jobs of these kinds; `more` are fields of it and of Publishing."""
    kinds = (Kind(jobs),) if isinstance(jobs, int) else jobs
    of_publishing = {name: more.pop(name) for name in _OF_PUBLISHING if name in more}
    settings = {"queue": QUICK, "patience_ns": 5 * S, "workers": 2, **more}
    publishing = Publishing(kinds, **of_publishing)
    return JobsPlan(name="small", title="a small test", adapter=adapter, publishing=publishing, **settings)


def on_worker(kind: str, worker: int, share: float, for_s: float = 0.0) -> JobFault:
    fault = Fault(kind, Layer.PROCESS, (worker,), for_ns=round(for_s * S), parameters=KINDS[kind].defaults())
    return JobFault(fault, on_workers=True, at_share=share)


def on_storage(kind: str, share: float, for_s: float = 0.5, **parameters: Any) -> JobFault:
    row = KINDS[kind]
    fault = Fault(kind, row.layer, (1,), for_ns=round(for_s * S), parameters={**row.defaults(), **parameters})
    return JobFault(fault, on_workers=False, at_share=share)


@dataclass
class Ran:
    """A test that was carried out."""

    ended: JobsEnded
    events: list[Event] = field(default_factory=list)

    @property
    def counts(self) -> Any:
        return self.ended.account.counts

    def answers(self) -> dict[str, bool | None]:
        return {check.name: check.passed for check in self.ended.checks}

    def failed(self) -> dict[str, str]:
        """The checks that failed, by name, with what was found."""
        return {check.name: check.found for check in self.ended.checks if check.passed is False}


def ran(wanted: JobsPlan, stop: Stop | None = None) -> Ran:
    """Carry out a test."""
    events: list[Event] = []
    ended = JobsTest(wanted, events.append, stop or Stop()).ended()
    return Ran(ended, events)


def with_storage(wanted: JobsPlan, url: str, queue_name: str) -> JobsPlan:
    return replace(wanted, storage=url, queue_name=queue_name)
