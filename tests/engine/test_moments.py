"""A lane's moments, in a world in which time is a number: what became of a server that went away and came back."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from counted import snapshot_of
from runs import plan
from stages import Connection, Stage

from loadgen._resp import Resp
from loadgen.engine._engine import Engine
from loadgen.snapshot import NodeCounts, Snapshot

MS = 1_000_000
S = 1_000 * MS
START = 10 * S
MOMENT = 100 * MS
GET = len(Resp(16, 64).encoded("get"))
PING = b"*1\r\n$4\r\nPING\r\n"
GETS = ("workload.commands.set=0", "workload.commands.get=1", "connection.request_timeout=1h")
SERVICE = MS
"""The time that each reply takes."""


@dataclass
class Mortal:
    """A server without keys that is away for a while: it ends connections, and takes no new ones."""

    away: tuple[int, int]
    stage: Stage | None = None
    hung_up: int = 0
    """When it ended a connection with a request in flight."""

    def is_away(self, now_ns: int) -> bool:
        return self.away[0] <= now_ns < self.away[1]

    def received(self, connection: Connection, data: bytes) -> None:
        assert self.stage is not None
        now_ns = self.stage.now_ns
        if self.is_away(now_ns):
            self.hung_up = self.hung_up or now_ns
            self.stage.hang_up(connection, now_ns, resets=True)
            return
        reply = b"+PONG\r\n" if data == PING else b"$-1\r\n"
        for _ in range(max(1, len(data) // GET)):
            self.stage.reply(connection, now_ns + SERVICE, reply)


def moments(away: tuple[int, int], seconds: int = 4, backoff_ns: int = 100 * MS) -> tuple[list[NodeCounts], Snapshot]:
    """The moments of a closed loop of one connection, the last of them after its drain, and the window's counts."""
    server = Mortal(away)
    stage = server.stage = Stage(server, START - S)
    stage.refuse(*away)
    told = plan(1, *GETS, "connection.connections=1", "connection.pipeline_depth=1")
    told = replace(told, wire=replace(told.wire, longest_backoff_ns=backoff_ns))
    heard: list[str] = []
    engine = Engine(stage.plan(told), 0, heard.append, stage.reactor, stage.reactor.net)
    engine.connect()
    stage.run(START - S // 2)
    engine.load(START, 0, seconds * S, [], moments=True)
    found = []
    for number in range(1, seconds * S // MOMENT + 1):
        stage.run(START + number * MOMENT)
        found += [NodeCounts(**counts) for counts in engine.moments().values()]
    stage.run(START + 1000 * S)
    found += [NodeCounts(**counts) for counts in engine.moments().values()]
    assert heard == ["connected", "drained"]
    try:
        return found, snapshot_of(engine.counts("measure"))
    finally:
        engine.close()


def test_all_moments_together_are_the_window() -> None:
    found, measured = moments((START + S, START + 2 * S))
    whole, total = sum(found, NodeCounts()), measured.total
    assert (whole.ok, whole.lost, whole.failed, whole.unfinished) == (total.ok, 1, total.failed, total.unfinished)
    assert total.lost == 1
    assert whole.response.count == measured.response["get"].count - total.unfinished


def test_a_moment_has_the_good_replies_of_its_time_alone() -> None:
    found, _ = moments((START + S, START + 2 * S))
    calm = found[1:9] + found[22:-1]
    assert {node.ok for node in calm} == {MOMENT // SERVICE}
    assert {node.response.max for node in calm} == {SERVICE}
    assert {node.ok for node in found[11:19]} == {0}


def test_failures_go_from_the_loss_to_the_last_attempt_that_was_refused() -> None:
    away = START + S + 10 * MS, START + 2 * S
    found, _ = moments(away)
    whole = sum(found, NodeCounts())
    assert away[0] <= whole.first_failed_ns <= away[0] + SERVICE
    assert away[1] - 100 * MS <= whole.last_failed_ns < away[1]
    # An attempt each 50 to 100 ms.
    assert 9 <= whole.refused <= 20
    failing = [n for n, node in enumerate(found) if node.first_failed_ns]
    assert failing == list(range(10, failing[-1] + 1))
    assert failing[-1] in (18, 19)


def test_a_server_that_is_back_is_found_within_the_longest_backoff() -> None:
    for backoff_ns, most in ((100 * MS, 1), (2 * S, 20)):
        found, _ = moments((START + S, START + 2 * S), backoff_ns=backoff_ns)
        back = next(n for n, node in enumerate(found) if n > 10 and node.ok)
        assert 20 <= back <= 20 + most


def test_moments_are_not_counted_unless_asked_for() -> None:
    stage = Stage(server := Mortal((0, 0)), START - S)
    server.stage = stage
    engine = Engine(stage.plan(plan(1, *GETS)), 0, lambda said: None, stage.reactor, stage.reactor.net)
    engine.connect()
    stage.run(START - S // 2)
    engine.load(START, 0, S, [])
    stage.run(START + S)
    assert [NodeCounts(**counts) for counts in engine.moments().values()] == [NodeCounts()]
    engine.close()


def test_times_of_failures_add_as_the_first_and_the_last() -> None:
    nothing, early, late = (
        NodeCounts(),
        NodeCounts(first_failed_ns=5, last_failed_ns=7),
        NodeCounts(first_failed_ns=6, last_failed_ns=9),
    )
    both = nothing + late + early + nothing
    assert (both.first_failed_ns, both.last_failed_ns) == (5, 9)


@pytest.mark.parametrize("seconds", [1, 2])
def test_a_window_without_failures_has_no_times_of_failures(seconds: int) -> None:
    found, _ = moments((0, 0), seconds=seconds)
    assert {(node.first_failed_ns, node.last_failed_ns, node.refused) for node in found} == {(0, 0, 0)}
