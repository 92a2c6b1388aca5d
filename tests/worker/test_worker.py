"""One worker in this process: what it says, in what order."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, cast
from unittest.mock import Mock

import uvloop
from faulty_server import FaultyServer, polite
from runs import plan

from loadgen.plan import Load
from loadgen.units import NS_PER_S
from loadgen.worker.main import Pipe, Worker
from loadgen.worker.messages import Connect, Drained, IntervalEnded, PutOn, Report


class Said(Pipe):
    """A pipe that keeps what is sent."""

    def __init__(self) -> None:
        super().__init__(lambda message: None, lambda: None)
        self.reports: list[Report] = []

    def send(self, message: object) -> None:
        assert isinstance(message, Report)
        self.reports.append(message)


def ended(report: Report) -> tuple[str, int]:
    """Which interval of which phase it tells of."""
    assert isinstance(report, IntervalEnded)
    return report.phase, report.number


def test_every_interval_is_reported_before_the_end_however_late_the_loops_timers_are() -> None:
    async def drained_before_any_timer(port: int) -> list[Report]:
        said = Said()
        own = Worker(said, plan(port), 0)
        own.obey(Connect())
        while not said.reports:
            await asyncio.sleep(0.001)
        second_ago = time.monotonic_ns() - NS_PER_S
        # All of it is past, and the loop gets no turn in which a timer could ring.
        own.obey(PutOn(Load(NS_PER_S // 10, NS_PER_S // 2, NS_PER_S // 4), second_ago))
        own.mode_ended("drained")
        own.forget_timers()
        own.engine.close()
        return said.reports[1:]

    with FaultyServer(polite()) as server:
        reports = uvloop.run(drained_before_any_timer(server.port))
    *intervals, drained = reports
    assert [ended(report) for report in intervals] == [("warmup", 1), ("measure", 1), ("measure", 2)]
    assert isinstance(drained, Drained)


class HandRung:
    """A loop whose timers ring when the test says so."""

    def __init__(self) -> None:
        self.rings: list[Callable[[], object]] = []

    def call_later(self, delay_s: float, ring: Callable[[], object]) -> Mock:
        self.rings.append(ring)
        return Mock()


async def rung(port: int, start_ns: int, ring: Callable[[HandRung], None]) -> list[Report]:
    """What a worker says of a load of a warm-up interval and four measured ones whose timers ring as told."""
    said = Said()
    own = Worker(said, plan(port), 0)
    own.loop = loop = cast(Any, HandRung())
    own.obey(PutOn(Load(NS_PER_S // 4, NS_PER_S, NS_PER_S // 4), start_ns))
    ring(loop)
    own.forget_timers()
    own.engine.close()
    return said.reports


def test_what_is_due_is_done_in_order_though_the_loops_timers_ring_in_another() -> None:
    def in_reverse(loop: HandRung) -> None:
        while loop.rings:
            loop.rings.pop()()

    with FaultyServer(polite()) as server:
        # The warm-up's last interval ends where the measurement begins.
        reports = uvloop.run(rung(server.port, time.monotonic_ns() - 2 * NS_PER_S, in_reverse))
    assert [ended(report) for report in reports] == [
        ("warmup", 1),
        *(("measure", number) for number in (1, 2, 3, 4)),
    ]


def test_a_timer_that_rings_early_is_set_again() -> None:
    set_again: list[int] = []

    def early(loop: HandRung) -> None:
        for _ in range(20):
            before = len(loop.rings)
            loop.rings.pop(0)()
            set_again.append(len(loop.rings) - before)

    with FaultyServer(polite()) as server:
        reports = uvloop.run(rung(server.port, time.monotonic_ns() + 60 * NS_PER_S, early))
    assert not reports
    # One timer out, the same one in.
    assert set_again == [0] * 20
