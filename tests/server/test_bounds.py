"""The built-in server among hostile clients: the memory of its process is bounded, and it goes on serving."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator

import psutil
import pytest
from builtin_servers import HOST, Wire, built_in, resp

from loadgen.server._memcache import MemcacheConnection
from loadgen.server._redis import RedisConnection
from loadgen.target.server import ManagedServer

MIB = 1 << 20

HELD = 64 * MIB
"""What commands in progress and unread replies may take in all, with the memory limit that is used here."""

MOST_GROWTH = 16 * MIB + HELD + 44 * MIB
"""The items, what is held, and room for the allocator and 64 KiB for each connection."""


@contextlib.contextmanager
def small_server(protocol: str = "resp") -> Iterator[ManagedServer]:
    with built_in(protocol, max_memory_bytes=16 * MIB) as server:
        yield server


def connected(server: ManagedServer) -> socket.socket:
    return socket.create_connection((HOST, server.port), timeout=20)


def push(connection: socket.socket, data: bytes) -> None:
    """As much of it as the server takes before it closes."""
    with contextlib.suppress(ConnectionError):
        connection.sendall(data)


def answers(server: ManagedServer) -> bool:
    with connected(server) as connection:
        connection.sendall(b"version\r\n" if server.plan.target.protocol == "memcache" else resp(b"PING"))
        return connection.recv(100).endswith(b"\r\n")


def half_a_value(protocol: str) -> bytes:
    head = b"set k 0 0 100000000\r\n" if protocol == "memcache" else b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100000000\r\n"
    return head + b"x" * (40 * MIB)


def many_arguments(protocol: str) -> bytes:
    if protocol == "memcache":
        return b"get " + b"k " * (4 * MIB)
    return b"*1000000\r\n$3\r\nDEL\r\n" + b"$1\r\nk\r\n" * 1_000_000


def long_arguments(protocol: str) -> bytes:
    # Each is too short to be received on its own.
    return b"*3000\r\n$3\r\nDEL\r\n" + (b"$30000\r\n" + b"k" * 30000 + b"\r\n") * 2000


@pytest.mark.parametrize(
    ("protocol", "flood"),
    [
        ("resp", half_a_value),
        ("memcache", half_a_value),
        ("resp", many_arguments),
        ("memcache", many_arguments),
        ("resp", long_arguments),
    ],
)
def test_commands_that_are_never_complete_are_bounded_over_all_connections(
    protocol: str, flood: Callable[[str], bytes]
) -> None:
    data = flood(protocol)
    with small_server(protocol) as server, contextlib.ExitStack() as stack:
        process = psutil.Process(server.pid)
        before = process.memory_info().rss
        for _ in range(6):
            push(stack.enter_context(connected(server)), data)
            assert process.memory_info().rss - before < MOST_GROWTH
        assert answers(server)


def test_replies_that_nobody_reads_are_bounded_over_all_connections() -> None:
    value = 8 * MIB
    with small_server() as server, contextlib.ExitStack() as stack:
        process = psutil.Process(server.pid)
        before = process.memory_info().rss
        for n in range(24):
            connection = stack.enter_context(connected(server))
            # Another value each time: that the store has dropped the last one does not free what is still to be sent.
            push(connection, resp(b"SET", b"k", b"%d" % (n % 10) * value) + resp(b"GET", b"k"))
            # Once so much is held, values are refused.
            assert connection.recv(5) in (b"+OK\r\n", b"-OOM ")
        assert answers(server)
        assert process.memory_info().rss - before < MOST_GROWTH


@pytest.mark.parametrize(
    "command",
    [
        resp(b"COMMAND", b"INFO", *[b"get"] * 60_000),
        resp(b"HELLO", b"3", *[b"AUTH", b"default", b"x"] * 20_000),
        resp(b"CONFIG", b"GET", *[b"*a*%d*" % n for n in range(60_000)]),
        resp(b"CLIENT", b"SETNAME", *[b"x"] * 60_000),
    ],
    ids=["command", "hello", "config", "client"],
)
def test_a_question_with_very_many_words_is_refused_and_not_worked_on(command: bytes) -> None:
    with Wire(RedisConnection) as wire:
        began_s = time.process_time()
        wire.feed(command)
        assert wire.receive(len(b"-ERR too many arguments")) == b"-ERR too many arguments"
        # Each of them took seconds when it was worked on.
        assert time.process_time() - began_s < 2
        assert not wire.transport.closed


LONG = b"x" * 100_000
STORED = b"set k 0 0 100000\r\n" + LONG + b"\r\n"


@pytest.mark.parametrize(
    ("connection", "store", "stored", "ask", "reply", "end"),
    [
        (
            MemcacheConnection,
            STORED,
            b"STORED\r\n",
            b"get" + b" k" * 200 + b"\r\n",
            b"VALUE k 0 100000\r\n",
            b"END\r\n",
        ),
        (RedisConnection, resp(b"SET", b"k", LONG), b"+OK\r\n", resp(b"GET", b"k") * 200, b"$100000\r\n", b""),
    ],
    ids=["one get", "a pipeline"],
)
def test_much_that_is_asked_with_little_is_answered_in_turns(
    connection: type, store: bytes, stored: bytes, ask: bytes, reply: bytes, end: bytes
) -> None:
    expected, received, turns = (reply + LONG + b"\r\n") * 200 + end, bytearray(), []
    with Wire(connection) as wire:
        wire.service.listening_on(HOST, 0, turns.append, turns.append)
        wire.feed(store)
        assert wire.receive(len(stored)) == stored
        wire.peer.setblocking(False)
        wire.feed(ask)
        while len(received) < len(expected):
            turn = b""
            with contextlib.suppress(BlockingIOError):
                while part := wire.peer.recv(MIB):
                    turn += part
            assert len(turn) < 2 * MIB
            assert not wire.transport.waiting
            received += turn
            if len(received) < len(expected):
                assert not wire.transport.reading
                turns.pop()()
        assert received == expected
        assert not turns
        assert wire.transport.reading


def test_a_pattern_as_long_as_a_book_is_refused() -> None:
    with Wire(RedisConnection) as wire:
        wire.feed(resp(b"CONFIG", b"GET", b"[a-z]" * 100_000))
        assert wire.finish() == b"-ERR pattern is too long\r\n"


@pytest.mark.parametrize("connection", [RedisConnection, MemcacheConnection])
def test_what_was_held_is_let_go(connection: type) -> None:
    value = b"x" * 300_000
    with Wire(connection) as wire:
        head = b"set k 0 0 300000\r\n" if connection is MemcacheConnection else resp(b"SET", b"k", value)[:34]
        whole = head + value + b"\r\n" if connection is MemcacheConnection else resp(b"SET", b"k", value)
        wire.feed(whole[:200_000])
        assert wire.service.held_bytes >= 300_000
        wire.feed(whole[200_000:])
        assert wire.service.held_bytes == 0
        wire.feed(whole[:200_000])
        assert wire.service.held_bytes >= 300_000
    assert wire.service.held_bytes == 0


def test_a_name_as_long_as_a_book_is_refused_and_no_word_is_repeated_whole() -> None:
    book = b"x" * MIB
    for command in ([b"CLIENT", b"SETNAME", book], [b"HELLO", b"3", b"SETNAME", book]):
        with Wire(RedisConnection) as wire:
            wire.feed(resp(*command))
            assert wire.finish() == b"-ERR Client names cannot be longer than 128 bytes here.\r\n"
    for command in ([b"HELLO", b"3", book], [b"CONFIG", b"SET", book, b"1"]):
        with Wire(RedisConnection) as wire:
            wire.feed(resp(*command))
            assert len(wire.finish()) < 1000
