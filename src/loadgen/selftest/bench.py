"""The bench of a self-test: repeated measurements of one worker against one server that does nothing.

This module chooses the loads that show what a generator can do. It does not know where the server is, or what the
figures are used for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from loadgen.errors import WorkerError
from loadgen.events import Event, Overall, Part, Progress, Result
from loadgen.judge.verdict import VerdictLimits
from loadgen.library.plan import Plan
from loadgen.library.run import run
from loadgen.runner.stop import NEVER, Stop
from loadgen.selftest.reach import Reach
from loadgen.units import NS_PER_S

DEPTHS = (1, 8, 32)
FLOOR_RATE_PER_S = 1000
# The ceiling of an open loop is searched as a share of the closed loop's, in this many halvings.
HALVINGS = 6
# A rate of which a smaller share is achieved was beyond the server, so it says nothing about the generator.
LEAST_ACHIEVED = 0.99
# The most time that starting, connecting and draining add to a load.
AROUND_S = 1.0
MEASUREMENTS = len(DEPTHS) * (1 + HALVINGS) + 1


class Bench:
    """Measurements of a plan's one worker: at other depths and rates than the plan's, each as long as the plan's.

    `emit` receives the progress of all measurements. Raises WorkerError when a measurement fails, and KeyboardInterrupt
    when `stop` is set.
    """

    def __init__(self, plan: Plan, emit: Callable[[Event], None], *, stop: Stop = NEVER) -> None:
        self.plan = plan
        self.emit = emit
        self.stop = stop
        self.begun = 0
        """The number of measurements that have begun."""
        self._wall_ns = self._waited_ns = 0

    def measure(self, depth: int, rate_per_s: float = 0.0) -> Result:
        """Put on one load at this pipeline depth: at a rate, or in a closed loop when the rate is 0."""
        self.begun += 1
        plan = self.plan.replace(pipeline_depth=depth, rate=rate_per_s)
        result = run(plan, on_event=self.emit_progress, stop=self.stop)
        if result.interrupted:
            raise KeyboardInterrupt
        if result.failure:
            raise WorkerError(result.failure)
        self._wall_ns += sum(worker.wall_ns for worker in result.signs.workers)
        self._waited_ns += sum(worker.queued_ns or 0 for worker in result.signs.workers)
        return result

    @property
    def waited(self) -> float:
        """The share of all measurements' time in which the worker was ready to run and had no CPU."""
        return self._waited_ns / self._wall_ns if self._wall_ns else 0.0

    def emit_progress(self, event: Event) -> None:
        """Emit the progress of all measurements."""
        if isinstance(event, Progress):
            load = self.plan.config.general
            each_ns = round(AROUND_S * NS_PER_S) + load.warmup + load.duration
            rest_ns = (MEASUREMENTS - self.begun + 1) * each_ns
            self.emit(replace(event, overall=Overall((Part("measurement", self.begun, MEASUREMENTS),), rest_ns)))

    def reaches(self) -> Iterator[Reach]:
        """Yield the Reach of the worker at each depth, as soon as it is known."""
        for depth in DEPTHS:
            closed = self.measure(depth)
            [worker] = closed.signs.workers
            is_bound = worker.cpu_ns < VerdictLimits().cpu_share * worker.wall_ns
            yield Reach(depth, closed.throughput_per_s, is_bound, self.open_ceiling(depth, closed.throughput_per_s))

    def open_ceiling(self, depth: int, closed_per_s: float) -> float:
        """Return the highest rate, to a 64th of the closed loop's, that is achieved with a valid verdict."""
        low, high = 0.0, 1.0
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            result = self.measure(depth, middle * closed_per_s)
            offered_per_s = result.measured.total.planned * NS_PER_S / self.plan.config.general.duration
            if result.valid and result.throughput_per_s >= LEAST_ACHIEVED * offered_per_s:
                low = middle
            else:
                high = middle
        return low * closed_per_s

    def floor(self) -> tuple[int, int]:
        """Return p50 and p99 of response time at a rate so low that no request waits."""
        latency = self.measure(1, FLOOR_RATE_PER_S).measured.latency()
        return latency.quantile(0.5), latency.quantile(0.99)
