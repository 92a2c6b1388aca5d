"""The built-in server: a small RESP or memcache server for runs without setup, for self-tests and for planted faults.

    server = Server(port=0, protocol="resp", max_memory_bytes=256 << 20)
    await server.start()
    ... server.port ...
    await server.stop()

The server runs on uvloop or on asyncio's own loop. Its parts: `_store` keeps the items, `_connection` moves bytes,
`_resp` parses and writes RESP, `_redis` and `_memcache` execute the commands, `_null` answers without a store,
`_faults` decides when the planted faults happen.
"""

import asyncio
import os
import socket

from libc.errno cimport errno

from loadgen.engine._clock cimport timer_arm, timer_clear, timer_open
from loadgen.server._connection cimport Service
from loadgen.server._memcache cimport MemcacheConnection
from loadgen.server._null cimport NullMemcacheConnection, NullRedisConnection
from loadgen.server._redis cimport RedisConnection

from loadgen.server._faults import Faults
from loadgen.server._store import EVICTION_POLICIES, ITEM_OVERHEAD_BYTES, Store

__all__ = ["DEFAULT_MAX_MEMORY_BYTES", "EVICTION_POLICIES", "MEMCACHE_MAX_ITEM_BYTES", "Server", "Faults"]

DEFAULT_MAX_MEMORY_BYTES = 256 << 20
MEMCACHE_MAX_ITEM_BYTES = 1 << 20
# Thousands of connections at a run's start must not wait for repeated SYNs. The kernel cuts this to its own bound.
BACKLOG = 8192
# The segment size, Ethernet's, that a slow reader asks of its peers. A sender's buffer grows with its segments: with
# those of loopback, 64 KiB, the buffer would take 4 MB before the sender blocks; with these it takes 200 KB.
SLOW_SEGMENT_BYTES = 1460


# asyncio's own loop recognises a buffered protocol by its class, uvloop by its methods.
class _RespProtocol(RedisConnection, asyncio.BufferedProtocol):
    __slots__ = ()


class _MemcacheProtocol(MemcacheConnection, asyncio.BufferedProtocol):
    __slots__ = ()


class _NullRespProtocol(NullRedisConnection, asyncio.BufferedProtocol):
    __slots__ = ()


class _NullMemcacheProtocol(NullMemcacheConnection, asyncio.BufferedProtocol):
    __slots__ = ()


_PROTOCOLS = {"resp": _RespProtocol, "memcache": _MemcacheProtocol}
_NULL_PROTOCOLS = {"resp": _NullRespProtocol, "memcache": _NullMemcacheProtocol}


class Server:
    """One listening socket, its connections, and their shared state. `host` and `port` are the address, once started.

    `max_memory_bytes` bounds the items, counted as `_store` counts them; `eviction` is one of EVICTION_POLICIES.
    `max_item_bytes` bounds one item. For memcache the item is counted as memcached counts it, and the default is 1 MiB;
    for RESP a value may be as large as the memory allows, up to the protocol's 512 MiB.
    `version` is the server's own version in its replies. Port 0 takes a free port. `null` answers the data commands
    without a store. `faults` has the planted faults and their state, so each server needs its own.
    """

    def __init__(
        self, host="127.0.0.1", port=0, protocol="resp", *, max_memory_bytes=DEFAULT_MAX_MEMORY_BYTES,
        eviction="lru", max_item_bytes=None, version="", null=False, faults=None,
    ):
        if protocol not in _PROTOCOLS:
            raise ValueError(f"protocol must be resp or memcache, not {protocol!r}")
        if max_item_bytes is None:
            fits_in_memory = max_memory_bytes - ITEM_OVERHEAD_BYTES
            max_item_bytes = MEMCACHE_MAX_ITEM_BYTES if protocol == "memcache" else fits_in_memory
        self.host = host
        self.port = port
        self.protocol = protocol
        self.store = Store(max_memory_bytes, eviction)
        self._connection = (_NULL_PROTOCOLS if null else _PROTOCOLS)[protocol]
        self._service = Service(self.store, max_item_bytes, version, self.ask_to_stop, faults)
        self._listener = None
        self._timer = -1
        self._asked_to_stop = asyncio.Event()

    async def start(self):
        """Listen on the first address that `host` resolves to. Raises OSError when that fails."""
        loop = asyncio.get_running_loop()
        cdef Service service = self._service
        connection = self._connection
        slow = service.faults is not None and service.faults.read_bytes_per_s > 0
        listener = await _listen(loop, self.host, self.port, SLOW_SEGMENT_BYTES if slow else 0)
        self.host, self.port = listener.getsockname()[:2]
        service.listening_on(self.host, self.port, loop.call_soon, loop.call_later)
        self._listener = await loop.create_server(lambda: connection(service), sock=listener, backlog=BACKLOG)
        if service.faults is not None and service.faults.stall_ns > 0:
            self._timer = timer_open()
            if self._timer < 0:
                raise OSError(errno, os.strerror(errno))
            loop.add_reader(self._timer, self._freeze)
            timer_arm(self._timer, service.faults.start())

    def _freeze(self):
        cdef Service service = self._service
        timer_clear(self._timer)
        timer_arm(self._timer, service.faults.freeze())

    def ask_to_stop(self):
        """Make `asked_to_stop` return; a client's SHUTDOWN does the same."""
        self._asked_to_stop.set()

    async def asked_to_stop(self):
        await self._asked_to_stop.wait()

    async def stop(self):
        """Stop listening and close every connection at once; replies not yet sent are lost."""
        listener, self._listener = self._listener, None
        if listener is None:
            return
        if self._timer >= 0:
            asyncio.get_running_loop().remove_reader(self._timer)
            os.close(self._timer)
            self._timer = -1
        listener.close()
        for connection in list(self._service.connections):
            connection.abort()
        await listener.wait_closed()


async def _listen(loop, host, port, segment_bytes):
    addresses = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, kind, number, _, address = addresses[0]
    listener = socket.socket(family, kind, number)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if segment_bytes > 0:
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, segment_bytes)
        listener.bind(address)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener
