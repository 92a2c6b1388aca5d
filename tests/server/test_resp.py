"""The built-in server's RESP side: against redis-server byte by byte, against real clients, and cut at every byte."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time

import pytest
import redis
from builtin_servers import HOST, Wire, built_in, converse, resident_bytes, resp
from conversations import RESP, lines
from hypothesis import given
from hypothesis import strategies as st
from real_servers import RealServer, ask

from loadgen.runner.watch import exit_report_within
from loadgen.server._redis import RedisConnection
from loadgen.server._store import ITEM_OVERHEAD_BYTES

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


@pytest.fixture(scope="module")
def server():
    with built_in("resp") as running:
        yield running


@pytest.fixture(scope="module")
def real():
    with RealServer.redis() as running:
        yield running


@pytest.fixture
def client(server):
    with redis.Redis(port=server.port, socket_timeout=10) as connected:
        connected.flushall()
        connected.config_resetstat()
        yield connected


CONVERSATIONS = {
    "get and set": lines("GET k\nSET k v\nGET k\nget k\nGeT k\nSET k w\nGET k\nDEL k\nGET k"),
    "set nx xx": lines("SET k 1 XX\nSET k 1 NX\nSET k 2 NX\nSET k 3 XX\nGET k\nSET k 4 NX XX\nSET k 4 xx"),
    "set get": lines("SET k 1 GET\nSET k 2 GET\nSET k 3 NX GET\nGET k\nSET n 1 XX GET\nEXISTS n"),
    "set expiry": lines("SET k v EX 100\nTTL k\nSET k v\nTTL k\nSET k v PX 100500\nTTL k\nSET k w KEEPTTL\nTTL k"),
    "set expiry in the past": lines("SET k v EXAT 1\nGET k\nSET k v PXAT 1\nEXISTS k\nDBSIZE"),
    "set expiry wrong": lines("SET k v EX 0\nSET k v EX -1\nSET k v EX x\nSET k v PX 1.5\nSET k v EX\nGET k"),
    "set expiry huge": lines("SET k v EX 9223372036854775807\nSET k v PX 9223372036854775807\nGET k"),
    "set syntax": lines(
        "SET k v FOO\nSET k v EX 10 PX 10\nSET k v EX 10 KEEPTTL\nSET k v KEEPTTL EX 10\nSET k v NX XX"
    ),
    "del exists unlink": lines("SET a 1\nSET b 2\nEXISTS a b c a\nDEL a b c a\nUNLINK a\nSET a 1\nUNLINK a a\nDBSIZE"),
    "mget mset": lines(
        "MSET a 1 b 2\nMGET a b c\nMGET c\nMSET a 3 a 4\nMGET a a\nMSET a\nMSET a 1 b\nMGET\nEXISTS b c\nDBSIZE"
    ),
    "incr": lines(
        "INCR n\nINCR n\nGET n\nSET n -1\nINCR n\nSET n x\nINCR n\nSET n 01\nINCR n\nSET n -0\nINCR n\nSET n 1.0\n"
        "INCR n\nSET n 9223372036854775806\nINCR n\nINCR n\nSET n 9223372036854775808\nINCR n\nINCR\n"
        "INCR n 1\nSET n 5 EX 100\nINCR n\nTTL n"
    ),
    "expire ttl": lines("TTL k\nPTTL k\nEXPIRE k 10\nSET k v\nEXPIRE k 100\nTTL k\nPERSIST k\nPERSIST k\nTTL k"),
    "expire now": lines("SET k v\nEXPIRE k 0\nGET k\nSET k v\nPEXPIRE k -5\nEXISTS k\nEXPIRE k x\nTTL nope"),
    "expire options": lines(
        "EXPIRE k 10 NX\nSET k v\nEXPIRE k 10 XX\nEXPIRE k 10 GT\nEXPIRE k 100 NX\nEXPIRE k 100 NX\nTTL k\n"
        "EXPIRE k 10 GT\nEXPIRE k 1000 GT\nPEXPIRE k 1000000 LT XX\nEXPIRE k 100 LT\nTTL k\nEXPIRE k 0 LT\nGET k\n"
        "SET k v\nEXPIRE k 100 lt\nTTL k\nEXPIRE k 1 NX XX\nEXPIRE k 1 GT LT\nEXPIRE k 1 NO\nEXPIRE k x NO"
    ),
    "expire huge": lines(
        "SET k v\nEXPIRE k 9223372036854775807\nPEXPIRE k 9223372036854775807\nEXPIRE k 9223372036854775\nTTL k\n"
        "PEXPIRE k -9223372036854775808\nEXISTS k\nEXPIRE k -9223372036854775808\nEXPIRE k 9000000000000000\n"
        "SET k v\nEXPIRE k 9000000000000000\nTTL k\nEXPIRE k -9223372036854775\nGET k"
    ),
    # Without TTL: what is left until a Unix time depends on when a server is asked.
    "set unix times to the last": lines(
        "SET k v PXAT 9223372036854775807\nGET k\nSET k v PXAT 9223372036854775808\nEXPIRE k 9000000000000000 GT\n"
        "EXPIRE k 1000000 LT\nTTL k\nSET k w EXAT 9223372036854775\nGET k\nSET k x EXAT 9223372036854776\nGET k\n"
        "SET k y EXAT 4611686019\nGET k\nSET k v PX 9000000000000000000\nTTL k"
    ),
    "psetex": lines(
        "PSETEX k 100000 v\nGET k\nTTL k\nSET k w\nTTL k\nPSETEX k 0 v\nPSETEX k -1 v\nPSETEX k x v\nPSETEX k 1\n"
        "PSETEX k 1 v w\nPSETEX k 9223372036854775807 v\nGET k"
    ),
    "ping echo": lines("PING\nping hello\nPING a b\nECHO x\nECHO\nECHO a b") + resp(b"ECHO", b"") + resp(b"PING", b""),
    "binary": resp(b"SET", b"k\r\n\x00", b"\r\n\x00\xff")
    + resp(b"GET", b"k\r\n\x00")
    + resp(b"SET", b"", b"e")
    + resp(b"GET", b""),
    "wrong arity": lines(
        "GET\nGET a b\nSET k\nDEL\nEXISTS\nTTL\nECHO\nSELECT\nDBSIZE x\nCONFIG\nCONFIG GET\nCLIENT\nAUTH"
    ),
    "unknown": lines("FOO\nfoo a b\nFOO " + "x" * 200 + " y") + resp(b"FOO", b"a\r\nb") + resp(b"F" * 200, b"a"),
    "unknown subcommand": lines("CONFIG FOO\nCLIENT FOO\nCOMMAND FOO\nconfig foo bar"),
    "subcommand arity": lines("CLIENT ID x\nCLIENT SETNAME\nCONFIG RESETSTAT x"),
    "select": lines("SELECT 0\nSELECT x\nSELECT -1\nSELECT 100000"),
    "client name": lines("CLIENT GETNAME\nCLIENT SETNAME me\nCLIENT GETNAME") + resp(b"CLIENT", b"SETNAME", b"a b"),
    "reset": lines("CLIENT SETNAME me\nRESET\nCLIENT GETNAME"),
    "flush": lines("SET a 1\nFLUSHALL\nDBSIZE\nSET a 1\nFLUSHDB ASYNC\nDBSIZE\nFLUSHALL FOO\nFLUSHALL SYNC"),
    "auth": lines("AUTH x\nAUTH default x\nAUTH nobody x\nAUTH a b c"),
    "hello wrong": lines("HELLO 4\nHELLO x\nHELLO 2 FOO\nHELLO 2 AUTH nobody x\nHELLO 2 SETNAME\nHELLO 2 AUTH x"),
    "config get one": lines("CONFIG GET save\nCONFIG GET appendonly\nCONFIG GET nope\nconfig get MAXMEMORY*FOO"),
    "inline": b"PING\r\n\r\nping hello\nSET k 'a b'\r\nGET k\r\nSET k \"a\\x41\\n\\\"\"\r\nGET   k\r\nECHO 'a\\'b'\r\n",
    "inline spaces": b"  GET k  \r\n\r\n\r\n   \r\nPING\r\n",
    "inline unbalanced": b'PING\r\nSET k "abc\r\nPING\r\n',
    "inline quote in a word": b'ECHO "a"b\r\nPING\r\n',
    "inline too long": b"PING\r\n" + b"x" * 70000,
    "empty arrays": b"*0\r\n*-1\r\nPING\r\n",
    "multibulk length": b"PING\r\n*abc\r\nPING\r\n",
    "multibulk length huge": b"*99999999999999999999\r\n",
    "bulk expected": b"*1\r\n:5\r\n",
    "bulk length": b"*1\r\n$abc\r\n",
    "bulk length negative": b"*1\r\n$-1\r\n",
    "bulk length huge": b"*1\r\n$536870913\r\n",
    "large": resp(b"SET", b"k", b"x" * 1_000_000)
    + resp(b"GET", b"k")
    + resp(b"ECHO", b"y" * 100_000)
    + lines("GET k\nPING"),
    "large key": resp(b"SET", b"k" * 100_000, b"v") + resp(b"GET", b"k" * 100_000) + resp(b"x" * 100_000),
    "many arguments": resp(b"DEL", *[b"%d" % i for i in range(5000)]) + resp(b"EXISTS", *[b"k"] * 3000) + lines("PING"),
    "quit": lines("PING\nQUIT\nPING"),
}


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("name", CONVERSATIONS)
def test_replies_are_those_of_redis(server, real, name, version):
    opening = lines(f"FLUSHALL\nHELLO {version}\nECHO start") if version == 3 else lines("FLUSHALL\nECHO start")
    answers = []
    for port in (server.port, real.port):
        answer = converse(port, opening + CONVERSATIONS[name] + lines("QUIT"))
        _, mark, rest = answer.partition(b"$5\r\nstart\r\n")
        assert mark, answer[:200]
        answers.append(rest)
    assert answers[0] == answers[1]


def test_hello_describes_the_server_in_both_versions(server):
    answer = converse(
        server.port, lines("HELLO 2\nHELLO 3 AUTH default x SETNAME me\nCLIENT GETNAME\nGET nope\nHELLO\nQUIT")
    )
    assert answer.startswith(b"*14\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n")
    assert b"%7\r\n$6\r\nserver\r\n" in answer
    assert b"\r\n$2\r\nme\r\n_\r\n%7\r\n" in answer


def test_replies_do_not_depend_on_where_the_input_is_cut():
    with Wire(RedisConnection) as wire:
        wire.feed(RESP.requests)
        expected = wire.finish()
    assert expected.endswith(b":3\r\n$3\r\na A\r\n:2\r\n")
    for cut in RESP.cuts:
        with Wire(RedisConnection) as wire:
            wire.feed(RESP.requests[:cut])
            wire.feed(RESP.requests[cut:])
            assert wire.finish() == expected, f"cut at {cut}"


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000, 16384, 32768])
def test_replies_do_not_depend_on_the_size_of_the_pieces(step):
    with Wire(RedisConnection) as whole, Wire(RedisConnection) as pieces:
        whole.feed(RESP.requests)
        for at in range(0, len(RESP.requests), step):
            pieces.feed(RESP.requests[at : at + step])
        assert pieces.finish() == whole.finish()


@given(
    data=st.binary(max_size=200),
    start=st.sampled_from([b"", b"*2\r\n", b"*1\r\n$", b"*3\r\n$3\r\nSET\r\n$", b"SET k "]),
)
def test_garbage_is_answered_or_waited_for_whole_as_in_pieces(start, data):
    with Wire(RedisConnection) as whole, Wire(RedisConnection) as pieces:
        whole.feed(start + data)
        for byte in start + data:
            pieces.feed(bytes([byte]))
        assert whole.transport.closed == pieces.transport.closed
        assert whole.finish() == pieces.finish()


def test_an_argument_without_its_crlf_is_a_protocol_error():
    with Wire(RedisConnection) as wire:
        wire.feed(b"*2\r\n$3\r\nGETxx$1\r\nk\r\n")
        assert wire.finish() == b"-ERR Protocol error: expected CRLF after a bulk string\r\n"
        assert wire.transport.closed


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (b"*" + b"1" * 40, b"too big mbulk count string"),
        (b"*1\r\n$" + b"1" * 40, b"too big bulk count string"),
        (b"*65537\r\n", b"invalid multibulk length"),
        (b"*1\r\n" + b"$9999999999\r\n", b"invalid bulk length"),
    ],
)
def test_a_head_beyond_its_bound_ends_the_connection(request_, error):
    with Wire(RedisConnection) as wire:
        wire.feed(request_)
        assert wire.finish() == b"-ERR Protocol error: " + error + b"\r\n"
        assert wire.transport.closed


def test_announced_arguments_take_no_memory_before_they_come():
    with Wire(RedisConnection, max_item_bytes=1 << 30) as wire:
        wire.feed(b"*65536\r\n$3\r\nDEL\r\n$1\r\nk\r\n")
        wire.feed(b"$1\r\nk\r\n" * 1000)
        assert not wire.transport.closed


@pytest.mark.parametrize("protocol", [2, 3])
def test_redis_py_works_against_it(server, protocol):
    with redis.Redis(port=server.port, protocol=protocol, client_name="tester", socket_timeout=10) as client:
        client.flushall()
        assert client.set("k", b"v" * 100_000, ex=100) is True
        assert client.get("k") == b"v" * 100_000
        assert (client.ttl("k"), client.exists("k", "nope"), client.dbsize()) == (100, 1, 1)
        assert client.client_getname() in ("tester", b"tester")
        assert client.config_get("max*")["maxmemory-policy"] == "allkeys-lru"
        assert client.info("server")["loadgen_version"]
        assert client.info()["db0"] == {"keys": 1, "expires": 1, "avg_ttl": 0}
        assert "tester" in [other["name"] for other in client.client_list()]
        assert client.command_count() == len(client.command())
        assert client.echo("x") == b"x"
        assert client.delete("k", "nope") == 1
        with pytest.raises(redis.ResponseError, match="configured on its command line"):
            client.config_set("maxmemory", 1)
        with client.pipeline(transaction=False) as pipeline:
            for i in range(1000):
                pipeline.set(f"k{i}", i).get(f"k{i}")
            assert pipeline.execute() == [answer for i in range(1000) for answer in (True, b"%d" % i)]


@pytest.mark.skipif(shutil.which("redis-cli") is None, reason="redis-cli is not installed")
@pytest.mark.parametrize("version", ["-2", "-3"])
def test_redis_cli_works_against_it(server, version):
    # Commands from a pipe make it interactive, and then it asks for COMMAND DOCS.
    said = subprocess.run(
        ["redis-cli", "-p", str(server.port), version],
        input=b"SET k 5\nGET k\nGET nope\nDEL k\nPING\nCONFIG GET save\n",
        capture_output=True,
        check=True,
        timeout=30,
    )
    assert said.stdout.split(b"\n")[:5] == [b"OK", b"5", b"", b"1", b"PONG"]
    assert said.stderr == b""


@pytest.mark.skipif(shutil.which("redis-benchmark") is None, reason="redis-benchmark is not installed")
def test_redis_benchmark_is_counted_exactly(server, client):
    command = ["redis-benchmark", "-p", str(server.port), "-t", "get,set", "-n", "5000", "-c", "10", "-P", "5", "--csv"]
    said = subprocess.run(command, capture_output=True, check=True, timeout=60)
    assert said.stdout.count(b"\n") == 3
    calls = {name: stats["calls"] for name, stats in client.info("commandstats").items()}
    assert (calls["cmdstat_get"], calls["cmdstat_set"]) == (5000, 5000)


def test_every_command_is_counted_once_where_it_belongs(client):
    for i in range(10):
        client.set(f"k{i}", "v")
    for i in range(15):
        client.get(f"k{i}")
    for wrong in (("GET",), ("SET", "k", "v", "FOO"), ("NOPE",)):
        with pytest.raises(redis.ResponseError):
            client.execute_command(*wrong)
    client.delete("k0", "k1", "nope")
    client.exists("k2", "nope")
    stats = client.info("commandstats")

    def counts(name):
        return tuple(stats[f"cmdstat_{name}"][field] for field in ("calls", "rejected_calls", "failed_calls"))

    assert {name: counts(name) for name in ("set", "get", "del", "exists")} == {
        "set": (11, 0, 1),
        "get": (15, 1, 0),
        "del": (1, 0, 0),
        "exists": (1, 0, 0),
    }
    totals = client.info("stats")
    assert (totals["keyspace_hits"], totals["keyspace_misses"]) == (11, 6)
    client.config_resetstat()
    assert set(client.info("commandstats")) == {"cmdstat_info"}


def test_the_last_unix_time_is_kept_to_the_millisecond(client):
    last_ms = 2**63 - 1
    before_ms = time.time_ns() // 1_000_000
    assert client.set("k", "v", pxat=last_ms) is True
    left_ms = client.pttl("k")
    assert last_ms - time.time_ns() // 1_000_000 <= left_ms <= last_ms - before_ms


def test_a_large_value_comes_back_unchanged(server, client):
    with built_in("resp", max_memory_bytes=400 << 20) as roomy, redis.Redis(port=roomy.port) as large:
        value = bytes(range(256)) * (100 << 12)
        large.set("k", value)
        assert large.get("k") == value
        assert large.info("memory")["used_memory"] == len(value) + 1 + ITEM_OVERHEAD_BYTES


@linux
def test_a_value_beyond_the_memory_is_refused_without_being_kept():
    with built_in("resp", max_memory_bytes=1 << 20) as small, redis.Redis(port=small.port) as client:
        before = resident_bytes(small.pid)
        with pytest.raises(redis.exceptions.OutOfMemoryError, match="used memory > 'maxmemory'"):
            client.set("k", bytes(100 << 20))
        assert client.get("k") is None
        assert resident_bytes(small.pid) - before < 16 << 20


@pytest.mark.parametrize("eviction", ["lru", "fifo"])
def test_memory_is_bounded_and_evictions_are_counted(eviction):
    with (
        built_in("resp", max_memory_bytes=1 << 20, eviction=eviction) as small,
        redis.Redis(port=small.port) as client,
    ):
        with client.pipeline(transaction=False) as pipeline:
            for i in range(5000):
                pipeline.set(f"key{i:05}", bytes(300))
            assert all(pipeline.execute())
        kept = (1 << 20) // (ITEM_OVERHEAD_BYTES + 8 + 300)
        assert client.dbsize() == kept
        assert client.info("stats")["evicted_keys"] == 5000 - kept
        assert client.info("memory")["used_memory"] <= 1 << 20
        assert client.get("key04999") == bytes(300)
        assert client.get("key00000") is None


def test_without_eviction_writes_are_refused_when_full():
    with (
        built_in("resp", max_memory_bytes=10 * (ITEM_OVERHEAD_BYTES + 10), eviction="noeviction") as small,
        redis.Redis(port=small.port) as client,
    ):
        for i in range(10):
            client.set(f"k{i}", "12345678")
        with pytest.raises(redis.exceptions.OutOfMemoryError):
            client.set("k10", "12345678")
        assert client.set("k9", "x") is True
        assert (client.dbsize(), client.info("stats")["evicted_keys"]) == (10, 0)


def test_a_peer_that_does_not_read_is_not_served_further():
    value = b"x" * 300_000
    with Wire(RedisConnection) as wire:
        wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        wire.feed(resp(b"SET", b"k", value))
        assert wire.receive(5) == b"+OK\r\n"
        wire.feed(resp(b"GET", b"k") * 200)
        assert not wire.transport.reading
        # One value and what was already collected; not 200 values.
        assert wire.transport.most_waiting <= 2 * len(value)
        reply = b"$300000\r\n" + value + b"\r\n"
        expected = reply * 200
        assert wire.receive_all(len(expected)) == expected
        assert wire.transport.reading


@linux
def test_memory_stays_bounded_while_a_client_does_not_read(server, client):
    client.set("k", bytes(1 << 20))
    before = resident_bytes(server.pid)
    with socket.create_connection((HOST, server.port), timeout=20) as slow:
        slow.sendall(resp(b"GET", b"k") * 300)
        # Others are served all the same, and by then the slow one's requests have been read.
        for _ in range(100):
            assert client.get("nope") is None
        assert resident_bytes(server.pid) - before < 32 << 20
        left = 300 * (len("$1048576\r\n\r\n") + (1 << 20))
        while left:
            received = slow.recv(1 << 20)
            assert received
            left -= len(received)
        slow.sendall(resp(b"PING"))
        assert slow.recv(100) == b"+PONG\r\n"


def test_a_client_that_vanishes_leaves_nothing_behind(server, client):
    client.set("k", bytes(1 << 20))
    for _ in range(20):
        with socket.create_connection((HOST, server.port)) as gone:
            gone.sendall(resp(b"GET", b"k") * 20 + b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$9999999\r\nabc")
    # Each question is a turn of the server's loop, which accepts and closes in its own time. The first came before the
    # counts were reset.
    for _ in range(100_000):
        seen = client.info("stats")["total_connections_received"]
        left = client.info("clients")["connected_clients"]
        if (seen, left) == (20, 1):
            break
    assert (seen, left) == (20, 1)
    assert len(client.get("k")) == 1 << 20


def test_shutdown_ends_the_server():
    with built_in("resp") as ending:
        assert converse(ending.port, resp(b"SHUTDOWN", b"NOSAVE")) == b""
        assert exit_report_within(ending, 10) == "loadgen serve ended with exit status 0"


def test_inline_commands_are_answered_on_a_plain_socket(server):
    assert ask(server.port, b"PING\r\n", b"\r\n") == b"+PONG\r\n"
