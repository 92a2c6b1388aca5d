"""One worker in this process: its messages and their order."""

from __future__ import annotations

import asyncio

import pytest
import uvloop
from faulty_server import FaultyServer, polite
from runs import plan

from loadgen.engine._reactor import create
from loadgen.engine._time import Monotonic
from loadgen.plan import Load
from loadgen.units import NS_PER_MS, NS_PER_S
from loadgen.worker import main
from loadgen.worker.main import Pipe, Worker
from loadgen.worker.messages import (
    Connect,
    Connected,
    Drained,
    EndLoad,
    Hello,
    IntervalEnded,
    Progressed,
    PutOn,
    Report,
)


class Said(Pipe):
    """A pipe that keeps what is sent."""

    def __init__(self) -> None:
        super().__init__(lambda message: None, lambda: None)
        self.reports: list[Report] = []

    def send(self, message: object) -> None:
        assert isinstance(message, Report)
        self.reports.append(message)

    async def until(self, kind: type[Report]) -> None:
        while not isinstance(self.reports[-1:][0] if self.reports else None, kind):
            await asyncio.sleep(0.001)


def ended(report: Report) -> tuple[str, int]:
    """Which interval of which phase it tells of."""
    assert isinstance(report, IntervalEnded)
    return report.phase, report.number


def test_every_interval_is_reported_before_the_end_however_late_the_worker_is() -> None:
    async def told(port: int) -> list[Report]:
        said = Said()
        own = Worker(said, Hello(plan(port), (0,)), create(asyncio.get_running_loop(), Monotonic()))
        own.execute(Connect())
        await said.until(Connected)
        second_ago = own.time.now() - NS_PER_S
        # All of it is past: the load is over with the first wake-up.
        own.execute(PutOn(Load(NS_PER_S // 10, NS_PER_S // 2, NS_PER_S // 4), second_ago))
        await said.until(Drained)
        own.engine.close()
        return said.reports[1:]

    with FaultyServer(polite()) as server:
        reports = uvloop.run(told(server.port))
    *intervals, drained = reports
    assert [ended(report) for report in intervals] == [("warmup", 1), ("measure", 1), ("measure", 2)]
    assert isinstance(drained, Drained)


def test_nothing_of_a_load_that_is_stopped_is_reported_but_its_end() -> None:
    async def told(port: int) -> list[Report]:
        said = Said()
        own = Worker(said, Hello(plan(port), (0,)), create(asyncio.get_running_loop(), Monotonic()))
        own.execute(Connect())
        await said.until(Connected)
        own.execute(PutOn(Load(0, NS_PER_S, NS_PER_S // 4), own.time.now() + 3600 * NS_PER_S))
        own.execute(EndLoad())
        await said.until(Drained)
        own.engine.close()
        return said.reports[1:]

    with FaultyServer(polite()) as server:
        reports = uvloop.run(told(server.port))
    assert [type(report) for report in reports] == [Drained]


def test_the_progress_of_connections_that_are_opened_slowly_is_reported_until_all_are_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(main, "PROGRESS_INTERVAL_NS", 10 * NS_PER_MS)

    async def told(port: int) -> list[Report]:
        said = Said()
        slow = plan(port, "connection.connections=3", "connection.connect_rate=20", "general.threads=1")
        own = Worker(said, Hello(slow, (0,)), create(asyncio.get_running_loop(), Monotonic()))
        own.execute(Connect())
        await said.until(Connected)
        # The next call of the reactor is a load's.
        own.execute(PutOn(Load(0, NS_PER_S // 10, 0), own.time.now()))
        await said.until(Drained)
        own.engine.close()
        return said.reports

    with FaultyServer(polite()) as server:
        reports = uvloop.run(told(server.port))
    *progress, connected, drained = reports
    assert [type(connected), type(drained)] == [Connected, Drained]
    assert {type(report) for report in progress} == {Progressed}
    down = [sum(report.down) for report in progress]
    assert down == sorted(down, reverse=True)
    assert {1, 2} <= {*down} <= {0, 1, 2, 3}
