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


class BuiltinServer:
    """The built-in server on a host, listening. Killing the host ends it; a new one may then be made there.

    `faults` are planted in it, but for freezes: `Host.pause` makes those.
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
    ) -> None:
        if faults is not None and faults.stall_ns:
            raise ValueError("a server in a world freezes by a pause of its host")
        self.host, self.port = host, port
        self.wire = wire
        self.ground = Ground(host)
        self.store = Store(max_memory_bytes, eviction)
        self.service = Service(self.store, max_memory_bytes, "", self._asked_to_stop, faults, self.ground.time)
        self.service.listening_on(host.address, port, self.ground.soon, self._call_later)
        self.stopped = False
        self.streams = Streams(self.ground)
        self.listen()

    @property
    def endpoint(self) -> Endpoint:
        """The server's address in a plan."""
        return Endpoint(self.host.address, self.port, self.host.address)

    def listen(self) -> None:
        """Accept connections; also after `Network.set_listener` had the port do something else."""
        kind, service = _CONNECTIONS[self.wire], self.service
        self.streams.listen(self.port, lambda: kind(service))

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
