"""The CPU time of a server, limited by a control group's quota."""

from __future__ import annotations

from loadgen.faults.fault import Fault
from loadgen.faults.process.group import Group
from loadgen.target.server import ManagedServer

_PERIOD_US = 100_000
# The least quota that the kernel takes (sched-bwc.rst).
_LEAST_US = 1_000


class CpuQuota:
    """A server with a share of one CPU. It counts the periods in which the server had used its share up."""

    def __init__(self, server: ManagedServer, fault: Fault) -> None:
        self._group = Group(server, "cpu.cfs_quota_us", "cpu.max")
        self._before = self._throttled()
        self._limit(max(_LEAST_US, int(float(fault.parameters["share"]) * _PERIOD_US)))

    def effects(self) -> int:
        return self._throttled() - self._before

    def end(self) -> None:
        self._limit(None)

    def _throttled(self) -> int:
        return self._group.count("cpu.stat", "nr_throttled")

    def _limit(self, quota_us: int | None) -> None:
        if self._group.version == 1:
            self._group.set("cpu.cfs_period_us", _PERIOD_US)
            self._group.set("cpu.cfs_quota_us", -1 if quota_us is None else quota_us)
        else:
            self._group.set("cpu.max", f"{'max' if quota_us is None else quota_us} {_PERIOD_US}")
