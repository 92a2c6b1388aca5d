"""The counts of each of several servers, in a world in which time is a number: together they are the totals."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import pytest
from counted import snapshot_of
from runs import plan
from stages import PORT, Connection, Stage

from loadgen._resp import Resp
from loadgen.engine._engine import Engine
from loadgen.engine._histogram import Histogram
from loadgen.plan import Plan
from loadgen.snapshot import NodeCounts, Snapshot

MS = 1_000_000
S = 1_000 * MS
START = 10 * S
GET = len(Resp(16, 64).encoded("get"))
PING = b"*1\r\n$4\r\nPING\r\n"
WELL, ODD, SILENT = PORT, PORT + 1, PORT + 2
ALL = (WELL, ODD, SILENT)
PHASES = ("precheck", "prefill", "warmup", "measure")


@dataclass
class Servers:
    """One answers well, with hits and misses; one with errors, losses and garbage; one falls silent for a while."""

    stage: Stage | None = None
    came: int = 0

    def received(self, connection: Connection, data: bytes) -> None:
        assert self.stage is not None
        now_ns = self.stage.now_ns
        if data.startswith(PING):
            self.stage.reply(connection, now_ns + MS, b"+PONG\r\n")
            return
        for _ in range(len(data) // GET):
            self.came += 1
            match connection.port:
                case port if port == WELL:
                    value = b"$64\r\n" + b"x" * 64 + b"\r\n"
                    self.stage.reply(connection, now_ns + MS, value if self.came % 3 else b"$-1\r\n")
                case port if port == ODD:
                    if self.came % 50 == 0:
                        self.stage.hang_up(connection, now_ns + MS, resets=True)
                        return
                    if self.came % 51 == 0:
                        self.stage.reply(connection, now_ns + MS, b"?\r\n")
                        return
                    self.stage.reply(connection, now_ns + MS, b"$-1\r\n" if self.came % 4 else b"-OOM full\r\n")
                case _ if not START + S <= now_ns < START + 3 * S // 2 and now_ns < START + 19 * S // 10:
                    self.stage.reply(connection, now_ns + 3 * MS, b"$-1\r\n")


def told(rate_per_s: int, ports: tuple[int, ...]) -> Plan:
    return plan(
        1,
        "target.endpoints=[{}]".format(", ".join(f'"127.0.0.1:{port}"' for port in ports)),
        *("workload.commands.set=0", "workload.commands.get=1", "connection.request_timeout=200ms"),
        *("connection.connections=6", "connection.pipeline_depth=2", "workload.keyspace.count=1000"),
        *([f"workload.rate_limit={rate_per_s}"] if rate_per_s else []),
    )


@cache
def loaded(rate_per_s: int, ports: tuple[int, ...] = ALL, takes: bool = False) -> dict[str, Snapshot]:
    """The counts of each phase of two seconds of load; `takes` has moments taken on the way."""
    servers = Servers()
    stage = servers.stage = Stage(servers, START - S, ports)
    heard: list[str] = []
    engine = Engine(stage.plan(told(rate_per_s, ports)), 0, heard.append, stage.reactor, stage.reactor.net)
    engine.connect()
    stage.run(START - S // 2)
    profile = [(2 * S, float(rate_per_s), float(rate_per_s), 0)] if rate_per_s else []
    engine.load(START, 0, 2 * S, profile, moments=takes)
    for number in range(1, 20):
        stage.run(START + number * 100 * MS)
        if takes:
            engine.moments()
    stage.run(START + 100 * S)
    assert heard == ["connected", "drained"]
    try:
        return {phase: snapshot_of(engine.counts(phase)) for phase in PHASES}
    finally:
        engine.close()


CASES = [(0, False), (0, True), (20_000, False), (20_000, True)]


@pytest.mark.parametrize(("rate_per_s", "takes"), CASES)
def test_all_nodes_together_are_the_totals_for_every_end(rate_per_s: int, takes: bool) -> None:
    measured = loaded(rate_per_s, takes=takes)["measure"]
    whole, total = sum(measured.nodes.values(), NodeCounts()), measured.total
    ends = ("ok", "errors", "timeouts", "lost", "corrupt", "unfinished", "hits", "misses", "unsent")
    assert {name: getattr(whole, name) for name in ends} == {name: getattr(total, name) for name in ends}
    assert (whole.requests, whole.sent, whole.answered) == (total.planned, total.sent, total.answered)
    assert whole.answered_in_time == measured.answered_in_time < total.answered
    # Nothing of this holds because nothing happened.
    assert all(getattr(total, name) for name in ends if name not in ("unfinished", "unsent") or rate_per_s)


@pytest.mark.parametrize(("rate_per_s", "takes"), CASES)
def test_the_response_times_of_all_nodes_together_are_the_windows(rate_per_s: int, takes: bool) -> None:
    measured = loaded(rate_per_s, takes=takes)["measure"]
    whole = sum((node.latency for node in measured.nodes.values()), Histogram())
    assert whole == measured.latency()
    assert whole.censored == measured.latency().censored > 0


def test_moments_that_are_taken_leave_the_counts_of_nodes_as_they_are() -> None:
    for rate_per_s in (0, 20_000):
        assert loaded(rate_per_s, takes=True)["measure"].nodes == loaded(rate_per_s)["measure"].nodes


def test_each_node_has_the_ends_of_its_own_requests() -> None:
    well, odd, silent = loaded(0)["measure"].nodes.values()
    assert well.hits > well.misses > 0
    assert well.failed == 0 < well.ok
    assert min(odd.errors, odd.lost, odd.corrupt) > odd.timeouts == 0
    assert silent.timeouts > silent.errors == silent.lost == 0
    assert silent.latency.max == silent.bad.max == 200 * MS
    assert well.latency.max == MS


def test_nodes_have_the_connections_of_each_phase() -> None:
    phases = loaded(0)
    opened = {phase: [node.opened for node in counts.nodes.values()] for phase, counts in phases.items()}
    assert opened["precheck"] == [2, 2, 2]
    assert opened["prefill"] == opened["warmup"] == [0, 0, 0]
    # A connection that is reset or answers garbage is opened again; a silent one may be given up.
    well, odd, _ = phases["measure"].nodes.values()
    assert (well.opened, well.closed, well.ready, well.wanted) == (0, 0, 2, 2)
    assert odd.closed >= odd.opened > 0
    assert odd.wanted == 2


def test_nodes_are_named_by_their_endpoints_and_know_their_share() -> None:
    nodes = loaded(20_000)["measure"].nodes
    assert [name.rpartition(":")[2] for name in nodes] == [str(port) for port in ALL]
    assert sum(node.share for node in nodes.values()) == pytest.approx(1)
    # What each was sent is its share of the rate, up to the requests that were made and not sent.
    requests = sum(node.requests for node in nodes.values())
    assert [node.requests for node in nodes.values()] == pytest.approx(
        [node.share * requests for node in nodes.values()], abs=1
    )


def test_a_single_server_has_no_nodes() -> None:
    assert {phase: counts.nodes for phase, counts in loaded(0, (WELL,)).items()} == {phase: {} for phase in PHASES}


def test_nodes_merge_over_workers_and_subtract_over_time() -> None:
    early, late = NodeCounts(ok=3, ready=2, wanted=2, share=0.25), NodeCounts(ok=5, ready=1, wanted=2, share=0.25)
    grown = Snapshot(nodes={"a": late, "b": early}) - Snapshot(nodes={"a": early})
    assert grown.nodes == {"a": replace(late, ok=2), "b": early}
    both = Snapshot(nodes={"a": early}) + Snapshot(nodes={"b": late, "a": early})
    assert both.nodes == {"a": NodeCounts(ok=6, ready=4, wanted=4, share=0.5), "b": late}
    assert list(both.nodes) == ["a", "b"]
