"""Servers on the hosts of a world: the built-in server, whose connections, stores and codecs run unmodified."""

from __future__ import annotations

from collections.abc import Callable

from loadgen.plan import Endpoint
from loadgen.protocol import Wire
from loadgen.server import _memcache, _redis
from loadgen.server._connection import Connection, Service
from loadgen.server._faults import Faults
from loadgen.server._memcache import MemcacheConnection
from loadgen.server._redis import RedisConnection
from loadgen.server._store import Store
from loadgen.units import NS_PER_S
from loadgen.verify.world._ground import Ground
from loadgen.verify.world._network import Host
from loadgen.verify.world._streams import Streams, StreamTransport

STORE_BYTES = 1 << 20
"""The memory of a server's items. The store's table of 16,384 buckets is made for each seed."""

_CONNECTIONS: dict[Wire, type[Connection]] = {Wire.RESP: RedisConnection, Wire.MEMCACHE: MemcacheConnection}

_TOO_MANY = {
    Wire.RESP: b"-ERR max number of clients reached\r\n",
    Wire.MEMCACHE: b"ERROR Too many open connections\r\n",
}


class _TurnedAway:
    """A protocol whose connection is closed as soon as it is there."""

    def __init__(self, words: bytes) -> None:
        self._words = words

    def connection_made(self, transport: StreamTransport) -> None:
        if self._words:
            transport.write(self._words)
        transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        """Nothing is kept of it."""


class BuiltinServer:
    """The built-in server on a host, listening. Killing the host ends it; a new one may then be made there.

    `faults` are planted in it, but for freezes: `Host.pause` makes those. With `store`, it has the items of a server
    before it.
    """

    def __init__(
        self,
        host: Host,
        port: int,
        wire: Wire,
        *,
        max_memory_bytes: int = STORE_BYTES,
        eviction: str = "lru",
        faults: Faults | None = None,
        store: Store | None = None,
    ) -> None:
        if faults is not None and faults.stall_ns:
            raise ValueError("a server in a world freezes by a pause of its host")
        self.host, self.port = host, port
        self.wire = wire
        self.faults = faults
        self.ground = Ground(host)
        self.store = Store(max_memory_bytes, eviction) if store is None else store
        self.service = Service(self.store, max_memory_bytes, "", self._asked_to_stop, faults, self.ground.time)
        self.service.listening_on(host.address, port, self.ground.soon, self._call_later)
        self.stopped = False
        self.most_connections: int | None = None
        """The connections beyond which a new one is told that there are too many, and closed; with 0, without a word.
        The built-in server has no such limit: this is how redis (maxclients) and memcached (-c) do."""
        self.streams = Streams(self.ground)
        self.listen()

    @property
    def endpoint(self) -> Endpoint:
        """The server's address in a plan."""
        return Endpoint(self.host.address, self.port, self.host.address)

    def listen(self) -> None:
        """Accept connections; also after `Network.set_listener` had the port do something else."""
        self.streams.listen(self.port, self._accepted)

    def _accepted(self) -> Connection | _TurnedAway:
        most = self.most_connections
        if most is not None and len(self.service.connections) >= most:
            return _TurnedAway(_TOO_MANY[self.wire] if most else b"")
        return _CONNECTIONS[self.wire](self.service)

    def connections(self) -> list[StreamTransport]:
        """Return the transports of the open connections, oldest first."""
        return self.streams.open()

    def calls(self) -> dict[str, int]:
        """Return how often each command was executed, as the server counts."""
        return _memcache.calls(self.service) if self.wire is Wire.MEMCACHE else _redis.calls(self.service)

    def _call_later(self, delay_s: float, call: Callable[[], object]) -> None:
        self.ground.at(self.ground.time.now() + round(delay_s * NS_PER_S), call)

    def _asked_to_stop(self) -> None:
        self.stopped = True
