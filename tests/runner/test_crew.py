"""A crew's loads, one after the other: what a member says of one is not taken for the next."""

from __future__ import annotations

from multiprocessing.connection import wait

from faulty_server import FaultyServer, polite
from runs import plan

from loadgen.plan import Load, Plan
from loadgen.runner.crew import Crew
from loadgen.runner.intervals import Interval
from loadgen.runner.member import Share
from loadgen.runner.processes import WorkerProcesses
from loadgen.units import NS_PER_MS
from loadgen.worker.messages import EndLoad, Hello, Order
from loadgen.worker.process import WorkerProcess

# One interval is all of it.
LOAD = Load(0, 100 * NS_PER_MS, 100 * NS_PER_MS)


class Overtaken(WorkerProcess):
    """A worker whose order to end a load comes when it has drained that load by itself, and said so."""

    overtaken = 0

    def tell(self, message: Hello | Order) -> None:
        if isinstance(message, EndLoad):
            wait([self.fileno()])
            self.overtaken += 1
        super().tell(message)


def test_a_load_that_is_ended_when_it_has_drained_by_itself_is_followed_by_the_next() -> None:
    ended: list[Interval] = []
    made: list[Overtaken] = []

    class AllOvertaken(WorkerProcesses):
        def make(self, plan: Plan, share: Share) -> Overtaken:
            [index] = share.workers
            made.append(Overtaken(plan, index))
            return made[-1]

    with FaultyServer(polite()) as server:
        own = plan(server.port, "general.threads=1", "connection.connect_timeout=1s")
        crew = Crew(own, lambda event: None, members=AllOvertaken())
        with crew.at_work():
            crew.connect()
            loads = []
            for _ in range(2):
                ended.clear()
                # The order comes after the report of the only interval: next, the worker says that it has drained.
                loads.append(crew.put_on(LOAD, interval_ended=ended.append, enough=lambda: bool(ended)))
                crew.connections.open()
    assert made[0].overtaken == 2
    assert not crew.failure
    assert not any(counted.ended_early for counted in loads)
    assert all(counted.measured.total.ok == counted.measured.total.planned > 0 for counted in loads)
