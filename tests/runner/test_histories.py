"""Histories of whole runs against real servers: they add up with the counts, and their values have writers."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from faulty_server import FaultyServer, Peer, good_reply
from real_servers import RealServer
from runs import described, measure

import loadgen
from loadgen.events import HistoryKept, Result
from loadgen.snapshot import Snapshot
from loadgen.verify.checkers._register import Register
from loadgen.verify.history.file import Recorded, read

READ, WRITE, DELETE = range(3)
OK, NOT_DONE, UNKNOWN, MISS = range(4)
FOREIGN = 1 << 63

MIXED = (
    "general.threads=2",
    "connection.connections=6",
    "workload.keyspace.count=50",
    "workload.prefill=true",
    "workload.commands.get=6",
    "workload.commands.set=3",
    "workload.commands.delete=1",
)


@pytest.fixture(scope="module")
def redis() -> Iterator[RealServer]:
    with RealServer.redis() as server:
        yield server


@pytest.fixture(scope="module")
def memcached() -> Iterator[RealServer]:
    with RealServer.memcached() as server:
        yield server


READS = (*MIXED, "workload.commands.set=0", "workload.commands.delete=0")

OP_OF = {"get": READ, "set": WRITE, "backfill": WRITE, "delete": DELETE}


def kept(result: Result) -> HistoryKept:
    assert result.history is not None
    return result.history


def adds_up(result: Result, recorded: Recorded) -> None:
    """The records are the planned requests, by operation and end."""
    overall: Snapshot = result.overall
    found = Counter((operation[0], operation[6]) for operation in recorded.operations)
    expected: Counter[tuple[int, int]] = Counter()
    open_or_refused = 0
    for command, tally in overall.tallies.items():
        if command not in OP_OF:
            continue
        op = OP_OF[command]
        expected[op, OK] += tally.hits
        expected[op, NOT_DONE if op == WRITE else MISS] += tally.misses
        open_or_refused += tally.not_ok
    history = kept(result)
    assert history.whole
    assert (recorded.torn_blocks, recorded.unclosed) == (0, ())
    assert history.counts.records == len(recorded.operations)
    assert {key: n for key, n in found.items() if key[1] in (OK, MISS)} == +expected
    refused = sum(n for (_, outcome), n in found.items() if outcome in (NOT_DONE, UNKNOWN))
    assert refused + history.counts.undrawn == open_or_refused
    by_outcome = Counter(operation[6] for operation in recorded.operations)
    counts = history.counts
    assert by_outcome == +Counter(
        {OK: counts.ok, NOT_DONE: counts.not_done, UNKNOWN: counts.unknown, MISS: counts.miss}
    )


def has_writers(recorded: Recorded) -> None:
    """Each value was written once, and each value that was read was written to the same key."""
    writes = [(operation[1], operation[2]) for operation in recorded.operations if operation[0] == WRITE]
    reads = {(o[1], o[2]) for o in recorded.operations if o[0] == READ and o[6] == OK}
    assert len({value for _, value in writes}) == len(writes)
    assert reads
    assert reads <= set(writes)


@pytest.mark.parametrize(
    ("protocol", "value_bytes"),
    [("resp", 16), ("resp3", 64), ("resp", 20_000), ("memcache", 64), ("memcache", 1000), ("memcache", 20_000)],
)
def test_a_history_has_every_request_and_every_value_a_writer(
    redis: RealServer, memcached: RealServer, protocol: str, value_bytes: int, tmp_path: Path
) -> None:
    server, path = memcached if protocol == "memcache" else redis, tmp_path / "history"
    result = measure(
        server,
        *MIXED,
        f"target.protocol={protocol}",
        f"workload.values.length={value_bytes}",
        f"workload.history={path}",
        "workload.backfill_on_miss=true",
    )
    recorded = read(path)
    adds_up(result, recorded)
    has_writers(recorded)
    register = Register(strict=True)
    assert register.judged(recorded.operations) == "legal"
    assert register.writes > 50
    assert recorded.metadata.protocol == protocol
    assert recorded.metadata.keys % 0 == "0" * 16


def test_bodies_that_are_not_copied_have_identities(redis: RealServer, tmp_path: Path) -> None:
    """Values with more bytes than a read takes are discarded by the kernel, behind their heads."""
    path = tmp_path / "history"
    settings = (*MIXED, "workload.keyspace.count=4", "workload.values.length=600_000", "connection.pipeline_depth=2")
    result = measure(redis, *settings, f"workload.history={path}")
    recorded = read(path)
    adds_up(result, recorded)
    has_writers(recorded)


def test_a_sample_has_the_requests_of_its_keys(redis: RealServer, tmp_path: Path) -> None:
    path = tmp_path / "history"
    result = measure(
        redis, *MIXED, "workload.keyspace.count=200", f"workload.history={path}", "workload.history_keys=0.25"
    )
    recorded = read(path)
    keys = {operation[1] for operation in recorded.operations}
    assert 20 < len(keys) < 90
    assert kept(result).counts.records == len(recorded.operations) < result.overall.sent / 2
    has_writers(recorded)
    assert Register(strict=True).judged(recorded.operations) == "legal"
    assert recorded.metadata.sampling == 0.25


def test_values_of_an_earlier_run_are_foreign(redis: RealServer, tmp_path: Path) -> None:
    """Also with the same seed, whose values would otherwise be taken for those of the second run."""
    for name in ("first", "second"):
        prefill = f"workload.prefill={'true' if name == 'first' else 'false'}"
        measure(redis, *READS, prefill, f"workload.history={tmp_path / name}")
    reads = [o for o in read(tmp_path / "second").operations if o[0] == READ and o[6] == OK]
    assert reads
    assert all(operation[2] & FOREIGN for operation in reads)
    assert all(not operation[2] & FOREIGN for operation in read(tmp_path / "first").operations)


def test_requests_beyond_a_server_are_counted_too(redis: RealServer, tmp_path: Path) -> None:
    """A schedule that no server keeps up with leaves requests that were never made, and have no record."""
    path = tmp_path / "history"
    settings = ("workload.rate_limit=50_000_000", "connection.request_timeout=50ms", "workload.keyspace.count=50")
    result = loadgen.run(described(redis, *settings, "workload.prefill=true", f"workload.history={path}"))
    assert kept(result).counts.undrawn > 0
    adds_up(result, read(path))


def test_a_history_adds_up_when_the_server_is_killed_and_comes_back(tmp_path: Path) -> None:
    def load(path: Path) -> loadgen.Result:
        told = loadgen.Plan(
            loadgen.Server.command("redis-server --port {port} --bind {host} --dir {dir} --save ''", name="redis"),
            settings={"workload.history": str(path), "verdict.lag": "30s", "verdict.shortfall": 1},
            faults=[{"kind": "kill", "at": "500ms", "for": "300ms"}],
            commands={"get": 6, "set": 3, "delete": 1},
            connections=6,
            pipeline_depth=4,
            threads=2,
            keys=50,
            prefill=True,
            warmup="20ms",
            duration="1.2s",
            request_timeout="1s",
        )
        result = loadgen.run(told)
        recorded = read(path)
        assert [report.fired for report in result.faults] == [True]
        adds_up(result, recorded)
        assert (kept(result).counts.unknown > 0) is (result.overall.total.lost > 0)
        # All that the server had is gone: misses, never a value from before.
        assert Register().judged(recorded.operations) == "legal"
        return result

    # Where the workers have no CPU at that moment, the server has answered all before it is killed.
    lost = (load(tmp_path / f"history {number}").overall.total.lost for number in range(4))
    assert any(lost)


class Stale:
    """A server that answers every hundredth GET with the value before the present one."""

    def __init__(self) -> None:
        self.values: dict[bytes, list[bytes]] = {}
        self.lock = threading.Lock()
        self.gets = self.stale = 0

    def __call__(self, peer: Peer) -> None:
        for request in peer.requests():
            peer.send(self.answer(request))

    def answer(self, request: list[bytes]) -> bytes:
        with self.lock:
            match request:
                case [b"SET", key, value]:
                    self.values[key] = [*self.values.get(key, [])[-1:], value]
                case [b"GET", key] if key in self.values:
                    self.gets += 1
                    old = self.gets % 100 == 0 and len(self.values[key]) == 2
                    self.stale += old
                    value = self.values[key][0 if old else -1]
                    return b"$%d\r\n%b\r\n" % (len(value), value)
            return good_reply(request)


def test_a_stale_read_has_the_identity_of_an_old_write(tmp_path: Path) -> None:
    path, stale = tmp_path / "history", Stale()
    with FaultyServer(stale) as server:
        result = measure(server.port, *MIXED, "workload.commands.delete=0", f"workload.history={path}")
    recorded = read(path)
    adds_up(result, recorded)
    has_writers(recorded)
    assert stale.stale > 0
    register = Register()
    assert register.judged(recorded.operations) == "illegal"
    assert 0 < register.accused <= 50
