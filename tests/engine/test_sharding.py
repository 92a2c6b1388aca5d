"""The choice between several servers: jump hash against other implementations, and rules by which all take any key."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from hashlib import md5

import pytest
from counted import snapshot_of
from hypothesis import given
from hypothesis import strategies as st
from runs import plan
from stages import PORT, Connection, Stage

from loadgen.client import selection
from loadgen.engine._engine import Engine
from loadgen.engine._jump import Jump, bucket
from loadgen.engine._sharding import route
from loadgen.snapshot import Snapshot

MS = 1_000_000
S = 1_000 * MS
PORTS = (PORT, PORT + 1, PORT + 2)
REQUEST = re.compile(rb"\*\d\r\n\$\d\r\n([A-Z]+)\r\n\$16\r\n(.{16})\r\n")


@pytest.mark.parametrize(
    ("number", "buckets", "expected"),
    # From the tests of Guava's Hashing.consistentHash and of dgryski's go-jump.
    [(1, 1, 0), (42, 57, 43), (0xDEAD10CC, 1, 0), (0xDEAD10CC, 666, 361), (256, 1024, 520), (10863919174838991, 11, 6),
     (2016238256797177309, 11, 3), (1673758223894951030, 11, 5)],
)  # fmt: skip
def test_a_number_has_the_bucket_of_other_implementations(number: int, buckets: int, expected: int) -> None:
    assert bucket(number, buckets) == expected


@given(st.integers(0, 2**64 - 1), st.integers(1, 5000))
def test_any_number_has_the_bucket_that_the_client_gives_it(number: int, buckets: int) -> None:
    assert bucket(number, buckets) == selection.jump(number, buckets)


@pytest.mark.parametrize(("length", "prefix"), [(16, b""), (70, b"a-prefix:")])
def test_a_key_goes_by_the_first_eight_bytes_of_its_md5(length: int, prefix: bytes) -> None:
    jump = Jump(5, length, 1000, prefix)
    for key in (*range(1000), 123_456):
        digest = md5(prefix + f"{key:0{length - len(prefix)}x}".encode()).digest()
        assert jump.owner_of(key) == selection.jump(int.from_bytes(digest[:8], "little"), 5)


def test_a_server_that_is_added_takes_its_share_from_all_and_moves_no_other_key() -> None:
    before, after = Jump(4, 16, 20_000), Jump(5, 16, 20_000)
    moved = [key for key in range(20_000) if before.owner_of(key) != after.owner_of(key)]
    assert {after.owner_of(key) for key in moved} == {4}
    assert len(moved) == pytest.approx(20_000 / 5, rel=0.05)
    assert after.shares(20_000) == pytest.approx([0.2] * 5, rel=0.05)


def test_a_server_without_keys_is_refused_where_keys_have_servers() -> None:
    for name in ("ketama", "jump"):
        with pytest.raises(ValueError, match="none of the 2 keys belongs to"):
            route(name, ["a:1", "b:1", "c:1"], 16, 2, b"")
    for name in ("roundrobin", "mirrored"):
        assert route(name, ["a:1", "b:1", "c:1"], 16, 2, b"").lanes == 1


@dataclass
class Servers:
    """Servers that answer after a time of their own, and keep the requests that came to each."""

    stage: Stage | None = None
    came: dict[int, list[tuple[bytes, bytes]]] = field(default_factory=lambda: defaultdict(list))

    def received(self, connection: Connection, data: bytes) -> None:
        assert self.stage is not None
        answer = b""
        for command, key in REQUEST.findall(data):
            self.came[connection.port].append((command, key))
            answer += b"+OK\r\n" if command == b"SET" else b"$-1\r\n"
        later = MS * (1 + connection.port - PORT)
        self.stage.reply(connection, self.stage.now_ns + later, answer or b"+PONG\r\n")


def sent(sharding: str, *overrides: str, rate_per_s: float = 0, requests: int = 0) -> tuple[Servers, Snapshot]:
    """The requests of a prefill of 50 keys and of a load, and the counts of its window."""
    servers = Servers()
    stage = servers.stage = Stage(servers, S, PORTS)
    told = plan(
        1,
        "target.endpoints=[{}]".format(", ".join(f'"127.0.0.1:{port}"' for port in PORTS)),
        f"target.sharding={sharding}",
        *("workload.commands.set=1", "workload.commands.get=2", "connection.connections=6"),
        *("workload.keyspace.count=50", "connection.pipeline_depth=1", *overrides),
    )
    heard: list[str] = []
    engine = Engine(stage.plan(told), 0, heard.append, stage.reactor, stage.reactor.net)
    engine.connect()
    stage.run(2 * S)
    engine.write_keys()
    stage.run(3 * S)
    prefilled = {port: sorted(came) for port, came in servers.came.items()}
    if told.target.by_key:
        assert len([each for came in prefilled.values() for each in came]) == 50
    else:
        assert [len(set(came)) for came in prefilled.values()] == [50, 50, 50]
    servers.came.clear()
    profile = [(S, rate_per_s, rate_per_s, 0)] if rate_per_s else []
    engine.load(4 * S, 0, 60 * S if requests else S, profile, requests)
    stage.run(100 * S)
    assert heard == ["connected", "written", "drained"]
    measured = snapshot_of(engine.counts("measure"))
    engine.close()
    return servers, measured


@pytest.mark.parametrize("arrival", ["constant", "poisson"])
def test_what_is_mirrored_reaches_every_server_in_the_same_order(arrival: str) -> None:
    servers, measured = sent("mirrored", f"workload.arrival={arrival}", "workload.rate_limit=300", rate_per_s=900)
    one, two, three = servers.came.values()
    assert one == two == three
    assert len(one) == pytest.approx(300, abs=0 if arrival == "constant" else 60)
    assert measured.total.planned == measured.total.ok == 3 * len(one)
    assert len({key for _, key in one}) > 40


def test_a_number_of_mirrored_requests_is_sent_whole_to_each_server() -> None:
    servers, measured = sent("mirrored", requests=3 * 101)
    assert [len(came) for came in servers.came.values()] == [101, 101, 101]
    one, *others = (sorted(came) for came in servers.came.values())
    assert others == [one, one]
    assert measured.total.planned == measured.total.ok == 303


def test_any_server_takes_any_key_in_turn() -> None:
    servers, measured = sent("roundrobin", "workload.rate_limit=300", rate_per_s=900)
    assert [len(came) for came in servers.came.values()] == [300, 300, 300]
    assert measured.total.planned == 900
    keys = [{key for _, key in came} for came in servers.came.values()]
    assert min(map(len, keys)) > 40
    one, two, _ = servers.came.values()
    assert one != two


def test_jump_sends_each_key_to_its_server() -> None:
    servers, _ = sent("jump", "workload.rate_limit=300", rate_per_s=900)
    jump = Jump(3, 16, 50)
    for port, came in servers.came.items():
        assert {jump.owner_of(int(key, 16)) for _, key in came} == {port - PORT}
    assert sum(map(len, servers.came.values())) == 900
