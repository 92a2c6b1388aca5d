"""A memcached server of a scenario: the built-in server's own protocol and store, on a host of its own.

For the meta commands, which the built-in server does not have, it is a model of them.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from loadgen.server import _memcache
from loadgen.server._connection import Service
from loadgen.server._memcache import MemcacheConnection
from loadgen.server._store import Store
from loadgen.verify.world.host import Host
from loadgen.verify.world.meta_memcached import MetaConnection, MetaServer
from loadgen.verify.world.net import Net

VERSION = "1.6.18"
MAX_ITEM_BYTES = 1 << 20


class _Served(MemcacheConnection, asyncio.BufferedProtocol):  # type: ignore[misc]
    """A client's stream at the built-in server."""

    __slots__ = ()


class _MetaServed(asyncio.Protocol):
    """A client's stream at the model of the meta commands."""

    def __init__(self, server: MetaServer) -> None:
        self._connection = MetaConnection(server)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        if replies := self._connection.answers(data):
            self._transport.write(replies)


class Memcached:
    """A memcached server, at `host` and `port`, from its start on. A killed one comes back empty."""

    keeps_data = False

    def __init__(self, net: Net, name: str, port: int, *, memory_bytes: int, meta: bool) -> None:
        self.host = name
        """The name of its host, by which clients connect."""
        self.port = port
        self.runs = False
        self._net = net
        self._memory_bytes = memory_bytes
        self._meta = meta
        self._processes: list[Service | MetaServer] = []
        self._stores: list[Store | MetaServer] = []
        self.start()

    @property
    def node(self) -> tuple[str, int]:
        """The server's address as `loadgen.client.Client` takes it."""
        return self.host, self.port

    @property
    def starts(self) -> int:
        """How often the process was started."""
        return len(self._processes)

    def calls(self) -> Counter[str]:
        """Return how many keys were read, set and deleted since the first start, by the name of the command."""
        counts: Counter[str] = Counter()
        for process in self._processes:
            counts.update(process.calls if isinstance(process, MetaServer) else _memcache.calls(process))
        return counts

    def expired(self) -> int:
        """Return how many items were found to have expired since the first start."""
        return sum(store.expired for store in self._stores)

    def start(self) -> None:
        """Start the process. Nothing happens where it runs."""
        if self.runs:
            return
        self.runs = True
        host: Host = self._net.host(self.host)
        if self._meta:
            model = MetaServer(host.resident.unix_ns)
            self._stores.append(model)
            self._processes.append(model)
            host.resident.listen(self.port, lambda: _MetaServed(model))
            return
        store = Store(self._memory_bytes, "lru")
        self._stores.append(store)
        service = Service(store, MAX_ITEM_BYTES, VERSION, self.kill, None, host.resident.ground.time)
        self._processes.append(service)
        service.listening_on(host.address, self.port, host.resident.soon, host.resident.later)
        host.resident.listen(self.port, lambda: _Served(service))

    def kill(self) -> None:
        """Kill the process: its kernel ends its connections, and its data is gone."""
        if self.runs:
            self.runs = False
            self._net.kill(self._net.host(self.host))
