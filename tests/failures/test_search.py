"""Faults during a saturation search: each request is counted once."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable

import pytest
from faulty_server import FaultyServer, Peer, by_connection, closes, good_reply, is_load, polite
from runs import judging, plan

from loadgen.events import SearchEnded
from loadgen.runner.member import Members
from loadgen.runner.processes import WorkerProcesses
from loadgen.runner.search import Saturation
from loadgen.runner.stop import NEVER, Stop
from loadgen.stats.search import Outcome, SearchSettings
from loadgen.stats.trial import Limit


class CountingServer:
    """How many GETs and SETs came, over all connections."""

    def __init__(self) -> None:
        self.load = 0
        self.first_s = 0.0
        self.lock = threading.Lock()

    def serve(self, peer: Peer) -> None:
        for request in peer.requests():
            self.count(request)
            peer.send(good_reply(request))

    def count(self, request: list[bytes]) -> None:
        if is_load(request):
            with self.lock:
                self.load += 1
                self.first_s = self.first_s or time.monotonic()


def search_at(
    port: int, *settings: str, settle_s: float = 0.05, stop: Stop = NEVER, members: Members | None = None
) -> Saturation:
    """One whose only rate is 1000/s, which passes on any machine: a first look of 0.2 s, and two fresh starts."""
    told = plan(port, "workload.rate_limit=1000", "connection.connections=2", *settings)
    return Saturation(
        told,
        SearchSettings(
            limits=(Limit(0.99, 10**10),),
            max_rate_per_s=1000,
            sample_window_s=0.5,
            drain_window_s=settle_s,
            # A search that goes on after a failure ends with its first answer: the steps to a finer one show no more.
            bisect_tolerance=3.0,
        ),
        lambda event: None,
        stop=stop,
        members=members,
        judging=judging(*settings),
    )


def sent(ended: SearchEnded) -> int:
    return sum(tally.sent for command, tally in ended.overall.tallies.items() if command in ("get", "set"))


def when(called: Callable[..., object], number: int, do: Callable[[], object]) -> Callable[..., object]:
    """The function, but before its call of this number something is done."""
    calls = 0

    def wrapped(*arguments: object, **keywords: object) -> object:
        nonlocal calls
        calls += 1
        if calls == number:
            do()
        return called(*arguments, **keywords)

    return wrapped


def test_a_search_counts_each_connection_once() -> None:
    with FaultyServer(by_connection(polite(after=closes, requests=20), polite())) as server:
        ended = search_at(server.port).result()
    assert ended.answer is not None
    assert ended.overall.connections.opened == server.accepted
    assert ended.overall.connections.closed == 1
    # It is a reset where the server closes before it has read all that was sent.
    assert ended.overall.failures in ({"closed by server": 1}, {"reset": 1})


def test_an_interrupt_between_two_loads_counts_no_load_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    counting = CountingServer()
    with FaultyServer(counting.serve) as server:
        stop = Stop()
        search = search_at(server.port, stop=stop)
        # The first one is before the first load.
        interrupt = when(search.crew.connections.open, 3, stop.set)
        monkeypatch.setattr(search.crew.connections, "open", interrupt)
        ended = search.result()
    assert ended.interrupted
    assert ended.unaccounted == 0
    assert sent(ended) == counting.load > 0


@pytest.mark.parametrize("before_it_spoke", [True, False])
def test_a_worker_that_dies_in_a_later_load_adds_only_what_it_counted_in_it(
    before_it_spoke: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting = CountingServer()
    silent = threading.Event()

    def serve(peer: Peer) -> None:
        for request in peer.requests():
            counting.count(request)
            if not (silent.is_set() and is_load(request)):
                peer.send(good_reply(request))

    before = 0
    with FaultyServer(serve) as server:
        # A settling time as long as this has no report before its end.
        workers = WorkerProcesses()
        settings = ("general.threads=2", "connection.request_timeout=1s")
        search = search_at(server.port, *settings, settle_s=0.3, members=workers)

        def kill() -> None:
            nonlocal before
            before = counting.load
            if not before_it_spoke:
                # What its last report had in flight nobody will count any more.
                silent.set()
            delay_s = 0.15 if before_it_spoke else 0.5
            threading.Timer(delay_s, lambda: os.kill(workers.made[0].pid, signal.SIGKILL)).start()

        monkeypatch.setattr(search.crew, "put_on", when(search.crew.put_on, 2, kill))
        ended = search.result()
    assert "was killed by SIGKILL" in ended.failure
    assert ended.unaccounted == 0
    # What the dead worker did since its last report nobody knows; what it did before is counted once.
    assert before < sent(ended) <= counting.load


def test_a_server_that_hung_up_at_the_end_of_a_load_and_is_there_again_is_searched_on() -> None:
    counting = CountingServer()

    def hang_up(peer: Peer) -> None:
        for request in peer.requests():
            counting.count(request)
            # The first load's last moments: too late for another attempt in it.
            if is_load(request) and 0.2 < time.monotonic() - counting.first_s < 0.27:
                return
            peer.send(good_reply(request))

    with FaultyServer(hang_up) as server:
        ended = search_at(server.port).result()
    assert ended.overall.connections.closed > 0
    assert ended.failure == ""
    assert ended.answer is not None
    assert ended.answer.outcome is not Outcome.NEVER_PASSED


def test_a_search_whose_server_has_gone_says_so() -> None:
    counting = CountingServer()
    with FaultyServer(counting.serve) as server:

        def go(peer: Peer) -> None:
            for request in peer.requests():
                counting.count(request)
                if counting.load > 100:
                    server.listener.close()
                    return
                peer.send(good_reply(request))

        server.script = go
        ended = search_at(server.port, "connection.connect_timeout=1s", "connection.request_timeout=1s").result()
    assert ended.answer is None
    assert "No connection to" in ended.failure
    assert ended.unaccounted == 0
