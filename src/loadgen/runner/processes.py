"""The workers of a plan as processes of this machine, each a member of its own."""

from __future__ import annotations

from loadgen.plan import Plan
from loadgen.runner.member import Share
from loadgen.worker.process import WorkerProcess


class WorkerProcesses:
    """Makes a crew's members; `made` has all of them."""

    lease_ns = 0
    """A worker process ends with its parent, as its channel closes then."""

    def __init__(self) -> None:
        self.made: list[WorkerProcess] = []

    def shares(self, plan: Plan) -> list[Share]:
        return [Share((index,), f"Worker {index}") for index in range(len(plan.workers))]

    def make(self, plan: Plan, share: Share) -> WorkerProcess:
        [index] = share.workers
        self.made.append(WorkerProcess(plan, index))
        return self.made[-1]
