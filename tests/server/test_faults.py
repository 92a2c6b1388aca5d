"""Trouble planted in the built-in server, and the null mode, held against their laws over real sockets.

A law is about lengths and counts that the server promises; speed is not asserted. Times are medians over several
occasions, because this process, which takes them, is delayed now and then itself.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import select
import signal
import socket
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

import hiredis
import pytest
import redis
from builtin_servers import HOST, Wire, built_in, converse, resp
from conversations import MEMCACHE, RESP
from pymemcache.client.base import Client
from quiet import law_of_time
from real_servers import ask

from loadgen.cli.main import main
from loadgen.runner.watch import exit_report_within
from loadgen.server._faults import Faults
from loadgen.server._memcache import MemcacheConnection
from loadgen.server._null import NullMemcacheConnection, NullRedisConnection
from loadgen.server._redis import RedisConnection
from loadgen.target.server import ManagedServer

MS = 0.001


@dataclass(frozen=True)
class Protocol:
    """A protocol's words for what the tests say and hear."""

    name: str
    greeting: bytes
    greeted: bytes
    """How an answer to the greeting ends."""
    get: bytes
    miss: bytes
    set: bytes
    stored: bytes
    planted: bytes
    question: bytes
    """A question about the server."""
    bytes_read: bytes
    """The field of its answer that says how many bytes the server has read."""


PROTOCOLS = [
    Protocol(
        "resp", resp(b"PING"), b"+PONG\r\n", resp(b"GET", b"k"), b"$-1\r\n", resp(b"SET", b"s", b"v"), b"+OK\r\n",
        b"-ERR planted\r\n", resp(b"INFO", b"stats"), b"total_net_input_bytes:",
    ),
    Protocol(
        "memcache", b"version\r\n", b"-loadgen\r\n", b"get k\r\n", b"END\r\n", b"set s 0 0 1\r\nv\r\n", b"STORED\r\n",
        b"SERVER_ERROR planted\r\n", b"stats\r\n", b"bytes_read ",
    ),
]  # fmt: skip
LOOPS = ["uvloop", "asyncio"]

both = pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
both_loops = pytest.mark.parametrize("loop", LOOPS)
# Each protocol and each loop once: faults knows of neither. The other two pairs are for `make laws`.
pairs = pytest.mark.parametrize(
    ("protocol", "loop"),
    [
        pytest.param(protocol, loop, id=f"{protocol.name}-{loop}", marks=[pytest.mark.law] * other)
        for protocol, loop, other in zip(PROTOCOLS * 2, [*LOOPS, *reversed(LOOPS)], (0, 0, 1, 1), strict=True)
    ],
)


def troubled(protocol: Protocol, options: str, loop: str = "uvloop") -> ManagedServer:
    return built_in(protocol.name, options=["--loop", loop, *options.split()])


def connected(server: ManagedServer) -> socket.socket:
    connection = socket.create_connection((HOST, server.port), timeout=20)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def misses_at(connection: socket.socket, protocol: Protocol, count: int) -> list[float]:
    """When each of so many misses came."""
    times: list[float] = []
    received = 0
    while len(times) < count:
        part = connection.recv(1 << 16)
        assert part, f"closed after {len(times)} replies"
        received += len(part)
        times += [time.monotonic()] * (received // len(protocol.miss) - len(times))
    return times


def everything(connection: socket.socket) -> bytes:
    """What comes until the server closes."""
    received = bytearray()
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(1 << 16):
            received += part
    return bytes(received)


def silent(connection: socket.socket, timeout_s: float = 0.2) -> bool:
    """Nothing comes for a while, and the connection stays open."""
    connection.settimeout(timeout_s)
    try:
        connection.recv(1)
    except TimeoutError:
        return True
    return False


# ── Freezes ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pairs
@law_of_time
def test_a_stall_lasts_as_long_as_planted_and_comes_on_an_absolute_schedule(protocol, loop):
    stall, every, duration = 0.040, 0.200, 1.7
    with troubled(protocol, "--stall 40ms --every 200ms", loop) as server, connected(server) as connection:
        connection.setblocking(False)
        start = now = time.monotonic()
        sent = received = 0
        sent_at: list[float] = []
        came_at: list[float] = []
        while now < start + duration:
            if now >= start + sent * MS:
                connection.send(protocol.get)
                sent_at.append(now)
                sent += 1
            with contextlib.suppress(BlockingIOError):
                received += len(connection.recv(1 << 16))
            now = time.monotonic()
            came_at += [now] * (received // len(protocol.miss) - len(came_at))
    latencies = [came - at for came, at in zip(came_at, sent_at, strict=False)]
    late = [i for i, latency in enumerate(latencies) if latency > stall / 2]
    # The first of those that a freeze has caught waits through nearly all of it; the replies after it come at its end.
    first = [i for i in late if i - 1 not in late]
    assert len(first) in (7, 8, 9), latencies
    assert statistics.median(latencies[i] for i in first) == pytest.approx(stall, abs=2 * MS)
    ends = [came_at[i] for i in first]
    assert statistics.median(b - a for a, b in itertools.pairwise(ends)) == pytest.approx(every, abs=2 * MS)
    # Most ends keep to one phase: that of an end that this machine did not delay.
    phases = [[(end - kept + every / 2) % every - every / 2 for end in ends] for kept in ends]
    assert min(statistics.median(map(abs, those)) for those in phases) < 2 * MS, phases


@both
@law_of_time
def test_a_stall_that_falls_into_a_service_prolongs_it(protocol):
    delay, count, stall, every = 0.005, 100, 0.050, 0.200
    with troubled(protocol, "--stall 50ms --every 200ms --delay 5ms") as server, connected(server) as connection:
        connection.sendall(protocol.get * count)
        times = misses_at(connection, protocol, count)
    elapsed = times[-1] - times[0]
    # A period has 150 ms for services: 99 of 5 ms take 3.3 periods, and so 3 or 4 freezes.
    freezes = round((elapsed - (count - 1) * delay) / stall)
    assert freezes in (3, 4)
    assert elapsed == pytest.approx((count - 1) * delay + freezes * stall, abs=5 * MS)
    gaps = [b - a for a, b in itertools.pairwise(times)]
    assert sum(gap > stall for gap in gaps) == freezes
    assert statistics.median(
        b - a for a, b in itertools.pairwise(t for t, gap in zip(times, gaps, strict=False) if gap > stall)
    ) == pytest.approx(every, abs=6 * MS)


def test_a_signal_ends_a_server_that_is_busy_for_a_minute():
    with troubled(PROTOCOLS[0], "--delay 1m") as server, connected(server) as waiting, connected(server) as other:
        waiting.sendall(resp(b"GET", b"k"))
        assert silent(waiting)
        other.sendall(resp(b"INFO"))
        assert silent(other)
        os.kill(server.pid, signal.SIGTERM)
        assert exit_report_within(server, 10) == "loadgen serve ended with exit status 0"


# ── Service times ───────────────────────────────────────────────────────────────────────────────────────────────────


@pairs
@law_of_time
def test_a_delay_makes_the_capacity_its_inverse(protocol, loop):
    delay, depth, count = 0.0005, 32, 1500
    with troubled(protocol, "--delay 500us", loop) as server, connected(server) as connection:
        connection.sendall(protocol.get * depth)
        times = misses_at(connection, protocol, 1)
        while len(times) < count:
            connection.sendall(protocol.get)
            times += misses_at(connection, protocol, 1)
    # Where this process was held up for longer than the pipeline lasts, the server had nothing to do.
    hundreds = [b - a for a, b in itertools.pairwise(times[::100])]
    assert statistics.median(hundreds) == pytest.approx(100 * delay, rel=0.05)
    assert times[-1] - times[0] > 0.99 * (count - 1) * delay


@both_loops
@law_of_time
def test_what_commands_cost_anyway_does_not_add_to_the_delay_of_those_that_wait_on_other_connections(loop):
    delay, count, protocol = 0.0001, 6400, PROTOCOLS[0]
    with troubled(protocol, "--delay 100us", loop) as server, contextlib.ExitStack() as stack:
        poll = select.poll()
        connections = {}
        for _ in range(32):
            connection = stack.enter_context(connected(server))
            connections[connection.fileno()] = connection
            poll.register(connection, select.POLLIN)
        for connection in connections.values():
            connection.sendall(protocol.get)
        times = []
        while len(times) < count:
            for descriptor, _ in poll.poll():
                times += misses_at(connections[descriptor], protocol, 1)
                connections[descriptor].sendall(protocol.get)
    # Rounds of the loop are about as long as there are connections; reading one costs some 10 % of the delay here.
    rounds = [(b - a) / 32 for a, b in itertools.pairwise(times[::32])]
    assert statistics.median(rounds) == pytest.approx(delay, rel=0.05)


@both
@law_of_time
def test_each_reply_leaves_when_its_own_service_ends(protocol):
    delay, count = 0.002, 60
    with troubled(protocol, "--delay 2ms") as server, connected(server) as connection:
        start = time.monotonic()
        connection.sendall(protocol.get * count)
        times = misses_at(connection, protocol, count)
    late = [at - start - (i + 1) * delay for i, at in enumerate(times)]
    assert -0.1 * MS < statistics.median(late) < 1 * MS, late
    assert times[-1] - times[0] == pytest.approx((count - 1) * delay, abs=2 * MS)


@both
@law_of_time
def test_jitter_is_uniform_from_zero(protocol):
    jitter, count = 0.001, 800
    with troubled(protocol, "--jitter 1ms --seed 5") as server, connected(server) as connection:
        connection.sendall(protocol.get * count)
        times = misses_at(connection, protocol, count)
    gaps = [b - a for a, b in itertools.pairwise(times)]
    deviation = jitter / math.sqrt(12)
    # Five standard errors of the mean; the quarters are wide enough for a reader that is held up.
    assert statistics.mean(gaps) == pytest.approx(jitter / 2, abs=5 * deviation / math.sqrt(count))
    quarters = statistics.quantiles(gaps)
    assert quarters == pytest.approx([jitter * share for share in (0.25, 0.5, 0.75)], abs=0.15 * MS)


@both
def test_control_commands_are_served_without_delay(protocol):
    with troubled(protocol, "--delay 1m") as server:
        for _ in range(3):
            assert ask(server.port, protocol.greeting, protocol.greeted).endswith(protocol.greeted)
            assert protocol.bytes_read in converse(server.port, protocol.question + quit_of(protocol))


def quit_of(protocol: Protocol) -> bytes:
    return b"QUIT\r\n" if protocol.name == "resp" else b"quit\r\n"


# ── Errors ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def outcomes(protocol: Protocol, options: str, count: int) -> list[bool]:
    """Whether each of so many GETs, sent at once, was refused."""
    with troubled(protocol, options) as server:
        answer = converse(server.port, protocol.greeting + protocol.get * count + quit_of(protocol))
    lines = [line for line in answer.split(b"\r\n") if line in (protocol.planted[:-2], protocol.miss[:-2])]
    assert len(lines) == count
    return [line == protocol.planted[:-2] for line in lines]


@pytest.mark.parametrize(("share", "rate"), [("5%", 0.05), ("0.25", 0.25), ("100%", 1.0)])
@both
def test_the_share_of_errors_is_the_one_planted(protocol, share, rate):
    count = 20_000
    refused = sum(outcomes(protocol, f"--error-rate {share}", count))
    # Five standard deviations of the binomial distribution.
    assert refused == pytest.approx(count * rate, abs=5 * math.sqrt(count * rate * (1 - rate)))


def test_which_commands_fail_is_a_matter_of_the_seed():
    first, again, other = (outcomes(PROTOCOLS[0], f"--error-rate 10% --seed {seed}", 2000) for seed in (1, 1, 2))
    assert first == again != other


@both
def test_a_refused_command_is_not_executed(protocol):
    # Every command fails, so what the questions say of the store is what was there before.
    with troubled(protocol, "--error-rate 100%") as server:
        answer = converse(server.port, protocol.set * 3 + protocol.question + quit_of(protocol))
        assert answer.startswith(protocol.planted * 3)
        assert answer.count(b"planted") == 3
        if protocol.name == "resp":
            commands = converse(server.port, resp(b"INFO", b"everything") + resp(b"DBSIZE") + resp(b"QUIT"))
            assert b"cmdstat_set:calls=0,usec=0,usec_per_call=0.00,rejected_calls=3" in commands
            assert commands.endswith(b":0\r\n+OK\r\n")
        else:
            assert b"STAT curr_items 0\r\n" in answer
            assert b"STAT cmd_set 0\r\n" in answer


REFUSALS = [
    (b"set k 0 0 5\r\nhello\r\n", 1),
    (b"set k 0 0 5 noreply\r\nhello\r\n", 0),
    (b"set k 0 0 40000\r\n" + b"x" * 40_000 + b"\r\n", 1),
    (b"get noreply\r\n", 1),
    (b"gets a b noreply\r\n", 1),
    (b"delete noreply\r\n", 1),
    (b"delete k noreply\r\n", 0),
    (b"incr k 1 noreply\r\n", 0),
    (b"  get k\r\n", 1),
]


@pytest.mark.parametrize(("command", "answers"), REFUSALS)
def test_memcache_commands_are_refused_whole_and_noreply_silently(command, answers):
    for step in (len(command), 1000, 1):
        with Wire(MemcacheConnection, faults=Faults(error_rate=1.0)) as wire:
            for at in range(0, len(command), step):
                wire.feed(command[at : at + step])
            wire.feed(b"version\r\n")
            assert wire.finish() == b"SERVER_ERROR planted\r\n" * answers + b"VERSION 1.6.0-loadgen\r\n"


def test_a_value_that_is_too_large_is_answered_once():
    with Wire(MemcacheConnection, faults=Faults(error_rate=1.0)) as wire:
        wire.feed(b"set k 0 0 2000000\r\n" + b"x" * 2_000_000 + b"\r\nversion\r\n")
        assert wire.finish() == b"SERVER_ERROR object too large for cache\r\nVERSION 1.6.0-loadgen\r\n"


# ── Connections ─────────────────────────────────────────────────────────────────────────────────────────────────────


@both
def test_a_connection_is_closed_after_exactly_so_many_answers(protocol):
    with troubled(protocol, "--close-after 7") as server:
        for _ in range(2):
            with connected(server) as connection:
                connection.sendall(protocol.greeting + protocol.get * 10)
                greeting, end, rest = everything(connection).partition(protocol.greeted)
                assert (greeting + end, rest) == (greeting + protocol.greeted, protocol.miss * 7)
            with connected(server) as connection:
                for _ in range(7):
                    connection.sendall(protocol.get)
                    assert connection.recv(100) == protocol.miss
                assert connection.recv(100) == b""


def test_a_connection_is_not_closed_before_a_long_answer_is_whole():
    value = 300_000
    with Wire(MemcacheConnection, faults=Faults(close_after=2)) as wire:
        wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        wire.feed(b"set k 0 0 %d\r\n%b\r\n" % (value, b"x" * value))
        assert wire.receive(8) == b"STORED\r\n"
        wire.feed(b"get " + b"k " * 20 + b"\r\nget nope\r\n")
        assert not wire.transport.closed
        expected = (b"VALUE k 0 %d\r\n%b\r\n" % (value, b"x" * value)) * 20 + b"END\r\n"
        assert wire.receive_all(len(expected)) == expected
        assert wire.transport.closed


@pairs
def test_a_black_hole_greets_and_is_silent_from_the_first_data_command_on(protocol, loop):
    with troubled(protocol, "--blackhole", loop) as server, connected(server) as connection:
        connection.sendall(protocol.greeting)
        assert connection.recv(1000).endswith(protocol.greeted)
        connection.sendall(protocol.question)
        while protocol.bytes_read not in connection.recv(1 << 16):
            pass
        connection.setblocking(True)
        # It goes on reading: no socket buffer holds as much.
        for _ in range(64):
            connection.sendall(protocol.set * 10_000)
        connection.sendall(protocol.greeting + protocol.question)
        assert silent(connection)
        assert ask(server.port, protocol.greeting, protocol.greeted)


def test_a_black_hole_takes_a_second_ping_for_data():
    with troubled(PROTOCOLS[0], "--blackhole") as server, connected(server) as connection:
        connection.sendall(resp(b"HELLO", b"3") + resp(b"PING") * 3)
        answer = b""
        while not answer.endswith(b"+PONG\r\n"):
            answer += connection.recv(1000)
        assert silent(connection)
        assert answer.count(b"PONG") == 1


@pairs
@law_of_time
def test_a_slow_reader_holds_up_its_sender_and_keeps_its_rate(protocol, loop):
    rate = 1_000_000

    def bytes_read() -> int:
        answer = converse(server.port, protocol.question + quit_of(protocol))
        return int(answer.partition(protocol.bytes_read)[2].split(b"\r\n")[0])

    with troubled(protocol, f"--slow-read {rate}", loop) as server, connected(server) as connection:
        connection.setblocking(False)
        load = protocol.set * 5000
        rest = memoryview(load)
        start = time.monotonic()
        held_up = accepted = 0
        seen = []
        while time.monotonic() < start + 1.2:
            try:
                sent = connection.send(rest)
                accepted += sent
                rest = rest[sent:] or memoryview(load)
            except BlockingIOError:
                held_up += 1
                # The kernel keeps 4 MB for the sender on loopback, if it is let: too much to notice in a second.
                assert seen or accepted < 1_000_000
                seen.append((time.monotonic(), bytes_read(), time.monotonic()))
                time.sleep(0.05)
            with contextlib.suppress(BlockingIOError):
                connection.recv(1 << 20)
    assert held_up > 5
    first, last = seen[0], seen[-1]
    assert first[0] - start < 0.5
    read = last[1] - first[1]
    # What may have been read in that time, and a slice of 10 ms; the questions themselves are a few hundred bytes.
    assert read <= rate * (last[2] - first[0] + 0.010) + 200 * held_up
    assert read >= 0.8 * rate * (last[0] - first[2])


# ── All of it ───────────────────────────────────────────────────────────────────────────────────────────────────────

WIRED = [
    ("resp", RedisConnection, *RESP),
    ("memcache", MemcacheConnection, *MEMCACHE),
]


@pytest.mark.parametrize(("name", "connection", "data", "cuts"), WIRED, ids=[row[0] for row in WIRED])
def test_command_by_command_the_answers_are_the_same_wherever_the_input_is_cut(name, connection, data, cuts):
    with Wire(connection) as wire:
        wire.feed(data)
        expected = wire.finish()
    for cut in [0, *cuts]:
        with Wire(connection, faults=Faults(close_after=10**9, delay_ns=1)) as wire:
            wire.feed(data[:cut])
            wire.feed(data[cut:])
            assert wire.finish() == expected, f"cut at {cut}"


@both
def test_the_first_line_says_what_is_planted(protocol):
    options = "--null --stall 100ms --every 1s --delay 200us --jitter 1500us --error-rate 0.5% --close-after 3"
    options += " --slow-read 64KB"
    said = first_line("--protocol", protocol.name, *options.split())
    head, _, planted = said.partition("; Ctrl-C stops it; ")
    assert f"({protocol.name}) listening on 127.0.0.1:" in head
    assert planted == (
        "null: nothing is stored; planted: stall 100ms every 1s, delay 200us, jitter 1500us, errors 0.5%, "
        "close after 3, slow read 64000 B/s\n"
    )
    assert first_line("--protocol", protocol.name, "--blackhole").endswith("; Ctrl-C stops it; planted: blackhole\n")
    assert first_line("--protocol", protocol.name).endswith("; Ctrl-C stops it\n")


def first_line(*options: str) -> str:
    with subprocess.Popen(
        [sys.executable, "-m", "loadgen", "serve", "--port", "0", *options], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            return process.stdout.readline()
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--stall 100ms", "--every"),
        ("--every 1s", "--stall"),
        ("--stall 1s --every 1s", "shorter than --every"),
        ("--stall 2s --every 1s", "shorter than --every"),
        ("--stall 0s --every 1s", "no time at all"),
        ("--stall soon --every 1s", "not a duration"),
        ("--delay -1ms", "--delay"),
        ("--delay 0", "no time at all"),
        ("--jitter 1x", "not a duration"),
        ("--error-rate 0", "is not a share"),
        ("--error-rate 101%", "is not a share"),
        ("--error-rate 2", "is not a share"),
        ("--error-rate nan", "is not a share"),
        ("--error-rate often", "is not a share"),
        ("--close-after 0", "is not a whole number"),
        ("--close-after 1.5", "is not a whole number"),
        ("--slow-read 0", "out of range"),
        ("--slow-read slow", "not a size"),
        ("--seed -1", "--seed"),
        (f"--delay 1ms --seed {1 << 64}", "is not a whole number"),
        ("--blackhole --delay 1ms --close-after 1", "--delay and --close-after"),
    ],
)
def test_what_cannot_be_planted_is_exit_2_and_a_sentence(options, words, capsys):
    try:
        status = main(["serve", "--port", "0", *options.split()])
    except SystemExit as end:
        status = end.code
    said = capsys.readouterr()
    assert (status, said.out) == (2, "")
    assert words in said.err.splitlines()[-1]


# ── Null ────────────────────────────────────────────────────────────────────────────────────────────────────────────

VALUE = b"x" * 64
FOUND = b"$64\r\n" + VALUE + b"\r\n"


def memcache_found(key: bytes, version: bytes = b"") -> bytes:
    return b"VALUE %b 0 64%b\r\n%b\r\n" % (key, version, VALUE)


NULL_RESP = [
    (resp(b"GET", b"k"), FOUND),
    (resp(b"SET", b"k", b"v"), b"+OK\r\n"),
    (resp(b"GET", b"k" * 300), FOUND),
    (resp(b"SET", b"", b""), b"+OK\r\n"),
    (resp(b"DEL", b"k"), b":1\r\n"),
    (resp(b"PING"), b"+PONG\r\n"),
    (resp(b"get", b"k"), FOUND),
    (resp(b"SET", b"k", b"v" * 40_000), b"+OK\r\n"),
    (resp(b"SET", b"k", b"v", b"EX", b"10"), b"+OK\r\n"),
    (resp(b"DEL", b"a", b"b", b"c"), b":3\r\n"),
    (b"GET k\r\n", FOUND),
    (resp(b"PING", b"hello"), b"$5\r\nhello\r\n"),
    (resp(b"EXISTS", b"k"), b":0\r\n"),
    (resp(b"GET"), b"-ERR wrong number of arguments for 'get' command\r\n"),
    (resp(b"SET", b"k", b"\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"), b"+OK\r\n"),
    (resp(b"DBSIZE"), b":0\r\n"),
]
NULL_MEMCACHE = [
    (b"get k\r\n", memcache_found(b"k") + b"END\r\n"),
    (b"set k 0 0 1\r\nv\r\n", b"STORED\r\n"),
    (b"get %b\r\n" % (b"k" * 250), memcache_found(b"k" * 250) + b"END\r\n"),
    (b"get %b\r\n" % (b"k" * 251), b"CLIENT_ERROR bad command line format\r\n"),
    (b"get a b\r\n", memcache_found(b"a") + memcache_found(b"b") + b"END\r\n"),
    (b"gets k\r\n", memcache_found(b"k", b" 1") + b"END\r\n"),
    (b"set k 7 -1 5\r\nget k\r\n", b"STORED\r\n"),
    (b"set k 0 0 0\r\n\r\n", b"STORED\r\n"),
    (b"set k 0 0 1 noreply\r\nv\r\n", b""),
    (b"set k 0 0 x\r\n", b"CLIENT_ERROR bad command line format\r\n"),
    (b"set k 0 0 40000\r\n" + b"v" * 40_000 + b"\r\n", b"STORED\r\n"),
    (b"add k 0 0 1\r\nv\r\n", b"STORED\r\n"),
    (b"delete k\r\n", b"DELETED\r\n"),
    (b"delete k noreply\r\n", b""),
    (b"delete a b\r\n", b"CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]\r\n"),
    (b"  get k \n", memcache_found(b"k") + b"END\r\n"),
    (b"get\r\n", b"ERROR\r\n"),
    (b"incr k 1\r\n", b"NOT_FOUND\r\n"),
    (b"version\r\n", b"VERSION 1.6.0-loadgen\r\n"),
]
NULL = [("resp", NullRedisConnection, NULL_RESP), ("memcache", NullMemcacheConnection, NULL_MEMCACHE)]
null = pytest.mark.parametrize(("name", "connection", "vectors"), NULL, ids=[row[0] for row in NULL])
TROUBLES = pytest.mark.parametrize("faults", [None, {"delay_ns": 1}], ids=["at once", "command by command"])


@TROUBLES
@null
def test_null_answers_each_command_right_alone_and_cut_anywhere(name, connection, vectors, faults):
    for request, answer in vectors:
        cuts = range(len(request)) if len(request) < 1000 else [0, 5, 30, 35, 20_000, 35_000, len(request) - 1]
        for cut in cuts:
            with Wire(connection, faults=faults and Faults(**faults)) as wire:
                wire.feed(request[:cut])
                wire.feed(request[cut:])
                assert wire.finish() == answer, (request[:100], cut)
                assert wire.store.items == 0


@TROUBLES
@null
def test_null_answers_pipelines_right_whole_and_in_pieces(name, connection, vectors, faults):
    requests = b"".join(request for request, _ in vectors * 3)
    answers = b"".join(answer for _, answer in vectors * 3)
    for step in (len(requests), 1, 7, 100, 16384):
        with Wire(connection, faults=faults and Faults(**faults)) as wire:
            for at in range(0, len(requests), step):
                wire.feed(requests[at : at + step])
            assert wire.finish() == answers, step


@null
def test_null_waits_for_a_peer_that_does_not_read(name, connection, vectors):
    request, answer = vectors[0]
    count = 10_000
    with Wire(connection) as wire:
        wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        wire.feed(request * count)
        assert not wire.transport.reading
        # The server's out buffer, sent once and not again before it has gone.
        assert wire.transport.most_waiting <= 1 << 18
        assert wire.receive_all(count * len(answer)) == answer * count
        assert wire.transport.reading


@both_loops
def test_hiredis_and_redis_py_understand_null(loop):
    with troubled(PROTOCOLS[0], "--null", loop) as server:
        reader = hiredis.Reader()
        commands = resp(b"GET", b"k") + resp(b"SET", b"k", b"v") + resp(b"DEL", b"k") + resp(b"PING")
        reader.feed(converse(server.port, commands * 1000 + resp(b"QUIT")))
        assert [reader.gets() for _ in range(4001)] == [VALUE, b"OK", 1, b"PONG"] * 1000 + [b"OK"]
        with redis.Redis(port=server.port, socket_timeout=10) as client:
            assert (client.set("k", "v"), client.get("k"), client.get("other")) == (True, VALUE, VALUE)
            assert client.delete("a", "b") == 2
            stats = client.info("commandstats")
        assert (stats["cmdstat_get"]["calls"], stats["cmdstat_set"]["calls"]) == (1002, 1001)
        # One was asked when the server was awaited.
        assert stats["cmdstat_ping"]["calls"] == 1001


@both_loops
def test_pymemcache_understands_null(loop):
    with troubled(PROTOCOLS[1], "--null", loop) as server:
        client: Any = Client((HOST, server.port), timeout=10)
        assert client.set("k", b"v", noreply=False) is True
        assert client.get("k") == client.get("other") == VALUE
        assert client.get_many(["a", "b"]) == {"a": VALUE, "b": VALUE}
        assert client.delete("k", noreply=False) is True
        client.set("k", b"v", noreply=True)
        assert client.gets("k") == (VALUE, b"1")
        stats = client.stats()
        assert (stats[b"cmd_get"], stats[b"cmd_set"], stats[b"curr_items"], stats[b"delete_hits"]) == (5, 2, 0, 1)
        client.close()


@both
def test_null_and_trouble_go_together(protocol):
    with troubled(protocol, "--null --delay 1ms --close-after 20 --error-rate 20% --seed 3") as server:
        start = time.monotonic()
        answer = converse(server.port, protocol.set * 50)
        elapsed = time.monotonic() - start
    refused = answer.count(protocol.planted)
    assert 0 < refused < 20
    assert answer.count(protocol.stored) == 20 - refused
    assert elapsed >= 0.020
