"""A Redis server of a scenario: a process on a host and a disk of its own, which faults kill and start again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from hashlib import sha1
from typing import Any

from loadgen.verify.reply import Reply
from loadgen.verify.step import Command
from loadgen.verify.world._streams import StreamTransport
from loadgen.verify.world.disk import Disk
from loadgen.verify.world.host import Host
from loadgen.verify.world.net import Net
from loadgen.verify.world.redis.append_only import POLICIES, AppendOnlyFile
from loadgen.verify.world.redis.connection import RedisConnection
from loadgen.verify.world.redis.queues import QUEUES
from loadgen.verify.world.redis.scripts import LOCKS
from loadgen.verify.world.redis.server import RedisServer, Script

Observe = Callable[[str, str, Command, Reply], None]
"""Told of each command that was carried out: the host that asked, the server, the command and the reply."""

APPEND_ONLY_FILE = "appendonly.aof"


class Redis:
    """A Redis server, at `host` and `port`, from its start on."""

    def __init__(
        self,
        net: Net,
        name: str,
        port: int,
        observe: Observe,
        *,
        fsync: str | None,
        maxmemory_bytes: int | None,
    ) -> None:
        if fsync is not None and fsync not in POLICIES:
            raise ValueError(f"fsync is {fsync!r}: it must be one of {', '.join(POLICIES)}, or None for no file")
        self.host = name
        """The name of its host, by which clients connect."""
        self.port = port
        self.disk = Disk()
        self.runs = False
        self._net = net
        self._observe = observe
        self._fsync = fsync
        self._maxmemory_bytes = maxmemory_bytes
        self._scripts: dict[bytes, Script] = {**LOCKS, **QUEUES}
        self.start()

    @property
    def url(self) -> str:
        """The server's address as redis-py takes it."""
        return f"redis://{self.host}:{self.port}"

    @property
    def keeps_data(self) -> bool:
        """True when the server has an append-only file."""
        return self._fsync is not None

    def script(self, text: str | bytes, function: Script) -> None:
        """Give the server a function in the place of a Lua script, which clients name by its text or its SHA1.

        The function is called with `call(*command)`, the keys and the arguments, and returns the reply.
        """
        data = text.encode() if isinstance(text, str) else text
        self._scripts[sha1(data, usedforsecurity=False).hexdigest().encode()] = function

    def start(self) -> None:
        """Start the process, which loads the data that its disk has. Nothing happens where it runs."""
        if self.runs:
            return
        self.runs = True
        host = self._net.host(self.host)
        clock = _HostClock(host)
        file = None
        if self._fsync is not None:
            file = AppendOnlyFile(self.disk.open(APPEND_ONLY_FILE), self._fsync, clock.after)
        process = RedisServer(
            clock,
            file,
            maxmemory_bytes=self._maxmemory_bytes,
            end=self.kill,
            observe=lambda asker, command, reply: self._observe(asker, self.host, command, reply),
            scripts=self._scripts,
        )
        host.resident.listen(self.port, lambda: _Served(process, self._net.name_of))

    def kill(self) -> None:
        """Kill the process: its kernel ends its connections, and what it has written stays on its disk."""
        self._end(power=True)

    def lose_power(self, below: Callable[[int, str], int]) -> int:
        """Cut the power: nobody is told, and what the disk has not synced may be lost. Return the bytes that are."""
        self._end(power=False)
        return self.disk.lose_power(below)

    def _end(self, *, power: bool) -> None:
        if self.runs:
            self.runs = False
            self._net.kill(self._net.host(self.host), power=power)


class _HostClock:
    """The time of a process on a host, whose calls end with the host."""

    def __init__(self, host: Host) -> None:
        self._resident = host.resident

    def unix_ns(self) -> int:
        return self._resident.unix_ns()

    def after(self, wait_ns: int, call: Callable[[], None]) -> None:
        self._resident.at(self._resident.now_ns + wait_ns, call)


class _Served(asyncio.Protocol):
    """A client's stream, and the connection that it carries."""

    def __init__(self, process: RedisServer, name_of: Callable[[str], str]) -> None:
        self._process = process
        self._name_of = name_of
        self.host = ""

    def connection_made(self, transport: Any) -> None:
        self._transport: StreamTransport = transport
        self.host = self._name_of(transport.get_extra_info("peername")[0])
        self._connection = RedisConnection(self._process, self)

    def data_received(self, data: bytes) -> None:
        self._connection.received(data)

    def pause_writing(self) -> None:
        """Read nothing from a client that does not read."""
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._transport.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        self._connection.ended()

    def send(self, data: bytes) -> None:
        self._transport.write(data)

    def close(self) -> None:
        self._transport.close()
