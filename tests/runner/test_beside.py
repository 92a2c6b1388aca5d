"""Monitors beside a load: their news among the load's events, and which of them count."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import ClassVar, cast

import pytest
from real_servers import RealServer
from runs import judging, plan

from loadgen.events import Event, Monitored, MonitorGap, PhaseBegan, Result, SearchEnded
from loadgen.judge.check import Check
from loadgen.judge.expression.dimension import COUNT
from loadgen.judge.expression.vocabulary import Known
from loadgen.judge.judging import Judging
from loadgen.monitors.board import Board
from loadgen.monitors.monitor import Found, Unreadable
from loadgen.monitors.plan import MonitorPlan
from loadgen.monitors.reading import Gap, Reading
from loadgen.monitors.report import MonitorReport
from loadgen.monitors.series import level
from loadgen.phase import Phase
from loadgen.reason import Code
from loadgen.runner import beside
from loadgen.runner.beside import NONE_DUE, Beside
from loadgen.runner.run import Run
from loadgen.runner.search import Saturation
from loadgen.runner.stop import Stop
from loadgen.stats.search import SearchSettings
from loadgen.stats.trial import Limit

S = 1_000_000_000
MS = 1_000_000


class Invented:
    """A board whose news are given."""

    kinds: ClassVar = {"one": "proc", "two": "redis"}
    series: ClassVar = {"one": {"fds": level(COUNT, "open files")}, "two": {"clients": level(COUNT, "connections")}}

    def __init__(self, *news: Reading | Gap) -> None:
        self.waiting = [*news]

    def news(self) -> list[Reading | Gap]:
        news, self.waiting = self.waiting, []
        return news


def reading(at_ns: int, value: float = 7.0, monitor: str = "one") -> Reading:
    return Reading(monitor, at_ns, at_ns / S, {"fds" if monitor == "one" else "clients": value}, "pid 7")


def gap(at_ns: int, why: str = "refused", monitor: str = "one") -> Gap:
    return Gap(monitor, at_ns, at_ns / S, why)


def told(board: Invented, counts: Callable[[int], bool] = lambda at_ns: True) -> Beside:
    return Beside(cast(Board, board), counts)


def test_news_become_events_and_those_that_count_are_reported() -> None:
    news = [reading(1 * S), gap(2 * S), reading(3 * S, 9.0), gap(5 * S, "later"), reading(9 * S, 99.0)]
    of_load = told(Invented(*news), lambda at_ns: 2 * S <= at_ns <= 4 * S)
    events = [*of_load.news()]
    assert [event.at_ns for event in events] == [each.at_ns for each in news]
    assert [type(event) for event in events] == [Monitored, MonitorGap, Monitored, MonitorGap, Monitored]
    assert [*of_load.news()] == []
    one, two = of_load.reports()
    assert (one.readings, one.gaps, one.why, one.series[0].last) == (1, 1, "later", 9.0)
    assert (two.kind, two.readings, two.gaps) == ("redis", 0, 0)


def test_a_monitor_without_a_reading_and_one_with_a_restart_are_remarked_on() -> None:
    reports = (
        MonitorReport("a", "proc", gaps=3, why="no process has the id 7\x1b[2J"),
        MonitorReport("b", "proc"),
        MonitorReport("c", "redis", readings=3, restarts=2),
        MonitorReport("d", "redis", readings=3, gaps=1, why="refused"),
    )
    found = [*beside.notes(reports)]
    assert [(each.code, each.words) for each in found] == [
        (
            Code.MONITOR_SILENT,
            r"monitor a gave no reading while the load was measured: no process has the id 7\x1b[2J",
        ),
        (Code.MONITOR_SILENT, f"monitor b gave no reading while the load was measured: {NONE_DUE}"),
        (
            Code.MONITOR_RESTARTED,
            "what monitor c reads was restarted 2 times while the load was measured: its series are of several "
            "processes",
        ),
    ]


def judged(*checks: str) -> Judging:
    """The judging of these runs, with these checks."""
    return replace(judging(), checks=tuple(map(Check, checks)))


@pytest.fixture(scope="module")
def redis() -> Iterator[RealServer]:
    with RealServer.redis() as server:
        yield server


EVERY = 20 * MS
READERS = (
    MonitorPlan("redis", "redis", every_ns=EVERY),
    MonitorPlan("proc", "proc", every_ns=EVERY),
)


def test_a_real_run_has_readings_of_redis_and_of_its_process(redis: RealServer) -> None:
    checks = judged(
        "min(connected_clients) >= 4 and gaps >= 0",
        "max(fds) > 4 and max(rss[proc]) < 10GB",
        "restarts[proc] == 0",
    )
    told, events = plan(redis, "general.duration=0.3s", "general.warmup=0.1s"), list[Event]()
    with beside.opened(READERS, told.target, None) as board:
        result = Run(told, events.append, board=board, judging=checks).result()
    assert all(each.passed for each in result.checked), result.checked
    assert result.valid
    by_name = {each.name: each for each in result.monitors}
    clients = next(each for each in by_name["redis"].series if each.name == "connected_clients")
    # The load's connections, and the monitor's own.
    assert (clients.least, clients.greatest) == (5, 5)
    for each in by_name.values():
        assert 1 <= each.readings <= 0.3 * S / EVERY + 1
        # What was read while it was connected, warmed up and drained is among the events, and is in no report.
        read = [event for event in events if isinstance(event, Monitored) and event.reading.monitor == each.name]
        assert len(read) > each.readings
    news = [event.at_ns for event in events if isinstance(event, Monitored)]
    assert news == sorted(news)
    assert not any(thread.name.startswith("monitor ") for thread in threading.enumerate())


def test_a_server_that_is_gone_in_the_middle_makes_gaps_and_does_not_touch_the_load(redis: RealServer) -> None:
    with RealServer.redis() as other:
        told, events = plan(redis, "general.duration=0.4s"), list[Event]()
        there = MonitorPlan("redis", "there", every_ns=EVERY)
        gone = MonitorPlan("redis", "gone", every_ns=EVERY, server=plan(other).target)

        def heard(event: Event) -> None:
            events.append(event)
            if isinstance(event, PhaseBegan) and event.phase == Phase.MEASURE:
                other.kill()

        with beside.opened((there, gone), told.target, None) as board:
            result = Run(told, heard, board=board, judging=judged()).result()
    assert result.valid
    assert result.measured.total.not_ok == 0
    one, two = result.monitors
    # A busy machine may miss times of the server that is there; it is never refused by it.
    assert one.readings > 0
    assert "cannot be asked for INFO" not in one.why
    assert two.gaps > 0
    assert "cannot be asked for INFO" in two.why


class Hanging:
    """A monitor that never comes back, until it is let go."""

    name, kind, every_ns = "hanging", "proc", EVERY
    series: ClassVar[Mapping[str, Known]] = {"fds": level(COUNT, "open files")}

    def __init__(self) -> None:
        self.let_go = threading.Event()

    def read(self) -> Found:
        self.let_go.wait()
        raise Unreadable("let go")

    def evidence(self) -> dict[str, str]:
        return {}

    def close(self) -> None:
        pass


def test_a_monitor_that_hangs_holds_nothing_up_and_its_check_cannot_be_told(redis: RealServer) -> None:
    hanging = Hanging()
    board = Board([hanging])
    began_s = time.monotonic()
    result = Run(plan(redis), lambda event: None, board=board, judging=judged("max(fds) < 10")).result()
    hanging.let_go.set()
    board.close()
    assert time.monotonic() - began_s < 30
    [report] = result.monitors
    assert (report.readings, report.gaps > 2, "has not ended" in report.why) == (0, True, True)
    assert [note.code for note in result.notes if note.code is Code.MONITOR_SILENT] == [Code.MONITOR_SILENT]
    [checked] = result.checked
    assert checked.passed is None
    assert checked.found.startswith("cannot tell: the monitor hanging gave no reading: the reading that was begun")


def test_a_search_has_the_readings_since_its_first_rate(redis: RealServer) -> None:
    """One that is stopped as it begins, as the readings are what is asked about."""
    settings, stop, events = SearchSettings((Limit(0.5, 30 * S),)), Stop(), list[Event]()

    def heard(event: Event) -> None:
        events.append(event)
        if isinstance(event, PhaseBegan) and event.phase == Phase.SEARCH:
            board.waiting.append(reading(10**30, 3.0))
            stop.set()

    board = Invented(reading(1, 1.0))
    ended = Saturation(plan(redis), settings, heard, board=cast(Board, board), judging=judged(), stop=stop).result()
    assert isinstance(ended, SearchEnded)
    assert [series.readings for series in ended.monitors[0].series] == [1]
    assert sum(isinstance(event, Monitored) for event in events) == 2
    assert ended.monitors[1] == MonitorReport("two", "redis")


def test_a_run_without_monitors_has_none(redis: RealServer) -> None:
    told = plan(redis)
    with beside.opened((), told.target, None) as board:
        assert board is None
        result = Run(told, lambda event: None, board=board, judging=judged()).result()
    assert isinstance(result, Result)
    assert result.monitors == ()
