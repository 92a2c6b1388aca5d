"""A stop token ends loads, searches and rounds, from any thread; none of them catches a signal."""

from __future__ import annotations

import select
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from faulty_server import FaultyServer, answers, never_answers, polite
from runs import judging, plan

from loadgen.compare.candidate import Candidate
from loadgen.compare.rounds import Contestant, Interrupted, Rounds
from loadgen.compare.settings import ComparisonSettings
from loadgen.events import Event, PhaseBegan, Result, Sample
from loadgen.judge.verdict import VerdictLimits
from loadgen.plan import Plan
from loadgen.runner.run import Run
from loadgen.runner.search import Saturation
from loadgen.runner.stop import NEVER, Alarm, Stop
from loadgen.stats.search import SearchSettings
from loadgen.stats.trial import Limit
from loadgen.target.servers import GivenEndpoints
from loadgen.units import NS_PER_S

LONG = ("general.duration=300s", "general.interval=50ms", "connection.request_timeout=300s")


def rings(alarm: Alarm) -> bool:
    return bool(select.select([alarm], [], [], 0)[0])


def test_an_alarm_rings_at_each_set_until_it_is_heeded() -> None:
    stop = Stop()
    with stop.alarm() as alarm, stop.alarm() as other:
        assert (rings(alarm), stop.is_set, stop.is_awaited) == (False, False, True)
        stop.set()
        assert (rings(alarm), rings(other), stop.is_set, stop.is_urgent) == (True, True, True, False)
        alarm.heed()
        assert (rings(alarm), rings(other)) == (False, True)
        stop.set()
        assert (rings(alarm), stop.is_urgent) == (True, True)
    assert not stop.is_awaited
    stop.set()
    with stop.alarm() as late:
        assert rings(late)


def test_a_token_may_be_set_more_often_than_its_alarm_can_ring() -> None:
    stop = Stop()
    with stop.alarm() as alarm:
        for _ in range(10_000):
            stop.set()
        assert rings(alarm)


def test_the_token_that_all_loads_share_cannot_be_set() -> None:
    with pytest.raises(RuntimeError, match="give the load a Stop of its own"):
        NEVER.set()
    assert not NEVER.is_set


def in_a_thread(told: Plan, stop: Stop, seen: threading.Event, *, at: str = "") -> Result:
    """Runs it in another thread; `seen` is set at the first sample, or where the phase `at` begins."""

    def emit(event: Event) -> None:
        if (isinstance(event, PhaseBegan) and event.phase == at) or (isinstance(event, Sample) and not at):
            seen.set()

    return Run(told, emit, stop=stop, judging=judging()).result()


def test_a_run_in_another_thread_drains_when_its_token_is_set() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    stop, seen = Stop(), threading.Event()
    with FaultyServer(polite()) as server, ThreadPoolExecutor(1) as threads:
        running = threads.submit(in_a_thread, plan(server.port, *LONG), stop, seen)
        assert seen.wait(30)
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before
        stop.set()
        result = running.result(30)
    assert result.interrupted
    assert result.unaccounted == 0
    assert result.measured.total.ok == result.measured.total.planned > 0
    assert 0 < result.duration_ns < 300 * NS_PER_S


def test_a_token_that_is_set_twice_ends_the_wait_for_what_is_open() -> None:
    stop, seen = Stop(), threading.Event()
    with FaultyServer(polite(after=never_answers, requests=50)) as server, ThreadPoolExecutor(1) as threads:
        told = plan(server.port, *LONG, "connection.connections=1")
        running = threads.submit(in_a_thread, told, stop, seen, at="drain")
        stop_when_measured = threading.Timer(0.5, stop.set)
        stop_when_measured.start()
        assert seen.wait(30)
        assert not running.done()
        stop.set()
        result = running.result(30)
    assert result.interrupted
    assert result.unaccounted == 0


def test_a_token_that_was_set_before_ends_the_next_load_before_its_first_request() -> None:
    stop = Stop()
    stop.set()
    with FaultyServer(polite()) as server:
        for _ in range(2):
            result = Run(plan(server.port, *LONG), lambda event: None, stop=stop, judging=judging()).result()
            assert result.interrupted
            assert result.measured.total.planned == 0


def test_one_token_ends_two_loads_at_a_time() -> None:
    stop, seen = Stop(), [threading.Event(), threading.Event()]
    with FaultyServer(polite()) as server, ThreadPoolExecutor(2) as threads:
        running = [threads.submit(in_a_thread, plan(server.port, *LONG), stop, each) for each in seen]
        assert all(each.wait(30) for each in seen)
        stop.set()
        results = [each.result(30) for each in running]
    assert all(result.interrupted and result.unaccounted == 0 for result in results)


def test_a_search_in_another_thread_ends_when_its_token_is_set() -> None:
    stop, seen = Stop(), threading.Event()
    settings = SearchSettings(limits=(Limit(0.99, 10**10),), max_rate_per_s=1000, sample_window_s=300.0)

    def emit(event: Event) -> None:
        seen.set()

    with FaultyServer(polite()) as server, ThreadPoolExecutor(1) as threads:
        told = plan(server.port, *LONG, "workload.rate_limit=1000")
        running = threads.submit(Saturation(told, settings, emit, stop=stop, judging=judging()).result)
        assert seen.wait(30)
        stop.set()
        ended = running.result(30)
    assert (ended.interrupted, ended.answer, ended.unaccounted) == (True, None, 0)


def test_rounds_in_another_thread_end_when_their_token_is_set() -> None:
    stop, seen = Stop(), threading.Event()
    settings = ComparisonSettings(thresholds={"throughput": 0.05}, one_sided=True, slice_ns=300 * NS_PER_S)

    def emit(event: Event) -> None:
        seen.set()

    with FaultyServer(answers(b"+PONG\r\n", to=b"INFO")) as server, ThreadPoolExecutor(1) as threads:
        told = plan(server.port, *LONG)
        servers = GivenEndpoints(told.target.endpoints)
        contestant = Contestant(Candidate("a", "endpoint", identity="a"), told, servers, VerdictLimits())
        running = threads.submit(Rounds([contestant], settings, 1, emit, stop=stop).next)
        assert seen.wait(30)
        stop.set()
        with pytest.raises(Interrupted):
            running.result(30)
