"""The bench of a self-test: the loads that it puts on its server, and the figures made from their results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

import loadgen
from loadgen.errors import WorkerError
from loadgen.events import Event, Progress, Result
from loadgen.judge.judging import Judging
from loadgen.plan import Plan
from loadgen.reason import Code, Reason
from loadgen.runner.stop import NEVER, Stop
from loadgen.selftest.bench import DEPTHS, FLOOR_RATE_PER_S, MEASUREMENTS, Bench
from loadgen.severity import Severity
from loadgen.signs import Signs, WorkerSigns
from loadgen.snapshot import Snapshot, Tally
from loadgen.units import NS_PER_S

PLAN = loadgen.Plan("127.0.0.1:1", threads=1, connections=4, warmup="200ms", duration="1s", seed=1)
CLOSED_PER_S = 64_000
VALID_UP_TO = 40_000
DIED = Reason(Code.WORKER_DIED, "It died.", Severity.COULD_NOT_RUN)


class MadeUp:
    """Runs of a generator that is late beyond a rate, and whose worker is at rest for half of the time."""

    plans: list[Plan]

    def __init__(
        self, plan: Plan, emit: Callable[[Event], None], *, judging: Judging, stop: Stop = NEVER, **more: object
    ) -> None:
        assert judging == Judging()
        self.plans.append(plan)
        self.plan = plan
        emit(Progress("measure", 1, 2, 1))

    def result(self) -> Result:
        load = self.plan.load
        rate_per_s = load.rate_per_s or CLOSED_PER_S
        count = round(rate_per_s * load.duration_ns / NS_PER_S)
        worker = WorkerSigns(index=0, wall_ns=NS_PER_S, cpu_ns=NS_PER_S // 2, queued_ns=NS_PER_S // 10)
        return Result(
            self.plan,
            Snapshot(tallies={"get": Tally(planned=count, ok=count, hits=count)}, answered_in_time=count),
            load.duration_ns,
            reasons=(Reason(Code.GENERATOR_LATE, "late", Severity.INVALID),)
            if rate_per_s > VALID_UP_TO and load.open_loop
            else (),
            signs=Signs((worker,)),
        )


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> list[Plan]:
    """The plans that a bench has run."""
    monkeypatch.setattr(MadeUp, "plans", [], raising=False)
    monkeypatch.setattr("loadgen.library.run.Run", MadeUp)
    return MadeUp.plans


def test_each_depth_is_measured_closed_and_then_open_until_the_ceiling_is_narrow(plans: list[Plan]) -> None:
    reaches = list(Bench(PLAN, lambda event: None).reaches())
    assert [(reach.depth, reach.closed_per_s, reach.closed_is_bound) for reach in reaches] == [
        (depth, CLOSED_PER_S, True) for depth in DEPTHS
    ]
    assert all(VALID_UP_TO - CLOSED_PER_S / 64 <= reach.open_per_s <= VALID_UP_TO for reach in reaches)
    closed = [plan for plan in plans if not plan.load.open_loop]
    assert [plan.wire.pipeline_depth for plan in closed] == list(DEPTHS)
    assert all(plan.wire.batch_size == plan.wire.pipeline_depth for plan in plans)
    assert {plan.load.arrival for plan in plans if plan.load.open_loop} == {"poisson"}
    assert len(plans) == MEASUREMENTS - 1


def test_the_floor_is_taken_one_request_at_a_time_at_a_low_rate(plans: list[Plan]) -> None:
    Bench(PLAN, lambda event: None).floor()
    [plan] = plans
    assert (plan.wire.pipeline_depth, plan.load.rate_per_s) == (1, FLOOR_RATE_PER_S)


def test_progress_says_which_measurement_of_how_many_it_is(plans: list[Plan]) -> None:
    told: list[Event] = []
    bench = Bench(PLAN, told.append)
    bench.measure(1)
    bench.measure(1)
    assert [str(event.overall.parts[0]) for event in told if isinstance(event, Progress) and event.overall] == [
        f"measurement 1/{MEASUREMENTS}",
        f"measurement 2/{MEASUREMENTS}",
    ]
    assert bench.waited == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("ended", "raised"), [({"interrupted": True}, KeyboardInterrupt), ({"reasons": (DIED,)}, WorkerError)]
)
def test_a_measurement_that_did_not_end_ends_the_bench(
    ended: dict[str, object], raised: type[BaseException], plans: list[Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = MadeUp.result
    monkeypatch.setattr(MadeUp, "result", lambda run: replace(whole(run), **ended))
    with pytest.raises(raised):
        Bench(PLAN, lambda event: None).measure(1)
