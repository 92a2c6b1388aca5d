"""What a test of jobs is judged by, as a value: the plan, the account, and what was read beside the test. No I/O."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from loadgen.faults.report import FaultReport
from loadgen.jobs.load.account import Account
from loadgen.jobs.load.ended import Cost, Operations
from loadgen.jobs.load.plan import JobFault, JobsPlan
from loadgen.monitors.reading import Reading
from loadgen.monitors.report import MonitorReport
from loadgen.units import NS_PER_S


@dataclass(frozen=True, slots=True)
class Evidence:
    """What came of one test."""

    plan: JobsPlan
    account: Account
    cost: Cost = field(default_factory=Cost)
    faults: tuple[FaultReport, ...] = ()
    """In the order of the plan's; those that never began are missing."""
    operations: tuple[Operations, ...] = ()
    in_flight_at_kills: int = 0
    """Jobs that workers had begun and not ended when they were killed or paused, added up."""
    memory: tuple[tuple[float, float], ...] = ()
    """Readings of the workers' memory: seconds from the start, and the bytes of all workers that ran all the time."""
    storage: tuple[tuple[int, int], ...] = ()
    """Readings of the storage, one a second: the monotonic time, and the bytes that it took."""
    monitors: tuple[MonitorReport, ...] = ()
    readings: tuple[Reading, ...] = ()
    """What the monitors read in the time of their reports, in the order of time."""
    cpus: int = 1
    """The CPUs that the test could use."""

    @property
    def elapsed_s(self) -> float:
        """From the first publish to the last end."""
        return self.account.elapsed_ns / NS_PER_S

    @property
    def on_workers(self) -> tuple[JobFault, ...]:
        return tuple(each for each in self.plan.faults if each.on_workers)

    @property
    def on_storage(self) -> tuple[JobFault, ...]:
        return tuple(each for each in self.plan.faults if not each.on_workers)

    def completed(self) -> Iterator[int]:
        """Yield the jobs that each worker has completed; 0 for one that has completed none."""
        by_name = {share.worker: share.completed for share in self.account.shares}
        for number in range(1, self.plan.workers + 1):
            yield by_name.get(str(number), 0)
