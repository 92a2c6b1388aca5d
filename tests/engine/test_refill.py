"""When a closed loop sends again on a connection: slot by slot, or after the pipeline has drained."""

from __future__ import annotations

import select
import socket

import pytest
from faulty_server import FaultyServer, Peer, good_reply, is_load, polite
from runs import judging, plan

from loadgen.events import Result
from loadgen.runner.run import Run

DEPTH = 4
BATCHES = 12

# A closed loop answers a reply within a fraction of it. Only slot's control rests on that, and only once in all.
ANSWERED_S = 0.02


def run(port: int, *settings: str) -> Result:
    one = ("general.warmup=0s", "connection.connections=1", f"connection.pipeline_depth={DEPTH}", *settings)
    result = Run(plan(port, *one), lambda event: None, judging=judging(*one)).result()
    assert result.unaccounted == 0
    return result


class OneByOne:
    """A server that answers one request, looks for what that brings, and only then answers the next.

    `batches` has how many requests came at once, each time that any came.
    """

    def __init__(self) -> None:
        self.batches: list[int] = []

    def __call__(self, peer: Peer) -> None:
        owed: list[bytes] = []
        while True:
            came = arrived(peer.connection, 0.0 if not owed else ANSWERED_S, wait=not owed)
            if came is None:
                return
            load = [request for request in came if is_load(request)]
            if load:
                self.batches.append(len(load))
            for request in came:
                if is_load(request):
                    owed.append(good_reply(request))
                else:
                    peer.send(good_reply(request))
            if owed:
                peer.send(owed.pop(0))


def arrived(connection: socket.socket, within_s: float, *, wait: bool) -> list[list[bytes]] | None:
    """The whole requests that come at once, none when there are none in time; None at the end."""
    if not wait and not select.select([connection], [], [], within_s)[0]:
        return []
    data = connection.recv(65536)
    if not data:
        return None
    words = data.split(b"\r\n")
    requests = []
    while words[0]:
        count = int(words[0][1:])
        requests.append(words[2 : 1 + 2 * count : 2])
        words = words[1 + 2 * count :]
    return requests


def batches(*settings: str) -> list[int]:
    one_by_one = OneByOne()
    with FaultyServer(one_by_one) as server:
        result = run(server.port, "general.duration=30s", f"general.requests={DEPTH * BATCHES}", *settings)
    assert result.measured.total.ok == DEPTH * BATCHES
    return one_by_one.batches


def test_drained_sends_a_whole_pipeline_whenever_the_one_before_has_been_answered() -> None:
    assert batches("connection.refill=drained") == [DEPTH] * BATCHES


def test_slot_sends_as_soon_as_a_reply_has_made_room() -> None:
    """The control: were drained the only pattern, or the server blind, this would have whole pipelines, too."""
    seen = batches("connection.refill=slot")
    assert seen[0] == DEPTH
    assert min(seen) < DEPTH
    assert sum(seen) == DEPTH * BATCHES


def test_drained_writes_a_pipeline_in_batches_and_waits_for_none_of_them() -> None:
    """A batch is what one send writes; a pipeline is filled up to its depth all the same."""
    seen = batches("connection.refill=drained", "connection.batch_size=3")
    assert sum(seen) == DEPTH * BATCHES
    assert set(seen) <= {3, 1, DEPTH}
    assert seen[0] + (seen[1] if seen[0] < DEPTH else 0) == DEPTH


@pytest.mark.parametrize("answered", [0, 2])
def test_timeouts_drain_a_pipeline_as_replies_do(answered: int) -> None:
    """A head that is never answered: what is behind it times out, and load goes on, here or on a new connection."""
    on_connection: list[int] = []

    def fall_silent(peer: Peer) -> None:
        load = 0
        on_connection.append(0)
        for request in peer.requests():
            load += is_load(request)
            on_connection[peer.number] = load
            if not is_load(request) or load <= answered:
                peer.send(good_reply(request))

    with FaultyServer(fall_silent) as server:
        result = run(
            server.port,
            "general.duration=1s",
            "connection.request_timeout=100ms",
            "connection.refill=drained",
            "verdict.failures=false",
        )
    total = result.measured.total
    assert total.timeouts >= 2 * DEPTH
    if answered:
        # The two slots that replies have freed are refilled behind the two that are overdue.
        assert max(on_connection) > DEPTH
    else:
        assert len(on_connection) > 1


def test_a_connection_that_went_is_refilled_whole() -> None:
    seen: list[int] = []

    def hang_up(peer: Peer) -> None:
        for request in peer.requests():
            if is_load(request):
                seen.append(peer.number)
                if seen.count(peer.number) == DEPTH:
                    return
            peer.send(good_reply(request))

    with FaultyServer(hang_up) as server:
        run(server.port, "general.duration=1s", "connection.refill=drained", "verdict.failures=false")
        assert server.accepted > 1
    assert max(map(seen.count, set(seen))) == DEPTH


def test_a_schedule_does_not_wait_until_a_pipeline_has_drained() -> None:
    """Drained is of the closed loop: with a rate, what is due goes where there is room."""
    one_by_one = OneByOne()
    with FaultyServer(one_by_one) as server:
        run(server.port, "general.duration=0.5s", "workload.rate_limit=2000", "connection.refill=drained")
    assert min(one_by_one.batches) < DEPTH


@pytest.mark.parametrize("requests", [1, DEPTH + 1, 101])
def test_drained_sends_exactly_as_many_requests_as_are_asked_for(requests: int) -> None:
    with FaultyServer(polite()) as server:
        result = run(server.port, "general.duration=30s", f"general.requests={requests}", "connection.refill=drained")
    assert result.measured.total.ok == requests
