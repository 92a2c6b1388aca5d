"""The Lua scripts of the queues on Redis, and the functions that stand for them on the simulated server.

Drawn calls are carried out by both: replies and the whole keyspace are the same after each. The simulated server is
told the time that the real one had in the script; ids of entries are compared by their order.
"""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

import hiredis
import pytest
from real_servers import RealServer

from loadgen.jobs.redis.scripts import LISTS, STREAM, Script
from loadgen.verify.reply import Error, Null, Reply, Status
from loadgen.verify.world.redis.queues import QUEUES
from loadgen.verify.world.redis.server import RedisServer

PREFIX = b"loadgen:{q}:"
QUEUE = PREFIX + b"queue"
CLOCK = "redis.call('TIME')\n"
ECHOED = CLOCK + "redis.call('SET', 'clock', clock[1] .. ' ' .. clock[2])\n"
HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def redis() -> Iterator[RealServer]:
    with RealServer.redis() as server:
        yield server


class Real:
    """The real server."""

    def __init__(self, server: RealServer) -> None:
        self._socket = socket.create_connection((server.host, server.port), timeout=20.0)
        self._reader = hiredis.Reader()
        self.ask("FLUSHALL")

    def close(self) -> None:
        self._socket.close()

    def ask(self, *words: bytes | str | int) -> Any:
        self._socket.sendall(hiredis.pack_command(words))
        while (reply := self._reader.gets()) is False:
            self._reader.feed(self._socket.recv(1 << 16))
        if isinstance(reply, hiredis.ReplyError):
            return b"-" + str(reply).split(" ")[0].encode()
        return reply

    def run(self, script: Script, words: list[bytes]) -> Any:
        return self.ask("EVAL", script.text.decode().replace(CLOCK, ECHOED), 1, PREFIX, *words)

    def unix_us(self) -> int:
        seconds, us = self.ask("GET", "clock").split()
        return int(seconds) * 1_000_000 + int(us)

    def dump(self) -> dict[bytes, Any]:
        keys = self.ask("KEYS", "loadgen:*")
        return {key: content(self, key) for key in keys}


class Simulated:
    """The simulated server, at a time that is told."""

    number = 1
    host = "test"

    def __init__(self) -> None:
        self.queued: list[Any] = []
        self.unix_us = 0
        self._server = RedisServer(self, scripts=dict(QUEUES))

    def unix_ns(self) -> int:
        return self.unix_us * 1000

    def after(self, wait_ns: int, call: Any) -> None:
        raise AssertionError("nothing waits here")

    def go_on(self, reply: Reply) -> None:
        raise AssertionError("nothing waits here")

    def ask(self, *words: bytes | str | int) -> Any:
        command = tuple(word if isinstance(word, bytes) else str(word).encode() for word in words)
        return plain(self._server.ask(self, command))

    def run(self, script: Script, words: list[bytes]) -> Any:
        return plain(self._server.script(self, (b"EVAL", script.text, b"1", PREFIX, *words)))

    def dump(self) -> dict[bytes, Any]:
        return {key: content(self, key) for key in self.ask("KEYS", "loadgen:*")}


def plain(reply: Any) -> Any:
    match reply:
        case Status():
            return reply.text
        case Error():
            return b"-" + reply.code
        case Null():
            return None
        case list() | tuple():
            return [plain(each) for each in reply]
    return reply


def content(server: Real | Simulated, key: bytes) -> Any:
    """Return what a key has, and about how long it is there, in hours."""
    ttl = round(server.ask("PTTL", key) / HOUR_MS, 1)
    match server.ask("TYPE", key):
        case b"string":
            return server.ask("GET", key), ttl
        case b"hash":
            words = server.ask("HGETALL", key)
            return dict(zip(words[::2], words[1::2], strict=True)), ttl
        case b"list":
            return server.ask("LRANGE", key, 0, -1), ttl
        case b"zset":
            return server.ask("ZRANGE", key, 0, -1, "WITHSCORES"), ttl
        case b"stream":
            pending = server.ask("XPENDING", key, "workers", "-", "+", 1000)
            if pending != b"-NOGROUP":
                pending = [[id, worker, count] for id, worker, _, count in pending]
            return server.ask("XRANGE", key, "-", "+"), pending, ttl
    raise AssertionError(key)


class Tokens:
    """The ids of a stream's entries by the order in which they came: their times differ by the time of a script."""

    def __init__(self) -> None:
        self._known: dict[bytes, bytes] = {}

    def alike(self, value: Any) -> Any:
        found: set[bytes] = set()
        self._find(value, found)
        for token in sorted(found - self._known.keys(), key=lambda each: tuple(map(int, each.split(b"-")))):
            self._known[token] = b"token %d" % len(self._known)
        return self._replaced(value)

    def _find(self, value: Any, found: set[bytes]) -> None:
        match value:
            case bytes():
                ms, dash, number = value.partition(b"-")
                if dash and len(ms) == 13 and ms.isdigit() and number.isdigit():
                    found.add(value)
            case dict():
                for each in value.values():
                    self._find(each, found)
            case list() | tuple():
                for each in value:
                    self._find(each, found)

    def _replaced(self, value: Any) -> Any:
        match value:
            case bytes():
                return self._known.get(value, value)
            case dict():
                return {key: self._replaced(each) for key, each in value.items()}
            case list() | tuple():
                return [self._replaced(each) for each in value]
        return value


class Drawn:
    """Calls of one queue, drawn from a seed. What was claimed is named in later calls, rightly and wrongly."""

    def __init__(self, seed: int, has_stream: bool) -> None:
        self.draw = random.Random(seed)
        self.has_stream = has_stream
        self.ids = [b"job-%d" % n for n in range(12)] + ["ü ☃".encode()]
        self.claims: list[tuple[bytes, bytes, bytes]] = []
        """Job, token and fence."""
        self.stored = [b"s0", b"s1", b"s2"]

    def worker(self) -> bytes:
        return self.draw.choice([b"a", b"b", b"c", "wörker".encode()])

    def job(self) -> list[bytes]:
        due = self.draw.choice([b"0", b"0", b"0", b"1", b"%d" % (10**13)])
        key = self.draw.choice([b"", b"", b"", b"k1", b"k2"])
        return [
            self.draw.choice(self.ids),
            b"work",
            self.draw.choice([b"", b"1", bytes(range(256))]),
            b"terms",
            due,
            key,
        ]

    def claimed(self) -> tuple[bytes, bytes, bytes]:
        if not self.claims or self.draw.random() < 0.1:
            token = b"5-5" if self.has_stream else b""
            return self.draw.choice(self.ids), token, b"%d" % self.draw.randrange(4)
        return self.draw.choice(self.claims[-8:])

    def keep_ms(self) -> bytes:
        return b"0" if self.draw.random() < 0.15 else b"%d" % (10 * HOUR_MS)

    def call(self) -> tuple[str, list[bytes]]:
        draw = self.draw
        match draw.randrange(14):
            case 0 | 1 | 2:
                count = draw.randrange(1, 4)
                return "publish", [b"%d" % (20 * HOUR_MS), *(word for _ in range(count) for word in self.job())]
            case 3 | 4 | 5:
                return "claim", [self.worker(), b"%d" % draw.randrange(0, 4)]
            case 6:
                return "claim", [b"", b"0"]
            case 7:
                count = draw.randrange(0, 3)
                return "renew", [self.worker(), *(w for _ in range(count) for w in self._named())]
            case 8 | 9:
                words = [self.worker(), self.keep_ms()]
                for _ in range(draw.randrange(1, 4)):
                    kind, wait = draw.choice(
                        [(b"success", b"0"), (b"again", b"0"), (b"again", b"99999999"), (b"dead", b"0")]
                    )
                    words += [*self._named(), kind, b"text", wait]
                return "settle", words
            case 10 | 11:
                lease = draw.choice([b"0", b"99999999"])
                forget = draw.choice([b"0", b"99999999"])
                most = b"%d" % draw.randrange(0, 3)
                return "sweep", [self.worker(), most, lease, b"3", b"0-0", forget, self.keep_ms()]
            case 12:
                return draw.choice(
                    [("cancel", [draw.choice(self.ids), self.keep_ms()]), ("retry", [draw.choice(self.ids)])]
                )
        name, before, after = draw.choice([b"n", b"none"]), draw.choice(self.stored), draw.choice(self.stored)
        if draw.random() < 0.5:
            return "change", [name, after]
        return "fire", [name, before, after, b"%d" % (20 * HOUR_MS), *self.job()]

    def _named(self) -> list[bytes]:
        id, token, fence = self.claimed()
        return [id, token, fence]

    def note(self, operation: str, reply: Any) -> None:
        """Remember what was claimed, with tokens of the real server."""
        if operation in ("claim", "sweep"):
            claims = reply[1] if operation == "claim" else reply[2]
            self.claims += [(id, token, b"%d" % fence) for token, id, *_, fence in claims]


class Waited:
    """A read that waited, without waiting: what it brings is given to the next claim of its worker."""

    def __init__(self, has_stream: bool) -> None:
        self._has_stream = has_stream

    def ask(self, server: Real | Simulated, worker: bytes) -> list[bytes]:
        if not self._has_stream:
            id = server.ask("LMOVE", QUEUE, PREFIX + b"taken:" + worker, "RIGHT", "LEFT")
            return [] if id is None else [b"", id]
        reply = server.ask("XREADGROUP", "GROUP", "workers", worker, "COUNT", 2, "STREAMS", QUEUE, ">")
        return [] if reply is None else [word for token, fields in reply[0][1] for word in (token, fields[1])]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("scripts", "has_stream"), [(STREAM, True), (LISTS, False)], ids=["stream", "lists"])
def test_functions_do_what_scripts_do(
    redis: RealServer, scripts: Mapping[str, Script], has_stream: bool, seed: int
) -> None:
    with closing(Real(redis)) as real:
        compared(real, scripts, has_stream, seed)


def compared(real: Real, scripts: Mapping[str, Script], has_stream: bool, seed: int) -> None:
    """Carry out drawn calls on both servers."""
    simulated, drawn = Simulated(), Drawn(seed, has_stream)
    tokens = Tokens(), Tokens()
    waited = Waited(has_stream)
    real_of: dict[bytes, bytes] = {}
    called: dict[str, int] = {}
    servers = (real, simulated)
    for server in servers:
        server.ask("HSET", PREFIX + b"schedules", "n", "s0")
    for step in range(250):
        operation, words = drawn.call()
        called[operation] = called.get(operation, 0) + 1
        delivered: list[list[bytes]] = [[], []]
        if operation == "claim" and words[0] and step > 50 and drawn.draw.random() < 0.3:
            delivered = [waited.ask(server, words[0]) for server in servers]
            if drawn.draw.random() < 0.3:
                # Its worker dies before it says so.
                delivered = [[], []]
            if drawn.draw.random() < 0.5:
                lost = [b"b", b"%d" % drawn.draw.randrange(3), b"0", b"3", b"0-0", b"99999999", b"36000000"]
                real.run(scripts["sweep"], lost)
                simulated.unix_us = real.unix_us()
                simulated.run(scripts["sweep"], lost)
        replies = []
        for n, server in enumerate(servers):
            given = [real_of.get(word, word) if n else word for word in (*words, *delivered[n])]
            replies.append(server.run(scripts[operation], given))
            if n == 0:
                simulated.unix_us = real.unix_us()
        drawn.note(operation, replies[0])
        if has_stream and operation in ("claim", "sweep"):
            at = 1 if operation == "claim" else 2
            real_of |= {mine[0]: its[0] for mine, its in zip(replies[0][at], replies[1][at], strict=True)}
        said = f"seed {seed}, step {step}: {operation} {words}"
        both = [(reply, server.dump()) for reply, server in zip(replies, servers, strict=True)]
        assert tokens[0].alike(both[0]) == tokens[1].alike(both[1]), said
    assert called.keys() == scripts.keys()
