"""The built-in server behind a front that lies: commands go to the server one by one, and replies come back changed.

The server itself is unmodified. The front takes whole commands of either protocol apart, asks the server, and sends
what its `Lie` makes of the replies. A lie decides by what it has seen and by counts, and draws nothing: so a run is the
same each time, and a control without the front draws the same.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from loadgen.protocol import Wire
from loadgen.server._memcache import MemcacheConnection
from loadgen.server._redis import RedisConnection
from loadgen.verify.mutants.mutant import Patch
from loadgen.verify.world import host, servers
from loadgen.verify.world._resident import Resident
from loadgen.verify.world._streams import Streams

GET, SET, DELETE, OTHER = "get", "set", "delete", "other"

_VERBS = {b"get": GET, b"set": SET, b"del": DELETE, b"delete": DELETE}
_STORAGE = (b"set", b"add", b"replace", b"append", b"prepend", b"cas")

Serve = Callable[[bytes], bytes]
"""Has the server carry a command out, and returns its reply."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One command of a client."""

    raw: bytes
    verb: str
    """GET, SET, DELETE with one key, or OTHER."""
    key: bytes = b""
    value: bytes = b""
    head: int = 0
    """Where the value begins in `raw`."""


class Lie:
    """What a front makes of replies; this one is honest. A server has one."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire

    def reply(self, asked: Asked, serve: Serve, front: Front) -> bytes:
        """Return the reply to a command."""
        return serve(asked.raw)

    def sent(self, replies: list[tuple[Asked, bytes]]) -> bytes:
        """Return what is sent for the commands of one read."""
        return b"".join(reply for _, reply in replies)

    # ── Words of the protocol ─────────────────────────────────────────────────────────────────────────────────────────

    def found(self, key: bytes, value: bytes) -> bytes:
        """Return the reply to a GET that finds a value."""
        if self.wire is Wire.RESP:
            return b"$%d\r\n%b\r\n" % (len(value), value)
        return b"VALUE %b 0 %d\r\n%b\r\nEND\r\n" % (key, len(value), value)

    def is_miss(self, reply: bytes) -> bool:
        return reply in (b"$-1\r\n", b"_\r\n", b"END\r\n")

    def stored(self) -> bytes:
        """Return the reply to a SET."""
        return b"+OK\r\n" if self.wire is Wire.RESP else b"STORED\r\n"

    def a_set(self, asked: Asked, value: bytes) -> bytes:
        """Return a SET of another value."""
        if self.wire is Wire.RESP:
            return b"*3\r\n$3\r\nSET\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n" % (len(asked.key), asked.key, len(value), value)
        return b"set %b 0 0 %d\r\n%b\r\n" % (asked.key, len(value), value)


class Front(asyncio.Protocol):
    """A client's stream, and the server's connection behind it."""

    def __init__(self, server: Any, lie: Lie) -> None:
        self._server = server
        self._lie = lie
        self._came = b""
        self._replies = bytearray()
        self._serving = False
        self.read_before = 0
        """The bytes of the first command in this read that had come in earlier reads."""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._server.connection_made(_Behind(self, transport))

    def data_received(self, data: bytes) -> None:
        self.read_before = len(self._came)
        self._came += data
        replies: list[tuple[Asked, bytes]] = []
        while (asked := _first(self._lie.wire, self._came)) is not None:
            self._came = self._came[len(asked.raw) :]
            replies.append((asked, self._lie.reply(asked, self._serve, self)))
            self.read_before = 0
        if replies and not self._transport.is_closing():
            self._transport.write(self._lie.sent(replies))

    def _serve(self, raw: bytes) -> bytes:
        self._replies.clear()
        self._serving = True
        try:
            while raw:
                window = memoryview(self._server.get_buffer(-1))
                taken = min(len(raw), len(window))
                window[:taken] = raw[:taken]
                window.release()
                self._server.buffer_updated(taken)
                raw = raw[taken:]
        finally:
            self._serving = False
        return bytes(self._replies)

    def write(self, data: bytes) -> None:
        """Take bytes that the server sends: a reply, or outside of one what goes straight to the client."""
        if self._serving:
            self._replies += data
        else:
            self._transport.write(data)

    def pause_writing(self) -> None:
        """Read nothing from a client that does not read."""
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._transport.resume_reading()

    def eof_received(self) -> bool | None:
        return bool(self._server.eof_received())

    def connection_lost(self, error: Exception | None) -> None:
        self._server.connection_lost(error)


class _Behind:
    """The transport that the server's connection has: the client's, but for what is written."""

    def __init__(self, front: Front, transport: Any) -> None:
        self.write = front.write
        self._transport = transport

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Ignore the limits: the front stands between."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def _first(wire: Wire, data: bytes) -> Asked | None:
    """Return the first command of some bytes; None while it is not whole."""
    return _first_resp(data) if wire is Wire.RESP else _first_line(data)


def _first_resp(data: bytes) -> Asked | None:
    end = data.find(b"\r\n")
    if end < 0:
        return None
    words: list[bytes] = []
    at, head = end + 2, 0
    for _ in range(int(data[1:end])):
        end = data.find(b"\r\n", at)
        if end < 0:
            return None
        head = end + 2
        size = int(data[at + 1 : end])
        if len(data) < head + size + 2:
            return None
        words.append(data[head : head + size])
        at = head + size + 2
    verb = _VERBS.get(words[0].lower(), OTHER)
    if (verb, len(words)) not in ((GET, 2), (DELETE, 2), (SET, 3)):
        return Asked(data[:at], OTHER)
    return Asked(data[:at], verb, words[1], words[2] if verb == SET else b"", head)


def _first_line(data: bytes) -> Asked | None:
    end = data.find(b"\r\n")
    if end < 0:
        return None
    words = data[:end].split()
    at = end + 2
    verb = _VERBS.get(words[0], OTHER) if words else OTHER
    value = b""
    if words and words[0] in _STORAGE:
        size = int(words[4])
        if len(data) < at + size + 2:
            return None
        value = data[at : at + size]
        at += size + 2
    if verb == OTHER or len(words) != (5 if verb == SET else 2):
        return Asked(data[:at], OTHER)
    return Asked(data[:at], verb, words[1], value, end + 2)


# ── Lies ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


class StaleRead(Lie):
    """A read soon after a write is answered by a replica that does not have the write yet."""

    def __init__(self, wire: Wire) -> None:
        super().__init__(wire)
        self._values: dict[bytes, tuple[bytes, bytes]] = {}
        """By key, the value before the present one, and the present one."""
        self._fresh: set[bytes] = set()
        """The keys that were written and not read since."""
        self._reads = 0

    def reply(self, asked: Asked, serve: Serve, front: Front) -> bytes:
        reply = serve(asked.raw)
        if asked.verb == SET and reply == self.stored():
            _, present = self._values.get(asked.key, (b"", b""))
            self._values[asked.key] = (present, asked.value)
            self._fresh.add(asked.key)
        elif asked.verb == DELETE:
            self._values.pop(asked.key, None)
        elif asked.verb == GET and asked.key in self._fresh and not self.is_miss(reply):
            self._fresh.discard(asked.key)
            before, _ = self._values.get(asked.key, (b"", b""))
            self._reads += bool(before)
            if before and self._reads % 3 == 0:
                return self.found(asked.key, before)
        return reply


class LostWrite(Lie):
    """The third write to a key, and each third after it, is acknowledged and not carried out."""

    def __init__(self, wire: Wire) -> None:
        super().__init__(wire)
        self._writes: Counter[bytes] = Counter()

    def reply(self, asked: Asked, serve: Serve, front: Front) -> bytes:
        if asked.verb == SET:
            self._writes[asked.key] += 1
            if self._writes[asked.key] % 3 == 0:
                return self.stored()
        return serve(asked.raw)


class LostAcknowledgement(Lie):
    """One of six writes is carried out, and its acknowledgement never sent."""

    def __init__(self, wire: Wire) -> None:
        super().__init__(wire)
        self._writes = 0

    def reply(self, asked: Asked, serve: Serve, front: Front) -> bytes:
        reply = serve(asked.raw)
        if asked.verb == SET:
            self._writes += 1
            if self._writes % 6 == 0:
                return b""
        return reply


class RevivedValue(Lie):
    """A value that was deleted, and was then missed, is there once more."""

    def __init__(self, wire: Wire) -> None:
        super().__init__(wire)
        self._values: dict[bytes, bytes] = {}
        self._deleted: dict[bytes, bytes] = {}
        self._missed: set[bytes] = set()

    def reply(self, asked: Asked, serve: Serve, front: Front) -> bytes:
        reply = serve(asked.raw)
        if asked.verb == SET:
            self._values[asked.key] = asked.value
            self._deleted.pop(asked.key, None)
            self._missed.discard(asked.key)
        elif asked.verb == DELETE and asked.key in self._values:
            self._deleted[asked.key] = self._values.pop(asked.key)
        elif asked.verb == GET and asked.key in self._deleted and self.is_miss(reply):
            if asked.key in self._missed:
                self._missed.discard(asked.key)
                return self.found(asked.key, self._deleted.pop(asked.key))
            self._missed.add(asked.key)
        return reply


class OffByOne(Lie):
    """Of reads that come together, every other batch is answered in the wrong order: each reply is the next one's."""

    def __init__(self, wire: Wire) -> None:
        super().__init__(wire)
        self._batches = 0

    def sent(self, replies: list[tuple[Asked, bytes]]) -> bytes:
        if len(replies) > 1 and all(asked.verb == GET for asked, _ in replies):
            self._batches += 1
            if self._batches % 2 == 0:
                replies = [*replies[1:], replies[0]]
        return super().sent(replies)


class Twice(Lie):
    """One of nine replies is sent twice."""

    def __init__(self, wire: Wire) -> None:
        super().__init__(wire)
        self._replies = 0

    def reply(self, asked: Asked, serve: Serve, front: Front) -> bytes:
        reply = serve(asked.raw)
        self._replies += 1
        return reply * 2 if self._replies % 9 == 0 else reply


class TornWrite(Lie):
    """A write that comes in two reads is stored as far as the first of them had it."""

    def reply(self, asked: Asked, serve: Serve, front: Front) -> bytes:
        if asked.verb == SET and asked.head < front.read_before < asked.head + len(asked.value):
            return serve(self.a_set(asked, asked.value[: front.read_before - asked.head]))
        return serve(asked.raw)


# ── Where fronts stand ────────────────────────────────────────────────────────────────────────────────────────────────


def patches(lie: type[Lie]) -> tuple[Patch, ...]:
    """Return what puts a front with a lie before each stream that a built-in server accepts in a world."""

    def before(factory: Callable[[], Any]) -> Callable[[], Any]:
        lies: dict[Wire, Lie] = {}

        def make() -> Any:
            server = factory()
            wire = _wire_of(server)
            return server if wire is None else Front(server, lies.setdefault(wire, lie(wire)))

        return make

    class LyingStreams(Streams):
        def listen(self, port: int, factory: Callable[[], Any]) -> None:
            super().listen(port, before(factory))

    class LyingResident(Resident):
        def listen(self, port: int, factory: Callable[[], Any]) -> None:
            super().listen(port, before(factory))

    return ((servers, "Streams", LyingStreams), (host, "Resident", LyingResident))


def _wire_of(server: object) -> Wire | None:
    """Return what a connection of the built-in server speaks; None for any other protocol."""
    if isinstance(server, MemcacheConnection):
        return Wire.MEMCACHE
    return Wire.RESP if isinstance(server, RedisConnection) else None
