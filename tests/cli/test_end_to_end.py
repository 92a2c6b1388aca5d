"""Real runs against real servers: the reported numbers are those of the server's own counters."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable
from itertools import chain, islice
from pathlib import Path
from typing import Any

import places
import pytest
import tomli
import uvloop
from counted import snapshot_of
from engines import engine_of
from faulty_server import FaultyServer, Peer, good_reply
from in_process import invoked
from real_servers import HOST, RealServer, ask
from records import check_record
from runs import (
    INFO,
    SETTINGS,
    endpoints,
    measure,
    memcached_stats,
    plan,
    profile_of,
    redis_calls,
    redis_calls_of,
    redis_info,
    sent,
    sets,
    stores,
    up_to,
)

from loadgen.engine._ketama import Ketama
from loadgen.events import Event, Result, Sample
from loadgen.phase import COUNTED
from loadgen.snapshot import ConnectionCounts, Snapshot, Tally

# Those with faults are run in tests/cli/test_faults.py.
CONFIGS = sorted(path for path in places.CONFIGS.glob("*.toml") if "[[fault]]" not in path.read_text())
MIXED = ("workload.commands.get=6", "workload.commands.set=3", "workload.commands.delete=1")


def agrees_with_redis(sent: dict[str, int], *servers: RealServer) -> None:
    """Each command was called exactly as often as it was sent, and no other command was."""
    calls: dict[str, int] = {}
    for server in servers:
        for name, count in redis_calls(server).items():
            calls[name] = calls.get(name, 0) + count
    assert calls == redis_calls_of(sent)


def agrees_with_memcached(sent: dict[str, int], server: RealServer) -> None:
    stats, _ = memcached_stats(server.port)
    assert stats["cmd_get"] == sent.get("get", 0)
    assert stats["cmd_set"] == sent.get("set", 0) + sent.get("backfill", 0)
    assert stats["delete_hits"] + stats["delete_misses"] == sent.get("delete", 0)
    assert stats["cmd_flush"] == stats["cmd_touch"] == stats["cmd_meta"] == 0


def total(result: Result, command: str) -> Tally:
    """One command over all phases."""
    return result.overall.tallies.get(command, Tally())


# ── The files that are shipped ──────────────────────────────────────────────────────────────────────────────────────


def test_there_is_a_config_for_each_use() -> None:
    names = {path.stem for path in CONFIGS}
    assert names >= {"quick-test", "redis", "memcache", "ping", "example", "eviction-test", "desync-test"}


def hurried(phase: dict[str, Any]) -> str:
    """One of workload.phase, as it stands but short."""
    short = {**phase, "for": "200ms", "period": "100ms", "width": "10ms"}
    return "{" + ", ".join(f"{key} = {json.dumps(short[key])}" for key in phase) + "}"


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in CONFIGS])
def test_a_shipped_config_runs_and_the_server_counted_the_same(path: Path) -> None:
    shipped = tomli.loads(path.read_text())
    protocol, workload = shipped.get("target", {}).get("protocol", "resp"), shipped.get("workload", {})
    make = RealServer.memcached("-m", "64") if protocol == "memcache" else RealServer.redis("--maxmemory", "512mb")
    with make as server:
        short = [
            "general.warmup=0.1s",
            "connection.request_timeout=30s",
            # Whether the server and this machine are quick enough is not what is asked here.
            "verdict.lag=30s",
            "verdict.shortfall=1",
        ]
        if "phase" in workload:
            short += [f"workload.phase=[{', '.join(map(hurried, workload['phase']))}]"]
        elif "saturation_search" in workload:
            short += [*up_to(500), "workload.saturation_search.sample_window=100ms"]
        else:
            short += ["general.duration=0.25s", "general.interval=0.1s"]
        if "monitor" in shipped:
            # Within a quarter of a second a monitor reads nothing that growth could be told of.
            short += ["monitor=[]", "check=[]"]
        short += [f"slo.{name}=30s" for name in shipped.get("slo", {}) if name.startswith("p")]
        short += ["slo.get.p99=30s"] * ("get" in shipped.get("slo", {}))
        keys = ("workload.keyspace.count=2000",) if path.stem in ("redis", "example", "gate") else ()
        done = invoked(str(path), "--format", "json", *sets(endpoints(server), *short, *keys))
        assert done.status == 0, done.stderr
        assert done.stderr.count("warning:") == 0
        records = done.records
        for record in records:
            check_record(record)
        result = records[-1]
        if "saturation_search" in workload:
            assert {r["type"] for r in records} == {"config", "phase", "step", "saturation"}
        else:
            assert [r["type"] for r in records if r["type"] not in ("phase", "sample")] == ["config", "result"]
            # Two whole intervals, and the rest; a ramp is over within one of its own.
            assert sum(r["type"] == "sample" for r in records) == (1 if "phase" in workload else 3)
        assert result["verdict"]["valid"]
        counts = result["counts"]
        assert counts["planned"] == counts["ok"] > 0
        commands = {command: n["sent"] for command, n in result["totals"]["commands"].items()}
        assert result["totals"]["sent"] == result["totals"]["received"] == sum(commands.values())
        if protocol == "memcache":
            agrees_with_memcached(commands, server)
        else:
            agrees_with_redis(commands, server)


# ── The server's own counters ───────────────────────────────────────────────────────────────────────────────────────

SHAPES = {
    "closed loop": MIXED,
    "deep": (*MIXED, "connection.pipeline_depth=64", "connection.connections=3"),
    "one at a time": (*MIXED, "connection.pipeline_depth=1", "connection.connections=50"),
    "several workers": (*MIXED, "general.threads=3", "connection.connections=7"),
    "prefill and backfill": (*MIXED, "workload.prefill=true", "workload.backfill_on_miss=true", "general.threads=2"),
    "paced": (*MIXED, "workload.rate_limit=20000", "general.threads=2"),
    "paced greedy": (*MIXED, "workload.rate_limit=20000", "connection.request_distribution=greedy"),
    "zipf": (*MIXED, "workload.keyspace.distribution=zipf", "workload.backfill_on_miss=true"),
    "long values": (*MIXED, "workload.values.length=20000", "workload.keyspace.count=500"),
    "no warmup": (*MIXED, "general.warmup=0s"),
    "small batches": (*MIXED, "connection.batch_size=3"),
}


@pytest.mark.parametrize(
    ("protocol", "shape"),
    [
        *(("resp", shape) for shape in SHAPES),
        *(("resp3", shape) for shape in ("deep", "prefill and backfill", "paced")),
    ],
)
def test_requests_hits_misses_and_bytes_are_what_redis_counted(protocol: str, shape: str) -> None:
    with RealServer.redis() as server:
        before, said = redis_info(server.port)
        result = measure(server, f"target.protocol={protocol}", *SHAPES[shape])
        after, _ = redis_info(server.port)
        agrees_with_redis(sent(result), server)
        get = total(result, "get")
        assert get.hits + get.misses == get.sent > 0
        assert int(after["keyspace_hits"]) == get.hits
        assert int(after["keyspace_misses"]) == get.misses
        overall = result.overall
        # The first INFO's answer went out after it had counted, and the second had come in when it counted.
        assert int(after["total_net_input_bytes"]) - int(before["total_net_input_bytes"]) == overall.tx_bytes + len(
            INFO
        )
        assert int(after["total_net_output_bytes"]) - int(before["total_net_output_bytes"]) == overall.rx_bytes + said
        opened = int(after["total_connections_received"]) - int(before["total_connections_received"]) - 1
        assert opened == overall.connections.opened == result.plan.wire.connections


@pytest.mark.parametrize(
    "shape", ["deep", "one at a time", "several workers", "prefill and backfill", "paced", "long values"]
)
def test_requests_hits_misses_and_bytes_are_what_memcached_counted(shape: str) -> None:
    with RealServer.memcached("-m", "256") as server:
        before, said = memcached_stats(server.port)
        result = measure(server, "target.protocol=memcache", *SHAPES[shape])
        after, _ = memcached_stats(server.port)
        agrees_with_memcached(sent(result), server)
        get, delete = total(result, "get"), total(result, "delete")
        assert (after["get_hits"], after["get_misses"]) == (get.hits, get.misses)
        assert (after["delete_hits"], after["delete_misses"]) == (delete.hits, delete.misses)
        assert after["bytes_read"] - before["bytes_read"] == result.overall.tx_bytes + len(b"stats\r\n")
        assert after["bytes_written"] - before["bytes_written"] == result.overall.rx_bytes + said


def test_the_samples_add_up_to_the_result() -> None:
    events: list[Event] = []
    with RealServer.redis() as server:
        more = ("general.threads=2", "general.duration=200ms", "general.interval=80ms")
        result = measure(server, *MIXED, *more, events=events)
    samples = [event.interval for event in events if isinstance(event, Sample) and event.phase == "measure"]
    assert len(samples) == 3
    merged = sum(samples, Snapshot())
    # What was in flight when the window closed came after the last interval.
    late = result.measured - merged
    assert late.total.planned == 0
    assert 0 <= late.total.ok <= result.plan.wire.connections * result.plan.wire.pipeline_depth
    assert (merged + late).total == result.measured.total
    assert (merged + late).latency().buckets() == result.measured.latency().buckets()


def test_each_ended_request_is_in_the_histograms_once() -> None:
    with RealServer.redis() as server:
        result = measure(server, *MIXED, "workload.backfill_on_miss=true")
    for command, tally in result.measured.tallies.items():
        assert result.measured.latency(command).count == tally.ok > 0
    mix = sum(t.ok for c, t in result.measured.tallies.items() if c != "backfill")
    assert result.measured.latency().count == mix == result.measured.total.ok


def test_a_ping_run_pings_and_does_nothing_else() -> None:
    with RealServer.redis() as server:
        result = measure(server, "target.protocol=ping", "connection.connections=3")
        assert sent(result).keys() == {"ping"}
        agrees_with_redis(sent(result), server)
        assert total(result, "ping").sent == result.measured.total.sent + result.phases["warmup"].total.sent + 3


# ── Keys and values ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("length", [3, 16, 40])
def test_the_prefill_writes_each_key_exactly_once_as_it_is_specified(length: int, workers: int) -> None:
    keyspace = (f"workload.keyspace.length={length}", "workload.keyspace.count=2000", "workload.values.length=77")
    load = ("workload.prefill=true", "workload.commands.get=1", "workload.commands.set=0", f"general.threads={workers}")
    with RealServer.redis() as server:
        result = measure(server, *keyspace, *load)
        client = server.redis()
        assert set(client.scan_iter(count=10_000)) == {f"{id:0{length}x}".encode() for id in range(2000)}
        assert {client.strlen(f"{id:0{length}x}") for id in range(0, 2000, 7)} == {77}
        assert redis_calls(server)["set"] == total(result, "set").sent == 2000
        # Every key is there, so every GET of it hits.
        assert total(result, "get").misses == 0
        assert total(result, "get").hits > 0


def test_the_load_touches_no_key_outside_the_keyspace_and_values_have_their_length() -> None:
    with RealServer.redis() as server:
        measure(server, *MIXED, "workload.keyspace.count=100", "workload.values.length=5")
        client = server.redis()
        keys = set(client.keys())
        assert keys <= {f"{id:016x}".encode() for id in range(100)}
        assert {client.strlen(key) for key in keys} == {5}


def test_memcached_gets_the_same_keys_and_values() -> None:
    with RealServer.memcached() as server:
        measure(
            server,
            "target.protocol=memcache",
            "workload.keyspace.count=50",
            "workload.keyspace.length=5",
            "workload.values.length=9",
            "workload.prefill=true",
            "workload.commands.set=0",
        )
        for id in range(50):
            answer = ask(server.port, b"get %05x\r\n" % id, b"END\r\n")
            head, _, rest = answer.partition(b"\r\n")
            assert head == b"VALUE %05x 0 9" % id
            assert len(rest) == 9 + len(b"\r\nEND\r\n")


@pytest.mark.parametrize(
    ("protocol", "size", "load"),
    [
        ("resp", 2**20, ("connection.pipeline_depth=4", "connection.connections=2")),
        ("resp3", 2**20 + 1, ("connection.pipeline_depth=2", "connection.connections=2", "connection.batch_size=1")),
        ("resp", 2**29, ("connection.pipeline_depth=1", "connection.connections=1")),
        ("memcache", 5 * 2**20, ("connection.pipeline_depth=3", "connection.connections=2")),
    ],
    ids=["1 MiB", "1 MiB and a byte", "512 MiB", "5 MiB on memcached"],
)
def test_large_values_are_written_and_read_whole(protocol: str, size: int, load: tuple[str, ...]) -> None:
    count = 1 if size > 2**26 else 8
    # Without a warm-up there is something to measure however long one request takes.
    settings = (
        f"target.protocol={protocol}",
        f"workload.values.length={size}",
        f"workload.keyspace.count={count}",
        "workload.keyspace.length=4",
        "workload.prefill=true",
        "general.warmup=0s",
        "workload.commands.get=1",
        "workload.commands.set=1",
        *load,
    )
    memcache = protocol == "memcache"
    with RealServer.memcached("-I", "8m", "-m", "256") if memcache else RealServer.redis() as server:
        before = memcached_stats(server.port) if memcache else redis_info(server.port)
        result = measure(server, *settings)
        assert total(result, "get").misses == 0
        assert result.overall.tx_bytes > total(result, "set").sent * size
        assert result.overall.rx_bytes > total(result, "get").sent * size
        if memcache:
            counted = [stats["bytes_read"] for stats, _ in (before, memcached_stats(server.port))]
            assert counted[1] - counted[0] == result.overall.tx_bytes + len(b"stats\r\n")
            agrees_with_memcached(sent(result), server)
        else:
            counted = [int(info["total_net_input_bytes"]) for info, _ in (before, redis_info(server.port))]
            assert counted[1] - counted[0] == result.overall.tx_bytes + len(INFO)
            agrees_with_redis(sent(result), server)
            assert {server.redis().strlen(f"{id:04x}") for id in range(count)} == {size}


def test_backfills_are_counted_apart_and_store_what_was_missed() -> None:
    with RealServer.redis() as server:
        result = measure(
            server,
            "workload.commands.get=1",
            "workload.commands.set=0",
            "workload.backfill_on_miss=true",
            "workload.keyspace.count=300",
        )
        backfill, get = total(result, "backfill"), total(result, "get")
        assert total(result, "set").planned == 0
        assert redis_calls(server)["set"] == backfill.sent
        # A key may be missed again while its backfill is on the way, and those missed at the very end are left.
        assert server.redis().dbsize() <= backfill.sent <= get.misses
        assert get.misses - backfill.sent <= result.plan.wire.connections * result.plan.wire.pipeline_depth
        assert backfill.hits == backfill.sent > 0
        assert result.measured.total.planned == result.measured.tallies["get"].planned


# ── Several servers ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("workers", [1, 2])
def test_each_key_lives_on_its_own_server_only(workers: int) -> None:
    count = 3000
    with RealServer.redis() as one, RealServer.redis() as other:
        servers = (one, other)
        result = measure(
            servers,
            "workload.prefill=true",
            f"workload.keyspace.count={count}",
            f"general.threads={workers}",
            *MIXED,
        )
        agrees_with_redis(sent(result), *servers)
        ketama = Ketama([f"{HOST}:{server.port}" for server in servers], 16, count)
        owned = [{f"{id:016x}".encode() for id in range(count) if ketama.owner_of(id) == n} for n in range(2)]
        for keys, own in zip(stores(servers), owned, strict=True):
            assert keys <= own


@pytest.mark.parametrize("protocol", ["resp", "memcache"])
def test_a_prefill_over_two_servers_writes_every_key_exactly_once(protocol: str) -> None:
    make = RealServer.memcached if protocol == "memcache" else RealServer.redis
    count = 3000
    with make() as one, make() as other:
        result = measure(
            (one, other),
            f"target.protocol={protocol}",
            "workload.prefill=true",
            "workload.commands.set=0",
            f"workload.keyspace.count={count}",
            "general.threads=2",
        )
        ketama = Ketama([f"{HOST}:{server.port}" for server in (one, other)], 16, count)
        owned = [round(share * count) for share in ketama.shares(count)]
        if protocol == "memcache":
            assert [memcached_stats(s.port)[0]["curr_items"] for s in (one, other)] == owned
            assert [memcached_stats(s.port)[0]["cmd_set"] for s in (one, other)] == owned
        else:
            assert [s.redis().dbsize() for s in (one, other)] == owned
            assert [redis_calls(s)["set"] for s in (one, other)] == owned
        assert total(result, "set").sent == sum(owned) == count
        assert total(result, "get").misses == 0


# ── Greetings ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("protocol", ["resp", "resp3"])
@pytest.mark.parametrize("user", ["", "bench"])
def test_each_connection_authenticates_once(user: str, protocol: str) -> None:
    with RealServer.redis(*(["--user", user, "on", ">secret", "~*", "+@all"] if user else [])) as server:
        if not user:
            # Not from the start: a RealServer waits until it answers somebody without a password.
            server.redis(protocol=2, driver_info=None).config_set("requirepass", "secret")
        credentials = ("target.password=secret", *([f"target.username={user}"] if user else []))
        result = measure(server, f"target.protocol={protocol}", *credentials)
        greetings = {c: n for c, n in sent(result).items() if c in ("auth", "hello", "ping")}
        assert greetings == ({"hello": 4} if protocol == "resp3" else {"auth": 4, "ping": 4})
        client = server.redis(username=user or None, password="secret", protocol=2, driver_info=None)
        calls = {name: entry["calls"] for name, entry in client.info("commandstats").items()}
        assert calls["cmdstat_get"] == total(result, "get").sent
        assert calls["cmdstat_set"] == total(result, "set").sent
        assert calls.get("cmdstat_hello", 0) == sent(result).get("hello", 0)
        # One more of this test's own client.
        assert calls["cmdstat_auth"] == sent(result).get("auth", 0) + 1


def test_resp3_greets_each_connection_with_hello() -> None:
    with RealServer.redis() as server:
        result = measure(server, "target.protocol=resp3", "connection.connections=5")
        assert total(result, "hello").sent == redis_calls(server)["hello"] == 5
        assert total(result, "ping").sent == 0


# ── A schedule ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_a_rate_limit_plans_exactly_rate_times_duration(workers: int) -> None:
    with RealServer.redis() as server:
        result = measure(
            server,
            "workload.rate_limit=8000",
            f"general.threads={workers}",
            "general.warmup=0.25s",
            "general.duration=0.5s",
            "workload.backfill_on_miss=true",
        )
        agrees_with_redis(sent(result), server)
    assert result.phases["warmup"].total.planned == 2000
    assert result.measured.total.planned == result.measured.total.ok == 4000
    assert result.measured.tallies["backfill"].planned > 0


def test_with_a_rate_limit_response_service_and_lag_are_counted_for_each_request() -> None:
    with RealServer.redis() as server:
        result = measure(server, "workload.rate_limit=5000", *MIXED)
    measured = result.measured
    for command, tally in measured.tallies.items():
        assert measured.response[command].count == measured.service[command].count == tally.ok
        # Each response time is its service time and what it waited before it was sent.
        assert measured.response[command].sum >= measured.service[command].sum
    assert measured.lag.count == measured.total.sent
    assert measured.latency().sum == measured.latency(clock="service").sum + measured.lag.sum


def test_a_rate_beyond_what_the_server_takes_plans_every_request_all_the_same() -> None:
    with RealServer.redis() as server:
        settings = ("workload.rate_limit=2000000", "general.warmup=0s", "general.duration=50ms")
        result = measure(server, *settings, "connection.connections=1")
        agrees_with_redis(sent(result), server)
    # None is skipped or shed: they are late.
    assert result.measured.total.planned == result.measured.total.ok == 100_000


# ── What goes over the wire, and when ───────────────────────────────────────────────────────────────────────────────


# Where Linux's struct tcp_info counts segments that brought data. On loopback one comes for each write that it holds,
# and now and then one more, when the kernel of a busy machine thinks that the last one was lost.
DATA_SEGMENTS_AT = 152


def writes_seen(peer: Peer) -> int:
    information = peer.connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    return int(struct.unpack_from("=I", information, DATA_SEGMENTS_AT)[0])


def answer(peer: Peer, requests: Iterable[list[bytes]]) -> None:
    for request in requests:
        peer.send(good_reply(request))


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's struct tcp_info")
@pytest.mark.parametrize(("batch", "writes"), [(1, 8), (2, 4), (3, 3)])
def test_no_write_carries_more_than_batch_size_requests(batch: int, writes: int) -> None:
    counted = []

    def serve(peer: Peer) -> None:
        requests = peer.requests()
        greeting = next(requests)
        before = writes_seen(peer)
        peer.send(good_reply(greeting))
        first = list(islice(requests, 8))
        counted.append(writes_seen(peer) - before)
        answer(peer, chain(first, requests))

    with FaultyServer(serve) as server:
        measure(
            server.port,
            "connection.connections=1",
            "connection.pipeline_depth=8",
            f"connection.batch_size={batch}",
            "general.warmup=0s",
            "general.duration=50ms",
        )
    assert counted[0] >= writes


@pytest.mark.parametrize("batch", [1, 4, 8])
def test_a_reply_is_replaced_at_once(batch: int) -> None:
    """A server that answers one request at a time gets another for each answer, while the rest of the depth waits."""
    depth, exchanges, seen = 8, 30, []

    def serve(peer: Peer) -> None:
        requests = peer.requests()
        peer.send(good_reply(next(requests)))
        waiting = deque(islice(requests, depth))
        for _ in range(exchanges):
            peer.send(good_reply(waiting.popleft()))
            waiting.extend(islice(requests, 1))
            seen.append(len(waiting))
        answer(peer, chain(waiting, requests))

    with FaultyServer(serve) as server:
        measure(
            server.port,
            "connection.connections=1",
            f"connection.pipeline_depth={depth}",
            f"connection.batch_size={batch}",
            "general.warmup=0s",
            "general.duration=1s",
        )
    assert seen == [depth] * exchanges


def logs_of(*settings: str) -> list[list[list[bytes]]]:
    """What each of two workers, with one connection, sent after its greeting; in an order that no clock decides."""
    logs = []

    def serve(peer: Peer) -> None:
        log: list[list[bytes]] = []
        logs.append(log)
        for request in peer.requests():
            log.append(request)
            peer.send(good_reply(request))

    with FaultyServer(serve) as server:
        measure(server.port, "general.threads=2", "connection.connections=2", *settings)
    return sorted(log[1:] for log in logs)


def test_the_same_seed_sends_the_same_requests_to_the_byte() -> None:
    paced = (*MIXED, "workload.rate_limit=2000", "general.duration=0.3s", "general.warmup=0.1s")
    first, again = logs_of(*paced), logs_of(*paced)
    assert [len(log) for log in first] == [400, 400]
    assert first == again
    assert first[0] != first[1]
    assert first != logs_of(*paced, "general.seed=43")


def test_in_a_closed_loop_the_same_seed_sends_the_same_requests_as_far_as_both_runs_came() -> None:
    settings = (*MIXED, "workload.prefill=true", "workload.keyspace.count=500", "workload.keyspace.distribution=zipf")
    for one, other in zip(logs_of(*settings), logs_of(*settings), strict=True):
        common = min(len(one), len(other))
        # The prefill at least, and what fits the pipeline.
        assert common >= 250 + 8
        assert one[:common] == other[:common]


# ── The other reactor ───────────────────────────────────────────────────────────────────────────────────────────────


async def driven(server: RealServer, reactor: str, *settings: str) -> tuple[dict[str, Tally], dict[str, int]]:
    """An engine on this loop, through all its phases: what it sent by command, and its connections' counts."""
    heard: asyncio.Queue[str] = asyncio.Queue()
    told = plan(server, *settings)
    load = told.load
    engine = engine_of(told, heard.put_nowait, reactor=reactor)
    try:
        for begin, end in (
            (engine.connect, "connected"),
            (engine.write_keys, "written"),
            (lambda: engine.load(time.monotonic_ns(), load.warmup_ns, load.duration_ns, profile_of(told)), "drained"),
        ):
            begin()
            assert await asyncio.wait_for(heard.get(), 60) == end
        tallies: dict[str, Tally] = {}
        for phase in COUNTED:
            for command, tally in snapshot_of(engine.counts(phase)).tallies.items():
                tallies[command] = tallies.get(command, Tally()) + tally
        return tallies, engine.connection_counts()
    finally:
        engine.close()


@pytest.mark.parametrize("rate", [0, 10_000])
@pytest.mark.parametrize("run", [uvloop.run, asyncio.run], ids=["uvloop", "asyncio"])
@pytest.mark.parametrize("reactor", ["auto", "loop"])
def test_every_reactor_on_every_loop_counts_what_the_server_counted(
    reactor: str, run: Callable[[Any], Any], rate: int
) -> None:
    with RealServer.redis() as server:
        settings = (*MIXED, "workload.prefill=true", f"workload.rate_limit={rate}", "workload.values.length=20000")
        tallies, connections = run(driven(server, reactor, *settings, "workload.keyspace.count=500"))
        agrees_with_redis({command: tally.sent for command, tally in tallies.items()}, server)
    assert all(tally.not_ok == 0 for tally in tallies.values())
    assert ConnectionCounts(**connections) == ConnectionCounts(opened=4, active=4)


def test_settings_that_tests_share_are_valid_on_their_own() -> None:
    assert invoked("run", "--embedded", "--format", "quiet", *sets(*SETTINGS)).status == 0
