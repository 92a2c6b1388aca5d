"""The lives of connections: renewed under load, opened at a pace, only there, tracked. Counts are the server's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from faulty_server import FaultyServer, Peer
from real_servers import RealServer
from runs import measure, plan, redis_calls, redis_info
from small_worlds import MS, PORT, Pair, S

from loadgen.errors import TargetError
from loadgen.events import Result
from loadgen.host import ports
from loadgen.plan import Keyspace, Life, Load, Plan, Target, Weights, Wire, WorkerPlan, Workload
from loadgen.protocol import Wire as Format
from loadgen.runner import limits
from loadgen.verify.world.engine_load import EngineLoad
from loadgen.verify.world.servers import BuiltinServer


@pytest.fixture(scope="module")
def server() -> Iterator[RealServer]:
    with RealServer.redis() as up:
        yield up


def counted(server: RealServer, *settings: str) -> tuple[Result, int, dict[str, int]]:
    """A run, how many connections the server received in it, and how often each command was called."""
    before = int(redis_info(server.port)[0]["total_connections_received"])
    calls = redis_calls(server)
    result = measure(server, "general.duration=0s", "general.warmup=0s", *settings)
    # Two of this test's own questions came after the first.
    received = int(redis_info(server.port)[0]["total_connections_received"]) - before - 2
    return result, received, {name: n - calls.get(name, 0) for name, n in redis_calls(server).items()}


@pytest.mark.parametrize(("every", "depth"), [(1, 1), (7, 3), (20, 50)])
def test_a_connection_is_renewed_after_its_requests_and_the_server_counts_the_same(server, every, depth) -> None:
    result, received, calls = counted(
        server, "general.requests=400", f"connection.reconnect_every={every}", f"connection.pipeline_depth={depth}"
    )
    counts = result.overall.connections
    assert received == counts.opened == 4 + counts.recycled
    # Each connection has its whole life but the last one.
    assert 400 // every - 4 <= counts.recycled <= 400 // every
    assert (calls["get"] + calls["set"], calls["ping"]) == (400, 4)
    assert result.measured.total.ok == result.measured.total.planned == 400
    assert result.overall.connect.count == counts.opened


def test_a_schedule_goes_on_while_connections_are_renewed_by_their_age(server) -> None:
    result, received, _ = counted(
        server, "general.requests=150", "workload.rate_limit=1500", "connection.reconnect_every=20ms"
    )
    counts = result.overall.connections
    assert received == counts.opened == 4 + counts.recycled > 4
    assert result.measured.total.ok == 150


def test_a_connection_that_is_reset_is_kept_and_greeted_again(server) -> None:
    result, received, calls = counted(
        server,
        'target.protocol="resp3"',
        "target.database=2",
        "general.requests=400",
        "connection.reconnect_every=10",
        'connection.reconnect_by="reset"',
    )
    counts = result.overall.connections
    assert (received, counts.opened, counts.recycled) == (4, 4, 0)
    assert 36 <= counts.resets <= 40
    assert calls["reset"] == calls["hello"] == calls["select"] == 4 + counts.resets


def test_idle_connections_are_greeted_and_never_used(server) -> None:
    result, received, calls = counted(server, "general.requests=100", "connection.idle=9")
    assert (received, calls["ping"]) == (13, 13)
    assert (result.measured.connections.active, result.measured.connections.idle) == (4, 9)


def test_pushes_are_counted_by_what_they_say_wherever_a_read_cuts_them() -> None:
    invalidation = b">2\r\n$10\r\ninvalidate\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n"
    flush = b">2\r\n$10\r\ninvalidate\r\n_\r\n"
    other = b">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nd\r\n"
    asked: list[list[bytes]] = []

    def serve(peer: Peer) -> None:
        for number, request in enumerate(peer.requests()):
            if request[0] in (b"HELLO", b"CLIENT"):
                asked.append(request)
                peer.send(b"%1\r\n+proto\r\n:3\r\n" if request[0] == b"HELLO" else b"+OK\r\n")
                continue
            pushes = invalidation * 2 + flush + other
            cut = number % len(pushes)
            peer.send(pushes[:cut])
            peer.send(pushes[cut:] + b"_\r\n")

    with FaultyServer(serve) as fake:
        result = measure(
            fake.port,
            *('target.protocol="resp3"', 'target.tracking="bcast"', "target.tracking_noloop=true"),
            *("general.requests=120", "general.duration=0s", "general.warmup=0s", "workload.commands.set=0"),
            *("connection.connections=1", "connection.pipeline_depth=1"),
        )
    assert asked[1] == [b"CLIENT", b"TRACKING", b"ON", b"BCAST", b"NOLOOP"]
    assert dict(result.overall.pushes) == {
        "invalidations": 240,
        "invalidated_keys": 480,
        "flushes": 120,
        "others": 120,
    }
    assert result.measured.tallies["get"].misses == 120


def test_the_server_says_which_tracked_keys_changed(server) -> None:
    result, _, calls = counted(
        server,
        *('target.protocol="resp3"', 'target.tracking="on"', "general.requests=2000", "workload.keyspace.count=20"),
    )
    assert calls["client|tracking"] == 4
    assert 0 < result.overall.pushes["invalidations"] == result.overall.pushes["invalidated_keys"]


def plan_on(server: BuiltinServer, life: Life, connections: int) -> Plan:
    return Plan(
        Target("resp", (server.endpoint,)),
        Wire(connections, 4, 4, S, S, "roundrobin", life=life),
        Workload(Keyspace(100, 16, "uniform", 1.0), Weights(get=1, set=1), 64),
        Load(0, 0, 0, requests=200),
        1,
        (WorkerPlan(1, None, (connections,), 1.0, 0, 100, idle=(life.idle,)),),
    )


def test_connections_are_opened_at_an_even_pace() -> None:
    pair = Pair().links(latency_ns=MS)
    load = EngineLoad(pair.near, plan_on(BuiltinServer(pair.far, PORT + 1, Format.RESP), Life(100, idle=3), 5))
    load.connect(S)
    # The first of 8 at once, the last 70 ms later; a handshake and a PING take a round trip of 2 ms each.
    assert pair.world.now_ns == pytest.approx(74 * MS, abs=3 * MS)
    assert load.close().connections["opened"] == 8


@pytest.mark.parametrize("life", [Life(reconnect_requests=3), Life(reconnect_ns=5 * MS)])
def test_every_request_is_accounted_for_in_a_world_where_connections_are_renewed(life: Life) -> None:
    pair = Pair().links(latency_ns=MS)
    server = BuiltinServer(pair.far, PORT + 1, Format.RESP)
    load = EngineLoad(pair.near, plan_on(server, life, 2))
    load.connect(S)
    load.load(10 * S)
    ran = load.close()
    assert (ran.unaccounted, ran.total("ok"), ran.connections["closed"]) == (0, 200 + 2, 0)
    assert ran.connections["recycled"] > 10
    assert ran.sent() == server.calls() == {**server.calls(), "ping": 2}


def test_what_cannot_be_opened_is_one_sentence_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "outgoing_ports", lambda: 28_000)
    assert limits.too_few_ports(56_000, 2, "there") == ""
    assert "name 3 addresses in connection.source_addresses" in limits.too_few_ports(56_001, 2, "there")
    assert limits.too_many_clients(9_990, 10, 10_000, "there", "maxclients") == ""
    words = limits.too_many_clients(9_991, 10, 10_000, "there", "maxclients")
    assert "10,000 connections (maxclients), of which 10 are taken" in words
    assert ports.is_own_address("127.1.2.3")
    assert not ports.is_own_address("192.0.2.1")


@pytest.mark.parametrize(("protocol", "option"), [("resp", "--maxclients"), ("memcache", "-c")])
def test_a_server_that_takes_fewer_connections_says_so_before_the_load(monkeypatch, protocol, option) -> None:
    monkeypatch.setattr(limits, "MANY", 0)
    start = RealServer.redis if protocol == "resp" else RealServer.memcached
    with start(option, "20") as small, pytest.raises(TargetError, match="takes 20 connections"):
        limits.check(plan(small, f'target.protocol="{protocol}"', "connection.connections=25"))
