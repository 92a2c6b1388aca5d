"""The offset between a member's clock and ours, and loads on members whose clocks differ from ours."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from faulty_server import FaultyServer, polite
from hypothesis import given
from hypothesis import strategies as st
from runs import judging, plan

from loadgen.errors import WorkerError
from loadgen.plan import Plan
from loadgen.runner.clock import DRIFT_PPM, ClockOffset
from loadgen.runner.member import Share
from loadgen.runner.processes import WorkerProcesses
from loadgen.runner.run import Run
from loadgen.units import NS_PER_S
from loadgen.worker.messages import (
    VERSION,
    ClockReading,
    Drained,
    Greeting,
    Hello,
    Message,
    Order,
    PutOn,
)
from loadgen.worker.process import WorkerProcess

DELAYS = st.lists(st.tuples(st.integers(0, NS_PER_S), st.integers(0, NS_PER_S)), min_size=1, max_size=9)
DAY_NS = 86_400 * NS_PER_S


def measured(ahead_ns: int, delays: list[tuple[int, int]]) -> ClockOffset:
    """By exchanges, each of which took so long there and back."""
    now_ns, found = 10**18, []
    for there_ns, back_ns in delays:
        clock_ns = now_ns + there_ns + ahead_ns
        found.append(ClockOffset.of_exchange(now_ns, clock_ns, now_ns + there_ns + back_ns))
        now_ns += there_ns + back_ns + 1
    offset = found[0]
    for each in found[1:]:
        offset &= each
    return offset


@given(st.integers(-(10**18), 10**18), DELAYS)
def test_an_offset_is_off_by_no_more_than_the_quickest_exchange_took(
    ahead_ns: int, delays: list[tuple[int, int]]
) -> None:
    offset = measured(ahead_ns, delays)
    assert offset.least_ns <= ahead_ns <= offset.most_ns
    assert abs(offset.ns - ahead_ns) <= min(there_ns + back_ns for there_ns, back_ns in delays)


@given(DELAYS)
def test_two_processes_of_one_machine_are_found_to_have_one_clock(delays: list[tuple[int, int]]) -> None:
    assert measured(0, delays).ns == 0


def test_of_bounds_that_drift_has_parted_the_narrower_hold() -> None:
    wide, narrow = ClockOffset(0, 100), ClockOffset(200, 210)
    assert wide & narrow == narrow & wide == narrow


class Elsewhere(WorkerProcess):
    """A worker process as one on another machine is seen: its monotonic clock is ahead of ours."""

    ahead_ns = 0

    def tell(self, message: Hello | Order) -> None:
        if isinstance(message, PutOn):
            message = replace(message, start_ns=message.start_ns - self.ahead_ns)
        super().tell(message)

    def hear(self) -> Message:
        match message := super().hear():
            case Greeting() | ClockReading():
                return replace(message, clock_ns=message.clock_ns + self.ahead_ns)
            case Drained():
                return replace(message, window_end_ns=message.window_end_ns + self.ahead_ns)
            case _:
                return message


def test_members_whose_clocks_differ_have_their_load_at_the_same_time() -> None:
    made: list[Elsewhere] = []

    class InOtherPlaces(WorkerProcesses):
        def make(self, plan: Plan, share: Share) -> Elsewhere:
            [index] = share.workers
            made.append(Elsewhere(plan, index))
            made[-1].ahead_ns = (DAY_NS, -(DAY_NS // 2))[index]
            return made[-1]

    with FaultyServer(polite()) as server:
        told = plan(server.port, "general.threads=2", "workload.rate_limit=2000", "general.duration=1s")
        run = Run(told, lambda event: None, members=InOtherPlaces(), judging=judging())
        began_s = time.monotonic()
        result = run.result()
    assert time.monotonic() - began_s < 30
    offsets = [seat.offset for seat in run.crew.seats]
    for offset, member in zip(offsets, made, strict=True):
        assert offset is not None
        # Not by how long the process took to start: it was asked again when it ran.
        assert abs(offset.ns - member.ahead_ns) < NS_PER_S // 10
    assert result.unaccounted == 0
    assert result.measured.total.planned == 2000
    # The last worker's end less our begin: by as much as a clock was misread, it differs from what was asked for.
    assert abs(result.duration_ns - NS_PER_S) < NS_PER_S // 10


def test_workers_of_this_host_are_measured_to_have_its_clock() -> None:
    with FaultyServer(polite()) as server:
        run = Run(plan(server.port, "general.threads=2"), lambda event: None, judging=judging())
        result = run.result()
    offsets = [seat.offset for seat in run.crew.seats]
    assert [offset.ns for offset in offsets if offset is not None] == [0, 0]
    assert result.duration_ns == run.plan.load.duration_ns


def test_a_member_of_another_version_is_refused() -> None:
    class Older(WorkerProcess):
        def hear(self) -> Message:
            message = super().hear()
            return replace(message, version=VERSION - 1) if isinstance(message, Greeting) else message

    class OlderOnes(WorkerProcesses):
        def make(self, plan: Plan, share: Share) -> Older:
            return Older(plan, share.workers[0])

    with FaultyServer(polite()) as server:
        run = Run(plan(server.port), lambda event: None, members=OlderOnes(), judging=judging())
        with pytest.raises(WorkerError, match=f"speaks version {VERSION - 1} of the messages"):
            run.result()


def test_bounds_hold_for_clocks_that_drift_after_they_were_measured() -> None:
    measured, age_ns = ClockOffset(10**9, 10**9 + 200), 100 * NS_PER_S
    drifted_ns = age_ns * DRIFT_PPM // 10**6
    aged = measured.aged(age_ns)
    assert (aged.least_ns, aged.most_ns) == (10**9 - drifted_ns, 10**9 + 200 + drifted_ns)
    assert (aged.ns, aged.error_ns) == (measured.ns, measured.error_ns + drifted_ns)


def test_a_clock_that_is_surely_not_ours_has_an_error_though_its_bounds_allow_0() -> None:
    assert (ClockOffset(-10, 30).ns, ClockOffset(-10, 30).error_ns) == (0, 0)
    other = ClockOffset.of_exchange(0, 30, 40, may_be_ours=False)
    assert (other.least_ns, other.most_ns) == (-10, 30)
    assert (other.ns, other.error_ns) == (10, 20)
